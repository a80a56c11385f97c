/* Continuation: which state of the output directory this start goes on from. The newest decides, be it a result or a
 * checkpoint: checkpoints have numbers, and a result knows that of the last one of its run. The same deck and weights
 * continue; others, which would give another result, are refused with what differs. */
#include "resume.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "apart.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/queue.h"
#include "dcmpi/version.h"
#include "output.h"

static void note(dc_resume *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Nobody listens yet. */
static void note(dc_resume *r, const char *fmt, ...)
{
    va_list args;
    if (r->n_notes == DC_RESUME_NOTES_MAX) return;
    va_start(args, fmt);
    vsnprintf(r->notes[r->n_notes++], sizeof r->notes[0], fmt, args);
    va_end(args);
}

/* ---- What is compared --------------------------------------------------------------------------------------------
 */

/* What made a result or a checkpoint; weights_hash 0: none, or one that version 0.1.0 did not note. */
typedef struct {
    const char *where, *verb, *deck;
    uint64_t weights_hash;
} origin;

/* ", " and how the first weights differ, or "". */
static void compare_weights(const dc_job *job, const origin *o, const char *old_path, char *out, size_t cap)
{
    const uint64_t now = job->from.weights_hash;
    out[0] = '\0';
    if (o->weights_hash == 0 || now == 0 || o->weights_hash == now) return;
    snprintf(out, cap, "model.weights is %s with the hash %016" PRIx64 ", was %s with the hash %016" PRIx64,
             job->cfg.model.weights, now, old_path, o->weights_hash);
}

/* Refuses what would give another result than that of `o`. */
static dc_status compare_origin(const dc_job *job, const origin *o)
{
    dc_config old;
    char differing[1024], weights[2 * DC_PATH_MAX + 128];
    if (strcmp(o->verb, job->cli->verb) != 0)
        return DC_FAIL(DC_ERR_FORMAT, "%s is of `dcmpi %s`, this is `dcmpi %s`; set another run.output", o->where,
                       o->verb, job->cli->verb);
    dc_config_defaults(&old);
    if (dc_config_parse(&old, o->where, o->deck, strlen(o->deck), NULL, 0, o->verb) != DC_OK) {
        char cause[DC_ERROR_TEXT_MAX];
        snprintf(cause, sizeof cause, "%.1500s", dc_error_text());
        dc_error_clear();
        return DC_FAIL(DC_ERR_FORMAT, "the deck in %s is none that this program reads: %s", o->where, cause);
    }
    compare_weights(job, o, old.model.weights, weights, sizeof weights);
    /* Where the weights lie does not matter if it is known what they are. */
    if (o->weights_hash && job->from.weights_hash)
        memcpy(old.model.weights, job->cfg.model.weights, sizeof old.model.weights);
    const int n = dc_config_differences(&old, &job->cfg, o->verb, differing, sizeof differing);
    if (n == 0 && !weights[0]) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s was made with another deck: %s%s%.900s; set another run.output, or run.resume=never to start "
                   "anew",
                   o->where, differing, n && weights[0] ? "; " : "", weights);
}

/* Weights that are gone by now are none that could be compared: neither a checkpoint nor a result needs them again. */
static dc_status hash_weights(dc_job *job)
{
    const char *path = job->cfg.model.weights;
    if (strcmp(job->cli->verb, "fit") != 0 || !path[0]) return DC_OK;
    if (access(path, F_OK) != 0) {
        note(&job->resume, "%s (model.weights) is not there: whether it is what this run began with is not known",
             path);
        return DC_OK;
    }
    const dc_status st = dc_apart_probe(DC_PROBE_MODEL, path, NULL, DC_ERR_FORMAT);
    return st == DC_OK ? dc_model_hash_file(path, &job->from.weights_hash) : st;
}

/* ---- A result ------------------------------------------------------------------------------------------------------
 */

typedef enum { NO_RESULT, OTHER_RESULT, SAME_RESULT } result_kind;
typedef struct {
    result_kind kind;
    bool is_own; /* of this job of the queue */
    uint64_t data_hash, labels_hash;
    bool knows_labels;
    int64_t checkpoint; /* -1: version 0.1.0 did not note it */
    char refusal[DC_ERROR_TEXT_MAX];
} result;

static dc_status read_optional(dc_h5 *h5, result *found)
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

static dc_status read_result(const dc_job *job, const char *path, dc_h5 *h5, result *found)
{
    dc_status st = DC_OK;
    char format[32], verb[16], *deck = NULL;
    origin o = {.where = path};
    int64_t complete;
    DC_TRY(dc_mem_alloc(&deck, DC_RESUME_DECK_MAX, 1, "deck"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "format", format, sizeof format));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "complete", &complete, 1, NULL));
    if (strcmp(format, "dcmpi-result") != 0 || complete != 1)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s is no complete result", path));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "verb", verb, sizeof verb));
    DC_TRY(dc_h5_get_attr_hash(h5, "/", "data_hash", &found->data_hash));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "deck", deck, DC_RESUME_DECK_MAX));
    if (dc_h5_has_attr(h5, "/", "weights_hash")) DC_TRY(dc_h5_get_attr_hash(h5, "/", "weights_hash", &o.weights_hash));
    DC_TRY(read_optional(h5, found));
    DC_TRY(dc_h5_check_content(h5));
    o.verb = verb;
    o.deck = deck;
    found->kind = SAME_RESULT;
    if (compare_origin(job, &o) != DC_OK) {
        found->kind = OTHER_RESULT;
        snprintf(found->refusal, sizeof found->refusal, "%.1900s", dc_error_text());
        dc_error_clear();
    }
out:
    dc_mem_free(&deck);
    return st;
}

static dc_status find_result(dc_job *job, result *found)
{
    char path[DC_PATH_MAX];
    dc_h5 *h5 = NULL;
    *found = (result){.kind = NO_RESULT, .checkpoint = -1};
    dc_output_path(job, DC_FILE_RESULT, path);
    job->resume.over_result = access(path, F_OK) == 0;
    if (!job->resume.over_result) return DC_OK;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = read_result(job, path, h5, found);
    (void)!dc_h5_close(&h5);
    if (st == DC_OK || job->cfg.run.resume != DC_RESUME_NEVER) return st;
    dc_error_clear(); /* it will be replaced, whatever it is */
    found->kind = OTHER_RESULT;
    return DC_OK;
}

/* ---- Checkpoints ---------------------------------------------------------------------------------------------------
 */

typedef struct {
    char dir[DC_PATH_MAX];
    int64_t *number; /* ascending, owned */
    int n;
} list;

/* A deck that differs, or damage. */
typedef enum { NONE, USABLE, OTHER_DECK, ALL_DAMAGED } checkpoint_kind;

/* From the newest on, down to those above `above`; a damaged one is passed over. The text of what is wrong stays. */
static dc_status try_checkpoints(dc_job *job, const list *l, int64_t above, checkpoint_kind *kind)
{
    dc_resume *r = &job->resume;
    char path[DC_PATH_MAX];
    *kind = NONE;
    for (int i = l->n - 1; i >= 0 && l->number[i] > above; i--) {
        if (*kind == ALL_DAMAGED) {
            note(r, "%s; trying the one before", dc_error_text());
            dc_error_clear();
        }
        if (!dc_ckpt_path(l->dir, l->number[i], path))
            return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
        *kind = ALL_DAMAGED;
        if (dc_ckpt_read(path, &r->ckpt) != DC_OK) continue;
        const dc_ckpt_header *h = &r->ckpt.header;
        r->number = l->number[i];
        *kind = compare_origin(job, &(origin){path, h->verb, h->deck, h->weights_hash}) == DC_OK ? USABLE : OTHER_DECK;
        return DC_OK;
    }
    return DC_OK;
}

static void drop_checkpoint(dc_resume *r)
{
    dc_ckpt_release(&r->ckpt);
    r->number = 0;
    dc_error_clear();
}

static dc_status refuse_damaged(const list *l)
{
    char cause[DC_ERROR_TEXT_MAX];
    snprintf(cause, sizeof cause, "%.1800s", dc_error_text());
    dc_error_clear();
    return DC_FAIL(DC_ERR_FORMAT,
                   "no checkpoint in %s can be used, and nothing was changed: %s; run.resume=never starts anew", l->dir,
                   cause);
}

/* ---- The choice ----------------------------------------------------------------------------------------------------
 */

/* Checkpoints above this number are newer than the result. Version 0.1.0 did not note it: then a result of this deck
 * counts as the newest, one of another deck as the oldest. */
static int64_t last_of(const result *found)
{
    if (found->kind == NO_RESULT) return -1;
    if (found->checkpoint >= 0) return found->checkpoint;
    return found->kind == SAME_RESULT ? INT64_MAX : -1;
}

static void take_result(dc_resume *r, const result *found)
{
    drop_checkpoint(r);
    r->complete = true;
    r->data_hash = found->data_hash;
    r->labels_hash = found->labels_hash;
    r->knows_labels = found->knows_labels;
}

static void take_checkpoint(dc_resume *r)
{
    r->continues = true;
    r->data_hash = r->ckpt.header.data_hash;
    r->labels_hash = r->ckpt.header.labels_hash;
    r->knows_labels = r->labels_hash != 0;
    r->part = r->ckpt.header.part + 1;
}

static dc_status choose(dc_job *job, const list *l, const result *found)
{
    dc_resume *r = &job->resume;
    checkpoint_kind kind;
    const dc_status st = try_checkpoints(job, l, last_of(found), &kind);
    if (st != DC_OK) return st;
    if (kind == USABLE) {
        take_checkpoint(r);
        return DC_OK;
    }
    if (found->kind == SAME_RESULT) {
        if (kind != NONE) note(r, "%s holds newer checkpoints, which are not of this run", l->dir);
        take_result(r, found);
        return DC_OK;
    }
    if (kind == OTHER_DECK) return DC_ERR_FORMAT; /* with the text of the comparison */
    if (kind == ALL_DAMAGED) return refuse_damaged(l);
    return found->kind == OTHER_RESULT ? DC_FAIL(DC_ERR_FORMAT, "%s", found->refusal) : DC_OK;
}

/* run.resume = never means this job, not each of its parts: one that the queue runs again goes on where its own part
 * before stopped, and never from a state of another job. */
static dc_status choose_own(dc_job *job, const list *l, const result *found)
{
    dc_resume *r = &job->resume;
    checkpoint_kind kind;
    if (dc_queue_restarts() <= 0) return DC_OK;
    dc_status st = try_checkpoints(job, l, found->is_own ? last_of(found) : -1, &kind);
    if (st == DC_OK && kind == USABLE && strcmp(r->ckpt.header.job, dc_queue_job()) == 0)
        take_checkpoint(r);
    else
        drop_checkpoint(r);
    if (!r->continues && found->is_own && found->kind == SAME_RESULT) take_result(r, found);
    if (r->continues || r->complete)
        note(r, "run.resume is never, but the queue runs job %s again: it goes on with its own part", dc_queue_job());
    return st;
}

dc_status dc_resume_find(dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    list l = {.number = NULL};
    result found;
    const bool never = job->cfg.run.resume == DC_RESUME_NEVER;
    r->part = 1;
    dc_output_path(job, DC_FILE_CHECKPOINTS, l.dir);
    DC_TRY(hash_weights(job));
    DC_TRY(find_result(job, &found));
    DC_TRY(dc_ckpt_list(l.dir, &l.number, &l.n));
    r->next = DC_MAX(l.n ? l.number[l.n - 1] : 0, found.checkpoint) + 1;
    DC_TRY(never ? choose_own(job, &l, &found) : choose(job, &l, &found));
    if (job->cfg.run.resume == DC_RESUME_MUST && !r->continues && !r->complete)
        st = DC_FAIL(DC_ERR_USAGE, "run.resume is must, but %s holds nothing to continue", job->cfg.run.output);
out:
    dc_mem_free(&l.number);
    return st;
}

/* ---- Messages ------------------------------------------------------------------------------------------------------
 */

/* Another program, library or type of CPU may round otherwise: the result is then none of the two. */
static void note_other_program(const dc_job *job)
{
    const dc_ckpt_header *h = &job->resume.ckpt.header;
    if (strcmp(h->version, dc_version()) == 0 && strcmp(h->git, dc_version_git()) == 0 &&
        strcmp(h->arch, dc_version_arch()) == 0 && strcmp(h->libraries, job->from.libraries) == 0)
        return;
    dc_log_note(
        "the checkpoint was written by dcmpi %s (%s, ARCH=%s) with %s: the bits of the result may be others than "
        "those of one of the two alone",
        h->version, h->git, h->arch, h->libraries);
}

void dc_resume_print(const dc_job *job)
{
    const dc_resume *r = &job->resume;
    for (int i = 0; i < r->n_notes; i++) dc_log_warning("%s", r->notes[i]);
    if (r->continues)
        dc_log("continues %s, step %lld, with checkpoint %lld of %s on %lld x %lld; this is part %lld",
               r->ckpt.header.phase, (long long)r->ckpt.header.step, (long long)r->number, r->ckpt.header.created,
               (long long)r->ckpt.header.ranks, (long long)r->ckpt.header.threads, (long long)r->part);
    if (r->continues) note_other_program(job);
}

/* ---- Data ----------------------------------------------------------------------------------------------------------
 */

/* Rank 0 has the header. */
static dc_status check_dimensions(const dc_job *job, const dc_dataset *data)
{
    const dc_ckpt_header *h = &job->resume.ckpt.header;
    if (!job->resume.continues || (h->N == data->part.N && h->D == data->D)) return DC_OK;
    return DC_FAIL(
        DC_ERR_FORMAT, "checkpoint %lld says %lld rows x %lld columns, the data of its hash have %lld x %lld",
        (long long)job->resume.number, (long long)h->N, (long long)h->D, (long long)data->part.N, (long long)data->D);
}

dc_status dc_resume_check_data(dc_comm *comm, dc_job *job, const dc_dataset *data)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    job->from.labels_hash = dc_dataset_hash_labels(comm, data);
    if (!r->continues && !r->complete) return DC_OK;
    r->refused = true; /* until it is not */
    if (r->data_hash != data->hash)
        return DC_FAIL(DC_ERR_DATA,
                       "%s has changed since this run was started: hash %016" PRIx64 " is not %016" PRIx64
                       "; set another run.output, or run.resume=never to start anew",
                       data->source, data->hash, r->data_hash);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_dimensions(job, data) : DC_OK);
    r->refused = false;
    r->other_labels = r->knows_labels && r->labels_hash != job->from.labels_hash;
    if (r->other_labels && r->continues)
        dc_log_note("the labels of %s are others than when this run was started; they only score the result",
                    data->source);
out:
    return st;
}
