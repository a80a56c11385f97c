/* Outputs of frozen layers: the same bits for each row alone on one rank, for the rows of each rank, kept or computed,
 * and for rows of a batch in any order and number; with both GEMM libraries, against the twin. Fixed seed 702.
 * ranks: 1 3
 * threads: 1 2 */
#include "check.h"
#include "dcmpi/la.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"
#include "train/frozen.h"

enum { N = 331, D = 784, SHARDS = 16, DEPTH = 3, WIDTH = 2000 }; /* the network of the papers */

static float X[N * D], no_shift[D], scale[D];
static dc_net net;
static dc_timers timers;

/* Rows of `rank` of P. */
static dc_dataset rows_of(int P, int rank)
{
    dc_dataset d = {.D = D, .dtype = DC_F32, .shift = no_shift, .scale = scale};
    CHECK_OK(dc_part_init(&d.part, N, SHARDS, P, rank));
    d.X = X + d.part.row_lo * D;
    return d;
}

static bool same_row(const float *a, const float *b)
{
    return memcmp(a, b, WIDTH * sizeof *a) == 0;
}

/* Batches of 1 to 130 rows that are picked all over the shards, now and then twice; half of them mostly share places.
 */
static bool batches_agree(const dc_frozen *f, int64_t n, const float *expected)
{
    enum { MAX = 130 };
    static float out[MAX * WIDTH];
    int64_t rows[MAX];
    bool same = true;
    for (int64_t count = 1; count <= MAX && n > 0; count += 43)
        for (int64_t stride = 32; stride <= 37; stride += 5) {
            for (int64_t i = 0; i < count; i++) rows[i] = (i * stride + count) % n;
            dc_frozen_gather(f, rows, count, out);
            for (int64_t i = 0; i < count; i++) same = same && same_row(out + i * WIDTH, expected + rows[i] * WIDTH);
        }
    return same;
}

static void check_frozen(dc_comm *comm, dc_model *m, size_t cache_bytes, const float *expected)
{
    dc_frozen f;
    CHECK_OK(dc_frozen_create(comm, &f, m, DEPTH, cache_bytes));
    CHECK((f.cache != NULL) == (cache_bytes > 0));
    CHECK_OK(dc_frozen_fill(&f, m->timers));
    CHECK(batches_agree(&f, dc_part_rows(&m->data->part), expected));
    dc_frozen_release(&f);
}

/* With one byte too few on the fullest rank, no rank keeps anything. */
static void test_limit(dc_comm *comm, dc_model *m)
{
    dc_frozen f;
    int64_t most = dc_part_rows(&m->data->part);
    dc_comm_max_i64(comm, &most, 1);
    const size_t bytes = (size_t)(most * WIDTH) * sizeof(float);
    CHECK_OK(dc_frozen_create(comm, &f, m, DEPTH, bytes - 1));
    CHECK(f.cache == NULL);
    dc_frozen_release(&f);
    CHECK_OK(dc_frozen_create(comm, &f, m, DEPTH, bytes));
    CHECK(f.cache != NULL);
    dc_frozen_release(&f);
}

static void test_twin(const float *whole, const float *value)
{
    enum { ROWS = 3 };
    double *wide = malloc(net.n_params * sizeof *wide), *x = malloc(ROWS * D * sizeof *x), y[ROWS * WIDTH];
    for (size_t i = 0; i < net.n_params; i++) wide[i] = (double)value[i];
    for (int i = 0; i < ROWS * D; i++) x[i] = (double)X[i];
    net_forward_ref(&net, wide, 0, DEPTH, ROWS, x, y);
    CHECK_ARRAY_NEAR(whole, y, ROWS * WIDTH, 1e-5);
    free(wide), free(x);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_rng_fill_uniform(X, N * D, 702, 1, 1);
    for (int c = 0; c < D; c++) scale[c] = 1;
    CHECK_OK(dc_net_init(&net, D, (int64_t[]){500, 500, 2000}, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    const dc_dataset all = rows_of(1, 0), mine = rows_of(dc_comm_size(comm), dc_comm_rank(comm));
    dc_model m;
    dc_slab slab;
    dc_slab_init(&slab, &net);
    CHECK_OK(dc_model_create(&m, &all, &slab, DC_INIT_GLOROT, 702, &timers, NULL));
    float *whole = malloc(N * WIDTH * sizeof *whole);
    for (int backend = DC_GEMM_ONEDNN; backend <= DC_GEMM_CBLAS; backend++) {
        dc_gemm_set_backend((dc_gemm_backend)backend);
        dc_frozen f;
        m.data = &all;
        CHECK_OK(dc_frozen_create(comm, &f, &m, DEPTH, 0));
        for (int64_t i = 0; i < N; i++) dc_frozen_forward(&f, &i, 1, whole + i * WIDTH);
        dc_frozen_release(&f);
        test_twin(whole, m.params.value);
        m.data = &mine;
        check_frozen(comm, &m, SIZE_MAX, whole + mine.part.row_lo * WIDTH);
        check_frozen(comm, &m, 0, whole + mine.part.row_lo * WIDTH);
    }
    test_limit(comm, &m);
    free(whole);
    dc_model_release(&m);
    return check_done_all(&comm);
}
