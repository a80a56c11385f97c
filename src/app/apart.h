/* Reading foreign files in a process of its own. The HDF5 library crashes on some damaged files and loops for ever on
 * others; there it is an error like any other. Private to app/.
 *
 * The process is this program once more, started by posix_spawn(): a fork is not safe where MPI runs, because memory
 * that a network card writes to would be copied on write. It sends back its status and error text, looks for no MPI,
 * and ends with its parent. */
#ifndef DCMPI_APP_APART_H
#define DCMPI_APP_APART_H

#include "verbs.h"

/* In main(), before anything else. False: an ordinary process. True: one that was started for a verb: it is to run the
 * verb itself and then call dc_apart_leave(). Of one that was started for a probe it does not return. */
bool dc_apart_enter(int argc, char **argv);
/* Hands the status and the error record over to the parent. */
void dc_apart_leave(dc_status st);

/* The verb with this command line in a process of its own, to which signals are passed on. Errors: the verb's own;
 * verb->apart if reading crashed or did not get on for DCMPI_READ_LIMIT seconds of processor time. If no process can be
 * had, or there is a limit on them, the verb runs in this one. */
DC_CHECKED dc_status dc_apart_run(const dc_verb *verb, const dc_cli *cli);

/* Before a process that is part of a job reads the header of a data file, a model, or what an output is and who made
 * it: whether the library survives it. labels: dataset of labels of a data file, or NULL. What else is wrong with the
 * file is not told: the reader will say it. Errors: `code`. */
typedef enum { DC_PROBE_DATA, DC_PROBE_MODEL, DC_PROBE_OUTPUT } dc_probe;
DC_CHECKED dc_status dc_apart_probe(dc_probe probe, const char *path, const char *labels, dc_status code);

#endif
