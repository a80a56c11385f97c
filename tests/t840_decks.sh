#!/usr/bin/env bash
# Decks and the command line as users see them: exit codes, one line of error, help without MPI, the decks of input/.
. "$(dirname "$0")/lib.sh"

# Help and documentation, without mpirun.
run 0 1 --help;                       expect_exit 0 "--help"
expect_out "^  kmeans " "--help lists verbs"
expect_out "^  pretrain " "--help lists sections"
run 0 1 --version;                    expect_exit 0 "--version"
run 0 1 fit --help;                   expect_out "^usage: dcmpi fit " "fit --help"
run 0 1 config --default;             expect_exit 0 "config --default"
expect_out "^  lr: 1$" "the default deck has the learning rate"
cp "$out" default.yaml
run 0 1 config --explain cluster.tol; expect_out "fewer than this fraction" "config --explain KEY"
run 0 1 config --explain cluster.tl;  expect_error 2 "did you mean 'tol'" "config --explain of a typing error"
run 0 1 config --defualt;             expect_error 2 "usage: dcmpi config" "config with a wrong option"
run 0 1 config --reference;           expect_exit 0 "config --reference"
ok "input/README.md is the output of config --reference" cmp "$out" "$root/input/README.md"

# Words of the command line.
run 0 1 ft;                           expect_error 2 "did you mean 'fit'" "unknown verb"
run 0 1 fit --cluster.lr 0.1;         expect_error 2 "cluster.lr=VALUE" "value in a word of its own"
run 3 1 ft;                           expect_error 2 "did you mean 'fit'" "unknown verb, one line for all ranks"
run 3 1 fit --dryrun;                 expect_error 2 "did you mean '--dry-run'" "unknown option, one line for all ranks"
run 0 1 fit --dryrun;                 expect_error 2 "did you mean '--dry-run'" "unknown option"
run 0 1 none.yaml;                    expect_error 2 "none.yaml: cannot read the deck" "missing deck"
mkdir folder.yaml
run 0 1 folder.yaml;                  expect_error 2 "folder.yaml: the deck is a directory" "directory as deck"

# Errors in a deck: one line, the same on two ranks.
printf 'input:\n  data: x.h5\ncluster:\n  n_clusters: 10\n' >typo.yaml
run 2 1 typo.yaml;                    expect_error 2 "typo.yaml:4:3: unknown key .*did you mean 'clusters'" "typing error"
printf 'input: {data: x.h5}\ncluster:\n  optimizer: sgd\n  beta1: 0.5\n' >unused.yaml
run 2 1 unused.yaml;                  expect_error 2 "unused.yaml:4:3: key cluster.beta1 is not used: cluster.optimizer is sgd" "unused key"
run 1 1 default.yaml;                 expect_error 2 "default.yaml:.*input.data is missing.*builtin:glyphs" "deck without data"
run 1 1 --cluster.clusters=0;         expect_error 2 "command line: --cluster.clusters: .*allowed: 1" "value out of range"
run 1 1 fit "$root/input/mnist-kmeans.yaml" --cluster.lr=1x
expect_error 2 "command line: --cluster.lr: cluster.lr = '1x' is not a valid number" "no number"
expect_no_file runs "no directory was made by all this"

# Correct decks: the error is then the missing data (exit 4), not a key.
run 1 1 unused.yaml --cluster.optimizer=adam --input.data=y.h5
expect_error 4 "cannot open y.h5" "the command line wins over the deck"
for deck in "$root"/input/*.yaml; do
    verb=fit
    [[ $deck == *kmeans* ]] && verb=kmeans
    run 1 1 "$verb" "$deck" --input.data=none.h5
    expect_error 4 "cannot open none.h5" "$(basename "$deck") is accepted"
done
done_testing
