/* Reads on one rank, before any rows, what a data file states: shape and type of /X, labels, ids, pictures, checksums.
 */
#include <string.h>

#include "data_priv.h"
#include "dcmpi/fault.h"
#include "dcmpi/h5_column.h"
#include "dcmpi/log.h"
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

/* Takes the shape of pictures from the attribute image_shape of the file or of /X, else from the dimensions of /X if it
 * has more than two. The shape is only a hint, so one that does not fit is ignored. */
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

enum { IMAGE_TEXT_MAX = 96 };

/* "28 x 28 x 1" */
static const char *image_text(int n, const int64_t *shape, char out[IMAGE_TEXT_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, IMAGE_TEXT_MAX - used, "%s%lld", i ? " x " : "", (long long)shape[i]);
    return out;
}

/* The data may say what its images are, but the deck decides. */
static void note_other_image(const dc_data_request *r, const dc_data_shape *s)
{
    char there[IMAGE_TEXT_MAX], here[IMAGE_TEXT_MAX];
    bool same = true;
    for (int i = 0; i < DC_IMAGE_DIMS_MAX; i++) {
        const int64_t a = i < s->n_image_dims ? s->image_shape[i] : 1, b = i < r->n_image_dims ? r->image_shape[i] : 1;
        same = same && a == b; /* one channel may be named or not */
    }
    if (s->n_image_dims > 0 && !same)
        dc_log_note("%s has images of %s; input.image_shape makes them %s", r->path,
                    image_text(s->n_image_dims, s->image_shape, there),
                    image_text(r->n_image_dims, r->image_shape, here));
}

/* A shape in a file is only a hint, but one that the deck gives must fit. */
static dc_status force_image(const dc_data_request *r, dc_data_shape *s)
{
    char shape[IMAGE_TEXT_MAX];
    int64_t pixels = 1;
    bool fits = true;
    if (r->n_image_dims == 0) return DC_OK;
    for (int i = 0; i < r->n_image_dims; i++)
        fits = fits && !__builtin_mul_overflow(pixels, r->image_shape[i], &pixels);
    if (!fits || pixels != s->head.D)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: rows have %lld columns, which do not make an image of %s (input.image_shape: height, "
                       "width, and channels if there are any)",
                       r->path, (long long)s->head.D, image_text(r->n_image_dims, r->image_shape, shape));
    s->n_image_dims = r->n_image_dims;
    memcpy(s->image_shape, r->image_shape, sizeof s->image_shape);
    return DC_OK;
}

/* Whether labels have our own layout: such labels are read by all ranks together. */
static bool is_our_vector(const dc_h5_info *info)
{
    return info->integer && info->exact && (info->n_dims == 1 || (info->n_dims == 2 && info->dims[1] == 1));
}

static dc_status count_labels(dc_h5 *h5, const dc_data_shape *s, dc_gidx *rows)
{
    dc_h5_column *column = NULL;
    const dc_status st = dc_h5_column_open(h5, s->labels, &column);
    if (st == DC_OK) *rows = dc_h5_column_rows(column);
    dc_h5_column_close(&column);
    return dc_data_status(st);
}

/* n_classes is only a hint, as image_shape is. */
static void describe_classes(dc_h5 *h5, dc_data_shape *s)
{
    int64_t C = 0;
    if (!dc_h5_has_attr(h5, "/", "n_classes")) return;
    if (dc_h5_get_attr_i64(h5, "/", "n_classes", &C, 1, NULL) != DC_OK) dc_error_clear();
    s->head.C = DC_MAX(C, 0);
}

static dc_status describe_labels(dc_h5 *h5, const dc_data_request *r, dc_gidx rows_of_X, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    dc_gidx rows = 0;
    const bool given = r->labels && r->labels[0];
    const char *name = given ? r->labels : "/y";
    s->label_type = DC_H5_OTHER;
    if ((size_t)snprintf(s->labels, sizeof s->labels, "%s%s", name[0] == '/' ? "" : "/", name) >= sizeof s->labels)
        return DC_FAIL(DC_ERR_DATA, "%s: the name of the labels is longer than %zu bytes", r->path,
                       sizeof s->labels - 1);
    s->head.has_labels = given || dc_h5_exists(h5, "/y");
    if (!s->head.has_labels) return DC_OK;
    DC_TRY(count_labels(h5, s, &rows));
    if (!given) describe_classes(h5, s);
    if (rows != rows_of_X)
        return DC_FAIL(DC_ERR_DATA, "%s: %s must hold one label for each of the %lld rows of /X, but has %lld", r->path,
                       s->labels, (long long)rows_of_X, (long long)rows);
    if (dc_h5_dataset_info(h5, s->labels, &info) == DC_OK && is_our_vector(&info)) s->label_type = info.type;
    dc_error_clear();
out:
    return st;
}

static dc_status describe_ids(dc_h5 *h5, const char *path, dc_gidx rows_of_X, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5_column *column = NULL;
    dc_h5_info info;
    s->head.has_ids = dc_h5_exists(h5, "/ids");
    if (!s->head.has_ids) return DC_OK;
    DC_TRY(dc_h5_column_open(h5, "/ids", &column));
    if (dc_h5_column_rows(column) != rows_of_X)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: /ids must hold one id for each of the %lld rows of /X, but has %lld", path,
                       (long long)rows_of_X, (long long)dc_h5_column_rows(column)));
    if (dc_h5_dataset_info(h5, "/ids", &info) == DC_OK && info.type == DC_H5_TEXT) {
        s->head.id_bytes = info.item_bytes;
        if (dc_h5_has_attr(h5, "/ids", "xxh3")) s->id_bytes = info.item_bytes;
    }
    dc_error_clear();
out:
    dc_h5_column_close(&column);
    return dc_data_status(st);
}

static dc_status describe_file(const dc_data_request *r, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    const char *path = r->path;
    memset(s, 0, sizeof *s);
    DC_TRY(dc_data_status(dc_h5_open(&h5, path, DC_H5_READ)));
    if (!dc_h5_exists(h5, "/X"))
        DC_TRY(DC_FAIL(DC_ERR_DATA,
                       "%s has no dataset /X [rows, columns]; make a data file with: dcmpi convert IN OUT.h5", path));
    DC_TRY(dc_data_status(dc_h5_dataset_info(h5, "/X", &info)));
    DC_TRY(describe_rows(path, &info, r->rows, s));
    describe_image(h5, &info, s);
    DC_TRY(describe_labels(h5, r, s->head.N, s));
    DC_TRY(describe_ids(h5, path, s->head.N, s));
    s->head.has_names = dc_h5_has_attr(h5, "/", "feature_names") || dc_h5_exists(h5, "/feature_names");
    const char *labels = s->head.has_labels && s->label_type != DC_H5_OTHER ? s->labels : NULL;
    DC_TRY(dc_data_status(dc_data_read_promise(h5, s->head.N, labels, s->id_bytes > 0, &s->promise)));
    if (r->rows > 0) s->head.N = r->rows;
out:
    if (st == DC_OK)
        st = dc_h5_close(&h5);
    else
        (void)!dc_h5_close(&h5);
    return st;
}

static dc_status describe_stored(const dc_data_request *r, dc_data_shape *shape)
{
    return strcmp(r->path, DC_BUILTIN_GLYPHS) == 0 ? describe_builtin(r->rows, shape) : describe_file(r, shape);
}

/* What the deck makes of the stored data. */
static dc_status apply(const dc_data_request *r, dc_data_shape *shape)
{
    const dc_status st = force_image(r, shape);
    return st == DC_OK ? dc_data_count_components(r, &shape->head) : st;
}

dc_status dc_data_describe(const dc_data_request *r, dc_data_shape *shape)
{
    const dc_status st = describe_stored(r, shape);
    return st == DC_OK ? apply(r, shape) : st;
}

dc_status dc_dataset_inspect(const dc_data_request *request, dc_data_header *out)
{
    dc_data_shape shape, stored;
    dc_status st = describe_stored(request, &stored);
    shape = stored;
    if (st == DC_OK) st = apply(request, &shape);
    if (st != DC_OK) return st;
    if (request->n_image_dims > 0) note_other_image(request, &stored);
    *out = shape.head;
    out->n_image_dims = shape.n_image_dims;
    memcpy(out->image_shape, shape.image_shape, sizeof out->image_shape);
    return DC_OK;
}

dc_status dc_dataset_header(const char *path, dc_gidx rows, dc_data_header *out)
{
    return dc_dataset_inspect(&(dc_data_request){.path = path, .rows = rows}, out);
}

dc_status dc_data_feature_names(const char *path, int64_t D, char **text)
{
    dc_h5 *h5 = NULL;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = dc_h5_get_names(h5, "feature_names", D, text);
    const dc_status closed = dc_h5_close(&h5);
    return dc_data_status(st == DC_OK ? closed : st);
}

/* ---- Probe of a file before the library is trusted with it ------------------------------------------------------- */

static dc_status probe_column(dc_h5 *h5, const char *name)
{
    dc_h5_column *column = NULL;
    size_t longest;
    dc_status st = dc_h5_column_open(h5, name, &column);
    if (st == DC_OK) st = dc_h5_column_longest(column, 0, dc_h5_column_rows(column), &longest);
    dc_h5_column_close(&column);
    return st;
}

dc_status dc_dataset_probe(const dc_data_request *request)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_data_shape shape;
    char *names = NULL;
    DC_TRY(dc_data_describe(request, &shape));
    if (shape.builtin) goto out;
    DC_TRY(dc_h5_open(&h5, request->path, DC_H5_READ));
    if (shape.head.has_labels && shape.label_type == DC_H5_OTHER) DC_TRY(probe_column(h5, shape.labels));
    if (shape.head.has_ids && shape.id_bytes == 0) DC_TRY(probe_column(h5, "/ids"));
    DC_TRY(dc_h5_get_names(h5, "feature_names", shape.head.D, &names));
out:
    dc_mem_free(&names);
    if (dc_h5_close(&h5) != DC_OK) dc_error_clear(); /* the file was only read */
    return dc_data_status(st);
}
