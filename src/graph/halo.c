/* Values of chosen rows of other ranks. The rows that a rank wants are asked for once, when the plan is made; then each
 * fetch is one exchange. */
#include "graph/halo.h"

#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

struct dc_halo {
    int P;
    int64_t m, n_asked;   /* rows that this rank fetches, and that others fetch from it */
    size_t *want, *asked; /* [P] of them, from and by each rank */
    size_t *to, *from;    /* [P] scratch: bytes */
    int64_t *row;         /* [n_asked] local rows, in the order of ranks */
    int64_t *given;       /* [n_asked] what came back */
    void *packed;         /* [n_asked x packed_bytes] */
    size_t packed_bytes;
};

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b)
{
    const dc_gidx x = *(const dc_gidx *)a, y = *(const dc_gidx *)b;
    return (x > y) - (x < y);
}

int64_t dc_rows_distinct(dc_gidx *row, int64_t n)
{
    int64_t left = 0;
    if (n > 0) qsort(row, (size_t)n, sizeof *row, compare_rows);
    for (int64_t i = 0; i < n; i++)
        if (left == 0 || row[left - 1] != row[i]) row[left++] = row[i];
    return left;
}

int64_t dc_rows_place(const dc_gidx *row, int64_t n, dc_gidx wanted)
{
    int64_t lo = 0, hi = n - 1;
    while (lo < hi) {
        const int64_t middle = lo + (hi - lo) / 2;
        if (row[middle] < wanted)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* ---- Plan -------------------------------------------------------------------------------------------------------- */

void dc_halo_destroy(dc_halo **h)
{
    if (!*h) return;
    dc_mem_free(&(*h)->want);
    dc_mem_free(&(*h)->asked);
    dc_mem_free(&(*h)->to);
    dc_mem_free(&(*h)->from);
    dc_mem_free(&(*h)->row);
    dc_mem_free(&(*h)->given);
    dc_mem_free(&(*h)->packed);
    dc_mem_free(h);
}

static dc_status take(dc_halo **out, int P)
{
    dc_status st = DC_OK;
    const size_t ranks = (size_t)P;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "plan of rows"));
    dc_halo *h = *out;
    h->P = P;
    DC_TRY(dc_mem_alloc(&h->want, ranks, sizeof *h->want, "rank table"));
    DC_TRY(dc_mem_alloc(&h->asked, ranks, sizeof *h->asked, "rank table"));
    DC_TRY(dc_mem_alloc(&h->to, ranks, sizeof *h->to, "rank table"));
    DC_TRY(dc_mem_alloc(&h->from, ranks, sizeof *h->from, "rank table"));
out:
    return st;
}

/* Sets the bytes that go to and come from each rank. */
static void size_messages(dc_halo *h, const size_t *to, const size_t *from, size_t bytes)
{
    for (int r = 0; r < h->P; r++) {
        h->to[r] = to[r] * bytes;
        h->from[r] = from[r] * bytes;
    }
}

/* Tells each rank how many of its rows are wanted. Collective. */
static void ask_numbers(dc_comm *comm, dc_halo *h)
{
    for (int r = 0; r < h->P; r++) h->to[r] = h->from[r] = sizeof *h->want;
    dc_comm_alltoallv(comm, h->want, h->to, h->asked, h->from);
    for (int r = 0; r < h->P; r++) h->n_asked += (int64_t)h->asked[r];
}

dc_status dc_halo_create(dc_comm *comm, const dc_part *part, const dc_gidx *row, int64_t m, dc_halo **out)
{
    dc_status st = DC_OK;
    int owner = 0;
    dc_gidx end = dc_part_rank_begin(part, 1);
    *out = NULL;
    DC_TRY_ALL(comm, take(out, part->P));
    dc_halo *h = *out;
    h->m = m;
    for (int64_t i = 0; i < m; i++) {
        while (row[i] >= end) end = dc_part_rank_begin(part, ++owner + 1);
        h->want[owner]++;
    }
    ask_numbers(comm, h);
    st = dc_mem_alloc(&h->row, (size_t)h->n_asked, sizeof *h->row, "rows that others want");
    if (st == DC_OK) st = dc_mem_alloc(&h->given, (size_t)h->n_asked, sizeof *h->given, "rows that others want");
    DC_TRY_ALL(comm, st);
    size_messages(h, h->want, h->asked, sizeof *row);
    dc_comm_alltoallv(comm, row, h->to, h->row, h->from);
    for (int64_t i = 0; i < h->n_asked; i++) h->row[i] -= part->row_lo;
out:
    if (st != DC_OK) dc_halo_destroy(out);
    return st;
}

int64_t dc_halo_rows(const dc_halo *h)
{
    return h->m;
}

static bool is_here(const dc_part *part, dc_gidx row)
{
    return row >= part->row_lo && row < part->row_hi;
}

dc_status dc_halo_of_csr(dc_comm *comm, const dc_part *part, const dc_edges *g, int64_t *place, dc_halo **out)
{
    dc_status st = DC_OK;
    dc_gidx *far = NULL;
    int64_t m = 0;
    const int64_t n = dc_part_rows(part), entries = g->start[n];
    *out = NULL;
    for (int64_t e = 0; e < entries; e++) m += !is_here(part, g->column[e]);
    DC_TRY_ALL(comm, dc_mem_alloc(&far, (size_t)m, sizeof *far, "rows of other ranks"));
    m = 0;
    for (int64_t e = 0; e < entries; e++)
        if (!is_here(part, g->column[e])) far[m++] = g->column[e];
    m = dc_rows_distinct(far, m);
    for (int64_t e = 0; e < entries; e++) {
        const dc_gidx row = g->column[e];
        place[e] = is_here(part, row) ? row - part->row_lo : n + dc_rows_place(far, m, row);
    }
    st = dc_halo_create(comm, part, far, m, out);
out:
    dc_mem_free(&far);
    return st;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static dc_status make_room(dc_halo *h, size_t bytes)
{
    if (h->packed && bytes <= h->packed_bytes) return DC_OK;
    dc_mem_free(&h->packed);
    h->packed_bytes = bytes;
    return dc_mem_alloc(&h->packed, (size_t)h->n_asked, bytes, "values that others want");
}

dc_status dc_halo_fetch(dc_comm *comm, dc_halo *h, size_t bytes, const void *value, void *out)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, make_room(h, bytes));
    for (int64_t i = 0; i < h->n_asked; i++)
        memcpy((char *)h->packed + (size_t)i * bytes, (const char *)value + (size_t)h->row[i] * bytes, bytes);
    size_messages(h, h->asked, h->want, bytes);
    dc_comm_alltoallv(comm, h->packed, h->to, out, h->from);
out:
    return st;
}

int64_t dc_halo_give(dc_comm *comm, dc_halo *h, const int64_t *value, const int64_t **row, const int64_t **given)
{
    size_messages(h, h->want, h->asked, sizeof *value);
    dc_comm_alltoallv(comm, value, h->to, h->given, h->from);
    *row = h->row;
    *given = h->given;
    return h->n_asked;
}
