/* The list of files: what is known of each, and their names in one block, which ranks can send. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "files.h"

const char *dc_files_path(const dc_files *files, size_t i)
{
    return files->names + files->file[i].piece.path;
}
const char *dc_files_dataset(const dc_files *files, size_t i)
{
    return files->names + files->file[i].piece.dataset;
}

const char *dc_files_row(const dc_files *files, dc_gidx row, char out[DC_FILES_ROW_MAX])
{
    dc_gidx first = 0;
    size_t i = 0;
    out[0] = '\0';
    if (!files || files->n < 2) return out;
    while (i < files->n && row >= first + files->file[i].piece.rows) first += files->file[i++].piece.rows;
    if (i == files->n) return out;
    const char *dataset = dc_files_dataset(files, i);
    snprintf(out, DC_FILES_ROW_MAX, " (row %lld of %s%s%s)", (long long)(row - first), dc_files_path(files, i),
             *dataset ? ":" : "", dataset);
    return out;
}

double dc_files_bytes(const dc_files *files)
{
    const double entries = (double)files->n * (sizeof(dc_file_facts) + sizeof(dc_store_piece) + sizeof(dc_gidx));
    bool chunks = false;
    for (size_t i = 0; i < files->n && !chunks; i++) chunks = files->file[i].piece.packing.chunk_bytes > 0;
    return entries + (chunks ? dc_store_tables_need(files->n) : 0) + (double)files->n * sizeof(uint64_t) +
           2 * (double)files->name_bytes;
}

/* *room: elements that `block` has room for. */
static dc_status grow(void *block, size_t *room, size_t used, size_t wanted, size_t item_bytes)
{
    void **old = block, *more;
    if (wanted <= *room) return DC_OK;
    const dc_status st = dc_mem_alloc(&more, 2 * wanted, item_bytes, "files of data");
    if (st != DC_OK) return st;
    if (used > 0) memcpy(more, *old, used * item_bytes);
    dc_mem_free(old);
    *old = more;
    *room = 2 * wanted;
    return DC_OK;
}

/* Appends a text to the names; *at: where it begins. */
static dc_status keep_name(dc_files *files, const char *text, int64_t *at)
{
    const size_t bytes = strlen(text) + 1;
    const dc_status st = grow(&files->names, &files->name_room, files->name_bytes, files->name_bytes + bytes, 1);
    if (st != DC_OK) return st;
    memcpy(files->names + files->name_bytes, text, bytes);
    *at = (int64_t)files->name_bytes;
    files->name_bytes += bytes;
    return DC_OK;
}

dc_status dc_files_add(dc_files *files, const char *path, const char *dataset, const dc_file_state *state)
{
    dc_status st = DC_OK;
    dc_file_facts facts = {.piece.state = *state};
    DC_TRY(grow(&files->file, &files->room, files->n, files->n + 1, sizeof facts));
    DC_TRY(keep_name(files, path, &facts.piece.path));
    DC_TRY(keep_name(files, dataset, &facts.piece.dataset));
    files->file[files->n++] = facts;
out:
    return st;
}

void dc_files_destroy(dc_files **files)
{
    if (!*files) return;
    dc_mem_free(&(*files)->file);
    dc_mem_free(&(*files)->names);
    dc_mem_free(files);
}

static dc_status take_memory(dc_files *files)
{
    dc_status st = DC_OK;
    files->file = NULL;
    files->names = NULL;
    files->room = files->n;
    files->name_room = files->name_bytes;
    DC_TRY(dc_mem_alloc(&files->file, files->n, sizeof *files->file, "files of data"));
    DC_TRY(dc_mem_alloc(&files->names, files->name_bytes, 1, "names of files"));
out:
    return st;
}

dc_status dc_files_share(dc_comm *comm, dc_files **files)
{
    dc_status st = DC_OK;
    const bool root = dc_comm_rank(comm) == 0;
    dc_files *f = *files;
    DC_TRY_ALL(comm, root ? DC_OK : dc_mem_alloc(&f, 1, sizeof *f, "files of data"));
    dc_file_facts *const file = f->file;
    char *const names = f->names;
    dc_comm_bcast(comm, f, sizeof *f, 0);
    f->file = file;
    f->names = names;
    *files = f;
    DC_TRY_ALL(comm, root ? DC_OK : take_memory(f));
    dc_comm_bcast(comm, f->file, f->n * sizeof *f->file, 0);
    dc_comm_bcast(comm, f->names, f->name_bytes, 0);
out:
    return st;
}
