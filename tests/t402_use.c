/* What depends on more than one key: precedence, unused keys, contradictions, what follows from other keys (faults D5).
 */
#include "check.h"
#include "deck_help.h"

static const struct {
    const char *deck, *verb, *place, *text;
} unused[] = {
    {"cluster:\n  beta1: 0.5\n", "fit",
     "deck.yaml:2:3: ", "cluster.beta1 is not used: cluster.optimizer is sgd, not adam"},
    {"cluster: {optimizer: adam, momentum: 0.5}\n", "fit",
     "deck.yaml:2:28: ", "cluster.optimizer is adam, not sgd or sgd_torch or nesterov or nesterov_torch"},
    {"pretrain: {lr_step: 5}\n", "fit", "deck.yaml:2:12: ", "pretrain.schedule is constant, not step"},
    {"pretrain: {mode: none, momentum: 0.5}\n", "fit", "deck.yaml:2:24: ", "pretrain.mode is none, not joint"},
    {"cluster: {method: aekm, tol: 0.1}\n", "fit", "deck.yaml:2:25: ", "cluster.method is aekm, which has no training"},
    {"cluster: {method: dec, gamma: 0.1}\n", "fit",
     "deck.yaml:2:24: ", "key cluster.gamma is not used: cluster.method is dec, which has no gamma"},
    {"cluster: {method: toy}\ntoy: {rate: 0.1, kind: none}\n", "fit",
     "deck.yaml:3:7: ", "key toy.rate is not used: toy.kind is none, not fast or slow"},
    {"cluster: {method: aekm, momentum: 0.1}\n", "fit",
     "deck.yaml:2:25: ", "cluster.method is aekm, which has no training"},
    {"sweep: {clusters: [3, 2]}\n", "sweep-k", "deck.yaml:2:19: ", "sweep.clusters: '2' does not ascend"},
    {"pretrain: {mode: none, lr: 0.5}\n", "kmeans", "deck.yaml:2:24: ", "the verb is kmeans"},
    {"model: {latent: 600}\n", "fit", "deck.yaml:2:9: ", "narrowest of model.hidden, 500"},
    {"model: {hidden: [9, 5]}\n", "fit", "deck.yaml:2:9: ", "latent = 10 is wider"},
    {"model: {encoder: 'dense 30, dense 5', latent: 5}\n", "fit",
     "deck.yaml:2:39: ", "key model.latent is not used: model.encoder is given"},
    {"model: {hidden: [9], encoder: 'dense 30, dense 5'}\n", "fit",
     "deck.yaml:2:9: ", "key model.hidden is not used: model.encoder is given"},
    {"model: {decoder: 'dense 30, dense data', output_activation: tanh}\n", "fit",
     "deck.yaml:2:42: ", "key model.output_activation is not used: model.decoder is dense 30, dense data, not"},
    {"model: {encoder: 'dense 30, dense 5 rellu'}\n", "fit",
     "deck.yaml:2:18: ", "model.encoder: column 19, layer encoder_1: 'rellu' is no activation"},
    {"model: {encoder: 'dense 30, dense 50'}\n", "fit",
     "deck.yaml:2:18: ", "model.encoder: column 17, layer encoder_1"},
    {"model: {encoder: 'dense 30, dense 5', decoder: 'dense 20, dense data'}\npretrain: {mode: layerwise}\n", "fit",
     "deck.yaml:2:39: ", "model.decoder is no mirror of the encoder"},
    {"model: {encoder: 'dense 30 bn, dense 5'}\npretrain: {batch: 1}\n", "fit",
     "deck.yaml:3:12: ", "pretrain.batch = 1, and the network has batch norm (bn), which needs 2 rows or more"},
    {"model: {decoder: 'dense 30 bn, dense data'}\ncluster: {batch: 1}\n", "fit",
     "deck.yaml:3:11: ", "cluster.batch = 1, and the network has batch norm (bn), which needs 2 rows or more"},
    {"model: {decoder: 'dense data tanh'}\npretrain: {loss: bce}\n", "fit",
     "deck.yaml:3:12: ", "pretrain.loss = bce needs a sigmoid in the last layer of model.decoder"},
    {"cluster: {warmup: 21000}\n", "fit", "deck.yaml:2:11: ", "cluster.max_iter = 20000"},
    {"cluster: {epsilon: 0.1}\n", "fit", "deck.yaml:2:11: ", "cluster.optimizer is sgd, not adam or rmsprop"},
    {"cluster: {optimizer: adam, rho: 0.5}\n", "fit", "deck.yaml:2:28: ", "cluster.optimizer is adam, not rmsprop"},
    {"pretrain: {lr_min: 0.1}\n", "fit", "deck.yaml:2:12: ", "pretrain.schedule is constant, not step or cosine"},
    {"pretrain: {schedule: cosine, lr: 0.1, lr_min: 0.2}\n", "fit",
     "deck.yaml:2:39: ", "pretrain.lr_min = 0.2 is above pretrain.lr = 0.1"},
    {"cluster: {schedule: step, lr_min: 0.2}\n", "fit",
     "deck.yaml:2:27: ", "cluster.lr_min = 0.2 is above cluster.lr = 0.01"},
    {"cluster: {method: aekm, lr_factors: [encoder=2]}\n", "fit",
     "deck.yaml:2:25: ", "cluster.method is aekm, which has no training"},
};

static dc_status parse_with_data(dc_config *cfg, const char *rest, const char *verb)
{
    char deck[512];
    snprintf(deck, sizeof deck, "input: {data: x.h5}\n%s", rest);
    if (strcmp(rest, "cluster:\n  beta1: 0.5\n") == 0) snprintf(deck, sizeof deck, "%sinput: {data: x.h5}\n", rest);
    return deck_parse(cfg, deck, verb);
}

static void test_unused(void)
{
    dc_config cfg;
    for (size_t i = 0; i < DC_COUNT_OF(unused); i++) {
        CHECK_STATUS(parse_with_data(&cfg, unused[i].deck, unused[i].verb), DC_ERR_USAGE);
        if (!CHECK(deck_error_at(unused[i].place))) printf("#   %s\n", dc_error_text());
        CHECK_TEXT_HAS(dc_error_text(), unused[i].text);
    }
    CHECK_OK(parse_with_data(&cfg, "cluster: {clusters: 3, n_init: 2}\n", "kmeans"));
    CHECK_OK(parse_with_data(&cfg, "cluster: {method: aekm}\naekm: {alpha: 2}\n", "fit"));
    CHECK_OK(parse_with_data(&cfg, "pretrain: {schedule: cosine, lr_factor: 0}\n", "fit"));
    CHECK_OK(parse_with_data(&cfg, "pretrain: {schedule: cosine, lr: 0.1, lr_min: 0.1, lr_factors: [a=2]}\n", "fit"));
    CHECK_OK(parse_with_data(&cfg,
                             "model: {encoder: 'dense 30, dense 5', decoder: tied ~encoder, output_activation: tanh}\n"
                             "pretrain: {mode: layerwise}\n",
                             "fit"));
    CHECK_OK(parse_with_data(&cfg,
                             "model: {hidden: [9, 9], latent: 5, decoder: 'dense 9, dense 9, dense 7 sigmoid'}\n"
                             "pretrain: {mode: layerwise, loss: bce}\n",
                             "fit"));
    CHECK_OK(parse_with_data(&cfg, "model: {encoder: '', latent: 5, hidden: [9]}\n", "fit"));
    CHECK_OK(parse_with_data(&cfg, "pretrain: {schedule: cosine, lr: 0.1, lr_min: 0.1, lr_factors: [a=2]}\n", "fit"));
    CHECK_INT(cfg.pretrain.opt.lr_factors.n, 1);
    CHECK_INT(cfg.cluster.opt.lr_factors.n, 0);
}

static void test_overrides(void)
{
    static const char deck[] = "input: {data: x.h5}\ncluster: {lr: 0.5, momentum: 0.8}\n";
    const char *lr[] = {"--cluster.lr=0.25"}, *adam[] = {"cluster.optimizer=adam"};
    const char *twice[] = {"--run.seed=1", "--run.seed=1"};
    dc_config cfg;
    dc_config_defaults(&cfg);
    dc_error_clear();
    CHECK_OK(dc_config_parse(&cfg, "deck.yaml", deck, strlen(deck), lr, 1, "fit"));
    CHECK(cfg.cluster.opt.lr == 0.25 && cfg.cluster.opt.momentum == 0.8 && cfg.pretrain.opt.lr == 1.0);
    dc_config_defaults(&cfg);
    CHECK_OK(dc_config_parse(&cfg, "deck.yaml", deck, strlen(deck), adam, 1, "fit"));
    dc_config_defaults(&cfg);
    CHECK_STATUS(dc_config_parse(&cfg, "deck.yaml", deck, strlen(deck), twice, 2, "fit"), DC_ERR_USAGE);
    CHECK(deck_error_at("command line: --run.seed: key run.seed is given twice"));
}

/* A deck that serves several runs: keys that only the verb or the command line makes unused are reported, not refused.
 */
static const struct {
    const char *deck, *override, *verb, *note;
} left_out[] = {
    {"cluster: {lr: 0.5, momentum: 0.8}\n", "cluster.optimizer=adam", "fit",
     "cluster.momentum (cluster.optimizer is adam, not sgd or sgd_torch or nesterov or nesterov_torch)"},
    {"cluster: {batch: 9, lr: 0.5, alpha: 2}\npretrain: {lr: 1}\n", "cluster.method=aekm", "fit",
     "cluster.batch, cluster.lr (cluster.method is aekm, which has no training)"},
    {"cluster: {method: idec, gamma: 0.2}\n", "cluster.method=dec", "fit",
     "cluster.gamma (cluster.method is dec, which has no gamma)"},
    {"cluster: {method: idec}\nidec: {gamma: 0.2}\n", "cluster.method=dec", "fit", ""},
    {"cluster: {method: idec, loss: mse}\nidec: {gamma: 0.2}\ndec: {alpha: 2}\n", "run.seed=3", "kmeans",
     "cluster.method, idec.gamma, cluster.loss (the verb is kmeans)"},
    {"pretrain: {lr: 1, momentum: 0.5}\nmodel: {latent: 5}\n", "run.seed=3", "kmeans",
     "model.latent, pretrain.lr, pretrain.momentum (the verb is kmeans)"},
    {"pretrain: {lr: 1}\n", "pretrain.mode=none", "fit", "pretrain.lr (pretrain.mode is none, not joint or layerwise)"},
    {"pretrain: {lr: 1}\ncluster: {tol: 0}\n", "cluster.n_init=3", "fit", ""},
    {"sweep: {clusters: 3..5, sample: 99}\n", "run.seed=3", "fit", ""},
    {"sweep: {clusters: 3..5, sample: 99}\n", "run.seed=3", "kmeans", ""},
    {"cluster: {method: dec, tol: 0.1, clusters: 4}\n", "sweep.clusters=2..4", "sweep-k",
     "cluster.method (sweep-k takes aekm, here aekm, pretraining, too); cluster.clusters (the verb is sweep-k, which "
     "takes --clusters); cluster.tol "
     "(cluster.method is aekm, which has no training)"},
    {"pretrain: {lr: 1}\ncluster: {n_init: 3}\naekm: {alpha: 2}\n", "sweep.sample=50", "sweep-k", ""},
};

static void test_notes(void)
{
    dc_config cfg;
    char deck[512];
    dc_config_notes notes;
    for (size_t i = 0; i < DC_COUNT_OF(left_out); i++) {
        snprintf(deck, sizeof deck, "input: {data: x.h5}\n%s", left_out[i].deck);
        dc_config_defaults(&cfg);
        dc_error_clear();
        CHECK_OK(dc_config_parse_noting(&cfg, "deck.yaml", deck, strlen(deck), &left_out[i].override, 1,
                                        left_out[i].verb, &notes));
        CHECK_TEXT_HAS(notes.unused, left_out[i].note);
        CHECK(strlen(notes.unused) == strlen(left_out[i].note));
        CHECK((notes.renamed[0] != 0) == (strcmp(left_out[i].override, "cluster.method=aekm") == 0)); /* its alpha */
    }
    /* On the command line it is an error all the same, with the deck's keys left out. */
    const char *both[] = {"cluster.method=aekm", "--cluster.batch=3"};
    snprintf(deck, sizeof deck, "input: {data: x.h5}\ncluster: {tol: 0}\n");
    dc_config_defaults(&cfg);
    CHECK_STATUS(dc_config_parse_noting(&cfg, "deck.yaml", deck, strlen(deck), both, 2, "fit", &notes), DC_ERR_USAGE);
    CHECK(deck_error_at("command line: --cluster.batch: key cluster.batch is not used"));
    dc_error_clear();
}

/* One message names everything that is wrong, with its places. */
static void test_all_at_once(void)
{
    static const char deck[] = "run: {sed: 1, seed: x}\n"
                               "modle: {hidden: [1, 2], a: {b: c}}\n"
                               "cluster: {method: nonsense, batch: [3, {a: b}], lr: 2, lr: 3, tol: 5, beta1: 0.5}\n"
                               "pretrain: 7\n";
    static const char *const parts[] = {"deck.yaml:1:7: unknown key 'run.sed'",
                                        "; deck.yaml:1:21: run.seed = 'x' is not a valid integer",
                                        "; deck.yaml:2:1: unknown section 'modle'",
                                        "; deck.yaml:3:19: cluster.method = 'nonsense' is unknown",
                                        "; deck.yaml:3:36: a list where one value is wanted",
                                        "; deck.yaml:3:56: key cluster.lr is given twice",
                                        "; deck.yaml:3:68: cluster.tol = 5 is out of range",
                                        "; deck.yaml:4:11: a section holds keys",
                                        "; command line: --idec.alpha: idec.alpha = 0 is out of range",
                                        "; deck.yaml: key input.data is missing"};
    const char *alpha[] = {"--idec.alpha=0"};
    char many[2048] = "run:\n", *at = many + strlen(many);
    dc_config cfg;
    dc_config_defaults(&cfg);
    dc_error_clear();
    CHECK_STATUS(dc_config_parse(&cfg, "deck.yaml", deck, strlen(deck), alpha, 1, "fit"), DC_ERR_USAGE);
    for (size_t i = 0; i < DC_COUNT_OF(parts); i++) CHECK_TEXT_HAS(dc_error_text(), parts[i]);
    CHECK(!strstr(dc_error_text(), "beta1")); /* whether it is used nobody knows */
    CHECK(!strchr(dc_error_text(), '\n'));
    dc_error_clear();
    for (int i = 0; i < 50; i++) at += sprintf(at, "  nokey%d: %d\n", i, i);
    CHECK_STATUS(deck_parse(&cfg, many, "fit"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "deck.yaml:2:3: unknown key 'run.nokey0'");
    CHECK_TEXT_HAS(dc_error_text(), "; and 4"); /* the number depends on the room for the others */
    dc_error_clear();
    /* After something that is not YAML nothing is known, so no key is reported as missing. */
    CHECK_STATUS(deck_parse(&cfg, "run: {sed: 1}\ncluster: {lr: &a 3}\nfoo: {a: 1}\n", "fit"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(),
                   "deck.yaml:1:7: unknown key 'run.sed', did you mean 'seed'?; deck.yaml:2:15: anchors");
    CHECK(!strstr(dc_error_text(), "foo") && !strstr(dc_error_text(), "missing"));
    dc_error_clear();
}

static const struct {
    const char *override, *place, *text;
} wrong[] = {
    {"--cluster.clusters=0", "command line: --cluster.clusters: ", "allowed: 1..1048576"},
    {"--cluster.clusters=", "command line: --cluster.clusters: ", "integer"},
    {"--cluster.clusters", "command line: --cluster.clusters: ", "=VALUE"},
    {"--clusters=3", "command line: --clusters: ", "--section.key=VALUE"},
    {"--clutser.tol=3", "command line: --clutser.tol: ", "did you mean 'cluster'?"},
    {"--cluster.tool=3", "command line: --cluster.tool: ", "did you mean 'tol'?"},
    {"--cluster.beta1=0.5", "command line: --cluster.beta1: ", "not used"},
    {"--run.output=", "command line: --run.output: ", "empty"},
    {"--run.output=a\nb", "command line: --run.output: ", "a\\x0Ab"},
    {"--run.output=\xff", "command line: --run.output: ", "\\xFF"},
    {"--model.hidden=", "command line: --model.hidden: ", "list"},
    {"--model.hidden=5,,6", "command line: --model.hidden: ", "list"},
    {"--a\nb.c=1", "command line: --a\\x0Ab.c: ", "unknown section"},
    {"--.=1", "command line: --.: ", "unknown section"},
    {"", "command line: --: ", "=VALUE"},
    {"=", "command line: --: ", "=VALUE"},
    {"--%n%s.%n=%n", "command line: --%n%s.%n: ", "unknown section"},
};

static void test_wrong_overrides(void)
{
    dc_config cfg;
    for (size_t i = 0; i < DC_COUNT_OF(wrong); i++) {
        CHECK_STATUS(deck_override(&cfg, wrong[i].override), DC_ERR_USAGE);
        if (!CHECK(deck_error_at(wrong[i].place))) printf("#   %s\n", dc_error_text());
        CHECK_TEXT_HAS(dc_error_text(), wrong[i].text);
    }
}

static void test_weights(void)
{
    dc_config cfg;
    CHECK_OK(parse_with_data(&cfg, "pretrain: {epochs: 3}\nmodel: {weights: a.h5, init: glorot}\n", "fit"));
    CHECK_INT(cfg.pretrain.mode, DC_PRETRAIN_NONE);
    CHECK_OK(parse_with_data(&cfg, "pretrain: {mode: none}\nmodel: {weights: a.h5}\n", "fit"));
    CHECK_INT(cfg.pretrain.mode, DC_PRETRAIN_NONE);
    CHECK_OK(parse_with_data(&cfg, "model: {weights: ''}\n", "fit"));
    CHECK_INT(cfg.pretrain.mode, DC_PRETRAIN_JOINT);
}

static void test_builtin(void)
{
    dc_config cfg;
    const char *rows[] = {"--input.rows=500"}, *data[] = {"--input.data=x.h5"}, *few[] = {"--input.rows=5"};
    dc_error_clear();
    dc_config_builtin(&cfg);
    CHECK_OK(dc_config_parse(&cfg, "builtin", "", 0, NULL, 0, "fit"));
    CHECK_INT(cfg.input.rows, DC_GLYPH_ROWS_DEFAULT);
    CHECK(strcmp(cfg.input.data, DC_BUILTIN_GLYPHS) == 0 && strcmp(cfg.run.output, "runs/glyphs") == 0);
    dc_config_builtin(&cfg);
    CHECK_OK(dc_config_parse(&cfg, "builtin", NULL, 0, rows, 1, "fit"));
    CHECK_INT(cfg.input.rows, 500);
    dc_config_builtin(&cfg);
    CHECK_OK(dc_config_parse(&cfg, "builtin", NULL, 0, data, 1, "kmeans"));
    CHECK_INT(cfg.input.rows, 0);
    dc_config_builtin(&cfg);
    CHECK_STATUS(dc_config_parse(&cfg, "builtin", NULL, 0, few, 1, "fit"), DC_ERR_USAGE);
    CHECK(deck_error_at("builtin: cluster.clusters = 10 is more than input.rows = 5"));
}

int main(void)
{
    deck_methods();
    test_unused();
    test_overrides();
    test_notes();
    test_all_at_once();
    test_wrong_overrides();
    test_weights();
    test_builtin();
    return check_done();
}
