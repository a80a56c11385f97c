/* Seeding by k-means|| (Bahmani et al. 2012, "Scalable k-means++"), one restart after another.
 *
 * The first candidate is a row drawn uniformly. In each of five rounds every row becomes a candidate with probability
 * min(1, K/2 * d_min / phi), where d_min is the squared distance to the nearest candidate so far and phi its sum. So
 * there are about 2.5 K candidates after five passes over the rows, where k-means++ takes K passes. Each candidate
 * moves to the mean of the rows that are nearest to it and is weighted with their number; greedy k-means++ among these
 * means chooses K of them. (Without the move, a candidate would seem to have no distance left to its own rows once it
 * is chosen: centres would go where there are many candidates.)
 *
 * A row decides by a random number of its own, a function of (seed, restart, round, global row), and candidates are
 * kept in the order of rows; so they do not depend on the number of ranks. If a round draws more rows than there is
 * room for, which is less likely than 1e-12, the first ones count. Rounds go on while there are fewer than K candidates
 * and rows that do not lie on any. If all rows lie on candidates, the remaining centres are rows drawn uniformly. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 5, MOST_ROUNDS = 64, MOST_PER_POLL = 64, DRAWS = 256 };
/* From so many centres on, k-means|| is the choice if there are so many rows for each of them. */
enum { PLENTY = 256, ROWS_PER_CENTER = 10, VERY_MANY = 1000, ROWS_PER_CENTER_OF_VERY_MANY = 4 };

/* Holds int64_t only, because it is saved as part of the run's state. */
typedef struct {
    int64_t restart;
    int64_t rounds;                 /* rounds drawn for this restart */
    int64_t first[MOST_ROUNDS + 2]; /* candidates of round t are [first[t], first[t + 1]); round 0: the first row */
    int64_t weighted;               /* 1: the candidates have moved, and their weights are known */
    int64_t chosen;                 /* centres chosen for this restart */
} progress;

typedef struct {
    const dc_km_tiles *tiles;
    const dc_part *part;
    const dc_kmeans_config *cfg;
    dc_km_watch *watch;
    int64_t K, d, R;
    int64_t per_round; /* rows expected */
    int64_t room;      /* candidates there is room for, and of a round */
    int64_t round_room;
    float *d_min;        /* [n] local */
    int32_t *owner;      /* [n] local */
    float *candidate;    /* [room x d] */
    int64_t *weight;     /* [room] */
    int64_t *chosen;     /* [K] candidates */
    int64_t *row;        /* [round_room] local rows drawn */
    size_t *counts;      /* [P] */
    int64_t *drawn;      /* [P] rows drawn by each rank */
    dc_km_centers image; /* of the candidates of a round */
    dc_km_pick pick;
    dc_sum *sum;
    progress at;
} seeding;

bool dc_km_in_rounds(const dc_kmeans_config *cfg, dc_gidx N)
{
    if (cfg->seeding != DC_SEEDING_AUTO) return cfg->seeding == DC_SEEDING_PARALLEL;
    const dc_gidx rows = cfg->K >= VERY_MANY ? ROWS_PER_CENTER_OF_VERY_MANY : ROWS_PER_CENTER;
    return cfg->K >= PLENTY && cfg->K <= N / rows;
}

static void seeding_release(seeding *s)
{
    dc_mem_free(&s->d_min);
    dc_mem_free(&s->owner);
    dc_mem_free(&s->candidate);
    dc_mem_free(&s->weight);
    dc_mem_free(&s->chosen);
    dc_mem_free(&s->row);
    dc_mem_free(&s->counts);
    dc_mem_free(&s->drawn);
    dc_km_centers_release(&s->image);
    dc_km_pick_release(&s->pick);
    dc_sum_destroy(&s->sum);
}

static dc_status seeding_init(seeding *s, const dc_km_tiles *tiles, const dc_kmeans_config *cfg)
{
    dc_status st = DC_OK;
    const dc_part *part = tiles->rows->part;
    *s = (seeding){.tiles = tiles, .part = part, .cfg = cfg, .K = cfg->K, .d = tiles->d, .R = cfg->n_init};
    s->per_round = DC_MAX(s->K / 2, (int64_t)1);
    s->round_room = DC_MIN(s->per_round + (int64_t)(8 * sqrt((double)s->per_round)) + 32, part->N);
    s->room = DC_MIN(1 + ROUNDS * s->round_room, part->N);
    const size_t n = (size_t)dc_part_rows(part), d = (size_t)s->d, room = (size_t)s->room, P = (size_t)part->P;
    DC_TRY(dc_mem_alloc_raw(&s->d_min, n, sizeof *s->d_min, "k-means|| distances"));
    DC_TRY(dc_mem_alloc_raw(&s->owner, n, sizeof *s->owner, "k-means|| nearest candidates"));
    DC_TRY(dc_mem_alloc(&s->candidate, dc_mul_size(room, d), sizeof *s->candidate, "k-means|| candidates"));
    DC_TRY(dc_mem_alloc(&s->weight, room, sizeof *s->weight, "k-means|| weights"));
    DC_TRY(dc_mem_alloc(&s->chosen, (size_t)s->K, sizeof *s->chosen, "k-means|| choice"));
    DC_TRY(dc_mem_alloc(&s->row, (size_t)s->round_room, sizeof *s->row, "k-means|| draws"));
    DC_TRY(dc_mem_alloc(&s->counts, P, sizeof *s->counts, "rank table"));
    DC_TRY(dc_mem_alloc(&s->drawn, P, sizeof *s->drawn, "rank table"));
    DC_TRY(dc_km_runs_init(&s->image, tiles, s->round_room, tiles->panel));
    DC_TRY(dc_km_pick_init(&s->pick, part, cfg, s->d, s->room));
    DC_TRY(dc_sum_create(&s->sum, part, 1));
out:
    return st;
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

static bool fits(const seeding *s)
{
    const progress *a = &s->at;
    if (a->restart < 0 || a->restart >= s->R || a->rounds < 0 || a->rounds > MOST_ROUNDS || a->first[0] != 0)
        return false;
    for (int64_t t = 0; t <= a->rounds; t++)
        if (a->first[t + 1] < a->first[t] || a->first[t + 1] > s->room || a->first[t + 1] - a->first[t] > s->round_room)
            return false;
    if (a->weighted < 0 || a->weighted > 1 || a->chosen < 0 || a->chosen > s->K) return false;
    if (a->chosen > 0 && !a->weighted) return false;
    for (int64_t c = 0; c < a->chosen; c++)
        if (s->chosen[c] < 0 || s->chosen[c] >= a->first[a->rounds + 1]) return false;
    return true;
}

/* Adds how far seeding is to the run's state. A run that continues from a checkpoint without it has its seeds: then
 * *done is set. Collective. */
static dc_status keep_state(dc_comm *comm, seeding *s, dc_state *state, bool resumed, bool *done)
{
    dc_status st = DC_OK;
    char name[DC_STATE_NAME_MAX];
    bool restored = false;
    const struct {
        const char *name;
        dc_state_type type;
        size_t n;
        void *data;
    } table[] = {{"seeding", DC_STATE_I64, sizeof s->at / sizeof(int64_t), &s->at},
                 {"candidates", DC_STATE_F32, (size_t)(s->room * s->d), s->candidate},
                 {"weights", DC_STATE_I64, (size_t)s->room, s->weight},
                 {"chosen", DC_STATE_I64, (size_t)s->K, s->chosen}};
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        snprintf(name, sizeof name, "%s/%s", dc_state_phase(state), table[i].name);
        *done = resumed && !dc_state_waiting(state, name);
        if (*done) return DC_OK;
        DC_TRY(dc_state_keep(comm, state, name, table[i].type, table[i].n, table[i].data, &restored));
    }
    if (restored && !fits(s))
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's seeding of k-means does not fit any state of this run");
out:
    return st;
}

static void drop_state(const seeding *s, dc_state *state)
{
    const void *const data[] = {&s->at, s->candidate, s->weight, s->chosen};
    for (size_t i = 0; i < DC_COUNT_OF(data); i++) dc_state_drop(state, data[i]);
}

/* ---- Candidates -------------------------------------------------------------------------------------------------- */

static int64_t count_of(const seeding *s)
{
    return s->at.first[s->at.rounds + 1];
}

typedef struct {
    dc_sum *sum;
    dc_km_owners *pass;
} measuring;

static void measure_blocks(void *ctx, size_t first, size_t end)
{
    const measuring *m = ctx;
    dc_sum_some_blocks(m->sum, first, end, dc_km_block_owners, m->pass);
}

/* Lowers d_min by the candidates of round t; *phi: its sum over all rows. Collective. Errors: those of dc_km_poll. */
static dc_status measure(dc_comm *comm, seeding *s, int64_t t, double *phi)
{
    dc_status st = DC_OK;
    const int64_t first = s->at.first[t], m = s->at.first[t + 1] - first;
    char what[64];
    snprintf(what, sizeof what, "start %lld of %lld, round %lld", (long long)s->at.restart + 1, (long long)s->R,
             (long long)t);
    dc_km_project(s->tiles, s->candidate + first * s->d, m, &s->image);
    dc_km_owners ctx = {s->tiles, &s->image, first, s->d_min, s->owner};
    DC_TRY(dc_km_in_parts(comm, s->watch, s->tiles, m, what, measure_blocks, &(measuring){s->sum, &ctx}));
    dc_sum_total(comm, s->sum, phi);
out:
    return st;
}

/* Local rows that the next round draws, at most round_room; returns their number. */
static int64_t draw_rows(const seeding *s, double phi)
{
    const uint64_t step = (uint64_t)(s->at.restart * MOST_ROUNDS + s->at.rounds);
    const double share = (double)s->per_round / phi;
    const int64_t n = dc_part_rows(s->part);
    uint32_t word[4 * DRAWS];
    int64_t count = 0;
    for (int64_t lo = 0; lo < n; lo += DRAWS) {
        const int64_t m = DC_MIN(n - lo, (int64_t)DRAWS);
        dc_rng4_many(s->cfg->seed, DC_STREAM_KMEANS_ROUND, step, (uint64_t)(s->part->row_lo + lo), (size_t)m, word);
        for (int64_t i = 0; i < m && count < s->round_room; i++)
            if (dc_rng_unit53(word[4 * i], word[4 * i + 1]) < share * (double)s->d_min[lo + i])
                s->row[count++] = lo + i;
    }
    return count;
}

/* Draws the candidates of the next round and gives them to all ranks, in the order of rows. Collective. */
static void draw_round(dc_comm *comm, seeding *s, double phi)
{
    const int P = s->part->P, rank = s->part->rank;
    const int64_t before = count_of(s), most = DC_MIN(s->round_room, s->room - before);
    int64_t first = before;
    s->drawn[rank] = draw_rows(s, phi);
    for (int r = 0; r < P; r++) s->counts[r] = sizeof *s->drawn;
    dc_comm_allgatherv(comm, s->drawn + rank, s->drawn, s->counts);
    for (int r = 0; r < P; r++) {
        const int64_t count = DC_MIN(s->drawn[r], before + most - first);
        float *at = s->candidate + first * s->d;
        for (int64_t i = 0; r == rank && i < count; i++) dc_km_row(s->tiles, s->row[i], at + i * s->d);
        s->counts[r] = (size_t)(count * s->d) * sizeof *at;
        first += count;
    }
    size_t own = (size_t)(before * s->d) * sizeof *s->candidate;
    for (int r = 0; r < rank; r++) own += s->counts[r];
    dc_comm_allgatherv(comm, (const char *)s->candidate + own, s->candidate + before * s->d, s->counts);
    s->at.rounds++;
    s->at.first[s->at.rounds + 1] = first;
}

static bool wants_round(const seeding *s, double phi)
{
    return phi > 0 && s->at.rounds < MOST_ROUNDS && count_of(s) < s->room &&
           (s->at.rounds < ROUNDS || count_of(s) < s->K);
}

/* Counts the rows of each candidate and moves it to their mean, K candidates at a time. Collective. */
static dc_status weigh(dc_comm *comm, seeding *s)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(s->part), m = count_of(s);
    memset(s->weight, 0, (size_t)s->room * sizeof *s->weight);
    for (int64_t i = 0; i < n; i++) s->weight[s->owner[i]]++;
    dc_comm_sum_i64(comm, s->weight, (size_t)m);
    for (int64_t first = 0; first < m; first += s->K) {
        DC_TRY(dc_cluster_means(comm, s->tiles->rows, s->owner, DC_MIN(s->K, m - first), s->candidate + first * s->d));
        for (int64_t i = 0; i < n; i++) s->owner[i] -= (int32_t)s->K;
    }
    s->at.weighted = 1;
out:
    return st;
}

/* Collective. */
static dc_status find_candidates(dc_comm *comm, seeding *s)
{
    dc_status st = DC_OK;
    double phi = 0;
    for (int64_t i = 0; i < dc_part_rows(s->part); i++) s->d_min[i] = INFINITY;
    if (s->at.first[1] == 0) {
        dc_km_draw_rows(comm, s->tiles, s->cfg, s->at.restart, 0, 1, s->candidate);
        s->at.first[1] = 1;
    }
    for (int64_t t = 0; t <= s->at.rounds; t++) DC_TRY(measure(comm, s, t, &phi));
    while (wants_round(s, phi)) {
        draw_round(comm, s, phi);
        DC_TRY(dc_km_poll(comm, s->cfg));
        DC_TRY(measure(comm, s, s->at.rounds, &phi));
    }
    DC_TRY(weigh(comm, s));
out:
    return st;
}

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

/* Draws a candidate with a probability in proportion to its weight. */
static int64_t draw_by_weight(const seeding *s)
{
    const int64_t ticket = (int64_t)(dc_km_draw_unit(s->cfg, s->at.restart, 0, 1) * (double)s->part->N);
    int64_t j = 0, passed = s->weight[0];
    while (passed <= ticket && j + 1 < count_of(s)) passed += s->weight[++j];
    return j;
}

/* Centres chosen from one poll to the next. */
static int64_t centers_per_poll(const seeding *s)
{
    static const double PRODUCTS = 0x1p30; /* some tenths of a second for a thread */
    const double of_center = (double)count_of(s) * (double)(s->d * (s->pick.trials + 1));
    return DC_MAX((int64_t)1, (int64_t)fmin(PRODUCTS / of_center, MOST_PER_POLL));
}

/* Collective. */
static dc_status choose(dc_comm *comm, seeding *s, float *centers)
{
    dc_status st = DC_OK;
    const int64_t r = s->at.restart, d = s->d, per_poll = centers_per_poll(s);
    dc_km_pick_start(&s->pick, s->part, s->tiles, s->candidate, s->weight, count_of(s));
    for (int64_t c = 0; c < s->at.chosen; c++) dc_km_pick_lower(comm, &s->pick, s->tiles, s->candidate, s->chosen[c]);
    while (s->at.chosen < s->K) {
        const int64_t c = s->at.chosen;
        const int64_t j =
            c == 0 ? draw_by_weight(s) : dc_km_pick_next(comm, &s->pick, s->tiles, s->candidate, s->cfg, r, c);
        if (j < 0) break;
        dc_km_pick_lower(comm, &s->pick, s->tiles, s->candidate, j);
        s->chosen[s->at.chosen++] = j;
        if (s->at.chosen % per_poll) continue;
        DC_TRY(dc_km_poll(comm, s->cfg));
        dc_km_say(s->watch, "start %lld of %lld, %lld of %lld centres chosen", (long long)r + 1, (long long)s->R,
                  (long long)s->at.chosen, (long long)s->K);
    }
    for (int64_t c = 0; c < s->at.chosen; c++)
        memcpy(centers + c * d, s->candidate + s->chosen[c] * d, (size_t)d * sizeof *centers);
    if (s->at.chosen < s->K)
        dc_km_draw_rows(comm, s->tiles, s->cfg, r, s->at.chosen, s->K - s->at.chosen, centers + s->at.chosen * d);
out:
    return st;
}

/* ---- All restarts ------------------------------------------------------------------------------------------------ */

dc_status dc_km_seed_rounds_bytes(const dc_km_tiles *tiles, const dc_kmeans_config *cfg, size_t *bytes,
                                  double *state_bytes)
{
    dc_status st = DC_OK;
    seeding s;
    size_t means = 0;
    const size_t before = dc_mem_current_bytes();
    DC_TRY(seeding_init(&s, tiles, cfg));
    DC_TRY(dc_cluster_means_bytes(tiles->rows, cfg->K, &means));
    *bytes = dc_mem_current_bytes() - before + means;
    *state_bytes = (double)sizeof s.at +
                   (double)s.room * (double)((size_t)s.d * sizeof *s.candidate + sizeof *s.weight) +
                   (double)s.K * sizeof *s.chosen;
out:
    seeding_release(&s);
    return st;
}

dc_status dc_km_seed_rounds(dc_comm *comm, const dc_km_tiles *tiles, dc_km_watch *watch, bool resumed, float *centers,
                            bool *seeded)
{
    dc_status st = DC_OK;
    seeding s;
    bool done = false;
    const dc_kmeans_config *cfg = watch->cfg;
    DC_TRY_ALL(comm, seeding_init(&s, tiles, cfg));
    s.watch = watch;
    watch->steady = true;
    DC_TRY(keep_state(comm, &s, cfg->state, resumed, &done));
    *seeded = !done;
    while (!done) {
        if (!s.at.weighted) DC_TRY(find_candidates(comm, &s));
        DC_TRY(choose(comm, &s, centers + s.at.restart * s.K * s.d));
        if (s.at.restart + 1 == s.R) break;
        s.at = (progress){.restart = s.at.restart + 1};
        DC_TRY(dc_km_poll(comm, s.cfg));
    }
out:
    watch->steady = false;
    drop_state(&s, cfg->state);
    seeding_release(&s);
    return st;
}
