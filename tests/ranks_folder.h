/* For tests whose ranks share files: communicator and a temporary folder that all of them know. */
#ifndef DCMPI_TESTS_RANKS_FOLDER_H
#define DCMPI_TESTS_RANKS_FOLDER_H

#include <stdlib.h>

#include "check.h"
#include "dcmpi/h5.h"

static dc_comm *comm;
static char dir[CHECK_PATH_MAX];

static inline bool on_rank0(void)
{
    return dc_comm_rank(comm) == 0;
}

/* Path of a file in the folder; the results of the last four calls stay valid. */
static inline const char *path_of(const char *name)
{
    static char buffer[4][300];
    static int next;
    char *p = buffer[next++ % 4];
    snprintf(p, sizeof buffer[0], "%s/%s", dir, name);
    return p;
}

/* A file with /X [n x d]; collective. */
static inline void write_rows(const char *path, dc_h5_type type, dc_gidx n, dc_gidx d, const void *X)
{
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "X", type, 2, (dc_gidx[]){n, d}, X));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
}

/* Starts the test on all ranks; false if it cannot. */
static inline bool folder_open(void)
{
    if (dc_comm_create(&comm) != DC_OK) return false;
    check_init(dc_comm_rank(comm));
    if (on_rank0() && !mkdtemp(check_temporary(dir))) return false;
    dc_comm_bcast(comm, dir, sizeof dir, 0);
    return true;
}

/* Removes the folder and ends the test; the exit code of main. */
static inline int folder_close(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    dc_comm_barrier(comm);
    if (on_rank0()) CHECK(system(command) == 0);
    return check_done_all(&comm);
}

#endif
