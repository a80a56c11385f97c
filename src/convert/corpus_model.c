/* Options and vocabulary that a data file or a result keeps. */
#include <string.h>

#include "convert/corpus.h"
#include "dcmpi/mem.h"

/* Reads the attribute; *text (the caller frees it) is NULL if there is none. */
static dc_status read_options(dc_h5 *h5, char **text)
{
    dc_status st = DC_OK;
    *text = NULL;
    if (!dc_h5_has_attr(h5, "/", "vectorizer")) return DC_OK;
    DC_TRY(dc_mem_alloc(text, DC_VECTORIZER_TEXT_MAX + 4 * DC_PATH_MAX, 1, "options of the vectorizer"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "vectorizer", *text, DC_VECTORIZER_TEXT_MAX + 4 * DC_PATH_MAX));
out:
    if (st != DC_OK) dc_mem_free(text);
    return st;
}

/* The value of a key in lines of key=value: [*value, *value + n); NULL if there is none. */
static const char *find_key(const char *text, const char *key, size_t *n)
{
    const size_t length = strlen(key);
    for (const char *p = text; *p; p += *p == '\n') {
        *n = strcspn(p, "\n");
        if (*n > length && p[length] == '=' && memcmp(p, key, length) == 0) {
            *n -= length + 1;
            return p + length + 1;
        }
        p += *n;
    }
    return NULL;
}

dc_status dc_vectorizer_key(const char *path, const char *key, char *out, size_t cap)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char *text = NULL;
    size_t n = 0;
    out[0] = '\0';
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(read_options(h5, &text));
    const char *value = text ? find_key(text, key, &n) : NULL;
    if (value) snprintf(out, cap, "%.*s", (int)DC_MIN(n, cap - 1), value);
out:
    dc_mem_free(&text);
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* What rank 0 tells the others. */
typedef struct {
    int64_t D, text_bytes, options_bytes, fitted;
    int64_t has_df, has_idf;
} sizes;

typedef struct {
    char *options, *text;
    int64_t *df;
    double *idf;
    sizes n;
} model;

static dc_status read_column(dc_h5 *h5, const char *const names[2], dc_h5_type type, int64_t D, void *out, int64_t *has)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    void **to = out;
    const char *name = dc_h5_exists(h5, names[0]) ? names[0] : names[1];
    *has = dc_h5_exists(h5, name);
    if (!*has) return DC_OK;
    DC_TRY(dc_h5_dataset_info(h5, name, &info));
    if (info.n_dims != 1 || info.dims[0] != D || info.type != type)
        return DC_FAIL(DC_ERR_FORMAT, "%s does not hold one number for each of the %lld terms", name, (long long)D);
    DC_TRY(dc_mem_alloc_raw(to, (size_t)D, sizeof(double), "vocabulary"));
    DC_TRY(dc_h5_read_rows(h5, name, type, 0, D, *to));
out:
    return st;
}

static dc_status read_terms(dc_h5 *h5, model *m)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    if (dc_h5_exists(h5, "/var/_index")) {
        DC_TRY(dc_h5_dataset_info(h5, "/var/_index", &info));
        DC_TRY(dc_h5_join_text(h5, "/var/_index", info.dims[0], &m->text));
    } else
        DC_TRY(dc_h5_get_names(h5, "vectorizer_terms", -1, &m->text));
    if (!m->text) DC_TRY(dc_h5_get_names(h5, "feature_names", -1, &m->text));
    if (!m->text) return DC_OK;
    m->n.text_bytes = (int64_t)strlen(m->text) + 1;
    m->n.D = 1;
    for (const char *p = m->text; (p = strchr(p, '\n')); p++) m->n.D++;
out:
    return st;
}

static dc_status read_model(const char *path, model *m)
{
    static const char *const df[] = {"/var/df", "/vectorizer/df"}, *const idf[] = {"/var/idf", "/vectorizer/idf"};
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_vectorizer v = {0};
    size_t n = 0;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(read_options(h5, &m->options));
    if (!m->options)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: has no vocabulary: convert did not make it of documents (--text-column)",
                       path));
    DC_TRY(dc_vectorizer_parse(&v, m->options));
    m->n.options_bytes = (int64_t)strlen(m->options) + 1;
    const char *fitted = find_key(m->options, "documents", &n);
    if (fitted) m->n.fitted = strtoll(fitted, NULL, 10);
    if (!v.hashing) DC_TRY(read_terms(h5, m));
    if (v.hashing) m->n.D = v.hashing;
    if (m->n.D == 0) DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: lacks the terms of its vocabulary", path));
    DC_TRY(read_column(h5, df, DC_H5_I64, m->n.D, &m->df, &m->n.has_df));
    DC_TRY(read_column(h5, idf, DC_H5_F64, m->n.D, &m->idf, &m->n.has_idf));
    if (v.use_idf && !m->idf) DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: lacks the weights of its vocabulary", path));
out:
    dc_vectorizer_release(&v);
    st = dc_h5_close_read(&h5, st);
    return st;
}

static dc_status make_room(model *m)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc_raw(&m->options, (size_t)m->n.options_bytes, 1, "options of the vectorizer"));
    if (m->n.text_bytes) DC_TRY(dc_mem_alloc_raw(&m->text, (size_t)m->n.text_bytes, 1, "vocabulary"));
    if (m->n.has_df) DC_TRY(dc_mem_alloc_raw(&m->df, (size_t)m->n.D, sizeof *m->df, "vocabulary"));
    if (m->n.has_idf) DC_TRY(dc_mem_alloc_raw(&m->idf, (size_t)m->n.D, sizeof *m->idf, "vocabulary"));
out:
    return st;
}

static dc_status take(dc_corpus *c, model *m, const char *path)
{
    dc_status st = DC_OK;
    const dc_decode decode = c->v.decode;
    dc_vectorizer_release(&c->v);
    DC_TRY(dc_vectorizer_parse(&c->v, m->options));
    if (decode != DC_DECODE_STRICT) c->v.decode = decode;
    c->docs.decode = c->v.decode;
    c->fitted = m->n.fitted;
    if (c->v.hashing) {
        c->voc = (dc_vocabulary){.df = m->df, .idf = m->idf};
        m->df = NULL, m->idf = NULL;
        return DC_OK;
    }
    st = dc_vocabulary_make(&c->voc, m->n.D, m->text, m->df, m->idf);
    m->text = NULL, m->df = NULL, m->idf = NULL;
    if (st == DC_ERR_FORMAT) st = DC_FAIL(st, "%s: its terms are not a vocabulary", path);
out:
    return st;
}

dc_status dc_corpus_load(dc_comm *comm, dc_corpus *c, const char *path)
{
    dc_status st = DC_OK;
    model m = {0};
    const bool root = dc_ranks_rank(comm) == 0;
    DC_TRY_RANKS(comm, root ? read_model(path, &m) : DC_OK);
    dc_ranks_bcast(comm, &m.n, sizeof m.n);
    DC_TRY_RANKS(comm, root ? DC_OK : make_room(&m));
    dc_ranks_bcast(comm, m.options, (size_t)m.n.options_bytes);
    if (m.n.text_bytes) dc_ranks_bcast(comm, m.text, (size_t)m.n.text_bytes);
    if (m.n.has_df) dc_ranks_bcast(comm, m.df, (size_t)m.n.D * sizeof *m.df);
    if (m.n.has_idf) dc_ranks_bcast(comm, m.idf, (size_t)m.n.D * sizeof *m.idf);
    DC_TRY_RANKS(comm, take(c, &m, path));
out:
    dc_mem_free(&m.options);
    dc_mem_free(&m.text);
    dc_mem_free(&m.df);
    dc_mem_free(&m.idf);
    return st;
}
