/* The key table and its parts, private to this folder.
 *
 * A deck key is one row of table.c. Parsing, ranges, help, dump, reference and hash all read that row: a new key is a
 * member of dc_config and a row, nothing else. */
#ifndef DCMPI_CONFIG_KEY_H
#define DCMPI_CONFIG_KEY_H

#include "dcmpi/config.h"
#include "dcmpi/text.h"

typedef enum {
    DC_KEY_INT,      /* int64_t */
    DC_KEY_FLOAT,    /* double */
    DC_KEY_BOOL,     /* bool: true or false */
    DC_KEY_PATH,     /* char[DC_PATH_MAX] */
    DC_KEY_METHOD,   /* char[DC_NAME_MAX]: one of the registered methods */
    DC_KEY_CHOICE,   /* int: value of one of `choices` */
    DC_KEY_LIST,     /* dc_int_list: [a, b, c]; min and max hold for each item */
    DC_KEY_DURATION, /* double, seconds: number with s, m, h or d */
    DC_KEY_CLIP,     /* dc_clip: none, a quantile, or [a, b] */
    DC_KEY_FACTORS,  /* dc_factors of optim.h: [NAME=FACTOR, ...]; min and max hold for each factor */
} dc_key_type;

typedef struct {
    const char *name;
    int value;
} dc_key_choice;

/* Verbs as bits: who uses a key. */
enum { DC_USE_FIT = 1, DC_USE_KMEANS = 2 };
/* Ends of the range that do not belong to it; DC_POWER_OF_TWO is a further condition on integers. */
enum { DC_OPEN_MIN = 1, DC_OPEN_MAX = 2, DC_POWER_OF_TWO = 4 };

typedef struct {
    const char *section, *name;
    dc_key_type type;
    size_t offset;                /* into dc_config */
    const char *fallback;         /* the default, as a deck would say it */
    double min, max;              /* of numbers and list items */
    unsigned range;               /* DC_OPEN_MIN ... */
    const dc_key_choice *choices; /* DC_KEY_CHOICE: ends with a NULL name */
    const char *unit;             /* NULL: a plain number */
    unsigned verbs;               /* DC_USE_FIT ... */
    const char *trait;            /* NULL: all methods use it; else those with this trait; matters for `fit` only */
    const char *when, *when_is;   /* used only if the key `when` of this section has one of these values ("a b") */
    bool result;                  /* can change what is computed */
    const char *also;             /* names that other programs use, blanks between; for suggestions only */
    const char *doc;              /* one to three sentences */
    const char *source;           /* where the default comes from; NULL: our choice, explained in doc */
} dc_key;

typedef struct {
    const char *name, *doc;
} dc_key_section;

/* table.c */
const dc_key *dc_key_at(int i); /* NULL after the last row; rows of a section are neighbours */
const dc_key *dc_key_find(const char *section, const char *name);
int dc_key_index(const dc_key *key);
const dc_key_section *dc_section_at(int i); /* NULL behind the last */
const dc_key_section *dc_section_find(const char *name);
enum { DC_KEY_COUNT_MAX = 128 };

/* value.c. `place` is "deck.yaml:12:3" or "command line", for messages. */
enum { DC_PLACE_MAX = 256, DC_VALUE_TEXT_MAX = 2 * DC_PATH_MAX + 8 };
DC_CHECKED dc_status dc_key_set(dc_config *cfg, const dc_key *key, const char *text, const char *place);
/* The same for keys that may be lists. */
bool dc_key_takes_list(const dc_key *key);
DC_CHECKED dc_status dc_key_set_list(dc_config *cfg, const dc_key *key, const char *const *items, int n,
                                     const char *place);
/* names.c */
/* Names of a key's choices; returns their number. */
enum { DC_CHOICES_MAX = 16 };
int dc_key_choice_names(const dc_key *key, const char *names[DC_CHOICES_MAX]);
/* What dc_config_set_methods() registered. */
int dc_key_method_names(const char *names[DC_METHODS_MAX]);
/* Whether the method has the trait; true if no methods are registered. */
bool dc_key_method_has(const char *method, const char *trait);

/* number.c */
/* -?(0|[1-9][0-9]*) that fits int64_t, and nothing else. */
bool dc_read_int(const char *text, int64_t *out);
/* -?digits[.digits][e[+-]digits] and nothing else; too large is infinite, which no range allows. */
bool dc_read_float(const char *text, double *out);
/* A number, alone (seconds) or with s, m, h or d; *out in seconds. */
bool dc_read_duration(const char *text, double *out);
/* Shortest decimal that reads back to the same bits. */
void dc_format_double(double v, char *out, size_t cap);

/* format.c */
/* The value as a deck writes it; read back it gives the same bits. */
void dc_key_format(const dc_config *cfg, const dc_key *key, char out[DC_VALUE_TEXT_MAX]);
/* "integer", "one of relu, linear, ..." and "1..4096" (empty if there is no range). */
void dc_key_describe_type(const dc_key *key, char *out, size_t cap);
void dc_key_describe_range(const dc_key *key, char *out, size_t cap);

/* factors.c: dc_key_set_list() of DC_KEY_FACTORS. */
DC_CHECKED dc_status dc_factors_set(dc_factors *to, const dc_key *key, const char *const *items, int n,
                                    const char *place);

/* explain.c */
/* Both with the unit: "integer, 1..4096 steps". */
void dc_key_describe_value(const dc_key *key, char *out, size_t cap);

/* use.c */
/* Bit of a verb's name; 0 if the verb reads no deck keys. */
unsigned dc_verb_bit(const char *verb);
/* Blank-separated names of the verbs in a mask. */
void dc_verb_names(unsigned mask, char *out, size_t cap);
/* Is the key looked at? verb 0: leave the verb out of the question. If not, why[cap] says so ("cluster.optimizer is
 * sgd, not adam"). */
bool dc_key_in_use(const dc_config *cfg, const dc_key *key, unsigned verb, char *why, size_t cap);

/* origins.c */
/* Where keys were set. Line 0 is the command line. */
typedef struct {
    bool set;
    bool failed; /* its value was none */
    int line, col;
} dc_key_origin;
/* Everything that is wrong, so that nobody has to try again for each error. */
typedef struct {
    int n, shown;
    size_t used;
    char text[DC_ERROR_TEXT_MAX]; /* the first of them, "; " between */
} dc_problems;
typedef struct {
    char name[DC_QUOTE_MAX]; /* of the deck, safe to print; "command line" without a deck */
    dc_key_origin key[DC_KEY_COUNT_MAX];
    dc_problems problems;
} dc_origins;
/* "deck.yaml:12:3", "command line: --run.seed", or the deck's name for keys that were not set. */
void dc_place_format(const dc_origins *from, const dc_key *key, char out[DC_PLACE_MAX]);
/* Adds the recorded error to the problems if st is DC_ERR_USAGE, and returns DC_OK then; else st. */
DC_CHECKED dc_status dc_problem_add(dc_origins *from, dc_status st);
/* All problems as one error; DC_OK without any. */
DC_CHECKED dc_status dc_problems_fail(const dc_origins *from);
/* Finds the key and notes where it is set (line 0: command line). Once in a deck and once on the command line is right,
 * twice is an error, as is an unknown name. */
DC_CHECKED dc_status dc_key_claim(dc_origins *from, const char *section, const char *name, const char *place, int line,
                                  int col, const dc_key **out);
dc_status dc_fail_unknown_section(const char *place, const char *name);

/* check.c */
/* Problems: unused keys that were set, required keys, and, if nothing is wrong so far, keys that contradict each other;
 * then fills in what follows from other keys. deck: as it was before the command line; a key of it that only verb or
 * command line put out of use is no problem, but goes to note[cap]. */
DC_CHECKED dc_status dc_config_check(dc_config *cfg, const dc_config *deck, dc_origins *from, unsigned verb, char *note,
                                     size_t cap);

/* deck.c */
enum { DC_DECK_BYTES_MAX = 1 << 20 };
DC_CHECKED dc_status dc_deck_read(dc_config *cfg, dc_origins *from, const char *text, size_t bytes);

/* suggest.c: ", did you mean 'x'?" for a mistyped key or section, or "". */
void dc_suggest_key(const char *section, const char *name, char *out, size_t cap);
void dc_suggest_section(const char *name, char *out, size_t cap);

/* text.c */
/* Is `word` one of the blank-separated words of `list` (NULL: no words)? */
bool dc_has_word(const char *list, const char *word);

#endif
