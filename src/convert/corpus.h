/* The state of one conversion of documents, shared by the files corpus_*.c. Two passes: the first counts documents,
 * labels and terms; then the vocabulary is chosen; the second makes the rows, which wait in a spool until their places
 * in the output are known. Functions are collective; comm is NULL in a process without MPI (ranks.h). */
#ifndef DCMPI_CONVERT_CORPUS_H
#define DCMPI_CONVERT_CORPUS_H

#include <string.h>

#include "convert/classes.h"
#include "convert/documents.h"
#include "convert/excerpt.h"
#include "convert/ids.h"
#include "convert/output.h"
#include "convert/ranks.h"
#include "convert/shares.h"

/* Rows in memory; arrays as dc_h5_sparse_append() takes them. */
typedef struct {
    int64_t rows, entries;
    int64_t *ptr;   /* [DC_BATCH_ROWS + 1] */
    int32_t *label; /* [DC_BATCH_ROWS] */
    char *ids;      /* [DC_BATCH_ROWS x id_bytes] */
    char *texts;    /* [DC_BATCH_ROWS x text_bytes] */
    int32_t *col;   /* [room] */
    float *val;     /* [room] */
    size_t room;
} dc_batch_of_rows;
enum { DC_BATCH_ROWS = 2048, DC_BATCH_ENTRIES = 1 << 19 };

/* A sum of floats without rounding, in units of 2^-60. */
typedef __int128 dc_exact_sum;

typedef struct {
    const dc_convert_config *cfg;
    dc_convert_result *result;
    dc_vectorizer v; /* owned; options of the command line, or of the vocabulary */
    dc_docs_options docs;
    dc_input_share *shares; /* [n_inputs] */
    const char **files;     /* [n_inputs], for the recipe */
    dc_recipe recipe;
    dc_output out;           /* rank 0 */
    char part[DC_PATH_MAX];  /* name of the output while it is written */
    char title[DC_PATH_MAX]; /* of the inputs, for messages */
    bool has_ids, has_labels;
    int at;          /* the input that is read */
    const char *now; /* its name, for messages */
    /* first pass */
    dc_docs_counts met;
    dc_classes *classes;
    dc_id_sink ids;
    dc_terms *terms;
    dc_tally *counts;   /* NULL: terms are not counted */
    int64_t *hashed_df; /* [hashing], NULL: not counted */
    int64_t n;          /* documents of this rank so far */
    int64_t first, N;   /* number of this rank's first document; of all documents */
    char *excerpt;      /* [DC_EXCERPT_BYTES(keep_text)] of a document; NULL: none is stored */
    size_t id_bytes, text_bytes;
    dc_vocabulary voc;
    int64_t fitted; /* documents from which a vocabulary that was given was made */
    /* second pass */
    dc_row_maker *maker;
    dc_spool *spool;
    dc_batch_of_rows batch;
    int64_t entries, empty;
    dc_exact_sum sum;
    double min, max;
    int64_t first_entry, nnz;
} dc_corpus;

/* corpus_pass.c: finds out what the inputs are (rank 0, for all); calls visit for each document of this rank. */
DC_CHECKED dc_status dc_corpus_look(dc_comm *comm, dc_corpus *c);
typedef dc_status (*dc_corpus_visitor)(dc_corpus *c, const dc_doc *doc);
DC_CHECKED dc_status dc_corpus_pass(dc_comm *comm, dc_corpus *c, const char *what, dc_corpus_visitor visit);
/* corpus_count.c: the first pass: n, N, first, classes, id_bytes, counts. */
DC_CHECKED dc_status dc_corpus_count(dc_comm *comm, dc_corpus *c);
/* corpus_merge.c: the vocabulary of the counts of all ranks. */
DC_CHECKED dc_status dc_corpus_merge(dc_comm *comm, dc_corpus *c);
/* corpus_rows.c: the second pass, and the file. */
DC_CHECKED dc_status dc_corpus_rows(dc_comm *comm, dc_corpus *c);
DC_CHECKED dc_status dc_corpus_write(dc_comm *comm, dc_corpus *c);
/* corpus_model.c: options and vocabulary of a file that convert or a run wrote; what such a file keeps of them. */
DC_CHECKED dc_status dc_corpus_load(dc_comm *comm, dc_corpus *c, const char *path);

/* Whether the user names such a column: it is neither NULL nor "none". */
static inline bool dc_corpus_wants(const char *column)
{
    return column && strcmp(column, "none") != 0;
}

#endif
