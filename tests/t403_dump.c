/* The effective deck: written, read back and equal bit by bit; hash; documentation of every key. Seed 403. */
#include "../src/config/key.h"
#include "check.h"
#include "deck_help.h"

#include <stdlib.h>

/* What `dump` writes, in a static buffer. */
static const char *dump(const dc_config *cfg, const char *verb, bool comments)
{
    static char text[1 << 16];
    FILE *out = fmemopen(text, sizeof text, "w");
    CHECK_OK(dc_config_dump(cfg, verb, comments, out));
    fclose(out);
    return text;
}

static uint64_t state = 403;
static uint64_t next(uint64_t n)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % n;
}

/* A value in the key's range, of random bits. */
static void random_value(const dc_key *key, char *text, size_t cap)
{
    const char *names[DC_METHODS_MAX];
    const double u = (double)(1 + next(1U << 30)) / (double)(1U << 30) * 0.999;
    switch (key->type) {
    case DC_KEY_FLOAT:
        snprintf(text, cap, "%.17g", key->min + u * DC_MIN(key->max - key->min, 50));
        break;
    case DC_KEY_DURATION:
        snprintf(text, cap, "%.17gm", u * 60);
        break;
    case DC_KEY_INT:
        snprintf(text, cap, "%.0f", key->range & DC_POWER_OF_TWO ? 1 << next(20) : key->min + floor(u * 9));
        break;
    case DC_KEY_BOOL:
        snprintf(text, cap, "%s", next(2) ? "true" : "false");
        break;
    case DC_KEY_CHOICE:
        snprintf(text, cap, "%s", names[next((uint64_t)dc_key_choice_names(key, names))]);
        break;
    case DC_KEY_METHOD:
        snprintf(text, cap, "%s", names[next((uint64_t)dc_key_method_names(names))]);
        break;
    case DC_KEY_LIST:
        snprintf(text, cap, "[%llu, %llu]", (unsigned long long)next(50) + 50, (unsigned long long)next(50) + 50);
        break;
    case DC_KEY_CLIP:
        if (next(2))
            snprintf(text, cap, "[%.17g, %.17g]", -u, 1e30 * u + 1);
        else
            snprintf(text, cap, "%.17g", u / 2 + 1e-9);
        break;
    case DC_KEY_SERIES: {
        const unsigned lo = 2 + (unsigned)next(40), step = 1 + (unsigned)next(3);
        snprintf(text, cap, "[%u, %u..%u:%u, %u]", lo, lo + 1, lo + 1 + step * (unsigned)next(5), step, lo + 50);
        break;
    }
    case DC_KEY_FACTORS:
        snprintf(text, cap, "[encoder_%d=%.17g, centers=%.17g]", (int)next(20), u, 1e6 * u);
        break;
    case DC_KEY_NET: {
        static const char *const encoders[] = {"", "dense 9", "dense 20 relu init=normal,  dense 5 rate=0.1"};
        static const char *const decoders[] = {"~encoder", "tied ~encoder", "dense 6, dense data sigmoid"};
        snprintf(text, cap, "%s", *key->fallback ? decoders[next(3)] : encoders[next(3)]);
        break;
    }
    case DC_KEY_FILES: {
        static const char *const files[] = {
            "a.h5", "shards/*.npy",       "[a.npy, \"b c.npy\", 'd, \"e\".h5:emb']", "[\"[x]\"]", "[x].npy",
            "#",    "[true, \"a\", a\\b]"};
        snprintf(text, cap, "%s", files[next(DC_COUNT_OF(files))]);
        break;
    }
    case DC_KEY_PATH: {
        static const char *const paths[] = {
            "a.h5", "/data/x y.h5", "#",  "true", "a: b", "\"q\\\"", "\xc3\xa4", "-", "12", "'", "[a]", "{",
            "a #b", "!x",           "&x", "*x",   "x:",   "null",    "%s%n",     "?", "@",  "`", " x ", "a\\nb"};
        snprintf(text, cap, "%s", paths[next(DC_COUNT_OF(paths))]);
    }
    }
}

/* Sets random values on the keys that are in use, in the order of the table, so that conditions are known first. */
static void random_config(dc_config *cfg)
{
    const dc_key *key;
    char text[256], why[256];
    int refused = 0;
    dc_config_defaults(cfg);
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (key->type != DC_KEY_CHOICE && key->type != DC_KEY_METHOD) continue;
        random_value(key, text, sizeof text);
        if (dc_key_in_use(cfg, key, DC_USE_FIT, why, sizeof why))
            refused += dc_key_set(cfg, key, text, "random") != DC_OK;
    }
    const bool trains = dc_has_word(dc_method_row(cfg->cluster.method)->traits, "training");
    if (trains) cfg->cluster.on = DC_ON_EMBEDDING;
    if (!trains || cfg->cluster.init == DC_START_WEIGHTS) cfg->cluster.init = DC_START_KMEANS;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        random_value(key, text, sizeof text);
        if (strcmp(key->name, "weights") == 0 || key->type == DC_KEY_CHOICE || key->type == DC_KEY_METHOD) continue;
        if (dc_key_in_use(cfg, key, DC_USE_FIT, why, sizeof why))
            refused += dc_key_set(cfg, key, text, "random") != DC_OK;
    }
    CHECK_INT(refused, 0);
    cfg->input.rows = 0;
    if (cfg->cluster.final != DC_FINAL_NONE) cfg->cluster.final_kmeans = false;
    if (trains) cfg->cluster.on = DC_ON_EMBEDDING;
    cfg->cluster.opt.warmup = 0;
    cfg->pretrain.opt.lr_min = fmin(cfg->pretrain.opt.lr_min, cfg->pretrain.opt.lr);
    cfg->cluster.opt.lr_min = fmin(cfg->cluster.opt.lr_min, cfg->cluster.opt.lr);
    if (cfg->pretrain.mode == DC_PRETRAIN_LAYERWISE)
        CHECK_OK(dc_key_set(cfg, dc_key_find("model", "decoder"), "tied ~encoder", "mirrors"));
    if (cfg->pretrain.loss == DC_LOSS_BCE) cfg->model.output_activation = DC_ACT_SIGMOID;
    if (cfg->input.scale == DC_SCALE_PCA) cfg->input.reduce = DC_REDUCE_NONE;
    if (cfg->input.reduce != DC_REDUCE_NONE) cfg->input.components = DC_MAX(cfg->input.components, 1);
}

/* A later value may have changed a choice that conditions depend on. Then unused keys may differ; they do not count. */
static bool same_in_use(const dc_config *a, const dc_config *b)
{
    const dc_key *key;
    char x[DC_VALUE_TEXT_MAX], y[DC_VALUE_TEXT_MAX], why[256];
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (!dc_key_in_use(a, key, DC_USE_FIT, why, sizeof why)) continue;
        dc_key_format(a, key, x);
        dc_key_format(b, key, y);
        if (strcmp(x, y) != 0) {
            printf("# %s.%s: %s and %s\n", key->section, key->name, x, y);
            return false;
        }
    }
    return true;
}

static void test_round_trips(void)
{
    for (int i = 0; i < 300; i++) {
        dc_config a, b;
        random_config(&a);
        const char *text = dump(&a, "fit", i % 2);
        if (!CHECK(deck_parse(&b, text, "fit") == DC_OK)) printf("%s%s\n", text, dc_error_text());
        CHECK(same_in_use(&a, &b));
        CHECK(dc_config_hash(&a) == dc_config_hash(&b));
    }
}

/* Every bit of every double survives, and the whole struct compares byte by byte. */
static void test_bits(void)
{
    static const char deck[] =
        "input: {data: x.h5}\nrun: {log_interval: 0.1m}\n"
        "cluster: {lr: 0.1, momentum: 0.30000000000000004, tol: 1e-300}\ndec: {alpha: 2.2250738585072014e-308}\n"
        "pretrain: {optimizer: adam, lr: 4.9406564584124654e-324, epsilon: 1.0000000000000002e-7}\n";
    dc_config a, b;
    CHECK_OK(deck_parse(&a, deck, "fit"));
    CHECK(a.pretrain.opt.lr > 0 &&
          ((const deck_dec_keys *)dc_config_method_keys(&a))->alpha == 2.2250738585072014e-308);
    CHECK_OK(deck_parse(&b, dump(&a, "fit", false), "fit"));
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK_OK(deck_parse(&b, dump(&a, NULL, true), "fit"));
    CHECK(memcmp(&a, &b, sizeof a) == 0);
}

static void test_defaults(void)
{
    dc_config cfg, again;
    dc_config_defaults(&cfg);
    CHECK(cfg.cluster.opt.lr == 0.01 && cfg.pretrain.opt.lr == 1.0 && cfg.pretrain.epochs == 300);
    CHECK(cfg.model.hidden.n == 3 && cfg.model.hidden.v[2] == 2000 && cfg.pretrain.opt.epsilon == 1e-7);
    strcpy(cfg.input.data, "x.h5");
    CHECK_OK(deck_parse(&again, dump(&cfg, NULL, true), "fit"));
    CHECK(memcmp(&cfg, &again, sizeof cfg) == 0);
    CHECK_TEXT_HAS(dump(&cfg, NULL, false), "  # beta1: 0.9  # not used: pretrain.optimizer is sgd, not adam\n");
    CHECK(strstr(dump(&cfg, "kmeans", false), "pretrain") == NULL);
    dc_config_builtin(&cfg);
    CHECK_OK(deck_parse(&again, dump(&cfg, "fit", false), "fit"));
}

/* The hash sees every key in use that can change the result, and no other. */
static void test_hash(void)
{
    dc_config base;
    const dc_key *key;
    char why[256];
    CHECK_OK(deck_parse(&base, "input: {data: x.h5}\n", "fit"));
    for (int i = 0; (key = dc_key_at(i)); i++) {
        dc_config other = base;
        char text[256], before[DC_VALUE_TEXT_MAX], after[DC_VALUE_TEXT_MAX];
        dc_key_format(&base, key, before);
        do {
            random_value(key, text, sizeof text);
            CHECK_OK(dc_key_set(&other, key, text, "random"));
            dc_key_format(&other, key, after);
        } while (strcmp(before, after) == 0);
        const bool counts = key->result && dc_key_in_use(&base, key, 0, why, sizeof why);
        if (!CHECK((dc_config_hash(&base) != dc_config_hash(&other)) == counts))
            printf("#   %s.%s\n", key->section, key->name);
    }
}

static void test_documentation(void)
{
    static char text[1 << 16];
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s", key->section, key->name);
        FILE *out = fmemopen(text, sizeof text, "w");
        CHECK_OK(dc_config_explain(name, out));
        fclose(out);
        CHECK_TEXT_HAS(text, key->doc);
        CHECK(strlen(key->doc) > 10 && key->doc[strlen(key->doc) - 1] == '.');
        CHECK(dc_section_find(key->section) && dc_key_find(key->section, key->name) == key && dc_key_index(key) == i);
        CHECK(!key->when || dc_key_find(key->section, key->when));
    }
    FILE *out = fmemopen(text, sizeof text, "w");
    CHECK_OK(dc_config_explain("lr", out));
    CHECK_OK(dc_config_explain("cluster", out));
    dc_config_reference(out);
    dc_error_clear();
    CHECK_STATUS(dc_config_explain("cluster.lrr", out), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "did you mean 'lr'?");
    dc_error_clear();
    CHECK_STATUS(dc_config_explain("n_clusters", out), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "did you mean 'cluster.clusters'?");
    fclose(out);
}

int main(void)
{
    deck_methods();
    test_defaults();
    test_bits();
    test_round_trips();
    test_hash();
    test_documentation();
    return check_done();
}
