/* The verbs. Private to app/. */
#ifndef DCMPI_APP_VERBS_H
#define DCMPI_APP_VERBS_H

#include "cli.h"
#include "dcmpi/comm.h"

/* How a verb is run; its help text is in verb_help.h. */
typedef struct {
    const char *name;
    bool can_stop;                                      /* reacts to the signals of signals.h */
    dc_status (*mpi)(dc_comm *comm, const dc_cli *cli); /* runs on all ranks; NULL for a serial verb */
    dc_status (*serial)(int argc, char **argv);         /* runs in one process, else NULL; argv[0] is the verb. With
                                                           both, mpi is for jobs that a launcher started */
    dc_status apart; /* if set, the verb reads foreign files and so runs in a child process; the status if that process
                        crashes */
} dc_verb;

/* Checks the machine, and this build on it. Collective. Errors: that of the worst failed check, DC_ERR_USAGE. */
dc_status dc_verb_selftest(dc_comm *comm, const dc_cli *cli);

/* NULL if unknown. */
const dc_verb *dc_verb_find(const char *name);
/* Whether the verb, run on all ranks with this command line, reacts to the signals itself. */
bool dc_verb_takes_signals(const dc_verb *verb, const dc_cli *cli);

/* Converts documents on all ranks, and other inputs on rank 0. Collective. */
dc_status dc_run_convert(dc_comm *comm, const dc_cli *cli);
/* Whether the inputs are documents, which all ranks convert. */
bool dc_convert_is_text(const dc_cli *cli);

/* Serial verbs parse their own arguments. Errors: DC_ERR_USAGE and those of the functions they call. */
dc_status dc_verb_convert(int argc, char **argv);
dc_status dc_verb_info(int argc, char **argv);
/* DC_DIFFERENT if the files differ. */
dc_status dc_verb_compare(int argc, char **argv);
dc_status dc_verb_config(int argc, char **argv);
dc_status dc_verb_check(int argc, char **argv);

/* Prints a line if `path` is named run.h5 and the summary.json beside it is missing, damaged or not from this run. */
void dc_note_summary(const char *path);

#endif
