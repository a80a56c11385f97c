/* The output directory: made, probed and opened before work starts, so that a wrong path costs seconds and not hours.
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
#include "folder.h"
#include "resume.h"

bool dc_job_path(const dc_job *job, const char *name, char out[DC_PATH_MAX])
{
    return snprintf(out, DC_PATH_MAX, "%s/%s", job->cfg.run.output, name) < DC_PATH_MAX;
}

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

static dc_status write_deck(const dc_job *job)
{
    char path[DC_PATH_MAX];
    const dc_file_piece piece = {job->deck, strlen(job->deck)};
    if (!dc_job_path(job, "config.used.yaml", path)) return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    if (dc_fault(DC_FAULT_OUTPUT_DECK)) return DC_FAIL(DC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return dc_file_replace(path, &piece, 1);
}

/* The lock proves the directory, too: that a file can be made there is known before hours of training. */
static dc_status take_lock(dc_job *job)
{
    char path[DC_PATH_MAX], what[DC_PATH_MAX + 32];
    if (!dc_job_path(job, "LOCK", path)) return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    snprintf(what, sizeof what, "output directory %s", job->cfg.run.output);
    return dc_lock_acquire(path, what, "set run.output", &job->lock);
}

dc_status dc_output_open(dc_job *job)
{
    dc_status st = DC_OK;
    char log[DC_PATH_MAX], jsonl[DC_PATH_MAX];
    DC_TRY(dc_folder_check_inputs(job));
    DC_TRY(make_directories(job->cfg.run.output));
    DC_TRY(take_lock(job));
    DC_TRY(dc_folder_check_files(job, job->lock));
    DC_TRY(dc_resume_find(job));
    DC_TRY(dc_folder_remove_parts(job));
    if (job->resume.complete) return DC_OK;
    if (!dc_job_path(job, "log.txt", log) || !dc_job_path(job, "metrics.jsonl", jsonl))
        return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    DC_TRY(dc_resume_prepare_files(job));
    DC_TRY(dc_log_open(log));
    if (dc_lock_previous_owner(job->lock)[0])
        dc_log_warning("took over %s/LOCK, left behind by %s", job->cfg.run.output, dc_lock_previous_owner(job->lock));
    DC_TRY(dc_progress_open(&job->progress, jsonl, job->cfg.run.log_interval));
    DC_TRY(write_deck(job));
out:
    return st;
}

/* What exists at or above `path`, be it a link to nowhere. */
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
        return DC_FAIL(DC_ERR_IO, "cannot ask for the free space of %s: %s", parent, strerror(errno));
    const double left = (double)disk.f_bavail * (double)disk.f_frsize;
    if (left < bytes)
        return DC_FAIL(DC_ERR_IO, "%s has %.3f GiB left, the result needs %.3f GiB; free space or set run.output",
                       parent, left / 1073741824.0, bytes / 1073741824.0);
out:
    return st;
}
