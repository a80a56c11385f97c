#include "convert/h5names.h"

#include <string.h>

bool dc_h5_join(char out[DC_H5_NAME_MAX], const char *group, const char *leaf)
{
    const bool fits = snprintf(out, DC_H5_NAME_MAX, "%s/%s", group, leaf) < DC_H5_NAME_MAX;
    if (!fits) out[0] = '\0';
    return fits;
}

bool dc_h5_anndata_alias(dc_h5 *h5, const char *matrix, char out[DC_H5_NAME_MAX])
{
    if (snprintf(out, DC_H5_NAME_MAX, "%s%s", matrix[0] == '/' ? "" : "/", matrix) >= DC_H5_NAME_MAX) return false;
    const bool old = strcmp(out, "/raw/X") == 0 && !dc_h5_exists(h5, out) && dc_h5_exists(h5, "/raw.X");
    if (old) snprintf(out, DC_H5_NAME_MAX, "/raw.X");
    return true;
}

/* The index of a dataframe: its attribute _index names it, else it is _index; in a table it is a field. */
static void find_index(dc_h5 *h5, const char *frame, char out[DC_H5_NAME_MAX])
{
    char name[DC_H5_NAME_MAX] = "_index";
    dc_h5_info info;
    out[0] = '\0';
    if (!dc_h5_exists(h5, frame)) return;
    const bool table = dc_h5_dataset_info(h5, frame, &info) == DC_OK;
    if (!table) dc_error_clear();
    if (table) {
        (void)dc_h5_join(out, frame, "index");
        return;
    }
    if (dc_h5_has_attr(h5, frame, "_index") && dc_h5_get_attr_str(h5, frame, "_index", name, sizeof name) != DC_OK)
        dc_error_clear();
    if (dc_h5_join(out, frame, name) && !dc_h5_exists(h5, out)) out[0] = '\0';
}

bool dc_h5_anndata_names(dc_h5 *h5, const char *matrix, char rows[DC_H5_NAME_MAX], char columns[DC_H5_NAME_MAX])
{
    rows[0] = columns[0] = '\0';
    if (!dc_h5_exists(h5, "/obs") || !dc_h5_exists(h5, "/var")) return false;
    const bool raw = strcmp(matrix, "/raw/X") == 0 || strcmp(matrix, "/raw.X") == 0;
    if (!raw && strcmp(matrix, "/X") != 0 && strncmp(matrix, "/layers/", 8) != 0) return false;
    find_index(h5, "/obs", rows);
    find_index(h5, !raw ? "/var" : dc_h5_exists(h5, "/raw/var") ? "/raw/var" : "/raw.var", columns);
    return true;
}

/* The first of the leaves that the group has. */
static void first_of(dc_h5 *h5, const char *group, const char *const *leaf, size_t n, char out[DC_H5_NAME_MAX])
{
    for (size_t i = 0; i < n; i++)
        if (dc_h5_join(out, group, leaf[i]) && dc_h5_exists(h5, out)) return;
    out[0] = '\0';
}

void dc_h5_tenx_names(dc_h5 *h5, const char *group, char features[DC_H5_NAME_MAX], char barcodes[DC_H5_NAME_MAX],
                      char kinds[DC_H5_NAME_MAX])
{
    static const char *const names[] = {"features/name", "gene_names", "features/id", "genes"};
    static const char *const types[] = {"features/feature_type"};
    first_of(h5, group, names, DC_COUNT_OF(names), features);
    first_of(h5, group, types, DC_COUNT_OF(types), kinds);
    (void)dc_h5_join(barcodes, group, "barcodes");
}

bool dc_h5_label_column(dc_h5 *h5, const char *name, char out[DC_H5_NAME_MAX])
{
    const bool bare = !strchr(name, '/') && !dc_h5_exists(h5, name) && dc_h5_exists(h5, "/obs");
    return snprintf(out, DC_H5_NAME_MAX, "%s%s", bare ? "/obs/" : "", name) < DC_H5_NAME_MAX;
}
