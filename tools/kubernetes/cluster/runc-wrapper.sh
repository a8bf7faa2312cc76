#!/bin/sh
# What containerd of a node calls for runc. With a file `clock` in the node's folder (an offset as libfaketime reads it, +3600s) the
# product's agent and sidecars that start from then on are that far ahead; nothing in them knows.
[ ! -e /run/machine/clock ] || python3 /run/machine/shift-clock.py "$@" || exit 1
exec /run/programs/runc "$@"
