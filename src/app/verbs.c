/* The table of verbs: name, whether it starts MPI, function. */
#include "verbs.h"

#include <string.h>

#include "dcmpi/log.h"
#include "run.h"

static const dc_verb table[] = {
    {.name = "fit", .mpi = dc_run_fit},
    {.name = "kmeans", .mpi = dc_run_kmeans},
    {.name = "convert", .serial = dc_verb_convert},
    {.name = "info", .serial = dc_verb_info},
    {.name = "compare", .serial = dc_verb_compare},
    {.name = "config", .serial = dc_verb_config},
};

const dc_verb *dc_verb_find(const char *name)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}
