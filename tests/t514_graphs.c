/* Steps of several levels: sums over the batch within a step, rows of the whole batch, gradients as values, what is
 * computed from all of these, their gradients; losses, gradients, moves and puts against the twin of the whole graph in
 * double and its differences, for graphs of methods and for drawn ones, over steps of uneven batches. All of it has the
 * bits of one rank and thread, by either strict way, also of batches that leave ranks without rows; no step allocates.
 * The twin is asked on one rank only: more ranks have its bits.
 * Fixed seed 514. ranks: 1 3  ranks_long: 2 5  threads: 2 */
#include <omp.h>

#include "check.h"
#include "dcmpi/cluster.h"
#include "dcmpi/rng.h"
#include "ref/graph_ref.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"

enum { N = 171, D = 5, L = 4, K = 3, SHARDS = 8, BATCH = 96, FEW = 3, STEPS = 4, SEED = 514, DRAWN = 24 };
/* The slab: layers D -> L and L -> D, the bias of a tied one, then other trained tensors, then those that are kept. */
enum {
    LAYER = 0,
    BACK = D * L + L,
    TIED = BACK + L * D + D,
    CENTERS = TIED + D,
    SHIFT = CENTERS + K * L,
    SLOPE = SHIFT + L,
    CONV = SLOPE + 1,
    DECONV = CONV + 8,
    CONV_TIED = DECONV + 7,
    NORMED = CONV_TIED + 1,
    TRAINED = NORMED + D * L + 2 * L,
    MOMENTS = TRAINED,
    MEANS = MOMENTS + 2 * L,
    COUNTS = MEANS + K * L,
    WANTED = COUNTS + K,
    NUMBER = WANTED + L * L,
    FLOATS = NUMBER + 1
};
static float x[N * D];
static const dc_net net = {
    .n_layers = 2,
    .layer = {{.in = D, .out = L, .act = DC_ACT_TANH, .weight = LAYER, .bias = LAYER + D * L, .name = "layer"},
              {.in = L, .out = D, .act = DC_ACT_SIGMOID, .weight = BACK, .bias = BACK + L * D, .name = "back"}}};
static const dc_net tied = {
    .n_layers = 2,
    .layer = {{.in = D, .out = L, .act = DC_ACT_TANH, .weight = LAYER, .bias = LAYER + D * L, .name = "layer"},
              {.in = L, .out = D, .act = DC_ACT_SIGMOID, .tied = true, .bias = TIED, .name = "tied"}}};
/* Rows are images of 5 x 1 pixels; a window of 3 takes 3 places. */
#define WINDOW                                                                                                         \
    {                                                                                                                  \
        .h = D, .w = 1, .c = 1, .kh = 3, .kw = 1, .stride = 2, .top = 1, .down = 3, .across = 1                        \
    }
#define CONV_LAYER                                                                                                     \
    {                                                                                                                  \
        .kind = DC_LAYER_CONV, .in = D, .out = 6, .act = DC_ACT_TANH, .window = WINDOW, .channels = 2, .weight = CONV, \
        .bias = CONV + 6, .name = "conv"                                                                               \
    }
#define POOL_LAYER(pool)                                                                                               \
    {                                                                                                                  \
        .kind = pool, .in = 6, .out = 6, .name = "pool", .window = {                                                   \
            .h = 3,                                                                                                    \
            .w = 1,                                                                                                    \
            .c = 2,                                                                                                    \
            .kh = 2,                                                                                                   \
            .kw = 1,                                                                                                   \
            .stride = 1,                                                                                               \
            .down = 3,                                                                                                 \
            .across = 1                                                                                                \
        }                                                                                                              \
    }
static const dc_net images = {.n_layers = 2,
                              .layer = {CONV_LAYER,
                                        {.kind = DC_LAYER_DECONV,
                                         .in = 6,
                                         .out = D,
                                         .act = DC_ACT_SIGMOID,
                                         .window = WINDOW,
                                         .channels = 2,
                                         .weight = DECONV,
                                         .bias = DECONV + 6,
                                         .name = "deconv"}}},
                    images_tied = {.n_layers = 2,
                                   .layer = {CONV_LAYER,
                                             {.kind = DC_LAYER_DECONV,
                                              .in = 6,
                                              .out = D,
                                              .window = WINDOW,
                                              .channels = 2,
                                              .tied = true,
                                              .bias = CONV_TIED,
                                              .name = "deconv-tied"}}},
                    largest = {.n_layers = 2, .layer = {CONV_LAYER, POOL_LAYER(DC_LAYER_MAXPOOL)}},
                    mean = {.n_layers = 2, .layer = {CONV_LAYER, POOL_LAYER(DC_LAYER_AVGPOOL)}};
static const dc_net normed[] = {
    {.n_layers = 1,
     .layer = {{.in = D,
                .out = L,
                .act = DC_ACT_TANH,
                .norm = DC_NORM_BATCH,
                .weight = NORMED,
                .bias = NORMED + D * L,
                .gamma = NORMED + D * L + L,
                .mean = MOMENTS,
                .name = "normed"}}},
    {.n_layers = 1,
     .layer = {{.in = D,
                .out = L,
                .act = DC_ACT_TANH,
                .norm = DC_NORM_LAYER,
                .weight = NORMED,
                .bias = NORMED + D * L,
                .gamma = NORMED + D * L + L,
                .name = "normed"}}},
    /* images of two pixels with two channels; their running variance lies where the first one's is */
    {.n_layers = 1,
     .layer = {{.kind = DC_LAYER_CONV,
                .in = D,
                .out = L,
                .act = DC_ACT_TANH,
                .norm = DC_NORM_BATCH,
                .window = {.h = D, .w = 1, .c = 1, .kh = 2, .kw = 1, .stride = 2, .down = 2, .across = 1},
                .channels = 2,
                .weight = NORMED,
                .bias = NORMED + D * L,
                .gamma = NORMED + D * L + L,
                .mean = MOMENTS + L - 2,
                .name = "normed"}}}};
static const dc_tensor centers = {"centers", CENTERS, K, L, true}, shift = {"shift", SHIFT, 1, L, true},
                       slope = {"slope", SLOPE, 1, 1, true}, means = {"means", MEANS, K, L, false},
                       counts = {"counts", COUNTS, 1, K, false}, wanted = {"wanted", WANTED, L, L, false},
                       number = {"number", NUMBER, 1, 1, false};

/* Tables of all rows; a rank's begin at its first row. */
typedef struct {
    float label[N], radius[N], zeros[N * L], ones[N * L], kept[N * L];
    dc_table of_label, of_radius, of_zeros, of_ones, of_kept;
} tables;

typedef struct {
    const char *name;
    void (*record)(dc_graph *g, const tables *t, int number);
    int number;
} graph_case;

/* ---- Graphs ------------------------------------------------------------------------------------------------------ */

static dc_val layer(dc_graph *g, dc_val of)
{
    return dc_layers(g, &net, 0, 1, true, of);
}

static dc_val embed(dc_graph *g)
{
    return layer(g, dc_batch(g, D));
}

/* Rows moved a little, each in its own direction. */
static dc_val shaken(dc_graph *g, dc_val rows, double by, int site)
{
    const dc_val away = dc_unit(g, dc_noise(g, dc_graph_shape(g, rows).width, site));
    return dc_map(g, DC_ADD, rows, dc_map(g, DC_MUL, away, dc_number(g, by)));
}

/* One layer is applied to the rows, to what they become, to rows of half the size, and once without learning; the other
 * layer twice. */
static void shared(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D), z = layer(g, rows), y = dc_layers(g, &net, 1, 2, true, z), again = layer(g, y);
    const dc_val other = layer(g, dc_map(g, DC_MUL, rows, dc_entry(g, &t->of_radius)));
    const dc_val fixed = dc_stop_gradient(g, dc_layers(g, &net, 0, 1, false, rows));
    dc_minimize(g, "there and back", 1, dc_recon(g, DC_LOSS_MSE_SUM, rows, y));
    dc_minimize(g, "alike", 0.7, dc_dot(g, dc_map(g, DC_SUB, other, again), dc_map(g, DC_SUB, z, fixed)));
    if (variant) dc_minimize(g, "twice", 0.3, dc_recon(g, DC_LOSS_MSE, rows, dc_layers(g, &net, 1, 2, true, again)));
    if (variant) dc_minimize(g, "size", 0.2, dc_dot(g, dc_mean(g, other), dc_mean(g, again)));
}

/* Sure of each row, not of one cluster for all, and smooth about every row; the rows move in a drawn direction. */
static void information(dc_graph *g, const tables *t, int variant)
{
    (void)variant;
    const dc_val z = embed(g), p = dc_softmax(g, z, DC_NONE), fixed = dc_stop_gradient(g, p);
    const dc_val away = dc_map(g, DC_MUL, dc_entry(g, &t->of_radius), dc_unit(g, dc_noise(g, L, 1)));
    const dc_val e = dc_map(g, DC_SUB, fixed, dc_softmax(g, dc_map(g, DC_ADD, z, away), DC_NONE));
    dc_minimize(g, "smooth", 1, dc_dot(g, e, e));
    dc_minimize(g, "conditional", -0.4, dc_neg_entropy(g, p));
    dc_minimize(g, "marginal", 1.6, dc_neg_entropy(g, dc_mean(g, p)));
}

/* Smooth about every row in the worst direction, which is a stopped gradient. */
static void adversary(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D), p = dc_softmax(g, layer(g, rows), DC_NONE), fixed = dc_stop_gradient(g, p);
    const dc_val d = dc_map(g, DC_MUL, dc_unit(g, dc_noise(g, D, 2)), dc_number(g, 0.5));
    const dc_val near = dc_softmax(g, dc_layers(g, &net, 0, 1, variant == 1, dc_map(g, DC_ADD, rows, d)), DC_NONE);
    const dc_val loss = dc_recon(g, DC_LOSS_MSE_SUM, fixed, near);
    const dc_val worst = dc_stop_gradient(g, dc_unit(g, dc_grad(g, loss, d)));
    const dc_val moved = dc_map(g, DC_ADD, rows, dc_map(g, DC_MUL, worst, dc_entry(g, &t->of_radius)));
    dc_minimize(g, "smooth", 1, dc_recon(g, DC_LOSS_MSE_SUM, fixed, dc_softmax(g, layer(g, moved), DC_NONE)));
    dc_minimize(g, "conditional", -0.4, dc_neg_entropy(g, p));
}

/* The score that a critic gives to rows. */
static dc_val score_of(dc_graph *g, dc_act act, dc_val rows)
{
    const dc_net critic = {
        .n_layers = 2,
        .layer = {{.in = D, .out = L, .act = act, .weight = LAYER, .bias = LAYER + D * L, .name = "first"},
                  {.in = L, .out = 1, .weight = BACK, .bias = BACK + L, .name = "second"}}};
    return dc_layers(g, &critic, 0, 2, true, rows);
}

/* A critic whose gradient by its rows is to have length 1 (WGAN-GP); in a step of its own, or with its scores. */
static void penalty(dc_graph *g, const tables *t, int variant)
{
    const dc_act act = (dc_act)(DC_ACT_LINEAR + 1 + variant / 2);
    (void)t;
    const dc_val rows = shaken(g, dc_batch(g, D), 0.3, 1), score = score_of(g, act, rows);
    const dc_val slopes = dc_grad(g, score, rows), length = dc_dot(g, slopes, dc_unit(g, slopes));
    dc_minimize(g, "penalty", 0.2, dc_map(g, DC_SQUARE, dc_map(g, DC_SUB, length, dc_number(g, 1)), DC_NONE));
    if (variant % 2) dc_minimize(g, "real", -0.05, score_of(g, act, dc_batch(g, D)));
    if (variant % 2) dc_minimize(g, "made", 0.1, score);
}

/* A value of all that bends, of vectors that learn, of layers before and behind z. */
static dc_val bent(dc_graph *g, const tables *t, bool is_tied, dc_val rows, dc_val z)
{
    const dc_val back = dc_layers(g, is_tied ? &tied : &net, 1, 2, true, z);
    const dc_val d = dc_sqdist(g, z, dc_use(g, &centers)), turned = dc_map(g, DC_ADD, z, dc_use(g, &shift));
    const dc_val q = dc_softmax(g, d, dc_use(g, &number));
    const dc_val steep = dc_map(g, DC_EXP, dc_map(g, DC_MUL, dc_use(g, &slope), z), DC_NONE);
    const dc_val y[] = {dc_dot(g, d, q), dc_neg_entropy(g, dc_softmax(g, turned, DC_NONE)),
                        dc_recon(g, DC_LOSS_MSE_SUM, rows, back), dc_recon(g, DC_LOSS_BCE, dc_entry(g, &t->of_ones), z),
                        dc_dot(g, dc_unit(g, turned), dc_dropout(g, 0.3, 3, dc_map(g, DC_SQUARE, steep, DC_NONE)))};
    dc_val sum = y[0];
    for (size_t i = 1; i < DC_COUNT_OF(y); i++) sum = dc_map(g, DC_ADD, sum, y[i]);
    return sum;
}

static void bends(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D), z = layer(g, rows), sum = bent(g, t, variant == 1, rows, z);
    const dc_val by_rows = dc_grad(g, sum, rows), by_z = dc_grad(g, sum, z);
    dc_minimize(g, "slopes of rows", 0.3, dc_dot(g, by_rows, by_rows));
    dc_minimize(g, "slopes of z", 0.2, dc_dot(g, by_z, dc_map(g, DC_ADD, z, dc_mean(g, by_z))));
    if (variant == 2) dc_minimize(g, "itself", 1, sum);
}

/* Two views of each row against all others; between sums over the batch, and of views that lead to further ones. */
static void views(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D), z = dc_unit(g, layer(g, shaken(g, rows, 0.2, 1))),
                 u = dc_unit(g, layer(g, shaken(g, rows, 0.2, 2)));
    const dc_val loss = dc_contrast(g, z, variant == 1 ? dc_stop_gradient(g, u) : u, 0.5);
    dc_minimize(g, "contrast", 1, loss);
    if (variant < 2) return;
    const dc_val even = dc_map(g, DC_SUB, loss, dc_mean(g, loss)), moved = dc_map(g, DC_SUB, z, dc_mean(g, z));
    const dc_val further = dc_unit(g, dc_map(g, DC_ADD, moved, dc_map(g, DC_MUL, dc_use(g, &shift), loss)));
    dc_minimize(g, "even", 0.4, dc_map(g, DC_SQUARE, even, DC_NONE));
    dc_minimize(g, "further", 0.3, dc_contrast(g, further, u, 0.8));
    dc_minimize(g, "same", 0.2, dc_contrast(g, further, further, 1));
    dc_put(g, &t->of_kept, further);
}

/* The layer and its transpose, once and, from there on, once more; the transpose alone. */
static void transposed(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D), z = layer(g, rows), y = dc_layers(g, &tied, 1, 2, true, z);
    if (variant != 2) dc_minimize(g, "there and back", 1, dc_recon(g, DC_LOSS_MSE_SUM, rows, y));
    if (variant == 1) dc_minimize(g, "twice", 0.6, dc_recon(g, DC_LOSS_MSE, rows, dc_layers(g, &tied, 0, 2, true, y)));
    if (variant == 2)
        dc_minimize(g, "back", 1.3,
                    dc_recon(g, DC_LOSS_MSE, rows, dc_layers(g, &tied, 1, 2, true, dc_entry(g, &t->of_kept))));
}

/* Convolution there and its reverse back, from there on once more, pooled, alone. */
static void convolved(dc_graph *g, const tables *t, int variant)
{
    const dc_net *const net_of[] = {&images, &images_tied};
    const dc_net *both = net_of[variant % 2];
    (void)t;
    const dc_val rows = dc_batch(g, D), y = dc_layers(g, both, 0, 2, true, rows);
    dc_minimize(g, "there and back", 1, dc_recon(g, DC_LOSS_MSE_SUM, rows, y));
    if (variant < 2) return;
    dc_minimize(g, "twice", 0.6, dc_recon(g, DC_LOSS_MSE, rows, dc_layers(g, both, 0, 2, true, y)));
    const dc_val p = dc_layers(g, &largest, 0, 2, true, y), m = dc_layers(g, &mean, 0, 2, true, rows);
    dc_minimize(g, "alike", 0.2, dc_recon(g, DC_LOSS_MSE, dc_layers(g, &images, 0, 1, false, rows), p));
    dc_minimize(g, "small", 0.3, dc_dot(g, m, dc_map(g, DC_SUB, m, dc_mean(g, p))));
}

/* The lengths of gradients that go through convolutions, pooling and their reverse. */
static void steep_images(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = shaken(g, dc_batch(g, D), 0.3, 1), z = dc_layers(g, &mean, 0, 2, true, rows),
                 y = dc_layers(g, variant ? &images_tied : &images, 1, 2, true, z);
    (void)t;
    const dc_val sum = dc_dot(g, y, rows), slopes = dc_grad(g, sum, rows), by_z = dc_grad(g, sum, z);
    dc_minimize(g, "slopes of rows", 0.3, dc_dot(g, slopes, slopes));
    dc_minimize(g, "slopes of z", 0.2, dc_dot(g, by_z, z));
}

/* One value for four operations, one of which has it as both operands. */
static void three_uses(dc_graph *g, const tables *t, int variant)
{
    (void)variant;
    const dc_val z = embed(g), s = dc_use(g, &slope);
    dc_minimize(g, "itself", 0.3, dc_dot(g, z, z));
    dc_minimize(g, "entries", 0.7, dc_recon(g, DC_LOSS_MSE, dc_entry(g, &t->of_kept), dc_map(g, DC_EXP, z, DC_NONE)));
    dc_minimize(g, "distance", 1.1,
                dc_dot(g, dc_sqdist(g, z, dc_use(g, &centers)), dc_onehot(g, dc_entry(g, &t->of_label), K)));
    dc_minimize(g, "scaled", 1, dc_recon(g, DC_LOSS_MSE_SUM, dc_batch(g, D), dc_map(g, DC_MUL, dc_batch(g, D), s)));
    dc_minimize(g, "shifted", 1,
                dc_recon(g, DC_LOSS_MSE_SUM, dc_entry(g, &t->of_kept), dc_map(g, DC_ADD, z, dc_use(g, &shift))));
}

/* Moments that go back into the rows: as batch norm does, with shift and slope learnt. */
static void centred(dc_graph *g, const tables *t, int variant)
{
    const dc_val z = embed(g), e = dc_map(g, DC_SUB, z, dc_mean(g, z));
    const dc_val var = dc_mean(g, dc_map(g, DC_SQUARE, e, DC_NONE));
    const dc_val root = dc_map(g, DC_EXP, dc_map(g, DC_MUL, var, dc_use(g, &number)), DC_NONE);
    dc_val y = dc_map(g, DC_MUL, e, root);
    if (variant) y = dc_map(g, DC_ADD, dc_map(g, DC_MUL, y, dc_use(g, &slope)), dc_use(g, &shift));
    dc_minimize(g, "fit", 1, dc_recon(g, DC_LOSS_MSE_HALF_SUM, dc_entry(g, &t->of_kept), y));
    dc_minimize(g, "spread", 0.2, dc_dot(g, var, var));
    dc_minimize(g, "middle", 0.5, dc_dot(g, dc_mean(g, y), dc_mean(g, z)));
}

/* |Y'Y / B - W|^2 = mean over rows of sum_k |0 - d_k|^2, d = Y'Y / B - W. */
static void gram(dc_graph *g, const tables *t, int variant)
{
    (void)variant;
    const dc_val y = embed(g), G = dc_map(g, DC_MUL, dc_cross(g, y, y), dc_use(g, &number));
    const dc_val d = dc_map(g, DC_SUB, G, dc_use(g, &wanted));
    dc_minimize(g, "gram", 0.5, dc_dot(g, dc_sqdist(g, dc_entry(g, &t->of_zeros), d), dc_entry(g, &t->of_ones)));
    const dc_val a = dc_map(g, DC_MUL, dc_dot(g, y, y), dc_entry(g, &t->of_radius));
    dc_minimize(g, "cross", 0.01, dc_cross(g, a, dc_dot(g, dc_map(g, DC_EXP, y, DC_NONE), y)));
}

/* Clusters: what DCN and DKM do, in one step. Labels and kept means move, centres are trained. */
static void clusters(dc_graph *g, const tables *t, int variant)
{
    (void)variant;
    const dc_val z = embed(g), d = dc_sqdist(g, z, dc_use(g, &centers));
    const dc_val m = dc_use(g, &means), c = dc_use(g, &counts), label = dc_nearest_center(g, z, m);
    const dc_val mine = dc_onehot(g, label, K), more = dc_total(g, mine),
                 before = dc_onehot(g, dc_entry(g, &t->of_label), K);
    dc_minimize(g, "soft", 0.8, dc_dot(g, d, dc_softmax(g, d, dc_use(g, &number))));
    dc_minimize(g, "hard", 0.3, dc_dot(g, dc_sqdist(g, z, m), before));
    dc_put(g, &t->of_label, label);
    dc_put(g, &t->of_kept, z);
    dc_move(g, &means, dc_running_mean(g, m, c, more, dc_cross(g, mine, z)));
    dc_move(g, &counts, dc_map(g, DC_ADD, c, more));
}

/* A layer with a norm: as it learns, twice, so that running moments move twice; as it infers; as it is quiet. */
static void norms(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D), z = dc_layers(g, &normed[variant], 0, 1, DC_TRAINED, rows);
    const dc_val u = dc_layers(g, &normed[variant], 0, 1, DC_TRAINED, shaken(g, rows, 0.3, 1));
    const dc_val fixed = dc_stop_gradient(g, dc_layers(g, &normed[variant], 0, 1, DC_FIXED, rows));
    const dc_val quiet = dc_layers(g, &normed[variant], 0, 1, DC_QUIET, dc_map(g, DC_MUL, rows, dc_use(g, &slope)));
    dc_minimize(g, "fit", 1, dc_recon(g, DC_LOSS_MSE_SUM, dc_entry(g, &t->of_kept), z));
    dc_minimize(g, "alike", 0.6, dc_dot(g, dc_map(g, DC_SUB, u, fixed), dc_map(g, DC_SUB, z, quiet)));
}

/* What is worst for rows of a batch that have a norm in common. */
static dc_val worst_of(dc_graph *g, dc_val fixed, dc_val rows, dc_val d, int norm)
{
    const dc_val near = dc_layers(g, &normed[norm], 0, 1, DC_QUIET, dc_map(g, DC_ADD, rows, d));
    return dc_grad(g, dc_recon(g, DC_LOSS_MSE_SUM, fixed, dc_softmax(g, near, DC_NONE)), d);
}

static void adversary_of_norm(dc_graph *g, const tables *t, int variant)
{
    const dc_val rows = dc_batch(g, D),
                 p = dc_softmax(g, dc_layers(g, &normed[variant], 0, 1, DC_TRAINED, rows), DC_NONE);
    const dc_val fixed = dc_stop_gradient(g, p), d = dc_map(g, DC_MUL, dc_noise(g, D, 2), dc_number(g, 0.5));
    const dc_val worst = dc_stop_gradient(g, dc_unit(g, worst_of(g, fixed, rows, d, variant)));
    const dc_val moved = dc_map(g, DC_ADD, rows, dc_map(g, DC_MUL, worst, dc_entry(g, &t->of_radius)));
    const dc_val q = dc_softmax(g, dc_layers(g, &normed[variant], 0, 1, DC_QUIET, moved), DC_NONE);
    dc_minimize(g, "smooth", 1, dc_recon(g, DC_LOSS_MSE_SUM, fixed, q));
    dc_minimize(g, "conditional", -0.4, dc_neg_entropy(g, p));
}

/* The weighted sum of a SUM alone. */
static void sums(dc_graph *g, const tables *t, int variant)
{
    (void)t;
    const dc_val z = dc_map(g, DC_SQUARE, embed(g), DC_NONE);
    const dc_val m = variant == 0 ? dc_mean(g, z) : dc_total(g, z);
    const dc_val scaled = dc_map(g, DC_MUL, m, dc_use(g, &number));
    dc_minimize(g, "sum", 0.7, dc_dot(g, scaled, scaled));
}

/* ---- Drawn graphs ------------------------------------------------------------------------------------------------ */

enum { POOL = 64 };
typedef struct {
    dc_graph *g;
    uint64_t draws;
    int number;
    dc_val of[POOL];
    int n;
} pool;

static int pick(pool *p, int below)
{
    uint32_t word[4];
    dc_rng4(SEED, DC_STREAM_TEST, (uint64_t)p->number, p->draws++, word);
    return (int)(word[0] % (uint32_t)below);
}

static bool is(const pool *p, int i, dc_space space, int64_t width)
{
    const dc_shape s = dc_graph_shape(p->g, p->of[i]);
    return s.space == space && s.n == 1 && (width == 0 || s.width == width);
}

/* A value drawn from the pool: rows or a vector [1 x width]; width 0: any width. The pool has at least one of each. */
static dc_val some(pool *p, dc_space space, int64_t width)
{
    for (;;) {
        const int i = pick(p, p->n);
        if (is(p, i, space, width)) return p->of[i];
    }
}

static dc_val bounded(pool *p, dc_val v)
{
    const int64_t width = dc_graph_shape(p->g, v).width;
    return width > 1 ? dc_unit(p->g, v) : dc_map(p->g, DC_MUL, v, dc_use(p->g, &number));
}

static dc_val drawn_rows(pool *p)
{
    dc_graph *g = p->g;
    const int64_t width = pick(p, 4) ? L : 1;
    const dc_function pair[] = {DC_ADD, DC_SUB, DC_MUL};
    const dc_function f = pair[pick(p, 3)];
    switch (pick(p, 12)) {
    case 0:
        return dc_map(g, f, some(p, DC_ROWS, width), some(p, DC_ROWS, width));
    case 1:
        return dc_map(g, f, some(p, DC_ROWS, L), some(p, DC_ROWS, 1));
    case 2:
        return dc_map(g, f, some(p, DC_ROWS, width), some(p, DC_ONE, width));
    case 3:
        return dc_map(g, f, some(p, DC_ONE, L), some(p, DC_ROWS, width));
    case 4:
        return dc_softmax(g, some(p, DC_ROWS, L), some(p, DC_ONE, 1));
    case 5:
        return dc_map(g, DC_EXP, bounded(p, some(p, DC_ROWS, width)), DC_NONE);
    case 6:
        return dc_neg_entropy(g, dc_softmax(g, some(p, DC_ROWS, L), DC_NONE));
    case 7:
        return dc_dot(g, some(p, DC_ROWS, L), some(p, DC_ROWS, L));
    case 8:
        return dc_dot(g, dc_sqdist(g, some(p, DC_ROWS, L), dc_use(g, &centers)),
                      dc_softmax(g, dc_sqdist(g, some(p, DC_ROWS, L), dc_use(g, &means)), DC_NONE));
    case 9:
        return dc_contrast(g, dc_unit(g, some(p, DC_ROWS, L)), dc_unit(g, some(p, DC_ROWS, L)), 0.6);
    case 10: {
        const dc_val v = some(p, DC_ROWS, L), other = dc_stop_gradient(g, some(p, DC_ROWS, L));
        return dc_grad(g, dc_neg_entropy(g, dc_softmax(g, dc_map(g, DC_MUL, v, other), DC_NONE)), v);
    }
    default:
        return dc_stop_gradient(g, some(p, DC_ROWS, width));
    }
}

static dc_val drawn_vector(pool *p)
{
    dc_graph *g = p->g;
    const int64_t width = pick(p, 3) ? L : 1;
    switch (pick(p, 5)) {
    case 0:
        return dc_map(g, pick(p, 2) ? DC_MUL : DC_SUB, dc_mean(g, some(p, DC_ROWS, width)),
                      dc_mean(g, some(p, DC_ROWS, width)));
    case 1:
        return dc_map(g, DC_SQUARE, dc_mean(g, some(p, DC_ROWS, width)), DC_NONE);
    case 2:
        return dc_map(g, DC_MUL, dc_use(g, &number), dc_cross(g, some(p, DC_ROWS, 1), some(p, DC_ROWS, width)));
    case 3:
        return dc_softmax(g, dc_mean(g, some(p, DC_ROWS, L)), DC_NONE);
    default:
        return dc_mean(g, some(p, DC_ROWS, width));
    }
}

/* Each drawn value may be used by other values, by losses, or not at all. */
static void drawn(dc_graph *g, const tables *t, int which)
{
    pool p = {.g = g, .number = which};
    p.of[p.n++] = embed(g);
    p.of[p.n++] = dc_entry(g, &t->of_radius);
    p.of[p.n++] = layer(g, dc_map(g, DC_MUL, dc_batch(g, D), p.of[1]));
    p.of[p.n++] = dc_map(g, DC_ADD, dc_use(g, &shift), dc_entry(g, &t->of_ones));
    p.of[p.n++] = dc_map(g, DC_MUL, dc_use(g, &slope), dc_entry(g, &t->of_radius));
    p.of[p.n++] = dc_mean(g, p.of[0]);
    p.of[p.n++] = dc_mean(g, p.of[4]);
    for (int i = 0; i < 12; i++) {
        const dc_val v = pick(&p, 3) ? drawn_rows(&p) : drawn_vector(&p);
        p.of[p.n++] = pick(&p, 2) ? bounded(&p, v) : v;
    }
    dc_minimize(g, "rows", 0.3, some(&p, DC_ROWS, 1));
    dc_minimize(g, "rows again", -0.2, some(&p, DC_ROWS, 1));
    const dc_val y = some(&p, DC_ROWS, L), m = some(&p, DC_ONE, L);
    dc_minimize(g, "both", 0.5, dc_dot(g, dc_map(g, DC_MUL, y, m), p.of[0]));
    dc_minimize(g, "vector", 0.7, dc_dot(g, m, some(&p, DC_ONE, L)));
    dc_put(g, &t->of_kept, some(&p, DC_ROWS, L));
}

static const graph_case cases[] = {
    {"information", information, 0},
    {"three uses", three_uses, 0},
    {"shared", shared, 0},
    {"shared, more", shared, 1},
    {"tied", transposed, 0},
    {"tied, twice", transposed, 1},
    {"tied, alone", transposed, 2},
    {"convolved", convolved, 0},
    {"convolved, tied", convolved, 1},
    {"convolved, more", convolved, 2},
    {"convolved, tied, more", convolved, 3},
    {"steep images", steep_images, 0},
    {"steep images, tied", steep_images, 1},
    {"adversary", adversary, 0},
    {"adversary, learning", adversary, 1},
    {"penalty alone, relu", penalty, 0},
    {"penalty, relu", penalty, 1},
    {"penalty alone, leaky", penalty, 2},
    {"penalty, leaky", penalty, 3},
    {"penalty alone, tanh", penalty, 4},
    {"penalty, tanh", penalty, 5},
    {"penalty, sigmoid", penalty, 7},
    {"penalty, elu", penalty, 9},
    {"penalty, selu", penalty, 11},
    {"penalty, softplus", penalty, 13},
    {"penalty alone, gelu", penalty, 14},
    {"penalty, gelu", penalty, 15},
    {"bends", bends, 0},
    {"bends, tied", bends, 1},
    {"bends, and itself", bends, 2},
    {"views", views, 0},
    {"views, one learns", views, 1},
    {"views of views", views, 2},
    {"centred", centred, 0},
    {"centred, learnt", centred, 1},
    {"batch norm", norms, 0},
    {"layer norm", norms, 1},
    {"batch norm of images", norms, 2},
    {"adversary of batch norm", adversary_of_norm, 0},
    {"adversary of layer norm", adversary_of_norm, 1},
    {"adversary of batch norm of images", adversary_of_norm, 2},
    {"gram", gram, 0},
    {"clusters", clusters, 0},
    {"mean", sums, 0},
    {"total", sums, 1},
};

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

/* A run of STEPS steps, each with an update; every rank has all that the run leaves. */
typedef struct {
    tables t;
    dc_params p;
    one_step step;
    dc_part part;
    float grad[STEPS][FLOATS], value[STEPS + 1][FLOATS];
    double loss[STEPS];
    tables after[STEPS + 1];
} run;

static void fill_tables(tables *t, int64_t first)
{
    for (int64_t i = 0; i < N; i++) {
        t->label[i] = (float)(i % K);
        t->radius[i] = 0.2f + 0.01f * (float)(i % 7);
        for (int64_t j = 0; j < L; j++) t->zeros[i * L + j] = 0, t->ones[i * L + j] = 1;
    }
    dc_rng_fill_uniform(t->kept, N * L, SEED, 3, 0.8);
    t->of_label = (dc_table){"label", t->label + first, 1};
    t->of_radius = (dc_table){"radius", t->radius + first, 1};
    t->of_zeros = (dc_table){"zeros", t->zeros + first * L, L};
    t->of_ones = (dc_table){"ones", t->ones + first * L, L};
    t->of_kept = (dc_table){"kept", t->kept + first * L, L};
}

static void fill_slab(float *value)
{
    dc_rng_fill_uniform(value, FLOATS, SEED, 2, 0.7);
    for (int k = 0; k < K; k++) value[COUNTS + k] = (float)(10 + k);
    value[NUMBER] = -0.015f;
    for (int j = 0; j < L; j++) value[MOMENTS + L + j] = 1.5f;
}

/* Rows of a table from the ranks that own them. */
static void share_rows(dc_comm *comm, const dc_part *part, float *rows, int64_t width)
{
    float *own = calloc((size_t)(N * width), sizeof *own);
    memcpy(own + part->row_lo * width, rows + part->row_lo * width,
           (size_t)((part->row_hi - part->row_lo) * width) * sizeof *own);
    dc_comm_sum_f32(comm, own, (size_t)(N * width));
    memcpy(rows, own, (size_t)(N * width) * sizeof *own);
    free(own);
}

static run *run_case(dc_comm *comm, const graph_case *what, dc_outer_way way, int64_t B)
{
    static const dc_net nothing;
    const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.3, .momentum = 0.9};
    run *r = calloc(1, sizeof *r);
    const one_step_rows rows = {.N = N, .width = D, .x = x, .V = SHARDS, .B = B, .way = way, .seed = SEED};
    CHECK_OK(dc_part_init(&r->part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    fill_tables(&r->t, r->part.row_lo);
    CHECK_OK(dc_params_create(&r->p, &nothing, FLOATS));
    fill_slab(r->p.value);
    one_step_open(&r->step);
    what->record(r->step.graph, &r->t, what->number);
    CHECK_OK(one_step_create(comm, &r->step, &r->p, &rows));
    for (int s = 0; s <= STEPS; s++) {
        memcpy(r->value[s], r->p.value, sizeof r->value[s]);
        r->after[s] = r->t;
        if (s == STEPS) break;
        for (int i = 0; i < FLOATS; i++) r->p.grad[i] = 0; /* of what this graph does not train */
        const uint64_t allocations = dc_mem_alloc_count();
        r->loss[s] = one_step_run(comm, &r->step, s);
        memcpy(r->grad[s], r->p.grad, sizeof r->grad[s]);
        dc_step_update(comm, r->step.step, &sgd, s, STEPS);
        CHECK(dc_mem_alloc_count() == allocations);
        share_rows(comm, &r->part, r->t.label, 1);
        share_rows(comm, &r->part, r->t.kept, L);
    }
    return r;
}

static void run_free(run *r)
{
    one_step_close(&r->step);
    dc_params_release(&r->p);
    free(r);
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

/* Rows of step s, global numbers, in the order of one rank. */
static int64_t rows_of_step(int s, dc_gidx *row, double *batch)
{
    dc_part part;
    dc_batcher batcher;
    int64_t n, n_global;
    CHECK_OK(dc_part_init(&part, N, SHARDS, 1, 0));
    CHECK_OK(dc_batcher_init(&batcher, &part, SEED, BATCH));
    dc_batcher_step(&batcher, s, row, &n, &n_global, NULL);
    for (int64_t i = 0; i < n * D; i++) batch[i] = (double)x[row[i / D] * D + i % D];
    return n;
}

/* Losses and gradients of a step, and what it moved and put, against the twin at the parameters of that step. */
static void check_step(const run *r, const graph_case *what, int s)
{
    dc_gidx row[N];
    double batch[N * D], slab[FLOATS], grad[TRAINED], worst = 0, size = 0.02, moved = 0;
    dc_graph *g;
    tables t = r->after[s];
    graph_ref ref;
    fill_tables(&t, 0);
    memcpy(t.label, r->after[s].label, sizeof t.label);
    memcpy(t.kept, r->after[s].kept, sizeof t.kept);
    CHECK_OK(dc_graph_create(&g));
    what->record(g, &t, what->number);
    const int64_t n = rows_of_step(s, row, batch);
    for (int i = 0; i < FLOATS; i++) slab[i] = (double)r->value[s][i];
    graph_ref_open(&ref, g, n);
    ref.row = row, ref.batch = batch, ref.slab = slab, ref.seed = SEED, ref.step = s;
    graph_ref_gradient(&ref, slab, 0, TRAINED, grad);
    const double loss = graph_ref_loss(&ref);
    CHECK_NEAR(r->loss[s], loss, 2e-6 * (1 + fabs(loss)));
    for (int i = 0; i < TRAINED; i++) size = fmax(size, fabs(grad[i]));
    for (int i = 0; i < TRAINED; i++) worst = worse_of(worst, fabs((double)r->grad[s][i] - grad[i]) / size);
    CHECK_NEAR(worst, 0, 3e-6);
    for (int m = 0; m < g->n_moves; m++)
        for (size_t i = 0; i < dc_tensor_floats(&g->move[m].tensor); i++)
            moved = worse_of(moved,
                             fabs((double)r->value[s + 1][g->move[m].tensor.at + i] - ref.value[g->move[m].node][i]));
    CHECK_NEAR(moved, 0, 1e-5);
    /* What was put is there, and nothing else. */
    for (int p = 0; p < g->n_puts; p++) {
        const int64_t width = g->put[p].table->width;
        const float *before = g->put[p].table->rows, *after = width == 1 ? r->after[s + 1].label : r->after[s + 1].kept;
        double expected[N * L], wrong = 0;
        for (int64_t i = 0; i < N * width; i++) expected[i] = (double)before[i];
        for (int64_t i = 0; i < n; i++)
            memcpy(expected + row[i] * width, ref.value[g->put[p].node] + i * width, (size_t)width * sizeof *expected);
        for (int64_t i = 0; i < N * width; i++) wrong = worse_of(wrong, fabs((double)after[i] - expected[i]));
        CHECK_NEAR(wrong, 0, 1e-5);
    }
    graph_ref_close(&ref);
    dc_graph_destroy(&g);
}

static bool same(const run *a, const run *b)
{
    return memcmp(a->value, b->value, sizeof a->value) == 0 && memcmp(a->loss, b->loss, sizeof a->loss) == 0 &&
           memcmp(a->grad, b->grad, sizeof a->grad) == 0 &&
           memcmp(a->after[STEPS].label, b->after[STEPS].label, sizeof a->t.label) == 0 &&
           memcmp(a->after[STEPS].kept, b->after[STEPS].kept, sizeof a->t.kept) == 0;
}

static void check_case(dc_comm *comm, dc_comm *alone, const graph_case *what)
{
    static const dc_outer_way ways[] = {DC_OUTER_GATHER, DC_OUTER_TREE};
    static const int64_t batches[] = {BATCH, FEW}; /* FEW: ranks without rows */
    const int threads = omp_get_max_threads();
    if (dc_comm_rank(comm) == 0) printf("# %s %d\n", what->name, what->number);
    for (size_t i = 0; i < DC_COUNT_OF(ways) * DC_COUNT_OF(batches); i++) {
        const int64_t w = (int64_t)i % 2, B = batches[i / 2];
        run *together = run_case(comm, what, ways[w], B);
        omp_set_num_threads(1);
        run *single = run_case(alone, what, ways[w], B);
        omp_set_num_threads(threads);
        CHECK(same(together, single));
        if (B == BATCH && dc_comm_size(comm) == 1) {
            if (w == 0) check_step(single, what, what->number % 2 ? STEPS - 2 : 0);
            if (w > 0) check_step(together, what, STEPS - 1);
        }
        run_free(together);
        run_free(single);
    }
}

/* The twin on the rows of the first step, run once; row, batch and slab are its memory. */
static int64_t open_slopes(graph_ref *r, const dc_graph *g, dc_gidx *row, double *batch, double *slab)
{
    float value[FLOATS];
    const int64_t n = rows_of_step(0, row, batch);
    fill_slab(value);
    for (int i = 0; i < FLOATS; i++) slab[i] = (double)value[i];
    graph_ref_open(r, g, n);
    r->row = row, r->batch = batch, r->slab = slab, r->seed = SEED;
    graph_ref_run(r, 0);
    graph_ref_hold(r);
    return n;
}

/* The twin of the gradient that was recorded against differences of the value, for all rows at once: what dc_grad
 * records is the gradient. */
static double worst_slope(const dc_graph *g, dc_val y, dc_val x_of, dc_val slopes)
{
    const double h = 1e-5;
    const int64_t width = dc_graph_shape(g, x_of).width;
    dc_gidx row[N];
    double batch[N * D], slab[FLOATS], expected[N * D], up[N], worst = 0;
    graph_ref r;
    const int64_t n = open_slopes(&r, g, row, batch, slab);
    memcpy(expected, r.value[slopes.id], (size_t)(n * width) * sizeof *expected);
    for (int64_t j = 0; j < width; j++) {
        double *v = r.value[x_of.id] + j;
        for (int64_t i = 0; i < n; i++) v[i * width] += h;
        graph_ref_run(&r, x_of.id + 1);
        memcpy(up, r.value[y.id], (size_t)n * sizeof *up);
        for (int64_t i = 0; i < n; i++) v[i * width] -= 2 * h;
        graph_ref_run(&r, x_of.id + 1);
        for (int64_t i = 0; i < n; i++) {
            v[i * width] += h;
            worst = worse_of(worst, fabs((up[i] - r.value[y.id][i]) / (2 * h) - expected[i * width + j]));
        }
    }
    graph_ref_close(&r);
    return worst;
}

static void test_slopes(void)
{
    for (int which = 0; which < 4 + DC_ACTS; which++) {
        dc_graph *g;
        tables t;
        fill_tables(&t, 0);
        CHECK_OK(dc_graph_create(&g));
        const dc_val rows = dc_batch(g, D), z = layer(g, rows), by = which % 2 || which > 3 ? rows : z;
        const dc_val y = which < 4 ? bent(g, &t, which / 2, rows, z) : score_of(g, (dc_act)(which - 4), rows);
        CHECK_NEAR(worst_slope(g, y, by, dc_grad(g, y, by)), 0, 1e-7);
        dc_graph_destroy(&g);
    }
    static const dc_net *const of_images[] = {&images, &images_tied, &mean};
    for (size_t which = 0; which < DC_COUNT_OF(of_images); which++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        const dc_val rows = dc_batch(g, D), z = dc_layers(g, of_images[which], 0, 2, true, rows);
        const dc_val y = dc_neg_entropy(g, dc_softmax(g, z, DC_NONE));
        CHECK_NEAR(worst_slope(g, y, rows, dc_grad(g, y, rows)), 0, 1e-7);
        dc_graph_destroy(&g);
    }
}

/* The same where rows read sums over the batch: differences of the sum of y, row by row. */
static double worst_sum_slope(const dc_graph *g, dc_val y, dc_val x_of, dc_val slopes)
{
    const double h = 1e-5;
    const int64_t width = dc_graph_shape(g, x_of).width;
    dc_gidx row[N];
    double batch[N * D], slab[FLOATS], expected[N * D], worst = 0;
    graph_ref r;
    const int64_t n = open_slopes(&r, g, row, batch, slab);
    memcpy(expected, r.value[slopes.id], (size_t)(n * width) * sizeof *expected);
    for (int64_t i = 0; i < n * width; i += 7) {
        double sum = 0;
        for (int side = 1; side >= -1; side -= 2) {
            r.value[x_of.id][i] += side * h;
            graph_ref_run(&r, x_of.id + 1);
            for (int64_t k = 0; k < n; k++) sum += side * r.value[y.id][k] / (2 * h);
            r.value[x_of.id][i] -= side * h;
        }
        worst = worse_of(worst, fabs(sum - expected[i]));
    }
    graph_ref_close(&r);
    return worst;
}

/* Through norms, through a mean and what vectors do with it. */
static void test_sum_slopes(void)
{
    for (int norm = 0; norm < (int)DC_COUNT_OF(normed); norm++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        const dc_val rows = dc_batch(g, D), d = dc_map(g, DC_MUL, dc_noise(g, D, 2), dc_number(g, 0.5));
        const dc_val e = dc_map(g, DC_SUB, d, dc_mean(g, d)), m = dc_mean(g, dc_map(g, DC_SQUARE, e, DC_NONE));
        const dc_val moved = dc_map(g, DC_ADD, rows, dc_map(g, DC_MUL, e, dc_map(g, DC_EXP, m, DC_NONE)));
        const dc_val z = dc_layers(g, &normed[norm], 0, 1, DC_QUIET, moved),
                     y = dc_neg_entropy(g, dc_softmax(g, z, DC_NONE));
        CHECK_NEAR(worst_sum_slope(g, y, d, dc_grad(g, y, d)), 0, 1e-7);
        dc_graph_destroy(&g);
    }
}

/* If two passes of a step move the same running moments, the second goes on from what the first made of them. */
static void test_moved_twice(void)
{
    dc_graph *g;
    int first[2];
    CHECK_OK(dc_graph_create(&g));
    const dc_val rows = dc_batch(g, D);
    dc_layers(g, &normed[0], 0, 1, DC_TRAINED, rows);
    CHECK_INT(g->n_moves, 2);
    for (int m = 0; m < 2; m++) first[m] = g->move[m].node;
    dc_layers(g, &normed[0], 0, 1, DC_TRAINED, dc_map(g, DC_MUL, rows, dc_number(g, 2)));
    CHECK_INT(g->n_moves, 2);
    for (int m = 0; m < 2; m++) {
        CHECK(g->move[m].node != first[m]);
        CHECK_INT(g->node[g->move[m].node].in[0], first[m]);
    }
    dc_graph_destroy(&g);
}

/* Bytes that this rank brings to a step; *floats: of rows that it gathers, per row. */
static double bytes_of_step(dc_comm *comm, void (*record)(dc_graph *, const tables *, int), int which, size_t *floats)
{
    const graph_case what = {"traffic", record, which};
    const double before = (double)dc_comm_traffic_total(comm).bytes;
    run *r = run_case(comm, &what, DC_OUTER_GATHER, N);
    const double bytes = ((double)dc_comm_traffic_total(comm).bytes - before) / STEPS;
    *floats = dc_step_plan(r->step.step)->all_floats;
    run_free(r);
    return bytes;
}

static void two_views(dc_graph *g, const tables *t, int variant)
{
    const dc_val z = dc_unit(g, embed(g)), u = dc_unit(g, dc_entry(g, &t->of_ones));
    dc_minimize(g, "pairs", 1, variant ? dc_contrast(g, z, u, 1) : dc_dot(g, z, u));
}

/* The plan counts the messages for rows of the whole batch: each float is sent once. */
static void test_traffic(dc_comm *comm)
{
    size_t none, floats;
    dc_part part;
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const double without = bytes_of_step(comm, two_views, 0, &none), with = bytes_of_step(comm, two_views, 1, &floats);
    const double own = dc_comm_size(comm) > 1 ? (double)dc_part_rows(&part) : 0;
    CHECK(none == 0 && floats == 2 * L + 1 + 2); /* both views; gradients and sums of the losses */
    CHECK_NEAR(with - without, own * (double)(floats * sizeof(float)), 0.5);
}

int main(void)
{
    dc_comm *comm, *alone;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    const int rank = dc_comm_rank(comm);
    check_init(rank);
    CHECK_OK(dc_comm_split(comm, rank, &alone));
    dc_rng_fill_uniform(x, N * D, SEED, 1, 1);
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) check_case(comm, alone, &cases[i]);
    for (int i = 0; i < DRAWN; i++) check_case(comm, alone, &(graph_case){"drawn", drawn, i});
    if (dc_comm_size(comm) == 1) test_slopes(), test_sum_slopes(), test_moved_twice();
    test_traffic(comm);
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
