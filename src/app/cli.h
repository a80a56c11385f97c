/* The command line: verb, deck, overrides. Private to app/. */
#ifndef DCMPI_APP_CLI_H
#define DCMPI_APP_CLI_H

#include "dcmpi/base.h"

/* All pointers are into argv; only the array `overrides` is owned. */
typedef struct {
    int argc;
    char **argv;            /* the whole command line */
    const char *verb;       /* a name from the table in verbs.c */
    const char *deck;       /* path; NULL: the built-in problem, or a verb that takes no deck */
    const char **overrides; /* [n_overrides] "--section.key=value", or --clusters=SERIES of sweep-k; owned */
    int n_overrides;
    bool dry_run;
    bool help; /* --help or --version: print dc_cli_help() and end */
    bool version;
    int rest_argc;    /* verbs without a deck: what they parse themselves */
    char **rest_argv; /* [rest_argc], [0] is the verb */
} dc_cli;

/* Whether the verb makes a model by the deck's method, as `fit` and `sweep-k` do. */
bool dc_cli_has_method(const dc_cli *cli);
/* Makes the methods and their keys known to dc_config; call it before anything else. */
void dc_cli_register_methods(void);
/* Parses argv, starts nothing. `dcmpi DECK` means `dcmpi fit DECK`; without a deck, the built-in problem is run.
 * Errors: DC_ERR_USAGE (one line, with the nearest known word), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cli_parse(int argc, char **argv, dc_cli *cli);
void dc_cli_release(dc_cli *cli);

/* Prints the help or the version of the program, or the help of cli->verb if one was given. Returns DC_OK. */
dc_status dc_cli_help(const dc_cli *cli, FILE *out);

#endif
