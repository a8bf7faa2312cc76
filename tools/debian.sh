#!/usr/bin/env bash
# debian.sh WHO PROBE:PACKAGE... installs the Debian packages whose probe (a command's name, or a file's path) is missing; WHO says so.
set -euo pipefail
who=$1
shift
# Where Debian keeps programs of operators, which not everybody's PATH has.
PATH=$PATH:/usr/sbin:/sbin
look() {
  missing=()
  local pair probe
  for pair in "$@"; do
    probe=${pair%%:*}
    if [ "${probe#/}" != "$probe" ]; then [ -e "$probe" ] || missing+=("${pair##*:}")
    else command -v "$probe" >/dev/null || missing+=("${pair##*:}"); fi
  done
}
# Targets that run beside each other want the same: one installs it, the others wait until all of it is there.
locks=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/enclave-licensing
mkdir -p "$locks"
exec 9>>"$locks/debian.lock"
flock 9
look "$@"
[ ${#missing[@]} -gt 0 ] || exit 0
sudo=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=(sudo -n)
  else echo "$who: missing Debian packages; run: sudo apt-get install ${missing[*]}" >&2; exit 1; fi
fi
command -v apt-get >/dev/null || { echo "$who: install these by hand: ${missing[*]}" >&2; exit 1; }
echo "$who: apt-get install ${missing[*]}" >&2
log=$(mktemp)
# Servers among the packages are not to start (deb-systemd-invoke(1), invoke-rc.d(8): 101 is 'not allowed'); a rule that the machine has itself stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod 755 "$policy"
  trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi
# sudo takes the environment away, so it is given behind it.
if ! { "${sudo[@]}" apt-get update && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  rm -f "$log"
  echo "$who: apt-get failed; run: apt-get update && apt-get install ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
