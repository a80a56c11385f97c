/* dec: Deep Embedded Clustering (Xie, Girshick, Farhadi, ICML 2016). The decoder is dropped; encoder and centres
 * minimise KL(P || Q) of the Student-t assignment Q against its own sharpened target P, which all ranks refresh
 * together from the frequencies f_j over all N rows and hold fixed between refreshes. */
#include "methods.h"

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    (void)step;
    const dc_net *net = s->env->net;
    const dc_val z = dc_layers(g, net, 0, net->n_encoder, true, dc_batch(g, net->D));
    dc_minimize(g, "clustering", 1, dc_centers_kl(g, s, z));
}

static const dc_key keys[] = {DC_CENTERS_KEYS};

const dc_method dc_method_dec = {
    .name = "dec",
    .summary = "Deep Embedded Clustering: encoder and centres minimise KL(P || Q), P refreshed over all rows",
    .flags = DC_METHOD_TRAINS,
    DC_METHOD_KEYS(keys, dc_centers_keys),
    .n_extra = dc_centers_n_extra,
    .trained = "centers",
    .create = dc_centers_create_target,
    .start = dc_centers_start,
    .refresh = dc_centers_refresh_target,
    .n_steps = 1,
    .record = record,
    .assign_local = dc_centers_assign_local,
    .destroy = dc_centers_destroy,
};
