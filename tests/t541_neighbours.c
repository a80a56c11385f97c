/* Neighbour graphs against dense twins: union, mutual and directed rows, their transpose, which edges go both ways,
 * rows without edges; values fetched from other ranks; connected components of random graphs, chains in any order,
 * stars and pairs. Fixed seed 541. ranks: 1 3  ranks_long: 2 5 threads: 1 2 */
#include "check.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/neighbours.h"
#include "dcmpi/rng.h"

enum { SHARDS = 8, SEED = 541, N_MAX = 601, K_MAX = 5 };

static dc_gidx list[N_MAX * K_MAX]; /* all rows' neighbours */

/* Any symmetric numbers. */
static double distance(dc_gidx i, dc_gidx j)
{
    return (double)((i + 1) * (j + 1) % 17) + 0.25 * (double)(i + j);
}

static dc_knn lists_of(const dc_part *part, int64_t k)
{
    dc_knn knn = {.k = k};
    const size_t n = (size_t)(dc_part_rows(part) * k);
    CHECK_OK(dc_mem_alloc(&knn.row, n, sizeof *knn.row, "test"));
    CHECK_OK(dc_mem_alloc(&knn.square, n, sizeof *knn.square, "test"));
    for (int64_t e = 0; e < dc_part_rows(part) * k; e++) {
        knn.row[e] = list[part->row_lo * k + e];
        knn.square[e] = distance(part->row_lo + e / k, knn.row[e]);
    }
    return knn;
}

static bool has(int64_t k, int64_t i, int64_t j)
{
    for (int64_t m = 0; m < k; m++)
        if (list[i * k + m] == j) return true;
    return false;
}

static bool is_edge(int64_t k, dc_symmetry symmetry, int64_t i, int64_t j)
{
    const bool a = has(k, i, j), b = has(k, j, i);
    return symmetry == DC_SYMMETRY_UNION ? a || b : symmetry == DC_SYMMETRY_MUTUAL ? a && b : a;
}

/* Compares the rows of `g`, or of the transpose, with what `is_edge` says; returns the number of differences. */
static int64_t compare(const dc_part *part, const dc_edges *g, int64_t k, dc_symmetry symmetry, bool transposed)
{
    int64_t wrong = 0;
    for (int64_t i = part->row_lo; i < part->row_hi; i++) {
        int64_t e = g->start[i - part->row_lo];
        for (int64_t j = 0; j < part->N; j++) {
            if (!(transposed ? is_edge(k, symmetry, j, i) : is_edge(k, symmetry, i, j))) continue;
            wrong +=
                g->column[e] != j || g->square[e] != distance(i, j) || g->both[e] != (has(k, i, j) && has(k, j, i));
            e++;
        }
        wrong += e != g->start[i - part->row_lo + 1];
    }
    return wrong;
}

/* Lowest row of each row's component, by spreading it until nothing changes. */
static void twin_components(int64_t N, int64_t k, dc_symmetry symmetry, int64_t *lowest)
{
    bool moved = true;
    for (int64_t i = 0; i < N; i++) lowest[i] = i;
    while (moved) {
        moved = false;
        for (int64_t i = 0; i < N; i++)
            for (int64_t m = 0; m < k; m++) {
                const int64_t j = list[i * k + m], least = DC_MIN(lowest[i], lowest[j]);
                if (symmetry == DC_SYMMETRY_MUTUAL && !has(k, j, i)) continue;
                moved |= lowest[i] != lowest[j];
                lowest[i] = lowest[j] = least;
            }
    }
}

static void check_components(dc_comm *comm, const dc_neighbours *g, int64_t k)
{
    static int64_t component[N_MAX], lowest[N_MAX], number[N_MAX], size[N_MAX];
    const dc_part *part = g->part;
    int64_t count, largest, wrong = 0, next = 0, most = 0;
    CHECK_OK(dc_neighbours_components(comm, g, component, &count, &largest));
    twin_components(part->N, k, g->symmetry, lowest);
    memset(size, 0, sizeof size);
    for (int64_t i = 0; i < part->N; i++) {
        if (lowest[i] == i) number[i] = next++;
        size[lowest[i]]++;
        most = DC_MAX(most, size[lowest[i]]);
    }
    for (int64_t i = part->row_lo; i < part->row_hi; i++) wrong += component[i - part->row_lo] != number[lowest[i]];
    CHECK_INT(wrong, 0);
    CHECK_INT(count, next);
    CHECK_INT(largest, most);
}

static void check_halo(dc_comm *comm, const dc_neighbours *g)
{
    typedef struct {
        double a, b;
    } pair;
    dc_halo *halo;
    static pair value[N_MAX], far[N_MAX];
    int64_t *place, wrong = 0;
    const dc_part *part = g->part;
    const int64_t n = dc_part_rows(part);
    CHECK_OK(dc_mem_alloc(&place, (size_t)g->out.start[n], sizeof *place, "test"));
    CHECK_OK(dc_halo_of_csr(comm, part, &g->out, place, &halo));
    for (int64_t i = 0; i < n; i++) value[i] = (pair){(double)(part->row_lo + i), -1};
    for (int twice = 0; twice < 2; twice++) CHECK_OK(dc_halo_fetch(comm, halo, sizeof *value, value, far));
    for (int64_t e = 0; e < g->out.start[n]; e++) {
        const pair at = place[e] < n ? value[place[e]] : far[place[e] - n];
        wrong += at.a != (double)g->out.column[e] || at.b != -1 || place[e] >= n + dc_halo_rows(halo);
    }
    CHECK_INT(wrong, 0);
    dc_halo_destroy(&halo);
    dc_mem_free(&place);
}

static void check(dc_comm *comm, const char *what, int64_t N, int64_t k)
{
    static const dc_symmetry kinds[] = {DC_SYMMETRY_DIRECTED, DC_SYMMETRY_UNION, DC_SYMMETRY_MUTUAL};
    dc_part part;
    if (dc_comm_rank(comm) == 0) printf("# %s\n", what);
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    dc_knn knn = lists_of(&part, k);
    for (size_t s = 0; s < DC_COUNT_OF(kinds); s++) {
        dc_neighbours g;
        int64_t edges = 0, isolated = 0;
        CHECK_OK(dc_neighbours_create(comm, &part, &knn, kinds[s], &g));
        CHECK_INT(compare(&part, &g.out, k, kinds[s], false), 0);
        CHECK_INT(compare(&part, &g.in, k, kinds[s], true), 0);
        for (int64_t i = 0; i < N; i++) {
            const int64_t before = edges;
            bool any = false;
            for (int64_t j = 0; j < N; j++) {
                edges += is_edge(k, kinds[s], i, j);
                any |= is_edge(k, kinds[s], j, i);
            }
            isolated += edges == before && !any;
        }
        CHECK_INT(g.edges, edges);
        CHECK_INT(g.isolated, isolated);
        check_components(comm, &g, k);
        check_halo(comm, &g);
        dc_neighbours_release(&g);
    }
    dc_knn_release(&knn);
}

/* Row order[i] points to order[i + 1], the last to the one before. */
static void make_chain(int64_t N, int64_t stride)
{
    for (int64_t i = 0; i < N; i++) list[i * stride % N] = (i + 1 < N ? i + 1 : i - 1) * stride % N;
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int64_t k = 1; k <= K_MAX; k += 2) {
        uint32_t w[4];
        for (int64_t i = 0; i < 300; i++)
            for (int64_t m = 0; m < k; m++) {
                bool taken = true;
                for (uint64_t at = 0; taken; at++) {
                    dc_rng4(SEED, DC_STREAM_TEST, (uint64_t)(i * k + m), at, w);
                    list[i * k + m] = w[0] % 300;
                    taken = list[i * k + m] == i;
                    for (int64_t l = 0; l < m; l++) taken |= list[i * k + l] == list[i * k + m];
                }
            }
        check(comm, k == 1 ? "random, one neighbour" : "random", 300, k);
    }
    make_chain(N_MAX, 1);
    check(comm, "a chain", N_MAX, 1);
    make_chain(N_MAX, 157);
    check(comm, "a chain in another order", N_MAX, 1);
    for (int64_t i = 0; i < N_MAX; i++) list[i] = i == 300 ? 0 : 300;
    check(comm, "a star", N_MAX, 1);
    for (int64_t i = 0; i < 600; i++) list[i] = i ^ 1;
    check(comm, "pairs", 600, 1);
    for (int64_t i = 0; i < 3; i++) list[i] = (i + 1) % 3;
    check(comm, "fewer rows than ranks", 3, 1);
    return check_done_all(&comm);
}
