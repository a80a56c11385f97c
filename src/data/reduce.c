/* input.reduce: few dimensions instead of the scaled columns, by a linear map that predict applies again.
 *
 *   svd     the leading right singular vectors of the rows (scikit-learn's TruncatedSVD; of tf-idf: latent semantic
 *           analysis): rows times these
 *   pca     the same of the rows minus their mean; sparse rows keep their zeros, and what the mean would give is
 *           subtracted from the products
 *   random  Gaussian numbers of variance 1 / d (scikit-learn's GaussianRandomProjection)
 *
 * Dimensions keep their variances: nothing is scaled afterwards, except each row by input.norm. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/singular.h"

static const char *const names[] = {
    [DC_REDUCE_NONE] = "none", [DC_REDUCE_SVD] = "svd", [DC_REDUCE_PCA] = "pca", [DC_REDUCE_RANDOM] = "random"};

const char *dc_reduce_name(dc_reduce_kind kind)
{
    return names[kind];
}

dc_status dc_data_count_reduced(const dc_data_request *r, dc_data_header *head)
{
    const int64_t wanted = r->pca.wanted.components;
    const bool any_rows = r->reduce == DC_REDUCE_RANDOM || r->taken;
    head->reduce = r->reduce;
    if (r->reduce == DC_REDUCE_NONE) return DC_OK;
    const int64_t most = any_rows ? head->D : DC_MIN(head->N, head->D);
    if (!any_rows && head->N < 2)
        return DC_FAIL(DC_ERR_DATA, "%s: input.reduce = %s needs at least two rows, there is one", r->path,
                       names[r->reduce]);
    if (wanted > most)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: input.reduce = %s makes at most %lld dimensions of %lld rows of %lld columns; lower "
                       "input.components",
                       r->path, names[r->reduce], (long long)most, (long long)head->N, (long long)head->D);
    head->components = wanted;
    return DC_OK;
}

/* ---- The map ----------------------------------------------------------------------------------------------------- */

static dc_status take_map(dc_dataset *d, int64_t k)
{
    dc_status st = DC_OK;
    dc_pca *map = &d->pca;
    const size_t n = (size_t)k;
    const bool random = d->reduce == DC_REDUCE_RANDOM;
    *map = (dc_pca){.k = k};
    if (random)
        DC_TRY(
            dc_mem_alloc(&map->direction, n, dc_mul_size((size_t)d->D, sizeof *map->direction), "random projection"));
    DC_TRY(dc_mem_alloc(&map->factor, n, sizeof *map->factor, "components"));
    if (!random) DC_TRY(dc_mem_alloc(&map->variance, n, sizeof *map->variance, "components"));
    if (d->reduce == DC_REDUCE_PCA) DC_TRY(dc_mem_alloc(&map->offset, n, sizeof *map->offset, "components"));
    for (int64_t j = 0; j < k; j++) map->factor[j] = 1;
out:
    return st;
}

static void fill_random(dc_dataset *d, uint64_t seed)
{
    const double sigma = 1 / sqrt((double)d->pca.k);
    for (int64_t j = 0; j < d->pca.k; j += 4)
        for (int64_t c = 0; c < d->D; c++) {
            double v[4];
            dc_singular_gaussian(seed, c, j / 4, v);
            for (int64_t i = 0; i < 4 && j + i < d->pca.k; i++)
                d->pca.direction[(j + i) * d->D + c] = (float)(sigma * v[i]);
        }
}

/* Sums of equal values leave a variance by rounding. */
static dc_status check_variance(const dc_dataset *d, const dc_singular *s)
{
    const double rounding = 1e-12 * fmax(fabs(d->scaled_min), fabs(d->scaled_max));
    if (s->total > rounding * rounding) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: all rows are equal, so they cannot be reduced (input.reduce = %s)", d->source,
                   names[d->reduce]);
}

/* Variances of the components, divided as scikit-learn does: by N - 1 with pca, by N with svd, which is not about the
 * mean. */
static void set_variances(dc_dataset *d, const dc_singular *s)
{
    const double N = (double)d->part.N;
    const bool about_mean = d->reduce == DC_REDUCE_PCA;
    d->pca.total = about_mean ? s->total : s->total * (N - 1) / N;
    for (int64_t j = 0; j < s->k; j++) {
        double mean = 0;
        for (int64_t c = 0; !about_mean && c < s->d; c++) mean += s->mean[c] * (double)s->direction[j * s->d + c];
        d->pca.variance[j] = s->value[j] * s->value[j] / (about_mean ? N - 1 : N) - mean * mean;
    }
}

/* Takes the mean off the columns, unless their zeros must stay; what is left of it then goes off the components. */
static void set_offset(dc_dataset *d, const dc_singular *s)
{
    for (int64_t j = 0; j < s->k; j++) d->pca.offset[j] = 0;
    const bool stays = dc_dataset_csr(d) != NULL;
    double *left = s->mean;
    for (int64_t c = 0; !stays && c < s->d; c++) {
        const double before = (double)d->shift[c];
        d->shift[c] = (float)(before + s->mean[c] / (double)d->scale[c]);
        left[c] -= ((double)d->shift[c] - before) * (double)d->scale[c];
    }
    for (int64_t j = 0; j < s->k; j++) {
        double sum = 0;
        for (int64_t c = 0; c < s->d; c++) sum += left[c] * (double)s->direction[j * s->d + c];
        d->pca.offset[j] = (float)sum;
    }
}

/* Singular values that are more than rounding. */
static int64_t rank_of(const dc_singular *s)
{
    static const double SLACK = 64;
    const double least = SLACK * (double)s->d * DBL_EPSILON * s->value[0];
    int64_t n = 0;
    while (n < s->k && s->value[n] > least) n++;
    return n;
}

static void tell(const dc_dataset *d, const dc_singular *s, double seconds)
{
    const int64_t rank = rank_of(s);
    dc_log("reduce    %lld columns -> %lld dimensions by %s: %.4g %% of the variance, singular values %.5g to %.5g, %d "
           "passes over the rows, %.2f s",
           (long long)d->D, (long long)s->k, names[d->reduce], 100 * dc_pca_share(&d->pca), s->value[0],
           s->value[s->k - 1], s->passes, seconds);
    if (rank < s->k)
        dc_log_note("input.reduce=%s: the rows%s span %lld dimensions only; the other %lld of input.components=%lld "
                    "hold nothing but rounding",
                    names[d->reduce], d->reduce == DC_REDUCE_PCA ? " minus their mean" : "", (long long)rank,
                    (long long)(s->k - rank), (long long)s->k);
}

static dc_status find_map(dc_comm *comm, dc_dataset *d, int64_t k, uint64_t seed)
{
    dc_status st = DC_OK;
    dc_singular s = {0};
    const double start = dc_clock_now_s();
    const dc_rows rows = dc_rows_of_dataset(d);
    const dc_singular_wanted wanted = {.k = k, .about_mean = d->reduce == DC_REDUCE_PCA, .seed = seed};
    DC_TRY(dc_singular_create(comm, &rows, &wanted, &s));
    DC_TRY(check_variance(d, &s));
    DC_TRY_ALL(comm, take_map(d, k));
    set_variances(d, &s);
    if (wanted.about_mean) set_offset(d, &s);
    d->pca.value = s.value;
    d->pca.direction = s.direction;
    tell(d, &s, dc_clock_now_s() - start);
    s.value = NULL;
    s.direction = NULL;
out:
    dc_singular_release(&s);
    return st;
}

static dc_status check_range(const dc_dataset *d)
{
    if (isfinite(d->scaled_min) && isfinite(d->scaled_max)) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: with input.reduce = %s the dimensions are beyond single precision; multiply the data by a "
                   "constant that brings them near 1",
                   d->source, names[d->reduce]);
}

dc_status dc_data_reduce(dc_comm *comm, dc_dataset *d, const dc_data_request *request, uint64_t seed)
{
    dc_status st = DC_OK;
    const int64_t k = request->pca.wanted.components;
    if (d->reduce == DC_REDUCE_NONE) return DC_OK;
    if (d->reduce == DC_REDUCE_RANDOM) {
        DC_TRY_ALL(comm, take_map(d, k));
        fill_random(d, seed);
        dc_log("reduce    %lld columns -> %lld dimensions by random projection", (long long)d->D, (long long)k);
    } else {
        DC_TRY(find_map(comm, d, k, seed));
    }
    DC_TRY(dc_data_project_all(comm, d));
    st = check_range(d);
out:
    return st;
}

double dc_data_reduce_bytes(const dc_data_header *head, const dc_part *part, bool sparse)
{
    const double project = dc_pca_project_bytes(sparse ? 0 : head->D, head->components);
    if (head->reduce == DC_REDUCE_RANDOM) return project;
    return fmax(project, dc_singular_bytes(part, head->D, head->components, sparse));
}

double dc_data_reduce_root_bytes(const dc_data_header *head, const dc_part *part)
{
    return head->reduce == DC_REDUCE_RANDOM ? 0 : dc_singular_root_bytes(part, head->D, head->components);
}
