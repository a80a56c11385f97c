/* Private to step/: what a recorded step needs while it is executed. */
#ifndef DCMPI_STEP_EXEC_H
#define DCMPI_STEP_EXEC_H

#include "dcmpi/la.h"
#include "dcmpi/outer.h"
#include "dcmpi/step.h"
#include "dcmpi/sum.h"

/* Up to DC_ROW_TILE rows of one leaf. */
typedef struct {
    int leaf;
    int64_t first, n; /* rows [first, first + n) of the leaf */
} dc_step_tile;

struct dc_step {
    dc_step_config cfg;
    dc_plan plan;
    dc_batcher batcher;
    bool expects;        /* rows of the next steps are being read ahead */
    int64_t *rows;       /* [batcher.capacity] local numbers of this step's rows */
    int64_t *shard_rows; /* [shards of this rank] */
    int64_t *offset;     /* [P + 1] */
    dc_places places;    /* of this step */
    dc_csr batch;        /* the rows at these places, if plan.sparse; borrows the next three */
    int64_t *batch_ptr;  /* [places.max_rows + 1] */
    int32_t *batch_col;
    float *batch_val;
    int64_t *batch_row; /* [places.max_rows] local row at each place, -1: none */
    bool odd;           /* injected fault: the first loss of this rank becomes a NaN */
    float *slab;        /* [places.max_rows x plan.row_floats] */
    float *ones;        /* [plan.one_floats] */
    float *scratch;     /* [plan.scratch] */
    float *lanes;       /* [n_threads x plan.lane] */
    float *spill;       /* [places.max_rows x plan.spill] */
    float *all;         /* [rows of the largest batch x plan.all_floats] */
    size_t *all_bytes;  /* [P] */
    dc_step_tile *tile; /* tiles of this step */
    int n_tiles;
    dc_outer_item *item; /* [plan.n_products] */
    dc_outer *outer;
    int n_threads;
    int *leaf_of;      /* [shards of this rank] leaf of this step, -1: none */
    dc_part shards;    /* one row per shard, for the sums within the passes */
    dc_sum *level_sum; /* [plan.largest_level]; NULL if there are no sums within the passes */
    double *level_total;
    double *leaf;  /* [n_threads x plan.n_sums] */
    double *total; /* [plan.n_sums] */
};

/* Buffer of a node; at: floats per row of the buffers before it. */
static inline float *dc_step_buffer(const dc_step *s, size_t at)
{
    return s->slab + at * (size_t)s->places.max_rows;
}
static inline const dc_node *dc_step_node(const dc_step *s, int i)
{
    return &s->plan.graph->node[i];
}
/* Section k of the timers: gather, network, sync, update. */
static inline dc_section dc_step_section(const dc_step *s, int k)
{
    return (dc_section)((int)s->cfg.gather + k);
}
/* Buffer [rows of the whole batch x width]; at: floats per row of the buffers before it. */
static inline float *dc_step_all(const dc_step *s, size_t at)
{
    return s->all + at * (size_t)s->places.B;
}
/* call.c: the call of node i; its operands start at place `at` of the buffers. Its lane is that of thread 0. */
dc_call dc_step_call(const dc_step *s, int i, int64_t at, const dc_tile *tile);

/* passes.c. Collective if the step has sums within its passes. */
void dc_step_forward(dc_comm *comm, dc_step *s);
void dc_step_backward(dc_comm *comm, dc_step *s);

/* gather.c, for operations of this level that have reach ALL: the first gathers the rows that they read, the second
 * what their gradients need. Collective. */
void dc_step_gather_values(dc_comm *comm, dc_step *s, int level);
void dc_step_gather_slopes(dc_comm *comm, dc_step *s, int level);

/* exec_kern.c */
int dc_step_threads(void);
/* How an operation runs: not at all, for all rows at once, tile by tile, or once for its vector. */
typedef enum { DC_RUNS_NOTHING, DC_RUNS_ALL, DC_RUNS_TILES, DC_RUNS_ONCE } dc_runs;
dc_runs dc_step_runs(const dc_step *s, int i);
/* Of operations [first, last), runs those that have this level and run tile by tile. */
void dc_step_forward_tiles(const dc_step *s, int first, int last, int level);
/* Computes the gradients of such operations, last operation first. */
void dc_step_backward_tiles(const dc_step *s, int first, int last, int level);
/* Computes the gradients that operations of this level with reach SUM or ALL give to their rows. */
void dc_step_backward_batch(const dc_step *s, int level);
/* Sums the values of a level over the rows of the batch: total[plan.largest_level]. Collective. */
void dc_step_sum_level(dc_comm *comm, dc_step *s, int level, double *total);
/* Sums what the rows contribute to the gradient of vector i. Collective. */
void dc_step_sum_parts(dc_comm *comm, dc_step *s, int i, double *total);
/* Sums losses and partial gradients within each leaf, and hands the leaves' sums on in leaf order. */
void dc_step_sum_leaves(dc_step *s);

#endif
