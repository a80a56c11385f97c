"""Writes sparse rows as AnnData does, for tests that need a file of them."""

import numpy as np


def put_csr(f, x):
    """Writes the matrix x [N, D] to the group X of the open HDF5 file f, as CSR: values float32, columns int32."""
    rows, columns = np.nonzero(x)
    g = f.create_group("X")
    g.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array(x.shape)})
    g["data"], g["indices"] = x[rows, columns].astype("f4"), columns.astype("i4")
    g["indptr"] = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(x)))]).astype("i8")
    f.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
