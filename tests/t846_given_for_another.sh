#!/usr/bin/env bash
# A file of the wrong kind as deck, data and model: one line says what it is and which command is meant. Paths that only a
# shell would expand; decks for other methods.
. "$(dirname "$0")/lib.sh"

make_blobs 90 4
sed 's/,/ /g' blobs.csv >blobs.txt
(echo a,b,c,d,e && cat blobs.csv) >header.csv
gzip -k blobs.csv
cat >deck.yaml <<'DECK'
# a comment
run: {output: run}
input: {data: blobs.h5}
model: {hidden: [4], latent: 2}
pretrain: {epochs: 1, batch: 32, lr: 0.1}
cluster: {method: dec, clusters: 3, n_init: 2, batch: 32, update_interval: 5, max_iter: 6}
DECK
run 1 1 deck.yaml
expect_exit 0 "a run"
run 0 1 predict --model=run/run.h5 --input=blobs.h5 --output=y.h5
expect_exit 0 "a prediction"
cp run/ckpt/ckpt-000002.h5 saved.h5
/usr/bin/python3 -c "import h5py, numpy as np
np.save('x.npy', np.zeros((4, 3)))
np.savez('x.npz', a=np.zeros((4, 3)))
h5py.File('plain.h5', 'w')['X'] = np.zeros((4, 3))"
printf '\0\0\10\2\0\0\0\2\0\0\0\1ab' >x-idx2-ubyte
printf 'PAR1xxxxPAR1' >x.parquet
head -c 400 blobs.h5 >cut.h5
head -c 2097152 /dev/zero | tr '\0' '\n' >lines.txt

# ---- As a deck
while IFS='|' read -r verb file regex; do
    run 0 1 ${verb:+"$verb"} "$file"
    expect_error 2 "$regex" "$verb $file"
done <<'END'
kmeans|blobs.h5|blobs.h5 is a data file, not a deck: dcmpi kmeans --input.data=blobs.h5
fit|blobs.h5|blobs.h5 is a data file, not a deck: dcmpi fit --input.data=blobs.h5
|blobs.h5|dcmpi fit --input.data=blobs.h5
fit|blobs.csv|blobs.csv is a table in text, not a deck: first dcmpi convert blobs.csv OUT.h5, then dcmpi fit --input.data=OUT.h5
fit|blobs.txt|blobs.txt is a table in text
fit|header.csv|header.csv is a table in text
kmeans|blobs.csv.gz|is a gzip file, not a deck: first dcmpi convert
fit|x.npy|is an NPY file, not a deck: dcmpi fit --input.data=x.npy
fit|x.npz|is a zip file, not a deck
fit|x-idx2-ubyte|is an IDX file, not a deck
fit|x.parquet|is a Parquet file, not a deck
fit|plain.h5|is an HDF5 file, not a deck: if it has a matrix /X, dcmpi fit --input.data=plain.h5
fit|cut.h5|is an HDF5 file, not a deck
fit|run/run.h5|is the result of a run, not a deck: config.used.yaml beside it is
fit|saved.h5|is a checkpoint of a run, not a deck: the command that made the run
fit|y.h5|is a prediction, not a deck
kmeans|run|is the directory of a run, not a deck: dcmpi kmeans run/config.used.yaml
kmeans|.|the deck is a directory
fit|lines.txt|at most 1 MiB
END
run 2 1 kmeans blobs.h5
expect_error 2 "dcmpi kmeans --input.data=blobs.h5" "on two ranks"
run 1 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --run.output=k
expect_exit 0 "the command that is named works"

# ---- As data
while IFS='|' read -r file regex; do
    run 1 1 deck.yaml --input.data="$file" --run.output=new
    expect_error 3 "$regex" "input.data=$file"
    run 0 1 predict --model=run/run.h5 --input="$file" --output=new.h5
    expect_error 3 "$regex" "predict --input=$file"
    run 0 1 deck.yaml --input.data="$file" --run.output=new --dry-run
    expect_error 3 "$regex" "a dry run of $file"
done <<'END'
blobs.csv|blobs.csv is a table in text, not an HDF5 or NPY file: first dcmpi convert blobs.csv OUT.h5
x-idx2-ubyte|is an IDX file, not an HDF5 or NPY file: first dcmpi convert
deck.yaml|is a deck, not a data file: dcmpi deck.yaml
run/run.h5|is the result of a run, not data
saved.h5|is a checkpoint of a run, not data
y.h5|is a prediction, not data
run|is a directory, not a data file
END
expect_no_file new.h5 "nothing was written"

# ---- As a model
while IFS='|' read -r file regex; do
    run 0 1 predict --model="$file" --input=blobs.h5 --output=new.h5
    expect_error 6 "$regex" "predict --model=$file"
    run 1 1 deck.yaml --model.weights="$file" --run.output=new
    expect_error 6 "$regex" "model.weights=$file"
done <<'END'
saved.h5|saved.h5 is not a result of dcmpi: it is a checkpoint of a run, which ends with a run.h5 if the command
blobs.h5|is not a result of dcmpi: it is a data file; a model is the run.h5 of a run
y.h5|is not a result of dcmpi: it is a prediction
deck.yaml|is not a result of dcmpi: it is a deck
run|run is a directory, not an HDF5 file; the model is run/run.h5
END

# ---- Paths
while read -r path what; do
    sed "s#data: .*}#data: '$path'}#" deck.yaml >paths.yaml
    run 0 1 paths.yaml
    expect_error 2 "paths.yaml:3:15: input.data = '.*': $what not expanded here, write the whole path" "$path in a deck"
    run 0 1 deck.yaml --run.output="$path"
    expect_error 2 "command line: --run.output: .*$what not expanded here" "$path in quotes on the command line"
done <<'END'
~/blobs.h5 ~ is
$SCRATCH/blobs.h5 variables are
${SCRATCH}/blobs.h5 variables are
/data/$USER/blobs.h5 variables are
/data/run-$SLURM_JOB_ID.h5 variables are
END
is "$(find . -name '*$*' -o -name '~*')" "" "no such folder was made"
cp blobs.h5 'cost $5 a$b.h5'
run 1 1 deck.yaml --input.data='cost $5 a$b.h5' --dry-run
expect_exit 0 "a dollar that is no variable"

# ---- Methods
run 1 1 kmeans deck.yaml --run.output=other
expect_exit 0 "kmeans with the deck of a fit"
is "$(grep -c ' NOTE .*are not used' "$out")" 1 "one NOTE"
expect_out "NOTE .*keys of deck.yaml that are not used: model.hidden, model.latent, pretrain.epochs, .*cluster.max_iter .the verb is kmeans." "that lists them"
run 1 1 deck.yaml --run.output=aekm --cluster.method=aekm
expect_exit 0 "another method"
expect_out "NOTE .*not used: cluster.batch, cluster.update_interval, cluster.max_iter .cluster.method is aekm, which has no training." "its NOTE"
run 1 1 aekm/config.used.yaml --run.output=aekm
expect_out "nothing is left to do" "the effective deck has none of them"
expect_no_out "are not used" "and needs no NOTE"
run 1 1 deck.yaml --run.output=aekm2 --cluster.method=aekm --cluster.tol=0.1
expect_error 2 "command line: --cluster.tol: key cluster.tol is not used: cluster.method is aekm" "a key on the command line stays an error"
sed 's/method: dec/method: aekm/' deck.yaml >wrong.yaml
run 1 1 wrong.yaml --cluster.clutsers=2
expect_error 2 "cluster.batch is not used.*; .*update_interval is not used.*; .*max_iter is not used" "a deck that contradicts itself: all at once"
expect_err "unknown key 'cluster.clutsers'" "with what else is wrong"
done_testing
