/* Options of the vectorizer: one table, from which they are set, printed and read back. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/terms.h"
#include "dcmpi/text.h"

dc_vectorizer dc_vectorizer_default(void)
{
    return (dc_vectorizer){.lowercase = true,
                           .ngram_min = 1,
                           .ngram_max = 1,
                           .min_df = {.count = 1},
                           .max_df = {.is_share = true, .share = 1},
                           .use_idf = true,
                           .smooth_idf = true,
                           .alternate_sign = true};
}

void dc_vectorizer_release(dc_vectorizer *v)
{
    dc_mem_free(&v->stop_list);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* How a value of the struct is written: */
typedef enum { YES_NO, RANGE, BOUND, COUNT, CHOICE, STOP, STOP_WORDS } kind;

typedef struct {
    const char *name;
    kind kind;
    size_t at;         /* of the value in the struct */
    const char *words; /* CHOICE: its names, separated by blanks */
    int64_t most;      /* COUNT */
} option;

#define AT(field) offsetof(dc_vectorizer, field)
static const option table[] = {
    {"lowercase", YES_NO, AT(lowercase), NULL, 0},
    {"ngram_range", RANGE, AT(ngram_min), NULL, 0},
    {"stop_words", STOP, AT(stop), NULL, 0},
    {"stop_list", STOP_WORDS, AT(stop_list), NULL, 0},
    {"min_df", BOUND, AT(min_df), NULL, 0},
    {"max_df", BOUND, AT(max_df), NULL, 0},
    {"max_features", COUNT, AT(max_features), NULL, INT32_MAX},
    {"sublinear_tf", YES_NO, AT(sublinear_tf), NULL, 0},
    {"use_idf", YES_NO, AT(use_idf), NULL, 0},
    {"smooth_idf", YES_NO, AT(smooth_idf), NULL, 0},
    {"norm", CHOICE, AT(norm), "l2 l1 none", 0},
    {"hashing", COUNT, AT(hashing), NULL, DC_TERMS_MAX_COLUMNS},
    {"alternate_sign", YES_NO, AT(alternate_sign), NULL, 0},
    {"scale", CHOICE, AT(scale_sqrt_d), "none sqrt-d", 0},
    {"decode_error", CHOICE, AT(decode), "strict replace ignore", 0},
};

static dc_status fail(const option *o, const char *value, const char *use)
{
    char shown[64], name[32];
    snprintf(name, sizeof name, "%s", o->name);
    for (char *p = name; *p; p++)
        if (*p == '_') *p = '-';
    dc_printable(shown, sizeof shown, value, strlen(value));
    return DC_FAIL(DC_ERR_USAGE, "--%s=%s: use %s", name, shown, use);
}

static bool read_count(const char *text, int64_t most, int64_t *value, const char **end)
{
    char *stop;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    *value = strtoll(text, &stop, 10);
    *end = stop;
    return errno == 0 && *value >= 1 && *value <= most;
}

static dc_status set_yes_no(const option *o, const char *value, bool *out)
{
    *out = strcmp(value, "yes") == 0;
    return *out || strcmp(value, "no") == 0 ? DC_OK : fail(o, value, "yes or no");
}

/* As in scikit-learn, a number without a point counts documents, and one with a point is a share of them. */
static dc_status set_bound(const option *o, const char *value, dc_df_bound *out)
{
    const char *end;
    char *stop;
    *out = (dc_df_bound){.is_share = strpbrk(value, ".eE") != NULL};
    if (!out->is_share) {
        if (read_count(value, INT64_MAX, &out->count, &end) && *end == '\0') return DC_OK;
    } else {
        out->share = strtod(value, &stop);
        if (*stop == '\0' && stop != value && out->share >= 0 && out->share <= 1) return DC_OK;
    }
    return fail(o, value, "a number of documents, such as 5, or a share with a point, 0.0 to 1.0");
}

static dc_status set_range(const option *o, const char *value, dc_vectorizer *v)
{
    int64_t low, high;
    const char *end;
    if (read_count(value, DC_NGRAM_MAX, &low, &end) && *end == ',' && read_count(end + 1, DC_NGRAM_MAX, &high, &end) &&
        *end == '\0' && low <= high) {
        v->ngram_min = (int)low;
        v->ngram_max = (int)high;
        return DC_OK;
    }
    return fail(o, value, "two numbers from 1 to 8, such as 1,2");
}

static dc_status set_choice(const option *o, const char *value, int *out)
{
    int i = 0;
    for (const char *p = o->words; *p; i++) {
        const size_t n = strcspn(p, " ");
        if (strlen(value) == n && memcmp(p, value, n) == 0) {
            *out = i;
            return DC_OK;
        }
        p += n + strspn(p + n, " ");
    }
    return fail(o, value,
                strcmp(o->name, "norm") == 0    ? "l2, l1 or none"
                : strcmp(o->name, "scale") == 0 ? "none or sqrt-d"
                                                : "strict, replace or ignore");
}

static dc_status set_list(dc_vectorizer *v, const char *words)
{
    const size_t n = strlen(words);
    if (n > DC_STOP_LIST_MAX_BYTES)
        return DC_FAIL(DC_ERR_USAGE, "--stop-words: the list has %zu bytes, at most %d are possible", n,
                       DC_STOP_LIST_MAX_BYTES);
    dc_mem_free(&v->stop_list);
    const dc_status st = dc_mem_alloc(&v->stop_list, n + 1, 1, "stop words");
    if (st == DC_OK) memcpy(v->stop_list, words, n);
    return st;
}

/* "none", "english", or "list": the words are another line. */
static dc_status set_stop(const option *o, const char *value, dc_vectorizer *v)
{
    static const char *const words[] = {"none", "english", "list"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, words[i]) != 0) continue;
        v->stop = (dc_stop_kind)i;
        return DC_OK;
    }
    return fail(o, value, "english, none or a file with one word per line");
}

static dc_status set(const option *o, dc_vectorizer *v, const char *value)
{
    void *at = (char *)v + o->at;
    const char *end;
    dc_status st;
    int choice = 0;
    switch (o->kind) {
    case YES_NO:
        return set_yes_no(o, value, at);
    case RANGE:
        return set_range(o, value, v);
    case BOUND:
        return set_bound(o, value, at);
    case COUNT:
        if (strcmp(value, "0") == 0) { /* as it is printed */
            *(int64_t *)at = 0;
            return DC_OK;
        }
        return read_count(value, o->most, at, &end) && *end == '\0' ? DC_OK : fail(o, value, "a number of columns");
    case CHOICE:
        st = set_choice(o, value, &choice);
        if (o->at == AT(norm)) v->norm = (dc_text_norm)choice;
        if (o->at == AT(scale_sqrt_d)) v->scale_sqrt_d = choice == 1;
        if (o->at == AT(decode)) v->decode = (dc_decode)choice;
        return st;
    case STOP:
        return set_stop(o, value, v);
    case STOP_WORDS:
        return set_list(v, value);
    }
    return DC_OK;
}

/* Finds an option by its name with dashes or underscores. */
static const option *find(const char *name, size_t n)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        const char *own = table[i].name;
        size_t k = 0;
        while (k < n && own[k] && (own[k] == name[k] || (own[k] == '_' && name[k] == '-'))) k++;
        if (k == n && own[k] == '\0') return &table[i];
    }
    return NULL;
}

dc_status dc_vectorizer_set(dc_vectorizer *v, const char *name, const char *value, bool *known)
{
    const option *o = find(name, strlen(name));
    *known = o != NULL;
    return o ? set(o, v, value) : DC_OK;
}

double dc_df_bound_count(const dc_df_bound *bound, int64_t n)
{
    return bound->is_share ? bound->share * (double)n : (double)bound->count;
}

dc_status dc_vectorizer_check(const dc_vectorizer *v)
{
    const bool bounds = v->max_features > 0 || v->min_df.is_share || v->min_df.count != 1 || !v->max_df.is_share ||
                        v->max_df.share != 1;
    if (v->hashing && bounds)
        return DC_FAIL(DC_ERR_USAGE, "--hashing has no vocabulary that --min-df, --max-df or --max-features could "
                                     "choose from");
    if (v->hashing && v->sublinear_tf && v->alternate_sign)
        return DC_FAIL(DC_ERR_USAGE, "--sublinear-tf with --hashing needs --alternate-sign=no: counts with a sign have "
                                     "no logarithm");
    if (v->hashing > DC_TERMS_MAX_COUNTED && v->use_idf)
        return DC_FAIL(DC_ERR_USAGE, "--use-idf with --hashing counts documents in each column, at most %d columns",
                       DC_TERMS_MAX_COUNTED);
    return DC_OK;
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

static void print_bound(const dc_df_bound *b, FILE *out)
{
    char text[40];
    if (!b->is_share) {
        fprintf(out, "%lld", (long long)b->count);
        return;
    }
    snprintf(text, sizeof text, "%.17g", b->share);
    fprintf(out, strpbrk(text, ".e") ? "%s" : "%s.0", text);
}

static void print_choice(const option *o, const dc_vectorizer *v, FILE *out)
{
    const char *p = o->words;
    int i = o->at == AT(norm) ? (int)v->norm : o->at == AT(decode) ? (int)v->decode : v->scale_sqrt_d;
    for (; i > 0; i--) p += strcspn(p, " ") + 1;
    fprintf(out, "%.*s", (int)strcspn(p, " "), p);
}

static void print(const option *o, const dc_vectorizer *v, FILE *out)
{
    static const char *const stops[] = {"none", "english", "list"};
    const void *at = (const char *)v + o->at;
    if (o->kind == STOP_WORDS && v->stop != DC_STOP_WORDS_LIST) return;
    fprintf(out, "%s=", o->name);
    switch (o->kind) {
    case YES_NO:
        fputs(*(const bool *)at ? "yes" : "no", out);
        break;
    case RANGE:
        fprintf(out, "%d,%d", v->ngram_min, v->ngram_max);
        break;
    case BOUND:
        print_bound(at, out);
        break;
    case COUNT:
        fprintf(out, "%lld", (long long)*(const int64_t *)at);
        break;
    case CHOICE:
        print_choice(o, v, out);
        break;
    case STOP:
        fputs(stops[v->stop], out);
        break;
    case STOP_WORDS:
        fputs(v->stop_list, out);
        break;
    }
    fputc('\n', out);
}

dc_status dc_vectorizer_print(const dc_vectorizer *v, char **text)
{
    const dc_status st = dc_mem_alloc(text, DC_VECTORIZER_TEXT_MAX, 1, "options of the vectorizer");
    if (st != DC_OK) return st;
    FILE *out = fmemopen(*text, DC_VECTORIZER_TEXT_MAX, "w");
    if (out)
        for (size_t i = 0; i < DC_COUNT_OF(table); i++) print(&table[i], v, out);
    if (out && fclose(out) == 0) return DC_OK;
    dc_mem_free(text);
    return DC_FAIL(DC_ERR_MEMORY, "not enough memory for the options of the vectorizer");
}

static dc_status parse_line(dc_vectorizer *v, const char *line, size_t n)
{
    char *value;
    const char *equals = memchr(line, '=', n);
    const option *o = equals ? find(line, (size_t)(equals - line)) : NULL;
    if (!o) return DC_OK;
    const size_t length = n - (size_t)(equals + 1 - line);
    dc_status st = dc_mem_alloc(&value, length + 1, 1, "option of the vectorizer");
    if (st != DC_OK) return st;
    memcpy(value, equals + 1, length);
    st = set(o, v, value);
    dc_mem_free(&value);
    return st;
}

dc_status dc_vectorizer_parse(dc_vectorizer *v, const char *text)
{
    dc_status st = DC_OK;
    *v = dc_vectorizer_default();
    for (const char *p = text; *p && st == DC_OK; p += *p == '\n') {
        const size_t n = strcspn(p, "\n");
        st = parse_line(v, p, n);
        p += n;
    }
    if (st == DC_OK && v->stop == DC_STOP_WORDS_LIST && !v->stop_list)
        st = DC_FAIL(DC_ERR_FORMAT, "the options of the vectorizer lack the stop words");
    if (st != DC_OK) {
        dc_vectorizer_release(v);
        return st == DC_ERR_USAGE ? DC_ERR_FORMAT : st;
    }
    return DC_OK;
}
