/* The table of records of one phase. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/history.h"
#include "dcmpi/mem.h"

enum { ROWS_AT_FIRST = 64 };

void dc_history_init(dc_history *h, const char *phase, int n_columns, const char *const *columns)
{
    DC_ASSERT(n_columns <= DC_HISTORY_COLUMNS_MAX);
    *h = (dc_history){.phase = phase, .n_columns = n_columns};
    for (int c = 0; c < n_columns; c++) h->column[c] = columns[c];
}

/* Makes room for `rows` rows and keeps those that are there. */
static dc_status reserve(dc_history *h, size_t rows)
{
    double *value;
    const size_t columns = (size_t)h->n_columns;
    const dc_status st = dc_mem_alloc(&value, rows, dc_mul_size(columns, sizeof *value), "history");
    if (st != DC_OK) return st;
    if (h->n) memcpy(value, h->value, h->n * columns * sizeof *value);
    dc_mem_free(&h->value);
    h->value = value;
    h->capacity = rows;
    return DC_OK;
}

static void format_name(char out[DC_STATE_NAME_MAX], const char *phase, const char *what)
{
    const int n = snprintf(out, DC_STATE_NAME_MAX, "history/%s/%s", phase, what);
    DC_ASSERT(n < DC_STATE_NAME_MAX);
}

dc_status dc_history_keep(dc_comm *comm, dc_history *h, dc_state *c)
{
    dc_status st = DC_OK;
    char name[DC_STATE_NAME_MAX];
    const size_t width = (size_t)h->n_columns;
    h->state = c;
    format_name(name, h->phase, "rows");
    const dc_state_array *waiting = dc_state_waiting(c, name);
    if (waiting) DC_TRY_ALL(comm, reserve(h, waiting->n / width));
    DC_TRY(dc_state_keep_growing(comm, c, name, DC_STATE_F64, width, &h->n, (void *const *)&h->value, h->capacity));
    format_name(name, h->phase, "step");
    DC_TRY(dc_state_keep(comm, c, name, DC_STATE_I64, 1, &h->step, NULL));
    format_name(name, h->phase, "total");
    DC_TRY(dc_state_keep(comm, c, name, DC_STATE_I64, 1, &h->total, NULL));
    if (h->step < 0 || h->step > h->total)
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's history of '%s' does not fit this run", h->phase);
out:
    return st;
}

static int64_t waiting_number(const dc_state *c, const char *phase, const char *what)
{
    char name[DC_STATE_NAME_MAX];
    format_name(name, phase, what);
    const dc_state_array *a = dc_state_waiting(c, name);
    return a && a->type == DC_STATE_I64 && a->n == 1 ? a->number : 0;
}

dc_status dc_history_recall(dc_comm *comm, dc_history *h, dc_state *c, const char *phase, int n_columns,
                            const char *const *columns, bool *finished)
{
    char name[DC_STATE_NAME_MAX];
    format_name(name, phase, "rows");
    const dc_state_array *rows = dc_state_waiting(c, name);
    const int64_t total = waiting_number(c, phase, "total");
    *finished = rows && total > 0 && waiting_number(c, phase, "step") == total;
    if (!*finished) return DC_OK;
    dc_history_init(h, phase, n_columns, columns);
    const dc_status st = dc_history_keep(comm, h, c);
    return st == DC_OK ? dc_history_check(h, DC_MAX(h->n, (size_t)1), total) : st;
}

dc_status dc_history_check(const dc_history *h, size_t n, int64_t total)
{
    if (h->n == n && h->total == total) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "the checkpoint's history of '%s' fits no state of this run: %zu records at step %lld of %lld",
                   h->phase, h->n, (long long)h->step, (long long)h->total);
}

dc_status dc_history_add(dc_comm *comm, dc_history *h, const double *row)
{
    if (h->n == h->capacity) {
        const dc_status st = dc_agree(comm, reserve(h, h->n ? 2 * h->n : ROWS_AT_FIRST));
        if (st != DC_OK) return st;
    }
    memcpy(h->value + h->n++ * (size_t)h->n_columns, row, (size_t)h->n_columns * sizeof *row);
    return DC_OK;
}

void dc_history_release(dc_history *h)
{
    dc_state_drop(h->state, &h->n);
    dc_state_drop(h->state, &h->step);
    dc_state_drop(h->state, &h->total);
    dc_mem_free(&h->value);
    h->n = h->capacity = 0;
}
