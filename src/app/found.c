/* Reads what a result says about its run. A result whose content does not match its checksums is an error. */
#include "found.h"

#include <string.h>
#include <unistd.h>

#include "dcmpi/mem.h"
#include "dcmpi/queue.h"
#include "output.h"
#include "result_model.h"

bool dc_found_is(const dc_found *found, dc_likeness likeness)
{
    return found->is_there && found->comparison.likeness == likeness;
}

static bool tells_end(dc_h5 *h5)
{
    return dc_h5_has_attr(h5, "/", "stop_reason") && dc_h5_has_attr(h5, "/", "iterations") &&
           dc_h5_has_attr(h5, "/", "delta");
}

/* Version 0.1.0 did not always store how the run ended. If this is missing, a longer run continues from that result. */
static dc_status read_end(dc_h5 *h5, dc_found *found)
{
    dc_status st = DC_OK;
    dc_h5_info labels;
    DC_TRY(dc_h5_dataset_info(h5, "/labels", &labels));
    found->N = labels.dims[0];
    if (!tells_end(h5)) return DC_OK;
    DC_TRY(dc_h5_get_attr_str(h5, "/", "stop_reason", found->end.stop_reason, sizeof found->end.stop_reason));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "iterations", &found->end.iterations, 1, NULL));
    DC_TRY(dc_h5_get_attr_f64(h5, "/", "delta", &found->end.delta, 1, NULL));
out:
    return st;
}

static dc_status read_optional(dc_h5 *h5, dc_found *found)
{
    dc_status st = DC_OK;
    char job[DC_JOB_NAME_MAX] = "";
    found->checkpoint = -1;
    found->knows_labels = dc_h5_has_attr(h5, "/", "labels_hash");
    if (found->knows_labels) DC_TRY(dc_h5_get_attr_hash(h5, "/", "labels_hash", &found->labels_hash));
    if (dc_h5_has_attr(h5, "/", "checkpoint"))
        DC_TRY(dc_h5_get_attr_i64(h5, "/", "checkpoint", &found->checkpoint, 1, NULL));
    if (dc_h5_has_attr(h5, "/", "job")) DC_TRY(dc_h5_get_attr_str(h5, "/", "job", job, sizeof job));
    found->is_own = job[0] && strcmp(job, dc_queue_job()) == 0;
out:
    return st;
}

static dc_status read_result(const dc_job *job, const char *path, dc_h5 *h5, dc_found *found)
{
    dc_status st = DC_OK;
    char format[32], verb[16], *deck = NULL;
    dc_origin o = {.where = path};
    int64_t complete;
    DC_TRY(dc_h5_get_attr_str(h5, "/", "format", format, sizeof format));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "complete", &complete, 1, NULL));
    if (strcmp(format, "dcmpi-result") != 0 || complete != 1)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s is not a complete result", path));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "verb", verb, sizeof verb));
    DC_TRY(dc_h5_get_attr_hash(h5, "/", "data_hash", &found->data_hash));
    DC_TRY(dc_result_deck_text(h5, &deck));
    if (dc_h5_has_attr(h5, "/", "weights_hash")) DC_TRY(dc_h5_get_attr_hash(h5, "/", "weights_hash", &o.weights_hash));
    DC_TRY(read_optional(h5, found));
    DC_TRY(read_end(h5, found));
    DC_TRY(dc_h5_check_content(h5));
    o.verb = verb;
    o.deck = deck;
    o.N = found->N;
    dc_origin_compare(job, &o, &found->comparison);
out:
    dc_mem_free(&deck);
    return st;
}

dc_status dc_found_read(dc_job *job, dc_found *found)
{
    char path[DC_PATH_MAX];
    dc_h5 *h5 = NULL;
    *found = (dc_found){.checkpoint = -1};
    dc_output_path(job, DC_FILE_RESULT, path);
    found->is_there = job->resume.over_result = access(path, F_OK) == 0;
    if (!found->is_there) return DC_OK;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = read_result(job, path, h5, found);
    st = dc_h5_close_read(&h5, st);
    if (st == DC_OK || job->cfg.run.resume != DC_RESUME_NEVER) return st;
    dc_error_clear(); /* the file will be replaced, whatever it is */
    found->comparison.likeness = DC_OTHER_RUN;
    return DC_OK;
}
