/* Kernels of k-means against naive loops, over odd sizes. Rows lie near one of the centres, which lie far apart, so
 * that rounding decides nothing. Seed 1. */
#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

/* Row i of restart-independent data: centre (7 i mod K) of the first restart plus noise. */
static void make_rows(float *X, const float *M, int64_t n, int64_t K, int64_t d)
{
    t6_normal(X, n * d, 1, 0, 0.1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++) X[i * d + c] += M[7 * i % K * d + c];
}

/* Centres 10 apart in the first component. */
static void make_centers(float *M, int64_t K, int64_t d)
{
    t6_normal(M, K * d, 2, 0, 1);
    for (int64_t k = 0; k < K; k++) M[k * d] = 10 * (float)(k * 11 % K) - 5 * (float)K;
}

static void check_lloyd(const dc_km_tiles *t, const dc_block *block, const float *X, const dc_km_centers *M,
                        int64_t groups)
{
    const int64_t K = t->K, d = t->d, m = groups * K;
    double *leaf = t6_alloc(m * (d + 1), sizeof *leaf), *expected = t6_alloc(m * (d + 1), sizeof *expected);
    int32_t *label = t6_alloc(block->hi, sizeof *label);
    for (int64_t g = 0; g < groups; g++) {
        ref_nearest(X, M->at + g * K * d, block->hi, K, d, label);
        for (int64_t i = block->lo; i < block->hi; i++) {
            expected[m * d + g * K + label[i]] += 1;
            for (int64_t c = 0; c < d; c++) expected[(g * K + label[i]) * d + c] += (double)X[i * d + c];
        }
    }
    dc_km_lloyd ctx = {t, M, groups, NULL};
    dc_km_block_lloyd(&ctx, block, 0, leaf);
    CHECK_ARRAY_NEAR(leaf, expected, m * (d + 1), 1e-9);
    free(leaf), free(expected), free(label);
}

static void check_assign(const dc_km_tiles *t, const dc_block *block, const float *X, const dc_km_centers *M)
{
    const int64_t K = t->K, d = t->d, n = block->hi;
    double *leaf = t6_alloc(K + 1, sizeof *leaf), inertia = 0;
    int32_t *label = t6_alloc(n, sizeof *label), *expected = t6_alloc(n, sizeof *expected);
    float *distance = t6_alloc(n, sizeof *distance);
    int wrong = 0;
    dc_km_assign ctx = {t, M, label, distance};
    dc_km_block_assign(&ctx, block, 0, leaf);
    ref_nearest(X, M->at, n, K, d, expected);
    for (int64_t i = block->lo; i < n; i++) {
        const double v = ref_distance(X + i * d, M->at + expected[i] * d, d);
        wrong += label[i] != expected[i] || distance[i] != (float)v;
        inertia += v;
    }
    CHECK(wrong <= (int)(n / 1000)); /* a distance may round to the next float */
    CHECK_NEAR(leaf[0], inertia, 1e-12 * inertia);
    free(leaf), free(label), free(expected), free(distance);
}

/* Where |x|^2 - 2 x.c + |c|^2 in float lies. With u = 2^-24 and s = |x|^2 + |c|^2 it is off by at most (d + 4) u s: d
 * for the products, 1 for the two norms, 1 for their sum, 2 for the last addition, as |result| <= 2 s. Rounding errors
 * of d products add up like sqrt(d) (Higham and Mary 2019), so twice (sqrt(d) + 4) u s holds for every order of
 * summation; below d = 11 it is above the strict bound. What is not above it counts as 0. */
typedef struct {
    double low, high;
} interval;

static interval distance_range(const float *x, const float *c, int64_t d)
{
    const double exact = ref_distance(x, c, d);
    double scale = 0;
    for (int64_t i = 0; i < d; i++) scale += (double)x[i] * (double)x[i] + (double)c[i] * (double)c[i];
    const double rounding = 0x1p-23 * (4 + sqrt((double)d)) * scale;
    return (interval){exact > 2 * rounding ? exact - rounding : 0, exact + rounding};
}

static bool is_in(double v, interval range)
{
    const bool ok = range.low <= v && v <= range.high;
    if (!ok) printf("# %.17g is not in [%.17g, %.17g]\n", v, range.low, range.high);
    return ok;
}

/* One centre per restart: the first ones of M. */
static void check_lower(const dc_km_tiles *t, const float *X, const dc_km_centers *M, int64_t restarts, float *d_min)
{
    const int64_t d = t->d, n = dc_part_rows(t->rows->part), blocks = (int64_t)t->rows->part->n_blocks;
    double *mass = t6_alloc(blocks * restarts, sizeof *mass);
    int64_t wrong = 0;
    for (int64_t i = 0; i < restarts * n; i++) d_min[i] = INFINITY;
    dc_km_lower(t, M, restarts, d_min, mass);
    for (int64_t r = 0; r < restarts; r++) {
        double sum = 0, all = 0;
        for (int64_t i = 0; i < n; i++) {
            wrong += !is_in((double)d_min[r * n + i], distance_range(X + i * d, M->at + r * d, d));
            sum += (double)d_min[r * n + i];
        }
        for (int64_t b = 0; b < blocks; b++) all += mass[b * restarts + r];
        CHECK_NEAR(all, sum, 1e-12 * sum);
    }
    CHECK_INT(wrong, 0);
    free(mass);
}

/* Candidate j of restart r is centre (trials r + j) mod m; for j = r = 0 it is the newest centre again. */
static void check_potential(const dc_km_tiles *t, const float *X, const float *M, int64_t m, int64_t restarts,
                            const float *d_min)
{
    const int64_t d = t->d, n = dc_part_rows(t->rows->part), trials = 3;
    double *leaf = t6_alloc(restarts * trials, sizeof *leaf);
    float *candidates = t6_alloc(restarts * trials * d, sizeof *candidates);
    dc_km_centers image;
    dc_block block = {0};
    for (int64_t j = 0; j < restarts * trials; j++)
        memcpy(candidates + j * d, M + j % m * d, (size_t)d * sizeof *candidates);
    CHECK_OK(dc_km_centers_init(&image, restarts * trials, d));
    dc_km_project(t, candidates, restarts * trials, &image);
    dc_km_potential ctx = {t, &image, d_min, restarts, trials};
    while (dc_part_next_block(t->rows->part, &block)) dc_km_block_potential(&ctx, &block, 0, leaf);
    for (int64_t j = 0; j < restarts * trials; j++) {
        interval range = {0, 0};
        for (int64_t i = 0; i < n; i++) {
            const interval one = distance_range(X + i * d, candidates + j * d, d);
            const double before = (double)d_min[j / trials * n + i];
            range.low += fmin(before, one.low), range.high += fmin(before, one.high);
        }
        CHECK(is_in(leaf[j], (interval){range.low * (1 - 1e-12), range.high * (1 + 1e-12)}));
    }
    dc_km_centers_release(&image);
    free(leaf), free(candidates);
}

/* A row that is a centre itself has no mass. */
static void check_copy(const dc_km_tiles *t, const float *X)
{
    const int64_t n = dc_part_rows(t->rows->part);
    float *d_min = t6_alloc(n, sizeof *d_min);
    dc_km_centers image;
    double *mass = t6_alloc((int64_t)t->rows->part->n_blocks, sizeof *mass);
    for (int64_t i = 0; i < n; i++) d_min[i] = INFINITY;
    CHECK_OK(dc_km_centers_init(&image, 1, t->d));
    dc_km_project(t, X, 1, &image);
    dc_km_lower(t, &image, 1, d_min, mass);
    CHECK(d_min[0] == 0);
    dc_km_centers_release(&image);
    free(d_min), free(mass);
}

static void check_seeding(const dc_km_tiles *t, const float *X, const dc_km_centers *M, int64_t restarts)
{
    const int64_t n = dc_part_rows(t->rows->part);
    float *d_min = t6_alloc(restarts * n, sizeof *d_min);
    check_lower(t, X, M, restarts, d_min);
    check_potential(t, X, M->at, restarts * t->K, restarts, d_min);
    if (n > 0) check_copy(t, X);
    free(d_min);
}

static void sizes(int64_t n, int64_t K, int64_t d, int64_t groups)
{
    float *X = t6_alloc(n * d, sizeof *X), *M = t6_alloc(groups * K * d, sizeof *M);
    dc_part part;
    dc_km_tiles tiles;
    dc_km_centers image;
    printf("# n %lld K %lld d %lld groups %lld\n", (long long)n, (long long)K, (long long)d, (long long)groups);
    make_centers(M, K, d);
    make_rows(X, M, n, K, d);
    for (int64_t g = 1; g < groups; g++)
        for (int64_t k = 0; k < K; k++) memcpy(M + (g * K + k) * d, M + (k + g) % K * d, (size_t)d * sizeof *M);
    CHECK_OK(dc_part_init(&part, n, 1, 1, 0));
    const dc_rows rows = dc_rows_of_array(&part, X, &d);
    CHECK_OK(dc_km_tiles_init(&tiles, &rows, K, (int)groups));
    const dc_block block = {.lo = n / 3, .hi = n};
    CHECK_OK(dc_km_centers_init(&image, groups * K, d));
    dc_km_project(&tiles, M, groups * K, &image);
    check_lloyd(&tiles, &block, X, &image, groups);
    check_assign(&tiles, &block, X, &image);
    check_seeding(&tiles, X, &image, groups);
    dc_km_centers_release(&image);
    dc_km_tiles_release(&tiles);
    free(X), free(M);
}

/* Labels that are kept by bounds are those of a search among all centres, while the centres move less and less; one of
 * them jumps. */
static void stays(int64_t n, int64_t K, int64_t d, double noise)
{
    enum { PASSES = 9 };
    float *X = t6_alloc(n * d, sizeof *X), *M = t6_alloc(K * d, sizeof *M), *move = t6_alloc(K * d, sizeof *move);
    double *leaf = t6_alloc(K * (d + 1), sizeof *leaf);
    int32_t *label = t6_alloc(n, sizeof *label);
    int64_t wrong = 0, stayed = 0;
    dc_part part;
    dc_km_tiles tiles;
    dc_km_centers image;
    dc_km_stay y;
    t6_normal(M, K * d, 3, 0, 1);
    t6_normal(X, n * d, 4, 0, noise);
    for (int64_t i = 0; i < n * d; i++) X[i] += M[i / d % K * d + i % d];
    CHECK_OK(dc_part_init(&part, n, 1, 1, 0));
    const dc_rows rows = dc_rows_of_array(&part, X, &d);
    CHECK_OK(dc_km_tiles_init(&tiles, &rows, K, 1));
    CHECK_OK(dc_km_runs_init(&image, &tiles, K, K));
    CHECK_OK(dc_km_stay_init(&y, n, K, d));
    for (int pass = 0; pass < PASSES; pass++) {
        t6_normal(move, K * d, (uint64_t)(5 + pass), 0, ldexp(0.1, -pass));
        for (int64_t i = 0; i < K * d; i++) M[i] += move[i];
        if (pass == PASSES - 2)
            for (int64_t c = 0; c < d; c++) M[c] = M[(K - 1) * d + c] + 0.01F;
        dc_km_project(&tiles, M, K, &image);
        dc_km_stay_move(&y, &tiles, &image, 0);
        dc_km_stay *const all[] = {&y};
        dc_km_lloyd ctx = {&tiles, &image, 1, all};
        dc_block block = {0};
        while (dc_part_next_block(&part, &block)) dc_km_block_lloyd(&ctx, &block, 0, leaf);
        stayed += y.stayed;
        dc_km_stay_judge(&y);
        ref_nearest(X, M, n, K, d, label);
        for (int64_t i = 0; i < n; i++) wrong += y.label[i] != label[i];
    }
    CHECK_INT(wrong, 0);
    const bool used = dc_km_rough_pays(K, d);
    printf("# %lld of %lld labels kept\n", (long long)stayed, (long long)(PASSES * n));
    CHECK(used == (stayed > n / 2));
    dc_km_stay_release(&y);
    dc_km_centers_release(&image);
    dc_km_tiles_release(&tiles);
    free(X), free(M), free(move), free(leaf), free(label);
}

int main(void)
{
    static const int64_t rows[] = {0, 1, 2, 255, 256, 257, 1021, 4097};
    for (size_t i = 0; i < DC_COUNT_OF(rows); i++) sizes(rows[i], 10, 7, 3);
    sizes(300, 1, 1, 1);
    sizes(300, 3, 1, 40);
    sizes(300, 7, 16, 20);
    sizes(300, 100, 785, 12);
    sizes(500, 1031, 17, 2);
    stays(3000, 70, 8, 0.5);
    stays(2001, 331, 50, 1);
    return check_done();
}
