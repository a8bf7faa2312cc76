#!/usr/bin/env bash
# prepare-cluster.sh TARGET: what a cluster on this machine needs, for make TARGET: root, Debian packages, Kubernetes. Prints the folder of its programs.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "$1: network namespaces and containers need root: sudo env \"PATH=\$PATH\" make $1" >&2; exit 1; }
# The other busybox needs libraries, which an image of it alone has not.
tools/debian.sh "$1" ip:iproute2 nft:nftables iptables:iptables ipset:ipset unshare:util-linux /usr/share/doc/busybox-static:busybox-static haproxy:haproxy \
  python3:python3 swtpm:swtpm swtpm_setup:swtpm-tools /usr/share/doc/libfaketime:libfaketime
exec tools/kubernetes/build.sh cluster
