/* The plane on which the report draws what was clustered: its first two principal components, of all rows. */
#include <math.h>

#include "dcmpi/log.h"
#include "run.h"

/* Of a million rows of so many columns the components take some five seconds of one core. Of wider rows they may take
 * longer than k-means: then the report takes a sample, unless the deck asks for all. */
enum { WIDEST = 256 };

static bool is_wanted(const dc_config *cfg, const dc_part *part, int64_t d, bool embeds)
{
    if (cfg->output.map == DC_MAP_OFF || (embeds && !cfg->output.embedding)) return false;
    if (d <= 0 || part->N < 2 || !dc_principal_fits(part->N, d)) return false;
    return d <= WIDEST || cfg->output.map == DC_MAP_ON;
}

dc_status dc_run_map_check(const dc_config *cfg, int64_t N, int64_t d, bool embeds)
{
    if (cfg->output.map != DC_MAP_ON) return DC_OK;
    if (embeds && !cfg->output.embedding)
        return DC_FAIL(DC_ERR_USAGE, "output.map = on: there is no map of an embedding that is not written "
                                     "(output.embedding = false)");
    if (dc_principal_fits(N, d)) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "output.map = on: the components of %lld rows of %lld columns are those of a matrix of more than %d "
                   "rows, which one rank does not solve; with auto the report takes a sample",
                   (long long)N, (long long)d, (int)DC_PRINCIPAL_MAX);
}

/* Rows that are not finite, as of a network that diverged, have no map. Two rows have one axis: rows minus their mean
 * depend on each other. */
static dc_status find(dc_comm *comm, const dc_rows *rows, dc_principal *out)
{
    const dc_principal_wanted wanted = {.components = DC_MIN(DC_MIN(rows->d, rows->part->N - 1), (int64_t)DC_MAP_AXES)};
    const dc_status st = dc_principal_create(comm, rows, &wanted, out);
    if (st != DC_ERR_NUMERIC) return st;
    dc_error_clear();
    dc_principal_release(out);
    *out = (dc_principal){0};
    return DC_OK;
}

static void tell(const dc_map_result *m)
{
    double share = 0;
    const dc_principal *p = &m->plane;
    for (int64_t j = 0; j < p->k; j++) share += p->variance[j] / p->total;
    if (p->k > 0)
        dc_log("map       %lld principal components of %lld columns (%s): %.3g %% of the variance", (long long)p->k,
               (long long)p->d, m->on, 100 * share);
}

dc_status dc_run_map(dc_comm *comm, dc_job *job, const dc_rows *rows, bool embeds, dc_map_result *out)
{
    const dc_config *cfg = &job->cfg;
    const double start = dc_timer_start(), n = (double)dc_part_rows(rows->part);
    *out = (dc_map_result){.on = embeds ? "embedding" : "input"};
    if (!is_wanted(cfg, rows->part, rows->d, embeds)) return DC_OK;
    const dc_status st = find(comm, rows, &out->plane);
    if (st != DC_OK) return st;
    dc_timer_stop(&job->timers, DC_T_MAP, start, n * (double)rows->d * (double)DC_MIN(rows->d, rows->part->N), 0);
    tell(out);
    return DC_OK;
}

void dc_map_result_release(dc_map_result *map)
{
    dc_principal_release(&map->plane);
}

double dc_run_map_bytes(const dc_config *cfg, const dc_part *part, int64_t d, bool embeds, double *held, double *root)
{
    *held = *root = 0;
    if (!is_wanted(cfg, part, d, embeds)) return 0;
    *held = (double)d * (sizeof(double) + DC_MAP_AXES * sizeof(float));
    *root = dc_principal_root_bytes(part, d, DC_MAP_AXES);
    return dc_principal_bytes(part, d, DC_MAP_AXES);
}
