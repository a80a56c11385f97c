/* Private to dla*.c: grids of ranks and block-cyclic matrices.
 *
 * Element (i, j) of a matrix is on the rank in row (i / block) mod grid_rows and column (j / block) mod grid_columns of
 * the grid. A rank stores its elements column by column, in ascending order of i and j. Ranks are numbered along the
 * rows of the grid; those behind the last have no part in it, but take part in every function with a dc_comm. */
#ifndef DCMPI_DLA_IMPL_H
#define DCMPI_DLA_IMPL_H

#include "comm/comm_mpi.h"
#include "dcmpi/dla.h"

/* ---- Plans (dla_plan.c) ------------------------------------------------------------------------------------------ */

/* 32 and 64 are equally fast within the noise, 128 is 15 % slower (order 1500, one rank). */
enum { DC_DLA_BLOCK = 64 };
/* Sets the block of all further plans; for tests, which thus spread small matrices. 0: DC_DLA_BLOCK and the choice of
 * the grid by speed. */
void dc_dla_set_block(int64_t block);

/* A number for a routine that takes it as double or float. */
typedef union {
    double f64;
    float f32;
} dc_dla_scalar;
static inline dc_dla_scalar dc_dla_number(dc_dtype dtype, double value)
{
    dc_dla_scalar s;
    if (dtype == DC_F64)
        s.f64 = value;
    else
        s.f32 = (float)value;
    return s;
}

/* Of the first n indices, how many the place `at` of `places` has. */
static inline int64_t dc_dla_count(dc_gidx n, int64_t block, int at, int places)
{
    const int64_t whole = n / block, rest = n % block, turn = whole % places;
    return (whole / places) * block + (at < turn ? block : at == turn ? rest : 0);
}
/* Global index of local index l. */
static inline dc_gidx dc_dla_global(int64_t l, int64_t block, int at, int places)
{
    return ((l / block) * places + at) * block + l % block;
}

typedef struct {
    int64_t work, integers; /* numbers of elements */
} dc_dla_workspace;
/* The triangle in which a matrix is reduced. pdsyntrd may copy a lower one to one rank of three or fewer, and computes
 * N^2 for that in int; upper ones it leaves where they are. */
char dc_dla_triangle(dc_gidx N, const dc_dla_plan *plan);
/* Eigenvectors that a driver computes if k are wanted. */
int64_t dc_dla_computed(dc_dla_driver driver, dc_gidx N, int64_t k, int64_t block);
/* What a driver needs on the rank with the largest share to compute k eigenvectors. */
dc_dla_workspace dc_dla_workspace_of(dc_dla_driver driver, dc_gidx N, int64_t k, const dc_dla_plan *plan);
/* Right singular vectors that the second pass takes up, if k are wanted. */
int64_t dc_dla_svd_columns(int64_t d, int64_t k);
/* Rows of X that go around together, for rows of d floats. */
int64_t dc_dla_stream_rows(int64_t d);
/* Local rows of a matrix of N columns that are distributed together. */
int64_t dc_dla_window_rows(dc_gidx N, int grid_rows);
/* Columns that are distributed together, if a rank has up to `rows` of their rows. */
int64_t dc_dla_window_columns(int64_t rows);
enum { DC_DLA_SVD_ROWS = 128 }; /* of a tall matrix that a thread multiplies at a time */
enum { DC_DLA_TILE = 64 };      /* columns of a block that a thread fills with affinities at a time */

/* ---- Grids (dla_grid.c) ------------------------------------------------------------------------------------------ */

typedef struct {
    int rows, columns;
    int row, column; /* of this rank; -1: it has none */
    int64_t block;
    int handle, context; /* of the BLACS; context -1 outside the grid */
    bool open;
    MPI_Comm mpi;   /* of the BLACS alone */
    dc_gidx *begin; /* [P+1], owned: first row of each rank in row blocks */
} dc_dla_grid;

/* Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dla_grid_open(dc_comm *comm, const dc_dla_plan *plan, const dc_part *part, dc_dla_grid *out);
/* Collective; accepts a grid that was not opened. */
void dc_dla_grid_close(dc_comm *comm, dc_dla_grid *grid);
static inline bool dc_dla_in_grid(const dc_dla_grid *grid)
{
    return grid->row >= 0;
}

/* A block-cyclic matrix. */
typedef struct {
    dc_gidx M, N;
    int64_t rows, columns; /* of this rank; 0 outside the grid */
    int64_t ld;
    dc_dtype dtype;
    void *data; /* [columns][ld] of dtype, owned */
    int desc[9];
} dc_dla_blocks;

/* M x N, zeros; N_desc: the number of columns that the descriptor claims. Local; no error leaves data allocated. */
DC_CHECKED dc_status dc_dla_blocks_create(const dc_dla_grid *grid, dc_gidx M, dc_gidx N, dc_gidx N_desc, dc_dtype dtype,
                                          const char *what, dc_dla_blocks *out);
void dc_dla_blocks_release(dc_dla_blocks *b);
static inline double dc_dla_get(const dc_dla_blocks *b, int64_t at)
{
    return b->dtype == DC_F64 ? ((const double *)b->data)[at] : (double)((const float *)b->data)[at];
}
static inline void dc_dla_set(dc_dla_blocks *b, int64_t at, double value)
{
    if (b->dtype == DC_F64)
        ((double *)b->data)[at] = value;
    else
        ((float *)b->data)[at] = (float)value;
}
/* Copies the diagonal elements of this rank to diagonal, in order, or back. diagonal[min(rows, columns)]. */
void dc_dla_diagonal(const dc_dla_grid *grid, dc_dla_blocks *b, double *diagonal, bool back);
/* The largest sum of magnitudes of a column. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dla_norm1(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_blocks *A, double *out);

/* ---- Redistribution (dla_move.c) --------------------------------------------------------------------------------- */

/* Buffers for windows of up to `rows` local rows and `columns` columns. */
typedef struct {
    double *send, *get;
    size_t *send_bytes, *get_bytes; /* [P] */
    int64_t rows, columns;
} dc_dla_mover;
/* Local. */
DC_CHECKED dc_status dc_dla_mover_create(dc_comm *comm, const dc_dla_grid *grid, int64_t rows, int64_t columns,
                                         dc_dla_mover *out);
void dc_dla_mover_release(dc_dla_mover *m);
/* Copies local rows [lo, lo+rows) of every rank that has them, columns [first, first+columns) of the matrix, to the
 * blocks; array[.. x ld] begins with row lo and column `first`. Collective. */
void dc_dla_to_blocks(dc_comm *comm, const dc_dla_grid *grid, dc_dla_mover *m, int64_t lo, dc_gidx first,
                      int64_t columns, const double *array, int64_t ld, dc_dla_blocks *b);
/* The whole matrix from array[n x N], in windows. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dla_scatter(dc_comm *comm, const dc_dla_grid *grid, const double *array, dc_dla_blocks *b);
/* Columns [first, first+columns) of the matrix to array[n x columns]. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dla_collect(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_blocks *b, dc_gidx first,
                                    int64_t columns, double *array);

/* ---- Matrices (dla_build.c) -------------------------------------------------------------------------------------- */

/* Fills the blocks of a matrix of order N; `degree` [n] gets the row sums if A is a Laplacian; may be NULL.
 * Collective. Errors: those of dla.h. */
DC_CHECKED dc_status dc_dla_build(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_matrix *A, dc_dla_blocks *blocks,
                                  double *degree);
/* A problem's sizes, and checks what the caller asked for. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_dla_size_of(const dc_dla_matrix *A, dc_dla_task task, dc_dtype dtype, dc_dla_size *out);

/* ---- Signs of life (dla_grid.c) ---------------------------------------------------------------------------------- */

/* Largest number of seconds that so many FLOP should take, on a slow machine. */
static inline double dc_dla_patience(const dc_dla_plan *plan, double flop)
{
    return 3600 + flop / (1e8 * plan->grid_rows * plan->grid_columns);
}
/* Between these calls the watchdog sees progress, although nobody can tell how far a library has come. After limit_s
 * seconds it sees none. Not nested; the end may come without a beginning. */
void dc_dla_lives(double limit_s);
void dc_dla_lives_end(void);

#endif
