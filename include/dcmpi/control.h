/* Between two pieces of work: must this run save its state, or stop? And what is its state?
 *
 * Work registers the arrays that it cannot compute again while it holds them (dc_control_keep); a checkpoint is all of
 * them together. When a run continues, the arrays of the checkpoint wait here, and an array that is registered under
 * the name of one of them gets its values: work finds itself where it was. What a phase can compute again from its
 * arrays it does not register.
 *
 * Wishes come as signals to any rank, from the clock of rank 0, as a file STOP. They are agreed in a sum over ranks,
 * which may ride in a reduction that is made anyhow (ask, hear, act) or be one of its own (poll), so that all ranks
 * save and stop at the same step. Every function takes a NULL control, which never wants anything. */
#ifndef DCMPI_CONTROL_H
#define DCMPI_CONTROL_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;
typedef struct dc_control dc_control;

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
DC_CHECKED dc_status dc_control_keep(dc_control *c, const char *name, dc_state_type type, size_t n, void *data,
                                     bool *restored);
/* The same for floats of which each rank holds a share; *shares is copied, its ctx borrowed. */
DC_CHECKED dc_status dc_control_keep_shares(dc_control *c, const char *name, size_t n, float *data,
                                            const dc_state_shares *shares);
/* The same for an array that grows while it is kept: whenever the run saves, the first *rows rows of `width` values at
 * *data are what it holds. Both pointers are borrowed. A run that continues makes room for what waits first
 * (dc_control_waiting); `capacity`: rows that *data has room for. Errors: DC_ERR_FORMAT (another type, no whole rows).
 */
DC_CHECKED dc_status dc_control_keep_rows(dc_control *c, const char *name, dc_state_type type, size_t width,
                                          size_t *rows, void *const *data, size_t capacity);
/* Forgets the array at `data`, or the one that grows with its number of rows there; before its memory goes. */
void dc_control_drop(dc_control *c, const void *data);
/* A waiting array, or NULL: for work that must know its length first. */
const dc_state_array *dc_control_waiting(const dc_control *c, const char *name);
/* Whether the run continues from a checkpoint. */
bool dc_control_continues(const dc_control *c);

/* ---- Wishes ------------------------------------------------------------------------------------------------------ */

/* What work is at, for messages; phase: static text. Local, cheap. */
void dc_control_at(dc_control *c, const char *phase, int64_t step);
const char *dc_control_phase(const dc_control *c);
int64_t dc_control_step(const dc_control *c);
/* While it saves: whether that is the end of the phase. */
bool dc_control_ends_phase(const dc_control *c);

/* This rank's wishes as a number, the sum of which over all ranks goes to dc_control_hear(). Local, cheap. */
double dc_control_ask(dc_control *c);
void dc_control_hear(dc_control *c, double sum);
/* Does what was heard last: saves, and stops with DC_STOPPED. Call where the registered arrays are consistent.
 * Collective. Errors: DC_ERR_IO if a stop was wanted and no checkpoint could be written; a failure of any other
 * checkpoint is a WARNING, and the next is tried sooner. DC_ERR_NUMERIC if an array that should be the same on all
 * ranks is not; nothing is then saved. */
DC_CHECKED dc_status dc_control_act(dc_comm *comm, dc_control *c);
/* ask, sum, hear, act. */
DC_CHECKED dc_status dc_control_poll(dc_comm *comm, dc_control *c);
/* The same where nothing is worth saving or arrays are in motion: stops alone, saving can wait. */
DC_CHECKED dc_status dc_control_poll_stop(dc_comm *comm, dc_control *c);
/* At the end of a phase: saves, and stops with DC_STOPPED if that was heard meanwhile. Collective. Errors: as act. */
DC_CHECKED dc_status dc_control_end_phase(dc_comm *comm, dc_control *c);

/* ---- Life -------------------------------------------------------------------------------------------------------- */

typedef struct {
    double save_every_s;   /* 0: by the clock only what failed before */
    double stop_at_s;      /* dc_clock_now_s() at which the job must have ended; 0: no limit */
    const char *stop_file; /* borrowed */
    /* Writes a checkpoint of these arrays, and whatever else belongs to it. Rank 0 only. */
    dc_status (*save)(void *ctx, const dc_control *c, const dc_state_array *array, int n);
    /* Called about once a second while work goes on, rank 0 only; an error makes the run stop. May be NULL. */
    dc_status (*beat)(void *ctx);
    void *ctx;
} dc_control_config;
/* waiting[n]: arrays of a checkpoint, equal on all ranks, or none; their memory (dc_mem) is taken over. */
DC_CHECKED dc_status dc_control_create(dc_comm *comm, dc_control **out, const dc_control_config *cfg,
                                       const dc_state_array *waiting, int n);
void dc_control_destroy(dc_control **c);
/* The job's control is known to its communicator. */
void dc_comm_set_control(dc_comm *comm, dc_control *c);
dc_control *dc_comm_control(const dc_comm *comm);
/* Why the run stops: "SIGUSR1", "SIGTERM to rank 3", "run.max_time", "the file STOP"; and the seconds since that was
 * wished. Known to all ranks after DC_STOPPED. */
const char *dc_control_stop_reason(const dc_control *c);
double dc_control_stop_latency(const dc_control *c);

#endif
