#!/usr/bin/env python3
"""Writes tests/golden/sweep.txt: silhouettes and other figures of clusterings, by scikit-learn and scipy.

Needs scikit-learn, and is not run by the tests. The rows are four groups with a few copies; the clusterings are those of
k-means for some K, one with a cluster of one row, and one that is random. Numbers are those of double precision on rows
that float32 holds exactly.
"""
import os

import numpy as np
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, silhouette_score

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "sweep.txt")
N, D = 120, 11


def put(out, name, value):
    """An array in the format of tools/golden.py."""
    value = np.atleast_2d(np.asarray(value, np.float64))
    out.write("%s %d %d\n" % (name, *value.shape))
    for row in value:
        out.write(" ".join("%.17g" % x for x in row) + "\n")


def means(x, label):
    """The mean of its cluster for each row."""
    return np.array([x[label == k].mean(0) for k in label])


def bic(x, label):
    """-2 log L + p log N of Gaussians with one variance, each row with its own cluster."""
    clusters, inertia = len(set(label)), ((x - means(x, label)) ** 2).sum()
    variance = inertia / (x.shape[1] * (len(x) - clusters))
    log_l = sum(np.log((label == k).mean()) + multivariate_normal.logpdf(x[i], x[label == k].mean(0), variance)
                for i, k in enumerate(label))
    return -2 * log_l + (clusters + clusters * x.shape[1]) * np.log(len(x))


def main():
    """All of it."""
    rng = np.random.default_rng(580)
    centres = rng.normal(size=(4, D)) * 3
    x = np.concatenate([centres[k] + rng.normal(size=(N // 4, D)) * (0.6 + 0.4 * k) for k in range(4)])
    x[5], x[77] = x[4], x[3]
    x = x.astype(np.float32).astype(np.float64)
    labels = [KMeans(k, n_init=3, random_state=k).fit(x).labels_ for k in (2, 3, 4, 7)]
    single = labels[1].copy()
    single[0] = 3
    labels += [single, np.concatenate([np.arange(5), rng.integers(0, 5, N - 5)])]
    with open(OUT, "w", encoding="ascii") as out:
        out.write("# Made by tools/golden_sweep.py (scikit-learn, scipy); read by tests/golden/golden.h.\n"
                  "# x [N x D]; label [clusterings x N], K of each; then a value of each clustering. agreement: adjusted\n"
                  "# Rand index of the third and each clustering, over the rows 10 to 99.\n")
        put(out, "x", x)
        put(out, "label", labels)
        put(out, "K", [len(set(label)) for label in labels])
        put(out, "silhouette", [silhouette_score(x, label) for label in labels])
        put(out, "inertia", [((x - means(x, label)) ** 2).sum() for label in labels])
        put(out, "calinski", [calinski_harabasz_score(x, label) for label in labels])
        put(out, "bic", [bic(x, label) for label in labels])
        put(out, "agreement", [adjusted_rand_score(labels[2][10:100], label[10:100]) for label in labels])


if __name__ == "__main__":
    main()
