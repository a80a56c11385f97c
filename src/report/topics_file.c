/* /topics of run.h5: terms and documents of the clusters; and what summary.json says of them. */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/report.h"
#include "dcmpi/text.h"

static dc_status write_terms(dc_h5 *h5, const dc_topics_result *r)
{
    dc_status st = DC_OK;
    const dc_topics *t = &r->topics;
    const dc_gidx dims[] = {t->K, t->terms};
    if (t->terms == 0) return DC_OK;
    DC_TRY(dc_h5_put_table(h5, "/topics/terms", r->term_bytes, t->K, t->terms, r->term));
    DC_TRY(dc_h5_put(h5, "/topics/columns", DC_H5_I64, 2, dims, t->column));
    DC_TRY(dc_h5_put(h5, "/topics/weights", DC_H5_F64, 2, dims, t->weight));
    DC_TRY(dc_h5_put(h5, "/topics/term_rows", DC_H5_I64, 2, dims, t->term_rows));
    DC_TRY(dc_h5_put(h5, "/topics/coherence", DC_H5_F64, 1, dims, t->coherence));
    DC_TRY(dc_h5_put_attr_str(h5, "/topics", "weight", "c-TF-IDF: s_tk / n_k * log(1 + A / f_t)"));
    DC_TRY(dc_h5_put_attr_str(h5, "/topics", "words", r->words));
    DC_TRY(dc_h5_put_attr_str(h5, "/topics", "coherence", "NPMI of the first 10 terms over the rows of the data"));
    if (isfinite(t->mean_coherence)) DC_TRY(dc_h5_put_attr_f64(h5, "/topics", "mean_coherence", &t->mean_coherence, 1));
out:
    return st;
}

static dc_status write_documents(dc_h5 *h5, const dc_topics_result *r)
{
    dc_status st = DC_OK;
    const dc_topics *t = &r->topics;
    const dc_gidx dims[] = {t->K, t->documents};
    if (t->documents == 0) return DC_OK;
    DC_TRY(dc_h5_put(h5, "/topics/nearest", DC_H5_I64, 2, dims, t->nearest));
    DC_TRY(dc_h5_put(h5, "/topics/nearest_distance", DC_H5_F64, 2, dims, t->nearest_distance));
    DC_TRY(dc_h5_put(h5, "/topics/furthest", DC_H5_I64, 2, dims, t->furthest));
    DC_TRY(dc_h5_put(h5, "/topics/furthest_distance", DC_H5_F64, 2, dims, t->furthest_distance));
    if (!r->nearest_id) goto out;
    DC_TRY(dc_h5_put_table(h5, "/topics/nearest_ids", r->id_bytes, t->K, t->documents, r->nearest_id));
    DC_TRY(dc_h5_put_table(h5, "/topics/furthest_ids", r->id_bytes, t->K, t->documents, r->furthest_id));
out:
    return st;
}

dc_status dc_topics_write(dc_h5 *h5, const dc_topics_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_create_group(h5, "/topics"));
    DC_TRY(write_terms(h5, r));
    DC_TRY(write_documents(h5, r));
out:
    return st;
}

/* ---- Summary ----------------------------------------------------------------------------------------------------- */

/* Entries of a list in the summary, and bytes of a name in it. */
enum { ENTRIES = 10, NAME_BYTES = 64 };

/* A list of a cluster: names, or numbers of rows if there are none. */
typedef struct {
    const char *key, *numbers, *names;
} list;
static const list lists[] = {{"terms", "/topics/columns", "/topics/terms"},
                             {"nearest", "/topics/nearest", "/topics/nearest_ids"},
                             {"furthest", "/topics/furthest", "/topics/furthest_ids"}};

static dc_status describe(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx K, dc_h5_info *info, bool *there)
{
    *there = dc_h5_exists(h5, name);
    if (!*there) return DC_OK;
    const dc_status st = dc_h5_dataset_info(h5, name, info);
    *there = st == DC_OK && info->type == type && info->n_dims == 2 && info->dims[0] == K && info->dims[1] <= 1000 &&
             info->item_bytes <= DC_PATH_MAX;
    return st;
}

static void write_entries(dc_json *j, const int64_t *number, const char *name, size_t bytes, dc_gidx n)
{
    char text[NAME_BYTES];
    for (dc_gidx i = 0; i < n && number[i] >= 0; i++) {
        if (!name) {
            dc_json_int(j, NULL, number[i]);
            continue;
        }
        const char *from = name + (size_t)i * bytes;
        dc_printable(text, sizeof text, from, strnlen(from, bytes));
        dc_json_str(j, NULL, text);
    }
}

static dc_status write_list(dc_json *j, dc_h5 *h5, const list *l, dc_gidx K, dc_gidx k)
{
    dc_status st = DC_OK;
    dc_h5_info numbers, names;
    bool has_numbers, has_names;
    int64_t *number = NULL;
    char *name = NULL;
    DC_TRY(describe(h5, l->numbers, DC_H5_I64, K, &numbers, &has_numbers));
    if (!has_numbers) goto out;
    DC_TRY(describe(h5, l->names, DC_H5_TEXT, K, &names, &has_names));
    has_names = has_names && names.dims[1] == numbers.dims[1];
    const size_t m = (size_t)numbers.dims[1];
    DC_TRY(dc_mem_alloc(&number, m, sizeof *number, "list of topics"));
    DC_TRY(dc_h5_read_rows(h5, l->numbers, DC_H5_I64, k, 1, number));
    if (has_names) {
        DC_TRY(dc_mem_alloc(&name, m, names.item_bytes, "list of topics"));
        DC_TRY(dc_h5_read_rows(h5, l->names, DC_H5_TEXT, k, 1, name));
    }
    dc_json_open(j, l->key, '[');
    write_entries(j, number, name, has_names ? names.item_bytes : 0, DC_MIN(numbers.dims[1], (dc_gidx)ENTRIES));
    dc_json_close(j, ']');
out:
    dc_mem_free(&number);
    dc_mem_free(&name);
    return st;
}

static dc_status write_cluster(dc_json *j, dc_h5 *h5, dc_gidx K, dc_gidx k)
{
    dc_status st = DC_OK;
    double coherence;
    dc_json_open(j, NULL, '{');
    dc_json_int(j, "cluster", k);
    if (dc_h5_exists(h5, "/topics/coherence")) {
        DC_TRY(dc_h5_read_rows(h5, "/topics/coherence", DC_H5_F64, k, 1, &coherence));
        dc_json_num(j, "coherence", coherence);
    }
    for (size_t i = 0; i < DC_COUNT_OF(lists); i++) DC_TRY(write_list(j, h5, &lists[i], K, k));
    dc_json_close(j, '}');
out:
    return st;
}

dc_status dc_topics_summary(dc_h5 *h5, dc_json *j)
{
    dc_status st = DC_OK;
    dc_h5_info size;
    double mean;
    if (!dc_h5_exists(h5, "/topics")) return DC_OK;
    DC_TRY(dc_h5_dataset_info(h5, "/clusters/size", &size));
    const dc_gidx K = size.n_dims == 1 ? size.dims[0] : 0;
    dc_json_open(j, "topics", '{');
    if (dc_h5_has_attr(h5, "/topics", "mean_coherence")) {
        DC_TRY(dc_h5_get_attr_f64(h5, "/topics", "mean_coherence", &mean, 1, NULL));
        dc_json_num(j, "mean_coherence", mean);
    }
    dc_json_open(j, "clusters", '[');
    for (dc_gidx k = 0; k < DC_MIN(K, (dc_gidx)DC_TOPICS_SUMMARY_MAX); k++) DC_TRY(write_cluster(j, h5, K, k));
    dc_json_close(j, ']');
    dc_json_close(j, '}');
out:
    return st;
}
