/* Self-test of parallel.reproducible = strict: checks that the tiles of a training step and the tree over the shards
 * give the same bits whichever rank or thread computes them, and measures the cost of strict on this machine. */
#include <string.h>

#include "dcmpi/la.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/shard_tree.h"
#include "dcmpi/train.h"
#include "selftest.h"
#include "selftest_kern.h"

/* ---- Tiles ------------------------------------------------------------------------------------------------------- */

/* The widest layer of the published configuration; its last panel and its last tile of columns are narrower. */
enum { ROWS = 256, IN = 500, OUT = 2000, PANELS = (IN + DC_PANEL_ROWS - 1) / DC_PANEL_ROWS };

typedef struct {
    float *X, *W, *dY;   /* [ROWS x IN], [IN x OUT], [ROWS x OUT] */
    float *Y[2], *dW[2]; /* computed in two ways */
} tiles;

static dc_status tiles_create(tiles *t)
{
    dc_status st = DC_OK;
    *t = (tiles){0};
    DC_TRY(dc_mem_alloc_raw(&t->X, ROWS * IN, sizeof *t->X, "rows"));
    DC_TRY(dc_mem_alloc_raw(&t->W, IN * OUT, sizeof *t->W, "weights"));
    DC_TRY(dc_mem_alloc_raw(&t->dY, ROWS * OUT, sizeof *t->dY, "deltas"));
    for (int i = 0; i < 2; i++) {
        DC_TRY(dc_mem_alloc(&t->Y[i], ROWS * OUT, sizeof *t->Y[i], "outputs"));
        DC_TRY(dc_mem_alloc(&t->dW[i], IN * OUT, sizeof *t->dW[i], "gradient"));
    }
    dc_rng_fill_uniform(t->X, ROWS * IN, 1, 0, 1);
    dc_rng_fill_uniform(t->W, IN * OUT, 1, 1, 1);
    dc_rng_fill_uniform(t->dY, ROWS * OUT, 1, 2, 1);
out:
    return st;
}

static void tiles_release(tiles *t)
{
    dc_mem_free(&t->X);
    dc_mem_free(&t->W);
    dc_mem_free(&t->dY);
    for (int i = 0; i < 2; i++) {
        dc_mem_free(&t->Y[i]);
        dc_mem_free(&t->dW[i]);
    }
}

static void forward(const tiles *t, int64_t first, int64_t last, float *Y)
{
    dc_gemm_rows(DC_ROW_TILE, last - first, OUT, IN, t->X + first * IN, IN, t->W, OUT, Y + first * OUT, OUT);
}

static void weight_gradient(const tiles *t, int64_t first, int64_t last, float *dW)
{
    dc_gemm_panels(first, last, IN, OUT, ROWS, t->X, IN, t->dY, OUT, 0, dW, OUT);
}

static void compute_whole(void *ctx)
{
    const tiles *t = ctx;
    forward(t, 0, ROWS, t->Y[0]);
    weight_gradient(t, 0, PANELS, t->dW[0]);
}

/* Computes the same in parts, as ranks would share the work, and starts with the last part. */
static void compute_in_parts(void *ctx)
{
    const tiles *t = ctx;
    for (int64_t row = ROWS - DC_ROW_TILE; row >= 0; row -= DC_ROW_TILE) forward(t, row, row + DC_ROW_TILE, t->Y[1]);
    for (int64_t panel = PANELS - 1; panel >= 0; panel -= 3)
        weight_gradient(t, DC_MAX(panel - 2, (int64_t)0), panel + 1, t->dW[1]);
}

static dc_status compare_tiles(tiles *t, int n_threads)
{
    dc_selftest_with_threads(1, compute_whole, t);
    dc_selftest_with_threads(n_threads, compute_in_parts, t);
    if (memcmp(t->Y[0], t->Y[1], ROWS * OUT * sizeof(float)) == 0 &&
        memcmp(t->dW[0], t->dW[1], IN * OUT * sizeof(float)) == 0)
        return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC,
                   "tiles have other bits in parts on %d threads than together on one: results depend on ranks and "
                   "threads; try another version of oneDNN, or parallel.gemm=cblas",
                   n_threads);
}

dc_status dc_selftest_training_tiles(dc_comm *comm, dc_selftest *t)
{
    tiles x;
    const int n_threads = DC_MAX(t->binding.threads, 2);
    dc_status st = tiles_create(&x);
    if (st == DC_OK && dc_comm_node_rank(comm) == 0) st = compare_tiles(&x, n_threads); /* one rank per node */
    tiles_release(&x);
    dc_selftest_figure(t, "forward and weight gradient: the same bits together on 1 and in parts on %d threads",
                       n_threads);
    return dc_agree(comm, st);
}

/* ---- Tree -------------------------------------------------------------------------------------------------------- */

enum { SHARDS = 64, FLOATS = 1000, TREE_FLOATS = SHARDS * FLOATS };

typedef struct {
    float *scratch, *sums; /* [TREE_FLOATS] each */
    dc_subtree subtree[SHARDS];
} forest;

static void fill_leaf(const void *ctx, int shard, float *out)
{
    (void)ctx;
    dc_rng_fill_uniform(out, FLOATS, 1, (uint64_t)shard, 1);
}

/* The sum over all shards as P ranks compute it; valid until the next call. */
static const float *sum_of_ranks(forest *f, int P)
{
    int count = 0;
    for (int r = 0; r < P; r++)
        count +=
            dc_tree_roots((int)((int64_t)r * SHARDS / P), (int)((int64_t)(r + 1) * SHARDS / P), f->subtree + count);
    for (int k = 0; k < count; k++) {
        dc_tree_sum(fill_leaf, NULL, FLOATS, f->subtree[k].first, f->subtree[k].size, f->scratch);
        f->subtree[k].sum = memcpy(f->sums + k * FLOATS, f->scratch, FLOATS * sizeof *f->scratch);
    }
    return dc_tree_finish(f->subtree, count, FLOATS);
}

static dc_status compare_trees(forest *f)
{
    float one_rank[FLOATS];
    memcpy(one_rank, sum_of_ranks(f, 1), sizeof one_rank);
    for (int P = 2; P <= SHARDS; P++)
        if (memcmp(one_rank, sum_of_ranks(f, P), sizeof one_rank) != 0)
            return DC_FAIL(DC_ERR_NUMERIC, "sums over %d shards have other bits on %d ranks than on one", (int)SHARDS,
                           P);
    return DC_OK;
}

dc_status dc_selftest_shard_tree(dc_comm *comm, dc_selftest *t)
{
    dc_status st = DC_OK;
    forest f = {0};
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&f.scratch, TREE_FLOATS, sizeof *f.scratch, "partial sums"));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&f.sums, TREE_FLOATS, sizeof *f.sums, "sums"));
    DC_TRY_ALL(comm, compare_trees(&f));
    dc_selftest_figure(t, "%d shards: the bits of one rank on each number of ranks up to %d", (int)SHARDS, (int)SHARDS);
out:
    dc_mem_free(&f.scratch);
    dc_mem_free(&f.sums);
    return st;
}

/* ---- Cost -------------------------------------------------------------------------------------------------------- */

enum { OFF, STRICT, MODES, BATCH = 256, STEPS = 4, PAIRS = 3 };

typedef struct {
    dc_dataset *data;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model[MODES];
} training;

static dc_status training_create(dc_comm *comm, training *x)
{
    static const int64_t hidden[] = {500, 500, 2000};
    dc_status st = DC_OK;
    int shards = SHARDS;
    *x = (training){0};
    while (shards < dc_comm_size(comm)) shards *= 2;
    DC_TRY(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, 4 * (int64_t)shards, shards, DC_SCALE_UNIT, 1, 1, &x->data));
    dc_net net;
    DC_TRY(dc_net_init(&net, x->data->D, hidden, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    dc_slab_init(&x->slab, &net);
    DC_TRY(dc_progress_open(&x->progress, NULL, 1e9));
    for (int mode = OFF; mode < MODES; mode++) {
        dc_model *m = &x->model[mode];
        DC_TRY_ALL(comm, dc_model_create(m, x->data, &x->slab, DC_INIT_FAN_IN, 1, &x->timers, &x->progress));
        m->strict = mode == STRICT;
        m->gather_rows = BATCH;
    }
out:
    return st;
}

static void training_release(training *x)
{
    for (int mode = OFF; mode < MODES; mode++) dc_model_release(&x->model[mode]);
    dc_progress_close(&x->progress);
    dc_dataset_destroy(&x->data);
}

/* Trains, and adds the time that the slowest rank spends in the steps to *seconds. */
static dc_status train(dc_comm *comm, training *x, int mode, int64_t steps, double *seconds)
{
    const dc_pretrain_config cfg = {.steps = steps, .batch = BATCH, .opt = {.kind = DC_OPT_SGD, .lr = 0.1}};
    dc_history history = {0};
    dc_stop stop;
    double own = 0;
    memset(&x->timers, 0, sizeof x->timers);
    const dc_status st = dc_pretrain(comm, &x->model[mode], &cfg, &history, &stop);
    dc_history_release(&history);
    if (st != DC_OK) return st;
    for (int s = DC_T_PRETRAIN_GATHER; s <= DC_T_PRETRAIN_UPDATE; s++) own += x->timers.section[s].seconds;
    *seconds += dc_selftest_max(comm, own);
    return DC_OK;
}

/* Trains in the two modes alternately, so that other load on the machine affects both alike. */
static dc_status train_in_turns(dc_comm *comm, training *x, double seconds[MODES])
{
    dc_status st = DC_OK;
    double warm_up = 0;
    for (int mode = OFF; mode < MODES; mode++) DC_TRY(train(comm, x, mode, 1, &warm_up));
    for (int i = 0; i < PAIRS * MODES; i++) {
        const int mode = (i + i / MODES) % MODES;
        DC_TRY(train(comm, x, mode, STEPS, &seconds[mode]));
    }
out:
    return st;
}

dc_status dc_selftest_cost_of_strict(dc_comm *comm, dc_selftest *t)
{
    dc_status st = DC_OK;
    training x;
    double seconds[MODES] = {0};
    const bool logs = dc_log_is_active();
    dc_log_set_active(false);
    DC_TRY(training_create(comm, &x));
    DC_TRY(train_in_turns(comm, &x, seconds));
    dc_selftest_figure(t, "a step of %d rows takes %.1f ms, %.2f of that with parallel.reproducible=off", (int)BATCH,
                       1e3 * seconds[STRICT] / (PAIRS * STEPS), seconds[STRICT] / seconds[OFF]);
out:
    dc_log_set_active(logs);
    training_release(&x);
    return st;
}
