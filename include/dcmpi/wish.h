/* Must this run save its state, or stop? Wishes come as signals to any rank, from the clock of rank 0, as a file STOP.
 * They are agreed in a sum over ranks, which may ride in a reduction that is made anyhow (ask, hear) or be one of its
 * own (poll), so that all ranks save and stop at the same step. Every function takes NULL, which never wants anything.
 */
#ifndef DCMPI_WISH_H
#define DCMPI_WISH_H

#include "dcmpi/comm.h"

typedef struct dc_wish dc_wish;

typedef struct {
    double save_every_s;   /* 0: the clock only asks for saves that failed before */
    double stop_at_s;      /* dc_clock_now_s() at which the job must have ended; 0: no limit */
    const char *stop_file; /* borrowed */
    /* Called about once a second while work goes on, rank 0 only; an error makes the run stop. May be NULL. */
    dc_status (*beat)(void *ctx);
    void *ctx;
} dc_wish_config;
/* Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_wish_create(dc_comm *comm, dc_wish **out, const dc_wish_config *cfg);
void dc_wish_destroy(dc_wish **w);
/* A communicator knows the wishes about its work, so that whatever takes long can ask. Borrowed; NULL: none. */
void dc_comm_set_wish(dc_comm *comm, dc_wish *w);
dc_wish *dc_comm_wish(const dc_comm *comm);

/* This rank's wishes as a number. The sum over all ranks goes to dc_wish_hear(). Local, cheap. */
double dc_wish_ask(dc_wish *w);
void dc_wish_hear(dc_wish *w, double sum);
/* Whether the run must save, by what was heard; *stop: whether it must then end. True once per wish. Local, equal on
 * all ranks. */
bool dc_wish_takes_save(dc_wish *w, bool *stop);
/* A save begins; the save that began at `start` (dc_clock_now_s()) has ended. A failed save is tried again sooner:
 * returns in how many seconds. Local. */
void dc_wish_save_begins(dc_wish *w);
double dc_wish_save_ends(dc_wish *w, double start, bool ok);

/* Collective: ask, sum, hear. */
void dc_wish_poll(dc_comm *comm, dc_wish *w);
/* Collective, for work where nothing is worth saving or arrays are in motion: DC_STOPPED if the run must end; saving
 * can wait. Asks the wishes of the communicator. */
DC_CHECKED dc_status dc_wish_poll_stop(dc_comm *comm);
/* Collective, before the run ends: all ranks know why. */
void dc_wish_agree_on_reason(dc_comm *comm, dc_wish *w);
/* Why: "SIGUSR1", "SIGTERM to rank 3", "run.max_time", "the file STOP"; and the seconds since then. Known to all
 * ranks after DC_STOPPED. */
const char *dc_wish_reason(const dc_wish *w);
double dc_wish_latency(const dc_wish *w);

#endif
