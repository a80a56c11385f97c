/* Which way up a Matrix Market file is: if barcodes and features of 10x lie beside it, their numbers of lines tell; 10x
 * writes features x barcodes. Else its rows are the rows. */
#include "convert/sparse_input.h"

#include <string.h>
#include <sys/stat.h>

#include "convert/h5in.h"
#include "convert/h5names.h"
#include "convert/tenx.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

/* ---- Which kind -------------------------------------------------------------------------------------------------- */

static dc_status open_h5(const char *path, dc_h5 **h5)
{
    return dc_h5in_data_error(dc_h5_open(h5, path, DC_H5_READ));
}

static void close_h5(dc_h5 **h5)
{
    /* A file that was only read loses nothing if closing it fails. */
    if (dc_h5_close(h5) != DC_OK) dc_error_clear();
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static dc_status recognise_h5(const dc_convert_config *cfg, const char *path, dc_sparse_kind *kind)
{
    dc_h5 *h5 = NULL;
    dc_h5sparse_layout layout;
    bool found;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_h5sparse_find(h5, path, cfg->dataset, &layout, &found));
    if (found) *kind = DC_SPARSE_H5;
out:
    return dc_h5in_data_error(dc_h5_close_read(&h5, st));
}

/* An HDF5 file that cannot be opened is left to the reader of dense matrices, which says why. */
static dc_status look_for_h5(const dc_stream *s, const char *path, bool *is_h5)
{
    *is_h5 = false;
    return !s->unpack && dc_stream_available(s) >= 8 ? dc_h5_recognise(path, is_h5) : DC_OK;
}

dc_status dc_sparse_recognise(const dc_convert_config *cfg, const char *path, dc_sparse_kind *kind, dc_file_state *seen)
{
    dc_stream s;
    *kind = DC_SPARSE_NONE;
    *seen = (dc_file_state){0};
    if (is_folder(path)) {
        *kind = DC_SPARSE_MTX;
        return DC_OK;
    }
    dc_status st = dc_stream_open(&s, path, cfg->max_input_bytes);
    if (st != DC_OK) return st;
    *seen = s.state;
    const bool mtx = dc_mtx_recognise(&s), svmlight = !mtx && dc_svmlight_recognise(&s);
    bool h5 = false;
    if (!mtx && !svmlight) st = look_for_h5(&s, path, &h5);
    dc_stream_close(&s);
    if (mtx || svmlight) *kind = mtx ? DC_SPARSE_MTX : DC_SPARSE_SVMLIGHT;
    return st == DC_OK && h5 ? recognise_h5(cfg, path, kind) : st;
}

/* ---- Matrix Market ----------------------------------------------------------------------------------------------- */

/* Decides which way up the matrix is, from the numbers of barcodes and features. */
static dc_status orient(const dc_convert_config *cfg, const dc_mtx *m, const int64_t beside[2], dc_sparse_input *in)
{
    const int64_t cells = beside[0], features = beside[1];
    const bool turned = (cells < 0 || cells == m->cols) && (features < 0 || features == m->rows);
    const bool as_is = (cells < 0 || cells == m->rows) && (features < 0 || features == m->cols);
    const bool known = cells >= 0 || features >= 0;
    if (known && !turned && !as_is)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows and %lld columns, but beside it are %lld barcodes and %lld features",
                       in->name, (long long)m->rows, (long long)m->cols, (long long)cells, (long long)features);
    in->turned = cfg->transpose == DC_TRANSPOSE_AUTO ? known && turned : cfg->transpose == DC_TRANSPOSE_YES;
    if (known && !(in->turned ? turned : as_is))
        return DC_FAIL(DC_ERR_USAGE, "%s: --transpose does not agree with the barcodes and features beside it",
                       in->name);
    return DC_OK;
}

/* beside: lines of barcodes and of features, -1: no such file. */
static dc_status inspect_beside(const dc_convert_config *cfg, dc_sparse_input *in, int64_t beside[2])
{
    static const char *const cells[] = {"barcodes", NULL}, *const features[] = {"features", "genes", NULL};
    dc_status st = DC_OK;
    int kinds = 0;
    beside[0] = beside[1] = -1;
    dc_tenx_beside(in->path, cells, in->ids_path);
    dc_tenx_beside(in->path, features, in->names_path);
    if (in->ids_path[0]) DC_TRY(dc_tenx_count(in->ids_path, in->limit, &beside[0]));
    if (in->names_path[0]) {
        DC_TRY(dc_tenx_count(in->names_path, in->limit, &beside[1]));
        DC_TRY(dc_tenx_features(in->names_path, in->limit, &in->names, &kinds));
    }
    if (kinds > 1) dc_log_note("%s: has features of %d types; all are kept", in->names_path, kinds);
    in->has_ids = in->ids_path[0] && !(cfg->table.id_column && strcmp(cfg->table.id_column, "none") == 0);
out:
    return st;
}

static dc_status inspect_mtx(const dc_convert_config *cfg, const char *path, dc_sparse_input *in)
{
    dc_status st = DC_OK;
    dc_mtx m;
    int64_t beside[2];
    if (is_folder(path)) DC_TRY(dc_tenx_matrix(path, in->path));
    DC_TRY(inspect_beside(cfg, in, beside));
    DC_TRY(dc_mtx_open(&m, in->path, in->limit));
    snprintf(in->name, sizeof in->name, "%s", m.stream.name);
    in->file = m.stream.state;
    in->sums = true;
    in->count = m.count;
    st = orient(cfg, &m, beside, in);
    in->rows = in->turned ? m.cols : m.rows;
    in->width = in->turned ? m.rows : m.cols;
    if (st == DC_OK)
        dc_log_note("%s: Matrix Market, %lld x %lld: its %s are the rows%s%s%s%s", in->name, (long long)m.rows,
                    (long long)m.cols, in->turned ? "columns" : "rows", in->has_ids ? "; ids from " : "",
                    in->has_ids ? in->ids_path : "", in->names ? "; names from " : "", in->names ? in->names_path : "");
    dc_mtx_close(&m);
out:
    return st;
}

/* ---- svmlight ---------------------------------------------------------------------------------------------------- */

static dc_status inspect_svmlight(const dc_convert_config *cfg, dc_sparse_input *in)
{
    enum { PIECE = 1 << 14 };
    dc_status st = DC_OK;
    dc_svmlight s;
    dc_entry *piece = NULL;
    if (cfg->transpose == DC_TRANSPOSE_YES)
        return DC_FAIL(DC_ERR_USAGE, "%s: --transpose is not for svmlight, whose lines are the rows", in->path);
    DC_TRY(dc_mem_alloc_raw(&piece, PIECE, sizeof *piece, "entries"));
    DC_TRY(dc_svmlight_open(&s, in->path, in->limit));
    snprintf(in->name, sizeof in->name, "%s", s.stream.name);
    in->file = s.stream.state;
    for (size_t got = 1; got > 0 && st == DC_OK;) st = dc_svmlight_read(&s, PIECE, piece, &got);
    in->rows = s.rows;
    in->width = s.most + 1;
    in->base = s.least;
    dc_svmlight_close(&s);
out:
    dc_mem_free(&piece);
    return st;
}

/* ---- HDF5 -------------------------------------------------------------------------------------------------------- */

/* Our own files say which names are real, and where the labels are. */
static dc_status read_own(dc_h5 *h5, dc_sparse_input *in, char ids[DC_H5_NAME_MAX], char names[DC_H5_NAME_MAX])
{
    dc_status st = DC_OK;
    char format[32] = "";
    if (dc_h5_has_attr(h5, "/", "format")) DC_TRY(dc_h5_get_attr_str(h5, "/", "format", format, sizeof format));
    if (strcmp(format, "dcmpi-data") == 0) {
        if (!dc_h5_has_attr(h5, "/", "id_dataset")) ids[0] = '\0';
        if (!dc_h5_has_attr(h5, "/", "feature_dataset")) names[0] = '\0';
        if (dc_h5_has_attr(h5, "/", "label_dataset"))
            DC_TRY(dc_h5_get_attr_str(h5, "/", "label_dataset", in->labels, sizeof in->labels));
    } else if (strcmp(in->layout.group, "/X") == 0 && dc_h5_exists(h5, "/y")) {
        snprintf(in->labels, sizeof in->labels, "/y");
    }
out:
    return st;
}

static dc_status check_count(const dc_sparse_input *in, const char *name, dc_gidx n, dc_gidx expected, const char *what)
{
    if (n == expected) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: '%s' has %lld names for the %lld %s of %s", in->name, name, (long long)n,
                   (long long)expected, what, in->layout.group);
}

static dc_status load_names(dc_h5 *h5, dc_sparse_input *in, const char *name)
{
    dc_status st = DC_OK;
    dc_h5_column *column = NULL;
    if (!name[0]) return DC_OK;
    DC_TRY(dc_h5_column_open(h5, name, &column));
    DC_TRY(check_count(in, name, dc_h5_column_rows(column), in->width, "columns"));
    DC_TRY(dc_h5_column_join(column, &in->names));
out:
    dc_h5_column_close(&column);
    return st;
}

static dc_status check_ids(dc_h5 *h5, dc_sparse_input *in)
{
    dc_status st = DC_OK;
    dc_h5_column *column = NULL;
    if (!in->ids[0]) return DC_OK;
    DC_TRY(dc_h5_column_open(h5, in->ids, &column));
    DC_TRY(check_count(in, in->ids, dc_h5_column_rows(column), in->rows, "rows"));
    in->has_ids = true;
out:
    dc_h5_column_close(&column);
    return st;
}

static dc_status inspect_open_h5(const dc_convert_config *cfg, dc_h5 *h5, dc_sparse_input *in)
{
    dc_status st = DC_OK;
    bool found;
    char names[DC_H5_NAME_MAX];
    dc_h5sparse_layout *at = &in->layout;
    DC_TRY(dc_h5sparse_find(h5, in->name, cfg->dataset, at, &found));
    if (!found) return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", in->name);
    in->turned = cfg->transpose == DC_TRANSPOSE_AUTO ? at->features_first : cfg->transpose == DC_TRANSPOSE_YES;
    in->rows = in->turned ? at->cols : at->rows;
    in->width = in->turned ? at->rows : at->cols;
    in->rounded = at->rounded;
    in->count = at->count;
    snprintf(in->ids, sizeof in->ids, "%s", in->turned ? at->col_names : at->row_names);
    snprintf(names, sizeof names, "%s", in->turned ? at->row_names : at->col_names);
    DC_TRY(read_own(h5, in, in->ids, names));
    if (cfg->id_dataset)
        snprintf(in->ids, sizeof in->ids, "%s", strcmp(cfg->id_dataset, "none") == 0 ? "" : cfg->id_dataset);
    DC_TRY(load_names(h5, in, names));
    if (cfg->id_dataset && in->ids[0]) DC_TRY(dc_h5in_expect_column(h5, in->name, "--id-dataset", in->ids, in->rows));
    DC_TRY(check_ids(h5, in));
    dc_log_note("%s: %s is sparse by %s, %lld x %lld: its %s are the rows; ids: %s; names of the columns: %s", in->name,
                at->group, at->by_columns ? "columns" : "rows", (long long)at->rows, (long long)at->cols,
                in->turned ? "columns" : "rows", in->ids[0] ? in->ids : "none", names[0] ? names : "none");
out:
    return st;
}

static dc_status inspect_h5(const dc_convert_config *cfg, dc_sparse_input *in)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, in->path, DC_H5_READ));
    in->file = dc_h5_file_state(h5);
    DC_TRY(inspect_open_h5(cfg, h5, in));
out:
    return dc_h5in_data_error(dc_h5_close_read(&h5, st));
}

/* ---- All kinds --------------------------------------------------------------------------------------------------- */

dc_status dc_sparse_inspect(const dc_convert_config *cfg, const char *path, dc_sparse_kind kind, dc_sparse_input *in)
{
    memset(in, 0, sizeof *in);
    in->kind = kind;
    in->limit = cfg->max_input_bytes;
    if ((size_t)snprintf(in->path, sizeof in->path, "%s", path) >= sizeof in->path)
        return DC_FAIL(DC_ERR_USAGE, "%s: the name is too long", path);
    dc_printable(in->name, sizeof in->name, path, strlen(path));
    if (kind == DC_SPARSE_MTX) return inspect_mtx(cfg, path, in);
    return kind == DC_SPARSE_SVMLIGHT ? inspect_svmlight(cfg, in) : inspect_h5(cfg, in);
}

void dc_sparse_release(dc_sparse_input *in)
{
    dc_mem_free(&in->names);
}

dc_status dc_sparse_open(dc_sparse_reader *r, const dc_sparse_input *in)
{
    memset(r, 0, sizeof *r);
    r->in = in;
    if (in->kind == DC_SPARSE_MTX) return dc_mtx_open(&r->mtx, in->path, in->limit);
    if (in->kind == DC_SPARSE_SVMLIGHT) return dc_svmlight_open(&r->svmlight, in->path, in->limit);
    dc_status st = open_h5(in->path, &r->h5);
    if (st == DC_OK) st = dc_h5sparse_open(&r->h5sparse, r->h5, in->name, &in->layout);
    st = dc_h5_read_status(r->h5, st);
    if (st != DC_OK) close_h5(&r->h5);
    return st;
}

void dc_sparse_close(dc_sparse_reader *r)
{
    if (r->in->kind == DC_SPARSE_MTX) dc_mtx_close(&r->mtx);
    if (r->in->kind == DC_SPARSE_SVMLIGHT) dc_svmlight_close(&r->svmlight);
    if (r->in->kind == DC_SPARSE_H5) {
        dc_h5sparse_close(&r->h5sparse);
        close_h5(&r->h5);
    }
}

static dc_status fail_changed(const dc_sparse_input *in)
{
    return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", in->name);
}

static dc_status read_h5(dc_sparse_reader *r, size_t n, dc_entry *out, size_t *got)
{
    return dc_h5in_data_error(dc_h5_read_status(r->h5, dc_h5sparse_read(&r->h5sparse, n, out, got)));
}

dc_status dc_sparse_read(dc_sparse_reader *r, size_t n, dc_entry *out, size_t *got)
{
    dc_status st = DC_OK;
    const dc_sparse_input *in = r->in;
    if (in->kind == DC_SPARSE_MTX) DC_TRY(dc_mtx_read(&r->mtx, n, out, got));
    if (in->kind == DC_SPARSE_SVMLIGHT) DC_TRY(dc_svmlight_read(&r->svmlight, n, out, got));
    if (in->kind == DC_SPARSE_H5) DC_TRY(read_h5(r, n, out, got));
    for (size_t i = 0; i < *got; i++) {
        const dc_entry e = out[i];
        if (in->turned) out[i] = (dc_entry){(uint32_t)e.col, (int32_t)e.row, e.value};
        out[i].col -= (int32_t)in->base;
        if ((dc_gidx)out[i].row >= in->rows || out[i].col < 0 || out[i].col >= in->width) return fail_changed(in);
    }
out:
    return st;
}

/* ---- Ids --------------------------------------------------------------------------------------------------------- */

dc_status dc_sparse_ids_open(dc_sparse_ids *s, const dc_sparse_input *in)
{
    dc_status st = DC_OK;
    memset(s, 0, sizeof *s);
    s->in = in;
    s->lines.fd = -1;
    if (in->ids_path[0]) return dc_stream_open(&s->lines, in->ids_path, in->limit);
    DC_TRY(open_h5(in->path, &s->h5));
    st = dc_h5in_data_error(dc_h5_read_status(s->h5, dc_h5_column_open(s->h5, in->ids, &s->column)));
out:
    if (st != DC_OK) close_h5(&s->h5);
    return st;
}

void dc_sparse_ids_close(dc_sparse_ids *s)
{
    if (s->in->ids_path[0]) dc_stream_close(&s->lines);
    dc_h5_column_close(&s->column);
    close_h5(&s->h5);
}

typedef struct {
    const char *name;
    dc_id_sink *sink;
} sending;

static dc_status send_id(void *ctx, const char *text, size_t n)
{
    const sending *to = ctx;
    return dc_id_put(to->sink, to->name, text, n);
}

dc_status dc_sparse_ids_read(dc_sparse_ids *s, dc_gidx n, dc_id_sink *sink)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    sending to = {s->in->name, sink};
    if (s->column) DC_TRY(dc_h5in_data_error(dc_h5_column_read(s->column, s->next, n, send_id, &to)));
    for (dc_gidx i = 0; i < n && !s->column; i++) {
        DC_TRY(dc_rawline_next(&s->lines, &s->line, &line, &found));
        if (!found) return fail_changed(s->in);
        const dc_span id = dc_tenx_field(line, 0);
        DC_TRY(dc_id_put(sink, s->lines.name, id.p, id.n));
    }
    s->next += n;
out:
    return st;
}
