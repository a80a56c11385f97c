/* What IDX and NPY have in common once their header is read: dimensions that must agree with the size of the file, then
 * elements without gaps. */
#include "convert/array.h"

#include <string.h>

#include "dcmpi/convert.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

/* DC_CONVERT_MAX_COLUMNS limits the values per row of the output. DC_CONVERT_MAX_TURNED_ROWS limits the rows of a file
 * that is to be transposed. */
static dc_status check_width(const dc_stream *s, bool turn, uint64_t rows, uint64_t width)
{
    const uint64_t limit = turn ? DC_CONVERT_MAX_TURNED_ROWS : DC_CONVERT_MAX_COLUMNS;
    if (turn && rows > DC_CONVERT_MAX_COLUMNS)
        return DC_FAIL(DC_ERR_DATA, "%s: %llu columns, the limit is %d", s->name, (unsigned long long)rows,
                       DC_CONVERT_MAX_COLUMNS);
    if (width <= limit) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: %llu %s, the limit is %llu", s->name, (unsigned long long)width,
                   turn ? "rows to be turned over" : "values per row", (unsigned long long)limit);
}

dc_status dc_array_check(const dc_stream *s, const dc_array *a, bool columns, bool turn, dc_gidx *rows, int64_t *width)
{
    dc_status st = DC_OK;
    uint64_t wide = 1, values, bytes;
    bool fits = a->dims[0] <= INT64_MAX;
    for (int i = 1; i < a->n_dims; i++) fits &= !__builtin_mul_overflow(wide, a->dims[i], &wide);
    fits &= !__builtin_mul_overflow(wide, a->dims[0], &values);
    fits = fits && !__builtin_mul_overflow(values, (uint64_t)a->element.bytes, &bytes);
    fits = fits && !__builtin_add_overflow(bytes, s->offset, &bytes);
    if (!fits) return DC_FAIL(DC_ERR_DATA, "%s: the product of the header's dimensions overflows", s->name);
    if (values == 0)
        return DC_FAIL(DC_ERR_DATA, "%s: header gives an array without values (a dimension is 0)", s->name);
    DC_TRY(dc_stream_check_size(s, bytes));
    *rows = (dc_gidx)(columns ? wide : a->dims[0]);
    *width = (int64_t)(columns ? a->dims[0] : wide);
    st = check_width(s, turn, (uint64_t)*rows, (uint64_t)*width);
out:
    return st;
}

dc_status dc_array_order(const dc_array *a, uint32_t **order)
{
    uint64_t wide = 1;
    *order = NULL;
    if (a->n_dims < 3) return DC_OK;
    for (int i = 1; i < a->n_dims; i++) wide *= a->dims[i];
    const dc_status st = dc_mem_alloc(order, wide, sizeof **order, "order of columns");
    if (st != DC_OK) return st;
    for (uint64_t c = 0; c < wide; c++) {
        uint64_t rest = c, at = 0; /* in c the last dimension runs fastest, in `at` dimension 1 */
        uint64_t stride = wide;
        for (int i = a->n_dims - 1; i >= 1; i--) {
            stride /= a->dims[i];
            at += rest % a->dims[i] * stride;
            rest /= a->dims[i];
        }
        (*order)[c] = (uint32_t)at;
    }
    return DC_OK;
}

/* Converts a text of the file to UTF-8. Kind S holds bytes, kind U code points of four bytes; both are padded with
 * zeros. */
static size_t decode_text(dc_element e, const uint8_t *p, char *out)
{
    size_t used = 0;
    if (e.kind == 'S') {
        used = strnlen((const char *)p, (size_t)e.bytes);
        memcpy(out, p, used);
        return used;
    }
    for (int i = 0; i < e.bytes; i += 4) {
        const uint8_t *q = p + i;
        const uint32_t code = e.big_endian ? (uint32_t)q[0] << 24 | (uint32_t)q[1] << 16 | (uint32_t)q[2] << 8 | q[3]
                                           : (uint32_t)q[3] << 24 | (uint32_t)q[2] << 16 | (uint32_t)q[1] << 8 | q[0];
        if (code == 0) break;
        used += dc_utf8_put(code, out + used);
    }
    return used;
}

dc_status dc_array_read_text(dc_stream *s, const dc_array *a, size_t n,
                             dc_status (*visit)(void *ctx, const char *text, size_t length), void *ctx)
{
    dc_status st = DC_OK;
    uint8_t item[DC_ARRAY_MAX_TEXT_BYTES];
    char text[DC_ARRAY_MAX_TEXT_BYTES];
    for (size_t i = 0; i < n; i++) {
        DC_TRY(dc_stream_read(s, item, (size_t)a->element.bytes));
        DC_TRY(visit(ctx, text, decode_text(a->element, item, text)));
    }
out:
    return st;
}

dc_status dc_array_read(dc_stream *s, const dc_array *a, size_t n, double *out)
{
    const size_t size = (size_t)a->element.bytes;
    while (n > 0) {
        const dc_status st = dc_stream_fill(s, size);
        if (st != DC_OK) return st;
        const size_t take = DC_MIN(n, dc_stream_available(s) / size);
        if (take == 0)
            return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: file ends, %zu more values of %zu bytes were expected", s->name,
                           (unsigned long long)s->offset, n, size);
        dc_element_decode(a->element, dc_stream_data(s), take, out);
        dc_stream_skip(s, take * size);
        out += take;
        n -= take;
    }
    return DC_OK;
}
