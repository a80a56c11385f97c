/* All operations of the table, each against its twin in double: forward; gradients by rows and by vectors against
 * central differences, written and added; derivatives along directions; gradients as values, and their gradients. A row
 * keeps its bits in any order of rows in a tile, any cut and beside any other rows; if it reads the whole batch, on any
 * ranks. No row after the last is touched, and with 0 rows nothing is. With --names the test prints the names of the
 * operations that it knows: t805 compares them with the sources. Fixed seed 513. threads: 2 */
#include "check.h"
#include "dcmpi/cluster.h"
#include "dcmpi/mixture.h"
#include "dcmpi/net_text.h"
#include "dcmpi/rng.h"
#include "dcmpi/spectral.h"
#include "ref/graph_ref.h"
#include "ref/nn_ref.h"
#include "ref/op_call.h"

enum { TABLE_ROWS = 400, TABLE_WIDTH = 60, BEHIND = 3, SEED = 513, STEP = 7, FIRST_ROW = 1000 };
static const float UNTOUCHED = 77;
static const int64_t row_counts[] = {0, 1, 3, 64, 130}, widths[] = {1, 3, 10, 17};
static float table_rows[TABLE_ROWS * TABLE_WIDTH];

/* ---- What is recorded: one operation on sources ------------------------------------------------------------------ */

typedef struct {
    int64_t n, w; /* rows, width */
} sizes;

/* Values that an operand may have. */
typedef enum {
    SIGNED,   /* -1 .. 1 */
    POSITIVE, /* 0.1 .. 1.1 */
    AWAY,     /* as POSITIVE, or the negative of such a value */
    SHARES,   /* positive, 1 in a row */
    NUMBERS,  /* 0 .. 4 */
    STEPS,    /* all of a row differ, by 0.1 at least */
    SUMS      /* sums of as many values as the operand before says; 0 if of none */
} values;

typedef struct {
    const char *name; /* of the operation */
    int variants;
    dc_val (*record)(dc_graph *g, sizes s, int variant);
    values values[DC_NODE_INPUTS];
} op_case;

/* Rows whose values the caller gives. */
static dc_val rows(dc_graph *g, int64_t width)
{
    static dc_table table[TABLE_WIDTH + 3];
    table[width] = (dc_table){"rows", table_rows, width};
    return dc_entry(g, &table[width]);
}

static dc_val vector(dc_graph *g, int64_t n, int64_t width)
{
    const dc_tensor tensor = {"vector", 0, n, width, false};
    return dc_use(g, &tensor);
}

static dc_val record_batch(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return dc_batch(g, s.w);
}

static dc_val record_use(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return vector(g, DC_MAX(s.n, (int64_t)1), s.w);
}

static dc_val record_number(dc_graph *g, sizes s, int variant)
{
    (void)s, (void)variant;
    return dc_number(g, -0.75);
}

static dc_val record_entry(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return rows(g, s.w);
}

/* Activations whose derivative follows from their value: those in front of gelu. */
enum { FROM_VALUE = DC_ACT_GELU };

static dc_val record_dense(dc_graph *g, sizes s, int variant)
{
    const dc_net net = {
        .n_layers = 1,
        .layer = {
            {.in = s.w, .out = s.w + 2, .act = (dc_act)variant, .bias = (size_t)(s.w * (s.w + 2)), .name = "layer"}}};
    return dc_layers(g, &net, 0, 1, true, rows(g, s.w));
}

static dc_val record_dense_tied(dc_graph *g, sizes s, int variant)
{
    const dc_net net = {.n_layers = 2,
                        .layer = {{.in = s.w + 2, .out = s.w, .name = "owner"},
                                  {.in = s.w,
                                   .out = s.w + 2,
                                   .act = (dc_act)variant,
                                   .tied = true,
                                   .bias = (size_t)(s.w * (s.w + 2)),
                                   .name = "tied"}}};
    return dc_layers(g, &net, 1, 2, true, rows(g, s.w));
}

/* Images of about s.w values, and windows over them. */
static const dc_image images[] = {{1, 1, 1}, {3, 1, 1}, {5, 2, 1}, {3, 3, 2}};
static const char *const windows[] = {"1x1x3", "3x3x2 /2 relu", "3x2x1 tanh", "3x3x2 /2 pad=1 sigmoid", "5x4x2 /3"};

static dc_image image_of(sizes s)
{
    return images[s.w < 3 ? 0 : s.w < 10 ? 1 : s.w < 17 ? 2 : 3];
}

/* The layer that a text says, with its weights and bias at the begin of the slab. */
static void shape_layer(dc_layer *layer, const char *text, dc_image image)
{
    char why[DC_NET_WHY_MAX];
    dc_part_text part;
    *layer = (dc_layer){.name = "layer"};
    DC_ASSERT(dc_net_text_layers(text, "layer", &part, why));
    DC_ASSERT(dc_layer_shape(layer, &part.layer[0], image.h * image.w * image.c, image, why));
    layer->bias = (size_t)(dc_layer_rows(layer) * dc_layer_columns(layer));
}

static dc_val record_conv(dc_graph *g, sizes s, int variant)
{
    char text[64];
    dc_net net = {.n_layers = 1};
    snprintf(text, sizeof text, "conv %s", windows[variant]);
    shape_layer(&net.layer[0], text, image_of(s));
    return dc_layers(g, &net, 0, 1, true, rows(g, net.layer[0].in));
}

/* The reverse of that convolution. */
static dc_val record_deconv(dc_graph *g, sizes s, int variant)
{
    char text[64];
    dc_layer conv;
    dc_net net = {.n_layers = 1};
    snprintf(text, sizeof text, "conv %s", windows[variant]);
    shape_layer(&conv, text, image_of(s));
    DC_ASSERT(dc_layer_mirror(&conv, image_of(s), &net.layer[0]));
    return dc_layers(g, &net, 0, 1, true, rows(g, net.layer[0].in));
}

static dc_val record_pool(dc_graph *g, sizes s, const char *kind, int variant)
{
    static const char *const shape[] = {"1x1", "2x2 /2 same", "3x2 /1 same", "3x3 /2 pad=1"};
    char text[64];
    dc_net net = {.n_layers = 1};
    snprintf(text, sizeof text, "%s %s", kind, shape[variant]);
    shape_layer(&net.layer[0], text, image_of(s));
    return dc_layers(g, &net, 0, 1, true, rows(g, net.layer[0].in));
}

static dc_val record_maxpool(dc_graph *g, sizes s, int variant)
{
    return record_pool(g, s, "maxpool", variant);
}

static dc_val record_avgpool(dc_graph *g, sizes s, int variant)
{
    return record_pool(g, s, "avgpool", variant);
}

static dc_val record_act_grad(dc_graph *g, sizes s, int variant)
{
    const dc_val d = rows(g, s.w);
    return dc_act_slope(g, (dc_act)(DC_ACT_LINEAR + 1 + variant), d, rows(g, s.w));
}

static dc_val record_gelu(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return dc_act_gelu(g, rows(g, s.w));
}

static dc_val record_dropout(dc_graph *g, sizes s, int variant)
{
    static const double rate[] = {0.25, 0.9, 0};
    return dc_dropout(g, rate[variant], variant + 1, rows(g, s.w));
}

static dc_val record_recon(dc_graph *g, sizes s, int variant)
{
    static const dc_recon_loss kind[] = {DC_LOSS_MSE, DC_LOSS_MSE_SUM, DC_LOSS_MSE_HALF_SUM, DC_LOSS_BCE};
    const dc_val x = rows(g, s.w);
    return dc_recon(g, kind[variant], x, rows(g, s.w));
}

static dc_val record_noise(dc_graph *g, sizes s, int variant)
{
    return dc_noise(g, s.w, variant);
}

/* Shapes of a pair of operands, in both orders. */
typedef enum { ROW, PER_ROW, VECTOR, SCALAR, WHOLE, COLUMN } part;
static const part pairs[][2] = {{ROW, ROW},     {ROW, PER_ROW},  {ROW, VECTOR},   {ROW, SCALAR},  {PER_ROW, VECTOR},
                                {WHOLE, WHOLE}, {WHOLE, COLUMN}, {WHOLE, VECTOR}, {WHOLE, SCALAR}};

static dc_val source(dc_graph *g, sizes s, part what)
{
    const int64_t n = DC_MAX(s.n, (int64_t)1);
    switch (what) {
    case ROW:
        return rows(g, s.w);
    case PER_ROW:
        return rows(g, 1);
    case VECTOR:
        return vector(g, 1, s.w);
    case SCALAR:
        return vector(g, 1, 1);
    case WHOLE:
        return vector(g, n, s.w);
    case COLUMN:
        return vector(g, n, 1);
    }
    return DC_NONE;
}

enum { MAPS = 2 * (int)DC_COUNT_OF(pairs) * GRAPH_REF_FUNCTIONS };

static dc_val record_map(dc_graph *g, sizes s, int variant)
{
    const dc_function f = (dc_function)(variant % GRAPH_REF_FUNCTIONS);
    const int pair = variant / GRAPH_REF_FUNCTIONS / 2, turned = variant / GRAPH_REF_FUNCTIONS % 2;
    const dc_val a = source(g, s, pairs[pair][turned]);
    return dc_map(g, f, a, graph_ref_has_two(f) ? source(g, s, pairs[pair][1 - turned]) : DC_NONE);
}

static dc_val record_map_positive(dc_graph *g, sizes s, int variant)
{
    const dc_function f = (dc_function)(GRAPH_REF_FUNCTIONS + variant / 2);
    return dc_map(g, f, source(g, s, variant % 2 ? WHOLE : ROW), DC_NONE);
}

/* Functions of rows are functions of the rows of a vector, too. */
static dc_val source_of(dc_graph *g, sizes s, bool of_vector)
{
    return source(g, s, of_vector ? WHOLE : ROW);
}

static dc_val record_softmax(dc_graph *g, sizes s, int variant)
{
    const dc_val x = source_of(g, s, variant % 2);
    return dc_softmax(g, x, variant / 2 ? vector(g, 1, 1) : DC_NONE);
}

static dc_val record_unit(dc_graph *g, sizes s, int variant)
{
    return dc_unit(g, source_of(g, s, variant));
}

static dc_val record_dot(dc_graph *g, sizes s, int variant)
{
    const dc_val a = source_of(g, s, variant);
    return dc_dot(g, a, source_of(g, s, variant));
}

static dc_val record_neg_entropy(dc_graph *g, sizes s, int variant)
{
    return dc_neg_entropy(g, source_of(g, s, variant));
}

static dc_val record_stop(dc_graph *g, sizes s, int variant)
{
    return dc_stop_gradient(g, source_of(g, s, variant));
}

static dc_val record_onehot(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return dc_onehot(g, rows(g, 1), s.w);
}

static dc_val record_mean(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return dc_mean(g, rows(g, s.w));
}

static dc_val record_total(dc_graph *g, sizes s, int variant)
{
    (void)variant;
    return dc_total(g, rows(g, s.w));
}

static dc_val record_cross(dc_graph *g, sizes s, int variant)
{
    static const int64_t more[] = {2, 0};
    const dc_val a = rows(g, s.w);
    return dc_cross(g, a, rows(g, s.w + more[variant]));
}

static dc_val record_contrast(dc_graph *g, sizes s, int variant)
{
    static const double temperature[] = {1, 0.3};
    const dc_val z = rows(g, s.w);
    return dc_contrast(g, z, rows(g, s.w), temperature[variant]);
}

static const int64_t centers[] = {1, 5, 13};

static dc_val record_sqdist(dc_graph *g, sizes s, int variant)
{
    const dc_val z = rows(g, s.w);
    return dc_sqdist(g, z, vector(g, centers[variant], s.w));
}

static dc_val record_nearest(dc_graph *g, sizes s, int variant)
{
    const dc_val z = rows(g, s.w);
    return dc_nearest_center(g, z, vector(g, centers[variant], s.w));
}

static dc_val record_pick(dc_graph *g, sizes s, int variant)
{
    const dc_val number = rows(g, 1);
    return dc_pick(g, number, vector(g, centers[variant + 1], s.w));
}

static dc_val record_largest(dc_graph *g, sizes s, int variant)
{
    return dc_largest(g, rows(g, s.w), variant ? 3 : 1);
}

/* Counts are columns or rows. */
static dc_val record_running_mean(dc_graph *g, sizes s, int variant)
{
    const int64_t n = DC_MAX(s.n, (int64_t)1);
    const dc_val m = vector(g, n, s.w), c = variant ? vector(g, n, 1) : vector(g, 1, n),
                 more = variant ? vector(g, 1, n) : vector(g, n, 1);
    return dc_running_mean(g, m, c, more, vector(g, n, s.w));
}

static dc_val record_student_kl(dc_graph *g, sizes s, int variant)
{
    static const double alpha[] = {1, 1.7, 0.4};
    const int64_t K = centers[variant];
    const dc_val z = rows(g, s.w), mu = vector(g, K, s.w);
    return dc_student_kl(g, alpha[variant], z, mu, rows(g, K));
}

static dc_val record_student(dc_graph *g, sizes s, int variant)
{
    static const double alpha[] = {1, 1.7, 0.4};
    const dc_val z = rows(g, s.w);
    return dc_student(g, alpha[variant], z, vector(g, centers[variant], s.w));
}

/* Centres with either target, then a layer with either; the sums of q are not those of the rows. */
static dc_val record_target(dc_graph *g, sizes s, int variant)
{
    enum { K = 5, L_MAX = 17 };
    static float param[K * (L_MAX + 1)];
    static double f[K];
    static dc_soft_target target;
    for (int i = 0; i < K * (L_MAX + 1); i++) param[i] = (float)((i * 29) % 37 - 18) / 10;
    for (int k = 0; k < K; k++) f[k] = k == 3 ? 0 : 0.5 + k;
    target = (dc_soft_target){.kind = variant % 2 ? DC_TARGET_ROOT : DC_TARGET_SQUARE,
                              .model = variant < 2 ? DC_SOFT_STUDENT : DC_SOFT_HEAD,
                              .alpha = 1.7,
                              .K = K,
                              .L = s.w,
                              .N = 100,
                              .param = param,
                              .f = f};
    return dc_target_of(g, &target, rows(g, s.w));
}

/* The product of a layer with a norm, and what is done to it; the rows are images of so many pixels. */
static dc_val record_norm(dc_graph *g, sizes s, int64_t pixels, dc_norm norm, dc_act act, dc_pass pass)
{
    static const char name[] = "layer";
    dc_layer layer = {.kind = pixels > 1 ? DC_LAYER_CONV : DC_LAYER_DENSE,
                      .out = pixels * s.w,
                      .channels = s.w,
                      .act = act,
                      .norm = norm,
                      .gamma = (size_t)s.w,
                      .mean = 2 * (size_t)s.w};
    memcpy(layer.name, name, sizeof name);
    return dc_norm_layer(g, &layer, pass, rows(g, layer.out));
}

static dc_val record_batch_norm(dc_graph *g, sizes s, int variant)
{
    return record_norm(g, s, variant / 5 ? 3 : 1, DC_NORM_BATCH, (dc_act)(variant % 5), DC_FIXED);
}

static dc_val record_layer_norm(dc_graph *g, sizes s, int variant)
{
    const bool pixels = variant == 5;
    return record_norm(g, s, pixels ? 3 : 1, DC_NORM_LAYER, pixels ? DC_ACT_TANH : (dc_act)variant, DC_TRAINED);
}

/* Leaves out what is recorded after node i. */
static dc_val cut_after(dc_graph *g, int i)
{
    g->n_nodes = i + 1;
    g->n_moves = 0;
    return (dc_val){i};
}

static dc_val record_moment(dc_graph *g, sizes s, int64_t pixels, const char *name)
{
    int i = record_norm(g, s, pixels, DC_NORM_BATCH, DC_ACT_LINEAR, DC_QUIET).id;
    while (i > 0 && strcmp(g->node[i].op->name, name) != 0) i--;
    return cut_after(g, i);
}

static dc_val record_channel_mean(dc_graph *g, sizes s, int variant)
{
    return record_moment(g, s, variant + 2, "channel-mean");
}

static dc_val record_variance(dc_graph *g, sizes s, int variant)
{
    return record_moment(g, s, variant + 1, "variance");
}

/* Of the mean, of the variance; of rows, of images. */
static dc_val record_running_moment(dc_graph *g, sizes s, int variant)
{
    record_norm(g, s, variant / 2 ? 3 : 1, DC_NORM_BATCH, DC_ACT_LINEAR, DC_TRAINED);
    return cut_after(g, g->move[variant % 2].node);
}

static dc_val record_concat(dc_graph *g, sizes s, int variant)
{
    const dc_val a = source_of(g, s, variant);
    return dc_concat(g, a, variant ? vector(g, DC_MAX(s.n, (int64_t)1), 2) : rows(g, 2));
}

static dc_val record_columns(dc_graph *g, sizes s, int variant)
{
    const int64_t first = variant / 2 ? s.w / 2 : 0;
    return dc_columns(g, source_of(g, s, variant % 2), first, DC_MAX((s.w - first) / 2, (int64_t)1));
}

/* The logits are rows like the targets, or one vector. */
static dc_val record_cross_entropy(dc_graph *g, sizes s, int variant)
{
    static const part logits[] = {ROW, VECTOR, WHOLE};
    const dc_val p = source_of(g, s, variant == 2);
    return dc_cross_entropy(g, p, source(g, s, logits[variant]));
}

static dc_val record_gauss_log(dc_graph *g, sizes s, int variant)
{
    const int64_t K = centers[variant];
    const dc_val x = rows(g, s.w), mean = vector(g, K, s.w);
    return dc_gauss_log(g, x, mean, vector(g, K, s.w));
}

/* A factor of all Gaussians, or one of each. */
static dc_val record_gauss_factor_log(dc_graph *g, sizes s, int variant)
{
    const int64_t K = centers[variant % 3];
    const dc_val x = rows(g, s.w), mean = vector(g, K, s.w);
    return dc_gauss_factor_log(g, x, mean, vector(g, variant < 3 ? K * s.w : s.w, s.w));
}

static dc_val record_gauss_kl(dc_graph *g, sizes s, int variant)
{
    const dc_val x = rows(g, s.w), own = rows(g, s.w);
    if (variant == 3) return dc_gauss_kl(g, x, own, DC_NONE, DC_NONE);
    const dc_val mean = vector(g, centers[variant], s.w);
    return dc_gauss_kl(g, x, own, mean, vector(g, centers[variant], s.w));
}

static const op_case cases[] = {
    {"batch", 1, record_batch, {0}},
    {"use", 1, record_use, {0}},
    {"number", 1, record_number, {0}},
    {"entry", 1, record_entry, {0}},
    {"conv", (int)DC_COUNT_OF(windows), record_conv, {0}},
    {"deconv", (int)DC_COUNT_OF(windows), record_deconv, {0}},
    {"maxpool", 4, record_maxpool, {STEPS}},
    {"avgpool", 4, record_avgpool, {0}},
    {"dense", FROM_VALUE, record_dense, {0}},
    {"dense-tied", FROM_VALUE, record_dense_tied, {0}},
    {"act-grad", FROM_VALUE - 1, record_act_grad, {0}},
    {"gelu", 1, record_gelu, {0}},
    {"dropout", 3, record_dropout, {0}},
    {"recon", 4, record_recon, {POSITIVE, SIGNED}},
    {"normal", 2, record_noise, {0}},
    {"map", MAPS, record_map, {0}},
    {"map", 2 * (GRAPH_REF_FUNCTIONS_END - GRAPH_REF_FUNCTIONS), record_map_positive, {POSITIVE}},
    {"softmax", 4, record_softmax, {0}},
    {"unit", 2, record_unit, {AWAY}},
    {"dot", 2, record_dot, {0}},
    {"neg-entropy", 2, record_neg_entropy, {POSITIVE}},
    {"stop-gradient", 2, record_stop, {0}},
    {"onehot", 1, record_onehot, {NUMBERS}},
    {"mean", 1, record_mean, {0}},
    {"total", 1, record_total, {0}},
    {"cross", 2, record_cross, {0}},
    {"contrast", 2, record_contrast, {0}},
    {"sqdist", 3, record_sqdist, {0}},
    {"nearest", 3, record_nearest, {0}},
    {"pick", 2, record_pick, {NUMBERS}},
    {"largest", 2, record_largest, {0}},
    {"running-mean", 2, record_running_mean, {SIGNED, POSITIVE, NUMBERS, SUMS}},
    {"student-kl", 3, record_student_kl, {SIGNED, SIGNED, SHARES}},
    {"student", 3, record_student, {0}},
    {"target", 4, record_target, {0}},
    {"concat", 2, record_concat, {0}},
    {"columns", 4, record_columns, {0}},
    {"cross-entropy", 3, record_cross_entropy, {SHARES}},
    {"gauss-log", 3, record_gauss_log, {0}},
    {"gauss-factor-log", 6, record_gauss_factor_log, {SIGNED, SIGNED, POSITIVE}},
    {"gauss-kl", 4, record_gauss_kl, {0}},
    {"channel-mean", 2, record_channel_mean, {0}},
    {"variance", 3, record_variance, {0}},
    {"batch-norm", 10, record_batch_norm, {SIGNED, SIGNED, POSITIVE, AWAY, SIGNED}},
    {"running-moment", 4, record_running_moment, {0}},
    {"layer-norm", 6, record_layer_norm, {0}},
    {"grad", 0, NULL, {0}},     /* of all that have one */
    {"grad-sum", 0, NULL, {0}}, /* t514 */
};

/* ---- The operands of one call ------------------------------------------------------------------------------------ */

typedef struct {
    const op_case *what;
    int variant, by; /* by: the gradient by this operand is called instead; -1: the operation itself */
    int64_t n, w;
    bool all; /* forward_all and backward_all: for whole tiles, with zeros after the rows */
    op_call c;
    const dc_node *node;
    int64_t rows;                             /* of the value: n, or those of the vector */
    int64_t row[TABLE_ROWS];                  /* local numbers of the rows */
    float *in[DC_NODE_INPUTS], *dout;         /* as they are given, */
    float *out, *spare, *din[DC_NODE_INPUTS]; /* and as they are found; spare: dout that may be overwritten */
    float *batch[DC_NODE_INPUTS];             /* operands once more: rows that came from all ranks, */
    const float *batch_dout, *batch_aux;      /* and what the backward pass wants of them */
    double *slope[DC_NODE_INPUTS];            /* by the twin: of sum dout * value */
    double *value;                            /* of the twin */
    int failures;
} bench;

static void *take(size_t count, size_t size)
{
    void *out = malloc(count * size + 1);
    DC_ASSERT(out);
    return out;
}

static const dc_shape *shape_of(const bench *b, int k)
{
    return &dc_node_in(b->c.graph, b->node, k)->shape;
}

static int64_t rows_of(const bench *b, int k)
{
    return shape_of(b, k)->space == DC_ROWS ? b->n : shape_of(b, k)->n;
}

static size_t floats_of(const bench *b, int k)
{
    return (size_t)(rows_of(b, k) * shape_of(b, k)->width);
}

static bool is_sum(const bench *b)
{
    return b->node->op->reach == DC_REACH_SUM;
}

static bool reads_batch(const bench *b)
{
    return b->node->op->reach == DC_REACH_ALL;
}

static bool is_constant(const bench *b, int k)
{
    return b->node->constant >> k & 1;
}

/* Rows that a call of *_all is for. */
static int64_t padded(const bench *b, int64_t n)
{
    return b->all ? (n + DC_ROW_TILE - 1) / DC_ROW_TILE * DC_ROW_TILE : n;
}

/* A wrong thing, in at most a few lines per case. */
static void report(bench *b, const char *what, int64_t at, double actual, double expected)
{
    if (b->failures++ < 3)
        printf("# %s, variant %d by %d, %lld rows, width %lld%s: %s at %lld: %.9g instead of %.9g\n", b->what->name,
               b->variant, b->by, (long long)b->n, (long long)b->w, b->all ? ", all" : "", what, (long long)at, actual,
               expected);
}

static float drawn(uint64_t *draws, double lo, double hi)
{
    uint32_t word[4];
    dc_rng4(SEED, DC_STREAM_TEST, 1, (*draws)++, word);
    return (float)(lo + (hi - lo) * dc_rng_unit(word[0]));
}

/* Rows [lo, hi) of operand k. */
static void fill(const bench *b, int k, float *x, int64_t lo, int64_t hi, uint64_t *draws)
{
    const int64_t width = shape_of(b, k)->width;
    for (int64_t i = lo; i < hi; i++) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++) {
            float *v = x + i * width + j;
            switch (b->what->values[k]) {
            case SIGNED:
                *v = drawn(draws, -1, 1);
                break;
            case POSITIVE:
            case SHARES:
                *v = drawn(draws, 0.1, 1.1);
                break;
            case AWAY:
                *v = drawn(draws, 0.1, 1.1);
                if ((i + j) % 3 == 0) *v = -*v;
                break;
            case NUMBERS:
                *v = floorf(drawn(draws, 0, 4.99));
                break;
            case STEPS:
                *v = (float)((j * 7 + i * 5) % 61 - 30) / 10;
                break;
            case SUMS:
                *v = b->in[k - 1][i] > 0 ? drawn(draws, -1, 1) : 0;
                break;
            }
            sum += (double)*v;
        }
        for (int64_t j = 0; j < width && b->what->values[k] == SHARES; j++)
            x[i * width + j] = (float)((double)x[i * width + j] / sum);
    }
}

static void fill_untouched(float *x, size_t floats)
{
    for (size_t i = 0; i < floats; i++) x[i] = UNTOUCHED;
}

/* Records the gradient of x by operand `by`. */
static dc_val record_gradient(dc_graph *g, dc_val x, int by)
{
    const dc_val y = dc_dot(g, x, rows(g, dc_graph_shape(g, x).width));
    return dc_grad(g, y, (dc_val){dc_node_of(g, x)->in[by]});
}

/* A gradient has the operands of its operation, then the value of that operation, which must fit them. */
static void fill_value(const bench *b)
{
    const dc_node *inner = &b->c.graph->node[b->node->whole[0]];
    const dc_tile tile = {.n = b->n, .row = b->row, .first_row = FIRST_ROW, .seed = SEED, .step = STEP, .B = b->n};
    dc_call c = {.graph = b->c.graph, .node = inner, .tile = &tile, .out = b->in[inner->n_in]};
    for (int k = 0; k < inner->n_in; k++) c.in[k] = b->in[k];
    inner->op->forward(&c);
}

static void bench_open(bench *b, const op_case *what, int variant, int by, int64_t n, int64_t w, bool all)
{
    *b = (bench){.what = what, .variant = variant, .by = by, .n = n, .w = w, .all = all};
    uint64_t draws = (uint64_t)(variant * 7 + w) << 32;
    op_call_open(&b->c);
    dc_val x = what->record(b->c.graph, (sizes){n, w}, variant);
    if (by >= 0) x = record_gradient(b->c.graph, x, by);
    op_call_of(&b->c, x, n + DC_ROW_TILE);
    b->node = dc_node_of(b->c.graph, x);
    b->rows = b->node->shape.space == DC_ROWS ? n : b->node->shape.n;
    for (int64_t i = 0; i < n; i++) b->row[i] = (i * 37 + 5) % TABLE_ROWS;
    for (int k = 0; k < b->node->n_in; k++) {
        const size_t width = (size_t)shape_of(b, k)->width, rows_all = (size_t)padded(b, rows_of(b, k));
        b->in[k] = take(rows_all * width, sizeof *b->in[k]);
        memset(b->in[k], 0, rows_all * width * sizeof *b->in[k]);
        fill(b, k, b->in[k], 0, rows_of(b, k), &draws);
        b->din[k] = take((rows_all + BEHIND) * width, sizeof *b->din[k]);
        b->slope[k] = take(floats_of(b, k), sizeof *b->slope[k]);
    }
    if (strcmp(b->node->op->name, "grad") == 0) fill_value(b);
    for (int k = 0; k < b->node->n_in; k++) {
        b->batch[k] = take(floats_of(b, k), sizeof *b->batch[k]);
        memcpy(b->batch[k], b->in[k], floats_of(b, k) * sizeof *b->batch[k]);
    }
    const size_t width = (size_t)b->node->shape.width, floats = (size_t)padded(b, b->rows) * width;
    b->out = take(floats + BEHIND * width, sizeof *b->out);
    b->dout = take(floats, sizeof *b->dout);
    b->spare = take(floats + BEHIND * width, sizeof *b->spare);
    b->value = take((size_t)b->rows * width, sizeof *b->value);
    memset(b->dout, 0, floats * sizeof *b->dout);
    for (int64_t i = 0; i < b->rows * (int64_t)width; i++) b->dout[i] = drawn(&draws, -1, 1);
    b->batch_dout = b->dout;
    b->batch_aux = b->c.aux;
}

static void bench_close(bench *b)
{
    for (int k = 0; k < DC_NODE_INPUTS; k++) free(b->in[k]), free(b->din[k]), free(b->slope[k]), free(b->batch[k]);
    free(b->out), free(b->dout), free(b->spare), free(b->value);
    op_call_close(&b->c);
}

static dc_tile tile_for(const bench *b, int64_t n)
{
    return (dc_tile){.n = n, .row = b->row, .first_row = FIRST_ROW, .seed = SEED, .step = STEP, .B = b->n};
}

/* A call from row `at` on; the tile's rows are n. */
static dc_call call_at(const bench *b, const dc_tile *tile, int64_t at)
{
    dc_call c = b->c.call;
    const int64_t place = b->node->shape.space == DC_ROWS ? at : 0;
    c.tile = tile;
    c.aux = b->c.aux + (b->node->op->aux ? at * b->node->op->aux(b->c.graph, b->node) : 0);
    c.scratch = b->c.scratch;
    c.lane = b->c.lanes;
    c.spill = b->c.spill;
    c.out = b->out + place * b->node->shape.width;
    c.dout = b->spare + place * b->node->shape.width;
    c.all_dout = b->batch_dout;
    c.all_aux = b->batch_aux;
    for (int k = 0; k < b->node->n_in; k++) {
        c.in[k] = b->in[k] + (shape_of(b, k)->space == DC_ROWS ? at * shape_of(b, k)->width : 0);
        c.din[k] = NULL;
        c.all[k] = b->batch[k];
    }
    return c;
}

/* Rows [at, at + n): their values, or what they add to sum. */
static void forward(const bench *b, int64_t at, int64_t n, double *sum)
{
    dc_tile tile = tile_for(b, n);
    tile.row += at;
    tile.at = at;
    const dc_call c = call_at(b, &tile, at);
    if (is_sum(b))
        b->node->op->add(&c, sum);
    else if (b->all)
        b->node->op->forward_all(&c, padded(b, n));
    else if (b->node->op->forward)
        b->node->op->forward(&c);
}

/* Whether operand k gets a gradient by rows, or one of a vector that the operation itself computes. */
static bool has_din(const bench *b, int k)
{
    return !is_constant(b, k) && (shape_of(b, k)->space == DC_ROWS || b->node->shape.space == DC_ONE);
}

static bool has_backward(const bench *b)
{
    return b->all ? b->node->op->backward_all != NULL : b->node->op->backward != NULL;
}

/* Gradients of rows [at, at + n) for the operands in `wanted`, bit k for operand k. */
static void backward(const bench *b, int64_t at, int64_t n, unsigned wanted, bool adds)
{
    dc_tile tile = tile_for(b, n);
    tile.row += at;
    tile.at = at;
    dc_call c = call_at(b, &tile, at);
    memcpy(c.dout, b->dout + (c.dout - b->spare),
           (size_t)((b->node->shape.space == DC_ROWS ? padded(b, n) : b->rows) * b->node->shape.width) *
               sizeof *c.dout);
    for (int k = 0; k < b->node->n_in; k++) {
        if (!(wanted >> k & 1) || !has_din(b, k)) continue;
        c.din[k] = b->din[k] + (shape_of(b, k)->space == DC_ROWS ? at * shape_of(b, k)->width : 0);
        c.adds[k] = adds;
    }
    if (b->all)
        b->node->op->backward_all(&c, padded(b, n));
    else
        b->node->op->backward(&c);
}

/* ---- The twin ---------------------------------------------------------------------------------------------------- */

/* sum dout * value over the whole value, or over the part that row i has to do with. */
static double weighted(const bench *b, const double *value, int64_t lo, int64_t hi)
{
    double sum = 0;
    for (int64_t i = lo * b->node->shape.width; i < hi * b->node->shape.width; i++)
        sum += (double)b->dout[i] * value[i];
    return sum;
}

static double of_row(const bench *b, graph_ref *r, int last, int64_t i)
{
    double *own = r->value[last] + (is_sum(b) ? 0 : i * b->node->shape.width);
    graph_ref_row(r, last, i, own);
    return is_sum(b) ? weighted(b, own, 0, b->rows) : weighted(b, r->value[last], i, i + 1);
}

static double of_all(const bench *b, graph_ref *r, int last)
{
    graph_ref_run(r, last);
    return weighted(b, r->value[last], 0, b->rows);
}

/* Derivative with respect to element i of operand k. */
static double slope_at(const bench *b, graph_ref *r, int last, int k, int64_t i)
{
    const double h = 1e-5;
    const bool own = shape_of(b, k)->space == DC_ROWS || (b->node->shape.space == DC_ONE && shape_of(b, k)->n > 1);
    const bool is_row = own && !reads_batch(b);
    const int64_t row = i / shape_of(b, k)->width;
    double *x = r->value[b->node->in[k]] + i, kept = *x;
    *x = kept + h;
    const double up = is_row ? of_row(b, r, last, row) : of_all(b, r, last);
    *x = kept - h;
    const double down = is_row ? of_row(b, r, last, row) : of_all(b, r, last);
    *x = kept;
    if (is_row) of_row(b, r, last, row);
    return (up - down) / (2 * h);
}

/* The last node from the operands of the bench; row: [n] space for their numbers. */
static void twin_open(const bench *b, graph_ref *r, dc_gidx *row)
{
    graph_ref_open(r, b->c.graph, b->n);
    for (int64_t i = 0; i < b->n; i++) row[i] = FIRST_ROW + b->row[i];
    r->row = row, r->row_lo = FIRST_ROW, r->seed = SEED, r->step = STEP;
    for (int k = 0; k < b->node->n_in; k++)
        for (size_t i = 0; i < floats_of(b, k); i++) r->value[b->node->in[k]][i] = (double)b->in[k][i];
    graph_ref_run(r, b->c.graph->n_nodes - 1);
}

/* Values, and slopes by all operands that are no constants. */
static void run_twin(bench *b)
{
    graph_ref r;
    dc_gidx row[TABLE_ROWS];
    const int last = b->c.graph->n_nodes - 1;
    twin_open(b, &r, row);
    memcpy(b->value, r.value[last], (size_t)(b->rows * b->node->shape.width) * sizeof *b->value);
    for (int k = 0; k < b->node->n_in; k++)
        for (size_t i = 0; i < floats_of(b, k) && !is_constant(b, k); i++)
            b->slope[k][i] = slope_at(b, &r, last, k, (int64_t)i);
    graph_ref_close(&r);
}

/* The derivative of the value along t, a direction of operand k. */
static void run_along(const bench *b, int k, const float *t, double *out)
{
    const double h = 1e-5;
    graph_ref r;
    dc_gidx row[TABLE_ROWS];
    const int last = b->c.graph->n_nodes - 1;
    const size_t count = (size_t)(b->rows * b->node->shape.width);
    twin_open(b, &r, row);
    double *x = r.value[b->node->in[k]];
    for (int side = 1; side >= -1; side -= 2) {
        for (size_t i = 0; i < floats_of(b, k); i++) x[i] = (double)b->in[k][i] + side * h * (double)t[i];
        graph_ref_run(&r, last);
        for (size_t i = 0; i < count; i++) out[i] = side > 0 ? r.value[last][i] : (out[i] - r.value[last][i]) / (2 * h);
    }
    graph_ref_close(&r);
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

/* Numbers against the twin's; errors are relative to the largest number. */
static void compare(bench *b, const char *what, const float *actual, const double *before, const double *expected,
                    size_t count)
{
    double largest = 1;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < count; i++) {
        const double wanted = (before ? before[i] : 0) + expected[i];
        if (!(fabs((double)actual[i] - wanted) <= 3e-6 * largest))
            report(b, what, (int64_t)i, (double)actual[i], wanted);
    }
}

static void compare_sums(bench *b, const char *what, const double *sum, const double *before, const double *expected,
                         size_t count)
{
    double largest = 1;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs(sum[i] - before[i] - expected[i]) <= 3e-6 * largest))
            report(b, what, (int64_t)i, sum[i], before[i] + expected[i]);
}

/* The BEHIND rows of an array that follow its first `rows` ones. */
static void check_behind(bench *b, const char *what, const float *x, int64_t rows_before, int64_t width)
{
    for (int64_t i = rows_before * width; i < (rows_before + BEHIND) * width; i++)
        if (x[i] != UNTOUCHED) report(b, what, i, (double)x[i], (double)UNTOUCHED);
}

static void check_forward(bench *b)
{
    const int64_t width = b->node->shape.width;
    const size_t count = (size_t)(b->rows * width);
    if (is_sum(b)) {
        double *sum = take(count, sizeof *sum), *before = take(count, sizeof *before);
        const dc_tile tile = tile_for(b, b->n);
        for (size_t i = 0; i < count; i++) sum[i] = before[i] = 0.25 * (double)i;
        forward(b, 0, b->n, sum);
        const double share = b->n ? b->node->op->share(&tile) : 1;
        for (size_t i = 0; i < count; i++) sum[i] = before[i] + share * (sum[i] - before[i]);
        compare_sums(b, "value", sum, before, b->value, count);
        free(sum), free(before);
        return;
    }
    fill_untouched(b->out, (size_t)((padded(b, b->rows) + BEHIND) * width));
    forward(b, 0, b->rows, NULL);
    compare(b, "value", b->out, NULL, b->value, count);
    check_behind(b, "value behind the last row", b->out, padded(b, b->rows), width);
}

/* The gradients of one operand or several, written and added. */
static void check_backward(bench *b)
{
    const unsigned every = (1u << b->node->n_in) - 1, learn = every & ~b->node->op->constant;
    const int64_t width = b->node->shape.width;
    if (!learn || (!has_backward(b) && b->node->op->backward_all)) return; /* in training it runs for all rows */
    if (!has_backward(b)) {
        report(b, "no backward", 0, 0, 0);
        return;
    }
    for (unsigned wanted = 1; wanted <= every; wanted++) {
        if (!(wanted & learn)) continue; /* nobody would call it */
        /* In an operation on vectors alone, gradients of vectors are always added. */
        for (int adds = b->node->shape.space == DC_ONE && !is_sum(b); adds < 2; adds++) {
            double before[DC_NODE_INPUTS];
            fill_untouched(b->spare, (size_t)((padded(b, b->rows) + BEHIND) * width));
            for (int k = 0; k < b->node->n_in; k++) {
                fill_untouched(b->din[k], (size_t)((padded(b, rows_of(b, k)) + BEHIND) * shape_of(b, k)->width));
                before[k] = adds ? -0.375 : (double)UNTOUCHED;
                for (size_t i = 0; i < floats_of(b, k); i++) b->din[k][i] = (float)before[k];
            }
            backward(b, 0, is_sum(b) ? b->n : b->rows, wanted, adds);
            check_behind(b, "gradient behind the last row", b->spare, padded(b, b->rows), width);
            for (int k = 0; k < b->node->n_in; k++) {
                static const double zero[TABLE_ROWS * (TABLE_WIDTH + 2)];
                double *base = take(floats_of(b, k), sizeof *base);
                const bool gets = wanted >> k & 1 && has_din(b, k);
                for (size_t i = 0; i < floats_of(b, k); i++) base[i] = gets && !adds ? 0 : before[k];
                compare(b,
                        k == 0   ? "gradient of operand 0"
                        : k == 1 ? "gradient of operand 1"
                                 : "gradient",
                        b->din[k], base, gets ? b->slope[k] : zero, floats_of(b, k));
                check_behind(b, "gradient behind the last row", b->din[k], padded(b, rows_of(b, k)),
                             shape_of(b, k)->width);
                free(base);
            }
        }
    }
}

/* Patches of the images X with D at their places, of which there are m channels. */
static void take_patches(const bench *b, const float *X, const float *D, int64_t m, double *sum)
{
    const dc_window *w = &b->node->window;
    for (int64_t i = 0; i < b->n * w->down * w->across; i++) {
        const int64_t p = i % (w->down * w->across);
        const float *image = X + i / (w->down * w->across) * w->h * w->w * w->c;
        for (int64_t n = 0; n < w->kh * w->kw * w->c; n++) {
            const int64_t y = p / w->across * w->stride - w->top + n / w->c / w->kw,
                          x = p % w->across * w->stride - w->left + n / w->c % w->kw;
            if (y < 0 || y >= w->h || x < 0 || x >= w->w) continue;
            for (int64_t j = 0; j < m; j++)
                sum[n * m + j] += (double)image[(y * w->w + x) * w->c + n % w->c] * (double)D[i * m + j];
        }
    }
}

/* The same for layers with windows. */
static void take_windows(const bench *b, int k, double *sum)
{
    const int64_t m = shape_of(b, 1)->width;
    const bool reverse = b->node->op->product == DC_PRODUCT_DECONV;
    if (k == 1) take_patches(b, reverse ? b->spare : b->in[0], reverse ? b->in[0] : b->spare, m, sum);
    for (int64_t i = 0; k == 2 && i < b->n * b->node->shape.width; i++) sum[i % m] += (double)b->spare[i];
}

/* A product: in[0]'dout and the column sums of dout, or dout'in[0], after backward. */
static void take_product(const bench *b, int k, double *sum)
{
    if (b->node->op->product == DC_PRODUCT_CONV || b->node->op->product == DC_PRODUCT_DECONV) {
        take_windows(b, k, sum);
        return;
    }
    const int64_t in = shape_of(b, 0)->width, out = b->node->shape.width;
    const bool tied = b->node->op->product == DC_PRODUCT_TIED;
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t j = 0; j < out; j++) {
            const double d = (double)b->spare[i * out + j];
            for (int64_t l = 0; k == 1 && l < in; l++)
                sum[tied ? j * in + l : l * out + j] += (double)b->in[0][i * in + l] * d;
            if (k == 2) sum[j] += d;
        }
}

/* Gradients of vectors that rows have parts of. */
static void check_partial(bench *b)
{
    const dc_op *op = b->node->op;
    for (int k = 0; k < b->node->n_in; k++) {
        const size_t count = floats_of(b, k);
        if (shape_of(b, k)->space == DC_ROWS || b->node->shape.space == DC_ONE || is_constant(b, k)) continue;
        if (op->product && !b->all) continue;
        double *sum = take(count, sizeof *sum), *before = take(count, sizeof *before);
        for (size_t i = 0; i < count; i++) sum[i] = before[i] = 0.25 * (double)i - 3;
        fill_untouched(b->din[0], (size_t)((padded(b, rows_of(b, 0)) + BEHIND) * shape_of(b, 0)->width));
        if (dc_op_has_product(op, k)) {
            backward(b, 0, b->n, 1, false);
            take_product(b, k, sum);
        } else if (op->partial) {
            const dc_tile tile = tile_for(b, b->n);
            dc_call c = call_at(b, &tile, 0);
            backward(b, 0, b->n, 1u << k, false); /* as in a step */
            op->partial(&c, k, sum);
        }
        compare_sums(b, "partial", sum, before, b->slope[k], count);
        free(sum), free(before);
    }
}

/* Directions of all row operands, each alone. */
static void check_tangents(bench *b)
{
    const size_t count = (size_t)(b->rows * b->node->shape.width);
    const dc_tile tile = tile_for(b, b->n);
    dc_call c = call_at(b, &tile, 0);
    uint64_t draws = 1ull << 59;
    c.dout = NULL;
    for (int k = 0; k < b->node->n_in && b->node->op->tangent; k++) {
        if (is_constant(b, k) || shape_of(b, k)->space != DC_ROWS || b->node->shape.space != DC_ROWS) continue;
        float *t = take(floats_of(b, k), sizeof *t);
        double *expected = take(count, sizeof *expected), *before = take(count, sizeof *before);
        for (size_t i = 0; i < floats_of(b, k); i++) t[i] = drawn(&draws, -1, 1);
        run_along(b, k, t, expected);
        forward(b, 0, b->n, NULL);
        for (int adds = 0; adds < 2; adds++) {
            fill_untouched(b->spare, count + BEHIND * (size_t)b->node->shape.width);
            for (size_t i = 0; i < count; i++) before[i] = adds ? -0.375 : 0;
            for (size_t i = 0; i < count && adds; i++) b->spare[i] = -0.375f;
            b->node->op->tangent(&c, k, t, adds, b->spare);
            compare(b, "tangent", b->spare, before, expected, count);
            check_behind(b, "tangent behind the last row", b->spare, b->rows, b->node->shape.width);
        }
        free(t), free(expected), free(before);
    }
}

/* ---- Bits of rows ------------------------------------------------------------------------------------------------ */

/* Rows `from` of b are rows `to` of what is compared: value and gradients. */
static void compare_row(bench *b, const char *what, const bench *other, int64_t from, int64_t to)
{
    const size_t bytes = (size_t)b->node->shape.width * sizeof *b->out;
    if (b->node->shape.space != DC_ROWS && !is_sum(b)) return;
    if (!is_sum(b) && memcmp(b->out + from * b->node->shape.width, other->out + to * b->node->shape.width, bytes) != 0)
        report(b, what, from, (double)other->out[to * b->node->shape.width],
               (double)b->out[from * b->node->shape.width]);
    for (int k = 0; k < b->node->n_in; k++) {
        const int64_t width = shape_of(b, k)->width;
        if (!has_din(b, k) || !has_backward(b) || shape_of(b, k)->space != DC_ROWS) continue;
        if (memcmp(b->din[k] + from * width, other->din[k] + to * width, (size_t)width * sizeof *b->din[k]) != 0)
            report(b, what, from, (double)other->din[k][to * width], (double)b->din[k][from * width]);
    }
}

static void pass(bench *b, int64_t at, int64_t n)
{
    if (!is_sum(b)) forward(b, at, n, NULL);
    for (int k = 0; k < b->node->n_in; k++)
        if (has_din(b, k) && has_backward(b)) {
            backward(b, at, n, ~0u, false);
            return;
        }
}

/* Row i of b becomes row to[i] of the other. */
static void move_rows(const bench *b, bench *other, const int64_t *to)
{
    const int64_t width = b->node->shape.width;
    for (int64_t i = 0; i < b->n; i++) {
        other->row[to[i]] = b->row[i];
        for (int k = 0; k < b->node->n_in; k++)
            if (shape_of(b, k)->space == DC_ROWS)
                memcpy(other->in[k] + to[i] * shape_of(b, k)->width, b->in[k] + i * shape_of(b, k)->width,
                       (size_t)shape_of(b, k)->width * sizeof **b->in);
        if (b->node->shape.space == DC_ROWS)
            memcpy(other->dout + to[i] * width, b->dout + i * width, (size_t)width * sizeof *b->dout);
    }
}

static void check_order(bench *b, bench *other)
{
    int64_t to[TABLE_ROWS];
    /* Within tiles: the last row first, and a step that meets all of them. */
    for (int64_t i = 0; i < b->n; i++) {
        const int64_t tile = i / DC_ROW_TILE * DC_ROW_TILE, size = DC_MIN(b->n - tile, (int64_t)DC_ROW_TILE);
        to[i] = tile + (size - 1 - (i - tile) + 5) % size;
    }
    move_rows(b, other, to);
    pass(other, 0, b->n);
    for (int64_t i = 0; i < b->n; i++) compare_row(b, "order of rows", other, i, to[i]);
}

/* All rows but this one hold other numbers: drawn ones, or only this one. */
static void check_neighbours(bench *b, bench *other, int64_t row, float only)
{
    const bool is_drawn = only == 0;
    int64_t to[TABLE_ROWS];
    uint64_t draws = 1ull << 60;
    for (int64_t i = 0; i < b->n; i++) to[i] = i;
    move_rows(b, other, to);
    for (int64_t i = 0; i < b->n; i++) {
        if (i == row) continue;
        other->row[i] = (b->row[i] + 1) % TABLE_ROWS;
        for (int k = 0; k < b->node->n_in; k++) {
            const int64_t width = shape_of(b, k)->width;
            if (shape_of(b, k)->space != DC_ROWS) continue;
            fill(b, k, other->in[k], i, i + 1, &draws);
            for (int64_t j = 0; j < width && !is_drawn; j++) other->in[k][i * width + j] = only;
        }
        for (int64_t j = 0; j < b->node->shape.width && b->node->shape.space == DC_ROWS; j++)
            other->dout[i * b->node->shape.width + j] = is_drawn ? drawn(&draws, -1, 1) : only;
    }
    pass(other, 0, b->n);
    compare_row(b,
                is_drawn      ? "other rows"
                : isnan(only) ? "other rows are NaN"
                              : "other rows are large",
                other, row, row);
}

/* Rows one by one, and the first half of them. */
static void check_cuts(bench *b, bench *other)
{
    int64_t to[TABLE_ROWS];
    for (int64_t i = 0; i < b->n; i++) to[i] = i;
    move_rows(b, other, to);
    for (int64_t i = 0; i < b->n; i++) pass(other, i, 1);
    for (int64_t i = 0; i < b->n; i++) compare_row(b, "rows one by one", other, i, i);
    pass(other, 0, b->n / 2);
    for (int64_t i = 0; i < b->n / 2; i++) compare_row(b, "the first half", other, i, i);
}

/* A rank has rows [lo, hi) of its own, and those of the whole batch. */
static void check_rank(bench *b, bench *other, int64_t lo, int64_t hi)
{
    for (int k = 0; k < b->node->n_in; k++) {
        const int64_t width = shape_of(b, k)->width;
        if (shape_of(b, k)->space != DC_ROWS) continue;
        for (int64_t i = 0; i < b->n * width; i++)
            other->in[k][i] = i >= lo * width && i < hi * width ? b->in[k][i] : NAN;
    }
    for (int64_t i = 0; i < b->n; i++) other->dout[i] = i >= lo && i < hi ? b->dout[i] : NAN;
    pass(other, lo, hi - lo);
    for (int64_t i = lo; i < hi; i++) compare_row(b, "other ranks", other, i, i);
}

/* The rows of the batch have the same bits on whatever rank they are. */
static void check_ranks(bench *b, bench *other)
{
    other->batch_dout = b->dout;
    other->batch_aux = b->c.aux;
    for (int ranks = 1; ranks <= 5; ranks++)
        for (int r = 0; r < ranks; r++) check_rank(b, other, r * b->n / ranks, (r + 1) * b->n / ranks);
    for (int64_t i = 0; i < b->n; i += 7) check_rank(b, other, i, i + 1);
}

static void check_bits(bench *b)
{
    bench other;
    if (b->node->shape.space == DC_ONE && !is_sum(b)) return;
    bench_open(&other, b->what, b->variant, b->by, b->n, b->w, b->all);
    pass(b, 0, b->n);
    if (reads_batch(b)) {
        check_ranks(b, &other);
        bench_close(&other);
        return;
    }
    check_order(b, &other);
    const int64_t row[] = {0, b->n / 2, b->n - 1};
    for (size_t i = 0; i < DC_COUNT_OF(row) && b->n > 0; i++) {
        check_neighbours(b, &other, row[i], 0);
        check_neighbours(b, &other, row[i], 1e20f);
        check_neighbours(b, &other, row[i], -1e20f);
        check_neighbours(b, &other, row[i], NAN);
    }
    /* Products for all rows use fixed tiles, so they are not cut; in inference all tiles have as many rows. */
    if (!b->node->op->forward_all) check_cuts(b, &other);
    bench_close(&other);
}

/* Without rows nothing is read or written, of vectors either. */
static void check_empty(bench *b)
{
    const int64_t width = b->node->shape.width;
    double sum[TABLE_WIDTH * (TABLE_WIDTH + 2)];
    for (size_t i = 0; i < DC_COUNT_OF(sum); i++) sum[i] = (double)UNTOUCHED;
    fill_untouched(b->out, (size_t)((padded(b, b->rows) + BEHIND) * width));
    for (int k = 0; k < b->node->n_in; k++)
        fill_untouched(b->din[k], (size_t)((padded(b, rows_of(b, k)) + BEHIND) * shape_of(b, k)->width));
    forward(b, 0, 0, sum);
    for (int k = 0; k < b->node->n_in; k++) {
        if (has_din(b, k) && has_backward(b)) backward(b, 0, 0, ~0u, true);
        if (!b->node->op->partial || shape_of(b, k)->space == DC_ROWS || is_constant(b, k)) continue;
        const dc_tile tile = tile_for(b, 0);
        const dc_call c = call_at(b, &tile, 0);
        b->node->op->partial(&c, k, sum);
    }
    for (size_t i = 0; i < DC_COUNT_OF(sum); i++)
        if (sum[i] != (double)UNTOUCHED) report(b, "sum of 0 rows", (int64_t)i, sum[i], (double)UNTOUCHED);
    for (int64_t i = 0; i < b->rows * width; i++)
        if (b->out[i] != UNTOUCHED) report(b, "value of 0 rows", i, (double)b->out[i], (double)UNTOUCHED);
    for (int k = 0; k < b->node->n_in; k++)
        for (size_t i = 0; i < floats_of(b, k); i++)
            if (b->din[k][i] != UNTOUCHED)
                report(b, "gradient of 0 rows", (int64_t)i, (double)b->din[k][i], (double)UNTOUCHED);
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */

/* The functions that an operation must have. */
static void check_table(bench *b)
{
    const dc_op *op = b->node->op;
    if (b->by < 0 && strcmp(op->name, b->what->name) != 0) {
        printf("# %s records %s\n", b->what->name, op->name);
        b->failures++;
    }
    const unsigned operands = (1u << b->node->n_in) - 1;
    if ((op->constant & operands) != (graph_ref_constant(op->name) & operands))
        report(b, "constant operands", 0, op->constant, graph_ref_constant(op->name));
    if (is_sum(b) ? !op->add || !op->share : op->add || op->share) report(b, "has a sum", 0, !is_sum(b), is_sum(b));
    for (int k = 0; k < b->node->n_in; k++)
        if (shape_of(b, k)->space == DC_ONE && b->node->shape.space == DC_ROWS && !is_constant(b, k) && !op->partial &&
            !dc_op_has_product(op, k))
            report(b, "has no gradient by a vector", k, 0, 1);
}

/* If an operation reads the whole batch, its twin goes over all of it for each difference; of a gradient, for
 * differences of differences. */
enum { BATCH_FLOATS = 1100, GRADIENT_FLOATS = 640 };

/* Returns failures; *gradients: operands by which there are gradients as values, as bits. */
static int check_size(const op_case *what, int variant, int by, int64_t n, int64_t w, bool all, unsigned *gradients)
{
    bench b;
    bench_open(&b, what, variant, by, n, w, all);
    const dc_op *op = b.node->op;
    *gradients = 0;
    for (int k = 0; k < b.node->n_in; k++)
        if (op->grad || op->tangent) *gradients |= (unsigned)has_din(&b, k) << k;
    if (b.node->shape.space != DC_ROWS) *gradients = 0;
    if (reads_batch(&b) && n * w > (by < 0 ? BATCH_FLOATS : GRADIENT_FLOATS)) {
        bench_close(&b);
        return 0;
    }
    if (all ? op->forward_all != NULL : op->forward || op->add || !op->forward_all) {
        check_table(&b);
        if (op->forward || op->forward_all || op->add) { /* of the others the values are given */
            run_twin(&b);
            check_forward(&b);
            check_backward(&b);
            check_partial(&b);
            check_tangents(&b);
            check_bits(&b);
            check_empty(&b);
        }
    }
    const int failures = b.failures;
    bench_close(&b);
    return failures;
}

/* Of an operation, and of its gradients by the rows of a tile. */
static int check_sizes(const op_case *what, int variant, int64_t n, int64_t w, bool all)
{
    unsigned gradients, none;
    int failures = check_size(what, variant, -1, n, w, all, &gradients);
    for (int k = 0; k < DC_NODE_INPUTS; k++)
        if (gradients >> k & 1 && n <= DC_ROW_TILE) failures += check_size(what, variant, k, n, w, all, &none);
    return failures;
}

static void check_operation(const op_case *what)
{
    int failures = 0;
    printf("# %s\n", what->name);
    for (int variant = 0; variant < what->variants; variant++)
        for (size_t n = 0; n < DC_COUNT_OF(row_counts); n++)
            for (size_t w = 0; w < DC_COUNT_OF(widths); w++)
                for (int all = 0; all < 2; all++) failures += check_sizes(what, variant, row_counts[n], widths[w], all);
    CHECK_INT(failures, 0);
}

/* Of equal largest pixels, the first gets the gradient; a NaN is the largest of all and gives none. */
static void test_largest(void)
{
    enum { PIXELS = 4, MADE = 3 };
    static const float x[MADE][PIXELS] = {{1, 2, 2, 2}, {0, 0, 0, 0}, {3, NAN, 1, 4}};
    static const float expected[MADE][PIXELS] = {{0, 5, 0, 0}, {5, 0, 0, 0}, {0, 0, 0, 0}};
    dc_net net = {.n_layers = 1};
    dc_graph *g;
    CHECK_OK(dc_graph_create(&g));
    shape_layer(&net.layer[0], "maxpool 2x2", (dc_image){2, 2, 1});
    const dc_node *node = &g->node[dc_layers(g, &net, 0, 1, true, rows(g, PIXELS)).id];
    const dc_tile tile = {.n = 1};
    for (int i = 0; i < MADE; i++) {
        float y, dx[PIXELS], d = 5;
        const dc_call c = {.graph = g, .node = node, .tile = &tile, .in = {x[i]}, .out = &y, .dout = &d, .din = {dx}};
        node->op->forward(&c);
        node->op->backward(&c);
        CHECK(i == 2 ? isnan(y) : y == (i == 0 ? 2 : 0));
        for (int j = 0; j < PIXELS; j++) CHECK(dx[j] == expected[i][j]);
    }
    dc_graph_destroy(&g);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--names") == 0) {
        for (size_t i = 0; i < DC_COUNT_OF(cases); i++) puts(cases[i].name);
        return 0;
    }
    dc_rng_fill_uniform(table_rows, DC_COUNT_OF(table_rows), SEED, 1, 1);
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) check_operation(&cases[i]);
    test_largest();
    return check_done();
}
