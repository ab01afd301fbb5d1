# What Hearth must know of a host before it changes anything: one `key=value` a line, repeated keys are lists.
# $1 is the address that the profile gives the host, the others are those of all hosts. Changes nothing.
own=$1
. /etc/os-release 2>/dev/null
echo "os=${ID:-unknown} ${VERSION_ID:-}"
echo "arch=$(uname -m)"
echo "kernel=$(uname -r)"
echo "uid=$(id -u)"
echo "init=$(cat /proc/1/comm)"
echo "time=$(date +%s.%N)"
echo "hostname=$(uname -n)"
echo "machine-id=$(cat /etc/machine-id 2>/dev/null)"
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && echo "cgroup=2" || echo "cgroup=1"
awk '/^CapBnd/ {print "capabilities=" $2}' /proc/1/status
awk '/^MemTotal/ {print "memory=" $2} /^MemAvailable/ {print "available=" $2}' /proc/meminfo
echo "cpus=$(nproc)"
echo "disk=$(df -Pk /var/lib | awk 'NR == 2 {print $4}')"
echo "programs-disk=$(df -Pk /usr/local/bin | awk 'NR == 2 {print $4}')"
awk 'NR > 1 {print "swap=" $1}' /proc/swaps
for tool in awk find flock ip iptables iptables-restore mount nsenter sha256sum ss sysctl systemctl tar; do
  command -v $tool >/dev/null || echo "lacks=$tool"
done
grep -qw overlay /proc/filesystems || modprobe -n overlay 2>/dev/null || echo "no-overlay=1"
ip -4 -o address show | awk '{print "address=" $4}'
ip -4 route show default | awk '{print "gateway=" $3; exit}'
resolver=/etc/resolv.conf
[ -f /run/systemd/resolve/resolv.conf ] && resolver=/run/systemd/resolve/resolv.conf
echo "resolver=$resolver"
awk '/^nameserver/ {print "nameserver=" $2}' $resolver
ss -ltnH 2>/dev/null | awk '{print $4}' | sed 's/.*://' | sort -un | sed 's/^/port=/'
[ -f /var/lib/hearth/cluster ] && echo "cluster=$(cat /var/lib/hearth/cluster)"
for path in /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf /var/lib/rancher /var/lib/k0s /var/snap/microk8s; do
  [ -e $path ] && echo "kubernetes=$path"
done
for unit in docker containerd crio podman kubelet k3s; do
  systemctl is-active --quiet $unit 2>/dev/null && echo "runs=$unit"
done
cat /proc/sys/fs/inotify/max_user_instances | sed 's/^/inotify=/'
shift
for peer; do
  [ "$peer" = "$own" ] && continue
  ip route get "$peer" 2>/dev/null | grep -q ' via ' && echo "routed=$peer"
  { timeout 3 ping -c 1 -W 2 "$peer" >/dev/null 2>&1 || timeout 3 bash -c "</dev/tcp/$peer/${SSH_PORT:-22}" 2>/dev/null; } || echo "unreachable=$peer"
done
true
