/* Neighbour graphs over ranks: sparse rows of the k nearest neighbours, their transpose, connected components. */
#ifndef DCMPI_NEIGHBOURS_H
#define DCMPI_NEIGHBOURS_H

#include "dcmpi/knn.h"

/* Sparse matrix of N rows and N columns, of which each rank holds the rows of its part (CSR). Columns rise strictly
 * within a row; no entry lies on the diagonal. */
typedef struct {
    int64_t *start;  /* [n + 1]: entries of local row i are [start[i], start[i + 1]) */
    dc_gidx *column; /* [start[n]] global numbers */
    double *square;  /* [start[n]] squared distance, or 1 - cos */
    uint8_t *both;   /* [start[n]] 1: each of the two rows is among the nearest of the other */
} dc_edges;

/* Edge i-j of DIRECTED: j is among the k nearest of i. UNION: also if i is among those of j. MUTUAL: only if both hold;
 * rows without any edge are then common. */
typedef enum { DC_SYMMETRY_DIRECTED, DC_SYMMETRY_UNION, DC_SYMMETRY_MUTUAL } dc_symmetry;

typedef struct {
    const dc_part *part; /* borrowed */
    dc_symmetry symmetry;
    dc_edges out;     /* row i: the edges from i */
    dc_edges in;      /* the transpose, row j: the edges to j; the same arrays as `out` unless DIRECTED */
    int64_t edges;    /* entries of `out` on all ranks: an edge of UNION or MUTUAL counts twice */
    int64_t isolated; /* rows, on all ranks, without any edge to or from them */
} dc_neighbours;

/* Makes the graph of these lists, which stay as they are; any numbers of entries (scikit-learn's affinity
 * "nearest_neighbors" is UNION with weight 1 where `both` is set, else 0.5). Collective; the same bits for every number
 * of ranks. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_neighbours_create(dc_comm *comm, const dc_part *part, const dc_knn *knn, dc_symmetry symmetry,
                                          dc_neighbours *out);
void dc_neighbours_release(dc_neighbours *g);
/* Memory that dc_neighbours_create() takes at most on this rank, result included, if the edges to its rows are as many
 * as those from them. Local. */
double dc_neighbours_bytes(const dc_part *part, int64_t k);

/* component[n]: number of each local row's connected component, directions of edges ignored; components are numbered
 * from 0 in the order of their lowest rows. *count: their number; *largest: rows of the largest; both global and may be
 * NULL. Collective. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_neighbours_components(dc_comm *comm, const dc_neighbours *g, int64_t *component, int64_t *count,
                                              int64_t *largest);
/* Memory that this takes on this rank together with the graph, for which the same holds as in dc_neighbours_bytes().
 * Local. */
double dc_neighbours_components_bytes(const dc_part *part, int64_t k);

/* ---- Values of rows of other ranks ------------------------------------------------------------------------------- */

/* A plan that brings values of chosen rows, of whatever rank, to this one: the plan of a product with a sparse matrix
 * holds until the matrix changes. */
typedef struct dc_halo dc_halo;
/* row[m]: global numbers in rising order, each once; copied. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_halo_create(dc_comm *comm, const dc_part *part, const dc_gidx *row, int64_t m, dc_halo **out);
/* The plan for the columns of `g` that are rows of other ranks. place[entries of g]: where the value of each entry's
 * column lies: p < n is local row p, else number p - n of the fetched ones. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_halo_of_csr(dc_comm *comm, const dc_part *part, const dc_edges *g, int64_t *place,
                                    dc_halo **out);
void dc_halo_destroy(dc_halo **h);
/* Number of rows that are fetched: m of dc_halo_create(). */
int64_t dc_halo_rows(const dc_halo *h);
/* out[m] = value[of the rows] for value[n], items of `bytes` bytes. Allocates only if `bytes` is more than ever before.
 * Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_halo_fetch(dc_comm *comm, dc_halo *h, size_t bytes, const void *value, void *out);

#endif
