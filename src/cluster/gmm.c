/* Mixtures of diagonal Gaussians by expectation-maximisation (Dempster, Laird, Rubin 1977), as scikit-learn's
 * GaussianMixture(covariance_type="diag") has it: from a partition of the rows, until the mean log likelihood rises by
 * less than 1e-3. One pass over the rows and one reduction per iteration. Second moments are taken about the present
 * means, so nothing cancels. */
#include <math.h>
#include <omp.h>

#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"

/* Least rise of the mean log likelihood, and what is added to a variance, in parts of the mean one. */
static const double TOL = 1e-3, FLOOR = 1e-6;

typedef struct {
    const float *X;
    const int32_t *label; /* of the first pass; NULL: responsibilities */
    const dc_mixture *m;
    double *constant, *inverse; /* [K] log weight - 1/2 log det(2 pi S); [K x d] 1 / variance */
    double *share;              /* [threads x K] */
} em;

/* Places in the sums: responsibilities [K], first and second moments [K x d] each, log likelihood. */
static int64_t sums_of(const dc_mixture *m)
{
    return m->K * (2 * m->d + 1) + 1;
}

static void prepare(em *a)
{
    const dc_mixture *m = a->m;
    for (int64_t k = 0; k < m->K; k++) {
        a->constant[k] = log(m->weight[k]) - 0.5 * (double)m->d * log(2 * M_PI);
        for (int64_t j = 0; j < m->d; j++) {
            a->constant[k] -= 0.5 * log(m->variance[k * m->d + j]);
            a->inverse[k * m->d + j] = 1 / m->variance[k * m->d + j];
        }
    }
}

/* Responsibilities of one row; returns its log likelihood. */
static double share_row(const em *a, const float *x, double *g)
{
    const dc_mixture *m = a->m;
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < m->K; k++) {
        double square = 0;
        for (int64_t j = 0; j < m->d; j++) {
            const double e = (double)x[j] - m->mean[k * m->d + j];
            square += e * e * a->inverse[k * m->d + j];
        }
        g[k] = a->constant[k] - square / 2;
        most = fmax(most, g[k]);
    }
    for (int64_t k = 0; k < m->K; k++) sum += g[k] = exp(g[k] - most);
    for (int64_t k = 0; k < m->K; k++) g[k] /= sum;
    return most + log(sum);
}

static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const em *a = ctx;
    const int64_t K = a->m->K, d = a->m->d;
    double *g = a->share + thread * K, *first = leaf + K, *second = first + K * d;
    for (int64_t i = block->lo; i < block->hi; i++) {
        const float *x = a->X + i * d;
        for (int64_t k = 0; a->label && k < K; k++) g[k] = a->label[i] == k;
        if (!a->label) leaf[K * (2 * d + 1)] += share_row(a, x, g);
        for (int64_t k = 0; k < K; k++) {
            if (g[k] == 0) continue;
            leaf[k] += g[k];
            for (int64_t j = 0; j < d; j++) {
                const double e = (double)x[j] - a->m->mean[k * d + j];
                first[k * d + j] += g[k] * e;
                second[k * d + j] += g[k] * e * e;
            }
        }
    }
}

/* Without rows a Gaussian stays as it is and gets the weight of a small part of one. Returns the mean variance. */
static double maximise(dc_mixture *m, const double *total, double N, double added)
{
    const int64_t K = m->K, d = m->d;
    double sum = 0;
    for (int64_t k = 0; k < K; k++) {
        const double n = total[k], *first = total + K + k * d, *second = first + K * d;
        m->weight[k] = fmax(n, FLOOR) / N;
        for (int64_t j = 0; j < d && n > FLOOR; j++) {
            const double shift = first[j] / n;
            m->mean[k * d + j] += shift;
            m->variance[k * d + j] = fmax(second[j] / n - shift * shift, 0) + added;
            sum += n / N * m->variance[k * d + j];
        }
    }
    return sum / (double)d;
}

static void start_from(const float *centers, dc_mixture *m)
{
    for (int64_t i = 0; i < m->K * m->d; i++) m->mean[i] = (double)centers[i], m->variance[i] = 0;
}

static dc_status run(dc_comm *comm, const dc_rows *rows, int max_iter, em *a, dc_sum *sum, double *total, dc_mixture *m)
{
    dc_status st = DC_OK;
    const double N = (double)rows->part->N;
    dc_sum_over_blocks(comm, sum, add_block, a, total);
    const double added = fmax(FLOOR * maximise(m, total, N, 0), 1e-30);
    for (int64_t i = 0; i < m->K * m->d; i++) m->variance[i] += added;
    a->label = NULL;
    for (m->iterations = 0; m->iterations < max_iter && !m->converged; m->iterations++) {
        const double before = m->log_likelihood;
        prepare(a);
        dc_sum_over_blocks(comm, sum, add_block, a, total);
        m->log_likelihood = total[sums_of(m) - 1] / N;
        m->converged = m->iterations > 0 && fabs(m->log_likelihood - before) < TOL;
        (void)maximise(m, total, N, added);
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_mixture_fit(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int64_t K,
                         int max_iter, dc_mixture *out)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *work = NULL, *total = NULL;
    const int64_t n = K * rows->d;
    *out = (dc_mixture){.K = K, .d = rows->d};
    em a = {.X = rows->X, .label = label, .m = out};
    DC_ASSERT(rows->X || dc_part_rows(rows->part) == 0);
    DC_TRY_ALL(comm, dc_mem_alloc(&out->weight, (size_t)(K + 2 * n), sizeof *work, "mixture"));
    DC_TRY_ALL(comm, dc_mem_alloc(&work, (size_t)(K + n + omp_get_max_threads() * K), sizeof *work, "mixture"));
    DC_TRY_ALL(comm, dc_mem_alloc(&total, (size_t)sums_of(out), sizeof *total, "sums of a mixture"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, rows->part, (size_t)sums_of(out)));
    out->mean = out->weight + K;
    out->variance = out->mean + n;
    a.constant = work;
    a.inverse = work + K;
    a.share = a.inverse + n;
    start_from(centers, out);
    DC_TRY(run(comm, rows, max_iter, &a, sum, total, out));
out:
    if (st != DC_OK) dc_mixture_release(out);
    dc_sum_destroy(&sum);
    dc_mem_free(&work);
    dc_mem_free(&total);
    return st;
}

void dc_mixture_release(dc_mixture *m)
{
    dc_mem_free(&m->weight);
    *m = (dc_mixture){0};
}
