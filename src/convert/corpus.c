/* Converts documents to a sparse data file. */
#include "convert/corpus.h"

#include <string.h>

#include "dcmpi/heartbeat.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static dc_status check_request(const dc_convert_config *cfg)
{
    const char *option = cfg->n_labels > 0                         ? "--labels"
                         : cfg->table.drop_columns                 ? "--drop-columns"
                         : cfg->table.decimal_comma                ? "--decimal"
                         : cfg->missing.action != DC_MISSING_ERROR ? "--missing"
                         : cfg->transpose != DC_TRANSPOSE_AUTO     ? "--transpose"
                         : cfg->index_base != DC_INDEX_AUTO        ? "--zero-based"
                         : cfg->n_features > 0                     ? "--n-features"
                         : cfg->dataset                            ? "--dataset"
                         : cfg->label_dataset                      ? "--label-dataset"
                         : cfg->id_dataset                         ? "--id-dataset"
                         : cfg->n_image_dims > 0                   ? "--image-shape"
                                                                   : NULL;
    if (cfg->n_inputs < 1 || !cfg->output)
        return DC_FAIL(DC_ERR_USAGE, "convert needs at least one input and an output");
    if (option) return DC_FAIL(DC_ERR_USAGE, "%s is not for documents (--text-column)", option);
    return dc_vectorizer_check(cfg->vectorizer);
}

static dc_status copy_vectorizer(dc_corpus *c)
{
    const dc_vectorizer *from = c->cfg->vectorizer;
    c->v = *from;
    c->v.stop_list = NULL;
    if (!from->stop_list) return DC_OK;
    const size_t n = strlen(from->stop_list) + 1;
    const dc_status st = dc_mem_alloc(&c->v.stop_list, n, 1, "stop words");
    if (st == DC_OK) memcpy(c->v.stop_list, from->stop_list, n);
    return st;
}

static dc_status prepare(dc_corpus *c)
{
    dc_status st = DC_OK;
    const dc_convert_config *cfg = c->cfg;
    const int n = cfg->n_inputs + (cfg->vocabulary ? 1 : 0);
    const char *const column = cfg->table.text_column;
    DC_TRY(check_request(cfg));
    DC_TRY(copy_vectorizer(c));
    DC_TRY(dc_mem_alloc(&c->shares, (size_t)cfg->n_inputs, sizeof *c->shares, "list of inputs"));
    DC_TRY(dc_mem_alloc(&c->files, (size_t)n, sizeof *c->files, "list of inputs"));
    for (int i = 0; i < cfg->n_inputs; i++) c->files[i] = cfg->inputs[i];
    if (cfg->vocabulary) c->files[cfg->n_inputs] = cfg->vocabulary;
    if (cfg->n_inputs == 1)
        snprintf(c->title, sizeof c->title, "%s", cfg->inputs[0]);
    else
        snprintf(c->title, sizeof c->title, "%.*s, ... (%d files)", DC_PATH_MAX - 32, cfg->inputs[0], cfg->n_inputs);
    c->recipe = (dc_recipe){"convert", c->files, n, cfg->options ? cfg->options : ""};
    c->has_labels = dc_corpus_wants(cfg->table.label_column);
    c->has_ids = dc_corpus_wants(cfg->table.id_column) || (strcmp(column, "file") == 0 && !cfg->table.id_column);
    c->docs = (dc_docs_options){&cfg->table, c->v.decode, cfg->max_input_bytes};
out:
    return st;
}

static dc_status claim(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    dc_convert_config all = *c->cfg; /* the file with the vocabulary must not be the output either */
    all.inputs = c->files;
    all.n_inputs = c->recipe.n_inputs;
    DC_TRY_RANKS(comm, dc_ranks_rank(comm) == 0 ? dc_output_begin(&c->out, &all, &c->recipe) : DC_OK);
    if (dc_ranks_rank(comm) == 0) memcpy(c->part, c->out.claim.part, sizeof c->part);
    dc_ranks_bcast(comm, c->part, sizeof c->part);
out:
    return st;
}

static void release(dc_corpus *c)
{
    dc_output_abort(&c->out);
    dc_vectorizer_release(&c->v);
    dc_mem_free(&c->shares);
    dc_mem_free(&c->files);
    dc_classes_destroy(&c->classes);
    dc_terms_destroy(&c->terms);
    dc_tally_destroy(&c->counts);
    dc_mem_free(&c->hashed_df);
    dc_vocabulary_release(&c->voc);
    dc_row_maker_destroy(&c->maker);
    dc_spool_destroy(&c->spool);
    dc_mem_free(&c->batch.ptr);
    dc_mem_free(&c->batch.label);
    dc_mem_free(&c->batch.ids);
    dc_mem_free(&c->batch.texts);
    dc_mem_free(&c->excerpt);
    dc_mem_free(&c->batch.col);
    dc_mem_free(&c->batch.val);
}

/* Errors as those of dc_docs_open() and dc_docs_next(). */
static dc_status find_column(const char *path, const dc_docs_options *options, dc_column_place *place)
{
    dc_docs d;
    dc_doc doc;
    bool found = false;
    dc_status st = dc_docs_open(&d, options, path);
    if (st == DC_ERR_USAGE) *place = DC_COLUMN_NOWHERE;
    if (st != DC_OK) return st;
    st = dc_docs_next(&d, &doc, &found);
    if (st == DC_OK && found) *place = doc.has_label ? DC_COLUMN_THERE : DC_COLUMN_NOT_FIRST;
    dc_docs_close(&d);
    return st;
}

dc_status dc_convert_find_column(const char *path, const char *text_column, const char *column, dc_column_place *place)
{
    const dc_table_options table = {.text_column = text_column, .label_column = column};
    const dc_docs_options options = {&table, DC_DECODE_REPLACE, 0};
    bool nothing;
    *place = DC_COLUMN_UNKNOWN;
    dc_status st = dc_stream_find_nothing(path, &nothing);
    if (st == DC_OK && !nothing) st = find_column(path, &options, place);
    if (st == DC_ERR_IO || st == DC_ERR_MEMORY) return st;
    dc_error_clear();
    return DC_OK;
}

dc_status dc_convert_text(dc_comm *comm, const dc_convert_config *cfg, dc_convert_result *result)
{
    dc_status st = DC_OK;
    dc_corpus c = {.cfg = cfg, .result = result, .out = {.fd = -1}};
    memset(result, 0, sizeof *result);
    DC_TRY_RANKS(comm, prepare(&c));
    DC_TRY(claim(comm, &c));
    if (cfg->vocabulary) DC_TRY(dc_corpus_load(comm, &c, cfg->vocabulary));
    dc_heartbeat_stop(); /* nothing that the library could loop in is read from here on */
    DC_TRY(dc_corpus_look(comm, &c));
    DC_TRY(dc_corpus_count(comm, &c));
    if (c.counts) DC_TRY(dc_corpus_merge(comm, &c));
    DC_TRY(dc_corpus_rows(comm, &c));
    DC_TRY(dc_corpus_write(comm, &c));
out:
    release(&c);
    return st;
}
