/* Reads foreign files in a separate process. The HDF5 library crashes on some damaged files and loops for ever on
 * others; in a separate process this is an error like any other. Private to app/.
 *
 * The process runs this same program, started by posix_spawn(): a fork is not safe where MPI runs, because memory that
 * a network card writes to would be copied on write. It sends back its status and error text, does not start MPI, and
 * is killed if its parent ends. */
#ifndef DCMPI_APP_APART_H
#define DCMPI_APP_APART_H

#include "verbs.h"

/* Call it first in main(). Returns false in an ordinary process. Returns true in a process started for a verb: run the
 * verb in it, then call dc_apart_leave(). In a process started for a probe, it runs the probe and does not return. */
bool dc_apart_enter(int argc, char **argv);
/* Sends the status and the error record to the parent. */
void dc_apart_leave(dc_status st);

/* Runs the verb with this command line in a separate process and passes signals on to it. Errors: the verb's own;
 * verb->apart if reading crashed, or used DCMPI_READ_LIMIT seconds of processor time without progress. If no process
 * can be created, the verb runs in this one. */
DC_CHECKED dc_status dc_apart_run(const dc_verb *verb, const dc_cli *cli);

/* Tests in a separate process whether the library survives reading a data file's header, a model, or the kind and
 * recipe of an output; call it before a process of a job reads them. labels, matrix: as in dc_data_request. Other
 * faults of the file are ignored: the reader will report them. Errors: `code`, for data DC_ERR_DATA. */
typedef enum { DC_PROBE_DATA, DC_PROBE_MODEL, DC_PROBE_OUTPUT, DC_PROBE_FILES } dc_probe;
DC_CHECKED dc_status dc_apart_probe(dc_probe probe, const char *path, dc_status code);
DC_CHECKED dc_status dc_apart_probe_data(const char *path, const char *labels, const char *matrix);
/* The same for the files of a data set, in one process: arguments as of dc_files_find(). */
DC_CHECKED dc_status dc_apart_probe_files(const char *names, const char *labels, const char *matrix, const char *table);

#endif
