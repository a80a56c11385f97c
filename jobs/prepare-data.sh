#!/usr/bin/env bash
# Converts standard data sets to data files of dcmpi: training and test rows together, as the literature uses them.
#
#     jobs/prepare-data.sh DIR OUTDIR
#
# DIR holds the files as they are distributed, with or without .gz. Each set is in its own directory (mnist/ fashion/ usps/
# uci/ newsgroups20/ reuters21578/ pbmc68k/); all but Fashion-MNIST may also lie directly in DIR. OUTDIR gets mnist.h5, fashion.h5,
# usps.h5, optdigits.h5; of 20 Newsgroups and R8, whose documents are lines label<TAB>text, newsgroups20-tfidf.h5,
# newsgroups20-dec2016.h5, r8-dec2016.h5 (2,000 words, as in the paper of DEC) and newsgroups20-minilm.h5 (sentence embeddings);
# 10x_pbmc68k_reduced.h5ad as it is. A file that already exists is kept. A missing set is reported with the place to get it.
# Nothing is downloaded.
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

# Lines label<TAB>text as TF-IDF without English stop words: NAME FOLDER WHERE TRAINING TEST OPTIONS...
document_set() {
    local out=$outdir/$1.h5 name=$1 folder=$2 where=$3 train=$4 test=$5 x1 x2
    shift 5
    if [ -f "$out" ]; then
        echo "$out: already there"
        have=1
    elif x1=$(find_file "$folder" "$train") && x2=$(find_file "$folder" "$test"); then
        convert "$out" --label-column=0 --text-column=1 --header=no --stop-words=english "$@" -- "$x1" "$x2"
    else
        missing "$name" "$where"
    fi
}

# A file that is read as it is.
copied_set() {
    local file
    if [ -f "$outdir/$2" ]; then
        echo "$outdir/$2: already there"
        have=1
    elif file=$(find_file "$1" "$2"); then
        cp "$file" "$outdir/.$2.part" && mv "$outdir/.$2.part" "$outdir/$2" || exit 4
        have=1
    else
        missing "$2" "$3"
    fi
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

newsgroups="http://qwone.com/~jason/20Newsgroups/ (20news-bydate, a line label<TAB>text for each post)"
document_set newsgroups20-tfidf newsgroups20 "$newsgroups" train-stripped.tsv test-stripped.tsv --min-df=5 --max-df=0.5
document_set newsgroups20-dec2016 newsgroups20 "$newsgroups" train-stripped.tsv test-stripped.tsv --preset=dec-2016
embedded_set
document_set r8-dec2016 reuters21578 "https://archive.ics.uci.edu/dataset/137 (R8 of Reuters-21578, a line label<TAB>text for each document)" \
    r8-train.tsv r8-test.tsv --preset=dec-2016
copied_set pbmc68k 10x_pbmc68k_reduced.h5ad "https://github.com/scverse/scanpy (src/scanpy/datasets)"

[ "$have" = 1 ] || exit 3
