#!/usr/bin/env bash
# Everything that can be said of the code without running it.
set -euo pipefail
cd "$(dirname "$0")/.."
biome check --error-on-warnings .
tsc -p .
buf lint proto
# A wire break needs a new package version: compared with the commit that last changed proto/ on main.
if base=$(git rev-parse -q --verify origin/main 2>/dev/null) && git cat-file -e "$base:buf.yaml" 2>/dev/null; then
  buf breaking proto --against ".git#ref=$base,subdir=proto"
fi
# Generated code is committed, so it is compared, not trusted.
regenerated=$(mktemp -d)
trap 'rm -rf "$regenerated"' EXIT
tools/generate.sh "$regenerated"
diff -r proto/gen "$regenerated/proto/gen" || { echo 'check: proto/gen is stale: run make generate' >&2; exit 1; }
vitest run --silent --reporter=dot test/architecture.test.ts
