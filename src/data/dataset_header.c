/* Reads on one rank, before any rows, what a data file states: shape and type of /X, labels, ids, pictures, checksums.
 */
#include <math.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/fault.h"
#include "dcmpi/h5_column.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "matrix.h"

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

static dc_status describe_builtin(const dc_data_request *r, dc_data_shape *s)
{
    char why[DC_BUILTIN_WHY_MAX];
    *s = (dc_data_shape){.is_builtin = true};
    dc_builtin *b = &s->builtin;
    if (!dc_builtin_parse(r->path, b, why)) return DC_FAIL(DC_ERR_USAGE, "%s", why);
    if (b->sized && r->rows > b->rows)
        return DC_FAIL(DC_ERR_DATA, "%s has fewer rows than input.rows=%lld", r->path, (long long)r->rows);
    const dc_gidx N = r->rows > 0 ? r->rows : b->rows;
    const size_t id_bytes = dc_builtin_id_bytes(b, N);
    s->head = (dc_data_header){.N = N,
                               .D = b->D,
                               .dtype = b->dtype,
                               .has_labels = true,
                               .C = b->C,
                               .has_ids = id_bytes > 0,
                               .id_bytes = id_bytes,
                               .made_scratch = dc_builtin_scratch_bytes(b)};
    if (b->kind == DC_DATA_GLYPHS) {
        s->n_image_dims = 2;
        s->image_shape[0] = s->image_shape[1] = DC_GLYPH_SIDE;
    }
    return DC_OK;
}

static dc_status describe_rows(const char *path, const dc_h5_info *info, dc_gidx rows, dc_data_shape *s)
{
    if (info->n_dims < 2 || dc_fault(DC_FAULT_DATA_HEADER))
        return DC_FAIL(DC_ERR_DATA, "%s: %s has %d dimension(s); it must be [rows, columns]", path, s->matrix,
                       info->n_dims);
    bool known = false;
    for (size_t i = 0; i < DC_COUNT_OF(type_pairs) && !known; i++) {
        known = info->exact && type_pairs[i].h5 == info->type;
        s->head.dtype = type_pairs[i].dtype;
    }
    if (!known)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: %s is %s; it must be uint8, float16, float32 or float64 in little-endian order; run: dcmpi "
                       "convert %s OUT.h5",
                       path, s->matrix, info->type_name, path);
    s->head.N = info->dims[0];
    const dc_status st = dc_data_status(dc_h5_row_width(path, s->matrix, info, &s->head.D));
    if (st != DC_OK) return st;
    if (s->head.N < 1 || s->head.D < 1)
        return DC_FAIL(DC_ERR_DATA, "%s: %s is empty (%lld rows, %lld columns)", path, s->matrix, (long long)s->head.N,
                       (long long)s->head.D);
    if (rows > s->head.N)
        return DC_FAIL(DC_ERR_DATA, "%s: %s has %lld rows, fewer than input.rows=%lld", path, s->matrix,
                       (long long)s->head.N, (long long)rows);
    return DC_OK;
}

/* Takes the shape of pictures from the attribute image_shape of the file or of /X, else from the dimensions of /X if it
 * has more than two. The shape is only a hint, so one that does not fit is ignored. */
static void describe_image(dc_h5 *h5, const dc_h5_info *info, dc_data_shape *s)
{
    int64_t shape[DC_IMAGE_DIMS_MAX] = {0}, pixels = 1;
    size_t n = 0;
    const char *owner = dc_h5_has_attr(h5, "/", "image_shape")         ? "/"
                        : dc_h5_has_attr(h5, s->matrix, "image_shape") ? s->matrix
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

const char *dc_image_text(int n, const int64_t *shape, char out[DC_IMAGE_TEXT_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, DC_IMAGE_TEXT_MAX - used, "%s%lld", i ? " x " : "", (long long)shape[i]);
    return out;
}

bool dc_image_same(int n_a, const int64_t *a, int n_b, const int64_t *b)
{
    bool same = true;
    for (int i = 0; i < DC_IMAGE_DIMS_MAX; i++) same = same && (i < n_a ? a[i] : 1) == (i < n_b ? b[i] : 1);
    return same;
}

/* The data may say what its images are, but the deck decides. */
static void note_other_image(const dc_data_request *r, const dc_data_shape *s)
{
    char there[DC_IMAGE_TEXT_MAX], here[DC_IMAGE_TEXT_MAX];
    if (s->n_image_dims > 0 && !dc_image_same(s->n_image_dims, s->image_shape, r->n_image_dims, r->image_shape))
        dc_log_note("%s has images of %s; input.image_shape makes them %s", r->path,
                    dc_image_text(s->n_image_dims, s->image_shape, there),
                    dc_image_text(r->n_image_dims, r->image_shape, here));
}

/* A shape in a file is only a hint, but one that the deck gives must fit. */
static dc_status force_image(const dc_data_request *r, dc_data_shape *s)
{
    char shape[DC_IMAGE_TEXT_MAX];
    int64_t pixels = 1;
    bool fits = true;
    if (r->n_image_dims == 0) return DC_OK;
    for (int i = 0; i < r->n_image_dims; i++)
        fits = fits && !__builtin_mul_overflow(pixels, r->image_shape[i], &pixels);
    if (!fits || pixels != s->head.D)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: rows have %lld columns, which do not make an image of %s (input.image_shape: height, "
                       "width, and channels if there are any)",
                       r->path, (long long)s->head.D, dc_image_text(r->n_image_dims, r->image_shape, shape));
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

/* Replaces the error of the reader. */
static dc_status fail_missing_labels(dc_h5 *h5, const char *path, dc_gidx rows, const dc_data_shape *s)
{
    char columns[256];
    dc_error_clear();
    dc_h5_list_columns(h5, rows, NULL, columns, sizeof columns);
    return DC_FAIL(DC_ERR_DATA, "%s has no '%s' for labels%s%s", path, s->labels,
                   columns[0] ? "; it has an integer or a text for each row in " : "", columns);
}

static dc_status describe_labels(dc_h5 *h5, const dc_data_request *r, dc_gidx rows_of_X, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    dc_gidx rows = 0;
    const bool given = r->labels && r->labels[0];
    s->label_type = DC_H5_OTHER;
    DC_TRY(dc_data_find_labels(h5, r->path, r->labels, s));
    if (!s->head.has_labels) return DC_OK;
    st = count_labels(h5, s, &rows);
    if (st == DC_ERR_DATA && !dc_h5_exists(h5, s->labels)) st = fail_missing_labels(h5, r->path, rows_of_X, s);
    if (st != DC_OK) return st;
    if (!given) describe_classes(h5, s);
    if (rows != rows_of_X)
        return DC_FAIL(DC_ERR_DATA, "%s: %s must hold one label for each of the %lld rows of %s, but has %lld", r->path,
                       s->labels, (long long)rows_of_X, s->matrix, (long long)rows);
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
    s->head.has_ids = s->ids[0] != '\0';
    if (!s->head.has_ids) return DC_OK;
    DC_TRY(dc_h5_column_open(h5, s->ids, &column));
    if (dc_h5_column_rows(column) != rows_of_X)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: %s must hold one id for each of the %lld rows of %s, but has %lld", path,
                       s->ids, (long long)rows_of_X, s->matrix, (long long)dc_h5_column_rows(column)));
    if (dc_h5_exists(h5, s->ids) && dc_h5_dataset_info(h5, s->ids, &info) == DC_OK && info.type == DC_H5_TEXT) {
        s->head.id_bytes = info.item_bytes;
        if (dc_h5_has_attr(h5, s->ids, "xxh3")) s->id_bytes = info.item_bytes;
    }
    dc_error_clear();
out:
    dc_h5_column_close(&column);
    return dc_data_status(st);
}

static dc_status describe_dense(dc_h5 *h5, const dc_data_request *r, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    DC_TRY(dc_data_status(dc_h5_dataset_info(h5, s->matrix, &info)));
    DC_TRY(describe_rows(r->path, &info, r->rows, s));
    describe_image(h5, &info, s);
    if (dc_h5_place(h5, s->matrix, &s->place) == DC_OK) return DC_OK;
    dc_error_clear();
    s->place = -1;
    if (dc_h5_get_packing(h5, s->matrix, &s->packing) != DC_OK) dc_error_clear();
out:
    return st;
}

/* Only checksums that the rows as they are read can be compared with. */
static dc_status read_promise(dc_h5 *h5, dc_data_shape *s)
{
    const char *labels = s->head.has_labels && s->label_type != DC_H5_OTHER ? s->labels : NULL;
    const dc_status st =
        dc_data_read_promise(h5, s->head.N, s->matrix, labels, s->id_bytes > 0 ? s->ids : NULL, &s->promise);
    const bool stored = !s->sparse.by_columns && s->sparse.value != DC_H5_OTHER && s->sparse.index == DC_H5_I32;
    if (s->head.sparse && !stored) s->promise.X = s->promise.whole = (dc_stored_hash){0};
    return dc_data_status(st);
}

dc_status dc_data_describe_file(const dc_data_request *r, dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    const char *path = r->path;
    memset(s, 0, sizeof *s);
    DC_TRY(dc_data_status(dc_h5_open(&h5, path, DC_H5_READ)));
    DC_TRY(dc_data_find_matrix(h5, path, r->matrix, s->matrix));
    dc_data_find_names(h5, s);
    DC_TRY(dc_h5_is_group(h5, s->matrix) ? dc_data_describe_sparse(h5, path, r->rows, s) : describe_dense(h5, r, s));
    DC_TRY(describe_labels(h5, r, s->head.N, s));
    DC_TRY(describe_ids(h5, path, s->head.N, s));
    s->head.has_names =
        s->features[0] || dc_h5_has_attr(h5, "/", "feature_names") || dc_h5_exists(h5, "/feature_names");
    DC_TRY(read_promise(h5, s));
    if (r->rows > 0) s->head.N = r->rows;
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* Bytes of a stored id; 0: not all files tell. */
static size_t widest_id(const dc_files *files)
{
    size_t most = 0;
    for (size_t i = 0; i < files->n; i++) {
        if (files->file[i].id_bytes == 0) return 0;
        most = DC_MAX(most, files->file[i].id_bytes);
    }
    return most;
}

/* Many files, whose headers are known. */
static dc_status describe_files(const dc_data_request *r, dc_data_shape *s)
{
    const dc_files *files = r->files;
    const dc_file_facts *first = &files->file[0];
    *s = (dc_data_shape){
        .files = files, .n_image_dims = files->images_used ? first->n_image_dims : 0, .label_type = DC_H5_OTHER};
    memcpy(s->image_shape, first->image_shape, sizeof s->image_shape);
    if (r->rows > files->N)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows, fewer than input.rows=%lld", files->title, (long long)files->N,
                       (long long)r->rows);
    s->promise.rows = files->N;
    s->head = (dc_data_header){.N = r->rows > 0 ? r->rows : files->N,
                               .D = first->D,
                               .sparse = first->is_sparse,
                               .dtype = first->dtype,
                               .has_labels = files->labels_used,
                               .has_ids = files->ids_used,
                               .has_names = files->names_used,
                               .files_bytes = dc_files_bytes(files)};
    if (files->ids_used) s->id_bytes = s->head.id_bytes = widest_id(files);
    if (files->labels_used) snprintf(s->labels, sizeof s->labels, "%s", files->label_dataset);
    if (files->ids_used) snprintf(s->ids, sizeof s->ids, "%s", files->id_dataset);
    return first->is_sparse ? dc_data_csr_mark_files(files, &s->head) : DC_OK;
}

static dc_status describe_stored(const dc_data_request *r, dc_data_shape *shape)
{
    if (r->files) return describe_files(r, shape);
    return dc_builtin_is(r->path) ? describe_builtin(r, shape) : dc_data_describe_file(r, shape);
}

dc_data_request dc_data_request_settled(const dc_data_request *request)
{
    dc_data_request r = *request;
    if (!r.files) return r;
    r.path = r.files->plain ? dc_files_path(r.files, 0) : r.files->title;
    if (!r.files->plain) return r;
    if (*dc_files_dataset(r.files, 0)) r.matrix = dc_files_dataset(r.files, 0);
    r.files = NULL;
    return r;
}

/* The shape of the rows that transforms of counts make. */
static dc_status apply_counts(const dc_data_request *r, dc_data_shape *s)
{
    const int64_t M = r->counts.variable_columns;
    dc_data_header *head = &s->head;
    head->stored_D = head->D;
    head->stored_dtype = head->dtype;
    head->counts = dc_counts_wanted(&r->counts);
    if (!head->counts) return DC_OK;
    if (M > head->D)
        return DC_FAIL(DC_ERR_USAGE, "%s: input.variable_columns=%lld, but there are only %lld columns", r->path,
                       (long long)M, (long long)head->D);
    head->dtype = DC_F32;
    if (M == 0) return DC_OK;
    head->D = M;
    s->n_image_dims = 0;
    return DC_OK;
}

/* The largest of everything, and all chunks. */
static void add_packing(dc_h5_packing *all, const dc_h5_packing *one)
{
    all->chunk_bytes = DC_MAX(all->chunk_bytes, one->chunk_bytes);
    all->band_bytes = DC_MAX(all->band_bytes, one->band_bytes);
    if (__builtin_add_overflow(all->chunks, one->chunks, &all->chunks)) all->chunks = INT64_MAX;
}

/* Sets head->packing. Returns the first file whose dense rows threads cannot read: n if there is none. */
static size_t find_unreadable(dc_data_shape *s)
{
    const dc_store_piece one = {.offset = s->place, .packing = s->packing};
    const size_t n = s->files ? s->files->n : 1;
    for (size_t i = 0; i < n; i++) {
        const dc_store_piece *p = s->files ? &s->files->file[i].piece : &one;
        if (!dc_store_can_read(p)) return i;
        if (p->offset < 0) add_packing(&s->head.packing, &p->packing);
    }
    return n;
}

/* Says why the rows of file i cannot be read in place. */
static dc_status explain_unreadable(const dc_data_request *r, const dc_data_shape *s, size_t i)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_packing packing;
    char name[DC_H5_NAME_MAX];
    const char *path = s->files ? dc_files_path(s->files, i) : r->path;
    const char *dataset = s->files ? dc_files_dataset(s->files, i) : "";
    const char *matrix = *dataset ? dataset : s->files ? s->files->matrix : r->matrix;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_data_find_matrix(h5, path, matrix, name));
    DC_TRY(dc_h5_get_packing(h5, name, &packing));
out:
    st = dc_h5_close_read(&h5, st);
    if (st == DC_OK) st = DC_FAIL(DC_ERR_DATA, "%s changed while it was read; start again when it is complete", path);
    return dc_data_status(st);
}

/* Whether the rows stay in their files, or are made in each pass. Counts are transformed in memory. */
static dc_status apply_stream(const dc_data_request *r, dc_data_shape *s)
{
    dc_data_header *head = &s->head;
    const char *why = NULL;
    size_t unreadable = 0, n = 0;
    if (head->sparse)
        why = "are sparse";
    else if (head->counts)
        why = "are transformed as counts (input.normalize_total, log1p, variable_columns)";
    else if (!s->is_builtin)
        unreadable = find_unreadable(s), n = s->files ? s->files->n : 1;
    head->in_place = !why && unreadable == n;
    head->stream = r->stream;
    head->chunk_cache = r->chunk_cache > 0 ? r->chunk_cache : DC_STORE_CHUNKS_BYTES;
    if (!head->stream || head->in_place) return DC_OK;
    if (!why) return explain_unreadable(r, s, unreadable);
    return DC_FAIL(DC_ERR_DATA, "%s: input.residency = stream, but the rows %s", r->path, why);
}

/* What the deck makes of the stored data. */
static dc_status apply(const dc_data_request *r, dc_data_shape *shape)
{
    dc_status st = force_image(r, shape);
    shape->head.norm = r->norm;
    if (st == DC_OK) st = apply_counts(r, shape);
    if (st == DC_OK) st = apply_stream(r, shape);
    if (st == DC_OK) st = dc_data_count_components(r, &shape->head);
    return st == DC_OK ? dc_data_count_reduced(r, &shape->head) : st;
}

dc_status dc_data_describe(const dc_data_request *request, dc_data_shape *shape)
{
    const dc_data_request r = dc_data_request_settled(request);
    const dc_status st = describe_stored(&r, shape);
    return st == DC_OK ? apply(&r, shape) : st;
}

dc_status dc_dataset_inspect(const dc_data_request *request, dc_data_header *out)
{
    dc_data_shape shape, stored;
    const dc_data_request r = dc_data_request_settled(request);
    dc_status st = describe_stored(&r, &stored);
    shape = stored;
    if (st == DC_OK) st = apply(&r, &shape);
    if (st != DC_OK) return st;
    if (r.n_image_dims > 0) note_other_image(&r, &stored);
    *out = shape.head;
    out->n_image_dims = shape.n_image_dims;
    memcpy(out->image_shape, shape.image_shape, sizeof out->image_shape);
    return DC_OK;
}

dc_status dc_dataset_header(const char *path, dc_gidx rows, dc_data_header *out)
{
    return dc_dataset_inspect(&(dc_data_request){.path = path, .rows = rows}, out);
}

int64_t dc_header_nnz(const dc_data_header *head, dc_gidx lo, dc_gidx hi)
{
    if (!head->sparse || hi <= lo) return 0;
    /* In this form nothing overflows. */
    const double mark = (double)head->N / DC_NNZ_MARKS;
    const int64_t from = DC_MAX((int64_t)floor((double)lo / mark) - 1, (int64_t)0);
    const int64_t to = DC_MIN((int64_t)ceil((double)hi / mark) + 1, (int64_t)DC_NNZ_MARKS);
    return head->nnz_before[to] - head->nnz_before[from];
}

int64_t dc_header_most_nnz(const dc_data_header *head, int64_t rows)
{
    int64_t most = 0;
    const double mark = (double)head->N / DC_NNZ_MARKS;
    for (int64_t i = 0; i < DC_NNZ_MARKS; i++) {
        const dc_gidx lo = (dc_gidx)((double)i * mark);
        most = DC_MAX(most, dc_header_nnz(head, lo, DC_MIN(lo + rows + (dc_gidx)mark + 1, head->N)));
    }
    return (double)rows * (double)head->D < (double)most ? rows * head->D : most;
}

bool dc_header_stays_sparse(const dc_data_header *head, dc_scale_kind scale, const dc_clip *clip)
{
    const bool clipped = clip->kind != DC_CLIP_NONE && !(clip->kind == DC_CLIP_RANGE && clip->lo <= 0 && clip->hi >= 0);
    return head->sparse && !clipped && (scale == DC_SCALE_NONE || scale == DC_SCALE_DEC);
}

const char *dc_data_kind_text(bool sparse, dc_dtype dtype, dc_gidx N, int64_t D, int64_t nnz,
                              char out[DC_DATA_KIND_MAX])
{
    if (!sparse) return dc_dtype_name(dtype);
    snprintf(out, DC_DATA_KIND_MAX, "sparse %s with %lld values (%.3g %%)", dc_dtype_name(dtype), (long long)nnz,
             100 * (double)nnz / ((double)N * (double)D));
    return out;
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

dc_status dc_data_probe_columns(const char *path, const dc_data_shape *shape)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    if (shape->head.has_labels && shape->label_type == DC_H5_OTHER) DC_TRY(probe_column(h5, shape->labels));
    if (shape->head.has_ids && shape->id_bytes == 0) DC_TRY(probe_column(h5, shape->ids));
out:
    st = dc_h5_close_read(&h5, st);
    return dc_data_status(st);
}

dc_status dc_dataset_probe(const dc_data_request *request)
{
    dc_status st = DC_OK;
    dc_data_shape shape;
    char *names = NULL;
    DC_TRY(dc_data_describe(request, &shape));
    if (shape.is_builtin) goto out;
    DC_TRY(dc_data_probe_columns(request->path, &shape));
    DC_TRY(dc_data_feature_names(request->path, &shape, &names));
out:
    dc_mem_free(&names);
    return st;
}
