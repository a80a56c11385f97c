/* Cuts a document into terms. The tables of characters are those of libunistring: general categories, lower case, and
 * the properties on which the form of a final sigma depends. */
#include <string.h>
#include <unicase.h>
#include <unictype.h>

#include "dcmpi/mem.h"
#include "dcmpi/terms.h"
#include "dcmpi/text.h"

enum { CAPITAL_SIGMA = 0x3A3, SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_DOT = 0x130, CHAR_MAX_BYTES = 4 };

typedef struct {
    char text[DC_TERM_MAX_BYTES + CHAR_MAX_BYTES];
    size_t n; /* bytes; at most DC_TERM_MAX_BYTES are kept */
    int64_t chars;
} word;

struct dc_terms {
    const dc_vectorizer *v;
    dc_nameset *stop; /* NULL: none */
    char ascii[128];  /* what a word gets for the character; 0: not a word character */
    int64_t too_long;
    word now;                /* the word that is being read */
    word last[DC_NGRAM_MAX]; /* the last words, in a ring */
    int held, next;
    char joined[DC_NGRAM_MAX * (DC_TERM_MAX_BYTES + 1)];
    dc_term_visitor visit;
    void *ctx;
};

/* Whether Python's \w matches the character. */
static bool is_word_char(uint32_t c)
{
    if (c == '_') return true;
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_N);
}

/* ---- Setting up -------------------------------------------------------------------------------------------------- */

static dc_status add_listed(dc_nameset *set, const char *list)
{
    dc_status st = DC_OK;
    for (const char *p = list; *p; p += strspn(p, " ")) {
        const size_t n = strcspn(p, " ");
        if (n > 0) DC_TRY(dc_nameset_add(set, p, n));
        p += n;
    }
out:
    return st;
}

static dc_status make_stop_set(dc_terms *t)
{
    dc_status st = DC_OK;
    if (t->v->stop == DC_STOP_WORDS_NONE) return DC_OK;
    DC_TRY(dc_nameset_create(&t->stop));
    if (t->v->stop == DC_STOP_WORDS_LIST) return add_listed(t->stop, t->v->stop_list);
    for (size_t i = 0; i < DC_ENGLISH_STOP_WORDS; i++)
        DC_TRY(dc_nameset_add(t->stop, dc_english_stop_words[i], strlen(dc_english_stop_words[i])));
out:
    return st;
}

static void fill_ascii(dc_terms *t)
{
    for (int c = 0; c < 128; c++) {
        const bool upper = c >= 'A' && c <= 'Z';
        if (is_word_char((uint32_t)c)) t->ascii[c] = (char)(upper && t->v->lowercase ? c + 'a' - 'A' : c);
    }
}

dc_status dc_terms_create(dc_terms **out, const dc_vectorizer *v)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "cutter of words"));
    (*out)->v = v;
    fill_ascii(*out);
    DC_TRY(make_stop_set(*out));
out:
    if (st != DC_OK) dc_terms_destroy(out);
    return st;
}

void dc_terms_destroy(dc_terms **t)
{
    if (!*t) return;
    dc_nameset_destroy(&(*t)->stop);
    dc_mem_free(t);
}

int64_t dc_terms_too_long(const dc_terms *t)
{
    return t->too_long;
}

/* ---- Terms of words ---------------------------------------------------------------------------------------------- */

/* Gives the terms of k words that end with the last one. */
static dc_status give_ngram(dc_terms *t, int k)
{
    size_t n = 0;
    for (int i = k; i >= 1; i--) {
        const word *w = &t->last[(t->next - i + DC_NGRAM_MAX) % DC_NGRAM_MAX];
        if (n > 0) t->joined[n++] = ' ';
        memcpy(t->joined + n, w->text, w->n);
        n += w->n;
    }
    if (n <= DC_TERM_MAX_BYTES) return t->visit(t->ctx, t->joined, n);
    t->too_long++;
    return DC_OK;
}

static dc_status give_word(dc_terms *t)
{
    dc_status st = DC_OK;
    const word *w = &t->now;
    if (w->n > DC_TERM_MAX_BYTES) {
        t->too_long++;
        return DC_OK;
    }
    if (t->stop && dc_nameset_find(t->stop, w->text, w->n) >= 0) return DC_OK;
    if (t->v->ngram_max == 1) return t->visit(t->ctx, w->text, w->n);
    word *slot = &t->last[t->next];
    memcpy(slot->text, w->text, w->n);
    slot->n = w->n;
    t->next = (t->next + 1) % DC_NGRAM_MAX;
    t->held = DC_MIN(t->held + 1, (int)DC_NGRAM_MAX);
    for (int k = t->v->ngram_min; k <= DC_MIN(t->v->ngram_max, t->held); k++) DC_TRY(give_ngram(t, k));
out:
    return st;
}

static dc_status end_word(dc_terms *t)
{
    const dc_status st = t->now.chars >= 2 ? give_word(t) : DC_OK;
    t->now.n = 0;
    t->now.chars = 0;
    return st;
}

static void add_char(word *w, const char *bytes, size_t n)
{
    if (w->n <= DC_TERM_MAX_BYTES) memcpy(w->text + w->n, bytes, n);
    w->n = DC_MIN(w->n + n, (size_t)DC_TERM_MAX_BYTES + 1);
    w->chars++;
}

/* ---- Characters -------------------------------------------------------------------------------------------------- */

/* Start of the character that ends before text[at]. */
static size_t previous(const char *text, size_t at)
{
    do at--;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

/* A sigma is final if a letter that has case comes before it and none after it; characters that case ignores (marks,
 * apostrophes, full stops) do not count. at: where the sigma is; n_char: its bytes. */
static bool is_final_sigma(const char *text, size_t n, size_t at, size_t n_char)
{
    uint32_t c = 0;
    bool cased = false;
    for (size_t i = at; i > 0;) {
        i = previous(text, i);
        if (dc_utf8_char(text + i, n - i, &c) == 0) return false;
        if (uc_is_property_case_ignorable(c)) continue;
        cased = uc_is_property_cased(c);
        break;
    }
    if (!cased) return false;
    for (size_t i = at + n_char; i < n;) {
        const size_t length = dc_utf8_char(text + i, n - i, &c);
        if (length == 0) break;
        i += length;
        if (!uc_is_property_case_ignorable(c)) return !uc_is_property_cased(c);
    }
    return true;
}

static uint32_t lower(const char *text, size_t n, size_t at, size_t n_char, uint32_t c)
{
    if (c == CAPITAL_SIGMA) return is_final_sigma(text, n, at, n_char) ? FINAL_SIGMA : SIGMA;
    return uc_tolower(c);
}

/* Handles the character beyond ASCII at text[at]; *used gets its bytes. */
static dc_status take_wide(dc_terms *t, const char *text, size_t n, size_t at, size_t *used)
{
    char bytes[CHAR_MAX_BYTES];
    uint32_t c = 0;
    *used = dc_utf8_char(text + at, n - at, &c);
    if (*used == 0) {
        *used = 1;
        return end_word(t);
    }
    if (t->v->lowercase && c == CAPITAL_I_DOT) { /* becomes i and U+0307, which is not a word character */
        add_char(&t->now, "i", 1);
        return end_word(t);
    }
    if (t->v->lowercase) c = lower(text, n, at, *used, c);
    if (!is_word_char(c)) return end_word(t);
    add_char(&t->now, bytes, dc_utf8_put(c, bytes));
    return DC_OK;
}

dc_status dc_terms_visit(dc_terms *t, const char *text, size_t n, dc_term_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    t->visit = visit;
    t->ctx = ctx;
    t->held = t->next = 0;
    t->now.n = 0, t->now.chars = 0;
    for (size_t i = 0, used; i < n; i += used) {
        const unsigned char b = (unsigned char)text[i];
        used = 1;
        if (b >= 128)
            DC_TRY(take_wide(t, text, n, i, &used));
        else if (t->ascii[b])
            add_char(&t->now, &t->ascii[b], 1);
        else if (t->now.chars > 0)
            DC_TRY(end_word(t));
    }
    DC_TRY(end_word(t));
out:
    return st;
}
