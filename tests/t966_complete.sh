#!/usr/bin/env bash
# long: yes
# "Complete" means all files. If a start finds a whole run.h5 whose summary.json is missing or damaged, it makes that file from
# run.h5, the same to the last byte, and prints the RESULT line; every verb that meets such a pair says so. If the labels changed,
# the result is scored again; other weights (model.weights) count as another deck; weights of another activation or scaling are
# refused. Strings that are not UTF-8.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"

make_blobs 300
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 3, batch: 64}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 10, max_iter: 60, tol: 0}
DECK
run 2 1 deck.yaml --run.output=good
expect_exit 0 "a run"
line=$(grep '^RESULT ' "$out")
ok "summary.json is JSON" python3 -m json.tool good/summary.json /dev/null
is "$(py 'import json; print(json.load(open("good/summary.json"))["result_hash"] == h5py.File("good/run.h5").attrs["result_hash"].decode())')" \
    True "it names its run.h5"
before=$(fingerprint good)
run 3 1 deck.yaml --run.output=good
expect_exit 0 "the same command again"
expect_out "good/run.h5 is complete and belongs to this deck and data: nothing is left to do" "says that it is complete"
is "$(grep '^RESULT ' "$out")" "$line" "and prints the RESULT line"
is "$(fingerprint good)" "$before" "no file was touched"

# ---- A run.h5 without its whole summary.json
made_anew() { # STATE WHAT
    rm -rf runs && mkdir runs && mv bad runs/
    for tool in "info runs/bad/run.h5" "check runs/bad/run.h5"; do
        # shellcheck disable=SC2086  # verb and file
        run 0 1 $tool
        expect_exit 0 "$2: ${tool%% *}"
        expect_out "runs/bad/summary.json: finding: $1" "$2: ${tool%% *} says so"
    done
    run_cmd /usr/bin/python3 "$root/tools/sweep.py" runs
    expect_exit 0 "$2: sweep.py"
    expect_out '^bad +(no-summary|damaged)' "$2: sweep.py marks it"
    for tool in "report.py runs/bad" "export.py runs/bad/run.h5 labels.csv"; do
        # shellcheck disable=SC2086  # tool and files
        run_cmd /usr/bin/python3 "$root"/tools/$tool
        expect_exit 0 "$2: ${tool%% *}"
        expect_err 'WARNING: runs/bad/summary.json is' "$2: ${tool%% *} says so"
    done
    mv runs/bad .
    run 2 1 deck.yaml --run.output=bad
    expect_exit 0 "$2: the same command"
    expect_out "bad/run.h5 is complete and belongs to this deck and data; its summary.json was $1 and was made again from run.h5" "$2: says what it did"
    is "$(grep '^RESULT ' "$out")" "$line" "$2: the RESULT line"
    ok "$2: in the log, too" grep -qF "$line" bad/log.txt
    ok "$2: summary.json is as it was" cmp good/summary.json bad/summary.json
    ok "$2: config.used.yaml is as it was" cmp good/config.used.yaml bad/config.used.yaml
    run 2 1 deck.yaml --run.output=bad
    expect_out "nothing is left to do" "$2: then all is whole"
}
copy() { rm -rf bad && cp -R good bad; }
copy && rm bad/summary.json
made_anew missing "no summary"
copy && : >bad/summary.json
made_anew empty "an empty summary"
copy && truncate -s 700 bad/summary.json
made_anew "not whole" "half a summary"
run 1 1 deck.yaml --run.output=other --run.seed=2
copy && cp other/summary.json bad/
made_anew "of another run.h5" "the summary of another run"
copy && rm bad/summary.json && mkdir bad/summary.json
run 1 1 deck.yaml --run.output=bad
expect_error 4 "summary.json" "a folder in its place"
# Killed between the files of a run that replaces an older one.
copy && rm bad/summary.json && cp other/config.used.yaml bad/
made_anew missing "the deck of another run"
copy && mv bad/metrics.jsonl bad/metrics.jsonl.new && mv bad/config.used.yaml bad/config.used.yaml.new
cp other/metrics.jsonl other/config.used.yaml other/summary.json bad/
made_anew "of another run.h5" "records and deck that had not got their names"
ok "the records have their name" cmp good/metrics.jsonl bad/metrics.jsonl
is "$(find bad -name '*.new' -o -name '*.part')" "" "nothing is left over"

# ---- As version 0.1.0 wrote it
copy
py 'f = h5py.File("bad/run.h5", "r+")
for a in ("result_hash", "labels_hash", "weights_hash", "deck_hash", "program_hash", "checkpoint", "job", "nodes", "delta",
          "peak_flops", "data_type", "self_checks", "self_checks_passed", "warnings"): del f.attrs[a]
for a in list(f["timing"].attrs): del f["timing"].attrs[a]
f["timing"].attrs["columns"] = "calls, min_s, avg_s, max_s, slowest_rank"'
sed -i '/result_hash/d' bad/summary.json
before=$(fingerprint bad)
run 2 1 deck.yaml --run.output=bad
expect_exit 0 "a result of version 0.1.0"
expect_out "nothing is left to do" "it is complete"
is "$(fingerprint bad)" "$before" "it is not touched"
rm bad/summary.json
run 2 1 deck.yaml --run.output=bad
expect_exit 0 "without summary"
expect_out '^RESULT  converged=' "the RESULT line"
ok "a summary of what it tells" python3 -m json.tool bad/summary.json /dev/null

# ---- Labels
relabel() { # PYTHON EXPRESSION of y, or nothing: no labels
    rm -f blobs.h5 && cp blobs.csv.h5 blobs.h5
    py "f = h5py.File('blobs.h5', 'r+'); y = f['y'][:]; del f['y']
$([ -z "${1:-}" ] || echo "f['y'] = ($1).astype('i4')")"
}
cp blobs.h5 blobs.csv.h5
scored() { # WHAT: as a run of these data from the start
    local acc
    run 3 1 deck.yaml --run.output=bad
    expect_exit 0 "$1"
    expect_out "labels    of blobs.h5 differ from those that run.h5 was scored with" "$1: says so"
    acc=$(result_value acc)
    run 0 1 check bad/run.h5
    expect_exit 0 "$1: the file is whole"
    expect_no_out finding "$1: with its summary"
    run 1 1 deck.yaml --run.output=fresh --run.resume=never
    is "$acc" "$(result_value acc)" "$1: the score of a fresh run"
    run 0 1 compare fresh/run.h5 bad/run.h5
    expect_exit 0 "$1: the datasets of a fresh run"
    run 2 1 deck.yaml --run.output=bad
    expect_out "nothing is left to do" "$1: only once"
    is "$(find bad -name '*.part')" "" "$1: no part is left"
}
copy
relabel "np.where(np.arange(300) < 60, 0, y)"
scored "corrected labels"
relabel "y[::-1]"
scored "reordered labels"
relabel "y + 5"
scored "renamed labels back again" # the same classes as at first
relabel
scored "removed labels"
relabel "np.arange(300) % 7"
scored "added labels"
if mount -t tmpfs -o size=2m none fresh 2>/dev/null; then
    cp -R bad/. fresh/
    relabel y
    dd if=/dev/zero of=fresh/fill bs=1k 2>"$err"
    truncate -s -24k fresh/fill # for the lock
    before=$(cksum fresh/run.h5)
    run 2 1 deck.yaml --run.output=fresh
    expect_error 4 "run.h5.part: No space left" "no space to score anew"
    is "$(cksum fresh/run.h5)" "$before" "run.h5 stays as it was"
    rm fresh/fill && mount -o remount,size=9m fresh
    run 2 1 deck.yaml --run.output=fresh
    expect_exit 0 "with more space"
    umount fresh
fi
# While it continues: labels never influence the training.
copy && rm bad/run.h5 bad/summary.json
relabel "np.where(np.arange(300) < 60, 0, y)"
run 2 1 deck.yaml --run.output=bad
expect_exit 0 "other labels when it continues"
expect_out "NOTE .*the labels of blobs.h5 have changed since this run was started; they only score" "a note"
run 1 1 deck.yaml --run.output=fresh2
run 0 1 compare fresh2/run.h5 bad/run.h5
expect_exit 0 "the result and scores of a fresh run"
cp blobs.csv.h5 blobs.h5

# ---- Weights
run 1 1 deck.yaml --run.output=ae --cluster.max_iter=0
weights=(deck.yaml --model.weights=ae/run.h5 --run.output=dec)
run 2 1 "${weights[@]}"
expect_exit 0 "from weights"
rm -rf dec.part && cp -R dec dec.part && rm dec.part/run.h5 dec.part/summary.json
mv ae elsewhere
run 1 1 "${weights[@]}"
expect_exit 0 "the weights are gone, the run is complete"
expect_out "WARNING ae/run.h5 .model.weights. is not there" "and says that it could not compare"
run 1 1 deck.yaml --model.weights=elsewhere/run.h5 --run.output=dec
expect_exit 0 "the same weights in another place"
expect_out "nothing is left to do" "are the same weights"
run 1 1 deck.yaml --run.output=ae --cluster.max_iter=0 --run.seed=7
before=$(fingerprint dec)
run 2 1 "${weights[@]}"
expect_error 6 "dec/run.h5 was made with another deck: model.weights is ae/run.h5 with the hash [0-9a-f]{16}, was ae/run.h5 with the hash [0-9a-f]{16}" \
    "other weights under the same name"
is "$(fingerprint dec)" "$before" "nothing was touched"
mv dec.part dec2
run 2 1 deck.yaml --model.weights=ae/run.h5 --run.output=dec2
expect_error 6 "dec2/ckpt/.* was made with another deck: model.weights is" "the same for a checkpoint"
run 1 1 deck.yaml --model.weights=elsewhere/run.h5 --run.output=dec2
expect_exit 0 "with the old ones it continues"
run 0 1 compare dec/run.h5 dec2/run.h5
expect_exit 0 "to the same bits"

run 2 1 deck.yaml --model.weights=elsewhere/run.h5 --run.output=new --model.activation=tanh
expect_error 2 "elsewhere/run.h5 .model.weights.: layer encoder_0 was trained with the activation relu, the deck says tanh" "weights of another activation"
run 2 1 deck.yaml --model.weights=elsewhere/run.h5 --run.output=new --model.activation=tanh --dry-run
expect_error 2 "activation relu" "the dry run sees it, too"
run 2 1 deck.yaml --model.weights=elsewhere/run.h5 --run.output=new --input.scale=minmax
expect_error 2 "elsewhere/run.h5 .model.weights. was trained with another scaling: /scaling/" "weights of another scaling"
expect_no_file new/config.used.yaml "nothing was begun"

# ---- Text that is no UTF-8
odd=$(printf 'odd-\377\303-\303\244\\"')
mkdir odd && cp deck.yaml "odd/$odd.yaml"
run 1 1 "odd/$odd.yaml" --run.output=odd/run
expect_exit 0 "a deck whose name is no UTF-8"
ok "summary.json is JSON in UTF-8" py 'import json
text = json.loads(open("odd/run/summary.json", "rb").read().decode("utf-8"))["command_line"]
assert "odd-\\xFF\\xC3-\u00e4\\\"" in text, text'
ok "metrics.jsonl, too" py 'import json
for line in open("odd/run/metrics.jsonl", "rb"): json.loads(line.decode("utf-8"))'
run_cmd /usr/bin/python3 "$root/tools/sweep.py" odd
expect_exit 0 "sweep.py reads it"
expect_out '^run +max_iter' "and has its result"
run_cmd /usr/bin/python3 "$root/tools/report.py" odd/run
expect_exit 0 "report.py, too"
done_testing
