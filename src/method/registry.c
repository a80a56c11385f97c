/* The table of methods. */
#include "methods.h"

#include <string.h>

static const dc_method *const table[] = {&dc_method_aekm, &dc_method_dec};

const dc_method *dc_method_at(int i)
{
    return table[i];
}

const dc_method *dc_method_find(const char *name)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++)
        if (strcmp(table[i]->name, name) == 0) return table[i];
    return NULL;
}

const char *const *dc_method_names(int *n)
{
    static const char *names[DC_COUNT_OF(table)];
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) names[i] = table[i]->name;
    *n = (int)DC_COUNT_OF(table);
    return names;
}
