/* Windows that move over images. An image is a row [h x w x c], channels together as in Keras: the value of channel k
 * at (y, x) is element (y * w + x) * c + k. A window [kh x kw] takes `down` x `across` places, `stride` pixels apart,
 * the first with its corner at (-top, -left); what it sees outside the image is 0.
 *
 * A patch is what a window sees at one place, [kh x kw x c]. So a convolution is a product of patches with weights. */
#ifndef DCMPI_WINDOW_H
#define DCMPI_WINDOW_H

#include "dcmpi/base.h"

typedef struct {
    int64_t h, w, c;
    int64_t kh, kw, stride, top, left;
    int64_t down, across;
} dc_window;

static inline int64_t dc_window_image(const dc_window *w)
{
    return w->h * w->w * w->c;
}
static inline int64_t dc_window_patch(const dc_window *w)
{
    return w->kh * w->kw * w->c;
}
static inline int64_t dc_window_places(const dc_window *w)
{
    return w->down * w->across;
}

/* Columns [first, first + columns) of the patches of one image: out[places x columns]. */
void dc_patches(const dc_window *w, const float *image, int64_t first, int64_t columns, float *out);
/* Adds patches[places x patch] to the image where they came from, place by place; the parts outside are dropped. */
void dc_patches_add(const dc_window *w, const float *patches, float *image);

#endif
