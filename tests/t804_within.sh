#!/usr/bin/env bash
# long: yes
# The limit under which every test runs (tests/shim/within.c): a hang is ended with all its processes, whether it sleeps or spins;
# a command that ends by itself keeps its exit code; time in which other work had the machine does not count.
. "$(dirname "$0")/lib.sh"

hang() { # WHAT SCRIPT
    "$within" 1 bash -c "$2" >"$out" 2>"$err" </dev/null
    is "$?" 124 "$1 is ended"
    is "$(cat "$err")" "within: bash did not end in 1 s of the machine" "and told"
}
hang "a sleep" 'sleep 100'
hang "a loop" 'while :; do :; done'
hang "a child that takes no TERM" 'trap "" TERM; (trap "" TERM; exec sleep 101) & wait'
is "$(pgrep -fc '^sleep 10[01]$')" 0 "no process is left"

for code in 0 3 75 124; do
    "$within" 5 bash -c "exit $code"
    is $? $code "exit code $code is passed on"
done
"$within" 5 bash -c 'kill -KILL $$'
is $? 137 "and the number of a signal"
"$within" 5 no-such-command 2>/dev/null
is $? 127 "a command that is not there"
"$within" 0 true 2>/dev/null
is $? 125 "no limit"
WITHIN_SECONDS=$tmp/spent "$within" 9 sleep 1.2
is "$(cat spent)" 1 "the seconds that counted"
"$within" 30 bash -c 'trap "exit 9" TERM; sleep 20 & wait' &
sleep 0.3
kill -TERM $!
wait $!
is $? 9 "a signal is passed on"

# A command that runs beside twice as many others as there are cores gets at most a third of a core: only that share counts.
others=()
for _ in $(seq $((2 * $(nproc)))); do
    (while :; do :; done) &
    others+=($!)
done
begin=$SECONDS
WITHIN_SECONDS=$tmp/spent "$within" 60 bash -c 'end=$((SECONDS + 6)); while [ $SECONDS -lt $end ]; do :; done'
kill "${others[@]}"
wait "${others[@]}" 2>/dev/null
took=$((SECONDS - begin))
number_between "$(cat spent)" 0 $((took - 2)) "of $took seconds, those in which others ran do not count"
done_testing
