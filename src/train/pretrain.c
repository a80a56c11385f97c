/* Joint pretraining, and fine-tuning after layer-wise pretraining: the whole autoencoder minimises the reconstruction
 * loss without noise. */
#include "recon.h"

#include "dcmpi/comm.h"

dc_status dc_pretrain(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, dc_history *history, dc_stop *stop)
{
    const dc_row_source source = dc_model_rows(m);
    const dc_denoising none = {0};
    dc_status st = DC_OK;
    bool finished;
    *stop = cfg->steps > 0 ? DC_STOP_MAX_ITER : DC_STOP_EPOCHS;
    DC_TRY(dc_recon_recall(comm, m, cfg->phase, history, &finished));
    if (finished) goto out;
    DC_TRY(dc_recon_check(comm, m, cfg->loss));
    DC_TRY(dc_recon_train(comm, m, cfg, &source, &none, history, stop));
out:
    return st;
}

dc_status dc_pretrain_needs(dc_comm *comm, const dc_model *sketch, const dc_pretrain_config *cfg, dc_phase_needs *out)
{
    const dc_row_source source = dc_model_rows(sketch);
    const dc_denoising none = {0};
    dc_status st = DC_OK;
    dc_rehearsal r;
    DC_TRY(dc_rehearsal_begin(comm, &r, sketch));
    DC_TRY(dc_recon_needs(comm, &r, &r.model, cfg, &source, &none, out));
out:
    dc_rehearsal_end(&r);
    return st;
}
