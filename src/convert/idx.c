/* The IDX header (Y. LeCun, http://yann.lecun.com/exdb/mnist/): two zero bytes, a type code, the number of dimensions,
 * then each dimension as big-endian uint32. */
#include "convert/array.h"

enum { IDX_MAGIC_BYTES = 4, IDX_DIM_BYTES = 4 };

static const struct {
    uint8_t code;
    dc_element element;
} idx_types[] = {
    {0x08, {'u', 1, true}}, {0x09, {'i', 1, true}}, {0x0B, {'i', 2, true}},
    {0x0C, {'i', 4, true}}, {0x0D, {'f', 4, true}}, {0x0E, {'f', 8, true}},
};

bool dc_idx_recognise(const dc_stream *s)
{
    const uint8_t *p = dc_stream_data(s);
    return dc_stream_available(s) >= IDX_MAGIC_BYTES && p[0] == 0 && p[1] == 0;
}

static const dc_element *find_type(uint8_t code)
{
    for (size_t i = 0; i < DC_COUNT_OF(idx_types); i++)
        if (idx_types[i].code == code) return &idx_types[i].element;
    return NULL;
}

dc_status dc_idx_header(dc_stream *s, dc_array *a)
{
    uint8_t magic[IDX_MAGIC_BYTES], dims[DC_ARRAY_MAX_DIMS * IDX_DIM_BYTES];
    dc_status st = DC_OK;
    DC_TRY(dc_stream_read(s, magic, sizeof magic));
    const dc_element *type = find_type(magic[2]);
    if (!type) return DC_FAIL(DC_ERR_DATA, "%s: byte 2: IDX type code 0x%02x is unknown", s->name, magic[2]);
    if (magic[3] < 1 || magic[3] > DC_ARRAY_MAX_DIMS)
        return DC_FAIL(DC_ERR_DATA, "%s: byte 3: IDX array of %d dimensions; 1 to %d are possible", s->name, magic[3],
                       DC_ARRAY_MAX_DIMS);
    *a = (dc_array){.element = *type, .n_dims = magic[3]};
    DC_TRY(dc_stream_read(s, dims, (size_t)a->n_dims * IDX_DIM_BYTES));
    for (int i = 0; i < a->n_dims; i++) {
        const uint8_t *p = dims + (size_t)i * IDX_DIM_BYTES;
        a->dims[i] = (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
    }
out:
    return st;
}
