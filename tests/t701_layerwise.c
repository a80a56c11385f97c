/* Layer-wise pretraining: against PyTorch (tests/golden/layerwise.txt, full batches, our dropout masks); same bits with
 * cached and recomputed outputs of frozen layers; histories, divergence, no allocation in steps; what norms learn gets
 * into the stack. ranks: 1 2 3 5 threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/net_text.h"
#include "dcmpi/rng.h"
#include "dcmpi/train.h"
#include "golden/golden_net.h"

enum { ROWS = 13, D = GOLDEN_D, PAIRS = 3 };
static const char file[] = "layerwise.txt";
static const uint64_t seed = 0x123456789abcd;
static const size_t plenty = SIZE_MAX;

typedef struct {
    golden_setup base;
    dc_history pairs[DC_MAX_PAIRS], finetune;
} setup;

/* The golden data (13 rows) or, for another N, random rows in [0, 1). */
static void open_setup(dc_comm *comm, setup *s, dc_gidx N, dc_act hidden, dc_act output)
{
    float *all = malloc((size_t)(N * D) * sizeof *all);
    memset(s, 0, sizeof *s);
    if (N == ROWS)
        CHECK(golden_read_f32(file, "x", all, ROWS * D));
    else
        dc_rng_fill_uniform(all, (size_t)(N * D), 701, 1, 0.5);
    golden_open(comm, &s->base, file, all, N, N == ROWS ? 0 : 0.5f, hidden, output);
    s->base.model.seed = seed;
    free(all);
}

static void close_setup(setup *s)
{
    for (int l = 0; l < DC_MAX_PAIRS; l++) dc_history_release(&s->pairs[l]);
    dc_history_release(&s->finetune);
    golden_close(&s->base);
}

/* ---- PyTorch ---------------------------------------------------------------------------------------------------- */

/* Full batches: a step is an epoch, and a record. */
static void check_losses(const char *run, const dc_history *h, int steps, double tolerance)
{
    char name[64];
    double expected[16];
    bool near = true;
    snprintf(name, sizeof name, "%s/%s/loss", run, h->phase);
    CHECK(golden_read(file, name, expected, (size_t)steps));
    CHECK_INT(h->n, steps);
    for (int t = 0; t < steps; t++) near = near && fabs(h->value[t * h->n_columns + 1] - expected[t]) < tolerance;
    CHECK(near);
}

static void check_parameters(const setup *s, const char *run, const char *when)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s/%s", run, when);
    golden_check_slab(file, &s->base.net, prefix, s->base.model.params.value, 3e-6);
}

static void check_golden(dc_comm *comm, const char *run, dc_act hidden, dc_act output, const dc_layerwise_config *cfg,
                         int finetune_steps)
{
    setup s;
    dc_stop stop;
    open_setup(comm, &s, ROWS, hidden, output);
    CHECK_OK(dc_pretrain_layerwise(comm, &s.base.model, cfg, s.pairs, &stop));
    CHECK_INT(stop, DC_STOP_MAX_ITER);
    for (int l = 0; l < PAIRS; l++) check_losses(run, &s.pairs[l], (int)cfg->layer.steps, 1e-6);
    CHECK_INT(s.pairs[PAIRS].n, 0);
    check_parameters(&s, run, "stacked");
    dc_pretrain_config finetune = cfg->layer;
    finetune.steps = finetune_steps;
    finetune.phase = "finetune";
    CHECK_OK(dc_pretrain(comm, &s.base.model, &finetune, &s.finetune, &stop));
    CHECK_INT(stop, DC_STOP_MAX_ITER);
    check_losses(run, &s.finetune, finetune_steps, 1e-6);
    check_parameters(&s, run, "final");
    close_setup(&s);
}

static void test_golden(dc_comm *comm)
{
    dc_layerwise_config cfg = {
        .layer = {.steps = 9, .batch = ROWS, .loss = DC_LOSS_MSE_HALF_SUM}, .dropout = 0.2, .cache_bytes = plenty};
    cfg.layer.opt = (dc_opt_config){.kind = DC_OPT_SGD, .lr = 0.05, .momentum = 0.9, .burnin = 4, .bias_lr = 2};
    cfg.layer.opt.schedule = DC_SCHED_STEP, cfg.layer.opt.lr_step = 5, cfg.layer.opt.lr_factor = 0.5;
    check_golden(comm, "caffe", DC_ACT_RELU, DC_ACT_LINEAR, &cfg, 7);

    cfg = (dc_layerwise_config){.layer = {.steps = 8, .batch = ROWS, .loss = DC_LOSS_BCE},
                                .input_dropout = 0.3,
                                .dropout = 0.4,
                                .cache_bytes = 0};
    cfg.layer.opt = (dc_opt_config){.kind = DC_OPT_SGD_TORCH, .lr = 0.2, .momentum = 0.8, .burnin = 3, .bias_lr = 0.5};
    cfg.layer.opt.schedule = DC_SCHED_STEP, cfg.layer.opt.lr_step = 6, cfg.layer.opt.lr_factor = 0.1;
    check_golden(comm, "torch", DC_ACT_TANH, DC_ACT_SIGMOID, &cfg, 5);
}

/* ---- Mini-batches ----------------------------------------------------------------------------------------------- */

enum { MANY = 331, BATCH = 32, PER_EPOCH = 11 };

static dc_layerwise_config small_batches(int64_t epochs, int64_t steps, size_t cache_bytes)
{
    return (dc_layerwise_config){.layer = {.epochs = epochs,
                                           .steps = steps,
                                           .batch = BATCH,
                                           .loss = DC_LOSS_MSE,
                                           .opt = {.kind = DC_OPT_SGD, .lr = 0.3, .momentum = 0.9}},
                                 .dropout = 0.2,
                                 .cache_bytes = cache_bytes};
}

/* Trains a copy of the same start; returns the allocations. */
static uint64_t run(dc_comm *comm, setup *s, const dc_layerwise_config *cfg, dc_stop *stop)
{
    open_setup(comm, s, MANY, DC_ACT_RELU, DC_ACT_LINEAR);
    const uint64_t before = dc_mem_alloc_count();
    CHECK_OK(dc_pretrain_layerwise(comm, &s->base.model, cfg, s->pairs, stop));
    return dc_mem_alloc_count() - before;
}

static bool same_weights(const setup *a, const setup *b)
{
    return memcmp(a->base.model.params.value, b->base.model.params.value, a->base.net.n_params * sizeof(float)) == 0;
}

/* Everything kept, nothing kept, and a limit between the needs of the second pair (input width 7) and the third (5).
 */
static void test_cache(dc_comm *comm)
{
    setup kept, computed, mixed;
    dc_stop stop;
    int64_t largest = 0;
    dc_layerwise_config cfg = small_batches(3, 0, plenty);
    run(comm, &kept, &cfg, &stop);
    CHECK_INT(stop, DC_STOP_EPOCHS);
    cfg.cache_bytes = 0;
    run(comm, &computed, &cfg, &stop);
    largest = dc_part_rows(&kept.base.data.part);
    dc_comm_max_i64(comm, &largest, 1);
    cfg.cache_bytes = (size_t)largest * 6 * sizeof(float);
    run(comm, &mixed, &cfg, &stop);
    CHECK(same_weights(&kept, &computed));
    CHECK(same_weights(&kept, &mixed));
    close_setup(&kept), close_setup(&computed), close_setup(&mixed);
}

/* Losses of 1 rank x 1 thread, whatever the ranks and threads; 25 steps are two epochs and three steps. */
static void test_histories(dc_comm *comm)
{
    static const double expected[PAIRS] = {0.0890666, 0.000291731, 0.00448037};
    setup s;
    dc_stop stop;
    const dc_layerwise_config cfg = small_batches(1, 25, plenty);
    run(comm, &s, &cfg, &stop);
    CHECK_INT(stop, DC_STOP_MAX_ITER);
    for (int l = 0; l < PAIRS; l++) {
        const dc_history *h = &s.pairs[l];
        char name[32];
        snprintf(name, sizeof name, "layer_%d", l + 1);
        CHECK_TEXT_HAS(h->phase, name);
        CHECK_INT(h->n, 3);
        CHECK_NEAR(h->value[0], 1, 0);
        CHECK_NEAR(h->value[2 * 3], 25.0 / PER_EPOCH, 1e-15);
        CHECK(h->value[2 * 3 + 1] < h->value[1]);
        CHECK_NEAR(h->value[2 * 3 + 1], expected[l], 2e-7);
    }
    close_setup(&s);
}

static void test_no_allocation(dc_comm *comm, size_t cache_bytes)
{
    setup a, b;
    dc_stop stop;
    dc_layerwise_config cfg = small_batches(0, 5, cache_bytes);
    cfg.input_dropout = 0.1;
    const uint64_t few = run(comm, &a, &cfg, &stop);
    cfg.layer.steps = 50;
    CHECK_INT(run(comm, &b, &cfg, &stop), few);
    CHECK(!same_weights(&a, &b));
    close_setup(&a), close_setup(&b);
}

/* Dropout acts where it should: each rate changes the result, and without any, pairs are plain autoencoders. */
static void test_rates(dc_comm *comm)
{
    setup none, input, others, again;
    dc_stop stop;
    dc_layerwise_config cfg = small_batches(1, 0, plenty);
    run(comm, &others, &cfg, &stop);
    run(comm, &again, &cfg, &stop);
    cfg.dropout = 0;
    run(comm, &none, &cfg, &stop);
    cfg.input_dropout = 0.2;
    run(comm, &input, &cfg, &stop);
    CHECK(same_weights(&others, &again));
    CHECK(!same_weights(&none, &others) && !same_weights(&none, &input) && !same_weights(&input, &others));
    CHECK(none.pairs[0].value[1] < input.pairs[0].value[1]);
    CHECK(none.pairs[0].value[1] < others.pairs[0].value[1]);
    close_setup(&none), close_setup(&input), close_setup(&others), close_setup(&again);
}

/* The second pair diverges: the first keeps what it learnt, the third never starts, no weight is spoilt, also where the
 * loss is finite in double but its gradient would not be in float. */
static void test_divergence(dc_comm *comm, bool strict, int64_t gather_rows)
{
    setup s;
    dc_stop stop;
    dc_layerwise_config cfg = small_batches(3, 0, plenty);
    open_setup(comm, &s, MANY, DC_ACT_RELU, DC_ACT_LINEAR);
    s.base.model.strict = strict;
    s.base.model.gather_rows = gather_rows;
    const float huge = 1e30f;
    s.base.model.params.value[s.base.net.layer[1].weight] = huge;
    CHECK_OK(dc_pretrain_layerwise(comm, &s.base.model, &cfg, s.pairs, &stop));
    CHECK_INT(stop, DC_STOP_DIVERGED);
    CHECK_INT(s.pairs[0].n, 3);
    CHECK_INT(s.pairs[1].n, 1);
    CHECK_INT(s.pairs[2].n, 0);
    bool finite = true;
    for (size_t i = 0; i < s.base.model.params.n; i++) finite = finite && isfinite(s.base.model.params.value[i]);
    CHECK(finite);
    close_setup(&s);
}

/* The first layer gives 0 for every row: the second pair would have a loss of 0 for ever. */
static void test_dead_layer(dc_comm *comm)
{
    setup s;
    dc_stop stop;
    dc_layerwise_config cfg = small_batches(1, 0, plenty);
    open_setup(comm, &s, MANY, DC_ACT_RELU, DC_ACT_LINEAR);
    for (int64_t j = 0; j < s.base.net.layer[0].out; j++)
        s.base.model.params.value[s.base.net.layer[0].bias + (size_t)j] = -100;
    CHECK_OK(dc_pretrain_layerwise(comm, &s.base.model, &cfg, s.pairs, &stop));
    CHECK_INT(stop, DC_STOP_DIVERGED);
    CHECK_INT(s.pairs[0].n, 1);
    CHECK_INT(s.pairs[1].n, 0);
    close_setup(&s);
}

/* Cross-entropy refuses a linear output, and data outside [0, 1] by row and column. */
static void test_bce_refusals(dc_comm *comm)
{
    setup s;
    dc_stop stop;
    dc_layerwise_config cfg = small_batches(1, 0, plenty);
    cfg.layer.loss = DC_LOSS_BCE;
    open_setup(comm, &s, MANY, DC_ACT_RELU, DC_ACT_LINEAR);
    CHECK_STATUS(dc_pretrain_layerwise(comm, &s.base.model, &cfg, s.pairs, &stop), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "output_activation");
    close_setup(&s);
    dc_error_clear();

    open_setup(comm, &s, MANY, DC_ACT_RELU, DC_ACT_SIGMOID);
    enum { BAD_ROW = 200, BAD_COLUMN = 7 };
    if (s.base.data.part.row_lo <= BAD_ROW && BAD_ROW < s.base.data.part.row_hi)
        ((float *)s.base.data.X)[(BAD_ROW - s.base.data.part.row_lo) * D + BAD_COLUMN] = 0.75f;
    CHECK_STATUS(dc_pretrain(comm, &s.base.model, &cfg.layer, &s.finetune, &stop), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "row 200, column 7 is 1.25");
    close_setup(&s);
    dc_error_clear();
}

/* The stack gets what the norms of each pair have learnt, and their running moments. */
static void test_norms(dc_comm *comm)
{
    setup s;
    dc_stop stop;
    char why[DC_NET_WHY_MAX];
    dc_net_text text = {.kind = DC_DECODER_MIRROR};
    const dc_layerwise_config cfg = small_batches(1, 0, plenty);
    int norms = 0;
    open_setup(comm, &s, MANY, DC_ACT_RELU, DC_ACT_LINEAR);
    CHECK(dc_net_text_encoder("dense 7 bn relu, dense 5 ln relu, dense 3 bn", &text, why));
    CHECK_OK(dc_net_build(&s.base.net, D, &text));
    dc_slab_init(&s.base.slab, &s.base.net);
    golden_model(&s.base, file);
    s.base.model.seed = seed;
    CHECK_OK(dc_pretrain_layerwise(comm, &s.base.model, &cfg, s.pairs, &stop));
    for (int l = 0; l < s.base.net.n_layers; l++) {
        const dc_layer *layer = &s.base.net.layer[l];
        const float *value = s.base.model.params.value, *gamma = value + layer->gamma, *mean = value + layer->mean;
        int64_t learnt = 0, moved = 0;
        if (!layer->norm) continue;
        for (int64_t j = 0; j < layer->out; j++) {
            learnt += gamma[j] != 1;
            moved += layer->norm == DC_NORM_BATCH && mean[j] != 0 && mean[layer->out + j] != 1;
        }
        printf("# %s\n", layer->name);
        CHECK(learnt > 0); /* a rectifier that gives 0 for all rows has learnt nothing */
        CHECK_INT(moved, layer->norm == DC_NORM_BATCH ? layer->out : 0);
        norms++;
    }
    CHECK(norms > PAIRS);
    close_setup(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    test_golden(comm);
    test_cache(comm);
    test_histories(comm);
    test_no_allocation(comm, plenty);
    test_no_allocation(comm, 0);
    test_rates(comm);
    test_divergence(comm, false, 0);
    test_divergence(comm, true, 0);
    test_divergence(comm, true, 2048);
    test_dead_layer(comm);
    test_bce_refusals(comm);
    test_norms(comm);
    return check_done_all(&comm);
}
