/* A sparse data file written by all ranks: rank 0 makes it, each rank writes its rows, rank 0 seals and renames it. */
#include "dcmpi/h5_sparse.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/mem.h"

struct dc_h5_sparse_stream {
    char path[DC_PATH_MAX], part[DC_PATH_MAX];
    dc_h5_sparse_spec spec; /* its texts are used by rank 0 while the file is made, and not later */
    dc_h5_sparse_writer *writer;
    int made; /* rank 0: descriptor of the file it made, even if another file has the name now; -1 if none */
};

static dc_status alloc(dc_h5_sparse_stream **out, const char *path, const dc_h5_sparse_spec *spec)
{
    dc_h5_sparse_stream *s;
    *out = NULL;
    const dc_status st = dc_mem_alloc(&s, 1, sizeof *s, "data file");
    if (st != DC_OK) return st;
    *out = s;
    s->spec = *spec;
    s->made = -1;
    snprintf(s->path, sizeof s->path, "%s", path);
    const size_t length = (size_t)snprintf(s->part, sizeof s->part, "%s.part", path);
    return length < sizeof s->part ? DC_OK : DC_FAIL(DC_ERR_USAGE, "file name too long: %s", path);
}

static dc_status make(dc_h5_sparse_stream *s, dc_h5_fill fill, void *ctx, dc_h5_sparse_places *places)
{
    s->made = open(s->part, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (s->made >= 0) return dc_h5_sparse_make(s->part, &s->spec, fill, ctx, places);
    if (errno == EEXIST) return DC_FAIL(DC_ERR_IO, "%s is in the way; move it away", s->part);
    return DC_FAIL(DC_ERR_IO, "cannot create %s: %s; check the output directory", s->part, strerror(errno));
}

/* Collective. */
static void discard(dc_comm *comm, dc_h5_sparse_stream **stream)
{
    dc_h5_sparse_stream *s = *stream;
    if (s) dc_h5_sparse_drop(&s->writer);
    if (s && s->made >= 0 && dc_file_is(s->made, s->part)) unlink(s->part);
    if (s && s->made >= 0) close(s->made);
    dc_comm_barrier(comm); /* nobody returns while the remains are still there */
    dc_mem_free(stream);
}

dc_status dc_h5_sparse_stream_create(dc_comm *comm, dc_h5_sparse_stream **out, const char *path,
                                     const dc_h5_sparse_spec *spec, dc_gidx row, int64_t entry, dc_h5_fill fill,
                                     void *ctx)
{
    dc_status st = DC_OK;
    dc_h5_sparse_places places = {0};
    DC_TRY_ALL(comm, alloc(out, path, spec));
    dc_h5_sparse_stream *s = *out;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? make(s, fill, ctx, &places) : DC_OK);
    dc_comm_bcast(comm, &places, sizeof places, 0);
    DC_TRY_ALL(comm, dc_h5_sparse_begin(&s->writer, s->part, spec, &places, row, entry));
out:
    if (st != DC_OK) discard(comm, out);
    return st;
}

dc_status dc_h5_sparse_stream_append(dc_comm *comm, dc_h5_sparse_stream *s, dc_gidx n, const int64_t *ptr,
                                     const int32_t *col, const void *val, const int32_t *label, const char *ids,
                                     const char *texts)
{
    return dc_agree(comm, dc_h5_sparse_append(s->writer, n, ptr, col, val, label, ids, texts));
}

/* Adds the sums of all ranks; hashes modulo 2^64, in two halves, whose sums do not overflow. */
static void join(dc_comm *comm, dc_h5_sparse_sums *sums)
{
    enum { N = 4 };
    uint64_t *const hash[N] = {&sums->rows_hash, &sums->codes_hash, &sums->ids_hash, &sums->texts_hash};
    int64_t all[2 + 2 * N] = {sums->rows, sums->entries};
    for (int i = 0; i < N; i++) {
        all[2 + 2 * i] = (int64_t)(*hash[i] & UINT32_MAX);
        all[3 + 2 * i] = (int64_t)(*hash[i] >> 32);
    }
    dc_comm_sum_i64(comm, all, DC_COUNT_OF(all));
    sums->rows = all[0], sums->entries = all[1];
    for (int i = 0; i < N; i++) *hash[i] = (uint64_t)all[2 + 2 * i] + ((uint64_t)all[3 + 2 * i] << 32);
}

static dc_status publish(const dc_h5_sparse_stream *s, const dc_h5_sparse_sums *sums, dc_h5_fill finish, void *ctx)
{
    dc_status st = DC_OK;
    if (!dc_file_is(s->made, s->part))
        return DC_FAIL(DC_ERR_IO, "%s is no longer the file that was written: something else has replaced it", s->part);
    DC_TRY(dc_h5_sparse_seal(s->part, &s->spec, sums, finish, ctx));
    DC_TRY(dc_file_publish(s->part, s->path));
out:
    return st;
}

dc_status dc_h5_sparse_stream_commit(dc_comm *comm, dc_h5_sparse_stream **stream, dc_h5_fill finish, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5_sparse_stream *s = *stream;
    dc_h5_sparse_sums sums;
    DC_TRY_ALL(comm, dc_h5_sparse_end(&s->writer, &sums));
    join(comm, &sums);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? publish(s, &sums, finish, ctx) : DC_OK);
    if (s->made >= 0) close(s->made);
    dc_mem_free(stream);
out:
    if (st != DC_OK) discard(comm, stream);
    return st;
}

void dc_h5_sparse_stream_abort(dc_comm *comm, dc_h5_sparse_stream **stream)
{
    if (*stream) discard(comm, stream);
}
