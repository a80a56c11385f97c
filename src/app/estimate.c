/* Memory, work and disk of a run before it starts, from the header of the data and the deck alone. A run is a list of
 * moments; what each of them holds is learnt from rehearsals of the phases that the run will execute, by each rank for
 * its own rows. The largest rank counts. On rank 0 what a checkpoint takes comes on top: pieces of the arrays, whatever
 * they hold. */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "deck_model.h"
#include "setup.h"

/* What libraries take once they work: kernels that oneDNN makes, HDF5, the code that is read in. */
static const double LIBRARY_BYTES = 14 << 20;
/* Pieces in which files are written and read back. */
static const double PIECE_BYTES = 4 << 20;
/* On rank 0 while it saves: a piece of the arrays, one that is read back, headers. */
static const double SAVING_BYTES = DC_STATE_PIECE_BYTES + (2 << 20);
/* Buffers of MPI and what the C library rounds up, of all that we take. */
static const double SLACK = 0.03;
/* Classes, where the header does not say how many there are. */
static const int64_t CLASSES_UNKNOWN = 1000;

typedef struct {
    const dc_job *job;
    const dc_config *cfg;
    dc_data_header head; /* with a guess of its classes */
    dc_dataset data;     /* without rows */
    dc_slab slab;        /* of `fit`, as is the next */
    dc_model model;
    int ranks_here;
    dc_estimate *out;
    double saved, largest_saved; /* the last checkpoints of all phases, and the largest */
} problem;

/* What is held at some point, in bytes, besides program and data. */
typedef struct {
    double model; /* parameters, gradient, moments */
    double work;
    double root; /* more on rank 0 */
} moment;

/* need: of a phase that takes steps, else NULL. */
static void take(problem *p, const char *name, moment m, const dc_phase_needs *need)
{
    dc_estimate *out = p->out;
    m.work += SLACK * (m.model + m.work);
    const double all = m.model + m.work;
    DC_ASSERT(out->n_phases < DC_ESTIMATE_PHASES_MAX);
    dc_estimate_phase *phase = &out->phase[out->n_phases++];
    *phase = (dc_estimate_phase){.name = name, .bytes = out->base_bytes + out->data_bytes + all};
    if (need) phase->step = *need;
    out->root_bytes = fmax(out->root_bytes, all + (1 + SLACK) * m.root);
    if (all <= out->model_bytes + out->work_bytes) return;
    out->model_bytes = m.model;
    out->work_bytes = m.work;
}

static void save(problem *p, double bytes)
{
    p->saved += bytes;
    p->largest_saved = fmax(p->largest_saved, bytes);
}

/* ---- Moments ----------------------------------------------------------------------------------------------------- */

static void take_loading(problem *p)
{
    const double bytes = dc_dataset_loading_bytes(&p->head, &p->data.part, p->job->binding.threads,
                                                  (dc_scale_kind)p->cfg->input.scale, &p->cfg->input.clip);
    take(p, "reading", (moment){.work = bytes}, NULL);
}

static void take_training(problem *p, const dc_phase_needs *n)
{
    take(p, n->name,
         (moment){
             .model = n->params_bytes + n->state_bytes, .work = n->held_bytes + n->step_bytes, .root = SAVING_BYTES},
         n);
    save(p, n->saved_bytes);
}

static dc_status take_pretraining(dc_comm *comm, problem *p)
{
    dc_status st = DC_OK;
    dc_pretrain_length before;
    dc_phase_needs need;
    const int mode = p->cfg->model.weights[0] ? DC_PRETRAIN_NONE : p->cfg->pretrain.mode;
    const dc_layerwise_config layers = dc_setup_layers(p->job, &p->slab.net, p->ranks_here, &before);
    const dc_pretrain_config pre = dc_setup_pretraining(p->job, &p->slab.net, &before);
    for (int l = 0; mode == DC_PRETRAIN_LAYERWISE && l < p->slab.net.n_encoder; l++) {
        DC_TRY(dc_layerwise_needs(comm, &p->model, &layers, l, &need));
        take_training(p, &need);
    }
    if (mode == DC_PRETRAIN_NONE) return DC_OK;
    DC_TRY(dc_pretrain_needs(comm, &p->model, &pre, &need));
    take_training(p, &need);
out:
    return st;
}

/* A result whose rows are all in memory, and their scores. */
static void take_scoring(problem *p, double model, double rows)
{
    const int64_t n = dc_part_rows(&p->data.part), K = p->cfg->cluster.clusters, C = p->head.C;
    if (C == 0) return;
    take(p, "scores",
         (moment){.model = model, .work = rows + dc_counts_bytes(n, K, C), .root = dc_scores_bytes(p->head.N, K, C)},
         NULL);
}

/* Surest and least sure rows: their lists, and themselves as long as they are small. */
static double example_bytes(const problem *p)
{
    const int64_t K = p->cfg->cluster.clusters, m = p->cfg->output.examples;
    const double count = (double)(K * m), rows = count * (double)p->head.D * (double)dc_dtype_bytes(p->head.dtype);
    return dc_cluster_examples_bytes(p->data.part.P, K, m) + 2 * sizeof(int64_t) * count +
           (rows <= DC_EXAMPLE_ROWS_MAX_BYTES ? 3 * rows : 0);
}

/* First centres, steps, and what is left of them for the result. */
static dc_status take_clustering(dc_comm *comm, problem *p)
{
    dc_status st = DC_OK;
    dc_cluster_length before;
    dc_cluster_needs n;
    const dc_cluster_config c = dc_setup_clustering(p->job, &p->slab.net, &p->data.part, &before);
    DC_TRY(dc_cluster_needs_of(comm, &p->model, &c, &n));
    const double model = n.phase.params_bytes + n.phase.state_bytes, work = n.phase.held_bytes + n.phase.step_bytes;
    take(p, "kmeans",
         (moment){.model = n.phase.params_bytes, .work = n.phase.held_bytes + n.kmeans.bytes, .root = SAVING_BYTES},
         NULL);
    save(p, n.phase.saved_bytes + n.kmeans.saved_bytes);
    n.phase.held_bytes += n.refresh_bytes;
    take_training(p, &n.phase);
    if (c.final_kmeans)
        take(p, "final_kmeans", (moment){.model = model, .work = work + n.kmeans.bytes, .root = SAVING_BYTES}, NULL);
    /* The trainer gives its memory back, the parameters stay. */
    take(p, "result", (moment){.model = model, .work = n.result_bytes + example_bytes(p) + PIECE_BYTES}, NULL);
    take_scoring(p, model, n.result_bytes);
out:
    return st;
}

static dc_status take_raw_kmeans(dc_comm *comm, problem *p)
{
    dc_status st = DC_OK;
    dc_kmeans_needs n;
    const dc_kmeans_config c = dc_setup_kmeans(p->job);
    DC_TRY(dc_kmeans_needs_of(comm, &p->data.part, p->head.D, &c, &n));
    take(p, "kmeans", (moment){.work = n.bytes, .root = SAVING_BYTES}, NULL);
    save(p, n.saved_bytes);
    take_scoring(p, 0, n.result_bytes);
out:
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

double dc_job_base_bytes(void)
{
    return (double)dc_mem_resident_bytes() + LIBRARY_BYTES;
}

static dc_status describe(const dc_comm *comm, problem *p, const dc_data_header *head)
{
    dc_status st = DC_OK;
    p->head = *head;
    if (!head->has_labels) p->head.C = 0;
    if (head->has_labels && head->C == 0) p->head.C = DC_MIN(head->N, CLASSES_UNKNOWN);
    p->data = (dc_dataset){.D = head->D, .dtype = head->dtype};
    DC_TRY(
        dc_part_init(&p->data.part, head->N, dc_int(p->cfg->parallel.shards), dc_comm_size(comm), dc_comm_rank(comm)));
    if (strcmp(p->job->cli->verb, "kmeans") != 0)
        DC_TRY(dc_deck_slab(p->cfg, head->D, &p->slab));
    else
        dc_slab_add(&p->slab, "centers", p->cfg->cluster.clusters, head->D, false);
    p->model = (dc_model){.data = &p->data, .slab = &p->slab, .net = &p->slab.net};
    dc_setup_model(p->job, &p->model);
out:
    return st;
}

/* The largest rank's figures for all. */
static void agree(dc_comm *comm, dc_estimate *e)
{
    enum { FIELDS = 6 };
    double *field[FIELDS + 2 * DC_ESTIMATE_PHASES_MAX] = {&e->base_bytes,  &e->data_bytes, &e->model_bytes,
                                                          &e->total_bytes, &e->root_bytes, &e->disk_bytes};
    double most[DC_COUNT_OF(field)];
    size_t n = FIELDS;
    for (int i = 0; i < e->n_phases; i++) {
        field[n++] = &e->phase[i].bytes;
        field[n++] = &e->phase[i].step.sent_bytes;
    }
    for (size_t i = 0; i < n; i++) most[i] = *field[i];
    dc_comm_max_f64(comm, most, n);
    for (size_t i = 0; i < n; i++) *field[i] = most[i];
    e->work_bytes = e->total_bytes - e->base_bytes - e->data_bytes - e->model_bytes;
    e->root_bytes -= e->total_bytes;
}

dc_status dc_job_estimate(dc_comm *comm, const dc_job *job, const dc_data_header *head, dc_estimate *out)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    problem p = {.job = job, .cfg = cfg, .ranks_here = dc_comm_node_size(comm), .out = out};
    *out = (dc_estimate){.base_bytes = job->base_bytes};
    DC_TRY_ALL(comm, describe(comm, &p, head));
    out->data_bytes = dc_dataset_bytes(head, &p.data.part, &cfg->input.clip);
    take_loading(&p);
    if (p.slab.net.n_layers == 0) {
        DC_TRY(take_raw_kmeans(comm, &p));
    } else {
        DC_TRY(take_pretraining(comm, &p));
        DC_TRY(take_clustering(comm, &p));
    }
    /* Pages of the gradient and of two moments that this rank never writes to. */
    out->address_bytes = 3 * sizeof(float) * (double)p.slab.n;
    out->total_bytes = out->base_bytes + out->data_bytes + out->model_bytes + out->work_bytes;
    /* Checkpoints that are kept, one that is being written, and the last of each phase. */
    out->disk_bytes =
        dc_result_bytes(cfg, &p.head, &p.slab) + p.saved + (double)(cfg->checkpoint.keep + 1) * p.largest_saved;
    out->root_bytes += out->base_bytes + out->data_bytes;
    agree(comm, out);
out:
    return st;
}
