/* Single steps of VAE and VaDE from given weights and mixtures against PyTorch's autograd of the papers' bounds
 * (tests/golden/variational.txt), and against ClustPy's loss (clustpy.txt): losses, gradients of every weight and of
 * the mixture, and what they are after SGD. The start of a mixture: shares, means and variances of clusters, and EM
 * against a naive one; what VaDE takes of it. VAE's centres before a refresh. What is drawn for the report. What the
 * losses tell of a failure. By every way. ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/mixture.h"
#include "dcmpi/rng.h"
#include "golden/golden_method.h"
#include "ref/one_step.h"

enum { K = 3 };
static const char file[] = "variational.txt";
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.02};
static const char *const mixture[] = {"centers", "log_variances", "log_weights"};
static const char *const golden_names[] = {"mu", "log_variances", "log_weights"};

typedef struct {
    const char *name, *method, *keys, *file; /* file NULL: that of the start */
} golden_step;

static const golden_step steps[] = {
    {"one_vae", "vae", "beta=0.3 loss=mse_sum", NULL},
    {"one_vae_bce", "vae", "beta=0.3 loss=bce_sum", NULL},
    {"one_vade", "vade", "loss=mse_sum weight=2", NULL},
    {"one_vade_bce", "vade", "loss=bce_sum weight=2", NULL},
    {"one_clustpy_vade", "vade", "loss=mse_sum weight=1", "clustpy.txt"},
};

static bool has_mixture(const golden_method *s)
{
    return dc_slab_find(&s->base.slab, "log_weights") != NULL;
}

static void open_setup(dc_comm *comm, golden_method *s, const golden_step *what, int way)
{
    const dc_net net = golden_net(DC_ACT_RELU, strstr(what->keys, "bce") ? DC_ACT_SIGMOID : DC_ACT_LINEAR);
    golden_method_open(comm, s, file, what->method, what->keys, K, &net, way);
    for (size_t i = 0; i < DC_COUNT_OF(mixture) && has_mixture(s); i++)
        golden_give_tensor(s, mixture[i], golden_names[i]);
}

/* All that is trained, against the arrays of the file under this prefix. */
static void check_trained(const golden_method *s, const golden_step *what, const char *prefix, const float *slab,
                          double tolerance)
{
    char full[64];
    const char *from = what->file ? what->file : file;
    snprintf(full, sizeof full, "%s/%s", what->name, prefix);
    golden_check_nets(s, from, full, slab, tolerance);
    for (size_t i = 0; i < DC_COUNT_OF(mixture) && has_mixture(s); i++)
        golden_check_tensor(s, mixture[i], from, full, golden_names[i], slab, tolerance);
}

static void check_step(dc_comm *comm, const golden_step *what, int way)
{
    golden_method s;
    double loss[DC_GRAPH_LOSSES];
    open_setup(comm, &s, what, way);
    CHECK_INT(dc_step_run(comm, s.step[0], 0, loss), GOLDEN_N);
    golden_check_loss(what->file ? what->file : file, what->name, s.graph[0], loss);
    one_step_share(comm, s.step[0], s.base.model.params.grad);
    check_trained(&s, what, "grad", s.base.model.params.grad, 1e-5);
    dc_step_update(comm, s.step[0], &sgd, 0, 1);
    check_trained(&s, what, "moved", s.env.value, 1e-6);
    golden_method_close(&s);
}

/* ---- Mixtures ---------------------------------------------------------------------------------------------------- */

enum { ROWS = 211, DIMS = 2, PARTS = 3 };

/* Rows of three clouds of different spread, 8 apart, and labels of which some are wrong. */
static void draw_rows(float *X, int32_t *label)
{
    dc_rng_fill_normal(X, ROWS * DIMS, 719, 1, 1);
    for (int i = 0; i < ROWS; i++) {
        const int k = i % 7 < 4 ? 0 : i % 7 < 6 ? 1 : 2;
        for (int j = 0; j < DIMS; j++) X[i * DIMS + j] = X[i * DIMS + j] * (float)(0.5 + k + j) + 8 * (float)k;
        label[i] = i % 11 == 0 ? (k + 1) % PARTS : k;
    }
}

/* EM as it is written down, with the floor of the variances that is told. */
static void em_step(const float *X, const double *g, double floor_, double *weight, double *mean, double *variance)
{
    for (int k = 0; k < PARTS; k++) {
        double n = 0;
        for (int i = 0; i < ROWS; i++) n += g[i * PARTS + k];
        weight[k] = n / ROWS;
        for (int j = 0; j < DIMS; j++) {
            double sum = 0, square = 0;
            for (int i = 0; i < ROWS; i++) sum += g[i * PARTS + k] * (double)X[i * DIMS + j];
            mean[k * DIMS + j] = sum / n;
            for (int i = 0; i < ROWS; i++)
                square += g[i * PARTS + k] * pow((double)X[i * DIMS + j] - mean[k * DIMS + j], 2);
            variance[k * DIMS + j] = square / n + floor_;
        }
    }
}

static double share_rows(const float *X, const double *weight, const double *mean, const double *variance, double *g)
{
    double log_likelihood = 0;
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int k = 0; k < PARTS; k++) {
            double p = weight[k];
            for (int j = 0; j < DIMS; j++) {
                const double v = variance[k * DIMS + j];
                p *= exp(-pow((double)X[i * DIMS + j] - mean[k * DIMS + j], 2) / (2 * v)) / sqrt(2 * M_PI * v);
            }
            sum += g[i * PARTS + k] = p;
        }
        for (int k = 0; k < PARTS; k++) g[i * PARTS + k] /= sum;
        log_likelihood += log(sum) / ROWS;
    }
    return log_likelihood;
}

static dc_status fit(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int most,
                     dc_mixture *out)
{
    const dc_mixture_config cfg = {.kmeans.K = PARTS,
                                   .covariance = DC_COVARIANCE_DIAGONAL,
                                   .n_init = 1,
                                   .max_iter = most,
                                   .tol = 1e-3,
                                   .reg_share = 1e-6};
    return dc_mixture_fit_from(comm, rows, &cfg, centers, label, out);
}

static void test_mixture(dc_comm *comm)
{
    static float X[ROWS * DIMS];
    static int32_t label[ROWS];
    static double g[ROWS * PARTS];
    static const int64_t d = DIMS;
    const float far[PARTS * DIMS] = {100, -100, 3, 4, 5, 60};
    double weight[PARTS], mean[PARTS * DIMS], variance[PARTS * DIMS], floor_ = 0, log_likelihood = 0, rise;
    dc_part part;
    draw_rows(X, label);
    CHECK_OK(dc_part_init(&part, ROWS, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < PARTS; k++) g[i * PARTS + k] = label[i] == k;
    em_step(X, g, 0, weight, mean, variance);
    for (int i = 0; i < PARTS * DIMS; i++) floor_ += 1e-6 * weight[i / DIMS] * variance[i] / DIMS;
    for (int i = 0; i < PARTS * DIMS; i++) variance[i] += floor_;
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * DIMS, &d);
    for (int round = 0; round < 3; round++) {
        const int most = round == 0 ? 0 : round == 1 ? 3 : 100;
        dc_mixture m;
        int done = 0;
        CHECK_OK(fit(comm, &rows, far, label + part.row_lo, most, &m));
        for (rise = 1; done < most && rise >= 1e-3; done++) {
            const double before = log_likelihood;
            log_likelihood = share_rows(X, weight, mean, variance, g);
            em_step(X, g, floor_, weight, mean, variance);
            rise = done > 0 ? log_likelihood - before : 1;
        }
        CHECK_INT(m.iterations, done);
        CHECK(m.converged == (most == 100));
        CHECK_NEAR(m.log_likelihood, share_rows(X, weight, mean, variance, g), 1e-10);
        CHECK_ARRAY_NEAR(m.weight, weight, PARTS, 1e-10);
        CHECK_ARRAY_NEAR(m.mean, mean, PARTS * DIMS, 1e-8);
        CHECK_ARRAY_NEAR(m.variance, variance, PARTS * DIMS, 1e-8);
        dc_mixture_release(&m);
        for (int i = 0; i < ROWS && most != 100; i++) /* from the start again */
            for (int k = 0; k < PARTS; k++) g[i * PARTS + k] = label[i] == k;
        em_step(X, g, floor_, weight, mean, variance);
    }
}

/* A cluster without rows, and one whose rows are all equal: nothing is zero or NaN. */
static void test_odd_mixture(dc_comm *comm)
{
    static float X[ROWS * DIMS];
    static int32_t label[ROWS];
    static const int64_t d = DIMS;
    const float centers[PARTS * DIMS] = {0, 0, 7, 7, 9, 9};
    dc_mixture m;
    dc_part part;
    dc_rng_fill_normal(X, ROWS * DIMS, 719, 2, 1);
    for (int i = 0; i < ROWS; i++) label[i] = i % 2;
    for (int i = 1; i < ROWS; i += 2) X[i * DIMS] = X[i * DIMS + 1] = 7;
    CHECK_OK(dc_part_init(&part, ROWS, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * DIMS, &d);
    CHECK_OK(fit(comm, &rows, centers, label + part.row_lo, 50, &m));
    for (int k = 0; k < PARTS; k++) CHECK(m.weight[k] > 0 && isfinite(log(m.weight[k])));
    for (int i = 0; i < PARTS * DIMS; i++) CHECK(m.variance[i] > 0 && isfinite(m.mean[i]));
    CHECK_NEAR(m.mean[2], 7, 1e-6);
    CHECK_NEAR(m.weight[1], 105.0 / ROWS, 1e-6);
    CHECK(isfinite(m.log_likelihood));
    dc_mixture_release(&m);
}

/* ---- Start, refit, draws, failures ------------------------------------------------------------------------------- */

/* Three clouds of 6, 6 and 5 rows; the cloud of a row is row % K. */
static double z_of(int64_t row, int64_t j)
{
    const int64_t cloud = row % K;
    const double sign = row / K % 2 ? -1 : 1;
    return (j == cloud ? 20 : 0) + sign * (double)(cloud + 1) / (double)(j + 1);
}

static void moments_of(int64_t cloud, int64_t j, double *mean, double *variance)
{
    double sum = 0, squares = 0, n = 0;
    for (int64_t row = cloud; row < GOLDEN_N; row += K, n++) sum += z_of(row, j);
    *mean = sum / n;
    for (int64_t row = cloud; row < GOLDEN_N; row += K) squares += pow(z_of(row, j) - *mean, 2);
    *variance = squares / n;
}

static void open_start(dc_comm *comm, golden_method *s, const char *method, const char *keys, float *Z)
{
    const golden_step what = {"start", method, keys, NULL};
    open_setup(comm, s, &what, 2);
    s->env.kmeans = (dc_kmeans_config){.K = K, .n_init = 3, .max_iter = 20, .seed = 1};
    for (int64_t i = 0; i < dc_part_rows(s->env.part) * GOLDEN_L; i++)
        Z[i] = (float)z_of(s->env.part->row_lo + i / GOLDEN_L, i % GOLDEN_L);
    CHECK_OK(s->method->start(comm, s->state, &(dc_inferred){.Z = Z}));
}

/* The mixture is trained by logarithms. */
static void test_vade_start(dc_comm *comm, const char *keys)
{
    golden_method s;
    float Z[GOLDEN_N * GOLDEN_L];
    unsigned seen = 0;
    open_start(comm, &s, "vade", keys, Z);
    for (int k = 0; k < K; k++) {
        const float *center = dc_method_values(&s.env, "centers") + k * GOLDEN_L;
        const int64_t cloud = center[0] > 10 ? 0 : center[1] > 10 ? 1 : 2;
        seen |= 1u << cloud;
        CHECK_NEAR(dc_method_values(&s.env, "log_weights")[k], log((cloud == 2 ? 5.0 : 6.0) / GOLDEN_N), 1e-6);
        for (int64_t j = 0; j < GOLDEN_L; j++) {
            double mean, variance;
            moments_of(cloud, j, &mean, &variance);
            CHECK_NEAR(center[j], mean, 1e-5);
            CHECK_NEAR(dc_method_values(&s.env, "log_variances")[k * GOLDEN_L + j], log(variance), 1e-4);
        }
    }
    CHECK_INT(seen, (1 << K) - 1);
    golden_method_close(&s);
}

/* VAE's k-means goes on from its centres as they are, in their order. */
static void test_vae_refit(dc_comm *comm)
{
    golden_method s;
    float Z[GOLDEN_N * GOLDEN_L], t[GOLDEN_L], expected[K * GOLDEN_L];
    open_start(comm, &s, "vae", "loss=mse_sum", Z);
    float *center = dc_method_values(&s.env, "centers");
    memcpy(t, center, sizeof t);
    memcpy(center, center + GOLDEN_L, sizeof t);
    memcpy(center + GOLDEN_L, t, sizeof t);
    for (int i = 0; i < K * GOLDEN_L; i++) expected[i] = 1.25f * center[i];
    for (int64_t i = 0; i < dc_part_rows(s.env.part) * GOLDEN_L; i++) Z[i] *= 1.25f;
    CHECK_OK(s.method->refit(comm, s.state, &(dc_inferred){.Z = Z}));
    CHECK_ARRAY_NEAR(center, expected, K * GOLDEN_L, 1e-4);
    golden_method_close(&s);
}

/* Values drawn from each Gaussian: all differ; with its mean and deviation they are standard normal. */
static void check_draws(const golden_method *s, int64_t parts, int64_t draws, const float *mean,
                        const float *log_variance)
{
    dc_results r = {0};
    double sum = 0, squares = 0;
    CHECK_OK(s->method->results(s->state, &r));
    CHECK_INT(r.n, 1);
    const dc_result_array *a = &r.array[0];
    const int64_t count = parts * draws * GOLDEN_L;
    float *e = malloc((size_t)count * sizeof *e);
    int64_t equal = 0;
    CHECK_INT(a->dim[0] * a->dim[1] * (a->n_dims == 3 ? a->dim[2] : 1), count);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = i / (draws * GOLDEN_L) * GOLDEN_L + i % GOLDEN_L;
        const double deviation = log_variance ? exp((double)log_variance[at] / 2) : 1;
        e[i] = (float)((double)((const float *)a->data)[i] - (mean ? (double)mean[at] : 0)) / (float)deviation;
        sum += (double)e[i];
        squares += (double)e[i] * (double)e[i];
        for (int64_t l = 0; l < i; l++) equal += e[l] == e[i];
    }
    CHECK_INT(equal, 0);
    CHECK_NEAR(sum / (double)count, 0, 4 / sqrt((double)count));
    CHECK_NEAR(squares / (double)count, 1, 4 * sqrt(2 / (double)count));
    free(e);
    dc_results_release(&r);
}

static void test_draws(dc_comm *comm)
{
    enum { OF_VAE = 32, OF_VADE = 10 };
    golden_method s;
    open_setup(comm, &s, &steps[0], 2);
    check_draws(&s, 1, OF_VAE, NULL, NULL);
    golden_method_close(&s);
    open_setup(comm, &s, &steps[2], 2);
    for (int i = 0; i < K * GOLDEN_L; i++)
        dc_method_values(&s.env, "centers")[i] = (float)(i % 4),
                                 dc_method_values(&s.env, "log_variances")[i] = (float)(i - 3);
    check_draws(&s, K, OF_VADE, dc_method_values(&s.env, "centers"), dc_method_values(&s.env, "log_variances"));
    golden_method_close(&s);
}

static const char *failure(const golden_method *s, const double *loss, size_t n, int stride)
{
    const dc_method_failure *f = s->method->failed(&s->env, &(dc_refresh){0}, loss, n, stride);
    return f ? f->what : "none";
}

static void test_failures(dc_comm *comm)
{
    static const char prior[] = "the rows' variances have collapsed to the prior's";
    golden_method s;
    open_setup(comm, &s, &(golden_step){"failures", "vae", "loss=mse_sum beta=4", NULL}, 2);
    CHECK_TEXT(failure(&s, (const double[]){2, 0, 2.77}, 2, 2), "none");
    CHECK_TEXT(failure(&s, (const double[]){3, 0, 2.75}, 2, 2), prior);
    golden_method_close(&s);
    open_setup(comm, &s, &steps[2], 2);
    CHECK_TEXT(failure(&s, (const double[]){0.1, 0.1, 0, 0.35, 0.35}, 2, 3), "none");
    CHECK_TEXT(failure(&s, (const double[]){3, 3, 0, 0.35, 0.33}, 2, 3), prior);
    for (int j = 0; j < GOLDEN_L; j++) dc_method_values(&s.env, "log_variances")[GOLDEN_L + j] = -20;
    CHECK_TEXT(failure(&s, (const double[]){3, 3}, 1, 2), "the variance of a cluster has collapsed");
    golden_method_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (size_t i = 0; i < DC_COUNT_OF(steps); i++)
        for (int way = 0; way < GOLDEN_WAYS; way++) check_step(comm, &steps[i], way);
    test_mixture(comm);
    test_odd_mixture(comm);
    test_vade_start(comm, "loss=mse_sum em=0");
    test_vade_start(comm, "loss=mse_sum em=20");
    test_vae_refit(comm);
    test_draws(comm);
    test_failures(comm);
    return check_done_all(&comm);
}
