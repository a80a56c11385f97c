/* Clustering heads: distributed k-means, Student-t soft assignment, DEC target. */
#ifndef DCMPI_CLUSTER_H
#define DCMPI_CLUSTER_H

#include "dcmpi/graph.h"
#include "dcmpi/part.h"
#include "dcmpi/state.h"
#include "dcmpi/sum.h"

typedef struct dc_comm dc_comm;

/* ---- k-means ---------------------------------------------------------------------------------------------------- */

/* View of this rank's float array [n x *d]. */
dc_rows dc_rows_of_array(const dc_part *part, const float *X, const int64_t *d);

/* How the first centres are found: greedy k-means++ (Arthur and Vassilvitskii 2007, best of 2 + floor(ln K) trials per
 * centre), or k-means|| (Bahmani et al. 2012; kmeans_rounds.c). AUTO: k-means|| from K = 256 on if there are at least
 * 10 rows per cluster, and from K = 1000 on if there are at least 4. */
typedef enum { DC_SEEDING_AUTO, DC_SEEDING_PLUSPLUS, DC_SEEDING_PARALLEL } dc_seeding;

typedef struct {
    int64_t K;    /* clusters, 1 <= K <= N */
    int n_init;   /* restarts, >= 1, advanced together */
    int max_iter; /* Lloyd iterations, >= 0 */
    double tol;   /* a restart stops when the squared shift of its centres is at most tol * mean feature variance */
    dc_seeding seeding;
    uint64_t seed;
    int max_iter_before; /* max_iter of the run that wrote the checkpoint, at most max_iter; 0: same as max_iter
                          */
    const float *first;  /* [K x d], with n_init 1: centres to start from; NULL: seeded; borrowed */
    dc_state *state;     /* keeps the state of the iterations, under the phase's name; NULL: not kept; borrowed */
    bool spherical;      /* rows have length 1, and centres are given length 1 after each update */
    double
        say_every_s; /* a line in the log says where a long run is, first after this time, then less often; 0: none */
    bool quiet;      /* no line in the log */
} dc_kmeans_config;

typedef struct {
    float *centers;   /* [K x d], global, owned */
    int32_t *labels;  /* [n] local, owned: the nearest of these centres (ties: lowest) */
    int64_t *size;    /* [K] global, owned */
    double inertia;   /* sum over all rows of the squared distance to their centre, in double; global */
    int best;         /* restart that won */
    int iterations;   /* of the best restart */
    int most;         /* of the longest restart */
    bool converged;   /* the best restart stopped by tol */
    int64_t reseeded; /* empty clusters that were given a new centre, over all restarts */
} dc_kmeans_result;

/* k-means of N rows (Lloyd 1982; spherical: Dhillon and Modha 2001) from n_init restarts. All restarts advance in one
 * pass over the rows and one reduction per iteration. Collective; the same bits for every number of ranks and threads.
 *
 * The lowest inertia wins (ties: first restart). The centre of an empty cluster moves to the row farthest from its
 * nearest centre (ties: lowest row); several empty clusters take the farthest rows in order. If all rows lie on
 * centres, the empty cluster's centre stays, so data with fewer than K distinct rows ends with clusters of size 0.
 * During seeding, if all rows already lie on centres, the next centre is drawn uniformly. k-means|| takes the restarts
 * one after another, and a checkpoint keeps how far it is; k-means++ takes them together.
 *
 * Labels equal those of dc_nearest in every iteration: products in float decide a label where they are accurate enough,
 * and distances in double elsewhere. Sums, counts and inertia are in double. So accuracy suffers neither from outlying
 * rows nor from the unit of measure, as long as float can hold the values.
 *
 * Sparse rows (rows->csr, if dc_csr_pays) take time in proportion to their values: scores are sparse products, and sums
 * are formed column by column. From the same centres an iteration gives the same labels, sums and centres as for the
 * dense rows; only the distances while seeding, and inertias, may be rounded differently.
 *
 * Memory of a rank: n_init*n floats while seeding by k-means++, 2 n and about 2.5 K rows by k-means||; two tiles of 256
 * rows and their scores per thread; from 64 clusters on 2 n more (kmeans.c, stays_init); about (threads + log2(blocks))
 * copies of the sums, which are K*(d+1) doubles per restart. With sparse rows instead 16 rows and the scores per
 * thread, the stored values once more, the labels of the restarts of a pass, and one copy of the sums, with several
 * ranks about four. A pass handles as many restarts as fit into 32 MiB of sums, so an iteration with K*(d+1)*n_init
 * beyond 4M takes several passes. Of sums beyond that per restart there is one copy: rows are labelled in a pass (n
 * numbers more), and as many clusters as fit are summed in each of the next. Errors: DC_ERR_DATA if K > N;
 * DC_ERR_MEMORY. `out` needs no initial value and is empty after an error. */
DC_CHECKED dc_status dc_kmeans(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg, dc_kmeans_result *out);
void dc_kmeans_result_release(dc_kmeans_result *r);
/* Memory that dc_kmeans() needs for rows of d values, measured in a rehearsal (mem.h). csr: what is known of the rows
 * before they are read, if they are sparse, else NULL. Collective. Errors: DC_ERR_MEMORY. */
typedef struct {
    double bytes;        /* peak on this rank, result included */
    double result_bytes; /* the result alone */
    double saved_bytes;  /* size in a checkpoint */
} dc_kmeans_needs;
DC_CHECKED dc_status dc_kmeans_needs_of(dc_comm *comm, const dc_part *part, int64_t d, const struct dc_csr *csr,
                                        const dc_kmeans_config *cfg, dc_kmeans_needs *out);

/* label[n]: the nearest of the centres M [K x d] to each row of X [n x d], distances summed from the differences in
 * double, ties to the lowest centre. This defines a label here, in dc_kmeans and in the soft assignment. Local;
 * threaded if called outside a parallel region; a row's label does not depend on its position. */
void dc_nearest(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label);

/* The same for many rows and centres, by products as in dc_kmeans: one finder for the centres M [K x d], borrowed.
 * Local. Errors: DC_ERR_MEMORY. */
typedef struct dc_finder dc_finder;
DC_CHECKED dc_status dc_finder_create(dc_finder **out, const float *M, int64_t K, int64_t d);
void dc_finder_destroy(dc_finder **f);
/* label[n] of X [n x d]. Threaded over tiles of 256 rows; not inside a parallel region. */
void dc_finder_label(dc_finder *f, const float *X, int64_t n, int32_t *label);
/* Memory of a finder. */
double dc_finder_bytes(int64_t K, int64_t d);

/* out[K x d]: mean of the squared differences from its centre over the rows of each cluster, by column; 0 for a cluster
 * without rows. centers [K x d]; label[n]. The same bits for every number of ranks and threads.
 * Collective: one reduction. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cluster_variances(dc_comm *comm, const dc_rows *rows, const float *centers,
                                          const int32_t *label, int64_t K, float *out);

/* out[K x d]: mean of the rows of each cluster, 0 for a cluster without rows. label[n]; rows with a label outside
 * 0..K-1 count for no cluster. The same bits for every number of ranks and threads. Collective: one reduction. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cluster_means(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, float *out);
/* Sum over all rows of the squared distance to the mean of their cluster, and size[K] unless NULL; label NULL: all rows
 * are one cluster (K = 1). Otherwise as dc_cluster_means(), with two reductions. */
DC_CHECKED dc_status dc_cluster_inertia(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K,
                                        int64_t *size, double *out);
/* Temporary memory of dc_cluster_means(), for a rehearsal (mem.h). Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cluster_means_bytes(const dc_rows *rows, int64_t K, size_t *bytes);

/* ---- Student-t soft assignment ---- */

/* q[n x K]: log q_ij = -(alpha+1)/2 log1p(d_ij/alpha) - logsumexp_k, d_ij = |z_i - mu_j|^2 summed from the differences
 * (Xie et al. 2016, equation 1). label[n] (NULL: not wanted): the nearest centre, as dc_nearest finds it; its q is the
 * largest of the row. Z [n x L] and M [K x L] must be finite, K >= 1, alpha > 0; n and L may be 0. Then the result is
 * finite, too. Local; threaded if called outside a parallel region; a row's result does not depend on its position. */
void dc_softassign(const float *Z, const float *M, int64_t n, int64_t K, int64_t L, double alpha, float *q,
                   int32_t *label);

/* The sum of a row of q or p may differ from 1 by this much, because q and p are float and so are rounded. */
#define DC_ROW_SUM_TOLERANCE 1e-5

/* Statistics of q and the labels over all rows, equal on all ranks. The caller owns the arrays. */
typedef struct {
    double *f;        /* [K] f_j = sum_i q_ij over all N rows, in double */
    int64_t *size;    /* [K] rows with label j */
    int64_t changed;  /* rows whose label has changed */
    double sum_check; /* max over rows of |sum_j q_ij - 1|; NaN if q has a NaN on this rank */
} dc_soft_stats;
/* Counts q and labels while the rows pass by, so that nobody keeps q of all rows. After dc_soft_begin(), all rows of
 * this rank are added in order, in pieces that lie in one block (part.h) each: rows [lo, lo + n) have q [n x K] and new
 * labels next[n]; labels[n] holds their old labels on entry, the new ones on return. One thread at a time adds. The
 * statistics have the same bits for every number of ranks and threads, and for any pieces. dc_soft_finish() is
 * collective: one reduction of 2K+1 doubles and one maximum. All memory is allocated by dc_soft_create(): errors:
 * DC_ERR_MEMORY. */
typedef struct dc_soft_counter dc_soft_counter;
DC_CHECKED dc_status dc_soft_create(dc_soft_counter **out, const dc_part *part, int64_t K);
void dc_soft_destroy(dc_soft_counter **c);
void dc_soft_begin(dc_soft_counter *c);
void dc_soft_add(dc_soft_counter *c, int64_t lo, int64_t n, const float *q, const int32_t *next, int32_t *labels);
void dc_soft_finish(dc_comm *comm, dc_soft_counter *c, dc_soft_stats *stats);

/* p_ij = (q_ij^2/f_j) / sum_k(q_ik^2/f_k), f floored at 1e-12 N (Xie et al. 2016, equation 3). q, p [n x K]; p may be
 * q. Local; threaded if called outside a parallel region. */
void dc_target(const float *q, const double *f, int64_t n, int64_t K, dc_gidx N, float *p);

typedef enum { DC_TARGET_SQUARE, DC_TARGET_ROOT } dc_target_kind;
typedef enum {
    DC_SOFT_STUDENT, /* q is the Student-t assignment to centres */
    DC_SOFT_HEAD     /* q is the softmax of a dense layer */
} dc_soft_model;
/* A target that stays while the model moves on: what the targets of all rows follow from, besides their embedding as it
 * was when the target was made. It takes K (L + 2) numbers; p [N x K] is never kept. */
typedef struct dc_soft_target {
    dc_target_kind kind; /* p ~ q^2/f as in dc_target(), or p ~ q/sqrt(f) (Dizaji et al. 2017) */
    dc_soft_model model;
    double alpha; /* of Student's t */
    int64_t K, L;
    dc_gidx N;
    float *param; /* centres [K x L], or the layer's weights [L x K] and then its bias [K]; owned, set by the caller */
    double *f;    /* [K] sums of q over all N rows; owned, set by the caller */
    float *tile;  /* of dc_target_loss(): p of a few rows, for each thread; owned */
    dc_sum *sum;  /* owned */
} dc_soft_target;
/* Allocates the arrays of *t, whose kind, model, alpha, K and L are set; N follows from `part`, which is borrowed.
 * Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_target_create(dc_soft_target *t, const dc_part *part);
void dc_target_release(dc_soft_target *t);
/* Floats of t->param. */
size_t dc_target_params(const dc_soft_target *t);
/* Mean over all rows of KL(p_i || q_i); *odd: number of rows of p, over all ranks, that do not sum to 1. Z [n x L]:
 * the rows as they were when t->f was counted. Collective: one reduction. */
double dc_target_loss(dc_comm *comm, const dc_soft_target *t, const float *Z, int64_t *odd);
/* The targets p, [batch x K], of rows z [batch x L] as they were when the target was made; *t must outlive the graph.
 * Constant. */
dc_val dc_target_of(dc_graph *g, const dc_soft_target *t, dc_val z);
#define dc_target_of(g, t, z) dc_target_of(DC_RECORDED_AT(g), t, z)

/* Records KL(p_i || q_i) of each row, [batch x 1]. q is the Student-t assignment of z [batch x L] to centers [K x L]; p
 * [batch x K] is constant. */
dc_val dc_student_kl(dc_graph *g, double alpha, dc_val z, dc_val centers, dc_val p);
#define dc_student_kl(g, alpha, z, centers, p) dc_student_kl(DC_RECORDED_AT(g), alpha, z, centers, p)
/* The Student-t assignment q, [batch x K], as dc_softassign gives it; constant. */
dc_val dc_student(dc_graph *g, double alpha, dc_val z, dc_val centers);
#define dc_student(g, alpha, z, centers) dc_student(DC_RECORDED_AT(g), alpha, z, centers)

/* ---- Rows and centres, recorded ---- */

/* |z_i - mu_k|^2, [batch x K]; z [batch x L], centers [K x L]. */
dc_val dc_sqdist(dc_graph *g, dc_val z, dc_val centers);
/* Number of the nearest centre, as dc_nearest finds it, [batch x 1]; constant. */
dc_val dc_nearest_center(dc_graph *g, dc_val z, dc_val centers);
/* Row number[i] of a vector [K x L], [batch x L]; number [batch x 1] whole numbers; 0 outside 0..K-1;
 * constant. */
dc_val dc_pick(dc_graph *g, dc_val number, dc_val vector);
/* Records updated running means [K x L]: `mean` [K x L] is over `count` [K] values so far; `more` [K] values with sums
 * `sum` [K x L] are added. Constant. */
dc_val dc_running_mean(dc_graph *g, dc_val mean, dc_val count, dc_val more, dc_val sum);
#define dc_sqdist(g, z, centers) dc_sqdist(DC_RECORDED_AT(g), z, centers)
#define dc_pick(g, number, vector) dc_pick(DC_RECORDED_AT(g), number, vector)
#define dc_nearest_center(g, z, centers) dc_nearest_center(DC_RECORDED_AT(g), z, centers)
#define dc_running_mean(g, mean, count, more, sum) dc_running_mean(DC_RECORDED_AT(g), mean, count, more, sum)

/* ---- Diagonal Gaussians, recorded -------------------------------------------------------------------------------- */

/* Variances are given by their logarithms. */

/* log N(x_i; mean_k, variance_k), [batch x K]; x [batch x L], mean, log_var [K x L]. Plus the logarithms of the weights
 * (dc_map) these are the logits of a mixture: its responsibilities are their softmax. */
dc_val dc_gauss_log(dc_graph *g, dc_val x, dc_val mean, dc_val log_var);
/* KL(N(x_i, own_i) || N(mean_k, variance_k)), [batch x K]; own [batch x L]: log variances of the rows. mean and log_var
 * DC_NONE: from the standard normal distribution, [batch x 1]. */
dc_val dc_gauss_kl(dc_graph *g, dc_val x, dc_val own, dc_val mean, dc_val log_var);
/* A draw from N(mean_i, variance_i) for each row: mean + exp(log_var / 2) noise, differentiable by both (Kingma and
 * Welling 2014). site: as for dc_noise. */
dc_val dc_gauss_sample(dc_graph *g, dc_val mean, dc_val log_var, int site);
#define dc_gauss_log(g, x, mean, log_var) dc_gauss_log(DC_RECORDED_AT(g), x, mean, log_var)
#define dc_gauss_kl(g, x, own, mean, log_var) dc_gauss_kl(DC_RECORDED_AT(g), x, own, mean, log_var)
#define dc_gauss_sample(g, mean, log_var, site) dc_gauss_sample(DC_RECORDED_AT(g), mean, log_var, site)

#endif
