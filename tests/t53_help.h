/* For the tests of la/dla*.c: symmetric matrices that every rank knows whole, and LAPACK's answers. */
#ifndef DCMPI_TESTS_T53_HELP_H
#define DCMPI_TESTS_T53_HELP_H

#include <float.h>
#include <stdlib.h>

#include "check.h"
#include "dcmpi/dla.h"
#include "dcmpi/rng.h"
#include "la/dla_impl.h"

enum { T53_SHARDS = 8 };

void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
            const int *lwork, int *info, size_t, size_t);

static inline void *t53_alloc(int64_t n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p) abort();
    return p;
}

/* x[n] ~ N(0, 1), a function of seed and index. */
static inline void t53_normal(double *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t w[4];
        double g[2];
        dc_rng4(seed, DC_STREAM_TEST, 0, (uint64_t)i, w);
        dc_rng_normal2(w[0], w[1], g);
        x[i] = g[0];
    }
}

/* A = H A H for a random reflection H = I - 2 v v' / v'v: keeps the eigenvalues. */
static inline void t53_reflect(double *A, int64_t N, uint64_t seed)
{
    double *v = t53_alloc(N, sizeof *v), *u = t53_alloc(N, sizeof *u), square = 0, curve = 0;
    t53_normal(v, N, seed);
    for (int64_t i = 0; i < N; i++) square += v[i] * v[i];
    for (int64_t i = 0; i < N; i++) v[i] /= sqrt(square);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) u[i] += A[i * N + j] * v[j];
    for (int64_t i = 0; i < N; i++) curve += u[i] * v[i];
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) A[i * N + j] += 4 * curve * v[i] * v[j] - 2 * v[i] * u[j] - 2 * u[i] * v[j];
    free(v), free(u);
}

/* A[N x N] with these eigenvalues. */
static inline double *t53_matrix(int64_t N, const double *values, uint64_t seed)
{
    double *A = t53_alloc(N * N, sizeof *A);
    for (int64_t i = 0; i < N; i++) A[i * N + i] = values[i];
    for (uint64_t h = 0; h < 4; h++) t53_reflect(A, N, seed + h);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < i; j++) A[j * N + i] = A[i * N + j];
    return A;
}

static inline double t53_norm1(const double *A, int64_t N)
{
    double most = 0;
    for (int64_t j = 0; j < N; j++) {
        double sum = 0;
        for (int64_t i = 0; i < N; i++) sum += fabs(A[i * N + j]);
        most = fmax(most, sum);
    }
    return most;
}

/* values[N], ascending, of A, which is kept. */
static inline void t53_lapack(const double *A, int64_t N, double *values)
{
    const int n = (int)N, lwork = 64 * n + 64;
    int info;
    double *copy = t53_alloc(N * N, sizeof *copy), *work = t53_alloc(lwork, sizeof *work);
    memcpy(copy, A, (size_t)(N * N) * sizeof *A);
    dsyev_("N", "L", &n, copy, &n, values, work, &lwork, &info, 1, 1);
    if (info != 0) abort();
    free(copy), free(work);
}

/* A matrix that every rank knows, as its rows. */
typedef struct {
    const double *A;
    dc_part part;
} t53_rows;

static inline void t53_give(const void *ctx, int64_t lo, int64_t n, double *out)
{
    const t53_rows *r = ctx;
    memcpy(out, r->A + (r->part.row_lo + lo) * r->part.N, (size_t)(n * r->part.N) * sizeof *out);
}

static inline dc_dla_matrix t53_of(dc_comm *comm, const double *A, int64_t N, t53_rows *rows)
{
    rows->A = A;
    CHECK_OK(dc_part_init(&rows->part, N, T53_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    return (dc_dla_matrix){.part = &rows->part, .rows = t53_give, .ctx = rows};
}

/* All rows of an array of which this rank has [n x k]. */
static inline double *t53_gather(dc_comm *comm, const dc_part *part, const double *own, int64_t k)
{
    double *all = t53_alloc(part->N * k, sizeof *all);
    size_t *bytes = t53_alloc(part->P, sizeof *bytes);
    for (int r = 0; r < part->P; r++)
        bytes[r] = (size_t)((dc_part_shard_begin(part, dc_part_rank_shard(part, r + 1)) -
                             dc_part_shard_begin(part, dc_part_rank_shard(part, r))) *
                            k) *
                   sizeof *all;
    dc_comm_allgatherv(comm, own, all, bytes);
    free(bytes);
    return all;
}

/* max |v_i'v_j - delta_ij| of V[N x k]. */
static inline double t53_orthogonality(const double *V, int64_t N, int64_t k)
{
    double most = 0;
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b <= a; b++) {
            double sum = 0;
            for (int64_t i = 0; i < N; i++) sum += V[i * k + a] * V[i * k + b];
            most = fmax(most, fabs(sum - (a == b)));
        }
    return most;
}

/* max |A v_j - values_j v_j| of V[N x k]. */
static inline double t53_residual(const double *A, const double *V, const double *values, int64_t N, int64_t k)
{
    double most = 0;
    for (int64_t a = 0; a < k; a++) {
        double square = 0;
        for (int64_t i = 0; i < N; i++) {
            double sum = -values[a] * V[i * k + a];
            for (int64_t j = 0; j < N; j++) sum += A[i * N + j] * V[j * k + a];
            square += sum * sum;
        }
        most = fmax(most, sqrt(square));
    }
    return most;
}

#endif
