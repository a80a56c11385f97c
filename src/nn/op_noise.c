/* Noise that is a function of the global row number, so it is the same on any rank and thread.
 *
 * Inverted dropout (Srivastava et al., JMLR 2014): a unit becomes 0 with probability `rate`, else it is multiplied by
 * 1/(1-rate). The mask is a function of (seed, step, site, global row, unit): unit u of row r takes word u mod 4 of the
 * generator's block r * ceil(width / 4) + u / 4. So the mask is never stored; the backward pass computes it again. The
 * gradient of dropout is dropout with the same mask, applied to dout. */
#include "dcmpi/op.h"
#include "dcmpi/rng.h"

enum { WORDS = 256 }; /* random words at a time */

/* y = mask * x, or y += mask * x, for one row whose first generator block is `block`. */
static void mask_row(const dc_call *c, uint64_t step, uint64_t block, int64_t width, bool adds, const float *x,
                     float *y)
{
    const double rate = c->node->real[0];
    const uint32_t dropped_below = (uint32_t)(rate * 0x1p32);
    const float kept = (float)(1 / (1 - rate));
    uint32_t word[WORDS];
    for (int64_t u = 0; u < width; u += WORDS, block += WORDS / 4) {
        const int64_t count = DC_MIN((int64_t)WORDS, width - u);
        dc_rng4_many(c->tile->seed, DC_STREAM_DROPOUT, step, block, (size_t)((count + 3) / 4), word);
        for (int64_t j = 0; j < count; j++) {
            const float masked = x[u + j] * (word[j] < dropped_below ? 0 : kept);
            y[u + j] = adds ? y[u + j] + masked : masked;
        }
    }
}

static void mask(const dc_call *c, bool adds, const float *x, float *y)
{
    const int64_t width = c->node->shape.width;
    const uint64_t step = (uint64_t)c->tile->step * DC_MAX_LAYERS + (uint64_t)c->node->whole[0];
    const uint64_t blocks = (uint64_t)(width + 3) / 4;
    for (int64_t i = 0; i < c->tile->n; i++)
        mask_row(c, step, (uint64_t)(c->tile->first_row + c->tile->row[i]) * blocks, width, adds, x + i * width,
                 y + i * width);
}

static void forward(const dc_call *c)
{
    mask(c, false, c->in[0], c->out);
}

static void backward(const dc_call *c)
{
    mask(c, c->adds[0], c->dout, c->din[0]);
}

static void tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    (void)k;
    mask(c, adds, t, out);
}

const dc_op dc_op_dropout = {
    .name = "dropout", .keyed = true, .forward = forward, .backward = backward, .tangent = tangent};

dc_val(dc_dropout)(dc_graph *g, double rate, int site, dc_val x)
{
    if (dc_graph_shape(g, x).space != DC_ROWS)
        return dc_refuse(g, "dropout is for rows of the batch, not for a vector");
    if (!(rate >= 0 && rate < 1)) return dc_refuse(g, "dropout with rate %g, which is not in [0, 1)", rate);
    return dc_record(g, (dc_node){.op = &dc_op_dropout, .n_in = 1, .in = {x.id}, .real = {rate}, .whole = {site}},
                     dc_graph_shape(g, x));
}

/* Columns 4 b .. 4 b + 3 of row r come from the generator's block r * ceil(width / 4) + b. */
static void normal(const dc_call *c)
{
    const int64_t width = c->node->shape.width, blocks = (width + 3) / 4;
    const uint64_t step = (uint64_t)c->tile->step * DC_MAX_LAYERS + (uint64_t)c->node->whole[0];
    for (int64_t i = 0; i < c->tile->n; i++) {
        const uint64_t first = (uint64_t)(c->tile->first_row + c->tile->row[i]) * (uint64_t)blocks;
        for (int64_t b = 0; b < blocks; b++) {
            uint32_t w[4];
            double x[4];
            dc_rng4(c->tile->seed, DC_STREAM_NOISE, step, first + (uint64_t)b, w);
            dc_rng_normal2(w[0], w[1], x);
            dc_rng_normal2(w[2], w[3], x + 2);
            for (int64_t j = 4 * b; j < DC_MIN(4 * b + 4, width); j++) c->out[i * width + j] = (float)x[j - 4 * b];
        }
    }
}

static const dc_op op_normal = {.name = "normal", .keyed = true, .forward = normal};

dc_val(dc_noise)(dc_graph *g, int64_t width, int site)
{
    return dc_record(g, (dc_node){.op = &op_normal, .whole = {site}}, (dc_shape){DC_ROWS, 1, width});
}
