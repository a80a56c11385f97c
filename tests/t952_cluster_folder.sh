#!/usr/bin/env bash
# tools/cluster.sh down removes a folder that `up` made, whatever state it is in, and no other folder.
. "$(dirname "$0")/lib.sh"
down() { run_cmd env DCMPI_CLUSTER="$1" "$root/tools/cluster.sh" down; }

mkdir -p mine/hosts
echo precious >mine/file
down mine
expect_exit 1 "a folder of somebody's, with a folder hosts in it"
expect_err "mine is not a cluster's directory: nothing was removed" "it says so"
expect_file mine/file "nothing was removed"
down nowhere
expect_exit 0 "no folder"
mkdir started
echo ClusterName=dcmpi >started/slurm.conf
down started
expect_exit 0 "a start that failed at once"
expect_no_file started "its folder is gone"
done_testing
