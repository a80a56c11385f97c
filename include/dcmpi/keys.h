/* A key of a deck as a row of a table. The program's rows stand in config/, those of a method in the method's file;
 * parsing, ranges, help, dump, reference and hash read the rows alike. */
#ifndef DCMPI_KEYS_H
#define DCMPI_KEYS_H

#include "dcmpi/base.h"

enum { DC_LIST_MAX = 14, DC_NAME_MAX = 64 };
typedef struct {
    int n;
    int64_t v[DC_LIST_MAX];
} dc_int_list;

typedef enum {
    DC_KEY_INT,      /* int64_t */
    DC_KEY_FLOAT,    /* double */
    DC_KEY_BOOL,     /* bool: true or false */
    DC_KEY_PATH,     /* char[DC_PATH_MAX] */
    DC_KEY_METHOD,   /* char[DC_NAME_MAX]: one of the registered methods */
    DC_KEY_CHOICE,   /* int: value of one of `choices` */
    DC_KEY_LIST,     /* dc_int_list: [a, b, c]; min and max hold for each item */
    DC_KEY_DURATION, /* double, seconds: number with s, m, h or d */
    DC_KEY_CLIP,     /* dc_clip of data.h: none, a quantile, or [a, b] */
    DC_KEY_NET,      /* char[DC_NET_TEXT_MAX] of net_text.h: an encoder, or, with a default, a decoder; "": none */
    DC_KEY_FACTORS,  /* dc_factors of optim.h: [NAME=FACTOR, ...]; min and max hold for each factor */
} dc_key_type;

typedef struct {
    const char *name;
    int value;
} dc_key_choice;

/* Ends of the range that do not belong to it; DC_POWER_OF_TWO is a further condition on integers. */
enum { DC_OPEN_MIN = 1, DC_OPEN_MAX = 2, DC_POWER_OF_TWO = 4 };

/* A method's rows leave out what the last four members say: their section is the method's name, the method alone uses
 * them, in `fit`, and they can change the result. */
typedef struct {
    const char *name;
    dc_key_type type;
    size_t offset;                /* into the struct that holds the values: dc_config, or one of the method's own */
    const char *fallback;         /* the default, as a deck would say it */
    double min, max;              /* of numbers and list items */
    unsigned range;               /* DC_OPEN_MIN ... */
    const dc_key_choice *choices; /* DC_KEY_CHOICE: ends with a NULL name */
    const char *unit;             /* NULL: a plain number */
    const char *when, *when_is;   /* used only if the key `when` of this section has one of these values ("a b"), or a
                                     word of them; "": if it is empty */
    const char *also;             /* names that other programs use, blanks between; for suggestions only */
    const char *doc;              /* one to three sentences */
    const char *source;           /* where the default comes from; NULL: our choice, explained in doc */
    const char *section;
    unsigned verbs;    /* bits of config/ */
    const char *trait; /* NULL: all methods use it; else those with this trait; matters for `fit` only */
    bool result;       /* can change what is computed */
} dc_key;

#endif
