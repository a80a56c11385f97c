/* Checks that need more than one key: unused keys, contradictions, what is missing; then what follows from other keys.
 * Ranges of single values were checked when they were read. What needs the data (batch against rows, ranks against
 * shards) is checked where the data is known. */
#include "key.h"

#include <string.h>

void dc_place_format(const dc_origins *from, const dc_key *key, char out[DC_PLACE_MAX])
{
    const dc_key_origin *at = &from->key[dc_key_index(key)];
    if (!at->set)
        snprintf(out, DC_PLACE_MAX, "%s", from->name);
    else if (at->line == 0)
        snprintf(out, DC_PLACE_MAX, "command line: --%s.%s", key->section, key->name);
    else
        snprintf(out, DC_PLACE_MAX, "%s:%d:%d", from->name, at->line, at->col);
}

/* Place of the first of two keys that was set: where a contradiction between them is reported. */
static void place_of_either(const dc_origins *from, const char *section, const char *a, const char *b,
                            char out[DC_PLACE_MAX])
{
    const dc_key *key = dc_key_find(section, a);
    if (!from->key[dc_key_index(key)].set) key = dc_key_find(section, b);
    dc_place_format(from, key, out);
}

static dc_status check_unused(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    const dc_key *key;
    char why[256], place[DC_PLACE_MAX];
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (!from->key[i].set || dc_key_in_use(cfg, key, verb, why, sizeof why)) continue;
        /* With model.weights a deck keeps its pretrain section, so that one deck serves both runs. */
        if (cfg->model.weights[0] && strcmp(key->section, "pretrain") == 0 && (key->verbs & verb)) continue;
        dc_place_format(from, key, place);
        return DC_FAIL(DC_ERR_USAGE, "%s: key %s.%s is not used: %s", place, key->section, key->name, why);
    }
    return DC_OK;
}

static dc_status check_model(const dc_config *cfg, const dc_origins *from)
{
    const dc_int_list *hidden = &cfg->model.hidden;
    int64_t narrowest = INT64_MAX;
    for (int i = 0; i < hidden->n; i++) narrowest = DC_MIN(narrowest, hidden->v[i]);
    if (cfg->model.latent <= narrowest) return DC_OK;
    char place[DC_PLACE_MAX];
    place_of_either(from, "model", "latent", "hidden", place);
    return DC_FAIL(DC_ERR_USAGE, "%s: model.latent = %lld is wider than the narrowest of model.hidden, %lld", place,
                   (long long)cfg->model.latent, (long long)narrowest);
}

/* Whether pretraining runs with this loss is decided by the key table; here only what the loss needs. */
static dc_status check_loss(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    char place[DC_PLACE_MAX], why[256];
    const dc_key *loss = dc_key_find("pretrain", "loss");
    if (cfg->pretrain.loss != DC_LOSS_BCE || cfg->model.output_activation == DC_ACT_SIGMOID ||
        !dc_key_in_use(cfg, loss, verb, why, sizeof why))
        return DC_OK;
    dc_place_format(from, loss, place);
    return DC_FAIL(DC_ERR_USAGE, "%s: pretrain.loss = bce needs model.output_activation = sigmoid", place);
}

static dc_status check_input(const dc_config *cfg, const dc_origins *from)
{
    static const char *const known[] = {DC_BUILTIN_GLYPHS};
    char place[DC_PLACE_MAX], quoted[DC_QUOTE_MAX];
    const char *data = cfg->input.data;
    dc_place_format(from, dc_key_find("input", "data"), place);
    if (!data[0])
        return DC_FAIL(
            DC_ERR_USAGE,
            "%s: key input.data is missing: name an HDF5 file (`dcmpi convert` makes it) or " DC_BUILTIN_GLYPHS, place);
    if (strncmp(data, "builtin:", strlen("builtin:")) == 0 && strcmp(data, known[0]) != 0)
        return DC_FAIL(DC_ERR_USAGE, "%s: input.data = '%s' is unknown%s; the built-in problem is " DC_BUILTIN_GLYPHS,
                       place, dc_quote(quoted, data),
                       dc_nearest_name(data, known, 1) == 0 ? ", did you mean '" DC_BUILTIN_GLYPHS "'?" : "");
    return DC_OK;
}

static dc_status check_image_shape(const dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    const int n = cfg->input.image_shape.n;
    if (n == 0 || n == 2 || n == 3) return DC_OK;
    dc_place_format(from, dc_key_find("input", "image_shape"), place);
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: input.image_shape has %d number%s: give [height, width] or [height, width, channels]", place, n,
                   n == 1 ? "" : "s");
}

static dc_status check_counts(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    char place[DC_PLACE_MAX], why[256];
    if (cfg->input.rows > 0 && cfg->cluster.clusters > cfg->input.rows) {
        dc_place_format(from, dc_key_find("cluster", "clusters"), place);
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.clusters = %lld is more than input.rows = %lld", place,
                       (long long)cfg->cluster.clusters, (long long)cfg->input.rows);
    }
    const dc_key *warmup = dc_key_find("cluster", "warmup");
    if (dc_key_in_use(cfg, warmup, verb, why, sizeof why) && cfg->cluster.max_iter > 0 &&
        cfg->cluster.opt.warmup > cfg->cluster.max_iter) {
        place_of_either(from, "cluster", "warmup", "max_iter", place);
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.warmup = %lld is longer than cluster.max_iter = %lld", place,
                       (long long)cfg->cluster.opt.warmup, (long long)cfg->cluster.max_iter);
    }
    return DC_OK;
}

static void fill_in(dc_config *cfg)
{
    if (strcmp(cfg->input.data, DC_BUILTIN_GLYPHS) == 0 && cfg->input.rows == 0)
        cfg->input.rows = DC_GLYPH_ROWS_DEFAULT;
    if (cfg->model.weights[0]) cfg->pretrain.mode = DC_PRETRAIN_NONE;
}

dc_status dc_config_check(dc_config *cfg, const dc_origins *from, unsigned verb)
{
    dc_status st = DC_OK;
    DC_TRY(check_unused(cfg, from, verb));
    if (verb & (DC_USE_FIT | DC_USE_KMEANS)) DC_TRY(check_input(cfg, from));
    if (verb & (DC_USE_FIT | DC_USE_KMEANS)) DC_TRY(check_image_shape(cfg, from));
    fill_in(cfg);
    if (verb & DC_USE_FIT) DC_TRY(check_model(cfg, from));
    if (verb & DC_USE_FIT) DC_TRY(check_loss(cfg, from, verb));
    if (verb & (DC_USE_FIT | DC_USE_KMEANS)) DC_TRY(check_counts(cfg, from, verb));
out:
    return st;
}
