#!/usr/bin/env bash
# Mistakes that people make often: one line says what is wrong and what was probably meant.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

make_blobs 60
printf '{"t": "one two"}\n{"t": "two three"}\n' >d1.jsonl
cp d1.jsonl d2.jsonl
py "
with h5py.File('blobs.h5') as f: X, y = f['X'][:], f['y'][:]
with h5py.File('named.h5', 'w') as f: f['X'], f['labels'], f['other'] = X, y, np.zeros(7)
with h5py.File('lzf.h5', 'w') as f: f.create_dataset('X', data=X, compression='lzf')
for i in range(2): np.save('s%d.npy' % i, X[30 * i:30 * i + 30])"
run 0 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --run.output=r
expect_exit 0 "a run"
refused() { # CODE REGEX ARGUMENTS
    run 0 1 "${@:3}"
    expect_error "$1" "$2" "${*:3}"
}

# Globs
run 0 1 convert 'd*.jsonl' d.h5 --text-column=t
expect_exit 0 "convert takes a glob in quotes"
expect_out '^wrote d.h5: 4 x 3 ' "and all files that match"
run 2 1 convert 'd*.jsonl' d.h5 --text-column=t
expect_exit 0 "the same request on two ranks"
refused 4 "no file matches none-\*.csv; check the path" convert 'none-*.csv' x.h5
refused 4 "no file matches \[xy\]\*.csv; check the path" convert '[xy]*.csv' x.h5

# Values
refused 2 "levels = '\[3,2': a list that begins with '\[' ends with '\]'" kmeans --input.data=blobs.h5 '--cluster.levels=[3,2'
refused 2 "hidden = '3,2\]': a list that ends with '\]' begins with '\['" fit --input.data=blobs.h5 '--model.hidden=3,2]'
refused 2 "stop-words=englich: .*; did you mean 'english'\?" convert d1.jsonl x.h5 --text-column=t --stop-words=englich
refused 2 "stop-words=words.txt: .*use english, none or a file of words$" convert d1.jsonl x.h5 --text-column=t --stop-words=words.txt
refused 3 "named.h5 has no '/lables' for labels; it has an integer or a text for each row in /labels$" \
    kmeans --input.data=named.h5 --input.label_dataset=lables --cluster.clusters=3 --run.output=x
run 0 1 kmeans --input.data=named.h5 --cluster.clusters=3 --run.output=n
expect_out "NOTE +named.h5 has no labels in /y; if /labels holds labels, input.label_dataset scores" "labels under another name"

# Files of another kind
py "np.savez('x.npz', X=np.zeros((3, 2)))"
refused 3 "d1.jsonl is JSON, not .*: if its lines are documents, first dcmpi convert d1.jsonl OUT.h5 --text-column=KEY" \
    kmeans --input.data=d1.jsonl --cluster.clusters=2 --run.output=x
refused 3 "x.npz is a zip file, .*numpy.load\('x.npz'\)" predict --model=r/run.h5 --input=x.npz --output=x.h5

# Directories and outputs
for verb in info check "compare blobs.h5"; do
    # shellcheck disable=SC2086  # a verb and its first file
    refused 6 "r is a directory, not an HDF5 file; the result of the run is r/run.h5" $verb r
done
refused 2 "output is missing; predict needs" predict --model=r/run.h5 --input=blobs.h5
refused 2 "output lacks its value: --output=VALUE" dedup r/run.h5 --output
refused 4 "output none/y.h5: there is no such directory; make it .mkdir -p 'none'., or give another output" predict --model=r/run.h5 --input=blobs.h5 --output=none/y.h5
refused 4 "r: output exists and is not a regular file: it is a directory" predict --model=r/run.h5 --input=blobs.h5 --output=r
refused 2 "blobs.h5: output exists and was made .*\); give another name, or --force" predict --model=r/run.h5 --input=named.h5 --output=blobs.h5
refused 2 "blobs.h5: output exists and was made .*\); is the output name missing\? Give another name" convert named.h5 blobs.h5

# check says each finding once
refused 6 "lzf.h5: '/X' cannot be read, but may be whole: it is compressed by filter 32000" check lzf.h5
ok "nothing is printed twice" test ! -s "$out"
py "
with h5py.File('d.h5', 'a') as f: f['X/data'][0] = 5; f['obs/text'][1] = b'x'"
refused 6 "^dcmpi: ERROR: d.h5: '/X' is damaged: .*; findings: 2" check d.h5
is "$(wc -l <"$out") $(grep -c "finding: d.h5: '/obs/text' is damaged" "$out")" "1 1" "the second finding is a line of its own"

# Labels that change after a run
py "
with h5py.File('blobs.h5', 'a') as f: f['y'][:] = f['y'][:][::-1]; del f['y'].attrs['xxh3']"
run 0 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --run.output=r
expect_out "r/run.h5 is complete and belongs to this deck and data; its summary.json has the new scores, too" "other labels"
run 0 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --run.output=r
expect_out "is complete .*: nothing is left to do" "once"

# Terms that a method does not have
run 0 1 fit --input.data=blobs.h5 --cluster.method=dec '--model.hidden=[4]' --model.latent=2 --cluster.clusters=3 --pretrain.epochs=2 \
    --cluster.max_iter=2 --run.output=dec
expect_out 'cluster .* iter 2 .* step_loss ' "dec has a loss"
expect_no_out 'step_recon' "but none of reconstruction"
run 0 1 fit --input.data=blobs.h5 --cluster.method=gmm '--model.hidden=[4]' --model.latent=2 --cluster.clusters=3 --pretrain.epochs=2 \
    --run.output=gmm
expect_out 'cluster    k_effective [0-9.]+  largest [0-9.]+  empty 0$' "gmm trains nothing: no share, no rate"
expect_no_out 'cluster .*( iter 0| 0 steps)' "and has no steps"
expect_out 'cluster +assigned: gmm trains nothing' "which the log says"

# Many files
run 0 1 kmeans '--input.data=s*.npy' --cluster.clusters=3 --run.output=s
if /usr/bin/python3 -c 'import anndata, scipy' 2>/dev/null; then
    run_cmd /usr/bin/python3 "$root/tools/export.py" s/run.h5 s.h5ad --data s0.npy --matrix
    ok "export --matrix of files" grep -q "the rows come from 2 files: join them (dcmpi convert s0.npy ... ALL.h5)" "$err"
fi
done_testing
