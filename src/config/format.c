/* Writes values of deck keys as text, and describes their types and ranges in words. */
#include "key.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* True if other YAML readers would read the text as something other than a string, such as a truth value. */
static bool is_yaml_word(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    for (size_t i = 0; i < DC_COUNT_OF(words); i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

static bool is_plain(const char *text)
{
    if (!isalpha((unsigned char)text[0]) && text[0] != '/') return false;
    const size_t len = strlen(text);
    const size_t safe = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+-");
    return safe == len && text[len - 1] != ':' && !is_yaml_word(text);
}

/* Returns the end of what was written. */
static char *format_text(const char *text, char *out)
{
    if (is_plain(text)) return stpcpy(out, text);
    char *to = out;
    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') *to++ = '\\';
        *to++ = *text;
    }
    *to++ = '"';
    *to = 0;
    return to;
}

/* A name, or a list of names. */
static void format_files(const char *names, char out[DC_VALUE_TEXT_MAX])
{
    char name[DC_PATH_MAX];
    const bool list = names[0] == '[' || strchr(names, '\n');
    if (!*names) out = format_text(names, out);
    if (list) *out++ = '[';
    for (size_t n; *names; names += n + (names[n] == '\n')) {
        n = strcspn(names, "\n");
        snprintf(name, sizeof name, "%.*s", (int)n, names);
        out = format_text(name, out);
        if (names[n]) out = stpcpy(out, ", ");
    }
    strcpy(out, list ? "]" : "");
}

static const void *member_const(const dc_config *cfg, const dc_key *key)
{
    return (const char *)cfg + key->offset;
}

static void format_list(const dc_int_list *list, char *out, size_t cap)
{
    size_t at = (size_t)snprintf(out, cap, "[");
    for (int i = 0; i < list->n; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%lld", i ? ", " : "", (long long)list->v[i]);
    snprintf(out + at, cap - at, "]");
}

static void format_clip(const dc_clip *clip, char out[DC_VALUE_TEXT_MAX])
{
    char lo[32], hi[32];
    dc_format_double(clip->lo, lo, sizeof lo);
    dc_format_double(clip->hi, hi, sizeof hi);
    if (clip->kind == DC_CLIP_RANGE)
        snprintf(out, DC_VALUE_TEXT_MAX, "[%s, %s]", lo, hi);
    else
        strcpy(out, clip->kind == DC_CLIP_NONE ? "none" : lo);
}

static void format_factors(const dc_factors *factors, char out[DC_VALUE_TEXT_MAX])
{
    size_t at = (size_t)snprintf(out, DC_VALUE_TEXT_MAX, "[");
    for (int i = 0; i < factors->n; i++) {
        char number[32];
        dc_format_double(factors->v[i].factor, number, sizeof number);
        at += (size_t)snprintf(out + at, DC_VALUE_TEXT_MAX - at, "%s%s=%s", i ? ", " : "", factors->v[i].name, number);
    }
    snprintf(out + at, DC_VALUE_TEXT_MAX - at, "]");
}

/* Length of the run of equal steps that begins at number i. */
static int64_t run_at(const dc_series *s, int64_t i)
{
    int64_t n = DC_MIN(s->n - i, (int64_t)2);
    while (i + n < s->n && s->v[i + n] - s->v[i + n - 1] == s->v[i + 1] - s->v[i]) n++;
    return n < 3 ? 1 : n;
}

/* A range as it is, everything else as text in quotes: a list in brackets might be too long. */
static void format_series(const dc_series *s, char *out, size_t cap)
{
    size_t at = 0;
    const char *quote = run_at(s, 0) == s->n ? "" : "\"";
    at += (size_t)snprintf(out, cap, "%s", quote);
    for (int64_t i = 0, n; i < s->n; i += n) {
        n = run_at(s, i);
        const int64_t last = s->v[i + n - 1], step = n > 1 ? s->v[i + 1] - s->v[i] : 1;
        at += (size_t)snprintf(out + at, cap - at, "%s%lld", i ? "," : "", (long long)s->v[i]);
        if (n > 1) at += (size_t)snprintf(out + at, cap - at, "..%lld", (long long)last);
        if (step > 1) at += (size_t)snprintf(out + at, cap - at, ":%lld", (long long)step);
    }
    snprintf(out + at, cap - at, "%s", quote);
}

static const char *choice_name(const dc_key *key, int value)
{
    const dc_key_choice *c = key->choices;
    while (c->name && c->value != value) c++;
    DC_ASSERT(c->name);
    return c->name;
}

/* A number, or the word that stands for it. */
static void format_int(const dc_key *key, int64_t value, char out[DC_VALUE_TEXT_MAX])
{
    const dc_key_choice *c = key->choices;
    while (c && c->name && c->value != value) c++;
    if (c && c->name)
        strcpy(out, c->name);
    else
        snprintf(out, DC_VALUE_TEXT_MAX, "%lld", (long long)value);
}

static void format_float(const dc_key *key, double value, char out[DC_VALUE_TEXT_MAX])
{
    const dc_key_choice *c = key->choices;
    while (c && c->name && c->value != value) c++;
    if (c && c->name)
        strcpy(out, c->name);
    else
        dc_format_double(value, out, DC_VALUE_TEXT_MAX);
}

void dc_key_format(const dc_config *cfg, const dc_key *key, char out[DC_VALUE_TEXT_MAX])
{
    const void *from = member_const(cfg, key);
    switch (key->type) {
    case DC_KEY_INT:
        format_int(key, *(const int64_t *)from, out);
        break;
    case DC_KEY_FLOAT:
        format_float(key, *(const double *)from, out);
        break;
    case DC_KEY_DURATION:
        dc_format_double(*(const double *)from, out, DC_VALUE_TEXT_MAX);
        strcat(out, "s");
        break;
    case DC_KEY_BOOL:
        strcpy(out, *(const bool *)from ? "true" : "false");
        break;
    case DC_KEY_PATH:
    case DC_KEY_METHOD:
    case DC_KEY_NET:
        format_text(from, out);
        break;
    case DC_KEY_FILES:
        format_files(from, out);
        break;
    case DC_KEY_CHOICE:
        strcpy(out, choice_name(key, *(const int *)from));
        break;
    case DC_KEY_LIST:
        format_list(from, out, DC_VALUE_TEXT_MAX);
        break;
    case DC_KEY_CLIP:
        format_clip(from, out);
        break;
    case DC_KEY_FACTORS:
        format_factors(from, out);
        break;
    case DC_KEY_SERIES:
        format_series(from, out, DC_VALUE_TEXT_MAX);
        break;
    }
}

/* ---- Descriptions ---------------------------------------------------------------------------------------- */

static void join_names(const char *const *names, int n, char *out, size_t cap)
{
    size_t at = 0;
    if (cap) out[0] = 0;
    for (int i = 0; i < n && at < cap; i++) at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "", names[i]);
}

void dc_key_describe_type(const dc_key *key, char *out, size_t cap)
{
    static const char *const plain[] = {[DC_KEY_INT] = "integer",
                                        [DC_KEY_FLOAT] = "number",
                                        [DC_KEY_BOOL] = "truth value (true, false)",
                                        [DC_KEY_PATH] = "path",
                                        [DC_KEY_FILES] = "path, glob, or list of these",
                                        [DC_KEY_METHOD] = "method",
                                        [DC_KEY_CHOICE] = "choice",
                                        [DC_KEY_LIST] = "list of integers",
                                        [DC_KEY_DURATION] = "duration (10s, 15m, 2h, 1d)",
                                        [DC_KEY_CLIP] = "none, a quantile above 0 and below 0.5, or a range [a, b]",
                                        [DC_KEY_NET] = "layers",
                                        [DC_KEY_FACTORS] = "list of NAME=FACTOR",
                                        [DC_KEY_SERIES] = "series of integers (5..20, 10..100:10, [2, 4, 8])"};
    const char *choices[DC_CHOICES_MAX], *methods[DC_METHODS_MAX];
    const int n_choices = key->type == DC_KEY_CHOICE ? dc_key_choice_names(key, choices) : 0;
    const int n_methods = dc_key_method_names(methods);
    if (key->type == DC_KEY_CHOICE)
        join_names(choices, n_choices, out, cap);
    else if (key->type == DC_KEY_METHOD && n_methods > 0)
        join_names(methods, n_methods, out, cap);
    else
        snprintf(out, cap, "%s%s%s", plain[key->type], key->choices ? " or " : "",
                 key->choices ? key->choices->name : "");
}

static void format_bound(double v, char *out, size_t cap)
{
    if (v >= 0x1p63)
        snprintf(out, cap, "2^63-1");
    else if (v == floor(v) && fabs(v) < 1e16)
        snprintf(out, cap, "%lld", (long long)v);
    else
        dc_format_double(v, out, cap);
}

void dc_key_describe_range(const dc_key *key, char *out, size_t cap)
{
    char lo[32], hi[32];
    out[0] = 0;
    if (key->min == key->max) return;
    format_bound(key->min, lo, sizeof lo);
    format_bound(key->max, hi, sizeof hi);
    snprintf(out, cap, "%s%s%s..%s%s%s", key->range & DC_POWER_OF_TWO ? "powers of two in " : "",
             key->range & DC_OPEN_MIN ? "above " : "", lo, key->range & DC_OPEN_MAX ? "below " : "", hi,
             key->type == DC_KEY_DURATION ? " s" : "");
}
