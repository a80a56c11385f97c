#!/usr/bin/env bash
# The memory that a job may use is less than that of the node: limited by a control group of the job or above it, or by ulimit.
# The program sees each limit before it takes anything large, also with --dry-run, and the error names it; a run that fits
# runs, whether page cache fills the group or not.
. "$(dirname "$0")/lib.sh"
if grep -qa libasan "$dcmpi"; then skip_test "sanitizers take address space and memory of their own"; fi

kmeans=(kmeans --cluster.clusters=3 --cluster.n_init=1 --cluster.kmeans_max_iter=2 --run.resume=never --run.output="$tmp/out")
large=(--input.rows=600000 --input.residency=memory) # 450 MB of built-in rows
small=(--input.rows=2000)

under() { # LIMITS ARGS...: dcmpi on one rank in a shell that ran LIMITS first
    local limits=$1
    shift
    # shellcheck disable=SC2016,SC2086  # for the inner shell; several options
    run_cmd bash -c "$limits"' || exit 99; exec "$@"' limited mpirun $MPIRUN_FLAGS -n 1 "$dcmpi" "$@"
}
no_output() {
    expect_no_file out/run.h5 "$1: nothing was written"
    rm -rf out
}

under "ulimit -v 700000" "${kmeans[@]}" "${large[@]}"
expect_error 8 "each rank needs about .* GiB are left within ulimit -v; use" "ulimit -v"
no_output "ulimit -v"
under "ulimit -v 700000" "${kmeans[@]}" "${large[@]}" --dry-run
expect_error 8 "within ulimit -v" "ulimit -v, dry run"
under "ulimit -d 400000" "${kmeans[@]}" "${large[@]}"
expect_error 8 "within ulimit -d" "ulimit -d"
under "ulimit -v 700000" "${kmeans[@]}" "${small[@]}"
expect_exit 0 "a run that fits within ulimit -v"
rm -rf out

# Real control groups of version 1, as root, for instance on the machine that builds.
top=/sys/fs/cgroup/memory
group=$top/dcmpi-test-$$
# shellcheck disable=SC2317  # called by trap
leave() {
    for d in "$group/inner" "$group"; do if [ -d "$d" ]; then rmdir "$d"; fi; done
    rm -rf "$tmp"
}
if [ "$(id -u)" != 0 ] || ! mkdir "$group" 2>/dev/null; then
    note "SKIP: no control group can be made in $top; tests/t003_mem_room.c reads made-up ones"
    done_testing
fi
trap leave EXIT
mkdir "$group/inner"
echo 300M >"$group/memory.limit_in_bytes"

for where in "$group" "$group/inner"; do
    under "echo \$\$ >$where/cgroup.procs" "${kmeans[@]}" "${large[@]}"
    expect_error 8 "needs about .* left within the job's memory limit \(cgroup $group\); use" "limit of ${where##*/}"
    no_output "limit of ${where##*/}"
done
under "echo \$\$ >$group/cgroup.procs" "${kmeans[@]}" "${large[@]}" --dry-run
expect_error 8 "within the job's memory limit \(cgroup $group\)" "dry run"
under "echo \$\$ >$group/inner/cgroup.procs" "${kmeans[@]}" "${small[@]}"
expect_exit 0 "a run that fits"
# A file of 200 MB that was read twice fills the group with page cache, which the kernel frees when needed.
head -c 200000000 /dev/zero >full
under "echo \$\$ >$group/inner/cgroup.procs && cat full full >/dev/null && cat full >/dev/null" "${kmeans[@]}" --input.rows=50000
expect_exit 0 "page cache is no memory in use"
done_testing
