"""Labels of a data file as names, whatever they are stored as: the rules are those of dcmpi (h5_column.h).

Integers are their own names, or lines of the root attribute `classes`; strings, and categoricals of AnnData. A row
without a label has the name "".
"""
import re

import h5py
import numpy as np

MISSING = {"", "-1", "?", "NA", "N/A", "#N/A", "<NA>", "None"}
INT32 = 1 << 31


def as_name(value):
    """One stored value as a name."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (float, np.floating)):
        value = "" if np.isnan(value) else int(value) if value == int(value) else value
    text = str(int(value) if isinstance(value, (bool, np.bool_)) else value)
    return "" if text in MISSING or text.lower() in ("nan", "null") else text


def lines_of(h5, name):
    """Names that are stored as a root attribute with a line each, or as a dataset of strings; [] if there are none."""
    if name in h5.attrs:
        text = h5.attrs[name]
        return (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)).split("\n")
    item = h5.get(name)
    if isinstance(item, h5py.Dataset) and item.ndim == 1 and h5py.check_string_dtype(item.dtype):
        return [as_text_item(v) for v in item[:]]
    return []


def as_text_item(value):
    """A stored string, unchanged."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def are_own_names(lines):
    """Whether integer labels are their own names, and not numbers of these lines."""
    return all(re.fullmatch(r"-?\d{1,10}", line) and -INT32 <= int(line) < INT32 for line in lines)


class Labels:
    """A column of labels. Raises KeyError, ValueError or TypeError if there is none that can be read."""

    def __init__(self, h5, name):
        self.mask, self.lines, self.field = None, [], None
        table, _, field = name.rpartition("/")
        if name not in h5 and isinstance(h5.get(table or "/"), h5py.Dataset):
            self._open_field(h5, h5[table], field)
            return
        item = h5[name]
        if isinstance(item, h5py.Group):
            if "codes" in item:
                self.lines = [as_name(v) for v in item["categories"][:]]
                item = item["codes"]
            else:
                self.mask, item = item["mask"], item["values"]
            self.coded = self.mask is None
        else:
            old = item.parent.get("__categories/" + item.name.rsplit("/", 1)[-1])
            self.coded = isinstance(old, h5py.Dataset)
            if self.coded:
                self.lines = [as_name(v) for v in old[:]]
            elif item.name == "/y" and item.dtype.kind in "iu":
                self.lines = lines_of(h5, "classes")
                self.coded = bool(self.lines) and not are_own_names(self.lines)
        if item.ndim == 2 and item.shape[1] == 1:
            self.values = item
        elif item.ndim == 1:
            self.values = item
        else:
            raise ValueError("no column")
        if item.dtype.kind not in "iufb" and not h5py.check_string_dtype(item.dtype):
            raise TypeError("no labels")
        self.count = item.shape[0]

    def _open_field(self, h5, table, field):
        """A column of a table, as early AnnData has obs."""
        if table.ndim != 1 or table.dtype.names is None or field not in table.dtype.names:
            raise KeyError(field)
        names = h5.get("uns/%s_categories" % field)
        self.coded = isinstance(names, h5py.Dataset) and table.dtype[field].kind in "iu"
        self.lines = [as_name(v) for v in names[:]] if self.coded else []
        self.values, self.field, self.count = table, field, table.shape[0]

    def __len__(self):
        return self.count

    def names(self, rows):
        """Names of a slice of rows, or of sorted row numbers."""
        values = self.values[rows] if self.field is None else self.values[rows][self.field]
        values = values.ravel()
        if self.coded:
            return [self.lines[v] if 0 <= v < len(self.lines) else as_name(v) for v in values.tolist()]
        out = [as_name(v) for v in values.tolist()]
        if self.mask is None:
            return out
        return ["" if hidden else name for hidden, name in zip(self.mask[rows].ravel().tolist(), out)]
