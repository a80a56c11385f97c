/* The model in training: parameter slab, proof of equal replicas, weights in and out of result files. */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/train.h"

dc_status dc_model_create(dc_model *m, const dc_dataset *data, const dc_net *net, dc_init init, uint64_t seed,
                          dc_timers *timers, dc_progress *progress)
{
    *m = (dc_model){.data = data, .net = net, .timers = timers, .progress = progress, .seed = seed};
    const dc_status st = dc_params_create(&m->params, net, 0);
    if (st == DC_OK) dc_net_init_weights(net, init, seed, m->params.value);
    return st;
}

dc_status dc_model_keep(dc_comm *comm, dc_model *m, dc_state *c)
{
    dc_status st = DC_OK;
    const dc_params *p = &m->params;
    m->state = c;
    DC_TRY(dc_state_keep(comm, c, "weights", DC_STATE_F32, m->net->n_params, p->value, NULL));
    if (p->n_extra == 0) return DC_OK;
    float *extra = p->value ? p->value + m->net->n_params : NULL; /* of a sketch */
    DC_TRY(dc_state_keep(comm, c, "extra", DC_STATE_F32, p->n_extra, extra, NULL));
out:
    return st;
}

dc_status dc_model_grow(dc_comm *comm, dc_model *m, size_t n_extra)
{
    dc_status st = DC_OK;
    dc_params larger = {0};
    dc_params_reset_moments(&m->params); /* they end here: two sets of values are enough at a time */
    dc_mem_zero_pages(m->params.grad);
    DC_TRY_ALL(comm, dc_params_create(&larger, m->net, n_extra));
    memcpy(larger.value, m->params.value, m->net->n_params * sizeof *larger.value);
    dc_model_release(m);
    m->params = larger;
    DC_TRY(dc_model_keep(comm, m, m->state));
out:
    return st;
}

void dc_model_release(dc_model *m)
{
    if (m->state) {
        dc_state_drop(m->state, m->params.value);
        dc_state_drop(m->state, m->params.value + m->net->n_params);
    }
    dc_params_release(&m->params);
}

static void gather_data(const void *from, const int64_t *rows, int64_t n, float *out)
{
    dc_dataset_gather(from, rows, n, out);
}

dc_row_source dc_model_rows(const dc_model *m)
{
    return (dc_row_source){.gather = gather_data, .from = m->data};
}

dc_step_config dc_model_step(dc_model *m, const dc_graph *graph, const dc_row_source *source, int64_t batch,
                             dc_section gather)
{
    return (dc_step_config){.graph = graph,
                            .part = &m->data->part,
                            .source = *source,
                            .params = &m->params,
                            .seed = m->seed,
                            .B = batch,
                            .strict = m->strict,
                            .gather_rows = m->gather_rows,
                            .state = m->state,
                            .timers = m->timers,
                            .gather = gather};
}

dc_status dc_model_check_replicas(dc_comm *comm, const dc_model *m)
{
    if (dc_fault(DC_FAULT_MODEL_FLIP)) m->params.value[0] = nextafterf(m->params.value[0], 1);
    return dc_agree_hash(comm, XXH3_64bits(m->params.value, m->params.n * sizeof *m->params.value), "model weights");
}

static void array_name(char out[DC_H5_NAME_MAX], const dc_layer *layer, const char *array)
{
    snprintf(out, DC_H5_NAME_MAX, "/model/%s/%s", layer->name, array);
}

dc_status dc_model_save(dc_h5 *h5, const dc_net *net, const float *value)
{
    dc_status st = DC_OK;
    for (int l = 0; l < net->n_layers; l++) {
        const dc_layer *layer = &net->layer[l];
        char name[DC_H5_NAME_MAX];
        array_name(name, layer, "weight");
        DC_TRY(dc_h5_put(h5, name, DC_H5_F32, 2, (dc_gidx[]){layer->in, layer->out}, value + layer->weight));
        array_name(name, layer, "bias");
        DC_TRY(dc_h5_put(h5, name, DC_H5_F32, 1, (dc_gidx[]){layer->out}, value + layer->bias));
        snprintf(name, sizeof name, "/model/%s", layer->name);
        DC_TRY(dc_h5_put_attr_str(h5, name, "activation", dc_act_name(layer->act)));
    }
out:
    return st;
}

/* Reads one array after comparing its shape with the deck's network; with out = NULL only compares. */
static dc_status load_array(dc_h5 *h5, const char *path, const char *name, int n_dims, const dc_gidx *dims, float *out)
{
    dc_h5_info info;
    if (!dc_h5_exists(h5, name))
        return DC_FAIL(DC_ERR_FORMAT, "%s has no %s: not a result of dcmpi with this network (model.weights)", path,
                       name);
    const dc_status st = dc_h5_dataset_info(h5, name, &info);
    if (st != DC_OK) return st;
    bool same = info.type == DC_H5_F32 && info.n_dims == n_dims;
    for (int i = 0; same && i < n_dims; i++) same = info.dims[i] == dims[i];
    if (!same)
        return DC_FAIL(DC_ERR_FORMAT,
                       "%s: %s has another shape than the deck's network; compare model.hidden and "
                       "model.latent with config.used.yaml of that run",
                       path, name);
    return out ? dc_h5_read_rows(h5, name, DC_H5_F32, 0, dims[0], out) : DC_OK;
}

/* value: the slab of parameters, or NULL. */
static dc_status visit_layers(dc_h5 *h5, const char *path, const dc_net *net, float *value)
{
    dc_status st = DC_OK;
    for (int l = 0; l < net->n_layers; l++) {
        const dc_layer *layer = &net->layer[l];
        char name[DC_H5_NAME_MAX];
        array_name(name, layer, "weight");
        DC_TRY(load_array(h5, path, name, 2, (dc_gidx[]){layer->in, layer->out}, value ? value + layer->weight : NULL));
        array_name(name, layer, "bias");
        DC_TRY(load_array(h5, path, name, 1, (dc_gidx[]){layer->out}, value ? value + layer->bias : NULL));
    }
out:
    return st;
}

static dc_status load_layers(dc_h5 *h5, const char *path, const dc_net *net, float *value)
{
    dc_status st = DC_OK;
    DC_TRY(visit_layers(h5, path, net, value));
    for (size_t i = 0; i < net->n_params; i++)
        if (!isfinite(value[i])) {
            st = DC_FAIL(DC_ERR_FORMAT, "%s: the weights contain NaN or Inf (model.weights)", path);
            break;
        }
out:
    return st;
}

static dc_status compare_activations(dc_h5 *h5, const char *path, const dc_net *net)
{
    dc_status st = DC_OK;
    for (int l = 0; l < net->n_layers; l++) {
        char name[DC_H5_NAME_MAX], act[32];
        snprintf(name, sizeof name, "/model/%s", net->layer[l].name);
        DC_TRY(dc_h5_get_attr_str(h5, name, "activation", act, sizeof act));
        if (strcmp(act, dc_act_name(net->layer[l].act)) != 0)
            return DC_FAIL(DC_ERR_USAGE,
                           "%s (model.weights): layer %s was trained with the activation %s, the deck says %s; set "
                           "model.activation, model.latent_activation, model.output_activation as that run had them",
                           path, net->layer[l].name, act, dc_act_name(net->layer[l].act));
    }
out:
    return st;
}

/* A model sees its data through the scaling it was trained with: through another one its weights mean nothing. */
static dc_status compare_scaling(dc_h5 *h5, const char *path, const dc_dataset *data)
{
    dc_status st = DC_OK;
    float *stored = NULL;
    const float *const mine[] = {data->shift, data->scale};
    const char *const name[] = {"/scaling/shift", "/scaling/scale"};
    DC_TRY(dc_mem_alloc(&stored, (size_t)data->D, sizeof *stored, "scaling"));
    for (int i = 0; i < 2; i++) {
        DC_TRY(load_array(h5, path, name[i], 1, (dc_gidx[]){data->D}, stored));
        for (int64_t c = 0; c < data->D; c++)
            if (memcmp(&stored[c], &mine[i][c], sizeof *stored) != 0)
                DC_TRY(DC_FAIL(DC_ERR_USAGE,
                               "%s (model.weights) was trained with another scaling: %s[%lld] is %.9g there and %.9g "
                               "here; use the input.scale and input.data of that run, or train anew",
                               path, name[i], (long long)c, (double)stored[c], (double)mine[i][c]));
    }
out:
    dc_mem_free(&stored);
    return st;
}

/* The same for the bounds of input.clip; a file without them clips nothing. */
static dc_status compare_clip(dc_h5 *h5, const char *path, const dc_dataset *data)
{
    dc_status st = DC_OK;
    double *stored = NULL;
    const double *const mine[] = {data->clip_lo, data->clip_hi};
    const char *const name[] = {"/scaling/clip_lo", "/scaling/clip_hi"};
    const bool there = dc_h5_exists(h5, name[0]);
    if (!there && !mine[0]) return DC_OK;
    if (there != (mine[0] != NULL))
        return DC_FAIL(DC_ERR_USAGE, "%s (model.weights) was trained with%s input.clip; set it as that run had it",
                       path, there ? "" : "out");
    DC_TRY(dc_mem_alloc(&stored, (size_t)data->D, sizeof *stored, "bounds of input.clip"));
    for (int i = 0; i < 2; i++) {
        DC_TRY(dc_h5_read_rows(h5, name[i], DC_H5_F64, 0, data->D, stored));
        for (int64_t c = 0; c < data->D; c++)
            if (stored[c] != mine[i][c])
                DC_TRY(
                    DC_FAIL(DC_ERR_USAGE,
                            "%s (model.weights) was trained with other bounds: %s[%lld] is %.9g there and %.9g here; "
                            "use the input.clip and input.data of that run, or train anew",
                            path, name[i], (long long)c, stored[c], mine[i][c]));
    }
out:
    dc_mem_free(&stored);
    return st;
}

static dc_status check_all(dc_h5 *h5, const char *path, const dc_net *net, const dc_dataset *data)
{
    dc_status st = DC_OK;
    DC_TRY(visit_layers(h5, path, net, NULL));
    DC_TRY(compare_activations(h5, path, net));
    if (data) DC_TRY(compare_scaling(h5, path, data));
    if (data) DC_TRY(compare_clip(h5, path, data));
out:
    return st;
}

dc_status dc_model_check_file(const char *path, const dc_net *net, const dc_dataset *data)
{
    dc_h5 *h5 = NULL;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = check_all(h5, path, net, data);
    (void)!dc_h5_close(&h5);
    return st;
}

typedef struct {
    dc_h5 *h5;
    uint64_t hash;
} hashing;

static dc_status hash_array(void *ctx, const char *name, const dc_h5_info *info)
{
    hashing *h = ctx;
    uint64_t one;
    (void)info;
    if (strncmp(name, "/model/", strlen("/model/")) != 0) return DC_OK;
    const dc_status st = dc_h5_hash_dataset(h->h5, name, &one);
    if (st != DC_OK) return st;
    h->hash = XXH3_64bits_withSeed(name, strlen(name), h->hash);
    h->hash = XXH3_64bits_withSeed(&one, sizeof one, h->hash);
    return DC_OK;
}

dc_status dc_model_hash_file(const char *path, uint64_t *hash)
{
    hashing h = {0};
    dc_status st = dc_h5_open(&h.h5, path, DC_H5_READ);
    if (st == DC_OK) st = dc_h5_visit(h.h5, hash_array, &h);
    if (st == DC_OK) st = dc_h5_check_unchanged(h.h5);
    *hash = h.hash;
    (void)!dc_h5_close(&h.h5);
    return st;
}

static dc_status load_on_root(const char *path, dc_model *m)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(check_all(h5, path, m->net, m->data));
    DC_TRY(load_layers(h5, path, m->net, m->params.value));
    DC_TRY(dc_h5_check_unchanged(h5));
out:;
    const dc_status closed = dc_h5_close(&h5);
    return st == DC_OK ? closed : st;
}

dc_status dc_model_load(dc_comm *comm, const char *path, dc_model *m)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? load_on_root(path, m) : DC_OK);
    dc_comm_bcast(comm, m->params.value, m->net->n_params * sizeof *m->params.value, 0);
out:
    return st;
}
