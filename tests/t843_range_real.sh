#!/usr/bin/env bash
# Real data have no values far outside their columns: neither convert nor a run warns of pictures, counts, embeddings and
# scaled genes; both do if one cell of the same data is wild. limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need_data usps/zip.test.gz
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

quiet() { # NAME CONVERT ARGS...
    run 0 1 convert "${@:2}" "$1.h5"
    expect_exit 0 "convert $1"
    expect_no_out "WARNING" "no warning of convert"
    run 1 1 kmeans --input.data="$1.h5" --input.scale=none --cluster.clusters=2 --cluster.n_init=1 --cluster.kmeans_max_iter=1 \
        --run.output="$1"
    expect_exit 0 "k-means of $1"
    expect_no_out "WARNING .*(column|far outside)" "no warning of a run"
}
quiet mnist "$data/mnist/t10k-images-idx3-ubyte.gz"
quiet fashion "$data/fashion/t10k-images-idx3-ubyte.gz"
quiet usps --label-column=first "$data/usps/zip.test.gz"
quiet optdigits --label-column=last "$data/uci/optdigits-train.csv.gz"
quiet newsgroups "$data/newsgroups20/minilm-l6-v2.npy"
quiet pbmc --dataset=/X "$data/pbmc68k/10x_pbmc68k_reduced.h5ad"

for value in 9999 100 -9999; do
    $python - "$value" <<'EOF2'
import h5py, sys
with h5py.File("usps.h5", "a") as f:
    f["X"][1500, 100] = float(sys.argv[1])
    f["X"].attrs.pop("xxh3", None)
    f.attrs.pop("checksum", None)
EOF2
    run 1 1 kmeans --input.data=usps.h5 --cluster.clusters=10 --cluster.n_init=1 --run.output="u$value"
    expect_out "WARNING .*row 1500, column 100: $value is " "USPS with one cell of $value"
done
done_testing
