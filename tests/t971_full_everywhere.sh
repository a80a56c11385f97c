#!/usr/bin/env bash
# long: yes  limit: 3600
# A short run on disks of 40 sizes, from nearly none to nearly enough; then there is room, and the same command follows: all files
# are whole, with the bits and the RESULT line of the undisturbed run, and nothing is left over.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
. "$root/tests/whole_help.sh"
mkdir -p runs/k
mount -t tmpfs -o size=1m none runs/k 2>/dev/null || skip_test "mounting a tmpfs needs root"
trap 'umount "$tmp/runs/k" 2>/dev/null; rm -rf --one-file-system "$tmp"' EXIT
bad=0 full=0
for i in $(seq 1 40); do
    umount runs/k
    mount -t tmpfs -o size=$((8 + 4 * i))k none runs/k
    same_run
    first=$rc found=
    [ "$rc" = 0 ] || full=$((full + 1))
    [ "$rc" = 0 ] || [ "$rc" = 4 ] || found="the full disk ends with $rc"
    [ "$rc" = 0 ] || [ "$(cat "$out" "$err" | grep -ac 'dcmpi: ERROR')" = 1 ] || found="not one error line"
    [ -z "$(find runs -name '*.part')" ] || found="$found a part is left"
    /usr/bin/python3 "$root/tools/sweep.py" runs >sweep.txt 2>&1 || grep -q 'has no output directories' sweep.txt || found="$found $(cat sweep.txt)"
    mount -o remount,size=64m runs/k
    same_run
    found="$found$(what_is_wrong "$([ $((i % 8)) = 0 ] && echo yes || echo no)")"
    [ -z "$found" ] && continue
    bad=$((bad + 1))
    is "$found" "" "a disk of $((8 + 4 * i)) KiB, which ended with $first"
done
number_between $full 15 40 "disks that were too small"
is $bad 0 "with more space the same command ends with all of it"
done_testing
