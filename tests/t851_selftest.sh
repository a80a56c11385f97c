#!/usr/bin/env bash
# long: yes
# `dcmpi selftest` as a user runs it: the table, exit codes, no files left behind, a full disk, a job that is killed.
# limit: 900
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
limit=150
checks=28

# Rank 0 is alone: no messages, no full disk.
mkdir one two
run 0 1 selftest --dir=one
expect_exit 0 "without mpirun"
is "$(grep -cE '^  (PASS|SKIP)  [^ ].*  [^ ]' "$out")" $checks "a verdict and a figure for each check"
expect_out '^selftest PASSED: [0-9]+ passed, 0 failed, [0-9]+ skipped, in [0-9.]+ s$' "the last line"
expect_out 'SKIP  Allreduce 8 B +one rank' "what was not checked is said, with the reason"
expect_out 'PASS  FMA peak +[1-9][0-9.]* GF/s' "FMA peak"
expect_out 'PASS  layer 500-2000 +forward +[0-9]+ GF/s' "rates of matrix products"
expect_out 'PASS  training tiles +forward and weight gradient: the same bits' "tiles of strict"
expect_out 'PASS  shard tree +64 shards: the bits of one rank' "the tree of strict"
expect_out 'PASS  cost +a step of 256 rows takes [0-9.]+ ms, [0-9]\.[0-9]+ of that' "what strict costs"
expect_out 'PASS  parallel HDF5 +[1-9][0-9]* MiB .* same bits' "HDF5"
is "$(ls -A one)" "" "nothing is left in the directory"

run 3 2 selftest
expect_exit 0 "3 ranks x 2 threads"
is "$(grep -c '^  PASS' "$out")" $((checks - 1)) "all but the full disk"
expect_out 'PASS  Allreduce 13.3 MB +[0-9.]+ ms, [0-9.]+ GB/s' "Allreduce"
expect_out 'PASS  canonical sum' "sums over rows have the bits of one rank"
expect_out '-> .*(threads|oversubscribed)' "advice about cores"
number_between "$seconds" 0 90 "soon, even oversubscribed"

# ---- failures
run 2 1 selftest --dir="$tmp/none"
expect_error 4 'selftest failed: directory$' "a directory that is not there"
expect_out 'FAIL  directory .*No such file' "its row"
expect_out 'SKIP  parallel HDF5' "and what needs it is skipped"
if [ "$(id -u)" = 0 ]; then frozen=/proc; else frozen=/; fi
run 0 1 selftest --dir=$frozen
expect_error 4 'directory' "a directory that cannot be written"
while IFS='|' read -r args regex; do
    # shellcheck disable=SC2086  # several arguments
    run 0 1 selftest $args
    expect_error 2 "$regex" "selftest $args"
done <<'END'
extra|unknown argument 'extra'
--dir|unknown argument '--dir'
--dir=|name of a directory
--dri=x|unknown argument '--dri=x'
--full-disk=/none|No such file
END
run 3 1 selftest --dri=x
expect_error 2 'usage: dcmpi selftest' "a wrong option on 3 ranks"

# ---- a full disk
if mkdir tiny && mount -t tmpfs -o size=48m tmpfs tiny 2>/dev/null; then
    trap 'umount "$tmp/tiny"; rm -rf "$tmp"' EXIT
    run 2 1 selftest --dir=two --full-disk=tiny
    expect_exit 0 "--full-disk"
    expect_out 'PASS  full disk +tiny .*clean error' "its row"
    is "$(ls -A tiny)" "" "the disk is empty again"
    is "$(df --output=used -k tiny | tail -n 1 | tr -d ' ')" 0 "to the last block"
    head -c 47M /dev/zero >tiny/other
    run 2 1 selftest --dir=tiny
    expect_error 4 'parallel HDF5' "a directory without room"
    expect_out 'FAIL  parallel HDF5.*MiB needed.*free' "its row says what is missing"
    is "$(ls -A tiny)" other "nothing of ours stays"
    umount tiny
    trap 'rm -rf "$tmp"' EXIT
else
    note "no right to mount: a full disk is not tested"
fi
if [ "$(df --output=avail -BG /tmp | tail -n 1 | tr -dc 0-9)" -gt 2 ]; then
    run 0 1 selftest --full-disk=/tmp
    expect_error 2 'too much to fill' "a large disk is not filled"
fi

# ---- a killed self-test: caught while its file is there
"$dcmpi" selftest --dir=one >"$out" 2>"$err" &
pid=$!
for _ in $(seq 3000); do
    kill -0 $pid 2>/dev/null || break
    if [ -n "$(ls -A one)" ]; then
        kill -TERM $pid
        break
    fi
    sleep 0.01
done
wait $pid 2>/dev/null
rc=$?
if [ $rc = 143 ]; then is "$(ls -A one)" "" "SIGTERM: nothing is left"; else note "too fast to be killed (exit $rc)"; fi

is "$(find . -mindepth 1 -maxdepth 1 ! -name tiny ! -name ".*" | sort | tr "\n" " ")" "./one ./two " \
    "nothing in the working directory"
done_testing
