/* Private to src/io: collective access to row blocks, shared by reading and by writing results. */
#ifndef DCMPI_IO_H5_BLOCK_H
#define DCMPI_IO_H5_BLOCK_H

#include "dcmpi/comm.h"
#include "h5_private.h"

/* This rank's rows [part->row_lo, part->row_hi) of a dataset; all fields but part's rank and rows are global. */
typedef struct {
    const char *path, *name;
    dc_h5_type type;
    const dc_part *part;
    size_t width; /* elements per row */
    bool write;
} dc_h5_block;

/* Opens `path` on all ranks through MPI-IO; the caller has checked that every rank sees it. Errors: DC_ERR_IO (write),
 * DC_ERR_FORMAT (read), agreed. */
DC_CHECKED dc_status dc_h5_open_all(dc_comm *comm, const char *path, bool write, hid_t *file);
DC_CHECKED dc_status dc_h5_close_all(dc_comm *comm, const char *path, hid_t file);
/* Moves the block in agreed rounds: to `out`, or from `in` if block->write; either may be NULL on a rank without rows.
 * The status is agreed. */
DC_CHECKED dc_status dc_h5_transfer_all(dc_comm *comm, const dc_h5_block *block, hid_t file, void *out, const void *in);
/* Removes the file `unfinished` (NULL: none), prints rank 0's error and ends the job with its code: for states that the
 * library can neither leave nor clean up. Collective. */
_Noreturn void dc_h5_abandon(dc_comm *comm, const char *unfinished, dc_status st);

#endif
