#!/usr/bin/env bash
# npm under Node 20 silently picks older majors of packages that need a newer Node; this runs npm's own code on Node 24.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${1:-}" ] || { echo 'usage: make add PKG=name@version [DEV=1]' >&2; exit 2; }
npm_cli=$(readlink -f "$(command -v npm)")
npm_config_globalconfig=$(tools/npm.sh config get globalconfig) node_modules/.bin/node "$npm_cli" install --ignore-scripts --save-exact ${2:+--save-dev} "$1"
mkdir -p .setup
sha256sum package-lock.json >.setup/npm
