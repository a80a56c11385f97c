/* Training phases on ten blobs, small: history, stop reasons, replicas, no allocation in steps, tolerance of
 * P. ranks: 1 3  threads: 1 2 */
#include "check.h"

#include <unistd.h>

#include "dcmpi/log.h"
#include "dcmpi/rng.h"
#include "dcmpi/train.h"
#include "method_keys.h"
#include "take_q.h"

enum { N = 331, D = 24, SHARDS = 16, K = 10, EXAMPLES = 3 }; /* prime N, no multiple of the shards */

/* How gradients meet: by allreduce, or strict, gathered or by the tree. */
typedef enum { OFF, GATHER, TREE, WAYS } gradient_way;
static gradient_way way;

typedef struct {
    dc_dataset *data;
    dc_net net;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
} setup;

/* Row i lies around the centre of class i mod K, all coordinates functions of the seed. */
static void fill_blobs(float X[N][D])
{
    for (uint64_t i = 0; i < N; i++)
        for (uint64_t c = 0; c < D; c++) {
            uint32_t center[4], noise[4];
            double normal[2];
            dc_rng4(7, DC_STREAM_TEST, i % K, c, center);
            dc_rng4(7, DC_STREAM_TEST, 100 + i, c, noise);
            dc_rng_normal2(noise[0], noise[1], normal);
            X[i][c] = (float)(dc_rng_unit(center[0]) + 0.1 * normal[0]);
        }
}

static dc_status write_blobs(const char *path)
{
    static float X[N][D];
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    fill_blobs(X);
    DC_TRY(dc_h5_open(&h5, path, DC_H5_CREATE));
    DC_TRY(dc_h5_put(h5, "/X", DC_H5_F32, 2, (dc_gidx[]){N, D}, X));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", "dcmpi-data"));
    DC_TRY(dc_h5_close(&h5));
out:
    return st;
}

static dc_status load_blobs(dc_comm *comm, dc_dataset **data)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/dcmpi-t700-%ld.h5", (long)getpid());
    dc_comm_bcast(comm, path, sizeof path, 0);
    const bool root = dc_comm_rank(comm) == 0;
    dc_status st = dc_agree(comm, root ? write_blobs(path) : DC_OK);
    if (st == DC_OK) st = dc_dataset_load(comm, path, 0, SHARDS, DC_SCALE_NONE, 1, K, data);
    if (root) unlink(path);
    return st;
}

static void open_setup(dc_comm *comm, setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(load_blobs(comm, &s->data));
    CHECK_OK(dc_net_init(&s->net, s->data->D, (int64_t[]){32, 16}, 2, 5, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    dc_slab_init(&s->slab, &s->net);
    dc_slab_add(&s->slab, "centers", K, s->net.L, true);
    CHECK_OK(dc_model_create(&s->model, s->data, &s->slab, DC_INIT_FAN_IN, 1, &s->timers, &s->progress));
    s->model.strict = way != OFF;
    s->model.gather_rows = way == GATHER ? 32 : 0;
}

static void close_setup(setup *s)
{
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    dc_dataset_destroy(&s->data);
}

static dc_pretrain_config pretraining(int64_t epochs)
{
    return (dc_pretrain_config){
        .epochs = epochs, .batch = 32, .loss = DC_LOSS_MSE, .opt = {.kind = DC_OPT_SGD, .lr = 0.5, .momentum = 0.9}};
}

static dc_cluster_config clustering(const setup *s, const char *method, int64_t max_iter)
{
    return (dc_cluster_config){.method = dc_method_find(method),
                               .env = {.part = &s->data->part,
                                       .K = K,
                                       .L = s->net.L,
                                       .keys = method_keys(dc_method_find(method), "weight=1"),
                                       .kmeans = {.K = K, .n_init = 2, .max_iter = 50, .tol = 1e-4, .seed = 1}},
                               .batch = 32,
                               .update_interval = 7,
                               .max_iter = max_iter,
                               .tol = 0,
                               .gives_q = true,
                               .opt = {.kind = DC_OPT_SGD, .lr = 0.01, .momentum = 0.9}};
}

static uint64_t allocations_of_pretraining(dc_comm *comm, int64_t epochs, double *last_loss)
{
    setup s;
    dc_history history;
    dc_stop stop;
    open_setup(comm, &s);
    const dc_pretrain_config cfg = pretraining(epochs);
    const uint64_t before = dc_mem_alloc_count();
    CHECK_OK(dc_pretrain(comm, &s.model, &cfg, &history, &stop));
    const uint64_t made = dc_mem_alloc_count() - before;
    CHECK_INT(stop, DC_STOP_EPOCHS);
    CHECK_INT(history.n, epochs);
    CHECK(history.value[3 * (epochs - 1) + 1] < history.value[1]);
    *last_loss = history.value[3 * (epochs - 1) + 1];
    dc_history_release(&history);
    close_setup(&s);
    return made;
}

/* 110 steps: the loss of 1 rank x 1 thread (0.0879362), whatever the ranks and threads. */
static void test_pretrain(dc_comm *comm)
{
    double loss;
    const uint64_t few = allocations_of_pretraining(comm, 3, &loss);
    CHECK_INT(allocations_of_pretraining(comm, 10, &loss), few); /* 110 steps, no allocation of ours in any */
    CHECK_NEAR(loss, 0.0879362, 1e-6);
}

static void test_divergence(dc_comm *comm)
{
    setup s;
    dc_history history;
    dc_stop stop;
    open_setup(comm, &s);
    dc_pretrain_config cfg = pretraining(20);
    cfg.opt.lr = 1e6;
    CHECK_OK(dc_pretrain(comm, &s.model, &cfg, &history, &stop));
    CHECK_INT(stop, DC_STOP_DIVERGED);
    bool finite = true;
    for (size_t i = 0; i < s.model.params.n; i++) finite = finite && isfinite(s.model.params.value[i]);
    CHECK(finite); /* the gradient that was not finite did not reach the weights */
    dc_history_release(&history);
    close_setup(&s);
}

static void check_result(dc_comm *comm, const setup *s, const dc_cluster_result *r)
{
    static float own[N * K];
    const int64_t n = dc_part_rows(&s->data->part);
    int64_t bad = 0, rows = n;
    take_q(r->q, n, K, own);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, best = -1;
        int64_t arg = -1;
        for (int64_t j = 0; j < K; j++) {
            const double q = (double)own[i * K + j];
            sum += q;
            if (q > best) best = q, arg = j;
        }
        bad += fabs(sum - 1) > 1e-5 || arg != r->labels[i] || fabs(best - (double)r->confidence[i]) > 0;
    }
    CHECK_INT(bad, 0);
    dc_comm_sum_i64(comm, &rows, 1);
    CHECK_INT(rows, N);
    CHECK_NEAR(r->last.f_sum, N, 1e-3);
}

static void test_dec(dc_comm *comm)
{
    setup s;
    dc_history pre, history;
    dc_stop stop;
    dc_cluster_result r;
    open_setup(comm, &s);
    dc_pretrain_config cfg = pretraining(10);
    cfg.opt = (dc_opt_config){.kind = DC_OPT_ADAM, .lr = 0.005, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    CHECK_OK(dc_pretrain(comm, &s.model, &cfg, &pre, &stop));
    const dc_cluster_config c = clustering(&s, "dec", 50);
    CHECK_OK(dc_train_cluster(comm, &s.model, &c, &history, &r));
    CHECK_INT(r.stop, DC_STOP_MAX_ITER);
    CHECK_INT(r.iterations, 50);
    CHECK_INT(history.n, 9); /* refreshes at 0, 7, ..., 49, 50 */
    const size_t last = (history.n - 1) * (size_t)history.n_columns;
    CHECK_NEAR(history.value[last + 1], 0.0111362, 1e-6);
    check_result(comm, &s, &r);
    dc_cluster_result_release(&r);
    dc_history_release(&pre);
    dc_history_release(&history);
    close_setup(&s);
}

static void test_aekm(dc_comm *comm)
{
    setup s;
    dc_history history;
    dc_cluster_result r;
    open_setup(comm, &s);
    const dc_cluster_config c = clustering(&s, "aekm", 50);
    CHECK_OK(dc_train_cluster(comm, &s.model, &c, &history, &r));
    CHECK_INT(r.stop, DC_STOP_ASSIGNED);
    CHECK_INT(r.iterations, 0);
    CHECK_INT(history.n, 1);
    check_result(comm, &s, &r);
    dc_cluster_result_release(&r);
    dc_history_release(&history);
    close_setup(&s);
}

/* Naive twin: for each cluster, sort all rows by (confidence, row). */
static void test_examples(dc_comm *comm)
{
    enum { CLUSTERS = 3 };
    static int32_t label[N];
    static float confidence[N];
    dc_part part;
    int64_t nearest[CLUSTERS * EXAMPLES], border[CLUSTERS * EXAMPLES];
    for (int i = 0; i < N; i++) label[i] = i % 5 == 0 ? 0 : 1, confidence[i] = (float)(i * 7 % 13) / 13;
    label[5] = 2;
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_cluster_examples(comm, &part, label + part.row_lo, confidence + part.row_lo, CLUSTERS, EXAMPLES,
                                 nearest, border));
    for (int sign = -1; sign <= 1; sign += 2)
        for (int k = 0; k < CLUSTERS; k++) {
            bool used[N] = {false};
            for (int e = 0; e < EXAMPLES; e++) {
                int best = -1;
                for (int i = 0; i < N; i++)
                    if (label[i] == k && !used[i] &&
                        (best < 0 || (float)sign * confidence[i] < (float)sign * confidence[best]))
                        best = i;
                if (best >= 0) used[best] = true;
                CHECK_INT((sign < 0 ? nearest : border)[k * EXAMPLES + e], best);
            }
        }
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (way = OFF; way < WAYS; way++) {
        test_pretrain(comm);
        test_divergence(comm);
        test_dec(comm);
    }
    test_aekm(comm);
    test_examples(comm);
    return check_done_all(&comm);
}
