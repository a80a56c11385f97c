#!/usr/bin/env python3
"""Writes tests/golden/reduce.txt, or the file that is named: reductions and norms of rows by scikit-learn. Needs
scikit-learn; t569 runs it."""
import os
import sys

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.preprocessing import normalize

N, D, K = 60, 40, 5


def put(out, name, values):
    values = np.atleast_2d(values)
    out.write("%s %d %d\n" % (name, *values.shape))
    for row in values:
        out.write(" ".join("%.10g" % (v + 0.0) for v in row) + "\n")


def main():
    rng = np.random.default_rng(565)
    x = np.where(rng.random((N, D)) < 0.3, rng.exponential(size=(N, D)) * 0.93 ** np.arange(D), 0)
    x[:, :6] *= 1 + 3 * (np.arange(N)[:, None] % 6 == np.arange(6))
    x = np.round(x, 3).astype(np.float32).astype(np.float64)
    x[[7, 50]] = 0
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "reduce.txt")
    with open(sys.argv[1] if len(sys.argv) > 1 else path, "w") as out:
        out.write("# Made by tools/golden_reduce.py (scikit-learn, double); read by tests/golden/golden.h.\n"
                  "# x [N x D], most of it zeros, two rows of zeros. Of TruncatedSVD (svd_) and PCA (pca_): singular values,\n"
                  "# explained variance and its ratio, components [k x D], rows [N x k]. Signs: the entry of largest\n"
                  "# magnitude of a component is positive. l2, l1, max: the rows normalized; svd_l2: the reduced ones.\n")
        put(out, "x", x)
        for name, map_of in (("svd", TruncatedSVD(K, algorithm="arpack", tol=1e-12, random_state=0)),
                             ("pca", PCA(K, svd_solver="full"))):
            rows = map_of.fit_transform(x)
            components = map_of.components_
            sign = np.sign(components[np.arange(K), np.abs(components).argmax(axis=1)])
            put(out, name + "_values", map_of.singular_values_)
            put(out, name + "_variance", map_of.explained_variance_)
            put(out, name + "_ratio", map_of.explained_variance_ratio_)
            put(out, name + "_components", components * sign[:, None])
            put(out, name + "_rows", rows * sign)
            put(out, name + "_l2", normalize(rows * sign))
        for norm in ("l2", "l1", "max"):
            put(out, norm, normalize(x, norm=norm))


if __name__ == "__main__":
    main()
