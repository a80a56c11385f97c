/* The state of one conversion, shared by plan.c (first pass), copy.c (second pass) and convert.c. */
#ifndef DCMPI_CONVERT_CONVERSION_H
#define DCMPI_CONVERT_CONVERSION_H

#include <xxhash.h>

#include "convert/missing.h"
#include "convert/output.h"
#include "convert/precision.h"
#include "convert/source.h"

enum { DC_PIECE_VALUES = 1 << 19, DC_ATTRIBUTE_MAX_BYTES = 1 << 20 };

/* What the first pass finds out about one input. */
typedef struct {
    dc_gidx rows;
    bool rounded;    /* its numbers may lose digits when stored as float64 */
    bool own_labels; /* an HDF5 file with /y, or with another column that the user named */
    dc_file_state file, label_file;
} dc_input_plan;

typedef struct {
    const dc_convert_config *cfg;
    dc_convert_result *result; /* filled in as the conversion goes on */
    dc_input_plan *plan;       /* [n_inputs] */
    const char **files;        /* all files that are read: inputs, then labels */
    dc_recipe recipe;          /* of the output */
    dc_file_state seen;        /* the first input when its format was recognised; zeros for a folder */
    dc_classes *classes;
    char *names; /* of the features, one per line; NULL: none */
    int n_image_dims;
    int64_t image_shape[DC_SOURCE_IMAGE_DIMS_MAX];
    size_t piece_rows; /* number of rows converted at a time */
    double *x;         /* [piece_rows x D] */
    void *packed;      /* [piece_rows x D], room for any type */
    int32_t *y;        /* [piece_rows] */
    char *ids;         /* [piece_rows x id_bytes], padded with zeros; NULL without ids */
    size_t id_bytes;   /* bytes of the longest id of all inputs, 0: no ids */
    bool *skip;        /* [piece_rows]: rows that are left out */
    dc_missing missing;
    dc_precision precision; /* for inputs whose numbers may lose digits when stored as float32 */
    bool has_ids;
    bool turned; /* the columns of an input became the rows */
    dc_output out;
    double sum;
    XXH3_state_t *hash; /* of all bytes of X in order */
    uint64_t hash_rows; /* sum of the rows' hashes, see h5.h */
} dc_conversion;

/* Request to open the matrix of input i. again: it was opened before, so decisions about it are not reported again. */
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

/* Whether labels have a source of their own: a separate file, or a column of an HDF5 input. Text files have their
 * labels in the matrix instead. */
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

/* Opens each input once to find N, D, type, classes and names; allocates the pieces. */
DC_CHECKED dc_status dc_job_plan(dc_conversion *j);
/* Parts of it that the plan for sparse inputs has, too. Widens the stored type if float32 cannot tell numbers apart. */
void dc_job_plan_type(dc_conversion *j);
/* Numbers the classes. */
DC_CHECKED dc_status dc_job_plan_classes(dc_conversion *j);
/* A NOTE if there are far more columns than rows. */
void dc_job_note_orientation(const dc_conversion *j);
/* Reads each input again and writes its rows; computes min, max, mean and checksum of the result. */
DC_CHECKED dc_status dc_job_copy(dc_conversion *j);
/* Both for sparse inputs: *sparse is false, and nothing is done, if the first input is dense. origin(ctx, h5) adds the
 * attributes that tell where the data come from. */
DC_CHECKED dc_status dc_job_sparse(dc_conversion *j, dc_h5_fill origin, bool *sparse);

#endif
