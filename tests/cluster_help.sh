# shellcheck shell=bash
# Helpers for tests on a virtual Slurm cluster (tools/cluster.sh); read after lib.sh.
#     start_cluster N       N nodes that live as long as the test, else skip_test. The working directory is then on the
#                           cluster's shared file system and has build/dcmpi, input/, jobs/ and tools/.
#     slurm COMMAND ...     a command on the login host
#     submit NAME [VARIABLE=VALUE ...] [SBATCH OPTION ...]
#                           submits jobs/$script (mnist.slurm) on the built-in problem, with one rank on every node and
#                           output in runs/NAME; sets $job and $log. $options are the program's options, $epochs the length
#                           of pretraining. A second submit with the same NAME continues in the same directory.
#     wait_log REGEX        waits until the job's log has a line that matches
#     wait_job              waits until the job has ended. Slurm would hold a requeued job back for two minutes; here it
#                           starts at once. Sets $state (COMPLETED, FAILED, ...), $restarts and $code (the script's exit code).
#     wait_pending          waits until the job is back in the queue
#     wait_until WHAT COMMAND ...
#     has_checkpoint NAME   is there a checkpoint in runs/NAME?
#     stop_and_continue LAUNCHER [SCANCEL OPTION ...]    a run that is stopped by USR1 and continued
#     continued WHAT        the job's log says that part 2 went on from a checkpoint
#     same_bits NAME WHAT   runs/NAME/run.h5 is that of the undisturbed run, ref/run.h5 (reference makes it, on 1 rank)
# All waits end after $limit seconds.
# shellcheck disable=SC2034,SC2154  # variables of lib.sh and for the tests

script=mnist.slurm
options=(--input.data=builtin:glyphs --input.rows=2000 --model.hidden=[70,33] --model.latent=5
    --cluster.n_init=2 --cluster.update_interval=20 --cluster.max_iter=100 --cluster.tol=0
    --run.log_interval=1s --checkpoint.every=2s)
epochs=40
cluster() { "$root/tools/cluster.sh" "$@"; }

start_cluster() {
    skip_with_sanitizers "their options do not reach the nodes"
    local why
    nodes=$1
    DCMPI_CLUSTER=$(mktemp -u /var/tmp/dcmpi-cluster.XXXXXX)
    export DCMPI_CLUSTER
    why=$(cluster check 2>&1) || skip_test "${why#cluster.sh: }"
    trap 'cluster down; rm -rf "$tmp"' EXIT
    if ! cluster up --while $$ "$nodes"; then
        report_check 1 "a cluster of $nodes nodes is up"
        tail -n 5 "$DCMPI_CLUSTER"/log/* | sed 's/^/# /'
        done_testing
    fi
    cd "$DCMPI_CLUSTER/work" || exit 1
    mkdir build ref && cp "$dcmpi" build/dcmpi && cp -r "$root"/{input,jobs,tools} .
}

# A login shell's environment: tests/mpi_env.sh keeps mpirun on one node. The ranks share the cores of this machine.
slurm() {
    env -i PATH="$PATH" HOME="$HOME" DCMPI_CLUSTER="$DCMPI_CLUSTER" OMPI_ALLOW_RUN_AS_ROOT=1 \
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 OMP_WAIT_POLICY=passive "$root/tools/cluster.sh" run "$@"
}

reference() {
    run 1 1 fit input/mnist-dec.yaml "${options[@]}" --pretrain.epochs=$epochs --run.output=ref
    expect_exit 0 "undisturbed run on 1 rank"
}

submit() {
    local variables=(OUTPUT="runs/$1")
    shift
    while [[ ${1:-} == [A-Z]*=* ]]; do variables+=("$1") && shift; done
    job=$(slurm env "${variables[@]}" sbatch --parsable -N "$nodes" -n "$nodes" -c 1 --output=job-%j.log "$@" \
        "jobs/$script" "${options[@]}" --pretrain.epochs=$epochs) || note "sbatch failed"
    log=job-$job.log
}

job_field() { slurm scontrol show job "$job" | tr ' ' '\n' | sed -n "s/^$1=//p"; }

show_job() {
    grep "JobId=$job" "$DCMPI_CLUSTER/log/slurmctld.log" | grep -v _update_job | sed 's/^/#   /'
    tail -n 25 "$log" 2>/dev/null | sed 's/^/#   log: /'
}

# wait_until WHAT COMMAND ...: a check that fails after $limit seconds, or if the job ends before.
wait_until() {
    local what=$1 end=$((SECONDS + limit)) over=no
    shift
    until "$@" 2>/dev/null; do
        if [ $over = yes ] || [ $SECONDS -ge $end ]; then
            report_check 1 "$what"
            note "$([ $over = yes ] && echo "the job ended before" || echo "not within $limit s")"
            show_job
            return 1
        fi
        ! is_over || over=yes
        sleep 0.2
    done
}

wait_log() { wait_until "the log says $1" grep -qaE -- "$1" "$log"; }
wait_pending() { wait_until "the job is back in the queue" is_in PENDING; }
is_in() { # STATE ...
    state=$(job_field JobState)
    [[ " $* " == *" $state "* ]]
}
# False if scontrol gave no answer, or if a node failed: then Slurm puts the job back.
is_over() { [ -z "$job" ] || is_in COMPLETED FAILED CANCELLED TIMEOUT OUT_OF_MEMORY; }
# Nodes refuse a job that starts in the same second in which it was put back ("Job credential revoked").
is_over_or_released() {
    if is_in PENDING; then
        sleep 2
        slurm scontrol update JobId="$job" StartTime=now
    fi
    is_over
}

wait_job() {
    wait_until "the job ends" is_over_or_released
    restarts=$(job_field Restarts)
    code=$(job_field ExitCode)
    code=${code%:*}
}

continued() { ok "$1: the second part continues the first" grep -qa ' continues .* this is part 2' "$log"; }

same_bits() {
    run 0 1 compare ref/run.h5 "runs/$1/run.h5"
    expect_exit 0 "$2: the same bits as undisturbed" || show_job
}

has_checkpoint() { compgen -G "runs/$1/ckpt/ckpt-*.h5" >/dev/null; }

stop_and_continue() { # LAUNCHER SCANCEL-OPTION ...
    local launcher=$1
    shift
    submit "stop-$launcher" LAUNCHER="$launcher"
    wait_log ' pretrain .* epoch '
    slurm scancel --signal=USR1 "$@" "$job"
    wait_job
    is "$state $restarts" "COMPLETED 1" "$launcher: stopped by USR1, requeued once, completed" || show_job
    continued "$launcher"
    same_bits "stop-$launcher" "$launcher stopped by USR1"
}
