/* dcn: Deep Clustering Network (Yang, Fu, Sidiropoulos, Hong, ICML 2017). Alternates on every batch:
 *   1. the network is trained on |x - x^|^2 + beta |z - M s|^2 with centres M and labels s held fixed;
 *   2. each row is embedded again and gets the label of its nearest centre;
 *   3. each centre becomes the mean of all rows ever assigned to it, this batch included; c_k counts them, from 100 as
 *      in the authors' code. The authors update row by row, m <- m - (m - z)/c with c counted up; over the rows of a
 *      batch this gives the mean (c m + sum z)/(c + n), which needs one sum per batch. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "methods.h"

typedef struct {
    dc_centers_keys centers;
    double beta;
    int loss; /* dc_recon_loss */
} dcn_keys;

static const dc_key keys[] = {
    DC_CENTERS_KEYS,
    {.name = "beta",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(dcn_keys, beta),
     .fallback = "1.0",
     .min = 0,
     .max = 1e6,
     .also = "gamma weight",
     .source = "Yang et al. 2017, code",
     .doc = "Weight of the squared distances to the centres; the reconstruction loss has weight 1. The authors' lbd "
            "weights the reconstruction instead: their 0.05 with beta 1 is 20 here."},
    DC_LOSS_KEY(dcn_keys, "mse_sum", "Yang et al. 2017"),
};

static const float FIRST_COUNT = 100;

/* Centres are moved by step 3, not trained. */
static void build(const dc_method_env *env, dc_slab *slab)
{
    dc_slab_add(slab, "centers", env->K, env->L, false);
    dc_slab_add(slab, "counts", 1, env->K, false);
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    const int64_t n = dc_part_rows(env->part);
    int32_t *label = NULL;
    float *count = dc_method_values(env, "counts");
    DC_TRY_ALL(comm, dc_mem_alloc(&label, (size_t)n, sizeof *label, "labels"));
    DC_TRY(dc_method_kmeans(comm, env, rows->Z, label));
    for (int64_t k = 0; k < env->K; k++) count[k] = FIRST_COUNT;
    for (int64_t i = 0; i < n; i++) s->labels[i] = (float)label[i];
out:
    dc_mem_free(&label);
    return st;
}

/* The label of a row dates from the last batch that had this row, so it cannot be recomputed from the weights. */
static dc_status keep(dc_comm *comm, dc_method_state *s, dc_state *c)
{
    return dc_centers_keep_labels(comm, s, c, "cluster/labels");
}

static void train_network(dc_graph *g, const dc_method_state *s)
{
    const dc_method_env *env = s->env;
    const dcn_keys *k = env->keys;
    const dc_val x = dc_batch(g, env->slab->net.D), z = dc_centers_encode(g, env, true, x);
    const dc_val mine = dc_onehot(g, dc_entry(g, &s->label), env->K);
    dc_minimize(g, "clustering", k->beta, dc_dot(g, dc_sqdist(g, z, dc_method_use(g, env, "centers")), mine));
    dc_centers_reconstruct(g, env, (dc_recon_loss)k->loss, x, z);
}

static void move_centers(dc_graph *g, const dc_method_state *s)
{
    const dc_method_env *env = s->env;
    const dc_tensor *centers = dc_slab_find(env->slab, "centers"), *counts = dc_slab_find(env->slab, "counts");
    const dc_val z = dc_centers_encode(g, env, false, dc_batch(g, env->slab->net.D));
    const dc_val m = dc_use(g, centers), c = dc_use(g, counts), label = dc_nearest_center(g, z, m);
    const dc_val mine = dc_onehot(g, label, env->K), more = dc_total(g, mine);
    dc_put(g, &s->label, label);
    dc_move(g, centers, dc_running_mean(g, m, c, more, dc_cross(g, mine, z)));
    dc_move(g, counts, dc_map(g, DC_ADD, c, more));
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    if (step == 0)
        train_network(g, s);
    else
        move_centers(g, s);
}

const dc_method dc_method_dcn = {
    .name = "dcn",
    .summary = "Deep Clustering Network: reconstruction and k-means in turn, centres are running means",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS,
    DC_METHOD_KEYS(keys, dcn_keys),
    .build = build,
    .create = dc_centers_create_labels,
    .start = start,
    .keep = keep,
    .n_steps = 2,
    .record = record,
    .infer = dc_centers_infer,
    .destroy = dc_centers_destroy,
};
