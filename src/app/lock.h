/* The lock of an output directory: one run at a time writes there. Private to app/. */
#ifndef DCMPI_APP_LOCK_H
#define DCMPI_APP_LOCK_H

#include "dcmpi/base.h"

typedef struct dc_lock dc_lock;

/* Takes the lock file `path` (made if missing) for this process; *out is owned by the caller. A lock whose owner is
 * gone is taken over. Errors: DC_ERR_BUSY names the owner's host, process, job and age; DC_ERR_IO (the file cannot be
 * made, is a link or somebody else's), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_lock_acquire(const char *path, dc_lock **out);
/* Who left the lock behind that was taken over, for a warning; "" if nobody did. Valid until release. */
const char *dc_lock_previous_owner(const dc_lock *lock);
/* Sign of life; call it as often as you like, about once a minute it touches the file. NULL is legal. Errors:
 * DC_ERR_BUSY (another run has taken the lock, for this one gave no sign of life for too long), then each time. */
DC_CHECKED dc_status dc_lock_beat(dc_lock *lock);
/* Removes the file, unless another run has it now, and sets *lock to NULL; accepts NULL. */
void dc_lock_release(dc_lock **lock);

#endif
