/* Decides which state in the output directory this start continues from. The newest state counts, whether it is a
 * result or a checkpoint. Checkpoints have numbers, and a result stores the number of its run's last checkpoint, so it
 * is known which is newer. A start of the same run continues from this state; if this state is a checkpoint that is
 * damaged or of another run, a result of the same run counts instead. A start of a longer run continues from the last
 * state that it passes through (longer.h). Any other start is refused with a message that says what differs. */
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
#include "deck_model.h"
#include "expect.h"
#include "found.h"
#include "origin.h"
#include "output.h"

static void note(dc_resume *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Keeps a note for later, because the log is not open yet. */
static void note(dc_resume *r, const char *fmt, ...)
{
    va_list args;
    if (r->n_notes == DC_RESUME_NOTES_MAX) return;
    va_start(args, fmt);
    vsnprintf(r->notes[r->n_notes++], sizeof r->notes[0], fmt, args);
    va_end(args);
}

/* Weights that no longer exist cannot be compared. That is not an error: neither a checkpoint nor a result needs them
 * again, unless the scaling is theirs, too. */
static dc_status hash_weights(dc_job *job)
{
    const char *path = job->cfg.model.weights;
    const bool all = job->cfg.cluster.init == DC_START_WEIGHTS;
    if (!(dc_cli_has_method(job->cli) || all) || !path[0]) return DC_OK;
    if (access(path, F_OK) != 0) {
        note(&job->resume, "%s (model.weights) is not there, so it cannot be compared with what this run began with",
             path);
        return DC_OK;
    }
    dc_status st = dc_expect(DC_EXPECT_MODEL, path, job->cli->verb);
    if (st == DC_OK) st = dc_apart_probe(DC_PROBE_MODEL, path, DC_ERR_FORMAT);
    return st == DC_OK ? dc_model_hash_file(path, all, &job->from.weights_hash) : st;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------ */

typedef struct {
    char dir[DC_PATH_MAX];
    int64_t *number; /* ascending, owned */
    int n;
} list;

/* READABLE: at least one can be read. ALL_DAMAGED: there are some, but none can be read. */
typedef enum { NONE, READABLE, ALL_DAMAGED } checkpoint_kind;

static void compare_checkpoint(const dc_job *job, const char *path, dc_comparison *out)
{
    const dc_ckpt_header *h = &job->resume.ckpt.header;
    dc_origin_compare(job, &(dc_origin){path, h->verb, h->deck, h->weights_hash, h->N}, out);
}

/* Opens the newest checkpoint that is not damaged and has a number above `above`. If all are damaged, keeps the error
 * text of the last one tried. */
static dc_status try_checkpoints(dc_job *job, const list *l, int64_t above, checkpoint_kind *kind,
                                 dc_comparison *comparison)
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
        if (dc_ckpt_open(path, &r->ckpt) != DC_OK) continue;
        r->number = l->number[i];
        *kind = READABLE;
        compare_checkpoint(job, path, comparison);
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

static int last_phase(void)
{
    int phases = 0;
    while (dc_ckpt_phase_at(phases)) phases++;
    return phases - 1;
}

static bool is_last_there(const list *l, int place, char path[DC_PATH_MAX])
{
    return dc_ckpt_last_path(l->dir, dc_ckpt_phase_at(place), path) && access(path, F_OK) == 0;
}

/* Checkpoints above this number are newer than the result. A result of version 0.1.0 has no such number: a result of
 * this run then counts as newer than all checkpoints, any other as older. */
static int64_t last_of(const dc_found *found)
{
    if (!found->is_there) return -1;
    if (found->checkpoint >= 0) return found->checkpoint;
    return dc_found_is(found, DC_SAME_RUN) ? INT64_MAX : -1;
}

static void take_result(dc_resume *r, const dc_found *found)
{
    drop_checkpoint(r);
    r->complete = true;
    r->image = dc_deck_image(&found->comparison.was);
    r->data_hash = found->data_hash;
    r->labels_hash = found->labels_hash;
    r->knows_labels = found->knows_labels;
}

/* was: the deck of the checkpoint */
static void take_checkpoint(dc_resume *r, const dc_config *was)
{
    r->continues = true;
    r->image = dc_deck_image(was);
    r->data_hash = r->ckpt.header.data_hash;
    r->labels_hash = r->ckpt.header.labels_hash;
    r->knows_labels = r->labels_hash != 0;
    r->part = r->ckpt.header.part + 1;
}

/* Takes the checkpoint that this run wrote at the end of a phase, from the latest phase that has a usable one. */
static bool take_last(dc_job *job, const list *l)
{
    dc_resume *r = &job->resume;
    char path[DC_PATH_MAX];
    dc_comparison c;
    for (int i = last_phase(); i >= 0; i--) {
        if (!is_last_there(l, i, path) || dc_ckpt_open(path, &r->ckpt) != DC_OK) continue;
        compare_checkpoint(job, path, &c);
        r->number = r->ckpt.header.number;
        if (c.likeness == DC_SAME_RUN) {
            take_checkpoint(r, &c.was);
            return true;
        }
        drop_checkpoint(r);
    }
    return false;
}

/* Called when all checkpoints that are newer than the result are damaged; the current error text is that of the oldest
 * of them. */
static dc_status go_on_damaged(dc_job *job, const list *l)
{
    char cause[DC_ERROR_TEXT_MAX];
    snprintf(cause, sizeof cause, "%.1800s", dc_error_text());
    const bool taken = take_last(job, l);
    dc_error_clear();
    if (!taken)
        return DC_FAIL(DC_ERR_FORMAT,
                       "no checkpoint in %s can be used, and nothing was changed: %s; run.resume=never starts anew",
                       l->dir, cause);
    note(&job->resume, "%.300s; going on from the last checkpoint of the phase %s", cause,
         job->resume.ckpt.header.phase);
    return DC_OK;
}

/* ---- Longer runs ------------------------------------------------------------------------------------------------ */

/* Takes the checkpoint in `path` if it was written for these data and this run passes through its state. Skips a
 * damaged one. */
static bool take_if_passed(dc_job *job, const char *path, uint64_t data_hash)
{
    dc_resume *r = &job->resume;
    dc_comparison c;
    if (dc_ckpt_open(path, &r->ckpt) != DC_OK) {
        note(r, "%s; trying the one before", dc_error_text());
        drop_checkpoint(r);
        return false;
    }
    const dc_ckpt_header *h = &r->ckpt.header;
    compare_checkpoint(job, path, &c);
    const dc_longer longer = dc_origin_longer(job, &c.was, h->N);
    if (h->data_hash != data_hash || c.likeness == DC_OTHER_RUN ||
        (c.likeness == DC_LONGER_RUN && !dc_longer_passes(&longer, h))) {
        drop_checkpoint(r);
        return false;
    }
    r->was = c.was;
    r->longer = true;
    snprintf(r->longer_text, sizeof r->longer_text, "%.500s", c.text);
    take_checkpoint(r, &c.was);
    return true;
}

/* Takes the newest numbered checkpoint that this run passes through, else the last checkpoint of the latest phase that
 * has a usable one. */
static dc_status go_longer(dc_job *job, const list *l, const char *differing, uint64_t data_hash)
{
    dc_resume *r = &job->resume;
    char path[DC_PATH_MAX];
    drop_checkpoint(r);
    for (int i = l->n - 1; i >= 0; i--)
        if (dc_ckpt_path(l->dir, l->number[i], path) && take_if_passed(job, path, data_hash)) {
            r->number = l->number[i];
            return DC_OK;
        }
    for (int i = last_phase(); i >= 0; i--)
        if (is_last_there(l, i, path) && take_if_passed(job, path, data_hash)) {
            r->number = r->ckpt.header.number;
            return DC_OK;
        }
    return DC_FAIL(
        DC_ERR_FORMAT,
        "%s: a longer run goes on from the last state of the phase that is longer, and %s holds none that it "
        "passes through; set another run.output, or run.resume=never to start anew",
        differing, l->dir);
}

/* Called when the newest checkpoint is of a shorter run: continues from a checkpoint that this run passes through. */
static dc_status go_longer_from_checkpoint(dc_job *job, const list *l, const dc_comparison *c)
{
    const dc_ckpt_header *h = &job->resume.ckpt.header;
    const dc_longer longer = dc_origin_longer(job, &c->was, h->N);
    const dc_status st = dc_longer_check(&longer);
    return st == DC_OK ? go_longer(job, l, c->text, h->data_hash) : st;
}

/* Called when there is the result of a shorter run: takes it if the longer run would have the same result; otherwise
 * continues from a checkpoint that the longer run passes through. */
static dc_status go_longer_from_result(dc_job *job, const list *l, const dc_found *found)
{
    const dc_longer longer = dc_origin_longer(job, &found->comparison.was, found->N);
    const dc_status st = dc_longer_check(&longer);
    if (st != DC_OK) return st;
    if (!dc_longer_same_end(&longer, &found->end)) {
        job->resume.over_shorter = true;
        return go_longer(job, l, found->comparison.text, found->data_hash);
    }
    take_result(&job->resume, found);
    snprintf(job->resume.longer_text, sizeof job->resume.longer_text,
             "%.300s: that changes nothing, the run %s after "
             "%lld steps",
             found->comparison.text,
             strcmp(found->end.stop_reason, "max_iter") == 0 ? "reached cluster.max_iter" : found->end.stop_reason,
             (long long)found->end.iterations);
    return DC_OK;
}

/* ---- The choice ------------------------------------------------------------------------------------------------- */

static dc_status choose(dc_job *job, const list *l, const dc_found *found)
{
    dc_resume *r = &job->resume;
    checkpoint_kind kind;
    dc_comparison newest;
    const dc_status st = try_checkpoints(job, l, last_of(found), &kind, &newest);
    if (st != DC_OK) return st;
    if (kind == READABLE && newest.likeness == DC_SAME_RUN) {
        take_checkpoint(r, &newest.was);
        return DC_OK;
    }
    if (dc_found_is(found, DC_SAME_RUN)) {
        if (kind != NONE) note(r, "%s holds newer checkpoints, which are not of this run", l->dir);
        take_result(r, found);
        return DC_OK;
    }
    if (kind == READABLE && newest.likeness == DC_LONGER_RUN) return go_longer_from_checkpoint(job, l, &newest);
    if (kind == READABLE) return DC_FAIL(DC_ERR_FORMAT, "%s", newest.text);
    if (kind == ALL_DAMAGED) return go_on_damaged(job, l);
    if (dc_found_is(found, DC_LONGER_RUN)) return go_longer_from_result(job, l, found);
    return found->is_there ? DC_FAIL(DC_ERR_FORMAT, "%s", found->comparison.text) : DC_OK;
}

/* The setting "run.resume: never" is about the job as a whole, not about each of its starts: a job that the queue runs
 * again continues where its own previous start stopped, and never from a state of another job. */
static dc_status choose_own(dc_job *job, const list *l, const dc_found *found)
{
    dc_resume *r = &job->resume;
    checkpoint_kind kind;
    dc_comparison newest;
    if (dc_queue_restarts() <= 0) return DC_OK;
    dc_status st = try_checkpoints(job, l, found->is_own ? last_of(found) : -1, &kind, &newest);
    if (st == DC_OK && kind == READABLE && newest.likeness == DC_SAME_RUN &&
        strcmp(r->ckpt.header.job, dc_queue_job()) == 0)
        take_checkpoint(r, &newest.was);
    else
        drop_checkpoint(r);
    if (!r->continues && found->is_own && dc_found_is(found, DC_SAME_RUN)) take_result(r, found);
    if (r->continues || r->complete)
        note(r, "run.resume is never, but the queue runs job %s again: it goes on with its own part", dc_queue_job());
    return st;
}

dc_status dc_resume_find(dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    list l = {.number = NULL};
    dc_found found;
    const bool never = job->cfg.run.resume == DC_RESUME_NEVER;
    r->part = 1;
    dc_output_path(job, DC_FILE_CHECKPOINTS, l.dir);
    DC_TRY(hash_weights(job));
    DC_TRY(dc_found_read(job, &found));
    DC_TRY(dc_ckpt_list(l.dir, &l.number, &l.n));
    r->next = DC_MAX(l.n ? l.number[l.n - 1] : 0, found.checkpoint) + 1;
    DC_TRY(never ? choose_own(job, &l, &found) : choose(job, &l, &found));
    if (job->cfg.run.resume == DC_RESUME_MUST && !r->continues && !r->complete)
        st = DC_FAIL(DC_ERR_USAGE, "run.resume is must, but %s holds nothing to continue", job->cfg.run.output);
out:
    dc_mem_free(&l.number);
    return st;
}

/* ---- Messages --------------------------------------------------------------------------------------------------- */

/* The checkpoint may have been written by another version of the program or of a library, or by a program built for
 * another type of CPU. These may round differently; the result may then differ from what either would give alone. */
static void note_other_program(const dc_job *job)
{
    const dc_ckpt_header *h = &job->resume.ckpt.header;
    if (strcmp(h->version, dc_version()) == 0 && strcmp(h->git, dc_version_git()) == 0 &&
        strcmp(h->arch, dc_version_arch()) == 0 && strcmp(h->libraries, job->from.libraries) == 0)
        return;
    dc_log_note("the checkpoint was written by dcmpi %s (%s, ARCH=%s) with %s: the bits of the result may differ from "
                "those of either alone",
                h->version, h->git, h->arch, h->libraries);
}

void dc_resume_print(const dc_job *job)
{
    const dc_resume *r = &job->resume;
    for (int i = 0; i < r->n_notes; i++) dc_log_warning("%s", r->notes[i]);
    if (r->complete && r->longer_text[0]) dc_log_note("%s", r->longer_text);
    if (r->longer)
        dc_log("longer    %s: goes on after %s, step %lld; everything after it is computed again%s",
               r->longer_text[0] ? r->longer_text : "the deck", r->ckpt.header.phase, (long long)r->ckpt.header.step,
               r->over_result ? ", and run.h5 stays until that is done" : "");
    if (r->continues)
        dc_log("continues %s, step %lld, with checkpoint %lld of %s on %lld x %lld; this is part %lld",
               r->ckpt.header.phase, (long long)r->ckpt.header.step, (long long)r->number, r->ckpt.header.created,
               (long long)r->ckpt.header.ranks, (long long)r->ckpt.header.threads, (long long)r->part);
    if (r->continues) note_other_program(job);
}

/* ---- Data ------------------------------------------------------------------------------------------------------- */

/* The table of files that the start before this one left tells which file is another, before rows are read. */
static dc_status compare_files(const dc_job *job)
{
    char table[DC_PATH_MAX], what[DC_PATH_MAX + 64];
    dc_output_path(job, DC_FILE_TABLE, table);
    if (job->files->plain || job->cfg.input.rows > 0 || !dc_files_compare_table(job->files, table, what, sizeof what) ||
        !what[0])
        return DC_OK;
    return DC_FAIL(
        DC_ERR_DATA,
        "%s has changed since this run was started: %s; set another run.output, or run.resume=never to start "
        "anew",
        job->files->title, what);
}

dc_status dc_resume_check_files(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    if (!r->continues && !r->complete) return DC_OK;
    r->refused = true;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? compare_files(job) : DC_OK);
    r->refused = false;
out:
    return st;
}

/* The values are others than when the run was started. */
static dc_status fail_values(const dc_job *job, const dc_dataset *data)
{
    char table[DC_PATH_MAX], what[DC_PATH_MAX + 64] = "";
    dc_output_path(job, DC_FILE_TABLE, table);
    if (!job->files->plain) dc_files_blame(job->files, table, what, sizeof what);
    return DC_FAIL(DC_ERR_DATA,
                   "%s has changed since this run was started: %s%shash %016" PRIx64 " is not %016" PRIx64
                   "; set another run.output, or run.resume=never to start anew",
                   data->source, what, what[0] ? "; " : "", data->hash, job->resume.data_hash);
}

/* Rank 0 only: no other rank has the header. */
static dc_status check_dimensions(const dc_job *job, const dc_dataset *data)
{
    const dc_ckpt_header *h = &job->resume.ckpt.header;
    if (!job->resume.continues || (h->N == data->part.N && h->D == data->D)) return DC_OK;
    return DC_FAIL(
        DC_ERR_FORMAT, "checkpoint %lld says %lld rows x %lld columns, the data with its hash have %lld x %lld",
        (long long)job->resume.number, (long long)h->N, (long long)h->D, (long long)data->part.N, (long long)data->D);
}

/* Rank 0 only. The comparison of the decks leaves out input.image_shape, because the shape may come from the data, and
 * a network without layers for images does not use it. So this checks the shape if the network uses it. */
static dc_status check_images(const dc_job *job)
{
    const dc_image was = job->resume.image, is = dc_deck_image(&job->cfg);
    if (was.c == 0 || (was.h == is.h && was.w == is.w && was.c == is.c)) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s holds a run with images of %lldx%lldx%lld, and now they are %lldx%lldx%lld (input.image_shape, "
                   "or the data file); set another run.output, or run.resume=never to start anew",
                   job->cfg.run.output, (long long)was.h, (long long)was.w, (long long)was.c, (long long)is.h,
                   (long long)is.w, (long long)is.c);
}

dc_status dc_resume_check_data(dc_comm *comm, dc_job *job, const dc_dataset *data)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    job->from.labels_hash = dc_dataset_hash_labels(comm, data);
    if (!r->continues && !r->complete) return DC_OK;
    r->refused = true; /* until all checks have passed */
    if (dc_comm_rank(comm) == 0 && r->data_hash != data->hash) st = fail_values(job, data);
    DC_TRY_ALL(comm, st);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_dimensions(job, data) : DC_OK);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_images(job) : DC_OK);
    r->refused = false;
    r->other_labels = r->knows_labels && r->labels_hash != job->from.labels_hash;
    if (r->other_labels && r->continues)
        dc_log_note("the labels of %s have changed since this run was started; they only score the result",
                    data->source);
out:
    return st;
}
