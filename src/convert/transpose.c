/* Transposition by panels. With M values of memory, a panel has P = M / N lines and a block B = M / D rows, so that
 * each read of the temporary file is a stretch of B * P = M^2 / (N D) values: 28,000 for 80 GB with 128 MiB. The lines
 * of a panel are stored column by column ([N x P]): the values of one panel that belong to a block of rows are then
 * contiguous.
 *
 * Rows are copied out of the block, which holds them panel by panel, so a value moves twice in memory and once to the
 * disk and back. */
#include "convert/transpose.h"

#include <string.h>

#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"
#include "dcmpi/scratch.h"
#include "dcmpi/signals.h"

struct dc_transpose {
    dc_scratch file; /* not made if all lines fit into one panel */
    int64_t N, D;
    int64_t panel_lines;   /* P */
    int64_t in_panel;      /* lines of the panel that is being filled */
    int64_t stored_panels; /* in the file, of P lines each */
    size_t memory;
    double *panel; /* [N x P]: the value of line l in row r is at r * P + l; kept if it is the only panel */
    /* going out */
    int64_t next_row;               /* of the matrix */
    int64_t block_first, block_len; /* rows that `block` holds */
    int64_t block_rows;             /* B */
    double *block;                  /* one panel after another, each [B x P] */
};

dc_status dc_transpose_create(dc_transpose **out, int64_t N, const char *beside, size_t memory)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "transposition"));
    dc_transpose *t = *out;
    dc_scratch_init(&t->file, beside, "the temporary file of --transpose");
    t->N = N;
    t->memory = memory;
    t->panel_lines = DC_MAX((int64_t)1, (int64_t)(memory / sizeof(double)) / N);
    DC_TRY(dc_mem_alloc_raw(&t->panel, (size_t)(t->panel_lines * N), sizeof(double), "lines to transpose"));
out:
    if (st != DC_OK) dc_transpose_destroy(out);
    return st;
}

void dc_transpose_destroy(dc_transpose **t)
{
    if (!*t) return;
    dc_scratch_close(&(*t)->file);
    dc_mem_free(&(*t)->panel);
    dc_mem_free(&(*t)->block);
    dc_mem_free(t);
}

/* ---- The temporary file ------------------------------------------------------------------------------------------ */

static dc_status store_panel(dc_transpose *t)
{
    dc_status st = DC_OK;
    const size_t bytes = (size_t)(t->N * t->panel_lines) * sizeof(double);
    DC_TRY(dc_scratch_write(&t->file, t->panel, bytes, t->stored_panels * (int64_t)bytes));
    t->stored_panels++;
    t->in_panel = 0;
out:
    return st;
}

/* ---- Lines in ---------------------------------------------------------------------------------------------------- */

dc_status dc_transpose_put(dc_transpose *t, size_t n, const double *lines)
{
    for (size_t i = 0; i < n; i++) {
        if (dc_signals_stops() > 0) return DC_STOPPED;
        dc_heartbeat();
        if (t->in_panel == t->panel_lines) {
            const dc_status st = store_panel(t);
            if (st != DC_OK) return st;
        }
        const double *line = lines + i * (size_t)t->N;
        double *to = t->panel + t->in_panel++;
        for (int64_t r = 0; r < t->N; r++) to[r * t->panel_lines] = line[r];
    }
    return DC_OK;
}

dc_status dc_transpose_turn(dc_transpose *t, int64_t *D)
{
    dc_status st = DC_OK;
    t->D = t->stored_panels * t->panel_lines + t->in_panel;
    *D = t->D;
    if (t->stored_panels == 0 || t->D == 0) return DC_OK;
    if (t->in_panel > 0) DC_TRY(store_panel(t)); /* its unused rest gets into no row */
    dc_mem_free(&t->panel);
    t->block_rows = DC_MAX((int64_t)1, (int64_t)(t->memory / sizeof(double)) / t->D);
    DC_TRY(dc_mem_alloc_raw(&t->block, (size_t)(t->block_rows * t->stored_panels * t->panel_lines), sizeof(double),
                            "columns to transpose"));
out:
    return st;
}

/* ---- Rows out ---------------------------------------------------------------------------------------------------- */

static dc_status load_block(dc_transpose *t)
{
    const int64_t rows = DC_MIN(t->block_rows, t->N - t->next_row);
    const size_t stretch = (size_t)(rows * t->panel_lines);
    for (int64_t k = 0; k < t->stored_panels; k++) {
        if (dc_signals_stops() > 0) return DC_STOPPED;
        dc_heartbeat();
        const int64_t at = (k * t->N + t->next_row) * t->panel_lines * (int64_t)sizeof(double);
        const dc_status st = dc_scratch_read(&t->file, t->block + (size_t)k * stretch, stretch * sizeof(double), at);
        if (st != DC_OK) return st;
    }
    t->block_first = t->next_row;
    t->block_len = rows;
    return DC_OK;
}

/* Copies one row to `out`: one stretch from each panel. */
static void take_row(const dc_transpose *t, int64_t row, double *out)
{
    const int64_t P = t->panel_lines;
    if (!t->block) {
        memcpy(out, t->panel + row * P, (size_t)t->D * sizeof *out);
        return;
    }
    const int64_t i = row - t->block_first;
    for (int64_t k = 0, left = t->D; left > 0; k++, left -= P)
        memcpy(out + k * P, t->block + (k * t->block_len + i) * P, (size_t)DC_MIN(left, P) * sizeof *out);
}

dc_status dc_transpose_get(dc_transpose *t, size_t n, double *rows, size_t *got)
{
    for (*got = 0; *got < n && t->next_row < t->N; ++*got, t->next_row++) {
        const bool there = t->next_row >= t->block_first && t->next_row < t->block_first + t->block_len;
        if (t->block && !there) {
            const dc_status st = load_block(t);
            if (st != DC_OK) return st;
        }
        take_row(t, t->next_row, rows + *got * (size_t)t->D);
    }
    return DC_OK;
}

void dc_transpose_rewind(dc_transpose *t)
{
    t->next_row = 0;
}
