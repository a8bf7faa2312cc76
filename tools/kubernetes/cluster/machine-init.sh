#!/usr/bin/env bash
# machine-init.sh FOLDER PROGRAMS: process 1 of a machine, in mount, network and PID namespaces of its own. What Kubernetes writes to
# /var and /run lands in FOLDER, what it writes to the kernel's own settings in files of FOLDER: the real machine sees neither.
# When this process is killed, the kernel ends every other of the machine and takes its mounts and interfaces away.
set -euo pipefail
folder=$1 programs=$2
# Pods' volumes are mounted by the kubelet and must show up in containers: shared among ourselves, and only there.
mount --make-rshared /
mkdir -p "$folder"/{run,var/lib,var/log,sysctl}
mount -t tmpfs -o mode=755 tmpfs "$folder/run"
mkdir "$folder/run/programs" "$folder/run/machine" "$folder/run/netns" "$folder/run/lock"
mount --bind "$programs" "$folder/run/programs"
mount --bind "$folder" "$folder/run/machine"
mount --rbind "$folder/run" /run
# From here on FOLDER may be hidden (a checkout below /var): it is /run/machine.
mount --bind /run/machine/var/lib /var/lib
mount --bind /run/machine/var/log /var/log
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=/run/machine/sysctl/${setting//\//.}
  cat "/proc/sys/$setting" > "$copy"
  mount --bind "$copy" "/proc/sys/$setting"
done
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
touch /run/machine/ready
# Waits for the sleep, and so also for every process whose parent has ended.
sleep infinity &
wait
