#!/usr/bin/env bash
# make test-postgres: the suites that need a PostgreSQL server. They start their own, each in a folder of its own, as a user without rights.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  sudo=()
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=(sudo -n)
    else echo 'test-postgres: missing Debian package; run: sudo apt-get install postgresql' >&2; exit 1; fi
  fi
  echo 'test-postgres: apt-get install postgresql'
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  install() { DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y --no-install-recommends "$@"; }
  # The package would start a server of its own; the tests need the programs alone.
  quiet() { "${sudo[@]}" sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf; }
  if ! { "${sudo[@]}" apt-get update && install postgresql-common && quiet && install postgresql; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo 'test-postgres: apt-get failed; run: apt-get install postgresql' >&2
    exit 1
  fi
fi
exec node tools/run-tests.ts --postgres "$@"
