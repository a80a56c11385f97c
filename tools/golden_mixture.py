#!/usr/bin/env python3
"""Writes tests/golden/mixture.txt: mixtures of Gaussians by scikit-learn, from given clusters, with every kind of covariance.

Needs numpy, scikit-learn 1.3 or later and, for golden.py, PyTorch; it is not run by the tests.
"""
import warnings

import numpy as np
from sklearn.mixture import GaussianMixture

import golden

KINDS = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}


class FromLabels(GaussianMixture):
    """EM that starts from a partition."""

    def start(self, label):
        self.label = label
        return self

    def _initialize_parameters(self, X, random_state, **more):
        self._initialize(X, np.eye(self.n_components)[self.label])


def rows():
    """Three long clouds that overlap, and a round one; as floats."""
    rng = np.random.default_rng(550)
    turn = [np.linalg.qr(rng.normal(size=(5, 5)))[0] * [3, 1, 1, .5, .2] for _ in range(3)] + [np.eye(5)]
    clouds = [rng.normal(size=(n, 5)) @ t.T + m for n, t, m in zip((90, 70, 50, 40), turn, rng.normal(size=(4, 5)) * 2)]
    return np.concatenate(clouds).astype(np.float32)[rng.permutation(250)]


def nearest(X, K):
    return ((X[:, None] - X[None, :K]) ** 2).sum(2).argmin(1)


def fit(out, name, kind, X, label, K):
    X = X.astype(np.float64)
    m = FromLabels(K, covariance_type=KINDS[kind], tol=1e-3, reg_covar=1e-6, max_iter=100).start(label).fit(X)
    covariances = m.covariances_.reshape(-1, 1) if kind == "spherical" else m.covariances_.reshape(-1, X.shape[1])
    prefix = "%s/%s/" % (name, kind)
    out.put(prefix + "numbers", [m.n_iter_, m.converged_, m.score(X), m.bic(X), m.aic(X)])
    for what, value in (("weights", m.weights_), ("means", m.means_), ("variances", covariances)):
        out.put(prefix + what, value)
    out.put(prefix + "label", m.predict(X).astype(float))


def main():
    warnings.simplefilter("error")
    out = golden.Writer("mixture.txt", [
        "GaussianMixture from the clusters `start` of the rows x: tol 1e-3, reg_covar 1e-6, at most 100 iterations.",
        "numbers: iterations, converged, log likelihood per row, BIC, AIC. clouds: four of them overlap. singular: the same rows",
        "with a constant column and one that is the sum of two others."], "tools/golden_mixture.py (scikit-learn, double)")
    X = rows()
    label = nearest(X, 4)
    singular = np.concatenate([X[:, :3], np.full((len(X), 1), 7), X[:, :1] + X[:, 1:2]], 1).astype(np.float32)
    for name, x in (("clouds", X), ("singular", singular)):
        out.put(name + "/x", x.astype(float))
        out.put(name + "/start", label.astype(float))
        for kind in KINDS:
            fit(out, name, kind, x, label, 4)
    out.close()


if __name__ == "__main__":
    main()
