# Benchmark only: cleans a host that the plain script of hosts-vs-script made a node. It uses a list of paths, so only use it on
# hosts with nothing else on them.
# Makes a node a plain host again. $1 is the pod subnet. What the host had before (the stock taken then) stays, and what others
# own is never touched: of tables, rules and routes only those made by Kubernetes or Hearth are removed.
stock=/var/lib/hearth/stock
had() { [ -f $stock ] && grep -qF "$1	$2" $stock; }

systemctl disable --now kubelet.service hearth-routes.service containerd.service >/dev/null 2>&1
pkill -KILL -f '^(/usr/local/bin/containerd-shim-runc-v2 -namespace k8s.io|/usr/local/sbin/runc --root /run/containerd/)'
# all processes of all pods are in there
systemctl kill --signal=KILL kubepods.slice >/dev/null 2>&1
# runc freezes a container while it sets its limits; killed then, it leaves processes that cannot die (cgroup v1 and v2)
find /sys/fs/cgroup -path '*/kubepods.slice/*' '(' -name freezer.state -o -name cgroup.freeze ')' 2>/dev/null |
  while read -r path; do
    case $path in */freezer.state) echo THAWED ;; *) echo 0 ;; esac 2>/dev/null >"$path"
  done
systemctl stop kubepods.slice kubepods-burstable.slice kubepods-besteffort.slice >/dev/null 2>&1
for try in 1 2 3; do
  awk '$2 ~ "^/(var/lib/kubelet|var/lib/containerd|run/containerd|run/netns/cni-)" {print $2}' /proc/mounts | sort -r |
    while read -r path; do umount -l "$path" 2>/dev/null; done
done
ip netns list 2>/dev/null | awk '/^cni-/ {print $1}' | while read -r name; do ip netns delete "$name"; done
# a namespace can live on for minutes, held by connections of dead processes: its interface on this side is deleted here
ip -4 route show root "$1" | sed -n 's/.* dev \(veth[^ ]*\).*/link delete \1/p' | sort -u | ip -force -batch - 2>/dev/null
ip -4 route show root "$1" | while read -r route; do ip route delete $route 2>/dev/null; done

# one transaction per table: chains of ours are emptied, jumps to them and rules of ours are removed, then the chains
for family in iptables ip6tables; do
  command -v $family-save >/dev/null || continue
  for table in nat filter mangle; do
    saved=$($family-save -t $table 2>/dev/null | grep -E '^(:(KUBE|CNI)-|-A .*(-j (KUBE|CNI)-|--comment "?hearth"?))') || continue
    {
      echo "*$table"
      echo "$saved" | sed -nE 's/^(:[^ ]+) .*/\1 - [0:0]/p'
      echo "$saved" | grep -E '^-A' | grep -vE '^-A (KUBE|CNI)-' | sed 's/^-A/-D/'
      echo "$saved" | sed -nE 's/^:([^ ]+) .*/-X \1/p'
      echo COMMIT
    } | $family-restore --wait --noflush
  done
done
# tables that were made for these rules and are empty now
nft list tables 2>/dev/null | while read -r word family name; do
  had nft-table "table $family $name" && continue
  nft list table "$family" "$name" | grep -qvE '^(table|	chain|		type|	}|}|# )|^$' || nft delete table "$family" "$name"
done
nft list tables 2>/dev/null | awk '$3 == "kube-proxy" {print $2}' | while read -r family; do nft delete table "$family" kube-proxy; done

systemctl is-active --quiet hearth-routes.service && systemctl stop hearth-routes.service
for path in /etc/systemd/system/kubelet.service /etc/systemd/system/containerd.service /etc/systemd/system/hearth-routes.service \
  /etc/sysctl.d/90-hearth.conf /etc/containerd/config.toml /etc/cni/net.d/10-hearth.conflist /etc/crictl.yaml; do
  had file "$path " || rm -f "$path"
done
while read -r path; do had file "$path " || rm -f "$path"; done </var/lib/hearth/programs
rm -rf /etc/kubernetes /var/lib/kubelet /var/lib/etcd /var/lib/containerd /run/containerd /var/lib/cni /run/cni-ipam-state \
  /usr/local/lib/hearth /var/log/pods /var/log/containers /var/local-path-provisioner /run/kubernetes /kind /var/run/kubernetes \
  /usr/libexec/kubernetes /run/xtables.lock
had folder /run/nri/ || rm -rf /run/nri
# folders that were made for these files
for path in /etc/containerd /etc/cni/net.d /etc/cni /opt/cni/bin /opt/cni /opt/containerd/bin /opt/containerd/lib /opt/containerd; do
  had folder "$path" || rmdir "$path" 2>/dev/null
done
systemctl daemon-reload
systemctl reset-failed kubelet.service containerd.service hearth-routes.service 'cri-containerd-*' 'kubepods*' >/dev/null 2>&1
[ -f $stock ] && awk -F '\t' '$1 == "sysctl" {print $2}' $stock | while read -r name equals value; do
  [ "$(sysctl -n "$name" 2>/dev/null)" = "$value" ] || sysctl -q -w "$name=$value"
done
true
