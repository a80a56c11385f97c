/* Ranks of rows within their clusters, and quantiles of the distances: a sort of all rows by cluster and distance. */
#include "dcmpi/standing.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/order.h"

enum { TILE_ROWS = 256 };
const double dc_standing_quantile[DC_STANDING_QUANTILES] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};

double dc_standing_tile_bytes(const dc_rows *rows)
{
    return rows->X ? 0 : TILE_ROWS * (double)rows->d * sizeof(float);
}

dc_status dc_standing_of(const dc_rows *rows, const float *centers, const int32_t *label, double *distance,
                         double *cosine)
{
    dc_status st = DC_OK;
    float *tile = NULL;
    const int64_t n = dc_part_rows(rows->part), d = rows->d;
    if (!rows->X) DC_TRY(dc_mem_alloc(&tile, TILE_ROWS, (size_t)d * sizeof *tile, "tile of rows"));
    for (int64_t lo = 0; lo < n; lo += TILE_ROWS) {
        const int64_t m = DC_MIN(n - lo, (int64_t)TILE_ROWS);
        const float *x = rows->X ? rows->X + lo * d : tile;
        if (!rows->X) rows->rows(rows->ctx, lo, m, tile);
        dc_standing_local(x, centers, m, d, label + lo, distance ? distance + lo : NULL, cosine ? cosine + lo : NULL);
    }
out:
    dc_mem_free(&tile);
    return st;
}

int64_t dc_standing_place(int64_t count, double q)
{
    return DC_MIN(DC_MAX((int64_t)ceil(q * (double)count - 1e-9), (int64_t)1), count) - 1;
}

/* Sets the quantiles whose places this rank holds; first: first places of the clusters. */
static void take_quantiles(const dc_part *part, int64_t K, const int64_t *first, const dc_sort_key *key,
                           double *quantile)
{
    for (int64_t k = 0; k < K; k++)
        for (int j = 0; j < DC_STANDING_QUANTILES; j++) {
            const int64_t count = first[k + 1] - first[k];
            double *q = &quantile[k * DC_STANDING_QUANTILES + j];
            *q = -1;
            if (count == 0) continue;
            const dc_gidx at = first[k] + dc_standing_place(count, dc_standing_quantile[j]);
            if (at >= part->row_lo && at < part->row_hi) *q = key[at - part->row_lo].second;
        }
}

static dc_status give_ranks(dc_comm *comm, const dc_part *part, const int64_t *first, const dc_sort_key *key,
                            int64_t *rank)
{
    dc_status st = DC_OK;
    dc_gidx *row = NULL;
    int64_t *place = NULL;
    const size_t n = (size_t)dc_part_rows(part);
    DC_TRY_ALL(comm, dc_mem_alloc(&row, n, sizeof *row, "ranks of rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&place, n, sizeof *place, "ranks of rows"));
    for (size_t i = 0; i < n; i++) {
        row[i] = key[i].row;
        place[i] = part->row_lo + (int64_t)i - first[key[i].first];
    }
    DC_TRY(dc_items_move(comm, part, row, &(dc_items){sizeof *place, .array = place}, rank));
out:
    dc_mem_free(&row);
    dc_mem_free(&place);
    return st;
}

dc_status dc_standing_rank(dc_comm *comm, const dc_part *part, int64_t K, const int64_t *size, const int32_t *label,
                           const double *distance, int64_t *rank, double *quantile)
{
    dc_status st = DC_OK;
    dc_sort_key *key = NULL;
    int64_t *first = NULL;
    const int64_t n = dc_part_rows(part);
    const size_t cells = (size_t)K * DC_STANDING_QUANTILES;
    DC_TRY_ALL(comm, dc_mem_alloc(&key, (size_t)n, sizeof *key, "order of rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&first, (size_t)K + 1, sizeof *first, "clusters"));
    for (int64_t k = 0; k < K; k++) first[k + 1] = first[k] + size[k];
    for (int64_t i = 0; i < n; i++) key[i] = (dc_sort_key){label[i], distance[i], part->row_lo + i};
    DC_TRY(dc_order(comm, part, key));
    if (quantile) {
        take_quantiles(part, K, first, key, quantile);
        dc_comm_max_f64(comm, quantile, cells);
        for (size_t c = 0; c < cells; c++)
            if (quantile[c] < 0) quantile[c] = NAN;
    }
    if (rank) DC_TRY(give_ranks(comm, part, first, key, rank));
out:
    dc_mem_free(&key);
    dc_mem_free(&first);
    return st;
}

double dc_standing_rank_bytes(const dc_part *part, int64_t K, bool ranks)
{
    const double n = (double)dc_part_rows(part),
                 moving = ranks ? n * 2 * sizeof(int64_t) + dc_items_move_bytes(part, sizeof(int64_t)) : 0;
    return n * sizeof(dc_sort_key) + fmax(dc_order_bytes(part), moving) + (double)(K + 1) * sizeof(int64_t);
}
