/* Checksums of datasets: each row's bytes are hashed by XXH3 with the row's number as seed; the checksum is the sum of
 * these hashes modulo 2^64. A sum can be computed in any order and by any number of ranks, and the seed reveals
 * exchanged rows. The checksum does not protect against forgery. */
#include "h5_private.h"

#include <string.h>

#include "dcmpi/mem.h"

enum { PIECE_BYTES = 4 << 20, DIGITS = 16 };

dc_status dc_h5_hash_range(dc_h5 *h5, const char *name, dc_gidx first, dc_gidx n, uint64_t *hash)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    int64_t width;
    char *piece = NULL;
    *hash = 0;
    DC_TRY(dc_h5_dataset_info(h5, name, &info));
    if (!info.exact)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is stored in a type that dcmpi does not write", h5->path, name);
    DC_TRY(dc_h5_row_width(h5->path, name, &info, &width));
    const size_t row_bytes = (size_t)width * info.item_bytes;
    const dc_gidx step = DC_MAX((dc_gidx)(PIECE_BYTES / DC_MAX(row_bytes, (size_t)1)), (dc_gidx)1);
    DC_TRY(dc_mem_alloc_raw(&piece, (size_t)DC_MIN(step, n), row_bytes, "rows to hash"));
    for (dc_gidx row = first; row < first + n; row += step) {
        const dc_gidx rows = DC_MIN(step, first + n - row);
        DC_TRY(dc_h5_read_rows(h5, name, info.type, row, rows, piece));
        *hash += dc_h5_hash_rows(row_bytes, row, rows, piece);
    }
out:
    dc_mem_free(&piece);
    return st;
}

dc_status dc_h5_hash_dataset(dc_h5 *h5, const char *name, uint64_t *hash)
{
    dc_h5_info info;
    const dc_status st = dc_h5_dataset_info(h5, name, &info);
    return st == DC_OK ? dc_h5_hash_range(h5, name, 0, info.n_dims ? info.dims[0] : 1, hash) : st;
}

dc_status dc_h5_put_attr_hash(dc_h5 *h5, const char *object, const char *attr, uint64_t hash)
{
    char text[DIGITS + 1];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    return dc_h5_put_attr_str(h5, object, attr, text);
}

dc_status dc_h5_put_hash(dc_h5 *h5, const char *name, uint64_t hash)
{
    return dc_h5_put_attr_hash(h5, name, "xxh3", hash);
}

dc_status dc_h5_get_attr_hash(dc_h5 *h5, const char *object, const char *attr, uint64_t *hash)
{
    char text[DIGITS + 2];
    const dc_status st = dc_h5_get_attr_str(h5, object, attr, text, sizeof text);
    if (st != DC_OK) return st;
    if (strlen(text) != DIGITS || strspn(text, "0123456789abcdefABCDEF") != DIGITS)
        return DC_FAIL(DC_ERR_FORMAT, "%s: attribute '%s' of '%s' is not a checksum of 16 hex digits: %s", h5->path,
                       attr, object, text);
    *hash = strtoull(text, NULL, 16);
    return DC_OK;
}

dc_status dc_h5_fail_hash(const char *path, const char *name, uint64_t found, uint64_t stored)
{
    return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is damaged: its checksum is %016llx, stored is %016llx", path, name,
                   (unsigned long long)found, (unsigned long long)stored);
}

dc_status dc_h5_check_hash(dc_h5 *h5, const char *name)
{
    uint64_t stored, found;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_get_attr_hash(h5, name, "xxh3", &stored));
    DC_TRY(dc_h5_hash_dataset(h5, name, &found));
    if (stored != found) st = dc_h5_fail_hash(h5->path, name, found, stored);
out:
    return st;
}
