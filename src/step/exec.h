/* Private to step/: a recorded step in execution. */
#ifndef DCMPI_STEP_EXEC_H
#define DCMPI_STEP_EXEC_H

#include "dcmpi/la.h"
#include "dcmpi/outer.h"
#include "dcmpi/step.h"

/* Up to DC_ROW_TILE rows of one leaf. */
typedef struct {
    int leaf;
    int64_t first, n; /* rows [first, first + n) of the leaf */
} dc_step_tile;

struct dc_step {
    dc_step_config cfg;
    dc_plan plan;
    dc_batcher batcher;
    int64_t *rows;       /* [batcher.capacity] local numbers of this step's rows */
    int64_t *shard_rows; /* [shards of this rank] */
    int64_t *offset;     /* [P + 1] */
    dc_places places;    /* of this step */
    float *slab;         /* [places.max_rows x plan.row_floats] */
    float *scratch;      /* [plan.scratch] */
    float *spill;        /* [places.max_rows x plan.spill] */
    dc_step_tile *tile;  /* those of this step */
    int n_tiles;
    dc_outer_item *item; /* [plan.n_products] */
    dc_outer *outer;
    int n_threads;
    double *leaf;  /* [n_threads x plan.n_sums] */
    double *total; /* [plan.n_sums] */
};

/* Buffer of a node that begins at float `at` of a row. */
static inline float *dc_step_buffer(const dc_step *s, size_t at)
{
    return s->slab + at * (size_t)s->places.max_rows;
}
/* call.c: the operands of node i from place `at` of the buffers on. */
dc_call dc_step_call(const dc_step *s, int i, int64_t at, const dc_tile *tile);

/* exec_kern.c */
int dc_step_threads(void);
/* Operations [first, last), all for tiles, over all tiles of the step. */
void dc_step_forward_tiles(const dc_step *s, int first, int last);
/* Their gradients, last operation first. */
void dc_step_backward_tiles(const dc_step *s, int first, int last);
/* Losses and partial gradients of every leaf, handed to the sum in order. */
void dc_step_sum_leaves(dc_step *s);

#endif
