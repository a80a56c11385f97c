/* Spectral embeddings against scipy and scikit-learn (tests/golden/spectral.txt, made by tools/golden_spectral.py):
 * eigenvalues of every affinity, of all pairs and of the graph of neighbours; labels by k-means on both scalings of the
 * rows. Of neighbours and of landmarks the same bits on one rank, of all pairs the same labels. Rows in an array and
 * rows in pieces. The gap. Rows that are too few, alike, or not finite; components without number; landmarks against
 * their formula.
 * ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/la.h"
#include "dcmpi/log.h"
#include "dcmpi/spectral.h"
#include "golden/golden.h"
#include "t6_help.h"

enum { N = 240, D = 4, K = 4, SHARDS = 16 };
static const int64_t k = K;
static const char *const names[] = {"gaussian", "self-tuning", "knn", "cosine"};

typedef struct {
    const float *X;
    dc_gidx row_lo;
} source;

static void give_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const source *s = ctx;
    if (n > 0) memcpy(out, s->X + (s->row_lo + lo) * D, (size_t)(n * D) * sizeof *out);
}

static dc_spectral_config config(int path, int affinity)
{
    return (dc_spectral_config){.path = path,
                                .affinity = affinity,
                                .neighbors = 8,
                                .scale_neighbor = 7,
                                .landmarks = 40,
                                .nearest = 4,
                                .landmark_choice = DC_LANDMARKS_KMEANS};
}

/* Embedding and labels, all rows on every rank. */
typedef struct {
    dc_spectral found;
    float rows[N * K];
    int32_t label[N];
} outcome;

static dc_part part_of(dc_comm *comm, int64_t rows)
{
    dc_part part;
    if (dc_part_init(&part, rows, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return part;
}

static void gather(dc_comm *comm, const dc_part *part, const void *own, size_t row, void *all)
{
    size_t bytes[16];
    for (int r = 0; r < part->P; r++)
        bytes[r] = (size_t)(dc_part_shard_begin(part, dc_part_rank_shard(part, r + 1)) -
                            dc_part_shard_begin(part, dc_part_rank_shard(part, r))) *
                   row;
    dc_comm_allgatherv(comm, own, all, bytes);
}

static void run(dc_comm *comm, const float *X, bool in_array, const dc_spectral_config *cfg,
                const dc_landmarks *landmarks, outcome *out)
{
    const dc_part part = part_of(comm, N);
    const source s = {X, part.row_lo};
    dc_rows rows = {.part = &part, .d = D, .rows = give_rows, .ctx = &s};
    dc_kmeans_result km;
    if (in_array) rows.X = X + part.row_lo * D;
    const dc_spectral_task task = {.keys = cfg, .K = K, .seed = 571, .landmarks = landmarks};
    CHECK_OK(dc_spectral_embed(comm, &rows, &task, &out->found));
    const dc_rows embedded = dc_rows_of_array(&part, out->found.rows, &k);
    const dc_kmeans_config means = {.K = K, .n_init = 10, .max_iter = 100, .tol = 1e-4, .seed = 1};
    CHECK_OK(dc_kmeans(comm, &embedded, &means, &km));
    gather(comm, &part, out->found.rows, K * sizeof(float), out->rows);
    gather(comm, &part, km.labels, sizeof(int32_t), out->label);
    dc_kmeans_result_release(&km);
}

/* Adjusted Rand index, by its definition over all pairs. */
static double rand_index(const int32_t *a, const float *b)
{
    double both = 0, of_a = 0, of_b = 0;
    const double pairs = N * (N - 1) / 2.0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) {
            both += a[i] == a[j] && b[i] == b[j];
            of_a += a[i] == a[j];
            of_b += b[i] == b[j];
        }
    return (both - of_a * of_b / pairs) / ((of_a + of_b) / 2 - of_a * of_b / pairs);
}

static const float *as_floats(const int32_t *label)
{
    static float out[N];
    for (int i = 0; i < N; i++) out[i] = (float)label[i];
    return out;
}

static void check_golden(const char *name, const char *path, const char *what, const outcome *o)
{
    char array[64];
    double value[K + 1];
    float label[N];
    snprintf(array, sizeof array, "%s/%s/eigenvalues", name, path);
    CHECK(golden_read("spectral.txt", array, value, K + 1));
    CHECK_INT(o->found.n_values, K + 1);
    CHECK_ARRAY_NEAR(o->found.value, value, K + 1, 1e-9);
    snprintf(array, sizeof array, "%s/%s/%s", name, path, what);
    CHECK(golden_read_f32("spectral.txt", array, label, N));
    CHECK(rand_index(o->label, label) > 0.99);
}

/* On all ranks and on one; exact: bits of a grid may differ, labels may not. */
static void check_affinity(dc_comm *comm, dc_comm *alone, const float *X, int affinity, int path, int scaling)
{
    static outcome mine, one;
    const bool exact = path == DC_SPECTRAL_EXACT;
    dc_spectral_config cfg = config(path, affinity);
    cfg.scaling = scaling;
    if (dc_comm_rank(comm) == 0) printf("# %s, %s, scaling %d\n", names[affinity], exact ? "exact" : "graph", scaling);
    run(comm, X, false, &cfg, NULL, &mine);
    run(alone, X, true, &cfg, NULL, &one);
    check_golden(names[affinity], exact ? "exact" : "graph", scaling == DC_SPECTRAL_UNIT ? "label" : "sklearn", &mine);
    CHECK(rand_index(mine.label, as_floats(one.label)) == 1);
    CHECK(exact || memcmp(mine.rows, one.rows, sizeof one.rows) == 0);
    CHECK(exact || memcmp(mine.found.value, one.found.value, (K + 1) * sizeof(double)) == 0);
    dc_spectral_release(&mine.found);
    dc_spectral_release(&one.found);
}

static void check_gap(void)
{
    const double value[] = {0, 0.1, 0.2, 0.9, 0.95, 1.65};
    CHECK_INT(dc_spectral_gap(value, 5), 3);
    CHECK_INT(dc_spectral_gap(value, 6), 3); /* a tie */
    CHECK_INT(dc_spectral_gap(value, 3), 2);
    CHECK_INT(dc_spectral_gap(value, 2), 1);
}

/* ---- Landmarks --------------------------------------------------------------------------------------------------- */

enum { M = 40 };

/* Mixtures P[N x M] from the layers that an embedding left, in double. */
static void twin_mixtures(const float *X, const dc_landmarks *l, bool cosine, int nearest, double *P)
{
    for (int i = 0; i < N; i++) {
        double *p = P + i * M, length = 0, sum = 0, bound[M];
        for (int j = 0; j < D; j++) length += (double)X[i * D + j] * (double)X[i * D + j];
        for (int m = 0; m < M; m++) {
            p[m] = cosine ? 0 : (double)l->bias[m];
            for (int j = 0; j < D; j++)
                p[m] += (double)X[i * D + j] * (double)l->weight[j * M + m] / (cosine ? sqrt(length) : 1);
            bound[m] = p[m];
        }
        for (int a = 0; a < M; a++) /* descending */
            for (int b = a + 1; b < M; b++)
                if (bound[b] > bound[a]) {
                    const double t = bound[a];
                    bound[a] = bound[b];
                    bound[b] = t;
                }
        for (int m = 0; m < M; m++) {
            p[m] = p[m] < bound[nearest - 1] ? 0 : cosine ? fmax(p[m], 0) : exp(p[m] - bound[0]);
            sum += p[m];
        }
        for (int m = 0; m < M; m++) p[m] /= sum;
    }
}

/* The eigenvalues of I - P diag(P'1)^-1 P', the whole N x N matrix. */
static void twin_values(const double *P, double *value)
{
    static double W[N * N], w[N], s[M];
    memset(s, 0, sizeof s);
    for (int i = 0; i < N; i++)
        for (int m = 0; m < M; m++) s[m] += P[i * M + m];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            W[i * N + j] = 0;
            for (int m = 0; m < M; m++)
                if (s[m] > 0) W[i * N + j] += P[i * M + m] * P[j * M + m] / s[m];
        }
    CHECK_OK(dc_eigh(N, W, w));
    for (int j = 0; j <= K; j++) value[j] = 1 - w[N - 1 - j];
}

static void check_landmark(dc_comm *comm, dc_comm *alone, const float *X, int affinity, int choice)
{
    static outcome mine, one, exact;
    static float weight[2][D * M], bias[2][M], extension[2][M * K];
    static double P[N * M];
    double value[K + 1];
    const dc_landmarks own = {weight[0], bias[0], extension[0]}, other = {weight[1], bias[1], extension[1]};
    dc_spectral_config cfg = config(DC_SPECTRAL_LANDMARK, affinity), all = config(DC_SPECTRAL_EXACT, affinity);
    cfg.landmark_choice = choice;
    if (dc_comm_rank(comm) == 0) printf("# landmarks, %s, choice %d\n", names[affinity], choice);
    run(comm, X, false, &cfg, &own, &mine);
    run(alone, X, true, &cfg, &other, &one);
    run(alone, X, true, &all, NULL, &exact);
    CHECK(memcmp(mine.rows, one.rows, sizeof one.rows) == 0);
    CHECK(memcmp(weight[0], weight[1], sizeof weight[0]) == 0 && memcmp(bias[0], bias[1], sizeof bias[0]) == 0);
    CHECK(memcmp(extension[0], extension[1], sizeof extension[0]) == 0);
    CHECK(memcmp(mine.label, one.label, sizeof one.label) == 0);
    twin_mixtures(X, &own, affinity == DC_AFFINITY_COSINE, 4, P);
    twin_values(P, value);
    CHECK_ARRAY_NEAR(mine.found.value, value, K + 1, affinity == DC_AFFINITY_COSINE ? 1e-4 : 2e-5);
    CHECK(affinity == DC_AFFINITY_COSINE || rand_index(mine.label, as_floats(exact.label)) > 0.85);
    for (int i = 0; i < N; i++) { /* P times the extension, length 1 */
        double u[K] = {0}, square = 0;
        for (int m = 0; m < M; m++)
            for (int j = 0; j < K; j++) u[j] += P[i * M + m] * (double)extension[0][m * K + j];
        for (int j = 0; j < K; j++) square += u[j] * u[j];
        for (int j = 0; j < K; j++) u[j] /= sqrt(square);
        if (affinity != DC_AFFINITY_COSINE && i % 16 == 0) CHECK_ARRAY_NEAR(mine.rows + i * K, u, K, 1e-3);
    }
    dc_spectral_release(&mine.found);
    dc_spectral_release(&one.found);
    dc_spectral_release(&exact.found);
}

static void check_landmarks(dc_comm *comm, dc_comm *alone, const float *X)
{
    check_landmark(comm, alone, X, DC_AFFINITY_GAUSSIAN, DC_LANDMARKS_KMEANS);
    check_landmark(comm, alone, X, DC_AFFINITY_GAUSSIAN, DC_LANDMARKS_RANDOM);
    check_landmark(comm, alone, X, DC_AFFINITY_COSINE, DC_LANDMARKS_KMEANS);
}

/* ---- Odd data ---------------------------------------------------------------------------------------------------- */

static dc_status try(dc_comm *comm, const float *X, int64_t rows_all, int64_t clusters, const dc_spectral_config *cfg,
                     dc_spectral *out)
{
    static float weight[D * M], bias[M], extension[M * K];
    const dc_landmarks landmarks = {weight, bias, extension};
    const dc_part part = part_of(comm, rows_all);
    const source s = {X, part.row_lo};
    const dc_rows rows = {.part = &part, .d = D, .rows = give_rows, .ctx = &s};
    const dc_spectral_task task = {.keys = cfg, .K = clusters, .seed = 571, .landmarks = &landmarks};
    return dc_spectral_embed(comm, &rows, &task, out);
}

/* Seven groups of 30 far from each other, of which only K get a vector; a row far from all. */
static void check_components(dc_comm *comm)
{
    static float X[N * D];
    dc_spectral s;
    dc_rng_fill_uniform(X, N * D, 571, 1, 1);
    for (int i = 0; i < 210; i++) X[i * D] += 1000.0F * (float)(i / 30);
    dc_spectral_config cfg = config(DC_SPECTRAL_KNN, DC_AFFINITY_NEIGHBORS);
    CHECK_OK(try(comm, X, 210, K, &cfg, &s));
    CHECK_ARRAY_NEAR(s.value, ((double[K + 1]){0}), K + 1, 1e-12);
    const dc_part part = part_of(comm, 210);
    for (int64_t i = 0; i < dc_part_rows(&part); i++)
        for (int64_t j = 0; j < K; j++)
            CHECK_NEAR(s.rows[i * K + j], (part.row_lo + i) / 30 == j ? 1 : 0, 1e-6); /* equal sizes: lowest first */
    dc_spectral_release(&s);
    X[0] = 1e6F; /* its affinities underflow */
    cfg.affinity = DC_AFFINITY_GAUSSIAN;
    CHECK_OK(try(comm, X, 30, 2, &cfg, &s));
    if (part_of(comm, 30).row_lo == 0 && part_of(comm, 30).row_hi > 0) CHECK(s.rows[0] == 0 && s.rows[1] == 0);
    CHECK_NEAR(s.value[0], 0, 1e-12);
    CHECK(s.value[1] > 0.01);
    dc_spectral_release(&s);
    cfg.path = DC_SPECTRAL_EXACT; /* here it is a component of its own */
    CHECK_OK(try(comm, X, 30, 2, &cfg, &s));
    CHECK_NEAR(s.value[1], 0, 1e-12);
    CHECK(s.value[2] > 0.01);
    dc_spectral_release(&s);
}

static void check_refused(dc_comm *comm, const float *X)
{
    static float odd[N * D];
    dc_spectral s;
    dc_spectral_config cfg = config(DC_SPECTRAL_KNN, DC_AFFINITY_NEIGHBORS);
    CHECK_STATUS(try(comm, X, 8, 2, &cfg, &s), DC_ERR_DATA); /* neighbours */
    CHECK_TEXT_HAS(dc_error_text(), "spectral.neighbors");
    dc_error_clear();
    cfg = config(DC_SPECTRAL_EXACT, DC_AFFINITY_COSINE);
    CHECK_STATUS(try(comm, X, 4, 4, &cfg, &s), DC_ERR_DATA); /* clusters */
    dc_error_clear();
    cfg = config(DC_SPECTRAL_LANDMARK, DC_AFFINITY_GAUSSIAN);
    CHECK_STATUS(try(comm, X, 40, 2, &cfg, &s), DC_ERR_DATA); /* landmarks */
    CHECK_TEXT_HAS(dc_error_text(), "spectral.landmarks");
    dc_error_clear();
    cfg.affinity = DC_AFFINITY_SELF_TUNING;
    CHECK_STATUS(try(comm, X, N, 2, &cfg, &s), DC_ERR_USAGE);
    dc_error_clear();
    cfg = config(DC_SPECTRAL_KNN, DC_AFFINITY_GAUSSIAN);
    memset(odd, 0, sizeof odd); /* all rows alike */
    CHECK_STATUS(try(comm, odd, N, 2, &cfg, &s), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "spectral.scale");
    dc_error_clear();
    memcpy(odd, X, sizeof odd);
    odd[77 * D] = NAN;
    CHECK(try(comm, odd, N, 2, &cfg, &s) != DC_OK);
    dc_error_clear();
    cfg.path = DC_SPECTRAL_LANDMARK;
    CHECK(try(comm, odd, N, 2, &cfg, &s) != DC_OK);
    dc_error_clear();
    cfg.path = DC_SPECTRAL_EXACT;
    cfg.affinity = DC_AFFINITY_COSINE;
    CHECK(try(comm, odd, N, 2, &cfg, &s) != DC_OK);
    dc_error_clear();
}

int main(void)
{
    dc_comm *comm, *alone;
    static float X[N * D];
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    CHECK(golden_read_f32("spectral.txt", "x", X, N * D));
    for (int a = 0; a < (int)DC_COUNT_OF(names); a++)
        for (int s = DC_SPECTRAL_UNIT; s <= DC_SPECTRAL_WALK; s++) {
            check_affinity(comm, alone, X, a, DC_SPECTRAL_KNN, s);
            check_affinity(comm, alone, X, a, DC_SPECTRAL_EXACT, s);
        }
    check_gap();
    check_landmarks(comm, alone, X);
    check_components(comm);
    check_refused(comm, X);
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
