/* Transforms of counts, equal to scanpy's normalize_total, log1p and highly_variable_genes:
 *
 *   library size  each row times target / its sum; the target is a number, or the median of the sums above 0
 *   log1p         log(1 + x)
 *   columns       those of highest normalised dispersion (counts_columns.c)
 *
 * Rows of zeros stay. The median is exact: sums are counted by their bytes, from the leading one on, as whole numbers
 * that sort in the same order. Values are computed in double and kept as float32. */
#include "counts.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"

/* ---- Median ------------------------------------------------------------------------------------------------------ */

/* The value with this rank, from 0, among the sums above 0 of all ranks. */
static double value_with_rank(dc_comm *comm, int64_t n, const double *sum, int64_t rank)
{
    uint64_t prefix = 0;
    for (int shift = 56; shift >= 0; shift -= 8) {
        int64_t count[256] = {0};
        for (int64_t i = 0; i < n; i++) {
            uint64_t key;
            memcpy(&key, &sum[i], sizeof key);
            if (sum[i] > 0 && (shift == 56 || (key ^ prefix) >> (shift + 8) == 0)) count[key >> shift & 255]++;
        }
        dc_comm_sum_i64(comm, count, 256);
        uint64_t byte = 0;
        while (byte < 255 && rank >= count[byte]) rank -= count[byte++];
        prefix |= byte << shift;
    }
    double value;
    memcpy(&value, &prefix, sizeof value);
    return value;
}

/* The median of the sums above 0; 0 if there are none. */
static double median_of_sums(dc_comm *comm, int64_t n, const double *sum)
{
    int64_t positive = 0;
    for (int64_t i = 0; i < n; i++) positive += sum[i] > 0;
    dc_comm_sum_i64(comm, &positive, 1);
    if (positive == 0) return 0;
    const double low = value_with_rank(comm, n, sum, (positive - 1) / 2);
    const double high = value_with_rank(comm, n, sum, positive / 2);
    return low + (high - low) / 2;
}

/* ---- Columns ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_dataset *data;
    const dc_count_map *map;
    const double *sum;  /* [n] of rows */
    const double *mean; /* NULL: the first pass */
    bool logs;
    double *row; /* [threads x D] scratch */
} moments;

static void block_moments(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const moments *p = ctx;
    const int64_t D = p->data->D;
    dc_data_count_moments(p->data, p->map, p->sum, block, p->logs, p->mean, p->row + thread * D, leaf,
                          p->mean ? NULL : leaf + D);
}

/* mean[D] and variance[D] (divided by N - 1). */
static dc_status find_moments(dc_comm *comm, moments *p, double *mean, double *variance)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)p->data->D;
    const double N = (double)p->data->part.N;
    double *total = NULL;
    dc_sum *sum = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&total, 2 * D, sizeof *total, "moments of columns"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, &p->data->part, 2 * D));
    dc_sum_over_blocks(comm, sum, block_moments, p, total);
    for (size_t c = 0; c < D; c++) mean[c] = total[c] / N;
    memcpy(variance, total + D, D * sizeof *variance); /* for now: how many values are stored */
    p->mean = mean;
    dc_sum_over_blocks(comm, sum, block_moments, p, total);
    for (size_t c = 0; c < D; c++) {
        const double zeros = N - variance[c];
        variance[c] = (total[c] + zeros * mean[c] * mean[c]) / fmax(N - 1, 1);
    }
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&total);
    return st;
}

static dc_status choose_columns(dc_comm *comm, const dc_dataset *d, const dc_count_request *r, const double *sum,
                                dc_count_map *map)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)d->D;
    double *mean = NULL, *variance = NULL;
    int64_t found = 0;
    moments p = {.data = d, .map = map, .sum = sum, .logs = r->log1p && r->flavor == DC_VARIABLE_CELL_RANGER};
    DC_TRY_ALL(comm, dc_mem_alloc(&mean, D, sizeof *mean, "means of columns"));
    DC_TRY_ALL(comm, dc_mem_alloc(&variance, D, sizeof *variance, "variances of columns"));
    DC_TRY_ALL(comm, dc_mem_alloc(&p.row, dc_mul_size((size_t)dc_data_threads(), D), sizeof *p.row, "rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&map->column, (size_t)map->kept, sizeof *map->column, "chosen columns"));
    DC_TRY(find_moments(comm, &p, mean, variance));
    DC_TRY_ALL(comm, dc_data_choose_variable(r->flavor, d->D, mean, variance, map->kept, map->column, &found));
    if (found < map->kept)
        st = DC_FAIL(DC_ERR_DATA, "%s: input.variable_columns=%lld, but only %lld of %lld columns have a dispersion",
                     d->source, (long long)map->kept, (long long)found, (long long)d->D);
out:
    dc_mem_free(&mean);
    dc_mem_free(&variance);
    dc_mem_free(&p.row);
    return st;
}

/* The names of the chosen columns take the place of all names. */
static dc_status keep_names(const dc_count_map *map, char **names)
{
    char *kept = NULL, *to;
    const char *from = *names;
    int64_t column = 0;
    if (!*names || !map->column) return DC_OK;
    const dc_status st = dc_mem_alloc(&kept, strlen(*names) + 2, 1, "names of columns");
    if (st != DC_OK) return st;
    to = kept;
    for (int64_t k = 0; k < map->kept; k++) {
        for (; column < map->column[k]; column++) from += strcspn(from, "\n") + 1;
        const size_t n = strcspn(from, "\n");
        if (k > 0) *to++ = '\n';
        memcpy(to, from, n);
        to += n;
    }
    dc_mem_free(names);
    *names = kept;
    return DC_OK;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static dc_status apply(dc_dataset *d, const dc_count_map *map)
{
    dc_status st = DC_OK;
    float *X = NULL;
    const int64_t n = dc_part_rows(&d->part);
    if (dc_dataset_is_sparse(d)) return dc_count_map_csr(map, d->source, d->part.row_lo, &d->csr);
    DC_TRY(dc_mem_alloc_raw(&X, dc_mul_size((size_t)n, (size_t)map->kept), sizeof *X, "data X"));
    dc_data_touch(X, (size_t)n * (size_t)map->kept * sizeof *X);
    DC_TRY(dc_count_map_rows(map, d->source, d->part.row_lo, d->dtype, d->X, n, X));
    d->bytes -= (size_t)n * (size_t)d->D * dc_dtype_bytes(d->dtype);
    d->bytes += (size_t)n * (size_t)map->kept * sizeof *X;
    dc_mem_free(&d->X);
    d->X = X, X = NULL;
out:
    dc_mem_free(&X);
    return st;
}

/* Refuses values that are not counts; the text names the first of all ranks. */
static dc_status check_sums(dc_comm *comm, const dc_dataset *d, int64_t bad)
{
    char place[DC_FILES_ROW_MAX];
    int64_t first = bad == INT64_MAX ? bad : d->part.row_lo * d->D + bad;
    dc_comm_min_i64(comm, &first, 1);
    if (first == INT64_MAX) return DC_OK;
    return DC_FAIL(
        DC_ERR_DATA,
        "%s: row %lld%s, column %lld (counted from 0) is negative or not finite: input.normalize_total, log1p and "
        "variable_columns are for counts",
        d->source, (long long)(first / d->D), dc_files_row(d->files, first / d->D, place), (long long)(first % d->D));
}

static void tell(const dc_dataset *d, const dc_count_request *r, const dc_count_map *map)
{
    char size[80] = "", columns[80] = "";
    if (map->normalize_total > 0)
        snprintf(size, sizeof size, ", rows to a sum of %.9g%s", map->normalize_total,
                 r->normalize_total == DC_TOTAL_MEDIAN ? " (the median)" : "");
    if (map->column)
        snprintf(columns, sizeof columns, ", %lld of %lld columns by dispersion", (long long)map->kept,
                 (long long)d->D);
    dc_log("counts    transformed%s%s%s", size, map->log1p ? ", log1p" : "", columns);
}

void dc_data_measure_csr(dc_comm *comm, dc_dataset *d)
{
    dc_csr *m = &d->csr;
    m->total = m->ptr[m->n];
    m->longest = 0;
    for (int64_t i = 0; i < m->n; i++) m->longest = DC_MAX(m->longest, m->ptr[i + 1] - m->ptr[i]);
    dc_comm_sum_i64(comm, &m->total, 1);
    dc_comm_max_i64(comm, &m->longest, 1);
    d->nnz = m->total;
}

static dc_status take_columns(const dc_count_map *from, dc_count_map *map)
{
    map->kept = from->kept;
    const dc_status st = dc_mem_alloc(&map->column, (size_t)map->kept, sizeof *map->column, "chosen columns");
    if (st == DC_OK) memcpy(map->column, from->column, (size_t)map->kept * sizeof *map->column);
    return st;
}

dc_status dc_data_transform_counts(dc_comm *comm, dc_dataset *d, const dc_count_request *r, const dc_count_map *given)
{
    dc_status st = DC_OK;
    double *sum = NULL;
    const int64_t n = dc_part_rows(&d->part);
    dc_count_map *map = &d->counts;
    if (!dc_counts_wanted(r)) return DC_OK;
    *map = (dc_count_map){.used = true, .log1p = r->log1p, .D = d->D, .kept = d->D};
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&sum, (size_t)n, sizeof *sum, "sums of rows"));
    DC_TRY(check_sums(comm, d, dc_data_row_sums(d, n, sum)));
    map->normalize_total = given                                   ? given->normalize_total
                           : r->normalize_total == DC_TOTAL_MEDIAN ? median_of_sums(comm, n, sum)
                                                                   : r->normalize_total;
    if (given && given->column) {
        DC_TRY_ALL(comm, take_columns(given, map));
    } else if (r->variable_columns > 0) {
        map->kept = r->variable_columns;
        DC_TRY(choose_columns(comm, d, r, sum, map));
    }
    tell(d, r, map);
    DC_TRY_ALL(comm, apply(d, map));
    DC_TRY_ALL(comm, keep_names(map, &d->feature_names));
    d->D = map->kept;
    d->dtype = DC_F32;
    if (map->column) d->n_image_dims = 0;
    if (dc_dataset_is_sparse(d)) dc_data_measure_csr(comm, d);
out:
    dc_mem_free(&sum);
    return st;
}

double dc_data_counts_bytes(const dc_data_header *head, const dc_part *part, int threads)
{
    const double D = (double)head->stored_D, n = (double)dc_part_rows(part);
    if (!head->counts) return 0;
    const double stored = head->sparse ? 4 * D : n * D * (double)dc_dtype_bytes(head->stored_dtype);
    return stored + 8 * n + 8 * D * (6 + 4 * (double)threads) + dc_sum_bytes(part, 2 * (size_t)head->stored_D);
}
