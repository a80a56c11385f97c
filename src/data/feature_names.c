/* Names of the columns of a data file. */
#include "data_priv.h"
#include "dcmpi/mem.h"

enum { NAMES_MAX_BYTES = 1 << 20 };

dc_status dc_data_feature_names(const char *path, int64_t D, char **text)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    int64_t lines = 1;
    *text = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    if (!dc_h5_has_attr(h5, "/", "feature_names")) goto out;
    DC_TRY(dc_mem_alloc(text, NAMES_MAX_BYTES + 1, 1, "names of columns"));
    if (dc_h5_get_attr_str(h5, "/", "feature_names", *text, NAMES_MAX_BYTES + 1) != DC_OK) **text = '\0';
    dc_error_clear();
    for (const char *at = *text; *at; at++) lines += *at == '\n';
    if (lines != D || !**text) dc_mem_free(text);
out:
    (void)!dc_h5_close(&h5);
    return dc_data_status(st);
}
