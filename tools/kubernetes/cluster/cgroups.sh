#!/usr/bin/env bash
# cgroups.sh make NAME/NODE | remove NAME: a parent for a node's cgroups in every hierarchy of the machine, version 1 or 2.
set -euo pipefail
root=/sys/fs/cgroup
hierarchies() {
  if [ -e $root/cgroup.controllers ]; then echo $root; return; fi
  for each in "$root"/*/; do [ ! -e "$each/cgroup.procs" ] || echo "${each%/}"; done
}
case $1 in
  make)
    for hierarchy in $(hierarchies); do
      at=$hierarchy
      for part in ${2//\// }; do
        # Version 2 gives children what the parent passes on.
        [ ! -e $root/cgroup.controllers ] || sed 's/\(^\| \)/\1+/g' "$at/cgroup.controllers" > "$at/cgroup.subtree_control" 2>/dev/null || true
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
    done ;;
esac
