/* The state of a run, by name.
 *
 * Work registers the arrays that it cannot compute again while it holds them (dc_state_keep); a checkpoint is all of
 * them together. When a run continues, the arrays of the checkpoint wait here, and an array that is registered under
 * the name of one of them gets its values: work finds itself where it was. What a phase can compute again from its
 * arrays it does not register. Every function takes NULL, which keeps nothing and never saves. */
#ifndef DCMPI_STATE_H
#define DCMPI_STATE_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;
typedef struct dc_state dc_state;

/* ---- State ------------------------------------------------------------------------------------------------------- */

typedef enum { DC_STATE_F32, DC_STATE_F64, DC_STATE_I64 } dc_state_type;
enum { DC_STATE_NAME_MAX = 64, DC_STATE_ARRAYS_MAX = 96 };

/* How an array of which each rank holds a share in its own place becomes whole, and back. */
typedef struct {
    void (*gather)(dc_comm *comm, const void *ctx, const float *own, float *all); /* all: rank 0 only, else NULL */
    void (*take)(const void *ctx, const float *all, float *own);
    const void *ctx;
} dc_state_shares;

typedef struct {
    char name[DC_STATE_NAME_MAX]; /* "cluster/moment1": a path */
    dc_state_type type;
    size_t n;
    void *data;
} dc_state_array;
size_t dc_state_type_bytes(dc_state_type type);

/* Registers an array that is the same on all ranks; *restored (may be NULL): it has got the values of the checkpoint.
 * The arrays and their order are the same on all ranks. Local. Errors: DC_ERR_FORMAT (the checkpoint has another length
 * or type under this name), equal on all ranks. */
DC_CHECKED dc_status dc_state_keep(dc_state *s, const char *name, dc_state_type type, size_t n, void *data,
                                   bool *restored);
/* The same for floats of which each rank holds a share; *shares is copied, its ctx borrowed. */
DC_CHECKED dc_status dc_state_keep_shares(dc_state *s, const char *name, size_t n, float *data,
                                          const dc_state_shares *shares);
/* The same for an array that grows while it is kept: whenever the run saves, the first *rows rows of `width` values at
 * *data are what it holds. Both pointers are borrowed. A run that continues makes room for what waits first
 * (dc_state_waiting); `capacity`: rows that *data has room for. Errors: DC_ERR_FORMAT (another type, no whole rows). */
DC_CHECKED dc_status dc_state_keep_rows(dc_state *s, const char *name, dc_state_type type, size_t width, size_t *rows,
                                        void *const *data, size_t capacity);
/* Forgets the array at `data`, or the growing array whose number of rows is at `data`. Call it before the memory is
 * freed. */
void dc_state_drop(dc_state *s, const void *data);
/* A waiting array, or NULL: for work that must know its length first. */
const dc_state_array *dc_state_waiting(const dc_state *s, const char *name);
/* Whether the run continues from a checkpoint. */
bool dc_state_continues(const dc_state *s);

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

/* What the work is doing, for messages; phase: static text. Local, cheap. */
void dc_state_at(dc_state *s, const char *phase, int64_t step);
const char *dc_state_phase(const dc_state *s);
int64_t dc_state_step(const dc_state *s);
/* While it saves: whether that is the end of the phase. */
bool dc_state_ends_phase(const dc_state *s);

/* Wishes of wish.h, for a reduction that is made anyhow. Local. */
double dc_state_ask(dc_state *s);
void dc_state_hear(dc_state *s, double sum);
/* Does what was heard last: saves, and stops with DC_STOPPED. Call where the registered arrays are consistent.
 * Collective. Errors: DC_ERR_IO if a stop was wanted and no checkpoint could be written; a failure of any other
 * checkpoint is a WARNING, and the next is tried sooner. DC_ERR_NUMERIC if an array that should be the same on all
 * ranks is not; nothing is then saved. */
DC_CHECKED dc_status dc_state_act(dc_comm *comm, dc_state *s);
/* ask, sum, hear, act. */
DC_CHECKED dc_status dc_state_poll(dc_comm *comm, dc_state *s);
/* At the end of a phase: saves, and stops with DC_STOPPED if that was heard meanwhile. Collective. Errors: as act. */
DC_CHECKED dc_status dc_state_end_phase(dc_comm *comm, dc_state *s);

/* ---- Life -------------------------------------------------------------------------------------------------------- */

typedef struct {
    /* Writes a checkpoint of these arrays, and whatever else belongs to it. Rank 0 only. */
    dc_status (*save)(void *ctx, const dc_state *s, const dc_state_array *array, int n);
    void *ctx;
} dc_state_config;
/* Listens to the wishes of the communicator. waiting[n]: arrays of a checkpoint, equal on all ranks, or none; their
 * memory (dc_mem) is taken over. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_state_create(dc_comm *comm, dc_state **out, const dc_state_config *cfg,
                                     const dc_state_array *waiting, int n);
void dc_state_destroy(dc_state **s);

#endif
