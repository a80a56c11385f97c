/* Private to sum/: what a dc_sum holds. */
#ifndef DCMPI_SUM_PRIV_H
#define DCMPI_SUM_PRIV_H

#define DC_COMM_NO_POSITION
#include "dcmpi/sum.h"
#include "tree.h"

struct dc_sum {
    const dc_part *part;
    size_t m;
    dc_tree_rule rule; /* join is NULL: addition */
    int threads;
    size_t leaf_stride; /* doubles between the leaves of two threads: whole cache lines */
    double *leaves;     /* [threads * leaf_stride] */

    int shard;            /* shard of the last leaf; all shards before it are in `shards` */
    int64_t shard_blocks; /* leaves of this shard so far */
    size_t pushed;        /* leaves so far */
    dc_tree blocks;       /* sums over the blocks of this shard */
    dc_tree shards;       /* sums over the shards of this rank, later over all shards */
    double *slab;         /* vectors of both trees */

    bool gathers;       /* every rank gets whole roots (short vectors); false: slices */
    size_t *roots;      /* [P] how many roots with rows each rank has */
    size_t *send_bytes; /* [P] */
    size_t *recv_bytes; /* [P] */
    double *packed;     /* own roots, slice by slice */
    double *received;   /* roots of all ranks, whole or one slice */
};

/* dc_sum_create() with another limit, in bytes, up to which the roots of all ranks are gathered whole; with a rule,
 * that always is so. */
DC_CHECKED dc_status dc_sum_create_limit(dc_sum **out, const dc_part *part, size_t m, size_t gather_limit_bytes,
                                         const dc_tree_rule *rule);
/* Memory that it would allocate with a rule. */
double dc_sum_ruled_bytes(const dc_part *part, size_t m);

#endif
