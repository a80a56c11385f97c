/* Loads the data of a job: header, this rank's rows in their stored type, labels, audit, scaling.
 *
 * Rank 0 alone looks at the header; then all ranks read their rows together. Each step below is collective and returns
 * the same status everywhere. Dense rows are never converted in memory: uint8 stays uint8, and becomes float when it is
 * gathered. Sparse rows stay sparse, with float32 values. Rows may stay in their file (stream.c): then every pass below
 * reads them again, or, of built-in data, makes them again. */
#include <string.h>

#include "counts.h"
#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/mem.h"
#include "rows_reader.h"
#include "sparse.h"

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Linux hands out memory that it does not have and kills the job later, so we ask first how much there is. */
static dc_status check_memory(const dc_dataset *d, size_t bytes, int ranks_here)
{
    const size_t available = dc_mem_available_bytes(ranks_here);
    if (bytes <= available && !dc_fault(DC_FAULT_DATA_MEMORY)) return DC_OK;
    return DC_FAIL(DC_ERR_MEMORY,
                   "%s: %.1f GiB of rows for each rank, but only %.1f GiB are free for it; use more nodes or "
                   "fewer rows (input.rows)",
                   d->source, (double)bytes / 0x1p30, (double)available / 0x1p30);
}

static dc_status take_rows(dc_dataset *d, int ranks_here)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&d->part);
    const size_t row_bytes = dc_mul_size((size_t)d->D, dc_dtype_bytes(d->dtype)), x_bytes = dc_mul_size(n, row_bytes);
    DC_TRY(check_memory(d, x_bytes, ranks_here));
    DC_TRY(dc_mem_alloc_raw(&d->X, n, row_bytes, "data X"));
    dc_data_touch(d->X, x_bytes);
    d->bytes = x_bytes;
out:
    return st;
}

/* At least what loading takes for a column of sparse data: scaling, statistics of all rows and of a thread. */
enum { COLUMN_BYTES = 2 * sizeof(float) + 8 * sizeof(double) };

/* Rows that stay in their file are only looked at. */
static dc_status open_rows(dc_dataset *d, const dc_data_shape *s, uint64_t seed)
{
    dc_status st = DC_OK;
    dc_store *store = NULL;
    const size_t row_bytes = (size_t)d->D * dc_dtype_bytes(d->dtype);
    d->bytes = (size_t)dc_data_stream_bytes(row_bytes, s->head.made_scratch, dc_data_threads());
    if (s->is_builtin)
        return dc_data_stream_make(&s->builtin, seed, d->part.row_lo, dc_part_rows(&d->part), &d->stream);
    DC_TRY(dc_data_store_create(s, d->source, &store));
    DC_TRY(dc_data_store_list(s, store, d->part.row_lo, dc_part_rows(&d->part)));
    DC_TRY(dc_data_stream_create(store, d->part.row_lo, dc_part_rows(&d->part), &d->stream));
    store = NULL;
    if (s->head.packing.chunk_bytes > 0)
        d->bytes += (size_t)dc_store_chunks_need(&s->head.packing, dc_data_threads(), s->head.chunk_cache);
out:
    dc_store_destroy(&store);
    return st;
}

/* The memory of sparse rows is taken when it is known how many values this rank's rows have. */
static dc_status take_memory(dc_dataset *d, const dc_data_shape *s, uint64_t seed, int ranks_here)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&d->part), D = (size_t)d->D;
    const bool has_labels = s->head.has_labels;
    if (s->head.sparse) /* the stored values say nothing about the number of columns */
        DC_TRY(check_memory(d, dc_mul_size(D, COLUMN_BYTES), ranks_here));
    else
        DC_TRY(s->head.stream ? open_rows(d, s, seed) : take_rows(d, ranks_here));
    if (has_labels) DC_TRY(dc_mem_alloc(&d->y, n, sizeof *d->y, "labels"));
    DC_TRY(dc_mem_alloc(&d->shift, D, sizeof *d->shift, "scaling"));
    DC_TRY(dc_mem_alloc(&d->scale, D, sizeof *d->scale, "scaling"));
    d->bytes += (has_labels ? n * sizeof *d->y : 0) + 2 * D * sizeof *d->shift;
out:
    return st;
}

static dc_status load_labels(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, dc_data_sums *sums)
{
    dc_status st = DC_OK;
    dc_data_labels *labels = NULL;
    DC_TRY(dc_data_labels_start(comm, s, d->source, &d->part, dc_part_rows(&d->part), &labels));
    d->C = dc_data_labels_classes(labels, &d->unlabelled);
    d->classes = dc_data_labels_take_names(labels);
    DC_TRY(dc_data_labels_read(comm, labels, &d->part, sums, d->y));
    if (d->C == 0) dc_mem_free(&d->y);
out:
    dc_data_labels_end(&labels);
    return st;
}

static dc_status load_ids(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, dc_data_sums *sums)
{
    dc_status st = DC_OK;
    dc_data_ids *ids = NULL;
    DC_TRY(dc_data_ids_start(comm, s, d->source, &d->part, &ids));
    d->id_bytes = dc_data_ids_bytes(ids);
    d->bytes += dc_mul_size(d->id_bytes, (size_t)dc_part_rows(&d->part));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&d->ids, (size_t)dc_part_rows(&d->part), d->id_bytes, "ids"));
    st = dc_data_ids_read(comm, ids, &d->part, sums, d->ids);
out:
    dc_data_ids_end(&ids);
    return st;
}

static dc_status make_rows(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, uint64_t seed)
{
    dc_status st = DC_OK;
    int64_t *raw = NULL;
    const int64_t n = dc_part_rows(&d->part);
    DC_TRY_ALL(comm, dc_mem_alloc(&raw, (size_t)n, sizeof *raw, "raw labels"));
    d->id_bytes = s->head.id_bytes;
    d->bytes += d->id_bytes * (size_t)n;
    if (d->id_bytes) DC_TRY_ALL(comm, dc_mem_alloc_raw(&d->ids, (size_t)n, d->id_bytes, "ids"));
    DC_TRY_ALL(comm, dc_builtin_make(&s->builtin, seed, d->part.row_lo, n, d->X, d->y, d->ids, d->id_bytes));
    for (int64_t i = 0; i < n; i++) raw[i] = d->y[i];
    st = dc_data_number_labels(comm, d, raw);
out:
    dc_mem_free(&raw);
    return st;
}

/* Reads all rows once, to compare checksums. */
static void sum_rows(const dc_dataset *d, dc_data_sums *sums)
{
    const size_t row_bytes = (size_t)d->D * dc_dtype_bytes(d->dtype);
    const int64_t rows = dc_part_rows(&d->part);
    for (int64_t lo = 0, n; lo < rows; lo += n) {
        const void *x;
        n = dc_data_stored(d, lo, rows - lo, &x);
        dc_data_sums_add_rows(sums, row_bytes, d->part.row_lo + lo, n, x);
    }
}

static dc_status load_files(dc_comm *comm, dc_dataset *d, const dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_rows_reader *reader = NULL;
    DC_TRY_ALL(comm, dc_rows_reader_open(s, &reader));
    DC_TRY(dc_rows_reader_read(comm, reader, &d->part, d->X));
    DC_TRY(dc_rows_reader_check(comm, reader, &d->part));
out:
    dc_rows_reader_close(&reader);
    return st;
}

static dc_status load_dense(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, dc_data_sums *sums)
{
    const size_t row_bytes = (size_t)d->D * dc_dtype_bytes(d->dtype);
    if (d->stream) {
        if (dc_data_sums_want_rows(sums)) sum_rows(d, sums);
        return dc_agree(comm, DC_OK);
    }
    const dc_status st = s->files
                             ? load_files(comm, d, s)
                             : dc_data_status(dc_h5_read_part(comm, d->source, s->matrix, dc_data_h5_type(d->dtype),
                                                              &d->part, (size_t)d->D, d->X));
    if (st == DC_OK) dc_data_sums_add_rows(sums, row_bytes, d->part.row_lo, dc_part_rows(&d->part), d->X);
    return st;
}

typedef struct {
    const dc_dataset *d;
    int ranks_here;
} asking;

static dc_status ask_for_room(void *ctx, size_t bytes)
{
    const asking *a = ctx;
    return check_memory(a->d, bytes, a->ranks_here);
}

static dc_status load_sparse(dc_comm *comm, dc_dataset *d, const dc_data_shape *s, dc_data_sums *sums)
{
    asking a = {d, dc_comm_node_size(comm)};
    const dc_status st = dc_data_csr_load(comm, d->source, s, &d->part, sums, ask_for_room, &a, &d->csr);
    if (st != DC_OK) return st;
    const dc_csr *m = &d->csr;
    d->bytes += (size_t)m->ptr[m->n] * (sizeof *m->col + sizeof *m->val) + (size_t)(m->n + 1) * sizeof *m->ptr;
    dc_data_measure_csr(comm, d);
    return DC_OK;
}

static dc_status load_rows(dc_comm *comm, dc_dataset *d, const dc_data_shape *s)
{
    dc_status st = DC_OK;
    dc_data_sums *sums = NULL;
    DC_TRY_ALL(comm, dc_data_sums_create(s, dc_comm_size(comm), &sums));
    DC_TRY(s->head.sparse ? load_sparse(comm, d, s, sums) : load_dense(comm, d, s, sums));
    if (d->y) DC_TRY(load_labels(comm, d, s, sums));
    if (s->head.has_ids) DC_TRY(load_ids(comm, d, s, sums));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_column_names(d->source, s, &d->feature_names) : DC_OK);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 && (s->head.sparse || !s->files)
                         ? dc_data_words_load(d->source, s->files, d->D, d->feature_names, &d->words)
                         : DC_OK);
    DC_TRY(dc_data_sums_compare(comm, sums, d->source, &d->checksum));
out:
    if (st != DC_OK) st = dc_data_sums_blame(comm, sums, d->source, st);
    dc_data_sums_destroy(&sums);
    return st;
}

dc_status dc_dataset_open(dc_comm *comm, const dc_data_request *request, int shards, uint64_t seed, int64_t K,
                          dc_dataset **out)
{
    dc_status st = DC_OK;
    dc_dataset *d = NULL;
    dc_data_shape shape = {0};
    const dc_data_request r = dc_data_request_settled(request);
    *out = NULL;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_describe(&r, &shape) : DC_OK);
    dc_comm_bcast(comm, &shape, sizeof shape, 0);
    shape.files = r.files;
    DC_TRY_ALL(comm, dc_mem_alloc(&d, 1, sizeof *d, "dataset"));
    DC_TRY_ALL(comm, dc_part_init(&d->part, shape.head.N, shards, dc_comm_size(comm), dc_comm_rank(comm)));
    d->D = shape.head.D = shape.head.stored_D; /* until counts are transformed */
    d->dtype = shape.head.dtype = shape.head.stored_dtype;
    d->streams = shape.head.stream;
    d->scale_kind = request->scale;
    d->reduce = request->reduce;
    d->norm = request->norm;
    d->n_image_dims = shape.n_image_dims;
    memcpy(d->image_shape, shape.image_shape, sizeof d->image_shape);
    d->files = r.files;
    snprintf(d->source, sizeof d->source, "%s", r.path);
    DC_TRY_ALL(comm, take_memory(d, &shape, seed, dc_comm_node_size(comm)));
    DC_TRY(shape.is_builtin ? make_rows(comm, d, &shape, seed) : load_rows(comm, d, &shape));
    DC_TRY(dc_data_examine(comm, d, request, seed, K));
    *out = d;
out:
    if (st != DC_OK) dc_dataset_destroy(&d);
    return st;
}

dc_status dc_dataset_load(dc_comm *comm, const char *path, dc_gidx rows, int shards, dc_scale_kind scale, uint64_t seed,
                          int64_t K, dc_dataset **out)
{
    return dc_dataset_open(comm, &(dc_data_request){.path = path, .rows = rows, .scale = scale}, shards, seed, K, out);
}

dc_status dc_dataset_check_files(dc_comm *comm, const dc_dataset *d)
{
    return dc_agree(comm, d->stream ? dc_data_stream_check(d->stream) : DC_OK);
}

void dc_dataset_expect(const dc_dataset *d, int64_t lo, int64_t n)
{
    if (d->stream) dc_data_stream_expect(d->stream, lo, n);
}

void dc_dataset_destroy(dc_dataset **data)
{
    dc_dataset *d = *data;
    if (!d) return;
    dc_mem_free(&d->X);
    dc_data_stream_destroy(&d->stream);
    dc_data_csr_release(&d->csr);
    dc_mem_free(&d->y);
    dc_mem_free(&d->classes);
    dc_mem_free(&d->ids);
    dc_mem_free(&d->feature_names);
    dc_data_words_release(&d->words);
    dc_mem_free(&d->clip_lo);
    dc_mem_free(&d->clip_hi);
    dc_mem_free(&d->shift);
    dc_mem_free(&d->scale);
    dc_mem_free(&d->Z);
    dc_mem_free(&d->row_scale);
    dc_pca_release(&d->pca);
    dc_count_map_release(&d->counts);
    dc_mem_free(data);
}
