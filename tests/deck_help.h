/* Shared by the tests of src/config: parse a deck text or overrides against the defaults. */
#ifndef DCMPI_TESTS_DECK_HELP_H
#define DCMPI_TESTS_DECK_HELP_H

#include "dcmpi/config.h"

/* Keys of the methods of these tests: a shared name, each type that a method is likely to have, a condition. */
typedef struct {
    double alpha;
} deck_dec_keys;
typedef struct {
    double alpha, gamma;
    int loss;
} deck_idec_keys;
typedef struct {
    char first; /* so that the members after it need padding */
    int64_t steps;
    bool on;
    dc_int_list widths;
    int kind;
    double rate, pause;
} deck_toy_keys;

#define DECK_ALPHA(keys)                                                                                               \
    {                                                                                                                  \
        .name = "alpha", .type = DC_KEY_FLOAT, .offset = offsetof(keys, alpha), .fallback = "1.0", .min = 0,           \
        .max = 1e6, .range = DC_OPEN_MIN, .also = "dof", .doc = "Degrees of freedom."                                  \
    }

/* dec is the default, aekm does not train and can be swept, toy has keys of many types, bare has none. */
static inline void deck_methods(void)
{
    static const dc_key_choice losses[] = {{"mse", 7}, {"mse_sum", 8}, {NULL, 0}};
    static const dc_key_choice kinds[] = {{"none", 0}, {"fast", 1}, {"slow", 2}, {NULL, 0}};
    static const dc_key plain[] = {DECK_ALPHA(deck_dec_keys)};
    static const dc_key idec[] = {DECK_ALPHA(deck_idec_keys),
                                  {.name = "gamma",
                                   .type = DC_KEY_FLOAT,
                                   .offset = offsetof(deck_idec_keys, gamma),
                                   .fallback = "0.1",
                                   .max = 1e6,
                                   .also = "coefficient",
                                   .doc = "Weight of the clustering loss."},
                                  {.name = "loss",
                                   .type = DC_KEY_CHOICE,
                                   .offset = offsetof(deck_idec_keys, loss),
                                   .fallback = "mse",
                                   .choices = losses,
                                   .doc = "Reconstruction loss."}};
    static const dc_key toy[] = {{.name = "steps",
                                  .type = DC_KEY_INT,
                                  .offset = offsetof(deck_toy_keys, steps),
                                  .fallback = "3",
                                  .min = 1,
                                  .max = 100,
                                  .unit = "steps",
                                  .doc = "Number of steps."},
                                 {.name = "on",
                                  .type = DC_KEY_BOOL,
                                  .offset = offsetof(deck_toy_keys, on),
                                  .fallback = "true",
                                  .doc = "Whether it is on."},
                                 {.name = "widths",
                                  .type = DC_KEY_LIST,
                                  .offset = offsetof(deck_toy_keys, widths),
                                  .fallback = "[5, 6]",
                                  .min = 1,
                                  .max = 1000,
                                  .doc = "Widths of something."},
                                 {.name = "kind",
                                  .type = DC_KEY_CHOICE,
                                  .offset = offsetof(deck_toy_keys, kind),
                                  .fallback = "slow",
                                  .choices = kinds,
                                  .doc = "What kind it is."},
                                 {.name = "rate",
                                  .type = DC_KEY_FLOAT,
                                  .offset = offsetof(deck_toy_keys, rate),
                                  .fallback = "0.5",
                                  .max = 1,
                                  .when = "kind",
                                  .when_is = "fast slow",
                                  .doc = "Rate of a kind."},
                                 {.name = "pause",
                                  .type = DC_KEY_DURATION,
                                  .offset = offsetof(deck_toy_keys, pause),
                                  .fallback = "5s",
                                  .max = 1e6,
                                  .doc = "Time between two of them."}};
    static const dc_config_method methods[] = {
        {"dec", "the first", "training pretraining decoder centers start", plain, 1, sizeof(deck_dec_keys)},
        {"idec", "the second", "training pretraining decoder centers start", idec, (int)DC_COUNT_OF(idec),
         sizeof(deck_idec_keys)},
        {"aekm", "the third", "pretraining decoder centers sweep", plain, 1, sizeof(deck_dec_keys)},
        {"toy", "the fourth", "", toy, (int)DC_COUNT_OF(toy), sizeof(deck_toy_keys)},
        {"bare", "the fifth", "training pretraining decoder centers start", NULL, 0, 0}};
    dc_config_set_methods(methods, (int)DC_COUNT_OF(methods));
}

static inline dc_status deck_parse_bytes(dc_config *cfg, const char *text, size_t bytes, const char *verb)
{
    dc_error_clear();
    dc_config_defaults(cfg);
    return dc_config_parse(cfg, "deck.yaml", text, bytes, NULL, 0, verb);
}

static inline dc_status deck_parse(dc_config *cfg, const char *text, const char *verb)
{
    return deck_parse_bytes(cfg, text, strlen(text), verb);
}

/* A small deck that is right, then one override. */
static inline dc_status deck_override(dc_config *cfg, const char *override)
{
    static const char deck[] = "input: {data: x.h5}\n";
    dc_error_clear();
    dc_config_defaults(cfg);
    return dc_config_parse(cfg, "deck.yaml", deck, strlen(deck), &override, 1, "fit");
}

/* The error is one line that starts with `place`. */
static inline bool deck_error_at(const char *place)
{
    return strncmp(dc_error_text(), place, strlen(place)) == 0 && !strchr(dc_error_text(), '\n');
}

#endif
