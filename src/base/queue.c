/* Batch systems. */
#include "dcmpi/queue.h"

#include <stdlib.h>
#include <string.h>

static const char *word(const char *variable)
{
    const char *value = getenv(variable);
    return value && strcspn(value, " \t\n") == strlen(value) ? value : "";
}

const char *dc_queue_job(void)
{
    static const char *const variables[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
    for (size_t i = 0; i < DC_COUNT_OF(variables); i++)
        if (*word(variables[i])) return word(variables[i]);
    return "";
}

int64_t dc_queue_restarts(void)
{
    return *word("SLURM_JOB_ID") ? strtoll(word("SLURM_RESTART_COUNT"), NULL, 10) : 0;
}

bool dc_queue_grants_cores(int threads)
{
    /* mpirun starts its daemons through srun, so its own variable comes first. Slurm writes "4(x2),3". */
    const char *ranks =
        *word("OMPI_COMM_WORLD_LOCAL_SIZE") ? word("OMPI_COMM_WORLD_LOCAL_SIZE") : word("SLURM_STEP_TASKS_PER_NODE");
    const int64_t n = DC_MAX((int64_t)strtoll(ranks, NULL, 10), (int64_t)1);
    return *word("SLURM_JOB_ID") && strtoll(word("SLURM_CPUS_ON_NODE"), NULL, 10) / n >= threads;
}
