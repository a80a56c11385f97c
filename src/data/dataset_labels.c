/* Makes labels dense: the distinct values of all ranks, in ascending order, become 0..C-1. Any integer is a legal label
 * except -1, which means no label; only the metrics ever look at labels. More than a million different labels are not
 * classes: then all labels are ignored with a warning, because labels must never make a run fail. */
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/h5_column.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "u64set.h"

enum { MAX_CLASSES = 1000000 };

static int compare_i64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_unique(int64_t *v, size_t n)
{
    size_t kept = 0;
    if (n > 0) qsort(v, n, sizeof *v, compare_i64);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || v[i] != v[kept - 1]) v[kept++] = v[i];
    return kept;
}

dc_status dc_data_collect_labels(const int64_t *raw, int64_t n, dc_u64set *set, int64_t *unlabelled)
{
    dc_status st = DC_OK;
    for (int64_t i = 0; i < n && set->count <= MAX_CLASSES; i++)
        if (raw[i] == -1)
            ++*unlabelled;
        else
            DC_TRY(dc_u64set_add(set, (uint64_t)raw[i]));
out:
    return st;
}

static void pass_over(size_t *n)
{
    dc_log_warning("/y holds more than %d different values: they are not class labels, and score nothing", MAX_CLASSES);
    *n = 0;
}

dc_status dc_data_join_labels(dc_comm *comm, const dc_u64set *set, int64_t **values, size_t *n)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)dc_comm_size(comm), rank = (size_t)dc_comm_rank(comm);
    int64_t *counts = NULL;
    size_t *bytes = NULL, total = 0;
    uint64_t *mine = NULL;
    int64_t most = (int64_t)set->count;
    *values = NULL;
    dc_comm_max_i64(comm, &most, 1);
    if (most > MAX_CLASSES) {
        pass_over(n);
        return DC_OK;
    }
    DC_TRY_ALL(comm, dc_mem_alloc(&counts, P, sizeof *counts, "label counts"));
    DC_TRY_ALL(comm, dc_mem_alloc(&bytes, P, sizeof *bytes, "label counts"));
    counts[rank] = (int64_t)set->count;
    dc_comm_sum_i64(comm, counts, P);
    for (size_t r = 0; r < P; r++) {
        bytes[r] = (size_t)counts[r] * sizeof(uint64_t);
        total += (size_t)counts[r];
    }
    DC_TRY_ALL(comm, dc_mem_alloc(&mine, set->count, sizeof *mine, "labels"));
    DC_TRY_ALL(comm, dc_mem_alloc(values, total, sizeof **values, "labels"));
    dc_u64set_members(set, mine);
    dc_comm_allgatherv(comm, mine, *values, bytes);
    *n = sort_unique(*values, total);
    if (*n > MAX_CLASSES) pass_over(n);
out:
    dc_mem_free(&mine);
    dc_mem_free(&bytes);
    dc_mem_free(&counts);
    return st;
}

int32_t dc_data_label_number(const int64_t *values, size_t n, int64_t value)
{
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (values[mid] <= value)
            lo = mid;
        else
            hi = mid;
    }
    return (int32_t)lo;
}

dc_status dc_data_class_names(const char *path, const char *name, const int64_t *values, size_t C, char **text)
{
    enum { DIGITS = 24 };
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_classes lines = {0};
    char digits[DIGITS];
    size_t bytes = 1, used = 0, n;
    if (path && strcmp(name, "/y") == 0) {
        DC_TRY(dc_data_status(dc_h5_open(&h5, path, DC_H5_READ)));
        DC_TRY(dc_data_status(dc_h5_classes_load(h5, &lines)));
    }
    for (size_t i = 0; i < C; i++) {
        (void)dc_h5_class_name(&lines, values[i], digits, &n);
        bytes += n + 1;
    }
    DC_TRY(dc_mem_alloc(text, bytes, 1, "names of classes"));
    for (size_t i = 0; i < C; i++) {
        const char *one = dc_h5_class_name(&lines, values[i], digits, &n);
        if (i > 0) (*text)[used++] = '\n';
        memcpy(*text + used, one, n);
        used += n;
    }
out:
    dc_h5_classes_release(&lines);
    st = dc_h5_close_read(&h5, st);
    return st;
}

dc_status dc_data_number_labels(dc_comm *comm, dc_dataset *data, const int64_t *raw)
{
    dc_status st = DC_OK;
    dc_u64set set = {0};
    int64_t *values = NULL;
    size_t C = 0;
    const int64_t n = dc_part_rows(&data->part);
    DC_TRY_ALL(comm, dc_u64set_init(&set));
    DC_TRY_ALL(comm, dc_data_collect_labels(raw, n, &set, &data->unlabelled));
    DC_TRY(dc_data_join_labels(comm, &set, &values, &C));
    if (C == 0 && data->part.N > 0) dc_mem_free(&data->y);
    for (int64_t i = 0; data->y && i < n; i++) data->y[i] = dc_data_label_number(values, C, raw[i]);
    data->C = (int64_t)C;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_class_names(NULL, NULL, values, C, &data->classes) : DC_OK);
out:
    dc_mem_free(&values);
    dc_u64set_release(&set);
    return st;
}

uint64_t dc_dataset_hash_labels(dc_comm *comm, const dc_dataset *data)
{
    if (data->C == 0) return 0;
    const dc_part *part = &data->part;
    int64_t sum = (int64_t)dc_h5_hash_rows(sizeof *data->y, part->row_lo, dc_part_rows(part), data->y);
    if (dc_comm_rank(comm) == 0 && data->classes)
        sum = (int64_t)((uint64_t)sum + dc_h5_hash_rows(strlen(data->classes), 0, 1, data->classes));
    dc_comm_sum_i64(comm, &sum, 1);
    return sum == 0 ? 1 : (uint64_t)sum;
}
