# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # set or used by lib.sh
# For the tests of continuation (t960 ...), after lib.sh: a small run, runs in the background, and the comparison at the end.
export OMP_NUM_THREADS=1
# Every record is a line of the log, so that tests see what the run is doing.
small="--input.rows=600 --parallel.shards=8 --model.latent=5 --run.log_interval=0.001s --cluster.n_init=3
    --pretrain.batch=100 --cluster.batch=100 --cluster.tol=0"

start() { # RANKS OPTIONS...: in the background; sets $job, the process of mpirun
    local ranks=$1
    shift
    : >"$out" # what await() looks at
    # shellcheck disable=SC2086  # several options
    mpirun $MPIRUN_FLAGS ${mpirun_options:-} -n "$ranks" "$dcmpi" "$@" >"$out" 2>"$err" </dev/null &
    job=$!
}

# Waits until a line of this part's output matches or the run has ended; the latter is no error here. The time limit of the
# whole test also ends this wait.
await() { # REGEX
    until grep -qE -- "$1" "$out" || ! kill -0 "$job" 2>/dev/null; do sleep 0.02; done
}

# Sends a signal to rank RANK of the job; ranks are its children in the order of their numbers.
signal_rank() { # SIGNAL RANK
    local pids
    mapfile -t pids < <(pgrep -P "$job" -f "$dcmpi" | sort -n)
    kill -"$1" "${pids[$2]:-none}" 2>/dev/null || note "no rank $2 to send SIG$1"
}

any_rank_left() {
    local pid
    for pid in $(pgrep -f "^$dcmpi .*--run.output"); do
        [ "$(readlink "/proc/$pid/cwd")" != "$tmp" ] || return 0
    done
    return 1
}

finish() { # sets $rc
    wait "$job" 2>/dev/null # where the shell would tell of a kill
    rc=$?
    # After SIGKILL of mpirun its ranks need a moment.
    while any_rank_left; do sleep 0.05; done
    ran_with=mpirun
}

without_times() { sed 's/, "elapsed_s".*//' "$1"; }

expect_same() { # DIR WHAT: result and records are those of the undisturbed run in good/
    local rc
    rc=$("$dcmpi" compare good/run.h5 "$1/run.h5" >compare.txt 2>&1 && echo 0 || echo $?)
    is "$rc $(head -n 1 compare.txt)" "0 $(grep '^equal: ' compare.txt)" "$2: the bits of the undisturbed run"
    is "$(without_times "$1/metrics.jsonl")" "$(without_times good/metrics.jsonl)" "$2: the same records"
}

# Writes the checkpoints that the log of DIR names into saved.txt, "NUMBER PHASE STEP" each.
list_saved() { # DIR
    sed -nE 's/.* saved +.*ckpt-0*([0-9]+)\.h5, ([a-z_0-9]+) step ([0-9]+):.*/\1 \2 \3/p' "$1/log.txt" >saved.txt
}

# Continues the run of "${args[@]}" from one checkpoint of saved.txt, with no other present, on other ranks and threads each time:
# 1 to 3 ranks, 1 or 2 threads; DCMPI_ALL=1: 1 to 4 ranks, 1 to 3 threads.
layout=0
continue_from() { # PHASE STEP [WHICH of those at this step]
    local number ranks threads
    number=$(awk -v p="$1" -v s="$2" '$2 == p && $3 == s { print $1 }' saved.txt | sed -n "${3:-1}p")
    [ -n "$number" ] || { is "none" "a checkpoint" "$1 step $2" && return; }
    layout=$((layout + 1))
    ranks=$((layout % 3 + 1)) threads=$((layout / 2 % 2 + 1))
    [ -z "${DCMPI_ALL:-}" ] || ranks=$((layout % 4 + 1)) threads=$((layout % 3 + 1))
    rm -rf part
    mkdir -p part/ckpt
    cp all/log.txt all/metrics.jsonl part/
    cp "all/ckpt/$(printf 'ckpt-%06d.h5' "$number")" part/ckpt/
    run $ranks $threads "${args[@]}" --run.output=part --checkpoint.every=0
    if [ "$rc" = 0 ]; then expect_same part "from $1 step $2 on $ranks x $threads"; else
        expect_exit 0 "from $1 step $2 on $ranks x $threads"
    fi
}

# The content of a folder, to check that nothing was changed.
fingerprint() { (cd "$1" && find . -type f -printf '%p %s %T@\n' | sort && find . -type f -exec cat {} + | cksum); }

flip_bit() { # FILE OFFSET
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059  # an octal escape
    printf "\\$(printf %03o $((byte ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# WHAT: runs "${args[@]}" on other ranks and threads; the result must be that of good/. DCMPI_ALL=1: on more of them.
same_bits_elsewhere() {
    local setting settings=("3 2")
    [ -z "${DCMPI_ALL:-}" ] || settings=("2 2" "3 1" "5 2")
    for setting in "${settings[@]}"; do
        rm -rf other
        # shellcheck disable=SC2086,SC2154  # two numbers; the test sets args
        run $setting "${args[@]}" --run.output=other
        run 0 1 compare good/run.h5 other/run.h5
        expect_exit 0 "$1: the bits of 1 rank on ${setting/ / x }" || cat "$out"
    done
}
