/* Groups of rows: connected components of the edges; a sort by component and by what decides who stays then puts the
 * row that is kept at the front of its group. */
#include "graph/groups.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/neighbours.h"
#include "dcmpi/order.h"

/* ---- The graph --------------------------------------------------------------------------------------------------- */

/* Edges on their way to the owners of both their ends. */
typedef struct {
    const dc_part *part;
    dc_gidx *begin;          /* [P + 1] */
    size_t *to, *from, *one; /* [P] bytes */
    int64_t *next;           /* [P] */
    dc_edge *sent, *arrived; /* [2 edges], [m]: a is a row of the receiver */
    int64_t m;
} post;

static void release_post(post *p)
{
    dc_mem_free(&p->begin);
    dc_mem_free(&p->to);
    dc_mem_free(&p->from);
    dc_mem_free(&p->one);
    dc_mem_free(&p->next);
    dc_mem_free(&p->sent);
    dc_mem_free(&p->arrived);
}

static dc_status take_post(post *p, int64_t n_edges)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)p->part->P;
    DC_TRY(dc_mem_alloc(&p->begin, P + 1, sizeof *p->begin, "rank table"));
    DC_TRY(dc_mem_alloc(&p->to, P, sizeof *p->to, "rank table"));
    DC_TRY(dc_mem_alloc(&p->from, P, sizeof *p->from, "rank table"));
    DC_TRY(dc_mem_alloc(&p->one, P, sizeof *p->one, "rank table"));
    DC_TRY(dc_mem_alloc(&p->next, P, sizeof *p->next, "rank table"));
    DC_TRY(dc_mem_alloc(&p->sent, 2 * (size_t)n_edges, sizeof *p->sent, "pairs on their way"));
    for (int r = 0; r <= p->part->P; r++) p->begin[r] = dc_part_rank_begin(p->part, r);
out:
    return st;
}

static void pack(post *p, const dc_edge *edge, int64_t n_edges)
{
    int64_t at = 0;
    for (int64_t e = 0; e < n_edges; e++) {
        p->to[dc_part_owner(p->part, p->begin, edge[e].a)] += sizeof *edge;
        p->to[dc_part_owner(p->part, p->begin, edge[e].b)] += sizeof *edge;
    }
    for (int r = 0; r < p->part->P; r++) {
        p->next[r] = at;
        p->one[r] = sizeof *p->to;
        at += (int64_t)(p->to[r] / sizeof *edge);
    }
    for (int64_t e = 0; e < n_edges; e++) {
        p->sent[p->next[dc_part_owner(p->part, p->begin, edge[e].a)]++] = edge[e];
        p->sent[p->next[dc_part_owner(p->part, p->begin, edge[e].b)]++] = (dc_edge){edge[e].b, edge[e].a};
    }
}

static dc_status deliver(dc_comm *comm, post *p)
{
    dc_status st = DC_OK;
    dc_comm_alltoallv(comm, p->to, p->one, p->from, p->one);
    for (int r = 0; r < p->part->P; r++) p->m += (int64_t)(p->from[r] / sizeof *p->arrived);
    DC_TRY_ALL(comm, dc_mem_alloc(&p->arrived, (size_t)p->m, sizeof *p->arrived, "pairs on their way"));
    dc_comm_alltoallv(comm, p->sent, p->to, p->arrived, p->from);
    dc_mem_free(&p->sent);
out:
    return st;
}

/* Sparse rows of the edges, in any order within a row: all that components need. */
static dc_status fill_graph(const post *p, dc_neighbours *g)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(p->part);
    int64_t *start = NULL;
    DC_TRY(dc_mem_alloc(&g->out.start, (size_t)n + 1, sizeof *g->out.start, "starts of sparse rows"));
    DC_TRY(dc_mem_alloc(&g->out.column, (size_t)p->m, sizeof *g->out.column, "columns of sparse rows"));
    start = g->out.start;
    for (int64_t e = 0; e < p->m; e++) start[p->arrived[e].a - p->part->row_lo + 1]++;
    for (int64_t i = 0; i < n; i++) start[i + 1] += start[i];
    for (int64_t e = 0; e < p->m; e++) g->out.column[start[p->arrived[e].a - p->part->row_lo]++] = p->arrived[e].b;
    for (int64_t i = n; i > 0; i--) start[i] = start[i - 1];
    start[0] = 0;
out:
    return st;
}

static dc_status find_components(dc_comm *comm, const dc_part *part, const dc_edge *edge, int64_t n_edges,
                                 int64_t *component)
{
    dc_status st = DC_OK;
    post p = {.part = part};
    dc_neighbours g = {.part = part, .symmetry = DC_SYMMETRY_UNION};
    DC_TRY_ALL(comm, take_post(&p, n_edges));
    pack(&p, edge, n_edges);
    DC_TRY(deliver(comm, &p));
    DC_TRY_ALL(comm, fill_graph(&p, &g));
    release_post(&p);
    DC_TRY(dc_neighbours_components(comm, &g, component, NULL, NULL));
out:
    release_post(&p);
    dc_neighbours_release(&g);
    return st;
}

/* ---- Who is kept ------------------------------------------------------------------------------------------------- */

/* Keys in order, with what the ranks before and after this one hold. */
typedef struct {
    const dc_sort_key *key;
    int64_t n;
    int64_t before, after; /* components of the last key before and of the first key behind; -1: none */
    dc_gidx carried;       /* the row that is kept of the run that goes on here */
    int64_t groups_before; /* groups that begin on lower ranks */
    int64_t carried_group; /* number of the group that goes on here, or -1 */
    int64_t carried_size;  /* rows of it on lower ranks */
} runs;

static bool begins(const runs *r, int64_t i)
{
    return (i > 0 ? r->key[i - 1].first : r->before) != r->key[i].first;
}

static bool ends(const runs *r, int64_t i)
{
    return (i + 1 < r->n ? r->key[i + 1].first : r->after) != r->key[i].first;
}

/* What each rank tells the others of its keys. */
typedef struct {
    int64_t n, first, last; /* number of keys, components of the first and the last */
    dc_gidx front;          /* the first row here of the last run, which may begin on a lower rank; -1: no keys */
    int64_t tail;           /* keys of the last run here */
    int64_t groups;         /* runs of at least two rows that begin here */
} summary;

static int64_t count_groups(const runs *r)
{
    int64_t groups = 0;
    for (int64_t i = 0; i < r->n; i++) groups += begins(r, i) && !ends(r, i);
    return groups;
}

static summary sum_up(const runs *r)
{
    summary s = {.n = r->n, .first = -1, .last = -1, .front = -1};
    if (r->n == 0) return s;
    s.first = r->key[0].first;
    s.last = r->key[r->n - 1].first;
    int64_t i = r->n - 1;
    while (i > 0 && r->key[i - 1].first == s.last) i--;
    s.tail = r->n - i;
    s.front = r->key[i].row;
    return s;
}

/* Learns of the other ranks; in two steps, as the number of groups depends on the neighbours. */
static void join_ranks(dc_comm *comm, int rank, int P, summary *all, size_t *counts, runs *r)
{
    for (int p = 0; p < P; p++) counts[p] = sizeof *all;
    all[rank] = sum_up(r);
    dc_comm_allgatherv(comm, &all[rank], all, counts);
    r->before = r->after = r->carried_group = -1;
    for (int p = P - 1; p > rank; p--)
        if (all[p].n) r->after = all[p].first;
    for (int p = 0; p < rank; p++) {
        const summary *s = &all[p];
        if (s->n == 0) continue;
        const bool goes_on = s->first == r->before && s->first == s->last; /* nothing but the run before */
        r->carried = goes_on ? r->carried : s->front;
        r->carried_size = goes_on ? r->carried_size + s->tail : s->tail;
        r->before = s->last;
    }
    all[rank].groups = count_groups(r);
    dc_comm_allgatherv(comm, &all[rank], all, counts);
    for (int p = 0; p < rank; p++) r->groups_before += all[p].groups;
    if (r->n && !begins(r, 0)) r->carried_group = r->groups_before - 1;
}

typedef struct {
    dc_gidx kept;
    int64_t group;
} verdict;

/* Decides on the rows in their order; returns the rows of the largest group that ends here. */
static int64_t decide(const runs *r, verdict *v)
{
    dc_gidx kept = r->carried;
    int64_t group = r->carried_group, next = r->groups_before, size = r->carried_size, largest = 0;
    for (int64_t i = 0; i < r->n; i++) {
        if (begins(r, i)) {
            kept = r->key[i].row;
            group = ends(r, i) ? -1 : next++;
            size = 0;
        }
        size++;
        v[i] = (verdict){kept, group};
        if (group >= 0) largest = DC_MAX(largest, size);
    }
    return largest;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_sort_key *key;
    int64_t *component; /* [n]; afterwards the rows of the places */
    verdict *there, *here;
    summary *all;
    size_t *counts;
} work;

static dc_status take(work *w, const dc_part *part)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(part), P = (size_t)part->P;
    DC_TRY(dc_mem_alloc(&w->key, n, sizeof *w->key, "order of rows"));
    DC_TRY(dc_mem_alloc(&w->there, n, sizeof *w->there, "groups of rows"));
    DC_TRY(dc_mem_alloc(&w->here, n, sizeof *w->here, "groups of rows"));
    DC_TRY(dc_mem_alloc(&w->all, P, sizeof *w->all, "rank table"));
    DC_TRY(dc_mem_alloc(&w->counts, P, sizeof *w->counts, "rank table"));
out:
    return st;
}

static void release(work *w)
{
    dc_mem_free(&w->key);
    dc_mem_free(&w->component);
    dc_mem_free(&w->there);
    dc_mem_free(&w->here);
    dc_mem_free(&w->all);
    dc_mem_free(&w->counts);
}

static void take_verdicts(dc_comm *comm, const dc_part *part, const verdict *v, const runs *r, int64_t largest,
                          dc_duplicates *out)
{
    int64_t numbers[2] = {count_groups(r), 0};
    for (int64_t i = 0; i < dc_part_rows(part); i++) {
        out->kept[i] = v[i].kept;
        out->group[i] = v[i].group;
        numbers[1] += v[i].kept != part->row_lo + i;
    }
    dc_comm_sum_i64(comm, numbers, DC_COUNT_OF(numbers));
    dc_comm_max_i64(comm, &largest, 1);
    out->groups = numbers[0];
    out->removed = numbers[1];
    out->largest = largest;
}

dc_status dc_groups_find(dc_comm *comm, const dc_part *part, const dc_edge *edge, int64_t n_edges, const double *second,
                         dc_duplicates *out)
{
    dc_status st = DC_OK;
    work w = {0};
    const int64_t n = dc_part_rows(part);
    DC_TRY_ALL(comm, dc_mem_alloc(&w.component, (size_t)n, sizeof *w.component, "groups of rows"));
    DC_TRY(find_components(comm, part, edge, n_edges, w.component));
    DC_TRY_ALL(comm, take(&w, part));
    for (int64_t i = 0; i < n; i++) w.key[i] = (dc_sort_key){w.component[i], second ? second[i] : 0, part->row_lo + i};
    DC_TRY(dc_order(comm, part, w.key));
    runs r = {.key = w.key, .n = n};
    join_ranks(comm, part->rank, part->P, w.all, w.counts, &r);
    const int64_t largest = decide(&r, w.there);
    for (int64_t i = 0; i < n; i++) w.component[i] = w.key[i].row;
    DC_TRY(dc_items_move(comm, part, w.component, &(dc_items){sizeof *w.there, .array = w.there}, w.here));
    take_verdicts(comm, part, w.here, &r, largest, out);
out:
    release(&w);
    return st;
}

double dc_groups_bytes(const dc_part *part, double n_edges)
{
    const double n = (double)dc_part_rows(part), both = 2 * n_edges;
    const double graph = both * 2 * sizeof(dc_edge) + (n + 1) * sizeof(int64_t) + both * sizeof(dc_gidx),
                 components = dc_neighbours_components_bytes(part, 1) + fmax(both - 2 * n, 0) * 5 * sizeof(int64_t),
                 order = n * (sizeof(dc_sort_key) + 2 * sizeof(verdict)) +
                         fmax(dc_order_bytes(part), dc_items_move_bytes(part, sizeof(verdict)));
    return n * sizeof(int64_t) + fmax(fmax(graph, components), order) + (double)part->P * (sizeof(summary) + 64);
}
