/* Finds what a data file holds: the rows, as a dataset or in compressed form, and the columns of names that belong to
 * them. Our own files say in attributes where these are. In a file of AnnData the rows are /X, /raw/X or a layer, the
 * ids are the index of /obs, and the names of the columns that of /var. Before version 0.7 /obs and /var were tables of
 * records, and the raw rows stood in /raw.X. */
#include <string.h>

#include "dcmpi/h5_column.h"
#include "dcmpi/mem.h"
#include "matrix.h"

/* ---- The matrix -------------------------------------------------------------------------------------------------- */

typedef struct {
    char text[400]; /* "X, raw/X, layers/counts, emb [50 x 8 float16]" */
    size_t used;
    char last[DC_H5_NAME_MAX];
    bool cut; /* there are more */
} listing;

/* form: what is said of it, with its name. */
static void list(listing *l, const char *name, const char *form)
{
    static const char more[] = ", ...";
    if (strcmp(l->last, name) == 0 || l->cut) return;
    l->cut = l->used + strlen(form) + sizeof ", " + sizeof more > sizeof l->text;
    l->used += (size_t)snprintf(l->text + l->used, sizeof l->text - l->used, "%s%s", l->used && !l->cut ? ", " : "",
                                l->cut ? more : form);
    snprintf(l->last, sizeof l->last, "%s", name);
}

/* Lists a dataset of numbers that may be rows. */
static dc_status list_rows(void *ctx, const char *name, const dc_h5_info *info)
{
    char form[2 * DC_H5_NAME_MAX];
    const bool known = strcmp(name, "/X") == 0 || strcmp(name, "/raw/X") == 0 || strncmp(name, "/layers/", 8) == 0;
    if (known || info->n_dims < 2 || !(info->integer || info->floating) || info->dims[0] < 1) return DC_OK;
    int n = snprintf(form, sizeof form, "%s [%lld", name + 1, (long long)info->dims[0]);
    for (int i = 1; i < info->n_dims; i++)
        n += snprintf(form + n, sizeof form - (size_t)n, " x %lld", (long long)info->dims[i]);
    snprintf(form + n, sizeof form - (size_t)n, " %s]", info->type_name);
    list(ctx, name, form);
    return DC_OK;
}

/* Lists a layer once, whether it is a dataset or a group of datasets. */
static dc_status list_layer(void *ctx, const char *name, const dc_h5_info *info)
{
    static const char folder[] = "/layers/";
    char layer[DC_H5_NAME_MAX];
    (void)info;
    if (strncmp(name, folder, strlen(folder)) != 0) return DC_OK;
    const size_t n = strlen(folder) + strcspn(name + strlen(folder), "/");
    snprintf(layer, sizeof layer, "%.*s", (int)(n - 1), name + 1);
    list(ctx, layer, layer);
    return DC_OK;
}

static void list_all(dc_h5 *h5, listing *l)
{
    if (dc_h5_exists(h5, "/X")) list(l, "X", "X");
    if (dc_h5_exists(h5, "/raw/X") || dc_h5_exists(h5, "/raw.X")) list(l, "raw/X", "raw/X");
    if (dc_h5_visit(h5, list_layer, l) != DC_OK || dc_h5_visit(h5, list_rows, l) != DC_OK) dc_error_clear();
}

static dc_status fail_missing(dc_h5 *h5, const char *path, const char *name)
{
    listing l = {0};
    list_all(h5, &l);
    return DC_FAIL(DC_ERR_DATA, "%s has no matrix '%s' (input.matrix)%s%s", path, name,
                   l.used ? "; it has " : ", and no other", l.text);
}

static dc_status fail_no_X(dc_h5 *h5, const char *path)
{
    listing l = {0};
    list_all(h5, &l);
    if (!l.used)
        return DC_FAIL(DC_ERR_DATA,
                       "%s has no dataset /X [rows, columns]; make a data file with: dcmpi convert IN OUT.h5", path);
    return DC_FAIL(DC_ERR_DATA,
                   "%s has no dataset /X [rows, columns]; it has %s: take one as %s:NAME, or make a data file with: "
                   "dcmpi convert IN OUT.h5",
                   path, l.text, path);
}

dc_status dc_data_find_matrix(dc_h5 *h5, const char *path, const char *wanted, char out[DC_H5_NAME_MAX])
{
    const char *name = wanted && *wanted ? wanted + (*wanted == '/') : "X";
    const bool raw = strcmp(name, "raw/X") == 0 || strcmp(name, "raw.X") == 0;
    const bool old = raw && !dc_h5_exists(h5, "/raw/X");
    const int n = snprintf(out, DC_H5_NAME_MAX, "/%s", !raw ? name : old ? "raw.X" : "raw/X");
    if (n > 1 && n < DC_H5_NAME_MAX && dc_h5_exists(h5, out)) return DC_OK;
    if (wanted && *wanted && strcmp(name, "X") != 0) return fail_missing(h5, path, name);
    return fail_no_X(h5, path);
}

/* What is not there is no failure; what cannot be read is one. */
static dc_status absent(dc_status st)
{
    if (st == DC_ERR_IO || st == DC_ERR_MEMORY) return st;
    dc_error_clear();
    return DC_OK;
}

dc_status dc_dataset_has_matrix(const char *path, const char *matrix, bool *has)
{
    dc_h5 *h5 = NULL;
    char name[DC_H5_NAME_MAX];
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = dc_data_find_matrix(h5, path, matrix, name);
    st = dc_h5_close_read(&h5, st);
    *has = st == DC_OK;
    return absent(st);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* Sets out to the index of /obs or /var, a group or a table of records; "" if there is none. */
static void find_index(dc_h5 *h5, const char *frame, char out[DC_H5_NAME_MAX])
{
    char name[128] = "_index";
    dc_h5_column *column = NULL;
    out[0] = '\0';
    if (!dc_h5_exists(h5, frame)) return;
    const bool group = dc_h5_is_group(h5, frame);
    if (group && dc_h5_has_attr(h5, frame, "_index") &&
        dc_h5_get_attr_str(h5, frame, "_index", name, sizeof name) != DC_OK)
        dc_error_clear();
    const int n = snprintf(out, DC_H5_NAME_MAX, "%s/%s", frame, group ? name : "index");
    if (n >= DC_H5_NAME_MAX || dc_h5_column_open(h5, out, &column) != DC_OK) out[0] = '\0';
    dc_h5_column_close(&column);
    dc_error_clear();
}

static bool is_ours(dc_h5 *h5)
{
    char format[32] = "";
    if (dc_h5_has_attr(h5, "/", "format") && dc_h5_get_attr_str(h5, "/", "format", format, sizeof format) != DC_OK)
        dc_error_clear();
    return strcmp(format, "dcmpi-data") == 0;
}

/* The name in a root attribute of our own files, "" if it has none. */
static void find_stated(dc_h5 *h5, const char *attr, char out[DC_H5_NAME_MAX])
{
    out[0] = '\0';
    if (!dc_h5_has_attr(h5, "/", attr) || dc_h5_get_attr_str(h5, "/", attr, out, DC_H5_NAME_MAX) == DC_OK) return;
    dc_error_clear();
    out[0] = '\0';
}

void dc_data_find_names(dc_h5 *h5, dc_data_shape *s)
{
    const bool ours = is_ours(h5), raw = strncmp(s->matrix, "/raw", 4) == 0;
    s->ids[0] = s->features[0] = '\0';
    if (dc_h5_exists(h5, "/ids"))
        snprintf(s->ids, sizeof s->ids, "/ids");
    else if (ours)
        find_stated(h5, "id_dataset", s->ids);
    else
        find_index(h5, "/obs", s->ids);
    if (ours)
        find_stated(h5, "feature_dataset", s->features);
    else
        find_index(h5, !raw ? "/var" : dc_h5_exists(h5, "/raw/var") ? "/raw/var" : "/raw.var", s->features);
}

dc_status dc_data_find_labels(dc_h5 *h5, const char *path, const char *wanted, dc_data_shape *s)
{
    char stated[DC_H5_NAME_MAX] = "";
    if (is_ours(h5)) find_stated(h5, "label_dataset", stated);
    const bool given = wanted && *wanted;
    const char *name = given ? wanted : stated[0] ? stated : "/y";
    /* A bare name is that of a column of obs, unless the root has one of this name. */
    char rooted[DC_H5_NAME_MAX + 1];
    const bool bare = given && !strchr(name, '/');
    snprintf(rooted, sizeof rooted, "/%s", bare ? name : "");
    const char *folder = bare && dc_h5_exists(h5, "/obs") && !dc_h5_exists(h5, rooted) ? "/obs/"
                         : name[0] == '/'                                              ? ""
                                                                                       : "/";
    if ((size_t)snprintf(s->labels, sizeof s->labels, "%s%s", folder, name) >= sizeof s->labels)
        return DC_FAIL(DC_ERR_DATA, "%s: the name of the labels is longer than %zu bytes", path, sizeof s->labels - 1);
    s->head.has_labels = given || dc_h5_exists(h5, s->labels);
    return DC_OK;
}

static bool is_floating(dc_h5 *h5, const char *name)
{
    dc_h5_info info;
    return !dc_h5_is_group(h5, name) && dc_h5_dataset_info(h5, name, &info) == DC_OK && info.floating;
}

dc_status dc_dataset_has_labels(const char *path, const char *labels, bool *has)
{
    dc_h5 *h5 = NULL;
    dc_h5_column *column = NULL;
    dc_data_shape s;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = dc_data_find_labels(h5, path, labels, &s);
    if (st == DC_OK) st = dc_h5_column_open(h5, s.labels, &column);
    const bool measured = st == DC_OK && is_floating(h5, s.labels);
    dc_h5_column_close(&column);
    st = dc_h5_close_read(&h5, st);
    *has = st == DC_OK && !measured;
    return absent(st);
}

dc_status dc_data_feature_names(const char *path, const dc_data_shape *s, char **text)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_column *column = NULL;
    *text = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_h5_get_names(h5, "feature_names", s->head.D, text));
    if (*text || !s->features[0]) goto out;
    DC_TRY(dc_h5_column_open(h5, s->features, &column));
    if (dc_h5_column_rows(column) == s->head.D) DC_TRY(dc_h5_column_join(column, text));
out:
    dc_h5_column_close(&column);
    st = dc_h5_close_read(&h5, st);
    if (st != DC_OK) dc_mem_free(text);
    return dc_data_status(st);
}
