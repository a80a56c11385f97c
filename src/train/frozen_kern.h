/* Private to train/: the frozen lower layers of a stack and their kernels. */
#ifndef DCMPI_TRAIN_FROZEN_KERN_H
#define DCMPI_TRAIN_FROZEN_KERN_H

#include "dcmpi/data.h"
#include "dcmpi/nn.h"

/* Rows of a tile. Every product has this many, short tiles are padded with zero rows: a row then has the same bits
 * whether all rows or those of a batch are computed. */
enum { DC_FROZEN_TILE_ROWS = 64 };

typedef struct {
    const dc_dataset *data; /* borrowed, as are the next two; they must not change meanwhile */
    const dc_net *net;
    const float *value;
    int depth; /* layers [0, depth) are frozen; 0: the data themselves */
    int n_threads;
    dc_net_work *work; /* [n_threads], owned; NULL if cached */
    float *cache;      /* [n x width] outputs of all local rows, owned; NULL: computed when asked for */
} dc_frozen;

/* Outputs of the frozen layers (depth > 0) for n local row numbers, or rows 0..n-1 if `rows` is NULL: out[n x width].
 */
void dc_frozen_forward(const dc_frozen *f, const int64_t *rows, int64_t n, float *out);
/* out[i] = cache[rows[i]]. */
void dc_frozen_copy(const dc_frozen *f, const int64_t *rows, int64_t n, float *out);
int dc_frozen_threads(void);

/* Width of the outputs. */
static inline int64_t dc_frozen_width(const dc_frozen *f)
{
    return f->depth == 0 ? f->net->D : f->net->layer[f->depth - 1].out;
}

#endif
