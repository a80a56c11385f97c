#!/usr/bin/python3
"""Embedding, labels and confidence of a run or a prediction for other programs.

usage: export.py RUN.h5 OUT.{h5ad,npy,csv,txt} [--data FILE] [--matrix] [--topics] [--force]

  RUN.h5         run.h5, or what `dcmpi predict` or `dcmpi dedup` wrote
  OUT.h5ad       anndata: X = embedding, obs = label, confidence, distance, cosine, rank, class, file, row_in_file, named by the
                 ids of the rows; uns = centres, scores, names of the columns, topics, provenance; with graph.save also
                 obsp = distances (of each row to its nearest, as the lists are), connectivities (by graph.symmetry; 1 if
                 both rows have each other among their nearest, 0.5 if only one has), obs = component, and what scanpy
                 looks for in uns; such a run needs no embedding; with output.q obsm = q, or q_top and q_top_index
  OUT.npy        embedding [N, L], float32, in input order
  OUT.csv        id, row, file, row_in_file, label, confidence, distance, cosine and rank (with output.rows), class,
                  label_2, q_2, ... (output.q: top), q0, q1, ... (full), z0, z1, ...: the columns that the run has (file if
                  the rows come from many); label_2 is the cluster with the second largest soft assignment q_2. An id, file
                  or class that begins with = + - @, a tab or a carriage return gets an apostrophe in front, so that no
                  spreadsheet takes it for a formula
   of dedup: OUT.csv lists the rows that are removed: row, id, file, row_in_file, label, group, kept (the row that stays in
                  its place), kept_id; OUT.txt the rows that stay, one per line: ids, or row numbers if there are no ids;
                  OUT.npy their numbers, int64, rising: np.load("X.npy", mmap_mode="r")[np.load("OUT.npy")]
  --data FILE    the run's data file: adds the true class of each row (csv, h5ad)
  --matrix       h5ad: X = the rows of the data file (--data), as stored, obs with its columns, too, and var = their columns
                 by name, with the cluster that has each among its terms as `topic`; the embedding is obsm["X_dcmpi"]
  --topics       csv: instead of the rows, what output.topics found of each cluster, a line for each entry of its lists:
                 cluster, rows, coherence, list (term, nearest, furthest), rank, index (column or row), name (term or id),
                 value (c-TF-IDF or distance)
  --force        replace whatever OUT belongs to; without it only what is equal, or an .h5ad of the same result and data

Rows and labels count from 0. Needs python3-h5py; .h5ad also python3-anndata. Exit codes are those of dcmpi: 2 usage,
3 data file, 4 cannot read or write, 6 not a complete result.
"""
import argparse
import csv
import os
import sys

from report_data import DataFile, Files, SparseRows, as_text, blocks, dataset, h5py, np, open_result, own_summary, take_ids
from report_labels import lines_of
from report_main import DATA, FORMAT, USAGE, RunError, run_tool
from report_output import check_output, refuse_empty, whole_file
from report_recipe import Recipe, check_h5ad, check_same
from report_topic_lists import TopicLists

FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Columns:
    """What a result has per row; embedding, confidence and truth may be None."""

    def __init__(self, path, data_path, matrix):
        self.h5 = open_result(path, ("dcmpi-result", "dcmpi-prediction"))
        self.labels = self.h5["labels"]
        self.N, self.K = self.labels.shape[0], self.h5["clusters/size"].shape[0]
        self.files = Files(self.h5)
        self.embedding = dataset(self.h5, "embedding", 2)
        self.confidence = dataset(self.h5, "confidence", 1)
        self.soft = {name: dataset(self.h5, name, 2) for name in ("q", "q_top", "q_top_index")}
        for name, found in [("embedding", self.embedding), ("confidence", self.confidence)] + list(self.soft.items()):
            if found is not None and found.shape[0] != self.N:
                raise RunError(FORMAT, "%s: /%s has %d rows, /labels %d; it is damaged" % (path, name, found.shape[0], self.N))
        self.standing = {name: dataset(self.h5, "rows/" + name, 1) for name in ("distance", "cosine", "rank")}
        if any(v is not None for v in self.standing.values()) and any(v is None or v.shape[0] != self.N
                                                                      for v in self.standing.values()):
            raise RunError(FORMAT, "%s: /rows does not have %d rows of distance, cosine and rank; it is damaged" % (path, self.N))
        self.graph = self.h5.get("graph")
        for name, width in (("neighbours", 2), ("distances", 2), ("component", 1)) if self.graph is not None else ():
            found = dataset(self.h5, "graph/" + name, width)
            if found is None or found.shape[0] != self.N:
                raise RunError(FORMAT, "%s: /graph/%s does not have %d rows; it is damaged" % (path, name, self.N))
        labels = as_text(self.h5.attrs.get("label_dataset", "")) or "y"
        self.matrix = matrix
        name = as_text(self.h5.attrs.get("matrix", "")) or "X"
        try:
            self.data = DataFile(data_path, self.N, labels, name) if data_path else None
        except RunError as error:
            if len(self.files) < 2:
                raise
            raise RunError(error.code, "%s; the rows come from %d files: join them (dcmpi convert %s ... ALL.h5) and give "
                                       "--data ALL.h5" % (error, len(self.files), self.files.names[0])) from error
        if self.data and self.data.labels is None and not matrix:
            raise RunError(DATA, "%s has no labels %s" % (data_path, "/y" if labels == "y" else labels))
        if self.data and self.data.X.shape[0] != self.N:
            raise RunError(DATA, "%s has %d rows, the run has %d" % (data_path, self.data.X.shape[0], self.N))

    def need_embedding(self, kind):
        """The embedding, or the reason why there is no such export."""
        if self.embedding is None:
            raise RunError(USAGE, "%s needs an embedding, and this run has none (k-means, cluster.on: input, or "
                           "output.embedding: false); use .csv" % kind)
        return self.embedding

    def has_standing(self):
        """Whether the result says where each row stands in its cluster."""
        return self.standing["rank"] is not None

    def soft_table(self, lo, hi):
        """What there is of the soft assignment of some rows, as columns of a table: names, texts."""
        q, top, index = (self.soft[name] for name in ("q", "q_top", "q_top_index"))
        names, texts = [], []
        for m in range(1, top.shape[1]) if top is not None else ():
            names += ["label_%d" % (m + 1), "q_%d" % (m + 1)]
        if top is not None:
            values, clusters = top[lo:hi], index[lo:hi]
            for m in range(1, top.shape[1]):
                texts += [clusters[:, m].tolist(), ["%.9g" % v for v in values[:, m]]]
        if q is not None:
            names += ["q%d" % k for k in range(q.shape[1])]
            texts += [["%.9g" % v for v in column] for column in q[lo:hi].T]
        return names, texts

    def has_classes(self):
        """Whether the rows have true classes."""
        return self.data is not None and self.data.labels is not None

    def classes(self, lo, hi):
        """Names of the true classes of some rows; a row without a label has an empty name."""
        return [as_text(name) for name in self.data.labels.names(slice(lo, hi))]

    def ids(self, lo, hi):
        """Ids of some rows, or None."""
        return take_ids(self.h5, slice(lo, hi), self.N)


def write_npy(columns, path, _):
    """The embedding, block by block."""
    embedding = columns.need_embedding(".npy")
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=embedding.shape)
    for lo, hi in blocks(columns.N):
        out[lo:hi] = embedding[lo:hi]
    out.flush()


def as_cell(name):
    """A name for a table that people open in a spreadsheet."""
    return "'" + name if name.startswith(FORMULA) else name


def write_csv(columns, path, _):
    """Text, block by block; nine digits give a float32 back exactly, seventeen a float64."""
    head = ["id"] if columns.ids(0, 0) is not None else []
    head += ["row"] + ["file", "row_in_file"] * bool(columns.files) + ["label"]
    head += ["confidence"] if columns.confidence is not None else []
    head += ["distance", "cosine", "rank"] if columns.has_standing() else []
    head += ["class"] if columns.has_classes() else []
    head += columns.soft_table(0, 0)[0]
    head += ["z%d" % j for j in range(columns.embedding.shape[1])] if columns.embedding is not None else []
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(head)
        for lo, hi in blocks(columns.N):
            ids = columns.ids(lo, hi)
            parts = [] if ids is None else [[as_cell(name) for name in ids]]
            parts += [range(lo, hi)]
            if columns.files:
                names, rows = columns.files.places(np.arange(lo, hi))
                parts += [[as_cell(name) for name in names], rows]
            parts += [columns.labels[lo:hi].tolist()]
            if columns.confidence is not None:
                parts.append(["%.9g" % v for v in columns.confidence[lo:hi]])
            if columns.has_standing():
                parts += [["%.17g" % v for v in columns.standing[name][lo:hi]] for name in ("distance", "cosine")]
                parts.append(columns.standing["rank"][lo:hi].tolist())
            if columns.has_classes():
                parts.append([as_cell(name) for name in columns.classes(lo, hi)])
            parts += columns.soft_table(lo, hi)[1]
            if columns.embedding is not None:
                parts += [["%.9g" % v for v in z] for z in columns.embedding[lo:hi].T]
            out.writerows(zip(*parts))


def provenance(columns, recipe):
    """All data of the run that are not per row, and how this file was made."""
    attrs = columns.h5.attrs
    out = {name: as_text(attrs[name]) for name in ("version", "git", "created", "data", "data_hash", "deck", "seed",
                                                   "stop_reason") if name in attrs}
    out.update(recipe.attributes())
    metrics = columns.h5.get("metrics")
    out["metrics"] = {} if metrics is None else {as_text(k): float(v) for k, v in metrics.attrs.items()}
    names = lines_of(columns.h5, "feature_names")
    if names:
        out["feature_names"] = np.array([as_text(name) for name in names], object)
    centers = dataset(columns.h5, "cluster_centers", 2)
    if centers is not None:
        out["cluster_centers"] = centers[:]
    topics = TopicLists(columns.h5, columns.K).tables()
    if topics:
        out["topics"] = topics
    return out


def write_topics(columns, path, _):
    """A line for each entry of each list of each cluster."""
    topics = TopicLists(columns.h5, columns.K)
    if not topics.there():
        raise RunError(USAGE, "this run has no topics (output.topics); leave out --topics")
    size = columns.h5["clusters/size"][:]
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["cluster", "rows", "coherence", "list", "rank", "index", "name", "value"])
        for k in range(columns.K):
            coherence = "%.9g" % topics.coherence[k] if np.isfinite(topics.coherence[k]) else ""
            for kind, rank, index, name, value in topics.entries(k):
                out.writerow([k, size[k], coherence, kind, rank, index, as_cell(name), "%.9g" % value])


def matrix_of_data(columns):
    """The rows of the data file, sparse if they are stored so, and a table of their columns."""
    import pandas as pd
    X = columns.data.X
    if isinstance(X, SparseRows):
        from scipy import sparse
        X = sparse.csr_matrix(tuple(X.group[name][:] for name in ("data", "indices", "indptr")), shape=X.shape)
    names = columns.data.column_names() or ["c%d" % c for c in range(X.shape[1])]
    var = pd.DataFrame(index=pd.Index(names, dtype=object))
    topic = TopicLists(columns.h5, columns.K).topic_of_columns(X.shape[1])
    if topic is not None:
        var["topic"] = pd.Categorical.from_codes(topic, [str(k) for k in range(columns.K)])
    return X[:columns.N], var


def add_obs(columns, obs):
    """obs with what the data file's obs tells of the rows, under names that are free."""
    import pandas as pd
    item = columns.data.h5.get("obs")
    if isinstance(item, h5py.Group):
        try:
            from anndata.io import read_elem
        except ImportError:
            from anndata.experimental import read_elem
        told = read_elem(item)
    elif item is not None and item.dtype.names is not None:  # before AnnData 0.7: a table of records
        told = pd.DataFrame(index=range(len(item)))
        for field in item.dtype.names:
            values, names = item[field], columns.data.h5.get("uns/%s_categories" % field)
            if names is not None:
                told[field] = pd.Categorical.from_codes(values, [as_text(v) for v in names[:]])
            elif field != "index" and values.ndim == 1:
                told[field] = [as_text(v) for v in values] if values.dtype.kind == "S" else values
    else:
        return obs
    told = told[:columns.N].set_axis(obs.index)
    return obs.join(told[[name for name in told.columns if name not in obs.columns]])


def graph_of(columns):
    """The graph as anndata holds it: matrices by rows, and where scanpy looks for them."""
    from scipy import sparse
    graph = columns.graph
    k, symmetry = int(graph.attrs["neighbours"]), as_text(graph.attrs["symmetry"])
    start = np.arange(columns.N + 1, dtype=np.int64) * k
    near = graph["neighbours"][:].ravel()
    matrix = lambda values: sparse.csr_matrix((values, near, start), shape=(columns.N, columns.N))
    distances, edges = matrix(graph["distances"][:].ravel()), matrix(np.ones(near.size, np.float32))
    if symmetry != "directed":
        both = (edges + edges.T) * np.float32(0.5)
        edges = both if symmetry == "union" else (both == 1).astype(np.float32)
    for one in (distances, edges):
        one.sort_indices()
    params = {"n_neighbors": k, "method": "dcmpi", "symmetry": symmetry, "on": as_text(graph.attrs["on"]),
              "metric": as_text(graph.attrs["metric"])}
    keys = {"connectivities_key": "connectivities", "distances_key": "distances", "params": params}
    return {"distances": distances, "connectivities": edges.tocsr()}, keys


def write_h5ad(columns, path, recipe):
    """anndata: one observation per row, one variable per latent dimension."""
    try:
        import anndata
        import pandas as pd
    except ImportError:
        raise RunError(USAGE, ".h5ad needs the package python3-anndata; .npy and .csv need nothing more") from None
    if columns.embedding is None and (columns.graph is not None or columns.matrix):
        Z = np.empty((columns.N, 0), np.float32)
    else:
        Z = columns.need_embedding(".h5ad")[:].astype(np.float32)
    names = [str(k) for k in range(columns.K)]
    obs = pd.DataFrame({"label": pd.Categorical.from_codes(columns.labels[:], names)},
                       index=columns.ids(0, columns.N) or [str(i) for i in range(columns.N)])
    if columns.files:
        files, rows = columns.files.places(np.arange(columns.N))
        obs["file"], obs["row_in_file"] = pd.Categorical(files), rows
    if columns.confidence is not None:
        obs["confidence"] = columns.confidence[:]
    if columns.has_standing():
        for name, values in columns.standing.items():
            obs[name] = values[:]
    if columns.has_classes():
        obs["class"] = pd.Categorical(columns.classes(0, columns.N))
    var = pd.DataFrame(index=["z%d" % j for j in range(Z.shape[1])])
    X, obsm = Z, {}
    if columns.matrix:
        X, var = matrix_of_data(columns)
        obs = add_obs(columns, obs)
        obsm = {"X_dcmpi": Z} if columns.embedding is not None else {}
    obsm.update((name, found[:]) for name, found in columns.soft.items() if found is not None)
    uns, obsp = {"dcmpi": provenance(columns, recipe)}, {}
    if columns.graph is not None:
        obsp, uns["neighbors"] = graph_of(columns)
        obs["component"] = columns.graph["component"][:]
    table = anndata.AnnData(X=X, obs=obs, var=var, uns=uns, obsm=obsm, obsp=obsp)
    table.var_names_make_unique()
    table.write_h5ad(path)


class Duplicates:
    """What `dcmpi dedup` wrote."""

    def __init__(self, path):
        self.h5 = open_result(path, ("dcmpi-duplicates",))
        self.N = self.h5["labels"].shape[0]
        for name in ("kept", "removed", "kept_for", "group"):
            found = dataset(self.h5, name, 1)
            if found is None or (name in ("kept_for", "group") and found.shape[0] != self.N):
                raise RunError(FORMAT, "%s: /%s is missing or has another length; it is damaged" % (path, name))
        self.files = Files(self.h5)
        self.has_ids = take_ids(self.h5, slice(0, 0), self.N) is not None

    def names(self, rows):
        """Ids of rising row numbers, read in one piece."""
        if not self.has_ids or len(rows) == 0:
            return [""] * len(rows)
        lo = int(rows[0])
        piece = take_ids(self.h5, slice(lo, int(rows[-1]) + 1), self.N)
        return [piece[int(row) - lo] for row in rows]

    def names_anywhere(self, rows):
        """Ids of row numbers in any order."""
        different = np.unique(rows)
        name = {}
        for lo, hi in blocks(len(different)):
            name.update(zip(different[lo:hi].tolist(), self.names(different[lo:hi])))
        return [name[row] for row in rows.tolist()]


def write_removed(duplicates, path, _):
    """The rows that are removed, block by block."""
    h5 = duplicates.h5
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["row"] + ["id"] * duplicates.has_ids + ["file", "row_in_file"] * bool(duplicates.files) + ["label", "group", "kept"] + ["kept_id"] * duplicates.has_ids)
        for lo, hi in blocks(h5["removed"].shape[0]):
            rows = h5["removed"][lo:hi]
            first, last = int(rows[0]), int(rows[-1]) + 1
            label, group, kept = (h5[name][first:last][rows - first] for name in ("labels", "group", "kept_for"))
            parts = [rows.tolist()]
            if duplicates.has_ids:
                parts.append([as_cell(name) for name in duplicates.names(rows)])
            if duplicates.files:
                names, places = duplicates.files.places(rows)
                parts += [[as_cell(name) for name in names], places]
            parts += [label.tolist(), group.tolist(), kept.tolist()]
            if duplicates.has_ids:
                parts.append([as_cell(name) for name in duplicates.names_anywhere(kept)])
            out.writerows(zip(*parts))


def write_kept(duplicates, path, _):
    """The rows that stay, one per line."""
    kept = duplicates.h5["kept"]
    with open(path, "w", encoding="utf-8") as file:
        for lo, hi in blocks(kept.shape[0]):
            rows = kept[lo:hi]
            names = duplicates.names(rows) if duplicates.has_ids else rows.tolist()
            file.writelines("%s\n" % name for name in names)


def write_kept_numbers(duplicates, path, _):
    """Numbers of the rows that stay."""
    kept = duplicates.h5["kept"]
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.int64, shape=kept.shape)
    for lo, hi in blocks(kept.shape[0]):
        out[lo:hi] = kept[lo:hi]
    out.flush()


WRITERS = {".h5ad": write_h5ad, ".npy": write_npy, ".csv": write_csv}
DUPLICATES_WRITERS = {".csv": write_removed, ".txt": write_kept, ".npy": write_kept_numbers}


def is_duplicates(path):
    """Whether `dcmpi dedup` wrote the file; if it is not HDF5, the reader will say so."""
    try:
        with h5py.File(path, "r") as h5:
            return as_text(h5.attrs.get("format", "")) == "dcmpi-duplicates"
    except OSError:
        return False


def export(result, output, data, force, matrix, topics):
    """Write beside the output, then rename: a reader never sees half a file."""
    recipe = Recipe("export", [result, data], {"matrix": matrix})
    kind = os.path.splitext(output)[1]
    if matrix and (kind != ".h5ad" or not data):
        raise RunError(USAGE, "--matrix goes with .h5ad and --data FILE")
    if topics and kind != ".csv":
        raise RunError(USAGE, "--topics goes with .csv; an .h5ad has the topics in uns")
    refuse_empty(result=result, output=output, data=data)
    duplicates = is_duplicates(result)
    writers = DUPLICATES_WRITERS if duplicates else WRITERS
    if kind not in writers:
        raise RunError(USAGE, "%s: use %s" % (output, ".csv, .txt or .npy" if duplicates else ".h5ad, .npy or .csv"))
    if duplicates and (data or topics):
        raise RunError(USAGE, "a list of duplicates goes without --data and --topics")
    check_output(output, [result, data])
    columns = Duplicates(result) if duplicates else Columns(result, data, matrix)
    if kind == ".h5ad" and not force:
        check_h5ad(output, recipe)
    note = own_summary(columns.h5, result)[1]
    if note:
        print("export.py: WARNING: %s" % note, file=sys.stderr)
    with whole_file(output, None if force or kind == ".h5ad" else check_same) as part:
        (write_topics if topics else writers[kind])(columns, part, recipe)
    rows = columns.h5["removed" if kind == ".csv" else "kept"].shape[0] if duplicates else columns.N
    print("wrote %s: %s" % (output, "%d clusters" % columns.K if topics else "%d rows" % rows))


def main():
    """Command line."""
    formats = __doc__[__doc__.index("  OUT.h5ad"):__doc__.index("  --data FILE")]
    parser = argparse.ArgumentParser(prog="export.py", description=__doc__.split("\n", maxsplit=1)[0], epilog=formats,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", metavar="RUN.h5", help="what a run, predict or dedup wrote")
    parser.add_argument("output", metavar="OUT", help="file to write: .h5ad, .npy, .csv or .txt, see below")
    parser.add_argument("--data", metavar="FILE", help="the run's data file: adds the true classes")
    parser.add_argument("--matrix", action="store_true", help="h5ad: X = the rows of the data file")
    parser.add_argument("--topics", action="store_true", help="csv: terms and documents of the clusters")
    parser.add_argument("--force", action="store_true", help="replace whatever OUT belongs to")
    args = parser.parse_args()
    run_tool(lambda: export(args.result, args.output, args.data, args.force, args.matrix, args.topics))


if __name__ == "__main__":
    main()
