#!/usr/bin/env bash
# long: yes
# limit: 1800
# jobs/corpus.slurm and jobs/curate.slurm on a virtual Slurm cluster of two nodes, under mpirun and srun: documents become topics;
# a corpus of embeddings becomes lists of rows in three jobs that wait for each other. Each is stopped by a signal while it
# clusters, goes back into the queue and ends with the bits of an undisturbed run. A chain whose first job fails is cancelled.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster_help.sh
. "$root/tests/cluster_help.sh"

start_cluster 2
limit=300

py "
rng = np.random.default_rng(953)
words = ['space orbit moon nasa launch', 'god church faith bible sin', 'game team hockey goal season']
for part in 'ab':
    with open('docs-%s.tsv' % part, 'w') as f:
        for i in range(400):
            k = int(rng.integers(0, 3))
            f.write('%d\t%s\n' % (k, ' '.join(rng.choice(words[k].split() + ['the', 'people', 'time'], 15))))"
cat >docs.yaml <<'END'
input: {data: elsewhere.h5, scale: dec}
model: {hidden: [64], latent: 3}
pretrain: {epochs: 400, batch: 64, optimizer: adam, lr: 0.003}
cluster: {clusters: 3, n_init: 2, update_interval: 5, max_iter: 20}
END
cat >corpus.yaml <<'END'
input: {data: "builtin:embeddings,rows=200000,width=32,clusters=400", scale: none, norm: l2}
cluster: {clusters: 200, n_init: 1, kmeans_max_iter: 400, kmeans_tol: 0}
END
epochs=400
options=(--run.log_interval=1s --checkpoint.every=1s)
words=(IN='docs-*.tsv' CONVERT='--text-column=1 --label-column=0 --header=no' DECK=docs.yaml)

run 0 1 convert docs-a.tsv docs-b.tsv docs.h5 --text-column=1 --label-column=0 --header=no
run 1 1 fit docs.yaml --input.data=docs.h5 "${options[@]}" --pretrain.epochs=$epochs --run.output=ref
expect_exit 0 "topics, undisturbed"
script=corpus.slurm
for launcher in mpirun srun; do
    submit "docs-$launcher" "${words[@]}" DATA=data/$launcher.h5 LAUNCHER=$launcher
    wait_log ' pretrain .* epoch '
    # shellcheck disable=SC2046  # no word for srun, whose ranks get the signal themselves
    slurm scancel --signal=USR1 $([ $launcher = srun ] || echo --batch) "$job"
    wait_job
    is "$state $restarts" "COMPLETED 1" "corpus.slurm, $launcher: stopped by USR1, requeued once, completed" || show_job
    continued "corpus.slurm, $launcher"
    same_bits "docs-$launcher" "corpus.slurm, $launcher"
    for file in labels.csv topics.csv report.html; do expect_file "runs/docs-$launcher/$file" "$launcher: $file"; done
done

rm -r ref
run 1 1 kmeans corpus.yaml --run.output=ref
expect_exit 0 "k-means, undisturbed"
run 1 1 dedup ref/run.h5 --cosine=0.95 --probe=1
script=curate.slurm
submit_chain() { # NAME VARIABLE=VALUE ...: as submit; sets after, the jobs behind it
    local variables=(OUTPUT="runs/$1" DECK=corpus.yaml "${@:2}")
    job=$(slurm env "${variables[@]}" sbatch --parsable -N 2 -n 2 --ntasks-per-node=1 -c 1 --output=job-%j.log jobs/curate.slurm \
        "${options[@]}") || note "sbatch failed"
    log=job-$job.log
    wait_log '^curate: then dedup, job [0-9]+, and export, job [0-9]+'
    mapfile -t after < <(sed -n 's/^curate: then dedup, job \([0-9]*\), and export, job \([0-9]*\)$/\1\n\2/p' "$log")
}
for launcher in mpirun srun; do
    submit_chain "corpus-$launcher" LAUNCHER=$launcher
    first=$job
    wait_log ' saved .*, kmeans step '
    # shellcheck disable=SC2046
    slurm scancel --signal=USR1 $([ $launcher = srun ] || echo --batch) "$job"
    wait_job
    is "$state $restarts" "COMPLETED 1" "curate.slurm, $launcher: stopped by USR1, requeued once, completed" || show_job
    continued "curate.slurm, $launcher"
    same_bits "corpus-$launcher" "curate.slurm, $launcher"
    for job in "${after[@]}"; do
        log=slurm-dcmpi-curate-$job.log
        wait_job
        is "$state" COMPLETED "$launcher: job $job behind job $first" || show_job
    done
    run 0 1 compare ref/dedup.h5 "runs/corpus-$launcher/dedup.h5"
    expect_exit 0 "$launcher: the same duplicates"
    for file in kept.npy kept.txt removed.csv; do expect_file "runs/corpus-$launcher/$file" "$launcher: $file"; done
done

options+=(--no.such=key)
submit_chain failed
wait_until "a wrong option ends the job" is_in FAILED
for job in "${after[@]}"; do wait_until "job $job behind it is cancelled" is_in CANCELLED; done
expect_no_file runs/failed/dedup.h5 "it did not run"
done_testing
