/* The claim on an output file: its name is checked and locked before work starts. Two writers of one file, or an output
 * that is also an input, are thus detected before anything is touched. Serial: in a job rank 0 calls these. */
#ifndef DCMPI_CLAIM_H
#define DCMPI_CLAIM_H

#include "dcmpi/lock.h"
#include "dcmpi/recipe.h"

typedef struct {
    char path[DC_PATH_MAX]; /* where the finished file goes; for a symbolic link, the file it points to */
    char part[DC_PATH_MAX]; /* path.part, the name while writing; does not exist after dc_claim_take() */
    dc_lock *lock;          /* path.lock; NULL: nothing is claimed */
} dc_claim;

/* A file that the job reads; role names it in messages, such as "--input". */
typedef struct {
    const char *role, *path;
} dc_claim_input;

/* Claims the HDF5 file `output`, which this recipe makes. An existing file of that name must be empty or made by the
 * same recipe; with `force`, any regular file will do. A path.part left by a killed owner of the lock is removed.
 * Errors (no file is touched): DC_ERR_USAGE (name empty or too long, file of another origin, or an input that is the
 * output, path.part, path.lock or path.lock.guard), DC_ERR_BUSY, DC_ERR_IO (not a regular file, a path.part not known
 * to be a leftover, errors of dc_lock_acquire()). */
DC_CHECKED dc_status dc_claim_take(dc_claim *c, const char *output, bool force, const dc_recipe *recipe,
                                   const dc_claim_input *input, int n);
/* Releases the lock; the writer must remove path.part itself. A claim that holds nothing is legal. */
void dc_claim_release(dc_claim *c);

/* Fails if one of the inputs is the same file as `name`, which a job will write. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_claim_refuse_input(const char *name, const dc_claim_input *input, int n);

#endif
