/* The files of sparse rows: one, which is open all the time, or many, which are opened one after the other as their
 * rows are read. A file of many must still be the one that was inspected when it is opened, and when it is closed. */
#include <string.h>

#include "dcmpi/comm.h"
#include "matrix.h"
#include "sparse.h"

static void set_names(dc_data_csr_reader *r, const char *group)
{
    snprintf(r->indptr, sizeof r->indptr, "%s/indptr", group);
    snprintf(r->indices, sizeof r->indices, "%s/indices", group);
    snprintf(r->data, sizeof r->data, "%s/data", group);
}

/* Makes file i, whose rows begin with `first`, the current one. */
static void turn_to_file(dc_data_csr_reader *r, size_t i, dc_gidx first)
{
    const dc_file_facts *f = &r->shape->files->file[i];
    r->file = i;
    r->first = first;
    r->end = first + f->piece.rows;
    r->path = dc_files_path(r->shape->files, i);
    r->nnz = f->nnz;
    r->types = f->sparse;
}

dc_status dc_data_csr_open_local(const char *path, const dc_data_shape *shape, dc_data_csr_reader *r)
{
    *r = (dc_data_csr_reader){.shape = shape};
    if (shape->files) {
        turn_to_file(r, 0, 0);
        return DC_OK;
    }
    r->path = path;
    r->end = INT64_MAX;
    r->nnz = shape->head.nnz;
    r->types = shape->sparse;
    set_names(r, shape->matrix);
    return dc_data_status(dc_h5_open(&r->h5, path, DC_H5_READ));
}

dc_status dc_data_csr_open(dc_comm *comm, const char *path, const dc_data_shape *shape, dc_data_csr_reader *r)
{
    return dc_agree(comm, dc_data_csr_open_local(path, shape, r));
}

void dc_data_csr_close(dc_data_csr_reader *r)
{
    if (dc_h5_close(&r->h5) != DC_OK) dc_error_clear(); /* was only read */
}

void dc_data_csr_turn_to(dc_data_csr_reader *r, dc_gidx row)
{
    const dc_files *files = r->shape->files;
    if (row >= r->first && row < r->end) return;
    size_t i = row < r->first ? 0 : r->file;
    dc_gidx first = row < r->first ? 0 : r->first;
    while (i + 1 < files->n && row >= first + files->file[i].piece.rows) first += files->file[i++].piece.rows;
    turn_to_file(r, i, first);
}

/* Nodes number devices, and some file systems files, in their own way. */
static dc_status check_state(const dc_data_csr_reader *r)
{
    const dc_file_state now = dc_h5_file_state(r->h5);
    dc_file_state then = r->shape->files->file[r->file].piece.state;
    then.device = now.device;
    then.inode = now.inode;
    const char *change = dc_file_change(&then, &now);
    if (!change) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s changed while it was read: %s; start again when it is complete", r->path, change);
}

dc_status dc_data_csr_check_file(const dc_data_csr_reader *r)
{
    return r->shape->files && r->h5 ? dc_data_status(dc_h5_check_unchanged(r->h5)) : DC_OK;
}

dc_status dc_data_csr_open_file(dc_data_csr_reader *r, dc_gidx row)
{
    dc_status st = DC_OK;
    char group[DC_H5_NAME_MAX];
    const dc_files *files = r->shape->files;
    dc_data_csr_turn_to(r, row);
    if (r->h5 && (!files || r->open == r->file)) return DC_OK;
    const char *dataset = dc_files_dataset(files, r->file);
    DC_TRY(dc_data_csr_check_file(r));
    dc_data_csr_close(r);
    DC_TRY(dc_h5_open(&r->h5, r->path, DC_H5_READ));
    r->open = r->file;
    DC_TRY(check_state(r));
    DC_TRY(dc_data_find_matrix(r->h5, r->path, *dataset ? dataset : files->matrix, group));
    set_names(r, group);
out:
    return dc_data_status(dc_h5_read_status(r->h5, st));
}

dc_status dc_data_csr_entry(dc_data_csr_reader *r, dc_gidx row, int64_t *entry)
{
    const dc_status st = dc_data_status(dc_h5_read_rows(r->h5, r->indptr, DC_H5_I64, row - r->first, 1, entry));
    if (st != DC_OK || (*entry >= 0 && *entry <= r->nnz)) return st;
    return DC_FAIL(DC_ERR_DATA, "%s: '%s' is %lld at row %lld (counted from 0); there are %lld values", r->path,
                   r->indptr, (long long)*entry, (long long)(row - r->first), (long long)r->nnz);
}

dc_status dc_data_csr_mark_files(const dc_files *files, dc_data_header *head)
{
    dc_status st = DC_OK;
    const dc_data_shape shape = {.files = files};
    dc_data_csr_reader r = {0};
    const int64_t whole = head->N / DC_NNZ_MARKS, left = head->N % DC_NNZ_MARKS;
    int64_t before = 0, entry; /* values of the files before */
    size_t i = 0;
    DC_TRY(dc_data_csr_open_local("", &shape, &r));
    for (int64_t k = 0; k <= DC_NNZ_MARKS; k++) {
        const dc_gidx row = k * whole + k * left / DC_NNZ_MARKS;
        if (row == files->N) {
            while (i < files->n) before += files->file[i++].nnz;
            head->nnz_before[k] = before;
            continue;
        }
        dc_data_csr_turn_to(&r, row);
        while (i < r.file) before += files->file[i++].nnz;
        entry = 0;
        if (row > r.first) {
            DC_TRY(dc_data_csr_open_file(&r, row));
            DC_TRY(dc_data_csr_entry(&r, row, &entry));
        }
        head->nnz_before[k] = before + entry;
        if (k > 0 && head->nnz_before[k] < head->nnz_before[k - 1])
            DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: '%s' falls before row %lld (counted from 0)", r.path, r.indptr,
                           (long long)(row - r.first)));
    }
    head->nnz = head->nnz_before[DC_NNZ_MARKS];
out:
    dc_data_csr_close(&r);
    return st;
}
