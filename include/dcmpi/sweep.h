/* Choice of the number of clusters: clusters the same rows into each of several numbers K of clusters, computes figures
 * that compare the results, and suggests one of them. Same bits for every number of ranks and threads. */
#ifndef DCMPI_SWEEP_H
#define DCMPI_SWEEP_H

#include "dcmpi/part.h"
#include "dcmpi/state.h"

typedef struct dc_comm dc_comm;

/* ---- What clusters ----------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t K;
    int n_init; /* restarts; 0: as many as the method's own settings say */
    uint64_t seed;
    dc_state *state; /* keeps the state of the iterations; NULL: not kept */
} dc_sweep_task;
typedef struct {
    int32_t *label; /* [n] local, owned */
    double inertia; /* sum over all rows of the squared distance to the mean of their cluster */
    double bic;     /* the lower, the better */
    int64_t iterations, empty;
    bool converged;
} dc_sweep_fit;
/* A method that can cluster any rows. fit: collective; *out is empty on entry; errors: those of the method. */
typedef struct {
    dc_status (*fit)(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task, dc_sweep_fit *out);
    const void *ctx;
} dc_sweep_method;

/* The Bayesian information criterion of K clusters as Gaussians that share one spherical variance (Pelleg and Moore
 * 2000, with the variance per column): -2 log L + p log N with L the likelihood of the rows with their clusters, the
 * variance inertia / (d (N - K)), at least 1e-300, and p = K - 1 + K d + 1 parameters. size[K]: rows of the clusters.
 */
double dc_sweep_bic(const int64_t *size, int64_t K, int64_t N, int64_t d, double inertia);

/* ---- Figures ----------------------------------------------------------------------------------------------------- */

/* Mean silhouette (Rousseeuw 1987) of m rows X [m x d] for each of n clusterings: label[i * n + t] is the cluster,
 * below K[t], of row i in clustering t. With a the mean distance of a row to the others of its cluster and b the least
 * mean distance to another cluster, its silhouette is (b - a) / max(a, b), and 0 in a cluster of one row or if there is
 * no other cluster. Euclidean distances in double, from differences. X, label: the same on all ranks; V: shards that
 * the rows are cut into. Collective. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_silhouettes(dc_comm *comm, const float *X, int64_t m, int64_t d, const int32_t *label,
                                    const int64_t *K, int n, int V, double *out);

/* Adjusted Rand index of two labellings of n rows with K clusters each; rows with a label -1 in either are left out.
 * Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_sweep_agreement(const int64_t *a, const int64_t *b, int64_t n, int64_t K, double *out);

/* ---- A sweep ----------------------------------------------------------------------------------------------------- */

enum { DC_SWEEP_MAX = 256 };
/* Columns of the table. The last six need labels; only these may be DC_SWEEP_UNKNOWN. */
typedef enum {
    DC_SWEEP_INERTIA,
    DC_SWEEP_SILHOUETTE,
    DC_SWEEP_STABILITY,    /* mean over all pairs of subsamples of dc_sweep_agreement */
    DC_SWEEP_STABILITY_SD, /* standard deviation of these */
    DC_SWEEP_BIC,
    DC_SWEEP_CALINSKI, /* Calinski and Harabasz 1974: ((S - inertia) / (K - 1)) / (inertia / (N - K)), S: the
                          inertia of one cluster */
    DC_SWEEP_ITERATIONS,
    DC_SWEEP_EMPTY,
    DC_SWEEP_ACC,
    DC_SWEEP_NMI,
    DC_SWEEP_ARI,
    DC_SWEEP_PURITY,
    DC_SWEEP_F_MEASURE,
    DC_SWEEP_F_PAIRS,
    DC_SWEEP_COLUMNS
} dc_sweep_column;
enum { DC_SWEEP_SCORES = DC_SWEEP_ACC };
#define DC_SWEEP_UNKNOWN (-9.0)
/* "inertia", "silhouette" ...: name of a column in results. */
const char *dc_sweep_column_name(dc_sweep_column c);

enum { DC_SWEEP_REASON_MAX = 512, DC_SWEEP_FAILURE_MAX = 256 };
typedef struct {
    int n;
    int64_t K[DC_SWEEP_MAX];
    double value[DC_SWEEP_MAX][DC_SWEEP_COLUMNS];                       /* NaN of a K that failed */
    _Alignas(int64_t) char failure[DC_SWEEP_MAX][DC_SWEEP_FAILURE_MAX]; /* why it did; "": it did not */
    int64_t sample;    /* rows of the sample that silhouette and stability are computed on */
    int64_t subsample; /* rows of a subsample */
    int subsamples;
    bool by_bic; /* the suggestion follows the BIC, not the silhouette */
    int64_t suggested;
    char reason[DC_SWEEP_REASON_MAX];
    int64_t done[2]; /* how many K have been clustered; how many have a stability */
    int64_t chosen;  /* the K that the run goes on with; 0: none yet */
} dc_sweep;

typedef struct {
    const dc_sweep_method *method;
    const char *name;       /* of the method, for the log */
    const int64_t *K;       /* [n] ascending, each in 2..N */
    int n;                  /* at most DC_SWEEP_MAX */
    int64_t sample;         /* rows; all if there are fewer */
    int subsamples, n_init; /* for the stability; n_init: restarts in a subsample */
    double share;           /* of the sample that is in a subsample */
    bool by_bic;
    uint64_t seed;
    dc_state *state; /* of the run, or NULL; borrowed */
    /* Scores of the labels label[n]: value[6] as in the table; known values only. NULL: there are no labels. */
    dc_status (*score)(dc_comm *comm, void *ctx, const int32_t *label, int64_t K, double *value);
    void *score_ctx;
} dc_sweep_config;

/* Rows of a sample of N rows, and of a subsample of it. */
int64_t dc_sweep_sample_rows(const dc_sweep_config *cfg, int64_t N);
int64_t dc_sweep_subsample_rows(const dc_sweep_config *cfg, int64_t N);
/* Whether the largest K is at most N and at most the rows of a subsample. Local. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_sweep_check(const dc_sweep_config *cfg, int64_t N);

/* Prepares the table for these K, and makes it part of the run's state until dc_sweep_drop(). A run that continues gets
 * its values back. Collective. Errors: those of dc_state_keep. */
DC_CHECKED dc_status dc_sweep_keep(dc_comm *comm, const dc_sweep_config *cfg, int64_t N, dc_sweep *s);
void dc_sweep_drop(dc_state *state, const dc_sweep *s);
/* The `chosen` of the checkpoint that the run continues from, before dc_sweep_keep(); 0: none. Local. */
int64_t dc_sweep_chosen(const dc_state *state);

/* Clusters all rows into each K; then subsamples of the sample, for the stability: the mean adjusted Rand index, over
 * all pairs of subsamples, of the labels of the rows that are in both (Ben-Hur, Elisseeff and Guyon 2002, with this
 * index and all pairs as in von Luxburg 2010). Sample and subsamples are drawn without replacement and are the same for
 * all K. Then computes the silhouettes of the sample and sets the suggestion. Logs a line per K. A K whose clustering
 * ends with DC_ERR_NUMERIC or DC_ERR_DATA, of a subsample, too, is marked as failed, with a warning; the sweep goes on
 * with the others. A run that continues goes on at the K where it was. Collective. Errors: other ones of the method and
 * of dc_state_keep, DC_ERR_NUMERIC if all K failed, DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_sweep_run(dc_comm *comm, const dc_rows *rows, const dc_sweep_config *cfg, dc_sweep *s);
/* Memory of a rank besides the rows and the fits; bytes in a checkpoint. Local. */
double dc_sweep_bytes(const dc_sweep_config *cfg, const dc_part *part, int64_t d);
double dc_sweep_saved_bytes(const dc_sweep_config *cfg, int64_t N);

/* Logs the table and the suggestion. */
void dc_sweep_print(const dc_sweep *s);

/* Sets the suggestion and its reason from the table: of the K whose stability is at most 0.1 below the best one, that
 * with the highest silhouette, or, by_bic, with the lowest BIC; ties: the smaller K. A K that failed is passed over;
 * not all did. Scores have no part in it. Local. */
void dc_sweep_suggest(dc_sweep *s);

#endif
