/* Checks that need more than one key: unused keys, contradictions, missing keys. Then fills in the values that follow
 * from other keys. Ranges of single values were checked when they were read. Checks that need the data (batch size
 * against rows, ranks against shards) are made where the data is known. */
#include "key.h"

#include <string.h>

/* The place to report a contradiction between keys a and b: where a was set, or b if a was not set. */
static void place_of_either(const dc_origins *from, const char *section, const char *a, const char *b,
                            char out[DC_PLACE_MAX])
{
    const dc_key *key = dc_key_find(section, a);
    if (!from->key[dc_key_index(key)].set) key = dc_key_find(section, b);
    dc_place_format(from, key, out);
}

/* ---- Unused keys ------------------------------------------------------------------------------------------------- */

/* A list of unused keys with reasons; neighbours with the same reason share one text. */
typedef struct {
    char *text;
    size_t cap, used;
    char why[256]; /* reason of the last keys, not yet written to the text */
} key_list;

static void print(key_list *l, const char *a, const char *b, const char *c)
{
    if (l->used < l->cap) l->used += (size_t)snprintf(l->text + l->used, l->cap - l->used, "%s%s%s", a, b, c);
}

static void end_reason(key_list *l)
{
    if (l->why[0]) print(l, " (", l->why, ")");
}

static void list_key(key_list *l, const dc_key *key, const char *why)
{
    const bool same = strcmp(l->why, why) == 0;
    if (!same) end_reason(l);
    print(l, l->used == 0 ? "" : same ? ", " : "; ", key->section, ".");
    print(l, key->name, "", "");
    snprintf(l->why, sizeof l->why, "%s", why);
}

/* True if we cannot tell whether the key is used, because a value that decides this is invalid. */
static bool is_undecided(const dc_origins *from, const dc_key *key)
{
    const bool asks_method = key->trait || dc_key_is_moved(key) || dc_method_row(key->section);
    if (asks_method && from->key[dc_key_index(dc_key_find("cluster", "method"))].failed) return true;
    for (const dc_key *k = key; k->when; k = dc_key_find(k->section, k->when)) {
        if (from->key[dc_key_index(dc_key_find(k->section, k->when))].failed) return true;
        if (k->or_when && from->key[dc_key_index(dc_key_find(k->section, k->or_when))].failed) return true;
    }
    return false;
}

/* Whether the deck sets the key for sweep-k alone. */
static bool is_for_a_sweep(const dc_origins *from, const dc_key *key)
{
    return from->key[dc_key_index(key)].line > 0 && key->verbs == DC_USE_SWEEP;
}

/* Whether the deck sets a key of other verbs to its default, which changes nothing: `dcmpi config` writes all keys. */
static bool is_idle(const dc_config *cfg, const dc_origins *from, const dc_key *key, unsigned verb)
{
    dc_config defaults;
    char value[DC_VALUE_TEXT_MAX], usual[DC_VALUE_TEXT_MAX];
    if (from->key[dc_key_index(key)].line <= 0 || (key->verbs & verb)) return false;
    dc_config_defaults(&defaults);
    dc_key_format(cfg, key, value);
    dc_key_format(&defaults, key, usual);
    return strcmp(value, usual) == 0;
}

/* True if the deck sets the key and `fit` with this deck alone would use it: then the key is meant for such a run. */
static bool is_for_another_run(const dc_config *deck, const dc_origins *from, const dc_key *key)
{
    char why[256];
    return from->key[dc_key_index(key)].line > 0 && dc_key_in_use(deck, key, DC_USE_FIT, why, sizeof why);
}

/* Whether the deck sets the key for another method; a deck may hold the sections of all methods. */
static bool is_of_another_method(const dc_config *cfg, const dc_origins *from, const dc_key *key)
{
    return from->key[dc_key_index(key)].line > 0 && dc_method_row(key->section) &&
           strcmp(key->section, cfg->cluster.method) != 0;
}

static dc_status check_use(const dc_config *cfg, const dc_config *deck, dc_origins *from, unsigned verb,
                           const dc_key *key, key_list *left_out)
{
    char why[256], place[DC_PLACE_MAX];
    const dc_key_origin *at = &from->key[dc_key_index(key)];
    if (!at->set || at->failed || is_undecided(from, key)) return DC_OK;
    if (dc_key_in_use(cfg, key, verb, why, sizeof why) || is_of_another_method(cfg, from, key) ||
        is_for_a_sweep(from, key))
        return DC_OK;
    /* A deck with model.weights may keep its pretrain section, so that one deck serves runs with and without
     * weights. */
    if (cfg->model.weights[0] && strcmp(key->section, "pretrain") == 0 && (key->verbs & verb)) return DC_OK;
    const bool without_network =
        at->line > 0 && cfg->cluster.on == DC_ON_INPUT && dc_key_needs_network(key) && (key->verbs & verb);
    if (without_network || is_for_another_run(deck, from, key)) {
        list_key(left_out, key, why);
        return DC_OK;
    }
    if (is_idle(cfg, from, key, verb)) return DC_OK;
    dc_place_format(from, key, place);
    return DC_FAIL(DC_ERR_USAGE, "%s: key %s.%s is not used: %s", place, key->section, key->name, why);
}

static dc_status check_unused(const dc_config *cfg, const dc_config *deck, dc_origins *from, unsigned verb,
                              key_list *left_out)
{
    dc_status st = DC_OK;
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++)
        DC_TRY(dc_problem_add(from, check_use(cfg, deck, from, verb, key, left_out)));
    for (int i = 0; i < DC_MOVED_MAX; i++)
        DC_TRY(dc_problem_add(from, check_use(cfg, deck, from, verb, &dc_moved_table[i], left_out)));
    end_reason(left_out);
out:
    return st;
}

/* ---- Methods of a sweep ------------------------------------------------------------------------------------------ */

/* Names of the methods that sweep-k can use; returns the first, or NULL. */
static const char *list_swept(char *out, size_t cap)
{
    size_t at = 0;
    const dc_config_method *m;
    const char *first = NULL;
    out[0] = '\0';
    for (int i = 0; (m = dc_method_row_at(i)) != NULL && at < cap; i++) {
        if (!dc_has_word(m->traits, "sweep")) continue;
        at += (size_t)snprintf(out + at, cap - at, "%s%s", first ? " or " : "", m->name);
        if (!first) first = m->name;
    }
    return first;
}

/* A deck is often that of a run that goes on to train, from k-means on the embedding: then k-means is swept. */
static dc_status settle_swept(dc_config *cfg, const dc_origins *from, unsigned verb, key_list *left_out)
{
    char place[DC_PLACE_MAX], all[256], why[512];
    const dc_key *key = dc_key_find("cluster", "method");
    const dc_config_method *method = dc_method_row(cfg->cluster.method);
    const dc_key_origin *at = &from->key[dc_key_index(key)];
    if (verb != DC_USE_SWEEP || at->failed || !method || dc_has_word(method->traits, "sweep")) return DC_OK;
    const char *first = list_swept(all, sizeof all);
    if (at->set && at->line == 0) {
        dc_place_format(from, key, place);
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.method = %s: sweep-k takes %s", place, method->name, all);
    }
    snprintf(why, sizeof why, "sweep-k takes %s, here %s, pretraining, too", all, first);
    if (at->set) list_key(left_out, key, why);
    snprintf(cfg->cluster.method, sizeof cfg->cluster.method, "%s", first);
    return DC_OK;
}

/* ---- Contradictions ---------------------------------------------------------------------------------------------- */

static dc_status check_model(const dc_config *cfg, const dc_origins *from)
{
    const dc_int_list *hidden = &cfg->model.hidden;
    int64_t narrowest = INT64_MAX;
    if (cfg->model.encoder[0] || cfg->cluster.on == DC_ON_INPUT)
        return DC_OK; /* its text was checked when it was read */
    for (int i = 0; i < hidden->n; i++) narrowest = DC_MIN(narrowest, hidden->v[i]);
    if (cfg->model.latent <= narrowest) return DC_OK;
    char place[DC_PLACE_MAX];
    place_of_either(from, "model", "latent", "hidden", place);
    return DC_FAIL(DC_ERR_USAGE, "%s: model.latent = %lld is wider than the narrowest of model.hidden, %lld", place,
                   (long long)cfg->model.latent, (long long)narrowest);
}

static void list_untrained(char *out, size_t cap)
{
    size_t at = 0;
    const dc_config_method *m;
    out[0] = '\0';
    for (int i = 0; (m = dc_method_row_at(i)) != NULL && at < cap; i++)
        if (!dc_has_word(m->traits, "training"))
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "", m->name);
}

/* Without a network there is nothing to train. */
static dc_status check_on(const dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX], others[256];
    const dc_config_method *method = dc_method_row(cfg->cluster.method);
    if (cfg->cluster.on != DC_ON_INPUT || !method || !dc_has_word(method->traits, "training")) return DC_OK;
    place_of_either(from, "cluster", "on", "method", place);
    list_untrained(others, sizeof others);
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: cluster.on = input leaves no network, and cluster.method = %s trains one; methods that train "
                   "nothing: %s",
                   place, method->name, others);
}

static dc_status check_final(const dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    if (cfg->cluster.final == DC_FINAL_NONE || !cfg->cluster.final_kmeans) return DC_OK;
    place_of_either(from, "cluster", "final", "final_kmeans", place);
    return DC_FAIL(DC_ERR_USAGE, "%s: cluster.final and cluster.final_kmeans are two final steps; choose one", place);
}

/* An earlier run gives centres; other methods give them only to those that train. */
static dc_status check_start(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    char place[DC_PLACE_MAX];
    const dc_config_method *method = dc_method_row(cfg->cluster.method);
    const bool weights = cfg->cluster.init == DC_START_WEIGHTS;
    const bool trains = verb != DC_USE_KMEANS && method && dc_has_word(method->traits, "training");
    if (verb != DC_USE_KMEANS && !(method && dc_has_word(method->traits, "start"))) return DC_OK;
    dc_place_format(from, dc_key_find("cluster", "init"), place);
    if (weights && verb == DC_USE_SWEEP)
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.init = weights has one number of clusters, and sweep-k many", place);
    if (weights && !cfg->model.weights[0])
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.init = weights needs model.weights, the run.h5 of the earlier run",
                       place);
    if (weights || trains || cfg->cluster.init == DC_START_KMEANS) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "%s: cluster.init = %s is for methods that train; %s%s starts from kmeans or weights",
                   place, dc_start_method(cfg), verb == DC_USE_KMEANS ? "" : "cluster.method = ",
                   verb == DC_USE_KMEANS ? "dcmpi kmeans" : cfg->cluster.method);
}

static dc_act output_act(const dc_net_text *net)
{
    return net->kind == DC_DECODER_OWN ? net->decoder.layer[net->decoder.n - 1].act : net->output_act;
}

/* The key table decides whether pretraining uses this loss; only what the loss needs is checked here. */
static dc_status check_loss(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    char place[DC_PLACE_MAX], why[256];
    dc_net_text net;
    const dc_key *loss = dc_key_find("pretrain", "loss");
    dc_config_net(cfg, &net);
    if (cfg->pretrain.loss != DC_LOSS_BCE || output_act(&net) == DC_ACT_SIGMOID ||
        !dc_key_in_use(cfg, loss, verb, why, sizeof why))
        return DC_OK;
    dc_place_format(from, loss, place);
    return DC_FAIL(DC_ERR_USAGE, "%s: pretrain.loss = bce needs %s", place,
                   net.kind == DC_DECODER_OWN ? "a sigmoid in the last layer of model.decoder"
                                              : "model.output_activation = sigmoid");
}

/* Layerwise pretraining trains pairs of a layer and its mirror. */
static dc_status check_pairs(const dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    dc_net_text net;
    dc_config_net(cfg, &net);
    if (cfg->pretrain.mode != DC_PRETRAIN_LAYERWISE || dc_net_text_is_mirror(&net)) return DC_OK;
    dc_place_format(from, dc_key_find("model", "decoder"), place);
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: pretrain.mode = layerwise trains each layer with its mirror, and model.decoder is no mirror of "
                   "the encoder; use ~encoder, tied ~encoder, or pretrain.mode = joint",
                   place);
}

/* Of one row, batch norm makes zeros, whatever the row is. */
static dc_status check_norm(const dc_config *cfg, const dc_origins *from, unsigned verb, const char *section,
                            int64_t batch)
{
    char place[DC_PLACE_MAX], why[256];
    dc_net_text net;
    const dc_key *key = dc_key_find(section, "batch");
    if (batch > 1 || !dc_key_in_use(cfg, key, verb, why, sizeof why)) return DC_OK;
    dc_config_net(cfg, &net);
    if (!dc_net_text_norms_rows(&net)) return DC_OK;
    dc_place_format(from, key, place);
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: %s.batch = 1, and the network has batch norm (bn), which needs 2 rows or more per step; raise "
                   "it, or use layer norm (ln)",
                   place, section);
}

static dc_status check_input(const dc_config *cfg, const dc_origins *from)
{
    dc_builtin b;
    char place[DC_PLACE_MAX], why[DC_BUILTIN_WHY_MAX];
    const char *data = cfg->input.data;
    dc_place_format(from, dc_key_find("input", "data"), place);
    if (!data[0])
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: key input.data is missing: name an HDF5 file (`dcmpi convert` makes it), .npy files "
                       "or " DC_BUILTIN_GLYPHS,
                       place);
    if (!dc_builtin_is(data)) return DC_OK;
    if (!dc_builtin_parse(data, &b, why)) return DC_FAIL(DC_ERR_USAGE, "%s: %s", place, why);
    if (!b.sized || cfg->input.rows <= b.rows) return DC_OK;
    dc_place_format(from, dc_key_find("input", "rows"), place);
    return DC_FAIL(DC_ERR_USAGE, "%s: input.rows = %lld is more than the rows=%lld of input.data", place,
                   (long long)cfg->input.rows, (long long)b.rows);
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

static dc_status check_auto(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    char place[DC_PLACE_MAX];
    const dc_config_method *method = dc_method_row(cfg->cluster.method);
    const bool chooses = verb & DC_USE_FIT && method && dc_has_word(method->traits, "choice");
    if (cfg->cluster.clusters != DC_CLUSTERS_AUTO || chooses) return DC_OK;
    dc_place_format(from, dc_key_find("cluster", "clusters"), place);
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: cluster.clusters = auto needs a method that chooses: spectral; `dcmpi sweep-k` compares "
                   "numbers of clusters for others",
                   place);
}

/* Principal components are no pixels. */
static dc_status check_components(const dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    dc_net_text net;
    dc_config_net(cfg, &net);
    const bool reduces = cfg->input.reduce != DC_REDUCE_NONE;
    if ((cfg->input.scale != DC_SCALE_PCA && !reduces) || !dc_net_text_has_windows(&net)) return DC_OK;
    dc_place_format(from, dc_key_find("input", reduces ? "reduce" : "scale"), place);
    return DC_FAIL(
        DC_ERR_USAGE,
        "%s: with input.%s the rows are no images any more, but model.encoder has layers for images; use %s, "
        "or dense layers",
        place, reduces ? "reduce" : "scale = pca", reduces ? "no reduction" : "another scaling");
}

static dc_status check_reduction(const dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    const char *kind = dc_reduce_name((dc_reduce_kind)cfg->input.reduce);
    if (cfg->input.reduce == DC_REDUCE_NONE) return DC_OK;
    dc_place_format(from, dc_key_find("input", "reduce"), place);
    if (cfg->input.scale == DC_SCALE_PCA)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: input.reduce = %s and input.scale = pca are two reductions; choose one (input.reduce with "
                       "another scaling, or input.scale = pca alone)",
                       place, kind);
    if (cfg->input.components == 0)
        return DC_FAIL(DC_ERR_USAGE, "%s: input.reduce = %s needs input.components, the number of dimensions", place,
                       kind);
    return DC_OK;
}

/* A cosine is an inner product of rows of length 1. */
static dc_status settle_metric(dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    const dc_key *norm = dc_key_find("input", "norm");
    if (cfg->cluster.metric != DC_KMEANS_COSINE) return DC_OK;
    /* The usual scaling moves zero, and then all rows point the same way. */
    if (!from->key[dc_key_index(dc_key_find("input", "scale"))].set) cfg->input.scale = DC_SCALE_NONE;
    if (cfg->input.norm == DC_ROW_NORM_L2) return DC_OK;
    if (!from->key[dc_key_index(norm)].set) cfg->input.norm = DC_ROW_NORM_L2;
    if (cfg->input.norm == DC_ROW_NORM_L2) return DC_OK;
    dc_place_format(from, norm, place);
    return DC_FAIL(DC_ERR_USAGE, "%s: cluster.metric = cosine needs input.norm = l2, not %s; leave it out", place,
                   dc_row_norm_name((dc_row_norm)cfg->input.norm));
}

/* cluster.clusters is what the levels make together. */
static dc_status settle_levels(dc_config *cfg, const dc_origins *from)
{
    char place[DC_PLACE_MAX];
    const dc_int_list *levels = &cfg->cluster.levels;
    const dc_key *clusters = dc_key_find("cluster", "clusters");
    int64_t K = 1;
    if (levels->n == 0) return DC_OK;
    dc_place_format(from, dc_key_find("cluster", "levels"), place);
    if (cfg->cluster.init == DC_START_WEIGHTS)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: cluster.levels begin anew, and cluster.init = weights starts from a run's centres; "
                       "choose one",
                       place);
    if (cfg->cluster.kmeans_batch > 0)
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.levels and cluster.kmeans_batch are two ways to cluster; choose one",
                       place);
    if (levels->n < 2 || levels->n > DC_CLUSTER_LEVELS_MAX)
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.levels has %d number%s: give 2 to %d, such as [1000, 100]", place,
                       levels->n, levels->n == 1 ? "" : "s", DC_CLUSTER_LEVELS_MAX);
    for (int i = 0; i < levels->n && K <= (int64_t)clusters->max; i++) K *= levels->v[i];
    if (K > (int64_t)clusters->max)
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.levels make %lld clusters or more, at most %lld are possible", place,
                       (long long)K, (long long)clusters->max);
    if (from->key[dc_key_index(clusters)].set && cfg->cluster.clusters != K) {
        dc_place_format(from, clusters, place);
        return DC_FAIL(DC_ERR_USAGE, "%s: cluster.clusters = %lld, but cluster.levels make %lld; leave it out", place,
                       (long long)cfg->cluster.clusters, (long long)K);
    }
    cfg->cluster.clusters = K;
    return DC_OK;
}

static dc_status check_counts(const dc_config *cfg, const dc_origins *from, unsigned verb)
{
    char place[DC_PLACE_MAX], why[256];
    if (cfg->input.rows > 0 && cfg->cluster.clusters > cfg->input.rows) {
        const char *section = verb == DC_USE_SWEEP ? "sweep" : "cluster";
        dc_place_format(from, dc_key_find(section, "clusters"), place);
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.clusters = %lld is more than input.rows = %lld", place, section,
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

static dc_status check_floor(const dc_config *cfg, const dc_origins *from, unsigned verb, const char *section,
                             const dc_opt_config *opt)
{
    char place[DC_PLACE_MAX], why[256];
    if (opt->lr_min <= opt->lr || !dc_key_in_use(cfg, dc_key_find(section, "lr_min"), verb, why, sizeof why))
        return DC_OK;
    place_of_either(from, section, "lr_min", "lr", place);
    return DC_FAIL(DC_ERR_USAGE, "%s: %s.lr_min = %g is above %s.lr = %g", place, section, opt->lr_min, section,
                   opt->lr);
}

static void fill_in(dc_config *cfg, unsigned verb)
{
    dc_builtin builtin;
    char why[DC_BUILTIN_WHY_MAX];
    if (verb == DC_USE_SWEEP) cfg->cluster.clusters = cfg->sweep.clusters.v[cfg->sweep.clusters.n - 1];
    if (cfg->input.rows == 0 && dc_builtin_is(cfg->input.data) && dc_builtin_parse(cfg->input.data, &builtin, why))
        cfg->input.rows = builtin.rows;
    const dc_config_method *method = dc_method_row(cfg->cluster.method);
    const bool pretrains = !method || dc_has_word(method->traits, "pretraining");
    const bool no_network = cfg->cluster.on == DC_ON_INPUT || verb == DC_USE_KMEANS;
    if (no_network && cfg->cluster.init != DC_START_WEIGHTS) cfg->model.weights[0] = '\0';
    if (cfg->cluster.on == DC_ON_INPUT) cfg->pretrain.mode = DC_PRETRAIN_NONE;
    if (cfg->model.weights[0] || !pretrains) cfg->pretrain.mode = DC_PRETRAIN_NONE;
}

dc_status dc_config_check(dc_config *cfg, const dc_config *deck, dc_origins *from, unsigned verb, char *note,
                          size_t cap)
{
    dc_status st = DC_OK;
    key_list left_out = {.text = note, .cap = cap};
    DC_TRY(dc_problem_add(from, settle_swept(cfg, from, verb, &left_out)));
    DC_TRY(check_unused(cfg, deck, from, verb, &left_out));
    const bool has_model = verb & (DC_USE_FIT | DC_USE_SWEEP), reads_data = has_model || verb == DC_USE_KMEANS;
    if (reads_data && !from->key[dc_key_index(dc_key_find("input", "data"))].failed)
        DC_TRY(dc_problem_add(from, check_input(cfg, from)));
    if (reads_data && !from->key[dc_key_index(dc_key_find("input", "image_shape"))].failed)
        DC_TRY(dc_problem_add(from, check_image_shape(cfg, from)));
    if (from->problems.n > 0) return DC_OK;
    fill_in(cfg, verb);
    if (has_model) DC_TRY(dc_problem_add(from, check_on(cfg, from)));
    if (has_model) DC_TRY(dc_problem_add(from, check_final(cfg, from)));
    if (reads_data) DC_TRY(dc_problem_add(from, check_start(cfg, from, verb)));
    if (has_model) DC_TRY(dc_problem_add(from, check_model(cfg, from)));
    if (has_model) DC_TRY(dc_problem_add(from, check_loss(cfg, from, verb)));
    if (has_model) DC_TRY(dc_problem_add(from, check_pairs(cfg, from)));
    if (has_model) DC_TRY(dc_problem_add(from, check_norm(cfg, from, verb, "pretrain", cfg->pretrain.batch)));
    if (has_model) DC_TRY(dc_problem_add(from, check_norm(cfg, from, verb, "cluster", cfg->cluster.batch)));
    if (has_model) DC_TRY(dc_problem_add(from, check_components(cfg, from)));
    if (reads_data) DC_TRY(dc_problem_add(from, check_reduction(cfg, from)));
    if (verb == DC_USE_KMEANS) DC_TRY(dc_problem_add(from, settle_metric(cfg, from)));
    if (verb == DC_USE_KMEANS) DC_TRY(dc_problem_add(from, settle_levels(cfg, from)));
    if (reads_data) DC_TRY(dc_problem_add(from, check_counts(cfg, from, verb)));
    if (reads_data) DC_TRY(dc_problem_add(from, check_auto(cfg, from, verb)));
    DC_TRY(dc_problem_add(from, check_floor(cfg, from, verb, "pretrain", &cfg->pretrain.opt)));
    DC_TRY(dc_problem_add(from, check_floor(cfg, from, verb, "cluster", &cfg->cluster.opt)));
out:
    return st;
}
