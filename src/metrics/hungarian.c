/* The assignment problem: which cluster stands for which class so that most rows agree.
 *
 * Rows are assigned one after another along shortest augmenting paths in reduced costs, with a potential for every row
 * and column (Kuhn 1955; the O(n^2 m) form of Jonker and Volgenant 1987 without their initialisation). The cost of a
 * pair is minus its weight. All arithmetic is in integers, hence exact. A table with more rows than columns is
 * transposed, so that every row finds a column. */
#include "dcmpi/metrics.h"

#include "dcmpi/mem.h"

#include <string.h>

/* Column index n_cols is the root from which a path starts: it holds the row that is being assigned. */
typedef struct {
    int64_t n_rows, n_cols;
    const int64_t *weight;
    int64_t *u;          /* [n_rows] potential */
    int64_t *v;          /* [n_cols + 1] potential */
    int64_t *row_of;     /* [n_cols + 1] row matched to the column, -1: free */
    int64_t *from;       /* [n_cols] column before this one on the shortest path */
    int64_t *slack;      /* [n_cols] length of the shortest path found so far */
    unsigned char *done; /* [n_cols + 1] the shortest path to the column is final */
} problem;

/* Offers the paths that go through `column` and its row, and returns the open column that is nearest now. */
static int64_t relax(problem *p, int64_t column, int64_t *distance)
{
    const int64_t row = p->row_of[column];
    const int64_t *w = p->weight + row * p->n_cols;
    int64_t nearest = -1, best = INT64_MAX;
    for (int64_t j = 0; j < p->n_cols; j++) {
        if (p->done[j]) continue;
        const int64_t reduced = -w[j] - p->u[row] - p->v[j];
        if (reduced < p->slack[j]) {
            p->slack[j] = reduced;
            p->from[j] = column;
        }
        if (p->slack[j] < best) {
            best = p->slack[j];
            nearest = j;
        }
    }
    *distance = best;
    return nearest;
}

/* Lengthens the tree by `delta` in the potentials: reduced costs stay >= 0 and those on the tree stay 0. */
static void shift_potentials(problem *p, int64_t delta)
{
    for (int64_t j = 0; j < p->n_cols; j++) {
        if (p->done[j]) {
            p->u[p->row_of[j]] += delta;
            p->v[j] -= delta;
        } else {
            p->slack[j] -= delta;
        }
    }
    p->u[p->row_of[p->n_cols]] += delta;
    p->v[p->n_cols] -= delta;
}

static void assign_row(problem *p, int64_t row)
{
    const int64_t root = p->n_cols;
    memset(p->done, 0, (size_t)p->n_cols + 1);
    for (int64_t j = 0; j < p->n_cols; j++) p->slack[j] = INT64_MAX;
    p->row_of[root] = row;
    int64_t column = root;
    do {
        int64_t delta;
        p->done[column] = 1;
        const int64_t next = relax(p, column, &delta);
        shift_potentials(p, delta);
        column = next;
    } while (p->row_of[column] >= 0);
    while (column != root) {
        const int64_t before = p->from[column];
        p->row_of[column] = p->row_of[before];
        column = before;
    }
}

/* n_rows <= n_cols; row_of[n_cols] of the result is the row of each column or -1. */
static dc_status solve(const int64_t *weight, int64_t n_rows, int64_t n_cols, int64_t **row_of)
{
    dc_status st = DC_OK;
    problem p = {.n_rows = n_rows, .n_cols = n_cols, .weight = weight};
    const size_t m = (size_t)n_cols + 1;
    DC_TRY(dc_mem_alloc(&p.u, (size_t)n_rows, sizeof *p.u, "assignment: row potentials"));
    DC_TRY(dc_mem_alloc(&p.v, m, sizeof *p.v, "assignment: column potentials"));
    DC_TRY(dc_mem_alloc(&p.row_of, m, sizeof *p.row_of, "assignment: matching"));
    DC_TRY(dc_mem_alloc(&p.from, m, sizeof *p.from, "assignment: paths"));
    DC_TRY(dc_mem_alloc(&p.slack, m, sizeof *p.slack, "assignment: path lengths"));
    DC_TRY(dc_mem_alloc(&p.done, m, sizeof *p.done, "assignment: marks"));
    for (size_t j = 0; j < m; j++) p.row_of[j] = -1;
    for (int64_t i = 0; i < n_rows; i++) assign_row(&p, i);
    *row_of = p.row_of;
    p.row_of = NULL;
out:
    dc_mem_free(&p.u);
    dc_mem_free(&p.v);
    dc_mem_free(&p.row_of);
    dc_mem_free(&p.from);
    dc_mem_free(&p.slack);
    dc_mem_free(&p.done);
    return st;
}

static void transpose(const int64_t *a, int64_t n_rows, int64_t n_cols, int64_t *out)
{
    for (int64_t i = 0; i < n_rows; i++)
        for (int64_t j = 0; j < n_cols; j++) out[j * n_rows + i] = a[i * n_cols + j];
}

dc_status dc_hungarian_max(const int64_t *weight, int64_t n_rows, int64_t n_cols, int64_t *match, int64_t *total)
{
    dc_status st = DC_OK;
    int64_t *turned = NULL, *row_of = NULL;
    *total = 0;
    if (n_rows <= n_cols) {
        DC_TRY(solve(weight, n_rows, n_cols, &row_of));
        for (int64_t j = 0; j < n_cols; j++)
            if (row_of[j] >= 0) match[row_of[j]] = j;
    } else {
        DC_TRY(dc_mem_alloc_raw(&turned, (size_t)(n_rows * n_cols), sizeof *turned, "assignment: transposed table"));
        transpose(weight, n_rows, n_cols, turned);
        DC_TRY(solve(turned, n_cols, n_rows, &row_of));
        memcpy(match, row_of, (size_t)n_rows * sizeof *match);
    }
    for (int64_t i = 0; i < n_rows; i++)
        if (match[i] >= 0) *total += weight[i * n_cols + match[i]];
out:
    dc_mem_free(&turned);
    dc_mem_free(&row_of);
    return st;
}
