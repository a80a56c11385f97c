/* Checks what is in run.output before a start: only plain files made by runs may be appended to, replaced or removed.
 * Private to app/. */
#ifndef DCMPI_APP_FOLDER_H
#define DCMPI_APP_FOLDER_H

#include "job.h"

/* Fails if input.data, model.weights or the deck is the same file as one that the run will write, whatever their names.
 * Changes nothing. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_folder_check_inputs(const dc_job *job);
/* The same for the files of the data, once they are known. */
DC_CHECKED dc_status dc_folder_check_data(const dc_job *job);
/* Looks at each existing file with a name that runs use. Fails unless it is a plain file, belongs to this user and was
 * made by a run. Changes nothing. `lock`: NULL if it is not held. Errors: DC_ERR_IO, names the file. */
DC_CHECKED dc_status dc_folder_check_files(const dc_job *job, const dc_lock *lock);
/* Removes unfinished files that an earlier run left; call it after dc_folder_check_files(). Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_folder_remove_parts(const dc_job *job);

#endif
