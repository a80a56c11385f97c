/* Principal components of rows that are too wide for one rank to hold their covariance: singular vectors of the rows
 * minus their mean, which ScaLAPACK computes on a grid of ranks. Their bits depend on the number of ranks. */
#include "pca_wide.h"

#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/dla.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

typedef struct {
    const dc_rows *rows;
    const double *mean;
} centred;

static void read_centred(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const centred *c = ctx;
    const int64_t d = c->rows->d;
    if (c->rows->X)
        memcpy(out, c->rows->X + lo * d, (size_t)(n * d) * sizeof *out);
    else
        c->rows->rows(c->rows->ctx, lo, n, out);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) out[i * d + j] = (float)((double)out[i * d + j] - c->mean[j]);
}

static dc_status take(const dc_dla_svd *svd, int64_t N, dc_principal *out)
{
    dc_status st = DC_OK;
    const int64_t k = svd->k, d = out->d;
    DC_TRY(dc_mem_alloc(&out->variance, (size_t)k, sizeof *out->variance, "principal components"));
    DC_TRY(dc_mem_alloc(&out->direction, dc_mul_size((size_t)k, (size_t)d), sizeof *out->direction,
                        "principal components"));
    for (int64_t j = 0; j < k; j++) {
        out->variance[j] = svd->values[j] * svd->values[j] / (double)(N - 1);
        for (int64_t c = 0; c < d; c++) out->direction[j * d + c] = (float)svd->right[c * k + j];
    }
out:
    return st;
}

/* The rank of the rows minus their mean, as floats, is that of their rounding: 10 rows of 17 columns have the rank 10.
 */
static int64_t count_varying(const dc_principal *p)
{
    const double least = dc_principal_rounding(p->d, p->variance[0]);
    int64_t n = 0;
    while (n < p->k && p->variance[n] > least) n++;
    return n;
}

dc_status dc_pca_wide(dc_comm *comm, const dc_rows *rows, int64_t k, dc_principal *out)
{
    dc_status st = DC_OK;
    dc_dla_svd svd = {0};
    *out = (dc_principal){.d = rows->d, .k = k};
    DC_TRY_ALL(comm, dc_mem_alloc(&out->mean, (size_t)rows->d, sizeof *out->mean, "principal components"));
    DC_TRY(dc_moments_total(comm, rows, out->mean, &out->total));
    const centred about = {rows, out->mean};
    const dc_rows Z = {.part = rows->part, .d = rows->d, .rows = read_centred, .ctx = &about};
    DC_TRY(dc_dla_svd_solve(comm, &Z, k, &svd));
    DC_TRY_ALL(comm, take(&svd, rows->part->N, out));
    out->varying = count_varying(out);
    dc_log("scaling   components of %lld columns by ScaLAPACK: residual %.1e, orthogonality %.1e; their bits depend on "
           "the number of ranks",
           (long long)rows->d, svd.residual, svd.orthogonality);
out:
    dc_dla_svd_release(&svd);
    return st;
}

dc_status dc_pca_wide_bytes(const dc_part *part, int64_t d, int64_t k, double *bytes)
{
    dc_dla_plan plan = {0};
    const dc_dla_size size = {
        .task = DC_DLA_SVD, .N = d, .d = d, .rows = part->N, .k = k, .want.dtype = DC_F64, .shards = part->V};
    const dc_status st = dc_dla_plan_make(&size, part->P, &plan);
    *bytes = plan.peak + dc_moments_bytes(part, d) + sizeof(double) * (double)(d + k) +
             sizeof(float) * (double)k * (double)d;
    return st;
}
