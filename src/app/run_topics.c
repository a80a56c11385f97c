/* Terms and documents of the clusters, for people who read texts or genes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"
#include "run.h"

/* Memory for means of clusters, which methods without centres need, and for ids. */
static const double MEANS_BYTES_MAX = 256 << 20, IDS_BYTES_MAX = 64 << 20;

/* Which parts of /topics there will be. */
typedef struct {
    bool terms, documents;
} plan;

static plan plan_of(const dc_config *cfg, bool has_names, bool has_ids, int64_t K, int64_t D)
{
    if (cfg->output.topics == DC_TOPICS_OFF) return (plan){false, false};
    return (plan){.terms = has_names && dc_topics_fit(K, D),
                  .documents = cfg->output.documents > 0 && (has_names || has_ids)};
}

/* Rank 0 alone has the names. */
static bool has_names(dc_comm *comm, const dc_dataset *data)
{
    int64_t there = data->feature_names != NULL;
    dc_comm_bcast(comm, &there, sizeof there, 0);
    return there != 0;
}

dc_status dc_run_topics_check(dc_comm *comm, const dc_config *cfg, const dc_dataset *data)
{
    const int64_t K = cfg->cluster.clusters;
    const bool named = has_names(comm, data);
    if (cfg->output.topics != DC_TOPICS_ON) return DC_OK;
    if (!named) return DC_FAIL(DC_ERR_DATA, "%s: columns have no names; output.topics = on needs them", data->source);
    if (data->min < 0)
        return DC_FAIL(
            DC_ERR_DATA,
            "%s: the smallest value is %g; output.topics = on needs counts or weights, none of them negative",
            data->source, data->min);
    if (K == DC_CLUSTERS_AUTO || dc_topics_fit(K, data->D)) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: terms of %lld clusters and %lld columns would take too long; set output.topics = off",
                   data->source, (long long)K, (long long)data->D);
}

/* ---- Names of terms ---------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t column, place;
} wanted;

static int by_column(const void *a, const void *b)
{
    const wanted *x = a, *y = b;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Length of a name that is cut to DC_ID_MAX_BYTES, between two characters. */
static size_t cut(const char *name, size_t n)
{
    if (n <= DC_ID_MAX_BYTES) return n;
    n = DC_ID_MAX_BYTES;
    while (n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80) n--;
    return n;
}

/* Goes through the names once; with `out`, copies those that are wanted, else finds the longest of them. */
static size_t walk_names(const char *names, const wanted *list, size_t n, char *out, size_t bytes)
{
    size_t longest = 1, i = 0;
    int64_t column = 0;
    for (const char *p = names; p && i < n; column++) {
        const size_t length = strcspn(p, "\n"), kept = cut(p, length);
        for (; i < n && list[i].column == column; i++) {
            longest = DC_MAX(longest, kept);
            if (out) memcpy(out + (size_t)list[i].place * bytes, p, kept);
        }
        p = p[length] ? p + length + 1 : NULL;
    }
    return longest;
}

/* Rank 0. */
static dc_status name_terms(const dc_dataset *data, dc_topics_result *r)
{
    dc_status st = DC_OK;
    wanted *list = NULL;
    const size_t most = (size_t)(r->topics.K * r->topics.terms);
    size_t n = 0;
    DC_TRY(dc_mem_alloc(&list, most, sizeof *list, "names of terms"));
    for (size_t i = 0; i < most; i++)
        if (r->topics.column[i] >= 0) list[n++] = (wanted){r->topics.column[i], (int64_t)i};
    if (n > 0) qsort(list, n, sizeof *list, by_column);
    r->term_bytes = walk_names(data->feature_names, list, n, NULL, 0);
    DC_TRY(dc_mem_alloc(&r->term, most, r->term_bytes, "names of terms"));
    (void)walk_names(data->feature_names, list, n, r->term, r->term_bytes);
out:
    dc_mem_free(&list);
    return st;
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

static dc_status find_terms(dc_comm *comm, const dc_config *cfg, const dc_dataset *data, const int32_t *labels,
                            dc_topics_result *out)
{
    dc_status st = DC_OK;
    dc_csr stored;
    const dc_rows words = dc_rows_of_values(data, &stored);
    out->words = data->counts.used ? "values of the data after the transforms of counts" : "values of the data";
    DC_TRY(dc_topics_terms(comm, &words, labels, cfg->cluster.clusters, cfg->output.top_terms, &out->topics));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? name_terms(data, out) : DC_OK);
out:
    return st;
}

static dc_status find_ids(dc_comm *comm, const dc_dataset *data, dc_topics_result *out)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)(out->topics.K * out->topics.documents);
    out->id_bytes = data->id_bytes;
    if (!data->id_bytes || (double)n * (double)data->id_bytes > IDS_BYTES_MAX) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&out->nearest_id, n, data->id_bytes, "ids"));
    DC_TRY_ALL(comm, dc_mem_alloc(&out->furthest_id, n, data->id_bytes, "ids"));
    DC_TRY(dc_dataset_fetch_ids(comm, data, out->topics.nearest, (int64_t)n, out->nearest_id));
    DC_TRY(dc_dataset_fetch_ids(comm, data, out->topics.furthest, (int64_t)n, out->furthest_id));
out:
    return st;
}

static bool means_fit(const dc_part *part, int64_t K, int64_t d)
{
    return dc_sum_bytes(part, (size_t)(K * d + K)) <= MEANS_BYTES_MAX;
}

static dc_status find_documents(dc_comm *comm, const dc_config *cfg, const dc_dataset *data, const dc_run_clustered *c,
                                dc_topics_result *out)
{
    dc_status st = DC_OK;
    const int64_t K = cfg->cluster.clusters;
    int64_t fit = c->centers || means_fit(c->rows->part, K, c->rows->d);
    dc_comm_min_i64(comm, &fit, 1);
    if (!fit) {
        dc_log_note("no nearest and furthest rows: this method has no centres, and the means of %lld clusters in %lld "
                    "columns take too much memory",
                    (long long)K, (long long)c->rows->d);
        goto out;
    }
    DC_TRY(dc_topics_documents(comm, c->rows, c->labels, K, c->centers, cfg->output.documents, &out->topics));
    DC_TRY(find_ids(comm, data, out));
out:
    return st;
}

/* ---- Log --------------------------------------------------------------------------------------------------------- */

enum { LINES = 20, SHOWN = 8, NAME_BYTES = 40 };

static void tell_cluster(const dc_topics_result *r, int64_t k, int64_t rows)
{
    char text[SHOWN * (NAME_BYTES + 2) + 1] = "", name[NAME_BYTES];
    size_t used = 0;
    for (int64_t i = 0; i < DC_MIN(r->topics.terms, (int64_t)SHOWN); i++) {
        const int64_t at = k * r->topics.terms + i;
        const char *term = r->term + (size_t)at * r->term_bytes;
        if (r->topics.column[at] < 0) break;
        dc_printable(name, sizeof name, term, strnlen(term, r->term_bytes));
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", name[0] ? name : "(no name)");
    }
    dc_log("topic     %lld, %lld row%s: %s", (long long)k, (long long)rows, rows == 1 ? "" : "s", text);
}

/* Rank 0. */
static void tell(const dc_topics_result *r, const int64_t *size)
{
    const int64_t K = r->topics.K;
    if (!r->term) return;
    for (int64_t k = 0; k < DC_MIN(K, (int64_t)LINES); k++) tell_cluster(r, k, size[k]);
    if (K > LINES) dc_log("topic     the terms of %lld more clusters are in run.h5", (long long)(K - LINES));
    if (isfinite(r->topics.mean_coherence))
        dc_log("topics    mean coherence (NPMI of the first %d terms of a cluster, over all rows): %.4f",
               DC_TOPIC_COHERENCE_TERMS, r->topics.mean_coherence);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

dc_status dc_run_topics(dc_comm *comm, dc_job *job, const dc_dataset *data, const dc_run_clustered *c,
                        dc_topics_result *out)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    const int64_t K = cfg->cluster.clusters;
    const bool named = has_names(comm, data);
    plan p = plan_of(cfg, named, data->id_bytes > 0, K, data->D);
    const double start = dc_timer_start();
    *out = (dc_topics_result){.term_bytes = 1, .id_bytes = 1};
    if (p.terms && data->min < 0) p.terms = false; /* not counts */
    if (named && data->min >= 0 && cfg->output.topics != DC_TOPICS_OFF && !dc_topics_fit(K, data->D))
        dc_log_note("no terms: lists for %lld clusters of %lld columns would take too long", (long long)K,
                    (long long)data->D);
    if (p.terms) DC_TRY(find_terms(comm, cfg, data, c->labels, out));
    if (p.documents) DC_TRY(find_documents(comm, cfg, data, c, out));
    if (p.terms || p.documents) dc_timer_stop(&job->timers, DC_T_TOPICS, start, 0, 0);
    tell(out, c->size);
out:
    return st;
}

const dc_topics_result *dc_topics_found(const dc_topics_result *r)
{
    return r->topics.K > 0 ? r : NULL;
}

void dc_topics_result_release(dc_topics_result *r)
{
    dc_topics_release(&r->topics);
    dc_mem_free(&r->term);
    dc_mem_free(&r->nearest_id);
    dc_mem_free(&r->furthest_id);
}

double dc_run_topics_bytes(const dc_config *cfg, const dc_data_header *head, const dc_part *part,
                           const dc_topics_task *task, double *held)
{
    const int64_t K = cfg->cluster.clusters, m = cfg->output.top_terms, documents = cfg->output.documents;
    const plan p = plan_of(cfg, head->has_names, head->has_ids, K, head->D);
    const double ids = fmin(2.0 * (double)K * (double)documents * dc_dataset_id_bytes(head), 2 * IDS_BYTES_MAX);
    const int readers = task->tiles ? task->threads : 0;
    double bytes = 0;
    *held = 0;
    if (p.terms) {
        *held += dc_topics_held_bytes(K, m, 0) + DC_NAME_MAX * (double)K * (double)m;
        bytes = dc_topics_terms_bytes(K, head->D, m, head->sparse ? 0 : task->threads);
    }
    if (p.documents && (!task->means || means_fit(part, K, task->d))) {
        bytes = fmax(bytes, *held + dc_topics_documents_bytes(part, K, task->d, documents, readers, task->means) + ids);
        *held += dc_topics_held_bytes(K, 0, documents) + ids;
    }
    return fmax(bytes, *held);
}
