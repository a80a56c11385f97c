#!/usr/bin/env python3
"""Writes tests/golden/terms.txt: vocabularies and rows of documents, by scikit-learn.

    tools/golden_terms.py [DATA]        DATA holds newsgroups20/ and reuters21578/ (default: DCMPI_DATA)

Needs scikit-learn; tests/t849_tfidf_long.sh runs it again and compares. Of a matrix it stores the shape, the number of values,
hashes of the vocabulary and of the places of the values, the sum of the values, and some rows.
"""
import argparse
import gzip
import hashlib
import os

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "tests", "golden", "terms.txt")
SETS = {"news": ("newsgroups20", "train-stripped", "test-stripped"), "r8": ("reuters21578", "r8-train", "r8-test")}

# Set, options of dcmpi, options of scikit-learn.
CASES = [
    ("news", "", {}),
    ("news", "--min-df=5 --max-df=0.5 --stop-words=english --sublinear-tf",
     dict(min_df=5, max_df=0.5, stop_words="english", sublinear_tf=True)),
    ("r8", "", {}),
    ("r8", "--ngram-range=1,2 --min-df=3 --norm=l1 --smooth-idf=no", dict(ngram_range=(1, 2), min_df=3, norm="l1", smooth_idf=False)),
    ("r8", "--ngram-range=2,3 --min-df=0.01 --max-df=1000 --norm=none --lowercase=no",
     dict(ngram_range=(2, 3), min_df=0.01, max_df=1000, norm=None, lowercase=False)),
    ("r8", "--use-idf=no", dict(use_idf=False)),
    ("r8", "--preset=dec-2016", dict(max_features=2000, sublinear_tf=True)),
    ("r8", "--hashing=4096", dict(n_features=4096)),
    ("r8", "--hashing=1048576 --alternate-sign=no --ngram-range=1,2", dict(n_features=1 << 20, alternate_sign=False, ngram_range=(1, 2))),
]


def documents(name, folder):
    """Texts of a set, in the order of its files."""
    part, *files = SETS[name]
    for file in files:
        with gzip.open(os.path.join(folder, part, file + ".tsv.gz"), "rt", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield line.rstrip("\n").split("\t")[1]


def matrix(name, options, folder):
    """Rows, and the vocabulary in order or None."""
    texts = list(documents(name, folder))
    if "n_features" in options:
        x = HashingVectorizer(**options).transform(texts)
        x.sort_indices()
        return x, None
    if "max_features" in options:  # of equally frequent words the first in the alphabet; scikit-learn takes any
        most = options.pop("max_features")
        counts = CountVectorizer().fit(texts)
        order = np.argsort(-counts.transform(texts).sum(0).A1, kind="stable")[:most]
        options = dict(options, vocabulary=sorted(counts.get_feature_names_out()[order]))
    maker = TfidfVectorizer(**options)
    x = maker.fit_transform(texts)
    x.sort_indices()
    if "vocabulary" in options:
        x = x * np.sqrt(x.shape[1])
    return x, maker.get_feature_names_out()


def places(x):
    """A hash of where the values are."""
    return hashlib.sha256(x.indptr.astype("<i8").tobytes() + x.indices.astype("<i4").tobytes()).hexdigest()[:16]


def words(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] if lines is not None else "-"


def put_case(out, number, folder):
    """One line for the whole, then one line for each of some rows."""
    name, line, options = CASES[number]
    options = dict(options)
    x, vocabulary = matrix(name, options, folder)
    out.write("case %s %s\n" % (name, line))
    out.write("  %d %d %d %s %s %.12g\n" % (*x.shape, x.nnz, words(vocabulary), places(x), x.sum()))
    for row in (1, x.shape[0] // 2, x.shape[0] - 1):
        lo, hi = x.indptr[row], min(x.indptr[row + 1], x.indptr[row] + 12)
        values = " ".join("%d:%.9g" % (c, v) for c, v in zip(x.indices[lo:hi], x.data[lo:hi]))
        out.write("  row %d %d %s\n" % (row, x.indptr[row + 1] - lo, values))


def main():
    """All of it."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("data", nargs="?", default=os.environ.get("DCMPI_DATA", ""))
    arguments.add_argument("--output", default=OUT)
    a = arguments.parse_args()
    with open(a.output, "w", encoding="ascii") as out:
        out.write("# Made by tools/golden_terms.py (scikit-learn); read by tests/t848_tfidf.sh.\n")
        for number in range(len(CASES)):
            put_case(out, number, a.data)


if __name__ == "__main__":
    main()
