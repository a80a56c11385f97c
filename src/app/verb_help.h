/* What the verbs are for, in words: for --help, man page and completion. Private to app/. */
#ifndef DCMPI_APP_VERB_HELP_H
#define DCMPI_APP_VERB_HELP_H

#include "dcmpi/base.h"

typedef struct {
    const char *name, *arguments;
    const char *summary;
    const char *details; /* further lines of `dcmpi VERB --help` */
    bool takes_deck;
    bool on_ranks; /* with mpirun, if the user likes */
} dc_verb_help;

/* NULL if unknown. */
const dc_verb_help *dc_verb_help_find(const char *name);
/* In the order of the help; NULL after the last. */
const dc_verb_help *dc_verb_help_at(int i);

#endif
