/* Keys of sweep-k: series of numbers survive being written and read, whatever they are; what a deck of sweep-k holds;
 * which method it takes; the largest number counts as that of clusters. Fixed seed 582. */
#include "check.h"
#include "deck_help.h"

#include "../src/config/key.h"
#include "dcmpi/rng.h"

static uint64_t drawn;

static int64_t next(int64_t below)
{
    uint32_t w[4];
    dc_rng4(582, DC_STREAM_TEST, 0, drawn++, w);
    return (int64_t)(w[0] % (uint32_t)below);
}

static const char *dump(const dc_config *cfg, const char *verb)
{
    static char text[1 << 16];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    CHECK_OK(dc_config_dump(cfg, verb, false, out));
    fclose(out);
    return text;
}

/* Short and long series, with equal steps and without. */
static void random_series(dc_series *s)
{
    int64_t v = 2 + next(5), step = 1;
    memset(s, 0, sizeof *s);
    s->n = next(8) ? 1 + next(12) : DC_SERIES_MAX;
    for (int64_t i = 0; i < s->n; i++) {
        s->v[i] = v;
        if (next(3) == 0) step = 1 + next(30);
        v += step;
    }
}

static void test_round_trips(void)
{
    dc_config a, b;
    int lost = 0;
    CHECK_OK(deck_parse(&a, "input: {data: x.h5}\n", "sweep-k"));
    for (int i = 0; i < 300; i++) {
        random_series(&a.sweep.clusters);
        if (deck_parse(&b, dump(&a, "sweep-k"), "sweep-k") != DC_OK) printf("# %s\n", dc_error_text());
        lost += memcmp(&a.sweep.clusters, &b.sweep.clusters, sizeof a.sweep.clusters) != 0;
    }
    CHECK_INT(lost, 0);
}

/* The largest step that there is leads from 2 beyond the numbers of the machine. */
static void test_large_step(void)
{
    dc_config cfg;
    CHECK_OK(deck_parse(&cfg, "input: {data: x.h5}\nsweep: {clusters: 2..4:9223372036854775807}\n", "sweep-k"));
    CHECK_INT(cfg.sweep.clusters.n, 1);
    CHECK_INT(cfg.sweep.clusters.v[0], 2);
}

static void test_deck(void)
{
    dc_config cfg, again;
    const char *dec[] = {"--cluster.method=dec"}, *few[] = {"--input.rows=15"};
    static const char deck[] = "input: {data: x.h5}\nsweep: {clusters: 2..20}\n";
    CHECK_OK(deck_parse(&cfg, deck, "sweep-k"));
    CHECK_TEXT(cfg.cluster.method, "aekm"); /* dec is the default of fit */
    CHECK_INT(cfg.cluster.clusters, 20);
    const char *text = dump(&cfg, "sweep-k");
    CHECK_TEXT_HAS(text, "  method: aekm\n");
    CHECK_TEXT_HAS(text, "sweep:\n  clusters: 2..20\n  sample: 5000\n  subsamples: 8\n  share: 0.8\n  n_init: 4\n");
    CHECK(!strstr(text, "  clusters: 20\n") && !strstr(text, "  tol:"));
    CHECK_OK(deck_parse(&again, text, "sweep-k"));
    CHECK(memcmp(&cfg, &again, sizeof cfg) == 0);
    CHECK(!strstr(dump(&cfg, "fit"), "sweep:"));
    again.sweep.sample = 99;
    char differing[64];
    CHECK_INT(dc_config_differences(&cfg, &again, "sweep-k", differing, sizeof differing), 1);
    CHECK_TEXT(differing, "sweep.sample is 99, was 5000");
    CHECK_INT(dc_config_differences(&cfg, &again, "fit", differing, sizeof differing), 0);
    dc_config_defaults(&cfg);
    CHECK_STATUS(dc_config_parse(&cfg, "deck.yaml", deck, strlen(deck), dec, 1, "sweep-k"), DC_ERR_USAGE);
    CHECK(deck_error_at("command line: --cluster.method: cluster.method = dec: sweep-k takes aekm"));
    dc_error_clear();
    dc_config_defaults(&cfg);
    CHECK_STATUS(dc_config_parse(&cfg, "deck.yaml", deck, strlen(deck), few, 1, "sweep-k"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "sweep.clusters = 20 is more than input.rows = 15");
    dc_error_clear();
}

int main(void)
{
    deck_methods();
    test_round_trips();
    test_large_step();
    test_deck();
    return check_done();
}
