/* Networks as text. A deck says
 *
 *   model: {encoder: "dense 500 relu, dense 500 relu, dense 2000 relu, dense 10", decoder: "~encoder"}
 *
 *   text     = layer {"," layer}
 *   layer    = "dense" WIDTH [ACTIVATION] ["init=" SCHEME] ["rate=" FACTOR]
 *   decoder  = text | "~encoder" | "tied ~encoder"
 *
 * WIDTH is a number; for the last layer of a decoder it may be "data", the width of the data. The activation is linear
 * if there is none; init is the scheme of this layer's first weights instead of that of the model; rate is a factor of
 * its learning rate. "~encoder" mirrors: the layers backwards, each with the activation of what it gives back, with
 * init and rate of the layer that it mirrors. "tied ~encoder" has the transposed weights of the encoder besides. */
#ifndef DCMPI_NET_TEXT_H
#define DCMPI_NET_TEXT_H

#include "dcmpi/nn.h"

enum { DC_NET_TEXT_MAX = 4096, DC_NET_WHY_MAX = 320, DC_NET_WIDTH_MAX = 1 << 24 };

typedef struct {
    int64_t width; /* 0: that of the data */
    dc_act act;
    dc_layer_rules rules;
    int column; /* of its width in the text, counted from 1; 0: it was not read from one */
} dc_layer_text;
typedef struct {
    int n;
    dc_layer_text layer[DC_MAX_LAYERS];
} dc_part_text;

typedef enum { DC_DECODER_MIRROR, DC_DECODER_TIED, DC_DECODER_OWN } dc_decoder_kind;
typedef struct {
    dc_part_text encoder;
    dc_decoder_kind kind;
    dc_act output_act;    /* of a mirror */
    dc_part_text decoder; /* DC_DECODER_OWN */
} dc_net_text;

/* false: why[] tells what is wrong and in which column, counted in characters from 1. */
bool dc_net_text_encoder(const char *text, dc_net_text *out, char why[DC_NET_WHY_MAX]);
/* Layers of any network; name: of it, for messages. */
bool dc_net_text_layers(const char *text, const char *name, dc_part_text *out, char why[DC_NET_WHY_MAX]);
/* Sets kind and decoder. */
bool dc_net_text_decoder(const char *text, dc_net_text *out, char why[DC_NET_WHY_MAX]);

/* Whether the decoder, whatever its width of the data, has the shapes of the encoder backwards. */
bool dc_net_text_is_mirror(const dc_net_text *t);
/* The network for rows of D columns. Errors: DC_ERR_USAGE for a decoder of another width, too many layers, widths out
 * of range. */
DC_CHECKED dc_status dc_net_build(dc_net *net, int64_t D, const dc_net_text *t);
/* A chain of layers "name_0", "name_1" ... for rows of D columns, without a decoder; its floats lie from `at` on, its
 * weights are those of the streams from `stream` on. Errors: DC_ERR_USAGE, telling what is wrong with the text. */
DC_CHECKED dc_status dc_net_chain(dc_net *net, const char *name, int64_t D, const char *text, size_t at, int stream);
/* The encoder or the decoder as a text that gives it again. */
void dc_net_text_format(const dc_net *net, bool decoder, char out[DC_NET_TEXT_MAX]);

#endif
