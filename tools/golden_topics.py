#!/usr/bin/env python3
"""Writes tests/golden/topics.txt: purity, F-measures, class-based TF-IDF and coherence.

usage: golden_topics.py [--check] [OUT]

Needs scikit-learn; the tests only read the file. Purity and the F-measure by classes are computed from scikit-learn's
contingency_matrix, the F-measure by pairs from its pair_confusion_matrix. Class-based TF-IDF is BERTopic's formula
(Grootendorst 2022) on scikit-learn's normalize. NPMI is typed from Lau, Newman and Baldwin 2014 with the constant that
gensim adds (log_ratio_measure, normalize=True, EPSILON = 1e-12), documents being whole rows. --check: also compares the
coherence with gensim's c_npmi, whose window is then longer than any document.
"""
import os
import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.cluster import contingency_matrix, pair_confusion_matrix
from sklearn.preprocessing import normalize

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "topics.txt")
N, D, K, M, FIRST = 150, 60, 5, 12, 10
EPSILON = 1e-12


def put(out, name, value, form="%.17g"):
    """An array in the format of tools/golden.py."""
    value = np.atleast_2d(np.asarray(value, np.float64))
    out.write("%s %d %d\n" % (name, *value.shape))
    for row in value:
        out.write(" ".join(form % x for x in row) + "\n")


def scores(truth, label):
    """Purity, F by classes, F by pairs."""
    table = contingency_matrix(truth, label).astype(float)
    sizes = table.sum(1)[:, None] + table.sum(0)[None, :]
    by_class = (2 * table / sizes).max(1) @ table.sum(1) / table.sum()
    (_, only_cluster), (only_class, both) = pair_confusion_matrix(truth, label)
    return [table.max(0).sum() / table.sum(), by_class, 2 * both / (2 * both + only_cluster + only_class)]


def corpus(rng):
    """Counts of D words in N documents of K clusters, the words of a Zipf law that each cluster has in an order of its own;
    one word is in every document, and one in none."""
    label = np.sort(rng.integers(0, K, N))
    law = 1 / np.arange(1, D + 1)
    order = [rng.permutation(D) for _ in range(K)]
    X = np.zeros((N, D))
    for i in range(N):
        mixed = 0.6 * law[order[label[i]]] + 0.4 * law
        X[i] = rng.multinomial(rng.integers(15, 60), mixed / mixed.sum())
    X[:, 7], X[:, 9] = 1 + X[:, 7], 0
    return X, label


def class_tfidf(X, label):
    """BERTopic's matrix [K x D]; A is not rounded, because words may be weights."""
    words = np.stack([X[label == k].sum(0) for k in range(K)])
    total, average = words.sum(0), words.sum(1).mean()
    idf = np.log1p(average / np.where(total > 0, total, np.inf))
    return normalize(words, norm="l1", axis=1) * idf


def top(weight):
    """Columns by descending weight, ties to the lowest."""
    return np.argsort(-weight, axis=1, kind="stable")[:, :M]


def npmi(X, columns):
    """Mean over the pairs of the first columns."""
    there = X > 0
    values = []
    for b in range(1, FIRST):
        for a in range(b):
            both = (there[:, columns[a]] & there[:, columns[b]]).mean()
            apart = there[:, columns[a]].mean() * there[:, columns[b]].mean()
            values.append(0 if both == 1 else np.log((both + EPSILON) / apart) / -np.log(both + EPSILON))
    return np.mean(values)


def check_gensim(X, columns, found):
    """gensim's c_npmi on the same rows as documents."""
    from gensim.corpora import Dictionary
    from gensim.models.coherencemodel import CoherenceModel
    names = ["w%d" % c for c in range(D)]
    texts = [[names[c] for c in np.flatnonzero(row)] for row in X]
    model = CoherenceModel(topics=[[names[c] for c in row[:FIRST]] for row in columns], texts=texts,
                           dictionary=Dictionary(texts), coherence="c_npmi", window_size=D + 1, topn=FIRST, processes=1)
    there = model.get_coherence_per_topic()
    print("gensim %s, here %s" % (np.round(there, 12), np.round(found, 12)))
    if not np.allclose(there, found, atol=1e-9):
        sys.exit("golden_topics.py: gensim's coherence differs")


def main():
    """All of it."""
    words = [word for word in sys.argv[1:] if word != "--check"]
    rng = np.random.default_rng(603)
    truth = [rng.integers(0, 4, 90), rng.integers(0, 2, 90), np.repeat(np.arange(9), 10)]
    labels = [(truth[0] + (rng.random(90) < 0.3)) % 4, rng.integers(0, 7, 90), np.arange(90) // 15]
    X, label = corpus(rng)
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(X).toarray().astype(np.float32).astype(np.float64)
    with open(words[0] if words else OUT, "w", encoding="ascii") as out:
        out.write("# Made by tools/golden_topics.py (scikit-learn); read by tests/golden/golden.h.\n"
                  "# truth, cluster [3 x 90], and scores of each: purity, F by classes, F by pairs. x: counts [N x D] of\n"
                  "# rows in clusters label[N]; weights: x as TF-IDF; for each, columns and c_tfidf [K x 12] of the terms with\n"
                  "# the largest class-based TF-IDF, the rows that they occur in, and the coherence of the first 10 [K].\n")
        put(out, "truth", truth)
        put(out, "cluster", labels)
        put(out, "scores", [scores(a, b) for a, b in zip(truth, labels)])
        put(out, "label", label)
        for name, rows in (("x", X), ("weights", weights)):
            weight = class_tfidf(rows, label)
            columns = top(weight)
            coherence = [npmi(rows, c) for c in columns]
            put(out, name, rows, "%.9g")
            put(out, name + "/columns", columns)
            put(out, name + "/c_tfidf", np.take_along_axis(weight, columns, 1))
            put(out, name + "/rows", (rows > 0).sum(0)[columns])
            put(out, name + "/coherence", coherence)
            if "--check" in sys.argv:
                check_gensim(rows, columns, coherence)


if __name__ == "__main__":
    main()
