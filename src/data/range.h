/* Values far outside their columns, which may dominate a scaling and every distance. Private to src/data.
 *
 * A value is reported if it lies more than ten times as far from its column's median as the rest of the column does
 * (the rule in full: range.c). Such values are found in three steps. The statistics give the two ends (minimum and
 * maximum) of each column. A sample of rows shows how wide a column is without its ends. For the few ends that stand
 * out from the sample, an exact pass over their columns decides. */
#ifndef DCMPI_DATA_RANGE_H
#define DCMPI_DATA_RANGE_H

#include "data_priv.h"

/* Traits of a column without the values that are equal to one of its ends. */
enum {
    DC_RANGE_DENSE = 1,    /* 5 in 100 sampled values differ from the most frequent ones on one side or both */
    DC_RANGE_COUNTS = 2,   /* integers of 0 or more */
    DC_RANGE_MINORITY = 4, /* less than half of the sample is equal to the end */
};
enum { DC_RANGE_LOW, DC_RANGE_HIGH, DC_RANGE_ENDS };
enum { DC_RANGE_MAGNITUDES = 2304, DC_RANGE_SAMPLE_MAX = 1024 };

/* What the sample shows. Ends are numbered 2*column + DC_RANGE_LOW or HIGH. */
typedef struct {
    int64_t N, D;
    bool sparse;             /* most values are zeros that are not stored */
    const double *min, *max; /* [D], exact, borrowed */
    double *median,
        *spread; /* [2D] of the column without the end; spread: from the median to the outer values, a few left out */
    int64_t *traits;                        /* [2D] DC_RANGE_DENSE ... */
    int64_t magnitude[DC_RANGE_MAGNITUDES]; /* histogram: binary exponents of sampled distances from the median */
} dc_range_sketch;
DC_CHECKED dc_status dc_range_sketch_create(int64_t N, int64_t D, bool sparse, const double *min, const double *max,
                                            dc_range_sketch *s);
void dc_range_sketch_release(dc_range_sketch *s);
/* Number of rows in the sample, and the global number of the k-th one; both depend on N and D alone. */
int64_t dc_range_sample_rows(int64_t N, int64_t D);
int64_t dc_range_sample_row(int64_t N, int64_t rows, int64_t k);
/* Number of columns whose sample is held at a time. */
int64_t dc_range_block(int64_t D, int64_t rows);

/* Whether people write this number where a value is missing. */
bool dc_range_is_code(double v);
/* Whether v is the largest or smallest number of an integer type: a fill value, or saturation. */
bool dc_range_is_type_limit(double v);

/* An end that stands out from the sample. */
typedef struct {
    int64_t end;
    double severity; /* distance of the end from the median, in spreads */
} dc_range_suspect;
enum { DC_RANGE_SUSPECTS_MAX = 1024 };
/* list[DC_RANGE_SUSPECTS_MAX] = the worst suspects, in the order of their ends; returns how many. */
int dc_range_suspects(const dc_range_sketch *s, dc_range_suspect *list);

/* The outermost values at an end, from the end inwards; equal values make one entry. */
enum { DC_RANGE_EXTREMES = 16 };
typedef struct {
    double value;
    int64_t count, row; /* first row, global */
} dc_range_extreme;
typedef struct {
    int64_t n;
    dc_range_extreme x[DC_RANGE_EXTREMES];
} dc_range_tail;
/* Adds an entry to a tail. side: DC_RANGE_LOW or DC_RANGE_HIGH. */
void dc_range_tail_add(dc_range_tail *t, int side, dc_range_extreme x);

/* Values that were found to be far outside. */
typedef struct {
    int64_t column, row, count; /* row: the first one; count: number of rows */
    int distinct;
    double value, last; /* value in the first row; last: the one nearest to the other values */
    double rest;        /* the outermost of the other values */
    double median, times;
    bool constant; /* the whole column has this value */
} dc_range_finding;
/* Whether the outermost values of a suspect are far outside, and which of them. */
bool dc_range_judge(const dc_range_sketch *s, const dc_range_suspect *suspect, const dc_range_tail *tail,
                    dc_range_finding *f);
/* list[cap] = columns that hold nothing but a code for missing values; returns how many. */
int dc_range_coded_columns(const dc_range_sketch *s, dc_range_finding *list, int cap);

/* Prints one WARNING for each kind of finding. Sets about[cap] to a few words on the worst finding, or to "" if there
 * are none. with->scale: DC_RANGE_NO_SCALE if none is known. with->names: the columns' names, one per line, or NULL. */
enum { DC_RANGE_NO_SCALE = -1, DC_RANGE_FINDINGS_MAX = DC_RANGE_SUSPECTS_MAX + 16 };
typedef struct {
    const char *source, *names;
    const dc_files *files; /* of the rows; NULL: one */
    int scale;             /* dc_scale_kind */
    dc_dtype dtype;
    double sum_squares; /* of all values */
} dc_range_context;
void dc_range_tell(const dc_range_sketch *s, const dc_range_context *with, const dc_range_finding *list, int n,
                   char *about, size_t cap);

/* ---- range_kern.c ------------------------------------------------------------------------------------------------ */

/* Describes the columns c + first, c + first + step ... below c + width from their sample [rows x width]; threaded. */
void dc_range_describe(dc_range_sketch *s, const double *sample, int64_t rows, int64_t c, int64_t width, int64_t first,
                       int64_t step);
/* For each of the n suspects, adds the values of the local rows of data at its end to its tail; threaded. */
void dc_range_tails(const dc_dataset *data, const dc_range_suspect *suspect, int n, dc_range_tail *tail);

#endif
