#!/usr/bin/env python3
"""Writes tests/golden/pca.txt: principal components by scikit-learn. Needs scikit-learn, and is not run by the tests."""
import os

import numpy as np
from sklearn.decomposition import PCA

N, D, K = 150, 17, 5
SHARES = [0.5, 0.9, 0.95, 0.99]


def put(out, name, values):
    values = np.atleast_2d(values)
    out.write("%s %d %d\n" % (name, *values.shape))
    for row in values:
        out.write(" ".join("%.12g" % v for v in row) + "\n")


def main():
    rng = np.random.default_rng(560)
    x = rng.normal(size=(N, D)) @ rng.normal(size=(D, D)) * 0.8 ** np.arange(D) + 10 * rng.normal(size=D)
    x[:, 16] = x[:, 3]  # 16 components vary
    x = x.astype(np.float32).astype(np.float64)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "pca.txt")
    with open(path, "w") as out:
        out.write("# Made by tools/golden_pca.py (scikit-learn, double); read by tests/golden/golden.h.\n"
                  "# x [N x D]; variance: explained variance of all components; components [k x D] and rows [N x k] of\n"
                  "# the first k, white: whitened; count: components for the shares of variance in `share`. Signs: the\n"
                  "# entry of largest magnitude is positive.\n")
        p = PCA(svd_solver="full").fit(x)
        sign = np.sign(p.components_[np.arange(D), np.abs(p.components_).argmax(axis=1)])[:K]
        white = PCA(K, svd_solver="full", whiten=True).fit(x)
        put(out, "x", x)
        put(out, "variance", p.explained_variance_)
        put(out, "ratio", p.explained_variance_ratio_)
        put(out, "mean", p.mean_)
        put(out, "components", p.components_[:K] * sign[:, None])
        put(out, "rows", p.transform(x)[:, :K] * sign)
        put(out, "white", white.transform(x) * sign)
        put(out, "share", SHARES)
        put(out, "count", [PCA(s, svd_solver="full").fit(x).n_components_ for s in SHARES])


if __name__ == "__main__":
    main()
