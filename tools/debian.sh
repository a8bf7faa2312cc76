#!/usr/bin/env bash
# debian.sh WHO PROBE:PACKAGE... installs the Debian packages whose probe (a command's name, or a file's path) is missing; WHO says so.
set -euo pipefail
who=$1
shift
missing=()
for pair in "$@"; do
  probe=${pair%%:*}
  if [ "${probe#/}" != "$probe" ]; then [ -e "$probe" ] || missing+=("${pair##*:}")
  else command -v "$probe" >/dev/null || missing+=("${pair##*:}"); fi
done
[ ${#missing[@]} -gt 0 ] || exit 0
sudo=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=(sudo -n)
  else echo "$who: missing Debian packages; run: sudo apt-get install ${missing[*]}" >&2; exit 1; fi
fi
command -v apt-get >/dev/null || { echo "$who: install these by hand: ${missing[*]}" >&2; exit 1; }
echo "$who: apt-get install ${missing[*]}" >&2
log=$(mktemp)
# sudo takes the environment away, so it is given behind it. RUNLEVEL: servers among the packages are not to start.
if ! { "${sudo[@]}" apt-get update && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  rm -f "$log"
  echo "$who: apt-get failed; run: apt-get update && apt-get install ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
