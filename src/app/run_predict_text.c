/* Documents as the input of predict: convert makes a data file of them with the vocabulary of the model, beside the
 * output, from which the rows are then read. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "apart.h"
#include "dcmpi/convert.h"
#include "dcmpi/log.h"
#include "dcmpi/npy.h"
#include "dcmpi/text.h"
#include "run_predict.h"

enum { MAX_INPUT_SHIFT = 40 };

/* What rank 0 tells the others. */
typedef struct {
    bool text;
    char rows[DC_PATH_MAX], text_column[DC_PATH_MAX], label_column[DC_PATH_MAX], id_column[DC_PATH_MAX];
} documents;

static dc_status choose(const char *model, const char *key, const char *given, char out[DC_PATH_MAX])
{
    if (!given) return dc_vectorizer_key(model, key, out, DC_PATH_MAX);
    snprintf(out, DC_PATH_MAX, "%s", given);
    return DC_OK;
}

static bool is_npy(const char *path)
{
    uint8_t head[8];
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const ssize_t got = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0) close(fd);
    return got > 0 && dc_npy_recognise(head, (size_t)got);
}

/* Whether the input is documents: the model was made of documents, and the input is no file of rows. */
static dc_status look(const dc_prediction *p, documents *found)
{
    dc_status st = DC_OK;
    memset(found, 0, sizeof *found);
    const bool named = p->text_column || p->label_column || p->id_column;
    if (access(p->input, F_OK) != 0 && !named) return DC_OK; /* several files, or none */
    if (dc_h5_recognise(p->input) || is_npy(p->input)) {
        if (!named) return DC_OK;
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: is no file of documents, so it has no --text-column, --label-column or --id-column",
                       p->input);
    }
    DC_TRY(choose(p->model, "text_column", p->text_column, found->text_column));
    DC_TRY(choose(p->model, "label_column", p->label_column, found->label_column));
    DC_TRY(choose(p->model, "id_column", p->id_column, found->id_column));
    found->text = found->text_column[0] != '\0';
    snprintf(found->rows, sizeof found->rows, "%.*s.rows.h5", DC_PATH_MAX - 32, p->claim.path);
out:
    return st;
}

static const char *given(const char *column)
{
    return column[0] ? column : NULL;
}

static dc_status convert(dc_comm *comm, dc_prediction *p, const documents *found)
{
    dc_convert_result result;
    const dc_vectorizer vectorizer = dc_vectorizer_default(); /* that of the model is used */
    const dc_convert_config cfg = {.inputs = &p->input,
                                   .n_inputs = 1,
                                   .table = {.text_column = found->text_column,
                                             .label_column = given(found->label_column),
                                             .id_column = given(found->id_column)},
                                   .vectorizer = &vectorizer,
                                   .vocabulary = p->model,
                                   .output = p->rows,
                                   .force = true,
                                   .max_input_bytes = UINT64_C(1) << MAX_INPUT_SHIFT};
    const dc_status st = dc_convert_text(comm, &cfg, &result);
    if (st == DC_OK)
        dc_log("documents %s: %lld rows with %lld values, by the vocabulary of %s", p->input, (long long)result.N,
               (long long)result.nnz, p->model);
    return st;
}

dc_status dc_prediction_read_documents(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    documents found;
    p->one_file = strlen(p->input) >= DC_PATH_MAX || !dc_text_is_clean(p->input);
    if (p->one_file)
        snprintf(p->names, sizeof p->names, "%s", p->input);
    else
        DC_TRY_ALL(comm, dc_config_read_files(p->input, "command line: --input", p->names));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? look(p, &found) : DC_OK);
    dc_comm_bcast(comm, &found, sizeof found, 0);
    if (!found.text) return DC_OK;
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
