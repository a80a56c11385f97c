/* Reads networks from text and writes them as text. See net_text.h.
 *
 * A layer starts with the name of its kind, followed by words that this kind understands; the kinds are rows of a
 * table. Nothing is guessed: a word without a meaning is an error, which names the word and its column. */
#include "dcmpi/net_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/text.h"

enum { WORD_MAX = 64, WIDTH_DIGITS = 8, NAMES_MAX = 16 };
static const int64_t width_max = 1 << 20; /* as for model.hidden */
static const double rate_max = 1e6;       /* as for lr_factors */

/* ---- Words ------------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *at; /* just after the word that was read last */
    int column;     /* of *at */
    int word_column;
    char word[WORD_MAX];  /* "": the layer has no more words */
    const char *part;     /* for messages: "encoder", "decoder" or the net's name */
    int layer;            /* number of the current layer in this part */
    dc_part_text *layers; /* of this part */
    char *why;
} reader;

/* Returns false. column: where the mistake is. */
static bool refuse(const reader *r, int column, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(const reader *r, int column, const char *format, ...)
{
    va_list list;
    const int n = snprintf(r->why, DC_NET_WHY_MAX, "column %d, layer %s_%d: ", column, r->part, r->layer);
    va_start(list, format);
    vsnprintf(r->why + n, DC_NET_WHY_MAX - (size_t)n, format, list);
    va_end(list);
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Continuation bytes of a UTF-8 character do not count as columns. */
static void step(reader *r)
{
    r->at++;
    r->column += ((unsigned char)*r->at & 0xC0) != 0x80;
}

/* Reads the next word of the layer into r->word; a word longer than any valid one is cut between two characters. */
static void next_word(reader *r)
{
    while (is_blank(*r->at)) step(r);
    const char *begin = r->at;
    r->word_column = r->column;
    while (*r->at && *r->at != ',' && !is_blank(*r->at)) step(r);
    dc_printable(r->word, sizeof r->word, begin, (size_t)(r->at - begin));
}

static bool is_word(const reader *r)
{
    return r->word[0] != 0;
}

/* ", did you mean 'relu'?" or "". */
static const char *hint(char out[WORD_MAX + 32], const char *word, const char *const *names, int n)
{
    const int near = dc_nearest_name(word, names, n);
    out[0] = 0;
    if (near >= 0) snprintf(out, WORD_MAX + 32, ", did you mean '%s'?", names[near]);
    return out;
}

/* ---- What layers of all kinds may have --------------------------------------------------------------------------- */

static bool read_init(const reader *r, const char *name, dc_layer_text *out)
{
    const char *names[NAMES_MAX];
    char near[WORD_MAX + 32];
    int n = 0;
    for (dc_init i = DC_INIT_FAN_IN; i <= DC_INIT_NORMAL; i++) names[n++] = dc_init_name(i);
    if (out->rules.has_init) return refuse(r, r->word_column, "'%s' is a second init", r->word);
    out->rules.has_init = dc_init_find(name, &out->rules.init);
    return out->rules.has_init ||
           refuse(r, r->word_column, "'%s' names no scheme of first weights%s", r->word, hint(near, name, names, n));
}

/* Accepts digits with a point or an exponent, but none of the other forms that strtod reads. */
static bool read_number(const char *text, double *out)
{
    char *end;
    if (strspn(text, "0123456789.eE+-") != strlen(text) || strspn(text, "0123456789.") == 0) return false;
    *out = strtod(text, &end);
    return *end == 0;
}

static bool read_rate(const reader *r, const char *number, dc_layer_text *out)
{
    if (out->rules.has_rate) return refuse(r, r->word_column, "'%s' is a second rate", r->word);
    out->rules.has_rate = read_number(number, &out->rules.rate) && out->rules.rate >= 0 && out->rules.rate <= rate_max;
    return out->rules.has_rate || refuse(r, r->word_column, "'%s' has no factor in 0..%.0f", r->word, rate_max);
}

static bool read_activation(const reader *r, bool *has, dc_layer_text *out)
{
    const char *names[NAMES_MAX];
    char near[WORD_MAX + 32];
    int n = 0;
    for (int a = 0; a < DC_ACTS; a++) names[n++] = dc_act_name((dc_act)a);
    const bool found = dc_act_find(r->word, &out->act);
    if (found && *has) return refuse(r, r->word_column, "'%s' is a second activation", r->word);
    *has |= found;
    return found || refuse(r, r->word_column, "'%s' is no activation, bn, ln, init=SCHEME or rate=FACTOR%s", r->word,
                           hint(near, r->word, names, n));
}

/* Numbers 1 .. width_max with an x between them; returns how many, at most 3, or 0. */
static int read_sizes(const char *text, int64_t size[3])
{
    for (int n = 0; n < 3; text++) {
        const size_t digits = strspn(text, "0123456789");
        size[n] = digits >= 1 && digits <= WIDTH_DIGITS && *text != '0' ? strtoll(text, NULL, 10) : 0;
        text += digits;
        if (size[n++] == 0 || size[n - 1] > width_max) return 0;
        if (*text == 0) return n;
        if (*text != 'x') return 0;
    }
    return 0;
}

typedef struct {
    bool stride, padding, out; /* words that were read */
} window_words;

static bool once(const reader *r, bool *has, const char *what)
{
    if (*has) return refuse(r, r->word_column, "'%s' is a second %s", r->word, what);
    *has = true;
    return true;
}

static bool read_stride(const reader *r, window_words *has, dc_layer_text *out)
{
    int64_t size[3];
    if (read_sizes(r->word + 1, size) != 1) return refuse(r, r->word_column, "'%s' is no stride, such as /2", r->word);
    out->stride = size[0];
    return once(r, &has->stride, "stride");
}

/* Zeros may not fill a window. */
static bool read_pad(const reader *r, window_words *has, dc_layer_text *out)
{
    const char *pixels = r->word + strlen("pad=");
    const size_t digits = strspn(pixels, "0123456789");
    out->padding = DC_PAD_NUMBER;
    out->pad = digits >= 1 && digits <= WIDTH_DIGITS && pixels[digits] == 0 ? strtoll(pixels, NULL, 10) : INT64_MAX;
    if (out->pad >= DC_MIN(out->kh, out->kw))
        return refuse(r, r->word_column, "'%s' is no number of pixels below the size of the window", r->word);
    return once(r, &has->padding, "padding");
}

static bool read_out(const reader *r, window_words *has, dc_layer_text *out)
{
    int64_t size[3];
    if (read_sizes(r->word + strlen("out="), size) != 2)
        return refuse(r, r->word_column, "'%s' is no HEIGHTxWIDTH", r->word);
    out->image = (dc_image){size[0], size[1], 0};
    return once(r, &has->out, "size");
}

/* Reads a word that only layers with windows have; *is: whether it is one. */
static bool read_window_word(const reader *r, window_words *has, dc_layer_text *out, bool *is)
{
    const bool same = strcmp(r->word, "same") == 0;
    *is = out->kind != DC_LAYER_DENSE;
    if (*is && r->word[0] == '/') return read_stride(r, has, out);
    if (*is && strncmp(r->word, "pad=", 4) == 0) return read_pad(r, has, out);
    if (out->kind == DC_LAYER_DECONV && strncmp(r->word, "out=", 4) == 0) return read_out(r, has, out);
    *is &= same || strcmp(r->word, "valid") == 0;
    if (!*is) return true;
    out->padding = same ? DC_PAD_SAME : DC_PAD_VALID;
    return once(r, &has->padding, "padding");
}

static bool is_pool(const dc_layer_text *layer)
{
    return layer->kind == DC_LAYER_MAXPOOL || layer->kind == DC_LAYER_AVGPOOL;
}

static bool read_norm(const reader *r, dc_norm norm, dc_layer_text *out)
{
    if (out->norm) return refuse(r, r->word_column, "'%s' is a second norm", r->word);
    out->norm = norm;
    return true;
}

/* Reads the words after those that the kind itself has read. */
static bool read_rest(reader *r, dc_layer_text *out)
{
    bool has_act = false, is;
    window_words has = {0};
    dc_norm norm;
    for (next_word(r); is_word(r); next_word(r)) {
        if (!read_window_word(r, &has, out, &is)) return false;
        if (is) continue;
        if (is_pool(out))
            return refuse(r, r->word_column, "'%s' is no stride and no padding, all that pooling has", r->word);
        const bool ok = strncmp(r->word, "init=", 5) == 0   ? read_init(r, r->word + 5, out)
                        : strncmp(r->word, "rate=", 5) == 0 ? read_rate(r, r->word + 5, out)
                        : dc_norm_find(r->word, &norm)      ? read_norm(r, norm, out)
                                                            : read_activation(r, &has_act, out);
        if (!ok) return false;
    }
    return true;
}

/* ---- Kinds of layers --------------------------------------------------------------------------------------------- */

static bool read_width(const reader *r, dc_layer_text *out)
{
    int64_t size[3];
    if (strcmp(r->word, "data") == 0) return true;
    if (!is_word(r)) return refuse(r, r->word_column, "a width is missing");
    const int n = read_sizes(r->word, size);
    if (n == 1) out->width = size[0];
    if (n == 3) {
        out->image = (dc_image){size[0], size[1], size[2]};
        out->width = size[0] * size[1] <= width_max ? size[0] * size[1] * size[2] : INT64_MAX;
    }
    if (out->width >= 1 && out->width <= width_max) return true;
    return refuse(r, r->word_column, "'%s' is no width, 1..%lld", r->word, (long long)width_max);
}

/* dense WIDTH */
static bool read_dense(reader *r, dc_layer_text *out)
{
    next_word(r);
    out->column = r->word_column;
    return read_width(r, out);
}

/* conv KERNEL, deconv KERNEL */
static bool read_conv(reader *r, dc_layer_text *out)
{
    int64_t size[3];
    next_word(r);
    out->column = r->word_column;
    if (!is_word(r)) return refuse(r, r->word_column, "a kernel is missing: HEIGHTxWIDTHxCHANNELS, such as 5x5x32");
    if (read_sizes(r->word, size) != 3)
        return refuse(r, r->word_column, "'%s' is no kernel HEIGHTxWIDTHxCHANNELS, such as 5x5x32", r->word);
    out->kh = size[0], out->kw = size[1], out->channels = size[2];
    out->stride = 1;
    return true;
}

/* maxpool SIZE, avgpool SIZE */
static bool read_pool(reader *r, dc_layer_text *out)
{
    int64_t size[3];
    next_word(r);
    out->column = r->word_column;
    if (!is_word(r)) return refuse(r, r->word_column, "a size is missing: HEIGHTxWIDTH, such as 2x2");
    if (read_sizes(r->word, size) != 2)
        return refuse(r, r->word_column, "'%s' is no size HEIGHTxWIDTH, such as 2x2", r->word);
    out->kh = size[0], out->kw = size[1];
    out->stride = size[0] == size[1] ? size[0] : 0;
    out->padding = DC_PAD_VALID;
    return true;
}

static bool (*const kinds[])(reader *r, dc_layer_text *out) = {/* reads the kind's own words, after its name */
                                                               [DC_LAYER_DENSE] = read_dense,
                                                               [DC_LAYER_CONV] = read_conv,
                                                               [DC_LAYER_DECONV] = read_conv,
                                                               [DC_LAYER_MAXPOOL] = read_pool,
                                                               [DC_LAYER_AVGPOOL] = read_pool};

/* A window that is not square has no stride of its own. */
static bool check_stride(const reader *r, const dc_layer_text *out)
{
    if (out->kind == DC_LAYER_DENSE || out->stride > 0) return true;
    return refuse(r, out->column, "a window of %lldx%lld needs a stride, such as /%lld", (long long)out->kh,
                  (long long)out->kw, (long long)out->kh);
}

static bool read_layer(reader *r, dc_layer_text *out)
{
    const char *names[DC_COUNT_OF(kinds)];
    char near[WORD_MAX + 32];
    *out = (dc_layer_text){.act = DC_ACT_LINEAR};
    next_word(r);
    if (!is_word(r)) return refuse(r, r->word_column, "a layer is missing");
    for (size_t i = 0; i < DC_COUNT_OF(kinds); i++) {
        names[i] = dc_layer_kind_name((dc_layer_kind)i);
        if (strcmp(r->word, names[i]) != 0) continue;
        out->kind = (dc_layer_kind)i;
        return kinds[i](r, out) && read_rest(r, out) && check_stride(r, out);
    }
    return refuse(r, r->word_column, "'%s' is no kind of layer%s", r->word,
                  hint(near, r->word, names, (int)DC_COUNT_OF(kinds)));
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

static bool read_layers(reader *r)
{
    for (;; step(r), r->layer++) {
        if (r->layer == DC_MAX_LAYERS - 1)
            return refuse(r, r->column, "a network has at most %d layers", DC_MAX_LAYERS);
        if (!read_layer(r, &r->layers->layer[r->layer])) return false;
        r->layers->n = r->layer + 1;
        if (*r->at == 0) return true;
    }
}

/* Only the last layer of a decoder may have the width 'data'. */
static bool check_data(reader *r, bool decodes)
{
    for (r->layer = 0; r->layer < r->layers->n - decodes; r->layer++) {
        const dc_layer_text *layer = &r->layers->layer[r->layer];
        if (layer->kind == DC_LAYER_DENSE && layer->width == 0)
            return refuse(r, layer->column, "'data' is a width for the decoder's last layer alone");
    }
    return true;
}

static reader start(const char *text, const char *part, dc_part_text *layers, char *why)
{
    *layers = (dc_part_text){0};
    return (reader){.at = text, .column = 1, .part = part, .layers = layers, .why = why};
}

/* Refuses an embedding that is wider than one of the layers before it. */
static bool check_narrowest(reader *r)
{
    const dc_layer_text *last = &r->layers->layer[r->layers->n - 1];
    r->layer = r->layers->n - 1;
    for (int l = 0; l < r->layer; l++)
        if (last->kind == DC_LAYER_DENSE && r->layers->layer[l].kind == DC_LAYER_DENSE &&
            r->layers->layer[l].width < last->width)
            return refuse(r, last->column, "the embedding has width %lld, more than the %lld of encoder_%d before it",
                          (long long)last->width, (long long)r->layers->layer[l].width, l);
    return true;
}

bool dc_net_text_encoder(const char *text, dc_net_text *out, char why[DC_NET_WHY_MAX])
{
    reader r = start(text, "encoder", &out->encoder, why);
    return read_layers(&r) && check_data(&r, false) && check_narrowest(&r);
}

bool dc_net_text_layers(const char *text, const char *name, dc_part_text *out, char why[DC_NET_WHY_MAX])
{
    reader r = start(text, name, out, why);
    return read_layers(&r) && check_data(&r, false);
}

/* "~encoder" or "tied ~encoder". */
static bool is_mirror(reader r, bool *tied)
{
    next_word(&r);
    *tied = strcmp(r.word, "tied") == 0;
    if (*tied) next_word(&r);
    const bool is = strcmp(r.word, "~encoder") == 0;
    next_word(&r);
    return is && !is_word(&r) && *r.at == 0;
}

bool dc_net_text_decoder(const char *text, dc_net_text *out, char why[DC_NET_WHY_MAX])
{
    bool tied;
    reader r = start(text, "decoder", &out->decoder, why);
    if (is_mirror(r, &tied)) {
        out->kind = tied ? DC_DECODER_TIED : DC_DECODER_MIRROR;
        return true;
    }
    out->kind = DC_DECODER_OWN;
    if (strchr(text, '~') || strncmp(text, "tied", 4) == 0)
        return refuse(&r, 1, "a decoder is ~encoder, tied ~encoder, or layers: dense 500 relu, dense data");
    return read_layers(&r) && check_data(&r, true);
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

/* The shortest text that reads back to the same bits. */
static void format_number(double v, char out[32])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, v);
        if (strtod(out, NULL) == v) return;
    }
}

static size_t format_layer(const dc_layer *layer, char *out, size_t cap)
{
    size_t n = dc_layer_format(layer, out, cap);
    char rate[32];
    if (layer->norm) n += (size_t)snprintf(out + n, cap - n, " %s", dc_norm_name(layer->norm));
    if (layer->act != DC_ACT_LINEAR) n += (size_t)snprintf(out + n, cap - n, " %s", dc_act_name(layer->act));
    if (layer->rules.has_init) n += (size_t)snprintf(out + n, cap - n, " init=%s", dc_init_name(layer->rules.init));
    if (!layer->rules.has_rate) return n;
    format_number(layer->rules.rate, rate);
    return n + (size_t)snprintf(out + n, cap - n, " rate=%s", rate);
}

void dc_net_text_format(const dc_net *net, bool decoder, char out[DC_NET_TEXT_MAX])
{
    const int first = decoder ? net->n_encoder : 0, last = decoder ? net->n_layers : net->n_encoder;
    size_t n = 0;
    if (net->layer[first].tied) {
        snprintf(out, DC_NET_TEXT_MAX, "tied ~encoder");
        return;
    }
    for (int l = first; l < last; l++) {
        if (l > first) n += (size_t)snprintf(out + n, DC_NET_TEXT_MAX - n, ", ");
        n += format_layer(&net->layer[l], out + n, DC_NET_TEXT_MAX - n);
    }
}
