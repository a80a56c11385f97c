/* input.norm: each row divided by its norm (scikit-learn's normalize), as the last thing before it enters the network.
 * Components are divided when they are computed (pca_kern.c); for columns a factor of each row is kept. */
#include <math.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

static const char *const names[] = {
    [DC_ROW_NORM_NONE] = "none", [DC_ROW_NORM_L2] = "l2", [DC_ROW_NORM_L1] = "l1", [DC_ROW_NORM_MAX] = "max"};

const char *dc_row_norm_name(dc_row_norm norm)
{
    return names[norm];
}

/* zeros, most: as of dc_data_norms(). */
static dc_status find_norms(const dc_dataset *d, dc_row_norm norm, int64_t n, float *row_scale, int64_t *zeros,
                            double most[2])
{
    dc_status st = DC_OK;
    float *x = NULL;
    DC_TRY(dc_mem_alloc_raw(&x, (size_t)dc_data_threads(), (size_t)d->D * sizeof *x, "scaled rows"));
    *zeros = dc_data_norms(d, norm, n, x, row_scale, most);
out:
    dc_mem_free(&x);
    return st;
}

dc_status dc_dataset_norms(const dc_dataset *d, dc_row_norm norm, int64_t n, float *row_scale)
{
    int64_t zeros;
    double most[2] = {0};
    return find_norms(d, norm, n, row_scale, &zeros, most);
}

static dc_status set_factors(dc_comm *comm, dc_dataset *d, int64_t *zeros)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(&d->part);
    double most[2] = {-INFINITY, -INFINITY};
    float *factor = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&factor, (size_t)n, sizeof *factor, "norms of the rows"));
    DC_TRY_ALL(comm, find_norms(d, d->norm, n, factor, zeros, most));
    dc_comm_max_f64(comm, most, 2);
    d->scaled_min = -most[0];
    d->scaled_max = most[1];
    d->row_scale = factor;
    d->csr.row_scale = factor;
    d->bytes += (size_t)n * sizeof *factor;
    return DC_OK;
out:
    dc_mem_free(&factor);
    return st;
}

/* Rows whose components are all zero. */
static int64_t count_zeros(const dc_dataset *d)
{
    int64_t zeros = 0;
    const int64_t n = dc_part_rows(&d->part), k = d->pca.k;
    for (int64_t i = 0; i < n; i++) zeros += dc_data_norm(DC_ROW_NORM_MAX, d->Z + i * k, k) == 0;
    return zeros;
}

dc_status dc_data_set_norm(dc_comm *comm, dc_dataset *d)
{
    dc_status st = DC_OK;
    int64_t zeros = 0;
    if (d->norm == DC_ROW_NORM_NONE) return DC_OK;
    if (d->Z)
        zeros = count_zeros(d);
    else
        DC_TRY(set_factors(comm, d, &zeros));
    dc_comm_sum_i64(comm, &zeros, 1);
    if (zeros > 0)
        dc_log_note("input.norm=%s: %lld of %lld rows hold only zeros, and stay so", names[d->norm], (long long)zeros,
                    (long long)d->part.N);
out:
    return st;
}
