/* Words of documents and their weights, as scikit-learn's CountVectorizer, TfidfVectorizer and HashingVectorizer (with
 * the default token pattern) find them: tokens, n-grams, counts over a corpus, a vocabulary, and the weighted row of a
 * document. Serial; knows neither files of documents nor ranks. */
#ifndef DCMPI_TERMS_H
#define DCMPI_TERMS_H

#include "dcmpi/nameset.h"

/* ---- Options ----------------------------------------------------------------------------------------------------- */

enum {
    DC_TERM_MAX_BYTES = 255,          /* longer terms are left out */
    DC_NGRAM_MAX = 8,                 /* most words of a term */
    DC_STOP_LIST_MAX_BYTES = 1 << 19, /* own stop words, all together */
    DC_TERMS_MAX_COLUMNS = 1 << 30,   /* of --hashing */
    DC_TERMS_MAX_COUNTED = 1 << 24,   /* with idf */
    DC_VECTORIZER_TEXT_MAX = (1 << 19) + 4096
};

typedef enum { DC_TEXT_NORM_L2, DC_TEXT_NORM_L1, DC_TEXT_NORM_NONE } dc_text_norm;
typedef enum { DC_STOP_WORDS_NONE, DC_STOP_WORDS_ENGLISH, DC_STOP_WORDS_LIST } dc_stop_kind;
typedef enum { DC_DECODE_STRICT, DC_DECODE_REPLACE, DC_DECODE_IGNORE } dc_decode;

/* A bound of document frequency: a number of documents, or a share of all of them. */
typedef struct {
    bool is_share;
    double share;
    int64_t count;
} dc_df_bound;

/* How documents become rows. Names and meanings are those of scikit-learn, except `hashing` (n_features of the
 * HashingVectorizer, 0: a vocabulary) and `scale_sqrt_d` (rows times the square root of the number of columns). */
typedef struct {
    bool lowercase;
    int ngram_min, ngram_max;
    dc_stop_kind stop;
    char *stop_list; /* words separated by blanks, if stop is LIST; owned, dc_vectorizer_release() */
    dc_df_bound min_df, max_df;
    int64_t max_features; /* 0: all */
    bool sublinear_tf, use_idf, smooth_idf;
    dc_text_norm norm;
    int64_t hashing;
    bool alternate_sign;
    bool scale_sqrt_d;
    dc_decode decode;
} dc_vectorizer;

/* The defaults of TfidfVectorizer. */
dc_vectorizer dc_vectorizer_default(void);
void dc_vectorizer_release(dc_vectorizer *v);
/* Sets one option by its name (with dashes or underscores) from text. *known is false if there is no such option.
 * Errors: DC_ERR_USAGE, with the values that are legal. */
DC_CHECKED dc_status dc_vectorizer_set(dc_vectorizer *v, const char *name, const char *value, bool *known);
/* Whether the options fit each other. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_vectorizer_check(const dc_vectorizer *v);
/* Lines of key=value that dc_vectorizer_parse() reads; the caller frees *text with dc_mem_free(). */
DC_CHECKED dc_status dc_vectorizer_print(const dc_vectorizer *v, char **text);
/* Reads such lines and skips keys of others. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_vectorizer_parse(dc_vectorizer *v, const char *text);
/* The documents that a bound allows, of n. */
double dc_df_bound_count(const dc_df_bound *bound, int64_t n);

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------- */

/* Length of the valid UTF-8 at the start of text[n]: n if all of it is valid. */
size_t dc_utf8_valid(const char *text, size_t n);
/* Copies text[n] to `out`, which has room for the result (NULL: only finds its length); what is not UTF-8 becomes
 * U+FFFD, one for each longest beginning of a character (as in Python), or is left out. Returns the length; *bad counts
 * the places. */
size_t dc_utf8_repair(const char *text, size_t n, bool replace, char *out, int64_t *bad);

/* ---- Terms of a document ----------------------------------------------------------------------------------------- */

typedef dc_status (*dc_term_visitor)(void *ctx, const char *term, size_t n);

typedef struct dc_terms dc_terms;
/* v is borrowed. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_terms_create(dc_terms **out, const dc_vectorizer *v);
void dc_terms_destroy(dc_terms **t);
/* Calls visit for each term of text[n], which is valid UTF-8: runs of at least two word characters (letters, numbers of
 * categories Nd, Nl and No, underscores) of the text in lower case, without stop words; n-grams joined by blanks. */
DC_CHECKED dc_status dc_terms_visit(dc_terms *t, const char *text, size_t n, dc_term_visitor visit, void *ctx);
/* Terms left out so far because they were longer than DC_TERM_MAX_BYTES. */
int64_t dc_terms_too_long(const dc_terms *t);
/* The 318 words of scikit-learn's ENGLISH_STOP_WORDS, in ascending order. */
enum { DC_ENGLISH_STOP_WORDS = 318 };
extern const char *const dc_english_stop_words[DC_ENGLISH_STOP_WORDS];

/* ---- Files without a name ---------------------------------------------------------------------------------------- */

/* Bytes that are appended and later read in order, in a file without a name, which vanishes with the process. */
typedef struct dc_spool dc_spool;
/* The file lies in the folder of `beside`; it is made when the buffer of 1 MiB is full. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_spool_create(dc_spool **out, const char *beside);
void dc_spool_destroy(dc_spool **s);
/* Errors of this and of dc_spool_flush(): those of dc_scratch_write(). */
DC_CHECKED dc_status dc_spool_put(dc_spool *s, const void *data, size_t bytes);
int64_t dc_spool_bytes(const dc_spool *s);
/* Reads data[bytes] from byte `at` on; everything must have been flushed. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_spool_flush(dc_spool *s);
DC_CHECKED dc_status dc_spool_read(const dc_spool *s, int64_t at, void *data, size_t bytes);

/* ---- Counts over documents --------------------------------------------------------------------------------------- */

/* How often a term occurs. first and last: numbers of the first and the last document that has it. */
typedef struct {
    uint64_t hash;
    int64_t df, tf, first, last;
    size_t n;
    const char *term;
} dc_term_count;
int dc_term_order(const dc_term_count *a, const dc_term_count *b); /* by hash, then by bytes */

/* Counts of terms in bounded memory: when a table of `room` terms is full, it goes to a spool, sorted. Documents are
 * numbered 0, 1, ...; a document may be cut by this anywhere. */
typedef struct dc_tally dc_tally;
enum { DC_TALLY_ROOM = 1 << 21 };
DC_CHECKED dc_status dc_tally_create(dc_tally **out, const char *beside, size_t room);
void dc_tally_destroy(dc_tally **c);
DC_CHECKED dc_status dc_tally_add(dc_tally *c, int64_t document, const char *term, size_t n);
/* After the last document: frees the table, and then gives the terms in dc_term_order(), each once. r->term is valid
 * until the next call. *found is false at the end. */
DC_CHECKED dc_status dc_tally_finish(dc_tally *c);
DC_CHECKED dc_status dc_tally_next(dc_tally *c, dc_term_count *r, bool *found);
/* Bytes that all terms take as records, an upper bound for those that dc_tally_next() gives. */
int64_t dc_tally_bytes(const dc_tally *c);

/* ---- Vocabulary -------------------------------------------------------------------------------------------------- */

/* Terms in ascending order of their bytes (which is that of their characters); term i is column i. */
typedef struct {
    int64_t D;
    char *text;   /* names, one per line, no final line break; owned */
    size_t bytes; /* of text */
    size_t *at;   /* [D + 1] where names begin; at[D] = bytes + 1 */
    int64_t *df;  /* [D], NULL if unknown */
    double *idf;  /* [D], NULL: not weighted by it */
    uint64_t *slots;
    size_t mask;
} dc_vocabulary;
/* Makes a vocabulary of D terms, one per line and sorted. Takes `text` (dc_mem), df and idf, which may be NULL. Errors:
 * DC_ERR_FORMAT (not D lines, not sorted), DC_ERR_MEMORY; then they are freed. */
DC_CHECKED dc_status dc_vocabulary_make(dc_vocabulary *voc, int64_t D, char *text, int64_t *df, double *idf);
void dc_vocabulary_release(dc_vocabulary *voc);
/* Column of a term, or -1. */
int64_t dc_vocabulary_find(const dc_vocabulary *voc, const char *term, size_t n);
/* idf[D] of TfidfTransformer for N documents. */
void dc_idf(const int64_t *df, int64_t D, int64_t N, bool smooth, double *idf);

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Collects the terms of a document and makes its row. */
typedef struct dc_row_maker dc_row_maker;
/* Borrows v and voc; with v->hashing, voc only brings idf, if there is one. */
DC_CHECKED dc_status dc_row_maker_create(dc_row_maker **out, const dc_vectorizer *v, const dc_vocabulary *voc);
void dc_row_maker_destroy(dc_row_maker **m);
/* Is a dc_term_visitor; ctx is the row maker. */
DC_CHECKED dc_status dc_row_maker_add(void *ctx, const char *term, size_t n);
/* Columns in ascending order with their counts, of which there are *n; valid until the next term is added. */
DC_CHECKED dc_status dc_row_maker_counts(dc_row_maker *m, size_t *n, const int64_t **packed);
/* Starts a new document. */
void dc_row_maker_forget(dc_row_maker *m);
/* The weighted row, col[*n] and val[*n]; starts a new document. Both are valid until the next call. */
DC_CHECKED dc_status dc_row_maker_take(dc_row_maker *m, size_t *n, const int32_t **col, const float **val);
/* The column of an entry of `packed`. */
static inline int32_t dc_packed_column(int64_t entry)
{
    return (int32_t)(entry >> 32);
}
/* Column and sign of a term, as scikit-learn's FeatureHasher has them. */
int64_t dc_hash_column(const char *term, size_t n, int64_t columns, int *sign);

#endif
