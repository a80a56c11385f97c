/* The file that `dcmpi dedup` writes, and its lists of which each rank has a share. */
#include "dcmpi/clock.h"
#include "dcmpi/mem.h"
#include "dcmpi/report.h"
#include "dcmpi/version.h"
#include "run_dedup.h"

enum { FORMAT_VERSION = 1, ARRAYS_MAX = 8 };

const char *dc_dedup_keep_name(dc_keep keep)
{
    static const char *const name[] = {
        [DC_KEEP_NEAREST] = "nearest", [DC_KEEP_FURTHEST] = "furthest", [DC_KEEP_FIRST] = "first"};
    return name[keep];
}

const char *dc_dedup_on_name(int on)
{
    return on == DC_ON_INPUT ? "input" : "embedding";
}

/* Rows are read in parallel; the checksum is joined from what the ranks read. */
dc_status dc_dedup_read(dc_comm *comm, const char *path, const dc_part *part, const char *name, dc_h5_type type,
                        size_t width, void *out)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    uint64_t stored = 0;
    DC_TRY(dc_h5_read_part(comm, path, name, type, part, width, out));
    const uint64_t mine = dc_h5_hash_rows(width * dc_h5_type_bytes(type), part->row_lo, dc_part_rows(part), out);
    int64_t half[2] = {(int64_t)(mine & UINT32_MAX), (int64_t)(mine >> 32)};
    dc_comm_sum_i64(comm, half, DC_COUNT_OF(half));
    const uint64_t all = (uint64_t)half[0] + ((uint64_t)half[1] << 32);
    if (dc_comm_rank(comm) == 0) {
        st = dc_h5_open(&h5, path, DC_H5_READ);
        if (st == DC_OK) st = dc_h5_get_attr_hash(h5, name, "xxh3", &stored);
        if (st == DC_OK && stored != all) st = dc_h5_fail_hash(path, name, all, stored);
        st = dc_h5_close_read(&h5, st);
    }
    DC_TRY_ALL(comm, st);
out:
    return st;
}

static dc_status put_i64(dc_h5 *h5, const char *attr, int64_t v)
{
    return dc_h5_put_attr_i64(h5, "/", attr, &v, 1);
}

static dc_status fill_provenance(dc_h5 *h5, const dc_dedup *d)
{
    dc_status st = DC_OK;
    char created[DC_ISO_MAX];
    dc_clock_iso(created);
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", "dcmpi-duplicates"));
    DC_TRY(put_i64(h5, "format_version", FORMAT_VERSION));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "created", created));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "version", dc_version()));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "git", dc_version_git()));
    DC_TRY(dc_recipe_put(h5, &d->recipe));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "model", d->run));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "data_hash", d->from.data_hash));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "run_hash", d->from.result_hash));
out:
    return st;
}

/* The files of the rows, as the run names them. */
static dc_status copy_files(const dc_dedup *d, dc_h5 *h5)
{
    dc_status st = DC_OK;
    dc_h5 *run = NULL;
    DC_TRY(dc_h5_open(&run, d->run, DC_H5_READ));
    DC_TRY(dc_result_copy_files(run, h5));
out:
    st = dc_h5_close_read(&run, st);
    return st;
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const dc_dedup *d = ctx;
    const dc_duplicates *f = &d->found;
    const dc_gidx K = d->from.K;
    DC_TRY(fill_provenance(h5, d));
    DC_TRY(copy_files(d, h5));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "cosine", &d->cosine, 1));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "on", dc_dedup_on_name(d->on)));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "keep", dc_dedup_keep_name(d->keep)));
    DC_TRY(put_i64(h5, "probe", d->probe));
    DC_TRY(put_i64(h5, "clusters", K));
    DC_TRY(put_i64(h5, "rows", d->from.N));
    DC_TRY(put_i64(h5, "groups", f->groups));
    DC_TRY(put_i64(h5, "largest_group", f->largest));
    DC_TRY(put_i64(h5, "removed", f->removed));
    DC_TRY(put_i64(h5, "rows_of_zeros", f->zeros));
    DC_TRY(put_i64(h5, "pairs", f->pairs));
    DC_TRY(put_i64(h5, "pairs_across", f->across));
    DC_TRY(dc_h5_put(h5, "/clusters/size", DC_H5_I64, 1, &K, d->size));
    DC_TRY(dc_h5_put(h5, "/clusters/pairs", DC_H5_I64, 1, &K, f->pairs_of));
    DC_TRY(dc_h5_put(h5, "/clusters/removed", DC_H5_I64, 1, &K, f->removed_of));
out:
    return st;
}

dc_part dc_dedup_list_part(dc_comm *comm, int64_t mine, int64_t *per_rank)
{
    const int P = dc_comm_size(comm), rank = dc_comm_rank(comm);
    dc_part part = {.P = P, .rank = rank};
    for (int r = 0; r < P; r++) per_rank[r] = r == rank ? mine : 0;
    dc_comm_sum_i64(comm, per_rank, (size_t)P);
    for (int r = 0; r < P; r++) {
        if (r < rank) part.row_lo += per_rank[r];
        part.N += per_rank[r];
    }
    part.row_hi = part.row_lo + mine;
    return part;
}

typedef struct {
    dc_gidx *kept, *removed; /* rows of this rank that stay, and that do not */
    int64_t *per_rank;       /* [P] */
    dc_gidx *ends;           /* [n_pairs x 2] */
    double *cosine;          /* [n_pairs] */
    dc_part kept_part, removed_part, pairs_part;
} lists;

static void release(lists *l)
{
    dc_mem_free(&l->kept);
    dc_mem_free(&l->removed);
    dc_mem_free(&l->per_rank);
    dc_mem_free(&l->ends);
    dc_mem_free(&l->cosine);
}

double dc_dedup_write_bytes(const dc_dedup *d)
{
    return (double)dc_part_rows(&d->part) * (2 * sizeof(dc_gidx) + (double)d->from.id_bytes) +
           (double)d->pairs_max * (sizeof(dc_pair) + 2 * sizeof(dc_gidx) + sizeof(double));
}

double dc_dedup_file_bytes(const dc_dedup *d)
{
    enum { HEADER_BYTES = 1 << 16 };
    return (double)d->from.N * (3 * sizeof(dc_gidx) + sizeof *d->label + (double)d->from.id_bytes) +
           (double)d->pairs_max * (2 * sizeof(dc_gidx) + sizeof(double)) + (double)d->from.K * 3 * sizeof(int64_t) +
           HEADER_BYTES;
}

static dc_status take(lists *l, const dc_dedup *d, int P)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&d->part), pairs = (size_t)d->found.n_pairs;
    DC_TRY(dc_mem_alloc(&l->kept, n, sizeof *l->kept, "kept rows"));
    DC_TRY(dc_mem_alloc(&l->removed, n, sizeof *l->removed, "removed rows"));
    DC_TRY(dc_mem_alloc(&l->per_rank, (size_t)P, sizeof *l->per_rank, "rank table"));
    DC_TRY(dc_mem_alloc(&l->ends, pairs, 2 * sizeof *l->ends, "list of pairs"));
    DC_TRY(dc_mem_alloc(&l->cosine, pairs, sizeof *l->cosine, "list of pairs"));
out:
    return st;
}

static void fill_lists(dc_comm *comm, const dc_dedup *d, lists *l)
{
    const dc_duplicates *f = &d->found;
    int64_t kept = 0, removed = 0;
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        const dc_gidx row = d->part.row_lo + i;
        if (f->kept[i] == row)
            l->kept[kept++] = row;
        else
            l->removed[removed++] = row;
    }
    for (int64_t e = 0; e < f->n_pairs; e++) {
        l->ends[2 * e] = f->pair[e].a;
        l->ends[2 * e + 1] = f->pair[e].b;
        l->cosine[e] = f->pair[e].cosine;
    }
    l->kept_part = dc_dedup_list_part(comm, kept, l->per_rank);
    l->removed_part = dc_dedup_list_part(comm, removed, l->per_rank);
    l->pairs_part = dc_dedup_list_part(comm, f->n_pairs, l->per_rank);
}

static size_t list_arrays(const dc_dedup *d, const lists *l, dc_h5_rows rows[ARRAYS_MAX])
{
    size_t n = 0;
    const dc_h5_rows whole = {.type = DC_H5_I64, .width = 1, .vector = true};
    const struct {
        const char *name;
        const void *local;
        const dc_part *part;
    } vectors[] = {{"/kept_for", d->found.kept, NULL},
                   {"/group", d->found.group, NULL},
                   {"/kept", l->kept, &l->kept_part},
                   {"/removed", l->removed, &l->removed_part}};
    for (size_t i = 0; i < DC_COUNT_OF(vectors); i++) {
        rows[n] = whole;
        rows[n].name = vectors[i].name;
        rows[n].local = vectors[i].local;
        rows[n++].part = vectors[i].part;
    }
    rows[n++] = (dc_h5_rows){.name = "/labels", .type = DC_H5_I32, .width = 1, .vector = true, .local = d->label};
    if (d->ids)
        rows[n++] = (dc_h5_rows){
            .name = "/ids", .type = DC_H5_TEXT, .width = d->from.id_bytes, .vector = true, .local = d->ids};
    if (!d->found.listed) return n;
    rows[n++] =
        (dc_h5_rows){.name = "/pairs/rows", .type = DC_H5_I64, .width = 2, .local = l->ends, .part = &l->pairs_part};
    rows[n++] = (dc_h5_rows){.name = "/pairs/cosine",
                             .type = DC_H5_F64,
                             .width = 1,
                             .vector = true,
                             .local = l->cosine,
                             .part = &l->pairs_part};
    return n;
}

static dc_gidx rows_of(const dc_h5_rows *a, const dc_part *all)
{
    return dc_part_rows(a->part ? a->part : all);
}

dc_status dc_dedup_write(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    lists l = {0};
    dc_h5_rows rows[ARRAYS_MAX];
    dc_h5_stream *file = NULL;
    DC_TRY_ALL(comm, take(&l, d, dc_comm_size(comm)));
    fill_lists(comm, d, &l);
    const size_t n = list_arrays(d, &l, rows);
    DC_TRY(dc_h5_stream_create(comm, &file, d->claim.path, &d->part, rows, n, fill, d));
    for (size_t i = 0; i < n; i++)
        DC_TRY(dc_h5_stream_append(comm, file, i, rows_of(&rows[i], &d->part), rows[i].local));
    DC_TRY_ALL(comm, dc_lock_confirm(d->claim.lock));
    DC_TRY(dc_h5_stream_commit(comm, &file, NULL, NULL));
out:
    dc_h5_stream_abort(comm, &file);
    release(&l);
    return st;
}
