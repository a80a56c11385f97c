/* Detects a launcher that does not fit the MPI library.
 *
 * A launcher that does not work with our MPI (another MPI's mpirun, srun without PMIx) starts N processes, each of
 * which is rank 0 of 1. All of them would do the whole job and write the same files. MPI cannot detect this, but the
 * launcher's environment variables show it. SLURM_NTASKS proves nothing: it is set in batch scripts, too. */
#include <stdlib.h>
#include <string.h>

#include "comm_priv.h"
#include "dcmpi/log.h"

/* Environment variables that launchers set. The order matters: mpirun inside a Slurm job starts its daemons through
 * srun and passes srun's variables on, so mpirun's own variables come first. */
static const struct {
    const char *size, *rank, *launcher, *advice;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "Open MPI's mpirun",
     "use the mpirun of the Open MPI that dcmpi was built with"},
    {"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MVAPICH's mpirun", "use Open MPI's mpirun"},
    {"PMI_SIZE", "PMI_RANK", "an MPICH-like mpirun or srun --mpi=pmi2", "use Open MPI's mpirun or srun --mpi=pmix"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun", "use srun --mpi=pmix or Open MPI's mpirun"},
};

/* The value of an environment variable as a number, -1 if there is none. */
static long number_in(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    if (text == NULL || *text == '\0') return -1;
    const long number = strtol(text, &end, 10);
    return *end == '\0' ? number : -1;
}

dc_status dc_comm_check_launch(dc_comm *comm)
{
    if (comm->size > 1) return DC_OK;
    for (size_t i = 0; i < DC_COUNT_OF(launchers); i++) {
        const long size = number_in(launchers[i].size), rank = number_in(launchers[i].rank);
        if (size < 0 || rank < 0) continue;
        if (size <= 1) return DC_OK;
        dc_log_set_active(rank == 0);
        return DC_FAIL(DC_ERR_USAGE,
                       "%ld processes but MPI size 1: each of the %ld processes of %s would do the whole job alone "
                       "(%s=%ld): %s",
                       size, size, launchers[i].launcher, launchers[i].size, size, launchers[i].advice);
    }
    return DC_OK;
}

bool dc_comm_is_launched(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(launchers); i++)
        if (number_in(launchers[i].size) >= 0 && number_in(launchers[i].rank) >= 0) return true;
    return false;
}

const char *dc_comm_library(void)
{
    static char name[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (MPI_Get_library_version(name, &length) != MPI_SUCCESS) return "unknown MPI";
    name[strcspn(name, ",\n")] = '\0'; /* Open MPI appends its build host and date */
    if (strncmp(name, "Open MPI v", 10) == 0) memmove(name + 9, name + 10, strlen(name + 10) + 1);
    return name;
}
