/* Private to train/: the frozen lower layers of a stack and their kernels. */
#ifndef DCMPI_TRAIN_FROZEN_KERN_H
#define DCMPI_TRAIN_FROZEN_KERN_H

#include "dcmpi/step.h"

/* Number of rows of a tile, which one thread sends through the layers; number of rows that are sorted into tiles at a
 * time. */
enum { DC_FROZEN_TILE_ROWS = 16, DC_FROZEN_CHUNK_ROWS = 1024 };

typedef struct {
    const dc_dataset *data; /* borrowed, as are the next two; none of them may change while in use here */
    const dc_net *net;
    const float *value;
    int depth;       /* layers [0, depth) are frozen; 0: the data themselves */
    dc_graph *graph; /* the frozen layers; like the next five owned, and NULL while not needed */
    dc_infer *infer;
    int32_t *order; /* [DC_FROZEN_CHUNK_ROWS] scratch */
    int64_t room;   /* if the layers read sparse rows: values of a tile, at most */
    int32_t *col;   /* [threads x room] scratch, like the next */
    float *val;
    float *cache; /* [n x width] outputs of all local rows, owned; NULL: computed when asked for */
} dc_frozen;

/* Outputs of the frozen layers (depth > 0) for n local row numbers: out[n x width]. A row has the same bits in every
 * call and on every rank and thread. */
void dc_frozen_forward(const dc_frozen *f, const int64_t *rows, int64_t n, float *out);
/* out[i] = cache[rows[i]]. */
void dc_frozen_copy(const dc_frozen *f, const int64_t *rows, int64_t n, float *out);

/* Width of the outputs. */
static inline int64_t dc_frozen_width(const dc_frozen *f)
{
    return f->depth == 0 ? f->net->D : f->net->layer[f->depth - 1].out;
}

#endif
