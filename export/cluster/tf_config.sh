#!/bin/sh
# Prints TF_CONFIG for one machine of several: tf_config.sh NUMBER PORT HOST [HOST ...]; NUMBER counts from 0.
set -eu
number=$1 port=$2
shift 2
addresses=""
for host in "$@"; do
    addresses="$addresses${addresses:+, }\"$host:$port\""
done
printf '{"cluster": {"worker": [%s]}, "task": {"type": "worker", "index": %d}}\n' "$addresses" "$number"
