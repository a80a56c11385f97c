/* Decides what the datasets of a file mean; src/io reads the bytes. Conventions:
 *
 *   ours    /X, /ids, feature_names, /y with classes
 *   h5ad    /X dense beside groups /obs and /var, whose attribute _index tells which dataset holds their names
 *   loom    /matrix beside groups /row_attrs and /col_attrs: features in rows, names in Gene and CellID
 *   Matlab  a file header that says so, or the attribute MATLAB_class: column-major, so that a matrix of n samples and
 *           d features appears as d x n
 *   others  the dataset that the user names, or the only matrix
 *
 * Sparse matrices (groups with indices and indptr, or ir and jc) are refused, and the error names them. */
#include "convert/h5meaning.h"

#include <string.h>

/* ---- Conventions ------------------------------------------------------------------------------------------------- */

/* Whether the group holds a sparse matrix as AnnData, 10x or Matlab stores it. */
static bool is_sparse(dc_h5 *h5, const char *group)
{
    static const char *const parts[][2] = {{"indices", "indptr"}, {"ir", "jc"}};
    char name[DC_H5_NAME_MAX];
    for (size_t i = 0; i < DC_COUNT_OF(parts); i++) {
        bool all = true;
        for (int k = 0; k < 2; k++) {
            const int n = snprintf(name, sizeof name, "%s/%s", group, parts[i][k]);
            all = all && n < (int)sizeof name && dc_h5_exists(h5, name);
        }
        if (all) return true;
    }
    return false;
}

static dc_status fail_sparse(const dc_source *s, const char *group)
{
    return DC_FAIL(
        DC_ERR_DATA,
        "%s: %s is a sparse matrix, which convert does not read; make a dense one if it fits in memory: python3 -c "
        "\"import scanpy; a = scanpy.read('%s'); a.X = a.X.toarray(); a.write('new.h5ad')\" (10x: scanpy.read_10x_h5)",
        s->name, group, s->name);
}

typedef struct {
    dc_h5 *h5;
    char group[DC_H5_NAME_MAX];
} sparse_search;

static dc_status consider_sparse(void *ctx, const char *name, const dc_h5_info *info)
{
    sparse_search *search = ctx;
    const char *leaf = strrchr(name, '/');
    char group[DC_H5_NAME_MAX];
    (void)info;
    if (search->group[0] || (strcmp(leaf, "/indptr") != 0 && strcmp(leaf, "/jc") != 0)) return DC_OK;
    if ((size_t)(leaf - name) >= sizeof group) return DC_OK;
    snprintf(group, sizeof group, "%.*s", (int)(leaf - name), name);
    if (is_sparse(search->h5, group)) memcpy(search->group, group, sizeof group);
    return DC_OK;
}

static bool is_matrix(dc_h5 *h5, const char *name, dc_h5_info *info)
{
    const bool there = dc_h5_exists(h5, name) && dc_h5_dataset_info(h5, name, info) == DC_OK;
    dc_error_clear();
    return there && info->n_dims >= 2 && (info->integer || info->floating);
}

/* Finds the dataset that holds the names of a group such as /obs. The group's attribute _index tells its name, which is
 * otherwise _index; "" if there is no such dataset. If `group` is a table, writes the path of its field `index`. */
static void find_index(dc_h5 *h5, const char *group, char out[DC_H5_NAME_MAX])
{
    char name[DC_H5_NAME_MAX] = "_index";
    dc_h5_info info;
    const bool table = dc_h5_dataset_info(h5, group, &info) == DC_OK;
    dc_error_clear();
    if (table) {
        snprintf(out, DC_H5_NAME_MAX, "%s/index", group);
        return;
    }
    out[0] = '\0';
    if (dc_h5_has_attr(h5, group, "_index") && dc_h5_get_attr_str(h5, group, "_index", name, sizeof name) != DC_OK)
        dc_error_clear();
    if (snprintf(out, DC_H5_NAME_MAX, "%s/%s", group, name) >= DC_H5_NAME_MAX || !dc_h5_exists(h5, out)) out[0] = '\0';
}

typedef struct {
    const char *group;
    dc_gidx n;
    int found;
    char name[DC_H5_NAME_MAX];
} text_search;

static dc_status consider_text(void *ctx, const char *name, const dc_h5_info *info)
{
    text_search *search = ctx;
    const size_t n = strlen(search->group);
    if (strncmp(name, search->group, n) != 0 || name[n] != '/' || !info->text) return DC_OK;
    if (info->n_dims != 1 || info->dims[0] != search->n || strlen(name) >= sizeof search->name) return DC_OK;
    if (search->found++ == 0) snprintf(search->name, sizeof search->name, "%s", name);
    return DC_OK;
}

/* The dataset group/usual if it exists, else the only list of n texts in the group; "" if there is none or several. */
static dc_status find_names(dc_h5 *h5, const char *group, const char *usual, dc_gidx n, char out[DC_H5_NAME_MAX])
{
    text_search search = {.group = group, .n = n};
    snprintf(out, DC_H5_NAME_MAX, "%s/%s", group, usual);
    if (dc_h5_exists(h5, out)) return DC_OK;
    const dc_status st = dc_h5_visit(h5, consider_text, &search);
    snprintf(out, DC_H5_NAME_MAX, "%s", search.found == 1 ? search.name : "");
    return st;
}

static bool is_matlab(const dc_source *s, const dc_source_request *r)
{
    static const char magic[] = "MATLAB 7.3 MAT-file";
    char head[sizeof magic] = "";
    FILE *f = fopen(r->path, "rb");
    const bool block = f && fread(head, 1, sizeof head - 1, f) == sizeof head - 1 && strcmp(head, magic) == 0;
    if (f) fclose(f);
    return block || dc_h5_has_attr(s->h5, s->dataset, "MATLAB_class");
}

dc_status dc_h5_find_meaning(dc_source *s, const dc_source_request *r, dc_h5_meaning *m)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    memset(m, 0, sizeof *m);
    if (strcmp(s->dataset, "/matrix") == 0 && dc_h5_exists(s->h5, "/row_attrs") && dc_h5_exists(s->h5, "/col_attrs")) {
        m->kind = DC_H5_LOOM;
        DC_TRY(dc_h5_dataset_info(s->h5, s->dataset, &info));
        DC_TRY(find_names(s->h5, "/row_attrs", "Gene", info.dims[0], m->rows));
        DC_TRY(find_names(s->h5, "/col_attrs", "CellID", info.n_dims > 1 ? info.dims[1] : 0, m->columns));
    } else if (is_matlab(s, r)) {
        m->kind = DC_H5_MATLAB;
    } else if (dc_h5_exists(s->h5, "/obs") && dc_h5_exists(s->h5, "/var") && strcmp(s->dataset, "/X") == 0) {
        m->kind = DC_H5_H5AD;
        find_index(s->h5, "/obs", m->rows);
        find_index(s->h5, "/var", m->columns);
    } else if (strcmp(s->dataset, "/X") == 0 && dc_h5_exists(s->h5, "/ids")) {
        snprintf(m->rows, sizeof m->rows, "/ids");
    }
out:
    return st;
}

/* ---- Which dataset ----------------------------------------------------------------------------------------------- */

enum { LISTED_BYTES = 400 };
typedef struct {
    char name[DC_H5_NAME_MAX];
    int matrices, vectors;     /* numbers of datasets with 2 or more dimensions; in a vector at most one is above 1 */
    char listed[LISTED_BYTES]; /* names and shapes of all these datasets, for messages */
} choice;

static bool is_flat(const dc_h5_info *info)
{
    int wide = 0;
    for (int i = 0; i < info->n_dims; i++) wide += info->dims[i] > 1;
    return wide < 2;
}

static void list(choice *c, const char *name, const dc_h5_info *info)
{
    const size_t used = strlen(c->listed);
    char shape[64] = "";
    for (int i = 0; i < info->n_dims && strlen(shape) < sizeof shape / 2; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", i ? " x " : "",
                 (long long)info->dims[i]);
    if (used + strlen(name) + sizeof shape < sizeof c->listed)
        snprintf(c->listed + used, sizeof c->listed - used, "%s%s %s", used ? ", " : "", name, shape);
}

static dc_status consider(void *ctx, const char *name, const dc_h5_info *info)
{
    choice *c = ctx;
    const bool hidden = strncmp(name, "/#refs#/", 8) == 0; /* what Matlab's cells point to */
    const bool flat = is_flat(info);
    if (info->n_dims < 2 || hidden || strlen(name) >= sizeof c->name) return DC_OK;
    c->matrices += !flat;
    c->vectors += flat;
    list(c, name, info);
    if ((!flat && c->matrices == 1) || (flat && c->matrices == 0)) snprintf(c->name, sizeof c->name, "%s", name);
    return DC_OK;
}

/* Chooses the only matrix of a file, or its only vector if it has no matrix. */
static dc_status find_matrix(dc_source *s)
{
    choice c = {.matrices = 0};
    sparse_search sparse = {.h5 = s->h5};
    dc_status st = DC_OK;
    DC_TRY(dc_h5_visit(s->h5, consider_sparse, &sparse));
    if (sparse.group[0]) return fail_sparse(s, sparse.group);
    DC_TRY(dc_h5_visit(s->h5, consider, &c));
    if (c.matrices == 1 || (c.matrices == 0 && c.vectors == 1))
        snprintf(s->dataset, sizeof s->dataset, "%s", c.name);
    else
        st =
            DC_FAIL(DC_ERR_DATA, "%s: has no /X and %d datasets of 2 or more dimensions; choose one with --dataset%s%s",
                    s->name, c.matrices + c.vectors, c.listed[0] ? ": " : "", c.listed);
out:
    return st;
}

dc_status dc_h5_choose_dataset(dc_source *s, const dc_source_request *r)
{
    dc_h5_info info;
    const bool loom = dc_h5_exists(s->h5, "/row_attrs") && is_matrix(s->h5, "/matrix", &info);
    const char *name = r->dataset ? r->dataset : dc_h5_exists(s->h5, "/X") ? "/X" : loom ? "/matrix" : NULL;
    if (!name) return find_matrix(s);
    if (strlen(name) + 1 >= sizeof s->dataset)
        return DC_FAIL(DC_ERR_USAGE, "%s: --dataset is longer than %zu bytes", s->name, sizeof s->dataset - 2);
    snprintf(s->dataset, sizeof s->dataset, "%s%s", name[0] == '/' ? "" : "/", name);
    return is_sparse(s->h5, name) ? fail_sparse(s, name) : DC_OK;
}
