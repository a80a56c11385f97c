#!/usr/bin/env bash
# Two writers of one output: one works and the other ends with 7; the lock and part of a killed writer are taken over; no lock
# stays behind. Names: an output that is also an input is refused with every byte kept, and so is a name beside it that writing
# needs; foreign files that are in the way stay.
. "$(dirname "$0")/lib.sh"
export OMP_NUM_THREADS=1 SLURM_JOB_ID=4711

make_blobs 300
seq 300000 | awk '{ print $1 % 250, 1, 2, 3, 4, 5, 6, 7, 8, 9 }' >large.txt
awk -F, -v OFS=, '{ NF = 6; for (i = 0; i < 400; i++) print }' blobs.csv >rows.csv
"$dcmpi" convert rows.csv rows.h5 >"$out" 2>"$err" || show_run
run 1 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --cluster.n_init=1 --run.output=km
expect_exit 0 "a model"
cp rows.h5 rows.before
cp km/run.h5 run.before

lock_of() { # HOST PID [JOB RESTART]: text of a lock
    printf 'dcmpi lock\nhost %s\npid %s\nticks 1\njob %s\nstarted 2026-01-01T00:00:00+0000\nepoch 1767225600\nrestart %s\nboot b\npidns p\nend\n' \
        "$1" "$2" "${3:-none}" "${4:-0}"
}
predict=("$dcmpi" predict --model=km/run.h5 --input=rows.h5 --output=both.h5 --rows-per-round=50 --force)
convert=("$dcmpi" convert large.txt both.h5 --force)

# ---- Two writers of one output. The first is stopped in the middle (SIGSTOP), so that the second starts while it works.
start_first() { # COMMAND...: sets $first, and $owner: convert works in a process of its own; returns when it has a part
    rm -f both.h5*
    "$@" >first.txt 2>&1 </dev/null &
    first=$!
    until [ -e both.h5.part ] || ! kill -0 $first 2>/dev/null; do :; done
    owner=$(sed -n 's/^pid //p' both.h5.lock)
    kill -STOP "$owner"
}
end_first() {
    kill -CONT "$owner"
    wait $first
    first_rc=$?
}
both() { # WHAT SECOND...
    local what=$1
    shift
    run_cmd "$@"
    expect_error 7 "both.h5 is in use by host $(hostname), pid $owner, job 4711, started .* ago, last sign of life .* ago" "$what: the second"
    end_first
    is "$first_rc $(grep -c ERROR first.txt) $(echo both.h5*)" "0 0 both.h5" "$what: the first is not disturbed, nothing stays"
    run 0 1 check both.h5
    expect_exit 0 "$what: the output is whole"
}
mkdir deep
ln -s .. deep/up
for writer in predict convert; do
    declare -n command=$writer
    start_first "${command[@]}"
    both "$writer + predict" "${predict[@]}"
    start_first "${command[@]}"
    both "$writer + convert" "${convert[@]}"
    start_first "${command[@]}"
    both "$writer + another name of the output" "$dcmpi" convert large.txt deep/up/both.h5

    start_first "${command[@]}"
    kill -9 $first
    wait $first 2>/dev/null
    is "$(echo both.h5*)" "both.h5.lock both.h5.part" "$writer, killed: lock and part stay"
    run_cmd "${command[@]}"
    expect_exit 0 "$writer, killed: the next takes over"
    expect_out "WARNING took over both.h5.lock, left behind by host $(hostname), pid $owner, job 4711" "$writer, killed: with a warning"
    is "$(echo both.h5*)" "both.h5" "$writer, killed: and removes both"
done
: >other.h5
ln -s other.h5 alias.h5
run 0 1 convert blobs.csv alias.h5
expect_exit 0 "through a symbolic link"
is "$(echo alias.h5* other.h5*)" "alias.h5 other.h5" "the lock is that of its target, and goes"
run 0 1 convert missing.csv fails.h5
is "$rc $(echo fails.h5*)" "4 fails.h5*" "an error leaves nothing"

# ---- Owners on other hosts (locks are files: only the file's time shows whether the other host's process is alive)
lock_of elsewhere 1 4712 >both.h5.lock
run_cmd "${predict[@]}"
expect_error 7 "host elsewhere, pid 1, job 4712" "a fresh lock of another host"
touch -d '5 minutes ago' both.h5.lock
run_cmd "${convert[@]}"
expect_error 7 "host elsewhere, .* last sign of life 5 min ago" "five minutes old: the true age"
touch -d '11 minutes ago' both.h5.lock
run_cmd "${convert[@]}"
expect_exit 0 "eleven minutes old"
expect_out "WARNING took over both.h5.lock, left behind by host elsewhere.* last sign of life 11 min ago" "the true age"
lock_of elsewhere 1 4711 >both.h5.lock
run_cmd "${predict[@]}"
expect_error 7 "host elsewhere" "another start in this job, on another node"
SLURM_RESTART_COUNT=1 run_cmd "${predict[@]}"
expect_exit 0 "the requeued job: Slurm ended its earlier part"
lock_of elsewhere 1 4711 1 >both.h5.lock
SLURM_RESTART_COUNT=1 run_cmd "${predict[@]}"
expect_error 7 "host elsewhere" "two in the same part of a requeued job"
rm both.h5.lock

# ---- Names
refused() { # WHAT FILE COMMAND...: exit 2, FILE is as before
    local what=$1 file=$2 before
    shift 2
    before=$(cksum "$file")
    run_cmd "$dcmpi" "$@"
    expect_error 2 "also an input" "$what"
    is "$(cksum "$file")" "$before" "$what: every byte is kept"
}
cp rows.h5 x.h5
for suffix in "" .part .lock .lock.guard; do
    cp rows.h5 "y.h5$suffix"
    ln "y.h5$suffix" hard.h5
    ln -s "y.h5$suffix" soft.h5
    for input in "y.h5$suffix" hard.h5 soft.h5; do
        refused "convert $input y.h5" "y.h5$suffix" convert "$input" y.h5
        refused "predict $input to y.h5" "y.h5$suffix" predict --model=km/run.h5 --input=$input --output=y.h5
    done
    refused "several inputs" "y.h5$suffix" convert x.h5 "y.h5$suffix" y.h5
    rm -f y.h5* hard.h5 soft.h5
    cp km/run.h5 "y.h5$suffix"
    refused "--model=y.h5$suffix" "y.h5$suffix" predict --model="y.h5$suffix" --input=rows.h5 --output=y.h5
    rm -f y.h5*
    seq 300 >"y.h5$suffix"
    refused "--labels=y.h5$suffix" "y.h5$suffix" convert rows.csv --labels="y.h5$suffix" y.h5 --force
    rm -f y.h5*
done

in_the_way() { # WHAT
    run 0 1 convert blobs.csv y.h5
    expect_error 4 "y.h5.part is in the way" "convert: $1 in the way"
    run 0 1 predict --model=km/run.h5 --input=rows.h5 --output=y.h5
    expect_error 4 "y.h5.part is in the way" "predict: $1 in the way"
    is "$(echo y.h5*)" y.h5.part "$1 stays"
}
echo precious >y.h5.part
in_the_way "a file of somebody"
is "$(cat y.h5.part)" precious "with its content"
rm y.h5.part
echo precious >victim
ln -s victim y.h5.part
in_the_way "a link"
is "$(cat victim)" precious "its target is as it was"
rm y.h5.part
ln -s nowhere y.h5.part
in_the_way "a link to nothing"
rm y.h5.part
mkfifo y.h5.part
in_the_way "a pipe"
rm y.h5.part
mkdir y.h5.part
in_the_way "a directory"
rmdir y.h5.part
echo notes >y.h5.lock
run 0 1 convert blobs.csv y.h5
expect_error 4 "y.h5.lock is not a lock of dcmpi" "a lock of somebody"
is "$(cat y.h5.lock)" notes "stays"
ln y.h5.lock y2
: >y2
run 0 1 convert blobs.csv y.h5
expect_error 4 "y.h5.lock is not a lock of dcmpi" "a lock with a second name"
rm y2 y.h5.lock
mkfifo y.h5.lock
run 0 1 predict --model=km/run.h5 --input=rows.h5 --output=y.h5
expect_error 4 "y.h5.lock is not a lock of dcmpi" "a lock that is a pipe"
rm y.h5.lock
run 0 1 predict --model=km/run.h5 --input=rows.h5 --output=large.txt
expect_error 2 "not an HDF5 file" "predict over a file that is no HDF5 file"

while IFS='|' read -r args regex; do
    eval "set -- $args"
    run 0 1 "$@"
    expect_error 2 "$regex" "$args"
done <<'END'
predict --model= --input=rows.h5 --output=y.h5|--model is empty
predict --model=km/run.h5 --input= --output=y.h5|--input is empty
predict --model=km/run.h5 --input=rows.h5 --output=|--output is empty
predict --model=km/run.h5 --input=rows.h5 --output ""|argument 5 is empty
convert "" y.h5|argument 2 is empty
convert blobs.csv ""|argument 3 is empty
convert blobs.csv y.h5 --labels=|--labels needs a value
convert blobs.csv y.h5 --dataset=|--dataset needs a value
info ""|argument 2 is empty
check ""|argument 2 is empty
compare km/run.h5 ""|argument 3 is empty
selftest --dir=|needs the name
fit ""|argument 2 is empty
fit --run.output=|run.output is empty
fit --input.data=|input.data is missing
kmeans --run.output=|run.output is empty
END
ok "the inputs are as they were" cmp rows.h5 rows.before
ok "and the model" cmp km/run.h5 run.before
done_testing
