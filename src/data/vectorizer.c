/* What a data file made of documents keeps of the words: run.h5 takes it over, so that predict can read documents. */
#include <string.h>

#include "data_priv.h"
#include "dcmpi/files.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

enum { OPTIONS_MAX = 1 << 20 };

void dc_data_words_release(dc_data_words *w)
{
    dc_mem_free(&w->options);
    dc_mem_free(&w->terms);
    dc_mem_free(&w->df);
    dc_mem_free(&w->idf);
}

/* A column of /var, if the file has it and it has D numbers. */
static dc_status read_column(dc_h5 *h5, const char *name, dc_h5_type type, int64_t D, void *out)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    void **to = out;
    if (!dc_h5_exists(h5, name)) return DC_OK;
    DC_TRY(dc_h5_dataset_info(h5, name, &info));
    if (info.n_dims != 1 || info.dims[0] != D || info.type != type) return DC_OK;
    DC_TRY(dc_mem_alloc_raw(to, (size_t)D, dc_h5_type_bytes(type), "weights of words"));
    DC_TRY(dc_h5_read_rows(h5, name, type, 0, D, *to));
out:
    return st;
}

static dc_status load(const char *path, int64_t D, dc_data_words *w)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    *w = (dc_data_words){.D = D};
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    if (!dc_h5_has_attr(h5, "/", "vectorizer")) goto out;
    DC_TRY(dc_mem_alloc(&w->options, OPTIONS_MAX, 1, "options of the vectorizer"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "vectorizer", w->options, OPTIONS_MAX));
    DC_TRY(read_column(h5, "/var/df", DC_H5_I64, D, &w->df));
    DC_TRY(read_column(h5, "/var/idf", DC_H5_F64, D, &w->idf));
out:
    st = dc_h5_close_read(&h5, st);
    if (st != DC_OK) dc_data_words_release(w);
    return dc_data_status(st);
}

static bool same_numbers(const void *a, const void *b, int64_t D)
{
    return a && b ? memcmp(a, b, (size_t)D * sizeof(double)) == 0 : a == b;
}

/* What all files share; nothing, and a NOTE, if they differ. */
static dc_status load_shared(const dc_files *files, int64_t D, dc_data_words *w)
{
    dc_status st = DC_OK;
    dc_data_words other = {0};
    DC_TRY(load(dc_files_path(files, 0), D, w));
    for (size_t i = 1; i < files->n && w->options; i++) {
        DC_TRY(load(dc_files_path(files, i), D, &other));
        const bool same = other.options && strcmp(w->options, other.options) == 0 && same_numbers(w->df, other.df, D) &&
                          same_numbers(w->idf, other.idf, D);
        dc_data_words_release(&other);
        if (same) continue;
        dc_log_note(
            "%s and %s were made of documents with other options, columns or weights of terms: predict will take "
            "rows by this run, not documents; the same options and --vocabulary of convert make them alike",
            dc_files_path(files, 0), dc_files_path(files, i));
        dc_data_words_release(w);
    }
out:
    if (st != DC_OK) dc_data_words_release(w);
    return st;
}

dc_status dc_data_words_load(const char *path, const dc_files *files, int64_t D, const char *names, dc_data_words *w)
{
    dc_status st = DC_OK;
    DC_TRY(files ? load_shared(files, D, w) : load(path, D, w));
    if (!w->options || !names) goto out;
    DC_TRY(dc_mem_alloc_raw(&w->terms, strlen(names) + 1, 1, "words"));
    strcpy(w->terms, names);
out:
    if (st != DC_OK) dc_data_words_release(w);
    return st;
}
