#include "earlier.h"

#include <string.h>

#include "column_names.h"
#include "dcmpi/comm.h"
#include "dcmpi/h5.h"
#include "deck_model.h"
#include "result_model.h"

static dc_status count_rows(const char *path, dc_gidx *rows)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_h5_dataset_info(h5, "/labels", &info));
    *rows = info.n_dims == 1 ? info.dims[0] : 0;
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

static void take_given(dc_earlier *e)
{
    const dc_trained *t = &e->model;
    e->given = (dc_data_given){.counts = t->counts.used ? &t->counts : NULL,
                               .clip_lo = t->clip_lo,
                               .clip_hi = t->clip_hi,
                               .shift = t->shift,
                               .scale = t->scale,
                               .pca = &t->pca};
}

dc_status dc_earlier_load(dc_comm *comm, const char *path, dc_earlier *e)
{
    dc_status st = DC_OK;
    const bool root = dc_comm_rank(comm) == 0;
    memset(e, 0, sizeof *e);
    snprintf(e->path, sizeof e->path, "%s", path);
    DC_TRY(dc_result_model_load(comm, path, &e->deck, &e->model));
    if (!e->model.has_method) DC_TRY_ALL(comm, root ? dc_result_deck(path, &e->deck) : DC_OK);
    DC_TRY_ALL(comm, root ? count_rows(path, &e->rows) : DC_OK);
    dc_comm_bcast(comm, &e->deck, sizeof e->deck, 0);
    dc_comm_bcast(comm, &e->rows, sizeof e->rows, 0);
    take_given(e);
out:
    return st;
}

void dc_earlier_release(dc_earlier *e)
{
    dc_trained_release(&e->model);
}

const float *dc_earlier_centers(const dc_earlier *e)
{
    return e->model.value + dc_slab_find(&e->model.slab, "centers")->at;
}

/* The same values mean the same only if they are transformed alike; centres, only by the same metric. */
static dc_status check_input(const dc_earlier *e, const dc_config *cfg, const char *verb)
{
    char what[1024];
    dc_config was = *cfg;
    was.input = e->deck.input;
    was.cluster.metric = e->deck.cluster.metric;
    memcpy(was.input.data, cfg->input.data, sizeof was.input.data);
    was.input.rows = cfg->input.rows;
    memcpy(was.input.matrix, cfg->input.matrix, sizeof was.input.matrix);
    memcpy(was.input.label_dataset, cfg->input.label_dataset, sizeof was.input.label_dataset);
    was.input.image_shape = cfg->input.image_shape;
    if (dc_config_differences(&was, cfg, verb, what, sizeof what) == 0) return DC_OK;
    return DC_FAIL(
        DC_ERR_USAGE,
        "%s (model.weights): cluster.init = weights goes on with what that run did to its rows, and the deck "
        "says otherwise: %s",
        e->path, what);
}

/* What the new run clusters: the embedding of its network, or the rows. */
static dc_status check_width(const dc_earlier *e, const dc_config *cfg, const char *verb)
{
    dc_status st = DC_OK;
    dc_net net = {0};
    const dc_trained *t = &e->model;
    const int64_t width = t->pca.k > 0 ? t->pca.k : t->D;
    if (strcmp(verb, "kmeans") != 0) DC_TRY(dc_deck_net(cfg, width, &net));
    const bool embeds = net.n_layers > 0, did = t->slab.net.n_layers > 0;
    if (embeds != did)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s (model.weights) clustered %s, this run clusters %s: its centres mean nothing here", e->path,
                       did ? "an embedding" : "the rows", embeds ? "an embedding" : "the rows");
    if (embeds && net.L != t->width)
        st = DC_FAIL(DC_ERR_USAGE, "%s (model.weights) has centres of width %lld, model.latent is %lld", e->path,
                     (long long)t->width, (long long)net.L);
out:
    return st;
}

dc_status dc_earlier_check(const dc_earlier *e, const dc_config *cfg, const dc_data_header *head, const char *verb)
{
    dc_status st = DC_OK;
    const dc_trained *t = &e->model;
    if (t->K != cfg->cluster.clusters)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s (model.weights) has %lld clusters, cluster.clusters is %lld: cluster.init = weights goes on "
                       "with the same number",
                       e->path, (long long)t->K, (long long)cfg->cluster.clusters);
    if (dc_trained_columns(t) != head->stored_D)
        return DC_FAIL(DC_ERR_DATA, "%s has %lld columns, the run of %s (model.weights) had %lld", cfg->input.data,
                       (long long)head->stored_D, e->path, (long long)dc_trained_columns(t));
    DC_TRY(check_input(e, cfg, verb));
    DC_TRY(check_width(e, cfg, verb));
out:
    return st;
}

dc_status dc_earlier_check_names(const dc_earlier *e, const dc_dataset *data)
{
    return dc_column_names_check(e->path, " (model.weights)", NULL, data->source, data->D, data->feature_names);
}
