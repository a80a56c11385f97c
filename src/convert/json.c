/* Objects of JSON Lines, read by jansson. */
#include "convert/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/text.h"

void dc_json_line_release(dc_json_line *j)
{
    json_decref(j->root);
    j->root = NULL;
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
    snprintf(why, cap, "not a JSON object in one line: %s (byte %d of the line)", text, error.position);
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

bool dc_json_line_get(dc_json_line *j, const char *key, dc_json_use use, dc_span *value, bool *has, char *why,
                      size_t cap)
{
    char shown[64];
    const json_t *v = json_object_get(j->root, key);
    *value = (dc_span){NULL, 0};
    *has = v != NULL;
    if (!v || json_is_null(v)) return true;
    if (json_is_string(v)) {
        *value = (dc_span){json_string_value(v), json_string_length(v)};
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
    snprintf(why, cap, "the value of '%s' is %s, not a text%s", shown, type_of(v),
             use == DC_JSON_LABEL ? " or an integer" : "");
    return false;
}

void dc_json_line_keys(const dc_json_line *j, char *out, size_t cap)
{
    enum { SHOWN = 6 };
    json_t *value;
    const char *key;
    char shown[40];
    size_t used = 0;
    int n = 0;
    snprintf(out, cap, "none");
    json_object_foreach((json_t *)j->root, key, value)
    {
        (void)value;
        dc_printable(shown, sizeof shown, key, strlen(key));
        used += (size_t)snprintf(out + used, cap - used, "%s%s", n ? ", " : "", n < SHOWN ? shown : "...");
        if (n++ == SHOWN || used + sizeof shown + 8 > cap) break;
    }
}
