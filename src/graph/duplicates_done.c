/* What a search for near-duplicates has done: which pairs of shards are compared, and the numbers of their pairs. A
 * shard of 2V is one half of a shard of V (part.h), so a search with more shards knows which of its own are done. */
#include "graph/duplicates_done.h"

#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

enum { WORD_BITS = 64 };

static bool is_saved(const dc_duplicates_config *cfg)
{
    return cfg->save && cfg->rows->part->V <= DC_DUPLICATES_SHARDS_MAX;
}

double dc_pairs_done_bytes(const dc_duplicates_config *cfg)
{
    const double words = is_saved(cfg) ? (double)dc_duplicates_words(cfg->rows->part->V) : 0;
    return sizeof(int64_t) * (2 * words + (double)cfg->K * (words > 0 ? 2 : 1));
}

dc_status dc_pairs_done_take(const dc_duplicates_config *cfg, dc_pairs_done *done)
{
    dc_status st = DC_OK;
    const int V = cfg->rows->part->V;
    const size_t K = (size_t)cfg->K;
    *done = (dc_pairs_done){.from = cfg->from, .shards = V, .K = cfg->K};
    if (is_saved(cfg)) done->words = dc_duplicates_words(V);
    if (cfg->from) {
        DC_ASSERT(V % cfg->from->shards == 0);
        done->finer = V / cfg->from->shards;
    }
    DC_TRY(dc_mem_alloc(&done->fresh_of, K, sizeof *done->fresh_of, "pairs of clusters"));
    if (done->words == 0) return DC_OK;
    DC_TRY(dc_mem_alloc(&done->all_of, K, sizeof *done->all_of, "pairs of clusters"));
    DC_TRY(dc_mem_alloc(&done->mine, (size_t)done->words, sizeof *done->mine, "shards that are done"));
    DC_TRY(dc_mem_alloc(&done->all, (size_t)done->words, sizeof *done->all, "shards that are done"));
out:
    return st;
}

void dc_pairs_done_release(dc_pairs_done *done)
{
    dc_mem_free(&done->mine);
    dc_mem_free(&done->all);
    dc_mem_free(&done->fresh_of);
    dc_mem_free(&done->all_of);
}

static int64_t bit_of(int a, int b)
{
    const int64_t lo = DC_MIN(a, b), hi = DC_MAX(a, b);
    return hi * (hi + 1) / 2 + lo;
}

static bool has(const int64_t *words, int64_t bit)
{
    return ((uint64_t)words[bit / WORD_BITS] >> (bit % WORD_BITS) & 1) != 0;
}

static void set(int64_t *words, int64_t bit)
{
    words[bit / WORD_BITS] = (int64_t)((uint64_t)words[bit / WORD_BITS] | (uint64_t)1 << (bit % WORD_BITS));
}

bool dc_pairs_were_done(const dc_pairs_done *done, int a, int b)
{
    return done->from && has(done->from->done, bit_of(a / done->finer, b / done->finer));
}

void dc_pairs_mark(dc_pairs_done *done, int b, int lo, int hi, int64_t n_edges, int64_t n_pairs, dc_duplicates *out)
{
    for (int a = lo; a < hi && done->words > 0; a++) set(done->mine, bit_of(a, b));
    for (int64_t k = 0; k < done->K; k++) out->pairs_of[k] += done->fresh_of[k];
    memset(done->fresh_of, 0, (size_t)done->K * sizeof *done->fresh_of);
    out->pairs += done->fresh;
    out->across += done->fresh_across;
    done->fresh = done->fresh_across = 0;
    done->n_edges = n_edges;
    done->n_pairs = n_pairs;
}

void dc_pairs_state(dc_comm *comm, dc_pairs_done *done, const dc_duplicates *out, dc_duplicates_state *state)
{
    int64_t numbers[2] = {out->pairs, out->across};
    dc_comm_sum_i64(comm, numbers, DC_COUNT_OF(numbers));
    memcpy(done->all_of, out->pairs_of, (size_t)done->K * sizeof *done->all_of);
    dc_comm_sum_i64(comm, done->all_of, (size_t)done->K);
    memcpy(done->all, done->mine, (size_t)done->words * sizeof *done->all);
    dc_comm_sum_i64(comm, done->all, (size_t)done->words); /* no two ranks do the same: the sum is the union */
    for (int b = 0; b < done->shards && done->from; b++)
        for (int a = 0; a <= b; a++)
            if (dc_pairs_were_done(done, a, b)) set(done->all, bit_of(a, b));
    *state = (dc_duplicates_state){
        .shards = done->shards, .done = done->all, .pairs = numbers[0], .across = numbers[1], .pairs_of = done->all_of};
}
