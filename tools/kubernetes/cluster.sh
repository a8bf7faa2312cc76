#!/usr/bin/env bash
# make cluster: a whole Kubernetes on this machine with the product on it. Root is needed for its namespaces.
# CLUSTER=existing: the product on the cluster of KUBECONFIG, with the images in the registry that REGISTRY names.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${CLUSTER:-}" = existing ]; then
  tools/debian.sh cluster skopeo:skopeo
  exec node tools/kubernetes/cluster/main.ts existing
fi
[ -z "${CLUSTER:-}" ] || { echo "cluster: CLUSTER is empty or 'existing', not '$CLUSTER'" >&2; exit 2; }
bin=$(tools/kubernetes/prepare-cluster.sh cluster)
exec node tools/kubernetes/cluster/main.ts up "$bin"
