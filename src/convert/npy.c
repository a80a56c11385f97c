/* NPY files, also inside of others, as streams. */
#include <string.h>

#include "convert/array.h"

bool dc_array_is_npy(const dc_stream *s)
{
    return dc_npy_recognise(dc_stream_data(s), dc_stream_available(s));
}

/* Length of the dictionary's text; leaves the stream at its begin. */
static dc_status read_length(dc_stream *s, size_t *length)
{
    uint8_t prefix[DC_NPY_PREFIX_BYTES] = {0};
    size_t begin;
    dc_status st = DC_OK;
    DC_TRY(dc_stream_fill(s, sizeof prefix));
    memcpy(prefix, dc_stream_data(s), DC_MIN(dc_stream_available(s), sizeof prefix));
    DC_TRY(dc_npy_length(s->name, prefix, &begin, length));
    st = dc_stream_read(s, prefix, begin);
out:
    return st;
}

dc_status dc_npy_header(dc_stream *s, dc_array *a)
{
    dc_status st = DC_OK;
    size_t length = 0;
    dc_npy npy;
    DC_TRY(read_length(s, &length));
    DC_TRY(dc_stream_fill(s, length));
    if (dc_stream_available(s) < length)
        return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: file ends within the NPY header of %zu bytes", s->name,
                       (unsigned long long)s->offset, length);
    DC_TRY(dc_npy_dictionary(s->name, s->offset, (const char *)dc_stream_data(s), length, &npy));
    dc_stream_skip(s, length);
    *a = (dc_array){.element = {npy.kind, npy.bytes, npy.big_endian}, .n_dims = npy.n_dims, .fortran = npy.fortran};
    memcpy(a->dims, npy.dims, sizeof a->dims);
out:
    return st;
}
