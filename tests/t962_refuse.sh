#!/usr/bin/env bash
# What a run continues from, and what it refuses: other decks (it names the keys that differ), other verbs, changed data, damaged
# checkpoints; and the effect of run.resume. A refused start leaves every file as it was.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"

blobs() { # FILE SEED: three blobs of 100 rows in 6 columns
    awk -v seed="$2" 'BEGIN { srand(1); for (i = 0; i < 300; i++) for (c = 0; c < 7; c++)
        printf "%.4f%s", c == 6 ? i % 3 : 4 * (i % 3 == c % 3) + rand() + (i == 7 && c == 2) * seed, c == 6 ? "\n" : "," }' >blobs.csv
    rm -f "$1"
    "$dcmpi" convert --label-column=last blobs.csv "$1" >"$out" 2>"$err" || show_run
}
blobs blobs.h5 0
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 3, batch: 64}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 10, max_iter: 60, tol: 0}
DECK
run 2 1 deck.yaml --run.output=good
expect_exit 0 "the undisturbed run"

# Makes a run that ended between its last checkpoint and its result.
unfinished() { # DIR
    rm -rf "$1"
    cp -R good "$1"
    rm "$1/run.h5" "$1/summary.json"
}
first=ckpt/ckpt-000002.h5 last=ckpt/ckpt-000003.h5
ok "two checkpoints" test -s good/$first -a -s good/$last

# ---- Decks
unfinished bad
before=$(fingerprint bad)
changes=(run.seed=2 input.scale=minmax model.hidden=[17] model.latent=2 model.activation=tanh model.init=glorot
    pretrain.epochs=4 pretrain.batch=60 pretrain.loss=mse_sum pretrain.lr=0.5 pretrain.momentum=0.8 cluster.method=idec
    cluster.clusters=4 cluster.n_init=3 cluster.batch=65 cluster.update_interval=11 cluster.max_iter=61 cluster.tol=0.1
    cluster.lr=0.02 parallel.shards=32 parallel.gemm=cblas)
# A deck with every value changed, because the values of deck.yaml may not be given twice.
cat >other.yaml <<'DECK'
input: {data: blobs.h5, scale: minmax}
model: {hidden: [17], latent: 2, activation: tanh, init: glorot}
pretrain: {epochs: 4, batch: 60, loss: mse_sum, lr: 0.5, momentum: 0.8}
cluster: {method: idec, clusters: 4, n_init: 3, batch: 65, update_interval: 11, max_iter: 61, tol: 0.1, lr: 0.02}
parallel: {shards: 32, gemm: cblas}
DECK
run 1 1 other.yaml --run.seed=2 --run.output=bad
expect_error 6 "bad/$last was made with another deck" "another deck"
for change in "${changes[@]}"; do expect_err "[ :]${change%%=*}[ :=]" "it names ${change%%=*}"; done
is "$(fingerprint bad)" "$before" "no file was touched"
run 1 1 deck.yaml --run.seed=2 --run.output=bad
expect_error 6 "run.seed is 2, was 1; set another run.output, or run.resume=never to start anew" "one key: both values, and what to do"
run 1 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --cluster.n_init=2 --run.output=bad
expect_error 6 "was made by .dcmpi fit., and this is .dcmpi kmeans." "another verb"
is "$(fingerprint bad)" "$before" "no file was touched either"

run 2 2 deck.yaml --run.output=bad --run.log_interval=1s --checkpoint.every=1h --checkpoint.keep=7 --run.max_time=2:00:00 \
    --parallel.hash_steps=3 --run.resume=must
expect_exit 0 "other keys do not matter"
expect_same bad "continued"
run 1 1 deck.yaml --run.output=bad --cluster.lr=0.02
expect_error 6 "bad/run.h5 was made with another deck: .*cluster.lr" "a complete result of another deck"

# ---- Programs
unfinished bad
run 1 1 deck.yaml --run.output=bad
expect_no_out "NOTE .*the checkpoint was written by" "the same program: nothing to tell"
unfinished bad
DNNL_MAX_CPU_ISA=SSE41 run 2 1 deck.yaml --run.output=bad
expect_exit 0 "other kernels of the library"
expect_out "NOTE .*the checkpoint was written by dcmpi .*oneDNN" "it says so"

# ---- Data
unfinished bad
mv blobs.h5 blobs.h5.old
blobs blobs.h5 0.5
run 2 1 deck.yaml --run.output=bad
expect_error 3 "blobs.h5 has changed since this run was started: hash [0-9a-f]{16} is not [0-9a-f]{16}" "changed data"
run 2 1 deck.yaml --run.output=good
expect_error 3 "blobs.h5 has changed since" "changed data of a complete run"
mv blobs.h5.old blobs.h5

# ---- Damaged checkpoints
damaged_newest() { # WHAT
    run 2 1 deck.yaml --run.output=bad
    expect_exit 0 "$1"
    expect_out "WARNING bad/$last .*; trying the one before" "$1: told"
    expect_same bad "$1: from the one before"
}
unfinished bad
flip_bit bad/$last 5000
damaged_newest "the newest checkpoint has another bit"
unfinished bad
truncate -s 4096 bad/$last
damaged_newest "the newest checkpoint is cut"
# A damaged checkpoint does not count among those that are kept: there are always two that can be used.
is "$(cd bad/ckpt && echo ckpt-*)" "ckpt-000002.h5 ckpt-000004.h5" "the damaged one is gone, the good one stays"
unfinished bad
rm bad/$last
mkdir bad/$last
damaged_newest "the newest checkpoint is a folder"

# The last ones of the phases are there, too.
unfinished bad
flip_bit bad/$first 100
: >bad/$last
flip_bit bad/ckpt/last-cluster.h5 5000
run 3 1 deck.yaml --run.output=bad
expect_exit 0 "the newest two and the last of clustering are damaged"
expect_out "WARNING bad/$first .*; going on from the last checkpoint of the phase kmeans" "told"
expect_same bad "from the end of k-means"

unfinished bad
for file in bad/ckpt/*; do flip_bit "$file" 100; done
: >bad/$last
before=$(fingerprint bad)
run 2 1 deck.yaml --run.output=bad
expect_error 6 "no checkpoint in bad/ckpt can be used, and nothing was changed: .*run.resume=never starts anew" "all damaged"
is "$(fingerprint bad)" "$before" "nothing was changed"
run 2 1 deck.yaml --run.output=bad --run.resume=never
expect_exit 0 "run.resume=never starts anew"
expect_no_out " continues " "from the beginning"
expect_same bad "started anew"

# ---- run.resume
run 1 1 deck.yaml --run.output=new --run.resume=must
expect_error 2 "run.resume is must, but new holds nothing to continue" "run.resume=must without anything"
run 1 1 deck.yaml --run.output=new --run.resume=never --run.max_time=0.01s
expect_exit 75 "run.resume=never, stopped"
expect_out "stopped   by run.max_time .*; the same command starts anew: run.resume is never" "it does not promise to continue"
run 1 1 deck.yaml --run.output=good --run.resume=never --run.seed=3
expect_exit 0 "run.resume=never replaces an older result"
run 0 1 compare bad/run.h5 good/run.h5
expect_exit 1 "it is another one"
done_testing
