/* Objects of JSON Lines, read by jansson. */
#include "convert/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/text.h"

enum { KEY_MAX = 256 };

void dc_json_line_release(dc_json_line *j)
{
    json_decref(j->root);
    j->root = NULL;
}

/* What may be wrong with a line that is not JSON. */
static const char *hint_for(dc_span line)
{
    const dc_span text = dc_span_trim(line.p, line.p + line.n, '\0');
    const char last = text.n > 0 ? text.p[text.n - 1] : '}';
    return last == ','   ? "; there are no commas between the lines"
           : last != '}' ? "; if objects have several lines, make one line of each: jq -c . OLD >NEW.jsonl"
                         : "";
}

static bool is_in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

/* As JSON has them: without zeros in front. */
static bool is_integer(const char *p, size_t n)
{
    if (p[p[0] == '-'] == '0') return false;
    for (size_t i = 0; i < n; i++)
        if ((p[i] < '0' || p[i] > '9') && (i > 0 || p[i] != '-')) return false;
    return true;
}

/* Length of NaN, Infinity or -Infinity at p, or 0. */
static size_t no_number_at(const char *p, const char *end)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < DC_COUNT_OF(words); i++) {
        const size_t n = strlen(words[i]);
        if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0) return n;
    }
    return 0;
}

/* A large integer becomes a text that begins with a zero character, which tells it from other texts. */
static const char LARGE_BEGINS[] = "\"\\u0000";

size_t dc_json_mend(dc_span line, char *out)
{
    enum { DIGITS = 19 }; /* fewer are below 2^63 */
    size_t n = 0;
    bool inside = false;
    for (const char *p = line.p, *end = line.p + line.n; p < end;) {
        const size_t word = inside ? 0 : no_number_at(p, end);
        size_t number = 0;
        if (!inside && !word)
            while (p + number < end && is_in_number(p[number])) number++;
        const bool large = number >= DIGITS && is_integer(p, number);
        if (word) {
            memcpy(out + n, "null", 4);
            n += 4;
        } else if (large) {
            memcpy(out + n, LARGE_BEGINS, sizeof LARGE_BEGINS - 1);
            n += sizeof LARGE_BEGINS - 1;
            memcpy(out + n, p, number);
            out[n + number] = '"';
            n += number + 1;
        } else {
            const size_t take = number > 0 ? number : inside && *p == '\\' && p + 1 < end ? 2 : 1;
            if (take == 1 && *p == '"') inside = !inside;
            memcpy(out + n, p, take);
            n += take;
            p += take;
            continue;
        }
        p += word + number;
    }
    return n;
}

bool dc_json_line_parse(dc_json_line *j, dc_span line, char *why, size_t cap)
{
    json_error_t error;
    char text[JSON_ERROR_TEXT_LENGTH];
    dc_json_line_release(j);
    j->root = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (j->root && json_is_object((json_t *)j->root)) return true;
    if (j->root) {
        snprintf(why, cap, "the line is JSON, but not an object such as {\"text\": \"...\"}");
        return false;
    }
    dc_printable(text, sizeof text, error.text, strlen(error.text));
    snprintf(why, cap, "not a JSON object in one line: %s (byte %d of the line)%s", text, error.position,
             hint_for(line));
    return false;
}

/* The surrogate whose escape is at p, or 0. */
static long surrogate_at(const char *p, const char *end)
{
    char digits[5] = "";
    char *stop;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return 0;
    memcpy(digits, p + 2, 4);
    const long code = strtol(digits, &stop, 16);
    return *stop == '\0' && code >= 0xD800 && code < 0xE000 ? code : 0;
}

int64_t dc_json_lone_surrogates(char *line, size_t n, bool mend)
{
    static const char unknown[] = {'f', 'f', 'f', 'd'}; /* digits of U+FFFD */
    int64_t lone = 0;
    char *end = line + n;
    for (char *p = line; p < end && (p = memchr(p, '\\', (size_t)(end - p)));) {
        const long first = surrogate_at(p, end), second = first ? surrogate_at(p + 6, end) : 0;
        const bool pair = first && first < 0xDC00 && second >= 0xDC00;
        if (first && !pair) {
            lone++;
            if (mend) memcpy(p + 2, unknown, sizeof unknown);
        }
        p += pair ? 12 : first ? 6 : 2;
    }
    return lone;
}

static const char *type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a truth value";
    case JSON_STRING:
        return "a text";
    case JSON_NULL:
        break;
    }
    return "null";
}

static bool is_large(const json_t *v)
{
    const size_t n = json_is_string(v) ? json_string_length(v) : 0;
    return n > 1 && json_string_value(v)[0] == '\0' && is_integer(json_string_value(v) + 1, n - 1);
}

/* The value of a key; a.b is that of b in the object a, unless there is a key "a.b". What is in null is null. */
static const json_t *find(const json_t *object, const char *key)
{
    char first[KEY_MAX];
    const json_t *value = json_object_get(object, key);
    for (const char *dot = strchr(key, '.'); dot && !value; dot = strchr(dot + 1, '.')) {
        const size_t n = (size_t)(dot - key);
        if (n >= sizeof first) break;
        memcpy(first, key, n);
        first[n] = '\0';
        value = json_object_get(object, first);
        if (value && !json_is_null(value)) value = json_is_object(value) ? find(value, dot + 1) : NULL;
    }
    return value;
}

bool dc_json_line_get(dc_json_line *j, const char *key, dc_json_use use, dc_span *value, bool *has, char *why,
                      size_t cap)
{
    char shown[64];
    const json_t *v = find(j->root, key);
    *value = (dc_span){NULL, 0};
    *has = v != NULL;
    if (!v || json_is_null(v)) return true;
    const bool large = is_large(v);
    if (json_is_string(v) && (!large || use == DC_JSON_LABEL)) {
        *value = (dc_span){json_string_value(v) + large, json_string_length(v) - large};
        return true;
    }
    const double real = json_is_real(v) ? json_real_value(v) : 0.5;
    if (use == DC_JSON_LABEL && real == trunc(real) && fabs(real) < 0x1p53) {
        const int n = snprintf(j->digits, sizeof j->digits, "%.0f", real);
        *value = (dc_span){j->digits, (size_t)n};
        return true;
    }
    if (use == DC_JSON_LABEL && (json_is_integer(v) || json_is_boolean(v))) {
        const char *word = json_is_true(v) ? "true" : "false";
        const int n = json_is_integer(v)
                          ? snprintf(j->digits, sizeof j->digits, "%lld", (long long)json_integer_value(v))
                          : snprintf(j->digits, sizeof j->digits, "%s", word);
        *value = (dc_span){j->digits, (size_t)n};
        return true;
    }
    dc_printable(shown, sizeof shown, key, strlen(key));
    char join[128] = "";
    if (json_is_array(v) && use == DC_JSON_TEXT)
        snprintf(join, sizeof join, "; join its parts first: jq -c '.%s |= join(\" \")'", shown);
    snprintf(why, cap, "the value of '%s' is %s, not a text%s%s", shown, large ? "a number" : type_of(v),
             use == DC_JSON_LABEL ? " or an integer" : "",
             json_is_object(v) ? "; name a key in it, with a point between the names" : join);
    return false;
}

enum { SHOWN_KEYS = 8 };

/* Appends the keys of an object behind those that are there, and those of objects in it. */
static void list_keys(json_t *object, const char *prefix, char *out, size_t cap, int *n)
{
    json_t *value;
    const char *key;
    char shown[40], inner[2 * sizeof shown];
    json_object_foreach(object, key, value)
    {
        const size_t used = *n ? strlen(out) : 0;
        if (*n > SHOWN_KEYS || used + sizeof inner + sizeof shown > cap) return;
        dc_printable(shown, sizeof shown, key, strlen(key));
        if (json_is_object(value) && !prefix[0] && json_object_size(value) > 0) {
            snprintf(inner, sizeof inner, "%s.", shown);
            list_keys(value, inner, out, cap, n);
        } else if ((*n)++ == SHOWN_KEYS)
            snprintf(out + used, cap - used, ", ...");
        else
            snprintf(out + used, cap - used, "%s%s%s", used ? ", " : "", prefix, shown);
    }
}

void dc_json_line_keys(const dc_json_line *j, char *out, size_t cap)
{
    int n = 0;
    snprintf(out, cap, "none");
    list_keys(j->root, "", out, cap, &n);
}
