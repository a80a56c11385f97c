#!/usr/bin/env bash
# Networks from text. Unsymmetric and tied decoders, with every method that trains and both strict ways, give the same bits on
# any number of ranks and threads; predict gives the rows of a run the same results as the run; runs go on from any checkpoint;
# model.weights takes what fits and refuses the rest; wrong texts end with one line. Data: blobs of 6 columns.
# limit: 400
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
make_blobs 500

base=(fit --input.data=blobs.h5 --parallel.shards=8 --pretrain.steps=12 --pretrain.batch=60 --cluster.clusters=3
    --cluster.n_init=2 --run.log_interval=0.001s)
steps=(--cluster.batch=60 --cluster.max_iter=15 --cluster.update_interval=6 --cluster.tol=0)
encoder="dense 90 relu init=normal, dense 20 tanh rate=0.5, dense 4"
own="dense 7 leaky_relu, dense 70 tanh rate=2, dense data sigmoid"

equal() { # A B WHAT
    run 0 1 compare "$1/run.h5" "$2/run.h5"
    expect_exit 0 "$3"
}

predicts_itself() { # RUN WHAT
    run 2 1 predict --model="$1/run.h5" --input=blobs.h5 --output="$1/p.h5"
    is "$(py "
a, b = h5py.File('$1/run.h5'), h5py.File('$1/p.h5')
print([n for n in ('labels', 'confidence', 'embedding') if a[n][:].tobytes() != b[n][:].tobytes()])")" "[]" "$2: predict gives its own rows"
}

matrix() { # NAME WAY "RANKS" OPTIONS...: WAY gather or tree; one rank and others
    local name=$1 rows=1000000 ranks=$3 p t
    [ "$2" = gather ] || rows=0
    shift 3
    run 1 1 "${base[@]}" "$@" --parallel.gather_rows=$rows --run.output="$name"
    expect_exit 0 "$name"
    for p in $ranks; do
        t=$((p % 2 + 1))
        run "$p" $t "${base[@]}" "$@" --parallel.gather_rows=$rows --run.output="$name-$p"
        equal "$name" "$name-$p" "$name: the same bits on $p ranks x $t threads"
    done
    predicts_itself "$name-${ranks##* }" "$name"
}

tied=("${steps[@]}" --model.encoder="$encoder" --model.decoder="tied ~encoder")
unlike=("${steps[@]}" --model.encoder="$encoder" --model.decoder="$own")
matrix tied gather "2 5" "${tied[@]}" --cluster.method=idec
matrix tied-tree tree "2 3" "${tied[@]}" --cluster.method=idec
matrix tied-dkm gather 3 "${tied[@]}" --cluster.method=dkm
matrix tied-dcn tree 2 "${tied[@]}" --cluster.method=dcn
matrix own gather 2 "${unlike[@]}" --cluster.method=dec
matrix own-idec tree 3 "${unlike[@]}" --cluster.method=idec
matrix own-dcn gather 3 "${unlike[@]}" --cluster.method=dcn
matrix own-dkm tree 2 "${unlike[@]}" --cluster.method=dkm
matrix layers gather 3 --cluster.method=aekm --model.hidden=[30] --model.latent=4 --model.decoder="tied ~encoder" \
    --pretrain.mode=layerwise --pretrain.layer_steps=8
run 0 1 compare tied/run.h5 tied-tree/run.h5
expect_exit 1 "the two ways add in different orders"

# ---- what the files tell
py "
f = h5py.File('tied/run.h5')['model']
print(f.attrs['encoder'].decode(), f.attrs['decoder'].decode(), sep='|')
print(sorted(f), sorted(f['decoder_0']), f['decoder_0'].attrs['tied'].decode(), f['decoder_2'].attrs['activation'].decode(), sep='|')
f = h5py.File('own/run.h5')['model']
print(f.attrs['decoder'].decode(), f['decoder_1/weight'].shape, sep='|')" >told.txt
is "$(sed -n 1p told.txt)" "dense 90 relu init=normal, dense 20 tanh rate=0.5, dense 4|tied ~encoder" "the texts of a tied network"
is "$(sed -n 2p told.txt)" \
    "['decoder_0', 'decoder_1', 'decoder_2', 'encoder_0', 'encoder_1', 'encoder_2']|['bias']|encoder_2|linear" "its layers"
is "$(sed -n 3p told.txt)" "dense 7 leaky_relu, dense 70 tanh rate=2, dense 6 sigmoid|(7, 70)" "those of an unsymmetric one"
is "$(py "
import sys; sys.path.insert(0, '$root/tools')
import report_data, report_math
run = report_data.Run('tied')
x = h5py.File('blobs.h5')['X'][:]
network = report_math.Network(run)
error = ((network.reconstruct(x) - x) * network.scaling[1]) ** 2
print(error.mean() < 1.5 * run.histories()[0][1]['loss'][-1])")" True "the report's numbers know them"
expect_match tied/config.used.yaml '^  decoder: "tied ~encoder"$' "config.used.yaml"
ok "without what is not used" sh -c '! grep -q "^  latent:" tied/config.used.yaml'
run 3 1 own/config.used.yaml --run.output=again
equal own again "config.used.yaml gives the run again"

# Shorthand keys and the text that they stand for give the same network.
run 1 1 "${base[@]}" "${steps[@]}" --model.hidden=[30,8] --model.latent=4 --model.activation=tanh --run.output=short
run 2 1 "${base[@]}" "${steps[@]}" --model.encoder="dense 30 tanh, dense 8 tanh, dense 4" --run.output=long
equal short long "hidden, latent and activation are short for a text"
is "$(py "print(h5py.File('short/run.h5')['model'].attrs['encoder'].decode())")" "dense 30 tanh, dense 8 tanh, dense 4" "which run.h5 tells"

# rate=0 keeps a layer as it is; each layer has its own init.
fixed() { py "
f = [h5py.File(n + '/run.h5')['model'] for n in ('$1', '$2')]
print(' '.join(sorted(l for l in f[0] if f[0][l]['weight'][:].tobytes() == f[1][l]['weight'][:].tobytes())))"; }
for lr in 1 0.1; do
    run 1 1 "${base[@]}" "${steps[@]}" --model.encoder="dense 30 relu rate=0, dense 4" --model.decoder="dense 8 rate=0, dense data" \
        --pretrain.lr=$lr --run.output=rate$lr
done
is "$(fixed rate1 rate0.1)" "decoder_0 encoder_0" "rate=0 keeps these layers as they are"

# A result of 0.1.0 has no texts.
cp -r short old
py "
f = h5py.File('old/run.h5', 'r+')
del f['model'].attrs['encoder'], f['model'].attrs['decoder']"
predicts_itself old "a result without texts"

# ---- model.weights
load() { # FROM OPTIONS...
    local from=$1
    shift
    run 2 1 "${base[@]}" "${steps[@]}" --model.weights="$from/run.h5" "$@" --run.output=loaded --run.resume=never
}
load tied --cluster.method=dec --model.encoder="dense 90 relu, dense 20 tanh, dense 4" --model.decoder="tied ~encoder"
expect_exit 0 "weights of a tied network"
load own --cluster.method=idec --model.encoder="$encoder" --model.decoder="$own"
expect_exit 0 "weights of an unsymmetric network"
load tied --model.encoder="$encoder"
expect_error 2 "weights of layer decoder_0 are the transposed ones of the encoder there; set model.decoder" "tied weights for a network without ties"
load short --model.hidden=[30,8] --model.latent=4 --model.activation=tanh --model.decoder="tied ~encoder"
expect_error 2 "weights of layer decoder_0 are not the transposed ones of the encoder there" "and the other way round"
load own --model.encoder="$encoder" --model.decoder="dense 7 leaky_relu, dense 71 tanh, dense data sigmoid"
expect_error 6 "another shape than the deck's network; compare model.encoder and model.decoder" "another decoder"
mkdir deeper
py "
a, b = h5py.File('own/run.h5'), h5py.File('deeper/run.h5', 'w')
for n in a: a.copy(n, b)
a.copy('model/encoder_2', b, 'model/encoder_3')"
load deeper --model.encoder="$encoder" --model.decoder="$own"
expect_error 6 "has /model/encoder_3, a layer more than the deck's network" "a network of more layers"
load own --model.encoder="dense 90 relu, dense 20 relu, dense 4" --model.decoder="$own"
expect_error 2 "encoder_1 was trained with the activation tanh, the deck says relu" "another activation"

# ---- what is wrong
wrong() { # REGEX WHAT OPTIONS...
    local regex=$1 what=$2
    shift 2
    run 2 1 "${base[@]}" "$@" --run.output=wrong
    expect_error 2 "$regex" "$what"
    expect_no_file wrong/run.h5 "and there is no result"
}
wrong "model.decoder: column 21, layer decoder_1 gives rows of width 7, but the data have 6 columns" "a decoder of another width" \
    --model.decoder="dense 20 relu,dense 7"
wrong "model.encoder: column 15, layer encoder_1: 'dence' is no kind of layer, did you mean 'dense'" "a misspelt layer" \
    --model.encoder="dense 90 tanh,dence 4"
wrong "model.latent: key model.latent is not used: model.encoder is given" "a text and its shorthand" \
    --model.encoder="dense 9, dense 4" --model.latent=4
wrong "layerwise trains each layer with its mirror, and model.decoder is no mirror" "layer-wise without a mirror" \
    --model.decoder="dense 20 relu, dense data" --pretrain.mode=layerwise
wrong "pretrain.lr_factors: 'decoder_2' is not trained.*decoder_1" "a factor for a layer that there is not" \
    --model.decoder="dense 20 relu, dense data" --pretrain.lr_factors=[decoder_2=1]
run 2 1 "${base[@]}" --model.decoder="dense 20 relu, dense data" --pretrain.lr_factors=[decoder_1=0.5] --dry-run --run.output=dry
expect_exit 0 "a factor for one that there is"
printf 'input: {data: blobs.h5}\nmodel: {hidden: [30], latent: 4}\n' >deck.yaml
run 1 1 deck.yaml --model.encoder="dense 30, dense 4" --dry-run --run.output=dry
expect_out "NOTE.*model.hidden.*model.latent.*model.encoder is given" "the command line puts a deck's shorthand out of use"
run 0 1 config --explain model.encoder
expect_out "dense WIDTH \[bn.ln\] \[ACTIVATION\] \[init=SCHEME\] \[rate=FACTOR\]" "config --explain"

# ---- going on
args=("${base[@]}" "${steps[@]}" --cluster.method=idec --cluster.optimizer=adam --cluster.lr=0.001 --pretrain.optimizer=adam
    --pretrain.lr=0.001 --model.encoder="$encoder" --model.decoder="tied ~encoder")
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "an undisturbed run"
run 3 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "saved all the time"
list_saved all
continue_from pretrain 5
continue_from pretrain 12
continue_from cluster 5
continue_from cluster 14
done_testing
