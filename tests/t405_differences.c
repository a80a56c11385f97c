/* Continuation: each key of the table that can change the result is reported when it differs, with both values; no
 * other key is. */
#include "../src/config/key.h"
#include "check.h"
#include "deck_help.h"

/* A legal value that is not the one in `cfg`. */
static void another_value(const dc_config *cfg, const dc_key *key, char out[DC_VALUE_TEXT_MAX])
{
    const char *names[DC_CHOICES_MAX];
    char now[DC_VALUE_TEXT_MAX];
    dc_key_format(cfg, key, now);
    switch (key->type) {
    case DC_KEY_INT:
        snprintf(out, DC_VALUE_TEXT_MAX, "%lld", strtoll(now, NULL, 10) * 2 + (key->range & DC_POWER_OF_TWO ? 0 : 1));
        break;
    case DC_KEY_FLOAT:
        snprintf(out, DC_VALUE_TEXT_MAX, "%s", strcmp(now, "0.25") == 0 ? "0.5" : "0.25");
        break;
    case DC_KEY_BOOL:
        snprintf(out, DC_VALUE_TEXT_MAX, "%s", strcmp(now, "true") == 0 ? "false" : "true");
        break;
    case DC_KEY_CHOICE:
        dc_key_choice_names(key, names);
        snprintf(out, DC_VALUE_TEXT_MAX, "%s", names[strcmp(now, names[0]) == 0]);
        break;
    case DC_KEY_METHOD:
        snprintf(out, DC_VALUE_TEXT_MAX, "aekm");
        break;
    case DC_KEY_DURATION:
        snprintf(out, DC_VALUE_TEXT_MAX, "77s");
        break;
    case DC_KEY_CLIP:
        snprintf(out, DC_VALUE_TEXT_MAX, "%s", strcmp(now, "0.25") == 0 ? "[0, 1]" : "0.25");
        break;
    case DC_KEY_FACTORS:
        snprintf(out, DC_VALUE_TEXT_MAX, "[centers=0.25]");
        break;
    case DC_KEY_NET:
        snprintf(out, DC_VALUE_TEXT_MAX, "dense 123 relu");
        break;
    case DC_KEY_LIST:
    case DC_KEY_SERIES:
    case DC_KEY_PATH:
    case DC_KEY_FILES:
        snprintf(out, DC_VALUE_TEXT_MAX, "123");
        break;
    }
}

/* Sets the key that the key's use depends on; that one may depend on another. */
static void set_condition(const dc_key *key, dc_config *cfg)
{
    char first[64] = "";
    if (!key->when) return;
    const dc_key *other = dc_key_find(key->section, key->when);
    set_condition(other, cfg);
    sscanf(key->when_is, "%63s", first);
    CHECK_OK(dc_key_set(cfg, other, first, "here"));
}

/* A deck in which the key is used. */
static void base_for(const dc_key *key, dc_config *cfg)
{
    dc_config_defaults(cfg);
    CHECK_OK(
        dc_key_set(cfg, dc_key_find("cluster", "method"), dc_method_row(key->section) ? key->section : "idec", "here"));
    set_condition(key, cfg);
}

static bool is_right(const dc_key *key)
{
    dc_config was, is;
    char value[DC_VALUE_TEXT_MAX], old[DC_VALUE_TEXT_MAX], text[8192], expected[256];
    base_for(key, &was);
    is = was;
    another_value(&was, key, value);
    if (dc_key_set(&is, key, value, "here") != DC_OK) return false;
    dc_key_format(&was, key, old);
    dc_key_format(&is, key, value);
    const int n = dc_config_differences(&was, &is, "fit", text, sizeof text);
    const bool is_data = strcmp(key->section, "input") == 0 && strcmp(key->name, "data") == 0;
    if (!key->result || is_data || !(key->verbs & DC_USE_FIT)) return n == 0 && text[0] == '\0';
    snprintf(expected, sizeof expected, "%s.%s is %.64s, was %.64s", key->section, key->name, value, old);
    return n >= 1 && strstr(text, expected) && dc_config_differences(&was, &was, "fit", text, sizeof text) == 0;
}

static void test_all_keys(void)
{
    const dc_key *key;
    int results = 0, others = 0;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        dc_error_clear();
        if (!CHECK(is_right(key))) printf("# %s.%s: %s\n", key->section, key->name, dc_error_text());
        results += key->result;
        others += !key->result;
    }
    CHECK(results > 40 && others > 8);
}

/* A key that neither deck uses does not matter; a text that is too long is cut. */
static void test_unused_and_cut(void)
{
    dc_config was, is;
    char text[16];
    dc_config_defaults(&was);
    is = was;
    CHECK_OK(dc_key_set(&is, dc_key_find("pretrain", "beta1"), "0.5", "here")); /* the optimizer is sgd */
    CHECK_INT(dc_config_differences(&was, &is, "fit", text, sizeof text), 0);
    CHECK_OK(dc_key_set(&is, dc_key_find("cluster", "lr"), "0.5", "here"));
    CHECK_OK(dc_key_set(&is, dc_key_find("cluster", "clusters"), "11", "here"));
    CHECK_INT(dc_config_differences(&was, &is, "fit", text, sizeof text), 2);
    CHECK_INT(strlen(text), sizeof text - 1);
    CHECK_INT(dc_config_differences(&was, &is, "kmeans", text, sizeof text), 1);
}

int main(void)
{
    deck_methods();
    test_all_keys();
    test_unused_and_cut();
    return check_done();
}
