/* Private to train/: sends tiles of rows through a method's inference. */
#ifndef DCMPI_TRAIN_EMBED_KERN_H
#define DCMPI_TRAIN_EMBED_KERN_H

#include "dcmpi/train.h"

/* Every product has the number of rows of a full tile; a short tile is padded with zero rows. So a row's bits depend at
 * most on its place in its tile (with oneDNN not even on that), and not on the other rows. */
enum { DC_EMBED_TILE_MIN = 16, DC_EMBED_TILE_MAX = 256 };

typedef struct {
    int64_t lo, n; /* local rows [lo, lo + n) */
} dc_embed_tile;

/* Visits the tiles of this rank's rows in order; each block of the partition begins a new tile. Start with {0}. */
typedef struct {
    dc_block block;
    int64_t next; /* local row */
} dc_tile_cursor;
bool dc_embed_next_tile(const dc_part *part, int64_t tile_rows, dc_tile_cursor *cursor, dc_embed_tile *tile);

struct dc_embedder {
    int64_t tile_rows, D, L, K;
    size_t n_tiles;
    dc_embed_tile *tile; /* [n_tiles], owned */
    dc_graph *graph;     /* the method's inference, owned */
    dc_infer *infer;     /* owned */
    const dc_csr *csr;   /* the rows, if the inference reads them sparse; borrowed */
    int Z, q, label;     /* indices of its outputs; Z or label -1: there is none */
};

/* Makes room for at most max_tiles tiles, but lists none. env: as for dc_embedder_create, but env->part is not used. */
DC_CHECKED dc_status dc_embedder_alloc(dc_embedder **out, const dc_method *method, const dc_method_env *env,
                                       int64_t tile_rows, size_t max_tiles);

/* Embeds the rows of tiles [lo, hi). */
void dc_embed_tiles(const dc_embedder *e, const dc_dataset *data, size_t lo, size_t hi, const dc_embedded *out);

#endif
