/* Greedy k-means++ among weighted candidates, the last step of k-means||.
 *
 * All ranks hold the candidates, in blocks of a fixed size. If there are many blocks, each rank has the distances of
 * its share of them; then a centre takes a reduction of the numbers of the drawn candidates and two gathers, of
 * potentials and masses of the blocks. With few blocks every rank does all the work, which takes less time than
 * messages. Sums over the blocks run in block order, so nothing depends on the number of ranks. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

#include <math.h>
#include <string.h>

enum { BLOCK = DC_KM_PICK_BLOCK, SHARED_BLOCKS = 64 };

static int64_t blocks_of(int64_t m)
{
    return (m + BLOCK - 1) / BLOCK;
}

static bool is_shared(const dc_km_pick *p)
{
    return p->n_blocks >= p->share_from;
}

/* First block of rank r, if they are shared. */
static int64_t share(int64_t blocks, int r, int P)
{
    return blocks * r / P;
}

/* A candidate costs a distance to each trial of each centre, so very many candidates and centres get fewer trials. */
static int64_t trials_of(int64_t K, int64_t most)
{
    const double greedy = (double)dc_km_trials(K), pairs = (double)K * (double)most, limit = 0x1p31;
    return pairs <= limit ? dc_km_trials(K) : DC_MAX(1, (int64_t)(greedy * limit / pairs));
}

dc_status dc_km_pick_init(dc_km_pick *p, const dc_part *part, const dc_kmeans_config *cfg, int64_t d, int64_t most)
{
    dc_status st = DC_OK;
    *p = (dc_km_pick){.most = most, .d = d, .trials = trials_of(cfg->K, most), .share_from = SHARED_BLOCKS};
    const size_t blocks = (size_t)blocks_of(most), P = (size_t)part->P, trials = (size_t)p->trials;
    const size_t own = DC_MAX((blocks + P - 1) / P, DC_MIN(blocks, (size_t)SHARED_BLOCKS - 1));
    DC_TRY(dc_mem_alloc(&p->counts, (size_t)part->P, sizeof *p->counts, "rank table"));
    DC_TRY(dc_mem_alloc(&p->turned, dc_mul_size(own * BLOCK, (size_t)d), sizeof *p->turned, "k-means|| candidates"));
    DC_TRY(dc_mem_alloc(&p->weight, own * BLOCK, sizeof *p->weight, "k-means|| weights"));
    DC_TRY(dc_mem_alloc(&p->d_min, own * BLOCK, sizeof *p->d_min, "k-means|| distances"));
    DC_TRY(dc_km_pick_rough_init(&p->rough, (int64_t)own, p->trials, d));
    DC_TRY(dc_mem_alloc(&p->mass, blocks, sizeof *p->mass, "k-means|| masses"));
    DC_TRY(dc_mem_alloc(&p->potential, blocks * trials, sizeof *p->potential, "k-means|| potentials"));
    DC_TRY(dc_mem_alloc(&p->left, trials, sizeof *p->left, "k-means|| potentials"));
    DC_TRY(dc_mem_alloc(&p->drawn, trials, sizeof *p->drawn, "k-means|| draws"));
    DC_TRY(dc_mem_alloc(&p->trial, trials * (size_t)d, sizeof *p->trial, "k-means|| draws"));
out:
    if (st != DC_OK) dc_km_pick_release(p);
    return st;
}

void dc_km_pick_release(dc_km_pick *p)
{
    dc_mem_free(&p->counts);
    dc_mem_free(&p->turned);
    dc_mem_free(&p->weight);
    dc_mem_free(&p->d_min);
    dc_km_pick_rough_release(&p->rough);
    dc_mem_free(&p->mass);
    dc_mem_free(&p->potential);
    dc_mem_free(&p->left);
    dc_mem_free(&p->drawn);
    dc_mem_free(&p->trial);
}

void dc_km_pick_start(dc_km_pick *p, const dc_part *part, const dc_km_tiles *tiles, const float *at,
                      const int64_t *weight, int64_t m)
{
    p->n_blocks = blocks_of(m);
    const bool shared = is_shared(p);
    p->block_lo = shared ? share(p->n_blocks, part->rank, part->P) : 0;
    p->block_hi = shared ? share(p->n_blocks, part->rank + 1, part->P) : p->n_blocks;
    float *image = p->trial;
    for (int64_t i = 0; i < (p->block_hi - p->block_lo) * BLOCK; i++) {
        const int64_t j = p->block_lo * BLOCK + i;
        float *column = p->turned + i / BLOCK * p->d * BLOCK + i % BLOCK;
        dc_km_shift_row(tiles, at + DC_MIN(j, m - 1) * p->d, image);
        for (int64_t c = 0; c < p->d; c++) column[c * BLOCK] = image[c];
        p->weight[i] = j < m ? (double)weight[j] : 0;
        p->d_min[i] = j < m ? INFINITY : 0;
        if (p->rough.on) dc_km_pick_rough_take(&p->rough, i, image);
    }
    if (p->rough.on) dc_km_pick_rough_reach(&p->rough, 0, (p->block_hi - p->block_lo) * BLOCK, p->d_min);
}

/* If blocks are shared, gives the `width` values per block of this rank's blocks to all ranks. Collective. */
static void gather(dc_comm *comm, const dc_km_pick *p, int64_t width, double *values)
{
    const int P = dc_comm_size(comm);
    if (!is_shared(p)) return;
    for (int r = 0; r < P; r++)
        p->counts[r] = (size_t)((share(p->n_blocks, r + 1, P) - share(p->n_blocks, r, P)) * width) * sizeof *values;
    dc_comm_allgatherv(comm, values + p->block_lo * width, values, p->counts);
}

void dc_km_pick_lower(dc_comm *comm, dc_km_pick *p, const dc_km_tiles *tiles, const float *at, int64_t chosen)
{
    dc_km_shift_row(tiles, at + chosen * p->d, p->trial);
    dc_km_pick_lower_blocks(p);
    gather(comm, p, 1, p->mass);
}

/* The candidate of block b at which the running mass of the block exceeds `rest`; 0 if the block is another rank's. */
static int64_t find_in_block(const dc_km_pick *p, int64_t b, double rest)
{
    double mass[BLOCK];
    if (b < p->block_lo || b >= p->block_hi) return 0;
    const int64_t own = (b - p->block_lo) * BLOCK;
    for (int64_t i = 0; i < BLOCK; i++) mass[i] = p->weight[own + i] * (double)p->d_min[own + i];
    const int64_t i = dc_km_walk(mass, BLOCK, 1, &rest);
    return b * BLOCK + DC_MAX(i, (int64_t)0);
}

int64_t dc_km_pick_next(dc_comm *comm, dc_km_pick *p, const dc_km_tiles *tiles, const float *at,
                        const dc_kmeans_config *cfg, int64_t r, int64_t c)
{
    const int64_t L = p->trials;
    double total = 0;
    int64_t best = 0;
    for (int64_t b = 0; b < p->n_blocks; b++) total += p->mass[b];
    if (!(total > 0)) return -1;
    for (int64_t j = 0; j < L; j++) {
        double rest = dc_km_draw_unit(cfg, r, c, j) * total;
        const int64_t b = dc_km_walk(p->mass, p->n_blocks, 1, &rest);
        p->drawn[j] = find_in_block(p, b, rest);
    }
    if (is_shared(p)) dc_comm_sum_i64(comm, p->drawn, (size_t)L);
    if (L == 1) return p->drawn[0];
    for (int64_t j = 0; j < L; j++) dc_km_shift_row(tiles, at + p->drawn[j] * p->d, p->trial + j * p->d);
    dc_km_pick_potentials(p);
    gather(comm, p, L, p->potential);
    for (int64_t j = 0; j < L; j++) p->left[j] = 0;
    for (int64_t b = 0; b < p->n_blocks; b++)
        for (int64_t j = 0; j < L; j++) p->left[j] += p->potential[b * L + j];
    for (int64_t j = 1; j < L; j++)
        if (p->left[j] < p->left[best]) best = j;
    return p->drawn[best];
}
