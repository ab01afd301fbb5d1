# Everything on a host in which Hearth could leave traces, one item a line: kind, a tab, the item. What others do elsewhere is
# not looked at. It ends with a line of its own, so that a truncated stock is recognised. Changes nothing.
item() { sed "s|^|$1	|"; }

stock() {
  for path in $FILES $PROGRAMS; do
    if [ -L "$path" ]; then
      echo "$path -> $(readlink "$path")"
    elif [ -f "$path" ]; then
      echo "$path $(sha256 <"$path" | cut -c1-64)"
    fi
  done | item file
  for path in $DATA $VOLATILE $FOLDERS; do [ ! -e "$path" ] || echo "$path"; done | item folder
  find /run/systemd/transient '(' -name 'kubepods*' -o -name 'cri-containerd-*' ')' 2>/dev/null | item unit
  find /sys/fs/cgroup -maxdepth 2 -name 'kubepods*' -type d 2>/dev/null | sed 's|.*/||' | sort -u | item cgroup
  own_links | item link
  own_routes | item route
  own_netns | item netns
  own_mounts | item mount
  own_processes | item process
  for family in iptables ip6tables; do
    command -v $family-save >/dev/null || continue
    for table in nat filter mangle; do own_rules $family $table | sed "s|^|$family $table |"; done
  done | item rule
  own_nft_tables | item nft-table
  for setting in $SETTINGS; do
    value=$(sysctl -n "${setting%=*}" 2>/dev/null) && echo "${setting%=*} = $value"
  done | item sysctl
  echo end
}
