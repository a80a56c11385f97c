# shellcheck shell=bash
# Helpers for whole-program tests (tests/t8NN_*.sh, bash). A test reads this file first, checks, and ends with done_testing:
#
#     #!/usr/bin/env bash
#     # What is tested. (A first comment with "long: yes" moves the test to `make check-long`.)
#     . "$(dirname "$0")/lib.sh"
#     run 0 1 --version;                              expect_exit 0 "--version works without MPI"
#     run 2 1 bad.yaml;                               expect_error 2 "bad.yaml:3:3:.*unknown key" "unknown key"
#     run 2 1 fit "$root/input/x.yaml" --run.output="$tmp/x"; expect_exit 0 "fit"; expect_out "^RESULT .*converged=yes" "result"
#     done_testing
#
# The test runs in the empty temporary folder $tmp, which is removed at the end. Variables:
#     $root     project folder           $build   build folder            $dcmpi   the program
#     $tmp      temporary folder         $data    real data sets (DCMPI_DATA), empty if there are none
# Running the program:
#     run P T ARGS...       run dcmpi on P ranks (0: without mpirun) x T threads. Sets $rc (exit code), $out and $err (files
#                           with stdout and stderr), $seconds (whole seconds that it took, as tests/shim/within.c counts them).
#                           A hang ends with rc 124 after $limit such seconds (default 60; SLOW times as many).
#     run_cmd COMMAND ...   the same for any command (no shell function).
# Checks; the last argument is the description, each is one TAP line, a failure prints what was seen:
#     ok WHAT COMMAND ARGS...          the command succeeds (note the order: description first)
#     is ACTUAL EXPECTED WHAT          equal text
#     expect_exit CODE WHAT            exit code of the last run
#     expect_error CODE REGEX WHAT     exit code; exactly one line "dcmpi: ERROR: ..." in stdout and stderr together, and it
#                                      matches the regex; without mpirun it must be the only line on stderr
#     expect_out REGEX WHAT            a line of $out matches (extended regex)
#     expect_err REGEX WHAT            a line of $err matches
#     expect_no_out REGEX WHAT         no line of $out matches
#     expect_file FILE WHAT, expect_no_file FILE WHAT
#     number_between VALUE LOW HIGH WHAT
#     result_value KEY                 prints the value of KEY=... in the RESULT line of $out (for number_between)
#     make_blobs ROWS [COLUMNS]        blobs.csv, three blobs with their numbers in the last column, and blobs.h5; always the same
#     py CODE                          Python, with h5py and numpy as np
#     skip_test REASON                 the whole test is skipped, loudly; call it before the first check
#     need_data FOLDER                 skip_test unless $data/FOLDER is there
#     need_command NAME                skip_test unless the command is installed
#     note TEXT                        a TAP comment
set -u
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath -m "${BUILD:-$root/build}")
dcmpi=${DCMPI:-$build/dcmpi}
data=${DCMPI_DATA:-}
[ -z "$data" ] || data=$(realpath -m "$data")
within=$build/tests/within
limit=60
check_count=0
check_failed=0
# shellcheck source=tests/mpi_env.sh
. "$root/tests/mpi_env.sh"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/dcmpi-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
out=$tmp/.out
err=$tmp/.err
: >"$out"
: >"$err"
cd "$tmp" || exit 1

run_cmd() {
    ran_with=$1
    WITHIN_SECONDS=$tmp/.seconds "$within" $((limit * ${SLOW:-1})) "$@" >"$out" 2>"$err" </dev/null
    rc=$?
    # shellcheck disable=SC2034  # for the tests
    seconds=$(<"$tmp/.seconds")
}

run() {
    local ranks=$1 threads=$2
    shift 2
    export OMP_NUM_THREADS=$threads
    if [ "$ranks" = 0 ]; then
        run_cmd "$dcmpi" "$@"
    else
        # shellcheck disable=SC2086  # several options
        run_cmd mpirun $MPIRUN_FLAGS -n "$ranks" "$dcmpi" "$@"
    fi
}

note() { printf '%s\n' "$*" | sed 's/^/# /'; }

report_check() { # STATUS WHAT: one TAP line
    check_count=$((check_count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $check_count - $2"
    else
        check_failed=$((check_failed + 1))
        echo "not ok $check_count - $2"
    fi
    return "$1"
}

show_run() {
    note "exit code ${rc:-none}"
    tail -n 20 "$out" | sed 's/^/#   stdout: /'
    tail -n 20 "$err" | sed 's/^/#   stderr: /'
}

ok() {
    local what=$1
    shift
    if "$@"; then report_check 0 "$what"; else
        report_check 1 "$what"
        note "failed: $*"
        return 1
    fi
}

is() {
    if [ "$1" = "$2" ]; then report_check 0 "$3"; else
        report_check 1 "$3"
        note "actual:   $1"
        note "expected: $2"
        return 1
    fi
}

expect_exit() {
    if [ "$rc" = "$1" ]; then report_check 0 "$2 (exit $1)"; else
        report_check 1 "$2 (exit $1)"
        show_run
        return 1
    fi
}

expect_error() {
    local code=$1 regex=$2 what=$3 lines
    lines=$(grep -ahE 'dcmpi: ERROR' "$out" "$err" || true)
    if [ "$rc" = "$code" ] && [ "$(grep -c . <<<"$lines")" = 1 ] && grep -qE -- "$regex" <<<"$lines" &&
        { [ "$ran_with" != "$dcmpi" ] || [ "$(wc -l <"$err")" = 1 ]; }; then
        report_check 0 "$what (exit $code, one line)"
    else
        report_check 1 "$what (exit $code, one line)"
        note "expected one line that matches: $regex"
        show_run
        return 1
    fi
}

expect_match() { # FILE REGEX WHAT
    if grep -qaE -- "$2" "$1"; then report_check 0 "$3"; else
        report_check 1 "$3"
        note "no line matches: $2"
        show_run
        return 1
    fi
}
expect_out() { expect_match "$out" "$1" "$2"; }
expect_err() { expect_match "$err" "$1" "$2"; }

expect_no_out() {
    if ! grep -qaE -- "$1" "$out"; then report_check 0 "$2"; else
        report_check 1 "$2"
        note "should not be there: $(grep -aE -m 3 -- "$1" "$out")"
        return 1
    fi
}

expect_file() { ok "$2" test -s "$1"; }
expect_no_file() { ok "$2" test ! -e "$1"; }

number_between() {
    if awk -v x="$1" -v lo="$2" -v hi="$3" 'BEGIN { exit !(x ~ /^[-+0-9.]/ && x + 0 >= lo + 0 && x + 0 <= hi + 0) }'; then
        report_check 0 "$4 ($1)"
    else
        report_check 1 "$4"
        note "actual '$1', expected $2 .. $3"
        return 1
    fi
}

result_value() { sed -n "s/^RESULT .*[ ]$1=\([^ ]*\).*/\1/p" "$out" | tail -n 1; }

make_blobs() { # ROWS [COLUMNS]
    awk -v rows="$1" -v columns="${2:-6}" 'BEGIN { srand(1); for (i = 0; i < rows; i++) {
        for (c = 0; c < columns; c++) printf "%.4f,", 4 * (i % 3 == c % 3) + rand(); print i % 3 } }' >blobs.csv
    "$dcmpi" convert --label-column=last blobs.csv blobs.h5 >"$out" 2>"$err" || show_run
}

py() {
    PYTHONPATH=$root/tests${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c "import h5py, numpy as np
$1"
}

skip_test() {
    echo "1..0 # SKIP $*"
    exit 0
}
skip_with_sanitizers() { [ -z "${DCMPI_SAN:-}" ] || skip_test "not with sanitizers: $*"; }
need_data() {
    if [ -z "$data" ] || [ ! -e "$data/$1" ]; then skip_test "no real data: DCMPI_DATA names no folder with $1"; fi
}
need_command() { command -v "$1" >/dev/null || skip_test "$1 is not installed"; }

done_testing() {
    echo "1..$check_count"
    exit $((check_failed > 0))
}
