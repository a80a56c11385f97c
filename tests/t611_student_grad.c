/* Loss and gradients of deep embedded clustering: finite differences of the twin, torch's numbers, translation
 * invariance, parts of a batch, threads and ranks in a step, extremes. Seed 1. ranks: 1 3 */
#include <omp.h>

#include "../src/cluster/softassign_impl.h"
#include "check.h"
#include "dcmpi/cluster.h"
#include "golden/golden.h"
#include "ref/cluster_ref.h"
#include "ref/one_step.h"
#include "ref/op_call.h"
#include "t6_help.h"

typedef struct {
    int64_t n, K, L, B;
    double alpha;
    float *Z, *M, *P, *dZ, *dM, *row; /* row: the loss of each */
    int64_t *rows;
    double *sum; /* what the rows add to the gradient of M */
    double loss;
    dc_table target; /* of what was recorded last */
} batch;

static batch make_empty(int64_t n, int64_t K, int64_t L, double alpha)
{
    batch b = {.n = n, .K = K, .L = L, .B = n + 3, .alpha = alpha};
    b.Z = t6_alloc(n * L, sizeof *b.Z), b.M = t6_alloc(K * L, sizeof *b.M), b.P = t6_alloc(n * K, sizeof *b.P);
    b.dZ = t6_alloc(n * L, sizeof *b.dZ), b.dM = t6_alloc(K * L, sizeof *b.dM);
    b.row = t6_alloc(n, sizeof *b.row), b.sum = t6_alloc(K * L, sizeof *b.sum);
    b.rows = t6_alloc(n, sizeof *b.rows);
    return b;
}

/* P: sharpened assignment of other rows, some entries exactly 0, stored in reverse order. */
static batch make(int64_t n, int64_t K, int64_t L, double alpha, double sigma)
{
    batch b = make_empty(n, K, L, alpha);
    t6_normal(b.Z, n * L, 3, 0, sigma);
    t6_normal(b.M, K * L, 2, 0, sigma);
    double *f = t6_alloc(K, sizeof *f);
    for (int64_t k = 0; k < K; k++) f[k] = 1 + (double)(k % 3);
    dc_softassign(b.Z, b.M, n, K, L, alpha, b.P, NULL);
    for (int64_t i = 0; i < n && K > 2; i += 4) b.P[i * K + i % K] = 0;
    dc_target(b.P, f, n, K, n, b.P);
    t6_normal(b.Z, n * L, 1, 0, sigma);
    for (int64_t i = 0; i < n; i++) b.rows[i] = n - 1 - i;
    free(f);
    return b;
}

/* Records the loss of rows z with the targets from row `first` on; the centres come first in the slab. */
static dc_val record(dc_graph *g, batch *b, int64_t first, dc_val z)
{
    const dc_tensor centers = {"centers", 0, b->K, b->L, true};
    b->target = (dc_table){"target", b->P + first * b->K, b->K};
    return dc_student_kl(g, b->alpha, z, dc_use(g, &centers), dc_entry(g, &b->target));
}

/* The targets of rows [lo, lo + n), fetched from where they are stored. */
static void fetch_targets(const batch *b, int64_t lo, int64_t n, float *p)
{
    op_call c;
    const dc_table table = {"target", b->P, b->K};
    op_call_open(&c);
    op_call_of(&c, dc_entry(c.graph, &table), n);
    c.tile.row = b->rows + lo;
    c.call.out = p;
    op_call_forward(&c, n);
    op_call_close(&c);
}

/* Losses and gradients of rows [lo, lo + n), whose parts are added to b->sum; returns their part of the loss. */
static double run_part(batch *b, int64_t lo, int64_t n)
{
    op_call c;
    float *p = t6_alloc(n * b->K, sizeof *p), *dout = t6_alloc(n, sizeof *dout);
    double loss = 0;
    fetch_targets(b, lo, n, p);
    for (int64_t i = 0; i < n; i++) dout[i] = (float)(1 / (double)b->B);
    op_call_open(&c);
    op_call_of(&c, record(c.graph, b, 0, dc_batch(c.graph, b->L)), n);
    c.call.in[0] = b->Z + lo * b->L, c.call.in[1] = b->M, c.call.in[2] = p;
    c.call.out = b->row + lo, c.call.dout = dout, c.call.din[0] = b->dZ + lo * b->L;
    op_call_forward(&c, n);
    op_call_backward(&c, n);
    op_call_partial(&c, n, 1, b->sum);
    for (int64_t i = 0; i < n; i++) loss += (double)b->row[lo + i] / (double)b->B;
    op_call_close(&c);
    free(p), free(dout);
    return loss;
}

static void take_sum(batch *b)
{
    for (int64_t i = 0; i < b->K * b->L; i++) b->dM[i] = (float)b->sum[i];
}

static void run(batch *b)
{
    b->loss = run_part(b, 0, b->n);
    take_sum(b);
}

static void drop(batch *b)
{
    free(b->Z), free(b->M), free(b->P), free(b->dZ), free(b->dM), free(b->row), free(b->sum), free(b->rows);
}

/* Largest difference between g and central differences of the twin's loss in x, relative to the largest of g. */
static double worst_slope(const batch *b, const double *Z, const double *M, const double *p, double *x, const float *g,
                          int64_t count)
{
    const double h = 1e-4;
    double worst = 0, largest = 1e-12;
    for (int64_t i = 0; i < count; i++) {
        const double x0 = x[i];
        x[i] = x0 + h;
        const double up = ref_student_kl(Z, M, p, b->n, b->K, b->L, b->alpha, b->B);
        x[i] = x0 - h;
        const double down = ref_student_kl(Z, M, p, b->n, b->K, b->L, b->alpha, b->B);
        x[i] = x0;
        worst = fmax(worst, fabs((up - down) / (2 * h) - (double)g[i]));
        largest = fmax(largest, fabs((double)g[i]));
    }
    return worst / largest;
}

static void finite_differences(int64_t n, int64_t K, int64_t L, double alpha)
{
    batch b = make(n, K, L, alpha, 1);
    run(&b);
    double *Z = t6_double(b.Z, n * L), *M = t6_double(b.M, K * L), *p = t6_alloc(n * K, sizeof *p);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) p[i * K + k] = (double)b.P[b.rows[i] * K + k];
    printf("# n %lld K %lld L %lld alpha %g\n", (long long)n, (long long)K, (long long)L, alpha);
    const double loss = ref_student_kl(Z, M, p, n, K, L, alpha, b.B);
    CHECK_NEAR(b.loss, loss, 2e-7 * (1 + fabs(loss)));
    CHECK_NEAR(worst_slope(&b, Z, M, p, Z, b.dZ, n * L), 0, 1e-6);
    CHECK_NEAR(worst_slope(&b, Z, M, p, M, b.dM, K * L), 0, 1e-6);
    free(Z), free(M), free(p);
    drop(&b);
}

/* Moving all rows and centres together changes nothing: sum dZ + sum dM = 0 in every component. */
static void translation(void)
{
    batch b = make(300, 70, 67, 1.7, 1);
    run(&b);
    double worst = 0, largest = 0;
    for (int64_t c = 0; c < b.L; c++) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < b.n; i++) sum += (double)b.dZ[i * b.L + c], size += fabs((double)b.dZ[i * b.L + c]);
        for (int64_t k = 0; k < b.K; k++) sum += (double)b.dM[k * b.L + c];
        worst = fmax(worst, fabs(sum));
        largest = fmax(largest, size);
    }
    CHECK_NEAR(worst / largest, 0, 1e-6);
    drop(&b);
}

static void golden(const char *prefix)
{
    char name[5][32];
    static const char *const fields[] = {"alpha", "p", "loss", "dz", "dmu"};
    for (int i = 0; i < 5; i++) snprintf(name[i], sizeof name[i], "%s/%s", prefix, fields[i]);
    double alpha, loss, rows_d[6], B, dz_d[18], dmu_d[12];
    batch b = make_empty(9, 4, 3, 1); /* 6 rows are in the batch, 9 have targets */
    CHECK(golden_read_f32("dec.txt", "zb", b.Z, 18) && golden_read_f32("dec.txt", "mu", b.M, 12) &&
          golden_read("dec.txt", "rows", rows_d, 6) && golden_read("dec.txt", "B", &B, 1) &&
          golden_read("dec.txt", name[0], &alpha, 1) && golden_read_f32("dec.txt", name[1], b.P, 36) &&
          golden_read("dec.txt", name[2], &loss, 1) && golden_read("dec.txt", name[3], dz_d, 18) &&
          golden_read("dec.txt", name[4], dmu_d, 12));
    for (int i = 0; i < 6; i++) b.rows[i] = (int64_t)rows_d[i];
    b.alpha = alpha;
    b.n = 6;
    b.B = (int64_t)B;
    run(&b);
    CHECK_NEAR(b.loss, loss, 1e-7);
    CHECK_ARRAY_NEAR(b.dZ, dz_d, 18, 2e-8);
    CHECK_ARRAY_NEAR(b.dM, dmu_d, 12, 2e-8);
    drop(&b);
}

/* Two parts of a batch: the same rows of dZ and losses bit by bit, loss and dM add up. */
static void parts(void)
{
    batch b = make(61, 10, 10, 1, 1), c = make(61, 10, 10, 1, 1);
    run(&b);
    c.loss = run_part(&c, 0, 23);
    c.loss += run_part(&c, 23, c.n - 23);
    take_sum(&c);
    CHECK(memcmp(c.dZ, b.dZ, (size_t)(b.n * b.L) * sizeof *b.dZ) == 0);
    CHECK(memcmp(c.row, b.row, (size_t)b.n * sizeof *b.row) == 0);
    CHECK_NEAR(c.loss, b.loss, 1e-12);
    CHECK_ARRAY_NEAR(c.dM, b.dM, b.K * b.L, 1e-7);
    drop(&b), drop(&c);
}

/* The rows already have another gradient, to which this one is added. */
static void adds(void)
{
    enum { N = 70, K = 5, L = 6 };
    batch b = make(N, K, L, 1.7, 1);
    float before[N * L], dout[N], p[N * K], sum[N * L];
    op_call c;
    run(&b);
    fetch_targets(&b, 0, N, p);
    op_call_open(&c);
    op_call_of(&c, record(c.graph, &b, 0, dc_batch(c.graph, L)), N);
    for (int i = 0; i < N; i++) dout[i] = (float)(1 / (double)b.B);
    t6_normal(before, N * L, 4, 0, 1);
    memcpy(sum, before, sizeof sum);
    c.call.in[0] = b.Z, c.call.in[1] = b.M, c.call.in[2] = p;
    c.call.out = b.row, c.call.dout = dout, c.call.din[0] = sum, c.call.adds[0] = true;
    op_call_forward(&c, N);
    op_call_backward(&c, N);
    for (int i = 0; i < N * L; i++) before[i] += b.dZ[i];
    CHECK_ARRAY_NEAR(sum, before, N * L, 0);
    op_call_close(&c);
    drop(&b);
}

/* A step whose rows are the batch, through a layer of weights I, and whose targets are P of each row. */
static void take_step(dc_comm *comm, batch *b, dc_outer_way way, int n_threads)
{
    static const dc_net none;
    const size_t n_centers = (size_t)(b->K * b->L), n_input = (size_t)(b->L * b->L + b->L);
    const one_step_rows rows = {.N = b->n, .width = b->L, .x = b->Z, .V = 16, .B = b->n, .way = way, .seed = 611};
    dc_params p;
    dc_part part;
    one_step s;
    omp_set_num_threads(n_threads);
    CHECK_OK(dc_part_init(&part, b->n, rows.V, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_params_create(&p, &none, n_centers + n_input));
    memcpy(p.value, b->M, n_centers * sizeof *p.value);
    one_step_open(&s);
    const dc_val z = one_step_input(&s, dc_batch(s.graph, b->L), b->L, n_centers, p.value);
    const dc_val loss = record(s.graph, b, part.row_lo, z);
    dc_minimize(s.graph, "clustering", 1, loss);
    CHECK_OK(one_step_create(comm, &s, &p, &rows));
    b->loss = one_step_run(comm, &s, 0);
    one_step_slopes(&s, z, b->dZ);
    one_step_values(&s, loss, b->row);
    memcpy(b->dM, p.grad, n_centers * sizeof *p.grad);
    one_step_close(&s);
    dc_params_release(&p);
}

static void check_same(dc_comm *comm, const batch *a, const batch *b)
{
    dc_part part;
    CHECK_OK(dc_part_init(&part, b->n, 16, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t lo = part.row_lo, n = dc_part_rows(&part);
    CHECK(a->loss == b->loss);
    CHECK(memcmp(a->row + lo, b->row + lo, (size_t)n * sizeof *a->row) == 0);
    CHECK(memcmp(a->dZ + lo * b->L, b->dZ + lo * b->L, (size_t)(n * b->L) * sizeof *b->dZ) == 0);
    CHECK(memcmp(a->dM, b->dM, (size_t)(b->K * b->L) * sizeof *b->dM) == 0);
}

/* One rank with one thread, in every way: the same numbers as rows called by hand, the bits of all ranks and threads.
 */
static void threads(dc_comm *comm)
{
    dc_comm *self;
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &self));
    batch hand = make(333, 70, 67, 1, 1);
    for (int64_t i = 0; i < hand.n; i++) hand.rows[i] = i;
    hand.B = hand.n;
    run(&hand);
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
        batch alone = make(333, 70, 67, 1, 1);
        take_step(self, &alone, (dc_outer_way)way, 1);
        CHECK(memcmp(alone.row, hand.row, (size_t)hand.n * sizeof *hand.row) == 0);
        CHECK(memcmp(alone.dZ, hand.dZ, (size_t)(hand.n * hand.L) * sizeof *hand.dZ) == 0);
        CHECK_NEAR(alone.loss, hand.loss, 1e-12);
        CHECK_ARRAY_NEAR(alone.dM, hand.dM, hand.K * hand.L, 1e-7);
        for (int t = 1; t <= 3; t++) {
            batch c = make(333, 70, 67, 1, 1);
            take_step(comm, &c, (dc_outer_way)way, t);
            check_same(comm, &alone, &c);
            drop(&c);
        }
        drop(&alone);
    }
    dc_comm_destroy(&self);
    drop(&hand);
}

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Rows far away and on centres, one cluster, no rows: finite. Underflowed q must not reach a logarithm. */
static void extremes(void)
{
    static const double alphas[] = {1e-3, 1, 1e3, 1e8}, sigmas[] = {0, 1e-20, 1, 1e3, 1e15};
    for (size_t a = 0; a < DC_COUNT_OF(alphas); a++) {
        for (size_t s = 0; s < DC_COUNT_OF(sigmas); s++) {
            batch b = make(20, 5, 3, alphas[a], sigmas[s]);
            memcpy(b.Z, b.M, (size_t)b.L * sizeof *b.Z);
            run(&b);
            CHECK(isfinite(b.loss) && b.loss > -1e-6);
            CHECK(all_finite(b.dZ, b.n * b.L) && all_finite(b.dM, b.K * b.L));
            drop(&b);
        }
    }
    batch one = make(20, 1, 3, 1, 1);
    run(&one);
    CHECK_NEAR(one.loss, 0, 0);
    CHECK_NEAR(one.dZ[0], 0, 0);
    drop(&one);
    batch none = make(0, 3, 2, 1, 1);
    none.dM[0] = 7;
    run(&none);
    CHECK_NEAR(none.loss, 0, 0);
    CHECK_NEAR(none.dM[0], 0, 0);
    drop(&none);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    finite_differences(7, 4, 3, 1);
    finite_differences(7, 4, 3, 1.7);
    finite_differences(17, 10, 10, 1);
    finite_differences(3, 66, 65, 1.7);
    finite_differences(3, DC_SOFT_KEPT + 1, 2, 1);
    translation();
    golden("a1");
    golden("a17");
    parts();
    adds();
    threads(comm);
    extremes();
    return check_done_all(&comm);
}
