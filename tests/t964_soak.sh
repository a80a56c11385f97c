#!/usr/bin/env bash
# A few random events of the kill-and-compare harness; `make check-faults` and `make check-soak` run more of them.
. "$(dirname "$0")/lib.sh"
limit=500
run_cmd "$root/tests/soak.sh" --build "$build" --events 4 --seed 1 --decks "dec kmeans" --ranks 3
expect_exit 0 "the bits of the undisturbed runs after random events"
expect_out "^0 differences, 0 faults" "no fault"
sed 's/^/# /' "$out"
done_testing
