/* The output directory is made, probed and opened before work starts, so that a wrong path costs seconds and not hours.
 */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "folder.h"
#include "resume.h"
#include "settle.h"

/* Room for the longest name of a file in the folder, with its temporary suffix. */
enum { NAME_MAX_CHARS = 64 };

/* ---- Folders ----------------------------------------------------------------------------------------------------- */

static dc_status make_directories(const char *path)
{
    char partial[DC_PATH_MAX];
    snprintf(partial, sizeof partial, "%s", path);
    for (char *p = partial + 1; *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        (void)mkdir(partial, 0777); /* the last mkdir reports what is wrong */
        *p = '/';
    }
    struct stat s;
    if (mkdir(partial, 0777) != 0 && errno != EEXIST)
        return DC_FAIL(DC_ERR_IO, "cannot create the output directory %s: %s; set run.output", path, strerror(errno));
    if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode))
        return DC_FAIL(DC_ERR_IO, "the output path %s is not a directory; set run.output", path);
    return DC_OK;
}

static dc_status make_checkpoint_folder(const dc_job *job)
{
    char dir[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_CHECKPOINTS, dir);
    if (mkdir(dir, 0777) == 0 || errno == EEXIST) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "cannot create the directory %s: %s", dir, strerror(errno));
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

/* Removes a STOP file from before this start. It is an error if that fails, because the file would stop this start and
 * all later ones. */
static dc_status remove_stop(const dc_job *job)
{
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_STOP, path);
    if (unlink(path) == 0)
        dc_log_warning("a file STOP from before this start was removed");
    else if (errno != ENOENT)
        return DC_FAIL(DC_ERR_IO, "%s would stop the run at once, and cannot be removed: %s; remove it", path,
                       strerror(errno));
    return DC_OK;
}

static void tell_takeover(const dc_job *job)
{
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_LOCK, path);
    if (dc_lock_previous_owner(job->lock)[0])
        dc_log_warning("took over %s, left behind by %s", path, dc_lock_previous_owner(job->lock));
}

/* Taking the lock also proves that files can be made in the directory, before hours of training. */
static dc_status take_lock(const dc_job *job, dc_lock **lock)
{
    char path[DC_PATH_MAX], what[DC_PATH_MAX + 32];
    dc_output_path(job, DC_FILE_LOCK, path);
    snprintf(what, sizeof what, "output directory %s", job->cfg.run.output);
    return dc_lock_acquire(path, what, "set run.output", lock);
}

dc_status dc_output_open(dc_job *job)
{
    dc_status st = DC_OK;
    if (strlen(job->cfg.run.output) + NAME_MAX_CHARS >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    job->resume.refused = true; /* until all checks have passed */
    DC_TRY(dc_folder_check_inputs(job));
    DC_TRY(make_directories(job->cfg.run.output));
    DC_TRY(take_lock(job, &job->lock));
    DC_TRY(dc_folder_check_files(job, job->lock));
    /* The lock proves that unfinished files are ours. A refused start releases it, so such files are removed now. */
    if (dc_lock_was_left(job->lock)) DC_TRY(dc_folder_remove_parts(job));
    DC_TRY(dc_resume_find(job));
    DC_TRY(dc_folder_remove_parts(job));
    job->resume.refused = false;
    dc_log_hold();
    tell_takeover(job);
    if (!job->resume.complete) DC_TRY(remove_stop(job));
out:
    return st;
}

/* If there is an older result, metrics and deck have temporary names until the result of this run is complete. */
static void metrics_path(const dc_job *job, char out[DC_PATH_MAX])
{
    dc_output_path(job, job->resume.over_result ? DC_FILE_METRICS_NEW : DC_FILE_METRICS, out);
}

static dc_status write_deck(const dc_job *job)
{
    char path[DC_PATH_MAX];
    dc_output_path(job, job->resume.over_result ? DC_FILE_DECK_NEW : DC_FILE_DECK, path);
    if (dc_fault(DC_FAULT_OUTPUT_DECK)) return DC_FAIL(DC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return dc_file_replace(path, &(dc_file_piece){job->deck, strlen(job->deck)}, 1);
}

/* Once the older result is gone, the metrics that were begun beside it get their final name. */
static void take_new_names(const dc_job *job)
{
    char from[DC_PATH_MAX], to[DC_PATH_MAX];
    if (job->resume.over_result) return;
    dc_output_path(job, DC_FILE_METRICS_NEW, from);
    dc_output_path(job, DC_FILE_METRICS, to);
    (void)rename(from, to);
    dc_output_path(job, DC_FILE_DECK_NEW, from);
    (void)unlink(from);
}

static dc_status open_records(dc_job *job)
{
    dc_status st = DC_OK;
    char log[DC_PATH_MAX], metrics[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_LOG, log);
    metrics_path(job, metrics);
    DC_TRY(dc_log_open(log));
    DC_TRY(dc_progress_reopen(&job->progress, metrics));
    DC_TRY(write_deck(job));
out:
    return st;
}

/* A longer run begins with a copy of the shorter run's metrics. The originals stay beside their result until the new
 * result is complete. */
static dc_status copy_records(const dc_job *job, const char *to)
{
    char from[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_METRICS, from);
    if (!job->resume.over_shorter && access(to, F_OK) == 0) return DC_OK;
    return access(from, F_OK) == 0 ? dc_file_copy(from, to) : DC_OK;
}

dc_status dc_output_accept(dc_job *job)
{
    dc_status st = DC_OK;
    const dc_resume *r = &job->resume;
    char log[DC_PATH_MAX], metrics[DC_PATH_MAX];
    DC_TRY(make_checkpoint_folder(job));
    if (r->over_result) DC_TRY(dc_settle_older(job));
    take_new_names(job);
    /* A start from the beginning keeps the log of earlier starts: it may say why they ended. */
    dc_output_path(job, DC_FILE_LOG, log);
    metrics_path(job, metrics);
    if (r->continues && !r->longer) DC_TRY(dc_file_cut(log, r->ckpt.header.log_bytes));
    if (r->longer && r->over_result) DC_TRY(copy_records(job, metrics));
    DC_TRY(dc_file_cut(metrics, r->continues ? r->ckpt.header.metrics_bytes : 0));
    job->progress.interval_s = job->cfg.run.log_interval;
    DC_TRY(open_records(job));
out:
    return st;
}

dc_status dc_output_restore(dc_job *job)
{
    dc_status st = DC_OK;
    dc_lock *lock = NULL;
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_LOCK, path);
    if (access(path, F_OK) == 0) return make_checkpoint_folder(job);
    DC_TRY(make_directories(job->cfg.run.output));
    DC_TRY(take_lock(job, &lock));
    DC_TRY(dc_folder_check_files(job, lock));
    dc_lock_release(&job->lock);
    job->lock = lock;
    DC_TRY(make_checkpoint_folder(job));
    DC_TRY(open_records(job));
    dc_log_warning("%s was removed during this run, and was made again", path);
out:
    if (lock != job->lock) dc_lock_release(&lock);
    return st;
}

/* ---- Dry run ----------------------------------------------------------------------------------------------------- */

/* Finds `path` or, if it does not exist, its nearest existing parent. A dangling link counts as existing. */
static void existing_parent(const char *path, char out[DC_PATH_MAX])
{
    struct stat s;
    snprintf(out, DC_PATH_MAX, "%s", path);
    while (lstat(out, &s) != 0 && errno != ENAMETOOLONG) {
        char *slash = strrchr(out, '/');
        if (!slash || slash == out) {
            snprintf(out, DC_PATH_MAX, "%s", slash ? "/" : ".");
            return;
        }
        *slash = '\0';
    }
}

dc_status dc_output_check(const dc_job *job, double bytes)
{
    char parent[DC_PATH_MAX];
    struct stat s;
    struct statvfs disk;
    dc_status st = DC_OK;
    DC_TRY(dc_folder_check_inputs(job));
    DC_TRY(dc_folder_check_files(job, NULL));
    existing_parent(job->cfg.run.output, parent);
    if (stat(parent, &s) != 0)
        return DC_FAIL(DC_ERR_IO, "cannot create the output directory %s: %s; set run.output", parent, strerror(errno));
    if (!S_ISDIR(s.st_mode)) return DC_FAIL(DC_ERR_IO, "%s is not a directory; set run.output", parent);
    if (access(parent, W_OK | X_OK) != 0)
        return DC_FAIL(DC_ERR_IO, "cannot write to %s: %s; set run.output", parent, strerror(errno));
    if (statvfs(parent, &disk) != 0)
        return DC_FAIL(DC_ERR_IO, "cannot find out how much space is free in %s: %s", parent, strerror(errno));
    const double left = (double)disk.f_bavail * (double)disk.f_frsize;
    if (left < bytes)
        return DC_FAIL(DC_ERR_IO, "%s has %.3f GiB left, the result needs %.3f GiB; free space or set run.output",
                       parent, left / 1073741824.0, bytes / 1073741824.0);
out:
    return st;
}
