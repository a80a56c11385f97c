#!/usr/bin/env bash
# long: yes
# A run continues from the newest state, not from an older result in the same folder; a job that the queue runs again continues
# its own earlier start although run.resume is never; files in one folder belong to one run; a refused start changes nothing;
# after two starts in vain no third follows; a STOP that cannot be removed; folders that are removed during the run.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
[ -x "$build/fault/dcmpi" ] || skip_test "no fault points: make FAULT=1 BUILD=$build/fault"

make_blobs 300
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 3, batch: 64}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 50, max_iter: 6000, tol: 0}
DECK
run 2 1 deck.yaml --run.output=a
expect_exit 0 "run A"
run 2 1 deck.yaml --run.output=good --run.seed=5
expect_exit 0 "run B, undisturbed"

# Run B over the result of run A, killed in its clustering: B has saved at least the end of its pretraining.
long=(--cluster.max_iter=1000000)
over() { # OPTIONS...
    dcmpi=$build/fault/dcmpi DC_FAULT=rank.kill@0#60 run 2 1 deck.yaml --run.output=ab --run.seed=5 "$@"
    expect_exit 137 "killed over another result"
}
pair_of_a() { # WHAT
    ok "$1: run.h5 is that of A" cmp a/run.h5 ab/run.h5
    local name
    for name in summary.json metrics.jsonl config.used.yaml; do ok "$1: $name is that of A" cmp a/$name ab/$name; done
}
b_over_a() {
    rm -rf ab && cp -R a ab
    over "${long[@]}" --run.resume=never --checkpoint.every=0.1s
    pair_of_a "B over A, killed"
}
b_over_a
expect_file ab/config.used.yaml.new "the deck of B has another name until then"
run 2 1 deck.yaml --run.output=ab --run.seed=5 "${long[@]}" --run.max_time=3
expect_exit 75 "auto goes on"
expect_out " continues .* with checkpoint" "from B's newest checkpoint, not refused for A's result"
pair_of_a "B over A, stopped"
run 1 1 deck.yaml --run.output=ab --run.seed=5 "${long[@]}" --run.max_time=3 --run.resume=must
expect_exit 75 "so does must"
expect_out " continues " "must continues"
run 2 1 deck.yaml --run.output=ab
expect_exit 0 "A's deck still finds its result complete"
expect_out "WARNING ab/ckpt holds newer checkpoints, which are not of this run" "and says what lies beside"
run 2 1 deck.yaml --run.output=ab --run.seed=6
expect_error 6 "ab/ckpt/ckpt-[0-9]*.h5 was made with another deck: run.seed is 6, was 5" "a third deck is refused for the newest"

# To the end: run.h5 of B, and everything beside it.
rm -rf ab && cp -R a ab
over --run.resume=never --checkpoint.every=0.02s
run 3 1 deck.yaml --run.output=ab --run.seed=5
expect_exit 0 "B to its end"
expect_same ab "B over A"
ok "config.used.yaml is that of B" diff <(sed /output:/d good/config.used.yaml) <(sed /output:/d ab/config.used.yaml)
is "$(find ab -name '*.new' -o -name '*.part' -o -name 'LOCK*')" "" "nothing is left over"
run 0 1 check ab/run.h5
expect_no_out finding "summary.json belongs to run.h5"
run 2 1 ab/config.used.yaml --run.output=repeated
run 0 1 compare ab/run.h5 repeated/run.h5
expect_exit 0 "config.used.yaml repeats the run"

# The same deck again: its newer checkpoints decide, too; if there are none, the result does.
rm -rf ab && cp -R good ab
over --run.resume=never --checkpoint.every=0.02s
run 2 1 deck.yaml --run.output=ab --run.seed=5
expect_out " continues " "started anew with the same deck, killed: auto continues that"
expect_same ab "the same deck anew"
rm -rf ab && cp -R good ab
rm -r ab/ckpt
run 1 1 deck.yaml --run.output=ab --run.seed=5
expect_out "nothing is left to do" "a result without checkpoints is complete"
# Checkpoint numbers continue after that of the result, even if somebody has removed the checkpoints.
start 1 deck.yaml --run.output=ab --run.seed=5 --run.resume=never --checkpoint.every=0.000000001s "${long[@]}"
await ' saved '
kill -KILL "$job"
finish
ok "they are above those of the result" test "$(find ab/ckpt -name 'ckpt-*' | sed 's/.*ckpt-0*//; s/\.h5//' | sort -n | head -n 1)" -gt \
    "$(py 'print(h5py.File("ab/run.h5").attrs["checkpoint"])')"

# As version 0.1.0 wrote it: the deck decides.
b_over_a
py 'f = h5py.File("ab/run.h5", "r+")
for a in ("result_hash", "checkpoint", "job"): del f.attrs[a]'
run 2 1 deck.yaml --run.output=ab --run.seed=5 "${long[@]}" --run.max_time=3
expect_out " continues " "over a result of version 0.1.0"
run 2 1 deck.yaml --run.output=ab
expect_out "nothing is left to do" "which is complete for its own deck"

# ---- A job that is run again
queue() { # JOB RESTARTS OPTIONS...
    SLURM_JOB_ID=$1 SLURM_RESTART_COUNT=$2 run 2 1 deck.yaml --run.output=q --run.seed=5 --run.resume=never "${@:3}"
}
run 2 1 deck.yaml --run.output=q
queue 17 0 "${long[@]}" --run.max_time=3
expect_exit 75 "a job with run.resume=never"
expect_out "this job continues if the queue runs it again; the same command otherwise starts anew: run.resume is never" "says what comes"
queue 17 1 "${long[@]}" --run.max_time=3
expect_exit 75 "its second part"
expect_out " continues " "continues the first"
expect_out "WARNING run.resume is never, but the queue runs job 17 again" "and says why"
queue 18 1 "${long[@]}" --run.max_time=3
expect_no_out " continues .* with checkpoint" "another job starts anew"
queue 18 2
expect_no_out " continues .* with checkpoint" "another deck, too"
expect_exit 0 "to its end"
queue 18 3
expect_out "nothing is left to do" "its own result is complete"
expect_same q "the job"
queue 18 0
expect_no_out "nothing is left to do" "not if it is started for the first time"
SLURM_JOB_ID=18 run 2 1 deck.yaml --run.output=q --run.seed=5 --run.resume=never
expect_no_out "nothing is left to do|continues" "nor without a count"

# ---- What is refused changes nothing
unfinished() {
    rm -rf bad && cp -R good bad
    rm bad/run.h5 bad/summary.json
}
mv blobs.h5 kept.h5
sed '7s/^[0-9.]*/9.5/' blobs.csv >other.csv
"$dcmpi" convert --label-column=last other.csv blobs.h5 >"$out" 2>"$err" || show_run
unfinished
echo "{}" >>bad/metrics.jsonl
echo "behind the checkpoint" >>bad/log.txt
before=$(fingerprint bad)
run 2 1 deck.yaml --run.output=bad --run.seed=5
expect_error 3 "blobs.h5 has changed since this run was started" "other data"
is "$(fingerprint bad)" "$before" "every file is as it was"
mv kept.h5 blobs.h5
before=$(fingerprint good)
run 2 1 deck.yaml --run.output=good --run.seed=6 --run.resume=never --model.weights=nowhere.h5
expect_error 4 "nowhere.h5" "weights that are not there"
for name in run.h5 summary.json metrics.jsonl config.used.yaml; do
    is "$(cd good && find . -name "$name.new")" "" "no $name.new"
done
is "$(cd good && cksum run.h5 summary.json metrics.jsonl config.used.yaml)" "$(cd repeated/.. && cd good && cksum run.h5 summary.json metrics.jsonl config.used.yaml)" \
    "and a result is whole"

# ---- Nothing but starts
vain=(kmeans --input.data=blobs.h5 --cluster.clusters=3 --cluster.n_init=2 --run.output=vain)
in_vain() { # WHAT
    run 2 1 "${vain[@]}" --run.max_time=0.000001s
    expect_exit 75 "$1"
    expect_out "stopped   by run.max_time in .*: nothing to save yet; the same command continues" "$1: nothing is saved"
}
in_vain "a limit shorter than the start"
run 2 1 "${vain[@]}" --run.max_time=0.000001s
expect_error 2 "two parts in a row were stopped before anything could be saved, this one by run.max_time in (reading|kmeans) .*: the time limit is shorter than the start takes" \
    "the second such part is the last"
ok "the log says why" grep -q "ERROR.*two parts in a row" vain/log.txt
in_vain "who tries again has two parts again"
run 2 1 "${vain[@]}"
expect_exit 0 "a part in vain, and one that ends"
is "$(find vain -name in-vain)" "" "no mark is left"
unfinished
for expected in 75 2; do
    run 1 1 deck.yaml --run.output=bad --run.seed=5 --run.max_time=0.000001s
    expect_exit $expected "the same behind a checkpoint"
done

# ---- STOP
mkdir -p stop/STOP
run 2 1 deck.yaml --run.output=stop
expect_error 4 "stop/STOP is a directory, .*move it away" "a folder STOP"
if [ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1 && command -v setpriv >/dev/null; then
    mkdir -m 1777 sticky && touch sticky/STOP
    chmod 755 "$tmp" && chmod a+r blobs.h5 deck.yaml
    run_cmd env HOME=/tmp TMPDIR=/tmp setpriv --reuid=nobody --regid=nogroup --clear-groups "$dcmpi" deck.yaml --run.output="$tmp/sticky" \
        --input.data="$tmp/blobs.h5"
    ok "the STOP of another user in a sticky folder (exit $rc)" grep -q "STOP would stop the run at once, and cannot be removed" "$err"
fi

# ---- Folders that are removed under the run
removed() { # FOLDER WHAT
    rm -rf gone
    start 2 deck.yaml --run.output=gone --run.seed=5 --checkpoint.every=0 --cluster.max_iter=60 --pretrain.epochs=3000 --pretrain.lr=0.1
    await ' pretrain .*%'
    rm -r "$1"
    finish
    expect_exit 0 "$2"
    expect_no_out "WARNING no checkpoint" "$2: checkpoints are written"
    ok "$2: they are there" test "$(find gone/ckpt -name 'ckpt-*.h5' | wc -l)" -ge 1
    for name in run.h5 summary.json log.txt config.used.yaml metrics.jsonl; do expect_file gone/$name "$2: $name"; done
    ok "$2: the RESULT line is in the log" grep -q '^RESULT ' gone/log.txt
    is "$(find gone -name 'LOCK*' -o -name '*.part')" "" "$2: nothing is left over"
    run 0 1 check gone/run.h5
    expect_no_out finding "$2: a whole pair"
}
removed gone/ckpt "the folder ckpt was removed"
removed gone "the output directory was removed"
expect_file gone/run.h5 "it was made again"
done_testing
