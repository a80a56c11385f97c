/* A deck key, described by a row of a table. The program's own rows are in config/, and a method's rows are in the
 * method's file. Parsing, range checks, help, dump, reference and hash all use these rows. */
#ifndef DCMPI_KEYS_H
#define DCMPI_KEYS_H

#include "dcmpi/base.h"

enum { DC_LIST_MAX = 14, DC_NAME_MAX = 64, DC_FILES_TEXT_MAX = 1 << 16 };
typedef struct {
    int n;
    int64_t v[DC_LIST_MAX];
} dc_int_list;
enum { DC_SERIES_MAX = 256 };
typedef struct {
    int64_t n;
    int64_t v[DC_SERIES_MAX]; /* ascending; 0 from n on */
} dc_series;

typedef enum {
    DC_KEY_INT,      /* int64_t */
    DC_KEY_FLOAT,    /* double */
    DC_KEY_BOOL,     /* bool: true or false */
    DC_KEY_PATH,     /* char[DC_PATH_MAX] */
    DC_KEY_FILES,    /* char[DC_FILES_TEXT_MAX]: a path, or several, one per line; path, "[path, path]" or a list */
    DC_KEY_METHOD,   /* char[DC_NAME_MAX]: one of the registered methods */
    DC_KEY_CHOICE,   /* int: value of one of `choices` */
    DC_KEY_LIST,     /* dc_int_list: [a, b, c]; min and max hold for each item */
    DC_KEY_DURATION, /* double, seconds: number with s, m, h or d */
    DC_KEY_CLIP,     /* dc_clip of data.h: none, a quantile, or [a, b] */
    DC_KEY_NET, /* char[DC_NET_TEXT_MAX] of net_text.h: a decoder if the key has a default, else an encoder; "" if there
                   is none */
    DC_KEY_FACTORS, /* dc_factors of optim.h: [NAME=FACTOR, ...]; min and max hold for each factor */
    DC_KEY_SERIES,  /* dc_series: 5..20, 10..100:10, 2,4,8 or a list of these; min and max hold for each number */
} dc_key_type;

typedef struct {
    const char *name;
    int value;
} dc_key_choice;

/* Flags of dc_key.range. DC_OPEN_*: the range excludes this end; DC_POWER_OF_TWO: only powers of two. */
enum { DC_OPEN_MIN = 1, DC_OPEN_MAX = 2, DC_POWER_OF_TWO = 4 };

/* A method's rows leave the last four members unset. The section of such a key is the method's name; only this method
 * uses the key, only in `fit`, and it can change the result. */
typedef struct {
    const char *name;
    dc_key_type type;
    size_t offset;        /* into the struct that holds the values: dc_config, or the method's own struct */
    const char *fallback; /* the default, as written in a deck */
    double min, max;      /* of numbers and list items */
    unsigned range;       /* DC_OPEN_MIN ... */
    const dc_key_choice
        *choices;     /* DC_KEY_CHOICE, or words for values of DC_KEY_INT and DC_KEY_FLOAT: ends with a NULL name */
    const char *unit; /* NULL: a plain number */
    const char *when, *when_is; /* used only if the value of key `when` of this section is, or contains as a word, one
                                   of the words in when_is ("a b"); when_is "": only if that value is empty */
    const char *or_when, *or_when_is; /* used also under this second condition */
    const char *option; /* name of the option that stands for the key, besides --section.key; NULL: none */
    const char *also;   /* names in other programs, separated by blanks; for suggestions only */
    const char *doc;    /* one to three sentences */
    const char *source; /* where the default comes from; NULL: our choice, explained in doc */
    const char *section;
    unsigned verbs;    /* verbs that use it, as bits defined in config/ */
    const char *trait; /* NULL: all methods use it; otherwise only those with this trait. Matters only in `fit` */
    bool result;       /* can change what is computed */
} dc_key;

#endif
