/* The table of methods. The first is the default of cluster.method. */
#include <string.h>

#include "methods.h"

/* row(NAME) stands for dc_method_NAME, defined in NAME.c. */
#define METHODS(row)                                                                                                   \
    row(dec) row(idec) row(aekm) row(gmm) row(spectral) row(dcn) row(dkm) row(vae) row(vade) row(dcan) row(aae)        \
        row(imsat) row(depict)

#define DECLARE(name) extern const dc_method dc_method_##name;
METHODS(DECLARE)

#define ADDRESS(name) &dc_method_##name,
static const dc_method *const table[] = {METHODS(ADDRESS)};

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
