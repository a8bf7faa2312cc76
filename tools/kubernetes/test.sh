#!/usr/bin/env bash
# make test-kube: every suite that talks to an API server, on a real kube-apiserver with the devcluster's nodes joined.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Whoever names suites wants those.
if [ $# = 0 ]; then tools/kubernetes/alerts.sh; fi
bin=$(tools/kubernetes/build.sh api)
exec node tools/kubernetes/test.ts "$bin" "$@"
