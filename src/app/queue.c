/* Batch systems, by the environment that they give a job. */
#include "queue.h"

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

bool dc_queue_runs_again(void)
{
    return strtol(word("SLURM_RESTART_COUNT"), NULL, 10) > 0 || strcmp(word("LSB_RESTART"), "Y") == 0 ||
           strcmp(word("RESTARTED"), "1") == 0;
}
