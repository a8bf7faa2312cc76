#!/usr/bin/env bash
# make test-cluster: starts the cluster of make cluster many times, and looks at what is left of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
PROGRAMS=$(tools/kubernetes/prepare-cluster.sh test-cluster)
export PROGRAMS
tools/debian.sh test-cluster sysctl:procps
exec node tools/run-tests.ts --machine
