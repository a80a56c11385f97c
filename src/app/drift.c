/* Drift of new rows from those that a model was trained on. Of rows that are drawn like M training rows, the j-th
 * lowest of whose distances is the quantile, the share (M + 1 - j) / (M + 1) is expected beyond it, whatever the
 * distribution is. */
#include "drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/standing.h"

/* Far more than expected: this many times as many and this many rows more. */
static const double TIMES = 3, ROWS_MORE = 10;

dc_status dc_drift_parse(const char *text, double *q)
{
    char *end;
    *q = DC_DRIFT_QUANTILE;
    if (!text) return DC_OK;
    *q = strtod(text, &end);
    for (int j = 0; j < DC_STANDING_QUANTILES; j++)
        if (*text && *end == '\0' && *q == dc_standing_quantile[j]) return DC_OK;
    char known[128] = "";
    for (int j = 0; j < DC_STANDING_QUANTILES; j++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%g", j ? ", " : "", dc_standing_quantile[j]);
    return DC_FAIL(DC_ERR_USAGE, "command line: --drift-quantile=%.64s is none of %s", text, known);
}

/* ---- The quantiles of the training rows -------------------------------------------------------------------------- */

static const char NAME[] = "/clusters/distance_quantiles";

static dc_status take(dc_drift *d)
{
    dc_status st = DC_OK;
    const size_t K = (size_t)d->K;
    DC_TRY(dc_mem_alloc(&d->quantile, K, sizeof *d->quantile, "quantiles"));
    DC_TRY(dc_mem_alloc(&d->expected, K, sizeof *d->expected, "quantiles"));
    DC_TRY(dc_mem_alloc(&d->share, K, sizeof *d->share, "quantiles"));
    DC_TRY(dc_mem_alloc(&d->beyond, K, sizeof *d->beyond, "quantiles"));
out:
    return st;
}

void dc_drift_release(dc_drift *d)
{
    dc_mem_free(&d->quantile);
    dc_mem_free(&d->expected);
    dc_mem_free(&d->share);
    dc_mem_free(&d->beyond);
}

/* Which column holds the quantile, or -1. */
static int find_column(dc_h5 *h5, double q, int64_t columns)
{
    double known[DC_STANDING_QUANTILES];
    size_t n = 0;
    if (dc_h5_get_attr_f64(h5, NAME, "quantiles", known, DC_STANDING_QUANTILES, &n) != DC_OK) return -1;
    const int64_t read = DC_MIN(columns, (int64_t)DC_MIN(n, (size_t)DC_STANDING_QUANTILES));
    for (int j = 0; j < (int)read; j++)
        if (known[j] == q) return j;
    return -1;
}

/* The rows whose distances the quantiles are of: those of the clusters, or, if cluster.max_size moved rows, those that
 * were nearest to each centre. */
static const char *rows_name(dc_h5 *h5)
{
    return dc_h5_exists(h5, "/clusters/distance_rows") ? "/clusters/distance_rows" : "/clusters/size";
}

static dc_status read_column(dc_h5 *h5, const char *path, int64_t columns, int column, dc_drift *d)
{
    dc_status st = DC_OK;
    double *all = NULL;
    int64_t *size = d->beyond; /* for a moment */
    const char *rows = rows_name(h5);
    DC_TRY(dc_mem_alloc(&all, dc_mul_size((size_t)d->K, (size_t)columns), sizeof *all, "quantiles"));
    DC_TRY(dc_h5_check_hash(h5, NAME));
    DC_TRY(dc_h5_check_hash(h5, rows));
    DC_TRY(dc_h5_read_rows(h5, NAME, DC_H5_F64, 0, d->K, all));
    DC_TRY(dc_h5_read_rows(h5, rows, DC_H5_I64, 0, d->K, size));
    for (int64_t k = 0; k < d->K; k++) {
        const int64_t M = size[k];
        if (M < 0 || M >= INT64_C(1) << 53)
            DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has %lld", path, rows, (long long)M));
        d->quantile[k] = all[k * columns + column];
        d->expected[k] = M > 0 ? (double)(M - dc_standing_place(M, d->q)) / (double)(M + 1) : NAN;
        size[k] = 0;
    }
out:
    dc_mem_free(&all);
    return st;
}

/* *has: whether the result has this quantile; d's arrays exist. */
static dc_status read_quantiles(const char *path, dc_drift *d, int64_t *has)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_info info, size;
    *has = 0;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    if (!dc_h5_exists(h5, NAME)) goto out;
    DC_TRY(dc_h5_dataset_info(h5, NAME, &info));
    DC_TRY(dc_h5_dataset_info(h5, rows_name(h5), &size));
    const bool fits = info.type == DC_H5_F64 && info.exact && info.n_dims == 2 && info.dims[0] == d->K &&
                      size.type == DC_H5_I64 && size.exact && size.n_dims == 1 && size.dims[0] == d->K;
    const int column = fits ? find_column(h5, d->q, info.dims[1]) : -1;
    if (column < 0) {
        dc_error_clear();
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' does not hold quantile %g of %lld clusters", path, NAME, d->q,
                     (long long)d->K);
        goto out;
    }
    DC_TRY(read_column(h5, path, info.dims[1], column, d));
    *has = 1;
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

dc_status dc_drift_load(dc_comm *comm, const char *model, int64_t K, double q, dc_drift *d)
{
    dc_status st = DC_OK;
    int64_t has = 0;
    *d = (dc_drift){.K = K, .q = q};
    DC_TRY_ALL(comm, take(d));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? read_quantiles(model, d, &has) : DC_OK);
    dc_comm_bcast(comm, &has, sizeof has, 0);
    dc_comm_bcast(comm, d->quantile, (size_t)K * sizeof *d->quantile, 0);
    dc_comm_bcast(comm, d->expected, (size_t)K * sizeof *d->expected, 0);
    if (!has) dc_drift_release(d);
out:
    if (st != DC_OK) dc_drift_release(d);
    return st;
}

/* ---- New rows ---------------------------------------------------------------------------------------------------- */

void dc_drift_add(dc_drift *d, const int32_t *label, const double *distance, int64_t n)
{
    if (!d->quantile) return;
    for (int64_t i = 0; i < n; i++) d->beyond[label[i]] += distance[i] > d->quantile[label[i]];
}

void dc_drift_finish(dc_comm *comm, dc_drift *d, const int64_t *size)
{
    if (!d->quantile) return;
    dc_comm_sum_i64(comm, d->beyond, (size_t)d->K);
    for (int64_t k = 0; k < d->K; k++) {
        const bool known = size[k] > 0 && isfinite(d->expected[k]);
        d->share[k] = known ? (double)d->beyond[k] / (double)size[k] : NAN;
        if (!known) continue;
        d->rows += size[k];
        d->all_beyond += d->beyond[k];
        d->all_expected += (double)size[k] * d->expected[k];
    }
}

static bool is_far_more(double beyond, double expected)
{
    return beyond > TIMES * expected + ROWS_MORE;
}

/* The cluster with the largest share of those in which far more rows are beyond; -1: there is none. *count: those. */
static int64_t worst_cluster(const dc_drift *d, int64_t *count)
{
    int64_t worst = -1;
    *count = 0;
    for (int64_t k = 0; k < d->K; k++) {
        const double beyond = (double)d->beyond[k];
        if (!isfinite(d->share[k]) || beyond == 0 || !is_far_more(beyond, d->expected[k] * beyond / d->share[k]))
            continue;
        ++*count;
        if (worst < 0 || d->share[k] > d->share[worst]) worst = k;
    }
    return worst;
}

void dc_drift_tell(const dc_drift *d)
{
    int64_t count;
    if (!d->quantile || d->rows == 0) return;
    const double rows = (double)d->rows;
    const int64_t worst = worst_cluster(d, &count);
    dc_log(
        "drift     %lld of %lld rows (%.2f %%) are farther from their centres than quantile %g of the training rows; "
        "%.2f %% are expected",
        (long long)d->all_beyond, (long long)d->rows, 100 * (double)d->all_beyond / rows, d->q,
        100 * d->all_expected / rows);
    if (worst >= 0)
        dc_log_warning("in %lld of %lld clusters far more rows than expected are far from the centre, most of all in "
                       "cluster %lld: %.1f %% of its rows, %.1f %% expected; the model may not fit these rows",
                       (long long)count, (long long)d->K, (long long)worst, 100 * d->share[worst],
                       100 * d->expected[worst]);
    else if (is_far_more((double)d->all_beyond, d->all_expected))
        dc_log_warning("far more rows than expected are far from their centres: the model may not fit these rows");
}

/* ---- In the file ------------------------------------------------------------------------------------------------- */

static dc_status put_totals(dc_h5 *h5, const dc_drift *d)
{
    dc_status st = DC_OK;
    const double rows = (double)d->rows, share = d->rows ? (double)d->all_beyond / rows : NAN,
                 expected = d->rows ? d->all_expected / rows : NAN;
    DC_TRY(dc_h5_put_attr_f64(h5, "/drift", "quantile", &d->q, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/drift", "share", &share, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/drift", "expected", &expected, 1));
out:
    return st;
}

dc_status dc_drift_put(dc_h5 *h5, const dc_drift *d)
{
    dc_status st = DC_OK;
    if (!d->quantile) return DC_OK;
    DC_TRY(dc_h5_put(h5, "/drift/beyond", DC_H5_I64, 1, &d->K, d->beyond));
    DC_TRY(dc_h5_put(h5, "/drift/share", DC_H5_F64, 1, &d->K, d->share));
    DC_TRY(dc_h5_put(h5, "/drift/expected", DC_H5_F64, 1, &d->K, d->expected));
    DC_TRY(put_totals(h5, d));
out:
    return st;
}

dc_status dc_drift_rewrite(dc_h5 *h5, const dc_drift *d)
{
    dc_status st = DC_OK;
    if (!d->quantile) return DC_OK;
    DC_TRY(dc_h5_write_rows(h5, "/drift/beyond", DC_H5_I64, 0, d->K, d->beyond));
    DC_TRY(dc_h5_write_rows(h5, "/drift/share", DC_H5_F64, 0, d->K, d->share));
    DC_TRY(put_totals(h5, d));
out:
    return st;
}
