#!/usr/bin/env bash
# long: yes  limit: 5400
# A short run is killed at each of its system calls that changes a file of its own: in an empty directory, over the result of
# another deck (run.resume=never, then auto), and where it makes a shorter run longer. Then the same command, dcmpi check,
# sweep.py and report.py follow: all files are whole, with the bits, records and RESULT line of the undisturbed run, and nothing
# is left over.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
need_command strace
skip_with_sanitizers "they do not like to be traced"
strace -o /dev/null true 2>"$err" || skip_test "processes cannot be traced here"
. "$root/tests/whole_help.sh"
calls=link,linkat,rename,renameat,renameat2,fsync,fallocate,ftruncate,pwrite64,pwritev,unlink,unlinkat,write,mkdir,mkdirat,truncate,copy_file_range
run_cmd "$dcmpi" deck.yaml --run.output=older --run.seed=2
expect_exit 0 "an older run of another deck"
sed 's/max_iter: 20/max_iter: 10/' deck.yaml >shorter.yaml
run_cmd "$dcmpi" shorter.yaml --run.output=shorter --pretrain.epochs=1
expect_exit 0 "a shorter run of this deck"

# Only calls on the run's own files count, not those on files of MPI.
own=(-P "$tmp/runs/k")
for name in run.h5{,.part} summary.json{,.part} config.used.yaml{,.new}{,.part} metrics.jsonl{,.new{,.part}} log.txt LOCK{,.guard} STOP ckpt \
    ckpt/in-vain ckpt/ckpt-00000{1..9}.h5{,.part} ckpt/last-{pretrain,kmeans,cluster}.h5{,.part}; do
    own+=(-P "$tmp/runs/k/$name")
done

fresh() {
    rm -rf runs/k
    case $1 in
    over) cp -R older runs/k ;;
    longer) cp -R shorter runs/k ;;
    esac
}

campaign() { # alone, over or longer
    local how=$1 options=() call total n killed=0 bad=0 found
    [ "$how" != over ] || options=(--run.resume=never)
    fresh "$how"
    strace -f -o calls.txt "${own[@]}" -e trace=$calls "${same[@]}" "${options[@]}" >"$out" 2>"$err" </dev/null
    sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' calls.txt | sort | uniq -c >counts.txt
    while read -r total call; do
        for n in $(seq 1 "$total"); do
            fresh "$how"
            { run_cmd strace -f -o /dev/null "${own[@]}" -e trace="$call" -e inject="$call:signal=SIGKILL:when=$n" \
                "${same[@]}" "${options[@]}"; } 2>/dev/null # where the shell would tell each of the dead
            [ "$rc" = 0 ] || killed=$((killed + 1))
            /usr/bin/python3 "$root/tools/sweep.py" runs >sweep.txt 2>&1 || grep -q 'has no output directories' sweep.txt || cat sweep.txt
            same_run
            # Over an older result, the start may have been killed before it left files of its own; auto then refuses the deck.
            [ "$how" != over ] || [ "$rc" != 6 ] || run_cmd "${same[@]}" --run.resume=never
            found=$(what_is_wrong "$([ $((n % 20)) = 0 ] || [ "$call" = rename ] && echo yes || echo no)")
            [ -z "$found" ] && continue
            bad=$((bad + 1))
            is "$found" "" "$how: killed at $call $n of $total"
        done
    done <counts.txt
    note "$how: $(tr -s ' \n' ' ' <counts.txt)"
    number_between $killed 150 2000 "$how: kills"
    is $bad 0 "$how: after each the same command ends with all of it"
}
for how in ${DCMPI_KILL:-alone over longer}; do campaign "$how"; done
done_testing
