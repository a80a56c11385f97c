/* 100 steps of pretraining and 100 of clustering end at the same weights, up to rounding, whether gradients are
 * gathered, added by the tree, or meet in an allreduce; another seed ends elsewhere. ranks: 1 3  threads: 1 2 */
#include "check.h"

#include "dcmpi/log.h"
#include "dcmpi/train.h"
#include "method_keys.h"

enum { N = 509, B = 64, SHARDS = 16, K = 10, STEPS = 100 };
typedef enum { OFF, GATHER, TREE } gradient_way;

static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.3, .momentum = 0.9};

static void pretrain(dc_comm *comm, dc_model *m)
{
    const dc_pretrain_config cfg = {.steps = STEPS, .batch = B, .loss = DC_LOSS_MSE, .opt = sgd};
    dc_history history;
    dc_stop stop;
    CHECK_OK(dc_pretrain(comm, m, &cfg, &history, &stop));
    CHECK_INT(stop, DC_STOP_MAX_ITER);
    dc_history_release(&history);
}

static void cluster(dc_comm *comm, dc_model *m)
{
    const dc_cluster_config cfg = {.method = dc_method_find("idec"),
                                   .env = {.part = &m->data->part,
                                           .K = K,
                                           .L = m->net->L,
                                           .keys = method_keys(dc_method_find("idec"), ""),
                                           .kmeans = {.K = K, .n_init = 2, .max_iter = 50, .tol = 1e-4, .seed = 1}},
                                   .batch = B,
                                   .update_interval = 20,
                                   .max_iter = STEPS,
                                   .opt = sgd};
    dc_history history;
    dc_cluster_result result;
    CHECK_OK(dc_train_cluster(comm, m, &cfg, &history, &result));
    CHECK_INT(result.iterations, STEPS);
    dc_cluster_result_release(&result);
    dc_history_release(&history);
}

/* Weights and centres after both phases; *n: how many. Freed by the caller. */
static float *train(dc_comm *comm, gradient_way way, uint64_t seed, size_t *n)
{
    dc_dataset *data;
    dc_net net;
    dc_timers timers = {0};
    dc_progress progress = {0};
    dc_model m;
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, SHARDS, DC_SCALE_UNIT, 1, K, &data));
    CHECK_OK(dc_net_init(&net, data->D, (int64_t[]){40}, 1, 6, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&progress, NULL, 1e9));
    dc_slab slab;
    dc_slab_init(&slab, &net);
    dc_slab_add(&slab, "centers", K, net.L, true);
    CHECK_OK(dc_model_create(&m, data, &slab, DC_INIT_GLOROT, seed, &timers, &progress));
    m.strict = way != OFF;
    m.gather_rows = way == GATHER ? B : 0;
    pretrain(comm, &m);
    cluster(comm, &m);
    *n = m.params.n;
    float *value = malloc(*n * sizeof *value);
    memcpy(value, m.params.value, *n * sizeof *value);
    dc_model_release(&m);
    dc_progress_close(&progress);
    dc_dataset_destroy(&data);
    return value;
}

static double distance(const float *a, const float *b, size_t n)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        difference += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)b[i], 2);
    }
    return sqrt(difference / size);
}

int main(void)
{
    dc_comm *comm;
    size_t n;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    float *off = train(comm, OFF, 1, &n), *gather = train(comm, GATHER, 1, &n), *tree = train(comm, TREE, 1, &n),
          *other = train(comm, GATHER, 2, &n);
    const double of_gather = distance(gather, off, n), of_tree = distance(tree, off, n);
    if (dc_comm_rank(comm) == 0) printf("# distance of weights to off: gather %.2g, tree %.2g\n", of_gather, of_tree);
    CHECK(of_gather < 1e-4);
    CHECK(of_tree < 1e-4);
    CHECK(distance(gather, tree, n) > 0); /* they are two ways */
    CHECK(distance(other, gather, n) > 0.1);
    free(off), free(gather), free(tree), free(other);
    return check_done_all(&comm);
}
