/* The skeleton of a sparse data file: everything but its rows, and at the end their checksums. */
#include "h5_sparse_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/fault.h"
#include "dcmpi/mem.h"

enum { FORMAT_VERSION = 1, NAMES_PIECE = 1 << 14, NAMES_BYTES_MAX = 1 << 20, DIGITS_MAX = 20 };

/* Stored type of the values. */
static dc_h5_type stored_type(dc_dtype t)
{
    return t == DC_U8 ? DC_H5_U8 : t == DC_F32 ? DC_H5_F32 : DC_H5_F64;
}

/* ---- Space ------------------------------------------------------------------------------------------------------- */

/* Lines of a text, and the length of the longest. */
static int64_t count_lines(const char *text, size_t *longest)
{
    int64_t n = 0;
    *longest = 1;
    for (const char *p = text; p; n++) {
        const size_t length = strcspn(p, "\n");
        *longest = DC_MAX(*longest, length);
        p = p[length] ? p + length + 1 : NULL;
    }
    return n;
}

static size_t digits_of(int64_t largest)
{
    char text[DIGITS_MAX + 1];
    return (size_t)snprintf(text, sizeof text, "%lld", (long long)largest);
}

size_t dc_h5_sparse_id_bytes(const dc_h5_sparse_spec *spec)
{
    return spec->id_bytes ? spec->id_bytes : digits_of(DC_MAX(spec->N - 1, 0));
}

/* Upper bound of the length of the file: arrays, headers, and the alignment of large arrays. */
static dc_status size_of_file(const char *part, const dc_h5_sparse_spec *spec, int64_t *bytes)
{
    const int64_t header = (256 << 10) + NAMES_BYTES_MAX, alignment = 8 << 20;
    const int64_t entry = (int64_t)(dc_dtype_bytes(spec->dtype) + sizeof(int32_t));
    const int64_t row = (int64_t)(sizeof(int64_t) + sizeof(int32_t) + dc_h5_sparse_id_bytes(spec) + spec->text_bytes);
    size_t name = DIGITS_MAX;
    int64_t entries, rows, all;
    if (spec->features) (void)count_lines(spec->features, &name);
    const double columns = (double)spec->D * (double)(name + 8 * spec->n_var);
    if (!__builtin_mul_overflow(spec->nnz, entry, &entries) && !__builtin_mul_overflow(spec->N, row, &rows) &&
        columns < 0x1p60 && !__builtin_add_overflow(entries, rows, &all) &&
        !__builtin_add_overflow(all, header + (int64_t)columns + alignment, bytes))
        return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: %lld rows with %lld values are more than a file can hold", part,
                   (long long)spec->N, (long long)spec->nnz);
}

/* Reserves the first `bytes` bytes, or all of the file if bytes < 0. */
static dc_status reserve(const char *part, int64_t bytes, int64_t *length)
{
    const int fd = open(part, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return DC_FAIL(DC_ERR_IO, "cannot open %s: %s", part, strerror(errno));
    if (bytes < 0) bytes = (int64_t)lseek(fd, 0, SEEK_END);
    int rc;
    do rc = bytes > 0 ? posix_fallocate(fd, 0, bytes) : 0;
    while (rc == EINTR);
    if (rc == 0 && (fsync(fd) != 0 || dc_fault(DC_FAULT_RESULT_RESERVE))) rc = errno;
    close(fd);
    *length = bytes;
    if (rc == 0) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "%s: no room for %lld bytes: %s; free some space or choose another output", part,
                   (long long)bytes, strerror(rc));
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* Where names come from: lines of a text, or numbers. */
typedef struct {
    const char *line; /* NULL: numbers */
    int64_t next;
} names;

static void next_name(names *from, char *out, size_t bytes)
{
    char digits[DIGITS_MAX + 1];
    const char *text = from->line;
    size_t length;
    if (text) {
        length = strcspn(text, "\n");
        from->line += length + (text[length] != '\0');
    } else {
        length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)from->next);
        text = digits;
    }
    memset(out, 0, bytes);
    memcpy(out, text, DC_MIN(length, bytes));
    from->next++;
}

static dc_status stamp(dc_h5 *h5, const char *name, const char *encoding)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_str(h5, name, "encoding-type", encoding));
    DC_TRY(dc_h5_put_attr_str(h5, name, "encoding-version", "0.2.0"));
out:
    return st;
}

/* Writes n names in pieces, with their checksum. */
static dc_status put_texts(dc_h5 *h5, const char *name, names from, int64_t n, size_t bytes)
{
    dc_status st = DC_OK;
    char *piece = NULL;
    uint64_t hash = 0;
    bytes = DC_MAX(bytes, (size_t)1);
    const int64_t step = DC_MIN((int64_t)NAMES_PIECE, DC_MAX(n, (int64_t)1));
    DC_TRY(dc_mem_alloc(&piece, (size_t)step, bytes, "names"));
    DC_TRY(dc_h5_create_text(h5, name, bytes, n));
    DC_TRY(stamp(h5, name, "string-array"));
    for (int64_t at = 0; at < n; at += step) {
        const int64_t m = DC_MIN(step, n - at);
        for (int64_t i = 0; i < m; i++) next_name(&from, piece + (size_t)i * bytes, bytes);
        DC_TRY(dc_h5_write_rows(h5, name, DC_H5_TEXT, at, m, piece));
        hash += dc_h5_hash_rows(bytes, at, m, piece);
    }
    DC_TRY(dc_h5_put_hash(h5, name, hash));
out:
    dc_mem_free(&piece);
    return st;
}

/* ---- Groups ------------------------------------------------------------------------------------------------------ */

static dc_status put_frame(dc_h5 *h5, const char *name, const char *const *columns, size_t n)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_create_group(h5, name));
    DC_TRY(stamp(h5, name, "dataframe"));
    DC_TRY(dc_h5_put_attr_str(h5, name, "_index", "_index"));
    DC_TRY(dc_h5_put_attr_names(h5, name, "column-order", columns, n));
out:
    return st;
}

static dc_status put_rows_group(dc_h5 *h5, const dc_h5_sparse_spec *spec)
{
    dc_status st = DC_OK;
    const int64_t shape[2] = {spec->N, spec->D}, ends = spec->N + 1, first = 0;
    DC_TRY(dc_h5_create_group(h5, "/X"));
    DC_TRY(dc_h5_put_attr_str(h5, "/X", "encoding-type", "csr_matrix"));
    DC_TRY(dc_h5_put_attr_str(h5, "/X", "encoding-version", "0.1.0"));
    DC_TRY(dc_h5_put_attr_i64(h5, "/X", "shape", shape, 2));
    DC_TRY(dc_h5_put_hash(h5, "/X", 0));
    DC_TRY(dc_h5_create_dataset(h5, "/X/data", stored_type(spec->dtype), 1, &spec->nnz));
    DC_TRY(dc_h5_create_dataset(h5, "/X/indices", DC_H5_I32, 1, &spec->nnz));
    DC_TRY(dc_h5_create_dataset(h5, "/X/indptr", DC_H5_I64, 1, &ends));
    DC_TRY(dc_h5_write_rows(h5, "/X/indptr", DC_H5_I64, 0, 1, &first));
out:
    return st;
}

static dc_status put_labels(dc_h5 *h5, const dc_h5_sparse_spec *spec)
{
    dc_status st = DC_OK;
    size_t longest;
    const int64_t n = count_lines(spec->classes, &longest);
    DC_TRY(dc_h5_create_group(h5, "/obs/label"));
    DC_TRY(stamp(h5, "/obs/label", "categorical"));
    DC_TRY(dc_h5_put_attr_i64(h5, "/obs/label", "ordered", &(int64_t){0}, 1));
    DC_TRY(put_texts(h5, "/obs/label/categories", (names){spec->classes, 0}, n, longest));
    DC_TRY(dc_h5_create_dataset(h5, "/obs/label/codes", DC_H5_I32, 1, &spec->N));
    DC_TRY(stamp(h5, "/obs/label/codes", "array"));
    DC_TRY(dc_h5_put_hash(h5, "/obs/label/codes", 0));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "n_classes", &n, 1));
    if (strlen(spec->classes) <= NAMES_BYTES_MAX) DC_TRY(dc_h5_put_attr_str(h5, "/", "classes", spec->classes));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "label_dataset", "/obs/label"));
out:
    return st;
}

static dc_status put_obs(dc_h5 *h5, const dc_h5_sparse_spec *spec)
{
    dc_status st = DC_OK;
    const char *columns[2];
    size_t n = 0;
    if (spec->has_labels) columns[n++] = "label";
    if (spec->text_bytes) columns[n++] = "text";
    DC_TRY(put_frame(h5, "/obs", columns, n));
    DC_TRY(dc_h5_create_text(h5, "/obs/_index", dc_h5_sparse_id_bytes(spec), spec->N));
    DC_TRY(stamp(h5, "/obs/_index", "string-array"));
    DC_TRY(dc_h5_put_hash(h5, "/obs/_index", 0));
    if (spec->id_bytes) DC_TRY(dc_h5_put_attr_str(h5, "/", "id_dataset", "/obs/_index"));
    if (spec->has_labels) DC_TRY(put_labels(h5, spec));
    if (!spec->text_bytes) return DC_OK;
    DC_TRY(dc_h5_create_text(h5, "/obs/text", spec->text_bytes, spec->N));
    DC_TRY(stamp(h5, "/obs/text", "string-array"));
    DC_TRY(dc_h5_put_hash(h5, "/obs/text", 0));
out:
    return st;
}

static dc_status put_var_column(dc_h5 *h5, const dc_h5_var_column *column, int64_t D)
{
    dc_status st = DC_OK;
    char name[DC_H5_NAME_MAX];
    snprintf(name, sizeof name, "/var/%s", column->name);
    DC_TRY(dc_h5_put(h5, name, column->type, 1, &D, column->values));
    DC_TRY(stamp(h5, name, "array"));
    DC_TRY(dc_h5_put_hash(h5, name, dc_h5_hash_rows(dc_h5_type_bytes(column->type), 0, D, column->values)));
out:
    return st;
}

static dc_status put_var(dc_h5 *h5, const dc_h5_sparse_spec *spec)
{
    dc_status st = DC_OK;
    const char **columns = NULL;
    size_t bytes = digits_of(DC_MAX(spec->D - 1, (int64_t)0));
    DC_TRY(dc_mem_alloc(&columns, DC_MAX(spec->n_var, (size_t)1), sizeof *columns, "names"));
    for (size_t i = 0; i < spec->n_var; i++) columns[i] = spec->var[i].name;
    DC_TRY(put_frame(h5, "/var", columns, spec->n_var));
    if (spec->features) {
        DC_ASSERT(count_lines(spec->features, &bytes) == spec->D);
        DC_TRY(dc_h5_put_attr_str(h5, "/", "feature_dataset", "/var/_index"));
    }
    DC_TRY(put_texts(h5, "/var/_index", (names){spec->features, 0}, spec->D, bytes));
    for (size_t i = 0; i < spec->n_var; i++) DC_TRY(put_var_column(h5, &spec->var[i], spec->D));
out:
    dc_mem_free(&columns);
    return st;
}

static dc_status put_root(dc_h5 *h5)
{
    static const char *const numbers[] = {"min", "max", "mean"};
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_str(h5, "/", "encoding-type", "anndata"));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "encoding-version", "0.1.0"));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", "dcmpi-data"));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "format_version", &(int64_t){FORMAT_VERSION}, 1));
    for (size_t i = 0; i < DC_COUNT_OF(numbers); i++) DC_TRY(dc_h5_put_attr_f64(h5, "/", numbers[i], &(double){0}, 1));
out:
    return st;
}

static dc_status find_places(dc_h5 *h5, const dc_h5_sparse_spec *spec, dc_h5_sparse_places *p)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_place(h5, "/X/data", &p->data));
    DC_TRY(dc_h5_place(h5, "/X/indices", &p->indices));
    DC_TRY(dc_h5_place(h5, "/X/indptr", &p->indptr));
    DC_TRY(dc_h5_place(h5, "/obs/_index", &p->ids));
    if (spec->has_labels) DC_TRY(dc_h5_place(h5, "/obs/label/codes", &p->codes));
    if (spec->text_bytes) DC_TRY(dc_h5_place(h5, "/obs/text", &p->texts));
out:
    return st;
}

dc_status dc_h5_sparse_make(const char *part, const dc_h5_sparse_spec *spec, dc_h5_fill fill, void *ctx,
                            dc_h5_sparse_places *places)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    int64_t bytes;
    DC_ASSERT(spec->D <= INT32_MAX && spec->dtype != DC_F16 && (!spec->has_labels || spec->classes));
    memset(places, 0, sizeof *places);
    /* A full disk must be found here: HDF5 1.10 crashes at exit after a failed close. */
    DC_TRY(size_of_file(part, spec, &bytes));
    DC_TRY(reserve(part, bytes, &bytes));
    DC_TRY(dc_h5_open(&h5, part, DC_H5_CREATE));
    DC_TRY(put_root(h5));
    DC_TRY(put_rows_group(h5, spec));
    DC_TRY(put_obs(h5, spec));
    DC_TRY(put_var(h5, spec));
    if (fill) DC_TRY(fill(ctx, h5));
    DC_TRY(find_places(h5, spec, places));
    DC_TRY(dc_h5_close(&h5));
    /* The library gave the space back when it created the file; now the file has its full length. */
    DC_TRY(reserve(part, -1, &places->bytes));
out:
    if (st != DC_OK) (void)!dc_h5_close(&h5);
    return st;
}

dc_status dc_h5_sparse_seal(const char *part, const dc_h5_sparse_spec *spec, const dc_h5_sparse_sums *sums,
                            dc_h5_fill finish, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_ASSERT(sums->rows == spec->N && sums->entries == spec->nnz);
    DC_TRY(dc_h5_open(&h5, part, DC_H5_APPEND));
    DC_TRY(dc_h5_put_hash(h5, "/X", sums->rows_hash));
    DC_TRY(dc_h5_put_hash(h5, "/obs/_index", sums->ids_hash));
    if (spec->has_labels) DC_TRY(dc_h5_put_hash(h5, "/obs/label/codes", sums->codes_hash));
    if (spec->text_bytes) DC_TRY(dc_h5_put_hash(h5, "/obs/text", sums->texts_hash));
    if (finish) DC_TRY(finish(ctx, h5));
    DC_TRY(dc_h5_close(&h5));
out:
    if (st != DC_OK) (void)!dc_h5_close(&h5);
    return st;
}
