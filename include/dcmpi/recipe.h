/* How a file was made: only a job that would make it in the same way may replace it. A file stores its recipe in root
 * attributes: verb, inputs and options are for people to read; recipe_hash is what gets compared. All functions are
 * serial; in a job, rank 0 calls them. */
#ifndef DCMPI_RECIPE_H
#define DCMPI_RECIPE_H

#include "dcmpi/h5.h"

typedef struct {
    const char *verb;          /* "convert" */
    const char *const *inputs; /* [n_inputs] names as given; the files they resolve to are compared */
    int n_inputs;
    const char *options; /* options that affect the content, one "name=value" per line, in a fixed order */
} dc_recipe;

/* Writes the attributes. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_recipe_put(dc_h5 *h5, const dc_recipe *recipe);
/* *same: whether the HDF5 file `path` was made by this recipe. If not, made[cap] says how it was made: "convert of
 * a.csv", or "" if the file does not say. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_recipe_made(const dc_recipe *recipe, const char *path, bool *same, char *made, size_t cap);
/* Reads the attribute `format`, which all HDF5 files of dcmpi have; gives "" for other files, damaged ones included.
 * Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_recipe_format(const char *path, char *format, size_t cap);

#endif
