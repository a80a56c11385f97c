/* Wishes: requests to save the state of the run, or to stop it. They come as signals to any rank, from the clock of
 * rank 0, or from a file STOP. Ranks agree on them by summing a number, either within a reduction that is made anyway
 * (ask, hear) or in a separate one (poll), so that all ranks save and stop at the same step. Every function accepts
 * NULL, which never has wishes. */
#ifndef DCMPI_WISH_H
#define DCMPI_WISH_H

#include "dcmpi/comm.h"

typedef struct dc_wish dc_wish;

typedef struct {
    double save_every_s;   /* 0: the clock only causes retries of failed saves */
    double stop_at_s;      /* time (dc_clock_now_s()) by which the job must have ended; 0: no limit */
    const char *stop_file; /* borrowed */
    /* Called about once a second while work goes on, rank 0 only; an error makes the run stop. May be NULL. */
    dc_status (*beat)(void *ctx);
    void *ctx;
} dc_wish_config;
/* Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_wish_create(dc_comm *comm, dc_wish **out, const dc_wish_config *cfg);
void dc_wish_destroy(dc_wish **w);
/* Attaches the wishes to a communicator, so that long work on it can ask for them. Borrowed; NULL: none. */
void dc_comm_set_wish(dc_comm *comm, dc_wish *w);
dc_wish *dc_comm_wish(const dc_comm *comm);

/* This rank's wishes as a number, to be summed over all ranks for dc_wish_hear(). Local, cheap. */
double dc_wish_ask(dc_wish *w);
void dc_wish_hear(dc_wish *w, double sum);
/* Whether the run must save, according to dc_wish_hear(); *stop: whether it must then end. True once per wish. Local,
 * equal on all ranks. */
bool dc_wish_takes_save(dc_wish *w, bool *stop);
/* Call these when a save begins, and when the save that began at `start` (dc_clock_now_s()) has ended. A failed save is
 * retried sooner; dc_wish_save_ends() returns the seconds until then. Local. */
void dc_wish_save_begins(dc_wish *w);
double dc_wish_save_ends(dc_wish *w, double start, bool ok);

/* Collective: ask, sum, hear. */
void dc_wish_poll(dc_comm *comm, dc_wish *w);
/* Collective, for work where nothing is worth saving or arrays are in flux: DC_STOPPED if the run must end; saves are
 * postponed. Polls the communicator's wishes. */
DC_CHECKED dc_status dc_wish_poll_stop(dc_comm *comm);
/* Collective: makes the reason known to all ranks before the run ends. */
void dc_wish_agree_on_reason(dc_comm *comm, dc_wish *w);
/* Why the run stops: "SIGUSR1", "SIGTERM to rank 3", "run.max_time", "the file STOP"; and the seconds since then. Known
 * to all ranks after DC_STOPPED. */
const char *dc_wish_reason(const dc_wish *w);
double dc_wish_latency(const dc_wish *w);

#endif
