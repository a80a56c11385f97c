/* Records of a phase: a table of doubles that grows by a row with each epoch or refresh. */
#ifndef DCMPI_HISTORY_H
#define DCMPI_HISTORY_H

#include "dcmpi/state.h"

enum { DC_HISTORY_COLUMNS_MAX = 12 };
/* A table of doubles, one row per epoch or refresh, the same on all ranks. It grows as rows are added, because a phase
 * may be allowed more rows than fit into memory. */
typedef struct {
    const char *phase;
    int n_columns;
    const char *column[DC_HISTORY_COLUMNS_MAX];
    bool quiet[DC_HISTORY_COLUMNS_MAX]; /* columns that say nothing here: the log leaves them out */
    size_t n, capacity;
    double *value;       /* [capacity x n_columns], owned */
    int64_t step, total; /* steps of the phase done so far, and in all; both 0 before it starts */
    dc_state *state;     /* the run state that it is part of, or NULL */
} dc_history;
/* Makes an empty history. `phase` and the column names are static text. */
void dc_history_init(dc_history *h, const char *phase, int n_columns, const char *const *columns);
/* Makes the records and the step part of the run's state, until release. If the run continues and its checkpoint has
 * this phase, they are restored from it. Collective. Errors: DC_ERR_MEMORY, DC_ERR_FORMAT, DC_ERR_IO. */
DC_CHECKED dc_status dc_history_keep(dc_comm *comm, dc_history *h, dc_state *c);
/* If the phase was finished before the run's checkpoint, restores its whole history to *h and sets *finished; otherwise
 * does nothing. Collective. */
DC_CHECKED dc_status dc_history_recall(dc_comm *comm, dc_history *h, dc_state *c, const char *phase, int n_columns,
                                       const char *const *columns, bool *finished);
/* Checks that *h has the n records and the length that its step implies, because a checkpoint may be inconsistent.
 * Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_history_check(const dc_history *h, size_t n, int64_t total);
/* Appends row[n_columns]. Collective: if the memory is full, it is doubled on all ranks or on none (DC_ERR_MEMORY). */
DC_CHECKED dc_status dc_history_add(dc_comm *comm, dc_history *h, const double *row);
void dc_history_release(dc_history *h);

#endif
