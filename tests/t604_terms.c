/* Class-based TF-IDF and coherence: those of scikit-learn and gensim's formula (tests/golden/topics.txt), of dense and
 * of sparse rows; many columns, which take several passes, against a plain computation in double; the same bits on one
 * rank; rows that no terms can be made of; a stop. ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include "golden/golden.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/csr.h"
#include "dcmpi/signals.h"
#include "dcmpi/topics.h"
#include "dcmpi/wish.h"
#include "ref/topics_ref.h"
#include "t6_help.h"

enum { N = 150, D = 60, K = 5, M = 12, SHARDS = 8 };

static dc_comm *comm;

/* This rank's rows of X [n x d], dense or as CSR. */
typedef struct {
    dc_part part;
    dc_rows rows;
    dc_csr csr;
    int64_t *ptr;
    int32_t *col;
    float *val;
} own_rows;

static void own_release(own_rows *o)
{
    free(o->ptr);
    free(o->col);
    free(o->val);
}

static own_rows own_of(dc_comm *c, const float *X, int64_t n, int64_t d, bool sparse)
{
    own_rows o = {0};
    int64_t used = 0;
    CHECK_OK(dc_part_init(&o.part, n, SHARDS, dc_comm_size(c), dc_comm_rank(c)));
    const int64_t rows = dc_part_rows(&o.part);
    const float *x = X + o.part.row_lo * d;
    o.ptr = t6_alloc(rows + 1, sizeof *o.ptr);
    o.col = t6_alloc(rows * d, sizeof *o.col);
    o.val = t6_alloc(rows * d, sizeof *o.val);
    for (int64_t i = 0; i < rows * d; i++) {
        if (x[i] != 0) {
            o.col[used] = (int32_t)(i % d);
            o.val[used++] = x[i];
        }
        o.ptr[i / d + 1] = used;
    }
    o.csr = (dc_csr){.n = rows, .D = d, .ptr = o.ptr, .col = o.col, .val = o.val};
    o.rows = (dc_rows){.d = d, .X = sparse ? NULL : x};
    return o;
}

/* Pointers into a struct that was copied. */
static const dc_rows *rows_of(own_rows *o)
{
    o->rows.part = &o->part;
    o->rows.csr = o->rows.X ? NULL : &o->csr;
    return &o->rows;
}

static void golden(const char *name, bool sparse)
{
    char array[64];
    double label_read[N], columns[K * M], weight[K * M], rows_read[K * M], coherence[K], sum = 0;
    int32_t label[N];
    dc_topics t = {0};
    float *X = t6_alloc(N * D, sizeof *X);
    printf("# %s, %s\n", name, sparse ? "sparse" : "dense");
    CHECK(golden_read_f32("topics.txt", name, X, N * D));
    CHECK(golden_read("topics.txt", "label", label_read, N));
    snprintf(array, sizeof array, "%s/columns", name);
    CHECK(golden_read("topics.txt", array, columns, K * M));
    snprintf(array, sizeof array, "%s/c_tfidf", name);
    CHECK(golden_read("topics.txt", array, weight, K * M));
    snprintf(array, sizeof array, "%s/rows", name);
    CHECK(golden_read("topics.txt", array, rows_read, K * M));
    snprintf(array, sizeof array, "%s/coherence", name);
    CHECK(golden_read("topics.txt", array, coherence, K));
    for (int i = 0; i < N; i++) label[i] = (int32_t)label_read[i];
    own_rows o = own_of(comm, X, N, D, sparse);
    CHECK_OK(dc_topics_terms(comm, rows_of(&o), label + o.part.row_lo, K, M, &t));
    bool same = true;
    for (int i = 0; i < K * M; i++)
        same = same && t.column[i] == (int64_t)columns[i] && t.term_rows[i] == (int64_t)rows_read[i];
    CHECK(same);
    CHECK_ARRAY_NEAR(t.weight, weight, K * M, 1e-13);
    CHECK_ARRAY_NEAR(t.coherence, coherence, K, 1e-13);
    for (int k = 0; k < K; k++) sum += coherence[k] / K;
    CHECK_NEAR(t.mean_coherence, sum, 1e-13);
    dc_topics_release(&t);
    own_release(&o);
    free(X);
}

static bool same_topics(const dc_topics *a, const dc_topics *b)
{
    const size_t n = (size_t)(a->K * a->terms);
    return a->K == b->K && a->terms == b->terms && memcmp(a->column, b->column, n * sizeof *a->column) == 0 &&
           memcmp(a->weight, b->weight, n * sizeof *a->weight) == 0 &&
           memcmp(a->term_rows, b->term_rows, n * sizeof *a->term_rows) == 0 &&
           memcmp(a->coherence, b->coherence, (size_t)a->K * sizeof *a->coherence) == 0;
}

/* The same bits as on one rank, and the numbers of a plain computation. */
static void compare(const char *what, const float *X, const int32_t *label, int64_t n, int64_t d, int64_t k, int64_t m)
{
    dc_topics t = {0}, one = {0}, dense = {0};
    struct dc_comm solo = t6_solo(comm);
    printf("# %s\n", what);
    own_rows mine = own_of(comm, X, n, d, true), all = own_of(&solo, X, n, d, true),
             full = own_of(comm, X, n, d, false);
    CHECK_OK(dc_topics_terms(comm, rows_of(&mine), label + mine.part.row_lo, k, m, &t));
    CHECK_OK(dc_topics_terms(&solo, rows_of(&all), label, k, m, &one));
    CHECK_OK(dc_topics_terms(comm, rows_of(&full), label + full.part.row_lo, k, m, &dense));
    CHECK(same_topics(&t, &one));
    CHECK(same_topics(&dense, &one));
    double *weight = t6_alloc(k * d, sizeof *weight);
    ref_class_tfidf(X, label, n, d, k, weight);
    bool ordered = true, right = true, there = true, best = true;
    for (int64_t i = 0; i < k * m; i++) {
        const double *w = weight + i / m * d;
        int64_t positive = 0, better = 0; /* columns that could be listed, or should have been */
        for (int64_t c = 0; c < d; c++) {
            positive += w[c] > 0;
            better += w[c] > t.weight[i] * (1 + 1e-11);
        }
        there = there && (t.column[i] >= 0) == (i % m < positive);
        if (t.column[i] < 0) continue;
        right = right && fabs(w[t.column[i]] - t.weight[i]) <= 1e-11 * w[t.column[i]];
        best = best && better <= i % m;
        ordered = ordered && (i % m == 0 || t.weight[i] <= t.weight[i - 1]);
    }
    CHECK(ordered && right && there && best);
    free(weight);
    dc_topics_release(&t);
    dc_topics_release(&one);
    dc_topics_release(&dense);
    own_release(&mine);
    own_release(&all);
    own_release(&full);
}

static void draw(float *X, int32_t *label, int64_t n, int64_t d, int64_t k, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t w[4];
        dc_rng4(seed, DC_STREAM_TEST, 1, (uint64_t)i, w);
        label[i] = (int32_t)(w[0] % (uint32_t)k);
        for (int64_t j = 0; j < 30; j++) {
            dc_rng4(seed, DC_STREAM_TEST, 2, (uint64_t)(i * 30 + j), w);
            const int64_t c = (int64_t)(w[0] % 3 ? w[1] % (uint32_t)d : w[1] % 40 + (uint32_t)label[i]) % d;
            X[i * d + c] += (float)(w[2] % 1000) * 1e-3F;
        }
    }
}

static void plain(void)
{
    enum { ROWS = 70, WIDE = 70000, MANY = 130 };
    float *X = t6_alloc((int64_t)ROWS * WIDE, sizeof *X);
    int32_t label[ROWS];
    draw(X, label, ROWS, WIDE, MANY, 5);
    compare("more columns than a pass takes, clusters without rows", X, label, ROWS, WIDE, MANY, 15);
    memset(X, 0, (size_t)ROWS * WIDE * sizeof *X);
    draw(X, label, ROWS, 7, 3, 6);
    compare("fewer columns than terms", X, label, ROWS, 7, 3, 15);
    compare("one cluster", X, memset(label, 0, sizeof label), ROWS, 7, 1, 1);
    for (int64_t i = 0; i < ROWS * 7; i++) X[i] *= 1e36F;
    compare("huge values", X, label, ROWS, 7, 1, 5);
    for (int64_t i = 0; i < ROWS * 7; i++) X[i] *= 1e-36F * 1e-30F;
    compare("tiny values", X, label, ROWS, 7, 1, 5);
    memset(X, 0, (size_t)ROWS * 7 * sizeof *X);
    compare("no words at all", X, label, ROWS, 7, 3, 5);
    compare("fewer rows than ranks", X, label, 1, 7, 3, 5);
    free(X);
}

/* Factors of columns and rows count: the values are those that the accessor gives. */
static void factors(void)
{
    enum { ROWS = 9, COLUMNS = 6 };
    float X[ROWS * COLUMNS], Y[ROWS * COLUMNS], scale[COLUMNS], row_scale[ROWS];
    int32_t label[ROWS];
    dc_topics t = {0}, plain_ = {0};
    for (int i = 0; i < ROWS; i++) label[i] = i % 2, row_scale[i] = (float)(1 + i);
    for (int c = 0; c < COLUMNS; c++) scale[c] = (float)(1 << c);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        X[i] = (float)(i * 7 % 5);
        Y[i] = X[i] * scale[i % COLUMNS] * row_scale[i / COLUMNS];
    }
    own_rows o = own_of(comm, X, ROWS, COLUMNS, true), p = own_of(comm, Y, ROWS, COLUMNS, true);
    o.csr.scale = scale;
    o.csr.row_scale = row_scale + o.part.row_lo;
    CHECK_OK(dc_topics_terms(comm, rows_of(&o), label + o.part.row_lo, 2, 4, &t));
    CHECK_OK(dc_topics_terms(comm, rows_of(&p), label + p.part.row_lo, 2, 4, &plain_));
    CHECK(same_topics(&t, &plain_));
    dc_topics_release(&t);
    dc_topics_release(&plain_);
    own_release(&o);
    own_release(&p);
}

static void refused(void)
{
    const float bad[] = {-1e-3F, NAN, INFINITY};
    float X[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int32_t label[4] = {0, 1, 0, 1};
    for (size_t i = 0; i < DC_COUNT_OF(bad); i++) {
        dc_topics t = {0};
        X[7] = bad[i];
        own_rows o = own_of(comm, X, 4, 2, i == 1);
        CHECK_STATUS(dc_topics_terms(comm, rows_of(&o), label + o.part.row_lo, 2, 3, &t), DC_ERR_DATA);
        CHECK_TEXT_HAS(dc_error_text(), "1 rows have negative values");
        dc_topics_release(&t);
        own_release(&o);
    }
    CHECK(dc_topics_fit(20, 1000000) && dc_topics_fit(1000, 1000000) && !dc_topics_fit(5000, 1000000));
    CHECK(!dc_topics_fit(1 << 23, 10));
}

/* A stop that one rank wishes ends the search on all. Last: the wish stays. */
static void stopped(void)
{
    const float X[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int32_t label[4] = {0, 1, 0, 1};
    dc_wish *wish = NULL;
    dc_topics t = {0};
    CHECK_OK(dc_wish_create(comm, &wish, &(dc_wish_config){0}));
    dc_comm_set_wish(comm, wish);
    const bool last = dc_comm_rank(comm) == dc_comm_size(comm) - 1;
    if (last) kill(getpid(), SIGUSR1);
    for (int i = 0; last && i < 5000 && dc_signals_stops() == 0; i++) usleep(1000);
    own_rows o = own_of(comm, X, 4, 2, true);
    CHECK_STATUS(dc_topics_terms(comm, rows_of(&o), label + o.part.row_lo, 2, 3, &t), DC_STOPPED);
    dc_topics_release(&t);
    own_release(&o);
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
}

int main(void)
{
    dc_signals_install();
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    const uint64_t live = dc_mem_live_count();
    for (int sparse = 0; sparse < 2; sparse++) {
        golden("x", sparse);
        golden("weights", sparse);
    }
    plain();
    factors();
    refused();
    stopped();
    CHECK_INT(dc_mem_live_count(), live);
    return check_done_all(&comm);
}
