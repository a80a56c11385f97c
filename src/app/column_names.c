#include "column_names.h"

#include <string.h>

#include "dcmpi/h5.h"
#include "dcmpi/mem.h"

enum { SHOWN = 100 };

dc_status dc_column_names_check(const char *run, const char *key, const dc_count_map *counts, const char *source,
                                int64_t D, const char *now)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char *names = NULL;
    const int32_t *chosen = counts ? counts->column : NULL;
    if (!now) return DC_OK;
    DC_TRY(dc_h5_open(&h5, run, DC_H5_READ));
    DC_TRY(dc_h5_get_names(h5, "feature_names", chosen ? counts->kept : D, &names));
    const char *was = names;
    for (int64_t c = 0, i = 0; was && c < D && (!chosen || i < counts->kept); c++) {
        const int b = dc_int((int64_t)strcspn(now, "\n"));
        if (!chosen || chosen[i] == c) {
            const int a = dc_int((int64_t)strcspn(was, "\n"));
            if (a != b || memcmp(was, now, (size_t)a) != 0)
                DC_TRY(DC_FAIL(DC_ERR_DATA,
                               "%s: column %lld (counted from 0) is '%.*s', in the run of %s%s it was '%.*s'", source,
                               (long long)c, DC_MIN(b, SHOWN), now, run, key, DC_MIN(a, SHOWN), was));
            was += a + (was[a] == '\n');
            i++;
        }
        now += b + (now[b] == '\n');
    }
out:
    dc_mem_free(&names);
    st = dc_h5_close_read(&h5, st);
    return st;
}
