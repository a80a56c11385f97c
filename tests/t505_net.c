/* Shapes, slab layout and names of the autoencoder, wrong shapes, initial weights, buffers of its step. Fixed seed 505.
 */
#include "check.h"
#include "step/exec.h"

static const int64_t mnist[] = {500, 500, 2000};

static dc_net mnist_net(void)
{
    dc_net net;
    CHECK_OK(dc_net_init(&net, 784, mnist, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_SIGMOID));
    return net;
}

static void test_shapes(void)
{
    const dc_net net = mnist_net();
    static const int64_t widths[] = {784, 500, 500, 2000, 10, 2000, 500, 500, 784};
    bool ok = net.n_layers == 8 && net.n_encoder == 4;
    for (int l = 0; l < 8; l++) {
        ok = ok && net.layer[l].in == widths[l] && net.layer[l].out == widths[l + 1];
        ok = ok && net.layer[l].act == (l == 3 ? DC_ACT_LINEAR : l == 7 ? DC_ACT_SIGMOID : DC_ACT_RELU);
    }
    CHECK(ok);
    CHECK_INT(net.n_params, 3330794);
    CHECK_INT(net.n_encoder_params, 1665010);
    CHECK_INT(net.n_decoder + net.n_encoder_params, net.n_params);
    CHECK(strcmp(net.layer[0].name, "encoder_0") == 0 && strcmp(net.layer[3].name, "encoder_3") == 0);
    CHECK(strcmp(net.layer[4].name, "decoder_0") == 0 && strcmp(net.layer[7].name, "decoder_3") == 0);
}

/* [decoder | encoder] without gaps: walking the layers in slab order meets every offset. */
static void test_layout(void)
{
    const dc_net net = mnist_net();
    size_t next = 0;
    bool ok = true;
    for (int i = 0; i < net.n_layers; i++) {
        const dc_layer *layer = &net.layer[(i + net.n_encoder) % net.n_layers];
        ok = ok && layer->weight == next && layer->bias == next + (size_t)(layer->in * layer->out);
        next = layer->bias + (size_t)layer->out;
        if (i == net.n_encoder - 1) CHECK_INT(next, net.n_decoder);
    }
    CHECK(ok);
    CHECK_INT(next, net.n_params);
}

static void test_no_hidden(void)
{
    dc_net net;
    CHECK_OK(dc_net_init(&net, 5, NULL, 0, 2, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_INT(net.n_layers, 2);
    CHECK_INT(net.n_params, 5 * 2 + 2 + 2 * 5 + 5);
}

static void test_errors(void)
{
    dc_net net;
    int64_t many[DC_MAX_LAYERS];
    for (int i = 0; i < DC_MAX_LAYERS; i++) many[i] = 3;
    many[1] = 0;
    CHECK_OK(dc_net_init(&net, 4, many + 2, DC_MAX_LAYERS / 2 - 1, 2, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_STATUS(dc_net_init(&net, 4, many + 2, DC_MAX_LAYERS / 2, 2, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR),
                 DC_ERR_USAGE);
    dc_error_clear();
    CHECK_STATUS(dc_net_init(&net, 4, many, 2, 2, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "hidden layer 2");
    dc_error_clear();
    CHECK_STATUS(dc_net_init(&net, 0, mnist, 3, 2, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "input width 0");
    dc_error_clear();
    CHECK_STATUS(dc_net_init(&net, 4, mnist, 3, -1, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "latent width -1");
    dc_error_clear();
}

static void test_flops(void)
{
    const dc_net net = mnist_net();
    CHECK_NEAR(dc_net_forward_flops(&net, 0, 8), 6.648e6, 1);
    CHECK_NEAR(dc_net_train_flops(&net, 0, 8), 3 * 6.648e6 - 2.0 * 784 * 500, 1);
    CHECK_NEAR(dc_net_train_flops(&net, 0, 0), 0, 0);
}

/* Range and standard deviation of one layer's weights, all biases 0. */
static void test_scheme(dc_init scheme, double bound, double sigma)
{
    const dc_net net = mnist_net();
    dc_params p;
    CHECK_OK(dc_params_create(&p, &net, 7));
    for (size_t i = 0; i < p.n; i++) p.value[i] = 9;
    dc_net_init_weights(&net, scheme, 505, p.value);
    const dc_layer *layer = &net.layer[1];
    double sum = 0, square = 0, largest = 0;
    const int n = 500 * 500;
    for (int i = 0; i < n; i++) {
        const double w = (double)p.value[layer->weight + (size_t)i];
        sum += w, square += w * w, largest = fmax(largest, fabs(w));
    }
    CHECK_NEAR(sum / n, 0, 4 * sigma / 500);
    CHECK_NEAR(sqrt(square / n), sigma, 0.01 * sigma);
    CHECK(largest <= bound && largest > 0.99 * bound * (scheme == DC_INIT_NORMAL ? 0.5 : 1));
    double biases = 0;
    for (int l = 0; l < net.n_layers; l++)
        for (int64_t j = 0; j < net.layer[l].out; j++) biases += fabs((double)p.value[net.layer[l].bias + (size_t)j]);
    CHECK_NEAR(biases, 0, 0);
    CHECK_NEAR(p.value[net.n_params], 9, 0); /* extra parameters belong to the method */
    dc_params_release(&p);
}

static void test_weights_are_a_function(void)
{
    const dc_net net = mnist_net();
    dc_params a, b;
    CHECK_OK(dc_params_create(&a, &net, 0));
    CHECK_OK(dc_params_create(&b, &net, 0));
    const size_t bytes = net.n_params * sizeof(float);
    dc_net_init_weights(&net, DC_INIT_GLOROT, 1, a.value);
    dc_net_init_weights(&net, DC_INIT_GLOROT, 1, b.value);
    CHECK(memcmp(a.value, b.value, bytes) == 0);
    dc_net_init_weights(&net, DC_INIT_GLOROT, 2, b.value);
    CHECK(memcmp(a.value, b.value, bytes) != 0);
    const float *w1 = a.value + net.layer[1].weight, *w6 = a.value + net.layer[6].weight; /* both 500 x 500 */
    CHECK(memcmp(w1, w6, 500 * sizeof *w1) != 0);
    dc_params_release(&a);
    dc_params_release(&b);
}

static bool aligned(const float *p)
{
    return p && (uintptr_t)p % DC_MEM_ALIGN == 0;
}

static dc_status make_step(const dc_graph *g, dc_params *p, const dc_part *part, dc_step **out)
{
    const dc_step_config cfg = {.graph = g, .part = part, .params = p, .B = part->N, .strict = true};
    return dc_step_create(out, &cfg);
}

/* Checks values and gradients of all nodes of the autoencoder; only nodes after the first weights have gradients. */
static bool buffers_are_aligned(const dc_step *s)
{
    bool ok = true;
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        if (s->plan.graph->node[i].shape.space != DC_ROWS) continue;
        ok = ok && aligned(dc_step_buffer(s, s->plan.node[i].value));
        ok = ok && s->plan.node[i].differentiated == (i > s->plan.batch);
        if (i > s->plan.batch) ok = ok && aligned(dc_step_buffer(s, s->plan.node[i].grad));
    }
    return ok;
}

static void test_buffers(void)
{
    const dc_net net = mnist_net();
    dc_params p;
    dc_graph *g;
    dc_part part;
    dc_step *s;
    CHECK_OK(dc_params_create(&p, &net, 0));
    CHECK_OK(dc_graph_create(&g));
    const dc_val x = dc_batch(g, net.D);
    dc_minimize(g, "reconstruction", 1, dc_recon(g, DC_LOSS_MSE, x, dc_layers(g, &net, 0, net.n_layers, true, x)));
    CHECK_OK(dc_graph_finish(g));
    CHECK_OK(dc_part_init(&part, 33, 8, 1, 0));
    CHECK_OK(make_step(g, &p, &part, &s));
    CHECK(buffers_are_aligned(s));
    CHECK_NEAR(dc_step_plan(s)->flops, dc_net_train_flops(&net, 0, net.n_layers), 0);
    dc_step_destroy(&s);
    CHECK_OK(dc_part_init(&part, 3, 8, 8, 1)); /* a rank without rows */
    CHECK_INT(dc_part_rows(&part), 0);
    CHECK_OK(make_step(g, &p, &part, &s));
    CHECK(buffers_are_aligned(s));
    dc_step_destroy(&s);
    CHECK(s == NULL);
    CHECK_OK(dc_part_init(&part, INT64_MAX / 2, 8, 1, 0));
    CHECK_STATUS(make_step(g, &p, &part, &s), DC_ERR_MEMORY);
    CHECK(s == NULL);
    dc_error_clear();
    dc_graph_destroy(&g);
    dc_params_release(&p);
}

int main(void)
{
    test_shapes();
    test_layout();
    test_no_hidden();
    test_errors();
    test_flops();
    test_scheme(DC_INIT_FAN_IN, sqrt(1.0 / 500), sqrt(1.0 / 1500));
    test_scheme(DC_INIT_GLOROT, sqrt(6.0 / 1000), sqrt(2.0 / 1000));
    test_scheme(DC_INIT_XAVIER_SQRT2, sqrt(12.0 / 1000), sqrt(4.0 / 1000));
    test_scheme(DC_INIT_NORMAL, 0.06, 0.01);
    test_weights_are_a_function();
    test_buffers();
    return check_done();
}
