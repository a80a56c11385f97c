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
static dc_status find_norms(const dc_dataset *d, dc_row_norm norm, int64_t n, float *row_scale, dc_zero_rows *zeros,
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
    dc_zero_rows zeros;
    double most[2] = {0};
    return find_norms(d, norm, n, row_scale, &zeros, most);
}

static dc_status set_factors(dc_comm *comm, dc_dataset *d, dc_zero_rows *zeros)
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
static dc_zero_rows find_zeros(const dc_dataset *d)
{
    dc_zero_rows zeros = {0, INT64_MAX};
    const int64_t k = d->pca.k;
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        if (dc_data_norm(DC_ROW_NORM_MAX, d->Z + i * k, k) > 0) continue;
        zeros.first = DC_MIN(zeros.first, i);
        zeros.count++;
    }
    return zeros;
}

/* Values of both signs that become 0 to 1 leave nearly no angle between rows. */
static void note_directions(const dc_dataset *d)
{
    const bool moves = d->scale_kind == DC_SCALE_UNIT || d->scale_kind == DC_SCALE_MINMAX;
    if (moves && d->min < 0)
        dc_log_note("input.norm=%s comes after input.scale=%s, which moves the smallest value (%.4g) to 0: all rows "
                    "then point much the same way; input.scale=none keeps their directions",
                    names[d->norm], d->scale_kind == DC_SCALE_UNIT ? "unit" : "minmax", d->min);
}

dc_status dc_data_set_norm(dc_comm *comm, dc_dataset *d)
{
    dc_status st = DC_OK;
    dc_zero_rows zeros;
    char place[DC_FILES_ROW_MAX];
    if (d->norm == DC_ROW_NORM_NONE) return DC_OK;
    note_directions(d);
    if (d->Z)
        zeros = find_zeros(d);
    else
        DC_TRY(set_factors(comm, d, &zeros));
    dc_gidx first = zeros.count > 0 ? d->part.row_lo + zeros.first : INT64_MAX;
    dc_comm_sum_i64(comm, &zeros.count, 1);
    dc_comm_min_i64(comm, &first, 1);
    if (zeros.count > 0)
        dc_log_note("input.norm=%s: %lld of %lld rows hold only zeros, and stay so; the first is row %lld%s (counted "
                    "from 0)",
                    names[d->norm], (long long)zeros.count, (long long)d->part.N, (long long)first,
                    dc_files_row(d->files, first, place));
out:
    return st;
}
