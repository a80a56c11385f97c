/* Lock files: only one process at a time writes into a directory, or to an output file.
 *
 * The lock file names its owner: host, process, job, since when. It exists as long as its owner works; a killed owner
 * leaves it behind, and the next process takes it over. While a lock is held, a thread touches the file once a minute,
 * whatever the program is doing: other hosts rely on this sign of life. All functions are local; in a job only rank 0
 * calls them. */
#ifndef DCMPI_LOCK_H
#define DCMPI_LOCK_H

#include <sys/types.h>

#include "dcmpi/base.h"

typedef struct dc_lock dc_lock;

/* Takes the lock file `path` (made if missing) for this process; *out is owned by the caller. `what` and `advice` are
 * for messages: "output directory runs/x", "set run.output". A lock whose owner is gone is taken over (see
 * dc_lock_previous_owner). An owner counts as gone:
 *   - on this host: if its process does not exist, or if no process holds the file's flock, as the kernel reports;
 *   - on another host, or in another PID namespace without flock: if it gave no sign of life for 10 minutes by the
 *     clock of the file system, whatever flock says, because on some file systems only one node knows of a flock;
 *   - if it is an earlier run of this very job: Slurm ended that run before it restarted the job (SLURM_RESTART_COUNT).
 * Errors: DC_ERR_BUSY names the owner's host, process, job, age and last sign of life; DC_ERR_IO (the file cannot be
 * made, is a link or somebody else's), DC_ERR_USAGE (path too long), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_lock_acquire(const char *path, const char *what, const char *advice, dc_lock **out);
/* Whether the lock file already existed: its owner was killed and may have left unfinished files. */
bool dc_lock_was_left(const dc_lock *lock);
/* Describes, for a warning, the owner that left the lock file behind; "" if there was none. Valid until release. */
const char *dc_lock_previous_owner(const dc_lock *lock);
/* The user who owns new files in that directory: not always this process's user (network file systems map users). */
uid_t dc_lock_user(const dc_lock *lock);
/* Checks that the lock is still ours. Call it as often as you like: it looks at the file and gives a sign of life only
 * about once a minute. NULL is legal. Errors: DC_ERR_BUSY (another process has taken it, because this one gave no sign
 * of life for too long); from then on every call fails. */
DC_CHECKED dc_status dc_lock_beat(dc_lock *lock);
/* Like dc_lock_beat, but always looks at the file. Call it before a result is renamed to its final name. */
DC_CHECKED dc_status dc_lock_confirm(dc_lock *lock);
/* Removes the lock file, unless another process has taken it, and sets *lock to NULL; accepts NULL. */
void dc_lock_release(dc_lock **lock);

#endif
