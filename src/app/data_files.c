/* Opens the files of a job's data. */
#include "data_files.h"

#include <string.h>
#include <sys/stat.h>

#include "apart.h"
#include "dcmpi/builtin.h"
#include "expect.h"

/* One file that is not NPY. */
static dc_status look_at_one(const dc_files *files, const dc_files_wanted *w)
{
    const char *path = dc_files_path(files, 0), *dataset = dc_files_dataset(files, 0);
    if (dc_builtin_is(path)) return DC_OK;
    const dc_status st = dc_expect(DC_EXPECT_DATA, path, w->verb);
    return st == DC_OK ? dc_apart_probe_data(path, w->labels, *dataset ? dataset : w->matrix) : st;
}

/* A deck names files as they were seen from where its run was started. */
static dc_status add_advice(dc_status st, const char *run)
{
    char text[DC_ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "%.1500s", dc_error_text());
    dc_error_clear();
    return DC_FAIL(st, "%s; %s names its data so, seen from where it was started: --input=DATA says where they are now",
                   text, run);
}

static dc_status open_on_root(const dc_files_wanted *w, dc_files **out)
{
    dc_status st = DC_OK;
    DC_TRY(w->one ? dc_files_one(w->names, out) : dc_files_find(w->names, w->matrix, w->labels, w->table, out));
    if ((*out)->plain) return look_at_one(*out, w);
    if (dc_files_pending(*out)) DC_TRY(dc_apart_probe_files(w->names, w->labels, w->matrix, w->table));
    st = dc_files_look(*out, NULL);
out:
    return st == DC_ERR_IO && w->run ? add_advice(st, w->run) : st;
}

dc_status dc_data_files_open(dc_comm *comm, const dc_files_wanted *wanted, dc_files **out)
{
    dc_status st = DC_OK;
    *out = NULL;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? open_on_root(wanted, out) : DC_OK);
    st = dc_files_share(comm, out);
out:
    if (st != DC_OK) dc_files_destroy(out);
    return st;
}

dc_status dc_data_files_refuse(const dc_files *files, const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0) return DC_OK;
    for (size_t i = 0; i < files->n; i++) {
        const dc_file_state *state = &files->file[i].piece.state;
        if (state->device == (uint64_t)s.st_dev && state->inode == (uint64_t)s.st_ino)
            return DC_FAIL(DC_ERR_USAGE,
                           "%s would be written, and is also an input: it is %s, one of the files of %s; give another "
                           "name",
                           path, dc_files_path(files, i), files->title);
    }
    return DC_OK;
}
