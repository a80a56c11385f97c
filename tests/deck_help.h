/* Shared by the tests of src/config: parse a deck text or overrides against the defaults. */
#ifndef DCMPI_TESTS_DECK_HELP_H
#define DCMPI_TESTS_DECK_HELP_H

#include "dcmpi/config.h"

static inline void deck_methods(void)
{
    static const dc_config_method methods[] = {{"aekm", ""}, {"dec", "training"}, {"idec", "training reconstruction"}};
    dc_config_set_methods(methods, 3);
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
