"""What /topics of a run says of each cluster: terms with weights, nearest and furthest rows with distances."""
import h5py
import numpy as np

from report_data import as_text, dataset

KINDS = ("nearest", "furthest")


def strings(h5, name, shape):
    """A table of strings, or None."""
    found = h5.get(name)
    fits = isinstance(found, h5py.Dataset) and found.shape == shape and h5py.check_string_dtype(found.dtype)
    return found[:] if fits else None


def text_table(values):
    """Stored strings as an array of objects."""
    return np.array([[as_text(value) for value in row] for row in values], object).reshape(values.shape)


class TopicLists:
    """The lists; whatever a run does not have, or has in another shape, is None."""

    def __init__(self, h5, clusters):
        self.h5, self.K = h5, clusters
        self.columns = self._numbers("columns")
        self.names, self.weights = self._strings("terms", self.columns), self._values("weights", self.columns)
        if self.names is None or self.weights is None:
            self.columns = None
        found = dataset(h5, "topics/coherence", 1)
        fits = found is not None and found.shape == (clusters,)
        self.coherence = found[:].astype(float) if fits else np.full(clusters, np.nan)
        self.rows = {kind: self._numbers(kind) for kind in KINDS}
        self.ids = {kind: self._strings(kind + "_ids", self.rows[kind]) for kind in KINDS}
        self.distances = {kind: self._values(kind + "_distance", self.rows[kind]) for kind in KINDS}
        self.documents = any(rows is not None for rows in self.rows.values())

    def _numbers(self, name):
        found = dataset(self.h5, "topics/" + name, 2)
        return None if found is None or found.shape[0] != self.K or found.dtype.kind != "i" else found[:]

    def _strings(self, name, beside):
        return None if beside is None else strings(self.h5, "topics/" + name, beside.shape)

    def _values(self, name, beside):
        found = dataset(self.h5, "topics/" + name, 2)
        return None if beside is None or found is None or found.shape != beside.shape else found[:]

    def there(self):
        """Whether there is any list."""
        return self.columns is not None or self.documents

    def entries(self, k):
        """(list, rank, column or row, name, weight or distance) of a cluster."""
        if self.columns is not None:
            for i, column in enumerate(self.columns[k]):
                if column >= 0:
                    yield "term", i + 1, column, as_text(self.names[k][i]), self.weights[k][i]
        for kind in KINDS:
            rows = self.rows[kind]
            for i, row in enumerate(rows[k] if rows is not None else ()):
                if row >= 0:
                    name = "" if self.ids[kind] is None else as_text(self.ids[kind][k][i])
                    yield kind, i + 1, row, name, np.nan if self.distances[kind] is None else self.distances[kind][k][i]

    def tables(self):
        """Everything, for uns of anndata."""
        out = {}
        if self.columns is not None:
            out = {"terms": text_table(self.names), "columns": self.columns, "weights": self.weights,
                   "coherence": self.coherence}
        for kind in KINDS:
            if self.rows[kind] is not None:
                out[kind] = self.rows[kind]
                if self.distances[kind] is not None:
                    out[kind + "_distance"] = self.distances[kind]
                if self.ids[kind] is not None:
                    out[kind + "_ids"] = text_table(self.ids[kind])
        return out

    def topic_of_columns(self, width):
        """For each column the cluster that has it among its terms with the largest weight, or -1; None without terms."""
        if self.columns is None:
            return None
        topic, best = np.full(width, -1), np.zeros(width)
        for k, (columns, weights) in enumerate(zip(self.columns, self.weights)):
            for column, weight in zip(columns, weights):
                if 0 <= column < width and weight > best[column]:
                    topic[column], best[column] = k, weight
        return topic
