#!/usr/bin/env bash
# install.sh WHO: Debian's PostgreSQL, when its programs are missing; the suites start servers of their own, and no other is started.
set -euo pipefail
cd "$(dirname "$0")/../.."
# What is there may be being installed just now: debian.sh waits for that.
if there=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | head -n 1); then exec tools/debian.sh "$1" "$there:postgresql"; fi
tools/debian.sh "$1" pg_createcluster:postgresql-common
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo -n)
"${sudo[@]}" sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
tools/debian.sh "$1" /usr/share/doc/postgresql:postgresql
