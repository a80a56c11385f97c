/* In a training step of 256 rows, 8 ranks send no more than a ring allreduce of the gradient would: the autoencoder
 * 784-500-500-2000-10 and back, and its encoder in the phase of DEC. Everything that the phases send is counted:
 * losses, agreement, k-means, refreshes. ranks: 8  timed: yes */
#include "check.h"

#include "dcmpi/log.h"
#include "dcmpi/train.h"
#include "method_keys.h"

enum { N = 512, B = 256, SHARDS = 64, K = 10, STEPS = 4 };

/* Bytes that all ranks have sent if the library's algorithms send no byte twice: a broadcast and an allgather bring
 * every byte to the P-1 other ranks, a ring allreduce sends 2 (P-1)/P of the vector from each. */
static double bytes_sent(dc_comm *comm)
{
    double sent = 0;
    const double P = dc_comm_size(comm);
    for (int op = 0; op < DC_COMM_OP_COUNT; op++) {
        const double bytes = (double)dc_comm_traffic_of(comm, (dc_comm_op)op).bytes;
        sent += bytes * (op == DC_COMM_ALLREDUCE    ? 2 * (P - 1) / P
                         : op == DC_COMM_BCAST      ? (P - 1) / P
                         : op == DC_COMM_ALLGATHERV ? P - 1
                                                    : 1);
    }
    dc_comm_sum_f64(comm, &sent, 1);
    return sent;
}

static void check_bytes(dc_comm *comm, const char *phase, double before, size_t n_params)
{
    const double P = dc_comm_size(comm), ring = 2 * (P - 1) / P * 4 * (double)n_params;
    const double per_rank = (bytes_sent(comm) - before) / P / STEPS;
    if (dc_comm_rank(comm) == 0)
        printf("# %s, %d ranks, %d rows: %.2f MB per rank and step, ring allreduce %.2f MB\n", phase, (int)P, (int)B,
               1e-6 * per_rank, 1e-6 * ring);
    CHECK(per_rank <= ring);
    CHECK(per_rank >= 0.3 * ring); /* the weights alone */
}

static void test_pretrain(dc_comm *comm, dc_model *m)
{
    const dc_pretrain_config cfg = {.steps = STEPS, .batch = B, .opt = {.kind = DC_OPT_SGD, .lr = 0.1}};
    dc_history history;
    dc_stop stop;
    const double before = bytes_sent(comm);
    CHECK_OK(dc_pretrain(comm, m, &cfg, &history, &stop));
    check_bytes(comm, "autoencoder", before, m->net->n_params);
    dc_history_release(&history);
}

static void test_dec(dc_comm *comm, dc_model *m)
{
    const dc_cluster_config cfg = {.method = dc_method_find("dec"),
                                   .env = {.part = &m->data->part,
                                           .K = K,
                                           .L = m->net->L,
                                           .keys = method_keys(dc_method_find("dec"), ""),
                                           .kmeans = {.K = K, .n_init = 1, .max_iter = 2, .seed = 1}},
                                   .batch = B,
                                   .update_interval = STEPS,
                                   .max_iter = STEPS,
                                   .opt = {.kind = DC_OPT_SGD, .lr = 0.01}};
    dc_history history;
    dc_cluster_result result;
    const double before = bytes_sent(comm);
    CHECK_OK(dc_train_cluster(comm, m, &cfg, &history, &result));
    CHECK_INT(result.iterations, STEPS);
    check_bytes(comm, "encoder and centres", before, m->net->n_encoder_params + m->params.n_extra);
    dc_cluster_result_release(&result);
    dc_history_release(&history);
}

int main(void)
{
    dc_comm *comm;
    dc_dataset *data;
    dc_net net;
    dc_timers timers = {0};
    dc_progress progress = {0};
    dc_model m;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, SHARDS, DC_SCALE_UNIT, 1, K, &data));
    CHECK_OK(dc_net_init(&net, data->D, (int64_t[]){500, 500, 2000}, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&progress, NULL, 1e9));
    dc_slab slab;
    dc_slab_init(&slab, &net);
    dc_slab_add(&slab, "centers", K, net.L, true);
    CHECK_OK(dc_model_create(&m, data, &slab, DC_INIT_FAN_IN, 1, &timers, &progress));
    m.strict = true;
    m.gather_rows = 2048;
    test_pretrain(comm, &m);
    test_dec(comm, &m);
    dc_model_release(&m);
    dc_progress_close(&progress);
    dc_dataset_destroy(&data);
    return check_done_all(&comm);
}
