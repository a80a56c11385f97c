#include "convert/sparse_flow.h"

#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"

enum { BATCH = 1 << 14 };

dc_status dc_sparse_flow_open(dc_sparse_flow *f, const dc_sparse_input *in, int n, const char *output)
{
    memset(f, 0, sizeof *f);
    f->in = in;
    f->n = n;
    f->output = output;
    return dc_mem_alloc_raw(&f->batch, BATCH, sizeof *f->batch, "entries");
}

static void close_reader(dc_sparse_flow *f)
{
    if (f->open) dc_sparse_close(&f->reader);
    f->open = false;
}

void dc_sparse_flow_close(dc_sparse_flow *f)
{
    close_reader(f);
    dc_entry_sort_destroy(&f->sort);
    dc_mem_free(&f->batch);
}

dc_status dc_sparse_flow_rewind(dc_sparse_flow *f)
{
    close_reader(f);
    f->at = 0;
    f->base = 0;
    f->len = f->next = 0;
    f->begun = false;
    f->repeated = 0;
    return f->sort ? dc_entry_sort_rewind(f->sort) : DC_OK;
}

/* The next batch of the inputs, as they are; f->len is 0 at the end. */
static dc_status load_inputs(dc_sparse_flow *f)
{
    dc_status st = DC_OK;
    for (f->len = 0; f->len == 0 && f->at < f->n;) {
        if (!f->open) {
            DC_TRY(dc_sparse_open(&f->reader, &f->in[f->at]));
            f->open = true;
        }
        DC_TRY(dc_sparse_read(&f->reader, BATCH, f->batch, &f->len));
        for (size_t i = 0; i < f->len; i++) f->batch[i].row += (uint32_t)f->base;
        if (f->len > 0) break;
        close_reader(f);
        f->base += f->in[f->at++].rows;
    }
out:
    f->next = 0;
    return st;
}

static dc_status load(dc_sparse_flow *f)
{
    if (!f->sort) return load_inputs(f);
    f->next = 0;
    return dc_entry_sort_get(f->sort, BATCH, f->batch, &f->len);
}

/* The input that holds a row of the output, and the row's number there. */
static const dc_sparse_input *owner(const dc_sparse_flow *f, dc_gidx *row)
{
    int i = 0;
    for (; i < f->n - 1 && *row >= f->in[i].rows; i++) *row -= f->in[i].rows;
    return &f->in[i];
}

static dc_status add(dc_sparse_flow *f, dc_entry *e, double value)
{
    dc_gidx row = e->row;
    const dc_sparse_input *in = owner(f, &row);
    if (!in->sums)
        return DC_FAIL(DC_ERR_DATA, "%s: row %lld has column %d twice (rows and columns count from 0)", in->name,
                       (long long)row, e->col);
    e->value += value;
    f->repeated++;
    if (isfinite(e->value)) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: row %lld, column %d: the values in this place add up to %g", in->name,
                   (long long)row, e->col, e->value);
}

/* Takes one entry, and those in the same place. */
static dc_status take(dc_sparse_flow *f, dc_entry *e, bool *found, bool *disorder)
{
    dc_status st = DC_OK;
    if (f->next == f->len) DC_TRY(load(f));
    *found = f->next < f->len;
    if (!*found) return DC_OK;
    *e = f->batch[f->next++];
    const uint64_t key = dc_entry_key(e);
    *disorder = f->begun && key < f->last;
    f->begun = true;
    f->last = key;
    for (;;) {
        if (f->next == f->len) DC_TRY(load(f));
        if (f->next == f->len || dc_entry_key(&f->batch[f->next]) != key) break;
        DC_TRY(add(f, e, f->batch[f->next++].value));
    }
out:
    return st;
}

dc_status dc_sparse_flow_next(dc_sparse_flow *f, dc_entry *e, bool *found, bool *disorder)
{
    dc_status st;
    *disorder = false;
    do st = take(f, e, found, disorder);
    while (st == DC_OK && *found && !*disorder && e->value == 0);
    return st;
}

dc_status dc_sparse_flow_sort(dc_sparse_flow *f)
{
    dc_status st = DC_OK;
    dc_entry_sort *sort = NULL;
    DC_TRY(dc_sparse_flow_rewind(f));
    DC_TRY(dc_entry_sort_create(&sort, f->output, DC_ENTRY_SORT_BYTES));
    for (;;) {
        DC_TRY(load_inputs(f));
        if (f->len == 0) break;
        DC_TRY(dc_entry_sort_put(sort, f->len, f->batch));
    }
    f->sort = sort, sort = NULL;
out:
    dc_entry_sort_destroy(&sort);
    return st;
}
