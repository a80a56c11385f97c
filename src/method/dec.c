/* dec: Deep Embedded Clustering (Xie, Girshick, Farhadi, ICML 2016). The decoder is dropped; encoder and centres
 * minimise KL(P || Q) of the Student-t assignment Q against its own sharpened target P, which all ranks refresh
 * together from the frequencies f_j over all N rows and hold fixed between refreshes. */
#include "dcmpi/mem.h"
#include "methods.h"

static dc_status dec_refresh(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra, int32_t *labels,
                             dc_refresh *out)
{
    const dc_method_env *env = &state->env;
    const dc_status st = dc_centers_refresh(comm, state, Z, extra, labels, out);
    if (st != DC_OK) return st;
    out->loss = dc_target_refresh(comm, env->part, state->f, env->K, state->loss, state->P);
    return DC_OK;
}

static double dec_loss_grad(dc_method_state *state, const dc_method_batch *batch, const float *Z, const float *extra,
                            float *dZ, float *dextra)
{
    const dc_method_env *env = &state->env;
    return dc_student_kl_grad(Z, extra, state->P, batch->rows, batch->n, env->K, env->L, env->alpha, batch->B, dZ,
                              dextra, state->scratch);
}

const dc_method dc_method_dec = {
    .name = "dec",
    .summary = "Deep Embedded Clustering: encoder and centres minimise KL(P || Q), P refreshed over all rows",
    .flags = DC_METHOD_TRAINS,
    .n_extra = dc_centers_n_extra,
    .init = dc_centers_init,
    .refresh = dec_refresh,
    .loss_grad = dec_loss_grad,
    .assign_local = dc_centers_assign_local,
    .destroy = dc_centers_destroy,
};
