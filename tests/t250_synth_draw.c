/* Drawing of the built-in problem: the table of shapes, distances to strokes against the twin. Seed 7. */
#include "check.h"
#include "dcmpi/rng.h"
#include "ref/synth_ref.h"

static const double FAR = 1e6, REACH = 2.2;

static dc_stroke random_stroke(uint64_t index, int n, double lo, double hi)
{
    dc_stroke s = {.n = n};
    for (int i = 0; i < n; i++) {
        uint32_t w[4];
        dc_rng4(7, DC_STREAM_TEST, (uint64_t)i, index, w);
        s.point[i] = (dc_point){lo + (hi - lo) * dc_rng_unit(w[0]), lo + (hi - lo) * dc_rng_unit(w[1])};
    }
    return s;
}

/* Largest error of the distances within reach; *missed: pixels beyond the reach that came out nearer than it. */
static double worst_error(const dc_stroke *s, int *missed)
{
    double d2[DC_GLYPH_PIXELS], worst = 0;
    for (int i = 0; i < DC_GLYPH_PIXELS; i++) d2[i] = FAR;
    dc_stroke_distance2(s, REACH, d2);
    for (int i = 0; i < DC_GLYPH_PIXELS; i++) {
        const double want = dc_stroke_distance_ref(s, i % DC_GLYPH_SIDE, i / DC_GLYPH_SIDE);
        if (want <= REACH)
            worst = fmax(worst, fabs(sqrt(d2[i]) - want));
        else if (d2[i] < REACH * REACH)
            (*missed)++;
    }
    return worst;
}

static void test_distance(void)
{
    double worst = 0;
    int missed = 0;
    for (uint64_t k = 0; k < 60; k++) {
        const dc_stroke inside = random_stroke(k, 3 + 2 * (int)(k % 5), 2, 26);
        const dc_stroke around = random_stroke(k, 5, -20, 48), outside = random_stroke(k, 3, 40, 60);
        worst = fmax(worst, worst_error(&inside, &missed));
        worst = fmax(worst, worst_error(&around, &missed));
        worst = fmax(worst, worst_error(&outside, &missed));
    }
    CHECK_NEAR(worst, 0, 1e-9);
    CHECK_INT(missed, 0);
}

static void test_degenerate(void)
{
    int missed = 0;
    const dc_stroke dot = {.n = 3, .point = {{9, 9}, {9, 9}, {9, 9}}}, nothing = {.n = 0}, point = {.n = 1};
    CHECK_NEAR(worst_error(&dot, &missed), 0, 1e-12);
    CHECK_INT(missed, 0);
    double d2[DC_GLYPH_PIXELS] = {0};
    d2[0] = FAR;
    dc_stroke_distance2(&nothing, REACH, d2);
    dc_stroke_distance2(&point, REACH, d2);
    CHECK_NEAR(d2[0], FAR, 0);
}

/* With several strokes the nearest one counts, in any order. */
static void test_two_strokes(void)
{
    const dc_stroke a = random_stroke(100, 5, 2, 26), b = random_stroke(101, 5, 2, 26);
    double ab[DC_GLYPH_PIXELS], ba[DC_GLYPH_PIXELS];
    for (int i = 0; i < DC_GLYPH_PIXELS; i++) ab[i] = ba[i] = FAR;
    dc_stroke_distance2(&a, REACH, ab);
    dc_stroke_distance2(&b, REACH, ab);
    dc_stroke_distance2(&b, REACH, ba);
    dc_stroke_distance2(&a, REACH, ba);
    CHECK(memcmp(ab, ba, sizeof ab) == 0);
}

static bool stroke_is_sound(const dc_stroke *s)
{
    bool ok = s->n >= 3 && s->n % 2 == 1 && s->n <= DC_STROKE_POINTS_MAX;
    for (int i = 0; ok && i < s->n; i += 2) ok = fabs(s->point[i].x) <= 1 && fabs(s->point[i].y) <= 1;
    return ok;
}

static void test_shapes(void)
{
    for (int c = 0; c < DC_GLYPH_CLASSES; c++) {
        const dc_glyph *g = &dc_glyphs[c];
        bool ok = g->n >= 1 && g->n <= DC_GLYPH_STROKES_MAX && g->name[0];
        for (int s = 0; ok && s < g->n; s++) ok = stroke_is_sound(&g->stroke[s]);
        for (int other = 0; ok && other < c; other++) ok = strcmp(g->name, dc_glyphs[other].name) != 0;
        CHECK(ok);
    }
}

/* The straight pieces stay within a fifth of a pixel of the curve at the size glyphs are drawn. */
static void test_flatness(void)
{
    double worst = 0;
    for (int c = 0; c < DC_GLYPH_CLASSES; c++)
        for (int k = 0; k < dc_glyphs[c].n; k++) {
            dc_stroke s = dc_glyphs[c].stroke[k];
            for (int i = 0; i < s.n; i++) s.point[i] = (dc_point){13.5 + 8 * s.point[i].x, 13.5 + 8 * s.point[i].y};
            for (int i = 0; i < DC_GLYPH_PIXELS; i++) {
                const double x = i % DC_GLYPH_SIDE, y = i / DC_GLYPH_SIDE;
                worst = fmax(worst, fabs(dc_stroke_distance_ref(&s, x, y) - dc_curve_distance_ref(&s, x, y, 400)));
            }
        }
    CHECK_NEAR(worst, 0, 0.2);
}

int main(void)
{
    test_distance();
    test_degenerate();
    test_two_strokes();
    test_shapes();
    test_flatness();
    return check_done();
}
