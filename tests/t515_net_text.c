/* Networks from text: what the words mean, errors and their columns, the layers and their places in the slab, first
 * weights, factors of the rate, and the text of a network. Random texts, of valid words and of any bytes, are read, or
 * refused with a column within the text; the text of a network that was read gives the same network. With an argument,
 * texts are drawn for that many seconds. Fixed seed 515. */
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "dcmpi/net_text.h"
#include "dcmpi/optim.h"
#include "dcmpi/rng.h"

enum { D = 20, DRAWN = 20000 };

static dc_net_text read_both(const char *encoder, const char *decoder)
{
    dc_net_text t = {.output_act = DC_ACT_SIGMOID};
    char why[DC_NET_WHY_MAX] = "";
    if (!CHECK(dc_net_text_encoder(encoder, &t, why) && dc_net_text_decoder(decoder, &t, why))) printf("# %s\n", why);
    return t;
}

static dc_net build(const char *encoder, const char *decoder)
{
    dc_net net;
    const dc_net_text t = read_both(encoder, decoder);
    CHECK_OK(dc_net_build(&net, D, &t));
    return net;
}

/* ---- What is right ----------------------------------------------------------------------------------------------- */

static void check_layer(const dc_net *net, int l, const char *name, int64_t in, int64_t out, dc_act act)
{
    const dc_layer *layer = &net->layer[l];
    CHECK_TEXT(layer->name, name);
    CHECK(layer->in == in && layer->out == out && layer->act == act);
}

static void test_mirror(void)
{
    const dc_net net = build(" dense 9 relu ,dense\t7 tanh init=normal rate=0.5,  dense 3", "~encoder");
    dc_net same;
    CHECK_INT(net.n_layers, 6);
    CHECK_INT(net.n_encoder, 3);
    CHECK_INT(net.L, 3);
    check_layer(&net, 0, "encoder_0", 20, 9, DC_ACT_RELU);
    check_layer(&net, 1, "encoder_1", 9, 7, DC_ACT_TANH);
    check_layer(&net, 2, "encoder_2", 7, 3, DC_ACT_LINEAR);
    check_layer(&net, 3, "decoder_0", 3, 7, DC_ACT_TANH);
    check_layer(&net, 4, "decoder_1", 7, 9, DC_ACT_RELU);
    check_layer(&net, 5, "decoder_2", 9, 20, DC_ACT_SIGMOID);
    CHECK(!net.layer[0].rules.has_init && !net.layer[0].rules.has_rate);
    for (int l = 1; l < 5; l += 3) { /* encoder_1 and what mirrors it */
        CHECK(net.layer[l].rules.has_init && net.layer[l].rules.init == DC_INIT_NORMAL);
        CHECK(net.layer[l].rules.has_rate && net.layer[l].rules.rate == 0.5);
    }
    CHECK(dc_net_is_mirror(&net));
    CHECK_OK(dc_net_init(&same, D, (int64_t[]){9, 7}, 2, 3, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_SIGMOID));
    CHECK(same.n_params == net.n_params && same.n_decoder == net.n_decoder);
}

/* [decoder | encoder] without gaps; of tied layers biases alone. */
static void check_slab(const dc_net *net, size_t expected)
{
    size_t next = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const int l = (i + net->n_encoder) % net->n_layers;
        const dc_layer *layer = &net->layer[l];
        CHECK_INT(layer->weight, layer->tied ? dc_net_mirror(net, l)->weight : next);
        if (!layer->tied) next += (size_t)(layer->in * layer->out);
        CHECK_INT(layer->bias, next);
        next += (size_t)layer->out;
        if (l == net->n_layers - 1) CHECK_INT(next, net->n_decoder);
    }
    CHECK_INT(next, net->n_params);
    CHECK_INT(next, expected);
    CHECK_INT(net->n_decoder + net->n_encoder_params, next);
}

static void test_own(void)
{
    const dc_net net = build("dense 9 relu, dense 3", "dense 5 leaky_relu rate=0, dense 11 tanh, dense data");
    CHECK_INT(net.n_layers, 5);
    check_layer(&net, 2, "decoder_0", 3, 5, DC_ACT_LEAKY_RELU);
    check_layer(&net, 4, "decoder_2", 11, 20, DC_ACT_LINEAR);
    CHECK(!dc_net_is_mirror(&net));
    check_slab(&net, 20 * 9 + 9 + 9 * 3 + 3 + 3 * 5 + 5 + 5 * 11 + 11 + 11 * 20 + 20);
    const dc_net number = build("dense 9 relu, dense 3", "dense 20");
    check_layer(&number, 2, "decoder_0", 3, 20, DC_ACT_LINEAR);
    const dc_net by_hand = build("dense 9 relu, dense 3", "dense 9 relu, dense data sigmoid");
    CHECK(dc_net_is_mirror(&by_hand));
}

static void test_tied(void)
{
    const dc_net net = build("dense 9 relu, dense 3", " tied  ~encoder ");
    float value[400];
    check_slab(&net, 20 * 9 + 9 + 9 * 3 + 3 + 9 + 20);
    CHECK(dc_net_is_mirror(&net) && net.layer[2].tied && net.layer[3].tied && !net.layer[1].tied);
    for (size_t i = 0; i < DC_COUNT_OF(value); i++) value[i] = 9;
    dc_net_init_weights(&net, DC_INIT_GLOROT, 515, value);
    double biases = 0, zeros = 0;
    for (int l = 0; l < 4; l++)
        for (int64_t j = 0; j < net.layer[l].out; j++) biases += fabs((double)value[net.layer[l].bias + (size_t)j]);
    for (size_t i = 0; i < net.n_params; i++) zeros += value[i] == 0;
    CHECK_NEAR(biases, 0, 0);
    CHECK_NEAR(zeros, 9 + 3 + 9 + 20, 0);
    CHECK_NEAR(value[net.n_params], 9, 0);
}

static void test_mirror_of_text(void)
{
    static const struct {
        const char *decoder;
        bool is;
    } cases[] = {{"~encoder", true},
                 {"tied ~encoder", true},
                 {"dense 7, dense 9, dense data", true},
                 {"dense 7, dense data", false},
                 {"dense 9, dense 7, dense data", false},
                 {"dense 7, dense 9, dense 20", true}};
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        const dc_net_text t = read_both("dense 9, dense 7, dense 3", cases[i].decoder);
        CHECK_INT(dc_net_text_is_mirror(&t), cases[i].is);
    }
}

/* A layer with an init of its own uses it; the others use that of the model. */
static void test_init(void)
{
    const dc_net own = build("dense 9 init=normal, dense 3", "~encoder"), plain = build("dense 9, dense 3", "~encoder");
    float a[600], b[600];
    dc_net_init_weights(&own, DC_INIT_GLOROT, 1, a);
    dc_net_init_weights(&plain, DC_INIT_GLOROT, 1, b);
    for (int l = 0; l < 4; l++) {
        const dc_layer *x = &own.layer[l];
        const bool same = memcmp(a + x->weight, b + x->weight, (size_t)(x->in * x->out) * sizeof *a) == 0;
        CHECK_INT(same, l == 1 || l == 2);
        double largest = 0;
        for (int64_t i = 0; i < x->in * x->out; i++) largest = fmax(largest, fabs((double)a[x->weight + (size_t)i]));
        CHECK(same ? largest > 0.2 : largest < 0.06); /* glorot reaches 0.3 and more, normal has sigma 0.01 */
    }
}

static void test_factors(void)
{
    const dc_net net = build("dense 9 rate=0.5, dense 3", "dense 5 rate=0, dense data rate=2");
    dc_opt_config opt = {.lr = 1, .lr_factors = {2, {{"encoder", 3}, {"decoder_1", 5}}}};
    dc_factors_of_layers(&net, &opt.lr_factors);
    static const struct {
        const char *name;
        double lr;
    } expected[] = {{"encoder_0", 1.5}, {"encoder_1", 3}, {"decoder_0", 0}, {"decoder_1", 10}};
    for (size_t i = 0; i < DC_COUNT_OF(expected); i++)
        CHECK_NEAR(dc_opt_of(&opt, expected[i].name, true).lr, expected[i].lr, 0);
}

/* ---- What is wrong ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *why;
} wrong_encoders[] =
    {
        {"", "column 1, layer encoder_0: a layer is missing"},
        {"   ", "column 4, layer encoder_0: a layer is missing"},
        {",", "column 1, layer encoder_0: a layer is missing"},
        {"dense 5,", "column 9, layer encoder_1: a layer is missing"},
        {"dense 5, , dense 3", "column 10, layer encoder_1: a layer is missing"},
        {"dense", "column 6, layer encoder_0: a width is missing"},
        {"dense relu", "column 7, layer encoder_0: 'relu' is no width, 1..1048576"},
        {"dense 0", "column 7, layer encoder_0: '0' is no width"},
        {"dense 05", "column 7, layer encoder_0: '05' is no width"},
        {"dense -5", "column 7, layer encoder_0: '-5' is no width"},
        {"dense 5.0", "column 7, layer encoder_0: '5.0' is no width"},
        {"dense 1048577", "column 7, layer encoder_0: '1048577' is no width"},
        {"dense 99999999999999999999", "column 7, layer encoder_0: '99999999999999999999' is no width"},
        {"dense data", "column 7, layer encoder_0: 'data' is a width for the decoder's last layer alone"},
        {"500, 10", "column 1, layer encoder_0: '500' is no kind of layer"},
        {"dense 5, dens 3", "column 10, layer encoder_1: 'dens' is no kind of layer, did you mean 'dense'?"},
        {"cnov 5x5x32 /2 relu", "column 1, layer encoder_0: 'cnov' is no kind of layer, did you mean 'conv'?"},
        {"dense 5 rellu",
         "column 9, layer encoder_0: 'rellu' is no activation, bn, ln, init=SCHEME or rate=FACTOR, did you mean "
         "'relu'?"},
        {"dense 5 ReLU", "column 9, layer encoder_0: 'ReLU' is no activation"},
        {"dense 5 relu 7", "column 14, layer encoder_0: '7' is no activation"},
        {"dense 5 relu relu", "column 14, layer encoder_0: 'relu' is a second activation"},
        {"dense 5 init=", "column 9, layer encoder_0: 'init=' names no scheme of first weights"},
        {"dense 5 init=glorott",
         "column 9, layer encoder_0: 'init=glorott' names no scheme of first weights, did you mean "
         "'glorot'?"},
        {"dense 5 init=normal init=normal", "column 21, layer encoder_0: 'init=normal' is a second init"},
        {"conv 3x3x2 ln bn", "column 15, layer encoder_0: 'bn' is a second norm"},
        {"conv 3x3x2 bn bn", "column 15, layer encoder_0: 'bn' is a second norm"},
        {"maxpool 2x2 bn", "column 13, layer encoder_0: 'bn' is no stride and no padding"},
        {"dense 5 rate=", "column 9, layer encoder_0: 'rate=' has no factor in 0..1000000"},
        {"dense 5 rate=x", "'rate=x' has no factor"},
        {"dense 5 rate=-1", "'rate=-1' has no factor"},
        {"dense 5 rate=nan", "'rate=nan' has no factor"},
        {"dense 5 rate=inf", "'rate=inf' has no factor"},
        {"dense 5 rate=0x1p3", "'rate=0x1p3' has no factor"},
        {"dense 5 rate=1e7", "'rate=1e7' has no factor"},
        {"dense 5 rate=1.2.3", "'rate=1.2.3' has no factor"},
        {"dense 5 rate=1e", "'rate=1e' has no factor"},
        {"dense 5 rate=1 rate=1", "column 16, layer encoder_0: 'rate=1' is a second rate"},
        {"dense 5 relu, dense 7", "column 21, layer encoder_1: the embedding has width 7, more than the 5 of encoder_0 "
                                  "before it"},
        {"~encoder", "column 1, layer encoder_0: '~encoder' is no kind of layer"},
        {"\xc3\xa4\xc3\xb6 5, dense 2", "column 1, layer encoder_0: '\xc3\xa4\xc3\xb6' is no kind of layer"},
        {"dense 5 \xc3\xa4, dense", "column 9, layer encoder_0: '\xc3\xa4' is no activation"},
        {"dense \xc3\xa4\xc3\xb6 x", "column 7, layer encoder_0"},
        {"conv", "column 5, layer encoder_0: a kernel is missing"},
        {"conv 5x5", "column 6, layer encoder_0: '5x5' is no kernel HEIGHTxWIDTHxCHANNELS"},
        {"conv 5x5x", "'5x5x' is no kernel"},
        {"conv 5x5x32x2", "'5x5x32x2' is no kernel"},
        {"conv 5x0x32", "'5x0x32' is no kernel"},
        {"conv 5x5x32 /0", "column 13, layer encoder_0: '/0' is no stride, such as /2"},
        {"conv 5x5x32 /2 /2", "column 16, layer encoder_0: '/2' is a second stride"},
        {"conv 5x5x32 same valid", "column 18, layer encoder_0: 'valid' is a second padding"},
        {"conv 5x5x32 pad=5", "'pad=5' is no number of pixels below the size of the window"},
        {"conv 5x5x32 out=7x7", "'out=7x7' is no activation"},
        {"deconv 5x5x32 out=7", "'out=7' is no HEIGHTxWIDTH"},
        {"deconv 5x5x1 out=7x7 out=7x7", "is a second size"},
        {"maxpool 2x2x2", "'2x2x2' is no size HEIGHTxWIDTH"},
        {"maxpool 2x3", "column 9, layer encoder_0: a window of 2x3 needs a stride"},
        {"avgpool 2x2 relu", "'relu' is no stride and no padding, all that pooling has"},
        {"dense 3x3", "column 7, layer encoder_0: '3x3' is no width"},
        {"dense 1024x1024x1024", "is no width"},
        {"dense 5 same", "'same' is no activation"},
        {"dense 5 %n%s", "column 9, layer encoder_0: '%n%s' is no activation"},
},
  wrong_decoders[] = {
      {"", "column 1, layer decoder_0: a layer is missing"},
      {"tied", "a decoder is ~encoder, tied ~encoder, or layers"},
      {"tied encoder", "a decoder is ~encoder, tied ~encoder, or layers"},
      {"~encoder ~encoder", "a decoder is ~encoder, tied ~encoder, or layers"},
      {"~encoder, dense data", "a decoder is ~encoder, tied ~encoder, or layers"},
      {"~ encoder", "a decoder is ~encoder, tied ~encoder, or layers"},
      {"dense data, dense data", "column 7, layer decoder_0: 'data' is a width for the decoder's last layer alone"},
      {"dense 5 relu,dense date", "column 20, layer decoder_1: 'date' is no width"},
};

static void test_wrong(void)
{
    dc_net_text t = {0};
    char why[DC_NET_WHY_MAX];
    for (size_t i = 0; i < DC_COUNT_OF(wrong_encoders); i++) {
        CHECK(!dc_net_text_encoder(wrong_encoders[i].text, &t, why));
        CHECK_TEXT_HAS(why, wrong_encoders[i].why);
    }
    for (size_t i = 0; i < DC_COUNT_OF(wrong_decoders); i++) {
        CHECK(!dc_net_text_decoder(wrong_decoders[i].text, &t, why));
        CHECK_TEXT_HAS(why, wrong_decoders[i].why);
    }
}

/* n layers in one text. */
static void repeat(int n, const char *last, char *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) strcat(out, i < n - 1 ? "dense 5, " : last);
}

static void test_shapes(void)
{
    dc_net net;
    char text[DC_NET_TEXT_MAX], why[DC_NET_WHY_MAX];
    dc_net_text t = read_both("dense 9, dense 3", "dense 7 relu, dense 21");
    CHECK_STATUS(dc_net_build(&net, D, &t), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "model.decoder: column 21, layer decoder_1 gives rows of width 21, but the data "
                                    "have 20 columns");
    dc_error_clear();
    CHECK_STATUS(dc_net_build(&net, 0, &t), DC_ERR_USAGE);
    dc_error_clear();
    repeat(DC_MAX_LAYERS / 2, "dense 5", text);
    t = read_both(text, "~encoder");
    CHECK_OK(dc_net_build(&net, D, &t));
    CHECK_INT(net.n_layers, DC_MAX_LAYERS);
    repeat(DC_MAX_LAYERS / 2 + 1, "dense 5", text);
    t = read_both(text, "~encoder");
    CHECK_STATUS(dc_net_build(&net, D, &t), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "34 layers in encoder and decoder; at most 32");
    dc_error_clear();
    repeat(DC_MAX_LAYERS - 1, "dense 5", text);
    t = read_both(text, "dense data");
    CHECK_OK(dc_net_build(&net, D, &t));
    repeat(DC_MAX_LAYERS, "dense 5", text);
    CHECK(!dc_net_text_encoder(text, &t, why));
    CHECK_TEXT_HAS(why, "a network has at most 32 layers");
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

static void test_format(void)
{
    char text[DC_NET_TEXT_MAX];
    const dc_net net =
        build("dense  9   relu init=xavier_sqrt2,dense 3 rate=1e-1", "dense 5 linear rate=2.50, dense data tanh");
    dc_net_text_format(&net, false, text);
    CHECK_TEXT(text, "dense 9 relu init=xavier_sqrt2, dense 3 rate=0.1");
    dc_net_text_format(&net, true, text);
    CHECK_TEXT(text, "dense 5 rate=2.5, dense 20 tanh");
    const dc_net tied = build("dense 9, dense 3", "tied ~encoder");
    dc_net_text_format(&tied, true, text);
    CHECK_TEXT(text, "tied ~encoder");
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

static dc_status build_images(dc_net *net, dc_image image, const char *encoder, const char *decoder)
{
    dc_net_text t = read_both(encoder, decoder);
    t.image = image;
    return dc_net_build(net, image.h * image.w * image.c, &t);
}

/* The texts of the net, and of the net that these make. */
static void check_texts(dc_image image, const char *encoder, const char *decoder, const char *as_encoder,
                        const char *as_decoder)
{
    char text[DC_NET_TEXT_MAX], back[DC_NET_TEXT_MAX], again[DC_NET_TEXT_MAX];
    dc_net net, other;
    CHECK_OK(build_images(&net, image, encoder, decoder));
    dc_net_text_format(&net, false, text);
    dc_net_text_format(&net, true, back);
    CHECK_TEXT(text, as_encoder);
    CHECK_TEXT(back, as_decoder);
    CHECK_OK(build_images(&other, image, text, back));
    dc_net_text_format(&other, true, again);
    CHECK_TEXT(again, as_decoder);
    CHECK_INT(other.n_params, net.n_params);
    for (int l = 0; l < net.n_layers; l++)
        CHECK(memcmp(&other.layer[l].window, &net.layer[l].window, sizeof net.layer[l].window) == 0 &&
              other.layer[l].in == net.layer[l].in && other.layer[l].out == net.layer[l].out);
}

static void test_images(void)
{
    static const char dcec[] = "conv 5x5x32 /2 relu, conv 5x5x64 /2 relu, conv 3x3x128 /2 relu valid, dense 10";
    dc_net net;
    CHECK_OK(build_images(&net, (dc_image){28, 28, 1}, dcec, "~encoder"));
    CHECK_INT(net.n_params, 275979); /* that of the authors' program */
    CHECK_INT(net.n_encoder_params, 137482);
    CHECK_NEAR(dc_net_forward_flops(&net, 0, net.n_encoder), 2 * 3340672.0, 0);
    CHECK(net.layer[2].window.down == 3 && net.layer[2].out == 1152 && net.layer[3].in == 1152);
    CHECK(net.layer[0].window.top == 1 && net.layer[0].window.left == 1);
    check_texts((dc_image){28, 28, 1}, dcec, "~encoder",
                "conv 5x5x32 /2 relu, conv 5x5x64 /2 relu, conv 3x3x128 /2 valid relu, dense 10",
                "dense 3x3x128 relu, deconv 3x3x64 /2 valid relu, deconv 5x5x32 /2 relu, deconv 5x5x1 /2 sigmoid");
    check_texts((dc_image){27, 26, 3}, "conv 4x3x8 /2, conv 3x3x4 /3 pad=1, dense 2", "~encoder",
                "conv 4x3x8 /2, conv 3x3x4 /3 pad=1, dense 2",
                "dense 5x5x4, deconv 3x3x8 /3 pad=1 out=14x13, deconv 4x3x3 /2 out=27x26 sigmoid");
    check_texts((dc_image){6, 6, 1}, "conv 3x3x4, maxpool 2x2, avgpool 3x2 /1 same, dense 2",
                "dense 3x3x2, deconv 2x2x1 /2", "conv 3x3x4, maxpool 2x2, avgpool 3x2 /1 same, dense 2",
                "dense 3x3x2, deconv 2x2x1 /2");
    check_texts((dc_image){4, 4, 2}, "deconv 3x3x1 /2 relu, dense 3", "~encoder", "deconv 3x3x1 /2 relu, dense 3",
                "dense 8x8x1 relu, conv 3x3x2 /2 sigmoid");
    /* A size that stride and padding do not tell, along one side only; a stride longer than the kernel, as in Keras. */
    check_texts((dc_image){8, 7, 1}, "conv 3x3x2 /2, dense 2", "~encoder", "conv 3x3x2 /2, dense 2",
                "dense 4x4x2, deconv 3x3x1 /2 out=8x7 sigmoid");
    check_texts((dc_image){8, 8, 1}, "conv 3x3x4 /2 bn relu, conv 3x3x2 /2 bn, dense 2", "~encoder",
                "conv 3x3x4 /2 bn relu, conv 3x3x2 /2 bn, dense 2",
                "dense 2x2x2 bn, deconv 3x3x4 /2 bn relu, deconv 3x3x1 /2 sigmoid");
    check_texts((dc_image){7, 8, 1}, "conv 3x3x2 /2, dense 2", "~encoder", "conv 3x3x2 /2, dense 2",
                "dense 4x4x2, deconv 3x3x1 /2 out=7x8 sigmoid");
    check_texts((dc_image){9, 9, 1}, "conv 2x2x2 /3 valid, dense 3", "dense 3x3x2, deconv 2x2x1 /3 valid",
                "conv 2x2x2 /3 valid, dense 3", "dense 3x3x2, deconv 2x2x1 /3 valid");
}

static void test_wrong_images(void)
{
    static const struct {
        const char *encoder, *decoder, *why;
    } wrong[] = {
        {"conv 5x5x4 /2, conv 5x5x4 valid", "~encoder",
         "model.encoder: column 21, layer encoder_1: its window of 5x5 does not fit into images of 4x4x4"},
        {"dense 9, conv 3x3x2", "~encoder",
         "model.encoder: column 15, layer encoder_1: it needs images, but gets rows of 9 values"},
        {"conv 3x3x2, maxpool 2x2, dense 3", "~encoder",
         "layer encoder_1 of the encoder is maxpool, which ~encoder cannot mirror"},
        {"conv 3x3x2, dense 3", "dense 4x4x2, deconv 3x3x2 /2",
         "model.decoder: column 21, layer decoder_1 gives images of 8x8x2, 128 values, but the data have 64 columns"},
        {"conv 3x3x2, dense 3", "dense 4x4x2, deconv 3x3x1 /2 out=9x9",
         "layer decoder_1: the conv of its kernel, stride and padding makes 5x5 of images of 9x9x1, but it gets 4x4x2"},
        {"conv 1000000x1000000x1000000, dense 3", "dense data", "layer encoder_0: it would"},
        {"conv 1x1x1000000", "dense data", "layer encoder_0: it would give images of 8x8x1000000"},
    };
    dc_net net;
    for (size_t i = 0; i < DC_COUNT_OF(wrong); i++) {
        CHECK_STATUS(build_images(&net, (dc_image){8, 8, 1}, wrong[i].encoder, wrong[i].decoder), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), wrong[i].why);
        dc_error_clear();
    }
}

/* The longest text that there is fits. */
static void test_longest(void)
{
    char text[DC_NET_TEXT_MAX];
    dc_net_text t = {.kind = DC_DECODER_OWN, .encoder.n = DC_MAX_LAYERS - 1, .decoder.n = 1};
    const dc_layer_text wide = {.width = DC_NET_WIDTH_MAX - 1,
                                .act = DC_ACT_LEAKY_RELU,
                                .rules = {true, true, DC_INIT_XAVIER_SQRT2, 0x1.fffffffffffffp-1000}};
    dc_net net;
    for (int l = 0; l < t.encoder.n; l++) t.encoder.layer[l] = wide;
    CHECK_OK(dc_net_build(&net, D, &t));
    dc_net_text_format(&net, false, text);
    CHECK(strlen(text) < DC_NET_TEXT_MAX - 1);
    CHECK_TEXT(text + strlen(text) - 4, "-301");
}

/* ---- Drawn texts ------------------------------------------------------------------------------------------------- */

static uint64_t draws;

static uint32_t draw(uint32_t below)
{
    uint32_t word[4];
    dc_rng4(515, DC_STREAM_TEST, 0, draws++, word);
    return word[0] % below;
}

/* Mostly what a network is made of; now and then any bytes. */
static void draw_text(char out[256])
{
    static const char *const words[] = {"dense",
                                        "dense 5",
                                        "dense 3 relu",
                                        "dense 300 tanh init=glorot",
                                        "dense 7 rate=0.25",
                                        ",",
                                        ", ",
                                        " ",
                                        "\t",
                                        "relu",
                                        "linear",
                                        "init=",
                                        "normal",
                                        "rate=",
                                        "1e-3",
                                        "7",
                                        "1048576",
                                        "data",
                                        "dense data",
                                        "~encoder",
                                        "tied ",
                                        "=",
                                        "~",
                                        "-",
                                        ".",
                                        "\xc3\xa4",
                                        "\xff",
                                        "\x80",
                                        "%s%n",
                                        "conv 5x5",
                                        "0"};
    size_t n = 0;
    out[0] = 0;
    for (uint32_t left = draw(12); left > 0; left--) {
        const char *word = words[draw(DC_COUNT_OF(words))];
        if (n + strlen(word) + 3 >= 256) break;
        if (draw(12) == 0) out[n++] = (char)(1 + draw(255));
        n += (size_t)sprintf(out + n, "%s%s", word, draw(4) ? " " : "");
        out[n] = 0;
    }
    out[n] = 0;
}

/* A refusal names a column of the text, or the one after its end, and is printable. */
static bool is_told(const char *text, const char *why)
{
    int column = 0;
    const bool ok = sscanf(why, "column %d, layer ", &column) == 1 && column >= 1 && column <= (int)strlen(text) + 1 &&
                    strlen(why) < DC_NET_WHY_MAX;
    for (const char *c = why; *c; c++)
        if ((unsigned char)*c < ' ') return false;
    return ok;
}

static bool same_part(const dc_part_text *a, const dc_part_text *b)
{
    for (int l = 0; l < a->n; l++) {
        const dc_layer_text *x = &a->layer[l], *y = &b->layer[l];
        const bool last = x->width == 0 && y->width == D; /* data */
        if ((x->width != y->width && !last) || x->act != y->act || x->rules.has_init != y->rules.has_init ||
            x->rules.has_rate != y->rules.has_rate || (x->rules.has_rate && x->rules.rate != y->rules.rate))
            return false;
    }
    return a->n == b->n;
}

/* The text of a network that was read gives the same network. */
static bool comes_back(const dc_net_text *t)
{
    dc_net net;
    dc_net_text again = {0};
    char text[DC_NET_TEXT_MAX], why[DC_NET_WHY_MAX];
    if (dc_net_build(&net, D, t) != DC_OK) {
        dc_error_clear();
        return true;
    }
    dc_net_text_format(&net, false, text);
    if (!dc_net_text_encoder(text, &again, why) || !same_part(&t->encoder, &again.encoder)) return false;
    dc_net_text_format(&net, true, text);
    if (!dc_net_text_decoder(text, &again, why)) return false;
    return t->kind != DC_DECODER_OWN || same_part(&t->decoder, &again.decoder);
}

static void test_drawn(double seconds)
{
    const time_t end = time(NULL) + (time_t)seconds;
    int64_t n = 0, read = 0, failures = 0;
    for (; seconds > 0 ? time(NULL) < end : n < DRAWN; n++) {
        char encoder[256], decoder[256], why[DC_NET_WHY_MAX];
        dc_net_text t = {0}, plain = {0};
        draw_text(encoder);
        draw_text(decoder);
        if (!dc_net_text_encoder("dense 3", &plain, why)) failures++;
        const bool e = dc_net_text_encoder(encoder, &t, why);
        if (!e && !is_told(encoder, why)) failures++, printf("# <%s>: %s\n", encoder, why);
        if (!e) t.encoder = plain.encoder;
        const bool d = dc_net_text_decoder(decoder, &t, why);
        if (!d && !is_told(decoder, why)) failures++, printf("# <%s>: %s\n", decoder, why);
        read += e;
        if (d && !comes_back(&t)) failures++, printf("# <%s> <%s> come back as something else\n", encoder, decoder);
    }
    printf("# %lld texts, %lld read\n", (long long)n, (long long)read);
    CHECK_INT(failures, 0);
    CHECK(read > n / 100 && read < n / 2);
}

int main(int argc, char **argv)
{
    test_mirror();
    test_own();
    test_tied();
    test_mirror_of_text();
    test_init();
    test_factors();
    test_wrong();
    test_shapes();
    test_format();
    test_images();
    test_wrong_images();
    test_longest();
    test_drawn(argc > 1 ? atof(argv[1]) : 0);
    return check_done();
}
