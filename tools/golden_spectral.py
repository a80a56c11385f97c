#!/usr/bin/env python3
"""Writes tests/golden/spectral.txt: eigenvalues of normalised Laplacians by LAPACK, and labels by k-means on their vectors.

Needs numpy, scipy, scikit-learn 1.3 or later and, for golden.py, PyTorch; it is not run by the tests.
"""
import numpy as np
import scipy.linalg
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.neighbors import NearestNeighbors

import golden

N, K, NEIGHBORS, SCALE_NEIGHBOR = 240, 4, 8, 7


def rows():
    """Four clouds of different size that touch, far from 0; as floats."""
    rng = np.random.default_rng(571)
    middle = np.array([[0, 0, 0, 0], [4, 1, 0, 0], [0, 4, 2, 0], [3, 4, -3, 1]]) + 5
    clouds = [rng.normal(size=(n, 4)) * s + m for n, s, m in zip((80, 70, 50, 40), (1, 1.2, .8, 1), middle)]
    return np.concatenate(clouds).astype(np.float32)[rng.permutation(N)]


def squares(X):
    return ((X[:, None] - X[None]) ** 2).sum(2)


def affinities(kind, X):
    """W of all pairs, and where the graph of neighbours has edges: 1 in both directions, 1/2 in one."""
    X = X.astype(np.float64)
    if kind == "cosine":
        X = X / np.linalg.norm(X, axis=1)[:, None]
    D = squares(X)
    order = np.argsort(D + np.diag(np.full(len(X), np.inf)), axis=1, kind="stable")
    C = np.zeros_like(D)
    C[np.arange(len(X))[:, None], order[:, :NEIGHBORS]] = 1
    graph = (C + C.T) / 2
    s = np.sqrt(D[np.arange(len(X)), order[:, SCALE_NEIGHBOR - 1]])
    if kind == "gaussian":
        W = np.exp(-D / (2 * np.median(s) ** 2))
    elif kind == "self-tuning":
        W = np.exp(-D / (s[:, None] * s[None]))
    elif kind == "knn":
        W = graph.copy()
    else:
        W = np.maximum(X @ X.T, 0)
    np.fill_diagonal(W, 0)
    return W, graph


def solve(W):
    d = W.sum(1)
    L = np.eye(len(W)) - W / np.sqrt(d[:, None] * d[None])
    value, vector = scipy.linalg.eigh(L)
    return value, vector / np.linalg.norm(vector[:, :K], axis=1)[:, None]


def main():
    out = golden.Writer("spectral.txt", [
        "Rows x; for each affinity the %d smallest eigenvalues of the normalised Laplacian of all pairs (exact) and of the graph of"
        % (K + 1), "%d neighbours (graph); scales are distances to neighbour %d. label: k-means on rows of the eigenvectors of length 1;"
        % (NEIGHBORS, SCALE_NEIGHBOR), "sklearn: SpectralClustering of that matrix."],
        "tools/golden_spectral.py (scipy and scikit-learn, double)")
    X = rows()
    out.put("x", X.astype(float))
    for kind in ("gaussian", "self-tuning", "knn", "cosine"):
        W, graph = affinities(kind, X)
        for path, matrix in (("exact", W), ("graph", W if kind == "knn" else W * (graph > 0))):
            value, vector = solve(matrix)
            prefix = "%s/%s/" % (kind, path)
            out.put(prefix + "eigenvalues", value[:K + 1])
            out.put(prefix + "label", KMeans(K, n_init=20, random_state=0).fit_predict(vector[:, :K]).astype(float))
            walk = SpectralClustering(K, affinity="precomputed", random_state=0, n_init=20).fit_predict(matrix)
            out.put(prefix + "sklearn", walk.astype(float))
    out.close()


if __name__ == "__main__":
    main()
