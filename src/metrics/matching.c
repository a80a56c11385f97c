/* Finds which cluster should stand for which class so that as many rows as possible agree. This is a matching of
 * largest weight in a sparse bipartite graph, whose edges are the cells of the table of counts that have rows.
 *
 * The members of the smaller side are matched one after another, along shortest augmenting paths in reduced costs (Kuhn
 * 1955; Dijkstra's search in reduced costs: Tomizawa 1971, Edmonds and Karp 1972). Prices u, v >= 0 always satisfy u_i
 * + v_j >= w_ij, with equality on matched edges. A path ends at a free member of the larger side, which has v = 0, or
 * at a member of the smaller side that is better left unmatched. All arithmetic is in integers, hence exact. */
#include "dcmpi/metrics.h"

#include "dcmpi/mem.h"

#include <string.h>

/* An edge, seen from a member of the smaller side. */
typedef struct {
    int64_t to; /* member of the larger side */
    int64_t weight;
} edge;

struct dc_matching {
    bool turned;       /* the classes are the smaller side */
    int64_t n, m;      /* members of the smaller and of the larger side that have rows */
    int64_t *name;     /* [n + m] their numbers in the counts, ascending on each side; freed once the edges are made */
    int64_t *first;    /* [n + 1] edges of member i are [first[i], first[i + 1]) */
    edge *edge;        /* [n_edges] */
    int64_t *u, *v;    /* [n], [m] prices */
    int64_t *mate;     /* [n] matched member of the larger side, -1: none */
    int64_t *mate_of;  /* [m] */
    int64_t *distance; /* [m] from the root of this search */
    int64_t *from;     /* [m] the member of the smaller side just before this one on the shortest path */
    int64_t *place;    /* [m] index in the heap, or NOT_REACHED or FINAL */
    int64_t *heap;     /* [m] members by distance, the nearest on top */
    int64_t *reached;  /* [m] members whose distance and place are set */
    int64_t n_heap, n_reached;
    int64_t next; /* member of the smaller side to search from next */
    int64_t looks;
};
enum { NOT_REACHED = -1, FINAL = -2 };

/* ---- Graph ------------------------------------------------------------------------------------------------------- */

static int compare_i64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Reduces v[n] to its distinct values in ascending order; returns how many. */
static int64_t sort_unique(int64_t *v, int64_t n)
{
    int64_t kept = 0;
    if (n > 0) qsort(v, (size_t)n, sizeof *v, compare_i64);
    for (int64_t i = 0; i < n; i++)
        if (kept == 0 || v[i] != v[kept - 1]) v[kept++] = v[i];
    return kept;
}

static int64_t index_of(const int64_t *sorted, int64_t n, int64_t value)
{
    const int64_t *found = bsearch(&value, sorted, (size_t)n, sizeof value, compare_i64);
    return found - sorted;
}

/* Finds the members of both sides; *names: classes, then clusters. */
static dc_status find_members(const dc_counts *c, int64_t **names, int64_t *classes, int64_t *clusters)
{
    const int64_t cells = (int64_t)c->n;
    const dc_status st = dc_mem_alloc(names, 2 * c->n, sizeof **names, "matching: members");
    if (st != DC_OK) return st;
    int64_t *first = *names, *second = *names + cells;
    for (int64_t i = 0; i < cells; i++) first[i] = c->cell[i].class_, second[i] = c->cell[i].cluster;
    *classes = sort_unique(first, cells);
    *clusters = sort_unique(second, cells);
    memmove(first + *classes, second, (size_t)*clusters * sizeof *second);
    return DC_OK;
}

static dc_status find_sides(dc_matching *m, const dc_counts *c)
{
    int64_t *names = NULL, classes, clusters;
    dc_status st = find_members(c, &names, &classes, &clusters);
    if (st == DC_OK) st = dc_mem_alloc(&m->name, (size_t)(classes + clusters), sizeof *m->name, "matching: members");
    if (st == DC_OK) {
        m->turned = classes < clusters;
        m->n = m->turned ? classes : clusters;
        m->m = m->turned ? clusters : classes;
        memcpy(m->name, m->turned ? names : names + classes, (size_t)m->n * sizeof *names);
        memcpy(m->name + m->n, m->turned ? names + classes : names, (size_t)m->m * sizeof *names);
    }
    dc_mem_free(&names);
    return st;
}

static int64_t small_end(const dc_matching *m, const dc_cell *cell)
{
    return index_of(m->name, m->n, m->turned ? cell->class_ : cell->cluster);
}

/* Sorts the edges by member. Each member starts with its largest edge weight as its price. */
static dc_status take_edges(dc_matching *m, const dc_counts *c)
{
    dc_status st = DC_OK;
    int64_t *at = NULL;
    DC_TRY(dc_mem_alloc(&m->first, (size_t)m->n + 1, sizeof *m->first, "matching: edges"));
    DC_TRY(dc_mem_alloc(&m->edge, c->n, sizeof *m->edge, "matching: edges"));
    DC_TRY(dc_mem_alloc(&at, (size_t)m->n + 1, sizeof *at, "matching: edges"));
    for (size_t e = 0; e < c->n; e++) m->first[small_end(m, &c->cell[e]) + 1]++;
    for (int64_t i = 0; i < m->n; i++) m->first[i + 1] += m->first[i];
    memcpy(at, m->first, ((size_t)m->n + 1) * sizeof *at);
    for (size_t e = 0; e < c->n; e++) {
        const dc_cell *cell = &c->cell[e];
        const int64_t i = small_end(m, cell);
        const int64_t to = index_of(m->name + m->n, m->m, m->turned ? cell->cluster : cell->class_);
        m->edge[at[i]++] = (edge){.to = to, .weight = cell->rows};
        m->u[i] = DC_MAX(m->u[i], cell->rows);
    }
out:
    dc_mem_free(&at);
    return st;
}

static dc_status take_memory(dc_matching *m)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)m->n, large = (size_t)m->m, size = sizeof(int64_t);
    DC_TRY(dc_mem_alloc(&m->u, n, size, "matching: prices"));
    DC_TRY(dc_mem_alloc(&m->v, large, size, "matching: prices"));
    DC_TRY(dc_mem_alloc(&m->mate, n, size, "matching: mates"));
    DC_TRY(dc_mem_alloc(&m->mate_of, large, size, "matching: mates"));
    DC_TRY(dc_mem_alloc(&m->distance, large, size, "matching: distances"));
    DC_TRY(dc_mem_alloc(&m->from, large, size, "matching: paths"));
    DC_TRY(dc_mem_alloc(&m->place, large, size, "matching: heap"));
    DC_TRY(dc_mem_alloc(&m->heap, large, size, "matching: heap"));
    DC_TRY(dc_mem_alloc(&m->reached, large, size, "matching: heap"));
    for (size_t i = 0; i < n; i++) m->mate[i] = -1;
    for (size_t j = 0; j < large; j++) m->mate_of[j] = -1, m->place[j] = NOT_REACHED;
out:
    return st;
}

dc_status dc_matching_create(dc_matching **out, const dc_counts *c)
{
    dc_status st = DC_OK;
    dc_matching *m = NULL;
    DC_TRY(dc_mem_alloc(&m, 1, sizeof *m, "matching"));
    DC_TRY(find_sides(m, c));
    DC_TRY(take_memory(m));
    DC_TRY(take_edges(m, c));
    dc_mem_free(&m->name);
out:
    if (st != DC_OK) dc_matching_destroy(&m);
    *out = m;
    return st;
}

void dc_matching_destroy(dc_matching **matching)
{
    dc_matching *m = *matching;
    if (!m) return;
    int64_t **const arrays[] = {&m->name,     &m->first, &m->u,     &m->v,    &m->mate,   &m->mate_of,
                                &m->distance, &m->from,  &m->place, &m->heap, &m->reached};
    for (size_t i = 0; i < DC_COUNT_OF(arrays); i++) dc_mem_free(arrays[i]);
    dc_mem_free(&m->edge);
    dc_mem_free(matching);
}

/* ---- Heap -------------------------------------------------------------------------------------------------------- */

static void put(dc_matching *m, int64_t at, int64_t j)
{
    m->heap[at] = j;
    m->place[j] = at;
}

static void rise(dc_matching *m, int64_t at)
{
    const int64_t j = m->heap[at];
    for (; at > 0 && m->distance[m->heap[(at - 1) / 2]] > m->distance[j]; at = (at - 1) / 2)
        put(m, at, m->heap[(at - 1) / 2]);
    put(m, at, j);
}

/* Removes the nearest member from the heap; its distance is final. */
static int64_t take_nearest(dc_matching *m)
{
    const int64_t nearest = m->heap[0], last = m->heap[--m->n_heap];
    int64_t at = 0;
    m->place[nearest] = FINAL;
    if (m->n_heap == 0) return nearest;
    for (int64_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && m->distance[m->heap[child + 1]] < m->distance[m->heap[child]]) child++;
        if (m->distance[m->heap[child]] >= m->distance[last]) break;
        put(m, at, m->heap[child]);
    }
    put(m, at, last);
    return nearest;
}

/* ---- Search ------------------------------------------------------------------------------------------------------ */

/* Where the shortest path found so far ends: at a free member of the larger side, or at a member of the smaller side
 * that gives up its mate (or never gets one). */
typedef struct {
    int64_t length;
    int64_t free, left; /* one of them is -1 */
} path_end;

static void lower(dc_matching *m, int64_t j, int64_t distance)
{
    m->distance[j] = distance;
    if (m->place[j] == NOT_REACHED) {
        m->reached[m->n_reached++] = j;
        put(m, m->n_heap++, j);
    }
    rise(m, m->place[j]);
}

/* Tries the paths through member i, which is `distance` away. */
static void look_from(dc_matching *m, int64_t i, int64_t distance, path_end *end)
{
    if (distance + m->u[i] < end->length) *end = (path_end){.length = distance + m->u[i], .free = -1, .left = i};
    m->looks += m->first[i + 1] - m->first[i];
    for (int64_t e = m->first[i]; e < m->first[i + 1]; e++) {
        const int64_t j = m->edge[e].to, length = distance + m->u[i] + m->v[j] - m->edge[e].weight;
        if (m->place[j] == FINAL || length >= end->length) continue;
        if (m->place[j] != NOT_REACHED && length >= m->distance[j]) continue;
        m->from[j] = i;
        if (m->mate_of[j] < 0)
            *end = (path_end){.length = length, .free = j, .left = -1};
        else
            lower(m, j, length);
    }
}

/* Changes the prices of members nearer than the path's length. Then u_i + v_j = w_ij on the edges of the path, and u_i
 * + v_j >= w_ij still holds everywhere. */
static void set_prices(dc_matching *m, int64_t root, int64_t length)
{
    m->u[root] -= length;
    for (int64_t k = 0; k < m->n_reached; k++) {
        const int64_t j = m->reached[k], i = m->mate_of[j];
        if (m->place[j] == FINAL) {
            m->u[i] -= length - m->distance[j];
            m->v[j] += length - m->distance[j];
        }
        m->place[j] = NOT_REACHED;
    }
    m->n_reached = m->n_heap = 0;
}

/* Rematches the members on the path, from its end back to the root. */
static void change_mates(dc_matching *m, int64_t root, const path_end *end)
{
    int64_t j = end->free;
    if (end->left == root) return;
    if (end->left >= 0) {
        j = m->mate[end->left];
        m->mate[end->left] = -1;
    }
    for (int64_t i = -1; i != root;) {
        i = m->from[j];
        const int64_t before = m->mate[i];
        m->mate[i] = j;
        m->mate_of[j] = i;
        j = before;
    }
}

static void search_from(dc_matching *m, int64_t root)
{
    path_end end = {.length = INT64_MAX, .free = -1, .left = -1};
    look_from(m, root, 0, &end);
    while (m->n_heap > 0 && m->distance[m->heap[0]] < end.length) {
        const int64_t j = take_nearest(m);
        look_from(m, m->mate_of[j], m->distance[j], &end);
    }
    set_prices(m, root, end.length);
    change_mates(m, root, &end);
}

bool dc_matching_step(dc_matching *m)
{
    const int64_t enough = m->looks + DC_MATCHING_STEP;
    while (m->next < m->n && m->looks < enough) search_from(m, m->next++);
    return m->next < m->n;
}

int64_t dc_matching_work(const dc_matching *m)
{
    return m->looks;
}

static int64_t weight_of(const dc_matching *m, int64_t i)
{
    for (int64_t e = m->first[i]; e < m->first[i + 1]; e++)
        if (m->edge[e].to == m->mate[i]) return m->edge[e].weight;
    return 0;
}

int64_t dc_matching_rows(const dc_matching *m)
{
    int64_t rows = 0;
    for (int64_t i = 0; i < m->n; i++)
        if (m->mate[i] >= 0) rows += weight_of(m, i);
    return rows;
}
