/* Leading singular values and vectors of all rows, dense or sparse, by a randomized range finder; with the same bits
 * for every number of ranks and threads. */
#ifndef DCMPI_SINGULAR_H
#define DCMPI_SINGULAR_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

typedef struct {
    int64_t k;       /* 1 <= k <= min(N, d) */
    bool about_mean; /* of the rows minus their mean, which sparse rows are never made to hold */
    uint64_t seed;   /* of the first directions */
} dc_singular_wanted;

typedef struct {
    int64_t d, k;
    int passes;       /* over the rows */
    double total;     /* variance of all columns together, about their means, divided by N - 1 */
    double squares;   /* of all values, summed; about the means if these were wanted */
    double *mean;     /* [d] of the columns, owned, like the next two */
    double *value;    /* [k] singular values, descending */
    float *direction; /* [k x d] right singular vectors as rows of length 1, orthogonal, turned by dc_orient() */
} dc_singular;

/* The k largest singular values and right singular vectors of all N >= 2 rows. Release *out even after an error.
 * Collective. Errors: DC_ERR_MEMORY, DC_ERR_NUMERIC, DC_STOPPED (between two passes).
 *
 * A subspace of k + 10 directions (fewer if there are fewer rows or columns), at first Gaussian, is multiplied six
 * times by X'X and made orthogonal after each (Halko, Martinsson, Tropp 2011, section 5.4, applied to X'); then the
 * triangle of the QR factorization of X times it, found by a tree over blocks and shards (Demmel and others 2012),
 * gives singular values whose condition is not squared. scikit-learn's randomized_svd with n_iter = 5 takes twice as
 * many passes over the rows for 11 instead of 12 factors of X. Nothing here has a value for each row.
 *
 * The products X'(XW) are sums of integers: each term is rounded to a multiple of a unit so small that 63 bits hold any
 * sum, so that the order of additions does not matter and no tree of large vectors is needed. The unit is 2^-60 of a
 * bound, |X|_F^2. So the subspace is right to about sqrt(N d k) 2^-60 |X|_F^2 / value^2: for the rows of a million
 * documents, 1e-8 for a direction with a millionth of the squares of all values. Sparse rows are multiplied by
 * directions that are rounded to floats, until the last time; what that adds outside the subspace is less than it. */
DC_CHECKED dc_status dc_singular_create(dc_comm *comm, const dc_rows *rows, const dc_singular_wanted *wanted,
                                        dc_singular *out);
void dc_singular_release(dc_singular *s);
/* Memory that dc_singular_create() takes at most, on each rank with its results, and more on rank 0. sparse: the rows
 * have a csr. */
double dc_singular_bytes(const dc_part *part, int64_t d, int64_t k, bool sparse);
double dc_singular_root_bytes(const dc_part *part, int64_t d, int64_t k);

/* Components 4 q .. 4 q + 3 of a column of a Gaussian matrix: the first directions, or a random projection. */
void dc_singular_gaussian(uint64_t seed, int64_t column, int64_t q, double out[4]);

#endif
