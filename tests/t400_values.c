/* Every deck key against bad values of its type, and good ones: faults D3. Table-driven over the key table, in the deck
 * and on the command line, in a locale with a decimal comma if the machine has one. */
#include "../src/config/key.h"
#include "check.h"
#include "deck_help.h"

#include <locale.h>

static const char *const bad_ints[] = {
    "10abc", "0x10", "1e3",  "1.5",  "yes",   "9223372036854775808", "010", "+5", " 7", "--1", "1_000",
    "''",    "nan",  "NULL", "%n%s", "10 10", "-9223372036854775809"};
static const char *const bad_floats[] = {"10abc", "0x1p3", "nan",   "inf", ".inf",  "yes",  "1,5",  "1e", "e5",    ".",
                                         "-",     "''",    "1e999", "-1",  "0.5.5", "1e99", "%n%s", "1d", "-1e999"};
static const char *const bad_bools[] = {"yes", "no", "on", "1", "0", "True", "TRUE", "''", "truee", "%n%s"};
static const char *const bad_durations[] = {"10x", "s", "10 s", "-1s", "1e999d", "''", "ms", "10ss", "%n%s"};
static const char *const bad_clips[] = {"0",      "0.5",     "-0.1",     "1",   "[1]",     "[1, 2, 3]",
                                        "[2, 1]", "[1, 1]",  "[a, 1]",   "[]",  "true",    "[0, 1e999]",
                                        "'0.1,'", "'[0, 1'", "[[0, 1]]", "nan", "'0,1,2'", "%n%s"};
static const char *const bad_names[] = {"''", "no_such_choice", "%n%s%s", "RELU", "0"};
static const char *const bad_lists[] = {"[1, x]",
                                        "[0]",
                                        "[-5]",
                                        "[1.5]",
                                        "[1, [2]]",
                                        "[{a: 1}]",
                                        "[1e3]",
                                        "[9223372036854775808]",
                                        "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
                                        "5",
                                        "x",
                                        "''",
                                        "[%n%s]"};
static const char *const bad_factors[] = {"[encoder]",
                                          "[encoder=]",
                                          "[=1]",
                                          "[encoder=x]",
                                          "[encoder=-1]",
                                          "[encoder=1e7]",
                                          "[encoder=nan]",
                                          "[encoder=1, encoder=2]",
                                          "[1=2]",
                                          "[a b=1]",
                                          "[a-b=1]",
                                          "[a=1=2]",
                                          "[a234567890123456789012345678901x=1]",
                                          "[a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1]",
                                          "[{a: 1}]",
                                          "encoder",
                                          "'a=1,,b=1'",
                                          "''",
                                          "[%n%s=1]"};
static const char *const bad_nets[] = {"dense",
                                       "'dense 0'",
                                       "'dense 5,'",
                                       "'dense 5,,dense 3'",
                                       "dens 5",
                                       "dense 5 x",
                                       "\"dense\\n5\"",
                                       "'dense 5 rate=-1'",
                                       "'tied ~encode'",
                                       "~",
                                       "'dense 5 relu relu'",
                                       "%n%s",
                                       "'dense 5 init=zero'",
                                       "5",
                                       "[dense 5]"};
static const char *const bad_series[] = {"1",         "0..5",  "5..3",   "[3, 3]", "[4, 3]",       "2..x",   "..5",
                                         "2..",       "2...5", "2..9:0", "2.5",    "'2..9:2:2'",   "2..900", "[]",
                                         "[2..5, 5]", "a",     "'2, '",  "[[2]]",  "'2..9 extra'", "~",      "-2..5"};
static const char *const bad_paths[] = {"'~/x'",  "\"a\\nb\"", "\"a\\0b\"", "\"\\x07\"",
                                        "[a, b]", "{a: b}",    "&a x",      "!!str x"};
static const char *const bad_files[] = {"[]",          "'~/x'",    "[a, $B]", "[a, '']",  "\"a\\nb\"",
                                        "[\"\\x07\"]", "[a, [b]]", "{a: b}",  "'[a,,b]'", "&a x"};

static const struct {
    const char *const *values;
    size_t n;
} bad[] = {
    [DC_KEY_INT] = {bad_ints, DC_COUNT_OF(bad_ints)},
    [DC_KEY_FLOAT] = {bad_floats, DC_COUNT_OF(bad_floats)},
    [DC_KEY_BOOL] = {bad_bools, DC_COUNT_OF(bad_bools)},
    [DC_KEY_PATH] = {bad_paths, DC_COUNT_OF(bad_paths)},
    [DC_KEY_FILES] = {bad_files, DC_COUNT_OF(bad_files)},
    [DC_KEY_METHOD] = {bad_names, DC_COUNT_OF(bad_names)},
    [DC_KEY_CHOICE] = {bad_names, DC_COUNT_OF(bad_names)},
    [DC_KEY_LIST] = {bad_lists, DC_COUNT_OF(bad_lists)},
    [DC_KEY_DURATION] = {bad_durations, DC_COUNT_OF(bad_durations)},
    [DC_KEY_CLIP] = {bad_clips, DC_COUNT_OF(bad_clips)},
    [DC_KEY_NET] = {bad_nets, DC_COUNT_OF(bad_nets)},
    [DC_KEY_FACTORS] = {bad_factors, DC_COUNT_OF(bad_factors)},
    [DC_KEY_SERIES] = {bad_series, DC_COUNT_OF(bad_series)},
};

static const char *const bad_for_all[] = {"", "{}", "{a: 1}", "*a", "|\n    x", "- 1"};

static dc_status parse_value(const dc_key *key, const char *value)
{
    dc_config cfg;
    char deck[512];
    snprintf(deck, sizeof deck, "%s:\n  %s: %s\n", key->section, key->name, value);
    return deck_parse(&cfg, deck, "fit");
}

/* Refused, with one line that names the place of the value. */
static bool is_refused(const dc_key *key, const char *value)
{
    const dc_status st = parse_value(key, value);
    const bool ok = st == DC_ERR_USAGE && deck_error_at("deck.yaml:");
    if (!ok) printf("# %s.%s: <%s> gave %s: %s\n", key->section, key->name, value, dc_status_name(st), dc_error_text());
    return ok;
}

static void test_bad_values(void)
{
    const dc_key *key;
    for (int k = 0; (key = dc_key_at(k)); k++) {
        int accepted = 0;
        for (size_t i = 0; i < bad[key->type].n; i++) accepted += !is_refused(key, bad[key->type].values[i]);
        for (size_t i = 0; i < DC_COUNT_OF(bad_for_all); i++) accepted += !is_refused(key, bad_for_all[i]);
        if (!dc_key_takes_list(key)) accepted += !is_refused(key, "[1]");
        CHECK_INT(accepted, 0);
    }
}

static bool holds(const dc_key *key, const char *value, const char *expected)
{
    dc_config cfg;
    char text[DC_VALUE_TEXT_MAX];
    dc_config_defaults(&cfg);
    dc_error_clear();
    if (dc_key_set(&cfg, key, value, "here") != DC_OK) return false;
    dc_key_format(&cfg, key, text);
    if (strcmp(text, expected) != 0) printf("# %s.%s: <%s> reads as %s\n", key->section, key->name, value, text);
    return strcmp(text, expected) == 0;
}

/* The ends of each range belong to it, or not, as the table says; one beyond never does. */
static void test_bounds(void)
{
    const dc_key *key;
    char text[64];
    dc_config cfg;
    for (int k = 0; (key = dc_key_at(k)); k++) {
        if (key->type != DC_KEY_INT && key->type != DC_KEY_FLOAT) continue;
        const char *form = key->type == DC_KEY_INT ? "%.0f" : "%.17g";
        dc_config_defaults(&cfg);
        snprintf(text, sizeof text, form, key->min);
        dc_error_clear();
        CHECK_STATUS(dc_key_set(&cfg, key, text, "here"), key->range & DC_OPEN_MIN ? DC_ERR_USAGE : DC_OK);
        if (key->max >= 0x1p63) continue;
        snprintf(text, sizeof text, form, key->max);
        dc_error_clear();
        CHECK_STATUS(dc_key_set(&cfg, key, text, "here"), key->range & DC_OPEN_MAX ? DC_ERR_USAGE : DC_OK);
        snprintf(text, sizeof text, form, key->max * 2 + 2);
        dc_error_clear();
        CHECK_STATUS(dc_key_set(&cfg, key, text, "here"), DC_ERR_USAGE);
        CHECK(strncmp(dc_error_text(), "here: ", 6) == 0);
    }
}

static void test_good_values(void)
{
    CHECK(holds(dc_key_find("run", "seed"), "9223372036854775807", "9223372036854775807"));
    CHECK(holds(dc_key_find("run", "log_interval"), "15m", "900s"));
    CHECK(holds(dc_key_find("run", "log_interval"), "0.5h", "1800s"));
    CHECK(holds(dc_key_find("run", "log_interval"), "1d", "86400s"));
    CHECK(holds(dc_key_find("run", "log_interval"), "30", "30s"));
    CHECK(holds(dc_key_find("cluster", "lr"), ".5", "0.5"));
    CHECK(holds(dc_key_find("cluster", "lr"), "1e-3", "0.001"));
    CHECK(holds(dc_key_find("cluster", "lr"), "0.1", "0.1"));
    CHECK(holds(dc_key_find("cluster", "lr"), "3.0000000000000004", "3.0000000000000004"));
    CHECK(holds(dc_key_find("cluster", "momentum"), "-0", "0"));
    CHECK(holds(dc_key_find("model", "hidden"), "[]", "[]"));
    CHECK(holds(dc_key_find("model", "hidden"), "[ 3 , 4 ]", "[3, 4]"));
    CHECK(holds(dc_key_find("model", "hidden"), "500,500", "[500, 500]"));
    CHECK(holds(dc_key_find("sweep", "clusters"), "5..20", "5..20"));
    CHECK(holds(dc_key_find("sweep", "clusters"), "[10..95:10]", "10..90:10"));
    CHECK(holds(dc_key_find("sweep", "clusters"), "7", "7"));
    CHECK(holds(dc_key_find("sweep", "clusters"), " 2, 4 ,8", "\"2,4,8\""));
    CHECK(holds(dc_key_find("sweep", "clusters"), "2..4,6..10:2,50", "\"2..4,6..10:2,50\""));
    CHECK(holds(dc_key_find("cluster", "lr_factors"), "[]", "[]"));
    CHECK(holds(dc_key_find("cluster", "lr_factors"), "[encoder_0=.1, centers=1e1 ]", "[encoder_0=0.1, centers=10]"));
    CHECK(holds(dc_key_find("cluster", "lr_factors"), "encoder=0,decoder=3", "[encoder=0, decoder=3]"));
    CHECK(holds(dc_key_find("input", "data"), "/a/b c.h5", "\"/a/b c.h5\""));
    CHECK(holds(dc_key_find("input", "data"), "yes", "\"yes\""));
    CHECK(holds(dc_key_find("parallel", "shards"), "1024", "1024"));
    CHECK(!holds(dc_key_find("parallel", "shards"), "48", "48"));
    CHECK_TEXT_HAS(dc_error_text(), "powers of two");
}

/* Durations as Slurm writes and takes them. */
static void test_clock_durations(void)
{
    static const struct {
        const char *text, *seconds;
    } good[] = {{"0:07", "7s"},        {"15:30", "930s"},        {"90:00", "5400s"},         {"2:03:04", "7384s"},
                {"00:00:01", "1s"},    {"1-02:03:04", "93784s"}, {"10-00:00:00", "864000s"}, {"0-00:10:00", "600s"},
                {"1-02:03", "93780s"}, {"1-02", "93600s"}};
    static const char *const not_good[] = {":30",   "5:",   "1:2:",       "1:2:3:4",   "-1:00",     "1-",     "1-:30",
                                           "1--2",  "5:-3", "1-2:-3",     "1:+2",      "1: 2",      "1:2s",   "1.5:00",
                                           "1-2-3", "::",   "1234567:00", "1-2:3:4:5", "UNLIMITED", "INVALID"};
    const dc_key *key = dc_key_find("run", "max_time");
    dc_config cfg;
    for (size_t i = 0; i < DC_COUNT_OF(good); i++) CHECK(holds(key, good[i].text, good[i].seconds));
    int accepted = 0;
    for (size_t i = 0; i < DC_COUNT_OF(not_good); i++) {
        dc_config_defaults(&cfg);
        dc_error_clear();
        const bool refused = dc_key_set(&cfg, key, not_good[i], "here") == DC_ERR_USAGE;
        if (!refused) printf("# <%s> was accepted\n", not_good[i]);
        accepted += !refused;
    }
    CHECK_INT(accepted, 0);
    CHECK(holds(key, "0", "0s"));
    CHECK(!holds(dc_key_find("run", "log_interval"), "0", "0s"));
    CHECK(!holds(dc_key_find("run", "log_interval"), "0:00", "0s"));
}

static void test_long_text(void)
{
    static char path[3 * DC_PATH_MAX];
    dc_config cfg;
    dc_config_defaults(&cfg);
    memset(path, 'a', DC_PATH_MAX - 1);
    dc_error_clear();
    CHECK_OK(dc_key_set(&cfg, dc_key_find("input", "data"), path, "here"));
    memset(path, 'a', sizeof path - 1);
    CHECK_STATUS(dc_key_set(&cfg, dc_key_find("input", "data"), path, "here"), DC_ERR_USAGE);
    dc_error_clear();
    CHECK_STATUS(dc_key_set(&cfg, dc_key_find("run", "seed"), path, "here"), DC_ERR_USAGE);
    CHECK(strlen(dc_error_text()) < 512);
    dc_error_clear();
    memset(path, ',', sizeof path - 1);
    CHECK_STATUS(dc_key_set(&cfg, dc_key_find("model", "hidden"), path, "here"), DC_ERR_USAGE);
}

static void test_locale(void)
{
    dc_config cfg;
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "de_DE"))
        printf("# no locale with a decimal comma here\n");
    CHECK_OK(deck_override(&cfg, "--cluster.lr=0.25"));
    CHECK(cfg.cluster.opt.lr == 0.25);
    CHECK(holds(dc_key_find("cluster", "lr"), "0.25", "0.25"));
    setlocale(LC_ALL, "C");
}

int main(void)
{
    deck_methods();
    test_bad_values();
    test_bounds();
    test_good_values();
    test_clock_durations();
    test_long_text();
    test_locale();
    return check_done();
}
