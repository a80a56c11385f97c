/* Rows in another order, over ranks: items that move to other places, and a sort of all rows. */
#ifndef DCMPI_ORDER_H
#define DCMPI_ORDER_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* An item of `bytes` bytes for each local row: array[n x bytes], or what gather() writes for n local rows in any order,
 * as dc_dataset_gather() does. Borrowed. */
typedef struct {
    size_t bytes;
    const void *array;
    void (*gather)(const void *ctx, const int64_t *row, int64_t n, void *out); /* used if array is NULL */
    const void *ctx;
} dc_items;

/* Brings the item of local row i to place to[i] of all N places, which the ranks own as they own rows: out[n x bytes].
 * to[n]: all ranks' together hold each place once. Goes in rounds of at most 8 MiB out and in (but at least an item
 * from and to each rank). Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_items_move(dc_comm *comm, const dc_part *part, const dc_gidx *to, const dc_items *items,
                                   void *out);
/* Memory that this takes on this rank besides its arrays. Local. */
double dc_items_move_bytes(const dc_part *part, size_t bytes);

/* What rows are sorted by: first, then second, then the row. */
typedef struct {
    int64_t first;
    double second; /* not NaN */
    dc_gidx row;   /* each row has one key */
} dc_sort_key;
/* key[n]: the keys of this rank's rows, on return those of its places. No rank ever holds more than n and n keys,
 * however equal these are. Collective; the same for every number of ranks. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_order(dc_comm *comm, const dc_part *part, dc_sort_key *key);
/* Memory that this takes on this rank besides the keys. Local. */
double dc_order_bytes(const dc_part *part);

#endif
