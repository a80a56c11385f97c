/* Private to `dcmpi predict`: its state, and the file it writes. */
#ifndef DCMPI_APP_RUN_PREDICT_H
#define DCMPI_APP_RUN_PREDICT_H

#include "cli.h"
#include "dcmpi/claim.h"
#include "dcmpi/comm.h"
#include "dcmpi/config.h"
#include "dcmpi/files.h"
#include "dcmpi/train.h"
#include "drift.h"
#include "score.h"

typedef struct {
    const char *model, *input, *output;                 /* paths, borrowed */
    const char *text_column, *label_column, *id_column; /* of documents; borrowed; NULL: as in training */
    char names[DC_FILES_TEXT_MAX];                      /* files of the rows, one per line: the input, or `rows` */
    bool one_file;                                      /* names is one name, which may have line breaks */
    dc_files *data_files;                               /* these, owned */
    dc_files *documents;                                /* from which `rows` was made; owned; NULL: none */
    char rows[DC_PATH_MAX];                             /* data file made of documents, removed at the end; "": none */
    const char *label_dataset;     /* borrowed; NULL: as in training, else /y, if the input has it */
    const char *matrix;            /* borrowed; NULL: as in training, else X */
    bool full;                     /* --rows=full: where each row stands in its cluster */
    dc_q_output q;                 /* --q */
    int64_t q_top;                 /* --q-top, or 0 if it is not given */
    double quantile;               /* --drift-quantile */
    bool force;                    /* replace any file that has the output's name */
    const char *files[2];          /* model and input */
    char options[4 * DC_PATH_MAX]; /* other options that decide the output */
    dc_recipe recipe;              /* what the output is made of: files and options */
    dc_claim claim;                /* the claim on the output; rank 0 holds the lock */
    int64_t rows_per_round;        /* per rank; 0: as many as fit into 64 MiB */
    dc_trained trained;
    dc_config deck; /* deck of the training run, if it has a method; holds the method's keys */
    dc_row_stream stream;
    dc_part part;
    int64_t capacity; /* rows of a round */
    dc_predictor *predictor;
    dc_h5_stream *file;
    float *Z, *confidence;     /* [capacity x L], [capacity]; NULL without layers, without a method */
    int32_t *labels;           /* [capacity] */
    dc_q_top top;              /* [capacity] */
    float *all_q;              /* [capacity x K]; NULL: not wanted */
    int64_t *size;             /* [K] rows per cluster: of this rank, at the end of all ranks */
    double *distance, *cosine; /* [capacity] of a round; NULL: not wanted */
    int32_t *all_labels;       /* [n] of this rank's rows so far, with --rows=full, as are the next */
    double *all_distances;     /* [n] */
    int64_t *rank;             /* [n] */
    int64_t done;              /* rows so far */
    dc_drift drift;
    dc_strange_rows strange;
    dc_scoring scoring;
    size_t ids_array, rows_array,
        q_array; /* index among the file's arrays of the ids, and of the first of /rows and q */
} dc_prediction;

/* Collective. If the input is documents, makes a data file of them; sets p->names and p->documents. */
DC_CHECKED dc_status dc_prediction_read_documents(dc_comm *comm, dc_prediction *p);
/* The files that the rows come from, as the user named them. */
static inline const dc_files *dc_prediction_sources(const dc_prediction *p)
{
    return p->documents ? p->documents : p->data_files;
}
/* Removes that file; the ranks must be done with it. */
void dc_prediction_drop_documents(const dc_prediction *p);
/* Collective. Creates the file, with labels; confidence if the model is of a method, embedding if it has a network; ids
 * if the input has them. */
DC_CHECKED dc_status dc_prediction_create(dc_comm *comm, dc_prediction *p);
/* Collective. Appends this rank's n rows of a round. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_prediction_append(dc_comm *comm, dc_prediction *p, int64_t n);
/* Collective. Writes sizes and scores, then gives the file its name. */
DC_CHECKED dc_status dc_prediction_commit(dc_comm *comm, dc_prediction *p);

#endif
