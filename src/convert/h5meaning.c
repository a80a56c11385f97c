/* Decides what the datasets of a file mean; src/io reads the bytes. Conventions:
 *
 *   ours    /X, /ids, feature_names, /y with classes
 *   h5ad    /X, /raw/X or /layers/NAME beside /obs and /var (h5names.h)
 *   loom    /matrix beside groups /row_attrs and /col_attrs: features in rows, names in Gene and CellID
 *   Matlab  a file header that says so, or the attribute MATLAB_class: column-major, so that a matrix of n samples and
 *           d features appears as d x n
 *   others  the dataset that the user names, or the only matrix
 *
 * Sparse matrices are read by h5sparse.c. */
#include "convert/h5meaning.h"

#include <errno.h>
#include <string.h>

#include "convert/h5names.h"
#include "convert/h5sparse.h"

/* ---- Conventions ------------------------------------------------------------------------------------------------- */

static dc_status fail_sparse(const dc_source *s, const char *group)
{
    return DC_FAIL(DC_ERR_DATA,
                   "%s: %s is a sparse matrix, but the first input is not: convert them to files of their own", s->name,
                   group);
}

static bool is_matrix(dc_h5 *h5, const char *name, dc_h5_info *info)
{
    const bool there = dc_h5_exists(h5, name) && dc_h5_dataset_info(h5, name, info) == DC_OK;
    dc_error_clear();
    return there && info->n_dims >= 2 && (info->integer || info->floating);
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

static dc_status look_for_matlab(const dc_source *s, const dc_source_request *r, bool *matlab)
{
    static const char magic[] = "MATLAB 7.3 MAT-file";
    char head[sizeof magic] = "";
    FILE *f = fopen(r->path, "rb");
    const bool whole = f && (fread(head, 1, sizeof head - 1, f) == sizeof head - 1 || feof(f));
    const int cause = errno;
    if (f) fclose(f);
    if (!whole) return DC_FAIL(DC_ERR_IO, "%s: read failed: %s", s->name, strerror(cause));
    *matlab = strcmp(head, magic) == 0 || dc_h5_has_attr(s->h5, s->dataset, "MATLAB_class");
    return DC_OK;
}

dc_status dc_h5_find_meaning(dc_source *s, const dc_source_request *r, dc_h5_meaning *m)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    bool matlab;
    memset(m, 0, sizeof *m);
    DC_TRY(look_for_matlab(s, r, &matlab));
    if (strcmp(s->dataset, "/matrix") == 0 && dc_h5_exists(s->h5, "/row_attrs") && dc_h5_exists(s->h5, "/col_attrs")) {
        m->kind = DC_H5_LOOM;
        DC_TRY(dc_h5_dataset_info(s->h5, s->dataset, &info));
        DC_TRY(find_names(s->h5, "/row_attrs", "Gene", info.dims[0], m->rows));
        DC_TRY(find_names(s->h5, "/col_attrs", "CellID", info.n_dims > 1 ? info.dims[1] : 0, m->columns));
    } else if (matlab) {
        m->kind = DC_H5_MATLAB;
    } else if (dc_h5_anndata_names(s->h5, s->dataset, m->rows, m->columns)) {
        m->kind = DC_H5_H5AD;
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
    dc_status st = DC_OK;
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

/* Lists matrices, and groups that hold a sparse one. */
static dc_status list_matrix(void *ctx, const char *name, const dc_h5_info *info)
{
    static const char pointers[] = "/indptr";
    choice *c = ctx;
    const size_t n = strlen(name), tail = strlen(pointers), used = strlen(c->listed);
    const bool sparse = n > tail && strcmp(name + n - tail, pointers) == 0;
    if (sparse && used + n + 16 < sizeof c->listed)
        snprintf(c->listed + used, sizeof c->listed - used, "%s%.*s sparse", used ? ", " : "", (int)(n - tail), name);
    return sparse ? DC_OK : consider(ctx, name, info);
}

static dc_status fail_missing(const dc_source *s)
{
    choice c = {.matrices = 0};
    if (dc_h5_visit(s->h5, list_matrix, &c) != DC_OK) dc_error_clear();
    return DC_FAIL(DC_ERR_DATA, "%s has no '%s' (--dataset)%s%s", s->name, s->dataset,
                   c.listed[0] ? "; it has " : ", and no matrix", c.listed);
}

dc_status dc_h5_choose_dataset(dc_source *s, const dc_source_request *r)
{
    dc_h5_info info;
    const bool loom = dc_h5_exists(s->h5, "/row_attrs") && is_matrix(s->h5, "/matrix", &info);
    const char *name = r->dataset ? r->dataset : dc_h5_exists(s->h5, "/X") ? "/X" : loom ? "/matrix" : NULL;
    if (!name) return find_matrix(s);
    if (!dc_h5_anndata_alias(s->h5, name, s->dataset))
        return DC_FAIL(DC_ERR_USAGE, "%s: --dataset is longer than %zu bytes", s->name, sizeof s->dataset - 2);
    if (r->dataset && !dc_h5_exists(s->h5, s->dataset)) return fail_missing(s);
    return dc_h5sparse_is(s->h5, s->dataset) ? fail_sparse(s, s->dataset) : DC_OK;
}
