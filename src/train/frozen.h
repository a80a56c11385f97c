/* Private to train/: the outputs of a stack's frozen lower layers, which are the training data of the next layer pair.
 */
#ifndef DCMPI_TRAIN_FROZEN_H
#define DCMPI_TRAIN_FROZEN_H

#include "dcmpi/train.h"
#include "frozen_kern.h"

/* Freezes layers [0, depth) of m. Makes room for the outputs of this rank's rows if they fit into cache_bytes on every
 * rank, and the rows of the data are in memory, too; otherwise they are computed again for each batch. Collective.
 * Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_frozen_create(dc_comm *comm, dc_frozen *f, const dc_model *m, int depth, size_t cache_bytes);
/* Computes the outputs if there is room for them. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_frozen_fill(dc_frozen *f, dc_timers *timers);
void dc_frozen_release(dc_frozen *f);
/* Writes the outputs of n rows, given by their local numbers, to out[n x width]; threaded. `frozen` is a dc_frozen. */
void dc_frozen_gather(const void *frozen, const int64_t *rows, int64_t n, float *out);
/* Has n rows from local row lo on read ahead, which are to be gathered. */
void dc_frozen_expect(const void *frozen, int64_t lo, int64_t n);

#endif
