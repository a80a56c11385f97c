/* The rows of a sample, on all ranks. Private to sweep/. */
#ifndef DCMPI_SWEEP_SAMPLE_H
#define DCMPI_SWEEP_SAMPLE_H

#include "dcmpi/sweep.h"

/* Rows of the sample in ascending order, the same on all ranks but for first and n. */
typedef struct {
    int64_t m, d;
    int64_t *row;  /* [m] global numbers, owned */
    float *X;      /* [m x d], owned */
    int64_t first; /* rows first .. first + n - 1 of the sample are this rank's */
    int64_t n;
    size_t *counts; /* [P] bytes per rank, owned; scratch */
} dc_sample;

/* Draws m of all rows. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_sample_draw(dc_comm *comm, const dc_rows *rows, int64_t m, uint64_t seed, dc_sample *out);
void dc_sample_release(dc_sample *s);
/* Sets to[i * stride], for each row i of the sample, to its label of this rank's label[]; own: scratch [m]. Collective.
 */
void dc_sample_labels(dc_comm *comm, const dc_sample *s, const dc_part *part, const int32_t *label, int32_t *own,
                      int64_t *to, int64_t stride);
/* pick[n]: numbers, ascending, of n of m things, drawn without replacement as the number `draw` of this seed. Local. */
void dc_sample_pick(int64_t m, int64_t n, uint64_t seed, int64_t draw, int64_t *pick);

#endif
