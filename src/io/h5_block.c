/* Row blocks of one dataset, read by all ranks together, contiguous ones through MPI-IO.
 *
 * Rules that keep ranks together: the trip count is agreed before the loop, status is agreed before and after every
 * call of the library, and a rank that has run out of rows takes part with an empty selection. Memory type and stored
 * type are equal, because a conversion inside HDF5 would silently turn the collective transfer into an independent one.
 *
 * MPI-IO of Open MPI 4.1 drops an error of the operating system and tells the library of fewer bytes, which then puts
 * zeros at the end. So zeros at the end of what was read count only if the file has them, too.
 *
 * Chunked data are read by each rank on its own, without MPI-IO: in chunks that were lost there would be no end to look
 * at; with filters HDF5 goes chunk by chunk anyway; an error in one chunk, which only its reader sees, must not leave
 * the others waiting inside the library; and the collective path of HDF5 1.10 writes beyond its chunk table when the
 * file's chunk index is damaged. Contiguous data, as we write them ourselves, are read collectively. */
#include "h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <string.h>
#include <unistd.h>

#include "comm/comm_mpi.h"
#include "dcmpi/beat.h"
#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/wish.h"

/* MPI-IO counts are ints in units of the element type; 1 GiB is below their limit for every type and bounds the
 * library's own buffers. */
static size_t round_bytes = (size_t)1 << 30;

void dc_h5_set_round_bytes(size_t bytes)
{
    round_bytes = bytes;
}

/* This rank's rows [part->row_lo, part->row_hi) of a dataset; all fields are equal on all ranks, except rank and rows
 * in `part`. */
typedef struct {
    const char *path, *name;
    dc_h5_type type;
    const dc_part *part;
    size_t width; /* elements per row */
} block;

/* Prints rank 0's error and ends the job with that error's code. Used in states that the library can neither leave nor
 * clean up. Collective. */
static _Noreturn void abandon(dc_comm *comm, dc_status st)
{
    if (dc_comm_rank(comm) == 0) dc_log_error(dc_error_text());
    dc_comm_abort(comm, st);
}

/* What rank 0 has opened before. */
static dc_status fail_open(const char *path, const char *cause)
{
    return DC_FAIL(DC_ERR_IO, "cannot open %s through MPI-IO: %s; the disk or the way to it is failing", path, cause);
}

/* Collective. */
static dc_status open_all(dc_comm *comm, const char *path, hid_t *file)
{
    dc_status st = DC_OK;
    dc_h5_setup();
    const hid_t fapl = dc_h5_access();
    H5Pset_fapl_mpio(fapl, dc_comm_mpi(comm), MPI_INFO_NULL);
    /* Open MPI 4.1 refuses names of one letter. */
    char name[DC_PATH_MAX + 2];
    snprintf(name, sizeof name, "%s%s", strchr(path, '/') ? "" : "./", path);
    dc_beat_waits(true);
    *file = H5Fopen(name, H5F_ACC_RDONLY, fapl);
    dc_beat_waits(false);
    if (*file >= 0 && dc_fault(DC_FAULT_H5_OPEN)) *file = -1;
    if (*file < 0) st = fail_open(path, dc_h5_error());
    dc_h5_drop(fapl);
    int64_t opened = *file >= 0;
    st = dc_agree(comm, st);
    if (st == DC_OK) return DC_OK;
    /* A file that only some ranks opened cannot be closed: closing is collective. */
    dc_comm_sum_i64(comm, &opened, 1);
    if (opened > 0) abandon(comm, st);
    return st;
}

/* Collective. */
static dc_status close_all(dc_comm *comm, const char *path, hid_t file)
{
    dc_status st = DC_OK;
    if (!dc_h5_drop_file(file) || dc_fault(DC_FAULT_H5_CLOSE))
        st = DC_FAIL(DC_ERR_IO, "cannot close %s: %s", path, dc_h5_error());
    return dc_agree(comm, st);
}

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0) return false;
    return true;
}

/* Compares the zeros at the end of bytes[n] with those of the file from byte `at` on. */
static dc_status compare_zeros(const block *b, int fd, size_t at, const char *bytes, size_t n)
{
    enum { PIECE_BYTES = 1 << 16 };
    char piece[PIECE_BYTES];
    for (size_t end = n, first = n; end > 0 && bytes[end - 1] == 0; end = first) {
        while (first > 0 && end - first < PIECE_BYTES && bytes[first - 1] == 0) first--;
        const dc_status st = dc_file_read_at(fd, b->path, at + first, piece, end - first);
        if (st != DC_OK) return st;
        if (!is_zero(piece, end - first))
            return DC_FAIL(DC_ERR_IO,
                           "cannot read '%s' of %s: MPI-IO lost a part; the disk or the way to it is failing", b->name,
                           b->path);
    }
    return DC_OK;
}

/* Checks rows [row, row + n) as read into `out` (see above). */
static dc_status check_end(const block *b, hid_t dset, dc_gidx row, dc_gidx n, const char *out)
{
    const haddr_t place = H5Dget_offset(dset);
    const size_t row_bytes = b->width * dc_h5_type_bytes(b->type), bytes = (size_t)n * row_bytes;
    if (bytes == 0 || out[bytes - 1] != 0 || place == HADDR_UNDEF) return DC_OK;
    const int fd = open(b->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return DC_FAIL(DC_ERR_IO, "cannot open %s: %s", b->path, strerror(errno));
    const dc_status st = compare_zeros(b, fd, (size_t)place + (size_t)row * row_bytes, out, bytes);
    close(fd);
    return st;
}

/* Reads one round: rows [row, row + n) of the dataset; if n = 0 this rank only takes part. Collective. */
static dc_status read_round(dc_comm *comm, const block *b, hid_t dset, hid_t mem_type, hid_t dxpl, dc_gidx row,
                            dc_gidx n, char *out)
{
    hid_t mem_space = -1;
    const hid_t file_space = H5Dget_space(dset);
    dc_status st = dc_agree(comm, dc_h5_select_rows(file_space, row, n, &mem_space));
    if (st == DC_OK) {
        dc_beat_waits(true);
        const herr_t rc = H5Dread(dset, mem_type, mem_space, file_space, dxpl, out);
        dc_beat_waits(false);
        if (rc < 0 || dc_fault(DC_FAULT_H5_READ))
            st = DC_FAIL(dc_h5_read_error(),
                         "cannot read rows %lld to %lld of '%s' of %s: %s; the file is damaged, make it again",
                         (long long)row, (long long)(row + n - 1), b->name, b->path, dc_h5_error());
        if (st == DC_OK) st = check_end(b, dset, row, n, out);
        st = dc_agree(comm, st);
    }
    dc_h5_drop(mem_space);
    dc_h5_drop(file_space);
    return st;
}

/* Agreed rounds. */
typedef struct {
    size_t row_bytes;
    dc_gidx rows; /* of a round, at most */
    int64_t n;
} rounds;

/* Collective. */
static rounds rounds_of(dc_comm *comm, const block *b)
{
    rounds r = {.row_bytes = dc_mul_size(b->width, dc_h5_type_bytes(b->type))};
    r.rows = DC_MAX((dc_gidx)1, (dc_gidx)(round_bytes / DC_MAX(r.row_bytes, (size_t)1)));
    r.n = (dc_part_rows(b->part) + r.rows - 1) / r.rows;
    dc_comm_max_i64(comm, &r.n, 1);
    return r;
}

/* Reads the block in rounds into `out`, which may be NULL on a rank without rows. Collective. */
static dc_status read_contiguous(dc_comm *comm, const block *b, hid_t file, void *out)
{
    static char nothing[1];
    dc_status st = DC_OK;
    hid_t dset = -1, mem_type = -1, dxpl = -1;
    const dc_gidx n = dc_part_rows(b->part);
    const rounds all = rounds_of(comm, b);
    dset = H5Dopen2(file, b->name, H5P_DEFAULT);
    if (dset < 0) st = fail_open(b->path, dc_h5_error());
    DC_TRY_ALL(comm, st);
    mem_type = dc_h5_memory_type(dset, b->type);
    dxpl = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_dxpl_mpio(dxpl, H5FD_MPIO_COLLECTIVE);
    for (int64_t r = 0; r < all.n; r++) {
        const dc_gidx lo = DC_MIN(r * all.rows, n), hi = DC_MIN(lo + all.rows, n);
        char *to = out ? (char *)out + (size_t)lo * all.row_bytes : nothing;
        DC_TRY(read_round(comm, b, dset, mem_type, dxpl, b->part->row_lo + lo, hi - lo, to));
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    dc_h5_drop(dxpl);
    dc_h5_drop(mem_type);
    dc_h5_drop(dset);
    return st;
}

static dc_status look_for_chunks(dc_h5 *h5, const char *name, int64_t *chunked)
{
    hid_t dset = -1;
    const dc_status st = dc_h5_open_dataset(h5, name, &dset);
    if (st != DC_OK) return st;
    const hid_t dcpl = H5Dget_create_plist(dset);
    *chunked = H5Pget_layout(dcpl) == H5D_CHUNKED;
    dc_h5_drop(dcpl);
    dc_h5_drop(dset);
    return DC_OK;
}

/* Rank 0 checks the header, so that everything wrong with it is found before MPI-IO sees the file. */
static dc_status check_header(const block *b, int64_t *chunked)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    int64_t width;
    DC_TRY(dc_h5_open(&h5, b->path, DC_H5_READ));
    DC_TRY(dc_h5_dataset_info(h5, b->name, &info));
    DC_TRY(look_for_chunks(h5, b->name, chunked));
    DC_TRY(dc_h5_row_width(b->path, b->name, &info, &width));
    if (b->type == DC_H5_TEXT && info.type == DC_H5_TEXT) width = (int64_t)info.item_bytes;
    if (info.type != b->type || !info.exact)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is not stored as little-endian %s; run it through dcmpi convert", b->path,
                     b->name, dc_h5_type_name(b->type));
    else if (info.n_dims < 1 || info.dims[0] < b->part->N || width != (int64_t)b->width)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has %lld rows of %lld elements, %lld of %lld are needed", b->path,
                     b->name, (long long)(info.n_dims ? info.dims[0] : 0), (long long)width, (long long)b->part->N,
                     (long long)b->width);
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* Does the same for chunked data. Collective. */
static dc_status read_chunked(dc_comm *comm, const block *b, void *out)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    const dc_gidx n = dc_part_rows(b->part);
    const rounds all = rounds_of(comm, b);
    DC_TRY_ALL(comm, n > 0 ? dc_h5_open(&h5, b->path, DC_H5_READ) : DC_OK);
    for (int64_t r = 0; r < all.n; r++) {
        const dc_gidx lo = DC_MIN(r * all.rows, n), hi = DC_MIN(lo + all.rows, n);
        char *to = (char *)out + (size_t)lo * all.row_bytes;
        if (hi > lo) st = dc_h5_read_rows(h5, b->name, b->type, b->part->row_lo + lo, hi - lo, to);
        DC_TRY_ALL(comm, st);
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    (void)!dc_h5_close(&h5);
    return st;
}

/* Every node must see the same file. Collective. */
static dc_status check_visible(dc_comm *comm, const char *path)
{
    dc_file_state state = {0};
    dc_status st = dc_agree(comm, dc_h5_check_regular(path, &state));
    if (st != DC_OK) return st;
    int64_t extremes[2] = {state.bytes, -state.bytes};
    dc_comm_max_i64(comm, extremes, 2);
    if (extremes[0] == -extremes[1]) return DC_OK;
    return DC_FAIL(DC_ERR_IO,
                   "%s has %lld bytes on one node and %lld on another; use a file system that all nodes share", path,
                   (long long)extremes[0], (long long)-extremes[1]);
}

dc_status dc_h5_read_part(dc_comm *comm, const char *path, const char *name, dc_h5_type type, const dc_part *part,
                          size_t width, void *out)
{
    dc_status st = DC_OK;
    hid_t file = -1;
    int64_t chunked = 0;
    const block b = {.path = path, .name = name, .type = type, .part = part, .width = width};
    DC_TRY(check_visible(comm, path));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_header(&b, &chunked) : DC_OK);
    dc_comm_max_i64(comm, &chunked, 1);
    if (chunked) return read_chunked(comm, &b, out);
    DC_TRY(open_all(comm, path, &file));
    st = read_contiguous(comm, &b, file, out);
    const dc_status closed = close_all(comm, path, file);
    if (st == DC_OK) st = closed;
out:
    return st;
}
