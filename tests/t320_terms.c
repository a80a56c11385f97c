/* Words of documents: characters as Python sees them, tokens, n-grams, stop words, repair of UTF-8; counts that do not
 * fit into the table, vocabularies, rows, options as text. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "check.h"
#include "dcmpi/terms.h"
#include "dcmpi/text.h"

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

static char seen[4096];

static dc_status note(void *ctx, const char *term, size_t n)
{
    (void)ctx;
    const size_t used = strlen(seen);
    snprintf(seen + used, sizeof seen - used, "%s%.*s", used ? "|" : "", (int)n, term);
    return DC_OK;
}

static const char *terms_of(const dc_vectorizer *v, const char *text, size_t n)
{
    dc_terms *t = NULL;
    seen[0] = '\0';
    CHECK_OK(dc_terms_create(&t, v));
    if (t) CHECK_OK(dc_terms_visit(t, text, n, note, NULL));
    dc_terms_destroy(&t);
    return seen;
}

static dc_vectorizer with(const char *name, const char *value)
{
    dc_vectorizer v = dc_vectorizer_default();
    bool known = false;
    CHECK_OK(dc_vectorizer_set(&v, name, value, &known));
    CHECK(known);
    return v;
}

static void test_tokens(void)
{
    const dc_vectorizer plain = dc_vectorizer_default(), capitals = with("lowercase", "no"),
                        pairs = with("ngram-range", "1,2"), triples = with("ngram_range", "3,3"),
                        english = with("stop-words", "english");
#define TERMS(v, text) terms_of(&(v), text, sizeof(text) - 1)
    CHECK_TEXT(TERMS(plain, "The team's 2 goals, a_b x1 \xC3\x89t\xC3\xA9!"),
               "the|team|goals|a_b|x1|\xC3\xA9t\xC3\xA9");
    CHECK_TEXT(TERMS(plain, "one\0two"), "one|two");
    CHECK_TEXT(TERMS(plain, ""), "");
    CHECK_TEXT(TERMS(plain, " a b c . ! "), "");
    CHECK_TEXT(TERMS(capitals, "The TEAM"), "The|TEAM");
    CHECK_TEXT(TERMS(pairs, "red green blue"), "red|green|red green|blue|green blue");
    CHECK_TEXT(TERMS(triples, "red green blue x cyan"), "red green blue|green blue cyan");
    CHECK_TEXT(TERMS(english, "The cry of the computer and fire engines"), "computer|engines");
    /* U+0130 becomes i and a combining dot, which ends the word. */
    CHECK_TEXT(TERMS(plain, "\xC4\xB0stanbul"), "stanbul");
    CHECK_TEXT(TERMS(capitals, "\xC4\xB0stanbul"), "\xC4\xB0stanbul");
    CHECK_TEXT(TERMS(plain, "ab\xCC\x81"
                            "cd"),
               "ab|cd"); /* a combining accent is no word character */
    /* Sigmas: final at the end and before a blank, not before a letter behind an apostrophe, nor alone. */
    CHECK_TEXT(TERMS(plain, "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3"), "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82");
    CHECK_TEXT(TERMS(plain, "\xCE\x91\xCE\xA3\xCE\x91 \xCE\x91\xCE\xA3 xx"),
               "\xCE\xB1\xCF\x83\xCE\xB1|\xCE\xB1\xCF\x82|xx");
    CHECK_TEXT(TERMS(plain, "\xCE\x91\xCE\xA3'\xCE\x91\xCE\x91"), "\xCE\xB1\xCF\x83|\xCE\xB1\xCE\xB1");
    CHECK_TEXT(TERMS(plain, "\xCE\xA3\xCE\xA3"), "\xCF\x83\xCF\x82");
    CHECK_TEXT(TERMS(plain, "x\xC2\xB2 \xE2\x85\xA7\xE2\x85\xA7 \xD9\xA3\xD9\xA4"),
               "x\xC2\xB2|\xE2\x85\xB7\xE2\x85\xB7|\xD9\xA3\xD9\xA4");
}

static void test_long_words(void)
{
    const dc_vectorizer v = with("ngram-range", "1,2");
    char text[1024];
    dc_terms *t = NULL;
    memset(text, 'x', sizeof text);
    text[DC_TERM_MAX_BYTES] = text[DC_TERM_MAX_BYTES + 3] = ' ';
    seen[0] = '\0';
    CHECK_OK(dc_terms_create(&t, &v));
    CHECK_OK(dc_terms_visit(t, text, DC_TERM_MAX_BYTES + 3, note, NULL));
    CHECK_INT(strlen(seen), DC_TERM_MAX_BYTES + 3); /* the long word, and xx; their pair is too long */
    CHECK_INT(dc_terms_too_long(t), 1);
    CHECK_OK(dc_terms_visit(t, text + DC_TERM_MAX_BYTES + 4, DC_TERM_MAX_BYTES + 1, note, NULL));
    CHECK_INT(dc_terms_too_long(t), 2);
    dc_terms_destroy(&t);
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------- */

static void check_repair(const char *text, size_t n, const char *replaced, int64_t places)
{
    char out[256];
    int64_t bad;
    const size_t length = dc_utf8_repair(text, n, true, NULL, &bad);
    CHECK_INT(dc_utf8_repair(text, n, true, out, &bad), length);
    out[length] = '\0';
    CHECK_TEXT(out, replaced);
    CHECK_INT(bad, places);
}

static void test_utf8(void)
{
#define MARK "\xEF\xBF\xBD"
    CHECK_INT(dc_utf8_valid("0123456789\xC3\xA9", 12), 12);
    CHECK_INT(dc_utf8_valid("0123456789\xE9x", 12), 10);
    check_repair("a\xE9 b", 4, "a" MARK " b", 1);
    check_repair("\xE2\x82x", 3, MARK "x", 1);          /* a beginning is one place */
    check_repair("\xED\xA0\x80", 3, MARK MARK MARK, 3); /* a surrogate is three */
    check_repair("\xF0\x9F\x98", 3, MARK, 1);
    check_repair("\xC0\xAF\xFF", 3, MARK MARK MARK, 3);
    check_repair("\xF4\x90\x80\x80", 4, MARK MARK MARK MARK, 4);
}

/* ---- Counts ------------------------------------------------------------------------------------------------------ */

enum { WORDS = 500, DOCUMENTS = 300 };

/* Document d has the word w (d * w) % 5 times; the table has room for few words, so that documents are cut. */
static void test_counts(size_t room)
{
    dc_tally *c = NULL;
    dc_term_count r, last = {0};
    char word[16], before[16] = "";
    bool found;
    int n = 0, wrong = 0;
    CHECK_OK(dc_tally_create(&c, "t320.h5", room));
    for (int d = 0; d < DOCUMENTS; d++)
        for (int w = 0; w < WORDS; w++)
            for (int i = 0; i < d * w % 5; i++) {
                const int length = snprintf(word, sizeof word, "w%d", w);
                wrong += dc_tally_add(c, d, word, (size_t)length) != DC_OK;
            }
    CHECK_OK(dc_tally_finish(c));
    for (;; n++) {
        wrong += dc_tally_next(c, &r, &found) != DC_OK;
        if (!found) break;
        const int w = atoi(r.term + 1);
        int64_t df = 0, tf = 0;
        for (int d = 0; d < DOCUMENTS; d++) df += d * w % 5 > 0, tf += d * w % 5;
        wrong += r.df != df || r.tf != tf || r.hash != XXH3_64bits(r.term, r.n);
        if (n > 0) wrong += dc_term_order(&last, &r) >= 0;
        memcpy(before, r.term, r.n);
        last = r;
        last.term = before;
    }
    CHECK_INT(n, WORDS - WORDS / 5);
    CHECK_INT(wrong, 0);
    dc_tally_destroy(&c);
}

/* ---- Vocabulary and rows ----------------------------------------------------------------------------------------- */

static char *text_of(const char *text)
{
    char *copy = NULL;
    CHECK_OK(dc_mem_alloc(&copy, strlen(text) + 1, 1, "test"));
    if (copy) strcpy(copy, text);
    return copy;
}

static void test_vocabulary(void)
{
    dc_vocabulary voc;
    CHECK_OK(dc_vocabulary_make(&voc, 4, text_of("ape\napes\nbee\nbee hive"), NULL, NULL));
    CHECK_INT(dc_vocabulary_find(&voc, "ape", 3), 0);
    CHECK_INT(dc_vocabulary_find(&voc, "apes", 4), 1);
    CHECK_INT(dc_vocabulary_find(&voc, "bee hive", 8), 3);
    CHECK_INT(dc_vocabulary_find(&voc, "be", 2), -1);
    dc_vocabulary_release(&voc);
    CHECK_STATUS(dc_vocabulary_make(&voc, 2, text_of("b\na"), NULL, NULL), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_vocabulary_make(&voc, 2, text_of("a\na"), NULL, NULL), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_vocabulary_make(&voc, 3, text_of("a\nb"), NULL, NULL), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_vocabulary_make(&voc, 1, text_of("a\nb"), NULL, NULL), DC_ERR_FORMAT);
    dc_error_clear();
}

static void test_rows(void)
{
    dc_vocabulary voc;
    dc_row_maker *m = NULL;
    size_t n = 0;
    const int32_t *col = NULL;
    const float *val = NULL;
    double *idf = NULL;
    int wrong = 0;
    const int64_t df[] = {1, 3, 7};
    CHECK_OK(dc_mem_alloc(&idf, 3, sizeof *idf, "test"));
    dc_idf(df, 3, 7, true, idf);
    CHECK_NEAR(idf[0], 1 + log(8 / 2.), 1e-15);
    CHECK_NEAR(idf[2], 1, 1e-15);
    const dc_vectorizer v = with("sublinear_tf", "yes");
    CHECK_OK(dc_vocabulary_make(&voc, 3, text_of("ape\nbee\ncat"), NULL, idf));
    CHECK_OK(dc_row_maker_create(&m, &v, &voc));
    for (int i = 0; i < 100000; i++) /* more than the maker holds before it adds up */
        wrong += dc_row_maker_add(m, i % 4 ? "cat" : "ape", 3) != DC_OK;
    CHECK_INT(wrong, 0);
    CHECK_OK(dc_row_maker_take(m, &n, &col, &val));
    CHECK_INT(n, 2);
    const double a = (1 + log(25000)) * (1 + log(4)), b = 1 + log(75000);
    CHECK_INT(col[0], 0);
    CHECK_INT(col[1], 2);
    CHECK_NEAR(val[0], a / sqrt(a * a + b * b), 1e-7);
    CHECK_NEAR(val[1], b / sqrt(a * a + b * b), 1e-7);
    CHECK_OK(dc_row_maker_take(m, &n, &col, &val));
    CHECK_INT(n, 0);
    dc_row_maker_destroy(&m);
    dc_vocabulary_release(&voc);
}

/* Hashes of scikit-learn's murmurhash3_32(word, 0) modulo 1000. */
static void test_hash(void)
{
    static const struct {
        const char *word;
        int column, sign;
    } known[] = {{"team", 219, -1},
                 {"a", 850, 1},
                 {"ab", 305, -1},
                 {"abc", 294, -1},
                 {"abcd", 978, 1},
                 {"\xC3\xA9"
                  "t\xC3\xA9",
                  935, 1},
                 {"bee hive", 454, -1},
                 {"antidisestablishmentarianism", 748, -1}};
    for (size_t i = 0; i < DC_COUNT_OF(known); i++) {
        int sign;
        CHECK_INT(dc_hash_column(known[i].word, strlen(known[i].word), 1000, &sign), known[i].column);
        CHECK_INT(sign, known[i].sign);
    }
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static void test_options(void)
{
    static const char *const wrong[][2] = {
        {"min_df", "0"},        {"min-df", "-1"},       {"max_df", "1.5"},      {"max_df", "x"}, {"ngram_range", "2,1"},
        {"ngram_range", "1"},   {"ngram_range", "1,9"}, {"norm", "l3"},         {"norm", ""},    {"stop_words", "x"},
        {"lowercase", "maybe"}, {"hashing", "-5"},      {"max_features", "1e3"}};
    dc_vectorizer v, w;
    bool known;
    char *text = NULL;
    for (size_t i = 0; i < DC_COUNT_OF(wrong); i++) {
        v = dc_vectorizer_default();
        CHECK_STATUS(dc_vectorizer_set(&v, wrong[i][0], wrong[i][1], &known), DC_ERR_USAGE);
        dc_error_clear();
    }
    v = dc_vectorizer_default();
    CHECK_OK(dc_vectorizer_set(&v, "min_dff", "1", &known));
    CHECK(!known);
    static const char *const right[][2] = {{"min_df", "5"},           {"max-df", "0.25"},     {"ngram-range", "2,3"},
                                           {"stop_words", "list"},    {"stop_list", "the a"}, {"sublinear_tf", "yes"},
                                           {"norm", "none"},          {"scale", "sqrt-d"},    {"max_features", "2000"},
                                           {"decode_error", "ignore"}};
    for (size_t i = 0; i < DC_COUNT_OF(right); i++) {
        CHECK_OK(dc_vectorizer_set(&v, right[i][0], right[i][1], &known));
        CHECK(known);
    }
    CHECK_NEAR(dc_df_bound_count(&v.max_df, 10), 2.5, 0);
    CHECK_NEAR(dc_df_bound_count(&v.min_df, 10), 5, 0);
    CHECK_OK(dc_vectorizer_print(&v, &text));
    CHECK_OK(dc_vectorizer_parse(&w, text));
    CHECK_TEXT(w.stop_list, "the a");
    CHECK(w.min_df.count == 5 && w.max_df.share == 0.25 && w.ngram_min == 2 && w.ngram_max == 3 && w.sublinear_tf);
    CHECK(w.norm == DC_TEXT_NORM_NONE && w.scale_sqrt_d && w.max_features == 2000 && w.decode == DC_DECODE_IGNORE);
    CHECK(w.use_idf && w.smooth_idf && w.lowercase && w.hashing == 0 && w.alternate_sign);
    dc_vectorizer_release(&w);
    dc_vectorizer_release(&v);
    dc_mem_free(&text);
    CHECK_STATUS(dc_vectorizer_parse(&w, "norm=l9\n"), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_vectorizer_parse(&w, "stop_words=list\n"), DC_ERR_FORMAT);
    dc_error_clear();
}

int main(void)
{
    test_tokens();
    test_long_words();
    test_utf8();
    test_counts(1 << 10);
    test_counts(7);
    test_counts(64);
    test_vocabulary();
    test_rows();
    test_hash();
    test_options();
    CHECK_INT(dc_mem_live_count(), 0);
    return check_done();
}
