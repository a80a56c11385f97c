/* The output file. It is written as OUT.part under a lock (claim.h). OUT.part is created with O_EXCL and never through
 * a symbolic link. Space is claimed before the first row is written, so that a full disk ends the job early. At the end
 * the complete file is renamed to OUT. */
#include "convert/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/file.h"
#include "dcmpi/mem.h"

static dc_status fail_io(const char *path, const char *what)
{
    const int cause = errno;
    if (cause == ENAMETOOLONG) return DC_FAIL(DC_ERR_USAGE, "%s: %s: the name is too long", path, what);
    return DC_FAIL(DC_ERR_IO, "%s: %s: %s", path, what, strerror(cause));
}

/* ---- The temporary file ------------------------------------------------------------------------------------------ */

static dc_status take_claim(dc_output *o, const dc_convert_config *cfg, const dc_recipe *recipe)
{
    dc_status st = DC_OK;
    dc_claim_input *inputs = NULL;
    const int n = cfg->n_inputs + cfg->n_labels;
    DC_TRY(dc_mem_alloc(&inputs, (size_t)n, sizeof *inputs, "list of inputs"));
    for (int i = 0; i < n; i++)
        inputs[i] = i < cfg->n_inputs ? (dc_claim_input){"an input", cfg->inputs[i]}
                                      : (dc_claim_input){"--labels", cfg->labels[i - cfg->n_inputs]};
    st = dc_claim_take(&o->claim, cfg->output, cfg->force, recipe, inputs, n);
out:
    dc_mem_free(&inputs);
    return st;
}

dc_status dc_output_begin(dc_output *o, const dc_convert_config *cfg, const dc_recipe *recipe)
{
    memset(o, 0, sizeof *o);
    o->fd = -1;
    const dc_status st = take_claim(o, cfg, recipe);
    if (st != DC_OK) return st;
    o->fd = open(o->claim.part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (o->fd >= 0) return DC_OK;
    const dc_status failed = fail_io(o->claim.part, "cannot create output");
    dc_claim_release(&o->claim);
    return failed;
}

/* Reserves `bytes` of disk for the part; a file system that cannot reserve (EOPNOTSUPP) may still have the space. */
static dc_status claim_space(const dc_output *o, off_t bytes)
{
    if (fallocate(o->fd, 0, 0, bytes) == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return DC_OK;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return DC_FAIL(DC_ERR_IO, "%s: no room for %lld bytes: %s", o->claim.part, (long long)bytes, strerror(errno));
    return fail_io(o->claim.part, "cannot claim disk space");
}

/* Upper bound of the file's size: arrays, headers, and the alignment that io/ gives to large arrays. */
static dc_status size_of_file(const dc_output *o, dc_gidx N, bool labels, off_t *bytes)
{
    const int64_t row =
        o->D * (int64_t)dc_dtype_bytes(o->dtype) + (labels ? (int64_t)sizeof(int32_t) : 0) + (int64_t)o->id_bytes;
    const int64_t header = 256 << 10, alignment = 2 << 20;
    int64_t all;
    if (__builtin_mul_overflow(N, row, &all) || __builtin_add_overflow(all, header + DC_MIN(all, alignment), &all))
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows of %lld bytes are more than a file can hold", o->claim.part,
                       (long long)N, (long long)row);
    *bytes = all;
    return DC_OK;
}

static dc_h5_type h5_type_of(dc_dtype t)
{
    static const dc_h5_type types[] = {
        [DC_U8] = DC_H5_U8, [DC_F16] = DC_H5_F16, [DC_F32] = DC_H5_F32, [DC_F64] = DC_H5_F64};
    return types[t];
}

dc_status dc_output_create(dc_output *o, dc_gidx N, int64_t D, dc_dtype dtype, bool labels, size_t id_bytes)
{
    dc_status st = DC_OK;
    struct stat info;
    off_t bytes = 0;
    const dc_gidx dims[2] = {N, D};
    o->D = D;
    o->dtype = dtype;
    o->id_bytes = id_bytes;
    /* A full disk must be found here: HDF5 1.10 crashes at exit after a failed close. */
    DC_TRY(size_of_file(o, N, labels, &bytes));
    DC_TRY(claim_space(o, bytes));
    DC_TRY(dc_h5_open(&o->h5, o->claim.part, DC_H5_CREATE));
    DC_TRY(dc_h5_create_dataset(o->h5, "/X", h5_type_of(dtype), 2, dims));
    if (labels) DC_TRY(dc_h5_create_dataset(o->h5, "/y", DC_H5_I32, 1, dims));
    if (id_bytes) DC_TRY(dc_h5_create_text(o->h5, "/ids", id_bytes, N));
    /* HDF5 gave the space back when it created the file; the file has its full length now, so this claim lasts. */
    DC_TRY(dc_h5_close(&o->h5));
    if (fstat(o->fd, &info) != 0) return fail_io(o->claim.part, "cannot look at the output");
    DC_TRY(claim_space(o, info.st_size));
    DC_TRY(dc_h5_open(&o->h5, o->claim.part, DC_H5_APPEND));
out:
    return st;
}

dc_status dc_output_append(dc_output *o, size_t n, const void *X, const int32_t *y, const char *ids)
{
    dc_status st = DC_OK;
    DC_TRY(dc_lock_beat(o->claim.lock));
    DC_TRY(dc_h5_write_rows(o->h5, "/X", h5_type_of(o->dtype), o->next_row, (dc_gidx)n, X));
    if (y) DC_TRY(dc_h5_write_rows(o->h5, "/y", DC_H5_I32, o->next_row, (dc_gidx)n, y));
    if (ids) {
        DC_TRY(dc_h5_write_rows(o->h5, "/ids", DC_H5_TEXT, o->next_row, (dc_gidx)n, ids));
        o->ids_hash += dc_h5_hash_rows(o->id_bytes, o->next_row, (dc_gidx)n, ids);
    }
    o->next_row += (dc_gidx)n;
out:
    return st;
}

/* Makes the rename itself survive a power cut; not every file system can, so failure is not an error. */
static void sync_directory(const char *path)
{
    char copy[DC_PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

/* Whether the part is still the file that we made. A process that took our lock because we seemed dead may have made a
 * new one. */
static bool is_ours(const dc_output *o)
{
    return o->fd >= 0 && dc_file_is(o->fd, o->claim.part);
}

dc_status dc_output_commit(dc_output *o)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_close(&o->h5));
    DC_TRY(dc_lock_confirm(o->claim.lock));
    if (!is_ours(o)) return DC_FAIL(DC_ERR_IO, "%s is no longer the file that was written", o->claim.part);
    if (rename(o->claim.part, o->claim.path) != 0)
        return fail_io(o->claim.path, "cannot move the finished output to its name");
    sync_directory(o->claim.path);
    close(o->fd);
    o->fd = -1;
    dc_claim_release(&o->claim);
out:
    return st;
}

void dc_output_abort(dc_output *o)
{
    /* The first error is kept: it does not matter whether an abandoned file closes cleanly. */
    const dc_status ignored = dc_h5_close(&o->h5);
    (void)ignored;
    if (is_ours(o)) unlink(o->claim.part);
    if (o->fd >= 0) close(o->fd);
    o->fd = -1;
    dc_claim_release(&o->claim);
}
