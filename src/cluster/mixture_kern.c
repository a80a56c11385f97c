/* Passes of EM over the rows, and what follows from their sums. One pass gives the responsibilities of each row, its
 * log likelihood, and moments about the present means, so that nothing cancels.
 *
 * The matrix that all Gaussians share needs no second moments in a pass: it is the scatter of all rows about their mean
 * minus that of the Gaussians' means. The first pass, over whole rows, gives the scatter of all rows. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "mixture_impl.h"

/* A Gaussian with fewer rows than this stays as it is and gets the weight of so many. */
static const double FEWEST = 1e-6;

static int64_t triangle(int64_t d)
{
    return d * (d + 1) / 2;
}

static int64_t padded(int64_t d)
{
    return (d + DC_MIX_LANES - 1) / DC_MIX_LANES * DC_MIX_LANES;
}

static bool has_matrix(const dc_mixture *m)
{
    return m->covariance == DC_COVARIANCE_FULL || m->covariance == DC_COVARIANCE_TIED;
}

static int64_t second_moments(const dc_mixture *m)
{
    return has_matrix(m) ? dc_mix_matrices(m->K, m->covariance) * triangle(m->d) : m->K * m->d;
}

size_t dc_mix_sums(const dc_mixture *m)
{
    return (size_t)(m->K + m->K * m->d + second_moments(m) + 1);
}

int64_t dc_mix_matrices(int64_t K, dc_covariance covariance)
{
    return covariance == DC_COVARIANCE_FULL ? K : covariance == DC_COVARIANCE_TIED ? 1 : 0;
}

size_t dc_mix_variances(int64_t K, int64_t d, dc_covariance covariance)
{
    if (covariance == DC_COVARIANCE_DIAGONAL) return dc_mul_size((size_t)K, (size_t)d);
    if (covariance == DC_COVARIANCE_SPHERICAL) return (size_t)K;
    return dc_mul_size((size_t)dc_mix_matrices(K, covariance), dc_mul_size((size_t)d, (size_t)d));
}

size_t dc_mix_values(int64_t K, int64_t d, dc_covariance covariance)
{
    return (size_t)K + dc_mul_size((size_t)K, (size_t)d) + dc_mix_variances(K, d, covariance);
}

/* ---- Work space -------------------------------------------------------------------------------------------------- */

/* Of a thread: offsets of rows from a mean, responsibilities, squared distances. */
static size_t scratch_doubles(int64_t K, int64_t d)
{
    return DC_MIX_TILE * (size_t)(d + K + 1);
}

typedef struct {
    float *x;        /* [tile x d] */
    double *e;       /* [tile x d] */
    double *g;       /* [tile x K] */
    double *squares; /* [tile] */
} tile_scratch;

static tile_scratch scratch_of(const dc_mix *a, int thread)
{
    const int64_t K = a->m->K, d = a->m->d;
    double *at = a->scratch + (size_t)thread * scratch_doubles(K, d);
    return (tile_scratch){.x = a->copies + (int64_t)thread * DC_MIX_TILE * d,
                          .e = at,
                          .g = at + DC_MIX_TILE * d,
                          .squares = at + DC_MIX_TILE * (d + K)};
}

static size_t factor_doubles(int64_t K, int64_t d, dc_covariance covariance)
{
    return dc_mul_size((size_t)dc_mix_matrices(K, covariance), dc_mul_size((size_t)d, (size_t)padded(d)));
}

dc_status dc_mix_create(dc_mix *a, dc_mixture *m, const dc_rows *rows, bool sums)
{
    dc_status st = DC_OK;
    const size_t K = (size_t)m->K, n = dc_mul_size(K, (size_t)m->d), threads = (size_t)omp_get_max_threads();
    *a = (dc_mix){.m = m, .rows = rows};
    DC_TRY(dc_mem_alloc(&a->constant, K, sizeof *a->constant, "mixture"));
    DC_TRY(dc_mem_alloc(&a->inverse, has_matrix(m) ? 0 : n, sizeof *a->inverse, "mixture"));
    DC_TRY(dc_mem_alloc(&a->factor, factor_doubles(m->K, m->d, m->covariance), sizeof *a->factor, "mixture"));
    DC_TRY(dc_mem_alloc(&a->scratch, dc_mul_size(threads, scratch_doubles(m->K, m->d)), sizeof *a->scratch, "mixture"));
    DC_TRY(dc_mem_alloc(&a->copies, dc_mul_size(threads, DC_MIX_TILE * (size_t)m->d), sizeof *a->copies, "mixture"));
    if (!sums) goto out;
    DC_TRY(dc_mem_alloc(&a->total, dc_mix_sums(m), sizeof *a->total, "sums of a mixture"));
    DC_TRY(dc_sum_create(&a->sum, rows->part, dc_mix_sums(m)));
out:
    if (st != DC_OK) dc_mix_release(a);
    return st;
}

void dc_mix_release(dc_mix *a)
{
    dc_sum_destroy(&a->sum);
    dc_mem_free(&a->constant);
    dc_mem_free(&a->inverse);
    dc_mem_free(&a->factor);
    dc_mem_free(&a->scratch);
    dc_mem_free(&a->copies);
    dc_mem_free(&a->total);
}

double dc_mix_bytes(const dc_part *part, int64_t d, int64_t K, dc_covariance covariance)
{
    const dc_mixture m = {.K = K, .d = d, .covariance = covariance};
    const double threads = omp_get_max_threads(), copies = sizeof(float) * DC_MIX_TILE * (double)d;
    const double doubles = (double)K * (double)(d + 1) + (double)factor_doubles(K, d, covariance) +
                           threads * (double)scratch_doubles(K, d) + (double)dc_mix_sums(&m);
    return sizeof(double) * doubles + threads * copies + dc_sum_bytes(part, dc_mix_sums(&m));
}

/* ---- Densities --------------------------------------------------------------------------------------------------- */

static bool prepare_matrices(dc_mix *a)
{
    const dc_mixture *m = a->m;
    const int64_t d = m->d, ld = padded(d), n = dc_mix_matrices(m->K, m->covariance);
    bool fine = true;
#pragma omp parallel for schedule(dynamic) reduction(&& : fine)
    for (int64_t k = 0; k < n; k++) {
        double *factor = m->factor + k * d * d;
        fine = dc_mix_factor(m->variance + k * d * d, d, factor) && fine;
        for (int64_t j = 0; j < d; j++)
            memcpy(a->factor + (k * d + j) * ld, factor + j * d, (size_t)d * sizeof *factor);
    }
    return fine;
}

static void prepare_constant(dc_mix *a, int64_t k)
{
    const dc_mixture *m = a->m;
    const int64_t d = m->d;
    a->constant[k] = log(m->weight[k]) - 0.5 * (double)d * log(2 * M_PI);
    for (int64_t j = 0; j < d; j++) {
        if (has_matrix(m)) {
            a->constant[k] += log(m->factor[(m->covariance == DC_COVARIANCE_TIED ? 0 : k * d * d) + j * d + j]);
            continue;
        }
        const double v = m->covariance == DC_COVARIANCE_DIAGONAL ? m->variance[k * d + j] : m->variance[k];
        a->constant[k] -= 0.5 * log(v);
        a->inverse[k * d + j] = 1 / v;
    }
}

dc_status dc_mix_prepare(dc_mix *a)
{
    const dc_mixture *m = a->m;
    bool fine = !has_matrix(m) || prepare_matrices(a);
    for (size_t i = 0; !has_matrix(m) && i < dc_mix_variances(m->K, m->d, m->covariance); i++)
        fine = fine && m->variance[i] > 0 && isfinite(m->variance[i]);
    if (!fine)
        return DC_FAIL(DC_ERR_NUMERIC,
                       "a covariance of the mixture is not positive definite: add more to the variances (reg), "
                       "or use fewer clusters or simpler covariances");
    for (int64_t k = 0; k < m->K; k++) prepare_constant(a, k);
    return DC_OK;
}

/* e = x - mean of Gaussian k. */
static void shift_rows(const dc_mix *a, const float *x, int64_t n, int64_t k, double *e)
{
    const int64_t d = a->m->d;
    const double *mean = a->m->mean + k * d;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) e[i * d + j] = (double)x[i * d + j] - mean[j];
}

/* |F' e|^2 of n rows, some columns of F at a time. */
static void square_by_factor(const double *factor, int64_t d, int64_t n, const double *e, double *square)
{
    const int64_t ld = padded(d);
    memset(square, 0, (size_t)n * sizeof *square);
    for (int64_t first = 0; first < d; first += DC_MIX_LANES) {
        const int64_t end = DC_MIN(first + DC_MIX_LANES, d);
        for (int64_t i = 0; i < n; i++) {
            double y[DC_MIX_LANES] = {0};
            for (int64_t j = 0; j < end; j++)
                for (int l = 0; l < DC_MIX_LANES; l++) y[l] += e[i * d + j] * factor[j * ld + first + l];
            for (int l = 0; l < DC_MIX_LANES; l++) square[i] += y[l] * y[l];
        }
    }
}

static double square_by_variances(const dc_mix *a, const float *x, int64_t k)
{
    const dc_mixture *m = a->m;
    double square = 0;
    for (int64_t j = 0; j < m->d; j++) {
        const double e = (double)x[j] - m->mean[k * m->d + j];
        square += e * e * a->inverse[k * m->d + j];
    }
    return square;
}

/* g[n x K]: logarithms of weight times density. */
static void log_densities(const dc_mix *a, const float *x, int64_t n, const tile_scratch *s)
{
    const dc_mixture *m = a->m;
    const int64_t K = m->K, d = m->d, step = m->covariance == DC_COVARIANCE_FULL ? d * padded(d) : 0;
    for (int64_t k = 0; k < K; k++) {
        if (has_matrix(m)) {
            shift_rows(a, x, n, k, s->e);
            square_by_factor(a->factor + k * step, d, n, s->e, s->squares);
        } else {
            for (int64_t i = 0; i < n; i++) s->squares[i] = square_by_variances(a, x + i * d, k);
        }
        for (int64_t i = 0; i < n; i++) s->g[i * K + k] = a->constant[k] - s->squares[i] / 2;
    }
}

/* Responsibilities of one row from the logarithms g[K], in place; returns its log likelihood. */
static double share_row(int64_t K, double *g)
{
    double most = g[0];
    for (int64_t k = 1; k < K; k++) most = fmax(most, g[k]);
    double sum = g[0] = exp(g[0] - most);
    for (int64_t k = 1; k < K; k++) sum += g[k] = exp(g[k] - most);
    for (int64_t k = 0; k < K; k++) g[k] /= sum;
    return most + log(sum);
}

/* ---- Sums -------------------------------------------------------------------------------------------------------- */

static void add_by_columns(const dc_mix *a, const float *x, const double *g, double *leaf)
{
    const int64_t K = a->m->K, d = a->m->d;
    double *first = leaf + K, *second = first + K * d;
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

static void add_products(const double *e, int64_t d, double share, double *to)
{
    for (int64_t j = 0; j < d; j++) {
        const double by = share * e[j];
        for (int64_t l = 0; l <= j; l++) to[l] += by * e[l];
        to += j + 1;
    }
}

/* Moments about the mean of Gaussian k; products: its second moments, or NULL. */
static void add_about(const dc_mix *a, int64_t n, int64_t k, const tile_scratch *s, double *leaf, double *products)
{
    const int64_t K = a->m->K, d = a->m->d;
    double *first = leaf + K + k * d;
    for (int64_t i = 0; i < n; i++) {
        const double share = s->g[i * K + k], *e = s->e + i * d;
        if (share == 0) continue;
        leaf[k] += share;
        for (int64_t j = 0; j < d; j++) first[j] += share * e[j];
        if (products) add_products(e, d, share, products);
    }
}

static void add_moments(const dc_mix *a, const float *x, int64_t n, const tile_scratch *s, double *leaf)
{
    const dc_mixture *m = a->m;
    const int64_t K = m->K, d = m->d;
    double *second = leaf + K + K * d;
    for (int64_t i = 0; !has_matrix(m) && i < n; i++) add_by_columns(a, x + i * d, s->g + i * K, leaf);
    for (int64_t k = 0; has_matrix(m) && k < K; k++) {
        double *products = m->covariance == DC_COVARIANCE_FULL ? second + k * triangle(d) : a->label ? second : NULL;
        shift_rows(a, x, n, k, s->e);
        add_about(a, n, k, s, leaf, products);
    }
}

/* The rows themselves, or a copy in x. */
static const float *fetch(const dc_mix *a, int64_t lo, int64_t n, float *x)
{
    if (a->rows->X) return a->rows->X + lo * a->m->d;
    a->rows->rows(a->rows->ctx, lo, n, x);
    return x;
}

static void add_tile(const dc_mix *a, int64_t lo, int64_t n, int thread, double *leaf)
{
    const int64_t K = a->m->K;
    const tile_scratch s = scratch_of(a, thread);
    const float *x = fetch(a, lo, n, s.x);
    double *likelihood = leaf + dc_mix_sums(a->m) - 1;
    if (!a->label) log_densities(a, x, n, &s);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; a->label && k < K; k++) s.g[i * K + k] = a->label[lo + i] == k;
        if (!a->label) *likelihood += share_row(K, s.g + i * K);
    }
    if (!a->only_density) add_moments(a, x, n, &s, leaf);
}

void dc_mix_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_MIX_TILE)
        add_tile(ctx, lo, DC_MIN(block->hi - lo, (int64_t)DC_MIX_TILE), thread, leaf);
}

void dc_mix_labels(dc_mix *a, int32_t *label)
{
    const int64_t K = a->m->K, rows = dc_part_rows(a->rows->part);
#pragma omp parallel for schedule(dynamic)
    for (int64_t lo = 0; lo < rows; lo += DC_MIX_TILE) {
        const int64_t n = DC_MIN(rows - lo, (int64_t)DC_MIX_TILE);
        const tile_scratch s = scratch_of(a, omp_get_thread_num());
        log_densities(a, fetch(a, lo, n, s.x), n, &s);
        for (int64_t i = 0; i < n; i++) {
            label[lo + i] = 0;
            for (int32_t k = 1; k < K; k++)
                if (s.g[i * K + k] > s.g[i * K + label[lo + i]]) label[lo + i] = k;
        }
    }
}

/* ---- Maximisation ------------------------------------------------------------------------------------------------ */

/* S = products / n - shift shift', and `added` on the diagonal; returns the mean variance. */
static double set_matrix(const double *products, const double *shift, int64_t d, double n, double added, double *out)
{
    double trace = 0;
    for (int64_t j = 0; j < d; j++) {
        for (int64_t l = 0; l <= j; l++) out[j * d + l] = out[l * d + j] = products[l] / n - shift[j] * shift[l];
        out[j * d + j] = fmax(out[j * d + j], 0) + added;
        trace += out[j * d + j];
        products += j + 1;
    }
    return trace / (double)d;
}

/* The variances of Gaussian k from sums over n rows, which are added to *sum in parts of their rows. */
static void set_columns(dc_mix *a, int64_t k, double n, double added, double *sum)
{
    dc_mixture *m = a->m;
    const int64_t d = m->d;
    const double N = (double)a->rows->part->N, *first = a->total + m->K + k * d, *second = first + m->K * d;
    double own = 0;
    for (int64_t j = 0; j < d; j++) {
        const double shift = first[j] / n, v = fmax(second[j] / n - shift * shift, 0) + added;
        if (m->covariance == DC_COVARIANCE_DIAGONAL) m->variance[k * d + j] = v;
        own += v;
        *sum += n / N * v;
    }
    if (m->covariance == DC_COVARIANCE_SPHERICAL) m->variance[k] = own / (double)d;
}

/* The scatter of all rows about their mean, from that about the centres of the first pass, which the means have left by
 * total[] / n. */
static void take_scatter(dc_mix *a)
{
    const dc_mixture *m = a->m;
    const int64_t K = m->K, d = m->d;
    const double N = (double)a->rows->part->N, *first = a->total + K;
    memcpy(a->scatter, first + K * d, (size_t)triangle(d) * sizeof *a->scatter);
    memset(a->middle, 0, (size_t)d * sizeof *a->middle);
    for (int64_t k = 0; k < K; k++)
        for (int64_t j = 0; j < d; j++) a->middle[j] += a->total[k] / N * m->mean[k * d + j];
    for (int64_t k = 0; k < K; k++) {
        const double n = a->total[k];
        double *to = a->scatter;
        for (int64_t j = 0; n > FEWEST && j < d; j++, to += j)
            for (int64_t l = 0; l <= j; l++)
                to[l] += n * (m->mean[k * d + j] - a->middle[j]) * (m->mean[k * d + l] - a->middle[l]) -
                         first[k * d + j] * first[k * d + l] / n;
    }
}

static double share_matrix(dc_mix *a, double added)
{
    dc_mixture *m = a->m;
    const int64_t d = m->d;
    const double N = (double)a->rows->part->N;
    double trace = 0;
    const double *scatter = a->scatter;
    for (int64_t j = 0; j < d; j++, scatter += j)
        for (int64_t l = 0; l <= j; l++) {
            double s = scatter[l];
            for (int64_t k = 0; k < m->K; k++)
                s -= a->total[k] * (m->mean[k * d + j] - a->middle[j]) * (m->mean[k * d + l] - a->middle[l]);
            m->variance[j * d + l] = m->variance[l * d + j] = s / N;
        }
    for (int64_t j = 0; j < d; j++) trace += m->variance[j * d + j] = fmax(m->variance[j * d + j], 0) + added;
    return trace / (double)d;
}

double dc_mix_maximise(dc_mix *a, double added, bool first)
{
    dc_mixture *m = a->m;
    const int64_t K = m->K, d = m->d;
    const double N = (double)a->rows->part->N;
    double sum = 0, matrices = 0;
    for (int64_t k = 0; k < K; k++) {
        const double n = a->total[k], *moment = a->total + K + k * d;
        m->weight[k] = fmax(n, FEWEST) / N;
        if (!(n > FEWEST)) continue;
        double *shift = a->scratch;
        for (int64_t j = 0; j < d; j++) m->mean[k * d + j] += shift[j] = moment[j] / n;
        if (m->covariance == DC_COVARIANCE_FULL)
            matrices +=
                n / N * set_matrix(a->total + K + K * d + k * triangle(d), shift, d, n, added, m->variance + k * d * d);
        else if (!has_matrix(m))
            set_columns(a, k, n, added, &sum);
    }
    if (m->covariance == DC_COVARIANCE_TIED && first) take_scatter(a);
    if (m->covariance == DC_COVARIANCE_TIED) matrices = share_matrix(a, added);
    return has_matrix(m) ? matrices : sum / (double)d;
}

void dc_mix_add(dc_mixture *m, double added)
{
    const int64_t d = m->d, n = dc_mix_matrices(m->K, m->covariance);
    if (n == 0)
        for (size_t i = 0; i < dc_mix_variances(m->K, d, m->covariance); i++) m->variance[i] += added;
    for (int64_t k = 0; k < n; k++)
        for (int64_t j = 0; j < d; j++) m->variance[(k * d + j) * d + j] += added;
}
