/* The operation "largest": of each row only the largest values stay. */
#include "dcmpi/op.h"
#include "dcmpi/spectral.h"

#include <string.h>

void dc_keep_largest(int64_t n, int64_t count, float *x)
{
    float value[DC_LANDMARKS_NEAREST_MAX] = {0};
    int64_t place[DC_LANDMARKS_NEAREST_MAX] = {0}, kept = 0;
    DC_ASSERT(count >= 1 && count <= DC_LANDMARKS_NEAREST_MAX);
    for (int64_t i = 0; i < n; i++) {
        if (kept == count && !(x[i] > value[kept - 1])) continue;
        int64_t at = kept < count ? kept++ : kept - 1;
        for (; at > 0 && x[i] > value[at - 1]; at--) value[at] = value[at - 1], place[at] = place[at - 1];
        value[at] = x[i];
        place[at] = i;
    }
    memset(x, 0, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < kept; i++) x[place[i]] = value[i];
}

static void keep_rows(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    memcpy(c->out, c->in[0], (size_t)(c->tile->n * width) * sizeof *c->out);
    for (int64_t i = 0; i < c->tile->n; i++) dc_keep_largest(width, c->node->whole[0], c->out + i * width);
}

static const dc_op largest = {.name = "largest", .constant = 1, .forward = keep_rows};

dc_val(dc_largest)(dc_graph *g, dc_val x, int64_t count)
{
    const dc_shape rows = dc_graph_shape(g, x);
    if (rows.space != DC_ROWS || count < 1 || count > DC_LANDMARKS_NEAREST_MAX)
        return dc_refuse(g, "no %lld largest values of a row of width %lld", (long long)count, (long long)rows.width);
    return dc_record(g, (dc_node){.op = &largest, .n_in = 1, .in = {x.id}, .whole = {count}}, rows);
}
