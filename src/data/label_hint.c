/* What a data file holds that is likely to be labels, for messages to users who named none. */
#include <string.h>

#include "data_priv.h"
#include "dcmpi/h5_column.h"

static bool is_usual(const char *name, size_t n)
{
    static const char *const usual[] = {"label",    "labels",  "class",     "classes",  "target", "targets",
                                        "category", "cluster", "cell_type", "celltype", "topic",  "Y",
                                        "y_train",  "train_y", "louvain",   "leiden",   "truth",  "ground_truth"};
    while (n > 0 && memchr(name, '/', n)) name++, n--;
    for (size_t i = 0; i < DC_COUNT_OF(usual); i++)
        if (strlen(usual[i]) == n && memcmp(usual[i], name, n) == 0) return true;
    return false;
}

void dc_dataset_likely_labels(const char *path, dc_gidx rows, char *out, size_t cap)
{
    dc_h5 *h5 = NULL;
    out[0] = '\0';
    if (dc_h5_open(&h5, path, DC_H5_READ) == DC_OK) dc_h5_list_columns(h5, rows, is_usual, out, cap);
    dc_error_clear();
    if (dc_h5_close(&h5) != DC_OK) dc_error_clear(); /* was only read */
}
