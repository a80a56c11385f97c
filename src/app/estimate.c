/* Memory and disk of a run before it starts, from the header of the data and the deck alone: the rank with the most
 * rows, at the moment that needs the most. A run is a list of moments; what is counted in each is what grows with the
 * data, the network, the batch, the clusters or the ranks. On rank 0 a checkpoint comes on top: the arrays of which
 * each rank has a share, made whole, and two images of the file. */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/metrics.h"
#include "estimate_step.h"
#include "job.h"

/* What libraries take once they work: kernels that oneDNN makes, HDF5, the code that is read in. */
static const double LIBRARY_BYTES = 14 << 20;
/* Pieces in which files are written and read back; what an image of a file holds besides its values. */
static const double PIECE_BYTES = 4 << 20, HEADERS_BYTES = 1 << 20;
/* Share of all memory that goes to buffers of MPI and to rounding in the C library. */
static const double SLACK = 0.03;
/* Classes, where the header does not say how many there are. */
static const int64_t CLASSES_UNKNOWN = 1000;

typedef struct {
    const dc_config *cfg;
    const dc_data_header *head;
    dc_part part; /* the partition for the last rank, which holds no fewer shards than any other */
    double n, D, K, L;
    int64_t C;
    int ranks_here, threads;
} problem;

/* What is held at some point, in bytes, besides program and data. */
typedef struct {
    double model; /* parameters, gradient, moments */
    double work;
    double root; /* more on rank 0 */
} moment;

static void take(dc_estimate *out, moment m)
{
    m.work += SLACK * (m.model + m.work);
    const double all = m.model + m.work;
    out->root_bytes = fmax(out->root_bytes, all + (1 + SLACK) * m.root);
    if (all <= out->model_bytes + out->work_bytes) return;
    out->model_bytes = m.model;
    out->work_bytes = m.work;
}

/* Rank 0 while it saves: `whole` bytes of arrays that all ranks hold, `shared` of those that must be gathered. */
static double checkpoint(double whole, double shared)
{
    return shared + 2 * (whole + shared + HEADERS_BYTES);
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* Width after encoder layer l; that of the data for l = 0. */
static int64_t encoder_width(const problem *p, int l)
{
    const dc_int_list *hidden = &p->cfg->model.hidden;
    return l == 0 ? p->head->D : l <= hidden->n ? hidden->v[l - 1] : p->cfg->model.latent;
}

static int encoder_layers(const problem *p)
{
    return p->cfg->model.hidden.n + 1;
}

/* Encoder layers from `first` on, `n` of them, and their mirrors, if wanted. */
static dc_step_layers layers(const problem *p, int first, int n, bool mirrored, int64_t batch, const dc_opt_config *opt)
{
    const bool strict = p->cfg->parallel.reproducible == DC_REPRODUCIBLE_STRICT;
    dc_step_layers f = {.n = mirrored ? 2 * n : n, .batch = DC_MIN(batch, p->head->N), .opt = opt};
    f.way = dc_outer_choose(strict, p->cfg->parallel.gather_rows, f.batch);
    for (int l = 0; l <= f.n; l++) f.width[l] = encoder_width(p, first + (l <= n ? l : 2 * n - l));
    return f;
}

static dc_step_layers whole_net(const problem *p)
{
    return layers(p, 0, encoder_layers(p), true, p->cfg->pretrain.batch, &p->cfg->pretrain.opt);
}

/* ---- Moments ----------------------------------------------------------------------------------------------------- */

/* Labels as they are stored; what is made of the columns (input.clip and input.scale included). */
static moment loading(const problem *p)
{
    const double columns = dc_dataset_audit_bytes(&p->part, p->head->D, p->threads, (dc_scale_kind)p->cfg->input.scale,
                                                  &p->cfg->input.clip);
    return (moment){.work = columns + (p->head->has_labels ? 8 * p->n : 0)};
}

/* Of a row; ids of other programs are not looked at before they are read. */
static double id_bytes(const dc_data_header *head)
{
    enum { GUESS = 32 };
    return !head->has_ids ? 0 : head->id_bytes ? (double)head->id_bytes : GUESS;
}

/* Rows, labels, ids, scaling, bounds. */
static double data_bytes(const problem *p)
{
    const double row =
        p->D * (double)dc_dtype_bytes(p->head->dtype) + (p->head->has_labels ? 4 : 0) + id_bytes(p->head);
    return p->n * row + (p->cfg->input.clip.kind == DC_CLIP_NONE ? 8 : 24) * p->D;
}

static double kmeans_bytes(const problem *p, int64_t width)
{
    return dc_kmeans_bytes(&p->part, width, p->cfg->cluster.clusters, dc_int(p->cfg->cluster.n_init));
}

static moment raw_kmeans(const problem *p)
{
    return (moment){.work = kmeans_bytes(p, p->head->D),
                    .root = checkpoint(4 * (double)p->cfg->cluster.n_init * p->K * p->D, 0)};
}

/* Training of the whole autoencoder, or, within `stack` floats of parameters, of a pair of its layers. */
static moment pretraining(const problem *p, const dc_step_layers *f, double stack, double cache)
{
    const double params = dc_step_params(f), pair = stack > params ? params : 0;
    return (moment){.model = 4 * (stack + pair + dc_step_state(f, &p->part)),
                    .work = 4 * (dc_step_buffers(f, &p->part) + dc_step_activations(f, &p->part) + cache),
                    .root = checkpoint(4 * (stack + pair), 4 * dc_step_moments(f) * params)};
}

/* Outputs of frozen layers that are kept for a pair. */
static double cache_floats(const problem *p, int pair)
{
    const double all = p->n * (double)encoder_width(p, pair);
    return pair == 0 || 4 * all > (double)dc_job_cache_bytes(p->ranks_here) ? 0 : all;
}

static void take_pretraining(const problem *p, dc_estimate *out)
{
    const dc_config *cfg = p->cfg;
    const dc_step_layers stack = whole_net(p);
    const double params = dc_step_params(&stack);
    for (int l = 0; cfg->pretrain.mode == DC_PRETRAIN_LAYERWISE && l < encoder_layers(p); l++) {
        dc_step_layers pair = layers(p, l, 1, true, cfg->pretrain.batch, &cfg->pretrain.opt);
        pair.noisy = true;
        take(out, pretraining(p, &pair, params, cache_floats(p, l)));
    }
    if (cfg->pretrain.mode != DC_PRETRAIN_NONE) take(out, pretraining(p, &stack, params, 0));
}

/* Embedding, labels, confidence, q. */
static double result_floats(const problem *p)
{
    return p->n * (p->L + 2 + p->K);
}

/* All that the clustering phase holds but what is made for a step: results, target, tiles of the embedding, the
 * parameters at a refresh, centres and their gradient. */
static double cluster_floats(const problem *p, double params)
{
    const dc_step_layers encoder = layers(p, 0, encoder_layers(p), false, 1, NULL);
    const double tiles = p->threads * (double)dc_embed_tile_rows(&p->part) * dc_step_widths(&encoder, 0, encoder.n + 1);
    return result_floats(p) + p->n * p->K + tiles + params + 2 * p->K * p->L;
}

/* Lists of the surest and least sure rows, of all ranks at once, and those rows as long as they are small. */
static double example_bytes(const problem *p)
{
    const double count = p->K * (double)p->cfg->output.examples;
    const double rows = count * p->D * (double)dc_dtype_bytes(p->head->dtype);
    return count * (16 * (1 + p->part.P) + 16) + (rows <= DC_EXAMPLE_ROWS_MAX_BYTES ? 3 * rows : 0);
}

/* A result whose rows are all in memory, and their scores. */
static moment scoring(const problem *p, double model, double rows)
{
    if (p->C == 0) return (moment){.model = model, .work = rows};
    return (moment){.model = model,
                    .work = rows + dc_counts_bytes((int64_t)p->n, p->cfg->cluster.clusters, p->C),
                    .root = dc_scores_bytes(p->head->N, p->cfg->cluster.clusters, p->C)};
}

/* First centres, steps, and what is left of them for the result. */
static void take_clustering(const problem *p, dc_estimate *out)
{
    const dc_config *cfg = p->cfg;
    const dc_method *method = dc_method_find(cfg->cluster.method);
    const unsigned flags = method ? method->flags : 0;
    const bool trains = flags & DC_METHOD_TRAINS, again = cfg->cluster.final_kmeans;
    const dc_step_layers stack = whole_net(p), f = layers(p, 0, encoder_layers(p), flags & DC_METHOD_RECONSTRUCTS,
                                                          cfg->cluster.batch, &cfg->cluster.opt);
    const double params = dc_step_params(&stack), centers = p->K * p->L;
    const double state = trains ? dc_step_state(&f, &p->part) : 0;
    const double activations = trains ? dc_step_activations(&f, &p->part) : 0;
    const double held = cluster_floats(p, params) + (trains ? dc_step_buffers(&f, &p->part) : 0);
    const double saved = 4 * (2 * params + centers), shared = trains ? 4 * dc_step_moments(&f) * params : 0;
    take(out, (moment){.model = 8 * params}); /* while room is made for the centres */
    take(out, (moment){.model = 4 * (params + (again ? state : 0)),
                       .work = 4 * (held + (again ? activations : 0)) + kmeans_bytes(p, cfg->model.latent),
                       .root = checkpoint(saved + 4 * (double)cfg->cluster.n_init * centers, shared)});
    take(out, (moment){.model = 4 * (params + state),
                       .work = 4 * (held + activations) + dc_sum_bytes(&p->part, 2 * (size_t)p->K + 1),
                       .root = checkpoint(saved, shared)});
    /* The trainer gives its memory back, the parameters stay. */
    take(out, (moment){.model = 4 * (params + state), .work = 4 * result_floats(p) + example_bytes(p) + PIECE_BYTES});
    take(out, scoring(p, 4 * (params + state), 4 * result_floats(p)));
}

/* ---- Disk -------------------------------------------------------------------------------------------------------- */

static double disk_bytes(const problem *p, bool has_net)
{
    const dc_config *cfg = p->cfg;
    const dc_step_layers stack = whole_net(p);
    const double N = (double)p->head->N, params = has_net ? dc_step_params(&stack) : 0, width = has_net ? p->L : p->D;
    const double row = 4 + (has_net ? 4 + (cfg->output.embedding ? 4 * p->L : 0) : 0) +
                       (has_net && cfg->output.q == DC_Q_FULL ? 4 * p->K : 0);
    const double centers = p->K * width, restarts = (double)cfg->cluster.n_init * centers;
    /* Weights, those at a refresh, two moments; or the centres of all restarts. */
    const double saved = 4 * (has_net ? 4 * params : 0) + 4 * restarts;
    const double table = dc_counts_has_table(cfg->cluster.clusters, p->C) ? 8 * p->K * (double)p->C : 0;
    /* Those that are kept, one that is being written, and the last of each phase: pretraining, k-means, clustering. */
    const bool layerwise = cfg->pretrain.mode == DC_PRETRAIN_LAYERWISE;
    const double phases = has_net ? 3 + (layerwise ? stack.n / 2 : 0) : 1;
    return N * row + 4 * (params + centers) + table + ((double)(cfg->checkpoint.keep + 1) + phases) * saved;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

size_t dc_job_cache_bytes(int ranks_here)
{
    return dc_mem_available_bytes(ranks_here) / 4;
}

double dc_job_base_bytes(void)
{
    return (double)dc_mem_resident_bytes() + LIBRARY_BYTES;
}

/* Pages of the gradient and of two moments that this rank never writes to. */
static double address_bytes(const problem *p)
{
    const dc_step_layers stack = whole_net(p);
    return 12 * dc_step_params(&stack);
}

static void take_moments(const problem *p, bool has_net, dc_estimate *out)
{
    take(out, loading(p));
    if (!has_net) {
        take(out, raw_kmeans(p));
        take(out, scoring(p, 0, 4 * (p->n + p->K * p->D)));
        return;
    }
    take_pretraining(p, out);
    take_clustering(p, out);
}

dc_status dc_job_estimate(const dc_job *job, const dc_data_header *head, int ranks, int ranks_here, dc_estimate *out)
{
    const dc_config *cfg = &job->cfg;
    const bool has_net = strcmp(job->cli->verb, "kmeans") != 0;
    problem p = {.cfg = cfg,
                 .head = head,
                 .D = (double)head->D,
                 .K = (double)cfg->cluster.clusters,
                 .L = (double)cfg->model.latent,
                 .ranks_here = ranks_here,
                 .threads = job->binding.threads};
    const dc_status st = dc_part_init(&p.part, head->N, dc_int(cfg->parallel.shards), ranks, ranks - 1);
    if (st != DC_OK) return st;
    p.n = (double)dc_part_rows(&p.part);
    p.C = !head->has_labels ? 0 : head->C > 0 ? head->C : DC_MIN(head->N, CLASSES_UNKNOWN);
    *out = (dc_estimate){.base_bytes = job->base_bytes, .address_bytes = has_net ? address_bytes(&p) : 0};
    out->data_bytes = data_bytes(&p);
    take_moments(&p, has_net, out);
    out->total_bytes = out->base_bytes + out->data_bytes + out->model_bytes + out->work_bytes;
    out->root_bytes -= out->model_bytes + out->work_bytes;
    out->disk_bytes = disk_bytes(&p, has_net) + (double)head->N * id_bytes(head);
    return DC_OK;
}
