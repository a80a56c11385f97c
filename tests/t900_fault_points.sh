#!/usr/bin/env bash
# limit: 900
# Each fourth fault point on the last rank that passes it (t902: each point on each rank): the run ends in time on all ranks with
# the code of the table and one error line, nothing is left that blocks a rerun, and the rerun gives the result of an undisturbed
# run, bit by bit.
. "$(dirname "$0")/lib.sh"
. "$root/tests/fault_help.sh"

every=${DCMPI_EVERY:-4} number=0
while IFS=$'\t' read -r point who code what; do
    number=$((number + 1))
    [ $((number % every)) = 0 ] || continue
    last=$([ "$who" = all ] && echo $((ranks - 1)) || echo 0)
    for rank in $(seq $((every > 1 ? last : 0)) "$last"); do
        run_with_fault "$point" "$rank" 1
        is "$(verdict "$point" "$rank" 1 "$code")" "" "$point on rank $rank ends with $code: $what" || show_run
    done
    rerun "$point"
done < <("$dcmpi" info --faults)

DC_FAULT=no.such.point run 2 1 deck.yaml --run.output=bad
expect_error 2 "DC_FAULT: 'no.such.point'" "an unknown point is a usage error"
done_testing
