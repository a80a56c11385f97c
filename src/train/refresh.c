#include "refresh.h"

#include <math.h>

#include "dcmpi/mem.h"

dc_status dc_shares_create(dc_cluster_shares *c, const dc_part *part, int64_t K)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&c->f, (size_t)K, sizeof *c->f, "soft cluster frequencies"));
    DC_TRY(dc_mem_alloc(&c->size, (size_t)K, sizeof *c->size, "cluster sizes"));
    DC_TRY(dc_soft_create(&c->counter, part, K));
out:
    return st;
}

void dc_shares_release(dc_cluster_shares *c)
{
    dc_mem_free(&c->f);
    dc_mem_free(&c->size);
    dc_soft_destroy(&c->counter);
}

/* What one share adds to an entropy. */
static double entropy_of(double share)
{
    return share > 0 ? -share * log(share) : 0;
}

void dc_shares_renew(dc_comm *comm, const dc_part *part, int64_t K, dc_cluster_shares *c, dc_refresh *out)
{
    dc_soft_stats stats = {.f = c->f, .size = c->size};
    dc_soft_finish(comm, c->counter, &stats);
    *out = (dc_refresh){.changed = stats.changed, .sum_check = stats.sum_check, .odd_targets = -1};
    double soft = 0, sized = 0;
    for (int64_t j = 0; j < K; j++) out->f_sum += c->f[j];
    for (int64_t j = 0; j < K; j++) {
        soft += entropy_of(c->f[j] / out->f_sum);
        sized += entropy_of((double)c->size[j] / (double)part->N);
        if (c->size[j] > out->largest) out->largest = c->size[j];
        out->empty += c->size[j] == 0;
    }
    out->k_effective = exp(soft);
    out->k_sized = exp(sized);
}
