/* Whether float32 tells the numbers of a column apart. */
#ifndef DCMPI_CONVERT_PRECISION_H
#define DCMPI_CONVERT_PRECISION_H

#include "dcmpi/base.h"

/* The rule, of what one pass can see: a column needs float64 if rounding to float32 changes a value of it and
 *   - that value is an integer, which is then beyond 2^24, of at most 64 bits (ids, times), or
 *   - all values lie within 4096 steps of float32 at the largest of them, so that hardly 12 bits are left (times with
 *     fractions, map coordinates). */
enum { DC_PRECISION_MIN_STEPS = 4096 };

typedef struct {
    int64_t D;
    double *low, *high; /* [D] */
    uint8_t *changed;   /* [D]: 0 no value, 1 some value, 2 an integer */
    bool beyond_f64;    /* an integer beyond 2^53 was seen: float64 may have rounded it */
} dc_precision;

DC_CHECKED dc_status dc_precision_create(dc_precision *p, int64_t D);
void dc_precision_destroy(dc_precision *p);
/* n rows x[n x D]; values that are not finite are ignored. */
void dc_precision_scan(dc_precision *p, size_t n, const double *x);
/* First column that needs float64, -1: none; *columns = how many do. */
int64_t dc_precision_find(const dc_precision *p, int64_t *columns);

#endif
