# Claims a host for the cluster, before anything else on it is changed. $1 is the cluster, $2 the pod subnet. All or nothing:
# stock, saved files and mark are moved into place by one rename. Status 76: it belongs to another cluster, which is printed;
# status 77: folders that the cluster would fill are not empty, which are printed.
cluster=$1 subnet=$2
home=/var/lib/hearth new=/var/lib/hearth.new
set -e
mark=$(cat $home/cluster 2>/dev/null || true)
[ "$mark" != "$cluster" ] || exit 0
[ -z "$mark" ] || { echo "$mark"; exit 76; }
filled=$(filled)
[ -z "$filled" ] || { echo "$filled"; exit 77; }
umask 077
rm -rf $new
mkdir -p $new/saved
for path in $FILES $PROGRAMS; do
  [ -f "$path" ] || [ -L "$path" ] || continue
  mkdir -p "$new/saved${path%/*}"
  cp -a "$path" "$new/saved$path"
done
stock >$new/stock
release >$new/release
echo "$cluster" >$new/cluster
sync -f $new 2>/dev/null || sync
# without a mark it contains nothing that anybody could need
rm -rf $home
mv -T $new $home
sync -f $home 2>/dev/null || sync
