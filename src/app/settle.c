/* A run writes several files at its end, and may be killed between any two of them. run.h5 is written first and holds
 * everything that is in the other files. So this code runs at each end of a run and at each start that finds a complete
 * run.h5: it makes the files that are missing or wrong. */
#include "settle.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/file.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "output.h"
#include "result_model.h"
#include "run.h"

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static dc_status read_deck(const dc_job *job, char **deck)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_RESULT, path);
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_result_deck_text(h5, deck));
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* Whether the file holds this text, and nothing else. */
static bool holds(const dc_job *job, dc_output_file file, const char *text)
{
    char path[DC_PATH_MAX];
    unsigned char *data = NULL;
    size_t bytes;
    dc_output_path(job, file, path);
    if (dc_file_read(path, DC_RESUME_DECK_MAX, &data, &bytes) != DC_OK) dc_error_clear();
    const bool same = data && bytes == strlen(text) && memcmp(data, text, bytes) == 0;
    dc_mem_free(&data);
    return same;
}

static dc_status rename_file(const dc_job *job, dc_output_file from_file, dc_output_file to_file)
{
    char from[DC_PATH_MAX], to[DC_PATH_MAX];
    dc_output_path(job, from_file, from);
    dc_output_path(job, to_file, to);
    return access(from, F_OK) == 0 ? dc_file_publish(from, to) : DC_OK;
}

/* Gives records and deck their final names if they had temporary names because an older run.h5 existed. The deck comes
 * last, because it tells which run the files belong to. */
static dc_status settle_deck(const dc_job *job)
{
    dc_status st = DC_OK;
    char *deck = NULL, path[DC_PATH_MAX];
    DC_TRY(read_deck(job, &deck));
    if (holds(job, DC_FILE_DECK_NEW, deck)) {
        DC_TRY(rename_file(job, DC_FILE_METRICS_NEW, DC_FILE_METRICS));
        DC_TRY(rename_file(job, DC_FILE_DECK_NEW, DC_FILE_DECK));
    } else if (!holds(job, DC_FILE_DECK, deck)) {
        dc_output_path(job, DC_FILE_DECK, path);
        DC_TRY(dc_file_replace(path, &(dc_file_piece){deck, strlen(deck)}, 1));
    }
out:
    dc_mem_free(&deck);
    return st;
}

dc_status dc_settle(const dc_job *job, const char **was, char line[DC_RESULT_LINE_MAX])
{
    dc_status st = DC_OK;
    char result[DC_PATH_MAX], summary[DC_PATH_MAX];
    dc_outcome o = {0};
    dc_output_path(job, DC_FILE_RESULT, result);
    dc_output_path(job, DC_FILE_SUMMARY, summary);
    DC_TRY(dc_outcome_read(result, &o));
    dc_outcome_line(&o, line, DC_RESULT_LINE_MAX);
    *was = dc_summary_state(summary, &o);
    if (!*was) goto out;
    DC_TRY(settle_deck(job));
    DC_TRY(dc_summary_write(summary, &o));
out:
    dc_outcome_release(&o);
    return st;
}

dc_status dc_settle_older(const dc_job *job)
{
    char line[DC_RESULT_LINE_MAX];
    const char *was = NULL;
    const dc_status st = dc_settle(job, &was, line);
    if (st == DC_OK && was)
        dc_log_note("the summary.json of the older run.h5 was %s: it was made again from that run.h5", was);
    if (st != DC_ERR_FORMAT) return st;
    dc_error_clear(); /* the older run.h5 will be replaced, whatever it is */
    return DC_OK;
}

/* ---- Scores ----------------------------------------------------------------------------------------------------- */

static dc_status check_labels(const dc_result *r)
{
    for (int64_t i = 0; i < dc_part_rows(&r->data->part); i++)
        if (r->labels[i] < 0 || r->labels[i] >= r->K)
            return DC_FAIL(DC_ERR_FORMAT, "run.h5: '/labels' has %d in row %lld; there are %lld clusters", r->labels[i],
                           (long long)(r->data->part.row_lo + i), (long long)r->K);
    return DC_OK;
}

/* A score that was not computed is NaN. */
static bool equal(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* Sets *same: whether run.h5 has the scores of r, or neither has any. Rank 0 only. */
static dc_status compare_scores(const char *path, const dc_result *r, bool *same)
{
    dc_outcome o;
    const dc_status st = dc_outcome_read(path, &o);
    if (st != DC_OK) return st;
    *same = r->has_scores ? equal(o.acc, r->scores.acc) && equal(o.nmi, r->scores.nmi) && equal(o.ari, r->scores.ari)
                          : isnan(o.nmi);
    dc_outcome_release(&o);
    return DC_OK;
}

/* Version 0.1.0 did not store which labels it used, so its files are changed only if the scores differ. *done: whether
 * they were. */
static dc_status replace_scores(const dc_job *job, const char *path, dc_result *r, bool *done)
{
    bool same = false;
    if (!job->resume.knows_labels) {
        const dc_status st = compare_scores(path, r, &same);
        if (st != DC_OK || same) return st;
    }
    const dc_status st = dc_result_rescore(path, r);
    *done = st == DC_OK;
    if (st == DC_OK)
        dc_log("labels    of %s differ from those that run.h5 was scored with: %s", r->data->source,
               r->has_scores ? "it was scored anew" : "there are none now, and the scores were removed");
    return st;
}

/* *K: number of clusters. */
static dc_status check_whole(const char *path, int64_t *K)
{
    dc_h5 *h5 = NULL;
    dc_h5_info size;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = dc_h5_check_hash(h5, "/labels");
    if (st == DC_OK) st = dc_h5_dataset_info(h5, "/clusters/size", &size);
    if (st == DC_OK) *K = size.dims[0];
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* *done: on rank 0, whether run.h5 has other scores than before. */
static dc_status score_anew(dc_comm *comm, dc_job *job, bool *done)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    int64_t K = 0;
    int32_t *labels = NULL;
    dc_scoring scoring = {0};
    const dc_dataset *data = job->data;
    const bool root = dc_comm_rank(comm) == 0;
    dc_output_path(job, DC_FILE_RESULT, path);
    DC_TRY_ALL(comm, root ? check_whole(path, &K) : DC_OK);
    dc_comm_bcast(comm, &K, sizeof K, 0);
    DC_TRY_ALL(comm, dc_mem_alloc(&labels, (size_t)dc_part_rows(&data->part), sizeof *labels, "labels of the result"));
    DC_TRY(dc_h5_read_part(comm, path, "/labels", DC_H5_I32, &data->part, 1, labels));
    dc_result r = {.cfg = &job->cfg, .from = &job->from, .data = data, .K = K, .labels = labels};
    DC_TRY_ALL(comm, check_labels(&r));
    DC_TRY(dc_run_score(comm, job, &r, &scoring));
    DC_TRY_ALL(comm, root ? replace_scores(job, path, &r, done) : DC_OK);
out:
    dc_mem_free(&labels);
    dc_scoring_release(&scoring);
    return st;
}

/* ---- A run that is found finished ------------------------------------------------------------------------------- */

/* rescored: the scores were replaced a moment ago, so that the summary must be made again. */
static dc_status settle_and_tell(dc_job *job, bool rescored)
{
    dc_status st = DC_OK;
    char line[DC_RESULT_LINE_MAX], log[DC_PATH_MAX];
    const char *was = NULL, *output = job->cfg.run.output;
    DC_TRY(dc_settle(job, &was, line));
    dc_output_path(job, DC_FILE_LOG, log);
    if (was) DC_TRY(dc_log_open(log)); /* the log lacks the RESULT line in this case */
    if (was && rescored)
        dc_log("%s/run.h5 is complete and belongs to this deck and data; its summary.json has the new scores, too",
               output);
    else if (was)
        dc_log("%s/run.h5 is complete and belongs to this deck and data; its summary.json was %s and was made again "
               "from run.h5",
               output, was);
    else
        dc_log("%s/run.h5 is complete and belongs to this deck and data: nothing is left to do; run.resume=never "
               "starts anew",
               output);
    dc_log_plain("RESULT  %s", line);
out:
    return st;
}

dc_status dc_settle_complete(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    bool rescored = false;
    if (job->resume.other_labels || !job->resume.knows_labels) DC_TRY(score_anew(comm, job, &rescored));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? settle_and_tell(job, rescored) : DC_OK);
out:
    return st;
}
