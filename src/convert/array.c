/* What IDX and NPY have in common once their header is read: dimensions that must agree with the size of the file, then
 * elements without gaps. */
#include "convert/array.h"

#include "dcmpi/convert.h"

dc_status dc_array_check(const dc_stream *s, const dc_array *a, dc_gidx *rows, int64_t *width)
{
    uint64_t wide = 1, values, bytes;
    bool fits = a->dims[0] <= INT64_MAX;
    for (int i = 1; i < a->n_dims; i++) fits &= !__builtin_mul_overflow(wide, a->dims[i], &wide);
    fits &= !__builtin_mul_overflow(wide, a->dims[0], &values);
    fits = fits && !__builtin_mul_overflow(values, (uint64_t)a->element.bytes, &bytes);
    fits = fits && !__builtin_add_overflow(bytes, s->offset, &bytes);
    if (!fits) return DC_FAIL(DC_ERR_DATA, "%s: the product of the header's dimensions overflows", s->name);
    if (values == 0)
        return DC_FAIL(DC_ERR_DATA, "%s: header gives an array without values (a dimension is 0)", s->name);
    const dc_status st = dc_stream_check_size(s, bytes);
    if (st != DC_OK) return st;
    if (wide > DC_CONVERT_MAX_COLUMNS)
        return DC_FAIL(DC_ERR_DATA, "%s: %llu values per row, the limit is %d", s->name, (unsigned long long)wide,
                       DC_CONVERT_MAX_COLUMNS);
    *rows = (dc_gidx)a->dims[0];
    *width = (int64_t)wide;
    return DC_OK;
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
