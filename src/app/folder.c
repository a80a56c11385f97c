/* Checks what is in run.output before a start.
 *
 * A run appends to some files there, replaces others and removes old checkpoints. But something else may already have
 * one of these names: a file of another program (run.output may be `.`), a link to a file elsewhere, a pipe. The first
 * bytes of a file tell whether it is ours. If a lock was left behind, an earlier run checked the folder and was then
 * killed: its files may be cut off anywhere, so they are not read. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data_files.h"
#include "dcmpi/claim.h"
#include "dcmpi/file.h"
#include "output.h"

enum { HEAD_BYTES = 1 << 16 };

/* sign: text that each of our files of this name begins with ('#': a digit) or, with `within`, has anywhere. */
typedef struct {
    const char *name;
    const char *sign, *other_sign; /* NULL: none */
    bool within;
    bool in_place;   /* written in place, so the write would also reach another hard link to it */
    bool of_anybody; /* may belong to any user: whoever can create files there may ask for a stop */
    bool part;
    bool empty;  /* an empty file, of which only the name counts */
    bool proves; /* if this file is ours, so are all checkpoints */
} run_file;

static const char deck_sign[] = "run:\n  output: ", summary_sign[] = "\"converged\":", result_sign[] = "dcmpi-result";
static const run_file files[] = {
    {.name = "run.h5", .sign = result_sign, .within = true, .proves = true},
    {.name = "run.h5.part", .sign = result_sign, .within = true, .part = true},
    {.name = "summary.json", .sign = summary_sign, .within = true},
    {.name = "summary.json.part", .sign = summary_sign, .within = true, .part = true},
    {.name = "config.used.yaml", .sign = deck_sign, .proves = true},
    {.name = "config.used.yaml.part", .sign = deck_sign, .part = true},
    {.name = "metrics.jsonl", .sign = "{\"phase\": \"", .in_place = true},
    {.name = "metrics.jsonl.new", .sign = "{\"phase\": \"", .in_place = true},
    {.name = "metrics.jsonl.new.part", .sign = "{\"phase\": \"", .part = true},
    {.name = "config.used.yaml.new", .sign = deck_sign},
    {.name = "config.used.yaml.new.part", .sign = deck_sign, .part = true},
    {.name = "log.txt", .sign = "####-##-##T##:##:##", .other_sign = "dcmpi: ERROR: ", .in_place = true},
    {.name = "files.tsv", .sign = "dcmpi-files "},
    {.name = "files.tsv.part", .sign = "dcmpi-files ", .part = true},
    {.name = "ckpt/in-vain", .empty = true},
    {.name = "STOP", .of_anybody = true},
};
static const run_file checkpoint = {.sign = "dcmpi-checkpoint", .within = true};
static const char *const lock_files[] = {"LOCK", "LOCK.guard"};
static const char folder[] = "ckpt";

/* Calls visit() for each entry of ckpt/ that has the name of a checkpoint, finished or not. */
static dc_status each_checkpoint(const dc_job *job, dc_status (*visit)(void *ctx, const char *path, bool part),
                                 void *ctx)
{
    dc_status st = DC_OK;
    char dir[DC_PATH_MAX], path[DC_PATH_MAX];
    if (!dc_output_name(job, folder, dir)) return DC_OK;
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && st == DC_OK && (e = readdir(d));) {
        const dc_ckpt_name kind = dc_ckpt_name_of(e->d_name);
        if (kind == DC_CKPT_NONE || snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= DC_PATH_MAX) continue;
        st = visit(ctx, path, kind == DC_CKPT_PART);
    }
    if (d) closedir(d);
    return st;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------------ */

typedef struct {
    dc_claim_input input[3];
    int n;
} inputs;

static dc_status refuse_input(void *ctx, const char *path, bool part)
{
    const inputs *in = ctx;
    (void)part;
    return dc_claim_refuse_input(path, in->input, in->n);
}

static void add(inputs *in, const char *role, const char *path)
{
    if (path && *path) in->input[in->n++] = (dc_claim_input){role, path};
}

/* The deck may be config.used.yaml itself, because it is read before that file is rewritten. */
dc_status dc_folder_check_inputs(const dc_job *job)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    inputs in = {.n = 0};
    add(&in, "input.data", strchr(job->cfg.input.data, '\n') ? NULL : job->cfg.input.data);
    add(&in, "model.weights", job->cfg.model.weights);
    const int data = in.n;
    add(&in, "the deck", job->cli->deck);
    for (size_t i = 0; i < DC_COUNT_OF(files); i++)
        if (dc_output_name(job, files[i].name, path))
            DC_TRY(dc_claim_refuse_input(path, in.input, files[i].sign == deck_sign && !files[i].part ? data : in.n));
    for (size_t i = 0; i < DC_COUNT_OF(lock_files); i++)
        if (dc_output_name(job, lock_files[i], path)) DC_TRY(dc_claim_refuse_input(path, in.input, in.n));
    st = each_checkpoint(job, refuse_input, &in);
out:
    return st;
}

static dc_status refuse_data(void *ctx, const char *path, bool part)
{
    (void)part;
    return dc_data_files_refuse(ctx, path);
}

dc_status dc_folder_check_data(const dc_job *job)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    for (size_t i = 0; i < DC_COUNT_OF(files); i++)
        if (dc_output_name(job, files[i].name, path)) DC_TRY(dc_data_files_refuse(job->files, path));
    st = each_checkpoint(job, refuse_data, job->files);
out:
    return st;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_lock *lock;
    bool left;  /* a killed run left its lock: files are not read */
    bool known; /* the folder is known to be a run's */
} finding;

static bool has_sign(const char *head, size_t n, const char *sign)
{
    for (size_t i = 0; sign && i < n && sign[i]; i++)
        if (sign[i] == '#' ? head[i] < '0' || head[i] > '9' : head[i] != sign[i]) return false;
    return sign != NULL;
}

/* Whether the file has the sign anywhere: HDF5 moves attributes far from the beginning if one of them is long, such as
 * the names of many columns. head: its first n bytes. */
static bool has_sign_within(int fd, char head[HEAD_BYTES], ssize_t n, const char *sign)
{
    const size_t length = strlen(sign), overlap = length - 1;
    for (off_t at = 0; n > 0; n = pread(fd, head, HEAD_BYTES, at)) {
        if (memmem(head, (size_t)n, sign, length)) return true;
        if (n < HEAD_BYTES) return false;
        at += HEAD_BYTES - (off_t)overlap;
    }
    return false;
}

/* Whether a non-empty file has our sign; a file that ends in the middle of the sign counts as ours. */
static bool is_ours(const char *path, const run_file *f)
{
    static char head[HEAD_BYTES];
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const ssize_t got = fd >= 0 ? read(fd, head, sizeof head) : -1;
    bool ours = false;
    if (got >= 0 && f->within)
        ours = has_sign_within(fd, head, got, f->sign);
    else if (got >= 0)
        ours = has_sign(head, (size_t)got, f->sign) || has_sign(head, (size_t)got, f->other_sign);
    if (fd >= 0) close(fd);
    return ours;
}

static dc_status refuse(const char *path, const char *what)
{
    return DC_FAIL(DC_ERR_IO, "%s is %s, and a run would write a file of this name; move it away, or set run.output",
                   path, what);
}

/* Files owned by root are accepted, too. */
static bool is_of_user(const struct stat *s, const dc_lock *lock)
{
    return s->st_uid == geteuid() || s->st_uid == 0 || (lock && s->st_uid == dc_lock_user(lock));
}

static dc_status check_file(finding *found, const char *path, const run_file *f)
{
    struct stat s;
    if (lstat(path, &s) != 0)
        return errno == ENOENT ? DC_OK : DC_FAIL(DC_ERR_IO, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode)) return refuse(path, dc_file_kind_name(&s));
    if (!f->of_anybody && !is_of_user(&s, found->lock)) return refuse(path, "another user's");
    if (f->in_place && s.st_nlink > 1) return refuse(path, "a file with a second name");
    if (f->empty && s.st_size > 0) return refuse(path, "not a file that dcmpi made");
    if (found->left || !f->sign || s.st_size == 0) return DC_OK;
    if (!is_ours(path, f)) return refuse(path, "not a file that dcmpi made");
    found->known |= f->proves;
    return DC_OK;
}

/* If the folder is known to be a run's, checkpoints need no check here: those that are damaged, or are folders, are
 * skipped later. */
static dc_status check_checkpoint(void *ctx, const char *path, bool part)
{
    finding *found = ctx;
    struct stat s;
    if (!part && lstat(path, &s) == 0 && S_ISDIR(s.st_mode)) return DC_OK;
    finding here = {.lock = found->lock, .left = found->left || found->known};
    return check_file(&here, path, &checkpoint);
}

static dc_status check_folder(const char *path, const finding *found)
{
    struct stat s;
    if (lstat(path, &s) != 0) return DC_OK;
    if (!S_ISDIR(s.st_mode))
        return DC_FAIL(DC_ERR_IO,
                       "%s is not a directory, and a run needs one of this name; move it away, or set run.output",
                       path);
    return is_of_user(&s, found->lock) ? DC_OK : refuse(path, "another user's");
}

dc_status dc_folder_check_files(const dc_job *job, const dc_lock *lock)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    finding found = {.lock = lock, .left = lock && dc_lock_was_left(lock)};
    for (size_t i = 0; i < DC_COUNT_OF(files); i++)
        if (dc_output_name(job, files[i].name, path)) DC_TRY(check_file(&found, path, &files[i]));
    if (dc_output_name(job, folder, path)) DC_TRY(check_folder(path, &found));
    st = each_checkpoint(job, check_checkpoint, &found);
out:
    return st;
}

/* ---- Leftovers --------------------------------------------------------------------------------------------------- */

static dc_status remove_part(void *ctx, const char *path, bool part)
{
    (void)ctx;
    if (!part || unlink(path) == 0 || errno == ENOENT) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "cannot remove %s, which an earlier run left: %s", path, strerror(errno));
}

dc_status dc_folder_remove_parts(const dc_job *job)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    for (size_t i = 0; i < DC_COUNT_OF(files); i++)
        if (dc_output_name(job, files[i].name, path)) DC_TRY(remove_part(NULL, path, files[i].part));
    st = each_checkpoint(job, remove_part, NULL);
out:
    return st;
}
