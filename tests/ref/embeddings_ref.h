/* Naive twin of src/synth/embeddings.c. */
#ifndef DCMPI_EMBEDDINGS_REF_H
#define DCMPI_EMBEDDINGS_REF_H

#include "../../src/synth/embeddings.h"

/* x[D] = the row. D <= 256. */
void dc_embedding_ref(const dc_builtin *b, uint64_t seed, dc_gidx row, double *x, dc_embedding_plan *plan);

#endif
