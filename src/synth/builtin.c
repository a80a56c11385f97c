/* Names of built-in data: a kind, and settings of it. */
#include "dcmpi/builtin.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "dcmpi/text.h"

static const char PREFIX[] = "builtin:";
static const char *const kinds[] = {DC_BUILTIN_GLYPHS, DC_BUILTIN_EMBEDDINGS};
static const dc_builtin defaults[] = {[DC_DATA_GLYPHS] = {DC_DATA_GLYPHS, DC_GLYPH_ROWS_DEFAULT, .seed = -1,
                                                          .D = DC_GLYPH_PIXELS, .C = DC_GLYPH_CLASSES, .dtype = DC_U8},
                                      [DC_DATA_EMBEDDINGS] = {DC_DATA_EMBEDDINGS, 100000, .seed = -1, .D = 64,
                                                              .C = 1000, .dtype = DC_F16, .exponent = 0.7,
                                                              .spread = 0.6, .duplicates = 0.05, .cosine = 0.97}};

/* Rows are numbers that fit beside the kind of a draw (embeddings.c). */
static const double ROWS_MAX = 1e12;

enum { ALL_KINDS = -1 };
static const struct {
    const char *name;
    int kind; /* dc_builtin_kind, or ALL_KINDS */
    bool whole;
    size_t at;
    double min, max;
} settings[] = {
    {"rows", ALL_KINDS, true, offsetof(dc_builtin, rows), 1, ROWS_MAX},
    {"first", ALL_KINDS, true, offsetof(dc_builtin, first), 0, ROWS_MAX},
    {"seed", ALL_KINDS, true, offsetof(dc_builtin, seed), 0, INT32_MAX},
    {"width", DC_DATA_EMBEDDINGS, true, offsetof(dc_builtin, D), 4, 65536},
    {"clusters", DC_DATA_EMBEDDINGS, true, offsetof(dc_builtin, C), 1, 1e7},
    {"exponent", DC_DATA_EMBEDDINGS, false, offsetof(dc_builtin, exponent), 0, 4},
    {"spread", DC_DATA_EMBEDDINGS, false, offsetof(dc_builtin, spread), 0, 100},
    {"duplicates", DC_DATA_EMBEDDINGS, false, offsetof(dc_builtin, duplicates), 0, 0.9},
    {"cosine", DC_DATA_EMBEDDINGS, false, offsetof(dc_builtin, cosine), 0, 1},
};
static const char TYPE[] = "type";
enum { WORD_MAX = 64, NAMES_MAX = DC_COUNT_OF(settings) + 1 };

bool dc_builtin_is(const char *name)
{
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

/* Always false. */
__attribute__((format(printf, 2, 3))) static bool fail(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, DC_BUILTIN_WHY_MAX, format, args);
    va_end(args);
    return false;
}

static bool find_kind(const char *word, dc_builtin *b, char *why)
{
    for (size_t k = 0; k < DC_COUNT_OF(kinds); k++)
        if (strcmp(word, kinds[k]) == 0) {
            *b = defaults[k];
            return true;
        }
    const int near = dc_nearest_name(word, kinds, DC_COUNT_OF(kinds));
    if (near >= 0) return fail(why, "'%s' is unknown, did you mean '%s'?", word, kinds[near]);
    return fail(why, "'%s' is unknown; there are " DC_BUILTIN_GLYPHS " and " DC_BUILTIN_EMBEDDINGS, word);
}

static bool set_type(const char *value, dc_builtin *b, char *why)
{
    static const dc_dtype types[] = {DC_F16, DC_F32};
    for (size_t i = 0; i < DC_COUNT_OF(types); i++)
        if (strcmp(value, dc_dtype_name(types[i])) == 0) {
            b->dtype = types[i];
            return true;
        }
    return fail(why, "%s=%s is neither float16 nor float32", TYPE, value);
}

static bool set_number(size_t i, const char *value, dc_builtin *b, char *why)
{
    char *end;
    errno = 0;
    const double v = strtod(value, &end);
    const bool is_number = *value && *end == '\0' && errno == 0 && v >= settings[i].min && v <= settings[i].max;
    if (!is_number || (settings[i].whole && v != (double)(int64_t)v))
        return fail(why, "%s=%s is not a%s number from %.15g to %.15g", settings[i].name, value,
                    settings[i].whole ? " whole" : "", settings[i].min, settings[i].max);
    void *to = (char *)b + settings[i].at;
    if (settings[i].whole)
        *(int64_t *)to = (int64_t)v;
    else
        *(double *)to = v;
    if (settings[i].at == offsetof(dc_builtin, rows)) b->sized = true;
    return true;
}

/* given: settings so far, a bit each. */
static bool is_first(size_t i, const char *key, unsigned *given, char *why)
{
    if (*given >> i & 1) return fail(why, "%s is given twice", key);
    *given |= 1U << i;
    return true;
}

static bool set(const char *key, const char *value, unsigned *given, dc_builtin *b, char *why)
{
    const char *names[NAMES_MAX];
    int n = 0;
    if (b->kind == DC_DATA_EMBEDDINGS && strcmp(key, TYPE) == 0)
        return is_first(DC_COUNT_OF(settings), key, given, why) && set_type(value, b, why);
    for (size_t i = 0; i < DC_COUNT_OF(settings); i++) {
        if (settings[i].kind != ALL_KINDS && settings[i].kind != (int)b->kind) continue;
        if (strcmp(key, settings[i].name) == 0) return is_first(i, key, given, why) && set_number(i, value, b, why);
        names[n++] = settings[i].name;
    }
    if (b->kind == DC_DATA_EMBEDDINGS) names[n++] = TYPE;
    const int near = dc_nearest_name(key, names, n);
    if (near >= 0) return fail(why, "'%s' is no setting of %s, did you mean '%s'?", key, kinds[b->kind], names[near]);
    return fail(why, "'%s' is no setting of %s", key, kinds[b->kind]);
}

/* Copies what stands before the next comma, made fit to print. */
static bool take_word(const char **p, char word[WORD_MAX], char *why)
{
    const size_t n = strcspn(*p, ",");
    memcpy(word, *p, DC_MIN(n, (size_t)WORD_MAX - 1));
    word[DC_MIN(n, (size_t)WORD_MAX - 1)] = '\0';
    dc_text_clean(word, "");
    *p += n;
    return n < WORD_MAX || fail(why, "'%s...' is unknown", word);
}

bool dc_builtin_parse(const char *name, dc_builtin *b, char *why)
{
    char word[WORD_MAX];
    unsigned given = 0;
    const char *p = name;
    if (!take_word(&p, word, why) || !find_kind(word, b, why)) return false;
    while (*p++ == ',') {
        if (!take_word(&p, word, why)) return false;
        char *value = strchr(word, '=');
        if (!value) return fail(why, "'%s' is not KEY=VALUE", word);
        *value++ = '\0';
        if (!set(word, value, &given, b, why)) return false;
    }
    return true;
}

static size_t digits(dc_gidx n)
{
    size_t count = 1;
    for (; n >= 10; n /= 10) count++;
    return count;
}

size_t dc_builtin_id_bytes(const dc_builtin *b, dc_gidx N)
{
    const size_t one = digits(b->first + N - 1);
    return b->kind != DC_DATA_EMBEDDINGS || b->duplicates == 0 ? 0 : 2 * one + 1;
}
