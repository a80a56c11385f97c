/* Near-duplicates against a comparison of all rows in double: pairs at the bound, which products in float cannot tell;
 * copies, zeros, one cluster of all rows, many small and empty ones, chains, neighbouring clusters, blocks of wide
 * rows; groups and who is kept in each; a list of pairs that is too long.
 *
 * Fixed seed 591. ranks: 1 3  ranks_long: 2 5 threads: 1 2 */
#include <stdlib.h>

#include "check.h"
#include "dcmpi/duplicates.h"
#include "dcmpi/rng.h"

enum { SHARDS = 8, SEED = 591, N_MAX = 720, WIDTH = 2, K_MAX = 300 };

typedef struct {
    const char *what;
    int64_t N, d, K, probe, pairs_max;
    double cosine;
    int kind; /* of the rows: 0: at the bound, 1: chains, 2: all alike, 3: far apart */
    dc_keep keep;
} problem;

enum { DRAWN = 10007 };
static float *X, drawn[DRAWN];
static int32_t label[N_MAX];
static double distance[N_MAX];
static int64_t size[K_MAX];
static float centers[K_MAX * WIDTH];

static double draw(uint64_t what, int64_t i)
{
    uint32_t w[4];
    dc_rng4(SEED, DC_STREAM_TEST, what, (uint64_t)i, w);
    return dc_rng_unit(w[0]);
}

static double dot(const float *x, const float *y, int64_t d)
{
    double s = 0;
    for (int64_t c = 0; c < d; c++) s += (double)x[c] * (double)y[c];
    return s;
}

/* Row i, in turn: random; at the bound from the one before; a multiple of it; or zeros. */
static void fill_bound(const problem *p, int64_t i)
{
    const int64_t d = p->d, kind = i % 4;
    float *x = X + i * d;
    const float *before = x - d;
    for (int64_t c = 0; c < d; c++) x[c] = drawn[(i * 131 + c * 7) % DRAWN];
    if (kind == 0 || d == 1) return;
    if (kind == 2 || i % 23 == 3) {
        for (int64_t c = 0; c < d; c++) x[c] = i % 23 == 3 ? 0 : 4 * before[c];
        return;
    }
    const double square = dot(before, before, d);
    if (square == 0) return;
    const double along = dot(x, before, d) / square;
    for (int64_t c = 0; c < d; c++) x[c] -= (float)(along * (double)before[c]);
    const double by = sqrt((1 - p->cosine * p->cosine) * square / dot(x, x, d));
    for (int64_t c = 0; c < d; c++) x[c] = (float)(p->cosine * (double)before[c] + by * (double)x[c]);
}

static void fill(const problem *p)
{
    for (int64_t e = 0; e < DRAWN; e++) drawn[e] = (float)(draw(1, e) - 0.5);
    const double step = p->kind == 1 ? 0.9 * acos(p->cosine) : 0;
    memset(size, 0, sizeof size);
    for (int64_t i = 0; i < p->N; i++) {
        const double angle = (double)((i * 7919) % p->N) * step;
        float *x = X + i * p->d;
        if (p->kind == 0) fill_bound(p, i);
        for (int64_t c = 0; p->kind == 3 && c < p->d; c++) x[c] = (float)(draw(1, i * p->d + c) - 0.5);
        for (int64_t c = 0; (p->kind == 1 || p->kind == 2) && c < p->d; c++) x[c] = c == 0 ? (float)cos(angle) : 0;
        if (p->kind == 1) x[1] = (float)sin(angle);
        label[i] = (int32_t)((double)p->K * draw(2, i / 9));
        if (p->kind == 0 && i % 31 == 0) label[i] = (int32_t)((double)p->K * draw(3, i));
        distance[i] = floor(20 * draw(4, i));
        size[label[i]]++;
    }
    for (int64_t e = 0; e < p->K * WIDTH; e++) centers[e] = (float)draw(5, e);
}

/* ---- The twin ---------------------------------------------------------------------------------------------------- */

static bool is_near(const problem *p, int64_t k, int64_t other)
{
    int64_t nearer = 0;
    double own = 0;
    for (int c = 0; c < WIDTH; c++) own += pow((double)centers[k * WIDTH + c] - (double)centers[other * WIDTH + c], 2);
    for (int64_t e = 0; e < p->K; e++) {
        double square = 0;
        for (int c = 0; c < WIDTH; c++)
            square += pow((double)centers[k * WIDTH + c] - (double)centers[e * WIDTH + c], 2);
        nearer += e != k && (square < own || (square == own && e < other));
    }
    return nearer < p->probe;
}

static bool is_compared(const problem *p, int64_t i, int64_t j)
{
    static bool near[K_MAX][K_MAX];
    static const problem *of;
    for (int64_t k = 0; of != p && p->probe > 0 && k < p->K; k++)
        for (int64_t e = 0; e < p->K; e++) near[k][e] = k != e && is_near(p, k, e);
    of = p;
    return label[i] == label[j] || (p->probe > 0 && (near[label[i]][label[j]] || near[label[j]][label[i]]));
}

static dc_gidx parent[N_MAX];

static dc_gidx root(dc_gidx i)
{
    return parent[i] == i ? i : root(parent[i]);
}

static dc_pair pair[N_MAX * N_MAX / 2];

/* Returns the number of pairs, which are in order. */
static int64_t find_pairs(const problem *p, int64_t *across)
{
    int64_t n = 0;
    *across = 0;
    for (int64_t i = 0; i < p->N; i++) parent[i] = i;
    for (int64_t i = 0; i < p->N; i++)
        for (int64_t j = i + 1; j < p->N; j++) {
            const float *x = X + i * p->d, *y = X + j * p->d;
            if (!is_compared(p, i, j)) continue;
            const double scale = sqrt(dot(x, x, p->d) * dot(y, y, p->d)),
                         cosine = scale > 0 ? dot(x, y, p->d) / scale : -1;
            if (cosine < p->cosine) continue;
            pair[n++] = (dc_pair){i, j, cosine};
            *across += label[i] != label[j];
            const dc_gidx a = root(i), b = root(j);
            parent[DC_MAX(a, b)] = DC_MIN(a, b);
        }
    return n;
}

static dc_gidx kept_of(const problem *p, dc_gidx group)
{
    dc_gidx best = -1;
    const double sign = p->keep == DC_KEEP_NEAREST ? 1 : p->keep == DC_KEEP_FURTHEST ? -1 : 0;
    for (int64_t i = 0; i < p->N; i++)
        if (root(i) == group && (best < 0 || sign * distance[i] < sign * distance[best])) best = i;
    return best;
}

/* ---- Comparison -------------------------------------------------------------------------------------------------- */

static void check_groups(const problem *p, const dc_part *part, const dc_duplicates *d)
{
    static int64_t rows[N_MAX], number[N_MAX], removed[K_MAX];
    static dc_gidx kept[N_MAX];
    int64_t groups = 0, largest = 0, wrong = 0, all = 0, zeros = 0;
    memset(rows, 0, sizeof rows);
    memset(removed, 0, sizeof removed);
    for (int64_t i = 0; i < p->N; i++) rows[root(i)]++;
    for (int64_t i = 0; i < p->N; i++) {
        number[i] = root(i) == i && rows[i] > 1 ? groups++ : -1;
        if (rows[i] > 1) largest = DC_MAX(largest, rows[i]);
        if (root(i) == i) kept[i] = kept_of(p, i);
        zeros += dot(X + i * p->d, X + i * p->d, p->d) == 0;
    }
    for (int64_t i = 0; i < p->N; i++) {
        const dc_gidx own = kept[root(i)];
        all += own != i;
        removed[label[i]] += own != i;
        if (i < part->row_lo || i >= part->row_hi) continue;
        wrong += d->kept[i - part->row_lo] != own || d->group[i - part->row_lo] != number[root(i)];
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(d->groups, groups);
    CHECK_INT(d->largest, largest);
    CHECK_INT(d->removed, all);
    CHECK_INT(d->zeros, zeros);
    for (int64_t k = 0; k < p->K; k++) wrong += d->removed_of[k] != removed[k];
    CHECK_INT(wrong, 0);
}

static void check_pairs(const problem *p, dc_comm *comm, const dc_part *part, const dc_duplicates *d)
{
    static int64_t of[K_MAX];
    int64_t across, wrong = 0, n = find_pairs(p, &across), at = 0, all = d->n_pairs;
    memset(of, 0, sizeof of);
    for (int64_t e = 0; e < n; e++) of[label[pair[e].a]] += label[pair[e].a] == label[pair[e].b];
    for (int64_t k = 0; k < p->K; k++) wrong += d->pairs_of[k] != of[k];
    CHECK_INT(d->pairs, n);
    CHECK_INT(d->across, across);
    CHECK_INT(d->listed, n <= p->pairs_max && p->pairs_max > 0);
    for (int64_t e = 0; d->listed && e < n; e++) {
        if (pair[e].a < part->row_lo || pair[e].a >= part->row_hi) continue;
        const dc_pair *q = &d->pair[at++];
        wrong += at > d->n_pairs || q->a != pair[e].a || q->b != pair[e].b ||
                 !(fabs(q->cosine - pair[e].cosine) < 1e-12) || q->cosine > 1;
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(d->n_pairs, at);
    dc_comm_sum_i64(comm, &all, 1);
    CHECK_INT(all, d->listed ? n : 0);
}

static void check_work(const problem *p, dc_comm *comm, const dc_duplicates_config *c)
{
    int64_t within = 0, across = 0;
    dc_duplicates_work work;
    CHECK_OK(dc_duplicates_foresee(comm, c, &work));
    for (int64_t i = 0; i < p->N; i++)
        for (int64_t j = i + 1; j < p->N; j++) {
            within += label[i] == label[j];
            across += label[i] != label[j] && is_compared(p, i, j);
        }
    CHECK(work.within == (double)within && work.across == (double)across);
}

/* most: no problem before this one took more memory. */
static void check(dc_comm *comm, const problem *p, bool most)
{
    dc_part part;
    dc_duplicates d;
    if (dc_comm_rank(comm) == 0) printf("# %s\n", p->what);
    CHECK_OK(dc_mem_alloc(&X, (size_t)(p->N * p->d), sizeof *X, "test"));
    fill(p);
    CHECK_OK(dc_part_init(&part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = {.part = &part, .d = p->d, .X = X + part.row_lo * p->d};
    const dc_duplicates_config c = {.rows = &rows,
                                    .K = p->K,
                                    .label = label + part.row_lo,
                                    .size = size,
                                    .cosine = p->cosine,
                                    .probe = p->probe,
                                    .centers = centers,
                                    .width = WIDTH,
                                    .keep = p->keep,
                                    .distance = distance + part.row_lo,
                                    .pairs_max = p->pairs_max};
    const size_t before = dc_mem_current_bytes();
    CHECK_OK(dc_duplicates_find(comm, &c, &d));
    const double taken = (double)dc_mem_peak_bytes() - (double)before, bound = dc_duplicates_bytes(&c);
    if (most) CHECK(taken <= bound && bound < 1.5 * taken + 1e6);
    check_pairs(p, comm, &part, &d);
    check_groups(p, &part, &d);
    dc_duplicates_release(&d);
    check_work(p, comm, &c);
    dc_mem_free(&X);
}

int main(void)
{
    static const problem problems[] = {
        {"one cluster", 720, 24, 1, 0, 100000, 0.9, 0, DC_KEEP_NEAREST},
        {"at the bound, without a list", 601, 24, 2, 0, 0, 0.9, 0, DC_KEEP_NEAREST},
        {"five clusters", 611, 24, 5, 0, 100000, 0.95, 0, DC_KEEP_FURTHEST},
        {"many clusters, some of them empty", 611, 17, 300, 0, 100000, 0.99, 0, DC_KEEP_FIRST},
        {"many clusters and the neighbours of each", 611, 17, 40, 3, 100000, 0.9, 0, DC_KEEP_NEAREST},
        {"all clusters are neighbours", 450, 9, 5, 4, 100000, 0.9, 0, DC_KEEP_FURTHEST},
        {"a chain", 701, 3, 1, 0, 100000, 0.999, 1, DC_KEEP_NEAREST},
        {"a chain through clusters", 300, 2, 4, 3, 100000, 0.99, 1, DC_KEEP_NEAREST},
        {"all alike, the list is too long", 650, 5, 2, 0, 1000, 1, 2, DC_KEEP_NEAREST},
        {"all alike, no list", 333, 5, 2, 1, 0, 1, 2, DC_KEEP_FIRST},
        {"nothing is near", 400, 30, 3, 1, 10, 0.999, 3, DC_KEEP_NEAREST},
        {"one row", 1, 3, 1, 0, 10, 0.5, 3, DC_KEEP_NEAREST},
        {"one column", 100, 1, 2, 0, 100000, 0.5, 0, DC_KEEP_FIRST},
        {"several blocks", 540, 16000, 2, 0, 100000, 0.9, 0, DC_KEEP_NEAREST},
    };
    dc_comm *comm = NULL;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (size_t i = 0; i < DC_COUNT_OF(problems); i++)
        check(comm, &problems[i], i == 0 || i + 1 == DC_COUNT_OF(problems));
    return check_done_all(&comm);
}
