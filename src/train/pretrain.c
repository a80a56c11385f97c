/* Joint pretraining, and fine-tuning after layer-wise pretraining: the whole autoencoder minimises the reconstruction
 * loss without noise (algorithms: A3, A4). */
#include "recon.h"

dc_status dc_pretrain(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, dc_history *history, dc_stop *stop)
{
    const dc_row_source source = dc_row_source_of_data(m);
    const dc_noise none = {0};
    const dc_status st = dc_recon_check(comm, m, cfg->loss);
    return st == DC_OK ? dc_recon_train(comm, m, cfg, &source, &none, history, stop) : st;
}
