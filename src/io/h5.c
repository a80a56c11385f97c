/* Serial HDF5 files: opens them, reads and writes datasets by rows, looks up names. One process, no communication;
 * works without MPI_Init, so that login-node verbs may use it although HDF5 is the parallel build.
 *
 * Every dataset we make is little-endian, carries no time stamps (equal runs give equal files) and is not pre-filled.
 */
#include "h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/fault.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

enum { ALIGN_BYTES = 1 << 20 };

/* ---- Open and close ---------------------------------------------------------------------------------------------- */

static dc_status create_file(const char *path, hid_t *file)
{
    const hid_t fapl = dc_h5_access(), fcpl = dc_h5_creation();
    dc_status st = DC_OK;
    /* Large arrays start at stripe borders of parallel file systems. */
    H5Pset_alignment(fapl, ALIGN_BYTES, ALIGN_BYTES);
    *file = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    if (*file < 0)
        st = DC_FAIL(DC_ERR_IO, "cannot create %s: %s; check directory, permissions and disk", path, dc_h5_error());
    dc_h5_drop(fcpl);
    dc_h5_drop(fapl);
    return st;
}

dc_status dc_h5_recognise(const char *path, bool *is_hdf5)
{
    struct stat s;
    *is_hdf5 = false;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return DC_OK; /* the library would wait for a pipe */
    dc_h5_setup();
    const htri_t is = H5Fis_hdf5(path);
    *is_hdf5 = is > 0;
    return is < 0 ? DC_FAIL(DC_ERR_IO, "cannot read %s: %s", path, dc_h5_error()) : DC_OK;
}

static dc_status open_file(const char *path, unsigned flags, hid_t *file, dc_file_state *state)
{
    dc_status st = dc_h5_check_regular(path, state);
    if (st != DC_OK) return st;
    const htri_t is_hdf5 = H5Fis_hdf5(path);
    if (is_hdf5 < 0) return DC_FAIL(DC_ERR_IO, "cannot read %s: %s", path, dc_h5_error());
    if (is_hdf5 == 0)
        return DC_FAIL(DC_ERR_FORMAT, "%s (%lld bytes) is not an HDF5 file; for data: dcmpi convert IN OUT.h5", path,
                       (long long)state->bytes);
    const hid_t fapl = dc_h5_access();
    *file = H5Fopen(path, flags, fapl);
    const char *error = *file < 0 ? dc_h5_error() : "";
    if (*file < 0 && flags == H5F_ACC_RDONLY && dc_h5_read_error() == DC_ERR_FORMAT)
        st = DC_FAIL(DC_ERR_FORMAT, "cannot open %s: %s%s", path, error, dc_h5_advice(error));
    else if (*file < 0)
        st = DC_FAIL(DC_ERR_IO, "cannot open %s: %s; check permissions and disk", path, error);
    dc_h5_drop(fapl);
    return st;
}

dc_status dc_h5_open(dc_h5 **out, const char *path, dc_h5_mode mode)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    *out = NULL;
    dc_h5_setup();
    DC_TRY(dc_mem_alloc(&h5, 1, sizeof *h5, "HDF5 handle"));
    h5->mode = mode;
    h5->failed_drops = dc_h5_failed_drops();
    h5->refused_calls = dc_h5_refused_calls();
    DC_TRY(dc_mem_alloc(&h5->path, strlen(path) + 1, 1, "file name"));
    memcpy(h5->path, path, strlen(path) + 1);
    if (mode == DC_H5_CREATE)
        DC_TRY(create_file(path, &h5->file));
    else
        DC_TRY(open_file(path, mode == DC_H5_APPEND ? H5F_ACC_RDWR : H5F_ACC_RDONLY, &h5->file, &h5->state));
    *out = h5;
out:
    if (st != DC_OK && h5) {
        dc_mem_free(&h5->path);
        dc_mem_free(&h5);
    }
    return st;
}

/* The library does not fsync; a full disk or a lost connection may show only here. */
static dc_status sync_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    const bool ok = fd >= 0 && !dc_fault(DC_FAULT_H5_FSYNC) && fsync(fd) == 0;
    const int cause = errno;
    if (fd >= 0) close(fd);
    return ok ? DC_OK : DC_FAIL(DC_ERR_IO, "cannot write %s to disk: %s", path, strerror(cause));
}

dc_status dc_h5_close(dc_h5 **p)
{
    dc_h5 *h5 = *p;
    if (!h5) return DC_OK;
    dc_status st = DC_OK;
    const bool writes = h5->mode != DC_H5_READ && !h5->image;
    if (writes && H5Fflush(h5->file, H5F_SCOPE_LOCAL) < 0)
        st = DC_FAIL(DC_ERR_IO, "cannot write %s: %s; check the disk", h5->path, dc_h5_error());
    const bool closed = dc_h5_drop_file(h5->file) && dc_h5_failed_drops() == h5->failed_drops;
    if (!closed && st == DC_OK) st = DC_FAIL(DC_ERR_IO, "cannot close %s: %s; check the disk", h5->path, dc_h5_error());
    if (writes && st == DC_OK) st = sync_file(h5->path);
    dc_h5_image_release(&h5->image);
    dc_mem_free(&h5->path);
    dc_mem_free(p);
    return st;
}

dc_status dc_h5_close_read(dc_h5 **h5, dc_status st)
{
    const dc_status result = dc_h5_read_status(*h5, st);
    (void)!dc_h5_close(h5);
    return result;
}

dc_file_state dc_h5_file_state(const dc_h5 *h5)
{
    return h5->state;
}

dc_status dc_h5_check_unchanged(dc_h5 *h5)
{
    void *fd = NULL; /* int, of the library's own driver */
    if (h5->image || h5->mode != DC_H5_READ) return DC_OK;
    if (H5Fget_vfd_handle(h5->file, H5P_DEFAULT, &fd) < 0)
        return DC_FAIL(DC_ERR_IO, "cannot look at %s: %s", h5->path, dc_h5_error());
    const dc_status st = dc_h5_read_status(h5, DC_OK);
    return st == DC_OK ? dc_file_unchanged_fd(*(const int *)fd, h5->path, &h5->state, DC_ERR_FORMAT) : st;
}

/* ---- Datasets ---------------------------------------------------------------------------------------------------- */

bool dc_h5_exists(dc_h5 *h5, const char *name)
{
    return dc_h5_link_kind(h5->file, name) == 1;
}

bool dc_h5_is_group(dc_h5 *h5, const char *name)
{
    hid_t object = -1;
    if (dc_h5_open_object(h5, name, &object) != DC_OK) {
        dc_error_clear();
        return false;
    }
    const bool group = H5Iget_type(object) == H5I_GROUP;
    dc_h5_drop(object);
    return group;
}

dc_status dc_h5_dataset_info(dc_h5 *h5, const char *name, dc_h5_info *info)
{
    hid_t dset = -1;
    dc_status st = dc_h5_open_dataset(h5, name, &dset);
    if (st == DC_OK) st = dc_h5_describe(h5, name, dset, info);
    if (st == DC_OK) st = dc_h5_check_storage(h5, name, dset, info);
    dc_h5_drop(dset);
    return st;
}

static dc_status check_rows(dc_h5 *h5, const char *name, const dc_h5_info *info, dc_gidx row, dc_gidx n)
{
    const dc_gidx rows = info->n_dims == 0 ? 1 : info->dims[0];
    if (row >= 0 && n >= 0 && row <= rows && n <= rows - row) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has %lld rows; rows %lld to %lld do not exist", h5->path, name,
                   (long long)rows, (long long)row, (long long)(row + n));
}

/* Reads or writes rows: exactly one of `in` and `out` is used. */
static dc_status transfer_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n, void *out,
                               const void *in)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    hid_t dset = -1, file_space = -1, mem_space = -1, mem_type = -1;
    if (type == DC_H5_OTHER)
        return DC_FAIL(DC_ERR_INTERNAL, "%s: '%s' was asked for as a type that dcmpi does not have", h5->path, name);
    DC_TRY(dc_h5_open_dataset(h5, name, &dset));
    DC_TRY(dc_h5_describe(h5, name, dset, &info));
    if ((type == DC_H5_TEXT) != (info.type == DC_H5_TEXT))
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: '%s' holds %s, %s was expected", h5->path, name, info.type_name,
                       dc_h5_type_name(type)));
    mem_type = dc_h5_memory_type(dset, type);
    DC_TRY(dc_h5_check_storage(h5, name, dset, &info));
    DC_TRY(check_rows(h5, name, &info, row, n));
    file_space = H5Dget_space(dset);
    DC_TRY(dc_h5_select_rows(file_space, row, n, &mem_space));
    dc_heartbeat();
    if (in && H5Dwrite(dset, mem_type, mem_space, file_space, H5P_DEFAULT, in) < 0)
        st = DC_FAIL(DC_ERR_IO, "cannot write '%s' to %s: %s", name, h5->path, dc_h5_error());
    else if (!in && H5Dread(dset, mem_type, mem_space, file_space, H5P_DEFAULT, out) < 0)
        st = DC_FAIL(dc_h5_read_error(),
                     "cannot read '%s' (rows from %lld) of %s: %s; the file is damaged, its type does not fit, or the "
                     "disk is failing",
                     name, (long long)row, h5->path, dc_h5_error());
out:
    dc_h5_drop(mem_space);
    dc_h5_drop(file_space);
    if (!dc_h5_drop(dset) && in && st == DC_OK)
        st = DC_FAIL(DC_ERR_IO, "cannot write '%s' to %s: %s", name, h5->path, dc_h5_error());
    dc_h5_drop(mem_type);
    return st;
}

dc_status dc_h5_read_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n, void *out)
{
    return dc_h5_read_status(h5, transfer_rows(h5, name, type, row, n, out, NULL));
}

dc_status dc_h5_write_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n, const void *in)
{
    static const char nothing[1];
    return transfer_rows(h5, name, type, row, n, NULL, in ? in : nothing);
}

dc_status dc_h5_place(dc_h5 *h5, const char *name, int64_t *offset)
{
    hid_t dset = -1;
    const dc_status st = dc_h5_open_dataset(h5, name, &dset);
    if (st != DC_OK) return st;
    const haddr_t at = H5Dget_offset(dset);
    const bool empty = H5Dget_storage_size(dset) == 0;
    dc_h5_drop(dset);
    if (at == HADDR_UNDEF && !empty) return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is not in one piece", h5->path, name);
    *offset = at == HADDR_UNDEF ? 0 : (int64_t)at;
    return DC_OK;
}

/* Creation list of all our datasets: contiguous, allocated early, never filled, no time stamps. The caller drops it. */
static hid_t dataset_creation(void)
{
    const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(dcpl, false);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    return dcpl;
}

/* Creates the groups above `name` one by one: those that HDF5 creates by itself carry time stamps. */
static dc_status create_parents(dc_h5 *h5, const char *name)
{
    char prefix[DC_H5_NAME_MAX];
    if (strlen(name) >= sizeof prefix) return DC_FAIL(DC_ERR_INTERNAL, "%s: name too long: '%s'", h5->path, name);
    for (const char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(prefix, name, (size_t)(slash - name));
        prefix[slash - name] = '\0';
        if (dc_h5_link_kind(h5->file, prefix) == 1) continue;
        const dc_status st = dc_h5_create_group(h5, prefix);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

dc_status dc_h5_make_dataset(dc_h5 *h5, const char *name, hid_t type, int n_dims, const hsize_t *dims)
{
    dc_status st = create_parents(h5, name);
    if (st == DC_OK) {
        const hid_t dcpl = dataset_creation();
        const hid_t space = n_dims == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(n_dims, dims, NULL);
        const hid_t dset = H5Dcreate2(h5->file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
        if (dset < 0) st = DC_FAIL(DC_ERR_IO, "cannot create '%s' in %s: %s", name, h5->path, dc_h5_error());
        dc_h5_drop(dset);
        dc_h5_drop(space);
        dc_h5_drop(dcpl);
    }
    dc_h5_drop(type);
    return st;
}

dc_status dc_h5_create_dataset(dc_h5 *h5, const char *name, dc_h5_type type, int n_dims, const dc_gidx *dims)
{
    hsize_t size[DC_H5_MAX_DIMS];
    bool legal = n_dims >= 0 && n_dims <= DC_H5_MAX_DIMS;
    for (int i = 0; legal && i < n_dims; i++) {
        legal = dims[i] >= 0;
        size[i] = (hsize_t)dims[i];
    }
    if (!legal) return DC_FAIL(DC_ERR_INTERNAL, "%s: illegal shape for '%s'", h5->path, name);
    return dc_h5_make_dataset(h5, name, dc_h5_type_id(type), n_dims, size);
}

dc_status dc_h5_create_group(dc_h5 *h5, const char *name)
{
    dc_status st = create_parents(h5, name);
    if (st != DC_OK) return st;
    const hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(gcpl, false);
    dc_h5_keep_compact(gcpl);
    const hid_t group = H5Gcreate2(h5->file, name, H5P_DEFAULT, gcpl, H5P_DEFAULT);
    if (group < 0) st = DC_FAIL(DC_ERR_IO, "cannot create group '%s' in %s: %s", name, h5->path, dc_h5_error());
    dc_h5_drop(group);
    dc_h5_drop(gcpl);
    return st;
}

dc_status dc_h5_put(dc_h5 *h5, const char *name, dc_h5_type type, int n_dims, const dc_gidx *dims, const void *in)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_create_dataset(h5, name, type, n_dims, dims));
    DC_TRY(dc_h5_write_rows(h5, name, type, 0, n_dims == 0 ? 1 : dims[0], in));
out:
    return st;
}

dc_status dc_h5_remove(dc_h5 *h5, const char *name)
{
    if (!dc_h5_exists(h5, name)) return DC_OK;
    if (H5Ldelete(h5->file, name, H5P_DEFAULT) >= 0) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "cannot remove '%s' from %s: %s", name, h5->path, dc_h5_error());
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_h5 *h5;
    dc_h5_visitor visit;
    void *ctx;
    dc_status st;
} visit_state;

static dc_status fail_open(const char *path, const char *name)
{
    const char *error = dc_h5_error();
    return DC_FAIL(DC_ERR_FORMAT, "%s: cannot open '%s': %s%s", path, name, error, dc_h5_advice(error));
}

static herr_t visit_one(hid_t root, const char *name, const H5O_info_t *object, void *ctx)
{
    visit_state *s = ctx;
    (void)root;
    dc_heartbeat();
    if (object->type != H5O_TYPE_DATASET) return 0;
    char full[DC_PATH_MAX];
    dc_h5_info info;
    snprintf(full, sizeof full, "/%s", name);
    const hid_t dset = H5Dopen2(s->h5->file, full, H5P_DEFAULT);
    if (dset < 0)
        s->st = fail_open(s->h5->path, full);
    else
        s->st = dc_h5_describe(s->h5, full, dset, &info);
    if (s->st == DC_OK) s->st = s->visit(s->ctx, full, &info);
    dc_h5_drop(dset);
    return s->st == DC_OK ? 0 : 1;
}

dc_status dc_h5_visit(dc_h5 *h5, dc_h5_visitor visit, void *ctx)
{
    visit_state s = {.h5 = h5, .visit = visit, .ctx = ctx, .st = DC_OK};
    const herr_t rc = H5Ovisit2(h5->file, H5_INDEX_NAME, H5_ITER_INC, visit_one, &s, H5O_INFO_BASIC);
    if (rc < 0 && s.st == DC_OK) s.st = DC_FAIL(DC_ERR_FORMAT, "cannot list %s: %s", h5->path, dc_h5_error());
    return s.st;
}
