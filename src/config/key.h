/* The key table and its parts, private to this folder.
 *
 * A deck key is one row of table.c, or of the table in a method's file. Parsing, ranges, help, dump, reference and hash
 * all read that row: a new key needs only a row and a member of dc_config or of the method's struct. */
#ifndef DCMPI_CONFIG_KEY_H
#define DCMPI_CONFIG_KEY_H

#include "dcmpi/config.h"
#include "dcmpi/text.h"

/* Verbs as bits, to say which verbs use a key. */
enum { DC_USE_FIT = 1, DC_USE_KMEANS = 2, DC_USE_SWEEP = 4 };

typedef struct {
    const char *name, *doc;
} dc_key_section;

enum { DC_KEY_COUNT_MAX = 512, DC_SECTIONS_MAX = 16 + DC_METHODS_MAX, DC_MOVED_MAX = 3 };

/* table.c: the program's own keys. */
extern const dc_key dc_key_table[];
extern const int dc_key_table_n;
extern const dc_key_section dc_section_table[];
extern const int dc_section_table_n;
/* Old keys that now belong to the methods, under the same names. */
extern const dc_key dc_moved_table[DC_MOVED_MAX];

/* keys.c: all keys, first the program's own, then the methods'. */
const dc_key *dc_key_at(int i); /* NULL after the last row; all rows of a section are adjacent */
const dc_key *dc_key_find(const char *section, const char *name);
/* The key of the verb that an option without a section stands for, or NULL. */
const dc_key *dc_key_of_option(const char *option, unsigned verb);
/* The row of dc_moved_table with this name. */
const dc_key *dc_moved_find(const char *section, const char *name);
bool dc_key_is_moved(const dc_key *key);
/* Index of the key in dc_origins.key; the key may be a row of dc_moved_table, too. */
int dc_key_index(const dc_key *key);
const dc_key_section *dc_section_at(int i); /* NULL after the last */
const dc_key_section *dc_section_find(const char *name);
/* A method that dc_config_set_methods() registered; NULL if there is none. */
const dc_config_method *dc_method_row_at(int i);
const dc_config_method *dc_method_row(const char *name);
/* The method whose clusters another method starts from (cluster.init), or NULL. */
const char *dc_start_method(const dc_config *cfg);
/* The method whose keys the mixture of cluster.final takes: that of the choice without another word; NULL: no mixture.
 */
const char *dc_final_method(const dc_config *cfg);

/* value.c. `place` is "deck.yaml:12:3" or "command line", for messages. */
enum { DC_PLACE_MAX = 256, DC_VALUE_TEXT_MAX = 3 * DC_FILES_TEXT_MAX + 8 };
DC_CHECKED dc_status dc_key_set(dc_config *cfg, const dc_key *key, const char *text, const char *place);
/* Whether its value may be a list. */
bool dc_key_takes_list(const dc_key *key);
/* For all of these but DC_KEY_FILES. */
DC_CHECKED dc_status dc_key_set_list(dc_config *cfg, const dc_key *key, const char *const *items, int n,
                                     const char *place);
/* names.c */
/* Names of a key's choices; returns their number. */
enum { DC_CHOICES_MAX = 16 };
int dc_key_choice_names(const dc_key *key, const char *names[DC_CHOICES_MAX]);
/* Names of the methods; returns their number. */
int dc_key_method_names(const char *names[DC_METHODS_MAX]);

/* number.c */
/* Reads -?(0|[1-9][0-9]*) that fits int64_t, and accepts nothing else. */
bool dc_read_int(const char *text, int64_t *out);
/* Reads -?digits[.digits][e[+-]digits] and accepts nothing else; a number that is too large becomes infinite, which no
 * range allows. */
bool dc_read_float(const char *text, double *out);
/* Reads seconds, a number with s, m, h or d, or a Slurm time such as HH:MM:SS; *out in seconds. */
bool dc_read_duration(const char *text, double *out);
/* Shortest decimal that reads back to the same bits. */
void dc_format_double(double v, char *out, size_t cap);

/* format.c */
/* Writes the value as it would stand in a deck; reading it back gives the same bits. */
void dc_key_format(const dc_config *cfg, const dc_key *key, char out[DC_VALUE_TEXT_MAX]);
/* "integer", "one of relu, linear, ..." and "1..4096" (empty if there is no range). */
void dc_key_describe_type(const dc_key *key, char *out, size_t cap);
void dc_key_describe_range(const dc_key *key, char *out, size_t cap);

/* factors.c: dc_key_set_list() of DC_KEY_FACTORS. */
DC_CHECKED dc_status dc_factors_set(dc_factors *to, const dc_key *key, const char *const *items, int n,
                                    const char *place);

/* series.c: dc_key_set_list() and dc_key_set() of DC_KEY_SERIES. */
DC_CHECKED dc_status dc_series_set(dc_series *to, const dc_key *key, const char *const *items, int n,
                                   const char *place);
DC_CHECKED dc_status dc_series_set_text(dc_series *to, const dc_key *key, const char *text, const char *place);

/* Sets a key of type DC_KEY_FILES. */
void dc_key_set_files(dc_config *cfg, const dc_key *key, const char names[DC_FILES_TEXT_MAX]);

/* paths.c; place: with the name of the key, for messages. */
/* A path that only a shell would expand would become a file or folder of that literal name. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_path_check(const char *text, const char *place);
/* Appends a name to names[DC_FILES_TEXT_MAX]. Errors: DC_ERR_USAGE (empty, too long, not for a path). */
DC_CHECKED dc_status dc_names_add(char *names, const char *name, const char *place);

/* explain.c */
/* Type and range together, with the unit: "integer, 1..4096 steps". */
void dc_key_describe_value(const dc_key *key, char *out, size_t cap);

/* use.c */
/* Bit of a verb's name; 0 if the verb reads no deck keys. */
unsigned dc_verb_bit(const char *verb);
/* Blank-separated names of the verbs in a mask. */
void dc_verb_names(unsigned mask, char *out, size_t cap);
/* Whether the key is about the network or its output. */
bool dc_key_needs_network(const dc_key *key);
/* Whether a run with this verb uses the key; verb 0: a run with any verb. If not, why[cap] gives the reason
 * ("cluster.optimizer is sgd, not adam"). */
bool dc_key_in_use(const dc_config *cfg, const dc_key *key, unsigned verb, char *why, size_t cap);

/* origins.c */
enum { DC_MOVED_TEXT_MAX = 256 };
/* Where keys were set. Line 0 is the command line. */
typedef struct {
    bool set;
    bool failed; /* its value was invalid */
    int line, col;
} dc_key_origin;
/* All errors of a deck and command line, so that users need not run again to find each one. */
typedef struct {
    int n, shown;
    size_t used;
    char text[DC_ERROR_TEXT_MAX]; /* the first of them, separated by "; " */
} dc_problems;
typedef struct {
    char name[DC_QUOTE_MAX]; /* name of the deck, safe to print; "command line" if there is no deck */
    dc_key_origin key[DC_KEY_COUNT_MAX + DC_MOVED_MAX];
    char moved[DC_MOVED_MAX][DC_MOVED_TEXT_MAX]; /* values of moved keys, until the method is known */
    dc_problems problems;
} dc_origins;
/* "deck.yaml:12:3", "command line: --run.seed", or the deck's name for keys that were not set. */
void dc_place_format(const dc_origins *from, const dc_key *key, char out[DC_PLACE_MAX]);
/* If st is DC_ERR_USAGE, adds the recorded error to the problems and returns DC_OK; else returns st. */
DC_CHECKED dc_status dc_problem_add(dc_origins *from, dc_status st);
/* Fails with all problems as one error; DC_OK if there are none. */
DC_CHECKED dc_status dc_problems_fail(const dc_origins *from);
/* Finds the key and notes where it is set (line 0: command line). A key may be set once in the deck and once on the
 * command line; setting it twice in either place is an error. An unknown name is an error too. */
DC_CHECKED dc_status dc_key_claim(dc_origins *from, const char *section, const char *name, const char *place, int line,
                                  int col, const dc_key **out);
dc_status dc_fail_unknown_section(const char *place, const char *name);

/* moved.c */
/* Like dc_key_set(), but the value of a moved key waits in *from for dc_moved_settle(). */
DC_CHECKED dc_status dc_key_take(dc_config *cfg, dc_origins *from, const dc_key *key, const char *text,
                                 const char *place);
/* Gives the waiting values to the keys of cluster.method. A value from the command line wins over the deck's, whether
 * the old or the new name was used. Problems: values out of range, two values for one key. note[cap]: see
 * dc_config_notes.renamed. dc_config_check() reports keys that the method does not have. */
DC_CHECKED dc_status dc_moved_settle(dc_config *cfg, dc_origins *from, unsigned verb, char *note, size_t cap);

/* check.c */
/* Adds as problems: keys that are set but not used, missing keys, and, if nothing is wrong so far, keys that contradict
 * each other. Then fills in values that follow from other keys. deck: the config before the command line. A key of the
 * deck that is unused only because of the verb or the command line is not a problem; note[cap] names it. */
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
