/* The shapes of the built-in problem: ten signs, each one way of writing, as chains of quadratic Bezier arcs.
 *
 * The shapes are chosen to differ in topology and direction of strokes, not only in position, because position is what
 * the random pose destroys. No shape is another one turned by an angle that the pose can reach. */
#include "synth.h"

/* Straight piece from the point before to (x, y): its control point is the middle. */
#define LINE(x0, y0, x1, y1)                                                                                           \
    {((x0) + (x1)) / 2.0, ((y0) + (y1)) / 2.0},                                                                        \
    {                                                                                                                  \
        (x1), (y1)                                                                                                     \
    }
#define START(x, y)                                                                                                    \
    {                                                                                                                  \
        (x), (y)                                                                                                       \
    }
#define ARC(cx, cy, x, y)                                                                                              \
    {(cx), (cy)},                                                                                                      \
    {                                                                                                                  \
        (x), (y)                                                                                                       \
    }

const dc_glyph dc_glyphs[DC_GLYPH_CLASSES] = {
    /* ring */
    {1, {{9, {START(0, -1), ARC(.8, -1, .8, 0), ARC(.8, 1, 0, 1), ARC(-.8, 1, -.8, 0), ARC(-.8, -1, 0, -1)}}}},
    /* zigzag */
    {1, {{7, {START(-.8, -.9), LINE(-.8, -.9, .8, -.9), LINE(.8, -.9, -.8, .9), LINE(-.8, .9, .8, .9)}}}},
    /* cross */
    {2, {{3, {START(0, -1), LINE(0, -1, 0, 1)}}, {3, {START(-1, 0), LINE(-1, 0, 1, 0)}}}},
    /* diagonal cross */
    {2, {{3, {START(-.8, -.8), LINE(-.8, -.8, .8, .8)}}, {3, {START(.8, -.8), LINE(.8, -.8, -.8, .8)}}}},
    /* triangle */
    {1, {{7, {START(0, -.9), LINE(0, -.9, .9, .8), LINE(.9, .8, -.9, .8), LINE(-.9, .8, 0, -.9)}}}},
    /* cup */
    {1, {{5, {START(-.8, -.9), ARC(-.8, .95, 0, .95), ARC(.8, .95, .8, -.9)}}}},
    /* ladder */
    {3,
     {{3, {START(-.7, -1), LINE(-.7, -1, -.7, 1)}},
      {3, {START(.7, -1), LINE(.7, -1, .7, 1)}},
      {3, {START(-.7, 0), LINE(-.7, 0, .7, 0)}}}},
    /* hook */
    {1, {{5, {START(-.3, -.9), ARC(1.3, -.8, .3, .1), ARC(-.3, .5, -.3, 1)}}}},
    /* gamma */
    {2, {{3, {START(-.7, 1), LINE(-.7, 1, -.7, -.9)}}, {3, {START(-.7, -.9), LINE(-.7, -.9, .8, -.9)}}}},
    /* bar */
    {1, {{3, {START(0, -1), LINE(0, -1, 0, 1)}}}},
};
