/* Loading the data of a job: header, this rank's rows in their stored type, labels, audit, scaling.
 *
 * Rank 0 alone looks at the header; then all ranks read their rows together. Each step below is collective and returns
 * the same status everywhere. Rows are never converted in memory: uint8 stays uint8, and becomes float when it is
 * gathered. */
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/mem.h"

static const struct {
    dc_h5_type h5;
    dc_dtype dtype;
} type_pairs[] = {{DC_H5_U8, DC_U8}, {DC_H5_F16, DC_F16}, {DC_H5_F32, DC_F32}, {DC_H5_F64, DC_F64}};

dc_h5_type dc_data_h5_type(dc_dtype dtype)
{
    for (size_t i = 0; i < DC_COUNT_OF(type_pairs); i++)
        if (type_pairs[i].dtype == dtype) return type_pairs[i].h5;
    return DC_H5_OTHER;
}

dc_status dc_data_status(dc_status st)
{
    if (st != DC_ERR_FORMAT) return st;
    char text[DC_ERROR_TEXT_MAX], where[256];
    snprintf(text, sizeof text, "%s", dc_error_text());
    snprintf(where, sizeof where, "%s", dc_error_where());
    dc_error_set(DC_ERR_DATA, where, text);
    return DC_ERR_DATA;
}

/* ---- Header ------------------------------------------------------------------------------------------------------ */

static dc_status describe_builtin(dc_gidx rows, dc_data_shape *s)
{
    *s = (dc_data_shape){.builtin = true, .n_image_dims = 2, .image_shape = {DC_GLYPH_SIDE, DC_GLYPH_SIDE}};
    s->head = (dc_data_header){.N = rows > 0 ? rows : DC_GLYPH_ROWS_DEFAULT,
                               .D = DC_GLYPH_PIXELS,
                               .dtype = DC_U8,
                               .has_labels = true,
                               .C = DC_GLYPH_CLASSES};
    return DC_OK;
}

static dc_status describe_rows(const char *path, const dc_h5_info *info, dc_gidx rows, dc_data_shape *s)
{
    if (info->n_dims < 2 || dc_fault(DC_FAULT_DATA_HEADER))
        return DC_FAIL(DC_ERR_DATA, "%s: /X has %d dimension(s); it must be [rows, columns]", path, info->n_dims);
    bool known = false;
    for (size_t i = 0; i < DC_COUNT_OF(type_pairs) && !known; i++) {
        known = info->exact && type_pairs[i].h5 == info->type;
        s->head.dtype = type_pairs[i].dtype;
    }
    if (!known)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: /X is %s; it must be uint8, float16, float32 or float64 in little-endian order; run: dcmpi "
                       "convert %s OUT.h5",
                       path, info->type_name, path);
    s->head.N = info->dims[0];
    const dc_status st = dc_data_status(dc_h5_row_width(path, "/X", info, &s->head.D));
    if (st != DC_OK) return st;
    if (s->head.N < 1 || s->head.D < 1)
        return DC_FAIL(DC_ERR_DATA, "%s: /X is empty (%lld rows, %lld columns)", path, (long long)s->head.N,
                       (long long)s->head.D);
    if (rows > s->head.N)
        return DC_FAIL(DC_ERR_DATA, "%s: /X has %lld rows, fewer than input.rows=%lld", path, (long long)s->head.N,
                       (long long)rows);
    return DC_OK;
}

/* A picture's shape: the attribute image_shape of the file or of /X, else the dims of an X with more than two. It is a
 * hint for pictures, so one that does not fit is passed over. */
static void describe_image(dc_h5 *h5, const dc_h5_info *info, dc_data_shape *s)
{
    int64_t shape[DC_IMAGE_DIMS_MAX] = {0}, pixels = 1;
    size_t n = 0;
    const char *owner = dc_h5_has_attr(h5, "/", "image_shape")    ? "/"
                        : dc_h5_has_attr(h5, "/X", "image_shape") ? "/X"
                                                                  : NULL;
    if (owner) {
        if (dc_h5_get_attr_i64(h5, owner, "image_shape", shape, DC_IMAGE_DIMS_MAX, &n) != DC_OK) {
            dc_error_clear();
            return;
        }
    } else if (info->n_dims > 2) {
        n = (size_t)info->n_dims - 1;
        for (size_t i = 0; i < DC_MIN(n, (size_t)DC_IMAGE_DIMS_MAX); i++) shape[i] = info->dims[i + 1];
    }
    if (n == 0 || n > DC_IMAGE_DIMS_MAX) return;
    for (size_t i = 0; i < n; i++)
        if (shape[i] < 1 || __builtin_mul_overflow(pixels, shape[i], &pixels)) return;
    if (pixels != s->head.D) return;
    s->n_image_dims = (int)n;
    memcpy(s->image_shape, shape, sizeof shape);
}

/* A hint, like that on pictures. */
static void describe_classes(dc_h5 *h5, dc_data_shape *s)
{
    int64_t C = 0;
    if (!dc_h5_has_attr(h5, "/", "n_classes")) return;
    if (dc_h5_get_attr_i64(h5, "/", "n_classes", &C, 1, NULL) != DC_OK) dc_error_clear();
    s->head.C = DC_MAX(C, 0);
}

static dc_status describe_labels(dc_h5 *h5, const char *path, dc_gidx rows_of_X, dc_data_shape *s)
{
    dc_h5_info info;
    s->head.has_labels = dc_h5_exists(h5, "/y");
    if (!s->head.has_labels) return DC_OK;
    const dc_status st = dc_h5_dataset_info(h5, "/y", &info);
    if (st != DC_OK) return dc_data_status(st);
    s->label_type = info.type;
    describe_classes(h5, s);
    const bool is_vector = info.n_dims == 1 || (info.n_dims == 2 && info.dims[1] == 1);
    if (!is_vector || info.dims[0] != rows_of_X)
        return DC_FAIL(DC_ERR_DATA, "%s: /y must hold one label for each of the %lld rows of /X, but has %lld", path,
                       (long long)rows_of_X, (long long)(info.n_dims > 0 ? info.dims[0] : 1));
    if (!info.integer || !info.exact)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: /y must be int32 (or uint8, int64) in little-endian order; run: dcmpi convert %s "
                       "OUT.h5",
                       path, path);
    return DC_OK;
}

static dc_status describe_file(const char *path, dc_gidx rows, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    memset(s, 0, sizeof *s);
    DC_TRY(dc_data_status(dc_h5_open(&h5, path, DC_H5_READ)));
    if (!dc_h5_exists(h5, "/X"))
        DC_TRY(DC_FAIL(DC_ERR_DATA,
                       "%s has no dataset /X [rows, columns]; make a data file with: dcmpi convert IN OUT.h5", path));
    DC_TRY(dc_data_status(dc_h5_dataset_info(h5, "/X", &info)));
    DC_TRY(describe_rows(path, &info, rows, s));
    describe_image(h5, &info, s);
    DC_TRY(describe_labels(h5, path, s->head.N, s));
    DC_TRY(dc_data_status(dc_data_read_promise(h5, s->head.N, s->head.has_labels, &s->promise)));
    if (rows > 0) s->head.N = rows;
out:
    if (st == DC_OK)
        st = dc_h5_close(&h5);
    else
        (void)!dc_h5_close(&h5);
    return st;
}

dc_status dc_data_describe(const char *path, dc_gidx rows, dc_data_shape *shape)
{
    return strcmp(path, DC_BUILTIN_GLYPHS) == 0 ? describe_builtin(rows, shape) : describe_file(path, rows, shape);
}

dc_status dc_dataset_header(const char *path, dc_gidx rows, dc_data_header *out)
{
    dc_data_shape shape;
    const dc_status st = dc_data_describe(path, rows, &shape);
    if (st == DC_OK) *out = shape.head;
    return st;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Linux hands out memory that it does not have and ends the job later, so we ask first. */
static dc_status check_memory(const dc_dataset *d, size_t bytes, int ranks_here)
{
    const size_t available = dc_mem_available_bytes(ranks_here);
    if (bytes <= available && !dc_fault(DC_FAULT_DATA_MEMORY)) return DC_OK;
    return DC_FAIL(DC_ERR_MEMORY,
                   "%s: %.1f GiB of rows for each rank, but only %.1f GiB are free for it; use more nodes or "
                   "fewer rows (input.rows)",
                   d->source, (double)bytes / 0x1p30, (double)available / 0x1p30);
}

static dc_status take_memory(dc_dataset *d, bool has_labels, int ranks_here)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&d->part), D = (size_t)d->D;
    const size_t row_bytes = dc_mul_size(D, dc_dtype_bytes(d->dtype)), x_bytes = dc_mul_size(n, row_bytes);
    DC_TRY(check_memory(d, x_bytes, ranks_here));
    DC_TRY(dc_mem_alloc_raw(&d->X, n, row_bytes, "data X"));
    dc_data_touch(d->X, x_bytes);
    if (has_labels) DC_TRY(dc_mem_alloc(&d->y, n, sizeof *d->y, "labels"));
    DC_TRY(dc_mem_alloc(&d->shift, D, sizeof *d->shift, "scaling"));
    DC_TRY(dc_mem_alloc(&d->scale, D, sizeof *d->scale, "scaling"));
    d->bytes = x_bytes + (has_labels ? n * sizeof *d->y : 0) + 2 * D * sizeof *d->shift;
out:
    return st;
}

void dc_data_widen_labels(int64_t *raw, int64_t n, dc_h5_type type)
{
    const char *packed = (const char *)raw;
    for (int64_t i = n; i-- > 0;) {
        uint8_t u8;
        int32_t i32;
        if (type == DC_H5_U8) {
            memcpy(&u8, packed + i, sizeof u8);
            raw[i] = u8;
        } else if (type == DC_H5_I32) {
            memcpy(&i32, packed + (size_t)i * sizeof i32, sizeof i32);
            raw[i] = i32;
        }
    }
}

static dc_status load_labels(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, dc_data_sums *sums)
{
    dc_status st = DC_OK;
    int64_t *raw = NULL;
    const int64_t n = dc_part_rows(&d->part);
    DC_TRY_ALL(comm, dc_mem_alloc(&raw, (size_t)n, sizeof *raw, "raw labels"));
    if (s->builtin) {
        for (int64_t i = 0; i < n; i++) raw[i] = d->y[i];
    } else {
        DC_TRY(dc_data_status(dc_h5_read_part(comm, d->source, "/y", s->label_type, &d->part, 1, raw)));
        dc_data_sums_add_labels(sums, dc_h5_type_bytes(s->label_type), d->part.row_lo, n, raw);
        dc_data_widen_labels(raw, n, s->label_type);
    }
    st = dc_data_number_labels(comm, d, raw);
out:
    dc_mem_free(&raw);
    return st;
}

static dc_status generate_rows(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, uint64_t seed)
{
    dc_data_generate(seed, &d->part, d->X, d->y);
    return load_labels(comm, d, s, NULL);
}

static dc_status load_rows(dc_comm *comm, dc_dataset *d, const dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_data_sums *sums = NULL;
    const size_t row_bytes = (size_t)d->D * dc_dtype_bytes(d->dtype);
    DC_TRY_ALL(comm, dc_data_sums_create(&s->promise, d->part.N, dc_comm_size(comm), &sums));
    DC_TRY(dc_data_status(
        dc_h5_read_part(comm, d->source, "/X", dc_data_h5_type(d->dtype), &d->part, (size_t)d->D, d->X)));
    dc_data_sums_add_rows(sums, row_bytes, d->part.row_lo, dc_part_rows(&d->part), d->X);
    if (d->y) DC_TRY(load_labels(comm, d, s, sums));
    DC_TRY(dc_data_sums_compare(comm, sums, d->source, &d->checksum));
out:
    dc_data_sums_destroy(&sums);
    return st;
}

dc_status dc_dataset_open(dc_comm *comm, const dc_data_request *request, int shards, dc_scale_kind scale, uint64_t seed,
                          int64_t K, dc_dataset **out)
{
    dc_status st = DC_OK;
    dc_dataset *d = NULL;
    dc_data_shape shape = {0};
    *out = NULL;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_describe(request->path, request->rows, &shape) : DC_OK);
    dc_comm_bcast(comm, &shape, sizeof shape, 0);
    DC_TRY_ALL(comm, dc_mem_alloc(&d, 1, sizeof *d, "dataset"));
    DC_TRY_ALL(comm, dc_part_init(&d->part, shape.head.N, shards, dc_comm_size(comm), dc_comm_rank(comm)));
    d->D = shape.head.D;
    d->dtype = shape.head.dtype;
    d->scale_kind = scale;
    d->n_image_dims = shape.n_image_dims;
    memcpy(d->image_shape, shape.image_shape, sizeof d->image_shape);
    snprintf(d->source, sizeof d->source, "%s", request->path);
    DC_TRY_ALL(comm, take_memory(d, shape.head.has_labels, dc_comm_node_size(comm)));
    DC_TRY(shape.builtin ? generate_rows(comm, d, &shape, seed) : load_rows(comm, d, &shape));
    DC_TRY(dc_data_examine(comm, d, &request->clip, K));
    *out = d;
out:
    if (st != DC_OK) dc_dataset_destroy(&d);
    return st;
}

dc_status dc_dataset_load(dc_comm *comm, const char *path, dc_gidx rows, int shards, dc_scale_kind scale, uint64_t seed,
                          int64_t K, dc_dataset **out)
{
    return dc_dataset_open(comm, &(dc_data_request){.path = path, .rows = rows}, shards, scale, seed, K, out);
}

void dc_dataset_destroy(dc_dataset **data)
{
    dc_dataset *d = *data;
    if (!d) return;
    dc_mem_free(&d->X);
    dc_mem_free(&d->y);
    dc_mem_free(&d->clip_lo);
    dc_mem_free(&d->clip_hi);
    dc_mem_free(&d->shift);
    dc_mem_free(&d->scale);
    dc_mem_free(data);
}
