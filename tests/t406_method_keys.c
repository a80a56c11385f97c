/* Sections of the methods: values reach the struct of the method in use, sections of others are checked and have no
 * effect, and keys under their old names mean the method in use. */
#include "../src/config/key.h"
#include "check.h"
#include "deck_help.h"

enum { OVERRIDES_MAX = 3 };

static dc_status parse(dc_config *cfg, const char *deck, const char *const *overrides, dc_config_notes *notes)
{
    char text[1024];
    int n = 0;
    while (n < OVERRIDES_MAX && overrides[n]) n++;
    snprintf(text, sizeof text, "input: {data: x.h5}\n%s", deck);
    dc_error_clear();
    dc_config_defaults(cfg);
    return dc_config_parse_noting(cfg, "deck.yaml", text, strlen(text), overrides, n, "fit", notes);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static void test_values(void)
{
    static const char *const none[OVERRIDES_MAX] = {NULL};
    static const char *const rate[OVERRIDES_MAX] = {"--toy.rate=0.25", "toy.widths=[9]"};
    dc_config cfg;
    dc_config_notes notes;
    CHECK_OK(parse(&cfg, "cluster: {method: toy}\ntoy: {steps: 8, on: false, kind: fast, pause: 2m}\n", rate, &notes));
    const deck_toy_keys *toy = dc_config_method_keys(&cfg);
    CHECK(toy->steps == 8 && !toy->on && toy->kind == 1 && toy->rate == 0.25 && toy->pause == 120);
    CHECK(toy->widths.n == 1 && toy->widths.v[0] == 9);
    CHECK_INT((uintptr_t)toy % 16, 0);
    /* Each method has its own; those not given are the defaults. */
    CHECK_OK(parse(&cfg, "dec: {alpha: 2}\nidec: {alpha: 3, loss: mse_sum}\ncluster: {method: idec}\naekm: {}\n", none,
                   &notes));
    const deck_idec_keys *idec = dc_config_method_keys(&cfg);
    CHECK(idec->alpha == 3 && idec->gamma == 0.1 && idec->loss == 8);
    CHECK(!notes.unused[0] && !notes.renamed[0]);
    CHECK_OK(parse(&cfg, "dec: {alpha: 2}\nidec: {alpha: 3}\n", none, &notes));
    CHECK(strcmp(cfg.cluster.method, "dec") == 0); /* the first is the default */
    CHECK(((const deck_dec_keys *)dc_config_method_keys(&cfg))->alpha == 2);
    CHECK_OK(parse(&cfg, "dec: {alpha: 2}\ncluster: {method: aekm}\n", none, &notes));
    CHECK(((const deck_dec_keys *)dc_config_method_keys(&cfg))->alpha == 1);
    CHECK_OK(parse(&cfg, "bare: {}\ncluster: {method: bare}\n", none, &notes));
}

static const struct {
    const char *deck, *override, *place, *text;
} wrong[] = {
    {"idec: {gama: 1}\n", NULL, "deck.yaml:2:8: ", "unknown key 'idec.gama', did you mean 'gamma'?"},
    {"idec: {gamma: -1}\n", NULL, "deck.yaml:2:15: ", "idec.gamma = -1 is out of range, allowed: 0..1000000"},
    {"idec: {loss: bce}\n", NULL, "deck.yaml:2:14: ", "idec.loss = 'bce' is unknown"},
    {"toy: {widths: 5}\n", NULL, "deck.yaml:2:15: ", "list in brackets"},
    {"idec: {gamma: 1, gamma: 1}\n", NULL, "deck.yaml:2:18: ", "given twice"},
    {"dec: {alpha: 1}\ndec: {alpha: 1}\n", NULL, "deck.yaml:3:1: ", "section dec is given twice"},
    {"bare: {x: 1}\n", NULL, "deck.yaml:2:8: ", "unknown key 'bare.x'"},
    {"dcn: {beta: 1}\n", NULL, "deck.yaml:2:1: ", "unknown section 'dcn'"},
    {"idce: {gamma: 1}\n", NULL, "deck.yaml:2:1: ", "did you mean 'idec'?"},
    {"", "--idec.gamma=0.5", "command line: --idec.gamma: ", "key idec.gamma is not used: cluster.method is dec"},
    {"", "--idec.gama=0.5", "command line: --idec.gama: ", "did you mean 'gamma'?"},
    {"", "--toy.steps=101", "command line: --toy.steps: ", "toy.steps = 101 is out of range, allowed: 1..100"},
};

static void test_wrong(void)
{
    dc_config cfg;
    dc_config_notes notes;
    for (size_t i = 0; i < DC_COUNT_OF(wrong); i++) {
        const char *const overrides[OVERRIDES_MAX] = {wrong[i].override};
        CHECK_STATUS(parse(&cfg, wrong[i].deck, overrides, &notes), DC_ERR_USAGE);
        if (!CHECK(deck_error_at(wrong[i].place))) printf("#   %s\n", dc_error_text());
        CHECK_TEXT_HAS(dc_error_text(), wrong[i].text);
    }
}

/* ---- Names of before --------------------------------------------------------------------------------------------- */

/* Values of idec, or what the error says. */
static const struct {
    const char *deck, *overrides[OVERRIDES_MAX];
    double alpha, gamma;
    int loss;
    const char *text; /* the whole note, or a part of the error */
} moved[] = {
    {"cluster: {method: idec, alpha: 2, gamma: 0.3, loss: mse_sum}\n",
     {NULL},
     2,
     0.3,
     8,
     "cluster.alpha is now idec.alpha, cluster.gamma is now idec.gamma, cluster.loss is now idec.loss"},
    {"cluster: {gamma: 0.3}\n", {"--cluster.method=idec"}, 1, 0.3, 7, "cluster.gamma is now idec.gamma"},
    {"cluster: {method: idec}\n", {"--cluster.gamma=0.3"}, 1, 0.3, 7, "cluster.gamma is now idec.gamma"},
    /* The command line wins, whatever the names are. */
    {"cluster: {method: idec, gamma: 0.3}\n", {"--cluster.gamma=0.4"}, 1, 0.4, 7, "cluster.gamma is now idec.gamma"},
    {"cluster: {method: idec, gamma: 0.3}\n", {"--idec.gamma=0.4"}, 1, 0.4, 7, "cluster.gamma is now idec.gamma"},
    {"cluster: {method: idec}\nidec: {gamma: 0.3}\n",
     {"--cluster.gamma=0.4"},
     1,
     0.4,
     7,
     "cluster.gamma is now idec.gamma"},
    /* The same value twice is accepted, even if the numbers are spelled differently. */
    {"cluster: {method: idec, gamma: 0.30}\nidec: {gamma: 3e-1}\n",
     {NULL},
     1,
     0.3,
     7,
     "cluster.gamma is now idec.gamma"},
    {"cluster: {method: idec}\n",
     {"--idec.alpha=2", "--cluster.alpha=2.0"},
     2,
     0.1,
     7,
     "cluster.alpha is now idec.alpha"},
    {"cluster: {method: idec}\nidec: {gamma: 0.3}\n", {NULL}, 1, 0.3, 7, ""},
    {"dec: {alpha: 3}\ncluster: {method: idec, alpha: 2}\n", {NULL}, 2, 0.1, 7, "cluster.alpha is now idec.alpha"},
};

static const struct {
    const char *deck, *overrides[OVERRIDES_MAX], *text;
} moved_wrong[] = {
    {"cluster: {method: idec, gamma: 0.3}\nidec: {gamma: 0.4}\n",
     {NULL},
     "deck.yaml:2:25: cluster.gamma = 0.3, but idec.gamma = 0.4 (deck.yaml:3:8)"},
    {"cluster: {method: idec}\n",
     {"--cluster.loss=mse_sum", "--idec.loss=mse"},
     "command line: --cluster.loss: cluster.loss = mse_sum, but idec.loss = mse (command line: --idec.loss)"},
    {"cluster: {method: idec, gamma: -1}\n", {NULL}, "deck.yaml:2:25: idec.gamma = -1 is out of range"},
    {"cluster: {method: idec, gamma: -1}\n", {"--idec.gamma=1"}, "idec.gamma = -1 is out of range"},
    {"cluster: {method: idec, gamma: x}\n", {NULL}, "idec.gamma = 'x' is not a valid number"},
    {"cluster: {method: idec, loss: bce}\n", {NULL}, "idec.loss = 'bce' is unknown"},
    {"cluster: {method: idec, gamma: [1]}\n", {NULL}, "deck.yaml:2:32: a list where one value is wanted"},
    {"cluster: {method: idec, gamma: }\n", {NULL}, "cluster.gamma has no value"},
    {"cluster: {method: idec, gamma: 1, gamma: 1}\n", {NULL}, "key cluster.gamma is given twice, first at"},
    {"cluster: {method: toy, alpha: 1}\n",
     {NULL},
     "key cluster.alpha is not used: cluster.method is toy, which has no"},
    {"", {"--cluster.gamma=1"}, "command line: --cluster.gamma: key cluster.gamma is not used: cluster.method is dec"},
    {"cluster: {method: idce, gamma: 1}\n", {NULL}, "did you mean 'idec'?"},
};

static void test_moved(void)
{
    dc_config cfg;
    dc_config_notes notes;
    for (size_t i = 0; i < DC_COUNT_OF(moved); i++) {
        CHECK_OK(parse(&cfg, moved[i].deck, moved[i].overrides, &notes));
        const deck_idec_keys *keys = dc_config_method_keys(&cfg);
        const bool right =
            keys->alpha == moved[i].alpha && keys->gamma == moved[i].gamma && keys->loss == moved[i].loss;
        if (!CHECK(right)) printf("#   row %zu: %g %g %d\n", i, keys->alpha, keys->gamma, keys->loss);
        CHECK(!notes.unused[0] && strcmp(notes.renamed, moved[i].text) == 0);
    }
    for (size_t i = 0; i < DC_COUNT_OF(moved_wrong); i++) {
        CHECK_STATUS(parse(&cfg, moved_wrong[i].deck, moved_wrong[i].overrides, &notes), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), moved_wrong[i].text);
        CHECK(!strchr(dc_error_text(), '\n') && !strstr(dc_error_text(), "; "));
    }
}

/* A text that is too long is refused as it is, not cut to another value. */
static void test_long_value(void)
{
    char override[400] = "--cluster.gamma=0.";
    const char *const overrides[OVERRIDES_MAX] = {"--cluster.method=idec", override};
    dc_config cfg;
    dc_config_notes notes;
    memset(override + strlen(override), '1', 350);
    CHECK_STATUS(parse(&cfg, "", overrides, &notes), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "cluster.gamma has 352 bytes, at most 255");
    override[200] = '\0';
    CHECK_OK(parse(&cfg, "", overrides, &notes));
}

/* A deck with old names and one with new names are the same run: no difference, same hash, same effective deck. */
static void test_same_run(void)
{
    static const char *const none[OVERRIDES_MAX] = {NULL};
    dc_config was, is, other;
    dc_config_notes notes;
    char text[256];
    CHECK_OK(parse(&was, "cluster: {method: idec, alpha: 1, gamma: 0.3, loss: mse}\n", none, &notes));
    CHECK_OK(parse(&is, "cluster: {method: idec}\nidec: {gamma: 0.3}\ndec: {alpha: 5}\n", none, &notes));
    CHECK_INT(dc_config_differences(&was, &is, "fit", text, sizeof text), 0);
    CHECK(dc_config_hash(&was) == dc_config_hash(&is));
    CHECK_OK(parse(&other, "cluster: {method: idec}\nidec: {gamma: 0.4}\n", none, &notes));
    CHECK_INT(dc_config_differences(&was, &other, "fit", text, sizeof text), 1);
    CHECK(strcmp(text, "idec.gamma is 0.4, was 0.3") == 0);
    char *deck = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&deck, &bytes);
    CHECK_OK(dc_config_dump(&is, "fit", false, out));
    fclose(out);
    CHECK_TEXT_HAS(deck, "idec:\n  alpha: 1\n  gamma: 0.3\n  loss: mse\n");
    CHECK(!strstr(deck, "\ndec:") && !strstr(deck, "toy:"));
    free(deck);
}

/* ---- Documentation ----------------------------------------------------------------------------------------------- */

static void test_documentation(void)
{
    static char text[1 << 16];
    FILE *out = fmemopen(text, sizeof text, "w");
    CHECK_OK(dc_config_explain("toy", out));
    CHECK_OK(dc_config_explain("toy.rate", out));
    CHECK_OK(dc_config_explain("cluster.gamma", out));
    CHECK_OK(dc_config_explain("cluster.method", out));
    dc_config_names(out);
    dc_config_value_words(out);
    dc_config_list_sections(out);
    fclose(out);
    CHECK_TEXT_HAS(text, "toy: the fourth\n");
    CHECK_TEXT_HAS(text, "used by  fit, method toy, if kind is fast or slow");
    CHECK_TEXT_HAS(text, "cluster.gamma is now a key of the methods' own sections");
    CHECK_TEXT_HAS(text, "idec.gamma\n");
    CHECK_TEXT_HAS(text, "default  dec\n");
    CHECK_TEXT_HAS(text, " toy.rate ");
    CHECK_TEXT_HAS(text, "--toy.kind) echo \"none fast slow\" ;;");
    CHECK_TEXT_HAS(text, "  METHOD ");
    CHECK(!strstr(text, " cluster.gamma "));
}

int main(void)
{
    deck_methods();
    test_values();
    test_wrong();
    test_moved();
    test_long_value();
    test_same_run();
    test_documentation();
    return check_done();
}
