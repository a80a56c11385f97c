/* dcn: Deep Clustering Network (Yang, Fu, Sidiropoulos, Hong, ICML 2017). Alternates on every batch:
 *   1. the network learns  |x - x^|^2 + beta |z - M s|^2  with centres M and labels s as they are;
 *   2. labels are the nearest centres of the rows as they are now;
 *   3. each centre becomes the mean of all rows that it ever had, those of this batch included: c_k rows so far, of
 * which the authors' code begins with 100. The authors go through the rows one by one, m <- m - (m - z)/c with c
 * counted up; over the rows of a batch that is the mean (c m + sum z)/(c + n), which needs one sum per batch. */
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

/* The counts follow the centres. */
static size_t n_extra(const dc_method_env *env)
{
    return dc_centers_n_extra(env) + (size_t)env->K;
}

static dc_status create(const dc_method_env *env, dc_method_state **out)
{
    dc_status st = dc_centers_create(env, out);
    if (st != DC_OK) return st;
    dc_method_state *s = *out;
    st = dc_mem_alloc(&s->labels, (size_t)dc_part_rows(env->part), sizeof *s->labels, "labels");
    if (st == DC_OK) st = dc_mem_alloc(&s->label_bytes, (size_t)env->part->P, sizeof *s->label_bytes, "rank table");
    if (st != DC_OK)
        dc_centers_destroy(out);
    else
        s->label = (dc_table){"labels", s->labels, 1};
    return st;
}

static dc_status start(dc_comm *comm, dc_method_state *s, const float *Z, float *extra, int32_t *labels)
{
    const dc_status st = dc_centers_start(comm, s, Z, extra, labels);
    for (int64_t k = 0; k < s->env->K; k++) extra[dc_centers_n_extra(s->env) + (size_t)k] = FIRST_COUNT;
    for (int64_t i = 0; i < dc_part_rows(s->env->part); i++) s->labels[i] = (float)labels[i];
    return st;
}

/* Labels are those of each row's last batch, so they cannot be computed from the weights again. */
static void gather_labels(dc_comm *comm, const void *state, const float *own, float *all)
{
    const dc_method_state *s = state;
    const dc_part *part = s->env->part;
    for (int r = 0; r < part->P; r++) {
        const dc_gidx lo = dc_part_shard_begin(part, dc_part_rank_shard(part, r)),
                      hi = dc_part_shard_begin(part, dc_part_rank_shard(part, r + 1));
        s->label_bytes[r] = (size_t)(hi - lo) * sizeof *own;
    }
    dc_comm_gatherv(comm, own, all, s->label_bytes, 0);
}

static void take_labels(const void *state, const float *all, float *own)
{
    const dc_part *part = ((const dc_method_state *)state)->env->part;
    memcpy(own, all + part->row_lo, (size_t)dc_part_rows(part) * sizeof *own);
}

static dc_status keep(dc_method_state *s, dc_state *c)
{
    const dc_state_shares shares = {.gather = gather_labels, .take = take_labels, .ctx = s};
    s->saved = c;
    return dc_state_keep_shares(c, "cluster/labels", (size_t)s->env->part->N, s->labels, &shares);
}

static void train_network(dc_graph *g, const dc_method_state *s)
{
    const dc_method_env *env = s->env;
    const dcn_keys *k = env->keys;
    const dc_net *net = env->net;
    const dc_tensor centers = dc_centers_tensor(env, false);
    const dc_val x = dc_batch(g, net->D), z = dc_layers(g, net, 0, net->n_encoder, true, x);
    const dc_val mine = dc_onehot(g, dc_entry(g, &s->label), env->K);
    dc_minimize(g, "clustering", k->beta, dc_dot(g, dc_sqdist(g, z, dc_use(g, &centers)), mine));
    dc_centers_reconstruct(g, s, (dc_recon_loss)k->loss, x, z);
}

static void move_centers(dc_graph *g, const dc_method_state *s)
{
    const dc_method_env *env = s->env;
    const dc_net *net = env->net;
    const dc_tensor centers = dc_centers_tensor(env, false),
                    counts = {"counts", env->extra_at + dc_centers_n_extra(env), 1, env->K, false};
    const dc_val z = dc_layers(g, net, 0, net->n_encoder, false, dc_batch(g, net->D));
    const dc_val m = dc_use(g, &centers), c = dc_use(g, &counts), label = dc_nearest_center(g, z, m);
    const dc_val mine = dc_onehot(g, label, env->K), more = dc_total(g, mine);
    dc_put(g, &s->label, label);
    dc_move(g, &centers, dc_running_mean(g, m, c, more, dc_cross(g, mine, z)));
    dc_move(g, &counts, dc_map(g, DC_ADD, c, more));
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
    .n_extra = n_extra,
    .create = create,
    .start = start,
    .refresh = dc_centers_refresh,
    .keep = keep,
    .n_steps = 2,
    .record = record,
    .assign_local = dc_centers_assign_local,
    .destroy = dc_centers_destroy,
};
