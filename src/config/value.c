/* Sets deck keys from text. Strict: a number must be the whole text, in decimal, with a point in every locale; nothing
 * is cut, rounded into range or guessed. Every error names the place, the key, the value and what is allowed. */
#include "key.h"

#include <math.h>
#include <string.h>

static void *member(dc_config *cfg, const dc_key *key)
{
    return (char *)cfg + key->offset;
}

static bool in_range(const dc_key *key, double v)
{
    if (!(key->range & DC_OPEN_MIN ? v > key->min : v >= key->min)) return false;
    if (!(key->range & DC_OPEN_MAX ? v < key->max : v <= key->max)) return false;
    return !(key->range & DC_POWER_OF_TWO) || ((int64_t)v & ((int64_t)v - 1)) == 0;
}

static dc_status set_number(dc_config *cfg, const dc_key *key, double v, const char *text, const char *place)
{
    if (!in_range(key, v)) {
        char range[128], quoted[DC_QUOTE_MAX];
        dc_key_describe_range(key, range, sizeof range);
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = %s is out of range, allowed: %s", place, key->section, key->name,
                       dc_quote(quoted, text), range);
    }
    *(double *)member(cfg, key) = v;
    return DC_OK;
}

/* Whether the text is a word that stands for a value of this key. */
static const dc_key_choice *find_word(const dc_key *key, const char *text)
{
    for (const dc_key_choice *c = key->choices; c && c->name; c++)
        if (strcmp(text, c->name) == 0) return c;
    return NULL;
}

static dc_status fail_type(const dc_key *key, const char *text, const char *place)
{
    char type[256], range[128], quoted[DC_QUOTE_MAX];
    dc_key_describe_type(key, type, sizeof type);
    dc_key_describe_range(key, range, sizeof range);
    return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = '%s' is not a valid %s%s%s", place, key->section, key->name,
                   dc_quote(quoted, text), type, *range ? ", allowed: " : "", range);
}

static dc_status set_int(int64_t *to, const dc_key *key, const char *text, const char *place)
{
    int64_t v;
    const dc_key_choice *word = find_word(key, text);
    if (word) {
        *to = word->value;
        return DC_OK;
    }
    if (!dc_read_int(text, &v)) return fail_type(key, text, place);
    if (!in_range(key, (double)v)) {
        char range[128];
        dc_key_describe_range(key, range, sizeof range);
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = %lld is out of range, allowed: %s", place, key->section, key->name,
                       (long long)v, range);
    }
    *to = v;
    return DC_OK;
}

static dc_status set_bool(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    const bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0) return fail_type(key, text, place);
    *(bool *)member(cfg, key) = yes;
    return DC_OK;
}

/* "deck.yaml:12:3: run.output" */
static const char *named(const dc_key *key, const char *place, char out[DC_PLACE_MAX + 2 * DC_NAME_MAX])
{
    snprintf(out, DC_PLACE_MAX + 2 * DC_NAME_MAX, "%s: %s.%s", place, key->section, key->name);
    return out;
}

/* Overwrites all `cap` bytes at `to`, so that configs can be compared byte by byte. */
static dc_status set_text(char *to, size_t cap, const dc_key *key, const char *text, const char *place)
{
    char quoted[DC_QUOTE_MAX], where[DC_PLACE_MAX + 2 * DC_NAME_MAX];
    const size_t len = strlen(text);
    dc_status st = DC_OK;
    if (len >= cap)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s has %zu bytes, at most %zu are allowed", place, key->section, key->name,
                       len, cap - 1);
    if (len == 0 && *key->fallback) return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s is empty", place, key->section, key->name);
    if (!dc_text_is_clean(text))
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = '%s' has control characters or is not UTF-8", place, key->section,
                       key->name, dc_quote(quoted, text));
    if (key->type == DC_KEY_PATH) DC_TRY(dc_path_check(text, named(key, place, where)));
    memset(to, 0, cap);
    memcpy(to, text, len + 1);
out:
    return st;
}

void dc_key_set_files(dc_config *cfg, const dc_key *key, const char names[DC_FILES_TEXT_MAX])
{
    char *to = member(cfg, key);
    memset(to, 0, DC_FILES_TEXT_MAX);
    memcpy(to, names, strlen(names) + 1);
}

static dc_status set_files(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    char names[DC_FILES_TEXT_MAX], where[DC_PLACE_MAX + 2 * DC_NAME_MAX];
    const dc_status st = dc_config_read_files(text, named(key, place, where), names);
    if (st == DC_OK) dc_key_set_files(cfg, key, names);
    return st;
}

/* Sets the text of an encoder or a decoder; only the decoder's key has a default. */
static dc_status set_net(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    dc_status st = DC_OK;
    dc_net_text net;
    char why[DC_NET_WHY_MAX];
    DC_TRY(set_text(member(cfg, key), DC_NET_TEXT_MAX, key, text, place));
    const bool decodes = *key->fallback, ok = decodes   ? dc_net_text_decoder(text, &net, why)
                                              : text[0] ? dc_net_text_encoder(text, &net, why)
                                                        : true;
    if (!ok) st = DC_FAIL(DC_ERR_USAGE, "%s: %s.%s: %s", place, key->section, key->name, why);
out:
    return st;
}

/* Sets *index to that of `text` in the allowed names, or fails and suggests the nearest name. */
static dc_status find_name(const dc_key *key, const char *text, const char *const *names, int n, const char *place,
                           int *index)
{
    for (*index = 0; *index < n; ++*index)
        if (strcmp(names[*index], text) == 0) return DC_OK;
    char type[256], quoted[DC_QUOTE_MAX];
    dc_key_describe_type(key, type, sizeof type);
    const int near = dc_nearest_name(text, names, n);
    return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = '%s' is unknown%s%s%s, allowed: %s", place, key->section, key->name,
                   dc_quote(quoted, text), near < 0 ? "" : ", did you mean '", near < 0 ? "" : names[near],
                   near < 0 ? "" : "'?", type);
}

static dc_status set_choice(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    dc_status st = DC_OK;
    const char *names[DC_CHOICES_MAX];
    int i;
    const int n = dc_key_choice_names(key, names);
    DC_TRY(find_name(key, text, names, n, place, &i));
    *(int *)member(cfg, key) = key->choices[i].value;
out:
    return st;
}

static dc_status set_method(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    dc_status st = DC_OK;
    const char *names[DC_METHODS_MAX];
    int i;
    const int n = dc_key_method_names(names);
    if (n > 0) DC_TRY(find_name(key, text, names, n, place, &i));
    DC_TRY(set_text(member(cfg, key), DC_NAME_MAX, key, text, place));
out:
    return st;
}

static dc_status fail_clip(const dc_key *key, const char *place, const char *why)
{
    return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s %s; it is none, a quantile above 0 and below 0.5, or a range [a, b]", place,
                   key->section, key->name, why);
}

static dc_status set_clip_range(dc_config *cfg, const dc_key *key, const char *const *items, int n, const char *place)
{
    dc_clip *clip = member(cfg, key);
    double lo, hi;
    if (n != 2) return fail_clip(key, place, "has a list that is not a pair");
    if (!dc_read_float(items[0], &lo) || !dc_read_float(items[1], &hi) || !isfinite(lo) || !isfinite(hi))
        return fail_clip(key, place, "has a bound that is not a number");
    if (!(lo < hi)) return fail_clip(key, place, "has a lower bound that is not below the upper one");
    *clip = (dc_clip){DC_CLIP_RANGE, lo, hi};
    return DC_OK;
}

bool dc_key_takes_list(const dc_key *key)
{
    return key->type == DC_KEY_LIST || key->type == DC_KEY_CLIP || key->type == DC_KEY_FACTORS ||
           key->type == DC_KEY_SERIES || key->type == DC_KEY_FILES;
}

dc_status dc_key_set_list(dc_config *cfg, const dc_key *key, const char *const *items, int n, const char *place)
{
    dc_status st = DC_OK;
    dc_int_list list = {.n = n};
    if (key->type == DC_KEY_CLIP) return set_clip_range(cfg, key, items, n, place);
    if (key->type == DC_KEY_FACTORS) return dc_factors_set(member(cfg, key), key, items, n, place);
    if (key->type == DC_KEY_SERIES) return dc_series_set(member(cfg, key), key, items, n, place);
    if (n > DC_LIST_MAX)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s has more than %d items", place, key->section, key->name, DC_LIST_MAX);
    for (int i = 0; i < n; i++) DC_TRY(set_int(&list.v[i], key, items[i], place));
    memset(member(cfg, key), 0, sizeof list); /* clears the padding, too */
    ((dc_int_list *)member(cfg, key))->n = n;
    memcpy(((dc_int_list *)member(cfg, key))->v, list.v, sizeof list.v);
out:
    return st;
}

/* Accepts "[500, 500]" and "500,500", because brackets need quotes in some shells. */
static dc_status set_list_text(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    char copy[1024], *items[DC_LIST_MAX + 1];
    const size_t len = strlen(text);
    const bool opens = len > 0 && text[0] == '[', closes = len > 0 && text[len - 1] == ']',
               brackets = opens && closes && len >= 2;
    char quoted[DC_QUOTE_MAX];
    if (opens != closes)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = '%s': %s", place, key->section, key->name, dc_quote(quoted, text),
                       opens ? "a list that begins with '[' ends with ']'"
                             : "a list that ends with ']' begins with '['");
    if (len == 0 || len >= sizeof copy) return fail_type(key, text, place);
    snprintf(copy, sizeof copy, "%.*s", (int)len - 2 * brackets, text + brackets);
    int n = 0;
    for (char *at = copy; at && n <= DC_LIST_MAX && (copy[0] || !brackets); n++) {
        at += strspn(at, " ");
        items[n] = at;
        at = strchr(at, ',');
        if (at) *at++ = 0;
        for (size_t end = strlen(items[n]); end > 0 && items[n][end - 1] == ' '; end--) items[n][end - 1] = 0;
    }
    return dc_key_set_list(cfg, key, (const char *const *)items, n, place);
}

static dc_status set_clip(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    dc_clip *clip = member(cfg, key);
    double q = 0;
    if (strchr(text, ',')) return set_list_text(cfg, key, text, place);
    if (strcmp(text, "none") != 0 && !dc_read_float(text, &q)) return fail_clip(key, place, "is not a number");
    if (strcmp(text, "none") == 0)
        *clip = (dc_clip){.kind = DC_CLIP_NONE};
    else if (q > 0 && q < 0.5)
        *clip = (dc_clip){.kind = DC_CLIP_QUANTILES, .lo = q};
    else
        return fail_clip(key, place, "is out of range");
    return DC_OK;
}

static dc_status set_float(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    double v;
    const dc_key_choice *word = find_word(key, text);
    if (!word) return dc_read_float(text, &v) ? set_number(cfg, key, v, text, place) : fail_type(key, text, place);
    *(double *)member(cfg, key) = word->value;
    return DC_OK;
}

dc_status dc_key_set(dc_config *cfg, const dc_key *key, const char *text, const char *place)
{
    double v;
    switch (key->type) {
    case DC_KEY_INT:
        return set_int(member(cfg, key), key, text, place);
    case DC_KEY_FLOAT:
        return set_float(cfg, key, text, place);
    case DC_KEY_DURATION:
        return dc_read_duration(text, &v) ? set_number(cfg, key, v, text, place) : fail_type(key, text, place);
    case DC_KEY_BOOL:
        return set_bool(cfg, key, text, place);
    case DC_KEY_PATH:
        return set_text(member(cfg, key), DC_PATH_MAX, key, text, place);
    case DC_KEY_FILES:
        return set_files(cfg, key, text, place);
    case DC_KEY_METHOD:
        return set_method(cfg, key, text, place);
    case DC_KEY_CHOICE:
        return set_choice(cfg, key, text, place);
    case DC_KEY_NET:
        return set_net(cfg, key, text, place);
    case DC_KEY_LIST:
    case DC_KEY_FACTORS:
        return set_list_text(cfg, key, text, place);
    case DC_KEY_SERIES:
        return dc_series_set_text(member(cfg, key), key, text, place);
    case DC_KEY_CLIP:
        return set_clip(cfg, key, text, place);
    }
    return DC_FAIL(DC_ERR_INTERNAL, "key %s.%s has no type", key->section, key->name);
}

void dc_config_defaults(dc_config *cfg)
{
    memset(cfg, 0, sizeof *cfg);
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++) DC_ASSERT(dc_key_set(cfg, key, key->fallback, "default") == DC_OK);
}
