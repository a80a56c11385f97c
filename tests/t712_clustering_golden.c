/* Whole clustering runs of DEC and IDEC (tests/golden/clustering.txt), DCN and DKM (centers.txt) against PyTorch:
 * k-means, targets, joint loss with its weight and scaling, centres that move by counts, a softmax that sharpens,
 * optimizers; all rows in every batch, gradients summed in every way. ranks: 1 2 3 5 threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "golden/golden_net.h"
#include "method_keys.h"
#include "take_q.h"

enum { N = 17, K = 3, RECORDS_MAX = 11, STEPS = 10, COLUMNS = 4 };

typedef struct {
    const char *file, *name, *method, *keys;
    int64_t interval, records;
    const dc_opt_config *opt;
} golden_run;

static const char joint[] = "clustering.txt", in_turn[] = "centers.txt";
static const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
static const dc_opt_config sgd_dec = {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.9},
                           sgd = {.kind = DC_OPT_SGD, .lr = 0.002, .momentum = 0.9},
                           torch = {.kind = DC_OPT_SGD_TORCH, .lr = 0.005, .momentum = 0.8};
static const golden_run runs[] = {
    {joint, "adam", "idec", "gamma=0.1", 3, 5, &adam},
    {joint, "sum", "idec", "loss=mse_sum gamma=0.7 alpha=1.7", 4, 4, &sgd},
    {joint, "half", "idec", "loss=mse_half_sum gamma=3", 1, 11, &torch},
    {joint, "dec", "dec", "", 5, 3, &sgd_dec},
    {in_turn, "dcn", "dcn", "loss=mse beta=0.5", 10, 2, &adam},
    {in_turn, "dkm", "dkm", "loss=mse_sum lambda=1.5 sharpness=0", 10, 2, &sgd},
};

/* Golden arrays are named "<run>/<what>". */
static void read_array(const golden_run *run, const char *what, double *out, size_t count)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%s", run->name, what);
    CHECK(golden_read(run->file, name, out, count));
}

static dc_cluster_config configure(const golden_run *run, const dc_part *part)
{
    return (dc_cluster_config){.method = dc_method_find(run->method),
                               .env = {.part = part,
                                       .K = K,
                                       .L = GOLDEN_L,
                                       .keys = method_keys(dc_method_find(run->method), run->keys),
                                       .kmeans = {.K = K, .n_init = 10, .max_iter = 50, .seed = 1}},
                               .batch = N,
                               .update_interval = run->interval,
                               .max_iter = STEPS,
                               .gives_q = true,
                               .opt = *run->opt};
}

/* Our number of each golden cluster: the nearest centre. */
static void match_clusters(const float *centers, const double *golden, int order[K])
{
    for (int k = 0; k < K; k++) {
        double nearest = INFINITY;
        for (int j = 0; j < K; j++) {
            double d = 0;
            for (int c = 0; c < GOLDEN_L; c++)
                d += pow((double)centers[j * GOLDEN_L + c] - golden[k * GOLDEN_L + c], 2);
            if (d < nearest) nearest = d, order[k] = j;
        }
    }
}

static void check_centers(const golden_run *run, const float *centers, int order[K])
{
    double golden[K * GOLDEN_L], worst = 0;
    read_array(run, "final/mu", golden, K * GOLDEN_L);
    match_clusters(centers, golden, order);
    for (int k = 0; k < K; k++)
        for (int c = 0; c < GOLDEN_L; c++)
            worst = fmax(worst, fabs((double)centers[order[k] * GOLDEN_L + c] - golden[k * GOLDEN_L + c]));
    CHECK_NEAR(worst, 0, 5e-6);
}

/* Checks how many rows each centre has had; DCN keeps these counts after the centres. */
static void check_counts(const golden_run *run, const float *counts, const int order[K])
{
    double golden[K];
    read_array(run, "final/counts", golden, K);
    for (int k = 0; k < K; k++) CHECK_NEAR(counts[order[k]], golden[k], 0);
}

/* Soft assignment, labels and confidence of this rank's rows. */
static void check_rows(const golden_run *run, const dc_part *part, const dc_cluster_result *r, const int order[K])
{
    double q[N * K], worst = 0;
    float own[N * K];
    bool labels = true;
    read_array(run, "q", q, N * K);
    take_q(r->q, dc_part_rows(part), K, own);
    for (int64_t i = 0; i < dc_part_rows(part); i++) {
        const double *golden = q + (part->row_lo + i) * K;
        int best = 0;
        for (int k = 0; k < K; k++) {
            worst = fmax(worst, fabs((double)own[i * K + order[k]] - golden[k]));
            if (golden[k] > golden[best]) best = k;
        }
        worst = fmax(worst, fabs((double)r->confidence[i] - golden[best]));
        labels = labels && r->labels[i] == order[best];
    }
    CHECK(labels);
    CHECK_NEAR(worst, 0, 2e-6);
}

/* Step, KL with the fresh target, loss and reconstruction of the step before. */
static void check_records(const golden_run *run, const dc_history *h)
{
    double golden[RECORDS_MAX * COLUMNS], worst = 0;
    read_array(run, "records", golden, (size_t)(run->records * COLUMNS));
    CHECK_INT(h->n, run->records);
    for (int64_t i = 0; i < DC_MIN((int64_t)h->n, run->records); i++)
        for (int c = 0; c < COLUMNS; c++) {
            const double expected = golden[i * COLUMNS + c];
            worst = fmax(worst, fabs(h->value[i * h->n_columns + c] - expected) / fmax(1, fabs(expected)));
        }
    CHECK_NEAR(worst, 0, 1e-6);
}

static void check_run(dc_comm *comm, const golden_run *run, int way)
{
    golden_setup s;
    dc_history history = {0};
    dc_cluster_result result;
    char prefix[32];
    float x[N * GOLDEN_D];
    int order[K] = {0};
    CHECK(golden_read_f32(run->file, "x", x, N * GOLDEN_D));
    golden_open(comm, &s, run->file, x, N, 0, DC_ACT_RELU, DC_ACT_LINEAR);
    const dc_cluster_config cfg = configure(run, &s.data.part);
    cfg.method->build(&cfg.env, &s.slab);
    golden_model(&s, run->file);
    golden_set_way(&s.model, way);
    CHECK_OK(dc_train_cluster(comm, &s.model, &cfg, &history, &result));
    CHECK_INT(result.stop, DC_STOP_MAX_ITER);
    check_records(run, &history);
    snprintf(prefix, sizeof prefix, "%s/final", run->name);
    golden_check_slab(run->file, &s.net, prefix, s.model.params.value, 5e-6);
    check_centers(run, s.model.params.value + dc_slab_find(&s.slab, "centers")->at, order);
    if (strcmp(run->method, "dcn") == 0)
        check_counts(run, s.model.params.value + dc_slab_find(&s.slab, "counts")->at, order);
    check_rows(run, &s.data.part, &result, order);
    dc_cluster_result_release(&result);
    dc_history_release(&history);
    golden_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++)
        for (int way = 0; way < GOLDEN_WAYS; way++) check_run(comm, &runs[i], way);
    return check_done_all(&comm);
}
