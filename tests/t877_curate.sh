#!/usr/bin/env bash
# jobs/curate.slurm without a cluster: Slurm's commands are replaced. The first start submits the jobs behind it, later ones do
# not; a run that stops goes back into the queue; each step does its part; errors are those of the job.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

cat >deck.yaml <<'END'
run: {output: elsewhere}
input: {data: "builtin:embeddings,rows=3000,width=16,clusters=9", scale: none, norm: l2}
cluster: {clusters: 9, n_init: 1}
END
mkdir bin
real=$(command -v mpirun)
printf '#!/bin/sh\necho "$STUB_LEFT"\n' >bin/squeue
printf '#!/bin/sh\necho "$@" >>requeued.txt\n' >bin/scontrol
printf '#!/bin/sh\n[ -z "$STUB_FULL" ] || exit 1\necho "$STEP $*" >>submitted.txt\nwc -l <submitted.txt\n' >bin/sbatch
# mpirun -n 2 --map-by X --bind-to core COMMAND ...: places of a node that is not there are left out
printf '#!/bin/sh\nn=$2\nshift 6\necho "$6" >>steps.txt\nexec %s %s -n "$n" "$@"\n' "$real" "$MPIRUN_FLAGS" >bin/mpirun
chmod +x bin/*
job() { # VARIABLE=VALUE ... -- ARGUMENTS: runs the job script
    local variables=()
    while [ "$1" != -- ]; do variables+=("$1") && shift; done
    run_cmd env PATH="$tmp/bin:$PATH" STUB_LEFT=UNLIMITED SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=1 SLURM_NTASKS=2 SLURM_CPUS_PER_TASK=1 \
        SLURM_JOB_PARTITION=long DCMPI="$dcmpi" DECK=deck.yaml "${variables[@]}" bash "$root/jobs/curate.slurm" "${@:2}"
}

job STUB_FULL=yes --
is "$rc $(test -e steps.txt || echo none)" "4 none" "jobs that cannot be submitted: nothing is begun"
job STUB_LEFT=0:01 -- --cluster.n_init=10000 --cluster.kmeans_max_iter=100000 --cluster.kmeans_tol=0
is "$rc" 75 "a run whose time is over"
is "$(cat requeued.txt)" "requeue 7" "goes back into the queue"
is "$(sed "s| [^ ]*curate.slurm||" submitted.txt)" "\
dedup --parsable --kill-on-invalid-dep=yes --cpus-per-task=1 --partition=long --nodes=1 --ntasks=2 --dependency=afterok:7
export --parsable --kill-on-invalid-dep=yes --cpus-per-task=1 --partition=long --nodes=1 --ntasks=1 --ntasks-per-node=1 --dependency=afterok:1" \
    "the jobs behind it"
rm -r runs requeued.txt submitted.txt
job SLURM_RESTART_COUNT=1 --
expect_exit 0 "with time enough"
expect_file runs/deck/run.h5 "the result"
expect_no_file submitted.txt "the jobs behind it are there already"
job STEP=dedup DEDUP="--cosine=0.98 --keep=first" --
expect_exit 0 "dedup"
is "$(py 'f = h5py.File("runs/deck/dedup.h5"); print(f.attrs["cosine"], f.attrs["keep"])')" "0.98 b'first'" "with its options"
job STEP=export --
expect_exit 0 "export"
is "$(wc -l <runs/deck/kept.txt) $(wc -l <runs/deck/removed.csv)" \
    "$(py 'f = h5py.File("runs/deck/dedup.h5"); k = np.load("runs/deck/kept.npy"); print(len(k), len(f["removed"]) + 1)')" "the lists"
is "$(tr '\n' ' ' <steps.txt)" "kmeans kmeans dedup " "what ran on all ranks"
expect_no_file requeued.txt "nothing goes back"
job CHAIN=no -- --no.such=key
is "$rc $(test -e submitted.txt || echo none)" "2 none" "an error of a step is that of the job; no chain"
job STEP=else --
is "$rc" 2 "an unknown step"
done_testing
