/* Private to src/synth: the shapes of the built-in problem and the function that draws them. */
#ifndef DCMPI_DATA_SYNTH_H
#define DCMPI_DATA_SYNTH_H

#include "dcmpi/builtin.h"

/* Position in the glyph's own frame (the box [-1, 1]^2, y down) or in pixels (pixel centres at whole numbers). */
typedef struct {
    double x, y;
} dc_point;

/* A stroke is a chain of quadratic Bezier arcs: on-curve points at even places, control points at odd ones, so that
 * arc a is point[2a], point[2a+1], point[2a+2]. n = 2 arcs + 1. */
enum { DC_STROKE_POINTS_MAX = 11, DC_GLYPH_STROKES_MAX = 2 };
typedef struct {
    int n;
    dc_point point[DC_STROKE_POINTS_MAX];
} dc_stroke;
typedef struct {
    const char *name;
    int n;
    dc_stroke stroke[DC_GLYPH_STROKES_MAX];
} dc_glyph;

/* The shape of each class, undistorted. */
extern const dc_glyph dc_glyphs[DC_GLYPH_CLASSES];

/* Each arc is drawn as this many straight pieces. */
enum { DC_ARC_PIECES = 6 };

/* Lowers d2[784] to the squared distance from each pixel centre to this stroke: d2 = min(d2, distance^2). It is exact
 * where the distance is at most `reach` pixels; elsewhere distance^2 may be any larger value. The caller sets d2 before
 * the first stroke. */
void dc_stroke_distance2(const dc_stroke *stroke, double reach, double d2[DC_GLYPH_PIXELS]);

#endif
