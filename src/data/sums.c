/* Checks that the rows read are the rows that were written. `convert` stores checksums of /X and /y that are sums over
 * the rows, so each rank sums its own rows, and one reduction is enough to compare. This also detects a file that
 * changes while it is read (HDF5 returns zeros for parts that are gone).
 *
 * Older versions stored one XXH3 of all bytes of /X in order instead, which only a single rank can compute. */
#include <string.h>
#include <xxhash.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/h5_sparse.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

struct dc_data_sums {
    dc_data_promise promise;
    dc_gidx N;             /* rows that are read */
    dc_checksum outcome;   /* expected */
    uint64_t X, y, ids;    /* of this rank's rows so far */
    XXH3_state_t *whole;   /* NULL: not wanted */
    const dc_files *files; /* NULL: one file */
    uint64_t *of_file;     /* [files->n] of this rank's rows in each file */
    size_t file;           /* of the row that was added last, and its first row */
    dc_gidx first;
};

static dc_status read_hash(dc_h5 *h5, const char *object, const char *attr, dc_stored_hash *hash)
{
    hash->there = dc_h5_has_attr(h5, object, attr);
    return hash->there ? dc_h5_get_attr_hash(h5, object, attr, &hash->value) : DC_OK;
}

dc_status dc_data_read_promise(dc_h5 *h5, dc_gidx rows, const char *matrix, const char *labels, const char *ids,
                               dc_data_promise *p)
{
    dc_status st = DC_OK;
    *p = (dc_data_promise){.file = dc_h5_file_state(h5), .rows = rows};
    snprintf(p->matrix, sizeof p->matrix, "%s", matrix);
    snprintf(p->ids, sizeof p->ids, "%s", ids ? ids : "");
    DC_TRY(read_hash(h5, matrix, "xxh3", &p->X));
    if (labels) DC_TRY(read_hash(h5, labels, "xxh3", &p->y));
    if (ids) DC_TRY(read_hash(h5, ids, "xxh3", &p->id_hash));
    if (!p->X.there && strcmp(matrix, "/X") == 0) DC_TRY(read_hash(h5, "/", "checksum", &p->whole));
out:
    return st;
}

static bool wants_whole(const dc_data_promise *p, int ranks)
{
    return p->whole.there && ranks == 1;
}

/* Checksums of files all of whose rows are read. */
static dc_checksum checksum_of_files(const dc_files *files, dc_gidx N)
{
    size_t stored = 0, used = 0;
    dc_gidx end = 0;
    for (size_t i = 0; i < files->n; i++) {
        end += files->file[i].piece.rows;
        stored += files->file[i].has_sum;
        used += files->file[i].has_sum && end <= N;
    }
    return used == files->n ? DC_CHECKSUM_STORED
           : used > 0       ? DC_CHECKSUM_PARTLY
           : stored > 0     ? DC_CHECKSUM_UNUSED
                            : DC_CHECKSUM_NONE;
}

dc_checksum dc_data_checksum_of(const dc_data_shape *shape, int ranks)
{
    const dc_data_promise *p = &shape->promise;
    const dc_gidx N = shape->head.N;
    if (shape->files) return checksum_of_files(shape->files, N);
    if (!p->X.there && !p->whole.there) return DC_CHECKSUM_NONE;
    return N == p->rows && (p->X.there || wants_whole(p, ranks)) ? DC_CHECKSUM_STORED : DC_CHECKSUM_UNUSED;
}

const char *dc_checksum_text(dc_checksum c)
{
    static const char *const texts[] = {[DC_CHECKSUM_NO_FILE] = "generated",
                                        [DC_CHECKSUM_NONE] = "no checksum stored",
                                        [DC_CHECKSUM_UNUSED] = "checksum not compared",
                                        [DC_CHECKSUM_STORED] = "checksum compared at the end",
                                        [DC_CHECKSUM_PARTLY] = "checksums compared of files that have one",
                                        [DC_CHECKSUM_AGREES] = "checksum agrees"};
    return texts[c];
}

dc_status dc_data_sums_create(const dc_data_shape *shape, int ranks, dc_data_sums **out)
{
    const dc_data_promise *p = &shape->promise;
    const dc_gidx N = shape->head.N;
    dc_status st = dc_mem_alloc(out, 1, sizeof **out, "checksums");
    if (st != DC_OK) return st;
    dc_data_sums *s = *out;
    s->promise = *p;
    s->N = N;
    s->outcome = dc_data_checksum_of(shape, ranks);
    s->files = shape->files;
    if (s->files) st = dc_mem_alloc(&s->of_file, s->files->n, sizeof *s->of_file, "checksums");
    if (st != DC_OK) dc_data_sums_destroy(out);
    if (st != DC_OK || s->files) return st;
    if (N != p->rows || !wants_whole(p, ranks)) return DC_OK;
    s->whole = XXH3_createState();
    if (s->whole && XXH3_64bits_reset(s->whole) == XXH_OK) return DC_OK;
    dc_data_sums_destroy(out);
    return DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum");
}

void dc_data_sums_destroy(dc_data_sums **sums)
{
    if (!*sums) return;
    XXH3_freeState((*sums)->whole);
    dc_mem_free(&(*sums)->of_file);
    dc_mem_free(sums);
}

bool dc_data_sums_want_rows(const dc_data_sums *s)
{
    if (s->files) return s->outcome == DC_CHECKSUM_STORED || s->outcome == DC_CHECKSUM_PARTLY;
    return s->N == s->promise.rows && (s->promise.X.there || s->whole);
}

/* The file of a row; rows come in order. */
static const dc_file_facts *file_of(dc_data_sums *s, dc_gidx row)
{
    while (row >= s->first + s->files->file[s->file].piece.rows) s->first += s->files->file[s->file++].piece.rows;
    return &s->files->file[s->file];
}

/* The rows of each file are numbered from its own first. */
static void add_to_files(dc_data_sums *s, size_t row_bytes, dc_gidx row, dc_gidx n, const char *rows)
{
    for (dc_gidx take; n > 0; n -= take, row += take, rows += (size_t)take * row_bytes) {
        const dc_file_facts *f = file_of(s, row);
        take = DC_MIN(n, s->first + f->piece.rows - row);
        if (f->has_sum) s->of_file[s->file] += dc_h5_hash_rows(row_bytes, row - s->first, take, rows);
    }
}

void dc_data_sums_add_rows(dc_data_sums *s, size_t row_bytes, dc_gidx first, dc_gidx n, const void *rows)
{
    if (s->files) add_to_files(s, row_bytes, first, n, rows);
    if (s->N != s->promise.rows) return;
    if (s->promise.X.there) s->X += dc_h5_hash_rows(row_bytes, first, n, rows);
    if (s->whole && n > 0) XXH3_64bits_update(s->whole, rows, (size_t)n * row_bytes);
}

void dc_data_sums_add_sparse(dc_data_sums *s, size_t value_bytes, dc_gidx first, dc_gidx n, const int64_t *ptr,
                             const int32_t *col, const void *val)
{
    if (s->files && n > 0 && file_of(s, first)->has_sum)
        s->of_file[s->file] += dc_h5_hash_sparse(value_bytes, first - s->first, n, ptr, col, val);
    if (s->N == s->promise.rows && s->promise.X.there) s->X += dc_h5_hash_sparse(value_bytes, first, n, ptr, col, val);
}

void dc_data_sums_add_labels(dc_data_sums *s, size_t label_bytes, dc_gidx first, dc_gidx n, const void *labels)
{
    if (s->N == s->promise.rows && s->promise.y.there) s->y += dc_h5_hash_rows(label_bytes, first, n, labels);
}

void dc_data_sums_add_ids(dc_data_sums *s, size_t id_bytes, dc_gidx first, dc_gidx n, const void *ids)
{
    if (s->N == s->promise.rows && s->promise.id_hash.there) s->ids += dc_h5_hash_rows(id_bytes, first, n, ids);
}

static dc_status compare(const char *path, const char *name, const char *attr, dc_stored_hash stored, uint64_t found)
{
    if (!stored.there || stored.value == found) return DC_OK;
    return DC_FAIL(
        DC_ERR_DATA,
        "%s: %s is damaged: its checksum is %016llx, stored is %016llx; copy or convert the file again, or, if "
        "it was changed on purpose, delete the attribute %s of %s",
        path, name, (unsigned long long)found, (unsigned long long)stored.value, attr,
        strcmp(attr, "checksum") == 0 ? "the file" : name);
}

static void note_unused(const dc_data_sums *s, const char *path)
{
    if (s->N != s->promise.rows)
        dc_log_note(
            "%s: its checksum is that of all %lld rows and is not compared, because only %lld are read (input.rows)",
            path, (long long)s->promise.rows, (long long)s->N);
    else
        dc_log_note("%s: its checksum is of an older kind, which only a single rank can compare; dcmpi check compares "
                    "it, dcmpi convert makes one that every run compares",
                    path);
}

static dc_status compare_all(const dc_data_sums *s, const char *path, const uint64_t sum[3])
{
    dc_status st = DC_OK;
    const dc_data_promise *p = &s->promise;
    DC_TRY(compare(path, p->matrix, "xxh3", p->X, sum[0]));
    if (s->whole) DC_TRY(compare(path, p->matrix, "checksum", p->whole, XXH3_64bits_digest(s->whole)));
    DC_TRY(compare(path, "/y", "xxh3", p->y, sum[1]));
    DC_TRY(compare(path, p->ids, "xxh3", p->id_hash, sum[2]));
out:
    return st;
}

dc_status dc_data_sums_blame(dc_comm *comm, const dc_data_sums *s, const char *path, dc_status st)
{
    char text[DC_ERROR_TEXT_MAX], where[256];
    if (!s || s->files || (st != DC_ERR_DATA && st != DC_ERR_IO)) return st;
    snprintf(text, sizeof text, "%s", dc_error_text());
    snprintf(where, sizeof where, "%s", dc_error_where());
    dc_error_clear();
    const dc_status changed =
        dc_agree(comm, dc_comm_rank(comm) == 0 ? dc_file_unchanged(path, &s->promise.file, DC_ERR_DATA) : DC_OK);
    if (changed != DC_OK) return changed;
    dc_error_set(st, where, text);
    return st;
}

static dc_status compare_files(const dc_data_sums *s)
{
    dc_gidx end = 0;
    for (size_t i = 0; i < s->files->n; i++) {
        const dc_file_facts *f = &s->files->file[i];
        end += f->piece.rows;
        if (end > s->N || !f->has_sum) continue;
        const char *dataset = dc_files_dataset(s->files, i);
        const dc_status st = compare(dc_files_path(s->files, i), *dataset ? dataset : "/X", "xxh3",
                                     (dc_stored_hash){true, f->sum}, s->of_file[i]);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

static dc_status compare_sums_of_files(dc_comm *comm, const dc_data_sums *s, dc_checksum *outcome)
{
    dc_comm_sum_i64(comm, (int64_t *)s->of_file, s->files->n);
    const dc_status st = dc_agree(comm, compare_files(s));
    *outcome = s->outcome == DC_CHECKSUM_STORED ? DC_CHECKSUM_AGREES : s->outcome;
    return st;
}

dc_status dc_data_sums_compare(dc_comm *comm, const dc_data_sums *s, const char *path, dc_checksum *outcome)
{
    dc_status st = DC_OK;
    const dc_data_promise *p = &s->promise;
    if (s->files) return compare_sums_of_files(comm, s, outcome);
    int64_t sum[3] = {(int64_t)s->X, (int64_t)s->y, (int64_t)s->ids};
    dc_comm_sum_i64(comm, sum, DC_COUNT_OF(sum));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_file_unchanged(path, &p->file, DC_ERR_DATA) : DC_OK);
    *outcome = s->outcome;
    const uint64_t found[3] = {(uint64_t)sum[0], (uint64_t)sum[1], (uint64_t)sum[2]};
    if (s->N == p->rows) DC_TRY_ALL(comm, compare_all(s, path, found));
    if (*outcome == DC_CHECKSUM_UNUSED) note_unused(s, path);
    if (*outcome == DC_CHECKSUM_STORED) *outcome = DC_CHECKSUM_AGREES;
out:
    return st;
}
