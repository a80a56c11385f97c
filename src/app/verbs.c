/* The table of verbs. */
#include "verbs.h"

#include <string.h>

#include "run.h"

static const dc_verb table[] = {
    {.name = "fit", .can_stop = true, .mpi = dc_run_fit},
    {.name = "kmeans", .can_stop = true, .mpi = dc_run_kmeans},
    {.name = "sweep-k", .can_stop = true, .mpi = dc_run_fit},
    {.name = "predict", .can_stop = true, .mpi = dc_run_predict},
    {.name = "dedup", .can_stop = true, .mpi = dc_run_dedup},
    {.name = "convert", .can_stop = true, .mpi = dc_run_convert, .serial = dc_verb_convert, .apart = DC_ERR_DATA},
    {.name = "info", .serial = dc_verb_info, .apart = DC_ERR_FORMAT},
    {.name = "check", .serial = dc_verb_check, .apart = DC_ERR_FORMAT},
    {.name = "compare", .serial = dc_verb_compare, .apart = DC_ERR_FORMAT},
    {.name = "selftest", .mpi = dc_verb_selftest},
    {.name = "config", .serial = dc_verb_config},
};

const dc_verb *dc_verb_find(const char *name)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

bool dc_verb_takes_signals(const dc_verb *verb, const dc_cli *cli)
{
    return verb->can_stop && (verb->mpi != dc_run_convert || dc_convert_is_text(cli));
}
