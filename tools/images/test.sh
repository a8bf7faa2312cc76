#!/usr/bin/env bash
# Everything that is said of dist/images, tried: containerd and runc of the real cluster (Go), buildah from Debian, root.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo 'test-images: containerd and buildah need root' >&2; exit 1; }
tools/debian.sh test-images buildah:buildah
PROGRAMS=$(tools/kubernetes/build.sh cluster)
export PROGRAMS
exec node tools/run-tests.ts --images
