/* Private to train/: the embedder and its threaded loop. */
#ifndef DCMPI_TRAIN_EMBED_KERN_H
#define DCMPI_TRAIN_EMBED_KERN_H

#include "dcmpi/train.h"

enum { DC_EMBED_TILE_ROWS = 256 };

typedef struct {
    int64_t lo, n; /* local rows [lo, lo + n) */
} dc_embed_tile;

struct dc_embedder {
    size_t n_tiles;
    int n_threads;
    dc_embed_tile *tile; /* [n_tiles], owned */
    dc_net_work *work;   /* [n_threads], owned */
};

int dc_embed_threads(void);
void dc_embed_tiles(dc_embedder *e, const dc_model *m, float *Z);

#endif
