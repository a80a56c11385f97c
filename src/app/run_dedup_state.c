/* The file of an unfinished search for near-duplicates, OUTPUT.ckpt: which rows are compared, and what was found among
 * them. The same command goes on from it, on any number of ranks; the finished result replaces it. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart.h"
#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/version.h"
#include "dcmpi/wish.h"
#include "run_dedup.h"

enum { FORMAT_VERSION = 1, PIECE_PAIRS = 1 << 15, WORTH_S = 60 };
static const char FORMAT[] = "dcmpi-duplicates-state";
enum { EDGES, PAIRS, COSINES, ARRAYS };

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_dedup *d;
    const dc_duplicates_state *state;
} filling;

static dc_status put_numbers(dc_h5 *h5, const filling *f)
{
    dc_status st = DC_OK;
    const dc_duplicates_state *s = f->state;
    const struct {
        const char *name;
        int64_t value;
    } number[] = {{"format_version", FORMAT_VERSION},
                  {"rows", f->d->from.N},
                  {"clusters", f->d->from.K},
                  {"shards", s->shards},
                  {"pairs", s->pairs},
                  {"pairs_across", s->across},
                  {"listed", s->listed}};
    for (size_t i = 0; i < DC_COUNT_OF(number); i++)
        DC_TRY(dc_h5_put_attr_i64(h5, "/", number[i].name, &number[i].value, 1));
out:
    return st;
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const filling *f = ctx;
    const dc_dedup *d = f->d;
    char created[DC_ISO_MAX];
    const dc_gidx K = d->from.K, words = dc_duplicates_words(f->state->shards);
    dc_clock_iso(created);
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", FORMAT));
    DC_TRY(put_numbers(h5, f));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "created", created));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "version", dc_version()));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "git", dc_version_git()));
    DC_TRY(dc_recipe_put(h5, &d->recipe));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "data_hash", d->from.data_hash));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "run_hash", d->from.result_hash));
    DC_TRY(dc_h5_put(h5, "/shards/done", DC_H5_I64, 1, &words, f->state->done));
    DC_TRY(dc_h5_put(h5, "/clusters/pairs", DC_H5_I64, 1, &K, f->state->pairs_of));
out:
    return st;
}

/* Ranks hold other numbers of pairs, and all take part in each piece. */
static dc_status append_pairs(dc_comm *comm, dc_h5_stream *file, const dc_duplicates_state *s)
{
    dc_status st = DC_OK;
    dc_gidx *ends = NULL;
    double *cosine = NULL;
    int64_t rounds = (s->n_pairs + PIECE_PAIRS - 1) / PIECE_PAIRS;
    dc_comm_max_i64(comm, &rounds, 1);
    DC_TRY_ALL(comm, dc_mem_alloc(&ends, PIECE_PAIRS, 2 * sizeof *ends, "pairs"));
    DC_TRY_ALL(comm, dc_mem_alloc(&cosine, PIECE_PAIRS, sizeof *cosine, "pairs"));
    for (int64_t r = 0; r < rounds; r++) {
        const int64_t lo = DC_MIN(r * PIECE_PAIRS, s->n_pairs), n = DC_MIN(s->n_pairs - lo, (int64_t)PIECE_PAIRS);
        for (int64_t i = 0; i < n; i++) {
            ends[2 * i] = s->pair[lo + i].a;
            ends[2 * i + 1] = s->pair[lo + i].b;
            cosine[i] = s->pair[lo + i].cosine;
        }
        DC_TRY(dc_h5_stream_append(comm, file, PAIRS, n, ends));
        DC_TRY(dc_h5_stream_append(comm, file, COSINES, n, cosine));
    }
out:
    dc_mem_free(&ends);
    dc_mem_free(&cosine);
    return st;
}

static dc_status write_state(dc_comm *comm, dc_dedup *d, const dc_duplicates_state *s)
{
    dc_status st = DC_OK;
    dc_h5_stream *file = NULL;
    int64_t *per_rank = NULL;
    filling f = {d, s};
    DC_TRY_ALL(comm, dc_mem_alloc(&per_rank, (size_t)dc_comm_size(comm), sizeof *per_rank, "rank table"));
    const dc_part edges = dc_dedup_list_part(comm, s->n_edges, per_rank),
                  pairs = dc_dedup_list_part(comm, s->n_pairs, per_rank);
    const dc_h5_rows rows[ARRAYS] = {
        [EDGES] = {.name = "/edges", .type = DC_H5_I64, .width = 2, .part = &edges},
        [PAIRS] = {.name = "/pairs/rows", .type = DC_H5_I64, .width = 2, .part = &pairs},
        [COSINES] = {.name = "/pairs/cosine", .type = DC_H5_F64, .width = 1, .vector = true, .part = &pairs}};
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_lock_confirm(d->claim.lock) : DC_OK);
    DC_TRY(dc_h5_stream_create(comm, &file, d->saved.path, &d->part, rows, ARRAYS, fill, &f));
    DC_TRY(dc_h5_stream_append(comm, file, EDGES, s->n_edges, s->edge));
    DC_TRY(append_pairs(comm, file, s));
    DC_TRY(dc_h5_stream_commit(comm, &file, NULL, NULL));
out:
    dc_h5_stream_abort(comm, &file);
    dc_mem_free(&per_rank);
    return st;
}

dc_status dc_dedup_save(dc_comm *comm, void *ctx, const dc_duplicates_state *state, bool stops, bool ends)
{
    dc_dedup *d = ctx;
    const double start = dc_clock_now_s();
    double waited = start - d->saved_s;
    char cause[DC_ERROR_TEXT_MAX];
    dc_comm_bcast(comm, &waited, sizeof waited, 0);
    if (ends && waited < WORTH_S) return DC_OK;
    const dc_status st = write_state(comm, d, state);
    d->saved_s = dc_clock_now_s();
    if (st == DC_OK) {
        d->saved.is_there = true;
        dc_log("saved     %s: %lld pairs so far, in %.2f s", d->saved.path, (long long)state->pairs,
               d->saved_s - start);
        return DC_OK;
    }
    snprintf(cause, sizeof cause, "%.1900s", dc_error_text());
    dc_error_clear();
    if (stops)
        return dc_agree(comm, dc_comm_rank(comm) == 0 ? DC_FAIL(st, "stopped by %s, and the search is not saved: %s",
                                                                dc_wish_reason(dc_comm_wish(comm)), cause)
                                                      : DC_OK);
    dc_log_warning("the search is not saved: %s; what was saved before stays", cause);
    return DC_OK;
}

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

/* What a killed start was writing. */
static void remove_part(const dc_dedup *d)
{
    char part[DC_PATH_MAX];
    struct stat s;
    if (snprintf(part, sizeof part, "%s.part", d->saved.path) >= (int)sizeof part || lstat(part, &s) != 0) return;
    if (S_ISREG(s.st_mode) && (dc_lock_was_left(d->claim.lock) || s.st_size == 0)) (void)unlink(part);
}

static dc_status refuse(const dc_dedup *d, const char *what)
{
    return DC_FAIL(DC_ERR_USAGE,
                   "%s is of an unfinished search %s; give another --output, or --force to start anew and remove it",
                   d->saved.path, what);
}

static dc_status read_numbers(dc_h5 *h5, dc_dedup *d)
{
    dc_status st = DC_OK;
    dc_h5_info edges, pairs, cosines;
    uint64_t data, run;
    int64_t rows, K, shards, listed, version;
    char git[64];
    const struct {
        const char *name;
        int64_t *value;
    } number[] = {
        {"format_version", &version}, {"rows", &rows}, {"clusters", &K}, {"shards", &shards}, {"listed", &listed}};
    for (size_t i = 0; i < DC_COUNT_OF(number); i++)
        DC_TRY(dc_h5_get_attr_i64(h5, "/", number[i].name, number[i].value, 1, NULL));
    DC_TRY(dc_h5_get_attr_hash(h5, "/", "data_hash", &data));
    DC_TRY(dc_h5_get_attr_hash(h5, "/", "run_hash", &run));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "git", git, sizeof git));
    DC_TRY(dc_h5_dataset_info(h5, "/edges", &edges));
    DC_TRY(dc_h5_dataset_info(h5, "/pairs/rows", &pairs));
    DC_TRY(dc_h5_dataset_info(h5, "/pairs/cosine", &cosines));
    if (version != FORMAT_VERSION || data != d->from.data_hash || run != d->from.result_hash || rows != d->from.N ||
        K != d->from.K)
        return refuse(d, "in another result of the run");
    if (shards < 1 || shards > DC_DUPLICATES_SHARDS_MAX || (shards & (shards - 1)) || edges.n_dims != 2 ||
        edges.dims[1] != 2 || edges.dims[0] > 2 * rows * shards || pairs.n_dims != 2 || pairs.dims[1] != 2 ||
        pairs.dims[0] > d->pairs_max || cosines.n_dims != 1 || cosines.dims[0] != pairs.dims[0] ||
        !dc_h5_has_attr(h5, "/", "result_hash"))
        return DC_FAIL(DC_ERR_FORMAT, "%s is damaged; --force starts anew and removes it", d->saved.path);
    if (strcmp(git, dc_version_git()) != 0)
        dc_log_note("%s was written by dcmpi %s: bits may differ from those of either version alone", d->saved.path,
                    git);
    d->saved.shards = (int)shards;
    d->saved.listed = listed != 0;
    d->saved.edges = edges.dims[0];
    d->saved.pairs = pairs.dims[0];
    d->saved.is_there = true;
out:
    return st;
}

static dc_status look_at_saved(dc_dedup *d)
{
    dc_status st = DC_OK;
    bool same;
    char format[32], made[256], what[300];
    dc_h5 *h5 = NULL;
    const char *path = d->saved.path;
    DC_TRY(dc_apart_probe(DC_PROBE_OUTPUT, path, DC_ERR_FORMAT));
    DC_TRY(dc_recipe_format(path, format, sizeof format));
    if (strcmp(format, FORMAT) != 0)
        return DC_FAIL(DC_ERR_USAGE, "%s is in the way: an unfinished search would be saved there; move it away", path);
    DC_TRY(dc_recipe_made(&d->recipe, path, &same, made, sizeof made));
    if (!same) {
        snprintf(what, sizeof what, "with other options (dcmpi %s)", made);
        return refuse(d, what);
    }
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    st = read_numbers(h5, d);
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* --force replaces the output, and a file that this search cannot go on from. */
dc_status dc_dedup_find_saved(dc_dedup *d)
{
    struct stat s;
    const char *path = d->saved.path;
    if (!d->dry_run) remove_part(d);
    if (lstat(path, &s) != 0) return DC_OK;
    const dc_status st = look_at_saved(d);
    if (st == DC_OK || !d->force) return st;
    dc_error_clear();
    if (d->dry_run || unlink(path) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "cannot remove %s: %s", path, strerror(errno));
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* This rank's share of a list. */
static dc_part share_of(const dc_part *part, int64_t n)
{
    const double each = (double)n / part->P;
    dc_part share = {.N = n, .P = part->P, .rank = part->rank};
    share.row_lo = (dc_gidx)(each * part->rank);
    share.row_hi = part->rank + 1 == part->P ? n : (dc_gidx)(each * (part->rank + 1));
    return share;
}

double dc_dedup_size_saved(dc_dedup *d)
{
    const dc_part edges = share_of(&d->part, d->saved.edges), pairs = share_of(&d->part, d->saved.pairs);
    if (!d->saved.is_there) return 0;
    d->before = (dc_duplicates_state){.shards = d->saved.shards,
                                      .listed = d->saved.listed,
                                      .n_edges = dc_part_rows(&edges),
                                      .n_pairs = dc_part_rows(&pairs)};
    return (double)d->before.n_edges * sizeof *d->before.edge +
           (double)d->before.n_pairs * (sizeof *d->before.pair + 3 * sizeof(int64_t)) +
           sizeof(int64_t) * ((double)dc_duplicates_words(d->before.shards) + (double)d->from.K);
}

static dc_status load_numbers(const dc_dedup *d, dc_duplicates_state *s)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    const char *path = d->saved.path;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_h5_check_hash(h5, "/shards/done"));
    DC_TRY(dc_h5_check_hash(h5, "/clusters/pairs"));
    DC_TRY(dc_h5_check_content(h5));
    DC_TRY(dc_h5_read_rows(h5, "/shards/done", DC_H5_I64, 0, dc_duplicates_words(s->shards), s->done));
    DC_TRY(dc_h5_read_rows(h5, "/clusters/pairs", DC_H5_I64, 0, d->from.K, s->pairs_of));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "pairs", &s->pairs, 1, NULL));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "pairs_across", &s->across, 1, NULL));
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

static dc_status load_pairs(dc_comm *comm, const dc_dedup *d, dc_duplicates_state *s)
{
    dc_status st = DC_OK;
    dc_gidx *ends = NULL;
    double *cosine = NULL;
    const dc_part share = share_of(&d->part, d->saved.pairs);
    const size_t n = (size_t)s->n_pairs;
    DC_TRY_ALL(comm, dc_mem_alloc(&s->pair, n, sizeof *s->pair, "pairs"));
    DC_TRY_ALL(comm, dc_mem_alloc(&ends, n, 2 * sizeof *ends, "pairs"));
    DC_TRY_ALL(comm, dc_mem_alloc(&cosine, n, sizeof *cosine, "pairs"));
    DC_TRY(dc_dedup_read(comm, d->saved.path, &share, "/pairs/rows", DC_H5_I64, 2, ends));
    DC_TRY(dc_dedup_read(comm, d->saved.path, &share, "/pairs/cosine", DC_H5_F64, 1, cosine));
    for (size_t i = 0; i < n; i++) s->pair[i] = (dc_pair){ends[2 * i], ends[2 * i + 1], cosine[i]};
out:
    dc_mem_free(&ends);
    dc_mem_free(&cosine);
    return st;
}

/* Checksums do not hold off what was made on purpose. */
static dc_status check_lists(const dc_dedup *d, const dc_duplicates_state *s)
{
    const dc_gidx N = d->from.N;
    bool fits = true;
    for (int64_t i = 0; i < s->n_edges; i++)
        fits = fits && s->edge[i].a >= 0 && s->edge[i].a < N && s->edge[i].b >= 0 && s->edge[i].b < N;
    for (int64_t i = 0; i < s->n_pairs; i++)
        fits = fits && s->pair[i].a >= 0 && s->pair[i].a < s->pair[i].b && s->pair[i].b < N;
    return fits ? DC_OK
                : DC_FAIL(DC_ERR_FORMAT, "%s is damaged: it names rows that there are not; --force starts anew",
                          d->saved.path);
}

static double share_done(const dc_duplicates_state *s)
{
    int64_t bits = 0;
    for (int64_t w = 0; w < dc_duplicates_words(s->shards); w++) bits += __builtin_popcountll((uint64_t)s->done[w]);
    return (double)bits / ((double)s->shards * (s->shards + 1) / 2);
}

dc_status dc_dedup_load_saved(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    dc_duplicates_state *s = &d->before;
    const size_t K = (size_t)d->from.K;
    if (!d->saved.is_there) return DC_OK;
    const size_t words = (size_t)dc_duplicates_words(s->shards);
    const dc_part edges = share_of(&d->part, d->saved.edges);
    DC_TRY_ALL(comm, dc_mem_alloc(&s->done, words, sizeof *s->done, "shards that are done"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->pairs_of, K, sizeof *s->pairs_of, "pairs of clusters"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->edge, (size_t)s->n_edges, sizeof *s->edge, "edges"));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? load_numbers(d, s) : DC_OK);
    dc_comm_bcast(comm, s->done, words * sizeof *s->done, 0);
    dc_comm_bcast(comm, s->pairs_of, K * sizeof *s->pairs_of, 0);
    dc_comm_bcast(comm, &s->pairs, sizeof s->pairs, 0);
    dc_comm_bcast(comm, &s->across, sizeof s->across, 0);
    DC_TRY(dc_dedup_read(comm, d->saved.path, &edges, "/edges", DC_H5_I64, 2, s->edge));
    DC_TRY(load_pairs(comm, d, s));
    DC_TRY_ALL(comm, check_lists(d, s));
    dc_log("continues %s: %.1f %% of the pairs of shards are compared, %lld pairs of rows found", d->saved.path,
           100 * share_done(s), (long long)s->pairs);
out:
    return st;
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

void dc_dedup_drop_saved(const dc_dedup *d)
{
    if (d->saved.is_there) (void)unlink(d->saved.path);
}

void dc_dedup_release_saved(dc_dedup *d)
{
    dc_mem_free(&d->before.done);
    dc_mem_free(&d->before.pairs_of);
    dc_mem_free(&d->before.pair);
    dc_mem_free(&d->before.edge);
    d->before = (dc_duplicates_state){0};
}
