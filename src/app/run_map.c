/* The plane on which the report draws the embedding: its first two principal components, of all rows. */
#include "dcmpi/log.h"
#include "run.h"

/* Wider embeddings are left to the report, which takes a sample: of a million rows of 512 columns this takes a minute
 * of one core. */
enum { WIDEST = 512, AXES = 2 };

dc_status dc_run_map(dc_comm *comm, const dc_config *cfg, const dc_rows *embedding, dc_principal *out)
{
    const dc_principal_wanted wanted = {.components = DC_MIN(embedding->d, (int64_t)AXES)};
    *out = (dc_principal){0};
    if (!cfg->output.embedding || embedding->d < 1 || embedding->d > WIDEST || embedding->part->N < 2) return DC_OK;
    const dc_status st = dc_principal_create(comm, embedding, &wanted, out);
    if (st != DC_ERR_NUMERIC) return st;
    dc_error_clear(); /* a network that diverged has no map */
    dc_principal_release(out);
    return DC_OK;
}
