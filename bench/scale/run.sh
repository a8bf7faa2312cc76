#!/usr/bin/env bash
# make bench-scale; arguments go on to main.ts.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(tools/kubernetes/build.sh)
exec node bench/scale/main.ts --bin "$bin" "$@"
