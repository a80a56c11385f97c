#!/usr/bin/env bash
# Runs the tests with prove; `make check` calls it after building.
#   tests/run.sh [--build DIR] [--long] [--serial] [--wrap COMMAND] [PATTERN ...]
#     --build DIR      where the program and the C tests are (default: build)
#     --long           also the tests whose first comment says "long: yes"
#     --jobs N         how many tests run at the same time (default: one per core, at most 8)
#     --serial         only C tests without mpirun, and those under mpirun on 1 rank x 1 thread
#     --wrap COMMAND   put COMMAND (say, valgrind with options) in front of every C test, except those that say "timed: yes"
#     PATTERN          only tests whose name contains one of the patterns
# A test is a C program tests/tNNN_*.c or a script tests/t[89]NN_*.sh; it prints TAP. The first comment of a C test says how it is
# started: "ranks: 1 2 3 5" (0, the default: without mpirun), "ranks_long: 5" (those, too, with --long), "threads: 1 2" (default
# 1). With --long each combination is run; else a test that runs on several numbers of ranks takes the numbers of threads in turn,
# beginning with the last. Each run is one entry for prove: a small script in DIR/tests/run/ that can be run by hand, with its output beside it.
# A combination that does not end in time has failed ("limit: SECONDS" in the first comment; C tests 120, scripts 600, long C tests
# 1800; ten times as long with --wrap). Seconds in which other work had the machine do not count (tests/shim/within.c). All limits
# are multiplied by SLOW; its default is measured at the start.
# DCMPI_SAN, set by `make check SAN=...`: tests that do not work with sanitizers are skipped.
# Last line: "N passed, N failed", with ", N skipped" if there are any; test programs are counted, per combination.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/mpi_env.sh

build=build long=no jobs=$(($(nproc) < 8 ? $(nproc) : 8)) serial=no wrap='' patterns=()
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --wrap) wrap=$2 && shift ;;
    --long) long=yes ;;
    --jobs) jobs=$2 && shift ;;
    --serial) serial=yes ;;
    *) patterns+=("$1") ;;
    esac
    shift
done
build=$(realpath -m "$build")
entries=$build/tests/run
mkdir -p "$entries" || exit 1
summary_file=$(mktemp) || exit 1
trap 'rm -f "$summary_file"' EXIT
export BUILD=$build
# Files of tests go to memory if there is room: most tests write checkpoints, and would wait for the disk.
if [ -z "${TMPDIR:-}" ] && [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null &&
    [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm
fi
export SLOW=${SLOW:-$("$build/tests/within" --slow)}
slow=$SLOW
[ -z "$wrap" ] || slow=$((10 * slow))

first_comment() { # of a C file up to "*/", of a script the lines that start with "#"
    case $1 in
    *.c) sed -n '1,/\*\//p' "$1" ;;
    *) sed -n '/^#/!q;p' "$1" ;;
    esac
}
setting() { # FILE NAME DEFAULT
    local value
    value=$(first_comment "$1" | sed -nE "s/.*\b$2: *(yes|[0-9]+( +[0-9]+)*).*/\1/p" | head -n 1)
    echo "${value:-$3}"
}

wanted() { # NAME
    local pattern
    [ ${#patterns[@]} -gt 0 ] || return 0
    for pattern in "${patterns[@]}"; do [[ $1 == *$pattern* ]] && return 0; done
    return 1
}

# NAME THREADS LIMIT COMMAND: writes the entry.
write_entry() {
    local name=$1 threads=$2 limit=$3 command=$4 entry=$entries/$1
    cat >"$entry" <<ENTRY
#!/usr/bin/env bash
cd "$PWD" && . tests/mpi_env.sh
export BUILD="$build" OMP_NUM_THREADS=$threads
"$build/tests/within" $limit $command </dev/null 2>&1 | tee "$entry.log"
exit \${PIPESTATUS[0]}
ENTRY
    chmod +x "$entry"
    echo "$entry"
}

entries_of_c_test() { # SOURCE
    local source=$1 name ranks threads seconds program rank_counts thread_counts chosen turn=0
    [ -z "$wrap" ] || [ "$(setting "$source" timed no)" = no ] || return 0
    name=$(basename "$source" .c)
    program=$build/tests/$name
    seconds=$(setting "$source" limit "$([ "$(setting "$source" long no)" = yes ] && echo 1800 || echo 120)")
    seconds=$((slow * seconds))
    read -ra rank_counts <<<"$(setting "$source" ranks 0) $([ $long = no ] || setting "$source" ranks_long '')"
    read -ra thread_counts <<<"$(setting "$source" threads 1)"
    for ranks in "${rank_counts[@]}"; do
        chosen=("${thread_counts[@]}")
        if [ $long$serial = nono ] && [ ${#rank_counts[@]} -gt 1 ]; then
            turn=$(((turn + ${#thread_counts[@]} - 1) % ${#thread_counts[@]}))
            chosen=("${thread_counts[turn]}")
        fi
        for threads in "${chosen[@]}"; do
            if [ $serial = yes ] && [ "$ranks$threads" != 01 ] && [ "$ranks$threads" != 11 ]; then continue; fi
            if [ "$ranks" = 0 ]; then
                write_entry "$name.t$threads" "$threads" "$seconds" "$wrap $program"
            else
                write_entry "$name.p$ranks.t$threads" "$threads" "$seconds" \
                    "mpirun $MPIRUN_FLAGS -n $ranks $wrap $program"
            fi
        done
    done
}

all_entries() {
    local source
    for source in tests/t[0-9]*.c tests/t[0-9]*.sh; do
        if [ ! -e "$source" ] || ! wanted "$(basename "$source")"; then continue; fi
        [ $long = yes ] || [ "$(setting "$source" long no)" = no ] || continue
        case $source in
        *.c) entries_of_c_test "$source" ;;
        *) [ $serial = yes ] || write_entry "$(basename "$source" .sh)" 1 \
            $((slow * $(setting "$source" limit 600))) "bash $source" ;;
        esac
    done
}

mapfile -t list < <(all_entries)
if [ ${#list[@]} -eq 0 ]; then
    echo "tests/run.sh: no test matches" >&2
    echo "0 passed, 0 failed"
    exit 1
fi

(cd "$entries" && prove --exec bash --jobs "$jobs" --timer "${list[@]##*/}") | tee "$summary_file"
status=${PIPESTATUS[0]}

# prove lists the programs that did not pass in its summary; what they printed is in their logs.
mapfile -t failed < <(sed -nE 's/^([^ ]+) +\(Wstat: .*/\1/p' "$summary_file")
for name in "${failed[@]}"; do
    echo
    echo "FAILED $name (run $entries/$name)"
    grep -vE '^ok ' "$entries/$name.log" | tail -n 40
done

skipped=0
for name in "${list[@]##*/}"; do
    reasons=$(sed -nE 's/^(1\.\.0|ok [0-9]+.*) # (SKIP|skip) *//p' "$entries/$name.log" | sort -u)
    [ -z "$reasons" ] || printf 'SKIPPED %s: %s\n' "$name" "${reasons//$'\n'/; }"
    if grep -q '^1\.\.0 # SKIP' "$entries/$name.log"; then skipped=$((skipped + 1)); fi
done

passed=$((${#list[@]} - ${#failed[@]} - skipped))
if [ "$status" != 0 ] && [ ${#failed[@]} -eq 0 ]; then
    echo "tests/run.sh: prove failed"
    passed=0 failed=(prove)
fi
echo
summary="$passed passed, ${#failed[@]} failed"
[ $skipped -eq 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ ${#failed[@]} -eq 0 ]
