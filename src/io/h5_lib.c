/* What every file of src/io needs from the HDF5 library: errors returned as text instead of printed, access lists, and
 * a lookup that does not trust the file.
 *
 * A file from elsewhere may point outside itself (soft and external links, external storage, virtual datasets), ask for
 * code to be loaded (filter plugins), or claim a shape that it does not hold. All of these are refused here, before any
 * data is read or memory is taken. HDF5's own parser is trusted, however: files of unknown origin belong in a sandbox.
 */
#include "h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/fault.h"

/* Deflate expands at most 1032:1; a larger ratio cannot come from compressed data. */
enum { MAX_EXPANSION = 1100 };
enum { COMPACT_MAX = 65535 };

typedef struct {
    char text[512];
    bool system; /* it came from the operating system, not from the content of the file */
} failure;

static failure last;
/* Calls that the operating system has refused, whoever made them, and the last of them. */
static int refused_calls;
static failure refused;

/* "file write failed: time = ..., errno = 28, error message = 'No space left on device', buf = ...": keeps only the
 * cause. */
static void keep_cause(const char *text, failure *f)
{
    const char *cause = strstr(text, "error message = '");
    f->system = cause != NULL;
    if (!cause) {
        snprintf(f->text, sizeof f->text, "%s", text);
        return;
    }
    cause += strlen("error message = '");
    snprintf(f->text, sizeof f->text, "%.*s", (int)strcspn(cause, "'"), cause);
}

static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *ctx)
{
    if (n == 0) keep_cause(error->desc ? error->desc : "no description", ctx);
    return 0;
}

/* What the last call of the library that failed says. */
static void look(failure *f)
{
    *f = (failure){.text = "no description"};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, f);
}

const char *dc_h5_error(void)
{
    look(&last);
    dc_h5_note_failure();
    return last.text;
}

const char *dc_h5_advice(const char *error)
{
    static char text[256];
    const bool newer = strstr(error, "version number") || strstr(error, "unknown") || strstr(error, "unsupported");
    if (!newer) return "; the file is damaged or incomplete, make it again";
    snprintf(
        text, sizeof text,
        "; the file is damaged, or made by a newer HDF5 library than %s: copy it there with h5repack -j 0 -k 2 OLD "
        "NEW, or write it again in Python with h5py.File('NEW', 'w', libver=('earliest', 'v110'))",
        dc_h5_version());
    return text;
}

dc_status dc_h5_read_error(void)
{
    (void)dc_h5_error();
    return last.system ? DC_ERR_IO : DC_ERR_FORMAT;
}

void dc_h5_note_failure(void)
{
    failure f;
    look(&f);
    if (!f.system) return;
    refused_calls++;
    refused = f;
}

int dc_h5_refused_calls(void)
{
    return refused_calls;
}

dc_status dc_h5_read_status(const dc_h5 *h5, dc_status st)
{
    const bool may_follow = st == DC_OK || st == DC_ERR_USAGE || st == DC_ERR_DATA || st == DC_ERR_FORMAT;
    if (!h5 || h5->refused_calls == refused_calls || !may_follow) return st;
    dc_error_clear(); /* of what follows from it */
    return DC_FAIL(DC_ERR_IO, "cannot read %s: %s", h5->path, refused.text);
}

void dc_h5_setup(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
}

static int failed_drops;

bool dc_h5_drop(hid_t id)
{
    const bool dropped = id < 0 || H5Idec_ref(id) >= 0;
    failed_drops += !dropped;
    return dropped;
}

bool dc_h5_drop_file(hid_t file)
{
    const bool dropped = H5Fclose(file) >= 0;
    failed_drops += !dropped;
    return dropped;
}

int dc_h5_failed_drops(void)
{
    return failed_drops;
}

bool dc_h5_is_damaged(void)
{
    return failed_drops > 0;
}

dc_status dc_h5_check_library(void)
{
    if (failed_drops == 0) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "a file could not be closed: check the file system");
}

hid_t dc_h5_access(void)
{
    const hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    /* No locks: nobody opens our files under their temporary names, and many cluster file systems have none. */
    H5Pset_file_locking(fapl, false, true);
    /* If a write fails, the write call itself must report it, not a later call that closes the dataset. */
    H5Pset_sieve_buf_size(fapl, 0);
    /* A library object that was never closed must not keep the file open. */
    H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG);
    return fapl;
}

/* Links and attributes of a group stay in its object header, which has a checksum. Beyond 8 of them the library would
 * move them to a heap without a checksum, and HDF5 1.10 crashes on damaged links in a heap. */
void dc_h5_keep_compact(hid_t plist)
{
    H5Pset_link_phase_change(plist, COMPACT_MAX, 0);
    H5Pset_attr_phase_change(plist, COMPACT_MAX, 0);
}

hid_t dc_h5_creation(void)
{
    const hid_t fcpl = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(fcpl, false);
    dc_h5_keep_compact(fcpl);
    return fcpl;
}

const char *dc_h5_version(void)
{
    static char text[32];
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}

/* ---- Lookup ------------------------------------------------------------------------------------------------------ */

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

dc_status dc_h5_check_regular(const char *path, dc_file_state *state)
{
    struct stat s;
    if (stat(path, &s) != 0 || dc_fault(DC_FAULT_FILE_STAT))
        return DC_FAIL(DC_ERR_IO, "cannot open %s: %s; check the path", path, strerror(errno));
    if (!S_ISREG(s.st_mode)) return DC_FAIL(DC_ERR_FORMAT, "%s is %s, not an HDF5 file", path, kind_of(s.st_mode));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return DC_FAIL(DC_ERR_IO, "cannot read %s: %s; check its permissions", path, strerror(errno));
    const dc_status st = dc_file_state_of(fd, path, state);
    close(fd);
    return st;
}

int dc_h5_link_kind(hid_t file, const char *name)
{
    char prefix[1024];
    while (*name == '/') name++;
    const size_t length = strlen(name);
    if (length == 0) return 1;
    if (length >= sizeof prefix) return 0;
    memcpy(prefix, name, length + 1);
    for (size_t end = 1; end <= length; end++) {
        if (prefix[end] != '/' && prefix[end] != '\0') continue;
        const char separator = prefix[end];
        prefix[end] = '\0';
        H5L_info_t link;
        if (H5Lget_info(file, prefix, &link, H5P_DEFAULT) < 0) {
            dc_h5_note_failure();
            return 0;
        }
        if (link.type != H5L_TYPE_HARD) return -1;
        prefix[end] = separator;
    }
    return 1;
}

dc_status dc_h5_open_object(dc_h5 *h5, const char *name, hid_t *object)
{
    const int kind = dc_h5_link_kind(h5->file, name);
    if (kind == 0) return dc_h5_read_status(h5, DC_FAIL(DC_ERR_FORMAT, "%s has no '%s'", h5->path, name));
    if (kind < 0)
        return DC_FAIL(DC_ERR_FORMAT,
                       "%s: '%s' is a soft or external link, which is refused; copy the data into one file "
                       "(h5copy, or dcmpi convert)",
                       h5->path, name);
    *object = H5Oopen(h5->file, name, H5P_DEFAULT);
    if (*object >= 0) return DC_OK;
    const dc_status st = dc_h5_read_error();
    return DC_FAIL(st, "%s: cannot open '%s': %s%s", h5->path, name, last.text,
                   st == DC_ERR_IO ? "" : dc_h5_advice(last.text));
}

static dc_status check_filters(const char *path, const char *name, hid_t dcpl)
{
    const int n = H5Pget_nfilters(dcpl);
    for (int i = 0; i < n; i++) {
        unsigned flags, config;
        size_t n_values = 0;
        char filter[64] = "";
        const H5Z_filter_t id =
            H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, sizeof filter, filter, &config);
        if (id >= 0 && H5Zfilter_avail(id) > 0) continue;
        return DC_FAIL(DC_ERR_FORMAT,
                       "%s: '%s' cannot be read, but may be whole: it is compressed by filter %d (%s), which is not "
                       "built in; rewrite it with gzip or none (h5repack -f GZIP=1 where it knows the filter; h5py for "
                       "lzf)",
                       path, name, (int)id, filter);
    }
    return DC_OK;
}

static dc_status check_layout(const char *path, const char *name, hid_t dset)
{
    dc_status st = DC_OK;
    const hid_t dcpl = H5Dget_create_plist(dset);
    if (dcpl < 0) return DC_FAIL(DC_ERR_FORMAT, "%s: cannot read the layout of '%s': %s", path, name, dc_h5_error());
    if (H5Pget_layout(dcpl) == H5D_VIRTUAL || H5Pget_external_count(dcpl) > 0)
        st = DC_FAIL(DC_ERR_FORMAT,
                     "%s: '%s' keeps its data in other files, which is refused; copy it into one file with "
                     "h5repack",
                     path, name);
    else
        st = check_filters(path, name, dcpl);
    dc_h5_drop(dcpl);
    return st;
}

dc_status dc_h5_open_dataset(dc_h5 *h5, const char *name, hid_t *dset)
{
    hid_t object = -1;
    dc_status st = dc_h5_open_object(h5, name, &object);
    if (st != DC_OK) return st;
    if (H5Iget_type(object) != H5I_DATASET)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is a group, not a dataset", h5->path, name);
    else
        st = check_layout(h5->path, name, object);
    if (st == DC_OK)
        *dset = object;
    else
        dc_h5_drop(object);
    return st;
}

dc_status dc_h5_row_width(const char *path, const char *name, const dc_h5_info *info, int64_t *width)
{
    int64_t product = 1, bytes;
    bool fits = true;
    for (int i = 1; i < info->n_dims; i++) fits = fits && !__builtin_mul_overflow(product, info->dims[i], &product);
    fits = fits && !__builtin_mul_overflow(product, (int64_t)DC_MAX(info->item_bytes, (size_t)1), &bytes);
    *width = product;
    return fits
               ? DC_OK
               : DC_FAIL(DC_ERR_FORMAT,
                         "%s: '%s' has rows larger than any file: the product of its dimensions overflows", path, name);
}

/* Bytes that the shape claims; SIZE_MAX if the product overflows. */
static size_t claimed_bytes(const dc_h5_info *info)
{
    size_t bytes = info->item_bytes;
    for (int i = 0; i < info->n_dims; i++) {
        if (info->dims[i] == 0) return 0;
        if (bytes != SIZE_MAX) bytes = dc_mul_size(bytes, (size_t)info->dims[i]);
    }
    return bytes;
}

dc_status dc_h5_check_storage(dc_h5 *h5, const char *name, hid_t dset, const dc_h5_info *info)
{
    if (h5->mode != DC_H5_READ) return DC_OK;
    const size_t claimed = claimed_bytes(info);
    const hid_t dcpl = H5Dget_create_plist(dset);
    const bool filtered = H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_nfilters(dcpl) > 0;
    dc_h5_drop(dcpl);
    const size_t stored = DC_MIN((size_t)H5Dget_storage_size(dset), (size_t)h5->state.bytes);
    const size_t possible = filtered ? dc_mul_size(stored, MAX_EXPANSION) : stored;
    if (claimed <= possible && claimed != SIZE_MAX) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s: '%s' claims %zu bytes but only %zu are stored: the file is incomplete; make it again", h5->path,
                   name, claimed, stored);
}

dc_status dc_h5_select_rows(hid_t file_space, dc_gidx row, dc_gidx n, hid_t *mem_space)
{
    hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK];
    const int n_dims = H5Sget_simple_extent_ndims(file_space);
    bool ok = n_dims >= 0 && H5Sget_simple_extent_dims(file_space, count, NULL) >= 0;
    if (n_dims > 0) start[0] = (hsize_t)row, count[0] = (hsize_t)n;
    *mem_space = ok ? n_dims > 0 ? H5Screate_simple(n_dims, count, NULL) : H5Screate(H5S_SCALAR) : -1;
    ok = ok && *mem_space >= 0;
    if (ok && n == 0)
        ok = H5Sselect_none(file_space) >= 0 && H5Sselect_none(*mem_space) >= 0;
    else if (ok && n_dims > 0)
        ok = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
    return ok ? DC_OK : DC_FAIL(DC_ERR_INTERNAL, "HDF5 cannot select rows: %s", dc_h5_error());
}
