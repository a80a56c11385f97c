/* Where the rows of a run stand in their clusters: for /rows, and the quantiles of the distances for later predictions.
 */
#include <math.h>

#include "dcmpi/mem.h"
#include "run.h"

static dc_status take_quantiles(dc_standing_result *out, int64_t K)
{
    return dc_mem_alloc(&out->quantile, (size_t)K * DC_STANDING_QUANTILES, sizeof *out->quantile, "quantiles");
}

dc_status dc_run_quantiles(dc_comm *comm, const dc_rows *rows, int64_t K, const float *centers, const int32_t *label,
                           const int64_t *size, dc_standing_result *out)
{
    dc_status st = DC_OK;
    double *distance = NULL;
    DC_TRY_ALL(comm, take_quantiles(out, K));
    DC_TRY_ALL(comm, dc_mem_alloc(&out->quantile_rows, (size_t)K, sizeof *out->quantile_rows, "quantiles"));
    DC_TRY_ALL(comm,
               dc_mem_alloc(&distance, (size_t)dc_part_rows(rows->part), sizeof *distance, "distances to centres"));
    for (int64_t k = 0; k < K; k++) out->quantile_rows[k] = size[k];
    DC_TRY_ALL(comm, dc_standing_of(rows, centers, label, distance, NULL));
    DC_TRY(dc_standing_rank(comm, rows->part, K, size, label, distance, NULL, out->quantile));
out:
    dc_mem_free(&distance);
    return st;
}

dc_status dc_run_standing(dc_comm *comm, const dc_config *cfg, const dc_rows *rows, const float *centers,
                          const int32_t *label, const int64_t *size, dc_standing_result *out)
{
    dc_status st = DC_OK;
    const dc_part *part = rows->part;
    const int64_t K = cfg->cluster.clusters;
    const size_t n = (size_t)dc_part_rows(part);
    const bool full = cfg->output.rows == DC_ROWS_FULL, quantiles = !out->quantile;
    if (!full && !quantiles) return DC_OK;
    if (quantiles) DC_TRY_ALL(comm, take_quantiles(out, K));
    DC_TRY_ALL(comm, dc_mem_alloc(&out->distance, n, sizeof *out->distance, "distances to centres"));
    if (full) DC_TRY_ALL(comm, dc_mem_alloc(&out->cosine, n, sizeof *out->cosine, "cosines to centres"));
    if (full) DC_TRY_ALL(comm, dc_mem_alloc(&out->rank, n, sizeof *out->rank, "ranks of rows"));
    DC_TRY_ALL(comm, dc_standing_of(rows, centers, label, out->distance, out->cosine));
    DC_TRY(dc_standing_rank(comm, part, K, size, label, out->distance, out->rank, quantiles ? out->quantile : NULL));
    if (!full) dc_mem_free(&out->distance);
out:
    return st;
}

void dc_standing_result_release(dc_standing_result *s)
{
    dc_mem_free(&s->distance);
    dc_mem_free(&s->cosine);
    dc_mem_free(&s->rank);
    dc_mem_free(&s->quantile);
    dc_mem_free(&s->quantile_rows);
}

double dc_run_standing_bytes(const dc_config *cfg, const dc_part *part, int64_t d, double *held)
{
    const dc_rows rows = {.part = part, .d = d};
    const int64_t K = cfg->cluster.clusters;
    const double n = (double)dc_part_rows(part), quantiles = (double)K * DC_STANDING_QUANTILES * sizeof(double);
    const bool full = cfg->output.rows == DC_ROWS_FULL;
    const double arrays = n * (full ? 2 * sizeof(double) + sizeof(int64_t) : sizeof(double));
    *held = quantiles + (full ? arrays : 0);
    return quantiles + arrays + fmax(dc_standing_tile_bytes(&rows), dc_standing_rank_bytes(part, K, full));
}
