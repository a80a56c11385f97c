/* Spectral embedding by landmarks. With P [N x m] the rows as mixtures of landmarks and s = P'1, the affinities
 * P diag(s)^-1 P' have row sums 1, so their normalised Laplacian has the eigenvalues 1 - sigma^2 and the eigenvectors
 * P diag(s)^-1/2 v / sigma, where sigma^2 and v are those of the m x m matrix diag(s)^-1/2 P'P diag(s)^-1/2. P'P is one
 * sum over all rows; rank 0 solves the small problem. What a row becomes follows from its own mixture alone. Mixtures
 * of a few landmarks work far better than those of all: in many columns, distances to far landmarks differ too little.
 *
 * For GAUSSIAN the mixture is a softmax: of -|x - l|^2 / 2 s^2 only x l / s^2 - |l|^2 / 2 s^2 differs between
 * landmarks. These are taken relative to their mean, which shortens the numbers and changes no difference. */
#include "landmark.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"

/* Share of the largest eigenvalue below which a direction is none. */
static const double RANK = 1e-12;
enum { KMEANS_ITERATIONS = 20 };

typedef struct {
    const dc_rows *rows;
    const dc_spectral_config *cfg;
    const dc_landmarks *to;
    int64_t m, d;
    uint64_t seed;
    float *M;       /* [m x d] landmarks */
    double *square; /* [m x m] their squared distances, then P'P and P'1 */
    double *w;      /* [m] */
    dc_mixtures mix;
    dc_sum *sum;
} work;

double dc_landmark_bytes(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t K)
{
    const double m = (double)cfg->landmarks, threads = omp_get_max_threads(), w = (double)d;
    const double moved =
        cfg->landmark_choice == DC_LANDMARKS_KMEANS
            ? dc_sum_bytes(part, (size_t)(m * (w + 1))) + m * (w + 1) * (sizeof(double) + 4 * sizeof(float))
            : 0;
    return m * w * sizeof(float) + (m * m + 3 * m) * sizeof(double) +
           threads * DC_LANDMARK_TILE * (w + m + (double)K) * sizeof(float) +
           fmax(fmax(dc_sum_bytes(part, (size_t)(m * m + m)), dc_eigh_bytes(cfg->landmarks)), moved);
}

static dc_status take(work *k, int64_t K)
{
    dc_status st = DC_OK;
    const size_t m = (size_t)k->m, d = (size_t)k->d, threads = (size_t)omp_get_max_threads();
    k->mix = (dc_mixtures){.rows = k->rows,
                           .cosine = k->cfg->affinity == DC_AFFINITY_COSINE,
                           .m = k->m,
                           .nearest = DC_MIN(k->cfg->nearest, k->m),
                           .K = K};
    DC_TRY(dc_mem_alloc(&k->M, m * d, sizeof *k->M, "landmarks"));
    DC_TRY(dc_mem_alloc(&k->square, m * m + m, sizeof *k->square, "affinities of landmarks"));
    DC_TRY(dc_mem_alloc(&k->w, 2 * m, sizeof *k->w, "eigenvalues"));
    DC_TRY(dc_mem_alloc(&k->mix.x, threads * DC_LANDMARK_TILE * d, sizeof *k->mix.x, "tiles of rows"));
    DC_TRY(dc_mem_alloc(&k->mix.p, threads * DC_LANDMARK_TILE * m, sizeof *k->mix.p, "mixtures of landmarks"));
    DC_TRY(
        dc_mem_alloc(&k->mix.placed, threads * DC_LANDMARK_TILE * (size_t)K, sizeof *k->mix.placed, "tiles of rows"));
out:
    return st;
}

static void release(work *k)
{
    dc_mem_free(&k->M);
    dc_mem_free(&k->square);
    dc_mem_free(&k->w);
    dc_mem_free(&k->mix.x);
    dc_mem_free(&k->mix.p);
    dc_mem_free(&k->mix.placed);
    dc_sum_destroy(&k->sum);
}

/* ---- Landmarks --------------------------------------------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b)
{
    const dc_gidx x = *(const dc_gidx *)a, y = *(const dc_gidx *)b;
    return (x > y) - (x < y);
}

static void load_row(const dc_rows *rows, int64_t i, float *out)
{
    if (rows->X)
        memcpy(out, rows->X + i * rows->d, (size_t)rows->d * sizeof *out);
    else
        rows->rows(rows->ctx, i, 1, out);
}

/* m different rows, drawn; each has one owner, so the sum over ranks is exact. Collective. */
static dc_status draw(dc_comm *comm, work *k)
{
    dc_status st = DC_OK;
    const dc_part *part = k->rows->part;
    dc_perm perm;
    dc_gidx *row = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&row, (size_t)k->m, sizeof *row, "numbers of landmarks"));
    dc_perm_init(&perm, k->seed, DC_STREAM_SPECTRAL, 0, 0, (uint64_t)part->N);
    for (int64_t l = 0; l < k->m; l++) row[l] = (dc_gidx)dc_perm_at(&perm, (uint64_t)l);
    qsort(row, (size_t)k->m, sizeof *row, compare_rows);
    memset(k->M, 0, (size_t)(k->m * k->d) * sizeof *k->M);
    for (int64_t l = 0; l < k->m; l++)
        if (row[l] >= part->row_lo && row[l] < part->row_hi) load_row(k->rows, row[l] - part->row_lo, k->M + l * k->d);
    dc_comm_sum_f32(comm, k->M, (size_t)(k->m * k->d));
    for (int64_t i = 0; i < k->m * k->d; i++) k->M[i] += 0; /* makes 0 of -0, which only a sum of one rank leaves */
out:
    dc_mem_free(&row);
    return st;
}

/* Moves the drawn landmarks to the centres of k-means that starts from them. Collective. */
static dc_status move_to_centers(dc_comm *comm, work *k, dc_state *state)
{
    dc_status st = DC_OK;
    dc_kmeans_result km = {0};
    dc_state_at(state, "landmarks", 0);
    const dc_kmeans_config cfg = {.K = k->m,
                                  .n_init = 1,
                                  .max_iter = KMEANS_ITERATIONS,
                                  .tol = 1e-4,
                                  .seed = k->seed,
                                  .first = k->M,
                                  .state = state};
    DC_TRY(dc_kmeans(comm, k->rows, &cfg, &km));
    memcpy(k->M, km.centers, (size_t)(k->m * k->d) * sizeof *k->M);
out:
    dc_kmeans_result_release(&km);
    return st;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over the landmarks of the distance to their neighbour with this number. Uses up the squared distances. */
static double median_scale(work *k)
{
    const int64_t m = k->m, number = DC_MIN(k->cfg->scale_neighbor, m - 1);
    dc_landmark_distances(k->M, m, k->d, k->square);
    for (int64_t l = 0; l < m; l++) {
        qsort(k->square + l * m, (size_t)m, sizeof *k->square, compare_doubles);
        k->w[l] = sqrt(k->square[l * m + number]); /* number 0 is the landmark itself */
    }
    qsort(k->w, (size_t)m, sizeof *k->w, compare_doubles);
    return m % 2 ? k->w[m / 2] : (k->w[m / 2 - 1] + k->w[m / 2]) / 2;
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

static void make_gaussian(work *k, double scale)
{
    const int64_t m = k->m, d = k->d;
    const double by = 1 / (scale * scale);
    for (int64_t l = 0; l < m; l++) k->w[l] = 0;
    for (int64_t j = 0; j < d; j++) {
        double mean = 0;
        for (int64_t l = 0; l < m; l++) mean += (double)k->M[l * d + j] / (double)m;
        for (int64_t l = 0; l < m; l++) {
            const double e = (double)k->M[l * d + j] - mean;
            k->to->weight[j * m + l] = (float)(e * by);
            k->w[l] += e * e / 2 + mean * e;
        }
    }
    for (int64_t l = 0; l < m; l++) k->to->bias[l] = (float)(-k->w[l] * by);
}

static void make_cosine(work *k)
{
    const int64_t m = k->m, d = k->d;
    for (int64_t l = 0; l < m; l++) {
        double square = 0;
        for (int64_t j = 0; j < d; j++) square += (double)k->M[l * d + j] * (double)k->M[l * d + j];
        const double by = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t j = 0; j < d; j++) k->to->weight[j * m + l] = (float)((double)k->M[l * d + j] * by);
        k->to->bias[l] = 0;
    }
}

static dc_status make_layer(work *k, dc_spectral *out)
{
    if (k->mix.cosine) {
        make_cosine(k);
        return DC_OK;
    }
    out->scale = k->cfg->scale > 0 ? k->cfg->scale : median_scale(k);
    if (!(out->scale > 0) || !isfinite(out->scale))
        return DC_FAIL(DC_ERR_DATA,
                       "the median distance of a landmark to its neighbour number %lld is %g, too many rows are alike; "
                       "set spectral.scale",
                       (long long)k->cfg->scale_neighbor, out->scale);
    make_gaussian(k, out->scale);
    return DC_OK;
}

/* ---- Eigenproblem ------------------------------------------------------------------------------------------------ */

static dc_status check_finite(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return DC_FAIL(DC_ERR_NUMERIC, "affinities to landmarks are not finite: values of rows are too large, or "
                                           "spectral.scale is too small");
    return DC_OK;
}

/* The matrix of the small problem in place of P'P; w[m + l] becomes s_l^-1/2. */
static void normalise(work *k)
{
    const int64_t m = k->m;
    double *root = k->w + m;
    const double *s = k->square + m * m;
    for (int64_t l = 0; l < m; l++) root[l] = s[l] > 0 ? 1 / sqrt(s[l]) : 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j <= i; j++) k->square[i * m + j] *= root[i] * root[j];
}

/* Column j of the extension belongs to the j-th largest eigenvalue; sqrt(N) brings its numbers near 1. */
static void make_extension(work *k, double N, dc_spectral *out)
{
    const int64_t m = k->m, K = out->K;
    const double *root = k->w + m;
    for (int64_t j = 0; j < out->n_values; j++) out->value[j] = fmax(1 - k->w[m - 1 - j], 0);
    for (int64_t j = 0; j < K; j++) {
        const double value = k->w[m - 1 - j], by = value > RANK * k->w[m - 1] ? sqrt(N / value) : 0;
        const double *v = k->square + (m - 1 - j) * m;
        for (int64_t l = 0; l < m; l++) k->to->extension[l * K + j] = (float)(root[l] * v[l] * by);
    }
}

static dc_status solve(dc_comm *comm, work *k, dc_spectral *out)
{
    dc_status st = DC_OK;
    const int64_t m = k->m;
    DC_TRY(check_finite(k->square, m * m + m)); /* equal on all ranks */
    normalise(k);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_eigh(m, k->square, k->w) : DC_OK);
    if (dc_comm_rank(comm) == 0) make_extension(k, (double)k->rows->part->N, out);
    dc_comm_bcast(comm, k->to->extension, (size_t)(m * out->K) * sizeof *k->to->extension, 0);
    dc_comm_bcast(comm, out->value, (size_t)out->n_values * sizeof *out->value, 0);
out:
    return st;
}

/* Sums P'P over all rows, polling for a stop as often as dc_sum allows: before and after. Collective. */
static dc_status sum_mixtures(dc_comm *comm, work *k)
{
    dc_status st = DC_OK;
    k->mix.weight = k->to->weight;
    k->mix.bias = k->to->bias;
    DC_TRY_ALL(comm, dc_sum_create(&k->sum, k->rows->part, (size_t)(k->m * k->m + k->m)));
    DC_TRY(dc_wish_poll_stop(comm));
    dc_sum_over_blocks(comm, k->sum, dc_landmark_sums, &k->mix, k->square);
    DC_TRY(dc_wish_poll_stop(comm));
    dc_sum_destroy(&k->sum);
out:
    return st;
}

static dc_status place_rows(dc_comm *comm, work *k, dc_spectral *out)
{
    dc_status st = DC_OK;
    k->mix.extension = k->to->extension;
    k->mix.u = out->rows;
    DC_TRY_ALL(comm, dc_sum_create(&k->sum, k->rows->part, 0));
    dc_sum_blocks(k->sum, dc_landmark_place, &k->mix);
out:
    return st;
}

dc_status dc_landmark_embed(dc_comm *comm, const dc_rows *rows, const dc_spectral_config *cfg, uint64_t seed,
                            dc_state *state, const dc_landmarks *landmarks, dc_spectral *out)
{
    dc_status st = DC_OK;
    work k = {.rows = rows, .cfg = cfg, .to = landmarks, .m = cfg->landmarks, .d = rows->d, .seed = seed};
    DC_TRY_ALL(comm, take(&k, out->K));
    DC_TRY(draw(comm, &k));
    if (cfg->landmark_choice == DC_LANDMARKS_KMEANS) DC_TRY(move_to_centers(comm, &k, state));
    DC_TRY(make_layer(&k, out));
    DC_TRY(sum_mixtures(comm, &k));
    DC_TRY(solve(comm, &k, out));
    DC_TRY(place_rows(comm, &k, out));
out:
    release(&k);
    return st;
}
