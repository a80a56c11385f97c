/* The shapes of the built-in problem: ten signs, each with one fixed shape, as chains of quadratic Bezier arcs.
 *
 * Chosen by trial: no two share most of their ink at any shift, none is a rotation of another, and their strokes are of
 * similar length, because a shape with much more ink than the others spreads over several clusters. Shapes only: pose,
 * jitter and drawing are in glyphs.c. */
#include "synth/glyphs.h"

/* Points of a chain. A straight piece starts at (x0, y0), the last point so far, and has its control point in the
 * middle. */
#define START(x, y)                                                                                                    \
    {                                                                                                                  \
        (x), (y)                                                                                                       \
    }
#define ARC(cx, cy, x, y)                                                                                              \
    {(cx), (cy)},                                                                                                      \
    {                                                                                                                  \
        (x), (y)                                                                                                       \
    }
#define LINE(x0, y0, x1, y1)                                                                                           \
    {((x0) + (x1)) / 2, ((y0) + (y1)) / 2},                                                                            \
    {                                                                                                                  \
        (x1), (y1)                                                                                                     \
    }

/* clang-format off */
const dc_glyph dc_glyphs[DC_GLYPH_CLASSES] = {
    {"cross", 2, {
        {3, {START(-.8, -.8), LINE(-.8, -.8, .8, .8)}},
        {3, {START(.8, -.8), LINE(.8, -.8, -.8, .8)}}}},
    {"arrow", 2, {
        {5, {START(.2, -.7), LINE(.2, -.7, 1., 0.), LINE(1., 0., .2, .7)}},
        {3, {START(-1, 0), LINE(-1., 0., 1., 0.)}}}},
    {"equals", 2, {
        {3, {START(-.9, -.5), LINE(-.9, -.5, .9, -.5)}},
        {3, {START(-.9, .5), LINE(-.9, .5, .9, .5)}}}},
    {"pin", 2, {
        {9, {START(0, -1), ARC(.45, -1, .45, -.55), ARC(.45, -.1, 0, -.1), ARC(-.45, -.1, -.45, -.55),
             ARC(-.45, -1, 0, -1)}},
        {3, {START(0, -.1), LINE(0., -.1, 0., 1.)}}}},
    {"pipes", 2, {
        {3, {START(-.5, -.9), LINE(-.5, -.9, -.5, .9)}},
        {3, {START(.5, -.9), LINE(.5, -.9, .5, .9)}}}},
    {"spiral", 1, {
        {11, {START(.05, .05), ARC(.45, 0, .3, -.35), ARC(0, -.75, -.5, -.3), ARC(-.9, .4, -.1, .8),
              ARC(.9, 1.1, .9, 0), ARC(.9, -.8, .2, -1)}}}},
    {"two", 2, {
        {7, {START(-.7, -.5), ARC(-.5, -1.2, .2, -.9), ARC(1.1, -.4, .1, .3), ARC(-.3, .6, -.7, .9)}},
        {3, {START(-.7, .9), LINE(-.7, .9, .8, .9)}}}},
    {"wave", 1, {
        {5, {START(-1, .3), ARC(-.6, -1.3, 0, 0), ARC(.6, 1.3, 1, -.3)}}}},
    {"chevron", 1, {
        {5, {START(.6, -.9), LINE(.6, -.9, -.8, 0.), LINE(-.8, 0., .6, .9)}}}},
    {"double-vee", 1, {
        {9, {START(-1, -.8), LINE(-1., -.8, -.5, .8), LINE(-.5, .8, 0., -.6), LINE(0., -.6, .5, .8),
             LINE(.5, .8, 1., -.8)}}}},
};
/* clang-format on */
