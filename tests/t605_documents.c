/* Nearest and furthest rows: against a plain search, dense, read in tiles and sparse, with given centres and with
 * means; copies and ties; the same bits on one rank; clusters with few rows. ranks: 1 3  ranks_long: 2 5  threads: 1 2
 */
#include <stdlib.h>

#include "check.h"
#include "dcmpi/csr.h"
#include "dcmpi/topics.h"
#include "t6_help.h"

enum { N = 700, D = 9, K = 4, M = 6, SHARDS = 8 };

static dc_comm *comm;
static float X[N * D], centers[K * D];
static int32_t label[N];

static void read_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    memcpy(out, (const float *)ctx + lo * D, (size_t)(n * D) * sizeof *out);
}

/* Many zeros, and every row from N/2 on is a copy; the last cluster has three rows, of which two are copies. */
static void draw(void)
{
    t6_normal(X, N * D, 605, 0, 1);
    for (int64_t i = 0; i < N * D; i++)
        if (X[i] < 0.3F) X[i] = 0;
    memcpy(X + N / 2 * D, X, sizeof X / 2);
    for (int64_t i = 0; i < N; i++) label[i] = (int32_t)(i % (N / 2) % (K - 1));
    label[5] = label[5 + N / 2] = label[300] = K - 1;
    t6_normal(centers, K * D, 606, 0.5, 0.5);
}

static void means(float *out)
{
    double sum[K * D] = {0}, count[K] = {0};
    for (int64_t i = 0; i < N; i++) {
        count[label[i]]++;
        for (int64_t c = 0; c < D; c++) sum[label[i] * D + c] += (double)X[i * D + c];
    }
    for (int64_t i = 0; i < K * D; i++) out[i] = (float)(sum[i] / count[i / D]);
}

static double distance(int64_t i, const float *m)
{
    double sum = 0;
    for (int64_t c = 0; c < D; c++) {
        const double t = (double)X[i * D + c] - (double)m[label[i] * D + c];
        sum += t * t;
    }
    return sqrt(sum);
}

/* Row of cluster k that is better than all but `rank` others; -1: there is none. */
static int64_t row_at(int64_t k, int64_t rank, const float *m, double sign)
{
    for (int64_t i = 0; i < N; i++) {
        int64_t before = 0;
        if (label[i] != k) continue;
        for (int64_t j = 0; j < N; j++) {
            const double d = sign * (distance(j, m) - distance(i, m));
            before += label[j] == k && (d < -1e-9 || (fabs(d) <= 1e-9 && j < i));
        }
        if (before == rank) return i;
    }
    return -1;
}

static void check_list(const int64_t *row, const double *away, const float *m, double sign)
{
    bool same = true, near = true;
    for (int64_t i = 0; i < K * M; i++) {
        const int64_t expected = row_at(i / M, i % M, m, sign);
        same = same && row[i] == expected;
        near = near && fabs(away[i] - (expected < 0 ? 0 : distance(expected, m))) < 1e-9;
    }
    CHECK(same);
    CHECK(near);
}

typedef enum { ARRAY, TILES, SPARSE } kind;

static dc_topics find(dc_comm *c, kind how, const float *m)
{
    dc_topics t = {0};
    dc_part part;
    int64_t *ptr = t6_alloc(N + 1, sizeof *ptr), used = 0;
    int32_t *col = t6_alloc(N * D, sizeof *col);
    float *val = t6_alloc(N * D, sizeof *val);
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(c), dc_comm_rank(c)));
    const float *own = X + part.row_lo * D;
    for (int64_t i = 0; i < dc_part_rows(&part) * D; i++) {
        if (own[i] != 0) col[used] = (int32_t)(i % D), val[used++] = own[i];
        ptr[i / D + 1] = used;
    }
    const dc_csr csr = {.n = dc_part_rows(&part), .D = D, .ptr = ptr, .col = col, .val = val};
    const dc_rows rows = {.part = &part,
                          .d = D,
                          .rows = read_rows,
                          .ctx = own,
                          .X = how == ARRAY ? own : NULL,
                          .csr = how == SPARSE ? &csr : NULL};
    CHECK_OK(dc_topics_documents(c, &rows, label + part.row_lo, K, m, M, &t));
    free(ptr);
    free(col);
    free(val);
    return t;
}

static bool same_lists(const dc_topics *a, const dc_topics *b)
{
    const size_t rows = K * M * sizeof(int64_t);
    return memcmp(a->nearest, b->nearest, rows) == 0 && memcmp(a->furthest, b->furthest, rows) == 0 &&
           memcmp(a->nearest_distance, b->nearest_distance, rows) == 0 &&
           memcmp(a->furthest_distance, b->furthest_distance, rows) == 0;
}

static void compare(const float *given)
{
    float m[K * D];
    struct dc_comm solo = t6_solo(comm);
    means(m);
    if (given) memcpy(m, given, sizeof m);
    for (kind how = ARRAY; how <= SPARSE; how++) {
        printf("# %s, %s\n", given ? "centres" : "means", (const char *[]){"array", "tiles", "sparse"}[how]);
        dc_topics t = find(comm, how, given), one = find(&solo, how, given);
        CHECK(same_lists(&t, &one));
        check_list(t.nearest, t.nearest_distance, m, 1);
        check_list(t.furthest, t.furthest_distance, m, -1);
        CHECK(t.nearest[K * M - 1] == -1 && !signbit(t.furthest_distance[K * M - 1]));
        dc_topics_release(&t);
        dc_topics_release(&one);
    }
}

/* An embedding that is not finite gives lists all the same. */
static void not_finite(void)
{
    X[3] = NAN;
    X[D] = INFINITY;
    dc_topics t = find(comm, ARRAY, centers);
    CHECK(t.furthest[label[0] * M] == 0 && isinf(t.furthest_distance[label[0] * M]));
    CHECK(t.furthest[label[1] * M] == 1 && t.nearest[label[1] * M] > 1);
    dc_topics_release(&t);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    const uint64_t live = dc_mem_live_count();
    draw();
    compare(centers);
    compare(NULL);
    not_finite();
    CHECK_INT(dc_mem_live_count(), live);
    return check_done_all(&comm);
}
