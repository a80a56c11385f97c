/* The table of records of one phase. All memory is taken at creation: phases know their largest number of records. */
#include <assert.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/train.h"

dc_status dc_history_create(dc_history *h, const char *phase, int n_columns, const char *const *columns,
                            size_t capacity)
{
    DC_ASSERT(n_columns <= DC_HISTORY_COLUMNS_MAX);
    *h = (dc_history){.phase = phase, .n_columns = n_columns, .capacity = capacity};
    for (int c = 0; c < n_columns; c++) h->column[c] = columns[c];
    return dc_mem_alloc(&h->value, dc_mul_size(capacity, (size_t)n_columns), sizeof *h->value, "history");
}

static void format_name(char out[DC_STATE_NAME_MAX], const char *phase, const char *what)
{
    const int n = snprintf(out, DC_STATE_NAME_MAX, "history/%s/%s", phase, what);
    DC_ASSERT(n < DC_STATE_NAME_MAX);
}

dc_status dc_history_keep(dc_history *h, dc_control *c)
{
    dc_status st = DC_OK;
    char name[DC_STATE_NAME_MAX];
    static_assert(sizeof h->n == sizeof(int64_t), "counts are kept as 64-bit integers");
    h->control = c;
    format_name(name, h->phase, "rows");
    DC_TRY(dc_control_keep(c, name, DC_STATE_F64, h->capacity * (size_t)h->n_columns, h->value, NULL));
    format_name(name, h->phase, "count");
    DC_TRY(dc_control_keep(c, name, DC_STATE_I64, 1, &h->n, NULL));
    format_name(name, h->phase, "step");
    DC_TRY(dc_control_keep(c, name, DC_STATE_I64, 1, &h->step, NULL));
    format_name(name, h->phase, "total");
    DC_TRY(dc_control_keep(c, name, DC_STATE_I64, 1, &h->total, NULL));
    if (h->n > h->capacity || h->step < 0 || h->step > h->total)
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's history of '%s' does not fit this run", h->phase);
out:
    return st;
}

static int64_t waiting_number(const dc_control *c, const char *phase, const char *what)
{
    char name[DC_STATE_NAME_MAX];
    format_name(name, phase, what);
    const dc_state_array *a = dc_control_waiting(c, name);
    return a && a->type == DC_STATE_I64 && a->n == 1 ? *(const int64_t *)a->data : 0;
}

dc_status dc_history_recall(dc_history *h, dc_control *c, const char *phase, int n_columns, const char *const *columns,
                            bool *finished)
{
    char name[DC_STATE_NAME_MAX];
    format_name(name, phase, "rows");
    const dc_state_array *rows = dc_control_waiting(c, name);
    const int64_t total = waiting_number(c, phase, "total");
    *finished = rows && total > 0 && waiting_number(c, phase, "step") == total;
    if (!*finished) return DC_OK;
    const dc_status st = dc_history_create(h, phase, n_columns, columns, rows->n / (size_t)n_columns);
    if (st != DC_OK) return st;
    const dc_status kept = dc_history_keep(h, c);
    return kept == DC_OK ? dc_history_check(h, h->capacity, total) : kept;
}

dc_status dc_history_check(const dc_history *h, size_t n, int64_t total)
{
    if (h->n == n && h->total == total) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "the checkpoint's history of '%s' fits no state of this run: %zu records at step %lld of %lld",
                   h->phase, h->n, (long long)h->step, (long long)h->total);
}

void dc_history_add(dc_history *h, const double *row)
{
    DC_ASSERT(h->n < h->capacity);
    memcpy(h->value + h->n++ * (size_t)h->n_columns, row, (size_t)h->n_columns * sizeof *row);
}

void dc_history_release(dc_history *h)
{
    dc_control_drop(h->control, h->value);
    dc_control_drop(h->control, &h->n);
    dc_control_drop(h->control, &h->step);
    dc_control_drop(h->control, &h->total);
    dc_mem_free(&h->value);
    h->n = h->capacity = 0;
}
