#!/usr/bin/env bash
# make test-postgres: the suites that need a PostgreSQL server. They start their own, each in a folder of its own, as a user without rights.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/postgres/install.sh test-postgres
exec node tools/run-tests.ts --postgres "$@"
