/* The built-in problem: images of hand-drawn glyphs, made in memory, for runs without data files.
 *
 * A row is one of ten shapes (glyph_shapes.c). Its points are jittered and mapped by a random affine map. The grey
 * value of a pixel follows from its distance to the nearest stroke and from a random pen width; then noise is added.
 * Random pose and pen hide the classes from k-means on pixels; jitter makes every row a new drawing.
 *
 * Every random number is a function of (seed, row) and the arithmetic is +, -, *, / and sqrt in double: a row is the
 * same whichever rank or thread makes it, and on every machine up to the rounding of a grey value. */
#include <math.h>

#include "dcmpi/rng.h"
#include "synth/glyphs.h"

/* Draw blocks: the `step` of dc_rng4. Never renumber: the data would change. */
enum { BLOCK_CLASS = 0, BLOCK_FORM = 1, BLOCK_PLACE = 2, BLOCK_JITTER = 8, BLOCK_NOISE = 64 };
_Static_assert(BLOCK_JITTER + DC_GLYPH_STROKES_MAX * DC_STROKE_POINTS_MAX <= BLOCK_NOISE, "draw blocks overlap");

/* Ranges of the variation, set by trial with 10 000 rows. Shift and the width and brightness of the pen keep k-means on
 * pixels below 0.70 accuracy (a faint image is near every other faint image), yet an autoencoder can tell the shapes
 * apart. */
static const double CENTRE = (DC_GLYPH_SIDE - 1) / 2.0;
static const double SIZE = 8.0;                   /* half the height of an average glyph, pixels */
static const double TURN_MAX = 0.1;               /* tan of half the rotation angle */
static const double SHEAR_MAX = 0.2;              /* x per y */
static const double STRETCH_MAX = 0.15;           /* relative, each axis */
static const double SHIFT_MAX = 1.5;              /* pixels, each axis */
static const double JITTER_MAX = 0.2;             /* glyph units, each coordinate of each point */
static const double PEN_MIN = 0.7, PEN_MAX = 1.7; /* half the pen width, pixels */
static const double INK_MIN = 0.27;               /* grey value of full ink, 1 = white */
static const double NOISE_MAX = 0.06;             /* grey value, uniform in +-, clipped */

static const double DISTANCE2_FAR = 1e6; /* initial squared distance of a pixel, before any stroke: no ink */

typedef struct {
    double xx, xy, yx, yy, x0, y0; /* pixel = (xx xy; yx yy) glyph + (x0, y0) */
    double pen;                    /* half the width, pixels */
    double ink;                    /* grey value in (0, 1) */
} pose;

/* Uniform in (-1, 1). */
static double even(uint32_t w)
{
    return 2 * dc_rng_unit(w) - 1;
}

/* Triangular distribution in (-1, 1), so mostly small: the difference of the word's two halves. */
static double peaked(uint32_t w)
{
    return ((double)(w >> 16) - (double)(w & 0xffff)) * 0x1p-16;
}

static double between(double lo, double hi, uint32_t w)
{
    return lo + (hi - lo) * dc_rng_unit(w);
}

/* Rotation * shear * stretch, then shift. The rotation is the rational parametrisation by t = tan(angle / 2). */
static pose draw_pose(uint64_t seed, dc_gidx row)
{
    uint32_t form[4], place[4];
    dc_rng4(seed, DC_STREAM_SYNTH, BLOCK_FORM, (uint64_t)row, form);
    dc_rng4(seed, DC_STREAM_SYNTH, BLOCK_PLACE, (uint64_t)row, place);
    const double t = TURN_MAX * even(form[0]), shear = SHEAR_MAX * even(form[1]);
    const double sx = SIZE * (1 + STRETCH_MAX * even(form[2])), sy = SIZE * (1 + STRETCH_MAX * even(form[3]));
    const double c = (1 - t * t) / (1 + t * t), s = 2 * t / (1 + t * t);
    return (pose){.xx = c * sx,
                  .xy = (c * shear - s) * sy,
                  .yx = s * sx,
                  .yy = (s * shear + c) * sy,
                  .x0 = CENTRE + SHIFT_MAX * even(place[0]),
                  .y0 = CENTRE + SHIFT_MAX * even(place[1]),
                  .pen = between(PEN_MIN, PEN_MAX, place[2]),
                  .ink = between(INK_MIN, 1, place[3])};
}

/* The stroke in pixels: each point jittered in the glyph's frame, then posed. *block: the next draw block; advanced by
 * the draws made here. */
static void place_stroke(const dc_stroke *in, const pose *p, uint64_t seed, dc_gidx row, uint64_t *block,
                         dc_stroke *out)
{
    out->n = in->n;
    for (int i = 0; i < in->n; i++) {
        uint32_t w[4];
        dc_rng4(seed, DC_STREAM_SYNTH, (*block)++, (uint64_t)row, w);
        const double x = in->point[i].x + JITTER_MAX * peaked(w[0]), y = in->point[i].y + JITTER_MAX * peaked(w[1]);
        out->point[i] = (dc_point){p->xx * x + p->xy * y + p->x0, p->yx * x + p->yy * y + p->y0};
    }
}

/* First and last whole number in [a - reach, b + reach] that lie inside the image; a and b may be in any order. */
static void pixel_range(double a, double b, double reach, int *lo, int *hi)
{
    const double first = ceil(fmin(a, b) - reach), last = floor(fmax(a, b) + reach);
    *lo = (int)fmax(first, 0);
    *hi = (int)fmin(last, DC_GLYPH_SIDE - 1);
}

/* Squared distances to the line segment a-b: its nearest point is a + t (b - a) with t clamped to [0, 1]. */
static void segment_distance2(dc_point a, dc_point b, double reach, double d2[DC_GLYPH_PIXELS])
{
    const double ux = b.x - a.x, uy = b.y - a.y, uu = ux * ux + uy * uy;
    const double inv = uu > 0 ? 1 / uu : 0;
    int x_lo, x_hi, y_lo, y_hi;
    pixel_range(a.x, b.x, reach, &x_lo, &x_hi);
    pixel_range(a.y, b.y, reach, &y_lo, &y_hi);
    for (int y = y_lo; y <= y_hi; y++) {
        double *line = d2 + y * DC_GLYPH_SIDE;
        const double py = y - a.y;
        for (int x = x_lo; x <= x_hi; x++) {
            const double px = x - a.x;
            double t = (px * ux + py * uy) * inv;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            const double dx = px - t * ux, dy = py - t * uy, d = dx * dx + dy * dy;
            line[x] = d < line[x] ? d : line[x];
        }
    }
}

static dc_point arc_at(const dc_point p[3], double t)
{
    const double a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
    return (dc_point){a * p[0].x + b * p[1].x + c * p[2].x, a * p[0].y + b * p[1].y + c * p[2].y};
}

void dc_stroke_distance2(const dc_stroke *stroke, double reach, double d2[DC_GLYPH_PIXELS])
{
    for (int i = 0; i + 2 < stroke->n; i += 2) {
        dc_point from = stroke->point[i];
        for (int piece = 1; piece <= DC_ARC_PIECES; piece++) {
            const dc_point to = arc_at(stroke->point + i, piece / (double)DC_ARC_PIECES);
            segment_distance2(from, to, reach, d2);
            from = to;
        }
    }
}

/* Grey values: full ink inside the pen, a linear edge one pixel wide, uniform noise, clipped to [0, 1]. */
static void ink_pixels(const double d2[DC_GLYPH_PIXELS], const pose *p, uint64_t seed, dc_gidx row, uint8_t *out)
{
    for (int block = 0; block < DC_GLYPH_PIXELS / 16; block++) {
        uint32_t w[4];
        dc_rng4(seed, DC_STREAM_SYNTH, BLOCK_NOISE + (uint64_t)block, (uint64_t)row, w);
        for (int i = 0; i < 16; i++) {
            const int pixel = 16 * block + i;
            const double unit = (w[i / 4] >> (8 * (i % 4)) & 0xff) / 255.0;
            const double cover = fmin(fmax(p->pen + 0.5 - sqrt(d2[pixel]), 0), 1);
            const double grey = p->ink * cover + NOISE_MAX * (2 * unit - 1);
            out[pixel] = (uint8_t)(255 * fmin(fmax(grey, 0), 1) + 0.5);
        }
    }
}

int dc_glyph_class(uint64_t seed, dc_gidx row)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_SYNTH, BLOCK_CLASS, (uint64_t)row, w);
    return (int)((uint64_t)w[0] * DC_GLYPH_CLASSES >> 32);
}

int dc_glyph_row(uint64_t seed, dc_gidx row, uint8_t out[DC_GLYPH_PIXELS])
{
    const int class = dc_glyph_class(seed, row);
    const dc_glyph *glyph = &dc_glyphs[class];
    const pose p = draw_pose(seed, row);
    double d2[DC_GLYPH_PIXELS];
    for (int i = 0; i < DC_GLYPH_PIXELS; i++) d2[i] = DISTANCE2_FAR;
    uint64_t block = BLOCK_JITTER;
    for (int s = 0; s < glyph->n; s++) {
        dc_stroke placed;
        place_stroke(&glyph->stroke[s], &p, seed, row, &block, &placed);
        dc_stroke_distance2(&placed, p.pen + 0.5, d2);
    }
    ink_pixels(d2, &p, seed, row, out);
    return class;
}
