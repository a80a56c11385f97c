/* Advice on how to start a job better, for the banner and the self-test. Private to app/. */
#ifndef DCMPI_APP_ADVICE_H
#define DCMPI_APP_ADVICE_H

#include "dcmpi/cores.h"

/* Cores that do not suit the ranks and threads: one line of advice, or "" if all is well. ranks_here: ranks on this
 * node. Returns true if the line is a warning. Local. */
bool dc_advise_cores(const dc_binding *binding, int ranks_here, char *out, size_t cap);
/* The program itself chose the number or the binding of threads: one line, or "". Local. */
void dc_advise_threads(const dc_binding *binding, int ranks_here, char *out, size_t cap);
/* OpenBLAS kernels older than the CPU: one line, or "". Local. */
void dc_advise_blas(char *out, size_t cap);
/* Shards that the ranks cannot share evenly: one line, or "". Local. */
void dc_advise_shards(int shards, int ranks, char *out, size_t cap);
/* Too few rows of a batch for each rank: one line, or "". Local. */
void dc_advise_batch(int64_t batch, int ranks, char *out, size_t cap);
/* Nearly as many different labels as rows: one line, or "". Local. */
void dc_advise_labels(const char *source, int64_t rows, int64_t classes, char *out, size_t cap);
/* Free bytes in /dev/shm of this node, -1 if unknown. Local. */
double dc_shm_free_bytes(void);
/* Too little space in /dev/shm for the ranks of this node: one line, or "". Local. */
void dc_advise_shm(double free_bytes, int ranks_here, char *out, size_t cap);

#endif
