/* The first pass: how many documents there are, their labels and ids, and how often each term occurs. */
#include <string.h>

#include "convert/corpus.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

/* ---- Documents --------------------------------------------------------------------------------------------------- */

static dc_status count_term(void *ctx, const char *term, size_t n)
{
    dc_corpus *c = ctx;
    return dc_tally_add(c->counts, c->n, term, n);
}

static dc_status count_hashed(dc_corpus *c, const dc_doc *doc)
{
    dc_status st = DC_OK;
    const int64_t *packed;
    size_t n;
    DC_TRY(dc_terms_visit(c->terms, doc->text.p, doc->text.n, dc_row_maker_add, c->maker));
    DC_TRY(dc_row_maker_counts(c->maker, &n, &packed));
    for (size_t i = 0; i < n; i++) c->hashed_df[dc_packed_column(packed[i])]++;
    dc_row_maker_forget(c->maker);
out:
    return st;
}

static dc_status count_document(dc_corpus *c, const dc_doc *doc)
{
    dc_status st = DC_OK;
    if (c->has_labels) DC_TRY(dc_classes_add(c->classes, c->now, doc->label.p ? doc->label.p : "", doc->label.n));
    if (c->has_ids) DC_TRY(dc_id_put(&c->ids, c->now, doc->id.p ? doc->id.p : "", doc->id.n));
    if (c->excerpt)
        c->text_bytes = DC_MAX(c->text_bytes, dc_excerpt(doc->text, doc->quoted, c->cfg->keep_text, c->excerpt));
    if (c->counts) DC_TRY(dc_terms_visit(c->terms, doc->text.p, doc->text.n, count_term, c));
    if (c->hashed_df) DC_TRY(count_hashed(c, doc));
    if (c->cfg->documents) c->cfg->documents[c->at]++;
    c->n++;
out:
    return st;
}

/* ---- Over all ranks ---------------------------------------------------------------------------------------------- */

static dc_status number_documents(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    int64_t *all = NULL;
    const int P = dc_ranks_size(comm);
    DC_TRY_RANKS(comm, dc_mem_alloc(&all, (size_t)P, sizeof *all, "numbers of documents"));
    dc_ranks_gather_i64(comm, c->n, all);
    for (int r = 0; r < P; r++) {
        if (r < dc_ranks_rank(comm)) c->first += all[r];
        c->N += all[r];
    }
    if (c->N == 0) st = DC_FAIL(DC_ERR_DATA, "%s: has no documents", c->cfg->inputs[0]);
out:
    dc_mem_free(&all);
    return st;
}

static dc_status merge_labels(dc_corpus *c, const char *all, const size_t *counts, int P)
{
    dc_status st = DC_OK;
    dc_classes_destroy(&c->classes);
    DC_TRY(dc_classes_create(&c->classes));
    dc_classes_want_numbers(c->classes, false);
    for (int r = 0; r < P; all += counts[r++]) DC_TRY(dc_classes_merge(c->classes, all, counts[r]));
    DC_TRY(dc_classes_number(c->classes));
out:
    return st;
}

/* Gives every rank the labels of all. */
static dc_status share_labels(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    const int P = dc_ranks_size(comm);
    size_t *counts = NULL, bytes = 0, total;
    char *mine = NULL, *all = NULL;
    if (!c->has_labels) return DC_OK;
    DC_TRY_RANKS(comm, dc_mem_alloc(&counts, (size_t)P, sizeof *counts, "sizes"));
    DC_TRY_RANKS(comm, dc_classes_pack(c->classes, &mine, &bytes));
    DC_TRY(dc_ranks_collect(comm, mine, bytes, counts, &all, &total));
    DC_TRY_RANKS(comm, merge_labels(c, all, counts, P));
out:
    dc_mem_free(&counts);
    dc_mem_free(&mine);
    dc_mem_free(&all);
    return st;
}

/* Says what keys the first document has. */
static dc_status fail_no_labels(const dc_corpus *c)
{
    dc_docs d;
    dc_doc doc;
    bool found = false;
    char keys[256] = "";
    if (dc_docs_open(&d, &c->docs, c->cfg->inputs[0]) == DC_OK) {
        if (dc_docs_next(&d, &doc, &found) == DC_OK && found) dc_json_line_keys(&d.json, keys, sizeof keys);
        dc_docs_close(&d);
    }
    dc_error_clear();
    return DC_FAIL(DC_ERR_USAGE,
                   "--label-column=%s: no document has such a key%s%s; --label-column=none if there are no labels",
                   c->cfg->table.label_column, keys[0] ? "; keys of the first: " : "", keys);
}

static dc_status take_classes(dc_corpus *c)
{
    dc_convert_result *r = c->result;
    if (!c->has_labels) return DC_OK;
    if (c->met.labels == 0 && !c->cfg->labels_may_lack) return fail_no_labels(c);
    if (c->met.labels == 0) {
        dc_log_note("%s: no document has a key '%s': no labels", c->title, c->cfg->table.label_column);
        c->has_labels = false;
        return DC_OK;
    }
    dc_classes_note(c->classes, c->title);
    r->n_classes = dc_classes_count(c->classes);
    r->unlabelled = dc_classes_unlabelled(c->classes);
    r->has_labels = c->has_labels = r->n_classes > 0;
    if (!r->has_labels)
        dc_log_note("%s: no document has a label: labels are left out", c->title);
    else if (r->unlabelled > 0)
        dc_log_note("%s: documents without a label (empty, null, -1, or a word such as NA or ?), stored as -1: %lld",
                    c->title, (long long)r->unlabelled);
    return DC_OK;
}

static void tell(const dc_corpus *c, int64_t too_long)
{
    const dc_docs_counts *m = &c->met;
    const char *name = c->title;
    if (m->blank_lines > 0) dc_log_note("%s: empty lines, skipped: %lld", name, (long long)m->blank_lines);
    if (m->nulls > 0) dc_log_note("%s: texts that are null, read as empty: %lld", name, (long long)m->nulls);
    if (m->bad_docs > 0)
        dc_log_warning("%s: %lld places in %lld lines were not UTF-8 and were %s", name, (long long)m->bad_bytes,
                       (long long)m->bad_docs, c->v.decode == DC_DECODE_REPLACE ? "replaced with U+FFFD" : "left out");
    if (too_long > 0)
        dc_log_note("%s: words of more than %d bytes, left out: %lld", name, DC_TERM_MAX_BYTES, (long long)too_long);
}

/* Adds up what the ranks met. */
static dc_status agree_on_counts(dc_comm *comm, dc_corpus *c)
{
    dc_docs_counts *m = &c->met;
    int64_t sums[] = {m->blank_lines, m->nulls, m->bad_bytes, m->bad_docs, m->labels, dc_terms_too_long(c->terms)};
    int64_t longest[] = {(int64_t)c->ids.longest, (int64_t)c->text_bytes};
    if (strcmp(c->cfg->table.text_column, "file") == 0) sums[4] = c->n;
    dc_ranks_sum(comm, sums, DC_COUNT_OF(sums));
    dc_ranks_max(comm, longest, DC_COUNT_OF(longest));
    *m = (dc_docs_counts){sums[0], sums[1], sums[2], sums[3], sums[4]};
    if (c->has_ids) c->id_bytes = DC_MAX((size_t)longest[0], (size_t)1);
    c->text_bytes = (size_t)longest[1];
    if (c->cfg->documents) dc_ranks_sum(comm, c->cfg->documents, (size_t)c->cfg->n_inputs);
    if (c->hashed_df) dc_ranks_sum(comm, c->hashed_df, (size_t)c->v.hashing);
    tell(c, sums[5]);
    return take_classes(c);
}

static dc_status prepare(dc_corpus *c)
{
    dc_status st = DC_OK;
    DC_TRY(dc_classes_create(&c->classes));
    DC_TRY(dc_terms_create(&c->terms, &c->v));
    if (c->cfg->keep_text > 0)
        DC_TRY(dc_mem_alloc(&c->excerpt, DC_EXCERPT_BYTES(c->cfg->keep_text), 1, "beginning of a document"));
    if (!c->v.hashing && c->voc.D == 0) DC_TRY(dc_tally_create(&c->counts, c->part, DC_TALLY_ROOM));
    if (c->v.hashing && c->v.use_idf && !c->voc.idf) {
        DC_TRY(dc_mem_alloc(&c->hashed_df, (size_t)c->v.hashing, sizeof *c->hashed_df, "document frequencies"));
        DC_TRY(dc_row_maker_create(&c->maker, &c->v, &c->voc));
    }
out:
    return st;
}

/* Weights of the hashed columns. */
static dc_status weigh_hashed(dc_corpus *c)
{
    if (!c->hashed_df) return DC_OK;
    const dc_status st = dc_mem_alloc(&c->voc.idf, (size_t)c->v.hashing, sizeof *c->voc.idf, "weights of columns");
    if (st != DC_OK) return st;
    dc_idf(c->hashed_df, c->v.hashing, c->N, c->v.smooth_idf, c->voc.idf);
    c->voc.df = c->hashed_df;
    c->hashed_df = NULL;
    dc_row_maker_destroy(&c->maker);
    return DC_OK;
}

dc_status dc_corpus_count(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    DC_TRY_RANKS(comm, prepare(c));
    DC_TRY(dc_corpus_pass(comm, c, "count", count_document));
    DC_TRY(number_documents(comm, c));
    DC_TRY(share_labels(comm, c));
    DC_TRY(agree_on_counts(comm, c));
    DC_TRY_RANKS(comm, weigh_hashed(c));
out:
    return st;
}
