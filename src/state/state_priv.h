/* Private to state*.c: the registered arrays of a run's state. */
#ifndef DCMPI_STATE_PRIV_H
#define DCMPI_STATE_PRIV_H

#include "dcmpi/comm.h"
#include "dcmpi/state.h"
#include "dcmpi/wish.h"

/* Which rank holds which part of an array. */
typedef enum {
    DC_KEPT_SAME,   /* each rank holds all of it */
    DC_KEPT_GROWS,  /* like SAME, but its length and address change */
    DC_KEPT_SHARES, /* each rank holds a share */
    DC_KEPT_ROWS    /* each rank holds what belongs to its rows of the data */
} dc_kept_kind;

typedef struct {
    dc_kept_kind kind;
    dc_state_array array; /* if the array grows, without its length */
    void *data;           /* NULL if the array grows */
    dc_state_shares shares;
    dc_part part;
    /* Only if the array grows: */
    size_t *rows, row_width;
    void *const *growing;
} dc_kept;

struct dc_state {
    dc_state_config cfg;
    int rank, P;
    dc_kept kept[DC_STATE_ARRAYS_MAX];
    int n_kept;
    dc_state_array waiting[DC_STATE_ARRAYS_MAX]; /* an array that has been taken has the name "" */
    int n_waiting, n_left;
    bool continues;
    const char *phase;
    int64_t step;
    bool ends_phase;
    bool in_part;
    dc_wish *wish;  /* borrowed */
    double retry_s; /* seconds until a failed save is tried again */
    size_t *counts; /* [2 x P] bytes of a piece that each rank sends and receives */
};

/* Return the array with its current length, and the current address of its values. */
static inline dc_state_array dc_kept_array(const dc_kept *k)
{
    dc_state_array now = k->array;
    if (k->kind == DC_KEPT_GROWS) now.n = *k->rows * k->row_width;
    return now;
}
static inline void *dc_kept_data(const dc_kept *k)
{
    return k->kind == DC_KEPT_GROWS ? *k->growing : k->data;
}
/* counts[P]: how many bytes of values [first, first + n) of a table lie on each rank. Returns the byte offset of this
 * rank's part within its rows. */
static inline size_t dc_kept_counts(const dc_kept *k, int rank, size_t first, size_t n, size_t *counts)
{
    const size_t size = dc_state_type_bytes(k->array.type);
    size_t at = 0;
    for (int r = 0; r < k->part.P; r++) {
        const size_t lo = (size_t)dc_part_rank_begin(&k->part, r) * k->array.width,
                     hi = (size_t)dc_part_rank_begin(&k->part, r + 1) * k->array.width, from = DC_MAX(lo, first),
                     to = DC_MIN(hi, first + n);
        counts[r] = from < to ? (to - from) * size : 0;
        if (r == rank && counts[r] > 0) at = (from - lo) * size;
    }
    return at;
}

#endif
