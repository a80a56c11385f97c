/* Documents as the input of predict: convert makes a data file of them with the vocabulary of the model, beside the
 * output, from which the rows are then read. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "data_files.h"
#include "dcmpi/builtin.h"
#include "dcmpi/convert.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/npy.h"
#include "dcmpi/text.h"
#include "run_predict.h"

enum { MAX_INPUT_SHIFT = 40 };

/* What rank 0 tells the others. */
typedef struct {
    bool text;
    char rows[DC_PATH_MAX], text_column[DC_PATH_MAX], label_column[DC_PATH_MAX], id_column[DC_PATH_MAX];
} document_columns;

static dc_status choose(const char *model, const char *key, const char *given, char out[DC_PATH_MAX])
{
    if (!given) return dc_vectorizer_key(model, key, out, DC_PATH_MAX);
    snprintf(out, DC_PATH_MAX, "%s", given);
    return DC_OK;
}

/* *rows: whether the file holds rows, as HDF5 or NPY; false if it cannot be opened. */
static dc_status look_for_rows(const char *path, bool *rows)
{
    uint8_t head[8];
    const dc_status st = dc_h5_recognise(path, rows);
    if (st != DC_OK || *rows) return st;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return DC_OK;
    const ssize_t got = read(fd, head, sizeof head);
    const int cause = errno;
    close(fd);
    if (got < 0) return DC_FAIL(DC_ERR_IO, "cannot read %s: %s", path, strerror(cause));
    *rows = dc_npy_recognise(head, (size_t)got);
    return DC_OK;
}

/* *n: how many of the files hold rows; the first of these and the first of the others, or files->n. */
static dc_status count_rows(const dc_files *files, size_t *n, size_t *first_rows, size_t *first_text)
{
    *n = 0;
    *first_rows = *first_text = files->n;
    for (size_t i = files->n; i-- > 0;) {
        bool rows;
        const dc_status st = look_for_rows(dc_files_path(files, i), &rows);
        if (st != DC_OK) return st;
        *n += rows;
        *(rows ? first_rows : first_text) = i;
    }
    return DC_OK;
}

/* Refuses options and files that do not fit together; *text: whether the files are documents. */
static dc_status judge(const dc_files *files, const char *option, bool *text)
{
    size_t n, rows, other;
    const dc_status st = count_rows(files, &n, &rows, &other);
    if (st != DC_OK) return st;
    *text = n == 0;
    if (n > 0 && option)
        return DC_FAIL(DC_ERR_USAGE, "%s: is no file of documents, so it has no %s", dc_files_path(files, rows),
                       option);
    if (n > 0 && n < files->n)
        return DC_FAIL(DC_ERR_USAGE, "%s holds rows, and %s is no such file; predict takes files of rows, or documents",
                       dc_files_path(files, rows), dc_files_path(files, other));
    for (size_t i = 0; *text && i < files->n; i++)
        if (*dc_files_dataset(files, i))
            return DC_FAIL(DC_ERR_USAGE, "%s:%s: documents have no datasets; their column is --text-column",
                           dc_files_path(files, i), dc_files_dataset(files, i));
    return DC_OK;
}

typedef struct {
    const char *given, *option, *what; /* given: by the user; NULL: as in training */
    bool in_all;                       /* all documents must have it */
} optional_column;

/* A column of the training that the user does not ask for, and that these documents lack, is left out. */
static dc_status drop_if_missing(const dc_prediction *p, const optional_column *o, const char *text_column,
                                 char column[DC_PATH_MAX])
{
    const char *path = NULL;
    dc_column_place place = DC_COLUMN_UNKNOWN;
    if (o->given || !column[0] || strcmp(column, "none") == 0 || strcmp(text_column, "file") == 0) return DC_OK;
    for (size_t i = 0; place == DC_COLUMN_UNKNOWN && i < p->documents->n; i++) {
        path = dc_files_path(p->documents, i);
        const dc_status st = dc_convert_find_column(path, text_column, column, &place);
        if (st != DC_OK) return st;
    }
    if (place != DC_COLUMN_NOWHERE && (place != DC_COLUMN_NOT_FIRST || !o->in_all)) return DC_OK;
    dc_log_note("%s: has no column '%s', from which the %s were taken in training: no %s; %s names another", path,
                column, o->what, o->what, o->option);
    column[0] = '\0';
    return DC_OK;
}

/* Whether the input is documents: the model was made of documents, and the input is no file of rows. */
static dc_status look(dc_prediction *p, document_columns *found)
{
    dc_status st = DC_OK;
    const char *option = p->text_column    ? "--text-column"
                         : p->label_column ? "--label-column"
                         : p->id_column    ? "--id-column"
                                           : NULL;
    memset(found, 0, sizeof *found);
    if (dc_builtin_is(p->input) && !option) return DC_OK;
    DC_TRY(choose(p->model, "text_column", p->text_column, found->text_column));
    DC_TRY(choose(p->model, "label_column", p->label_column, found->label_column));
    DC_TRY(choose(p->model, "id_column", p->id_column, found->id_column));
    if (!found->text_column[0] && option)
        return DC_FAIL(DC_ERR_USAGE, "%s is for documents, but the rows of %s were not made of documents", option,
                       p->model);
    if (!found->text_column[0]) return DC_OK;
    DC_TRY(p->one_file ? dc_files_one(p->names, &p->documents) : dc_files_list(p->names, false, &p->documents));
    DC_TRY(judge(p->documents, option, &found->text));
    if (!found->text) goto out;
    p->documents->plain = p->documents->n == 1;
    DC_TRY(dc_data_files_refuse(p->documents, p->claim.path));
    const optional_column label = {p->label_column, "--label-column", "labels", false},
                          id = {p->id_column, "--id-column", "ids", true};
    DC_TRY(drop_if_missing(p, &label, found->text_column, found->label_column));
    DC_TRY(drop_if_missing(p, &id, found->text_column, found->id_column));
    snprintf(found->rows, sizeof found->rows, "%.*s.rows.h5", DC_PATH_MAX - 32, p->claim.path);
out:
    if (st != DC_OK || !found->text) dc_files_destroy(&p->documents);
    return st;
}

static const char *given(const char *column)
{
    return column[0] ? column : NULL;
}

/* Names of the files, and room for how many documents each has. */
static dc_status list_inputs(const dc_files *files, const char ***inputs, int64_t **documents)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(inputs, files->n, sizeof **inputs, "files of documents"));
    DC_TRY(dc_mem_alloc(documents, files->n, sizeof **documents, "files of documents"));
    for (size_t i = 0; i < files->n; i++) (*inputs)[i] = dc_files_path(files, i);
out:
    return st;
}

static dc_status convert(dc_comm *comm, dc_prediction *p, const document_columns *found)
{
    dc_status st = DC_OK;
    dc_convert_result result;
    dc_files *files = p->documents;
    const char **inputs = NULL;
    int64_t *rows = NULL;
    const dc_vectorizer vectorizer = dc_vectorizer_default(); /* that of the model is used */
    DC_TRY_ALL(comm, list_inputs(files, &inputs, &rows));
    const dc_convert_config cfg = {.inputs = inputs,
                                   .n_inputs = (int)files->n,
                                   .table = {.text_column = found->text_column,
                                             .label_column = given(found->label_column),
                                             .id_column = given(found->id_column)},
                                   .vectorizer = &vectorizer,
                                   .vocabulary = p->model,
                                   .output = p->rows,
                                   .force = true,
                                   .labels_may_lack = !p->label_column,
                                   .max_input_bytes = UINT64_C(1) << MAX_INPUT_SHIFT,
                                   .documents = rows};
    DC_TRY(dc_convert_text(comm, &cfg, &result));
    for (size_t i = 0; i < files->n; i++) files->file[i].piece.rows = rows[i];
    dc_log("documents %s: %lld rows with %lld values, by the vocabulary of %s", files->title, (long long)result.N,
           (long long)result.nnz, p->model);
out:
    dc_mem_free(&inputs);
    dc_mem_free(&rows);
    return st;
}

dc_status dc_prediction_read_documents(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    document_columns found;
    p->one_file = strlen(p->input) >= DC_PATH_MAX || !dc_text_is_clean(p->input);
    if (p->one_file)
        snprintf(p->names, sizeof p->names, "%s", p->input);
    else
        DC_TRY_ALL(comm, dc_config_read_files(p->input, "command line: --input", p->names));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? look(p, &found) : DC_OK);
    dc_comm_bcast(comm, &found, sizeof found, 0);
    if (!found.text) return DC_OK;
    DC_TRY(dc_files_share(comm, &p->documents));
    memcpy(p->rows, found.rows, sizeof p->rows);
    DC_TRY(convert(comm, p, &found));
    snprintf(p->names, sizeof p->names, "%s", p->rows);
    p->one_file = true;
out:
    if (st != DC_OK) p->rows[0] = '\0';
    return st;
}

void dc_prediction_drop_documents(const dc_prediction *p)
{
    if (p->rows[0] && p->claim.lock) unlink(p->rows); /* the lock is that of rank 0 */
}
