#!/usr/bin/env bash
# make e2e: the end-to-end suites on the product as the chart installs it. The cluster is started for it unless one is up, and then ended.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/debian.sh e2e prometheus:prometheus
tools/postgres/install.sh e2e
if [ -z "${KEEP:-}" ] && ! node tools/kubernetes/cluster/main.ts is-up; then
  # make says TERM a second time.
  trap 'trap "" TERM; node tools/kubernetes/cluster/main.ts down' EXIT
fi
# One that is up is given these images.
tools/kubernetes/cluster.sh
node tools/kubernetes/e2e.ts "$@"
