/* Mixtures of Gaussians against scikit-learn from the same clusters (tests/golden/mixture.txt, made by
 * tools/golden_mixture.py): likelihood, criteria, iterations, parameters and labels for every kind of covariance, also
 * of rows with a constant column and dependent ones. The same bits on one rank, and for rows that are given in pieces.
 * Factors and recorded densities by their definition. Clusters without rows, rows that are all the same, as many
 * clusters as rows, variances that are too small, starts.
 * ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include <math.h>

#include "../src/cluster/mixture_impl.h"
#include "check.h"
#include "golden/golden.h"
#include "ref/op_call.h"
#include "t6_help.h"

enum { N = 250, D = 5, K = 4, V = 16 };
static const char *const kinds[] = {"full", "tied", "diagonal", "spherical"};
static const int64_t d = D;

static dc_part cut(dc_comm *comm, int64_t rows)
{
    dc_part part;
    if (dc_part_init(&part, rows, V, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return part;
}

/* The means of the clusters, as start. */
static void centers_of(const float *X, const int32_t *label, float *centers)
{
    double sum[K * D] = {0}, n[K] = {0};
    for (int i = 0; i < N; i++) {
        n[label[i]]++;
        for (int j = 0; j < D; j++) sum[label[i] * D + j] += (double)X[i * D + j];
    }
    for (int i = 0; i < K * D; i++) centers[i] = (float)(sum[i] / n[i / D]);
}

typedef struct {
    float X[N * D], centers[K * D];
    int32_t label[N];
} problem;

static bool read_problem(const char *name, problem *p)
{
    char array[64];
    float start[N];
    snprintf(array, sizeof array, "%s/x", name);
    if (!golden_read_f32("mixture.txt", array, p->X, N * D)) return false;
    snprintf(array, sizeof array, "%s/start", name);
    if (!golden_read_f32("mixture.txt", array, start, N)) return false;
    for (int i = 0; i < N; i++) p->label[i] = (int32_t)start[i];
    centers_of(p->X, p->label, p->centers);
    return true;
}

static dc_mixture_config standard(int kind)
{
    return (dc_mixture_config){.kmeans = {.K = K, .n_init = 2, .max_iter = 100, .tol = 1e-4, .seed = 3},
                               .covariance = (dc_covariance)kind,
                               .n_init = 1,
                               .max_iter = 100,
                               .tol = 1e-3,
                               .reg = 1e-6};
}

static void compare(const char *name, int kind, const char *what, const double *ours, size_t n, double part)
{
    char array[64];
    double theirs[K * D * D], most = 0;
    snprintf(array, sizeof array, "%s/%s/%s", name, kinds[kind], what);
    if (!golden_read("mixture.txt", array, theirs, n)) {
        CHECK(false);
        return;
    }
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(theirs[i]));
    CHECK_ARRAY_NEAR(ours, theirs, n, part * most);
}

static void check_golden(const char *name, int kind, const dc_mixture *m, const int32_t *label, const dc_part *part)
{
    char array[64];
    double numbers[5], theirs[N];
    snprintf(array, sizeof array, "%s/%s/numbers", name, kinds[kind]);
    CHECK(golden_read("mixture.txt", array, numbers, 5));
    CHECK_INT(m->iterations, (int)numbers[0]);
    CHECK(m->converged == (numbers[1] != 0));
    CHECK_NEAR(m->log_likelihood, numbers[2], 1e-6 * fabs(numbers[2]));
    CHECK_NEAR(m->bic, numbers[3], 1e-6 * fabs(numbers[3]));
    CHECK_NEAR(m->aic, numbers[4], 1e-6 * fabs(numbers[4]));
    compare(name, kind, "weights", m->weight, K, 1e-6);
    compare(name, kind, "means", m->mean, K * D, 1e-6);
    compare(name, kind, "variances", m->variance, dc_mix_variances(K, D, m->covariance), 1e-6);
    snprintf(array, sizeof array, "%s/%s/label", name, kinds[kind]);
    CHECK(golden_read("mixture.txt", array, theirs, N));
    int other = 0;
    for (int64_t i = 0; i < dc_part_rows(part); i++) other += label[i] != (int32_t)theirs[part->row_lo + i];
    CHECK_INT(other, 0);
}

static void piece(const void *ctx, int64_t lo, int64_t n, float *out)
{
    memcpy(out, (const float *)ctx + lo * D, (size_t)(n * D) * sizeof *out);
}

static bool same(const dc_mixture *a, const dc_mixture *b)
{
    const size_t n = dc_mix_values(a->K, a->d, a->covariance);
    return memcmp(a->weight, b->weight, n * sizeof *a->weight) == 0 && a->log_likelihood == b->log_likelihood;
}

static void test_golden(dc_comm *comm, const char *name, int kind)
{
    static problem p;
    dc_mixture m, alone, pieces;
    const dc_mixture_config cfg = standard(kind);
    struct dc_comm solo = t6_solo(comm);
    const dc_part part = cut(comm, N), whole = cut(&solo, N);
    if (!read_problem(name, &p)) {
        CHECK(false);
        return;
    }
    dc_rows rows = dc_rows_of_array(&part, p.X + part.row_lo * D, &d);
    const dc_rows all = dc_rows_of_array(&whole, p.X, &d);
    int32_t *label = t6_alloc(N, sizeof *label);
    CHECK_OK(dc_mixture_fit_from(comm, &rows, &cfg, p.centers, p.label + part.row_lo, &m));
    CHECK_OK(dc_mixture_labels(&m, &rows, label));
    check_golden(name, kind, &m, label, &part);
    CHECK_OK(dc_mixture_fit_from(&solo, &all, &cfg, p.centers, p.label, &alone));
    CHECK(same(&m, &alone));
    rows = (dc_rows){.part = &part, .d = D, .rows = piece, .ctx = p.X + part.row_lo * D};
    CHECK_OK(dc_mixture_fit_from(comm, &rows, &cfg, p.centers, p.label + part.row_lo, &pieces));
    CHECK(same(&m, &pieces));
    dc_mixture_release(&m);
    dc_mixture_release(&alone);
    dc_mixture_release(&pieces);
    free(label);
}

/* F F' S is the unit matrix, of a size that fills no lane, and F is upper triangular. */
static void test_factor(void)
{
    enum { SIZE = 21 };
    static double S[SIZE * SIZE], F[SIZE * SIZE], R[SIZE * SIZE];
    static float x[2 * SIZE * SIZE];
    t6_normal(x, 2 * SIZE * SIZE, 550, 0, 1);
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            for (int r = 0; r < 2 * SIZE; r++) S[i * SIZE + j] += (double)x[r * SIZE + i] * (double)x[r * SIZE + j];
    CHECK(dc_mix_factor(S, SIZE, F));
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            CHECK(j >= i || F[i * SIZE + j] == 0);
            for (int p = 0; p < SIZE; p++)
                for (int q = 0; q < SIZE; q++) R[i * SIZE + j] += F[i * SIZE + p] * F[q * SIZE + p] * S[q * SIZE + j];
            CHECK_NEAR(R[i * SIZE + j], i == j, 1e-9);
        }
    S[0] = -1;
    CHECK(!dc_mix_factor(S, SIZE, F));
}

/* Cluster 2 has no rows, those of cluster 1 are all the same. */
static void test_odd_clusters(dc_comm *comm, int kind)
{
    static float X[N * D];
    static int32_t label[N];
    static const int parameters[] = {23 + 60, 23 + 15, 23 + 20, 23 + 4};
    float centers[K * D] = {0};
    dc_mixture m;
    const dc_part part = cut(comm, N);
    const dc_mixture_config cfg = standard(kind);
    t6_normal(X, N * D, 551, 0, 1);
    for (int i = 0; i < N; i++) label[i] = i % 3 == 2 ? 3 : i % 3;
    for (int i = 1; i < N; i += 3)
        for (int j = 0; j < D; j++) X[i * D + j] = 9;
    for (int j = 0; j < D; j++) centers[D + j] = 9, centers[2 * D + j] = 50;
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    CHECK_OK(dc_mixture_fit_from(comm, &rows, &cfg, centers, label + part.row_lo, &m));
    CHECK(isfinite(m.log_likelihood));
    for (int k = 0; k < K; k++) CHECK(m.weight[k] > 0 && isfinite(m.mean[k * D]));
    CHECK_NEAR(m.mean[2 * D], 50, 0);
    CHECK_NEAR(m.mean[D], 9, 1e-6);
    CHECK(m.weight[2] < 1e-6);
    CHECK_INT(dc_mixture_parameters(&m), parameters[kind]);
    dc_mixture_release(&m);
}

static void test_refusals(dc_comm *comm)
{
    static float X[N * D];
    dc_mixture m;
    const dc_part part = cut(comm, N), few = cut(comm, K - 1), equal = cut(comm, K);
    dc_mixture_config cfg = standard(DC_COVARIANCE_FULL);
    t6_normal(X, N * D, 552, 0, 1);
    dc_rows rows = dc_rows_of_array(&few, X + few.row_lo * D, &d);
    CHECK(dc_mixture_fit(comm, &rows, &cfg, &m) == DC_ERR_DATA && !m.weight);
    dc_error_clear();
    rows = dc_rows_of_array(&equal, X + equal.row_lo * D, &d);
    CHECK_OK(dc_mixture_fit(comm, &rows, &cfg, &m)); /* each row a cluster: variances are what is added */
    CHECK_NEAR(m.variance[0], 1e-6, 1e-12);
    dc_mixture_release(&m);
    for (int i = 0; i < N; i++) X[i * D + 4] = 0x1p20F * X[i * D]; /* dependent: only rounding is left */
    cfg.reg = 0;
    rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    CHECK(dc_mixture_fit(comm, &rows, &cfg, &m) == DC_ERR_NUMERIC && !m.weight);
    CHECK_TEXT_HAS(dc_error_text(), "reg");
    dc_error_clear();
}

/* More starts give no lower likelihood, and the same as one rank gives; the first is that of one start alone. */
static void test_starts(dc_comm *comm)
{
    static problem p;
    dc_mixture one, many, alone;
    struct dc_comm solo = t6_solo(comm);
    const dc_part part = cut(comm, N), whole = cut(&solo, N);
    dc_mixture_config cfg = standard(DC_COVARIANCE_FULL);
    if (!read_problem("clouds", &p)) return;
    const dc_rows rows = dc_rows_of_array(&part, p.X + part.row_lo * D, &d), all = dc_rows_of_array(&whole, p.X, &d);
    CHECK_OK(dc_mixture_fit(comm, &rows, &cfg, &one));
    cfg.n_init = 4;
    CHECK_OK(dc_mixture_fit(comm, &rows, &cfg, &many));
    CHECK_OK(dc_mixture_fit(&solo, &all, &cfg, &alone));
    CHECK(same(&many, &alone));
    CHECK(many.best > 0 ? many.log_likelihood > one.log_likelihood - 1e-3 : same(&one, &many));
    dc_mixture_release(&one);
    dc_mixture_release(&many);
    dc_mixture_release(&alone);
}

/* Recorded densities against those of the fit: of one matrix for each Gaussian, and of one for all. */
static void test_recorded(int kind)
{
    static problem p;
    float mean[K * D], factor[K * D * D], out[N * K];
    op_call c = {0};
    if (!read_problem("clouds", &p)) return;
    const int64_t matrices = kind == DC_COVARIANCE_FULL ? K : 1;
    double variance[D * D];
    for (int64_t i = 0; i < K * D; i++) mean[i] = p.centers[i];
    for (int64_t g = 0; g < matrices; g++) {
        double f[D * D];
        for (int i = 0; i < D * D; i++) variance[i] = (i % (D + 1) == 0) * (2.0 + (double)g) + 0.3;
        CHECK(dc_mix_factor(variance, D, f));
        for (int i = 0; i < D * D; i++) factor[g * D * D + i] = (float)f[i];
    }
    op_call_open(&c);
    const dc_tensor means = {"mean", 0, K, D, false}, factors = {"factor", 0, matrices * D, D, false};
    op_call_of(
        &c, dc_gauss_factor_log(c.graph, dc_batch(c.graph, D), dc_use(c.graph, &means), dc_use(c.graph, &factors)), N);
    c.call.in[0] = p.X, c.call.in[1] = mean, c.call.in[2] = factor, c.call.out = out;
    op_call_forward(&c, N);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < K; k++) {
            /* S = a I + .3 (ones): by Sherman and Morrison */
            const double a = 2.0 + (double)(matrices > 1 ? k : 0);
            double sum = 0, square = 0;
            for (int j = 0; j < D; j++) {
                const double e = (double)p.X[i * D + j] - (double)mean[k * D + j];
                sum += e, square += e * e;
            }
            square = square / a - 0.3 * sum * sum / (a * (a + 0.3 * D));
            const double log_det = (D - 1) * log(a) + log(a + 0.3 * D);
            const double expected = -0.5 * (D * log(2 * M_PI) + log_det + square);
            CHECK_NEAR(out[i * K + k], expected, 1e-5 * (1 + fabs(expected)));
        }
    op_call_close(&c);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int kind = 0; kind < 4; kind++) {
        test_golden(comm, "clouds", kind);
        test_golden(comm, "singular", kind);
        test_odd_clusters(comm, kind);
    }
    test_factor();
    test_recorded(DC_COVARIANCE_FULL);
    test_recorded(DC_COVARIANCE_TIED);
    test_refusals(comm);
    test_starts(comm);
    return check_done_all(&comm);
}
