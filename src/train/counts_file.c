#include "counts_file.h"

#include <math.h>
#include <string.h>

static const char GROUP[] = "/scaling", COLUMNS[] = "/scaling/columns";

dc_status dc_counts_header(dc_h5 *h5, const char *path, int64_t kept, dc_count_map *map, bool *chosen)
{
    dc_status st = DC_OK;
    int64_t log1p = 0;
    dc_h5_info info = {0};
    *map = (dc_count_map){.used = dc_h5_has_attr(h5, GROUP, "columns_of"), .kept = kept};
    *chosen = dc_h5_exists(h5, COLUMNS);
    if (!map->used) return DC_OK;
    DC_TRY(dc_h5_get_attr_f64(h5, GROUP, "normalize_total", &map->normalize_total, 1, NULL));
    DC_TRY(dc_h5_get_attr_i64(h5, GROUP, "log1p", &log1p, 1, NULL));
    DC_TRY(dc_h5_get_attr_i64(h5, GROUP, "columns_of", &map->D, 1, NULL));
    map->log1p = log1p != 0;
    if (*chosen) DC_TRY(dc_h5_dataset_info(h5, COLUMNS, &info));
    const bool fits = *chosen ? info.type == DC_H5_I32 && info.exact && info.n_dims == 1 && info.dims[0] == kept &&
                                    map->D >= kept && map->D <= INT32_MAX
                              : map->D == kept;
    if (!fits || !(map->normalize_total >= 0 && isfinite(map->normalize_total)))
        st = DC_FAIL(DC_ERR_FORMAT, "%s: the transforms of counts in '%s' do not fit its %lld columns", path, GROUP,
                     (long long)kept);
out:
    return st;
}

dc_status dc_counts_columns(dc_h5 *h5, const char *path, dc_count_map *map)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_check_hash(h5, COLUMNS));
    DC_TRY(dc_h5_read_rows(h5, COLUMNS, DC_H5_I32, 0, map->kept, map->column));
    for (int64_t k = 0; k < map->kept; k++)
        if (map->column[k] < (k > 0 ? map->column[k - 1] + 1 : 0) || map->column[k] >= map->D)
            return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' does not ascend from 0 to %lld", path, COLUMNS,
                           (long long)map->D - 1);
out:
    return st;
}
