/* Groups of ranks train at the same time, each with a seed of its own: each gets the bits that its seed gives on all
 * ranks, whatever the others do, and each can train again. ranks: 2 3 5 */
#include <xxhash.h>

#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/train.h"
#include "method_keys.h"

enum { N = 150, K = 4, L = 3, SHARDS = 8, SEEDS = 2 };

static int64_t hash_rows(size_t bytes, const dc_part *part, const void *rows)
{
    return (int64_t)dc_h5_hash_rows(bytes, part->row_lo, dc_part_rows(part), rows);
}

/* Pretraining, k-means and DEC on the ranks of `comm`; a hash of weights, embedding, labels and history, equal on all.
 */
static int64_t train(dc_comm *comm, uint64_t seed)
{
    dc_dataset *data;
    dc_net net;
    dc_timers timers = {0};
    dc_progress progress;
    dc_model model;
    dc_history before = {0}, history = {0};
    dc_cluster_result result = {0};
    dc_stop stop;
    const int64_t hidden = 12;
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, SHARDS, DC_SCALE_UNIT, seed, K, &data));
    CHECK_OK(dc_net_init(&net, data->D, &hidden, 1, L, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&progress, NULL, 1e9));
    dc_slab slab;
    dc_slab_init(&slab, &net);
    dc_slab_add(&slab, "centers", K, L, true);
    CHECK_OK(dc_model_create(&model, data, &slab, DC_INIT_GLOROT, seed, &timers, &progress));
    model.strict = true;
    model.gather_rows = 2048;
    const dc_opt_config opt = {.kind = DC_OPT_SGD, .lr = 0.05, .momentum = 0.9};
    const dc_pretrain_config pretrain = {
        .epochs = 2, .batch = 32, .loss = DC_LOSS_MSE, .opt = opt, .phase = "pretrain"};
    const dc_cluster_config cluster = {.method = dc_method_find("dec"),
                                       .env = {.part = &data->part,
                                               .K = K,
                                               .L = L,
                                               .keys = method_keys(dc_method_find("dec"), ""),
                                               .kmeans = {.K = K, .n_init = 3, .max_iter = 20, .seed = seed}},
                                       .batch = 32,
                                       .update_interval = 5,
                                       .max_iter = 20,
                                       .opt = opt};
    CHECK_OK(dc_pretrain(comm, &model, &pretrain, &before, &stop));
    CHECK_OK(dc_train_cluster(comm, &model, &cluster, &history, &result));
    int64_t hash = hash_rows(L * sizeof *result.Z, &data->part, result.Z) +
                   hash_rows(sizeof *result.labels, &data->part, result.labels);
    dc_comm_sum_i64(comm, &hash, 1);
    CHECK_OK(dc_model_check_replicas(comm, &model));
    hash ^= (int64_t)XXH3_64bits(model.params.value, model.params.n * sizeof *model.params.value);
    hash ^= (int64_t)XXH3_64bits(history.value, history.n * (size_t)history.n_columns * sizeof *history.value);
    dc_cluster_result_release(&result);
    dc_history_release(&before);
    dc_history_release(&history);
    dc_model_release(&model);
    dc_progress_close(&progress);
    dc_dataset_destroy(&data);
    return hash;
}

int main(void)
{
    dc_comm *comm, *group;
    int64_t alone[SEEDS];
    if (dc_comm_create(&comm) != DC_OK) return 1;
    const int rank = dc_comm_rank(comm), P = dc_comm_size(comm);
    check_init(rank);
    dc_log_set_active(false);
    for (int s = 0; s < SEEDS; s++) alone[s] = train(comm, (uint64_t)(s + 1));
    CHECK(alone[0] != alone[1]);
    for (int uneven = 0; uneven < 2; uneven++) {
        /* Every other rank; the first rank against all others. */
        const int number = uneven ? rank > 0 : rank % 2;
        CHECK_OK(dc_comm_split(comm, number, &group));
        CHECK_INT(dc_comm_size(group), uneven ? (rank > 0 ? P - 1 : 1) : (P + 1 - number) / 2);
        CHECK_INT(dc_comm_rank(group), uneven ? DC_MAX(rank - 1, 0) : rank / 2);
        CHECK_INT(train(group, (uint64_t)(number + 1)), alone[number]);
        /* The other seed: nothing of the first is left. */
        CHECK_INT(train(group, (uint64_t)(2 - number)), alone[1 - number]);
        dc_comm_destroy(&group);
        CHECK(group == NULL);
    }
    CHECK_INT(train(comm, 1), alone[0]);
    /* An error of one group stays in it; the others meet as before. */
    CHECK_OK(dc_comm_split(comm, rank == P - 1, &group));
    const dc_status st = dc_agree(group, rank == P - 1 ? DC_FAIL(DC_ERR_DATA, "only here") : DC_OK);
    CHECK_INT(st, rank == P - 1 ? DC_ERR_DATA : DC_OK);
    dc_error_clear();
    dc_comm_destroy(&group);
    return check_done_all(&comm);
}
