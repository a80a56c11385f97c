/* Inverted dropout. Unit u of global row r takes word u mod 4 of the generator's block r * ceil(width / 4) + u / 4, so
 * a mask can be made again anywhere: in the backward pass, and on any rank or thread. It is never stored. */
#include "dcmpi/nn.h"
#include "dcmpi/rng.h"

enum { WORDS = 256 }; /* random words at a time */

/* Units [0, width) of one row whose first generator block is `block`. */
static void dropout_row(const dc_dropout *mask, uint64_t step, uint64_t block, int64_t width, const float *x, float *y)
{
    const uint32_t dropped_below = (uint32_t)(mask->rate * 0x1p32);
    const float kept = (float)(1 / (1 - mask->rate));
    uint32_t word[WORDS];
    for (int64_t u = 0; u < width; u += WORDS, block += WORDS / 4) {
        const int64_t count = DC_MIN((int64_t)WORDS, width - u);
        dc_rng4_many(mask->seed, DC_STREAM_DROPOUT, step, block, (size_t)((count + 3) / 4), word);
        for (int64_t j = 0; j < count; j++) y[u + j] = x[u + j] * (word[j] < dropped_below ? 0 : kept);
    }
}

void dc_dropout_apply(const dc_dropout *mask, const int64_t *rows, int64_t n, int64_t width, const float *X, float *Y)
{
    const uint64_t step = (uint64_t)mask->step * DC_MAX_LAYERS + (uint64_t)mask->site;
    const uint64_t blocks = (uint64_t)(width + 3) / 4;
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t i = 0; i < n; i++)
        dropout_row(mask, step, (uint64_t)(mask->first_row + rows[i]) * blocks, width, X + i * width, Y + i * width);
}
