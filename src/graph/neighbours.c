/* From lists of neighbours to sparse rows: the transpose is made by sending each edge to the rank that holds its other
 * end, and the symmetric graphs by merging the two. Distances are the same from both ends, so nothing is computed. */
#include "dcmpi/neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "graph/halo.h"

/* Of the rank that receives it: an edge to its row `row` from `from`. */
typedef struct {
    dc_gidx row, from;
    double square;
} edge;

/* ---- Sparse rows ------------------------------------------------------------------------------------------------- */

static dc_status take(dc_edges *g, int64_t n, int64_t entries)
{
    dc_status st = DC_OK;
    const size_t m = (size_t)entries;
    DC_TRY(dc_mem_alloc(&g->start, (size_t)n + 1, sizeof *g->start, "starts of sparse rows"));
    DC_TRY(dc_mem_alloc(&g->column, m, sizeof *g->column, "columns of sparse rows"));
    DC_TRY(dc_mem_alloc(&g->square, m, sizeof *g->square, "distances of sparse rows"));
    DC_TRY(dc_mem_alloc(&g->both, m, sizeof *g->both, "directions of edges"));
out:
    return st;
}

static void release(dc_edges *g)
{
    dc_mem_free(&g->start);
    dc_mem_free(&g->column);
    dc_mem_free(&g->square);
    dc_mem_free(&g->both);
}

static int compare_edges(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Sparse rows of the lists; line[k] is scratch. */
static void fill_out(const dc_knn *knn, int64_t n, edge *line, dc_edges *g)
{
    const int64_t k = knn->k;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < k; j++) line[j] = (edge){i, knn->row[i * k + j], knn->square[i * k + j]};
        qsort(line, (size_t)k, sizeof *line, compare_edges);
        for (int64_t j = 0; j < k; j++) {
            g->column[i * k + j] = line[j].from;
            g->square[i * k + j] = line[j].square;
        }
        g->start[i + 1] = (i + 1) * k;
    }
}

static dc_status make_out(const dc_part *part, const dc_knn *knn, dc_edges *g)
{
    dc_status st = DC_OK;
    edge *line = NULL;
    const int64_t n = dc_part_rows(part);
    DC_TRY(dc_mem_alloc(&line, (size_t)knn->k, sizeof *line, "neighbours of a row"));
    DC_TRY(take(g, n, n * knn->k));
    fill_out(knn, n, line, g);
out:
    dc_mem_free(&line);
    return st;
}

/* ---- Transpose --------------------------------------------------------------------------------------------------- */

/* Edges on their way to the ranks of their other ends. */
typedef struct {
    int P;
    dc_gidx *begin;        /* [P + 1] first rows of the ranks */
    size_t *to, *from;     /* [P] bytes */
    size_t *next;          /* [P] scratch */
    edge *sent, *received; /* [entries of this rank's rows], [m] */
    int64_t m;
} post;

static void release_post(post *p)
{
    dc_mem_free(&p->begin);
    dc_mem_free(&p->to);
    dc_mem_free(&p->from);
    dc_mem_free(&p->next);
    dc_mem_free(&p->sent);
    dc_mem_free(&p->received);
}

static dc_status take_post(post *p, const dc_part *part, int64_t entries)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)part->P;
    *p = (post){.P = part->P};
    DC_TRY(dc_mem_alloc(&p->begin, P + 1, sizeof *p->begin, "rank table"));
    DC_TRY(dc_mem_alloc(&p->to, P, sizeof *p->to, "rank table"));
    DC_TRY(dc_mem_alloc(&p->from, P, sizeof *p->from, "rank table"));
    DC_TRY(dc_mem_alloc(&p->next, P, sizeof *p->next, "rank table"));
    DC_TRY(dc_mem_alloc(&p->sent, (size_t)entries, sizeof *p->sent, "edges on their way"));
    for (int r = 0; r <= part->P; r++) p->begin[r] = dc_part_rank_begin(part, r);
out:
    return st;
}

static int owner_of(const post *p, dc_gidx row)
{
    int lo = 0, hi = p->P - 1;
    while (lo < hi) {
        const int middle = lo + (hi - lo + 1) / 2;
        if (p->begin[middle] <= row)
            lo = middle;
        else
            hi = middle - 1;
    }
    return lo;
}

/* Puts all edges into the order of the ranks they go to; within a rank they keep that of their rows. */
static void pack(const dc_part *part, const dc_edges *g, post *p)
{
    const int64_t n = dc_part_rows(part);
    size_t at = 0;
    for (int64_t e = 0; e < g->start[n]; e++) p->to[owner_of(p, g->column[e])] += sizeof *p->sent;
    for (int r = 0; r < p->P; r++) {
        p->next[r] = at;
        at += p->to[r] / sizeof *p->sent;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = g->start[i]; e < g->start[i + 1]; e++)
            p->sent[p->next[owner_of(p, g->column[e])]++] = (edge){g->column[e], part->row_lo + i, g->square[e]};
}

static dc_status deliver(dc_comm *comm, post *p)
{
    dc_status st = DC_OK;
    size_t bytes = 0;
    for (int r = 0; r < p->P; r++) p->next[r] = sizeof *p->to;
    dc_comm_alltoallv(comm, p->to, p->next, p->from, p->next);
    for (int r = 0; r < p->P; r++) bytes += p->from[r];
    p->m = (int64_t)(bytes / sizeof *p->received);
    DC_TRY_ALL(comm, dc_mem_alloc(&p->received, (size_t)p->m, sizeof *p->received, "edges on their way"));
    dc_comm_alltoallv(comm, p->sent, p->to, p->received, p->from);
    dc_mem_free(&p->sent);
out:
    return st;
}

/* Edges came in the order of their first rows, and keep it within a row. */
static void fill_in(const dc_part *part, const post *p, dc_edges *g)
{
    const int64_t n = dc_part_rows(part);
    for (int64_t e = 0; e < p->m; e++) g->start[p->received[e].row - part->row_lo + 1]++;
    for (int64_t i = 0; i < n; i++) g->start[i + 1] += g->start[i];
    for (int64_t e = 0; e < p->m; e++) {
        const int64_t at = g->start[p->received[e].row - part->row_lo]++;
        g->column[at] = p->received[e].from;
        g->square[at] = p->received[e].square;
    }
    for (int64_t i = n; i > 0; i--) g->start[i] = g->start[i - 1];
    g->start[0] = 0;
}

static dc_status transpose(dc_comm *comm, const dc_part *part, const dc_edges *g, dc_edges *out)
{
    dc_status st = DC_OK;
    post p;
    const int64_t n = dc_part_rows(part);
    DC_TRY_ALL(comm, take_post(&p, part, g->start[n]));
    pack(part, g, &p);
    DC_TRY(deliver(comm, &p));
    DC_TRY_ALL(comm, take(out, n, p.m));
    fill_in(part, &p, out);
out:
    release_post(&p);
    return st;
}

/* ---- Symmetry ---------------------------------------------------------------------------------------------------- */

/* Walks through a row of both matrices, in the order of columns. */
typedef struct {
    const dc_edges *a, *b;
    int64_t e, a_end, f, b_end;
    bool in_a, in_b; /* where the column at hand occurs */
} walk;

static walk walk_row(const dc_edges *a, const dc_edges *b, int64_t i)
{
    return (walk){
        .a = a, .b = b, .e = a->start[i], .a_end = a->start[i + 1], .f = b->start[i], .b_end = b->start[i + 1]};
}

static bool is_at_column(walk *w)
{
    const bool a = w->e < w->a_end, b = w->f < w->b_end;
    w->in_a = a && (!b || w->a->column[w->e] <= w->b->column[w->f]);
    w->in_b = b && (!a || w->b->column[w->f] <= w->a->column[w->e]);
    return a || b;
}

static void step(walk *w)
{
    w->e += w->in_a;
    w->f += w->in_b;
}

static bool is_taken(const walk *w, dc_symmetry symmetry)
{
    return symmetry == DC_SYMMETRY_UNION || (w->in_a && w->in_b);
}

static int64_t count_merged(const dc_edges *a, const dc_edges *b, int64_t n, dc_symmetry symmetry)
{
    int64_t entries = 0;
    for (int64_t i = 0; i < n; i++)
        for (walk w = walk_row(a, b, i); is_at_column(&w); step(&w)) entries += is_taken(&w, symmetry);
    return entries;
}

static void merge(const dc_edges *a, const dc_edges *b, int64_t n, dc_symmetry symmetry, dc_edges *out)
{
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        for (walk w = walk_row(a, b, i); is_at_column(&w); step(&w)) {
            if (!is_taken(&w, symmetry)) continue;
            out->column[at] = w.in_a ? a->column[w.e] : b->column[w.f];
            out->square[at] = w.in_a ? a->square[w.e] : b->square[w.f];
            out->both[at++] = w.in_a && w.in_b;
        }
        out->start[i + 1] = at;
    }
}

static void mark_both(dc_edges *a, dc_edges *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (walk w = walk_row(a, b, i); is_at_column(&w); step(&w))
            if (w.in_a && w.in_b) a->both[w.e] = b->both[w.f] = 1;
}

static dc_status make_symmetric(dc_edges *a, dc_edges *b, int64_t n, dc_symmetry symmetry, dc_edges *out)
{
    const dc_status st = take(out, n, count_merged(a, b, n, symmetry));
    if (st == DC_OK) merge(a, b, n, symmetry, out);
    return st;
}

static void count(dc_comm *comm, dc_neighbours *g)
{
    const int64_t n = dc_part_rows(g->part);
    int64_t numbers[2] = {g->out.start[n], 0};
    for (int64_t i = 0; i < n; i++)
        numbers[1] += g->out.start[i] == g->out.start[i + 1] && g->in.start[i] == g->in.start[i + 1];
    dc_comm_sum_i64(comm, numbers, DC_COUNT_OF(numbers));
    g->edges = numbers[0];
    g->isolated = numbers[1];
}

dc_status dc_neighbours_create(dc_comm *comm, const dc_part *part, const dc_knn *knn, dc_symmetry symmetry,
                               dc_neighbours *out)
{
    dc_status st = DC_OK;
    dc_edges a = {0}, b = {0};
    const int64_t n = dc_part_rows(part);
    *out = (dc_neighbours){.part = part, .symmetry = symmetry};
    DC_TRY_ALL(comm, make_out(part, knn, &a));
    DC_TRY(transpose(comm, part, &a, &b));
    if (symmetry == DC_SYMMETRY_DIRECTED) {
        mark_both(&a, &b, n);
        out->out = a;
        out->in = b;
        a = b = (dc_edges){0};
    } else {
        DC_TRY_ALL(comm, make_symmetric(&a, &b, n, symmetry, &out->out));
        out->in = out->out;
    }
    count(comm, out);
out:
    release(&a);
    release(&b);
    if (st != DC_OK) dc_neighbours_release(out);
    return st;
}

void dc_neighbours_release(dc_neighbours *g)
{
    if (g->symmetry == DC_SYMMETRY_DIRECTED) release(&g->in);
    release(&g->out);
    g->in = (dc_edges){0};
}

/* The lists, their transpose, and the larger of what is between them: edges on both their ends, or the merged rows. */
double dc_neighbours_bytes(const dc_part *part, int64_t k)
{
    const double n = (double)dc_part_rows(part), entries = n * (double)k;
    const double entry = sizeof(dc_gidx) + sizeof(double) + sizeof(uint8_t);
    return 3 * (n + 1) * sizeof(int64_t) + 4 * entry * entries + (double)part->P * 4 * sizeof(size_t);
}
