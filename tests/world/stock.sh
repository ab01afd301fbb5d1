# Everything on a host in which Hearth could leave traces, one item a line: kind, a tab, the item. Changes nothing.
# Counters, times and what changes by itself (a container runtime's resolver at 127.0.0.11) are left out, so that two runs on an idle host print the same.
item() { sed "s|^|$1	|"; }
{
  find /etc /opt /usr/local -xdev -type l -printf '%p -> %l\n'
  find /etc /opt /usr/local -xdev -type f -size +1000000k -printf '%p of %s bytes\n'
  find /etc /opt /usr/local -xdev -type f ! -size +1000000k -print0 | xargs -0 -r sha256sum | sed 's/^\([0-9a-f]*\)  \(.*\)/\2 \1/'
} 2>/dev/null | grep -vE '^/etc/(resolv\.conf|mtab|hosts|hostname|ld\.so\.cache) ' | item file
find /etc /opt /usr/local -xdev -type d 2>/dev/null | item folder
ls -d /var/lib/*/ /var/log/*/ /var/*/ 2>/dev/null | grep -v '^/var/lib/hearth/' | item folder
ls -d /run/*/ 2>/dev/null | grep -E 'containerd|cni|kube|nri' | item folder
# where units are; what enables them are links below /etc (asking systemd for all of them costs it a third of a second)
{
  find /run/systemd/system /usr/lib/systemd/system ! -type d
  find /run/systemd/transient -name 'kubepods*' -o -name 'cri-containerd-*'
} 2>/dev/null | item unit
systemctl list-units --no-legend --no-pager --plain --all --type=slice 2>/dev/null | awk '/kubepods/ {print $1}' | item slice
ip -o link show | awk -F': ' '{sub(/@.*/, "", $2); print $2}' | item link
ip -4 route show table main | sed 's/ *$//' | item route
ip -4 rule show | item rule
ip netns list 2>/dev/null | awk '{print $1}' | item netns
for save in iptables-save iptables-legacy-save ip6tables-save ip6tables-legacy-save; do
  command -v $save >/dev/null || continue
  $save 2>/dev/null | sed -n "s/^\*/table /p; /^-A/p; /^:.* - /p; /^:/{/ACCEPT/d; / - /d; p}" | sed 's/ *\[[0-9:]*\]//' |
    awk '/^table / {table = $2; next} !/127\.0\.0\.11[\/:]/ {print table, $0}' | item "$save"
done
nft list tables 2>/dev/null | item nft-table
awk '$2 !~ "^/run/(credentials|user)" && $3 != "autofs" {print $2, $3}' /proc/mounts | item mount
ps -eo comm= | grep -E '^(containerd|kube|etcd|coredns|envoy|pilot|speaker|controller|mysqld|nginx|hearth)' | item process
for name in net.ipv4.ip_forward net.ipv4.conf.all.route_localnet fs.inotify.max_user_instances fs.inotify.max_user_watches \
  vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes \
  net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_tcp_be_liberal net.netfilter.nf_conntrack_tcp_timeout_established \
  net.netfilter.nf_conntrack_tcp_timeout_close_wait net.netfilter.nf_conntrack_udp_timeout net.netfilter.nf_conntrack_udp_timeout_stream; do
  value=$(sysctl -n "$name" 2>/dev/null) && echo "$name = $value"
done | item sysctl
