/* The state of one conversion, shared by plan.c (first pass), copy.c (second pass) and convert.c. */
#ifndef DCMPI_CONVERT_CONVERSION_H
#define DCMPI_CONVERT_CONVERSION_H

#include <xxhash.h>

#include "convert/missing.h"
#include "convert/output.h"
#include "convert/precision.h"
#include "convert/source.h"

enum { DC_PIECE_VALUES = 1 << 19, DC_ATTRIBUTE_MAX_BYTES = 1 << 20 };

/* What the first pass knows of one input. */
typedef struct {
    dc_gidx rows;
    bool rounded;    /* its numbers may lose digits as float64 */
    bool own_labels; /* HDF5 with /y, or another column that was named */
    dc_file_state file, label_file;
} dc_input_plan;

typedef struct {
    const dc_convert_config *cfg;
    dc_convert_result *result; /* filled in on the way */
    dc_input_plan *plan;       /* [n_inputs] */
    const char **files;        /* all that is read: inputs, then labels */
    dc_recipe recipe;          /* of the output */
    dc_classes *classes;
    char *names; /* of the features, one per line; NULL: none */
    int n_image_dims;
    int64_t image_shape[DC_SOURCE_IMAGE_DIMS_MAX];
    size_t piece_rows; /* rows that are worked on at a time */
    double *x;         /* [piece_rows x D] */
    void *packed;      /* [piece_rows x D], room for any type */
    int32_t *y;        /* [piece_rows] */
    char *ids;         /* [piece_rows x id_bytes], padded with zeros; NULL without ids */
    size_t id_bytes;   /* of the longest id of all inputs, 0: none */
    bool *skip;        /* [piece_rows]: rows that are left out */
    dc_missing missing;
    dc_precision precision; /* of inputs whose numbers may lose digits as float32 */
    bool has_ids;
    bool turned; /* an input's columns are the rows */
    dc_output out;
    double sum;
    XXH3_state_t *hash; /* of all bytes of X in order */
    uint64_t hash_rows; /* sum over the rows, as h5.h has it */
} dc_conversion;

/* again: decisions were reported before. */
static inline dc_source_request dc_job_matrix(const dc_conversion *j, int i, bool again)
{
    const dc_convert_config *cfg = j->cfg;
    dc_source_request r = {.path = cfg->inputs[i],
                           .dataset = cfg->dataset,
                           .table = cfg->table,
                           .missing = cfg->missing.action,
                           .max_bytes = cfg->max_input_bytes,
                           .ids = cfg->id_dataset,
                           .transpose = cfg->transpose,
                           .again = again,
                           .output = cfg->output};
    r.table.transposed = r.transpose == DC_TRANSPOSE_YES;
    return r;
}

/* Labels come from a file of their own, or from a column of an HDF5 input; text has them in the matrix instead. */
static inline bool dc_job_has_label_source(const dc_conversion *j, int i)
{
    return j->cfg->n_labels > 0 || j->plan[i].own_labels;
}

static inline dc_source_request dc_job_labels(const dc_conversion *j, int i)
{
    const dc_convert_config *cfg = j->cfg;
    return (dc_source_request){.path = cfg->n_labels > 0 ? cfg->labels[i] : cfg->inputs[i],
                               .dataset = cfg->label_dataset,
                               .labels = true,
                               .rows = j->plan[i].rows,
                               .max_bytes = cfg->max_input_bytes};
}

/* Opens each input once: N, D, type, classes, names; allocates the pieces. */
DC_CHECKED dc_status dc_job_plan(dc_conversion *j);
/* Reads each input again and writes its rows; min, max, mean and checksum of the result. */
DC_CHECKED dc_status dc_job_copy(dc_conversion *j);

#endif
