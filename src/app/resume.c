/* Continuation: which state of the output directory this start goes on from. The same deck continues; a deck that would
 * give another result is refused with the keys that differ. */
#include "resume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/file.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/version.h"

static const char folder[] = "ckpt", stop_name[] = "STOP", result_name[] = "run.h5";

static void note(dc_resume *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The log is not open yet. */
static void note(dc_resume *r, const char *fmt, ...)
{
    va_list args;
    if (r->n_notes == DC_RESUME_NOTES_MAX) return;
    va_start(args, fmt);
    vsnprintf(r->notes[r->n_notes++], sizeof r->notes[0], fmt, args);
    va_end(args);
}

/* A long path is refused when the directory is made; here it cannot happen any more. */
static void path_in(const dc_job *job, const char *name, char out[DC_PATH_MAX])
{
    DC_ASSERT(dc_job_path(job, name, out));
}

/* ---- Decks --------------------------------------------------------------------------------------------------------
 */

/* Refuses a deck that would give another result than `deck`, the effective one of what lies in `where`. */
static dc_status compare_decks(const dc_job *job, const char *where, const char *verb, const char *deck)
{
    dc_config old;
    char differing[1024];
    if (strcmp(verb, job->cli->verb) != 0)
        return DC_FAIL(DC_ERR_FORMAT, "%s is of `dcmpi %s`, this is `dcmpi %s`; set another run.output", where, verb,
                       job->cli->verb);
    dc_config_defaults(&old);
    const dc_status st = dc_config_parse(&old, where, deck, strlen(deck), NULL, 0, verb);
    if (st != DC_OK) return st;
    if (dc_config_differences(&old, &job->cfg, verb, differing, sizeof differing) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s was made with another deck: %s; set another run.output, or run.resume=never to start anew",
                   where, differing);
}

/* ---- A result ------------------------------------------------------------------------------------------------------
 */

static dc_status read_result(dc_job *job, const char *path, dc_h5 *h5)
{
    dc_status st = DC_OK;
    char format[32], verb[16], hash[32], *deck = NULL;
    int64_t complete;
    DC_TRY(dc_mem_alloc(&deck, DC_RESUME_DECK_MAX, 1, "deck"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "format", format, sizeof format));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "complete", &complete, 1, NULL));
    if (strcmp(format, "dcmpi-result") != 0 || complete != 1)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s is no complete result", path));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "verb", verb, sizeof verb));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "data_hash", hash, sizeof hash));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "deck", deck, DC_RESUME_DECK_MAX));
    DC_TRY(compare_decks(job, path, verb, deck));
    job->resume.complete = true;
    job->resume.data_hash = strtoull(hash, NULL, 16);
out:
    dc_mem_free(&deck);
    return st;
}

static dc_status find_result(dc_job *job)
{
    char path[DC_PATH_MAX];
    struct stat s;
    dc_h5 *h5 = NULL;
    path_in(job, result_name, path);
    if (stat(path, &s) != 0) return DC_OK;
    dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) st = read_result(job, path, h5);
    (void)!dc_h5_close(&h5);
    return st;
}

/* ---- Checkpoints ---------------------------------------------------------------------------------------------------
 */

/* From the newest on; a damaged one is passed over. */
static dc_status find_checkpoint(dc_job *job, const char *dir, const int64_t *number, int n)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    char path[DC_PATH_MAX];
    for (int i = n - 1; i >= 0; i--) {
        if (!dc_ckpt_path(dir, number[i], path)) return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
        st = dc_ckpt_read(path, &r->ckpt);
        if (st == DC_OK) {
            r->number = number[i];
            return compare_decks(job, path, r->ckpt.header.verb, r->ckpt.header.deck);
        }
        if (i == 0) break;
        note(r, "%s; trying the one before", dc_error_text());
        dc_error_clear();
    }
    if (n == 0) return DC_OK;
    char cause[DC_ERROR_TEXT_MAX];
    snprintf(cause, sizeof cause, "%.1800s", dc_error_text());
    dc_error_clear();
    return DC_FAIL(DC_ERR_FORMAT,
                   "no checkpoint in %s can be used, and nothing was changed: %s; run.resume=never starts anew", dir,
                   cause);
}

static dc_status find_checkpoints(dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    char dir[DC_PATH_MAX];
    int64_t *number = NULL;
    int n;
    path_in(job, folder, dir);
    DC_TRY(dc_ckpt_list(dir, &number, &n));
    r->next = n ? number[n - 1] + 1 : 1;
    if (job->cfg.run.resume != DC_RESUME_NEVER && !r->complete) DC_TRY(find_checkpoint(job, dir, number, n));
out:
    dc_mem_free(&number);
    return st;
}

dc_status dc_resume_find(dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    if (job->cfg.run.resume != DC_RESUME_NEVER) DC_TRY(find_result(job));
    DC_TRY(find_checkpoints(job));
    r->continues = r->ckpt.n > 0;
    r->part = r->continues ? r->ckpt.header.part + 1 : 1;
    if (r->continues) r->data_hash = r->ckpt.header.data_hash;
    if (job->cfg.run.resume == DC_RESUME_MUST && !r->continues && !r->complete)
        st = DC_FAIL(DC_ERR_USAGE, "run.resume is must, but %s holds nothing to continue", job->cfg.run.output);
out:
    return st;
}

/* ---- Files ----------------------------------------------------------------------------------------------------------
 */

static dc_status cut_file(const dc_job *job, const char *name, int64_t bytes)
{
    char path[DC_PATH_MAX];
    path_in(job, name, path);
    return dc_file_cut(path, bytes);
}

dc_status dc_resume_prepare_files(dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    char dir[DC_PATH_MAX];
    path_in(job, stop_name, r->stop_file);
    if (unlink(r->stop_file) == 0) note(r, "a file STOP of before this start was removed");
    path_in(job, folder, dir);
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return DC_FAIL(DC_ERR_IO, "cannot create the folder %s: %s", dir, strerror(errno));
    /* A start from nothing keeps the log of the ones before: it may say why they ended. */
    if (r->continues) DC_TRY(cut_file(job, "log.txt", r->ckpt.header.log_bytes));
    DC_TRY(cut_file(job, "metrics.jsonl", r->continues ? r->ckpt.header.metrics_bytes : 0));
out:
    return st;
}

/* ---- Saving ---------------------------------------------------------------------------------------------------------
 */

static dc_ckpt_header describe(const dc_job *job, const dc_control *c)
{
    dc_ckpt_header h = {.deck = job->deck,
                        .step = dc_control_step(c),
                        .data_hash = job->data->hash,
                        .N = job->data->part.N,
                        .D = job->data->D,
                        .ranks = job->from.ranks,
                        .threads = job->from.threads,
                        .part = job->resume.part,
                        .wall_s = job->resume.ckpt.header.wall_s + dc_clock_now_s() - job->timers.started,
                        .log_bytes = dc_log_bytes(),
                        .metrics_bytes = dc_progress_bytes(&job->progress)};
    dc_clock_iso(h.created);
    snprintf(h.verb, sizeof h.verb, "%s", job->cli->verb);
    snprintf(h.phase, sizeof h.phase, "%s", dc_control_phase(c));
    snprintf(h.version, sizeof h.version, "%s", dc_version());
    snprintf(h.git, sizeof h.git, "%s", dc_version_git());
    snprintf(h.arch, sizeof h.arch, "%s", dc_version_arch());
    snprintf(h.libraries, sizeof h.libraries, "%s", job->from.libraries);
    return h;
}

static dc_status beat(void *ctx)
{
    const dc_job *job = ctx;
    return dc_lock_beat(job->lock);
}

static dc_status save(void *ctx, const dc_control *c, const dc_state_array *array, int n)
{
    dc_job *job = ctx;
    dc_resume *r = &job->resume;
    char dir[DC_PATH_MAX], path[DC_PATH_MAX];
    size_t bytes;
    const double start = dc_clock_now_s();
    const dc_ckpt_header header = describe(job, c);
    path_in(job, folder, dir);
    if (!dc_ckpt_path(dir, r->next, path)) return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    dc_status st = dc_lock_beat(job->lock);
    if (st == DC_OK) st = dc_ckpt_write(path, &header, array, n, &bytes);
    if (st != DC_OK) return st;
    /* What cannot be used, or is not wanted (run.resume = never), must not count as one of those that are kept. */
    if (!r->saved) dc_ckpt_remove_between(dir, r->number, r->next);
    r->number = r->next++;
    r->saved = true;
    dc_ckpt_prune(dir, r->number, job->cfg.checkpoint.keep - 1);
    dc_timer_stop(&job->timers, DC_T_CHECKPOINT, start, 0, (double)bytes);
    dc_log("saved     %s, %s step %lld: %.1f MiB in %.2f s", path, header.phase, (long long)header.step,
           (double)bytes / 1048576.0, dc_clock_now_s() - start);
    return DC_OK;
}

/* Arrays of the checkpoint to all ranks, into memory that the control will own. */
static dc_status spread(dc_comm *comm, dc_ckpt *ckpt)
{
    dc_status st = DC_OK;
    const bool root = dc_comm_rank(comm) == 0;
    dc_comm_bcast(comm, &ckpt->n, sizeof ckpt->n, 0);
    for (int i = 0; i < ckpt->n; i++) {
        dc_state_array *a = &ckpt->array[i];
        void *data = a->data;
        dc_comm_bcast(comm, a, sizeof *a, 0);
        a->data = data;
        const size_t bytes = a->n * dc_state_type_bytes(a->type);
        DC_TRY_ALL(comm, root ? DC_OK : dc_mem_alloc_raw(&a->data, bytes, 1, "checkpoint"));
        dc_comm_bcast(comm, a->data, bytes, 0);
    }
out:
    return st;
}

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

static void print_notes(const dc_job *job)
{
    const dc_resume *r = &job->resume;
    for (int i = 0; i < r->n_notes; i++) dc_log_warning("%s", r->notes[i]);
    if (r->continues)
        dc_log("continues %s, step %lld, with checkpoint %lld of %s on %lld x %lld; this is part %lld",
               r->ckpt.header.phase, (long long)r->ckpt.header.step, (long long)r->number, r->ckpt.header.created,
               (long long)r->ckpt.header.ranks, (long long)r->ckpt.header.threads, (long long)r->part);
    if (r->continues) note_other_program(job);
}

dc_status dc_resume_start(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    const double limit = job->cfg.run.max_time;
    const dc_control_config cfg = {.save_every_s = job->cfg.checkpoint.every,
                                   .stop_at_s = limit > 0 ? job->timers.started + limit : 0,
                                   .stop_file = r->stop_file,
                                   .save = save,
                                   .beat = beat,
                                   .ctx = job};
    if (dc_log_is_active()) print_notes(job);
    job->from.parts = r->part;
    job->from.wall_before_s = r->ckpt.header.wall_s;
    DC_TRY(spread(comm, &r->ckpt));
    DC_TRY(dc_control_create(comm, &job->control, &cfg, r->ckpt.array, r->ckpt.n));
    r->ckpt.n = 0; /* the control has them */
    dc_comm_set_control(comm, job->control);
out:
    return st;
}

dc_status dc_resume_check_data(const dc_job *job, const dc_dataset *data)
{
    const dc_resume *r = &job->resume;
    if ((!r->continues && !r->complete) || r->data_hash == data->hash) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s has changed since this run was started: hash %016" PRIx64 " is not %016" PRIx64
                   "; set another run.output, or run.resume=never to start anew",
                   data->source, data->hash, r->data_hash);
}

void dc_resume_report_stop(const dc_job *job)
{
    const dc_resume *r = &job->resume;
    const dc_control *c = job->control;
    char what[64] = "nothing to save yet";
    if (r->number)
        snprintf(what, sizeof what, "checkpoint %lld %s", (long long)r->number, r->saved ? "is written" : "stays");
    dc_log("stopped   by %s in %s, step %lld, %.2f s after it was wished: %s; the same command %s",
           dc_control_stop_reason(c), dc_control_phase(c)[0] ? dc_control_phase(c) : "reading",
           (long long)dc_control_step(c), dc_control_stop_latency(c), what,
           job->cfg.run.resume == DC_RESUME_NEVER ? "starts anew: run.resume is never" : "continues");
    if (strncmp(dc_control_stop_reason(c), "SIGTERM", 7) == 0 && getenv("OMPI_COMM_WORLD_SIZE"))
        dc_log_note("mpirun kills its ranks a second after SIGTERM; a clean stop has time with SIGUSR1, or with mpirun "
                    "--mca odls_base_sigkill_timeout 30");
}

void dc_resume_end(dc_comm *comm, dc_job *job)
{
    dc_comm_set_control(comm, NULL);
    dc_control_destroy(&job->control);
    dc_ckpt_release(&job->resume.ckpt);
}
