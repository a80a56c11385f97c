/* Records of a phase: a table of doubles that grows by a row with each epoch or refresh. */
#ifndef DCMPI_HISTORY_H
#define DCMPI_HISTORY_H

#include "dcmpi/state.h"

enum { DC_HISTORY_COLUMNS_MAX = 8 };
/* A table of doubles, one row per epoch or refresh, the same on all ranks. It grows with its rows: a phase may be
 * allowed more of them than any memory holds. */
typedef struct {
    const char *phase;
    int n_columns;
    const char *column[DC_HISTORY_COLUMNS_MAX];
    size_t n, capacity;
    double *value;       /* [capacity x n_columns], owned */
    int64_t step, total; /* steps of the phase that are done, and its length; 0 of 0 before it starts */
    dc_state *state;     /* whose state it is part of, or NULL */
} dc_history;
/* An empty one. `phase` and the names are static text. */
void dc_history_init(dc_history *h, const char *phase, int n_columns, const char *const *columns);
/* Makes records and step part of the run's state, until release. If the run continues and its checkpoint knows the
 * phase, they are as they were there. Collective, as is the next. Errors: DC_ERR_MEMORY, DC_ERR_FORMAT, DC_ERR_IO. */
DC_CHECKED dc_status dc_history_keep(dc_comm *comm, dc_history *h, dc_state *c);
/* The whole history of a phase that was finished before the run's checkpoint: *finished, and *h is made. Else nothing
 * happens. */
DC_CHECKED dc_status dc_history_recall(dc_comm *comm, dc_history *h, dc_state *c, const char *phase, int n_columns,
                                       const char *const *columns, bool *finished);
/* Checks that *h has the n records and the length that belong to its step, because a checkpoint may contradict itself.
 * Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_history_check(const dc_history *h, size_t n, int64_t total);
/* Appends row[n_columns]. Collective: memory doubles when it is full, on all ranks or on none (DC_ERR_MEMORY). */
DC_CHECKED dc_status dc_history_add(dc_comm *comm, dc_history *h, const double *row);
void dc_history_release(dc_history *h);

#endif
