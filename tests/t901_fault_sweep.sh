#!/usr/bin/env bash
# long: yes  limit: 5400
# Fault points that a run passes many times fail at each passage in turn: each allocation on one of three ranks, each look at a
# file, each parallel open, read and close, each write of rows. The run always ends with the code of the table, one error line, no
# hang and no leftover; or with the good result.
. "$(dirname "$0")/lib.sh"
. "$root/tests/fault_help.sh"

same_but_scores() {
    "$dcmpi" compare good/run.h5 bad/run.h5 >compared && return
    grep -aq "WARNING no scores" "$out" && [ "$(grep '^/' compared)" = "$(grep '^/confusion ' compared)" ]
}

sweep() { # POINT CODE RANK...
    local point=$1 code=$2 n=0 harmless=0 found
    shift 2
    local on=("$@")
    while :; do
        n=$((n + 1))
        rank=${on[n % ${#on[@]}]}
        run_with_fault "$point" "$rank" "$n"
        grep -aq "^dcmpi: FAULT" "$err" || break
        # A missing checkpoint, an old one that was kept, or missing scores do no harm.
        if [ "$rc" = 0 ] && same_but_scores; then
            harmless=$((harmless + 1))
            continue
        fi
        found=$(verdict "$point" "$rank" "$n" "$code")
        [ -z "$found" ] || { is "$found" "" "$point on rank $rank, time $n" || show_run; }
    done
    is "$rc" 0 "a run that passes $point on rank $rank less than $n times is a good one"
    number_between $n 2 10000 "$point was made to fail as often as it was passed; $harmless did no harm"
}

for point in mem.alloc file.stat h5.open h5.read h5.close result.write result.verify; do
    read -r code < <("$dcmpi" info --faults | awk -F'\t' -v point=$point '$1 == point { print $3 }')
    sweep $point "$code" 0 1 2
done
for point in h5.fsync result.reserve file.write file.fsync file.rename; do sweep $point 4 0; done
rerun "the sweep"
done_testing
