/* Spectral embeddings: the eigenvectors of the K smallest eigenvalues of the symmetric normalised Laplacian
 * I - D^-1/2 W D^-1/2, each row of them scaled to length 1 (Ng, Jordan, Weiss 2001). W holds the affinities of all
 * pairs of rows, without its diagonal, and D its row sums. */
#ifndef DCMPI_SPECTRAL_H
#define DCMPI_SPECTRAL_H

#include "dcmpi/cluster.h"

/* How the eigenvectors are found.
 * EXACT: of the whole matrix, by ScaLAPACK. Its bits depend on the number of ranks.
 * KNN: W is kept only between rows of which one is among the nearest of the other; by Lanczos iteration. The same bits
 *   for every number of ranks and threads, as with
 * LANDMARK: each row is a mixture p of the landmarks nearest to it, its affinities to them divided by their sum, and W
 *   is approximated by P diag(P'1)^-1 P', whose row sums are 1 (a Nystroem approximation that is positive semidefinite:
 *   the anchor graph of Liu, He, Chang, ICML 2010; the eigenproblem of Chen and Cai, AAAI 2011). New rows get their
 *   place by the same formula.
 * AUTO: EXACT up to DC_SPECTRAL_EXACT_ROWS rows, else KNN. */
typedef enum { DC_SPECTRAL_AUTO, DC_SPECTRAL_EXACT, DC_SPECTRAL_KNN, DC_SPECTRAL_LANDMARK } dc_spectral_path;
enum { DC_SPECTRAL_EXACT_ROWS = 10000 };

/* With the distance d of two rows: GAUSSIAN exp(-d^2 / (2 s^2)); SELF_TUNING exp(-d^2 / (s_i s_j)), where s_i is the
 * distance of row i to its neighbour number scale_neighbor (Zelnik-Manor and Perona 2004); NEIGHBORS: 1 if each of two
 * rows is among the nearest of the other, 1/2 if only one is, as in scikit-learn; COSINE: max(0, cos). */
typedef enum { DC_AFFINITY_GAUSSIAN, DC_AFFINITY_SELF_TUNING, DC_AFFINITY_NEIGHBORS, DC_AFFINITY_COSINE } dc_affinity;

typedef enum { DC_LANDMARKS_RANDOM, DC_LANDMARKS_KMEANS } dc_landmark_choice;
/* What becomes of the rows of the eigenvectors. UNIT: length 1 (Ng, Jordan, Weiss 2001). WALK: divided by the root of
 * the degree, which gives the eigenvectors of the random walk (Shi and Malik 2000; scikit-learn); not with LANDMARK. */
typedef enum { DC_SPECTRAL_UNIT, DC_SPECTRAL_WALK } dc_spectral_scaling;
enum { DC_LANDMARKS_NEAREST_MAX = 64 };

typedef struct {
    int path, affinity;     /* dc_spectral_path, dc_affinity */
    int64_t neighbors;      /* of each row in the graph, < N */
    int64_t scale_neighbor; /* < N */
    double scale;           /* s of GAUSSIAN; 0: the median over all rows (LANDMARK: landmarks) of the distance to the
                               neighbour number scale_neighbor */
    int64_t landmarks;      /* m < N, more than K */
    int64_t nearest;        /* landmarks of a row's mixture, 1 <= nearest <= min(m, DC_LANDMARKS_NEAREST_MAX) */
    int landmark_choice;    /* dc_landmark_choice */
    int scaling;            /* dc_spectral_scaling */
} dc_spectral_config;

/* Refuses what does not fit the number of rows. Local. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_spectral_check_rows(const dc_spectral_config *cfg, int64_t K, int64_t N);
/* Refuses settings that contradict each other. Local. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_spectral_check(const dc_spectral_config *cfg, int64_t K);

/* How LANDMARK places a row x of d values, as layers and matrices of a network: with a = x of unit length for COSINE,
 * else x,
 *   u = the unit vector of f(a weight + bias) extension,
 * where f keeps the `nearest` largest values (dc_largest) of a softmax, for COSINE of max(0, .).
 * The caller owns the arrays. */
typedef struct {
    float *weight;    /* [d x m] */
    float *bias;      /* [m] */
    float *extension; /* [m x K] */
} dc_landmarks;

/* A spectral embedding; global values, but for `rows`. */
typedef struct {
    dc_spectral_path path;
    int64_t K;        /* eigenvectors */
    int64_t n_values; /* one more than were asked for, if there are as many */
    double *value;    /* [n_values] eigenvalues of the Laplacian, ascending, owned */
    float *rows;      /* [n x K] the embedding of this rank's rows, owned; zeros without affinities */
    double scale;     /* s of GAUSSIAN, else 0 */
} dc_spectral;

typedef struct {
    const dc_spectral_config *keys;
    int64_t K;       /* eigenvectors, 1 <= K <= DC_SPECTRAL_K_MAX */
    bool chooses;    /* K is the most: out->K becomes dc_spectral_gap(), for LANDMARK without its rows and formula */
    uint64_t seed;   /* of landmarks, and of the first vectors of KNN */
    dc_state *state; /* keeps what is costly until the embedding is there; NULL: not kept; borrowed */
    const dc_landmarks *landmarks; /* LANDMARK: gets its formula */
} dc_spectral_task;
enum { DC_SPECTRAL_K_MAX = 1000 };

/* Embeds all rows, and says in the log what it found. Collective. Errors: DC_ERR_DATA, DC_ERR_NUMERIC (an affinity is
 * not finite), DC_ERR_MEMORY, DC_STOPPED. `out` needs no initial value and is empty after an error. */
DC_CHECKED dc_status dc_spectral_embed(dc_comm *comm, const dc_rows *rows, const dc_spectral_task *task,
                                       dc_spectral *out);
void dc_spectral_release(dc_spectral *s);
/* Memory that dc_spectral_embed() takes on this rank, result included. Local. */
double dc_spectral_bytes(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t K);
/* Size in a checkpoint of what it keeps. */
double dc_spectral_saved_bytes(int64_t N, const dc_spectral_config *cfg, int64_t K);
/* Refuses EXACT if its matrix does not fit into room_bytes on each of P ranks; the message says how many ranks would
 * do. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_spectral_check_room(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t K,
                                            double room_bytes);

/* The number k, 2 <= k < n_values, after whose eigenvalue the largest gap follows: value[k] - value[k - 1], ties to the
 * lowest. 1 if there are fewer than three values. */
int64_t dc_spectral_gap(const double *value, int64_t n_values);

/* Sets all but the `count` largest of x[n] to 0; ties go to the lowest. count <= DC_LANDMARKS_NEAREST_MAX. */
void dc_keep_largest(int64_t n, int64_t count, float *x);
/* The same for each row, recorded; constant. */
dc_val dc_largest(dc_graph *g, dc_val x, int64_t count);
#define dc_largest(g, x, count) dc_largest(DC_RECORDED_AT(g), x, count)

#endif
