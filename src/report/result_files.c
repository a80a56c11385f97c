/* Which rows of a result belong to which file: /files of run.h5, of predictions and of duplicates. */
#include <string.h>

#include "dcmpi/files.h"
#include "dcmpi/mem.h"
#include "dcmpi/report.h"

static const char NAME[] = "/files/name", DATASET[] = "/files/dataset", FIRST[] = "/files/first_row",
                  ROWS[] = "/files/rows";

typedef const char *(*text_of)(const dc_files *files, size_t i);

/* Writes a text of each of the first n files. */
static dc_status put_texts(dc_h5 *h5, const char *name, const dc_files *files, size_t n, text_of text)
{
    dc_status st = DC_OK;
    char *all = NULL;
    size_t longest = 1;
    for (size_t i = 0; i < n; i++) longest = DC_MAX(longest, strlen(text(files, i)));
    DC_TRY(dc_mem_alloc(&all, n, longest, "names of files"));
    for (size_t i = 0; i < n; i++) memcpy(all + i * longest, text(files, i), strlen(text(files, i)));
    DC_TRY(dc_h5_create_text(h5, name, longest, (dc_gidx)n));
    DC_TRY(dc_h5_write_rows(h5, name, DC_H5_TEXT, 0, (dc_gidx)n, all));
out:
    dc_mem_free(&all);
    return st;
}

static bool name_datasets(const dc_files *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (*dc_files_dataset(files, i)) return true;
    return false;
}

dc_status dc_result_put_files(dc_h5 *h5, const dc_files *files, dc_gidx N)
{
    dc_status st = DC_OK;
    int64_t *first = NULL, *rows = NULL;
    size_t n = 0;
    if (!files || files->plain) return DC_OK;
    DC_TRY(dc_mem_alloc(&first, files->n + 1, sizeof *first, "rows of files"));
    DC_TRY(dc_mem_alloc(&rows, files->n, sizeof *rows, "rows of files"));
    for (; n < files->n && (first[n] < N || files->file[n].piece.rows == 0); n++) { /* files without rows, too */
        rows[n] = DC_MIN(files->file[n].piece.rows, N - first[n]);
        first[n + 1] = first[n] + rows[n];
    }
    const dc_gidx count = (dc_gidx)n;
    DC_TRY(put_texts(h5, NAME, files, n, dc_files_path));
    if (name_datasets(files, n)) DC_TRY(put_texts(h5, DATASET, files, n, dc_files_dataset));
    DC_TRY(dc_h5_put(h5, FIRST, DC_H5_I64, 1, &count, first));
    DC_TRY(dc_h5_put(h5, ROWS, DC_H5_I64, 1, &count, rows));
out:
    dc_mem_free(&first);
    dc_mem_free(&rows);
    return st;
}

static dc_status copy(dc_h5 *from, const char *name, dc_h5 *to)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    char *all = NULL;
    if (!dc_h5_exists(from, name)) return DC_OK;
    DC_TRY(dc_h5_dataset_info(from, name, &info));
    if (info.n_dims != 1 || (info.type != DC_H5_TEXT && info.type != DC_H5_I64))
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s of the run is not what dcmpi writes", name));
    DC_TRY(dc_mem_alloc(&all, (size_t)info.dims[0], info.item_bytes, "rows of files"));
    DC_TRY(dc_h5_read_rows(from, name, info.type, 0, info.dims[0], all));
    if (info.type == DC_H5_I64) {
        DC_TRY(dc_h5_put(to, name, DC_H5_I64, 1, info.dims, all));
    } else {
        DC_TRY(dc_h5_create_text(to, name, info.item_bytes, info.dims[0]));
        DC_TRY(dc_h5_write_rows(to, name, DC_H5_TEXT, 0, info.dims[0], all));
    }
out:
    dc_mem_free(&all);
    return st;
}

dc_status dc_result_copy_files(dc_h5 *from, dc_h5 *to)
{
    static const char *const all[] = {NAME, DATASET, FIRST, ROWS};
    dc_status st = DC_OK;
    for (size_t i = 0; i < DC_COUNT_OF(all); i++) DC_TRY(copy(from, all[i], to));
out:
    return st;
}
