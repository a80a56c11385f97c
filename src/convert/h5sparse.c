/* Layouts:
 *   AnnData   group with data, indices, indptr; attributes encoding-type (csr_matrix, csc_matrix) and shape, or, before
 *             version 0.7, h5sparse_format (csr, csc) and h5sparse_shape
 *   10x       group /matrix with barcodes, features, shape and a CSC matrix of features x barcodes; in version 2 a
 * group per genome with barcodes, gene_names, genes Matlab    group with data, ir, jc; attribute MATLAB_sparse, the
 * number of rows */
#include "convert/h5sparse.h"

#include <math.h>
#include <string.h>

#include "convert/h5names.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"

enum { WINDOW = 1 << 18 };

/* ---- Which group ------------------------------------------------------------------------------------------------- */

static bool has(dc_h5 *h5, const char *group, const char *leaf)
{
    char name[DC_H5_NAME_MAX];
    return dc_h5_join(name, group, leaf) && dc_h5_exists(h5, name);
}

static bool is_matlab(dc_h5 *h5, const char *group)
{
    return has(h5, group, "ir") && has(h5, group, "jc");
}

bool dc_h5sparse_is(dc_h5 *h5, const char *group)
{
    return (has(h5, group, "indices") && has(h5, group, "indptr")) || is_matlab(h5, group);
}

typedef struct {
    dc_h5 *h5;
    int found;
    char group[DC_H5_NAME_MAX];
    char listed[400];
} search;

static dc_status consider(void *ctx, const char *name, const dc_h5_info *info)
{
    search *s = ctx;
    char group[DC_H5_NAME_MAX];
    const char *leaf = strrchr(name, '/');
    (void)info;
    if (strcmp(leaf, "/indptr") != 0 && strcmp(leaf, "/jc") != 0) return DC_OK;
    if (strncmp(name, "/#refs#/", 8) == 0 || (size_t)(leaf - name) >= sizeof group) return DC_OK;
    snprintf(group, sizeof group, "%.*s", (int)(leaf - name), name);
    if (!dc_h5sparse_is(s->h5, group)) return DC_OK;
    if (s->found++ == 0) memcpy(s->group, group, sizeof group);
    const size_t used = strlen(s->listed);
    if (used + strlen(group) + 3 < sizeof s->listed)
        snprintf(s->listed + used, sizeof s->listed - used, "%s%s", used ? ", " : "", group);
    return DC_OK;
}

static dc_status find_only(dc_h5 *h5, const char *file, char out[DC_H5_NAME_MAX])
{
    search s = {.h5 = h5};
    const dc_status st = dc_h5_visit(h5, consider, &s);
    if (st != DC_OK) return st;
    if (s.found > 1)
        return DC_FAIL(DC_ERR_DATA, "%s: has %d sparse matrices; choose one with --matrix: %s", file, s.found,
                       s.listed);
    snprintf(out, DC_H5_NAME_MAX, "%s", s.group);
    return DC_OK;
}

/* ---- Its shape --------------------------------------------------------------------------------------------------- */

static dc_status read_shape_attr(dc_h5 *h5, const char *group, const char *attr, int64_t shape[2], bool *found)
{
    size_t n = 0;
    *found = dc_h5_has_attr(h5, group, attr);
    if (!*found) return DC_OK;
    const dc_status st = dc_h5_get_attr_i64(h5, group, attr, shape, 2, &n);
    *found = n == 2;
    return st;
}

static dc_status read_shape(dc_h5 *h5, const char *file, dc_h5sparse_layout *at, int64_t majors)
{
    dc_status st = DC_OK;
    int64_t shape[2] = {0};
    char name[DC_H5_NAME_MAX];
    dc_h5_info info;
    bool found = false;
    if (is_matlab(h5, at->group)) {
        found = dc_h5_has_attr(h5, at->group, "MATLAB_sparse");
        if (found) DC_TRY(dc_h5_get_attr_i64(h5, at->group, "MATLAB_sparse", shape, 1, NULL));
        shape[1] = majors;
    }
    if (!found) DC_TRY(read_shape_attr(h5, at->group, "shape", shape, &found));
    if (!found) DC_TRY(read_shape_attr(h5, at->group, "h5sparse_shape", shape, &found));
    if (!found && has(h5, at->group, "shape") && dc_h5_join(name, at->group, "shape")) {
        DC_TRY(dc_h5_dataset_info(h5, name, &info));
        found = info.n_dims == 1 && info.dims[0] == 2 && info.integer;
        if (found) DC_TRY(dc_h5_read_rows(h5, name, DC_H5_I64, 0, 2, shape));
    }
    if (!found) return DC_FAIL(DC_ERR_DATA, "%s: %s has no shape of 2 numbers", file, at->group);
    at->rows = shape[0], at->cols = shape[1];
    if (at->rows < 1 || at->cols < 1 || at->rows > INT32_MAX || at->cols > INT32_MAX)
        return DC_FAIL(DC_ERR_DATA, "%s: %s has %lld rows and %lld columns; 1 to %d of each are read", file, at->group,
                       (long long)at->rows, (long long)at->cols, INT32_MAX);
out:
    return st;
}

/* Whether the matrix is stored by columns. */
static dc_status read_format(dc_h5 *h5, const char *file, dc_h5sparse_layout *at, int64_t majors)
{
    char text[32] = "";
    const bool is_new = dc_h5_has_attr(h5, at->group, "encoding-type");
    const bool is_old = !is_new && dc_h5_has_attr(h5, at->group, "h5sparse_format");
    if (is_new || is_old) {
        const dc_status st =
            dc_h5_get_attr_str(h5, at->group, is_new ? "encoding-type" : "h5sparse_format", text, sizeof text);
        if (st != DC_OK) return st;
    }
    if (strncmp(text, "csr", 3) == 0 || strncmp(text, "csc", 3) == 0)
        at->by_columns = text[2] == 'c';
    else
        at->by_columns = at->features_first || is_matlab(h5, at->group) || majors != at->rows;
    const int64_t expected = at->by_columns ? at->cols : at->rows;
    if (majors == expected) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: %s has %lld numbers, but the matrix has %lld %s", file, at->indptr,
                   (long long)(majors + 1), (long long)expected, at->by_columns ? "columns" : "rows");
}

static dc_status fail_array(const char *file, const char *array, const char *what)
{
    return DC_FAIL(DC_ERR_DATA, "%s: %s %s", file, array, what);
}

/* Names of the arrays, their types and lengths. */
static dc_status read_arrays(dc_h5 *h5, const char *file, dc_h5sparse_layout *at, int64_t *majors)
{
    dc_status st = DC_OK;
    dc_h5_info index, ends, value;
    const bool matlab = is_matlab(h5, at->group);
    if (!dc_h5_join(at->indices, at->group, matlab ? "ir" : "indices") ||
        !dc_h5_join(at->indptr, at->group, matlab ? "jc" : "indptr") || !dc_h5_join(at->data, at->group, "data"))
        return DC_FAIL(DC_ERR_USAGE, "%s: name too long: %s", file, at->group);
    DC_TRY(dc_h5_dataset_info(h5, at->indices, &index));
    DC_TRY(dc_h5_dataset_info(h5, at->indptr, &ends));
    DC_TRY(dc_h5_dataset_info(h5, at->data, &value));
    if (index.n_dims != 1 || !index.integer) return fail_array(file, at->indices, "is not a list of integers");
    if (ends.n_dims != 1 || !ends.integer) return fail_array(file, at->indptr, "is not a list of integers");
    if (ends.dims[0] < 2) return fail_array(file, at->indptr, "has less than two numbers: the matrix is empty");
    if (value.n_dims != 1 || !(value.integer || value.floating))
        return fail_array(file, at->data, "is not a list of numbers");
    if (index.dims[0] != value.dims[0]) return fail_array(file, at->indices, "has not as many numbers as the data");
    at->count = value.dims[0];
    at->rounded = value.integer && value.item_bytes >= 8;
    *majors = ends.dims[0] - 1;
out:
    return st;
}

dc_status dc_h5sparse_find(dc_h5 *h5, const char *file, const char *dataset, dc_h5sparse_layout *out, bool *found)
{
    dc_status st = DC_OK;
    int64_t majors;
    memset(out, 0, sizeof *out);
    *found = false;
    if (dataset) {
        if (!dc_h5_anndata_alias(h5, dataset, out->group))
            return DC_FAIL(DC_ERR_USAGE, "%s: --dataset is longer than %d bytes", file, DC_H5_NAME_MAX - 2);
    } else if (dc_h5_exists(h5, "/X")) {
        snprintf(out->group, sizeof out->group, "/X");
    } else if (dc_h5sparse_is(h5, "/matrix")) {
        snprintf(out->group, sizeof out->group, "/matrix");
    } else {
        DC_TRY(find_only(h5, file, out->group));
    }
    *found = out->group[0] && dc_h5sparse_is(h5, out->group);
    if (!*found) return DC_OK;
    out->features_first = has(h5, out->group, "barcodes");
    DC_TRY(read_arrays(h5, file, out, &majors));
    DC_TRY(read_shape(h5, file, out, majors));
    DC_TRY(read_format(h5, file, out, majors));
    if (out->features_first)
        dc_h5_tenx_names(h5, out->group, out->row_names, out->col_names, out->kinds);
    else
        (void)dc_h5_anndata_names(h5, out->group, out->row_names, out->col_names);
out:
    return st;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

dc_status dc_h5sparse_open(dc_h5sparse *s, dc_h5 *h5, const char *name, const dc_h5sparse_layout *layout)
{
    dc_status st = DC_OK;
    memset(s, 0, sizeof *s);
    s->h5 = h5;
    s->name = name;
    s->at = *layout;
    s->major = -1;
    DC_TRY(dc_mem_alloc_raw(&s->ends, WINDOW, sizeof *s->ends, "ends of rows"));
    DC_TRY(dc_mem_alloc_raw(&s->index, WINDOW, sizeof *s->index, "columns of values"));
    DC_TRY(dc_mem_alloc_raw(&s->value, WINDOW, sizeof *s->value, "values"));
out:
    if (st != DC_OK) dc_h5sparse_close(s);
    return st;
}

void dc_h5sparse_close(dc_h5sparse *s)
{
    dc_mem_free(&s->ends);
    dc_mem_free(&s->index);
    dc_mem_free(&s->value);
}

static int64_t majors_of(const dc_h5sparse *s)
{
    return s->at.by_columns ? s->at.cols : s->at.rows;
}

/* indptr[i]. */
static dc_status end_at(dc_h5sparse *s, int64_t i, int64_t *end)
{
    if (i >= s->ends_at + s->ends_n) {
        if (dc_signals_stops() > 0) return DC_STOPPED;
        s->ends_at = i;
        s->ends_n = DC_MIN((int64_t)WINDOW, majors_of(s) + 1 - i);
        const dc_status st = dc_h5_read_rows(s->h5, s->at.indptr, DC_H5_I64, i, s->ends_n, s->ends);
        if (st != DC_OK) return st;
    }
    *end = s->ends[i - s->ends_at];
    return DC_OK;
}

/* Goes to the next row or column; *found is false after the last one. */
static dc_status next_major(dc_h5sparse *s, bool *found)
{
    dc_status st = DC_OK;
    int64_t end;
    if (s->major < 0) {
        DC_TRY(end_at(s, 0, &end));
        if (end != 0)
            return DC_FAIL(DC_ERR_DATA, "%s: %s begins with %lld, not with 0", s->name, s->at.indptr, (long long)end);
    }
    *found = ++s->major < majors_of(s);
    if (!*found) {
        if (s->entry != s->at.count)
            st = DC_FAIL(DC_ERR_DATA, "%s: %s ends with %lld, but there are %lld values", s->name, s->at.indptr,
                         (long long)s->entry, (long long)s->at.count);
        return st;
    }
    DC_TRY(end_at(s, s->major + 1, &end));
    if (end < s->entry || end > s->at.count)
        return DC_FAIL(DC_ERR_DATA, "%s: %s[%lld] is %lld: it must be from %lld to %lld", s->name, s->at.indptr,
                       (long long)s->major + 1, (long long)end, (long long)s->entry, (long long)s->at.count);
    s->end = end;
out:
    return st;
}

static dc_status load_window(dc_h5sparse *s)
{
    dc_status st = DC_OK;
    if (dc_signals_stops() > 0) return DC_STOPPED;
    dc_heartbeat();
    s->first = s->entry;
    s->n = DC_MIN((int64_t)WINDOW, s->at.count - s->first);
    DC_TRY(dc_h5_read_rows(s->h5, s->at.indices, DC_H5_I64, s->first, s->n, s->index));
    DC_TRY(dc_h5_read_rows(s->h5, s->at.data, DC_H5_F64, s->first, s->n, s->value));
out:
    return st;
}

static dc_status take(dc_h5sparse *s, dc_entry *out)
{
    const int64_t i = s->index[s->entry - s->first], most = s->at.by_columns ? s->at.rows : s->at.cols;
    const double v = s->value[s->entry - s->first];
    if (i < 0 || i >= most)
        return DC_FAIL(DC_ERR_DATA, "%s: %s[%lld] is %lld: out of range, they count from 0 to %lld", s->name,
                       s->at.indices, (long long)s->entry, (long long)i, (long long)most - 1);
    if (!isfinite(v))
        return DC_FAIL(DC_ERR_DATA, "%s: %s[%lld] is %g, not a finite number", s->name, s->at.data, (long long)s->entry,
                       v);
    *out = s->at.by_columns ? (dc_entry){(uint32_t)i, (int32_t)s->major, v}
                            : (dc_entry){(uint32_t)s->major, (int32_t)i, v};
    s->entry++;
    return DC_OK;
}

dc_status dc_h5sparse_read(dc_h5sparse *s, size_t n, dc_entry *out, size_t *got)
{
    dc_status st = DC_OK;
    *got = 0;
    while (*got < n && s->major < majors_of(s)) {
        bool found = true;
        while (found && s->entry == s->end) DC_TRY(next_major(s, &found));
        if (!found) break;
        if (s->entry >= s->first + s->n) DC_TRY(load_window(s));
        DC_TRY(take(s, &out[*got]));
        ++*got;
    }
out:
    return st;
}
