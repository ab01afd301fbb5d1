# Makes a node a plain host again. $1 is the cluster, $2 the pod subnet, the others are the addresses of its nodes. Nothing is
# done on a host without the cluster's mark (status 76), which is checked before each removal: another run may have given the
# host to another cluster. What is kept, and why, is printed, one a line.
cluster=$1 subnet=$2
shift 2
# when run by hand they are not known: then only what is marked as ours counts
peers=${*:-unknown}
home=/var/lib/hearth
newline='
'
ours() { [ "$(cat $home/cluster 2>/dev/null)" = "$cluster" ] || exit 76; }
# Whether it was there before. If the look was cut off, the whole script ends, instead of taking that for no.
had() {
  grep -qxF "$1	$2" $home/stock 2>/dev/null
  was=$?
  [ $was -le 128 ] || exit $was
  return $was
}
had_portmap=$(grep -c ' :CNI-HOSTPORT-' $home/stock 2>/dev/null | grep -v '^0')

ours
systemctl disable --now kubelet.service hearth-routes.service containerd.service >/dev/null 2>&1
pkill -KILL -f '^(/usr/local/bin/containerd-shim-runc-v2 -namespace k8s.io|/usr/local/sbin/runc --root /run/containerd/)'
# all processes of all pods are in there
systemctl kill --signal=KILL kubepods.slice >/dev/null 2>&1
thaw '*/kubepods.slice/*'
systemctl stop kubepods.slice kubepods-burstable.slice kubepods-besteffort.slice >/dev/null 2>&1
# slices that the kubelet made without systemd (controllers of cgroup v1)
find /sys/fs/cgroup -depth -type d -path '*/kubepods.slice*' -exec rmdir {} + 2>/dev/null

ours
# mounts in the kernel's spelling; one whose name has a line break stays as it is, and so does the path to it
decode() { sed 's/\\040/ /g; s/\\011/	/g; s/\\043/#/g; s/\\134/\\/g'; }
all_mounts() { awk '{print $5}' /proc/self/mountinfo | decode; }
# A lazy unmount also unmounts whatever is below: mounts of ours that contain others' stay (the kubelet's mount of its own
# folder).
stay=
for try in 1 2 3; do
  own=$newline$(own_mounts | decode)$newline
  others=$newline$(all_mounts | while IFS= read -r path; do case $own in *"$newline$path$newline"*) ;; *) echo "$path" ;; esac; done)
  stay=$newline$(own_mounts | decode | sort -r | while IFS= read -r path; do
    case $others in
      *"$newline$path/"*) echo "$path" ;;
      *) had mount "$path" || umount -l "$path" 2>/dev/null ;;
    esac
  done)$newline
done
# Where mounts are private, the first `ip netns add` mounts this folder onto itself and hides what was mounted in it before,
# which then keeps its own name busy. In a mount namespace that ends right after, everything can be unmounted; when the name is
# removed, the kernel drops the hidden mounts.
delete_netns() {
  ip netns delete "$1" 2>/dev/null || unshare --mount --propagation private sh -c \
    'while umount -l "/run/netns/$1" || umount -l /run/netns; do :; done 2>/dev/null; rm -f "/run/netns/$1"' sh "$1"
}
own_netns | while read -r name; do had netns "$name" || delete_netns "$name"; done
# a namespace can live on for minutes, held by connections of dead processes: its interface on this side is deleted here
own_links | while read -r link; do had link "$link" || echo "link delete $link"; done | ip -force -batch - 2>/dev/null
own_routes | while read -r route; do had route "$route" || ip route delete $route 2>/dev/null; done

ours
# one transaction per table: chains of ours are emptied, jumps to them and rules of ours are removed, then the chains
for family in iptables ip6tables; do
  command -v $family-save >/dev/null || continue
  for table in nat filter mangle; do
    own_rules $family $table | awk -v table=$table '
      /^:/ { own[substr($1, 2)] = 1; empty = empty $1 " - [0:0]\n"; drop = drop "-X " substr($1, 2) "\n"; next }
      !($2 in own) { sub(/^-A/, "-D"); jumps = jumps $0 "\n" }
      END { if (NR) printf "*%s\n%s%s%sCOMMIT\n", table, empty, jumps, drop }' >/run/hearth-rules
    [ ! -s /run/hearth-rules ] || $family-restore --wait --noflush </run/hearth-rules
  done
done
rm -f /run/hearth-rules
own_nft_tables | while read -r family name; do had nft-table "$family $name" || nft delete table "$family" "$name"; done

ours
# Restores what was at $1 before it was overwritten.
restore() {
  if [ -e "$home/saved$1" ] || [ -L "$home/saved$1" ]; then
    cp -a "$home/saved$1" "$1.hearth-saved" && mv -fT "$1.hearth-saved" "$1"
  else
    rm -f "$1"
  fi
}
for path in $FILES; do restore "$path"; done
for path in $PROGRAMS; do
  rm -f "${path%/*}/.${path##*/}.hearth-part"
  if [ ! -f "$path" ] || grep -qE "^($(sha256 <"$path" | cut -c1-64) $path( |\$)|$path\$)" $home/programs 2>/dev/null; then
    restore "$path"
  elif ! cmp -s "$path" "$home/saved$path"; then
    echo "$path is not the program that was installed"
  fi
done

ours
mounts=$newline$(all_mounts)$newline
# Removes $1 and what is below it, except for mounts and the paths to them.
remove() {
  case $stay in *"$newline$1$newline"*) empty "$1"; return ;; esac
  case $mounts in
    *"$newline$1$newline"*) echo "$1 is mounted" ;;
    *"$newline$1/"*) empty "$1" ;;
    *) rm -rf --one-file-system -- "$1" ;;
  esac
}
# The same for the contents of a folder, which itself stays.
empty() {
  for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ "${entry##*/}" = lost+found ] || { [ ! -e "$entry" ] && [ ! -L "$entry" ]; } || remove "$entry"
  done
}
# the cache of the CNI library, shared by all its users on the host: ours are named after our network or after none
rm -f /var/lib/cni/results/hearth-* /var/lib/cni/results/cni-loopback-*
rmdir /var/lib/cni/results 2>/dev/null
for path in $DATA; do
  [ -d "$path" ] || continue
  case $path in
    /var/lib/cni) had folder "$path" || rmdir "$path" 2>/dev/null || echo "$path holds what others put there" ;;
    *)
      if had folder "$path"; then
        empty "$(readlink -f "$path")"
      elif [ -L "$path" ]; then
        echo "$path leads elsewhere"
      else
        remove "$path"
      fi ;;
  esac
done
for path in $VOLATILE; do had folder "$path" || remove "$path"; done
for path in $FOLDERS; do had folder "$path" || rmdir "$path" 2>/dev/null; done

ours
systemctl daemon-reload
systemctl reset-failed kubelet.service containerd.service hearth-routes.service 'cri-containerd-*' 'kubepods*' >/dev/null 2>&1
# settings that still have the cluster's value; any other value was set by somebody else
for setting in $SETTINGS; do
  name=${setting%=*}
  before=$(sed -n "s/^sysctl	$name = //p" $home/stock 2>/dev/null)
  [ -z "$before" ] || [ "$(sysctl -n "$name" 2>/dev/null)" != "${setting#*=}" ] || sysctl -q -w "$name=$before"
done
true
