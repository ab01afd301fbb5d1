# Runs in the container that becomes a derived node image, in three calls: begin, (images are imported), finish.
# Nothing of the cluster that builds it goes into it.
# $1 is the call, $2 the form: `unpacked` keeps every image layer unpacked in the image's own file system, `packed` as blobs.
set -eu
export CONTAINERD_NAMESPACE=k8s.io
final=/var/lib/containerd store=/hearth/store
# unpacking needs a file system that is not itself an overlay: the volume /build
[ "$2" = unpacked ] && root=/build/containerd || root=$final

start() {
  containerd --root $root >/tmp/containerd.log 2>&1 </dev/null &
  until ctr --connect-timeout 1s version >/dev/null 2>&1; do sleep 0.05; done
}
# its database must be whole on disk before anything is copied or committed
stop() {
  pkill -x containerd
  while pgrep -x containerd >/dev/null; do sleep 0.05; done
}
# what every image looks like to a container: names, owners, modes, sizes
trees() {
  mkdir -p /build/try
  ctr snapshots ls | awk 'NR > 1 && $NF == "Committed" {all[$1]; if (NF == 3) parent[$2]} END {for (key in all) if (!(key in parent)) print key}' |
    sort | while read -r key; do
      eval "$(ctr snapshots prepare --target /build/try "try-$key" "$key")"
      echo "$key $(cd /build/try && find . -printf '%y %m %U %G %s %l %p\n' | sort | sha256sum)"
      umount /build/try
      ctr snapshots rm "try-$key"
    done
}

case $1 in
begin)
  [ $root = $final ] || cp -a $final $root
  start
  ;;
finish)
  if [ $root != $final ]; then
    for digest in $(ctr images ls | awk 'NR > 1 && $1 !~ /sha256:/ {print $3}' | sort -u); do
      ctr snapshots unpack "$digest" >/dev/null
    done
    trees >/build/before
    # unpacked layers make their blobs superfluous; what is smaller are manifests and configurations
    blobs=$root/io.containerd.content.v1.content/blobs
    for blob in $(find $blobs -type f -size +128k); do
      ctr content rm "sha256:${blob##*/}" >/dev/null
    done
    stop
    find $blobs -type f -size +128k -delete
    mkdir -p $store
    for folder in $root/io.containerd.snapshotter.v1.overlayfs/snapshots/*; do
      [ -d "$folder/fs" ] || continue
      cp -a "$folder/fs" "$store/${folder##*/}"
      rm -rf "$folder/fs"
      ln -s "$store/${folder##*/}" "$folder/fs"
    done
    # layers with whiteouts, or a kernel that cannot stack overlays this deep: the packed form is the way then
    start
    trees >/build/after
    cmp /build/before /build/after || exit 3
  fi
  stop
  if [ $root != $final ]; then
    rm -rf $final
    cp -a $root $final
  fi
  rm -rf /tmp/* /build/*
  ;;
esac
