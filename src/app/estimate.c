/* Memory and disk of a run before it starts, from the header of the data and the deck alone: the rank with most rows,
 * in the phase that needs most. Counted is what grows with the data, the network, the batch or the ranks; of
 * checkpoints being written, the arrays that are made whole and two images of the file. */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "job.h"

/* Program and libraries of one rank at work. */
static const double BASE_BYTES = 48 << 20;
/* Arrays of a checkpoint that are as long as the weights: these, two moments, the weights at a refresh. */
static const double CHECKPOINT_ARRAYS = 4;

typedef struct {
    const dc_config *cfg;
    dc_part part; /* of the last rank, which holds as many shards as any other */
    int64_t D;
    int ranks_here, threads;
    bool has_net;
} problem;

/* Layers that are trained together. */
typedef struct {
    int n; /* layers */
    int64_t width[2 * (DC_LIST_MAX + 1) + 1];
    int64_t batch;
    const dc_opt_config *opt;
    bool noisy;
} phase;

static bool strict(const problem *p)
{
    return p->cfg->parallel.reproducible == DC_REPRODUCIBLE_STRICT;
}

/* Width behind encoder layer l; that of the data for l = 0. */
static int64_t encoder_width(const problem *p, int l)
{
    const dc_int_list *hidden = &p->cfg->model.hidden;
    return l == 0 ? p->D : l <= hidden->n ? hidden->v[l - 1] : p->cfg->model.latent;
}

static int encoder_layers(const problem *p)
{
    return p->cfg->model.hidden.n + 1;
}

/* Encoder layers from `first` on, `n` of them, and their mirrors, if wanted. */
static phase take_layers(const problem *p, int first, int n, bool mirrored)
{
    phase f = {.n = mirrored ? 2 * n : n};
    for (int l = 0; l <= f.n; l++) f.width[l] = encoder_width(p, first + (l <= n ? l : 2 * n - l));
    return f;
}

/* ---- Floats --------------------------------------------------------------------------------------------------------
 */

static double sum_widths(const phase *f, int from, int to)
{
    double sum = 0;
    for (int l = from; l < to; l++) sum += (double)f->width[l];
    return sum;
}

static double params_of(const phase *f)
{
    double sum = 0;
    for (int l = 0; l < f->n; l++) sum += (double)(f->width[l] + 1) * (double)f->width[l + 1];
    return sum;
}

/* Weights of the largest layer but the first: transposed for the backward pass. */
static double transposed_floats(const phase *f)
{
    double largest = 0;
    for (int l = 1; l < f->n; l++) largest = fmax(largest, (double)f->width[l] * (double)f->width[l + 1]);
    return largest;
}

static double moments(const phase *f)
{
    return f->opt->kind == DC_OPT_ADAM ? 2 : 1;
}

/* Gradient and moments, where they are updated. */
static double state_floats(const problem *p, const phase *f)
{
    return (1 + moments(f)) * params_of(f) / (strict(p) ? p->part.P : 1);
}

/* Subtrees that the shards of ranks [first, last) make up. */
static double count_roots(const dc_part *part, int first, int last)
{
    int n = 0;
    for (int r = first; r < last; r++) {
        const int end = dc_part_rank_shard(part, r + 1);
        for (int s = dc_part_rank_shard(part, r); s < end; s += dc_part_root_size(s, end)) n++;
    }
    return n;
}

/* What the ranks exchange for the gradient: gradient.h. */
static double exchange_floats(const problem *p, const phase *f, double rows)
{
    const dc_part *part = &p->part;
    const double P = part->P, inputs = sum_widths(f, 0, f->n), outputs = sum_widths(f, 1, f->n + 1);
    if (f->batch > p->cfg->parallel.gather_rows) {
        const double own = count_roots(part, part->rank, part->P), all = count_roots(part, 0, part->P);
        return P == 1 ? 0 : params_of(f) * (2 * own + all / P);
    }
    return P == 1 ? 0 : (double)f->batch * (inputs + outputs + inputs / P) + rows * inputs;
}

static double step_floats(const problem *p, const phase *f)
{
    const double shards = p->part.shard_hi - p->part.shard_lo, per_shard = ceil((double)f->batch / p->part.V);
    const double rows = fmin((double)f->batch, shards * per_shard), noise = f->noisy ? 2 * (double)f->width[0] : 0;
    const double activations = sum_widths(f, 0, f->n + 1) + noise, deltas = sum_widths(f, 1, f->n + 1);
    if (!strict(p)) return rows * (activations + deltas);
    return (rows + 2 * DC_ROW_TILE) * (activations + deltas) + transposed_floats(f) + exchange_floats(p, f, rows);
}

/* ---- Phases --------------------------------------------------------------------------------------------------------
 */

/* Work and model of the phase that needs most so far; `beside`: floats that are held all the time. */
static void take_phase(const problem *p, const phase *f, double beside, double model, dc_estimate *out)
{
    const double state = 4 * (model + state_floats(p, f)), work = 4 * (step_floats(p, f) + beside);
    if (state + work <= out->model_bytes + out->work_bytes) return;
    out->model_bytes = state;
    out->work_bytes = work;
}

/* Outputs of frozen layers that are kept for a pair. */
static double cache_floats(const problem *p, int pair)
{
    const double all = (double)dc_part_rows(&p->part) * (double)encoder_width(p, pair);
    return pair == 0 || 4 * all > (double)dc_job_cache_bytes(p->ranks_here) ? 0 : all;
}

static void take_pairs(const problem *p, double values, dc_estimate *out)
{
    for (int l = 0; l < encoder_layers(p); l++) {
        phase pair = take_layers(p, l, 1, true);
        pair.batch = p->cfg->pretrain.batch;
        pair.opt = &p->cfg->pretrain.opt;
        pair.noisy = true;
        take_phase(p, &pair, cache_floats(p, l), values + params_of(&pair), out);
    }
}

/* Labels, confidence, q and target, embedding, and, while seeding, distances of all restarts. */
static double cluster_floats(const problem *p)
{
    const double K = (double)p->cfg->cluster.clusters, L = p->has_net ? (double)p->cfg->model.latent : 0;
    return (double)dc_part_rows(&p->part) * (4 + L + (p->has_net ? 2 * K : 0) + 2 * (double)p->cfg->cluster.n_init);
}

static double tile_floats(const problem *p)
{
    const phase encoder = take_layers(p, 0, encoder_layers(p), false);
    return (double)p->threads * (double)dc_embed_tile_rows(&p->part) * sum_widths(&encoder, 0, encoder.n + 1);
}

static void take_training(const problem *p, dc_estimate *out)
{
    const dc_config *cfg = p->cfg;
    const dc_method *method = dc_method_find(cfg->cluster.method);
    phase stack = take_layers(p, 0, encoder_layers(p), true);
    const double values = params_of(&stack), beside = cluster_floats(p) + tile_floats(p);
    out->model_bytes = 4 * 2 * values; /* while room is made for the centres */
    out->work_bytes = 4 * beside;
    stack.batch = cfg->pretrain.batch;
    stack.opt = &cfg->pretrain.opt;
    if (cfg->pretrain.mode == DC_PRETRAIN_LAYERWISE) take_pairs(p, values, out);
    if (cfg->pretrain.mode != DC_PRETRAIN_NONE) take_phase(p, &stack, 0, values, out);
    if (!method || !(method->flags & DC_METHOD_TRAINS)) return;
    phase last = take_layers(p, 0, encoder_layers(p), (method->flags & DC_METHOD_RECONSTRUCTS) != 0);
    last.batch = cfg->cluster.batch;
    last.opt = &cfg->cluster.opt;
    take_phase(p, &last, beside, 2 * values, out); /* a copy of the last refresh */
    out->root_bytes = 4 * values * (moments(&last) + 2 * CHECKPOINT_ARRAYS);
}

size_t dc_job_cache_bytes(int ranks_here)
{
    return dc_mem_available_bytes() / 4 / (size_t)ranks_here;
}

/* Of a row; ids of other programs are not looked at before they are read. */
static double id_bytes(const dc_data_header *head)
{
    enum { GUESS = 32 };
    return !head->has_ids ? 0 : head->id_bytes ? (double)head->id_bytes : GUESS;
}

dc_status dc_job_estimate(const dc_job *job, const dc_data_header *head, int ranks, int ranks_here, dc_estimate *out)
{
    const dc_config *cfg = &job->cfg;
    problem p = {.cfg = cfg,
                 .D = head->D,
                 .ranks_here = ranks_here,
                 .threads = job->binding.threads,
                 .has_net = strcmp(job->cli->verb, "kmeans") != 0};
    const dc_status st = dc_part_init(&p.part, head->N, dc_int(cfg->parallel.shards), ranks, ranks - 1);
    if (st != DC_OK) return st;
    const double n = (double)dc_part_rows(&p.part), K = (double)cfg->cluster.clusters, L = (double)cfg->model.latent;
    *out = (dc_estimate){.base_bytes = BASE_BYTES};
    out->data_bytes =
        n * ((double)head->D * (double)dc_dtype_bytes(head->dtype) + (head->has_labels ? 4 : 0) + id_bytes(head));
    if (p.has_net)
        take_training(&p, out);
    else
        out->work_bytes = 4 * cluster_floats(&p);
    out->total_bytes = out->base_bytes + out->data_bytes + out->model_bytes + out->work_bytes;
    const phase stack = take_layers(&p, 0, encoder_layers(&p), true);
    const double weights = p.has_net ? 4 * params_of(&stack) : 0;
    out->disk_bytes = (double)head->N * (8 + id_bytes(head) + (cfg->output.embedding ? 4 * L : 0) +
                                         (cfg->output.q == DC_Q_FULL ? 4 * K : 0)) +
                      weights + (double)(cfg->checkpoint.keep + 1) * CHECKPOINT_ARRAYS * weights;
    return DC_OK;
}
