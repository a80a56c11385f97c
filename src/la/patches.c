/* Copies patches out of images, and adds them to images. See window.h.
 *
 * The values that a window sees in one row of an image lie side by side, so a patch is kh runs of kw * c values. */
#include <string.h>

#include "dcmpi/window.h"

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return DC_MAX(lo, DC_MIN(v, hi));
}

/* A call of memcpy costs more than a few values. */
static inline void copy(const float *from, int64_t n, float *to)
{
    enum { FEW = 12 };
    if (n > FEW)
        memcpy(to, from, (size_t)n * sizeof *to);
    else
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
}

static inline void zero(int64_t n, float *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = 0;
}

/* Elements [lo, hi) of the run that begins at column x of an image row; row NULL: outside the image. */
static inline void copy_run(const dc_window *w, const float *row, int64_t x, int64_t lo, int64_t hi, float *out)
{
    const int64_t begin = row ? clamp(-x * w->c, lo, hi) : hi, end = row ? clamp((w->w - x) * w->c, begin, hi) : hi;
    if (begin > lo) zero(begin - lo, out);
    if (end > begin) copy(row + x * w->c + begin, end - begin, out + (begin - lo));
    if (hi > end) zero(hi - end, out + (end - lo));
}

static const float *image_row(const dc_window *w, const float *image, int64_t y)
{
    return y >= 0 && y < w->h ? image + y * w->w * w->c : NULL;
}

void dc_patches(const dc_window *w, const float *image, int64_t first, int64_t columns, float *out)
{
    const int64_t run = w->kw * w->c, last = first + columns;
    for (int64_t oy = 0; oy < w->down; oy++)
        for (int64_t ox = 0; ox < w->across; ox++)
            for (int64_t ky = first / run; ky * run < last; ky++) {
                const int64_t lo = DC_MAX(first - ky * run, (int64_t)0), hi = DC_MIN(last - ky * run, run);
                copy_run(w, image_row(w, image, oy * w->stride - w->top + ky), ox * w->stride - w->left, lo, hi, out);
                out += hi - lo;
            }
}

void dc_patches_add(const dc_window *w, const float *patches, float *image)
{
    const int64_t run = w->kw * w->c;
    for (int64_t oy = 0; oy < w->down; oy++)
        for (int64_t ox = 0; ox < w->across; ox++)
            for (int64_t ky = 0; ky < w->kh; ky++, patches += run) {
                float *row = (float *)image_row(w, image, oy * w->stride - w->top + ky);
                const int64_t x = ox * w->stride - w->left, begin = clamp(-x * w->c, 0, run),
                              end = clamp((w->w - x) * w->c, begin, run);
                for (int64_t i = begin; row && i < end; i++) row[x * w->c + i] += patches[i];
            }
}
