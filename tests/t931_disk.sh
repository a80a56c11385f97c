#!/usr/bin/env bash
# limit: 900
# Real disks: full while a checkpoint and the result are written, read-only, smaller than the file-size limit allows; logs on a
# full device; closed stdout; remains of earlier runs; links; file modes.
. "$(dirname "$0")/lib.sh"
limit=120
export OMP_NUM_THREADS=1
disk=$tmp/disk
mkdir "$disk"
trap 'umount "$disk" 2>/dev/null; umount "$tmp/small/ckpt" "$tmp/full/log.txt" "$tmp/full/metrics.jsonl" 2>/dev/null; rm -rf --one-file-system "$tmp"' EXIT
quick=(kmeans --input.rows=300 --cluster.n_init=1)
# The model of `large` has 4 MiB, a checkpoint twice that.
fit=(fit --input.rows=300 --pretrain.epochs=1 --cluster.n_init=1 --cluster.max_iter=20)
large=("${fit[@]}" --model.hidden=[600])

if mount -t tmpfs -o size=3m none "$disk" 2>/dev/null; then
    run 2 1 "${large[@]}" --run.output="$tmp/good"
    expect_exit 0 "a good run"
    run 2 1 "${quick[@]}" --run.output="$disk"
    expect_exit 0 "an older result on a small disk"
    cp "$disk/run.h5" older.h5
    run 2 1 "${large[@]}" --run.resume=never --run.output="$disk"
    expect_error 4 "cannot write .*run.h5.*: No space left on device" "a full disk"
    expect_out "WARNING .*checkpoint" "a checkpoint that does not fit is a warning"
    ok "the older result is as it was" cmp older.h5 "$disk/run.h5"
    is "$(find "$disk" -name '*.part')" "" "no part is left"
    mount -o remount,size=64m "$disk"
    run 2 1 "${large[@]}" --run.resume=never --run.output="$disk"
    expect_exit 0 "with more space the same command succeeds"
    run 0 1 compare good/run.h5 "$disk/run.h5"
    expect_exit 0 "and gives the good result"

    mkdir -p small/ckpt
    mount -t tmpfs -o size=64k none small/ckpt
    run 2 1 "${large[@]}" --run.output=small
    expect_exit 0 "a disk that is too small for checkpoints alone"
    expect_out "WARNING .*checkpoint.*No space left" "is a warning"
    run 0 1 compare good/run.h5 small/run.h5
    expect_exit 0 "and changes nothing"
    umount small/ckpt

    mount -o remount,ro "$disk"
    run 2 1 "${quick[@]}" --run.output="$disk/new"
    expect_error 4 "cannot create the output directory .*Read-only file system" "a read-only file system"
    run 2 1 "${quick[@]}" --run.resume=never --run.output="$disk"
    expect_error 4 "cannot write to the output directory .*Read-only file system" "with an older result in it"
    expect_no_out "input  " "is found before any work"
    umount "$disk"
else
    report_check 0 "a full and a read-only disk # SKIP mounting a tmpfs needs root"
fi

if [ "$(id -u)" != 0 ]; then
    mkdir locked
    chmod 555 locked
    run 1 1 "${quick[@]}" --run.output=locked
    expect_error 4 "cannot write to the output directory locked: Permission denied" "a directory without permission"
else
    report_check 0 "a directory without permission # SKIP root may write everywhere"
fi

# 8 MiB are enough for the files of MPI itself.
# shellcheck disable=SC2086  # several options
run_cmd mpirun $MPIRUN_FLAGS -n 2 bash -c 'ulimit -f 8192; exec "$@"' _ "$dcmpi" "${fit[@]}" --model.hidden=[1500] \
    --run.output="$tmp/limited"
expect_error 4 "cannot write .*run.h5.*: File too large" "a limit of the file size"
expect_out "WARNING .*checkpoint.*File too large" "and of checkpoints"
is "$(find limited -name '*.part')" "" "no part is left"

# Two files on a full disk are bind-mounted into a folder that has room, because links would be refused.
mkdir full
if mount -t tmpfs -o size=4k none "$disk" 2>/dev/null; then
    touch "$disk"/log.txt "$disk"/metrics.jsonl full/log.txt full/metrics.jsonl
    head -c 4096 /dev/zero >"$disk/rest"
    mount --bind "$disk/log.txt" full/log.txt
    mount --bind "$disk/metrics.jsonl" full/metrics.jsonl
    run 2 1 "${large[@]}" --run.output=full
    expect_exit 0 "the run goes on when log and metrics cannot be written"
    is "$(grep -c 'WARNING cannot write .*metrics.jsonl: No space left' "$out")" 1 "one warning about the metrics"
    umount full/log.txt full/metrics.jsonl "$disk"
else
    report_check 0 "a full disk under log and metrics # SKIP mounting a tmpfs needs root"
fi
"$dcmpi" "${large[@]}" --run.output="$tmp/piped" 2>"$err" | head -n 1 >"$out"
is "${PIPESTATUS[0]}" 0 "the run goes on when stdout is closed"
expect_file piped/run.h5 "and writes its result"

# As a killed run leaves them: its lock is there, too.
mkdir -p remains/ckpt
echo x >remains/run.h5.part
echo x >remains/ckpt/ckpt-000007.h5.part
echo precious >victim
ln -s ../victim remains/run.h5.part.link
ln -sf ../victim remains/summary.link
printf 'dcmpi lock\nhost %s\npid 2147483000\nticks 1\njob none\nstarted 2026-01-01T00:00:00+0000\nepoch 1767225600\n' "$(hostname)" >remains/LOCK
run 2 1 "${large[@]}" --run.output=remains
expect_exit 0 "remains of an earlier run"
is "$(find remains -name '*.part')" "" "are removed"
is "$(cat victim remains/summary.link)" "$(printf 'precious\nprecious')" "and nothing else"
mkdir linked
ln -s ../victim linked/run.h5.part
run 2 1 "${quick[@]}" --run.output=linked
expect_error 4 "linked/run.h5.part is a symbolic link" "a part that is a link"
is "$(cat victim)" "precious" "is not followed"
ln -s good alias
ln -s nowhere dangling
run 2 1 "${quick[@]}" --run.resume=never --run.output=alias/deeper/still
expect_exit 0 "an output path through a link to a directory, with parents to be made"
expect_file good/deeper/still/run.h5 "is followed"
run 2 1 "${quick[@]}" --run.output=dangling
expect_error 4 "dangling" "a link to nowhere is not"

for mask in 077 000 027; do
    (umask $mask && run 1 1 "${quick[@]}" --run.output="modes$mask" && exit "$rc")
    is "$(find "modes$mask" -type f -printf '%m\n' | sort -u)" "$(printf '%o' $((0666 & ~0$mask)))" "files with umask $mask"
    is "$(find "modes$mask" -type d -printf '%m\n' | sort -u)" "$(printf '%o' $((0777 & ~0$mask)))" "directories with umask $mask"
done
done_testing
