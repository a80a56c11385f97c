/* The verbs. Private to app/. */
#ifndef DCMPI_APP_VERBS_H
#define DCMPI_APP_VERBS_H

#include "cli.h"
#include "dcmpi/comm.h"

/* What a verb does; what it is for stands in verb_help.h. */
typedef struct {
    const char *name;
    bool can_stop;                                      /* asks for the signals of signals.h */
    dc_status (*mpi)(dc_comm *comm, const dc_cli *cli); /* a job on all ranks, or */
    dc_status (*serial)(int argc, char **argv);         /* one process; argv[0] is the verb */
    dc_status apart; /* of a serial verb that reads foreign files, in a process of its own: what a crash there means */
} dc_verb;

/* Checks of the machine and of this build on it. Collective. Errors: those of the rows that failed, DC_ERR_USAGE. */
dc_status dc_verb_selftest(dc_comm *comm, const dc_cli *cli);

/* NULL if unknown. */
const dc_verb *dc_verb_find(const char *name);

/* Serial verbs parse their own arguments. Errors: DC_ERR_USAGE and those of what they do. */
dc_status dc_verb_convert(int argc, char **argv);
dc_status dc_verb_info(int argc, char **argv);
/* DC_DIFFERENT if the files differ. */
dc_status dc_verb_compare(int argc, char **argv);
dc_status dc_verb_config(int argc, char **argv);
dc_status dc_verb_check(int argc, char **argv);

/* Prints a line if `path` is named run.h5 and the summary.json beside it is missing, not whole or of another run.h5. */
void dc_note_summary(const char *path);

#endif
