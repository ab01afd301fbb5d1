# Pauses a node for MILLISECONDS, or resumes it: `pause MILLISECONDS`, with this script as standard input too, or `resume`.
set -e

# Only one at a time: a resume that comes while the node is still being paused waits for that, and finds the timer and its script.
exec 9>/run/hearth-wake.lock
flock -w 20 9 2>/dev/null || true

# Sends a signal to kubelet, container runtime and pods.
signal() {
  pids=$(grep -lE 'kubepods|kubelet\.service|containerd\.service' /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3)
  [ -z "$pids" ] || kill "-$1" $pids 2>/dev/null || true
}

case $1 in
pause)
  systemctl stop hearth-wake.timer hearth-wake.service 2>/dev/null || true
  cat >/run/hearth-wake.sh
  # without the timer nothing is stopped; systemd's usual accuracy could make it a minute late
  systemd-run --quiet --collect --unit=hearth-wake "--on-active=${2}ms" --timer-property=AccuracySec=100ms \
    /bin/sh /run/hearth-wake.sh resume
  # twice: what was started between the look and the first signal is stopped by the second
  signal STOP
  signal STOP
  ;;
resume)
  signal CONT
  rm -f /run/hearth-wake.sh
  systemctl stop hearth-wake.timer 2>/dev/null || true
  ;;
esac
