/* predict gives a row the same bits as the embedder of the training run, in pieces of any size and, with oneDNN, at any
 * place among other rows. Nearest centres against their naive twin. Seed 1. ranks: 1 2 3 5
 * threads: 1 2 */
#include "check.h"
#include "dcmpi/rng.h"
#include "dcmpi/train.h"
#include "method_keys.h"
#include "ref/cluster_ref.h"

enum { D = 601, L = 5, K = 7, SHARDS = 16, MAX_ROWS = 3000 };

static dc_comm *comm;
static float shift[D], scale[D], centers[K * L];
static dc_timers timers;

static void fill(float *x, size_t n, uint64_t index)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t w[4];
        dc_rng4(1, DC_STREAM_TEST, index, i, w);
        x[i] = (float)(2 * dc_rng_unit(w[0]) - 1);
    }
}

static dc_part part_of(dc_gidx N, int shards)
{
    dc_part part;
    if (dc_part_init(&part, N, shards, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return part;
}

/* Rows [lo, lo + n), taken `stride` apart from the endless matrix that all tests use. */
static void make_rows(float *X, dc_gidx lo, int64_t n, int64_t stride, int64_t N)
{
    for (int64_t i = 0; i < n; i++) fill(X + i * D, D, (uint64_t)((lo + i) * stride % N) + 10);
}

static void make_model(dc_trained *t, const dc_part *part)
{
    const int64_t hidden[] = {29, 130};
    *t = (dc_trained){.has_method = true,
                      .D = D,
                      .K = K,
                      .width = L,
                      .shards = part->V,
                      .range = {-INFINITY, INFINITY},
                      .method = "dec",
                      .keys = method_keys(dc_method_find("dec"), ""),
                      .tile_rows = dc_embed_tile_rows(part),
                      .shift = shift,
                      .scale = scale};
    dc_net net;
    CHECK_OK(dc_net_init(&net, D, hidden, 2, L, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    dc_slab_init(&t->slab, &net);
    dc_slab_add(&t->slab, "centers", K, L, true);
    CHECK_OK(dc_mem_alloc(&t->value, t->slab.n, sizeof *t->value, "weights"));
    fill(t->value, net.n_params, 1);
    memcpy(t->value + net.n_params, centers, sizeof centers);
}

/* What a training run does with its rows. */
static void embed_as_training(const dc_trained *t, const dc_part *part, float *X, const dc_embedded *out)
{
    dc_embedder *e = NULL;
    dc_dataset data = {.part = *part, .D = D, .dtype = DC_F32, .X = X, .shift = shift, .scale = scale};
    const dc_method_env env = {.part = part, .K = K, .L = L, .keys = t->keys, .slab = &t->slab, .value = t->value};
    CHECK_OK(dc_embedder_create(&e, dc_method_find(t->method), &env));
    dc_embed(e, &data, &timers, out);
    dc_embedder_destroy(&e);
}

typedef struct {
    float Z[MAX_ROWS * L], confidence[MAX_ROWS];
    int32_t label[MAX_ROWS];
} prediction;

static void predict(const dc_trained *t, const dc_part *part, const float *X, int64_t capacity, prediction *out)
{
    dc_predictor *p = NULL;
    int64_t at = 0, pieces = 0;
    dc_strange_rows strange = {.row = INT64_MAX};
    CHECK_OK(dc_predictor_create(&p, t, part, DC_F32, false, capacity, "rows"));
    const uint64_t allocations = dc_mem_alloc_count();
    for (int64_t n; (n = dc_predictor_next(p)) > 0; at += n, pieces++)
        CHECK_OK(
            dc_predictor_run(p, X + at * D, NULL, out->Z + at * L, out->label + at, out->confidence + at, &strange));
    CHECK_INT(dc_mem_alloc_count(), allocations);
    CHECK_INT(at, dc_part_rows(part));
    CHECK_INT(pieces, dc_predict_pieces(t, part, capacity));
    dc_predictor_destroy(&p);
}

static prediction whole, piecewise, moved;
static float rows[MAX_ROWS * D], trained_Z[MAX_ROWS * L], trained_q[MAX_ROWS * K];
static int32_t trained_label[MAX_ROWS];

static void keep_q(void *ctx, int64_t lo, int64_t n, float *q, int32_t *label)
{
    (void)ctx, (void)label;
    memcpy(trained_q + lo * K, q, (size_t)(n * K) * sizeof *q);
}

static void test_own_rows(dc_gidx N)
{
    const dc_part part = part_of(N, SHARDS);
    const int64_t n = dc_part_rows(&part);
    dc_trained t;
    make_model(&t, &part);
    make_rows(rows, part.row_lo, n, 1, N);
    embed_as_training(&t, &part, rows, &(dc_embedded){.Z = trained_Z, .label = trained_label, .see = keep_q});
    predict(&t, &part, rows, MAX_ROWS, &whole);
    CHECK(memcmp(whole.Z, trained_Z, (size_t)(n * L) * sizeof(float)) == 0);
    CHECK(memcmp(whole.label, trained_label, (size_t)n * sizeof(int32_t)) == 0);
    for (int64_t i = 0; i < n; i++) CHECK(whole.confidence[i] == trained_q[i * K + trained_label[i]]);
    const int64_t capacities[] = {t.tile_rows, t.tile_rows + 1, 301};
    for (size_t i = 0; i < DC_COUNT_OF(capacities); i++) {
        predict(&t, &part, rows, DC_MAX(capacities[i], t.tile_rows), &piecewise);
        CHECK(memcmp(piecewise.Z, whole.Z, (size_t)(n * L) * sizeof(float)) == 0);
        CHECK(memcmp(piecewise.label, whole.label, (size_t)n * sizeof(int32_t)) == 0);
        CHECK(memcmp(piecewise.confidence, whole.confidence, (size_t)n * sizeof(float)) == 0);
    }
    dc_mem_free(&t.value);
}

/* The same rows in another order and in one shard, on one rank. */
static void test_position(dc_gidx N)
{
    dc_part part, other;
    dc_trained t;
    if (dc_part_init(&part, N, SHARDS, 1, 0) != DC_OK || dc_part_init(&other, N, 1, 1, 0) != DC_OK) abort();
    make_model(&t, &part);
    make_rows(rows, 0, N, 1, N);
    predict(&t, &part, rows, MAX_ROWS, &whole);
    make_rows(rows, 0, N, 7, N); /* row i is row 7i mod N of the first order */
    predict(&t, &other, rows, MAX_ROWS, &moved);
    int64_t wrong = 0;
    for (int64_t i = 0; i < N; i++) {
        const int64_t j = i * 7 % N;
        wrong += memcmp(moved.Z + i * L, whole.Z + j * L, L * sizeof(float)) != 0 || moved.label[i] != whole.label[j] ||
                 moved.confidence[i] != whole.confidence[j];
    }
    CHECK_INT(wrong, 0);
    dc_mem_free(&t.value);
}

/* Rows that float cannot hold, embeddings that are not finite, rows unlike those of training. */
static void test_strange_rows(void)
{
    enum { N = 40 };
    dc_part part;
    dc_trained t;
    dc_predictor *p = NULL;
    dc_strange_rows strange = {.row = INT64_MAX};
    if (dc_part_init(&part, N, 1, 1, 0) != DC_OK) abort();
    make_model(&t, &part);
    t.range[0] = -1, t.range[1] = 1;
    make_rows(rows, 0, N, 1, N);
    rows[7 * D + 3] = 100, rows[9 * D + 600] = -1e30F;
    CHECK_OK(dc_predictor_create(&p, &t, &part, DC_F32, false, MAX_ROWS, "rows"));
    CHECK_INT(dc_predictor_next(p), N);
    CHECK_OK(dc_predictor_run(p, rows, NULL, whole.Z, whole.label, whole.confidence, &strange));
    CHECK_INT(strange.count, 2);
    CHECK_INT(strange.row, 7);
    CHECK_INT(strange.column, 3);
    rows[9 * D + 600] = INFINITY;
    CHECK_STATUS(dc_predictor_run(p, rows, NULL, whole.Z, whole.label, whole.confidence, &strange), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "rows: row 9, column 600");
    dc_error_clear();
    make_rows(rows, 0, N, 1, N);
    for (size_t i = 0; i < t.slab.net.n_params; i++) t.value[i] *= 1e30F;
    CHECK_STATUS(dc_predictor_run(p, rows, NULL, whole.Z, whole.label, whole.confidence, &strange), DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "rows: row 0 ");
    dc_error_clear();
    dc_predictor_destroy(&p);
    dc_mem_free(&t.value);
}

static void test_nearest(void)
{
    static float X[300 * D], M[70 * D];
    static int32_t label[300], expected[300];
    fill(X, 300 * D, 2);
    fill(M, 70 * D, 3);
    memcpy(M + 40 * D, M + 3 * D, D * sizeof *M); /* equal centres: the first one wins */
    memcpy(X + 17 * D, M + 3 * D, D * sizeof *X);
    for (int n = 0; n <= 300; n = 2 * n + 1) {
        for (int k = 1; k <= 70; k += 23) {
            dc_nearest(X, M, n, k, D, label);
            (void)ref_nearest(X, M, n, k, D, expected);
            CHECK(memcmp(label, expected, (size_t)n * sizeof *label) == 0);
        }
    }
    dc_nearest(X, M, 300, 70, D, label);
    CHECK_INT(label[17], 3);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    fill(shift, D, 4);
    fill(scale, D, 5);
    fill(centers, K * L, 6);
    for (dc_gidx N = 1; N <= MAX_ROWS; N = 3 * N + 2) test_own_rows(N);
    test_own_rows(MAX_ROWS);
    test_position(241); /* 15 tiles of 16 rows and one row more */
    test_position(1000);
    test_position(1999);
    test_strange_rows();
    test_nearest();
    return check_done_all(&comm);
}
