/* Lanczos iteration on graphs whose eigenvalues are known: cycles (each value twice), tori (four and eight times),
 * several components, more of them than are wanted, a matrix so small that it is solved whole, orders around that
 * limit; residuals and orthogonality of the vectors; the same bits on one rank; a run that is stopped and continues.
 * ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include "../src/cluster/lanczos.h"
#include "../src/cluster/laplacian.h"
#include "check.h"
#include "dcmpi/wish.h"
#include "t6_help.h"

enum { SHARDS = 8, WANT_MAX = 12 };

/* ---- Graphs ------------------------------------------------------------------------------------------------------ */

/* Neighbours of row i of cycles with `size` rows each. */
static void cycle(const int64_t *size, int64_t i, dc_gidx near[4])
{
    int64_t first = 0;
    while (i >= first + *size) first += *size++;
    near[0] = first + (i - first + 1) % *size;
    near[1] = first + (i - first + *size - 1) % *size;
}

/* Of a torus with `side` x `side` rows. */
static void torus(const int64_t *side, int64_t i, dc_gidx near[4])
{
    const int64_t s = *side, y = i / s, x = i % s;
    near[0] = y * s + (x + 1) % s;
    near[1] = y * s + (x + s - 1) % s;
    near[2] = (y + 1) % s * s + x;
    near[3] = (y + s - 1) % s * s + x;
}

typedef struct {
    const char *name;
    void (*near)(const int64_t *shape, int64_t i, dc_gidx near[4]);
    int64_t shape[9], N, degree;
} graph_kind;

/* Lists of neighbours, sorted by number. */
static void lists_of(const graph_kind *k, const dc_part *part, dc_knn *out)
{
    const int64_t n = dc_part_rows(part), d = k->degree;
    *out = (dc_knn){.k = d, .row = t6_alloc(n * d, sizeof *out->row), .square = t6_alloc(n * d, sizeof *out->square)};
    for (int64_t i = 0; i < n; i++) k->near(k->shape, part->row_lo + i, out->row + i * d);
    for (int64_t i = 0; i < n * d; i++) out->square[i] = 1;
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* All eigenvalues of the normalised graph. */
static void expected(const graph_kind *k, double *value)
{
    int64_t at = 0;
    if (k->degree == 4)
        for (int64_t i = 0; i < k->N; i++) {
            const double turn = 2 * M_PI / (double)k->shape[0];
            value[at++] = (cos(turn * (double)(i / k->shape[0])) + cos(turn * (double)(i % k->shape[0]))) / 2;
        }
    else
        for (int c = 0; k->shape[c]; c++)
            for (int64_t j = 0; j < k->shape[c]; j++) value[at++] = cos(2 * M_PI * (double)j / (double)k->shape[c]);
    qsort(value, (size_t)at, sizeof *value, descending);
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_laplacian *graph;
    int64_t calls, stop_at;
} counted;

static dc_status multiply(dc_comm *comm, void *ctx, int64_t width, const double *x, double *y)
{
    counted *c = ctx;
    if (++c->calls == c->stop_at) return DC_STOPPED;
    return dc_laplacian_multiply(comm, c->graph, width, x, y);
}

static dc_status make(dc_comm *comm, const graph_kind *k, dc_part *part, dc_laplacian *out)
{
    dc_knn knn;
    CHECK_OK(dc_part_init(part, k->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    lists_of(k, part, &knn);
    double *scales = t6_alloc(dc_part_rows(part), sizeof *scales);
    const dc_status st = dc_laplacian_create(comm, part, &knn, DC_AFFINITY_NEIGHBORS, scales, out);
    free(knn.row);
    free(knn.square);
    free(scales);
    return st;
}

/* largest |A y - value y|, and largest |y_i y_j - delta_ij|: small numbers, summed as they come. */
static void measure(dc_comm *comm, dc_laplacian *graph, const dc_lanczos *l, int64_t want, double *residual,
                    double *orthogonality)
{
    const int64_t n = dc_part_rows(graph->part);
    double *y = t6_alloc(n * want, sizeof *y), square[WANT_MAX] = {0}, gram[WANT_MAX * WANT_MAX] = {0};
    CHECK_OK(dc_laplacian_multiply(comm, graph, want, l->vector, y));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < want; j++) {
            const double e = y[i * want + j] - l->value[j] * l->vector[i * want + j];
            square[j] += e * e;
            for (int64_t a = 0; a < want; a++) gram[j * want + a] += l->vector[i * want + j] * l->vector[i * want + a];
        }
    dc_comm_sum_f64(comm, square, (size_t)want);
    dc_comm_sum_f64(comm, gram, (size_t)(want * want));
    *residual = *orthogonality = 0;
    for (int64_t j = 0; j < want; j++) {
        *residual = fmax(*residual, sqrt(square[j]));
        for (int64_t a = 0; a < want; a++)
            *orthogonality = fmax(*orthogonality, fabs(gram[j * want + a] - (j == a ? 1 : 0)));
    }
    free(y);
}

static void run(dc_comm *comm, const graph_kind *k, int64_t want, dc_part *part, dc_lanczos *out, bool measures)
{
    dc_laplacian graph;
    double residual, orthogonality;
    CHECK_OK(make(comm, k, part, &graph));
    counted c = {.graph = &graph};
    const dc_lanczos_config cfg = {.part = part, .multiply = multiply, .ctx = &c, .want = want, .seed = 570};
    CHECK_OK(dc_lanczos_run(comm, &cfg, out));
    if (measures) {
        measure(comm, &graph, out, want, &residual, &orthogonality);
        CHECK(out->converged);
        CHECK_NEAR(residual, 0, 2e-9);
        CHECK_NEAR(out->residual, residual, 2e-9);
        CHECK_NEAR(orthogonality, 0, 1e-12);
    }
    dc_laplacian_release(&graph);
}

static void check(dc_comm *comm, dc_comm *alone, const graph_kind *k, int64_t want)
{
    dc_part part, whole;
    dc_lanczos mine, all;
    double *value = t6_alloc(k->N, sizeof *value);
    if (dc_comm_rank(comm) == 0) printf("# %s, %lld rows, %lld wanted\n", k->name, (long long)k->N, (long long)want);
    run(comm, k, want, &part, &mine, true);
    run(alone, k, want, &whole, &all, false);
    expected(k, value);
    CHECK_ARRAY_NEAR(mine.value, value, want, 1e-10);
    CHECK(memcmp(mine.value, all.value, (size_t)want * sizeof *value) == 0);
    const size_t n = (size_t)(dc_part_rows(&part) * want);
    CHECK(n == 0 || memcmp(mine.vector, all.vector + part.row_lo * want, n * sizeof *value) == 0);
    CHECK_INT(mine.products, all.products);
    dc_lanczos_release(&mine);
    dc_lanczos_release(&all);
    free(value);
}

/* ---- Stops ------------------------------------------------------------------------------------------------------- */

/* A checkpoint in memory, of rank 0. */
static struct {
    char *bytes;
    size_t used, at[DC_STATE_ARRAYS_MAX];
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    int n, saves;
} saved;

static dc_status begin(void *ctx, const dc_state *s, const dc_state_array *array, int n)
{
    (void)ctx, (void)s;
    saved.used = 0;
    saved.n = n;
    saved.saves++;
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        saved.array[i] = array[i];
        saved.at[i] = at;
        at += array[i].n * dc_state_type_bytes(array[i].type);
    }
    saved.bytes = realloc(saved.bytes, at + 1);
    return DC_OK;
}
static dc_status put(void *ctx, const void *data, size_t bytes)
{
    (void)ctx;
    memcpy(saved.bytes + saved.used, data, bytes);
    saved.used += bytes;
    return DC_OK;
}
static dc_status end(void *ctx, const dc_state *s, dc_status so_far)
{
    (void)ctx, (void)s;
    return so_far;
}
static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    const size_t size = dc_state_type_bytes(saved.array[index].type);
    (void)ctx;
    memcpy(out, saved.bytes + saved.at[index] + first * size, n * size);
    return DC_OK;
}

/* One run with a state; saves before each product, and stops in product number stop_at (0: goes to its end). */
static dc_status run_kept(dc_comm *comm, const graph_kind *k, int64_t want, int64_t stop_at, bool continues,
                          dc_lanczos *out)
{
    dc_part part;
    dc_laplacian graph;
    dc_state *state = NULL;
    dc_wish *wish = NULL;
    const dc_state_config cfg = {.begin = begin, .put = put, .end = end, .load = load};
    CHECK_OK(make(comm, k, &part, &graph));
    CHECK_OK(dc_wish_create(comm, &wish, &(dc_wish_config){.save_every_s = 1e-9}));
    dc_comm_set_wish(comm, wish);
    counted c = {.graph = &graph, .stop_at = stop_at};
    CHECK_OK(dc_state_create(comm, &state, &cfg, saved.array, continues ? saved.n : 0));
    const dc_lanczos_config lanczos = {
        .part = &part, .multiply = multiply, .ctx = &c, .want = want, .seed = 570, .state = state};
    const dc_status st = dc_lanczos_run(comm, &lanczos, out);
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(&state);
    dc_wish_destroy(&wish);
    dc_laplacian_release(&graph);
    return st;
}

static void check_stop(dc_comm *comm, const graph_kind *k, int64_t want)
{
    dc_part part;
    dc_lanczos whole, again;
    if (dc_comm_rank(comm) == 0) printf("# stopped shortly before its end\n");
    run(comm, k, want, &part, &whole, false);
    CHECK_STATUS(run_kept(comm, k, want, whole.products / DC_LANCZOS_BLOCK - 2, false, &again), DC_STOPPED);
    dc_comm_bcast(comm, &saved.n, sizeof saved.n, 0);
    dc_comm_bcast(comm, saved.array, sizeof saved.array, 0);
    CHECK_INT(saved.n, 3);
    CHECK_OK(run_kept(comm, k, want, 0, true, &again));
    const size_t n = (size_t)(dc_part_rows(&part) * want);
    CHECK_INT(again.products, whole.products);
    CHECK(memcmp(again.value, whole.value, (size_t)want * sizeof *whole.value) == 0);
    CHECK(n == 0 || memcmp(again.vector, whole.vector, n * sizeof *whole.vector) == 0);
    dc_lanczos_release(&again);
    dc_lanczos_release(&whole);
}

int main(void)
{
    dc_comm *comm, *alone;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    const graph_kind ring = {"a cycle", cycle, {300}, 300, 2}, square = {"a torus", torus, {16}, 256, 4},
                     rings = {"three cycles", cycle, {90, 30, 150}, 270, 2},
                     many = {"eight cycles", cycle, {30, 30, 31, 32, 33, 34, 35, 36}, 261, 2},
                     small = {"a small cycle", cycle, {9}, 9, 2}, fits = {"a small cycle", cycle, {42}, 42, 2},
                     above = {"a cycle just above the limit", cycle, {43}, 43, 2};
    check(comm, alone, &ring, 1);
    check(comm, alone, &ring, 7);
    check(comm, alone, &square, 9);
    check(comm, alone, &square, 12);
    check(comm, alone, &rings, 6);
    check(comm, alone, &many, 4);
    check(comm, alone, &small, 5);
    check(comm, alone, &fits, 5);
    check(comm, alone, &above, 5);
    check_stop(comm, &ring, 7);
    free(saved.bytes);
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
