/* idec: Improved Deep Embedded Clustering (Guo, Gao, Liu, Yin, IJCAI 2017). The decoder stays: the loss is
 * reconstruction + cluster.gamma * KL(P || Q), so that the embedding keeps what reconstruction needs while it forms
 * clusters. */
#include "methods.h"

const dc_method dc_method_idec = {
    .name = "idec",
    .summary = "Improved DEC: reconstruction + gamma * KL(P || Q), the decoder is kept",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS,
    .n_extra = dc_centers_n_extra,
    .init = dc_centers_init,
    .refresh = dc_centers_refresh_target,
    .loss_grad = dc_centers_kl_grad,
    .assign_local = dc_centers_assign_local,
    .destroy = dc_centers_destroy,
};
