/* The claim on an output file: before work starts its name is checked and locked, so that two writers of one file, or
 * an output that is also an input, are known before anything is touched. Serial: in a job rank 0 calls these. */
#ifndef DCMPI_CLAIM_H
#define DCMPI_CLAIM_H

#include "dcmpi/lock.h"
#include "dcmpi/recipe.h"

typedef struct {
    char path[DC_PATH_MAX]; /* where the finished file goes; for a symbolic link, the file it points to */
    char part[DC_PATH_MAX]; /* path.part, under which it is written: free after dc_claim_take() */
    dc_lock *lock;          /* path.lock; NULL: nothing is claimed */
} dc_claim;

/* A file that the job reads; role: "--input", for messages. */
typedef struct {
    const char *role, *path;
} dc_claim_input;

/* Claims the HDF5 file `output`, which this recipe makes. A file of that name may exist only if it is empty or the
 * same recipe made it; with `force`, any regular file may. A part that a killed owner of the lock left is removed.
 * Errors, none of which touches a file: DC_ERR_USAGE (empty, too long, a file of another origin, or an input leads to
 * the output or to one of the names beside it that writing needs), DC_ERR_BUSY, DC_ERR_IO (no regular file, a part that
 * is not known to be a leftover; those of lock.h). */
DC_CHECKED dc_status dc_claim_take(dc_claim *c, const char *output, bool force, const dc_recipe *recipe,
                                   const dc_claim_input *input, int n);
/* Gives the lock back; a part is the writer's to remove. A claim that holds nothing is legal. */
void dc_claim_release(dc_claim *c);

/* Whether one of the inputs leads to the same file as `name`, which a job will write. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_claim_refuse_input(const char *name, const dc_claim_input *input, int n);

#endif
