/* Between row blocks and block-cyclic matrices, window by window.
 *
 * A window is the same range of local rows of every rank, and a range of columns. What two ranks exchange of it is a
 * rectangle in local indices: the rows of a rank are consecutive, so those of them that a row of the grid holds are
 * consecutive there, too; the same is true of columns. Both sides compute its place and size, so only elements travel,
 * as doubles, row by row. */
#include <string.h>

#include "dcmpi/mem.h"
#include "la/dla_impl.h"

/* Part of a window: global rows [row, row_end) of rank `owner`, columns [column, column_end). */
typedef struct {
    dc_gidx row, row_end, column, column_end;
} window;

/* What rank (grid_row, grid_column) holds of a window, in its local indices. */
typedef struct {
    int row_of, column_of; /* place in the grid */
    int64_t i, i_end, j, j_end;
} rectangle;

static window window_of(const dc_dla_grid *grid, int owner, int64_t lo, int64_t rows, dc_gidx first, int64_t columns)
{
    const dc_gidx row = DC_MIN(grid->begin[owner] + lo, grid->begin[owner + 1]);
    return (window){row, DC_MIN(row + rows, grid->begin[owner + 1]), first, first + columns};
}

static rectangle rectangle_of(const dc_dla_grid *grid, const window *w, int rank)
{
    const int r = rank / grid->columns, c = rank % grid->columns;
    return (rectangle){r,
                       c,
                       dc_dla_count(w->row, grid->block, r, grid->rows),
                       dc_dla_count(w->row_end, grid->block, r, grid->rows),
                       dc_dla_count(w->column, grid->block, c, grid->columns),
                       dc_dla_count(w->column_end, grid->block, c, grid->columns)};
}

static size_t bytes_of(const rectangle *a)
{
    return (size_t)((a->i_end - a->i) * (a->j_end - a->j)) * sizeof(double);
}

/* Between array, whose first element is the window's, and a buffer. */
static double *copy_array(const dc_dla_grid *grid, const window *w, const rectangle *a, double *array, int64_t ld,
                          double *buffer, bool pack)
{
    for (int64_t i = a->i; i < a->i_end; i++) {
        double *row = array + (dc_dla_global(i, grid->block, a->row_of, grid->rows) - w->row) * ld - w->column;
        for (int64_t j = a->j; j < a->j_end; j++, buffer++) {
            double *x = row + dc_dla_global(j, grid->block, a->column_of, grid->columns);
            if (pack)
                *buffer = *x;
            else
                *x = *buffer;
        }
    }
    return buffer;
}

static double *copy_blocks(const rectangle *a, dc_dla_blocks *b, double *buffer, bool pack)
{
    for (int64_t i = a->i; i < a->i_end; i++)
        for (int64_t j = a->j; j < a->j_end; j++, buffer++) {
            if (pack)
                *buffer = dc_dla_get(b, j * b->ld + i);
            else
                dc_dla_set(b, j * b->ld + i, *buffer);
        }
    return buffer;
}

/* ---- Buffers ----------------------------------------------------------------------------------------------------- */

dc_status dc_dla_mover_create(dc_comm *comm, const dc_dla_grid *grid, int64_t rows, int64_t columns, dc_dla_mover *out)
{
    dc_status st = DC_OK;
    const int rank = dc_comm_rank(comm), P = dc_comm_size(comm);
    const dc_gidx N = grid->begin[P];
    const int64_t own = DC_MIN(grid->begin[rank + 1] - grid->begin[rank], rows);
    int64_t held = 0, wide = 0;
    if (dc_dla_in_grid(grid)) {
        held = DC_MIN(dc_dla_count(N, grid->block, grid->row, grid->rows), P * rows);
        wide = DC_MIN((columns / (grid->block * grid->columns) + 1) * grid->block, columns);
    }
    *out = (dc_dla_mover){.rows = rows, .columns = columns};
    DC_TRY(dc_mem_alloc_raw(&out->send, dc_mul_size((size_t)own, (size_t)columns), sizeof(double), "rows to send"));
    DC_TRY(dc_mem_alloc_raw(&out->get, dc_mul_size((size_t)held, (size_t)wide), sizeof(double), "rows to receive"));
    DC_TRY(dc_mem_alloc(&out->send_bytes, (size_t)P, sizeof(size_t), "rank table"));
    DC_TRY(dc_mem_alloc(&out->get_bytes, (size_t)P, sizeof(size_t), "rank table"));
out:
    if (st != DC_OK) dc_dla_mover_release(out);
    return st;
}

void dc_dla_mover_release(dc_dla_mover *m)
{
    dc_mem_free(&m->send);
    dc_mem_free(&m->get);
    dc_mem_free(&m->send_bytes);
    dc_mem_free(&m->get_bytes);
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */

/* m->send: of this rank's rows, to or from all ranks of the grid. m->get: of this rank's blocks, from or to all. */
static void exchange(dc_comm *comm, const dc_dla_grid *grid, dc_dla_mover *m, int64_t lo, dc_gidx first,
                     int64_t columns, double *array, int64_t ld, dc_dla_blocks *b, bool to_blocks)
{
    const int P = dc_comm_size(comm), me = dc_comm_rank(comm), of_grid = grid->rows * grid->columns;
    const window own = window_of(grid, me, lo, m->rows, first, columns);
    double *at = m->send;
    memset(m->send_bytes, 0, (size_t)P * sizeof *m->send_bytes);
    memset(m->get_bytes, 0, (size_t)P * sizeof *m->get_bytes);
    for (int r = 0; r < of_grid; r++) {
        const rectangle a = rectangle_of(grid, &own, r);
        m->send_bytes[r] = bytes_of(&a);
        if (to_blocks) at = copy_array(grid, &own, &a, array, ld, at, true);
    }
    double *get = m->get;
    for (int r = 0; dc_dla_in_grid(grid) && r < P; r++) {
        const window other = window_of(grid, r, lo, m->rows, first, columns);
        const rectangle a = rectangle_of(grid, &other, me);
        m->get_bytes[r] = bytes_of(&a);
        if (!to_blocks) get = copy_blocks(&a, b, get, true);
    }
    if (to_blocks)
        dc_comm_alltoallv(comm, m->send, m->send_bytes, m->get, m->get_bytes);
    else
        dc_comm_alltoallv(comm, m->get, m->get_bytes, m->send, m->send_bytes);
    at = m->send;
    for (int r = 0; !to_blocks && r < of_grid; r++) {
        const rectangle a = rectangle_of(grid, &own, r);
        at = copy_array(grid, &own, &a, array, ld, at, false);
    }
    get = m->get;
    for (int r = 0; to_blocks && dc_dla_in_grid(grid) && r < P; r++) {
        const window other = window_of(grid, r, lo, m->rows, first, columns);
        const rectangle a = rectangle_of(grid, &other, me);
        get = copy_blocks(&a, b, get, false);
    }
}

void dc_dla_to_blocks(dc_comm *comm, const dc_dla_grid *grid, dc_dla_mover *m, int64_t lo, dc_gidx first,
                      int64_t columns, const double *array, int64_t ld, dc_dla_blocks *b)
{
    exchange(comm, grid, m, lo, first, columns, (double *)(uintptr_t)array, ld, b, true);
}

/* Local rows of the rank that has most. */
static int64_t most_rows(dc_comm *comm, const dc_dla_grid *grid)
{
    int64_t most = 0;
    for (int r = 0; r < dc_comm_size(comm); r++) most = DC_MAX(most, grid->begin[r + 1] - grid->begin[r]);
    return most;
}

/* array[n x columns]: columns [first, first+columns) of the matrix. */
static dc_status move_all(dc_comm *comm, const dc_dla_grid *grid, dc_dla_blocks *b, dc_gidx first, int64_t columns,
                          double *array, bool to_blocks)
{
    dc_dla_mover m = {0};
    dc_status st = DC_OK;
    const int64_t rows = DC_MAX(most_rows(comm, grid), (int64_t)1);
    const int64_t wide = dc_dla_window_columns(DC_MAX(rows, dc_dla_count(b->M, grid->block, 0, grid->rows)));
    DC_TRY_ALL(comm, dc_dla_mover_create(comm, grid, rows, DC_MIN(wide, columns), &m));
    for (int64_t at = 0; at < columns; at += wide)
        exchange(comm, grid, &m, 0, first + at, DC_MIN(wide, columns - at), array + at, columns, b, to_blocks);
out:
    dc_dla_mover_release(&m);
    return st;
}

dc_status dc_dla_scatter(dc_comm *comm, const dc_dla_grid *grid, const double *array, dc_dla_blocks *b)
{
    return move_all(comm, grid, b, 0, b->N, (double *)(uintptr_t)array, true);
}

dc_status dc_dla_collect(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_blocks *b, dc_gidx first, int64_t columns,
                         double *array)
{
    dc_dla_blocks view = *b;
    return move_all(comm, grid, &view, first, columns, array, false);
}
