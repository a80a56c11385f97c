/* Finds which dataset of an HDF5 file is the matrix, what its rows mean, and where the names of rows and columns are
 * stored. */
#ifndef DCMPI_CONVERT_H5MEANING_H
#define DCMPI_CONVERT_H5MEANING_H

#include "convert/source.h"

typedef enum { DC_H5_PLAIN, DC_H5_H5AD, DC_H5_LOOM, DC_H5_MATLAB } dc_h5_convention;

typedef struct {
    dc_h5_convention kind;
    char rows[DC_H5_NAME_MAX];    /* dataset with the names of the file's rows, "": none */
    char columns[DC_H5_NAME_MAX]; /* the same for the file's columns */
} dc_h5_meaning;

/* Sets s->dataset to the dataset that the user named, else /X, else /matrix of a loom file, else the only dataset with
 * two or more dimensions. Errors: DC_ERR_DATA (none, several, a sparse matrix), DC_ERR_USAGE (name too long). */
DC_CHECKED dc_status dc_h5_choose_dataset(dc_source *s, const dc_source_request *r);
/* Finds what s->dataset means by the conventions of its file. Errors: DC_ERR_DATA, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_find_meaning(dc_source *s, const dc_source_request *r, dc_h5_meaning *m);

#endif
