/* Named arrays that a run adds to its result file beside labels, embedding and model: phases register them, the writer
 * of the result writes them. */
#ifndef DCMPI_RESULTS_H
#define DCMPI_RESULTS_H

#include "dcmpi/state.h"

enum { DC_RESULTS_MAX = 16, DC_RESULT_DIMS = 3 };
typedef struct {
    char name[DC_STATE_NAME_MAX]; /* a path: "/clusters/soft_size" */
    dc_state_type type;
    bool of_rows; /* one row per data row: dim[0] is the number of this rank's rows */
    int n_dims;
    int64_t dim[DC_RESULT_DIMS];
    void *data; /* owned */
} dc_result_array;
typedef struct {
    int n;
    dc_result_array array[DC_RESULTS_MAX];
} dc_results;

/* Adds an array [dim...] that is the same on all ranks; copies its values. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_results_add(dc_results *r, const char *name, dc_state_type type, int n_dims, const int64_t *dim,
                                    const void *data);
/* Adds an array with a row of `width` values for each of this rank's n rows. */
DC_CHECKED dc_status dc_results_add_rows(dc_results *r, const char *name, dc_state_type type, int64_t n, int64_t width,
                                         const void *data);
void dc_results_release(dc_results *r);

#endif
