/* Generated embeddings: a mixture on the sphere, with near duplicates.
 *
 * Part k of the mixture has a share that is the integral of t^-exponent over [k+1, k+2], and a random centre of length
 * 1. A row is its centre plus a random vector of mean square `spread`^2, scaled to length 1; so it has a cosine of
 * about 1 / sqrt(1 + spread^2) with the centre, and of about 1 / (1 + spread^2) with another row of the part. A share
 * of the rows are copies of an earlier row, turned away from it in a random direction, so that the cosine of the two is
 * known.
 *
 * Random vectors have components that are sums of four bytes: whole numbers, close to normal, drawn without tables or
 * calls. Nothing is kept from row to row: centres are drawn again for each row, so that any number of parts takes no
 * memory. */
#include "embeddings.h"

#include <math.h>

#include "dcmpi/rng.h"

/* Kinds of draws: the upper bits of the `step` of dc_rng4; the lower ones are a row or a part. Never renumber. */
enum { DRAW_ROW = 1, DRAW_SOURCE = 2, DRAW_CENTRE = 3, DRAW_NOISE = 4, DRAW_TURN = 5, NUMBER_BITS = 44 };

static uint64_t step_of(int kind, int64_t number)
{
    return (uint64_t)kind << NUMBER_BITS | (uint64_t)number;
}

typedef struct {
    double part;   /* in (0, 1) */
    bool copy;     /* whether the row is a copy */
    double cosine; /* in (0, 1): where between b->cosine and 1 */
} draw;

static draw draw_row(const dc_builtin *b, uint64_t seed, dc_gidx row)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_CORPUS, step_of(DRAW_ROW, row), 0, w);
    return (draw){dc_rng_unit53(w[0], w[1]), row > 0 && dc_rng_unit(w[2]) < b->duplicates, dc_rng_unit(w[3])};
}

/* A random earlier row, or the nearest row before that which is no copy; row 0 is none. */
static dc_gidx draw_source(const dc_builtin *b, uint64_t seed, dc_gidx row)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_CORPUS, step_of(DRAW_SOURCE, row), 0, w);
    dc_gidx source = DC_MIN((dc_gidx)(dc_rng_unit53(w[0], w[1]) * (double)row), row - 1);
    while (draw_row(b, seed, source).copy) source--;
    return source;
}

/* The part at u of the cumulative shares. */
static int64_t part_at(const dc_builtin *b, double u)
{
    const double last = (double)b->C + 1, power = 1 - b->exponent;
    const double t = power == 0 ? pow(last, u) : pow(1 + u * (pow(last, power) - 1), 1 / power);
    return DC_MAX(DC_MIN((int64_t)t, b->C) - 1, (int64_t)0);
}

dc_embedding_plan dc_embedding_plan_of(const dc_builtin *b, uint64_t seed, dc_gidx row)
{
    draw d = draw_row(b, seed, row);
    dc_embedding_plan plan = {.source = row, .cosine = 1};
    if (d.copy) {
        plan.source = draw_source(b, seed, row);
        plan.cosine = b->cosine + (1 - b->cosine) * d.cosine;
        d = draw_row(b, seed, plan.source);
    }
    plan.part = part_at(b, d.part);
    return plan;
}

/* ---- Vectors ----------------------------------------------------------------------------------------------------- */

/* Of a component: the sum of four bytes minus 510. */
static const double VARIANCE = 4 * (256.0 * 256.0 - 1) / 12;

static int32_t component(uint32_t w)
{
    return (int32_t)((w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24)) - 510;
}

/* word[D] = the components of a random vector. */
static void draw_vector(uint64_t seed, int kind, int64_t number, int64_t D, uint32_t *word)
{
    dc_rng4_many(seed, DC_STREAM_CORPUS, step_of(kind, number), 0, (size_t)(D + 3) / 4, word);
}

static double dot(const double *x, const double *y, int64_t D)
{
    double sum = 0;
    for (int64_t c = 0; c < D; c++) sum += x[c] * y[c];
    return sum;
}

static void scale(double *x, int64_t D, double by)
{
    for (int64_t c = 0; c < D; c++) x[c] *= by;
}

/* x = a row that is no copy. */
static void original(const dc_builtin *b, uint64_t seed, dc_gidx row, int64_t part, const dc_embedding_scratch *s)
{
    const int64_t D = b->D;
    int64_t square = 0;
    draw_vector(seed, DRAW_CENTRE, part, D, s->word);
    for (int64_t c = 0; c < D; c++) {
        const int64_t v = component(s->word[c]);
        square += v * v;
        s->x[c] = (double)v;
    }
    scale(s->x, D, 1 / sqrt((double)DC_MAX(square, (int64_t)1)));
    draw_vector(seed, DRAW_NOISE, row, D, s->word);
    const double by = b->spread / sqrt(VARIANCE * (double)D);
    for (int64_t c = 0; c < D; c++) s->x[c] += by * component(s->word[c]);
    scale(s->x, D, 1 / sqrt(dot(s->x, s->x, D)));
}

/* Turns x, of length 1, away from where it is, so that the old and the new x have this cosine. */
static void turn(uint64_t seed, dc_gidx row, int64_t D, double cosine, const dc_embedding_scratch *s)
{
    draw_vector(seed, DRAW_TURN, row, D, s->word);
    for (int64_t c = 0; c < D; c++) s->t[c] = component(s->word[c]);
    const double along = dot(s->t, s->x, D);
    for (int64_t c = 0; c < D; c++) s->t[c] -= along * s->x[c];
    const double length = sqrt(dot(s->t, s->t, D)), by = length > 0 ? sqrt(1 - cosine * cosine) / length : 0;
    for (int64_t c = 0; c < D; c++) s->x[c] = cosine * s->x[c] + by * s->t[c];
}

void dc_embedding_row(const dc_builtin *b, uint64_t seed, dc_gidx row, const dc_embedding_plan *plan,
                      const dc_embedding_scratch *s)
{
    original(b, seed, plan->source, plan->part, s);
    if (plan->source != row) turn(seed, row, b->D, plan->cosine, s);
}
