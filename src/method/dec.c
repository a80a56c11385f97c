/* dec: Deep Embedded Clustering (Xie, Girshick, Farhadi, ICML 2016). The decoder is dropped; encoder and centres
 * minimise KL(P || Q) of the Student-t assignment Q against its own sharpened target P, which all ranks refresh
 * together from the frequencies f_j over all N rows and hold fixed between refreshes. */
#include "methods.h"

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    (void)step;
    const dc_val z = dc_centers_encode(g, s->env, true, dc_batch(g, s->env->slab->net.D));
    dc_minimize(g, "clustering", 1, dc_centers_kl(g, s, z));
}

static const dc_key keys[] = {DC_CENTERS_KEYS};

const dc_method dc_method_dec = {
    .name = "dec",
    .summary = "Deep Embedded Clustering: encoder and centres minimise KL(P || Q), P refreshed over all rows",
    .flags = DC_METHOD_TRAINS,
    DC_METHOD_KEYS(keys, dc_centers_keys),
    .build = dc_centers_build,
    .create = dc_centers_create_target,
    .start = dc_centers_start,
    .refresh = dc_centers_refresh_target,
    .n_steps = 1,
    .record = record,
    .infer = dc_centers_infer,
    .destroy = dc_centers_destroy,
};
