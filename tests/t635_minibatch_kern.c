/* A step of mini-batch k-means: labels are those of dc_nearest; after any number of batches a centre is the mean of all
 * rows that it got, or their direction on the sphere as the moves define it; scratch stays zero. A finder of nearest
 * centres. Seed 1. threads: 1 2
 */
#include <math.h>
#include <omp.h>

#include "../src/cluster/minibatch_impl.h"
#include "check.h"
#include "dcmpi/rng.h"
#include "t6_help.h"

enum { N = 1100, D = 7, K = 9 };

static void labels(const float *X, float *centers)
{
    dc_km_tiles tiles;
    dc_km_centers images;
    dc_part part;
    int32_t label[N], expected[N];
    double *leaf = t6_alloc(omp_get_max_threads() * (1 + K), sizeof *leaf);
    const int64_t d = D;
    CHECK_OK(dc_part_init(&part, N, 1, 1, 0));
    const dc_rows rows = dc_rows_of_array(&part, X, &d);
    CHECK_OK(dc_km_tiles_init(&tiles, &rows, K, 1));
    CHECK_OK(dc_km_centers_init(&images, K, D));
    dc_km_project(&tiles, centers, K, &images);
    dc_mb_label(&tiles, &images, N, label, leaf);
    dc_nearest(X, centers, N, K, D, expected);
    CHECK(memcmp(label, expected, sizeof label) == 0);
    dc_km_centers_release(&images);
    dc_km_tiles_release(&tiles);
    free(leaf);
}

/* A finder labels as dc_nearest does, equal centres and rows far away included. */
static void finder(int64_t k, int64_t d)
{
    float *rows = t6_alloc(N * d, sizeof *rows), *centers = t6_alloc(k * d, sizeof *centers);
    int32_t label[N], expected[N];
    dc_finder *f;
    t6_normal(rows, N * d, 2, 3, 1);
    t6_normal(centers, k * d, 3, 3, 1);
    memcpy(centers + 4 * d, centers + 2 * d, (size_t)d * sizeof *centers);
    for (int64_t i = 0; i < N; i += 7) rows[i * d + i % d] = ldexpf(i % 2 ? 1 : -1, (int)(i % 250) - 122);
    memcpy(rows, centers + 4 * d, (size_t)d * sizeof *rows);
    CHECK_OK(dc_finder_create(&f, centers, k, d));
    dc_finder_label(f, rows, N, label);
    dc_nearest(rows, centers, N, k, d, expected);
    CHECK(memcmp(label, expected, sizeof label) == 0);
    CHECK_INT(label[0], 2);
    dc_finder_destroy(&f);
    free(rows);
    free(centers);
}

/* Batches of 100 rows with given labels; cluster K - 1 gets none. */
static void moves(const float *X, bool spherical)
{
    const dc_kmeans_config cfg = {.K = K, .spherical = spherical};
    static float centers[K * D];
    static double sum[K * D], total[K * D];
    int64_t count[K] = {0}, more[K] = {0}, dirty = 0;
    int32_t label[N];
    double worst = 0;
    for (int64_t i = 0; i < K * D; i++) centers[i] = 5, total[i] = 0;
    for (int64_t i = 0; i < N; i++) label[i] = (int32_t)(i * i % (K - 1));
    for (int64_t lo = 0; lo < N; lo += 100) dc_mb_move(&cfg, X + lo * D, label + lo, 100, D, centers, count, sum, more);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < D; c++) total[label[i] * D + c] += (double)X[i * D + c];
    for (int64_t k = 0; k < K; k++) {
        double squares = 0;
        for (int64_t c = 0; c < D; c++) squares += (double)centers[k * D + c] * (double)centers[k * D + c];
        for (int64_t c = 0; c < D && !spherical && count[k] > 0; c++)
            worst = fmax(worst, fabs((double)centers[k * D + c] - total[k * D + c] / (double)count[k]));
        if (spherical && count[k] > 0) worst = fmax(worst, fabs(sqrt(squares) - 1));
        dirty += more[k];
    }
    for (int64_t i = 0; i < K * D; i++) dirty += sum[i] != 0;
    CHECK(worst < 1e-5);
    CHECK_INT(dirty, 0);
    CHECK_INT(count[K - 1], 0);
    CHECK(centers[(K - 1) * D] == 5.0F);
}

int main(void)
{
    static float X[N * D], centers[K * D];
    t6_normal(X, N * D, 1, 3, 1);
    for (int64_t i = 0; i < K * D; i++) centers[i] = X[i * 50 % (N * D)];
    labels(X, centers);
    moves(X, false);
    moves(X, true);
    finder(K, D);
    finder(300, 40);
    return check_done();
}
