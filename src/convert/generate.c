#include "convert/generate.h"

#include <math.h>

#include "dcmpi/builtin.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"

enum { SEED_DEFAULT = 1 }; /* that of a deck, too */

bool dc_job_is_builtin(const dc_conversion *j)
{
    for (int i = 0; i < j->cfg->n_inputs; i++)
        if (dc_builtin_is(j->cfg->inputs[i])) return true;
    return false;
}

static dc_status check(const dc_conversion *j, dc_builtin *b)
{
    char why[DC_BUILTIN_WHY_MAX];
    const dc_convert_config *cfg = j->cfg;
    if (cfg->n_inputs > 1)
        return DC_FAIL(DC_ERR_USAGE, "convert: built-in data are written alone; leave out the other inputs");
    if (cfg->n_labels > 0 || (cfg->options && cfg->options[0]))
        return DC_FAIL(DC_ERR_USAGE, "convert: options about files have no effect on built-in data; leave them out");
    return dc_builtin_parse(cfg->inputs[0], b, why) ? DC_OK : DC_FAIL(DC_ERR_USAGE, "convert: %s", why);
}

static dc_status take(dc_conversion *j, const dc_builtin *b, float **row, bool **seen)
{
    dc_status st = DC_OK;
    const size_t row_bytes = (size_t)b->D * dc_dtype_bytes(b->dtype);
    j->id_bytes = dc_builtin_id_bytes(b, b->rows);
    j->piece_rows = DC_MIN(DC_MAX((size_t)1, DC_PIECE_VALUES / (size_t)b->D), (size_t)b->rows);
    DC_TRY(dc_mem_alloc_raw(&j->packed, j->piece_rows, row_bytes, "piece of rows"));
    DC_TRY(dc_mem_alloc(row, (size_t)b->D, sizeof **row, "a row"));
    DC_TRY(dc_mem_alloc_raw((void **)&j->y, j->piece_rows, sizeof *j->y, "piece of labels"));
    if (j->id_bytes) DC_TRY(dc_mem_alloc_raw((void **)&j->ids, j->piece_rows, j->id_bytes, "piece of ids"));
    DC_TRY(dc_mem_alloc(seen, (size_t)b->C, sizeof **seen, "classes"));
    j->hash = XXH3_createState();
    if (!j->hash || XXH3_64bits_reset(j->hash) != XXH_OK) return DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum");
out:
    return st;
}

/* x[n] = values as stored. */
static void decode(dc_dtype dtype, const void *values, size_t n, float *x)
{
    const uint8_t *byte = values;
    const _Float16 *half = values;
    for (size_t i = 0; i < n; i++) x[i] = dtype == DC_U8 ? (float)byte[i] : (float)half[i];
}

/* Adds a piece to statistics and checksums. */
static void look_at(dc_conversion *j, float *row, size_t n)
{
    dc_convert_result *r = j->result;
    const size_t D = (size_t)r->D, row_bytes = D * dc_dtype_bytes(r->dtype);
    const float *x = row;
    for (size_t i = 0; i < n; i++) {
        const char *stored = (const char *)j->packed + i * row_bytes;
        if (r->dtype == DC_F32)
            x = (const float *)(const void *)stored;
        else
            decode(r->dtype, stored, D, row);
        for (size_t c = 0; c < D; c++) {
            r->min = DC_MIN(r->min, (double)x[c]);
            r->max = DC_MAX(r->max, (double)x[c]);
            j->sum += (double)x[c];
        }
    }
    XXH3_64bits_update(j->hash, j->packed, n * row_bytes);
    j->hash_rows += dc_h5_hash_rows(row_bytes, j->out.next_row, (dc_gidx)n, j->packed);
}

static dc_status write_rows(dc_conversion *j, const dc_builtin *b, float *row, bool *seen)
{
    dc_status st = DC_OK;
    for (dc_gidx lo = 0; lo < b->rows; lo += (dc_gidx)j->piece_rows) {
        const int64_t n = DC_MIN((int64_t)j->piece_rows, b->rows - lo);
        if (dc_signals_stops() > 0) return DC_STOPPED;
        DC_TRY(dc_builtin_make(b, SEED_DEFAULT, lo, n, j->packed, j->y, j->ids, j->id_bytes));
        for (int64_t i = 0; i < n; i++) {
            j->result->n_classes += !seen[j->y[i]];
            seen[j->y[i]] = true;
        }
        look_at(j, row, (size_t)n);
        DC_TRY(dc_output_append(&j->out, (size_t)n, j->packed, j->y, j->ids));
    }
out:
    return st;
}

dc_status dc_job_generate(dc_conversion *j)
{
    dc_status st = DC_OK;
    dc_builtin b;
    bool *seen = NULL;
    float *row = NULL;
    dc_convert_result *r = j->result;
    DC_TRY(check(j, &b));
    *r = (dc_convert_result){
        .N = b.rows, .D = b.D, .dtype = b.dtype, .has_labels = true, .min = INFINITY, .max = -INFINITY};
    if (b.kind == DC_DATA_GLYPHS) {
        j->n_image_dims = 2;
        j->image_shape[0] = j->image_shape[1] = DC_GLYPH_SIDE;
    }
    DC_TRY(take(j, &b, &row, &seen));
    DC_TRY(dc_output_create(&j->out, r->N, r->D, r->dtype, true, j->id_bytes));
    DC_TRY(write_rows(j, &b, row, seen));
    r->mean = j->sum / ((double)r->N * (double)r->D);
    r->checksum = XXH3_64bits_digest(j->hash);
out:
    dc_mem_free(&seen);
    dc_mem_free(&row);
    return st;
}
