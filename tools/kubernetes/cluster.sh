#!/usr/bin/env bash
# make cluster: a whole Kubernetes on this machine with the product on it. Root is needed for its namespaces.
# CLUSTER=existing: the product on the cluster of KUBECONFIG, with the images in the registry that REGISTRY names.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${CLUSTER:-}" = existing ]; then exec node tools/kubernetes/cluster/main.ts existing; fi
[ -z "${CLUSTER:-}" ] || { echo "cluster: CLUSTER is empty or 'existing', not '$CLUSTER'" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo 'cluster: network namespaces and containers need root: sudo make cluster' >&2; exit 1; }
tools/debian.sh cluster ip:iproute2 nft:nftables unshare:util-linux busybox:busybox-static haproxy:haproxy python3:python3 \
  swtpm:swtpm swtpm_setup:swtpm-tools /usr/share/doc/libfaketime:libfaketime
bin=$(tools/kubernetes/build.sh cluster)
exec node tools/kubernetes/cluster/main.ts up "$bin"
