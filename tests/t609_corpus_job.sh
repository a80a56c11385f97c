#!/usr/bin/env bash
# jobs/corpus.slurm without a cluster: Slurm's commands are replaced. Convert, fit and export follow each other; a run that stops
# goes back into the queue; steps that are done are not done again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"

py "
rng = np.random.default_rng(609)
words = ['space orbit moon nasa launch', 'god church faith bible sin', 'game team hockey goal season']
for part in 'ab':
    with open('docs-%s.tsv' % part, 'w') as f:
        for i in range(150):
            k = int(rng.integers(0, 3))
            f.write('%d\t%s\n' % (k, ' '.join(rng.choice(words[k].split() + ['the', 'people', 'time'], 15))))"
cat >deck.yaml <<'END'
input: {data: elsewhere.h5, scale: dec}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 40, batch: 64, optimizer: adam, lr: 0.003}
cluster: {clusters: 3, n_init: 2, update_interval: 5, max_iter: 20}
END
mkdir bin
real=$(command -v mpirun)
printf '#!/bin/sh\necho "$STUB_LEFT"\n' >bin/squeue
printf '#!/bin/sh\necho "$@" >>requeued.txt\n' >bin/scontrol
# mpirun -n 2 --map-by X --bind-to core COMMAND ...: places of a node that is not there are left out
printf '#!/bin/sh\nn=$2\nshift 6\necho "$6" >>steps.txt\nexec %s %s -n "$n" "$@"\n' "$real" "$MPIRUN_FLAGS" >bin/mpirun
chmod +x bin/*
job() { # LEFT ARGUMENTS: runs the job script
    run_cmd env PATH="$tmp/bin:$PATH" STUB_LEFT="$1" SLURM_JOB_ID=7 SLURM_NTASKS=2 SLURM_CPUS_PER_TASK=1 DCMPI="$dcmpi" DECK=deck.yaml \
        IN='docs-*.tsv' CONVERT='--text-column=1 --label-column=0 --header=no' bash "$root/jobs/corpus.slurm" "${@:2}"
}

job 0:01 --pretrain.epochs=100000
is "$rc" 75 "a run whose time is over"
is "$(cat requeued.txt)" "requeue 7" "goes back into the queue"
expect_file data/corpus.h5 "its corpus is converted"
expect_no_file runs/deck/run.h5 "there is no result yet"
before=$(stat -c %Y.%i data/corpus.h5)
rm -rf runs steps.txt requeued.txt
job UNLIMITED
expect_exit 0 "with time enough"
is "$(stat -c %Y.%i data/corpus.h5)" "$before" "the corpus is not converted again"
is "$(tr '\n' ' ' <steps.txt)" "fit " "the only step on all ranks is fit"
for file in run.h5 labels.csv topics.csv report.html; do expect_file runs/deck/$file "$file"; done
is "$(head -n 1 runs/deck/topics.csv | cut -d, -f 1-4)" "cluster,rows,coherence,list" "topics are exported"
expect_no_file requeued.txt "nothing goes back"
job UNLIMITED --no.such=key
is "$rc" 2 "an error of a step is that of the job"
rm data/corpus.h5
printf 'x' >docs-c.tsv
job UNLIMITED
is "$rc $(test -e data/corpus.h5 && echo there)" "2 " "a conversion that fails ends the job"
done_testing
