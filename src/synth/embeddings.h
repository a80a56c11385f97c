/* Private to src/synth: one row of generated embeddings. */
#ifndef DCMPI_SYNTH_EMBEDDINGS_H
#define DCMPI_SYNTH_EMBEDDINGS_H

#include "dcmpi/builtin.h"

/* Memory of one thread. */
typedef struct {
    uint32_t *word; /* [D, rounded up to 4] */
    double *x, *t;  /* [D] */
} dc_embedding_scratch;

/* What a row is, before its values are made. */
typedef struct {
    dc_gidx source; /* the row itself, or the earlier one of which it is a near copy, which is no copy */
    int64_t part;   /* of the mixture, 0 .. C-1 */
    double cosine;  /* with the source; 1 if it is the row itself */
} dc_embedding_plan;
dc_embedding_plan dc_embedding_plan_of(const dc_builtin *b, uint64_t seed, dc_gidx row);
/* s->x = the row, of length 1. */
void dc_embedding_row(const dc_builtin *b, uint64_t seed, dc_gidx row, const dc_embedding_plan *plan,
                      const dc_embedding_scratch *s);

#endif
