#!/usr/bin/env bash
# oci-archive.sh NAME OUT: an image of Debian's static busybox, as an OCI archive for `ctr images import`. Its command sleeps: it serves
# as the sandbox of every pod, and as an ordinary pod to look around with.
set -euo pipefail
name=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root"/{bin,etc,tmp,proc,sys,dev,var,root} "$work/image/blobs/sha256"
chmod 1777 "$work/root/tmp"
cp /bin/busybox "$work/root/bin/"
for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"; done
echo 'root:x:0:0::/root:/bin/sh' > "$work/root/etc/passwd"
pack() { tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory "$1" .; }
# blob FILE: moves it to where its digest names it, and prints size and digest.
blob() {
  local digest size
  digest=$(sha256sum "$1" | cut -c1-64)
  size=$(stat -c %s "$1")
  mv "$1" "$work/image/blobs/sha256/$digest"
  printf '"digest":"sha256:%s","size":%s' "$digest" "$size"
}
pack "$work/root" > "$work/layer"
diff=$(sha256sum "$work/layer" | cut -c1-64)
layer=$(blob "$work/layer")
printf '{"architecture":"%s","os":"linux","config":{"Cmd":["sleep","infinity"],"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
  "$(dpkg --print-architecture)" "$diff" > "$work/config"
config=$(blob "$work/config")
type=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
  $type $type "$config" $type "$layer" > "$work/manifest"
manifest=$(blob "$work/manifest")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s,"annotations":{"io.containerd.image.name":"%s"}}]}' \
  $type "$manifest" "$name" > "$work/image/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' > "$work/image/oci-layout"
pack "$work/image" > "$out"
