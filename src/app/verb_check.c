/* `dcmpi check FILE`: is a data, result, prediction or checkpoint file undamaged? Checks format and version, shapes
 * that must agree, checksums, ranges. The first finding becomes the error text; the others are printed. Rows are
 * streamed. */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/ckpt.h"
#include "dcmpi/h5_sparse.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/train.h"
#include "expect.h"
#include "result_model.h"
#include "verbs.h"

enum { PIECE_BYTES = 8 << 20 };

typedef struct {
    const char *path;
    dc_h5 *h5;
    int findings, datasets;
    char first[DC_ERROR_TEXT_MAX];
} check;

/* After a finding the check goes on; an error that is not about the file's content ends it. */
static dc_status note(check *c, dc_status st)
{
    if (st != DC_ERR_FORMAT && st != DC_ERR_DATA) return st;
    if (c->findings++ == 0)
        snprintf(c->first, sizeof c->first, "%s", dc_error_text());
    else
        dc_log_plain("%s: finding: %s", c->path, dc_error_text());
    dc_error_clear();
    return DC_OK;
}

#define FINDING(...) DC_FAIL(DC_ERR_FORMAT, __VA_ARGS__)

/* ---- Rows in pieces ---------------------------------------------------------------------------------------------- */

typedef dc_status (*piece_visitor)(void *ctx, const dc_h5_info *info, dc_gidx row, size_t count, const void *values);

/* Calls visit for all values of a dataset in order; each call gets `count` values, which begin with row `row`. */
static dc_status each_piece(const check *c, const char *name, piece_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    void *piece = NULL;
    int64_t width;
    DC_TRY(dc_h5_dataset_info(c->h5, name, &info));
    if (!info.exact) return FINDING("%s: '%s' is stored in a type that dcmpi does not write", c->path, name);
    DC_TRY(dc_h5_row_width(c->path, name, &info, &width));
    const dc_gidx rows = info.n_dims ? info.dims[0] : 1;
    const size_t row_bytes = (size_t)width * info.item_bytes;
    const dc_gidx step = DC_MAX((dc_gidx)(PIECE_BYTES / DC_MAX(row_bytes, (size_t)1)), (dc_gidx)1);
    DC_TRY(dc_mem_alloc_raw(&piece, (size_t)DC_MIN(step, rows), row_bytes, "piece of rows"));
    for (dc_gidx row = 0; row < rows; row += step) {
        const dc_gidx n = DC_MIN(step, rows - row);
        DC_TRY(dc_h5_read_rows(c->h5, name, info.type, row, n, piece));
        DC_TRY(visit(ctx, &info, row, (size_t)(n * width), piece));
    }
out:
    dc_mem_free(&piece);
    return st;
}

/* Index of the first value that is NaN or infinite, or count if there is none. */
static size_t first_bad(dc_h5_type type, size_t count, const void *values)
{
    size_t i = 0;
    if (type == DC_H5_F16)
        for (const _Float16 *v = values; i < count && isfinite((float)v[i]);) i++;
    else if (type == DC_H5_F32)
        for (const float *v = values; i < count && isfinite(v[i]);) i++;
    else if (type == DC_H5_F64)
        for (const double *v = values; i < count && isfinite(v[i]);) i++;
    else
        i = count;
    return i;
}

typedef struct {
    const check *c;
    const char *name;
    XXH3_state_t *hash; /* of all bytes in order; NULL: not wanted */
    size_t row_bytes;
    uint64_t sum; /* of the hashes of rows; used only with hash */
} finite_pass;

static dc_status finite_piece(void *ctx, const dc_h5_info *info, dc_gidx row, size_t count, const void *values)
{
    finite_pass *p = ctx;
    const size_t bad = first_bad(info->type, count, values), bytes = count * info->item_bytes;
    if (p->hash) {
        XXH3_64bits_update(p->hash, values, bytes);
        p->sum += dc_h5_hash_rows(p->row_bytes, row, (dc_gidx)(bytes / p->row_bytes), values);
    }
    if (bad == count) return DC_OK;
    return FINDING("%s: '%s' has a NaN or infinite value at or after row %lld", p->c->path, p->name, (long long)row);
}

static dc_status check_finite(const check *c, const char *name)
{
    return each_piece(c, name, finite_piece, &(finite_pass){.c = c, .name = name});
}

/* ---- Data files -------------------------------------------------------------------------------------------------- */

/* There are two kinds of checksum: the attribute xxh3 of /X, a sum over the rows, and the attribute checksum of the
 * file, over all bytes of /X. */
static bool has_checksum(const check *c)
{
    return dc_h5_has_attr(c->h5, "/X", "xxh3") || dc_h5_has_attr(c->h5, "/", "checksum");
}

static dc_status compare_checksum(const check *c, const char *object, const char *attr, uint64_t found)
{
    uint64_t stored;
    if (!dc_h5_has_attr(c->h5, object, attr)) return DC_OK;
    const dc_status st = dc_h5_get_attr_hash(c->h5, object, attr, &stored);
    return st != DC_OK || stored == found ? st : dc_h5_fail_hash(c->path, "/X", found, stored);
}

static dc_status check_rows(const check *c, const dc_data_header *head)
{
    dc_status st = DC_OK;
    finite_pass p = {.c = c, .name = "/X", .row_bytes = (size_t)head->D * dc_dtype_bytes(head->dtype)};
    p.hash = XXH3_createState();
    if (!p.hash || XXH3_64bits_reset(p.hash) != XXH_OK) DC_TRY(DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum"));
    DC_TRY(each_piece(c, "/X", finite_piece, &p));
    DC_TRY(compare_checksum(c, "/X", "xxh3", p.sum));
    DC_TRY(compare_checksum(c, "/", "checksum", XXH3_64bits_digest(p.hash)));
out:
    XXH3_freeState(p.hash);
    return st;
}

static dc_status check_sparse(const check *c, const dc_data_header *head)
{
    dc_status st = DC_OK;
    uint64_t found;
    DC_TRY(dc_dataset_check_sparse(c->path));
    if (!dc_h5_has_attr(c->h5, "/X", "xxh3")) goto out;
    DC_TRY(dc_h5_hash_sparse_range(c->h5, "/X", 0, head->N, &found));
    DC_TRY(compare_checksum(c, "/X", "xxh3", found));
out:
    return st;
}

/* Checks ids of rows and names of columns, if the file has them as datasets. */
static dc_status check_ids(const check *c, dc_gidx N)
{
    static const char *const names[] = {"/ids",      "/feature_names", "/obs/_index", "/obs/label/codes",
                                        "/obs/text", "/var/_index"};
    dc_status st = DC_OK;
    dc_h5_info info;
    for (size_t i = 0; i < DC_COUNT_OF(names); i++)
        if (dc_h5_exists(c->h5, names[i]) && dc_h5_has_attr(c->h5, names[i], "xxh3"))
            DC_TRY(dc_h5_check_hash(c->h5, names[i]));
    if (!dc_h5_exists(c->h5, "/ids")) goto out;
    DC_TRY(dc_h5_dataset_info(c->h5, "/ids", &info));
    if (!info.text || info.n_dims != 1 || info.dims[0] != N)
        st = FINDING("%s: '/ids' is not a list of %lld texts, one for each row", c->path, (long long)N);
out:
    return st;
}

static dc_status check_data(check *c)
{
    dc_status st = DC_OK;
    dc_data_header head;
    char kind[DC_DATA_KIND_MAX];
    DC_TRY(dc_dataset_header(c->path, 0, &head));
    DC_TRY(note(c, head.sparse ? check_sparse(c, &head) : check_rows(c, &head)));
    if (head.has_labels && dc_h5_has_attr(c->h5, "/y", "xxh3")) DC_TRY(note(c, dc_h5_check_hash(c->h5, "/y")));
    DC_TRY(note(c, check_ids(c, head.N)));
    DC_TRY(note(c, dc_h5_check_unchanged(c->h5)));
    if (c->findings) goto out;
    dc_log_plain("%s: whole: data, %lld rows x %lld %s, %s, %s", c->path, (long long)head.N, (long long)head.D,
                 dc_data_kind_text(head.sparse, head.dtype, head.N, head.D, head.nnz, kind),
                 head.has_labels ? "labels" : "no labels",
                 dc_checksum_text(has_checksum(c) ? DC_CHECKSUM_AGREES : DC_CHECKSUM_NONE));
out:
    return st;
}

/* ---- Results and predictions ------------------------------------------------------------------------------------- */

typedef enum { SIZE_N, SIZE_K, SIZE_L, SIZE_M, SIZE_COUNT } size_symbol;
static const char *const symbol_names[] = {"rows", "clusters", "latent dimensions", "largest soft assignments"};

/* Datasets whose shapes must agree. */
static const struct {
    const char *name;
    dc_h5_type type;
    int n_dims;
    size_symbol dim[2];
    bool required;
} shapes[] = {
    {"/labels", DC_H5_I32, 1, {SIZE_N}, true},
    {"/clusters/size", DC_H5_I64, 1, {SIZE_K}, true},
    {"/confidence", DC_H5_F32, 1, {SIZE_N}, false},
    {"/embedding", DC_H5_F32, 2, {SIZE_N, SIZE_L}, false},
    {"/q", DC_H5_F32, 2, {SIZE_N, SIZE_K}, false},
    {"/outlier", DC_H5_U8, 1, {SIZE_N}, false},
    {"/ids", DC_H5_TEXT, 1, {SIZE_N}, false},
    {"/q_top", DC_H5_F32, 2, {SIZE_N, SIZE_M}, false},
    {"/q_top_index", DC_H5_I32, 2, {SIZE_N, SIZE_M}, false},
};

static dc_status check_shape(const check *c, size_t i, int64_t size[SIZE_COUNT])
{
    const char *name = shapes[i].name;
    dc_h5_info info;
    if (!dc_h5_exists(c->h5, name)) return shapes[i].required ? FINDING("%s: '%s' is missing", c->path, name) : DC_OK;
    const dc_status st = dc_h5_dataset_info(c->h5, name, &info);
    if (st != DC_OK) return st;
    if (info.type != shapes[i].type || !info.exact || info.n_dims != shapes[i].n_dims)
        return FINDING("%s: '%s' has another type or number of dimensions than it must have", c->path, name);
    for (int k = 0; k < info.n_dims; k++) {
        int64_t *known = &size[shapes[i].dim[k]];
        if (*known < 0) *known = info.dims[k];
        if (*known != info.dims[k])
            return FINDING("%s: '%s' has %lld %s, other datasets %lld", c->path, name, (long long)info.dims[k],
                           symbol_names[shapes[i].dim[k]], (long long)*known);
    }
    return DC_OK;
}

typedef struct {
    const check *c;
    int64_t K;
    int64_t *count; /* [K] */
} label_pass;

static dc_status label_piece(void *ctx, const dc_h5_info *info, dc_gidx row, size_t count, const void *values)
{
    const label_pass *p = ctx;
    const int32_t *label = values;
    (void)info;
    for (size_t i = 0; i < count; i++) {
        if (label[i] < 0 || label[i] >= p->K)
            return FINDING("%s: '/labels' has %d in row %lld; there are %lld clusters", p->c->path, label[i],
                           (long long)row + (long long)i, (long long)p->K);
        p->count[label[i]]++;
    }
    return DC_OK;
}

/* Checks that labels are in range, and that each occurs as often as /clusters/size says. */
static dc_status check_labels(const check *c, int64_t K)
{
    dc_status st = DC_OK;
    int64_t *count = NULL, *size = NULL;
    DC_TRY(dc_mem_alloc(&count, (size_t)K, sizeof *count, "cluster sizes"));
    DC_TRY(dc_mem_alloc(&size, (size_t)K, sizeof *size, "cluster sizes"));
    DC_TRY(each_piece(c, "/labels", label_piece, &(label_pass){c, K, count}));
    DC_TRY(dc_h5_read_rows(c->h5, "/clusters/size", DC_H5_I64, 0, K, size));
    for (int64_t k = 0; k < K && st == DC_OK; k++)
        if (size[k] != count[k])
            st = FINDING("%s: '/clusters/size' says %lld rows for cluster %lld, '/labels' %lld", c->path,
                         (long long)size[k], (long long)k, (long long)count[k]);
out:
    dc_mem_free(&count);
    dc_mem_free(&size);
    return st;
}

static dc_status check_checksum(void *ctx, const char *name, const dc_h5_info *info)
{
    check *c = ctx;
    (void)info;
    c->datasets++;
    return note(c, dc_h5_check_hash(c->h5, name));
}

static dc_status check_completion(const check *c)
{
    int64_t complete, version;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_get_attr_i64(c->h5, "/", "format_version", &version, 1, NULL));
    if (version != 1) return FINDING("%s: format version %lld; this program knows 1", c->path, (long long)version);
    DC_TRY(dc_h5_get_attr_i64(c->h5, "/", "complete", &complete, 1, NULL));
    if (complete != 1) st = FINDING("%s is incomplete: its run did not finish", c->path);
out:
    return st;
}

static dc_status check_model(const check *c)
{
    dc_trained t;
    dc_config deck;
    const dc_status st = dc_result_model_read(c->path, &deck, &t);
    if (st == DC_OK) dc_trained_release(&t);
    return st;
}

static dc_status check_result(check *c, bool has_model)
{
    dc_status st = DC_OK;
    int64_t size[SIZE_COUNT] = {-1, -1, -1, -1};
    DC_TRY(note(c, check_completion(c)));
    DC_TRY(note(c, dc_h5_visit(c->h5, check_checksum, c)));
    for (size_t i = 0; i < DC_COUNT_OF(shapes); i++) DC_TRY(note(c, check_shape(c, i, size)));
    if (c->findings) goto out; /* the values of damaged datasets would tell nothing more */
    DC_TRY(note(c, dc_h5_check_content(c->h5)));
    DC_TRY(note(c, check_labels(c, size[SIZE_K])));
    for (size_t i = 0; i < DC_COUNT_OF(shapes); i++)
        if (shapes[i].type == DC_H5_F32 && dc_h5_exists(c->h5, shapes[i].name))
            DC_TRY(note(c, check_finite(c, shapes[i].name)));
    if (has_model) DC_TRY(note(c, check_model(c)));
    DC_TRY(note(c, dc_h5_check_unchanged(c->h5)));
    if (c->findings == 0)
        dc_log_plain("%s: whole: %s, %lld rows, %lld clusters, checksums of %d datasets agree", c->path,
                     has_model ? "result" : "prediction", (long long)size[SIZE_N], (long long)size[SIZE_K],
                     c->datasets);
    if (c->findings == 0 && has_model) dc_note_summary(c->path);
out:
    return st;
}

/* What `dcmpi dedup` wrote; what: a list, or a search that is not finished. */
static dc_status check_duplicates(check *c, const char *what)
{
    dc_status st = DC_OK;
    DC_TRY(note(c, check_completion(c)));
    DC_TRY(note(c, dc_h5_visit(c->h5, check_checksum, c)));
    DC_TRY(note(c, dc_h5_check_content(c->h5)));
    DC_TRY(note(c, dc_h5_check_unchanged(c->h5)));
    if (c->findings == 0) dc_log_plain("%s: whole: %s, checksums of %d datasets agree", c->path, what, c->datasets);
out:
    return st;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------- */

static dc_status check_ckpt(const char *path)
{
    dc_ckpt c;
    const dc_status st = dc_ckpt_open(path, &c);
    if (st != DC_OK) return st;
    dc_log_plain("%s: whole: checkpoint of %s, step %lld, %d arrays, the checksum agrees", path, c.header.phase,
                 (long long)c.header.step, c.n);
    dc_ckpt_release(&c);
    return DC_OK;
}

/* ---- The verb ---------------------------------------------------------------------------------------------------- */

static dc_status check_content(check *c)
{
    dc_status st = DC_OK;
    char format[64] = "dcmpi-data";
    if (dc_h5_has_attr(c->h5, "/", "format"))
        DC_TRY(dc_h5_get_attr_str(c->h5, "/", "format", format, sizeof format));
    else if (!dc_h5_exists(c->h5, "/X"))
        return FINDING("%s is not a file of dcmpi: it has neither the attribute format nor a dataset /X", c->path);
    if (strcmp(format, "dcmpi-data") == 0) return note(c, check_data(c));
    if (strcmp(format, "dcmpi-checkpoint") == 0) return note(c, check_ckpt(c->path));
    if (strcmp(format, "dcmpi-result") == 0) return check_result(c, true);
    if (strcmp(format, "dcmpi-prediction") == 0) return check_result(c, false);
    if (strcmp(format, "dcmpi-duplicates") == 0) return check_duplicates(c, "list of duplicates");
    if (strcmp(format, "dcmpi-duplicates-state") == 0)
        return check_duplicates(c, "unfinished search for duplicates, which the same dcmpi dedup continues");
    st = FINDING("%s: unknown format '%s'", c->path, format);
out:
    return st;
}

static dc_status check_path(const char *path)
{
    check c = {.path = path};
    dc_status st = dc_h5_open(&c.h5, path, DC_H5_READ);
    if (st == DC_OK) st = check_content(&c);
    st = dc_h5_close_read(&c.h5, st);
    if (st == DC_OK && c.findings) {
        dc_error_clear();
        if (c.findings == 1)
            st = DC_FAIL(DC_ERR_FORMAT, "%s", c.first);
        else
            st = DC_FAIL(DC_ERR_FORMAT, "%s; findings: %d", c.first, c.findings);
    }
    return st;
}

dc_status dc_verb_check(int argc, char **argv)
{
    if (argc != 2) return DC_FAIL(DC_ERR_USAGE, "usage: dcmpi check FILE");
    const dc_status st = dc_expect(DC_EXPECT_ANY, argv[1], argv[0]);
    return st == DC_OK ? check_path(argv[1]) : st;
}
