# What Hearth must know about a host before it changes anything: one `key=value` per line, repeated keys are lists. $1 is the
# address of the host in the profile, $2 the pod subnet, the others are what it has to reach: `ADDRESS:PORT,PORT`, the port of
# SSH first. Changes nothing.
own=$1 subnet=$2
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
for tool in awk bash find flock ip iptables iptables-restore mount nsenter sha256sum ss sysctl systemctl tar; do
  command -v $tool >/dev/null || echo "lacks=$tool"
done
grep -qw overlay /proc/filesystems || modprobe -n overlay 2>/dev/null || echo "no-overlay=1"
# the kubelet reads the kernel's log, which containers of the host's own kind may not
(: </dev/kmsg) 2>/dev/null || echo "no-kmsg=1"
for folder in /etc /opt /usr/local/bin /usr/local/sbin /var/lib; do
  [ ! -d $folder ] || [ -w $folder ] || echo "read-only=$folder"
done
ip -4 -o address show | awk '{print "address=" $4; print "network=" $2 " " $4}'
ip -4 route show table main | awk '$1 ~ /^[0-9.\/]+$/ {for (at = 2; at < NF; at++) if ($at == "dev") print "network=" $(at + 1) " " $1}'
ip -4 route show default | awk '{print "gateway=" $3; exit}'
resolver=/etc/resolv.conf
[ -f /run/systemd/resolve/resolv.conf ] && resolver=/run/systemd/resolve/resolv.conf
echo "resolver=$resolver"
awk '/^nameserver/ {print "nameserver=" $2}' $resolver
ss -ltnH 2>/dev/null | awk '{print $4}' | sed 's/.*://' | sort -un | sed 's/^/port=/'
[ -f /var/lib/hearth/cluster ] && echo "cluster=$(cat /var/lib/hearth/cluster)"
[ -f /var/lib/hearth/pool ] && echo "pool=$(cat /var/lib/hearth/pool)"
for path in /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf /var/lib/rancher /var/lib/k0s /var/snap/microk8s; do
  [ -e $path ] && echo "kubernetes=$path"
done
filled | sed 's/^/filled=/'
for path in $FILES $PROGRAMS; do
  { [ -e "$path" ] || [ -L "$path" ]; } && echo "stands=$path"
done
for path in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json; do
  [ -f "$path" ] && echo "cni=$path"
done
for unit in docker containerd crio podman kubelet k3s; do
  systemctl is-active --quiet $unit 2>/dev/null && echo "runs=$unit"
done
for unit in firewalld ufw; do
  systemctl is-active --quiet $unit 2>/dev/null && echo "firewall=$unit"
done
iptables-save -t filter 2>/dev/null | awk -v subnet="$subnet" '
  /^:FORWARD DROP/ {drops = 1}
  /-j ACCEPT/ && (index($0, " " subnet " ") || $0 == "-A FORWARD -j ACCEPT") {accepts = 1}
  END {if (drops && !accepts) print "forward-dropped=1"}'
cat /proc/sys/fs/inotify/max_user_instances | sed 's/^/inotify=/'

# A refusal counts as an answer; silence and what firewalls send instead do not.
answers() {
  said=$(LC_ALL=C timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1) && return
  case $said in *refused*) ;; *) false ;; esac
}
shift 2
for peer; do
  address=${peer%%:*} ports=${peer#*:}
  [ "$address" = "$own" ] && continue
  ip route get "$address" 2>/dev/null | grep -q ' via ' && echo "routed=$address"
  answers "$address" "${ports%%,*}" || timeout 3 ping -c 1 -W 2 "$address" >/dev/null 2>&1 || { echo "unreachable=$address"; continue; }
  for port in $(echo "${ports#*,}" | tr , ' '); do
    answers "$address" "$port" || echo "blocked=$address:$port" &
  done
done
wait
true
