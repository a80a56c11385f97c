#!/usr/bin/env python3
"""Writes tests/golden/scanpy.txt: transforms of counts by scanpy. Needs scanpy and statsmodels, and is not run by `make check`.

    tools/golden_scanpy.py [OUTPUT]"""
import os
import sys
import warnings

import anndata
import numpy as np
import scanpy as sc

N, D, M, LIMIT = 60, 80, 25, 1.5


def put(out, name, values):
    values = np.atleast_2d(values)
    out.write("%s %d %d\n" % (name, *values.shape))
    for row in values:
        out.write(" ".join("%.9g" % v for v in row) + "\n")


def chosen(x, flavor):
    a = anndata.AnnData(x)
    sc.pp.highly_variable_genes(a, n_top_genes=M, flavor=flavor)
    return np.flatnonzero(a.var["highly_variable"])


def main():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(336)
    mean = rng.gamma(0.6, 3, D) + 0.05
    x = rng.poisson(mean * rng.gamma(rng.uniform(0.5, 20, D), 1, (N, D)) / 4).astype(np.float64)
    x[7] = 0  # a cell without counts
    x[:, 30] = 0  # a gene without counts
    x[:, 31] = 250  # one that is alone in its bin
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "scanpy.txt")
    with open(sys.argv[1] if len(sys.argv) > 1 else path, "w") as out:
        out.write("# Made by tools/golden_scanpy.py (scanpy, double); read by tests/golden/golden.h.\n"
                  "# x [N x D] counts; size: median of the sums of rows; median: rows to that sum; logs: rows to a sum of\n"
                  "# 1000 and log1p; seurat, cell_ranger: the M columns that highly_variable_genes chooses of logs;\n"
                  "# scaled [N x M]: the columns of seurat after scale(max_value=%g).\n" % LIMIT)
        put(out, "x", x)
        a = anndata.AnnData(x.copy())
        sc.pp.normalize_total(a)
        sums = x.sum(1)
        put(out, "size", np.median(sums[sums > 0]))
        put(out, "median", a.X)
        a = anndata.AnnData(x.copy())
        sc.pp.normalize_total(a, target_sum=1000)
        sc.pp.log1p(a)
        put(out, "logs", a.X)
        columns = chosen(a.X, "seurat")
        put(out, "seurat", columns)
        put(out, "cell_ranger", chosen(a.X, "cell_ranger"))
        b = a[:, columns].copy()
        sc.pp.scale(b, max_value=LIMIT)
        put(out, "scaled", b.X)


if __name__ == "__main__":
    main()
