/* The second pass: rows of documents go to a spool, in batches; when all ranks know how many entries they have, each
 * copies its batches to their places in the output. */
#include <math.h>
#include <string.h>

#include "convert/corpus.h"
#include "dcmpi/h5_sparse.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/version.h"

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

/* Makes room for `entries` entries in all; keeps those that are there. */
static dc_status make_room(dc_batch_of_rows *b, size_t entries)
{
    dc_status st = DC_OK;
    int32_t *col = NULL;
    float *val = NULL;
    if (entries <= b->room) return DC_OK;
    const size_t room = DC_MAX(entries, (size_t)DC_BATCH_ENTRIES);
    DC_TRY(dc_mem_alloc_raw(&col, room, sizeof *col, "rows"));
    DC_TRY(dc_mem_alloc_raw(&val, room, sizeof *val, "rows"));
    if (b->entries > 0) {
        memcpy(col, b->col, (size_t)b->entries * sizeof *col);
        memcpy(val, b->val, (size_t)b->entries * sizeof *val);
    }
    dc_mem_free(&b->col);
    dc_mem_free(&b->val);
    b->col = col, b->val = val, b->room = room;
    return DC_OK;
out:
    dc_mem_free(&col);
    return st;
}

static dc_status create_batch(dc_corpus *c)
{
    dc_status st = DC_OK;
    dc_batch_of_rows *b = &c->batch;
    DC_TRY(dc_mem_alloc(&b->ptr, DC_BATCH_ROWS + 1, sizeof *b->ptr, "rows"));
    DC_TRY(dc_mem_alloc(&b->label, DC_BATCH_ROWS, sizeof *b->label, "rows"));
    DC_TRY(dc_mem_alloc(&b->ids, DC_BATCH_ROWS, DC_MAX(c->id_bytes, (size_t)1), "rows"));
    DC_TRY(dc_mem_alloc(&b->texts, DC_BATCH_ROWS, DC_MAX(c->text_bytes, (size_t)1), "rows"));
    DC_TRY(make_room(b, DC_BATCH_ENTRIES));
out:
    return st;
}

static size_t id_bytes_of(const dc_corpus *c, int64_t rows)
{
    return (size_t)rows * c->id_bytes;
}

static size_t text_bytes_of(const dc_corpus *c, int64_t rows)
{
    return (size_t)rows * c->text_bytes;
}

static dc_status put_batch(dc_corpus *c)
{
    dc_status st = DC_OK;
    dc_batch_of_rows *b = &c->batch;
    const int64_t head[2] = {b->rows, b->entries};
    if (b->rows == 0) return DC_OK;
    DC_TRY(dc_spool_put(c->spool, head, sizeof head));
    DC_TRY(dc_spool_put(c->spool, b->ptr, ((size_t)b->rows + 1) * sizeof *b->ptr));
    DC_TRY(dc_spool_put(c->spool, b->label, (size_t)b->rows * sizeof *b->label));
    DC_TRY(dc_spool_put(c->spool, b->ids, id_bytes_of(c, b->rows)));
    DC_TRY(dc_spool_put(c->spool, b->texts, text_bytes_of(c, b->rows)));
    DC_TRY(dc_spool_put(c->spool, b->col, (size_t)b->entries * sizeof *b->col));
    DC_TRY(dc_spool_put(c->spool, b->val, (size_t)b->entries * sizeof *b->val));
    b->rows = b->entries = 0;
out:
    return st;
}

/* Reads the batch at *at of the spool, and moves *at behind it. */
static dc_status get_batch(dc_corpus *c, int64_t *at)
{
    dc_status st = DC_OK;
    int64_t head[2];
    dc_batch_of_rows *b = &c->batch;
    b->entries = 0;
    DC_TRY(dc_spool_read(c->spool, *at, head, sizeof head));
    DC_TRY(make_room(b, (size_t)head[1]));
    b->rows = head[0], b->entries = head[1];
    *at += (int64_t)sizeof head;
    const struct {
        void *to;
        size_t bytes;
    } arrays[] = {{b->ptr, ((size_t)b->rows + 1) * sizeof *b->ptr},
                  {b->label, (size_t)b->rows * sizeof *b->label},
                  {b->ids, id_bytes_of(c, b->rows)},
                  {b->texts, text_bytes_of(c, b->rows)},
                  {b->col, (size_t)b->entries * sizeof *b->col},
                  {b->val, (size_t)b->entries * sizeof *b->val}};
    for (size_t i = 0; i < DC_COUNT_OF(arrays); i++) {
        DC_TRY(dc_spool_read(c->spool, *at, arrays[i].to, arrays[i].bytes));
        *at += (int64_t)arrays[i].bytes;
    }
out:
    return st;
}

/* ---- The pass ---------------------------------------------------------------------------------------------------- */

static void add_values(dc_corpus *c, const float *val, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double v = (double)val[i];
        c->min = DC_MIN(c->min, v);
        c->max = DC_MAX(c->max, v);
        c->sum += (dc_exact_sum)(v * 0x1p60);
    }
}

static dc_status put_excerpt(dc_corpus *c, const dc_doc *doc)
{
    char *to = c->batch.texts + text_bytes_of(c, c->batch.rows);
    const size_t n = dc_excerpt(doc->text, doc->quoted, c->cfg->keep_text, c->excerpt);
    if (n > c->text_bytes) return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", c->now);
    memset(to, 0, c->text_bytes);
    memcpy(to, c->excerpt, n);
    return DC_OK;
}

static dc_status put_row(dc_corpus *c, const dc_doc *doc)
{
    dc_status st = DC_OK;
    dc_batch_of_rows *b = &c->batch;
    const int32_t *col;
    const float *val;
    size_t n;
    int32_t code = -1;
    DC_TRY(dc_terms_visit(c->terms, doc->text.p, doc->text.n, dc_row_maker_add, c->maker));
    DC_TRY(dc_row_maker_take(c->maker, &n, &col, &val));
    if (b->rows == DC_BATCH_ROWS || (size_t)b->entries + n > b->room) DC_TRY(put_batch(c));
    DC_TRY(make_room(b, (size_t)b->entries + n));
    memcpy(b->col + b->entries, col, n * sizeof *col);
    memcpy(b->val + b->entries, val, n * sizeof *val);
    b->entries += (int64_t)n;
    if (c->has_labels)
        DC_TRY(dc_classes_code(c->classes, c->now, doc->label.p ? doc->label.p : "", doc->label.n, &code));
    b->label[b->rows] = code;
    if (c->has_ids) {
        dc_id_sink sink = {.ids = b->ids + id_bytes_of(c, b->rows), .bytes = c->id_bytes};
        DC_TRY(dc_id_put(&sink, c->now, doc->id.p ? doc->id.p : "", doc->id.n));
    }
    if (c->text_bytes) DC_TRY(put_excerpt(c, doc));
    b->ptr[++b->rows] = b->entries;
    c->entries += (int64_t)n;
    c->empty += n == 0;
    c->n++;
    add_values(c, val, n);
out:
    return st;
}

static dc_status prepare(dc_corpus *c)
{
    dc_status st = DC_OK;
    DC_TRY(create_batch(c));
    DC_TRY(dc_spool_create(&c->spool, c->part));
    DC_TRY(dc_row_maker_create(&c->maker, &c->v, &c->voc));
    c->n = 0;
    c->min = INFINITY;
    c->max = -INFINITY;
out:
    return st;
}

static dc_status finish_spool(dc_corpus *c, int64_t documents)
{
    dc_status st = DC_OK;
    if (c->n != documents)
        return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", c->cfg->inputs[0]);
    DC_TRY(put_batch(c));
    DC_TRY(dc_spool_flush(c->spool));
out:
    return st;
}

/* The inputs may have been changed without changing the number of documents. */
static dc_status check_unchanged(const dc_corpus *c)
{
    dc_status st = DC_OK;
    for (int i = 0; i < c->cfg->n_inputs; i++)
        if (c->shares[i].bytes > 0) DC_TRY(dc_file_unchanged(c->cfg->inputs[i], &c->shares[i].state, DC_ERR_DATA));
out:
    return st;
}

/* Numbers of entries before this rank and of all; minimum, maximum and mean of all values, zeros included. */
static dc_status add_up(dc_comm *comm, dc_corpus *c)
{
    enum { LIMB = 40 };
    dc_status st = DC_OK;
    int64_t *all = NULL;
    const int P = dc_ranks_size(comm);
    dc_convert_result *r = c->result;
    const int64_t mask = ((int64_t)1 << LIMB) - 1;
    int64_t sums[] = {(int64_t)(c->sum & mask), (int64_t)((c->sum >> LIMB) & mask), (int64_t)(c->sum >> (2 * LIMB)),
                      c->empty};
    double ends[2] = {-c->min, c->max};
    DC_TRY_RANKS(comm, dc_mem_alloc(&all, (size_t)P, sizeof *all, "numbers of values"));
    dc_ranks_gather_i64(comm, c->entries, all);
    for (int i = 0; i < P; i++) {
        if (i < dc_ranks_rank(comm)) c->first_entry += all[i];
        c->nnz += all[i];
    }
    dc_ranks_sum(comm, sums, DC_COUNT_OF(sums));
    dc_ranks_max_f64(comm, ends, 2);
    const dc_exact_sum sum = sums[0] + ((dc_exact_sum)sums[1] << LIMB) + ((dc_exact_sum)sums[2] << (2 * LIMB));
    c->empty = sums[3];
    r->N = c->N;
    r->D = c->v.hashing ? c->v.hashing : c->voc.D;
    r->dtype = DC_F32;
    const bool zeros = (double)c->nnz < (double)r->N * (double)r->D;
    r->min = zeros || c->nnz == 0 ? DC_MIN(-ends[0], 0) : -ends[0];
    r->max = zeros || c->nnz == 0 ? DC_MAX(ends[1], 0) : ends[1];
    r->mean = (double)sum * 0x1p-60 / ((double)r->N * (double)r->D);
    r->sparse = true;
    r->nnz = c->nnz;
out:
    dc_mem_free(&all);
    return st;
}

/* Documents of another kind than those of a vocabulary that was given are alike, rows of zeros, which fit well to one
 * cluster. */
static void tell_empty(const dc_corpus *c, int64_t documents)
{
    const char *name = c->title;
    if (c->empty == 0) return;
    if (c->cfg->vocabulary && c->empty > documents / 2)
        dc_log_warning(
            "%s: most documents, %lld of %lld, have no word of the vocabulary: their rows are zeros, and what "
            "is found of them says nothing",
            name, (long long)c->empty, (long long)documents);
    else
        dc_log_note("%s: documents without a word of the vocabulary, rows of zeros: %lld", name, (long long)c->empty);
}

dc_status dc_corpus_rows(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    const int64_t documents = c->n;
    DC_TRY_RANKS(comm, prepare(c));
    DC_TRY(dc_corpus_pass(comm, c, "rows", put_row));
    DC_TRY_RANKS(comm, finish_spool(c, documents));
    DC_TRY_RANKS(comm, dc_ranks_rank(comm) == 0 ? check_unchanged(c) : DC_OK);
    DC_TRY(add_up(comm, c));
    tell_empty(c, documents);
out:
    return st;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static dc_status put_vectorizer(const dc_corpus *c, dc_h5 *h5)
{
    dc_status st = DC_OK;
    char *text = NULL, *all = NULL;
    const dc_table_options *t = &c->cfg->table;
    const struct {
        const char *key, *value;
    } columns[] = {{"text_column", t->text_column}, {"label_column", t->label_column}, {"id_column", t->id_column}};
    DC_TRY(dc_vectorizer_print(&c->v, &text));
    const size_t room = strlen(text) + 4 * DC_PATH_MAX;
    DC_TRY(dc_mem_alloc(&all, room, 1, "options of the vectorizer"));
    size_t used = (size_t)snprintf(all, room, "token_pattern=\\b\\w\\w+\\b\n%sdocuments=%lld\n", text,
                                   (long long)(c->fitted ? c->fitted : c->N));
    for (size_t i = 0; i < DC_COUNT_OF(columns); i++)
        if (columns[i].value && strlen(columns[i].value) < DC_PATH_MAX - 64 && !strchr(columns[i].value, '\n'))
            used += (size_t)snprintf(all + used, room - used, "%s=%s\n", columns[i].key, columns[i].value);
    all[used - 1] = '\0';
    DC_TRY(dc_h5_put_attr_str(h5, "/", "vectorizer", all));
out:
    dc_mem_free(&text);
    dc_mem_free(&all);
    return st;
}

/* Writes the names of the inputs, one per line. */
static dc_status put_source(const dc_corpus *c, dc_h5 *h5)
{
    dc_status st = DC_OK;
    char *text = NULL;
    size_t bytes = 1, used = 0;
    for (int i = 0; i < c->cfg->n_inputs; i++) bytes += strlen(c->cfg->inputs[i]) + 1;
    DC_TRY(dc_mem_alloc(&text, bytes, 1, "names of the inputs"));
    for (int i = 0; i < c->cfg->n_inputs; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i > 0 ? "\n" : "", c->cfg->inputs[i]);
    DC_TRY(dc_h5_put_attr_str(h5, "/", "source", text));
out:
    dc_mem_free(&text);
    return st;
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const dc_corpus *c = ctx;
    const dc_convert_result *r = c->result;
    DC_TRY(dc_h5_put_attr_str(h5, "/", "writer", dc_version()));
    DC_TRY(put_source(c, h5));
    DC_TRY(dc_recipe_put(h5, &c->recipe));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "min", &r->min, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "max", &r->max, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "mean", &r->mean, 1));
    DC_TRY(put_vectorizer(c, h5));
out:
    return st;
}

static dc_status describe(dc_corpus *c, dc_h5_sparse_spec *spec, dc_h5_var_column var[2], char **classes)
{
    dc_status st = DC_OK;
    const size_t class_bytes = (size_t)(c->result->n_classes + 1) * (DC_CONVERT_MAX_CLASS_BYTES + 1);
    *spec = (dc_h5_sparse_spec){.N = c->N,
                                .D = c->result->D,
                                .nnz = c->nnz,
                                .dtype = DC_F32,
                                .id_bytes = c->id_bytes,
                                .text_bytes = c->text_bytes,
                                .has_labels = c->has_labels,
                                .features = c->voc.text,
                                .var = var};
    if (c->has_labels) DC_TRY(dc_classes_join(c->classes, class_bytes, classes));
    spec->classes = *classes;
    if (c->voc.df) var[spec->n_var++] = (dc_h5_var_column){"df", DC_H5_I64, c->voc.df};
    if (c->voc.idf) var[spec->n_var++] = (dc_h5_var_column){"idf", DC_H5_F64, c->voc.idf};
out:
    return st;
}

/* Copies this rank's rows from the spool to the file; the writer is left open. */
static dc_status copy_rows(dc_corpus *c, const dc_h5_sparse_spec *spec, const dc_h5_sparse_places *places,
                           dc_h5_sparse_writer **w)
{
    dc_status st = DC_OK;
    dc_batch_of_rows *b = &c->batch;
    DC_TRY(dc_h5_sparse_begin(w, c->part, spec, places, c->first, c->first_entry));
    for (int64_t at = 0; at < dc_spool_bytes(c->spool);) {
        DC_TRY(get_batch(c, &at));
        DC_TRY(dc_h5_sparse_append(*w, b->rows, b->ptr, b->col, b->val, c->has_labels ? b->label : NULL,
                                   c->id_bytes ? b->ids : NULL, c->text_bytes ? b->texts : NULL));
        dc_heartbeat();
    }
out:
    return st;
}

/* Sums of all ranks; the hashes are sums modulo 2^64, as unsigned addition is. */
static void add_sums(dc_comm *comm, dc_h5_sparse_sums *s)
{
    enum { N = 6 };
    int64_t parts[2 * N];
    const uint64_t values[N] = {s->rows_hash,  s->codes_hash,     s->ids_hash,
                                s->texts_hash, (uint64_t)s->rows, (uint64_t)s->entries};
    uint64_t all[N];
    for (int i = 0; i < N; i++) {
        parts[2 * i] = (int64_t)(values[i] & UINT32_MAX);
        parts[2 * i + 1] = (int64_t)(values[i] >> 32);
    }
    dc_ranks_sum(comm, parts, DC_COUNT_OF(parts));
    for (int i = 0; i < N; i++) all[i] = (uint64_t)parts[2 * i] + ((uint64_t)parts[2 * i + 1] << 32);
    *s = (dc_h5_sparse_sums){all[0], all[1], all[2], all[3], (dc_gidx)all[4], (int64_t)all[5]};
}

dc_status dc_corpus_write(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    dc_h5_sparse_spec spec;
    dc_h5_sparse_places places = {0};
    dc_h5_sparse_sums sums = {0};
    dc_h5_var_column var[2];
    dc_h5_sparse_writer *w = NULL;
    char *classes = NULL;
    const bool root = dc_ranks_rank(comm) == 0;
    DC_TRY_RANKS(comm, describe(c, &spec, var, &classes));
    DC_TRY_RANKS(comm, root ? dc_h5_sparse_make(c->part, &spec, fill, c, &places) : DC_OK);
    dc_ranks_bcast(comm, &places, sizeof places);
    DC_TRY_RANKS(comm, copy_rows(c, &spec, &places, &w));
    DC_TRY_RANKS(comm, dc_h5_sparse_end(&w, &sums));
    add_sums(comm, &sums);
    c->result->checksum = sums.rows_hash;
    DC_TRY_RANKS(comm, root ? dc_h5_sparse_seal(c->part, &spec, &sums, NULL, NULL) : DC_OK);
    DC_TRY(dc_ranks_poll_stop(comm));
    DC_TRY_RANKS(comm, root ? dc_output_commit(&c->out) : DC_OK);
out:
    dc_h5_sparse_drop(&w);
    dc_mem_free(&classes);
    return st;
}
