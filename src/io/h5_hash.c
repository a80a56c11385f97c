/* Checksums of datasets: the sum modulo 2^64, over the rows, of XXH3 of a row's bytes with the row's number as seed. A
 * sum can be made in any order and by any number of ranks, a seed makes exchanged rows visible. It is no protection
 * against people. */
#include "h5_private.h"

#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"

enum { PIECE_BYTES = 4 << 20, DIGITS = 16 };

uint64_t dc_h5_hash_rows(size_t row_bytes, dc_gidx first, dc_gidx n, const void *rows)
{
    uint64_t sum = 0;
    for (dc_gidx i = 0; i < n; i++)
        sum += XXH3_64bits_withSeed((const char *)rows + (size_t)i * row_bytes, row_bytes, (uint64_t)(first + i));
    return sum;
}

/* Rows of a dataset, and bytes of one of them. */
static size_t shape_rows(const dc_h5_info *info, dc_gidx *rows)
{
    size_t row_bytes = dc_h5_type_bytes(info->type);
    *rows = info->n_dims ? info->dims[0] : 1;
    for (int i = 1; i < info->n_dims; i++) row_bytes = dc_mul_size(row_bytes, (size_t)info->dims[i]);
    return row_bytes;
}

dc_status dc_h5_hash_range(dc_h5 *h5, const char *name, dc_gidx first, dc_gidx n, uint64_t *hash)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    dc_gidx all;
    char *piece = NULL;
    *hash = 0;
    DC_TRY(dc_h5_dataset_info(h5, name, &info));
    if (!info.exact) return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is stored in a type that is not ours", h5->path, name);
    const size_t row_bytes = shape_rows(&info, &all);
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
    dc_gidx rows;
    const dc_status st = dc_h5_dataset_info(h5, name, &info);
    if (st != DC_OK) return st;
    (void)shape_rows(&info, &rows);
    return dc_h5_hash_range(h5, name, 0, rows, hash);
}

dc_status dc_h5_put_hash(dc_h5 *h5, const char *name, uint64_t hash)
{
    return dc_h5_put_attr_hash(h5, name, "xxh3", hash);
}

dc_status dc_h5_check_hash(dc_h5 *h5, const char *name)
{
    char stored[DIGITS + 2], found[DIGITS + 1];
    uint64_t hash;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_get_attr_str(h5, name, "xxh3", stored, sizeof stored));
    DC_TRY(dc_h5_hash_dataset(h5, name, &hash));
    snprintf(found, sizeof found, "%016llx", (unsigned long long)hash);
    if (strcmp(stored, found) != 0)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is damaged: its checksum is %s, stored is %s", h5->path, name, found,
                     stored);
out:
    return st;
}
