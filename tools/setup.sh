#!/usr/bin/env bash
# Brings a machine that has Node >= 20, npm, git and make to where every target runs. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# The stamp holds the lock file's hash, so that a changed lock (and nothing else) installs again.
stamp=.setup/npm
want=$(sha256sum package-lock.json)
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || [ ! -x node_modules/.bin/node ]; then
  echo 'setup: npm ci'
  # npm may be an older Node's and warn of engines; nothing it installs runs on that Node.
  tools/npm.sh ci --ignore-scripts --no-audit --no-fund --loglevel=error
  if [ ! -x node_modules/.bin/node ] || ! node_modules/.bin/node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)'; then
    echo "setup: no Node 24 package for $(uname -sm): install Node.js 24 and link it as node_modules/.bin/node" >&2
    exit 1
  fi
  mkdir -p .setup
  echo "$want" >"$stamp"
fi

tools/debian.sh setup swtpm:swtpm swtpm_setup:swtpm-tools tpm2_checkquote:tpm2-tools openssl:openssl curl:curl python3:python3 \
  shellcheck:shellcheck
