/* How a file is made: whoever makes the same file again may replace it, nobody else. A file keeps its recipe in the
 * root attributes verb, inputs and options, for people, and recipe_hash, which is compared. Serial: in a job rank 0
 * calls these. */
#ifndef DCMPI_RECIPE_H
#define DCMPI_RECIPE_H

#include "dcmpi/h5.h"

typedef struct {
    const char *verb;          /* "convert" */
    const char *const *inputs; /* [n_inputs] names as they were given; where they lead to is compared */
    int n_inputs;
    const char *options; /* those that decide on the content, "name=value" one per line, always in one order */
} dc_recipe;

/* Writes the attributes. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_recipe_put(dc_h5 *h5, const dc_recipe *recipe);
/* Whether the HDF5 file `path` was made by this recipe. Otherwise made[cap] says by which: "convert of a.csv", or "" of
 * a file that does not say so. */
bool dc_recipe_made(const dc_recipe *recipe, const char *path, char *made, size_t cap);
/* The attribute `format` of an HDF5 file, which all of ours have; "" of others, damaged ones included. Errors:
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_recipe_format(const char *path, char *format, size_t cap);

#endif
