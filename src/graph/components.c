/* Connected components over ranks, after FastSV (Zhang, Azad, Hu 2020): each row points to a row of its component that
 * is not above it; pointers are hooked to the lowest grandparent of the row's neighbours and shortened, until nothing
 * moves. Then all rows of a component point to its lowest. The number of rounds grows like the logarithm of N. */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "graph/halo.h"

/* Values at the columns of a matrix. */
typedef struct {
    const dc_edges *g;
    int64_t *place; /* [entries] */
    dc_halo *halo;
    int64_t *far; /* [rows of the halo] */
} ends;

/* The rows of other ranks that this rank's rows point to now. */
typedef struct {
    dc_halo *halo;
    dc_gidx *row; /* [n], m of them in use */
    int64_t m;
    int64_t *value; /* [n] */
} parents;

typedef struct {
    const dc_part *part;
    ends side[2]; /* of edges from a row, and of edges to it if the graph is directed */
    int n_sides;
    int64_t *parent, *grand, *lowest; /* [n]: rows; the last is the lowest grandparent of the neighbours */
    parents up;
} search;

static bool is_here(const search *s, dc_gidx row)
{
    return row >= s->part->row_lo && row < s->part->row_hi;
}

static int64_t local(const search *s, dc_gidx row)
{
    return row - s->part->row_lo;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static dc_status open_ends(dc_comm *comm, const dc_part *part, const dc_edges *g, ends *e)
{
    dc_status st = DC_OK;
    e->g = g;
    DC_TRY_ALL(comm,
               dc_mem_alloc(&e->place, (size_t)g->start[dc_part_rows(part)], sizeof *e->place, "places of columns"));
    DC_TRY(dc_halo_of_csr(comm, part, g, e->place, &e->halo));
    DC_TRY_ALL(comm, dc_mem_alloc(&e->far, (size_t)dc_halo_rows(e->halo), sizeof *e->far, "values of columns"));
out:
    return st;
}

static dc_status take(search *s)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(s->part);
    DC_TRY(dc_mem_alloc(&s->parent, n, sizeof *s->parent, "components"));
    DC_TRY(dc_mem_alloc(&s->grand, n, sizeof *s->grand, "components"));
    DC_TRY(dc_mem_alloc(&s->lowest, n, sizeof *s->lowest, "components"));
    DC_TRY(dc_mem_alloc(&s->up.row, n, sizeof *s->up.row, "components"));
    DC_TRY(dc_mem_alloc(&s->up.value, n, sizeof *s->up.value, "components"));
out:
    return st;
}

static void release(search *s)
{
    for (int i = 0; i < s->n_sides; i++) {
        dc_mem_free(&s->side[i].place);
        dc_halo_destroy(&s->side[i].halo);
        dc_mem_free(&s->side[i].far);
    }
    dc_mem_free(&s->parent);
    dc_mem_free(&s->grand);
    dc_mem_free(&s->lowest);
    dc_mem_free(&s->up.row);
    dc_mem_free(&s->up.value);
    dc_halo_destroy(&s->up.halo);
}

/* The entries of both ends, at most all of them in columns of other ranks: these are listed, and those that differ
 * fetched; as many rows are fetched by others. */
double dc_neighbours_components_bytes(const dc_part *part, int64_t k)
{
    const double n = (double)dc_part_rows(part), entries = 2 * n * (double)k, far = part->P > 1 ? entries : 0,
                 fetched = fmin(far, (double)part->N - n), up = part->P > 1 ? n : 0;
    const double entry = sizeof(dc_gidx) + sizeof(double) + sizeof(uint8_t);
    return 2 * (n + 1) * sizeof(int64_t) + entries * entry + /* the graph */
           (entries + far + 4 * fetched + 5 * n + 3 * up) * sizeof(int64_t);
}

/* ---- Parents ----------------------------------------------------------------------------------------------------- */

static dc_status look_up(dc_comm *comm, search *s)
{
    const int64_t n = dc_part_rows(s->part);
    s->up.m = 0;
    for (int64_t i = 0; i < n; i++)
        if (!is_here(s, s->parent[i])) s->up.row[s->up.m++] = s->parent[i];
    s->up.m = dc_rows_distinct(s->up.row, s->up.m);
    dc_halo_destroy(&s->up.halo);
    return dc_halo_create(comm, s->part, s->up.row, s->up.m, &s->up.halo);
}

/* out[n] = value[parent of each row] */
static dc_status fetch_from_parents(dc_comm *comm, search *s, const int64_t *value, int64_t *out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_halo_fetch(comm, s->up.halo, sizeof *value, value, s->up.value));
    for (int64_t i = 0; i < dc_part_rows(s->part); i++) {
        const dc_gidx up = s->parent[i];
        out[i] = is_here(s, up) ? value[local(s, up)] : s->up.value[dc_rows_place(s->up.row, s->up.m, up)];
    }
out:
    return st;
}

/* next[parent] = min(next[parent], lowest) for each row, wherever its parent is. Collective. */
static void hook_parents(dc_comm *comm, search *s, int64_t *next)
{
    const int64_t *row, *given;
    for (int64_t i = 0; i < s->up.m; i++) s->up.value[i] = INT64_MAX;
    for (int64_t i = 0; i < dc_part_rows(s->part); i++) {
        const dc_gidx up = s->parent[i];
        int64_t *to = is_here(s, up) ? &next[local(s, up)] : &s->up.value[dc_rows_place(s->up.row, s->up.m, up)];
        *to = DC_MIN(*to, s->lowest[i]);
    }
    const int64_t m = dc_halo_give(comm, s->up.halo, s->up.value, &row, &given);
    for (int64_t i = 0; i < m; i++) next[row[i]] = DC_MIN(next[row[i]], given[i]);
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------ */

static dc_status look_around(dc_comm *comm, search *s, ends *e)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(s->part);
    DC_TRY(dc_halo_fetch(comm, e->halo, sizeof *s->grand, s->grand, e->far));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = e->g->start[i]; k < e->g->start[i + 1]; k++) {
            const int64_t at = e->place[k], grand = at < n ? s->grand[at] : e->far[at - n];
            s->lowest[i] = DC_MIN(s->lowest[i], grand);
        }
out:
    return st;
}

/* *moved: pointers that changed, on all ranks. */
static dc_status round_of(dc_comm *comm, search *s, int64_t *moved)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(s->part);
    int64_t *next = s->grand; /* starts as the shortened pointer */
    DC_TRY(look_up(comm, s));
    DC_TRY(fetch_from_parents(comm, s, s->parent, s->grand));
    for (int64_t i = 0; i < n; i++) s->lowest[i] = s->grand[i];
    for (int i = 0; i < s->n_sides; i++) DC_TRY(look_around(comm, s, &s->side[i]));
    hook_parents(comm, s, next);
    *moved = 0;
    for (int64_t i = 0; i < n; i++) {
        next[i] = DC_MIN(next[i], s->lowest[i]);
        *moved += next[i] != s->parent[i];
        s->parent[i] = next[i];
    }
    dc_comm_sum_i64(comm, moved, 1);
out:
    return st;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

/* number[n]: at the lowest row of each component, its number; returns how many there are. Collective. */
static int64_t number_roots(dc_comm *comm, const search *s, int64_t *number, int64_t *per_rank)
{
    const int P = s->part->P, rank = s->part->rank;
    int64_t all = 0, next = 0;
    for (int64_t i = 0; i < dc_part_rows(s->part); i++) per_rank[rank] += s->parent[i] == s->part->row_lo + i;
    dc_comm_sum_i64(comm, per_rank, (size_t)P);
    for (int r = 0; r < P; r++) {
        if (r == rank) next = all;
        all += per_rank[r];
    }
    for (int64_t i = 0; i < dc_part_rows(s->part); i++)
        if (s->parent[i] == s->part->row_lo + i) number[i] = next++;
    return all;
}

/* size[n] gets the size of each component at its lowest row. Collective. */
static int64_t largest_of(dc_comm *comm, search *s, int64_t *size)
{
    const int64_t n = dc_part_rows(s->part), *row, *given;
    int64_t most = 0;
    memset(size, 0, (size_t)n * sizeof *size);
    memset(s->up.value, 0, (size_t)s->up.m * sizeof *s->up.value);
    for (int64_t i = 0; i < n; i++) {
        const dc_gidx up = s->parent[i];
        ++*(is_here(s, up) ? &size[local(s, up)] : &s->up.value[dc_rows_place(s->up.row, s->up.m, up)]);
    }
    const int64_t m = dc_halo_give(comm, s->up.halo, s->up.value, &row, &given);
    for (int64_t i = 0; i < m; i++) size[row[i]] += given[i];
    for (int64_t i = 0; i < n; i++) most = DC_MAX(most, size[i]);
    dc_comm_max_i64(comm, &most, 1);
    return most;
}

dc_status dc_neighbours_components(dc_comm *comm, const dc_neighbours *g, int64_t *component, int64_t *count,
                                   int64_t *largest)
{
    dc_status st = DC_OK;
    int64_t moved = 1, *per_rank = NULL;
    search s = {.part = g->part, .n_sides = g->symmetry == DC_SYMMETRY_DIRECTED ? 2 : 1};
    DC_TRY_ALL(comm, dc_mem_alloc(&per_rank, (size_t)g->part->P, sizeof *per_rank, "rank table"));
    DC_TRY_ALL(comm, take(&s));
    for (int i = 0; i < s.n_sides; i++) DC_TRY(open_ends(comm, g->part, i == 0 ? &g->out : &g->in, &s.side[i]));
    for (int64_t i = 0; i < dc_part_rows(g->part); i++) s.parent[i] = g->part->row_lo + i;
    while (moved > 0) {
        DC_TRY(round_of(comm, &s, &moved));
        DC_TRY(dc_wish_poll_stop(comm));
    }
    const int64_t all = number_roots(comm, &s, s.grand, per_rank);
    DC_TRY(fetch_from_parents(comm, &s, s.grand, component));
    if (count) *count = all;
    const int64_t most = largest_of(comm, &s, s.lowest);
    if (largest) *largest = most;
out:
    release(&s);
    dc_mem_free(&per_rank);
    return st;
}
