/* Private to the mixtures: passes of EM over the rows, and matrices of covariance. */
#ifndef DCMPI_CLUSTER_MIXTURE_IMPL_H
#define DCMPI_CLUSTER_MIXTURE_IMPL_H

#include "dcmpi/mixture.h"

/* Rows per tile of a pass; columns of a factor that are multiplied together. */
enum { DC_MIX_TILE = 32, DC_MIX_LANES = 16 };

/* The work space of a mixture that is fitted or applied. Borrowed: m, rows, label; the rest is owned. */
typedef struct {
    dc_mixture *m;
    const dc_rows *rows;
    const int32_t *label; /* [n]: whole rows belong to Gaussians; NULL: responsibilities */
    bool only_density;    /* add up nothing but the log likelihood */
    double *constant;     /* [K] log weight - 1/2 log det(2 pi S) */
    double *inverse;      /* [K x d] 1 / variance: diagonal, spherical */
    double *factor;       /* [K or 1][d x padded d] factors of the mixture: full, tied */
    double *scratch;      /* [threads][see scratch_doubles()] */
    float *copies;        /* [threads x tile x d] rows that are not in memory */
    double *total;        /* [sums] */
    dc_sum *sum;
    double *middle,
        *scatter; /* tied: [d] mean of all rows, [d (d + 1) / 2] their sums of products about it; borrowed */
} dc_mix;

/* Places in the sums over rows: responsibilities [K]; first moments about the means [K x d]; second ones: diagonal and
 * spherical [K x d], full [K x triangle], tied [triangle]; the log likelihood. A triangle has rows of 1, 2 ... d. */
size_t dc_mix_sums(const dc_mixture *m);
/* Doubles of the parameters: weights, means, variances. */
size_t dc_mix_values(int64_t K, int64_t d, dc_covariance covariance);
/* Variances, and matrices of them: K, 1 or none. */
size_t dc_mix_variances(int64_t K, int64_t d, dc_covariance covariance);
int64_t dc_mix_matrices(int64_t K, dc_covariance covariance);
/* Work space; sums: also what a pass over all rows needs. Local. Errors: DC_ERR_MEMORY. */
dc_status dc_mix_create(dc_mix *a, dc_mixture *m, const dc_rows *rows, bool sums);
void dc_mix_release(dc_mix *a);
double dc_mix_bytes(const dc_part *part, int64_t d, int64_t K, dc_covariance covariance);

/* Sets constants and factors of the present parameters. Local. Errors: DC_ERR_NUMERIC. */
dc_status dc_mix_prepare(dc_mix *a);
/* Adds the rows of a block to the sums; ctx: a dc_mix. */
void dc_mix_block(void *ctx, const dc_block *block, int thread, double *leaf);
/* Moves weights, means and variances to the moments in total[]; `added` to each variance. Returns the mean
 * variance. first: the pass was over whole rows. */
double dc_mix_maximise(dc_mix *a, double added, bool first);
/* Adds the same to each variance. */
void dc_mix_add(dc_mixture *m, double added);
/* The Gaussians with the largest responsibilities. Local; threaded. */
void dc_mix_labels(dc_mix *a, int32_t *label);

/* factor[d x d]: upper triangular F with F F' the inverse of variance[d x d]; false if that is not positive definite.
 * Local. */
bool dc_mix_factor(const double *variance, int64_t d, double *factor);

#endif
