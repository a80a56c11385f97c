"""A finished run, seen from Python: opens run.h5 and its companions, finds the data file, draws fixed samples.

Used by report.py and export.py. Every problem of a file that the user can mend is a RunError with the exit code that
dcmpi itself uses; whatever a run does not have (no embedding, no labels, no log) is None or empty, not an error.
"""
import json
import os
import re

from report_main import BROKEN, DATA, FORMAT, IO, RunError, described, fail_import

# Results are only read, so no lock is needed; it would fail on read-only and on some parallel file systems.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
try:
    import h5py
    import numpy as np
except (ImportError, ValueError, AttributeError) as missing:
    fail_import("python3-h5py and python3-numpy are", missing)

from report_labels import Labels, lines_of  # noqa: E402

SEED = 1  # of every sample
LOG_TAIL_BYTES = 1 << 22  # a log that grew over many restarts: its end is enough
VALUES_MAX = 1 << 26  # of the rows of a sample, all columns
KEPT = "\n\t\u200c\u200d"
BLOCK_ROWS = 1 << 16  # rows in memory at a time
CELLS_MAX = 1 << 23  # of a table of classes and clusters: dcmpi writes none that is larger


def as_text(value):
    """An HDF5 or Python string as printable text: no control characters but newline, tab, and what joins letters."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in KEPT else "\ufffd" for c in str(value))


def open_hdf5(path):
    """The file, open for reading."""
    if not os.path.exists(path):
        raise RunError(IO, "cannot open %s: no such file; check the path" % path)
    if not os.path.isfile(path) or not h5py.is_hdf5(path):
        raise RunError(FORMAT, "%s is not an HDF5 file" % path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise RunError(FORMAT, "cannot open %s: %s" % (path, str(error).splitlines()[0])) from error


def is_stored(item):
    """Does the file hold what the shape of a dataset claims? Deflate, the densest filter, saves a factor of 1032."""
    return item.size * item.dtype.itemsize <= 1032 * item.id.get_storage_size()


def is_dataset(h5, name, ndim):
    """Is there a dataset of numbers with this name and dimension?"""
    item = h5.get(name)
    return isinstance(item, h5py.Dataset) and item.ndim == ndim and item.dtype.kind in "iuf" and is_stored(item)


def dataset(h5, name, ndim):
    """The dataset, or None."""
    return h5[name] if is_dataset(h5, name, ndim) else None


def open_result(path, formats=("dcmpi-result",)):
    """run.h5, or a file of another of these formats, after checking that it is complete."""
    h5 = open_hdf5(path)
    found = as_text(h5.attrs.get("format", "nothing"))
    if found not in formats:
        raise RunError(FORMAT, "%s is not a result of dcmpi (format: %s)" % (path, found[:40]))
    if int(h5.attrs.get("complete", 0)) != 1:
        raise RunError(FORMAT, "%s is incomplete; run the job again" % path)
    for name, ndim in (("labels", 1), ("clusters/size", 1)):
        if not is_dataset(h5, name, ndim):
            raise RunError(FORMAT, "%s has no /%s; it is damaged" % (path, name))
    return h5


def take_ids(h5, rows, count):
    """Ids of a slice of rows, or of a few row numbers, of a file with `count` rows; None if it has no ids."""
    ids = h5.get("ids")
    if not isinstance(ids, h5py.Dataset) or ids.shape != (count,) or not h5py.check_string_dtype(ids.dtype):
        return None
    values = ids[rows] if isinstance(rows, slice) else [ids[row] for row in rows]
    return [as_text(value) for value in values]


class Files:
    """To which of many files each row belongs; false if the rows come from one file, which the attribute data names."""

    def __init__(self, h5):
        first, name, inner = dataset(h5, "files/first_row", 1), h5.get("files/name"), h5.get("files/dataset")
        self.first = first[:] if first is not None else np.empty(0, np.int64)
        names = [as_text(v) for v in name[:]] if isinstance(name, h5py.Dataset) and name.ndim == 1 else []
        inside = [as_text(v) for v in inner[:]] if isinstance(inner, h5py.Dataset) and inner.shape == self.first.shape else []
        self.paths = names
        self.names = [one + ":" + part if part else one for one, part in zip(names, inside or [""] * len(names))]
        if len(self.names) != len(self.first) or (len(self.first) and (self.first[0] != 0 or (np.diff(self.first) < 0).any())):
            raise RunError(FORMAT, "/files is damaged: its names and first rows do not go together")

    def __len__(self):
        return len(self.names)

    def places(self, rows):
        """(names of the files of some rows, their numbers there)."""
        rows = np.asarray(rows, np.int64)
        file = np.searchsorted(self.first, rows, "right") - 1
        return [self.names[i] for i in file], (rows - self.first[file]).tolist()


def take_rows(data, rows):
    """data[rows] for few rows in any order; reads only those rows. Row -1 gives zeros."""
    out = np.zeros((len(rows),) + data.shape[1:], data.dtype)
    for i, row in enumerate(rows):
        if row >= 0:
            out[i] = data[row]
    return out


def blocks(n):
    """(first, end) of consecutive blocks of rows."""
    return ((lo, min(lo + BLOCK_ROWS, n)) for lo in range(0, n, BLOCK_ROWS))


def read_lines(path):
    """The last lines of a text file; none if it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            return [as_text(line) for line in file.read().splitlines()]
    except OSError:
        return []


def read_json(path):
    """A JSON object; empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            value = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def own_summary(h5, path):
    """(summary.json beside a run.h5, "") or ({}, what is wrong with it). Only an output directory has a summary.json."""
    if os.path.basename(path) != "run.h5":
        return {}, ""
    name = os.path.join(os.path.dirname(path), "summary.json")
    summary, own = read_json(name), as_text(h5.attrs.get("result_hash", ""))
    again = "; give the command of the run again to make it"
    if not summary:
        return {}, "%s is %s" % (name, "damaged" if os.path.exists(name) else "missing") + again
    if own and summary.get("result_hash") != own:
        return {}, "%s is of another run.h5" % name + again
    return summary, ""


def since_last_start(log):
    """The lines of the last of several starts of one job; each start begins with the program's banner."""
    first = [i for i, line in enumerate(log) if re.match(r"\S+  dcmpi \d", line)]
    return log[first[-1]:] if first else log


class SparseRows:
    """A matrix in compressed form, as AnnData lays it out by rows; single rows are made dense."""

    def __init__(self, group):
        self.group = group
        self.shape = tuple(int(v) for v in group.attrs.get("shape", group.attrs.get("h5sparse_shape")))
        self.dtype = group["data"].dtype

    def __getitem__(self, row):
        lo, hi = (int(v) for v in self.group["indptr"][row:row + 2])
        out = np.zeros(self.shape[1], self.dtype)
        out[self.group["indices"][lo:hi]] = self.group["data"][lo:hi]
        return out


def rows_of(h5, matrix):
    """The rows of a data file: a dataset, or a sparse matrix by rows; None if there are none."""
    item = h5.get(matrix)
    if item is None and matrix == "raw/X":
        return rows_of(h5, "raw.X")
    if isinstance(item, h5py.Group):
        kind = as_text(item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", "")))
        return SparseRows(item) if kind.startswith("csr") else None
    return dataset(h5, matrix, 2)


class DataFile:
    """The rows a run was made from."""

    def __init__(self, path, rows, labels="y", matrix="X"):
        try:
            self._open(path, rows, labels, matrix)
        except BROKEN as error:
            raise RunError(DATA, "%s is damaged: %s" % (path, described(error))) from error

    def _open(self, path, rows, labels, matrix):
        self.path, self.matrix = path, matrix
        self.h5 = open_hdf5(path)
        self.X = rows_of(self.h5, matrix)
        if self.X is None:
            raise RunError(DATA, "%s has no dataset /%s of numbers; make one with: dcmpi convert" % (path, matrix))
        self.labels = self._labels(labels)
        if self.X.shape[0] < rows or (self.labels is not None and len(self.labels) != self.X.shape[0]):
            raise RunError(DATA, "%s has %d rows, the run has %d" % (path, self.X.shape[0], rows))
        self.classes = lines_of(self.h5, "classes")

    def _labels(self, name):
        if name == "y" and name not in self.h5:
            name = as_text(self.h5.attrs.get("label_dataset", name))
        if "/" not in name and name not in self.h5 and "obs" in self.h5:
            name = "obs/" + name
        try:
            return Labels(self.h5, name)
        except (KeyError, ValueError, TypeError, AttributeError):
            return None

    def texts(self):
        """The text of each row, if the file keeps it, as a dataset of strings; or None."""
        found = text_column(self.h5, self.X.shape[0])
        return found if found is not None and found.shape == self.X.shape[:1] else None

    def column_names(self):
        """Names of the columns, or []."""
        names = lines_of(self.h5, "feature_names")
        raw = self.matrix.lstrip("/").startswith("raw")
        var = self.h5.get("raw/var", self.h5.get("raw.var")) if raw else self.h5.get("var")
        if not names and isinstance(var, h5py.Group):
            index = var.get(as_text(var.attrs.get("_index", "_index")))
            names = [as_text(name) for name in index[:]] if isinstance(index, h5py.Dataset) and index.ndim == 1 else []
        elif not names and isinstance(var, h5py.Dataset) and var.dtype.names and "index" in var.dtype.names:
            names = [as_text(name) for name in var["index"]]
        return names if len(names) == self.X.shape[1] else []


def text_column(h5, rows):
    """The text of each of the rows, if the file keeps it, as a dataset of strings; or None."""
    found = h5.get("obs/text")
    fits = isinstance(found, h5py.Dataset) and found.ndim == 1 and found.shape[0] >= rows
    return found if fits and h5py.check_string_dtype(found.dtype) else None


class FileTexts:
    """The texts of rows that come from many files, which are opened when they are needed; None for a row without one."""

    OPEN_MAX = 64

    def __init__(self, files, paths, rows):
        self.files, self.paths, self.shape, self.open = files, paths, (rows,), {}

    def _column(self, i):
        if i not in self.open:
            if len(self.open) >= self.OPEN_MAX:
                h5, _ = self.open.pop(next(iter(self.open)))
                h5.close()
            end = self.files.first[i + 1] if i + 1 < len(self.files) else self.shape[0]
            h5 = open_hdf5(self.paths[i])
            self.open[i] = h5, text_column(h5, end - self.files.first[i])
        return self.open[i][1]

    def __getitem__(self, row):
        i = int(np.searchsorted(self.files.first, row, "right")) - 1
        try:
            column = self._column(i)
            return None if column is None else column[row - self.files.first[i]]
        except (RunError, *BROKEN):
            return None


class Run:
    """The folder of a run. Attributes that may be None: embedding, confidence, outlier, confusion, data."""

    def __init__(self, folder, data_path=None, shape=()):
        self.folder = folder
        self.shape = shape
        self.name = as_text(os.path.basename(os.path.abspath(folder)))
        self.h5 = self._open(folder)
        self.labels = self.h5["labels"]
        self.size = self.h5["clusters/size"][:]
        self.N, self.K = self.labels.shape[0], len(self.size)
        self.files = Files(self.h5)
        self.embedding = self._rows("embedding", 2)
        self.confidence = self._rows("confidence", 1)
        self.outlier = self._rows("outlier", 1)
        self.confusion = self._confusion()
        self._names = None
        self.summary, self.summary_note = own_summary(self.h5, os.path.join(folder, "run.h5"))
        self.log = since_last_start(read_lines(os.path.join(folder, "log.txt")))
        self.data, self.data_note = self._find_data(data_path)

    @staticmethod
    def _open(folder):
        path = os.path.join(folder, "run.h5")
        if os.path.isfile(folder):
            raise RunError(IO, "%s is a file; give the directory of a run: %s" % (folder, os.path.dirname(folder) or "."))
        if not os.path.isdir(folder):
            raise RunError(IO, "cannot open %s: no such directory; give the directory of a run" % folder)
        if not os.path.exists(path) and os.path.exists(path + ".part"):
            raise RunError(FORMAT, "%s is incomplete (run.h5.part); the job is still writing or was killed" % folder)
        return open_result(path)

    def _confusion(self):
        found = dataset(self.h5, "confusion", 2)
        fits = found is not None and found.shape[1] == self.K and found.size <= CELLS_MAX
        return found[:] if fits else None

    def _rows(self, name, ndim):
        found = dataset(self.h5, name, ndim)
        return found if found is not None and found.shape[0] == self.N else None

    def _find_data(self, path):
        """The data file: as given, or the run's path, relative to here, to the run's folder, or to a folder above that."""
        labels, matrix = self.attr("label_dataset") or "y", self.attr("matrix") or "X"
        if path:
            found = DataFile(path, self.N, labels, matrix)
            if self.data_width() not in (0, found.X.shape[1]):
                raise RunError(DATA, "%s has %d columns, the run has %d" % (path, found.X.shape[1], self.data_width()))
            return found, ""
        name = self.attr("data")
        if name.startswith("builtin:"):
            return None, "The rows of the built-in problem are computed, not stored."
        if self.files:
            return None, "The rows come from %d file%s and are not read here; name one HDF5 file with all of them, " \
                "as dcmpi convert makes it, with --data." % (len(self.files), "" if len(self.files) == 1 else "s")
        for folder in self._folders():
            try:
                return DataFile(os.path.join(folder, name), self.N, labels, matrix), ""
            except (RunError, *BROKEN):
                continue
        return None, "The data file %s was not found here; name it with --data." % name

    def _folders(self):
        """Where a path in run.h5 may start: here, in the run's folder, and in those above it."""
        return [""] + [os.path.join(self.folder, *[".."] * up) for up in range(4)]

    def texts(self):
        """The text of each row, if the data keep it, by row number; or None."""
        if self.data is not None:
            return self.data.texts()
        for folder in self._folders() if self.files else []:
            paths = [os.path.join(folder, name) for name in self.files.paths]
            if all(os.path.isfile(path) for path in paths):
                found = FileTexts(self.files, paths, self.N)
                return found if found[0] is not None else None
        return None

    def attr(self, name, default=""):
        """A root attribute as text."""
        return as_text(self.h5.attrs.get(name, default))

    def metrics(self):
        """Scores against the labels; empty without labels."""
        group = self.h5.get("metrics")
        return {} if group is None else {as_text(k): float(v) for k, v in group.attrs.items()}

    def deck_value(self, section, key):
        """A value of the deck's text; the deck is the program's own dump: two levels, one key per line."""
        match = re.search(r"^%s:\n(?:[ ]+.*\n)*?[ ]+%s: *(.*)$" % (section, key), self.attr("deck"), re.M)
        return match.group(1).strip() if match else ""

    def method(self):
        """The method's name."""
        return "k-means" if self.attr("verb") == "kmeans" else self.deck_value("cluster", "method") or "clustering"

    def histories(self):
        """[(phase, {column: values})], pretraining first, last the phase that counts changed labels."""
        group = self.h5.get("history", {})
        phases = [(as_text(name), {as_text(c): item[c][:] for c in item if is_dataset(item, c, 1)})
                  for name, item in group.items() if isinstance(item, h5py.Group)]

        def order(phase):
            number = re.search(r"\d+", phase[0])
            return ("changed" in phase[1], not number, int(number.group()) if number else 0, phase[0])
        return sorted([p for p in phases if p[1]], key=order)

    def class_names(self):
        """Names of the classes, or their numbers."""
        if self._names is None:
            count = 0 if self.confusion is None else self.confusion.shape[0]
            found = [names for names in (lines_of(self.h5, "classes"), self.data.classes if self.data else [])
                     if len(names) == count]
            self._names = [as_text(name) for name in found[0]] if found else [str(c) for c in range(count)]
        return self._names

    def truth(self, rows):
        """Classes of some sorted rows as numbers of class_names(), -1 for those without a label; or None."""
        if self.confusion is None or self.data is None or self.data.labels is None:
            return None
        number = {name: c for c, name in enumerate(self.class_names())}
        return np.array([number.get(as_text(name), -1) for name in self.data.labels.names(rows)])

    def ids(self, rows):
        """Ids of some rows, or None."""
        return take_ids(self.h5, rows, self.N)

    def sample(self, count):
        """Sorted row numbers: all, or a sample without replacement that depends on N and the fixed seed alone."""
        if self.N <= count:
            return np.arange(self.N)
        return np.sort(np.random.default_rng(SEED).choice(self.N, count, replace=False))

    def scaling(self):
        """(shift, scale) of x' = (x - shift) * scale, or None."""
        found = [dataset(self.h5, "scaling/" + name, 1) for name in ("shift", "scale")]
        return None if None in found else tuple(np.asarray(part, np.float64) for part in found)

    def components(self):
        """(directions [k, D], factors [k], offsets [k]) if components of scaled rows enter the network, or None."""
        directions = dataset(self.h5, "scaling/components", 2)
        factors = dataset(self.h5, "scaling/component_scale", 1)
        offsets = dataset(self.h5, "scaling/component_offset", 1)
        if directions is None or factors is None:
            return None
        return directions[:].astype(np.float64), factors[:], 0 if offsets is None else offsets[:].astype(np.float64)

    def map(self):
        """(mean [L], components [k, L], their shares of the variance [k]) of all rows of what was clustered, or None."""
        mean, variance = (dataset(self.h5, "map/" + name, 1) for name in ("mean", "explained_variance"))
        components = dataset(self.h5, "map/components", 2)
        if None in (mean, variance, components):
            return None
        total = max(float(self.h5["map"].attrs.get("total_variance", 0)), np.finfo(float).tiny)
        return mean[:], components[:].astype(np.float64), variance[:] / total

    def data_width(self):
        """Columns of the rows of the data file; 0 if nothing is known of the scaling."""
        scaling = self.scaling()
        return int(self.h5["scaling"].attrs.get("columns_of", len(scaling[0]))) if scaling is not None else 0

    def transformed(self, x):
        """Counts as the run transformed them (input.normalize_total, log1p, variable_columns); other rows as they are."""
        if "columns_of" not in self.h5["scaling"].attrs:
            return x
        total, logs = (float(self.h5["scaling"].attrs[name]) for name in ("normalize_total", "log1p"))
        x = np.asarray(x, np.float64)
        sums = x.sum(axis=-1, keepdims=True)
        if total > 0:
            x = x * np.where(sums > 0, total / np.where(sums > 0, sums, 1), 1)
        columns = dataset(self.h5, "scaling/columns", 1)
        x = x if columns is None else x[..., columns[:]]
        return (np.log1p(x) if logs else x).astype(np.float32)

    def scaled(self, x):
        """Rows as they enter the network: transformed if they are counts, within the bounds of input.clip, shifted,
        scaled, as components, divided by their norm."""
        shift, scale = self.scaling()
        x = self.transformed(x)
        bounds = [dataset(self.h5, "scaling/clip_" + name, 1) for name in ("lo", "hi")]
        if all(part is not None and part.shape == shift.shape for part in bounds):
            x = np.clip(x, bounds[0][:], bounds[1][:])
        found = self.components()
        x = (x - shift) * scale
        if found is not None:
            x = x @ found[0].T * found[1] - found[2]
        length = {"l2": lambda a: np.sqrt((a * a).sum(axis=-1)), "l1": lambda a: np.abs(a).sum(axis=-1),
                  "max": lambda a: np.abs(a).max(axis=-1)}.get(self.attr("row_norm", "none"))
        if length is None:
            return x
        norm = length(x)[..., None]
        return x / np.where(norm > 0, norm, 1)

    def input_width(self):
        """Columns of the rows that enter the network; 0 if nothing is known of the scaling."""
        found, scaling = self.components(), self.scaling()
        return len(found[1]) if found is not None else len(scaling[0]) if scaling is not None else 0

    def unscaled(self, x):
        """Rows in the data's own units, from rows as they enter the network; with input.norm of some other length."""
        shift, scale = self.scaling()
        found = self.components()
        if found is not None:
            x = (x + found[2]) / np.where(found[1] != 0, found[1], np.inf) @ found[0]
        return x / np.where(scale != 0, scale, np.inf) + shift

    def can_unscale(self):
        """Whether unscaled() means anything: not after a random projection."""
        components = dataset(self.h5, "scaling/components", 2)
        return components is None or as_text(components.attrs.get("reduce", "")) != "random"

    def points(self, rows):
        """What the clusters were formed on: the embedding; without one, the scaled rows of the data file; or None."""
        if self.embedding is not None:
            return take_rows(self.embedding, rows).astype(np.float64)
        if self.data is None or self.scaling() is None or self.data.X.shape[1] != self.data_width():
            return None
        if len(rows) * self.data.X.shape[1] > VALUES_MAX:
            return None
        return self.scaled(take_rows(self.data.X, rows))

    def image_shape(self):
        """(height, width) or (height, width, channels) of a row, or None."""
        shape = self.shape or tuple(int(d) for d in np.atleast_1d(self.h5.attrs.get("image_shape", ())))
        if self.data is not None and not shape:
            shape = tuple(int(d) for d in np.atleast_1d(self.data.h5.attrs.get("image_shape", ())))
        return shape if len(shape) in (2, 3) and all(d > 0 for d in shape) else None

    def members(self, kind):
        """Row numbers [K, m] of the 'nearest' or 'border' members of all clusters as a dataset, or None."""
        found = dataset(self.h5, "clusters/" + kind, 2)
        return None if found is None or found.shape[0] != self.K else found

    def examples(self, kind, count):
        """(row numbers [k, m], rows [k, m, D]) of 'nearest' or 'border' members of the first k = min(K, count) clusters;
        rows or both may be None."""
        found = self.members(kind)
        if found is None:
            return None, None
        numbers = found[:count]
        stored = dataset(self.h5, "clusters/%s_rows" % kind, 3)
        if stored is not None and stored.shape[:2] == found.shape:
            return numbers, stored[:count]
        if self.data is None:
            return numbers, None
        rows = take_rows(self.data.X, numbers.ravel())
        return numbers, rows.reshape(numbers.shape + rows.shape[1:])
