/* The table of methods. The first is the default of cluster.method. */
#include <string.h>

#include "methods.h"

static const dc_method *const table[] = {&dc_method_dec, &dc_method_idec, &dc_method_aekm, &dc_method_dcn,
                                         &dc_method_dkm};

const dc_method *dc_method_at(int i)
{
    return i >= 0 && (size_t)i < DC_COUNT_OF(table) ? table[i] : NULL;
}

const dc_method *dc_method_find(const char *name)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++)
        if (strcmp(table[i]->name, name) == 0) return table[i];
    return NULL;
}
