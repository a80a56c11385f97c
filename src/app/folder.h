/* What lies in run.output before a start: only plain files that runs made may be appended to, replaced or removed.
 * Private to app/. */
#ifndef DCMPI_APP_FOLDER_H
#define DCMPI_APP_FOLDER_H

#include "job.h"

/* Whether input.data, model.weights or the deck is one of the files that the run will write, by whatever name. Changes
 * nothing. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_folder_check_inputs(const dc_job *job);
/* Whether each file of a run's name is a plain file of this user that a run made. Changes nothing. `lock`: NULL if it
 * is not held. Errors: DC_ERR_IO, names the file. */
DC_CHECKED dc_status dc_folder_check_files(const dc_job *job, const dc_lock *lock);
/* Removes unfinished files that an earlier run left; they were checked. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_folder_remove_parts(const dc_job *job);

#endif
