/* The files of a job's data: found and looked at once, by rank 0. Private to app/. */
#ifndef DCMPI_APP_DATA_FILES_H
#define DCMPI_APP_DATA_FILES_H

#include "dcmpi/comm.h"
#include "dcmpi/files.h"

/* What to open: names, one per line; label dataset and matrix, as in dc_data_request; the table of an earlier start, or
 * NULL; the verb, for messages; run: the run.h5 whose deck names the files, NULL if the user does. */
typedef struct {
    const char *names, *labels, *matrix, *table, *verb, *run;
    bool one; /* names is the name of one HDF5 file, which may have line breaks */
} dc_files_wanted;
/* Collective. Headers of HDF5 files are first read in another process (apart.h). The built-in problem is legal. Errors:
 * those of dc_files_find() and dc_files_look(); for one HDF5 file, that it is no data file, or damaged. */
DC_CHECKED dc_status dc_data_files_open(dc_comm *comm, const dc_files_wanted *wanted, dc_files **out);
/* Fails if `path`, which a job will write, is one of the files. Local. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_data_files_refuse(const dc_files *files, const char *path);

#endif
