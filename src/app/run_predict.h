/* Private to `dcmpi predict`: its state, and the file it writes. */
#ifndef DCMPI_APP_RUN_PREDICT_H
#define DCMPI_APP_RUN_PREDICT_H

#include "cli.h"
#include "dcmpi/claim.h"
#include "dcmpi/comm.h"
#include "dcmpi/config.h"
#include "dcmpi/train.h"
#include "score.h"

typedef struct {
    const char *model, *input, *output; /* paths, borrowed */
    const char *label_dataset;          /* borrowed; NULL: /y if there is one */
    bool force;                         /* replace whatever the output's name belongs to */
    const char *files[2];               /* model and input, */
    char options[DC_H5_NAME_MAX + 16];  /* with what else decides, */
    dc_recipe recipe;                   /* of which the output is made */
    dc_claim claim;                     /* on the output; the lock is held by rank 0 */
    int64_t rows_per_round;             /* of a rank; 0: what fits into 64 MiB */
    dc_trained trained;
    dc_config deck; /* of the run, if it has a network; holds the method's keys */
    dc_row_stream stream;
    dc_part part;
    int64_t capacity; /* rows of a piece */
    dc_predictor *predictor;
    dc_h5_stream *file;
    float *Z, *confidence; /* [capacity x L], [capacity]; NULL without a network */
    int32_t *labels;       /* [capacity] */
    int64_t *size;         /* [K], global at the end */
    dc_strange_rows strange;
    dc_scoring scoring;
    size_t ids_array; /* place of the ids in the file */
} dc_prediction;

/* Collective. Creates the file: labels, confidence and embedding with a network, ids if the input has them. */
DC_CHECKED dc_status dc_prediction_create(dc_comm *comm, dc_prediction *p);
/* Collective. This rank's n rows of a piece. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_prediction_append(dc_comm *comm, dc_prediction *p, int64_t n);
/* Collective. Sizes and scores, then the file gets its name. */
DC_CHECKED dc_status dc_prediction_commit(dc_comm *comm, dc_prediction *p);

#endif
