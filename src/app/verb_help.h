/* Help text of the verbs, for --help, man page and shell completion. Private to app/. */
#ifndef DCMPI_APP_VERB_HELP_H
#define DCMPI_APP_VERB_HELP_H

#include "dcmpi/base.h"

typedef struct {
    const char *name, *arguments;
    const char *summary;
    const char *details; /* further lines of `dcmpi VERB --help` */
    bool takes_deck;
    bool on_ranks; /* may be started with mpirun */
} dc_verb_help;

/* NULL if unknown. */
const dc_verb_help *dc_verb_help_find(const char *name);
/* The i-th verb in the order of the help; NULL after the last. */
const dc_verb_help *dc_verb_help_at(int i);

#endif
