/* Class-based TF-IDF and coherence. The sums of K x D words are made for a few columns at a time, so that memory stays
 * small whatever D is; each pass keeps the best terms so far. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/beat.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "topics_impl.h"

/* Sums of a pass, and passes that are worth their time. */
enum { CELLS = 1 << 22, PASSES_MAX = 256 };
/* The sums of all rows stay below this power of two. */
enum { SUM_BITS = 61 };
static const double EPSILON = 1e-12;

static int64_t columns_at_a_time(int64_t K, int64_t D)
{
    return DC_MIN(D, DC_MAX(CELLS / DC_MAX(K, (int64_t)1), (int64_t)1));
}

bool dc_topics_fit(int64_t K, int64_t D)
{
    const int64_t width = columns_at_a_time(K, D);
    return K <= CELLS && (D + width - 1) / width <= PASSES_MAX;
}

typedef struct {
    dc_comm *comm;
    dc_words words;
    const int32_t *label;
    int64_t D, width;
    double scale;
    int64_t *total; /* [K] */
    double average; /* of the totals of clusters that have words */
    int64_t *sum;   /* [K x width] */
    dc_topics *out;
} work;

static void release(work *w)
{
    dc_mem_free(&w->words.buffer);
    dc_mem_free(&w->total);
    dc_mem_free(&w->sum);
}

static dc_status make(work *w, int64_t K, int64_t m)
{
    dc_status st = DC_OK;
    const dc_rows *rows = w->words.rows;
    const size_t n = dc_mul_size((size_t)K, (size_t)m), threads = (size_t)omp_get_max_threads();
    if (!rows->X && !rows->csr)
        DC_TRY(dc_mem_alloc(&w->words.buffer, threads, (size_t)w->D * sizeof(float), "words of a row"));
    DC_TRY(dc_mem_alloc(&w->total, (size_t)K, sizeof *w->total, "words of clusters"));
    DC_TRY(dc_mem_alloc(&w->sum, dc_mul_size((size_t)K, (size_t)w->width), sizeof *w->sum, "sums of words"));
    DC_TRY(dc_mem_alloc(&w->out->column, n, sizeof(int64_t), "terms"));
    DC_TRY(dc_mem_alloc(&w->out->weight, n, sizeof(double), "terms"));
    DC_TRY(dc_mem_alloc(&w->out->term_rows, n, sizeof(int64_t), "terms"));
    DC_TRY(dc_mem_alloc(&w->out->coherence, (size_t)K, sizeof(double), "coherence"));
    for (size_t i = 0; i < n; i++) w->out->column[i] = -1;
out:
    return st;
}

/* Chooses the fixed point: as fine as the sum of all rows allows. Counts stay exact. */
static dc_status choose_scale(work *w)
{
    int exponent;
    dc_words_range r = dc_words_range_local(&w->words);
    dc_comm_sum_i64(w->comm, &r.bad, 1);
    dc_comm_max_f64(w->comm, &r.largest, 1);
    if (r.bad)
        return DC_FAIL(DC_ERR_DATA, "%lld rows have negative values or infinity; terms need counts or weights",
                       (long long)r.bad);
    (void)frexp(r.largest * (double)w->words.rows->part->N, &exponent);
    w->scale = r.largest > 0 ? ldexp(1, SUM_BITS - exponent) : 1;
    return DC_OK;
}

static void add_totals(work *w)
{
    int64_t used = 0;
    double sum = 0;
    dc_words_total_local(&w->words, w->label, w->scale, w->total);
    dc_comm_sum_i64(w->comm, w->total, (size_t)w->out->K);
    for (int64_t k = 0; k < w->out->K; k++) {
        used += w->total[k] > 0;
        sum += (double)w->total[k];
    }
    w->average = used ? sum / (double)used : 0;
}

/* Enters a term into the sorted list of a cluster. Columns come in ascending order, so an earlier one wins a tie. */
static void enter(dc_topics *t, int64_t k, int64_t column, double weight)
{
    int64_t *c = t->column + k * t->terms, i = t->terms - 1;
    double *v = t->weight + k * t->terms;
    if (c[i] >= 0 && !(weight > v[i])) return;
    for (; i > 0 && (c[i - 1] < 0 || weight > v[i - 1]); i--) {
        c[i] = c[i - 1];
        v[i] = v[i - 1];
    }
    c[i] = column;
    v[i] = weight;
}

static void rank_columns(const work *w, int64_t c0, int64_t c1)
{
    const int64_t K = w->out->K, width = c1 - c0;
    for (int64_t c = 0; c < width; c++) {
        double f = 0;
        for (int64_t k = 0; k < K; k++) f += (double)w->sum[k * width + c];
        if (!(f > 0)) continue;
        const double idf = log1p(w->average / f);
        for (int64_t k = 0; k < K; k++) {
            const int64_t s = w->sum[k * width + c];
            if (s > 0) enter(w->out, k, c0 + c, (double)s / (double)w->total[k] * idf);
        }
    }
}

static dc_status rank_terms(work *w)
{
    dc_status st = DC_OK;
    for (int64_t c0 = 0; c0 < w->D; c0 += w->width) {
        const int64_t c1 = DC_MIN(c0 + w->width, w->D);
        const size_t cells = (size_t)(w->out->K * (c1 - c0));
        memset(w->sum, 0, cells * sizeof *w->sum);
        dc_beat_at("topics", c0);
        dc_words_sum_local(&w->words, w->label, c0, c1, w->scale, w->sum);
        dc_comm_sum_i64(w->comm, w->sum, cells);
        rank_columns(w, c0, c1);
        DC_TRY(dc_wish_poll_stop(w->comm));
    }
out:
    return st;
}

/* ---- Coherence --------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_terms terms;
    int64_t *pair;  /* [n_pairs] slots of the pairs, the lower one times 2^32 plus the other, ascending */
    int64_t *count; /* [n + n_pairs] rows of terms, rows of pairs */
    int64_t n_pairs;
} counting;

static void counting_release(counting *c)
{
    dc_mem_free(&c->terms.slot);
    dc_mem_free(&c->terms.pair_start);
    dc_mem_free(&c->terms.partner);
    dc_mem_free(&c->terms.present);
    dc_mem_free(&c->terms.found);
    dc_mem_free(&c->pair);
    dc_mem_free(&c->count);
}

/* Numbers the columns that are terms. */
static void number_terms(dc_terms *t, const dc_topics *out)
{
    for (int64_t c = 0; c < t->D; c++) t->slot[c] = -1;
    for (int64_t i = 0; i < out->K * out->terms; i++)
        if (out->column[i] >= 0 && t->slot[out->column[i]] < 0) t->slot[out->column[i]] = (int32_t)t->n++;
}

static int64_t pair_of(const dc_terms *t, int64_t a, int64_t b)
{
    const int64_t s = t->slot[a], r = t->slot[b];
    return (DC_MIN(s, r) << 32) + DC_MAX(s, r);
}

static int compare_pairs(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Lists the pairs of the first terms of all clusters, each once. */
static void list_pairs(counting *c, const dc_topics *out)
{
    const int64_t most = DC_MIN(out->terms, (int64_t)DC_TOPIC_COHERENCE_TERMS);
    int64_t n = 0, kept = 0;
    for (int64_t k = 0; k < out->K; k++) {
        const int64_t *column = out->column + k * out->terms;
        for (int64_t b = 1; b < most && column[b] >= 0; b++)
            for (int64_t a = 0; a < b; a++) c->pair[n++] = pair_of(&c->terms, column[a], column[b]);
    }
    if (n > 0) qsort(c->pair, (size_t)n, sizeof *c->pair, compare_pairs);
    for (int64_t i = 0; i < n; i++)
        if (kept == 0 || c->pair[kept - 1] != c->pair[i]) c->pair[kept++] = c->pair[i];
    c->n_pairs = kept;
}

static dc_status counting_make(counting *c, const work *w)
{
    dc_status st = DC_OK;
    const size_t K = (size_t)w->out->K, threads = (size_t)omp_get_max_threads();
    dc_terms *t = &c->terms;
    t->D = w->D;
    DC_TRY(dc_mem_alloc(&t->slot, (size_t)w->D, sizeof *t->slot, "slots of terms"));
    DC_TRY(dc_mem_alloc(&c->pair, dc_mul_size(K, DC_TOPIC_PAIRS), sizeof *c->pair, "pairs of terms"));
    number_terms(t, w->out);
    list_pairs(c, w->out);
    const size_t n = (size_t)t->n, pairs = (size_t)c->n_pairs;
    DC_TRY(dc_mem_alloc(&t->pair_start, n + 1, sizeof *t->pair_start, "pairs of terms"));
    DC_TRY(dc_mem_alloc(&t->partner, pairs, sizeof *t->partner, "pairs of terms"));
    DC_TRY(dc_mem_alloc(&t->present, threads, n, "terms of a row"));
    DC_TRY(dc_mem_alloc(&t->found, threads, dc_mul_size((size_t)w->D, sizeof *t->found), "terms of a row"));
    DC_TRY(dc_mem_alloc(&c->count, n + pairs, sizeof *c->count, "rows of terms"));
    for (size_t p = 0; p < pairs; p++) {
        t->pair_start[(c->pair[p] >> 32) + 1]++;
        t->partner[p] = (int32_t)(c->pair[p] & UINT32_MAX);
    }
    for (size_t s = 0; s < n; s++) t->pair_start[s + 1] += t->pair_start[s];
out:
    return st;
}

/* Rows that have both of two terms. */
static int64_t rows_of_both(const counting *c, int64_t a, int64_t b)
{
    const int64_t wanted = pair_of(&c->terms, a, b);
    int64_t lo = 0, hi = c->n_pairs; /* pair[lo] <= wanted */
    while (hi - lo > 1) {
        const int64_t middle = lo + (hi - lo) / 2;
        if (c->pair[middle] <= wanted)
            lo = middle;
        else
            hi = middle;
    }
    return c->count[c->terms.n + lo];
}

static double npmi(int64_t a, int64_t b, int64_t both, int64_t N)
{
    const double n = (double)N, p = (double)both / n;
    if (both == N) return 0;
    return log((p + EPSILON) / ((double)a / n * ((double)b / n))) / -log(p + EPSILON);
}

static double coherence_of(const counting *c, const dc_topics *t, int64_t k, int64_t N)
{
    const int64_t *column = t->column + k * t->terms;
    const int64_t most = DC_MIN(t->terms, (int64_t)DC_TOPIC_COHERENCE_TERMS);
    double sum = 0;
    int64_t n = 0;
    for (int64_t b = 1; b < most && column[b] >= 0; b++)
        for (int64_t a = 0; a < b; a++, n++)
            sum += npmi(c->count[c->terms.slot[column[a]]], c->count[c->terms.slot[column[b]]],
                        rows_of_both(c, column[a], column[b]), N);
    return n ? sum / (double)n : NAN;
}

static void take_coherence(const counting *c, dc_topics *t, int64_t N)
{
    double sum = 0;
    int64_t known = 0;
    for (int64_t i = 0; i < t->K * t->terms; i++)
        if (t->column[i] >= 0) t->term_rows[i] = c->count[c->terms.slot[t->column[i]]];
    for (int64_t k = 0; k < t->K; k++) {
        t->coherence[k] = coherence_of(c, t, k, N);
        if (!isfinite(t->coherence[k])) continue;
        sum += t->coherence[k];
        known++;
    }
    t->mean_coherence = known ? sum / (double)known : NAN;
}

static dc_status find_coherence(work *w)
{
    dc_status st = DC_OK;
    counting c = {0};
    DC_TRY_ALL(w->comm, counting_make(&c, w));
    dc_terms_count_local(&w->words, &c.terms, c.count, c.count + c.terms.n);
    dc_comm_sum_i64(w->comm, c.count, (size_t)(c.terms.n + c.n_pairs));
    take_coherence(&c, w->out, w->words.rows->part->N);
    DC_TRY(dc_wish_poll_stop(w->comm));
out:
    counting_release(&c);
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

dc_status dc_topics_terms(dc_comm *comm, const dc_rows *words, const int32_t *label, int64_t K, int64_t m,
                          dc_topics *out)
{
    dc_status st = DC_OK;
    work w = {.comm = comm, .words = {.rows = words}, .label = label, .D = words->d, .out = out};
    w.width = columns_at_a_time(K, w.D);
    out->K = K;
    out->terms = m;
    DC_TRY_ALL(comm, make(&w, K, m));
    DC_TRY(choose_scale(&w));
    add_totals(&w);
    DC_TRY(rank_terms(&w));
    dc_mem_free(&w.sum);
    DC_TRY(find_coherence(&w));
out:
    release(&w);
    return st;
}

double dc_topics_terms_bytes(int64_t K, int64_t D, int64_t m, int threads)
{
    const double k = (double)K, d = (double)D, lists = k * (double)m, sums = 8 * k * (double)columns_at_a_time(K, D);
    const double terms = fmin(d, lists), all = k * DC_TOPIC_PAIRS, pairs = fmin(all, terms * terms / 2);
    const double counts = 4 * d + 8 * all + 16 * terms + 12 * pairs + omp_get_max_threads() * (terms + 4 * d);
    return sizeof(float) * d * threads + 8 * k + 24 * lists + 8 * k + fmax(sums, counts);
}
