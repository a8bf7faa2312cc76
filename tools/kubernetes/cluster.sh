#!/usr/bin/env bash
# make cluster: a whole Kubernetes on this machine, with what it needs to be built and run. Root is needed for its namespaces.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo 'cluster: network namespaces and containers need root: sudo make cluster' >&2; exit 1; }
tools/debian.sh cluster ip:iproute2 nft:nftables unshare:util-linux busybox:busybox-static swtpm:swtpm swtpm_setup:swtpm-tools haproxy:haproxy
bin=$(tools/kubernetes/build.sh cluster)
exec node tools/kubernetes/cluster/main.ts up "$bin"
