/* The vocabulary of all ranks. Each rank has its counts sorted by hash. In round g the ranks send all terms whose hash
 * lies in the g-th part of all hashes to the ranks that own them (a part of that part each). The owner adds up the
 * counts of a term, and keeps it if enough documents have it. In the end all ranks get what the owners kept. So a rank
 * holds a round and what is kept, never all terms. */
#include <string.h>

#include "convert/corpus.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

enum { ROUND_BYTES = 8 << 20, SENT_HEAD = 26, KEPT_HEAD = 18, VOCABULARY_BYTES = 192 << 20 };

typedef struct {
    char *p;
    size_t n, room;
} buffer;

static dc_status add(buffer *b, const void *data, size_t n)
{
    if (n == 0) return DC_OK;
    if (b->n + n > b->room) {
        char *bigger;
        const size_t room = 2 * b->room + n + 4096;
        const dc_status st = dc_mem_alloc_raw(&bigger, room, 1, "words");
        if (st != DC_OK) return st;
        if (b->n) memcpy(bigger, b->p, b->n);
        dc_mem_free(&b->p);
        b->p = bigger;
        b->room = room;
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
    return DC_OK;
}

/* A term that is kept. */
typedef struct {
    const char *term;
    int64_t df, tf;
    size_t n;
} kept_term;

typedef struct {
    dc_corpus *c;
    int rank, P;
    int64_t rounds;
    double low, high;    /* documents that a term must have, and may have */
    dc_term_count ahead; /* the next term of this rank, if has_ahead */
    bool has_ahead;
    buffer send, kept;
    size_t *send_counts, *recv_counts; /* [P] */
    char *recv;
    size_t recv_room;
    dc_term_count *terms; /* [room] of a round */
    size_t room;
    int64_t n_kept, n_terms; /* this rank's terms that are kept, and all that it owned */
} merge;

/* ---- One round --------------------------------------------------------------------------------------------------- */

/* The round in which the terms with this hash are merged, and the rank that owns them; both ascend with the hash. */
static int64_t round_of(const merge *m, uint64_t hash, int *owner)
{
    const unsigned __int128 place = (unsigned __int128)hash * (uint64_t)m->rounds;
    *owner = (int)(((unsigned __int128)(uint64_t)place * (unsigned)m->P) >> 64);
    return (int64_t)(place >> 64);
}

static dc_status pack_round(merge *m, int64_t round)
{
    dc_status st = DC_OK;
    int owner;
    m->send.n = 0;
    memset(m->send_counts, 0, (size_t)m->P * sizeof *m->send_counts);
    while (m->has_ahead && round_of(m, m->ahead.hash, &owner) == round) {
        char head[SENT_HEAD];
        const uint16_t n = (uint16_t)m->ahead.n;
        memcpy(head, &m->ahead.hash, 8);
        memcpy(head + 8, &m->ahead.df, 8);
        memcpy(head + 16, &m->ahead.tf, 8);
        memcpy(head + 24, &n, 2);
        DC_TRY(add(&m->send, head, sizeof head));
        DC_TRY(add(&m->send, m->ahead.term, n));
        m->send_counts[owner] += sizeof head + n;
        DC_TRY(dc_tally_next(m->c->counts, &m->ahead, &m->has_ahead));
    }
out:
    return st;
}

static int by_hash(const void *a, const void *b)
{
    return dc_term_order(a, b);
}

/* Reads what came from all ranks into m->terms, in dc_term_order(). */
static dc_status unpack_round(merge *m, size_t *count)
{
    size_t all = 0, n = 0;
    for (int r = 0; r < m->P; r++) all += m->recv_counts[r];
    if (all / SENT_HEAD + 1 > m->room) {
        m->room = all / SENT_HEAD + 1;
        dc_mem_free(&m->terms);
        const dc_status st = dc_mem_alloc_raw(&m->terms, m->room, sizeof *m->terms, "words");
        if (st != DC_OK) return st;
    }
    for (const char *p = m->recv, *end = m->recv + all; p < end; n++) {
        uint16_t length;
        dc_term_count *t = &m->terms[n];
        memcpy(&t->hash, p, 8);
        memcpy(&t->df, p + 8, 8);
        memcpy(&t->tf, p + 16, 8);
        memcpy(&length, p + 24, 2);
        t->n = length;
        t->term = p + SENT_HEAD;
        p += SENT_HEAD + length;
    }
    if (m->P > 1) qsort(m->terms, n, sizeof *m->terms, by_hash);
    *count = n;
    return DC_OK;
}

static dc_status keep(merge *m, const dc_term_count *t)
{
    char head[KEPT_HEAD];
    const uint16_t n = (uint16_t)t->n;
    m->n_terms++;
    if ((double)t->df < m->low || (double)t->df > m->high) return DC_OK;
    memcpy(head, &t->df, 8);
    memcpy(head + 8, &t->tf, 8);
    memcpy(head + 16, &n, 2);
    const dc_status st = add(&m->kept, head, sizeof head);
    m->n_kept++;
    return st == DC_OK ? add(&m->kept, t->term, n) : st;
}

static dc_status merge_round(merge *m)
{
    dc_status st = DC_OK;
    size_t n = 0;
    DC_TRY(unpack_round(m, &n));
    for (size_t i = 0; i < n;) {
        dc_term_count t = m->terms[i];
        for (i++; i < n && dc_term_order(&t, &m->terms[i]) == 0; i++) {
            t.df += m->terms[i].df;
            t.tf += m->terms[i].tf;
        }
        DC_TRY(keep(m, &t));
    }
out:
    return st;
}

/* ---- What is kept ------------------------------------------------------------------------------------------------ */

static int by_term(const void *a, const void *b)
{
    const kept_term *x = a, *y = b;
    const int order = memcmp(x->term, y->term, DC_MIN(x->n, y->n));
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* The most frequent first; of equally frequent ones the first in the alphabet. */
static int by_frequency(const void *a, const void *b)
{
    const kept_term *x = a, *y = b;
    return x->tf != y->tf ? (x->tf < y->tf) - (x->tf > y->tf) : by_term(a, b);
}

static dc_status list_kept(const char *p, size_t bytes, size_t count, kept_term **out)
{
    const char *end = p + bytes;
    const dc_status st = dc_mem_alloc_raw(out, DC_MAX(count, (size_t)1), sizeof **out, "words");
    if (st != DC_OK) return st;
    for (size_t i = 0; p < end; i++) {
        uint16_t n;
        kept_term *t = &(*out)[i];
        memcpy(&t->df, p, 8);
        memcpy(&t->tf, p + 8, 8);
        memcpy(&n, p + 16, 2);
        t->n = n;
        t->term = p + KEPT_HEAD;
        p += KEPT_HEAD + n;
    }
    return DC_OK;
}

/* With --max-features: forgets all but the most frequent terms of this rank; they alone can be among those of all. */
static dc_status prune(merge *m)
{
    dc_status st = DC_OK;
    kept_term *list = NULL;
    buffer left = {0};
    const int64_t most = m->c->v.max_features;
    if (most == 0 || m->n_kept <= most) return DC_OK;
    DC_TRY(list_kept(m->kept.p, m->kept.n, (size_t)m->n_kept, &list));
    qsort(list, (size_t)m->n_kept, sizeof *list, by_frequency);
    for (int64_t i = 0; i < most; i++) DC_TRY(add(&left, list[i].term - KEPT_HEAD, KEPT_HEAD + list[i].n));
    dc_mem_free(&m->kept.p);
    m->kept = left;
    left.p = NULL;
    m->n_kept = most;
out:
    dc_mem_free(&list);
    dc_mem_free(&left.p);
    return st;
}

static dc_status check_room(dc_comm *comm, merge *m)
{
    int64_t sums[2] = {(int64_t)m->kept.n, m->n_kept};
    dc_ranks_sum(comm, sums, 2);
    if (sums[0] <= VOCABULARY_BYTES) return DC_OK;
    return DC_FAIL(DC_ERR_MEMORY,
                   "the vocabulary has more than %lld terms, too many for the %d MiB that a rank has for it: say "
                   "--min-df with a larger number, --max-features or --hashing",
                   (long long)sums[1], VOCABULARY_BYTES >> 20);
}

static dc_status run_rounds(dc_comm *comm, merge *m)
{
    dc_status st = DC_OK;
    for (int64_t round = 0; round < m->rounds; round++) {
        DC_TRY_RANKS(comm, pack_round(m, round));
        DC_TRY(dc_ranks_exchange(comm, m->send.p, m->send_counts, &m->recv, &m->recv_room, m->recv_counts));
        DC_TRY_RANKS(comm, merge_round(m));
        if (m->c->v.max_features > 0)
            DC_TRY_RANKS(comm, m->n_kept > 2 * m->c->v.max_features ? prune(m) : DC_OK); /* ranks own unequal numbers */
        DC_TRY(check_room(comm, m));
        dc_heartbeat();
        DC_TRY_RANKS(comm, m->rank == 0 ? dc_lock_beat(m->c->out.claim.lock) : DC_OK);
        DC_TRY(dc_ranks_poll_stop(comm));
    }
out:
    return st;
}

/* ---- The vocabulary ---------------------------------------------------------------------------------------------- */

static dc_status make_vocabulary(merge *m, const char *all, size_t bytes, int64_t count)
{
    dc_status st = DC_OK;
    dc_corpus *c = m->c;
    kept_term *list = NULL;
    char *text = NULL;
    int64_t *df = NULL, D = count;
    double *idf = NULL;
    size_t used = 0;
    DC_TRY(list_kept(all, bytes, (size_t)count, &list));
    if (c->v.max_features > 0 && count > c->v.max_features) {
        qsort(list, (size_t)count, sizeof *list, by_frequency);
        D = c->v.max_features;
    }
    qsort(list, (size_t)D, sizeof *list, by_term);
    DC_TRY(dc_mem_alloc_raw(&text, bytes + 1, 1, "vocabulary"));
    DC_TRY(dc_mem_alloc_raw(&df, (size_t)D, sizeof *df, "vocabulary"));
    if (c->v.use_idf) DC_TRY(dc_mem_alloc_raw(&idf, (size_t)D, sizeof *idf, "vocabulary"));
    for (int64_t i = 0; i < D; i++) {
        memcpy(text + used, list[i].term, list[i].n);
        used += list[i].n;
        text[used++] = i + 1 < D ? '\n' : '\0';
        df[i] = list[i].df;
    }
    if (idf) dc_idf(df, D, c->N, c->v.smooth_idf, idf);
    st = dc_vocabulary_make(&c->voc, D, text, df, idf);
    text = NULL, df = NULL, idf = NULL;
out:
    dc_mem_free(&list);
    dc_mem_free(&text);
    dc_mem_free(&df);
    dc_mem_free(&idf);
    return st;
}

static dc_status check_terms(const merge *m, int64_t kept, int64_t terms)
{
    if (terms == 0)
        return DC_FAIL(DC_ERR_DATA, "%s: no document has a word: two or more letters or digits, and not a stop word",
                       m->c->cfg->inputs[0]);
    if (kept > 0) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "none of the %lld terms is in %g to %g documents, as --min-df and --max-df want: lower --min-df or "
                   "raise --max-df",
                   (long long)terms, m->low, m->high);
}

static dc_status gather(dc_comm *comm, merge *m)
{
    dc_status st = DC_OK;
    char *all = NULL;
    size_t bytes;
    int64_t sums[2];
    DC_TRY_RANKS(comm, prune(m));
    sums[0] = m->n_kept, sums[1] = m->n_terms;
    dc_ranks_sum(comm, sums, 2);
    DC_TRY(check_terms(m, sums[0], sums[1]));
    DC_TRY(dc_ranks_collect(comm, m->kept.p, m->kept.n, m->recv_counts, &all, &bytes));
    dc_mem_free(&m->kept.p);
    DC_TRY_RANKS(comm, make_vocabulary(m, all, bytes, sums[0]));
out:
    dc_mem_free(&all);
    return st;
}

static dc_status start(merge *m)
{
    dc_status st = DC_OK;
    const dc_vectorizer *v = &m->c->v;
    m->low = dc_df_bound_count(&v->min_df, m->c->N);
    m->high = dc_df_bound_count(&v->max_df, m->c->N);
    if (m->high < m->low)
        return DC_FAIL(DC_ERR_USAGE, "--max-df allows at most %g documents, but --min-df wants at least %g", m->high,
                       m->low);
    DC_TRY(dc_mem_alloc(&m->send_counts, (size_t)m->P, sizeof *m->send_counts, "sizes"));
    DC_TRY(dc_mem_alloc(&m->recv_counts, (size_t)m->P, sizeof *m->recv_counts, "sizes"));
    DC_TRY(dc_tally_finish(m->c->counts));
    DC_TRY(dc_tally_next(m->c->counts, &m->ahead, &m->has_ahead));
out:
    return st;
}

dc_status dc_corpus_merge(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    merge m = {.c = c, .rank = dc_ranks_rank(comm), .P = dc_ranks_size(comm)};
    DC_TRY_RANKS(comm, start(&m));
    m.rounds = dc_tally_bytes(c->counts) / ROUND_BYTES + 1;
    dc_ranks_max(comm, &m.rounds, 1);
    DC_TRY(run_rounds(comm, &m));
    dc_tally_destroy(&c->counts);
    DC_TRY(gather(comm, &m));
out:
    dc_mem_free(&m.send.p);
    dc_mem_free(&m.kept.p);
    dc_mem_free(&m.send_counts);
    dc_mem_free(&m.recv_counts);
    dc_mem_free(&m.recv);
    dc_mem_free(&m.terms);
    return st;
}
