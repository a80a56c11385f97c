#!/usr/bin/env bash
# Converts the standard files of MNIST, Fashion-MNIST, USPS, optdigits and 20 Newsgroups to data files of dcmpi: training and test
# rows together, as the literature uses them.
#
#     jobs/prepare-data.sh DIR OUTDIR
#
# DIR holds the files as they are distributed, with or without .gz. Each set is in its own directory (mnist/ fashion/ usps/
# uci/ newsgroups20/); all but Fashion-MNIST may also lie directly in DIR. OUTDIR gets mnist.h5, fashion.h5, usps.h5, optdigits.h5
# and newsgroups20-minilm.h5 (sentence embeddings minilm-l6-v2.npy, labels from the lines label<TAB>text of train-stripped.tsv and
# test-stripped.tsv); a file that already exists is kept. A missing set is reported with the place to get it. Nothing is downloaded.
# Exit code: 0 if at least one data file is there at the end, 3 if DIR has none of the sets, else that of dcmpi convert.
set -u

if [ $# != 2 ] || [ ! -d "$1" ] || [ -z "$2" ]; then
    echo "usage: $0 DIR OUTDIR   (DIR: directory with the files as they are distributed)" >&2
    exit 2
fi
dir=$1
outdir=$2
dcmpi=${DCMPI:-$(command -v dcmpi || echo "$(dirname "$0")/../build/dcmpi")}
have=0
mkdir -p "$outdir" || exit 4

# find_file FOLDER NAME...: prints the first of the names that exists.
find_file() {
    local folder=$1 name place
    shift
    for name in "$@"; do
        for place in "$dir/$folder" "$dir"; do
            [ "$folder" = fashion ] && [ "$place" = "$dir" ] && continue
            for file in "$place/$name.gz" "$place/$name"; do
                [ -f "$file" ] && printf '%s\n' "$file" && return 0
            done
        done
    done
    return 1
}

missing() {
    echo "$1: not in $dir; get it from $2"
}

convert() {
    local out=$1
    shift
    "$dcmpi" convert "$@" "$out" || exit
    have=1
}

# Four IDX files: pictures and labels, training and test.
idx_set() {
    local folder=$1 out=$outdir/$1.h5 where=$2 x1 x2 y1 y2
    if [ -f "$out" ]; then
        echo "$out: already there"
        have=1
    elif x1=$(find_file "$folder" train-images-idx3-ubyte train-images.idx3-ubyte) &&
        x2=$(find_file "$folder" t10k-images-idx3-ubyte t10k-images.idx3-ubyte) &&
        y1=$(find_file "$folder" train-labels-idx1-ubyte train-labels.idx1-ubyte) &&
        y2=$(find_file "$folder" t10k-labels-idx1-ubyte t10k-labels.idx1-ubyte); then
        convert "$out" --labels="$y1" --labels="$y2" -- "$x1" "$x2"
    else
        missing "$folder" "$where"
    fi
}

# Two text files with a label column: NAME FOLDER COLUMN WHERE "TRAINING NAMES" "TEST NAMES".
text_set() {
    local out=$outdir/$1.h5 folder=$2 column=$3 where=$4 x1 x2
    # shellcheck disable=SC2086  # several names
    if [ -f "$out" ]; then
        echo "$out: already there"
        have=1
    elif x1=$(find_file "$folder" $5) && x2=$(find_file "$folder" $6); then
        convert "$out" --label-column="$column" -- "$x1" "$x2"
    else
        missing "$1" "$where"
    fi
}

# Lines label<TAB>text, perhaps compressed: their labels.
labels_of() {
    local file
    for file in "$@"; do
        if [[ $file == *.gz ]]; then gzip -dc "$file"; else cat "$file"; fi
    done | cut -f 1
}

# Embeddings of documents as NPY, labels in the files of the documents.
embedded_set() {
    local out=$outdir/newsgroups20-minilm.h5 x t1 t2
    if [ -f "$out" ]; then
        echo "$out: already there"
        have=1
    elif x=$(find_file newsgroups20 minilm-l6-v2.npy) && t1=$(find_file newsgroups20 train-stripped.tsv) &&
        t2=$(find_file newsgroups20 test-stripped.tsv); then
        labels_of "$t1" "$t2" >"$outdir/newsgroups20-labels.txt" || exit 4
        convert "$out" --labels="$outdir/newsgroups20-labels.txt" -- "$x"
    else
        missing newsgroups20-minilm "http://qwone.com/~jason/20Newsgroups/ (20news-bydate; embed the posts with all-MiniLM-L6-v2)"
    fi
}

idx_set mnist "https://ossci-datasets.s3.amazonaws.com/mnist/ (four files, {train,t10k}-*-ubyte.gz)"
idx_set fashion "https://github.com/zalandoresearch/fashion-mnist (data/fashion, four files, into $dir/fashion)"
text_set usps usps first "https://hastie.su.domains/ElemStatLearn/data.html (ZIP code: zip.train.gz, zip.test.gz)" \
    zip.train zip.test
text_set optdigits uci last "https://archive.ics.uci.edu/dataset/80 (optdigits.tra, optdigits.tes)" \
    "optdigits-train.csv optdigits.tra" "optdigits-test.csv optdigits.tes"

embedded_set

[ "$have" = 1 ] || exit 3
