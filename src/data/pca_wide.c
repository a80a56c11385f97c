/* Principal components of more rows and columns than one rank can hold a covariance of: singular vectors of the rows
 * minus their mean, which ScaLAPACK computes on a grid of ranks. Their bits depend on the number of ranks.
 *
 * ScaLAPACK is told how many to compute. For a share of the variance, the range finder (singular.h) first finds a
 * number that is enough: the variance in any k directions is at most that of the k leading components. Of these the
 * fewest that hold the share are kept. Variances of two grids differ by rounding, which a margin keeps out of the
 * count. If the most directions that are possible miss the share by little, the components themselves decide; by more
 * than the range finder may miss, the share is refused before they are computed. */
#include "pca_wide.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/dla.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/singular.h"

/* A share counts as held if it is exceeded by this part of it: far more than rounding, far less than anybody means. */
static const double MARGIN = 1e-9;
/* Of the variance of as many leading components, the directions of the range finder hold at least 0.9: after six passes
 * over 1,200 x 1,200 Gaussian numbers 200 of them hold 0.988. */
static const double FOUND = 0.9;

/* ---- How many are enough ----------------------------------------------------------------------------------------- */

static bool holds(double sum, double margin, const dc_principal_wanted *wanted, double total)
{
    return sum > (1 + margin) * wanted->variance * total;
}

/* The first number of directions that holds the share, by twice the margin; 0: k do not. Adds up their variances in
 * *sum. */
static int64_t count_holding(const dc_singular *s, const dc_principal_wanted *wanted, int64_t N, double *sum)
{
    *sum = 0;
    for (int64_t j = 0; j < s->k; j++) {
        *sum += s->value[j] * s->value[j] / (double)(N - 1);
        if (holds(*sum, 2 * MARGIN, wanted, s->total)) return j + 1;
    }
    return 0;
}

static dc_status fail_share(const dc_principal_wanted *wanted, int64_t k, const char *about, double share)
{
    return DC_FAIL(
        DC_ERR_USAGE,
        "input.variance = %g: the %lld largest principal components, the most that are computed of more than "
        "%d rows and columns, hold %s%.4g of the variance; lower input.variance or set input.components",
        wanted->variance, (long long)k, (int)DC_PRINCIPAL_MAX, about, share);
}

/* *k: as many components as surely hold the share, found with more and more directions; all there can be if that is not
 * sure. Collective. */
static dc_status find_enough(dc_comm *comm, const dc_rows *rows, const dc_principal_wanted *wanted, int64_t most,
                             int64_t *k)
{
    enum { FIRST = 64, TIMES = 4 };
    dc_status st = DC_OK;
    dc_singular s = {0};
    const int64_t N = rows->part->N;
    double sum = 0;
    *k = 0;
    for (int64_t l = wanted->variance < 1 ? DC_MIN((int64_t)FIRST, most) : most; *k == 0; l = DC_MIN(TIMES * l, most)) {
        dc_singular_release(&s);
        DC_TRY(dc_singular_create(comm, rows, &(dc_singular_wanted){.k = l, .about_mean = true}, &s));
        *k = count_holding(&s, wanted, N, &sum);
        if (*k > 0 || l < most) continue;
        if (most < DC_MIN(N, rows->d) && sum < FOUND * wanted->variance * s.total)
            DC_TRY(fail_share(wanted, most, "about ", sum / s.total));
        *k = most;
    }
out:
    dc_singular_release(&s);
    return st;
}

/* ---- The components ---------------------------------------------------------------------------------------------- */

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

/* Keeps as few as hold the share, or all that vary: then these must be all there are. */
static dc_status keep_share(const dc_principal_wanted *wanted, int64_t all, dc_principal *p)
{
    double sum = 0;
    int64_t k = 0;
    while (k < p->varying && !holds(sum, MARGIN, wanted, p->total)) sum += p->variance[k++];
    if (k == p->k && k < all && !holds(sum, MARGIN, wanted, p->total) && sum < (1 - MARGIN) * p->total)
        return fail_share(wanted, k, "", sum / p->total);
    p->k = k;
    return DC_OK;
}

dc_status dc_pca_wide(dc_comm *comm, const dc_rows *rows, const dc_principal_wanted *wanted, int64_t most,
                      dc_principal *out)
{
    dc_status st = DC_OK;
    dc_dla_svd svd = {0};
    const int64_t all = DC_MIN((int64_t)rows->part->N, rows->d);
    *out = (dc_principal){.d = rows->d};
    DC_TRY_ALL(comm, dc_mem_alloc(&out->mean, (size_t)rows->d, sizeof *out->mean, "principal components"));
    DC_TRY(dc_moments_total(comm, rows, out->mean, &out->total));
    if (out->total <= wanted->noise) goto out;
    out->k = wanted->components;
    if (out->k == 0) DC_TRY(find_enough(comm, rows, wanted, DC_MIN(all, most), &out->k));
    const centred about = {rows, out->mean};
    const dc_rows Z = {.part = rows->part, .d = rows->d, .rows = read_centred, .ctx = &about};
    DC_TRY(dc_dla_svd_solve(comm, &Z, out->k, &svd));
    DC_TRY_ALL(comm, take(&svd, rows->part->N, out));
    out->varying = count_varying(out);
    if (wanted->components == 0) DC_TRY(keep_share(wanted, all, out));
    dc_log("scaling   components of %lld columns by ScaLAPACK: residual %.1e, orthogonality %.1e; their bits depend on "
           "the number of ranks",
           (long long)rows->d, svd.residual, svd.orthogonality);
out:
    dc_dla_svd_release(&svd);
    return st;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

dc_status dc_pca_wide_bytes(const dc_part *part, int64_t d, int64_t k, bool share, double *bytes)
{
    dc_dla_plan plan = {0};
    const dc_dla_size size = {
        .task = DC_DLA_SVD, .N = d, .d = d, .rows = part->N, .k = k, .want.dtype = DC_F64, .shards = part->V};
    const dc_status st = dc_dla_plan_make(&size, part->P, &plan);
    const double solve = fmax(plan.peak, dc_moments_bytes(part, d)) + sizeof(double) * (double)(d + k) +
                         sizeof(float) * (double)k * (double)d;
    *bytes = share ? fmax(solve, dc_singular_bytes(part, d, k, false)) : solve;
    return st;
}

double dc_pca_wide_root_bytes(const dc_part *part, int64_t d, int64_t k, bool share)
{
    return share ? dc_singular_root_bytes(part, d, k) : 0;
}
