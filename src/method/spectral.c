/* spectral: spectral clustering (Ng, Jordan, Weiss, NIPS 2001): k-means on the eigenvectors of the normalised Laplacian
 * of affinities between all rows, or between neighbours, each row of them scaled to length 1 (spectral.h). Nothing is
 * trained. Labels follow from the place of a row among all others; only landmarks give a place to new rows, by
 *   x -> mixture of landmarks -> extension -> unit length -> nearest centre. */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/spectral.h"
#include "methods.h"

typedef struct {
    dc_centers_keys centers;
    dc_spectral_config spectral;
    int64_t max_clusters;
} spectral_keys;

static const dc_key_choice paths[] = {{"auto", DC_SPECTRAL_AUTO},
                                      {"exact", DC_SPECTRAL_EXACT},
                                      {"knn", DC_SPECTRAL_KNN},
                                      {"landmark", DC_SPECTRAL_LANDMARK},
                                      {NULL, 0}};
static const dc_key_choice affinities[] = {{"gaussian", DC_AFFINITY_GAUSSIAN},
                                           {"self-tuning", DC_AFFINITY_SELF_TUNING},
                                           {"knn", DC_AFFINITY_NEIGHBORS},
                                           {"cosine", DC_AFFINITY_COSINE},
                                           {NULL, 0}};
static const dc_key_choice landmark_choices[] = {
    {"random", DC_LANDMARKS_RANDOM}, {"kmeans", DC_LANDMARKS_KMEANS}, {NULL, 0}};

static const dc_key_choice scalings[] = {{"unit", DC_SPECTRAL_UNIT}, {"walk", DC_SPECTRAL_WALK}, {NULL, 0}};

#define AT(member) offsetof(spectral_keys, spectral.member)
static const dc_key keys[] = {
    DC_CENTERS_KEYS,
    {.name = "path",
     .type = DC_KEY_CHOICE,
     .offset = AT(path),
     .fallback = "auto",
     .choices = paths,
     .also = "eigen_solver solver",
     .doc = "How the eigenvectors are found. exact: of the matrix of all pairs, 8 N^2 bytes over all ranks, by "
            "ScaLAPACK; its last bits depend on the number of ranks. knn: affinities between neighbours alone, by "
            "Lanczos iteration. landmark: rows as mixtures of landmarks (Nystroem); only this path can predict. auto: "
            "exact up to 10000 rows, else knn."},
    {.name = "affinity",
     .type = DC_KEY_CHOICE,
     .offset = AT(affinity),
     .fallback = "self-tuning",
     .choices = affinities,
     .also = "kernel similarity",
     .source = "Zelnik-Manor and Perona 2004",
     .doc = "Of two rows at the distance d. gaussian: exp(-d^2 / 2 s^2). self-tuning: exp(-d^2 / s_i s_j) with the "
            "distances s of both to their neighbour number scale_neighbor. knn: 1 if each is among the nearest of the "
            "other, 1/2 if one is, else 0, as in scikit-learn. cosine: of their angle, at least 0. path landmark takes "
            "gaussian or cosine."},
    {.name = "normalize",
     .type = DC_KEY_CHOICE,
     .offset = AT(scaling),
     .fallback = "unit",
     .choices = scalings,
     .also = "normalise row_normalize",
     .source = "Ng, Jordan, Weiss 2001",
     .doc =
         "Rows of the eigenvectors before k-means. unit: to length 1. walk: divided by the root of the row's degree, "
         "which gives eigenvectors of the random walk, as scikit-learn does; not with path landmark."},
    {.name = "neighbors",
     .type = DC_KEY_INT,
     .offset = AT(neighbors),
     .fallback = "10",
     .min = 1,
     .max = 10000,
     .unit = "rows",
     .also = "neighbours n_neighbors k",
     .source = "scikit-learn",
     .doc = "Edges from each row of the graph, for path knn and for affinity knn; edges count in both directions."},
    {.name = "scale_neighbor",
     .type = DC_KEY_INT,
     .offset = AT(scale_neighbor),
     .fallback = "7",
     .min = 1,
     .max = 10000,
     .also = "scale_neighbour local_scale",
     .source = "Zelnik-Manor and Perona 2004",
     .doc = "The neighbour whose distance is the scale of a row, for self-tuning, and for gaussian without a scale."},
    {.name = "scale",
     .type = DC_KEY_FLOAT,
     .offset = AT(scale),
     .fallback = "0",
     .min = 0,
     .max = 1e30,
     .when = "affinity",
     .when_is = "gaussian",
     .also = "sigma bandwidth gamma",
     .doc = "s of gaussian, in the unit of the scaled rows; scikit-learn's gamma is 1 / 2 s^2. 0: the median over all "
            "rows of the distance to neighbour number scale_neighbor; with path landmark, over the landmarks."},
    {.name = "landmarks",
     .type = DC_KEY_INT,
     .offset = AT(landmarks),
     .fallback = "1000",
     .min = 2,
     .max = 4096,
     .when = "path",
     .when_is = "landmark",
     .also = "n_components anchors",
     .doc = "Number of landmarks: more than clusters, fewer than rows."},
    {.name = "max_clusters",
     .type = DC_KEY_INT,
     .offset = offsetof(spectral_keys, max_clusters),
     .fallback = "20",
     .min = 2,
     .max = DC_SPECTRAL_K_MAX,
     .also = "k_max",
     .doc = "The most clusters that cluster.clusters: auto may choose."},
    {.name = "nearest_landmarks",
     .type = DC_KEY_INT,
     .offset = AT(nearest),
     .fallback = "5",
     .min = 1,
     .max = DC_LANDMARKS_NEAREST_MAX,
     .when = "path",
     .when_is = "landmark",
     .also = "r anchor_neighbors",
     .source = "Chen and Cai 2011",
     .doc = "Landmarks that a row is a mixture of; the others count nothing for it."},
    {.name = "landmark_choice",
     .type = DC_KEY_CHOICE,
     .offset = AT(landmark_choice),
     .fallback = "kmeans",
     .choices = landmark_choices,
     .when = "path",
     .when_is = "landmark",
     .also = "anchor_selection",
     .source = "Chen and Cai 2011",
     .doc = "random: rows that are drawn. kmeans: the centres of up to 20 iterations of k-means from them."},
};

static const dc_spectral_config *config_of(const dc_method_env *env)
{
    return &((const spectral_keys *)env->keys)->spectral;
}

static bool has_landmarks(const dc_method_env *env)
{
    return config_of(env)->path == DC_SPECTRAL_LANDMARK;
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

enum { NOT_YET, EMBEDDED }; /* values of dc_spectral_state.stage */

static void build(const dc_method_env *env, dc_slab *slab)
{
    char text[64];
    const dc_spectral_config *cfg = config_of(env);
    if (slab->st == DC_OK) slab->st = dc_spectral_check(cfg, env->K);
    if (has_landmarks(env)) {
        snprintf(text, sizeof text, "dense %lld%s", (long long)cfg->landmarks,
                 cfg->affinity == DC_AFFINITY_COSINE ? " relu" : "");
        dc_slab_add_net(slab, "landmarks", env->L, text);
        snprintf(text, sizeof text, "dense %lld", (long long)env->K);
        dc_slab_add_net(slab, "extension", cfg->landmarks, text);
    }
    dc_slab_add(slab, "centers", env->K, env->L, false);
    dc_slab_add(slab, "spectral_centers", env->K, env->K, false);
}

static dc_status check_rows(const dc_method_env *env, int64_t N)
{
    const dc_status st = dc_spectral_check(config_of(env), env->K);
    return st == DC_OK ? dc_spectral_check_rows(config_of(env), env->K, N) : st;
}

static void destroy(dc_method_state **state)
{
    dc_spectral_state *own = *state ? (*state)->spectral : NULL;
    if (own) {
        dc_state_drop(own->saved, own->rows);
        dc_state_drop(own->saved, own->value);
        dc_state_drop(own->saved, &own->stage);
        dc_mem_free(&own->rows);
        dc_mem_free(&own->value);
        dc_mem_free(&(*state)->spectral);
    }
    dc_centers_destroy(state);
}

static dc_status create(const dc_method_env *env, dc_method_state **out)
{
    dc_status st = DC_OK;
    dc_spectral_state *own;
    const size_t n = (size_t)dc_part_rows(env->part), K = (size_t)env->K;
    DC_TRY(dc_centers_create(env, out));
    DC_TRY(dc_mem_alloc(&(*out)->spectral, 1, sizeof *own, "method state"));
    own = (*out)->spectral;
    DC_TRY(dc_mem_alloc(&own->rows, dc_mul_size(n, K), sizeof *own->rows, "spectral embedding"));
    DC_TRY(dc_mem_alloc(&own->value, K + 1, sizeof *own->value, "eigenvalues"));
out:
    if (st != DC_OK) destroy(out);
    return st;
}

static dc_status keep(dc_comm *comm, dc_method_state *s, dc_state *c)
{
    dc_status st = DC_OK;
    dc_spectral_state *own = s->spectral;
    const size_t K = (size_t)s->env->K;
    own->saved = c;
    DC_TRY(dc_state_keep_rows(comm, c, "spectral/rows", DC_STATE_F32, K, s->env->part, own->rows));
    DC_TRY(dc_state_keep(comm, c, "spectral/value", DC_STATE_F64, K + 1, own->value, NULL));
    DC_TRY(dc_state_keep(comm, c, "spectral/stage", DC_STATE_I64, 1, &own->stage, NULL));
    if (own->stage != NOT_YET && own->stage != EMBEDDED)
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's spectral embedding fits no state of this run: stage %lld",
                     (long long)own->stage);
out:
    return st;
}

/* ---- Clusters ---------------------------------------------------------------------------------------------------- */

static void release_found(void **found)
{
    if (*found) dc_spectral_release(*found);
    dc_mem_free(found);
}

/* Bytes of the embedding of n rows that cluster() holds; start() has that of the state. */
static double held_bytes(const dc_method_env *env, int64_t n)
{
    return env->start_by ? sizeof(float) * (double)n * (double)env->K : 0;
}

static double start_bytes(const dc_method_env *env)
{
    const double held = held_bytes(env, dc_part_rows(env->part));
    return held + fmax(dc_spectral_bytes(env->part, env->L, config_of(env), env->K), env->kmeans_bytes);
}

static double start_saved_bytes(const dc_method_env *env)
{
    return held_bytes(env, env->part->N) + dc_spectral_saved_bytes(env->part->N, config_of(env), env->K);
}

static dc_status check_room(const dc_method_env *env, double room_bytes)
{
    return dc_spectral_check_room(env->part, env->L, config_of(env), env->K, room_bytes);
}

static dc_landmarks landmarks_in(const dc_method_env *env)
{
    const dc_layer *first = &dc_slab_net(env->slab, "landmarks")->layer[0],
                   *second = &dc_slab_net(env->slab, "extension")->layer[0];
    return (dc_landmarks){env->value + first->weight, env->value + first->bias, env->value + second->weight};
}

static dc_spectral_task task_of(const dc_method_env *env, const dc_landmarks *landmarks)
{
    return (dc_spectral_task){.keys = config_of(env),
                              .K = env->K,
                              .seed = env->kmeans.seed,
                              .state = env->kmeans.state,
                              .landmarks = landmarks};
}

static void take(const dc_method_state *s, const dc_spectral *found)
{
    dc_spectral_state *own = s->spectral;
    const size_t values = (size_t)(dc_part_rows(s->env->part) * s->env->K);
    if (values) memcpy(own->rows, found->rows, values * sizeof *own->rows);
    memcpy(own->value, found->value, (size_t)(s->env->K + 1) * sizeof *own->value);
    own->stage = EMBEDDED;
}

static dc_status embed(dc_comm *comm, const dc_method_state *s, const float *Z)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    dc_spectral found = {0};
    dc_landmarks landmarks = {0};
    const dc_rows rows = dc_method_rows(env, Z);
    if (has_landmarks(env)) landmarks = landmarks_in(env);
    const dc_spectral_task task = task_of(env, &landmarks);
    DC_TRY(dc_spectral_embed(comm, &rows, &task, &found));
    take(s, &found);
out:
    dc_spectral_release(&found);
    return st;
}

/* Landmarks outside the slab, in one array. */
static dc_status take_landmarks(const dc_method_env *env, dc_landmarks *out)
{
    dc_status st = DC_OK;
    const int64_t m = config_of(env)->landmarks;
    *out = (dc_landmarks){.weight = NULL};
    if (!has_landmarks(env)) return DC_OK;
    DC_TRY(dc_mem_alloc(&out->weight, (size_t)(m * (env->L + 1 + env->K)), sizeof *out->weight, "landmarks"));
    out->bias = out->weight + m * env->L;
    out->extension = out->bias + m;
out:
    return st;
}

/* rows[n x K]: the embedding for cluster(), which needs neither values nor formula. */
static dc_status embed_alone(dc_comm *comm, const dc_method_env *env, const float *Z, float *rows)
{
    dc_status st = DC_OK;
    dc_spectral found = {0};
    dc_landmarks landmarks;
    const dc_rows all = dc_method_rows(env, Z);
    const size_t values = (size_t)(dc_part_rows(env->part) * env->K);
    DC_TRY_ALL(comm, take_landmarks(env, &landmarks));
    const dc_spectral_task task = task_of(env, &landmarks);
    DC_TRY(dc_spectral_embed(comm, &all, &task, &found));
    if (values) memcpy(rows, found.rows, values * sizeof *rows);
out:
    dc_mem_free(&landmarks.weight);
    dc_spectral_release(&found);
    return st;
}

/* As cluster.init of another method. Checkpoints of k-means keep the embedding. */
static dc_status cluster(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label)
{
    dc_status st = DC_OK;
    dc_kmeans_result km = {0};
    dc_state *state = env->kmeans.state;
    float *rows = NULL;
    int64_t stage = NOT_YET;
    const size_t n = (size_t)dc_part_rows(env->part), K = (size_t)env->K;
    DC_TRY_ALL(comm, dc_mem_alloc(&rows, dc_mul_size(n, K), sizeof *rows, "spectral embedding"));
    DC_TRY(dc_state_keep_rows(comm, state, "spectral/start_rows", DC_STATE_F32, K, env->part, rows));
    DC_TRY(dc_state_keep(comm, state, "spectral/start_stage", DC_STATE_I64, 1, &stage, NULL));
    if (stage != EMBEDDED) DC_TRY(embed_alone(comm, env, Z, rows));
    stage = EMBEDDED;
    const dc_rows embedded = dc_rows_of_array(env->part, rows, &env->K);
    dc_state_at(state, "kmeans", 0);
    DC_TRY(dc_kmeans(comm, &embedded, &env->kmeans, &km));
    if (n) memcpy(label, km.labels, n * sizeof *label);
out:
    dc_state_drop(state, &stage);
    dc_state_drop(state, rows);
    dc_mem_free(&rows);
    dc_kmeans_result_release(&km);
    return st;
}

static int64_t most_clusters(const void *values)
{
    return ((const spectral_keys *)values)->max_clusters;
}

/* The embedding serves start(), too, unless it is that of landmarks, whose layers belong to the model. */
static dc_status choose(dc_comm *comm, const dc_method_env *env, const dc_rows *rows, int64_t *K, void **out)
{
    dc_status st = DC_OK;
    dc_spectral *found = NULL;
    dc_landmarks landmarks;
    DC_TRY_ALL(comm, take_landmarks(env, &landmarks));
    DC_TRY_ALL(comm, dc_mem_alloc(&found, 1, sizeof *found, "spectral embedding"));
    dc_spectral_task task = task_of(env, &landmarks);
    task.chooses = true;
    DC_TRY(dc_spectral_embed(comm, rows, &task, found));
    *K = found->K;
out:
    dc_mem_free(&landmarks.weight);
    *out = found;
    if (st != DC_OK || has_landmarks(env)) release_found(out);
    return st;
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    dc_kmeans_result km = {0};
    const dc_rows embedded = dc_rows_of_array(env->part, s->spectral->rows, &env->K);
    if (s->spectral->stage == NOT_YET && env->found)
        take(s, env->found);
    else if (s->spectral->stage == NOT_YET)
        DC_TRY(embed(comm, s, rows->Z));
    dc_state_at(env->kmeans.state, "kmeans", 0);
    DC_TRY(dc_kmeans(comm, &embedded, &env->kmeans, &km));
    memcpy(dc_method_values(env, "spectral_centers"), km.centers, (size_t)(env->K * env->K) * sizeof *km.centers);
out:
    dc_kmeans_result_release(&km);
    return st;
}

/* The centres of the result are the means of what was clustered. */
static dc_status refresh(dc_comm *comm, dc_method_state *s, const dc_inferred *rows, dc_refresh *out)
{
    const dc_method_env *env = s->env;
    const dc_rows all = dc_method_rows(env, rows->Z);
    (void)out;
    return dc_cluster_means(comm, &all, rows->label, env->K, dc_method_values(env, "centers"));
}

/* Without landmarks the place of a row does not follow from its values. */
static void assign(const dc_method_state *s, int64_t lo, int64_t n, float *q, int32_t *label)
{
    const dc_method_env *env = s->env;
    if (has_landmarks(env) || s->spectral->stage == NOT_YET) return;
    dc_softassign(s->spectral->rows + lo * env->K, dc_method_values(env, "spectral_centers"), n, env->K, env->K,
                  ((const spectral_keys *)env->keys)->centers.alpha, q, label);
}

static void infer(dc_graph *g, const dc_method_env *env)
{
    const spectral_keys *k = env->keys;
    const bool cosine = k->spectral.affinity == DC_AFFINITY_COSINE;
    const int64_t nearest = DC_MIN(k->spectral.nearest, k->spectral.landmarks);
    if (!has_landmarks(env)) {
        dc_centers_infer(g, env);
        return;
    }
    const dc_val z = dc_method_embed(g, env), a = cosine ? dc_unit(g, z) : z,
                 l = dc_layers(g, dc_slab_net(env->slab, "landmarks"), 0, 1, DC_FIXED, a),
                 p = dc_largest(g, cosine ? l : dc_softmax(g, l, DC_NONE), nearest),
                 u = dc_unit(g, dc_layers(g, dc_slab_net(env->slab, "extension"), 0, 1, DC_FIXED, p)),
                 m = dc_method_use(g, env, "spectral_centers");
    dc_output(g, "q", dc_student(g, k->centers.alpha, u, m));
    dc_output(g, "label", dc_nearest_center(g, u, m));
}

static dc_status check_predict(const dc_method_env *env)
{
    if (has_landmarks(env)) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "spectral clustering gives labels to new rows only with spectral.path = landmark: "
                                 "without landmarks a row's place follows from all rows together");
}

static dc_status results(const dc_method_state *s, dc_results *r)
{
    dc_status st = DC_OK;
    const int64_t values = s->env->K + 1;
    DC_TRY(dc_results_add(r, "/spectral/eigenvalues", DC_STATE_F64, 1, &values, s->spectral->value));
    DC_TRY(dc_results_add_rows(r, "/spectral/embedding", DC_STATE_F32, dc_part_rows(s->env->part), s->env->K,
                               s->spectral->rows));
out:
    return st;
}

const dc_method dc_method_spectral = {
    .name = "spectral",
    .summary =
        "spectral clustering: k-means on eigenvectors of the Laplacian of affinities; exact, of neighbours, or by "
        "landmarks",
    .flags = DC_METHOD_HEAD,
    DC_METHOD_KEYS(keys, spectral_keys),
    .build = build,
    .check_rows = check_rows,
    .create = create,
    .start = start,
    .start_bytes = start_bytes,
    .start_saved_bytes = start_saved_bytes,
    .check_room = check_room,
    .refresh = refresh,
    .keep = keep,
    .infer = infer,
    .assign = assign,
    .check_predict = check_predict,
    .results = results,
    .destroy = destroy,
    .cluster = cluster,
    .choose = choose,
    .release_found = release_found,
    .most_clusters = most_clusters,
};
