/* Greedy k-means++ seeding, for all restarts at once.
 *
 * Arthur and Vassilvitskii 2007: the next centre is row i with probability d_min(i) / sum d_min, where d_min is the
 * squared distance to the nearest centre so far. The greedy variant makes 2 + floor(ln K) such draws and takes the one
 * that leaves the lowest potential.
 *
 * Rows are drawn from all N without being gathered. Every rank knows the mass (sum of d_min) of every shard, so all
 * ranks find the same shard; the owner of the shard then walks through its blocks and their rows, in double, in row
 * order. All ranks get the candidates' rows by a sum in which only the owner's values are not zero. Each centre takes
 * one gather of V masses, one reduction of candidate rows and one reduction of potentials, each for all restarts. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"

#include <math.h>
#include <string.h>

typedef struct {
    const dc_km_tiles *tiles;
    const dc_part *part;
    const dc_kmeans_config *cfg;
    int64_t R, K, d, trials;
    float *d_min;        /* [R x n] local */
    double *block_mass;  /* [n_blocks x R] local */
    size_t *first_block; /* [shards here + 1] */
    double *shard_mass;  /* [V x R] */
    size_t *counts;      /* [P] bytes of shard_mass per rank */
    float *candidate;    /* [R*trials x d] */
    float *newest;       /* [R x d] the centre chosen last */
    dc_km_centers image; /* of candidate or newest */
    double *potential;   /* [R*trials] */
    dc_sum *sum;
} seeding;

static void seeding_release(seeding *s)
{
    dc_mem_free(&s->d_min);
    dc_mem_free(&s->block_mass);
    dc_mem_free(&s->first_block);
    dc_mem_free(&s->shard_mass);
    dc_mem_free(&s->counts);
    dc_mem_free(&s->candidate);
    dc_mem_free(&s->newest);
    dc_km_centers_release(&s->image);
    dc_mem_free(&s->potential);
    dc_sum_destroy(&s->sum);
}

/* Blocks of shard shard_lo + i are [first_block[i], first_block[i + 1]). */
static void index_blocks(seeding *s)
{
    for (size_t b = 0; b < s->part->n_blocks; b++)
        s->first_block[dc_part_block(s->part, b).shard - s->part->shard_lo + 1]++;
    for (int i = s->part->shard_lo; i < s->part->shard_hi; i++)
        s->first_block[i - s->part->shard_lo + 1] += s->first_block[i - s->part->shard_lo];
}

int64_t dc_km_trials(int64_t K)
{
    return 2 + (int64_t)log((double)K);
}

static dc_status seeding_init(seeding *s, const dc_km_tiles *tiles, const dc_kmeans_config *cfg)
{
    dc_status st = DC_OK;
    const dc_part *part = tiles->rows->part;
    *s = (seeding){.tiles = tiles, .part = part, .cfg = cfg, .R = cfg->n_init, .K = cfg->K, .d = tiles->d};
    s->trials = dc_km_trials(cfg->K);
    const size_t R = (size_t)s->R, d = (size_t)s->d, n = (size_t)dc_part_rows(part), draws = R * (size_t)s->trials;
    DC_TRY(dc_mem_alloc_raw(&s->d_min, dc_mul_size(R, n), sizeof *s->d_min, "k-means++ distances"));
    DC_TRY(dc_mem_alloc(&s->block_mass, part->n_blocks * R, sizeof *s->block_mass, "k-means++ block masses"));
    DC_TRY(dc_mem_alloc(&s->first_block, (size_t)(part->shard_hi - part->shard_lo) + 1, sizeof *s->first_block,
                        "blocks of shards"));
    DC_TRY(dc_mem_alloc(&s->shard_mass, (size_t)part->V * R, sizeof *s->shard_mass, "k-means++ shard masses"));
    DC_TRY(dc_mem_alloc(&s->counts, (size_t)part->P, sizeof *s->counts, "rank table"));
    DC_TRY(dc_mem_alloc(&s->candidate, dc_mul_size(draws, d), sizeof *s->candidate, "k-means++ candidates"));
    DC_TRY(dc_mem_alloc(&s->newest, dc_mul_size(R, d), sizeof *s->newest, "k-means++ newest centres"));
    DC_TRY(dc_km_centers_init(&s->image, (int64_t)draws, s->d));
    DC_TRY(dc_mem_alloc(&s->potential, draws, sizeof *s->potential, "k-means++ potentials"));
    DC_TRY(dc_sum_create(&s->sum, part, draws));
    index_blocks(s);
    for (int r = 0; r < part->P; r++)
        s->counts[r] = (size_t)(dc_part_rank_shard(part, r + 1) - dc_part_rank_shard(part, r)) * R * sizeof(double);
out:
    return st;
}

double dc_km_draw_unit(const dc_kmeans_config *cfg, int64_t r, int64_t c, int64_t j)
{
    uint32_t w[4];
    dc_rng4(cfg->seed, DC_STREAM_KMEANS, (uint64_t)(r * cfg->K + c), (uint64_t)j, w);
    return dc_rng_unit53(w[0], w[1]);
}

/* The owner of the row that `unit` draws writes it to out. */
static void take_uniform(const dc_km_tiles *tiles, double unit, float *out)
{
    const dc_part *part = tiles->rows->part;
    const dc_gidx row = DC_MIN((dc_gidx)(unit * (double)part->N), part->N - 1);
    if (row >= part->row_lo && row < part->row_hi) dc_km_row(tiles, row - part->row_lo, out);
}

void dc_km_draw_rows(dc_comm *comm, const dc_km_tiles *tiles, const dc_kmeans_config *cfg, int64_t r, int64_t c,
                     int64_t count, float *out)
{
    const size_t values = (size_t)(count * tiles->d);
    memset(out, 0, values * sizeof *out);
    for (int64_t i = 0; i < count; i++) take_uniform(tiles, dc_km_draw_unit(cfg, r, c + i, 0), out + i * tiles->d);
    dc_comm_sum_f32(comm, out, values);
}

int64_t dc_km_walk(const double *mass, int64_t n, int64_t stride, double *rest)
{
    int64_t last = -1;
    for (int64_t i = 0; i < n; i++) {
        const double m = mass[i * stride];
        if (m <= 0) continue;
        if (*rest < m) return i;
        *rest -= m;
        last = i;
    }
    if (last >= 0) *rest = mass[last * stride];
    return last;
}

static int64_t walk_rows(const float *d_min, int64_t lo, int64_t hi, double rest)
{
    int64_t last = lo;
    for (int64_t i = lo; i < hi; i++) {
        if (d_min[i] <= 0) continue;
        if (rest < (double)d_min[i]) return i;
        rest -= (double)d_min[i];
        last = i;
    }
    return last;
}

/* The owner of `shard` finds the row where the shard's running mass exceeds `rest` and writes the row to out. */
static void take_from_shard(const seeding *s, int64_t r, int shard, double rest, float *out)
{
    if (shard < s->part->shard_lo || shard >= s->part->shard_hi) return;
    const size_t *first = &s->first_block[shard - s->part->shard_lo];
    const int64_t b =
        dc_km_walk(s->block_mass + first[0] * (size_t)s->R + r, (int64_t)(first[1] - first[0]), s->R, &rest);
    const dc_block block = dc_part_block(s->part, first[0] + (size_t)b);
    const int64_t row = walk_rows(s->d_min + r * dc_part_rows(s->part), block.lo, block.hi, rest);
    dc_km_row(s->tiles, row, out);
}

/* Adds up the block masses of each shard, in block order, and gives the shard masses to all ranks. */
static void gather_masses(dc_comm *comm, seeding *s)
{
    const size_t R = (size_t)s->R, shards = (size_t)(s->part->shard_hi - s->part->shard_lo);
    double *own = s->shard_mass + (size_t)s->part->shard_lo * R;
    memset(own, 0, shards * R * sizeof *own);
    for (size_t i = 0; i < shards; i++)
        for (size_t b = s->first_block[i]; b < s->first_block[i + 1]; b++)
            for (size_t r = 0; r < R; r++) own[i * R + r] += s->block_mass[b * R + r];
    dc_comm_allgatherv(comm, own, s->shard_mass, s->counts);
}

/* Draws `trials` rows per restart for centre c and gives them to all ranks in s->candidate. */
static void draw_candidates(dc_comm *comm, seeding *s, int64_t c)
{
    const size_t values = (size_t)(s->R * s->trials * s->d);
    memset(s->candidate, 0, values * sizeof *s->candidate);
    for (int64_t r = 0; r < s->R; r++) {
        double total = 0;
        for (int64_t v = 0; v < s->part->V; v++) total += s->shard_mass[v * s->R + r];
        for (int64_t j = 0; j < s->trials; j++) {
            const double unit = dc_km_draw_unit(s->cfg, r, c, j);
            double rest = unit * total;
            const int64_t shard = dc_km_walk(s->shard_mass + r, s->part->V, s->R, &rest);
            float *out = s->candidate + (r * s->trials + j) * s->d;
            if (shard >= 0)
                take_from_shard(s, r, (int)shard, rest, out);
            else
                take_uniform(s->tiles, unit, out);
        }
    }
    dc_comm_sum_f32(comm, s->candidate, values);
}

/* Chooses, for each restart, the candidate that leaves the lowest potential; ties go to the first. */
static void choose(dc_comm *comm, seeding *s)
{
    dc_km_project(s->tiles, s->candidate, s->R * s->trials, &s->image);
    dc_km_potential ctx = {s->tiles, &s->image, s->d_min, s->R, s->trials};
    dc_sum_over_blocks(comm, s->sum, dc_km_block_potential, &ctx, s->potential);
    for (int64_t r = 0; r < s->R; r++) {
        int64_t best = r * s->trials;
        for (int64_t j = best; j < (r + 1) * s->trials; j++)
            if (s->potential[j] < s->potential[best]) best = j;
        memcpy(s->newest + r * s->d, s->candidate + best * s->d, (size_t)s->d * sizeof *s->newest);
    }
}

dc_status dc_km_seed_bytes(const dc_km_tiles *tiles, const dc_kmeans_config *cfg, size_t *bytes)
{
    seeding s;
    const size_t before = dc_mem_current_bytes();
    const dc_status st = seeding_init(&s, tiles, cfg);
    *bytes = dc_mem_current_bytes() - before;
    seeding_release(&s);
    return st;
}

dc_status dc_km_seed(dc_comm *comm, const dc_km_tiles *tiles, dc_km_watch *watch, float *centers)
{
    dc_status st = DC_OK;
    const dc_kmeans_config *cfg = watch->cfg;
    seeding s;
    DC_TRY_ALL(comm, seeding_init(&s, tiles, cfg));
    for (int64_t i = 0; i < s.R * dc_part_rows(s.part); i++) s.d_min[i] = INFINITY;
    for (int64_t c = 0; c < s.K; c++) {
        if (c == 0) {
            for (int64_t r = 0; r < s.R; r++) dc_km_draw_rows(comm, tiles, cfg, r, 0, 1, s.newest + r * s.d);
        } else {
            dc_km_project(tiles, s.newest, s.R, &s.image);
            dc_km_lower(tiles, &s.image, s.R, s.d_min, s.block_mass);
            gather_masses(comm, &s);
            draw_candidates(comm, &s, c);
            choose(comm, &s);
        }
        for (int64_t r = 0; r < s.R; r++)
            memcpy(centers + (r * s.K + c) * s.d, s.newest + r * s.d, (size_t)s.d * sizeof *centers);
        DC_TRY(dc_wish_poll_stop(comm));
        dc_km_say(watch, "start, %lld of %lld centres drawn", (long long)c + 1, (long long)s.K);
    }
out:
    seeding_release(&s);
    return st;
}
