/* Whether float32 tells the numbers of a column apart. */
#ifndef DCMPI_CONVERT_PRECISION_H
#define DCMPI_CONVERT_PRECISION_H

#include "dcmpi/base.h"

/* The rule (one pass over the rows can check it): a column needs float64 if rounding to float32 changes one of its
 * values and
 *   - that value is an integer of at most 64 bits (ids, times; necessarily beyond 2^24), or
 *   - its values span less than 4096 float32 steps (of the size at the largest value), which leaves less than 12 bits
 *     (times with fractions, map coordinates). */
enum { DC_PRECISION_MIN_STEPS = 4096 };

typedef struct {
    int64_t D;
    double *low, *high; /* [D] */
    uint8_t *changed;   /* [D] did rounding change a value? 0: no, 1: yes, 2: yes, an integer */
    bool beyond_f64;    /* an integer beyond 2^53 was seen: float64 may have rounded it */
} dc_precision;

DC_CHECKED dc_status dc_precision_create(dc_precision *p, int64_t D);
void dc_precision_destroy(dc_precision *p);
/* n rows x[n x D]; values that are not finite are ignored. */
void dc_precision_scan(dc_precision *p, size_t n, const double *x);
/* One finite value of column c. */
void dc_precision_add(dc_precision *p, int64_t c, double v);
/* First column that needs float64, or -1; *columns: how many columns need it. */
int64_t dc_precision_find(const dc_precision *p, int64_t *columns);

#endif
