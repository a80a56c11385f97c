#include "embeddings_ref.h"

#include <math.h>

#include "dcmpi/rng.h"

static void words(uint64_t seed, int kind, int64_t number, int64_t block, uint32_t w[4])
{
    dc_rng4(seed, DC_STREAM_CORPUS, ((uint64_t)kind << 44) + (uint64_t)number, (uint64_t)block, w);
}

static void vector(uint64_t seed, int kind, int64_t number, int64_t D, double *v)
{
    for (int64_t c = 0; c < D; c++) {
        uint32_t w[4];
        words(seed, kind, number, c / 4, w);
        v[c] = -510;
        for (int byte = 0; byte < 4; byte++) v[c] += w[c % 4] >> (8 * byte) & 255;
    }
}

static double dot(const double *x, const double *y, int64_t D)
{
    double sum = 0;
    for (int64_t c = 0; c < D; c++) sum += x[c] * y[c];
    return sum;
}

static bool is_copy(const dc_builtin *b, uint64_t seed, dc_gidx row)
{
    uint32_t w[4];
    words(seed, 1, row, 0, w);
    return row > 0 && (w[2] + 0.5) / 4294967296.0 < b->duplicates;
}

/* Integral of t^-exponent from 1 to x. */
static double mass(double exponent, double x)
{
    return exponent == 1 ? log(x) : (pow(x, 1 - exponent) - 1) / (1 - exponent);
}

void dc_embedding_ref(const dc_builtin *b, uint64_t seed, dc_gidx row, double *x, dc_embedding_plan *plan)
{
    uint32_t w[4];
    double centre[256], noise[256];
    const int64_t D = b->D;
    *plan = (dc_embedding_plan){.source = row, .cosine = 1};
    if (is_copy(b, seed, row)) {
        words(seed, 1, row, 0, w);
        plan->cosine = b->cosine + (1 - b->cosine) * dc_rng_unit(w[3]);
        words(seed, 2, row, 0, w);
        plan->source = (dc_gidx)(dc_rng_unit53(w[0], w[1]) * (double)row);
        while (is_copy(b, seed, plan->source)) plan->source--;
    }
    words(seed, 1, plan->source, 0, w);
    const double u = dc_rng_unit53(w[0], w[1]), all = mass(b->exponent, (double)b->C + 1);
    while (plan->part < b->C - 1 && mass(b->exponent, (double)plan->part + 2) / all <= u) plan->part++;
    vector(seed, 3, plan->part, D, centre);
    vector(seed, 4, plan->source, D, noise);
    for (int64_t c = 0; c < D; c++)
        x[c] = centre[c] / sqrt(dot(centre, centre, D)) + b->spread * noise[c] / sqrt(21845.0 * (double)D);
    const double length = sqrt(dot(x, x, D));
    for (int64_t c = 0; c < D; c++) x[c] /= length;
    if (plan->source == row) return;
    vector(seed, 5, row, D, noise);
    const double along = dot(noise, x, D), aside = sqrt(dot(noise, noise, D) - along * along);
    for (int64_t c = 0; c < D; c++)
        x[c] = plan->cosine * x[c] + sqrt(1 - plan->cosine * plan->cosine) * (noise[c] - along * x[c]) / aside;
}
