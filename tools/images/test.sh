#!/usr/bin/env bash
# Everything that is said of dist/images, tried: containerd and runc of the real cluster (Go), buildah from Debian (installed when missing), root.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo 'test-images: containerd and buildah need root' >&2; exit 1; }
if ! command -v buildah > /dev/null; then
  echo 'test-images: apt-get install buildah'
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends buildah; } > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
  fi
  rm -f "$log"
fi
PROGRAMS=$(tools/kubernetes/build.sh cluster)
export PROGRAMS
exec node tools/run-tests.ts --images
