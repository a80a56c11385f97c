/* The checkpoints of a run, its stops, and what it reports when it stops. */
#include "saving.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/queue.h"
#include "dcmpi/version.h"
#include "dcmpi/wish.h"
#include "output.h"
#include "resume.h"

/* ---- Saving ----------------------------------------------------------------------------------------------------- */

static dc_ckpt_header describe(const dc_job *job, const dc_state *c)
{
    dc_ckpt_header h = {.deck = job->deck,
                        .number = job->resume.next,
                        .step = dc_state_step(c),
                        .data_hash = job->data->hash,
                        .labels_hash = job->from.labels_hash,
                        .weights_hash = job->from.weights_hash,
                        .deck_hash = job->from.deck_hash,
                        .program_hash = job->from.program_hash,
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
    snprintf(h.phase, sizeof h.phase, "%s", dc_state_phase(c));
    snprintf(h.version, sizeof h.version, "%s", dc_version());
    snprintf(h.git, sizeof h.git, "%s", dc_version_git());
    snprintf(h.arch, sizeof h.arch, "%s", dc_version_arch());
    snprintf(h.libraries, sizeof h.libraries, "%s", job->from.libraries);
    snprintf(h.job, sizeof h.job, "%s", job->from.job);
    return h;
}

static dc_status beat(void *ctx)
{
    const dc_job *job = ctx;
    return dc_lock_beat(job->lock);
}

void dc_saving_not_in_vain(const dc_job *job)
{
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_IN_VAIN, path);
    (void)unlink(path);
}

/* Removes the files last-PHASE.h5 of phases that this run has not reached yet: another run wrote them. */
static void forget_last(const dc_job *job, const char *dir)
{
    const dc_resume *r = &job->resume;
    const int place = r->continues ? dc_ckpt_phase_place(r->ckpt.header.phase) : -1;
    if (!r->continues || place >= 0) dc_ckpt_forget_last(dir, place);
}

/* Keeps a checkpoint of the end of a phase as last-PHASE.h5: a run with a longer phase can continue from it. */
static void keep_last(const dc_state *c, const char *dir, const char *path, const char *phase)
{
    if (!dc_state_ends_phase(c) || dc_ckpt_phase_place(phase) < 0) return;
    if (dc_ckpt_keep_last(dir, path, phase) == DC_OK) return;
    dc_log_warning("%s; a run with a longer phase '%s' cannot continue from this one", dc_error_text(), phase);
    dc_error_clear();
}

static dc_status begin(void *ctx, const dc_state *c, const dc_state_array *array, int n)
{
    dc_status st = DC_OK;
    dc_job *job = ctx;
    char dir[DC_PATH_MAX], path[DC_PATH_MAX];
    job->save_start_s = dc_clock_now_s();
    DC_TRY(dc_lock_beat(job->lock));
    DC_TRY(dc_output_restore(job));
    const dc_ckpt_header header = describe(job, c);
    dc_output_path(job, DC_FILE_CHECKPOINTS, dir);
    if (!dc_ckpt_path(dir, job->resume.next, path)) return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    DC_TRY(dc_ckpt_begin(&job->writer, path, &header, array, n));
out:
    return st;
}

static dc_status put(void *ctx, const void *data, size_t bytes)
{
    const dc_job *job = ctx;
    return dc_ckpt_put(job->writer, data, bytes);
}

static dc_status end(void *ctx, const dc_state *c, dc_status so_far)
{
    dc_job *job = ctx;
    dc_resume *r = &job->resume;
    const char *phase = dc_state_phase(c);
    char dir[DC_PATH_MAX], path[DC_PATH_MAX];
    size_t bytes;
    const dc_status st = dc_ckpt_end(&job->writer, so_far, &bytes);
    if (st != DC_OK) return st;
    dc_output_path(job, DC_FILE_CHECKPOINTS, dir);
    DC_ASSERT(dc_ckpt_path(dir, r->next, path));
    /* Checkpoints that were passed over as unusable or unwanted must not count among the `keep` newest. */
    if (!r->saved) dc_ckpt_remove_between(dir, r->number, r->next);
    if (!r->saved) forget_last(job, dir);
    if (!r->saved) dc_saving_not_in_vain(job);
    keep_last(c, dir, path, phase);
    r->number = r->next++;
    r->saved = true;
    dc_ckpt_prune(dir, r->number, job->cfg.checkpoint.keep - 1);
    dc_timer_stop(&job->timers, DC_T_CHECKPOINT, job->save_start_s, 0, (double)bytes);
    dc_log("saved     %s, %s step %lld: %.1f MiB in %.2f s", path, phase, (long long)dc_state_step(c),
           (double)bytes / 1048576.0, dc_clock_now_s() - job->save_start_s);
    return DC_OK;
}

/* ---- Start and end ---------------------------------------------------------------------------------------------- */

static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    const dc_job *job = ctx;
    return dc_ckpt_load(&job->resume.ckpt, index, first, n, out);
}

static void loaded(void *ctx)
{
    dc_job *job = ctx;
    dc_ckpt_close(&job->resume.ckpt);
}

dc_status dc_saving_start(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    dc_resume *r = &job->resume;
    const double limit = job->cfg.run.max_time;
    dc_output_path(job, DC_FILE_STOP, job->stop_file);
    const dc_wish_config wishes = {.save_every_s = job->cfg.checkpoint.every,
                                   .stop_at_s = limit > 0 ? job->timers.started + limit : 0,
                                   .stop_file = job->stop_file,
                                   .beat = beat,
                                   .ctx = job};
    job->from.parts = r->part;
    job->from.wall_before_s = r->ckpt.header.wall_s;
    dc_comm_bcast(comm, &r->ckpt.n, sizeof r->ckpt.n, 0);
    dc_comm_bcast(comm, r->ckpt.array, sizeof r->ckpt.array, 0);
    DC_TRY(dc_wish_create(comm, &job->wish, &wishes));
    dc_comm_set_wish(comm, job->wish);
    const dc_state_config state = {.begin = begin, .put = put, .end = end, .load = load, .loaded = loaded, .ctx = job};
    DC_TRY(dc_state_create(comm, &job->state, &state, r->ckpt.array, r->ckpt.n));
out:
    return st;
}

void dc_saving_end(dc_comm *comm, dc_job *job)
{
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(&job->state);
    dc_wish_destroy(&job->wish);
    dc_ckpt_release(&job->resume.ckpt);
}

/* ---- Stops ------------------------------------------------------------------------------------------------------ */

/* Whether the queue might run this job again and again in vain: nothing was saved, and the run was stopped by its time
 * limit or by the queue's warning signal. A stop that somebody asked for by hand does not count. */
static bool counts(const dc_job *job)
{
    const char *reason = dc_wish_reason(job->wish);
    const bool limit = strcmp(reason, "run.max_time") == 0,
               warning = job->from.job[0] && strncmp(reason, "SIG", 3) == 0;
    return !job->resume.saved && (limit || warning);
}

/* Creates an empty file as a mark that this start ended with nothing saved. If the start before left the mark, removes
 * it instead and returns true. Saving a checkpoint removes it, too. */
static bool mark_in_vain(const dc_job *job)
{
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_CHECKPOINTS, path);
    (void)mkdir(path, 0777); /* this start may have ended before the folder was made */
    dc_output_path(job, DC_FILE_IN_VAIN, path);
    if (unlink(path) == 0) return true; /* so that a new attempt has two starts again */
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0) close(fd);
    return false;
}

static const char *what_next(const dc_job *job)
{
    if (job->cfg.run.resume != DC_RESUME_NEVER) return "the same command continues";
    return job->from.job[0] ? "this job continues if the queue runs it again; the same command otherwise starts anew: "
                              "run.resume is never"
                            : "the same command starts anew: run.resume is never";
}

dc_status dc_saving_report_stop(dc_comm *comm, dc_job *job)
{
    const dc_resume *r = &job->resume;
    const dc_state *c = job->state;
    const char *where = dc_state_phase(c)[0] ? dc_state_phase(c) : "reading";
    char what[64] = "nothing to save yet";
    if (r->number)
        snprintf(what, sizeof what, "checkpoint %lld %s", (long long)r->number, r->saved ? "is written" : "stays");
    dc_log("stopped   by %s in %s, step %lld, %.2f s after the request: %s; %s", dc_wish_reason(job->wish), where,
           (long long)dc_state_step(c), dc_wish_latency(job->wish), what, what_next(job));
    if (strncmp(dc_wish_reason(job->wish), "SIGTERM", 7) == 0 && getenv("OMPI_COMM_WORLD_SIZE"))
        dc_log_note("mpirun kills its ranks a second after SIGTERM; for a clean stop use SIGUSR1, or mpirun "
                    "--mca odls_base_sigkill_timeout 30");
    const bool in_vain = dc_comm_rank(comm) == 0 && counts(job) && mark_in_vain(job);
    return dc_agree(comm, in_vain ? DC_FAIL(DC_ERR_USAGE,
                                            "two parts in a row were stopped before anything could be saved, this one "
                                            "by %s in %s after %.0f s: the time limit is shorter than the start takes; "
                                            "give the job more time or more nodes",
                                            dc_wish_reason(job->wish), where, dc_clock_now_s() - job->timers.started)
                                  : DC_OK);
}
