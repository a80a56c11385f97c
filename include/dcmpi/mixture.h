/* Mixtures of Gaussians by expectation-maximisation (Dempster, Laird, Rubin 1977), with the rules and the numbers of
 * scikit-learn's GaussianMixture: starts from k-means, a constant added to each variance, until the mean log likelihood
 * rises by less than tol. One pass over the rows and one reduction per iteration, all in double; the same bits for
 * every number of ranks and threads. */
#ifndef DCMPI_MIXTURE_H
#define DCMPI_MIXTURE_H

#include "dcmpi/cluster.h"

typedef enum {
    DC_COVARIANCE_FULL,      /* a matrix for each Gaussian */
    DC_COVARIANCE_TIED,      /* one matrix for all */
    DC_COVARIANCE_DIAGONAL,  /* a variance for each Gaussian and column */
    DC_COVARIANCE_SPHERICAL, /* a variance for each Gaussian */
} dc_covariance;

typedef struct {
    dc_kmeans_config kmeans; /* K, and the k-means before the first start; before each later one: one restart of another
                                seed. Its state, if any, also keeps that of EM */
    dc_covariance covariance;
    int n_init;        /* starts, >= 1; the highest log likelihood wins, ties: the first */
    int max_iter;      /* steps of EM of each start, >= 0 */
    double tol;        /* least rise of the mean log likelihood */
    double reg;        /* added to each variance */
    double reg_share;  /* the same, in parts of the mean variance of the clusters that EM starts from */
    const char *phase; /* with a state: the name of EM's phase; that of k-means is the present one. Static text */
} dc_mixture_config;

/* A mixture; equal on all ranks. */
typedef struct {
    int64_t K, d;
    dc_covariance covariance;
    double *weight;        /* [K]; owned, with all that follows one array */
    double *mean;          /* [K x d] */
    double *variance;      /* full [K x d x d], tied [d x d], diagonal [K x d], spherical [K] */
    double *factor;        /* full [K x d x d], tied [d x d]: upper triangular F with F F' the inverse of the variance;
                              else NULL */
    double log_likelihood; /* mean over all rows */
    double bic, aic;       /* the lower, the better; from log_likelihood, N and the number of parameters */
    int best;              /* start that won */
    int iterations;        /* of that start, like the next */
    bool converged;
} dc_mixture;

/* Fits a mixture to all rows, from k-means. A Gaussian that loses all its rows stays where it is. Memory of a rank
 * besides k-means: dc_mixture_bytes(). Collective. Errors: DC_ERR_DATA if K > N; DC_ERR_NUMERIC if a variance is not
 * positive definite (reg is too small for these data); DC_ERR_MEMORY; DC_STOPPED. `out` needs no initial value and is
 * empty after an error. */
DC_CHECKED dc_status dc_mixture_fit(dc_comm *comm, const dc_rows *rows, const dc_mixture_config *cfg, dc_mixture *out);
/* The same from the clusters label[n] with these centres [K x d] (of cfg, kmeans gives only K; n_init is 1). */
DC_CHECKED dc_status dc_mixture_fit_from(dc_comm *comm, const dc_rows *rows, const dc_mixture_config *cfg,
                                         const float *centers, const int32_t *label, dc_mixture *out);
void dc_mixture_release(dc_mixture *m);
/* Memory that a fit takes on this rank besides k-means, result included. Local. */
double dc_mixture_bytes(const dc_part *part, int64_t d, int64_t K, dc_covariance covariance);
/* Size in a checkpoint, besides k-means. */
double dc_mixture_saved_bytes(int64_t d, int64_t K, dc_covariance covariance);
/* Free parameters. */
int64_t dc_mixture_parameters(const dc_mixture *m);
/* label[n]: the Gaussian with the largest responsibility for each local row, ties to the lowest. Local; threaded.
 * Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_mixture_labels(const dc_mixture *m, const dc_rows *rows, int32_t *label);

/* log N(x_i; mean_k, S_k), [batch x K], of Gaussians given by the factors F of their inverse variances; x [batch x d],
 * mean [K x d], factor [K d x d], or [d x d] for all. Constant. Plus the logarithms of the weights these are the logits
 * of the responsibilities (see dc_gauss_log of cluster.h for diagonal variances). */
dc_val dc_gauss_factor_log(dc_graph *g, dc_val x, dc_val mean, dc_val factor);
#define dc_gauss_factor_log(g, x, mean, factor) dc_gauss_factor_log(DC_RECORDED_AT(g), x, mean, factor)

#endif
