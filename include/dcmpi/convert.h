/* Foreign formats to the data file of dcmpi, streamed: IDX(.gz), CSV/TSV/blank-separated (.gz), NPY, HDF5. Serial. */
#ifndef DCMPI_CONVERT_H
#define DCMPI_CONVERT_H

#include "dcmpi/base.h"

typedef enum { DC_LABEL_NONE = -1, DC_LABEL_LAST = -2 } dc_label_column; /* >= 0: column number; 0 is "first" */

typedef struct {
    const char *const *inputs;  /* [n_inputs], concatenated in order */
    int n_inputs;
    const char *const *labels;  /* [n_labels], 0 or n_inputs files of labels */
    int n_labels;
    long label_column;          /* text formats: dc_label_column or a number from 0 */
    bool label_column_given;
    const char *dataset;        /* HDF5 inputs: path of the matrix, NULL: "/X" or the only 2-D dataset */
    const char *output;
    size_t max_input_bytes;     /* refuse inputs that expand beyond; 0: no limit */
} dc_convert_config;

typedef struct {
    dc_gidx N;
    int64_t D;
    dc_dtype dtype;
    bool has_labels;
    int64_t n_classes;
    double min, max, mean;
    uint64_t checksum;
} dc_convert_result;

/* Writes cfg->output (through a temporary name, removed on any error). Errors: DC_ERR_DATA with file, place and cause;
 * DC_ERR_IO; DC_ERR_USAGE. */
DC_CHECKED dc_status dc_convert(const dc_convert_config *cfg, dc_convert_result *result);

#endif
