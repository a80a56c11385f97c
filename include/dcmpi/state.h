/* The state of a run, by name.
 *
 * Each part of the program registers the arrays that it needs to go on later (dc_state_keep), and drops them before it
 * frees them. Arrays that can be computed from others are not registered. A checkpoint holds all registered arrays.
 * When a run continues, the arrays of the checkpoint wait to be claimed: an array that is registered under the same
 * name gets the saved values, so that work goes on where it was. Values reach a checkpoint, and come back from it,
 * through rank 0 and in pieces of at most DC_STATE_PIECE_BYTES. So no rank holds more than the arrays and one piece.
 * `s` may be NULL in every function: then nothing is kept or saved. */
#ifndef DCMPI_STATE_H
#define DCMPI_STATE_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;
typedef struct dc_state dc_state;

/* ---- State ------------------------------------------------------------------------------------------------------- */

typedef enum { DC_STATE_F32, DC_STATE_F64, DC_STATE_I64 } dc_state_type;
enum { DC_STATE_NAME_MAX = 64, DC_STATE_ARRAYS_MAX = 96, DC_STATE_PIECE_BYTES = 4 << 20 };
size_t dc_state_type_bytes(dc_state_type type);

/* How a checkpoint describes an array. */
typedef struct {
    char name[DC_STATE_NAME_MAX]; /* "cluster/moment1": a path */
    dc_state_type type;
    size_t n;       /* values */
    size_t width;   /* values per row, if the array has a row for each row of the data; else 0 */
    int64_t number; /* the value, if the array is a single integer and still waits */
} dc_state_array;

/* Registers an array with the same values on all ranks. *restored (may be NULL): whether it got the values of the
 * checkpoint. All ranks register the same arrays in the same order. Collective, as are the next three functions.
 * Errors: DC_ERR_FORMAT (the checkpoint has another length or type under this name, or has been damaged since the
 * start), DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_state_keep(dc_comm *comm, dc_state *s, const char *name, dc_state_type type, size_t n,
                                   void *data, bool *restored);

/* For an array of which each rank holds a share: gather() collects a piece of the whole array from all ranks, take()
 * copies this rank's share of a piece into `own`. piece[n]: values [first, first + n) of the whole array. `own` is as
 * long as the whole array, and the share has the same indices in both. */
typedef struct {
    void (*gather)(dc_comm *comm, const void *ctx, const float *own, size_t first, size_t n,
                   float *piece); /* piece: rank 0 only, else NULL */
    void (*take)(const void *ctx, const float *piece, size_t first, size_t n, float *own);
    const void *ctx;
} dc_state_shares;
/* As dc_state_keep, for floats of which each rank holds a share; *shares is copied, its ctx borrowed. */
DC_CHECKED dc_status dc_state_keep_shares(dc_comm *comm, dc_state *s, const char *name, size_t n, float *data,
                                          const dc_state_shares *shares);
/* As dc_state_keep, for a table with a row for each row of the data: data[rows of this rank x width], width >= 1. The
 * run may continue on any number of ranks. */
DC_CHECKED dc_status dc_state_keep_rows(dc_comm *comm, dc_state *s, const char *name, dc_state_type type, size_t width,
                                        const dc_part *part, void *data);
/* As dc_state_keep, for an array that grows: each checkpoint gets the first *rows rows, of `width` values each, at
 * *data. Both pointers are borrowed. *data has room for `capacity` rows; a run that continues must first make room for
 * the values that wait (dc_state_waiting). DC_ERR_FORMAT also if the waiting values do not form whole rows. */
DC_CHECKED dc_status dc_state_keep_growing(dc_comm *comm, dc_state *s, const char *name, dc_state_type type,
                                           size_t width, size_t *rows, void *const *data, size_t capacity);
/* Forgets the array at `data`. For an array that grows, pass the pointer `rows` of dc_state_keep_growing() instead.
 * Call this before the memory is freed. */
void dc_state_drop(dc_state *s, const void *data);
/* The waiting array of this name, or NULL; for work that must know its length before registering. */
const dc_state_array *dc_state_waiting(const dc_state *s, const char *name);
/* Bytes of all values that are registered now. */
double dc_state_bytes(const dc_state *s);
/* Whether the run continues from a checkpoint. */
bool dc_state_continues(const dc_state *s);

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

/* What the work is doing, for messages; phase: static text. Local, cheap. */
void dc_state_at(dc_state *s, const char *phase, int64_t step);
const char *dc_state_phase(const dc_state *s);
int64_t dc_state_step(const dc_state *s);
/* During a save: whether it is the save at the end of a phase. */
bool dc_state_ends_phase(const dc_state *s);

/* The wishes to save or stop (wish.h), for work that makes a reduction anyway: add the number from dc_state_ask() to
 * it, and give the sum over all ranks to dc_state_hear(). Local. */
double dc_state_ask(dc_state *s);
void dc_state_hear(dc_state *s, double sum);
/* Acts on what was heard last: saves if a save is wanted, and returns DC_STOPPED if the run must stop. Call it where
 * the registered arrays are consistent. Collective. Errors: DC_ERR_IO if the run must stop and the checkpoint could not
 * be written; otherwise such a failure is only a WARNING, and the next try comes sooner. DC_ERR_NUMERIC if an array
 * that should be the same on all ranks is not; then nothing is saved. */
DC_CHECKED dc_status dc_state_act(dc_comm *comm, dc_state *s);
/* ask, sum, hear, act. */
DC_CHECKED dc_status dc_state_poll(dc_comm *comm, dc_state *s);
/* At the end of a phase: always saves, and returns DC_STOPPED if a wish to stop was heard before. Collective. Errors:
 * those of dc_state_act. */
DC_CHECKED dc_status dc_state_end_phase(dc_comm *comm, dc_state *s);
/* While `part` is true, what ends is a part of a phase, such as the clustering for one of many numbers of clusters:
 * dc_state_end_phase() only polls. Local. */
void dc_state_in_part(dc_state *s, bool part);

/* ---- Life -------------------------------------------------------------------------------------------------------- */

/* How to write checkpoints, and how to read the one that this run continues from. Called on rank 0 only. */
typedef struct {
    /* Begins a checkpoint of these arrays. Then put() brings their values in this order; a piece never spans two
     * arrays. end() follows each begin() that succeeded; so_far: the first error since begin(), or DC_OK. */
    dc_status (*begin)(void *ctx, const dc_state *s, const dc_state_array *array, int n);
    dc_status (*put)(void *ctx, const void *data, size_t bytes);
    dc_status (*end)(void *ctx, const dc_state *s, dc_status so_far);
    /* Values [first, first + n) of the waiting array with this index; pieces of one array come in order. */
    dc_status (*load)(void *ctx, int index, size_t first, size_t n, void *out);
    void (*loaded)(void *ctx); /* called when no array waits any more; may be NULL */
    void *ctx;
} dc_state_config;
/* The state obeys the wishes of the communicator (dc_comm_set_wish). waiting[n]: the arrays of the checkpoint that the
 * run continues from, equal on all ranks; n = 0: there is none. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_state_create(dc_comm *comm, dc_state **out, const dc_state_config *cfg,
                                     const dc_state_array *waiting, int n);
void dc_state_destroy(dc_state **s);

#endif
