/* input.scale = pca: principal components of the rows instead of their columns; and the map that they share with
 * input.reduce (reduce.c).
 *
 * The components are those of the columns minus their means (moments.h). Without whitening one factor makes the mean
 * square of all values 1, as input.scale = dec does; with it, each component has the variance 1. Variances are divided
 * by N - 1, as in scikit-learn. The stored rows stay as they are, for pictures and files; their components are computed
 * once and kept. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/la.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "pca_wide.h"

/* ---- How many ---------------------------------------------------------------------------------------------------- */

dc_status dc_data_count_components(const dc_data_request *r, dc_data_header *head)
{
    /* Rows minus their mean depend on each other. */
    const int64_t most = r->taken ? head->D : DC_MIN(head->N - 1, head->D), wanted = r->pca.wanted.components;
    if (r->scale != DC_SCALE_PCA) return DC_OK;
    if (head->N < 2 && !r->taken)
        return DC_FAIL(DC_ERR_USAGE, "%s: input.scale = pca needs at least two rows, there is one", r->path);
    if (wanted > most)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: %lld rows of %lld columns have at most %lld principal components; lower input.components",
                       r->path, (long long)head->N, (long long)head->D, (long long)most);
    head->components = wanted > 0 ? wanted : DC_MIN(most, (int64_t)DC_PRINCIPAL_MAX);
    head->of_share = wanted == 0;
    return DC_OK;
}

/* ---- The map ----------------------------------------------------------------------------------------------------- */

dc_status dc_pca_prepare(dc_pca *pca, int64_t D)
{
    const dc_status st =
        dc_mem_alloc(&pca->projection, dc_mul_size((size_t)D, (size_t)pca->k), sizeof *pca->projection, "projection");
    if (st != DC_OK) return st;
    for (int64_t j = 0; j < pca->k; j++)
        for (int64_t c = 0; c < D; c++) pca->projection[c * pca->k + j] = pca->direction[j * D + c] * pca->factor[j];
    return DC_OK;
}

void dc_pca_release(dc_pca *pca)
{
    dc_mem_free(&pca->variance);
    dc_mem_free(&pca->value);
    dc_mem_free(&pca->offset);
    dc_mem_free(&pca->direction);
    dc_mem_free(&pca->factor);
    dc_mem_free(&pca->projection);
    *pca = (dc_pca){0};
}

double dc_pca_share(const dc_pca *pca)
{
    double sum = 0;
    for (int64_t j = 0; j < pca->k; j++) sum += pca->variance[j];
    return sum / pca->total;
}

/* Takes over the arrays of *p. */
static dc_status take(dc_pca *pca, dc_principal *p)
{
    *pca = (dc_pca){.k = p->k, .total = p->total, .variance = p->variance, .direction = p->direction};
    p->variance = NULL;
    p->direction = NULL;
    return dc_mem_alloc(&pca->factor, (size_t)pca->k, sizeof *pca->factor, "principal components");
}

static dc_status fail_factor(const dc_dataset *d, double variance)
{
    return DC_FAIL(DC_ERR_DATA,
                   "%s: a variance of %g cannot be scaled in single precision; multiply the data by a constant that "
                   "brings them near 1",
                   d->source, variance);
}

/* Sets the common factor of the columns, so that products of columns and directions are near 1, and the factors of the
 * components. */
static dc_status set_factors(dc_dataset *d, bool whiten)
{
    dc_pca *pca = &d->pca;
    double sum = 0;
    for (int64_t j = 0; j < pca->k; j++) sum += pca->variance[j];
    const double common = 1 / sqrt(sum / (double)pca->k);
    if (!(common >= FLT_MIN && common <= FLT_MAX)) return fail_factor(d, sum / (double)pca->k);
    for (int64_t c = 0; c < d->D; c++) d->scale[c] = (float)common;
    for (int64_t j = 0; j < pca->k; j++) {
        const double own = whiten ? 1 / (sqrt(pca->variance[j]) * (double)(float)common) : 1;
        if (!(own <= FLT_MAX)) return fail_factor(d, pca->variance[j]);
        pca->factor[j] = (float)own;
    }
    return DC_OK;
}

/* Columns of which float cannot hold the mean well enough: what is left of it is the mean of the shifted rows. */
static int64_t count_lost(const dc_dataset *d, const dc_principal *p)
{
    int64_t lost = 0;
    for (int64_t c = 0; c < d->D; c++) lost += fabs(p->mean[c]) * (double)d->scale[c] > 0.01;
    return lost;
}

/* Sums of equal values leave a variance by rounding. */
static double noise_of(const dc_dataset *d)
{
    const double rounding = 1e-12 * fmax(fabs(d->scaled_min), fabs(d->scaled_max));
    return rounding * rounding;
}

static dc_status check_variance(const dc_dataset *d, const dc_principal *p, bool whiten)
{
    if (p->varying == 0)
        return DC_FAIL(DC_ERR_DATA, "%s: all rows are equal, so they have no principal components (input.scale = pca)",
                       d->source);
    if (whiten && p->k > p->varying)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: only %lld principal components vary, so %lld cannot be whitened; set input.components = "
                       "%lld, or input.whiten = false",
                       d->source, (long long)p->varying, (long long)p->k, (long long)p->varying);
    return DC_OK;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

double dc_pca_project_bytes(int64_t D, int64_t k)
{
    return sizeof(float) * (double)omp_get_max_threads() * DC_ROW_TILE * (double)(D + k);
}

dc_status dc_pca_project(const dc_dataset *data, dc_gidx first, int64_t n, float *Z)
{
    dc_status st = DC_OK;
    float *x = NULL, *y = NULL;
    const size_t rows = (size_t)omp_get_max_threads() * DC_ROW_TILE;
    if (!dc_dataset_is_sparse(data) || !data->zeros_stay)
        DC_TRY(dc_mem_alloc(&x, rows, (size_t)data->D * sizeof *x, "tiles of rows"));
    DC_TRY(dc_mem_alloc(&y, rows, (size_t)data->pca.k * sizeof *y, "tiles of rows"));
    dc_data_project(data, first, n, x, y, Z);
out:
    dc_mem_free(&x);
    dc_mem_free(&y);
    return st;
}

static dc_status project_rows(dc_dataset *d)
{
    dc_status st = DC_OK;
    float *Z = NULL;
    const int64_t n = dc_part_rows(&d->part);
    DC_TRY(dc_pca_prepare(&d->pca, d->D));
    DC_TRY(dc_mem_alloc_raw(&Z, (size_t)n, dc_mul_size((size_t)d->pca.k, sizeof *Z), "components of the rows"));
    DC_TRY(dc_pca_project(d, d->part.row_lo, n, Z));
    d->bytes += ((size_t)n * (size_t)d->pca.k + 2 * (size_t)(d->D * d->pca.k)) * sizeof *Z;
    d->Z = Z;
    return DC_OK;
out:
    dc_mem_free(&Z);
    return st;
}

static void set_range(dc_comm *comm, dc_dataset *d)
{
    double most[2] = {-INFINITY, -INFINITY}; /* of the negated values, of the values */
    const int64_t n = dc_part_rows(&d->part) * d->pca.k;
    for (int64_t i = 0; i < n; i++) {
        most[0] = fmax(most[0], -(double)d->Z[i]);
        most[1] = isfinite(d->Z[i]) ? fmax(most[1], (double)d->Z[i]) : INFINITY;
    }
    dc_comm_max_f64(comm, most, 2);
    d->scaled_min = -most[0];
    d->scaled_max = most[1];
}

dc_status dc_data_project_all(dc_comm *comm, dc_dataset *d)
{
    const dc_status st = dc_agree(comm, project_rows(d));
    if (st == DC_OK) set_range(comm, d);
    return st;
}

/* Copies what the rows are multiplied with; what is known of the variances is that of other rows. */
static dc_status copy_map(dc_dataset *d, const dc_pca *from)
{
    dc_status st = DC_OK;
    dc_pca *to = &d->pca;
    const size_t k = (size_t)from->k, values = dc_mul_size(k, (size_t)d->D);
    *to = (dc_pca){.k = from->k};
    DC_TRY(dc_mem_alloc(&to->direction, values, sizeof *to->direction, "principal components"));
    DC_TRY(dc_mem_alloc(&to->factor, k, sizeof *to->factor, "principal components"));
    if (from->offset) DC_TRY(dc_mem_alloc(&to->offset, k, sizeof *to->offset, "principal components"));
    memcpy(to->direction, from->direction, values * sizeof *to->direction);
    memcpy(to->factor, from->factor, k * sizeof *to->factor);
    if (from->offset) memcpy(to->offset, from->offset, k * sizeof *to->offset);
out:
    return st;
}

dc_status dc_data_take_components(dc_comm *comm, dc_dataset *d, const dc_pca *from)
{
    dc_status st = DC_OK;
    if (from->k == 0) return DC_OK;
    DC_TRY_ALL(comm, copy_map(d, from));
    DC_TRY(dc_data_project_all(comm, d));
    if (!isfinite(d->scaled_min) || !isfinite(d->scaled_max))
        st = DC_FAIL(DC_ERR_DATA,
                     "%s: the components of the earlier run are beyond single precision for these rows; they are too "
                     "far from those that it had",
                     d->source);
out:
    return st;
}

dc_status dc_data_components(dc_comm *comm, dc_dataset *d, const dc_pca_request *request)
{
    dc_status st = DC_OK;
    dc_principal p = {0};
    const dc_rows rows = dc_rows_of_dataset(d);
    dc_principal_wanted wanted = request->wanted;
    wanted.noise = noise_of(d);
    if (dc_principal_fits(d->part.N, d->D))
        DC_TRY(dc_principal_create(comm, &rows, &wanted, &p));
    else
        DC_TRY(dc_pca_wide(comm, &rows, &wanted, DC_PRINCIPAL_MAX, &p));
    DC_TRY(check_variance(d, &p, request->whiten));
    DC_TRY_ALL(comm, take(&d->pca, &p));
    DC_TRY(set_factors(d, request->whiten));
    dc_data_warn_of_offsets(count_lost(d, &p));
    DC_TRY(dc_data_project_all(comm, d));
    dc_log("scaling   %lld columns -> %lld principal components, %.4g %% of the variance%s", (long long)d->D,
           (long long)d->pca.k, 100 * dc_pca_share(&d->pca), request->whiten ? ", whitened" : "");
out:
    dc_principal_release(&p);
    return st;
}
