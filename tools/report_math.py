"""The numbers behind the pictures: principal components, silhouettes, the decoder, statistics per cluster."""
import math
import re

import numpy as np

from report_data import as_text, blocks, dataset

PCA_COLUMNS_MAX = 4096  # the covariance is a dense matrix
SILHOUETTE_BLOCK = 256

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(0.5 * x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(0, x),
    "gelu": lambda x: 0.5 * x * np.vectorize(math.erfc, otypes=[float])(-x / np.sqrt(2)),
}


def is_plane(found, points):
    """Whether components that the run stored are those of such points."""
    return found is not None and found[0].shape == found[1].shape[1:] == points.shape[1:]


def plane(run, points):
    """(coordinates [n, 2], share of variance of the two axes): on the principal components of all rows, which the run
    stored; without them, on those of these points."""
    found = run.map()
    if not is_plane(found, points):
        return pca(points)
    mean, components, share = found
    return _two(points.shape[0], (points - mean) @ components.T, share)


def _two(n, coordinates, share):
    """Coordinates and shares of two axes, if there is only one."""
    xy = np.zeros((n, 2))
    xy[:, :coordinates.shape[1]] = coordinates
    return xy, np.pad(share, (0, 2 - len(share)))


def pca(points):
    """(coordinates [n, 2], share of variance of the two components). The largest entry of a component is positive."""
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    top = vectors[:, ::-1][:, :2]
    top = top * np.sign(top[np.abs(top).argmax(axis=0), np.arange(top.shape[1])])
    share = values[::-1][:2] / max(values.sum(), np.finfo(float).tiny)
    return _two(len(points), centred @ top, share)


def silhouettes(points, labels):
    """(b - a) / max(a, b) of every point, with a and b the mean distances to the own and the nearest other cluster.

    Rousseeuw (1987). A point alone in its cluster has 0. None if fewer than two clusters have points.
    """
    present, labels = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return None
    member = (labels[:, None] == np.arange(len(present))).astype(float)
    count = member.sum(axis=0)
    square = (points ** 2).sum(axis=1)
    out = np.zeros(len(points))
    for lo in range(0, len(points), SILHOUETTE_BLOCK):
        own = labels[lo:lo + SILHOUETTE_BLOCK]
        here = np.arange(len(own))
        d2 = square[lo:lo + SILHOUETTE_BLOCK, None] + square - 2 * points[lo:lo + SILHOUETTE_BLOCK] @ points.T
        d2[here, lo + here] = 0
        total = np.sqrt(np.maximum(d2, 0)) @ member
        a = total[here, own] / np.maximum(count[own] - 1, 1)
        mean = total / count
        mean[here, own] = np.inf
        b = mean.min(axis=1)
        out[lo:lo + SILHOUETTE_BLOCK] = np.where(count[own] > 1, (b - a) / np.maximum(np.maximum(a, b), 1e-300), 0)
    return out


class Network:
    """Forward passes of the autoencoder in run.h5: Y = act(X W + b), layer by layer. Of dense layers without a norm only."""

    def __init__(self, run):
        group = run.h5.get("model", {})
        self.run, self.scaling = run, run.scaling()
        self.other = sorted({word for n in group if re.fullmatch(r"(en|de)coder_\d+", n) for word in self._other(group[n])})
        if self.other:
            self.encoder = self.decoder = []
            return
        self.encoder = self._layers(group, "encoder")
        self.decoder = self._layers(group, "decoder")

    @staticmethod
    def _layers(group, part):
        names = [n for n in group if re.fullmatch(part + r"_\d+", n)]
        names.sort(key=lambda n: int(n.rpartition("_")[2]))
        return [Network._layer(group, n, n == names[-1]) for n in names]

    @staticmethod
    def _other(layer):
        """What a layer does besides act(X W + b): conv, deconv, a pool, bn, ln."""
        return [as_text(layer.attrs[name]) for name in ("kind", "norm") if name in layer.attrs]

    @staticmethod
    def _layer(group, name, last):
        layer = group[name]
        owner = group.get(as_text(layer.attrs["tied"])) if "tied" in layer.attrs else layer
        act = as_text(layer.attrs.get("activation", "linear" if last else "relu"))
        if act not in ACTIVATIONS or not owner or dataset(owner, "weight", 2) is None or dataset(layer, "bias", 1) is None:
            raise ValueError("%s: unknown activation or missing weights" % as_text(layer.name))
        weight = owner["weight"][:].astype(np.float32)
        return weight if owner is layer else weight.T, layer["bias"][:].astype(np.float32), ACTIVATIONS[act]

    @staticmethod
    def _forward(layers, x):
        for weight, bias, act in layers:
            x = act(x @ weight + bias)
        return x

    def can_decode(self):
        """Is there a decoder?"""
        return bool(self.decoder) and self.scaling is not None and self.run.can_unscale()

    def decode(self, z):
        """Rows in the data's own units, from latent rows."""
        with np.errstate(all="ignore"):
            out = self.run.unscaled(self._forward(self.decoder, z.astype(np.float32)))
        return np.nan_to_num(out)

    def encode(self, x):
        """Latent rows, from rows in the data's own units."""
        return self._forward(self.encoder, self.run.scaled(x).astype(np.float32))

    def reconstruct(self, x):
        """Rows in the data's own units: decoder(encoder(x))."""
        return self.decode(self.encode(x))


def cluster_means(run):
    """Mean confidence [K] (None without confidence), outliers [K] (None without), histogram of confidence."""
    total, outliers, bins = np.zeros(run.K), np.zeros(run.K, np.int64), np.zeros(20, np.int64)
    for lo, hi in blocks(run.N):
        label = run.labels[lo:hi]
        if run.confidence is not None:
            value = run.confidence[lo:hi].astype(np.float64)
            total += np.bincount(label, value, run.K)
            bins += np.histogram(value, len(bins), (0, 1))[0]
        if run.outlier is not None:
            outliers += np.bincount(label, run.outlier[lo:hi] != 0, run.K).astype(np.int64)
    mean = None if run.confidence is None else np.divide(total, run.size, np.full(run.K, np.nan), where=run.size > 0)
    return mean, None if run.outlier is None else outliers, bins


def largest(values, count):
    """Indices of the largest values, in descending order; of equal ones the first."""
    return np.argsort(-np.asarray(values), kind="stable")[:count]


def means_of(labels, values, K):
    """Mean of the values of each label [K]; NaN where there are none."""
    count = np.bincount(labels, minlength=K)
    return np.divide(np.bincount(labels, values, K), count, np.full(K, np.nan), where=count > 0)


def majority(confusion):
    """(most frequent class [K], its share [K]) of each cluster; share 0 for an empty cluster."""
    total = np.maximum(confusion.sum(axis=0), 1)
    return confusion.argmax(axis=0), confusion.max(axis=0) / total
