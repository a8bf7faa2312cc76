#!/usr/bin/env bash
# cgroups.sh make NAME/NODE NOTE | remove NAME NOTE: a parent for a node's cgroups in every hierarchy of the machine, version 1 or 2. The
# file NOTE holds what the root passes on since then, to be taken back.
set -euo pipefail
note=$3
root=/sys/fs/cgroup
hierarchies() {
  if [ -e $root/cgroup.controllers ]; then echo $root; return; fi
  for each in "$root"/*/; do [ ! -e "$each/cgroup.procs" ] || echo "${each%/}"; done
}
# Version 2 gives children what the parent passes on. Each by itself: one that is refused is no reason to go without the others.
pass_on() {
  local controllers
  read -ra controllers <"$1/cgroup.controllers" || true
  for controller in "${controllers[@]}"; do
    if grep -qw "$controller" "$1/cgroup.subtree_control"; then continue; fi
    if { echo "+$controller" > "$1/cgroup.subtree_control"; } 2>/dev/null && [ "$1" = $root ]; then echo "$controller" >> "$note"; fi
  done
}
case $1 in
  make)
    for hierarchy in $(hierarchies); do
      at=$hierarchy
      for part in ${2//\// }; do
        [ ! -e $root/cgroup.controllers ] || pass_on "$at"
        at=$at/$part
        mkdir -p "$at"
        # Version 1 leaves a new cpuset empty.
        for file in cpuset.cpus cpuset.mems; do
          [ -e $root/cgroup.controllers ] || [ ! -e "$at/$file" ] || cat "${at%/*}/$file" > "$at/$file"
        done
      done
    done ;;
  remove)
    for hierarchy in $(hierarchies); do
      # The last processes leave a moment after their namespace has ended.
      for _ in $(seq 100); do
        [ -d "$hierarchy/$2" ] || break
        find "$hierarchy/$2" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
      done
      [ ! -d "$hierarchy/$2" ] || { echo "cgroups.sh: $hierarchy/$2 does not go" >&2; exit 1; }
    done
    if [ -e "$note" ]; then
      # Somebody else's children may use one by now.
      while read -r controller; do { echo "-$controller" > $root/cgroup.subtree_control; } 2>/dev/null || true; done <"$note"
      rm "$note"
    fi ;;
esac
