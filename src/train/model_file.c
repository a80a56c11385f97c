/* Models in result files: writes and reads the slab's arrays by name, and loads the weights of another run as a start
 * (model.weights). */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "counts_file.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/net_text.h"
#include "dcmpi/train.h"

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */

/* The centres are not stored under /model/; their place has been the same since version 0.1.0. */
static void file_name(char out[DC_H5_NAME_MAX], const char *array)
{
    const bool centers = strcmp(array, "centers") == 0;
    snprintf(out, DC_H5_NAME_MAX, "%s%s", centers ? "/cluster_" : "/model/", array);
}

enum { WINDOW_NUMBERS = 8 };
static void window_numbers(const dc_window *w, int64_t out[WINDOW_NUMBERS])
{
    const int64_t numbers[] = {w->h, w->w, w->c, w->kh, w->kw, w->stride, w->top, w->left};
    memcpy(out, numbers, sizeof numbers);
}

static dc_status save_window(dc_h5 *h5, const char *name, const dc_layer *layer)
{
    dc_status st = DC_OK;
    int64_t numbers[WINDOW_NUMBERS];
    window_numbers(&layer->window, numbers);
    DC_TRY(dc_h5_put_attr_str(h5, name, "kind", dc_layer_kind_name(layer->kind)));
    DC_TRY(dc_h5_put_attr_i64(h5, name, "window", numbers, WINDOW_NUMBERS));
out:
    return st;
}

/* Pooling layers have no arrays, so they are in the text alone. */
static dc_status save_layers(dc_h5 *h5, const dc_net *net)
{
    dc_status st = DC_OK;
    for (int l = 0; l < net->n_layers; l++) {
        char name[DC_H5_NAME_MAX];
        if (dc_layer_is_pool(&net->layer[l])) continue;
        file_name(name, net->layer[l].name);
        DC_TRY(dc_h5_put_attr_str(h5, name, "activation", dc_act_name(net->layer[l].act)));
        if (net->layer[l].norm) DC_TRY(dc_h5_put_attr_str(h5, name, "norm", dc_norm_name(net->layer[l].norm)));
        if (net->layer[l].tied) DC_TRY(dc_h5_put_attr_str(h5, name, "tied", dc_net_mirror(net, l)->name));
        if (dc_layer_has_window(&net->layer[l])) DC_TRY(save_window(h5, name, &net->layer[l]));
    }
out:
    return st;
}

/* Saves texts for people only: programs read shapes, activations and ties instead. */
static dc_status save_texts(dc_h5 *h5, const dc_net *net)
{
    dc_status st = DC_OK;
    char text[DC_NET_TEXT_MAX];
    if (net->n_layers == 0) return DC_OK;
    dc_net_text_format(net, false, text);
    DC_TRY(dc_h5_put_attr_str(h5, "/model", "encoder", text));
    if (net->n_layers == net->n_encoder) return DC_OK;
    dc_net_text_format(net, true, text);
    DC_TRY(dc_h5_put_attr_str(h5, "/model", "decoder", text));
out:
    return st;
}

dc_status dc_model_save(dc_h5 *h5, const dc_slab *slab, const float *value)
{
    dc_status st = DC_OK;
    dc_slab_array a;
    for (int i = 0; dc_slab_at(slab, i, &a); i++) {
        char name[DC_H5_NAME_MAX];
        file_name(name, a.name);
        DC_TRY(dc_h5_put(h5, name, DC_H5_F32, a.n_dims, a.dim, value + a.at));
    }
    const dc_net *net;
    for (int i = 0; (net = dc_slab_net_at(slab, i)) != NULL; i++) DC_TRY(save_layers(h5, net));
    DC_TRY(save_texts(h5, &slab->net));
out:
    return st;
}

static dc_status check_shape(dc_h5 *h5, const char *path, const char *name, const dc_slab_array *a)
{
    dc_h5_info info;
    if (!dc_h5_exists(h5, name))
        return DC_FAIL(DC_ERR_FORMAT, "%s has no %s: not a result of dcmpi with this network", path, name);
    const dc_status st = dc_h5_dataset_info(h5, name, &info);
    if (st != DC_OK) return st;
    bool same = info.type == DC_H5_F32 && info.exact && info.n_dims == a->n_dims;
    for (int i = 0; same && i < a->n_dims; i++) same = info.dims[i] == a->dim[i];
    return same ? DC_OK
                : DC_FAIL(DC_ERR_FORMAT,
                          "%s: %s has another shape than the deck's network; compare model.encoder and "
                          "model.decoder, or model.hidden and model.latent, with config.used.yaml of that run",
                          path, name);
}

/* Checks the shape of an array, and reads its values unless `value` is NULL. */
static dc_status visit_array(dc_h5 *h5, const char *path, const char *name, const dc_slab_array *a, float *value)
{
    dc_status st = DC_OK;
    DC_TRY(check_shape(h5, path, name, a));
    if (!value) goto out;
    DC_TRY(dc_h5_check_hash(h5, name));
    DC_TRY(dc_h5_read_rows(h5, name, DC_H5_F32, 0, a->dim[0], value));
    for (int64_t i = 0; i < a->dim[0] * (a->n_dims == 2 ? a->dim[1] : 1); i++)
        if (!isfinite(value[i])) return DC_FAIL(DC_ERR_FORMAT, "%s: %s contains NaN or Inf", path, name);
out:
    return st;
}

static dc_status visit_slab(dc_h5 *h5, const char *path, const dc_slab *slab, float *value)
{
    dc_status st = DC_OK;
    dc_slab_array a;
    for (int i = 0; dc_slab_at(slab, i, &a); i++) {
        char name[DC_H5_NAME_MAX];
        file_name(name, a.name);
        DC_TRY(visit_array(h5, path, name, &a, value ? value + a.at : NULL));
    }
out:
    return st;
}

dc_status dc_model_read(dc_h5 *h5, const char *path, const dc_slab *slab, float *value)
{
    return visit_slab(h5, path, slab, value);
}

/* ---- Weights of another run -------------------------------------------------------------------------------------- */

/* Windows may differ although the weights have one shape. */
static dc_status compare_window(dc_h5 *h5, const char *path, const char *name, const dc_layer *layer)
{
    dc_status st = DC_OK;
    int64_t mine[WINDOW_NUMBERS] = {0}, stored[WINDOW_NUMBERS] = {0};
    const bool there = dc_h5_has_attr(h5, name, "window");
    if (dc_layer_has_window(layer)) window_numbers(&layer->window, mine);
    if (there) DC_TRY(dc_h5_get_attr_i64(h5, name, "window", stored, WINDOW_NUMBERS, NULL));
    if (there != dc_layer_has_window(layer) || memcmp(mine, stored, sizeof mine) != 0)
        st = DC_FAIL(DC_ERR_USAGE,
                     "%s (model.weights): layer %s was trained with another kernel, stride, padding or size of images; "
                     "set model.encoder, model.decoder and input.image_shape as that run had them",
                     path, layer->name);
out:
    return st;
}

static dc_status compare_activations(dc_h5 *h5, const char *path, const dc_net *net)
{
    dc_status st = DC_OK;
    for (int l = 0; l < net->n_layers; l++) {
        char name[DC_H5_NAME_MAX], act[32];
        if (dc_layer_is_pool(&net->layer[l])) continue;
        file_name(name, net->layer[l].name);
        DC_TRY(dc_h5_get_attr_str(h5, name, "activation", act, sizeof act));
        if (strcmp(act, dc_act_name(net->layer[l].act)) != 0)
            return DC_FAIL(DC_ERR_USAGE,
                           "%s (model.weights): layer %s was trained with the activation %s, the deck says %s; set "
                           "model.encoder and model.decoder, or model.activation, model.latent_activation and "
                           "model.output_activation, as that run had them",
                           path, net->layer[l].name, act, dc_act_name(net->layer[l].act));
        DC_TRY(compare_window(h5, path, name, &net->layer[l]));
    }
out:
    return st;
}

/* A model needs data scaled as in its training: with another scaling its weights mean nothing. */
static dc_status compare_scaling(dc_h5 *h5, const char *path, const dc_dataset *data)
{
    dc_status st = DC_OK;
    float *stored = NULL;
    const float *const mine[] = {data->shift, data->scale};
    const char *const name[] = {"/scaling/shift", "/scaling/scale"};
    const dc_slab_array column = {.n_dims = 1, .dim = {data->D}};
    DC_TRY(dc_mem_alloc(&stored, (size_t)data->D, sizeof *stored, "scaling"));
    for (int i = 0; i < 2; i++) {
        DC_TRY(visit_array(h5, path, name[i], &column, stored));
        for (int64_t c = 0; c < data->D; c++)
            if (memcmp(&stored[c], &mine[i][c], sizeof *stored) != 0)
                DC_TRY(DC_FAIL(
                    DC_ERR_USAGE,
                    "%s (model.weights) was trained with another scaling: %s[%lld] is %.9g there and %.9g "
                    "here; use the input.scale and input.data of that run, go on from it (cluster.init = weights), "
                    "or train anew",
                    path, name[i], (long long)c, (double)stored[c], (double)mine[i][c]));
    }
out:
    dc_mem_free(&stored);
    return st;
}

/* Compares the principal components that enter the network, if any do. */
static dc_status compare_components(dc_h5 *h5, const char *path, const dc_dataset *data)
{
    dc_status st = DC_OK;
    float *stored = NULL;
    const int64_t k = data->pca.k;
    const float *const mine[] = {data->pca.direction, data->pca.factor, data->pca.offset};
    const char *const name[] = {"/scaling/components", "/scaling/component_scale", "/scaling/component_offset"};
    const dc_slab_array array[] = {
        {.n_dims = 2, .dim = {k, data->D}}, {.n_dims = 1, .dim = {k}}, {.n_dims = 1, .dim = {k}}};
    const size_t n[] = {(size_t)(k * data->D), (size_t)k, (size_t)k};
    if (dc_h5_exists(h5, name[0]) != (k > 0))
        return DC_FAIL(DC_ERR_USAGE,
                       "%s (model.weights) was trained with%s components (input.scale = pca, or input.reduce); set "
                       "these keys as that run had them",
                       path, k > 0 ? "out" : "");
    if (k == 0) return DC_OK;
    DC_TRY(dc_mem_alloc(&stored, n[0], sizeof *stored, "components"));
    for (int i = 0; i < 3; i++) {
        if (i == 2 && dc_h5_exists(h5, name[i]) != (mine[i] != NULL))
            DC_TRY(DC_FAIL(DC_ERR_USAGE, "%s (model.weights) was trained with another input.reduce", path));
        if (!mine[i]) break;
        DC_TRY(visit_array(h5, path, name[i], &array[i], stored));
        if (memcmp(stored, mine[i], n[i] * sizeof *stored) != 0)
            DC_TRY(DC_FAIL(DC_ERR_USAGE,
                           "%s (model.weights) was trained with other principal components (%s); use input.data and "
                           "the keys of input.scale = pca or input.reduce of that run, or train anew",
                           path, name[i]));
    }
out:
    dc_mem_free(&stored);
    return st;
}

static dc_status compare_norm(dc_h5 *h5, const char *path, const dc_dataset *data)
{
    dc_status st = DC_OK;
    char name[32] = "none";
    if (dc_h5_has_attr(h5, "/", "row_norm")) DC_TRY(dc_h5_get_attr_str(h5, "/", "row_norm", name, sizeof name));
    if (strcmp(name, dc_row_norm_name(data->norm)) != 0)
        st = DC_FAIL(DC_ERR_USAGE, "%s (model.weights) was trained with input.norm = %s; set it as that run had it",
                     path, name);
out:
    return st;
}

/* Compares the bounds of input.clip; a file without bounds means that nothing was clipped. */
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

/* Compares the transforms of counts, if there were any. */
static dc_status compare_counts(dc_h5 *h5, const char *path, const dc_dataset *data)
{
    dc_status st = DC_OK;
    dc_count_map there = {0};
    const dc_count_map *here = &data->counts;
    bool chosen;
    DC_TRY(dc_counts_header(h5, path, data->D, &there, &chosen));
    if (!there.used && !here->used) return DC_OK;
    bool same = there.used == here->used && there.normalize_total == here->normalize_total &&
                there.log1p == here->log1p && there.D == here->D && chosen == (here->column != NULL);
    if (same && chosen) {
        DC_TRY(dc_mem_alloc(&there.column, (size_t)there.kept, sizeof *there.column, "chosen columns"));
        DC_TRY(dc_counts_columns(h5, path, &there));
        same = memcmp(there.column, here->column, (size_t)here->kept * sizeof *here->column) == 0;
    }
    if (!same)
        st = DC_FAIL(
            DC_ERR_USAGE,
            "%s (model.weights) was trained on counts that were transformed in another way; use the input.data, "
            "normalize_total, log1p and variable_columns of that run, or train anew",
            path);
out:
    dc_count_map_release(&there);
    return st;
}

/* This and compare_depth() refuse differences that loading would silently ignore: weights that are tied in only one of
 * the two networks, and layers that the deck's network lacks. */
static dc_status compare_ties(dc_h5 *h5, const char *path, const dc_net *net)
{
    char name[DC_H5_NAME_MAX];
    for (int l = 0; l < net->n_layers; l++) {
        const dc_layer *layer = &net->layer[l];
        file_name(name, layer->name);
        if (!dc_h5_exists(h5, name) || dc_h5_has_attr(h5, name, "tied") == layer->tied) continue;
        return DC_FAIL(
            DC_ERR_USAGE,
            "%s (model.weights): the weights of layer %s are%s the transposed ones of the encoder there; set "
            "model.decoder as that run had it",
            path, layer->name, layer->tied ? " not" : "");
    }
    return DC_OK;
}

/* Names of arrays tell norms apart, but for a norm that only the file has. */
static dc_status compare_norms(dc_h5 *h5, const char *path, const dc_net *net)
{
    dc_status st = DC_OK;
    for (int l = 0; l < net->n_layers; l++) {
        char name[DC_H5_NAME_MAX], norm[32] = "";
        file_name(name, net->layer[l].name);
        if (dc_h5_exists(h5, name) && dc_h5_has_attr(h5, name, "norm"))
            DC_TRY(dc_h5_get_attr_str(h5, name, "norm", norm, sizeof norm));
        if (dc_h5_exists(h5, name) && strcmp(norm, dc_norm_name(net->layer[l].norm)) != 0)
            return DC_FAIL(
                DC_ERR_USAGE,
                "%s (model.weights): layer %s has the norm '%s' there and '%s' in the deck; set model.encoder "
                "and model.decoder as that run had them",
                path, net->layer[l].name, norm, dc_norm_name(net->layer[l].norm));
    }
out:
    return st;
}

static dc_status compare_depth(dc_h5 *h5, const char *path, const dc_net *net)
{
    for (int decodes = 0; decodes < 2; decodes++) {
        char name[DC_H5_NAME_MAX];
        snprintf(name, sizeof name, "/model/%s_%d", decodes ? "decoder" : "encoder",
                 decodes ? net->n_layers - net->n_encoder : net->n_encoder);
        if (dc_h5_exists(h5, name))
            return DC_FAIL(DC_ERR_FORMAT, "%s has %s, a layer more than the deck's network (model.weights)", path,
                           name);
    }
    return DC_OK;
}

/* Methods that train an encoder alone have no decoder. */
static dc_status compare_decoders(dc_h5 *h5, const char *path, const dc_net *net)
{
    const bool there = dc_h5_exists(h5, "/model/decoder_0"), here = net->n_layers > net->n_encoder;
    if (there == here || !dc_h5_exists(h5, "/model/encoder_0")) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "%s (model.weights) holds an encoder with%s decoder, and the deck's cluster.method trains one "
                   "with%s decoder; use weights of a method of that kind",
                   path, there ? " a" : "out a", here ? " a" : "out a");
}

static dc_status check_all(dc_h5 *h5, const char *path, const dc_net *net, const dc_dataset *data)
{
    dc_status st = DC_OK;
    dc_slab slab;
    dc_slab_init(&slab, net);
    DC_TRY(compare_decoders(h5, path, net));
    DC_TRY(compare_ties(h5, path, net));
    DC_TRY(compare_norms(h5, path, net));
    DC_TRY(visit_slab(h5, path, &slab, NULL));
    DC_TRY(compare_depth(h5, path, net));
    DC_TRY(compare_activations(h5, path, net));
    if (data) DC_TRY(compare_counts(h5, path, data));
    if (data) DC_TRY(compare_components(h5, path, data));
    if (data) DC_TRY(compare_norm(h5, path, data));
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
    st = dc_h5_close_read(&h5, st);
    return st;
}

typedef struct {
    dc_h5 *h5;
    bool all;
    uint64_t hash;
} hashing;

static bool is_under(const char *name, const char *group)
{
    return strncmp(name, group, strlen(group)) == 0;
}

static dc_status hash_array(void *ctx, const char *name, const dc_h5_info *info)
{
    hashing *h = ctx;
    uint64_t one;
    (void)info;
    const bool rest = is_under(name, "/scaling/") || strcmp(name, "/cluster_centers") == 0;
    if (!is_under(name, "/model/") && !(h->all && rest)) return DC_OK;
    const dc_status st = dc_h5_hash_dataset(h->h5, name, &one);
    if (st != DC_OK) return st;
    h->hash = XXH3_64bits_withSeed(name, strlen(name), h->hash);
    h->hash = XXH3_64bits_withSeed(&one, sizeof one, h->hash);
    return DC_OK;
}

dc_status dc_model_hash_file(const char *path, bool all, uint64_t *hash)
{
    hashing h = {.all = all};
    dc_status st = dc_h5_open(&h.h5, path, DC_H5_READ);
    if (st == DC_OK) st = dc_h5_visit(h.h5, hash_array, &h);
    if (st == DC_OK) st = dc_h5_check_unchanged(h.h5);
    *hash = h.hash;
    st = dc_h5_close_read(&h.h5, st);
    return st;
}

static dc_status load_on_root(const char *path, dc_model *m)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_slab network;
    dc_slab_init(&network, m->net);
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(check_all(h5, path, m->net, m->data));
    DC_TRY(dc_model_read(h5, path, &network, m->params.value));
    DC_TRY(dc_h5_check_unchanged(h5));
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

dc_status dc_model_load(dc_comm *comm, const char *path, dc_model *m)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? load_on_root(path, m) : DC_OK);
    dc_comm_bcast(comm, m->params.value, m->net->n_params * sizeof *m->params.value, 0);
out:
    return st;
}
