/* dec: Deep Embedded Clustering (Xie, Girshick, Farhadi, ICML 2016). The decoder is dropped; encoder and centres
 * minimise KL(P || Q) of the Student-t assignment Q against its own sharpened target P, which all ranks refresh
 * together from the frequencies f_j over all N rows and hold fixed between refreshes. */
#include "methods.h"

const dc_method dc_method_dec = {
    .name = "dec",
    .summary = "Deep Embedded Clustering: encoder and centres minimise KL(P || Q), P refreshed over all rows",
    .flags = DC_METHOD_TRAINS,
    .n_extra = dc_centers_n_extra,
    .init = dc_centers_init,
    .refresh = dc_centers_refresh_target,
    .loss_grad = dc_centers_kl_grad,
    .assign_local = dc_centers_assign_local,
    .destroy = dc_centers_destroy,
};
