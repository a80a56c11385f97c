/* Networks as text. A deck says
 *
 *   model: {encoder: "dense 500 relu, dense 500 relu, dense 2000 relu, dense 10", decoder: "~encoder"}
 *
 *   text     = layer {"," layer}
 *   layer    = "dense" WIDTH ["bn" | "ln"] {own}
 *            | ("conv" | "deconv") KERNEL ["/" STRIDE] ["same" | "valid" | "pad=" PIXELS] ["out=" SIZE] {own}
 *            | ("maxpool" | "avgpool") SIZE ["/" STRIDE] ["same" | "valid" | "pad=" PIXELS]
 *   own      = ACTIVATION | "init=" SCHEME | "rate=" FACTOR
 *   decoder  = text | "~encoder" | "tied ~encoder"
 *
 * WIDTH is a number; for the last layer of a decoder it may be "data", the width of the data. If a deconv follows, it
 * is an image, HEIGHTxWIDTHxCHANNELS. KERNEL is HEIGHTxWIDTHxCHANNELS, the channels being those of what the layer
 * gives; SIZE is HEIGHTxWIDTH. The stride is 1, of pooling the size, if none is given. Padding is that of Keras, or so
 * many pixels on all sides as in PyTorch; without a word, same for conv and deconv, valid for pooling. A deconv is the
 * reverse of the conv that has the same kernel, stride and padding and gives the images that the deconv gets; "out="
 * says of what size those of that conv are, else it is as in Keras and PyTorch. A dense layer reads images as rows.
 *
 * The activation is linear if none is given; bn puts batch norm before it (of images by channel), ln layer norm (of a
 * whole image); init replaces the model's scheme for this layer's initial weights; rate is a factor of its learning
 * rate. "~encoder" is the mirror: the encoder's layers in reverse order, deconv for conv. Each has the init and rate of
 * the layer that it mirrors, and norm and activation with which the encoder made the values that it reconstructs. "tied
 * ~encoder" also uses the encoder's weights, transposed. */
#ifndef DCMPI_NET_TEXT_H
#define DCMPI_NET_TEXT_H

#include "dcmpi/nn.h"

enum { DC_NET_TEXT_MAX = 4096, DC_NET_WHY_MAX = 320, DC_NET_WIDTH_MAX = 1 << 24 };

typedef struct {
    dc_layer_kind kind;
    int64_t width;  /* dense: 0: the width of the data */
    dc_image image; /* dense: the width as an image, if it is given as one; deconv: h and w of "out=", 0: not given */
    int64_t kh, kw, channels, stride, pad; /* of the other kinds; pooling has no channels */
    dc_padding padding;
    dc_act act;
    dc_norm norm;
    dc_layer_rules rules;
    int column; /* where its width or kernel stands in the text, from 1; 0: not read from a text */
} dc_layer_text;
typedef struct {
    int n;
    dc_layer_text layer[DC_MAX_LAYERS];
} dc_part_text;

typedef enum { DC_DECODER_MIRROR, DC_DECODER_TIED, DC_DECODER_OWN, DC_DECODER_NONE } dc_decoder_kind;
typedef struct {
    dc_image image;  /* of the data; c 0: their rows are no images */
    bool names_only; /* the data are not known yet: the net gets names, kinds and rules of its layers, but no shapes */
    dc_part_text encoder;
    dc_decoder_kind kind;
    dc_act output_act; /* of a mirrored decoder, as is the next */
    dc_norm output_norm;
    dc_part_text decoder; /* DC_DECODER_OWN */
} dc_net_text;

/* False: why[] says what is wrong and in which column, counted in characters from 1. */
bool dc_net_text_encoder(const char *text, dc_net_text *out, char why[DC_NET_WHY_MAX]);
/* Parses the layers of any network; name: the network's, for messages. */
bool dc_net_text_layers(const char *text, const char *name, dc_part_text *out, char why[DC_NET_WHY_MAX]);
/* Sets kind and decoder. */
bool dc_net_text_decoder(const char *text, dc_net_text *out, char why[DC_NET_WHY_MAX]);

/* Whether the decoder has the shapes of the encoder in reverse order, whatever the width of the data. */
bool dc_net_text_is_mirror(const dc_net_text *t);
/* Whether a layer is about images. */
bool dc_net_text_has_windows(const dc_net_text *t);
/* Whether a layer takes batch norm over rows alone, not over pixels, too: of one row it would make zeros. */
bool dc_net_text_norms_rows(const dc_net_text *t);
/* Gives a layer its shapes, after one that gives rows of width `in` and, if it does, images; says what is wrong in
 * why[]. */
bool dc_layer_shape(dc_layer *layer, const dc_layer_text *text, int64_t in, dc_image image, char why[DC_NET_WHY_MAX]);
/* Makes *out the mirror of `layer`, which gets those images. False: pooling has no mirror. */
bool dc_layer_mirror(const dc_layer *layer, dc_image image, dc_layer *out);
/* The layer as text; image: what its rows are. Returns the length. */
size_t dc_layer_format(const dc_layer *layer, char *out, size_t cap);
/* The text of a layer alone. */
dc_layer_text dc_layer_text_of(const dc_layer *layer);
/* The network for rows of D columns. Errors: DC_ERR_USAGE for a decoder of another width, too many layers, widths out
 * of range, images that do not fit. */
DC_CHECKED dc_status dc_net_build(dc_net *net, int64_t D, const dc_net_text *t);
/* A chain of layers "name_0", "name_1" ... for rows of D columns, without a decoder. Its parameters start at float
 * `at`, and the random streams of its weights start at `stream`. Errors: DC_ERR_USAGE, telling what is wrong with the
 * text. */
DC_CHECKED dc_status dc_net_chain(dc_net *net, const char *name, int64_t D, const char *text, size_t at, int stream);
/* Writes the encoder or the decoder as text that parses to the same layers. */
void dc_net_text_format(const dc_net *net, bool decoder, char out[DC_NET_TEXT_MAX]);

#endif
