/* Shapes of the layers of a network, above all of those about images. See net_text.h. */
#include <stdarg.h>
#include <stdio.h>

#include "dcmpi/net_text.h"

/* Places of a window along one side of an image, and the pixels that stand before it. */
static int64_t places_along(int64_t size, int64_t kernel, const dc_layer_text *t, int64_t *before)
{
    *before = 0;
    if (t->padding == DC_PAD_SAME) {
        const int64_t places = (size + t->stride - 1) / t->stride;
        *before = DC_MAX((places - 1) * t->stride + kernel - size, (int64_t)0) / 2;
        return places;
    }
    if (t->padding == DC_PAD_NUMBER) *before = t->pad;
    const int64_t room = size + 2 * *before - kernel;
    return room < 0 ? 0 : room / t->stride + 1;
}

static dc_window window_over(const dc_layer_text *t, dc_image image)
{
    dc_window w = {.h = image.h, .w = image.w, .c = image.c, .kh = t->kh, .kw = t->kw, .stride = t->stride};
    w.down = places_along(image.h, t->kh, t, &w.top);
    w.across = places_along(image.w, t->kw, t, &w.left);
    return w;
}

/* Size of the image of a transposed convolution along one side, if its text does not say it: that of Keras or
 * PyTorch. */
static int64_t size_back(int64_t places, int64_t kernel, const dc_layer_text *t)
{
    if (t->padding == DC_PAD_SAME) return places * t->stride;
    if (t->padding == DC_PAD_VALID) return places * t->stride + DC_MAX(kernel - t->stride, (int64_t)0);
    return (places - 1) * t->stride - 2 * t->pad + kernel;
}

static bool refuse(char why[DC_NET_WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(char why[DC_NET_WHY_MAX], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, DC_NET_WHY_MAX, format, list);
    va_end(list);
    return false;
}

typedef struct {
    char text[64];
} shown;
static shown show(dc_image i)
{
    shown s;
    snprintf(s.text, sizeof s.text, "%lldx%lldx%lld", (long long)i.h, (long long)i.w, (long long)i.c);
    return s;
}

static int64_t pixels_of(dc_image i)
{
    return i.h * i.w * i.c;
}

static bool fits(dc_image i, char why[DC_NET_WHY_MAX])
{
    int64_t values;
    const bool ok = i.h >= 1 && i.w >= 1 && i.c >= 1 && !__builtin_mul_overflow(i.h, i.w, &values) &&
                    !__builtin_mul_overflow(values, i.c, &values) && values <= DC_NET_WIDTH_MAX;
    return ok || refuse(why, "it would give images of %s, and rows have 1..%d values", show(i).text, DC_NET_WIDTH_MAX);
}

/* The weights of a window. */
static bool weights_fit(const dc_layer *layer, char why[DC_NET_WHY_MAX])
{
    enum { WEIGHTS_MAX = 1 << 30 };
    const dc_window *w = &layer->window;
    int64_t weights;
    const bool ok = !__builtin_mul_overflow(w->kh * w->kw, w->c * layer->channels, &weights) && weights <= WEIGHTS_MAX;
    return ok || refuse(why, "it would have more than %d weights", WEIGHTS_MAX);
}

static bool shape_conv(dc_layer *layer, const dc_layer_text *t, dc_image image, char why[DC_NET_WHY_MAX])
{
    layer->window = window_over(t, image);
    layer->channels = t->channels > 0 ? t->channels : image.c;
    layer->image = (dc_image){layer->window.down, layer->window.across, layer->channels};
    if (layer->window.down < 1 || layer->window.across < 1)
        return refuse(why, "its window of %lldx%lld does not fit into images of %s", (long long)t->kh, (long long)t->kw,
                      show(image).text);
    return fits(layer->image, why) && weights_fit(layer, why);
}

static bool shape_deconv(dc_layer *layer, const dc_layer_text *t, dc_image image, char why[DC_NET_WHY_MAX])
{
    layer->channels = image.c;
    layer->image =
        t->image.h > 0 ? t->image : (dc_image){size_back(image.h, t->kh, t), size_back(image.w, t->kw, t), 0};
    layer->image.c = t->channels;
    if (!fits(layer->image, why)) return false;
    layer->window = window_over(t, layer->image);
    if (layer->window.down == image.h && layer->window.across == image.w) return weights_fit(layer, why);
    return refuse(why, "the conv of its kernel, stride and padding makes %lldx%lld of images of %s, but it gets %s",
                  (long long)layer->window.down, (long long)layer->window.across, show(layer->image).text,
                  show(image).text);
}

bool dc_layer_shape(dc_layer *layer, const dc_layer_text *t, int64_t in, dc_image image, char why[DC_NET_WHY_MAX])
{
    layer->kind = t->kind;
    layer->act = t->act;
    layer->norm = t->norm;
    layer->rules = t->rules;
    layer->padding = t->padding;
    layer->in = in;
    if (t->kind == DC_LAYER_DENSE) {
        layer->out = t->width;
        layer->image = t->image;
        return true;
    }
    if (image.c == 0)
        return refuse(why,
                      "it needs images, but gets rows of %lld values; a dense layer before it gives images if its "
                      "width is written as HEIGHTxWIDTHxCHANNELS",
                      (long long)in);
    if (pixels_of(image) != in)
        return refuse(why, "rows of %lld values are no images of %s", (long long)in, show(image).text);
    const bool ok = t->kind == DC_LAYER_DECONV ? shape_deconv(layer, t, image, why) : shape_conv(layer, t, image, why);
    layer->out = ok ? pixels_of(layer->image) : 0;
    return ok;
}

bool dc_layer_mirror(const dc_layer *layer, dc_image image, dc_layer *out)
{
    static const dc_layer_kind mirror[] = {
        [DC_LAYER_DENSE] = DC_LAYER_DENSE, [DC_LAYER_CONV] = DC_LAYER_DECONV, [DC_LAYER_DECONV] = DC_LAYER_CONV};
    if (dc_layer_is_pool(layer)) return false;
    *out = *layer;
    out->kind = mirror[layer->kind];
    out->in = layer->out;
    out->out = layer->in;
    out->image = image;
    return true;
}

double dc_layer_flops(const dc_layer *layer)
{
    const double places = dc_layer_has_window(layer) ? (double)dc_window_places(&layer->window) : 1;
    return 2 * places * (double)dc_layer_rows(layer) * (double)dc_layer_columns(layer);
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

dc_layer_text dc_layer_text_of(const dc_layer *layer)
{
    const dc_window *w = &layer->window;
    dc_layer_text t = {
        .kind = layer->kind, .act = layer->act, .norm = layer->norm, .rules = layer->rules, .padding = layer->padding};
    if (layer->kind == DC_LAYER_DENSE) {
        t.width = layer->out;
        t.image = layer->image;
        return t;
    }
    t.kh = w->kh, t.kw = w->kw, t.stride = w->stride, t.pad = w->top;
    t.channels = dc_layer_is_pool(layer) ? 0 : layer->image.c;
    if (layer->kind == DC_LAYER_DECONV &&
        (size_back(w->down, w->kh, &t) != w->h || size_back(w->across, w->kw, &t) != w->w))
        t.image = (dc_image){w->h, w->w, 0};
    return t;
}

static size_t format_window(const dc_layer_text *t, char *out, size_t cap)
{
    const bool pools = t->channels == 0;
    const dc_padding usual = pools ? DC_PAD_VALID : DC_PAD_SAME;
    size_t n = (size_t)snprintf(out, cap, "%lldx%lld", (long long)t->kh, (long long)t->kw);
    if (!pools) n += (size_t)snprintf(out + n, cap - n, "x%lld", (long long)t->channels);
    if (pools ? t->stride != t->kh || t->kh != t->kw : t->stride != 1)
        n += (size_t)snprintf(out + n, cap - n, " /%lld", (long long)t->stride);
    if (t->padding == DC_PAD_NUMBER)
        n += (size_t)snprintf(out + n, cap - n, " pad=%lld", (long long)t->pad);
    else if (t->padding != usual)
        n += (size_t)snprintf(out + n, cap - n, " %s", t->padding == DC_PAD_SAME ? "same" : "valid");
    if (t->image.h > 0)
        n += (size_t)snprintf(out + n, cap - n, " out=%lldx%lld", (long long)t->image.h, (long long)t->image.w);
    return n;
}

size_t dc_layer_format(const dc_layer *layer, char *out, size_t cap)
{
    const dc_layer_text t = dc_layer_text_of(layer);
    size_t n = (size_t)snprintf(out, cap, "%s ", dc_layer_kind_name(layer->kind));
    if (t.kind != DC_LAYER_DENSE) return n + format_window(&t, out + n, cap - n);
    return n + (size_t)(t.image.c > 0 ? snprintf(out + n, cap - n, "%s", show(t.image).text)
                                      : snprintf(out + n, cap - n, "%lld", (long long)t.width));
}

const char *dc_layer_kind_name(dc_layer_kind kind)
{
    static const char *const names[] = {"dense", "conv", "deconv", "maxpool", "avgpool"};
    return names[kind];
}
