#!/usr/bin/env bash
# `dcmpi kmeans` on raw data has the same bits on {1,2,3,5} ranks x {1,2} threads: the built-in problem, and optdigits and MNIST
# where the data are. long: yes, limit: 3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/strict_help.sh
. "$root/tests/strict_help.sh"
limit=600
some=("1 2" "2 1" "2 2" "3 1" "3 2" "5 1" "5 2")

compare_all glyphs "${some[@]}" -- kmeans --input.rows=5003 --cluster.n_init=20
if [ -n "$data" ] && [ -e "$data/uci/optdigits-test.csv.gz" ]; then
    run 0 1 convert "$data/uci/optdigits-test.csv.gz" digits.h5 --label-column=last
    expect_exit 0 "optdigits"
    compare_all optdigits "${some[@]}" -- kmeans --input.data="$tmp/digits.h5" --cluster.n_init=20
fi
if [ -n "$data" ] && [ -e "$data/mnist/train-images-idx3-ubyte.gz" ]; then
    run 0 1 convert "$data"/mnist/{train,t10k}-images-idx3-ubyte.gz pictures.h5 \
        --labels="$data/mnist/train-labels-idx1-ubyte.gz" --labels="$data/mnist/t10k-labels-idx1-ubyte.gz"
    expect_exit 0 "MNIST"
    compare_all mnist "${some[@]}" -- kmeans --input.data="$tmp/pictures.h5" --input.scale=unit --cluster.n_init=20
    run 0 1 info mnist.h5
    expect_out '^acc +0\.5[1-5]' "its ACC is the published .53"
    expect_out '^nmi +0\.(4[89]|5[01])' "its NMI is the published .50"
fi
done_testing
