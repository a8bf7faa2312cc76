#!/usr/bin/env bash
# npm on the machine's own Node: on the project's, it would look for its global settings (proxy, authorities, registry) beside that one,
# where there are none.
set -euo pipefail
ours=$(cd "$(dirname "$0")/.." && pwd)/node_modules/.bin
path=
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
  [ "$folder" -ef "$ours" ] || path+=${path:+:}$folder
done
PATH=$path command -v npm >/dev/null || { echo 'npm is missing: install Node.js 20 or later with npm' >&2; exit 1; }
PATH=$path exec npm "$@"
