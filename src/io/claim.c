/* The claim on an output file. */
#include "dcmpi/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/file.h"
#include "dcmpi/log.h"

static const char *const suffixes[] = {".part", ".lock", ".lock.guard"};

static dc_status fail_io(const char *path, const char *what)
{
    return DC_FAIL(DC_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* ---- The name ---------------------------------------------------------------------------------------------------- */

dc_status dc_claim_refuse_input(const char *name, const dc_claim_input *input, int n)
{
    for (int i = 0; i < n; i++)
        if (dc_file_same(name, input[i].path))
            return DC_FAIL(DC_ERR_USAGE,
                           "%s would be written, and is also an input: it is the file of %s; give another name", name,
                           input[i].role);
    return DC_OK;
}

static dc_status look_for_signature(const char *path, bool *is_hdf5)
{
    char head[8] = {0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const ssize_t got = fd >= 0 ? read(fd, head, sizeof head) : -1;
    const int cause = errno;
    if (fd >= 0) close(fd);
    if (got < 0) return DC_FAIL(DC_ERR_IO, "%s: output exists and cannot be read: %s", path, strerror(cause));
    *is_hdf5 = memcmp(head, "\x89HDF\r\n\x1a\n", sizeof head) == 0;
    return DC_OK;
}

static dc_status check_existing(const char *output, bool force, const dc_recipe *recipe)
{
    dc_status st = DC_OK;
    struct stat s;
    bool hdf5, same;
    char made[256];
    if (stat(output, &s) != 0) return DC_OK;
    const char *missing = strcmp(recipe->verb, "convert") == 0 ? "is the output name missing? " : "";
    const char *give = missing[0] ? "Give" : "give";
    if (!S_ISREG(s.st_mode))
        return DC_FAIL(DC_ERR_IO, "%s: output exists and is not a regular file: it is %s", output,
                       dc_file_kind_name(&s));
    if (force || s.st_size == 0) return DC_OK;
    DC_TRY(look_for_signature(output, &hdf5));
    if (!hdf5)
        return DC_FAIL(DC_ERR_USAGE,
                       "%s: output exists and is not an HDF5 file; %s%s another name, or --force to replace it", output,
                       missing, give);
    DC_TRY(dc_recipe_made(recipe, output, &same, made, sizeof made));
    if (!same)
        st = DC_FAIL(
            DC_ERR_USAGE,
            "%s: output exists and was made from other inputs or with other options (%s%s); %s%s another name, or "
            "--force to replace it",
            output, made[0] ? "by dcmpi " : "it does not say how", made, missing, give);
out:
    return st;
}

static bool is_too_long(const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t longest = strlen(".lock.guard");
    return strlen(path) + longest >= DC_PATH_MAX || strlen(slash ? slash + 1 : path) + longest > NAME_MAX;
}

/* Finds the name that the rename will replace: for a symbolic link, the file it points to. */
static dc_status resolve(dc_claim *c, const char *output)
{
    struct stat s;
    if (output[0] == '\0') return DC_FAIL(DC_ERR_USAGE, "output name is empty");
    if (is_too_long(output)) return DC_FAIL(DC_ERR_USAGE, "output name of %zu bytes is too long", strlen(output));
    snprintf(c->path, sizeof c->path, "%s", output);
    if (lstat(output, &s) != 0 || !S_ISLNK(s.st_mode)) return DC_OK;
    if (stat(output, &s) != 0 && errno == ENOENT)
        return DC_FAIL(DC_ERR_IO, "%s: output is a symbolic link to nothing", output);
    if (!realpath(output, c->path)) return fail_io(output, "cannot follow the symbolic link");
    if (is_too_long(c->path)) return DC_FAIL(DC_ERR_USAGE, "output name of %zu bytes is too long", strlen(c->path));
    return DC_OK;
}

static dc_status check_inputs(const dc_claim *c, const dc_claim_input *input, int n)
{
    char name[DC_PATH_MAX];
    dc_status st = dc_claim_refuse_input(c->path, input, n);
    for (size_t i = 0; st == DC_OK && i < DC_COUNT_OF(suffixes); i++) {
        snprintf(name, sizeof name, "%.*s%s", DC_PATH_MAX - 16, c->path, suffixes[i]);
        st = dc_claim_refuse_input(name, input, n);
    }
    return st;
}

/* ---- The part ---------------------------------------------------------------------------------------------------- */

/* Removes an old .part file. Call it only while holding the lock. The file is a leftover if the lock was one, too; an
 * empty file has nothing to lose. */
static dc_status free_part(const dc_claim *c)
{
    struct stat s;
    if (lstat(c->part, &s) != 0) return errno == ENOENT ? DC_OK : fail_io(c->part, "cannot write output");
    if (!S_ISREG(s.st_mode))
        return DC_FAIL(DC_ERR_IO, "%s is in the way: it is %s; move it away", c->part, dc_file_kind_name(&s));
    if (!dc_lock_was_left(c->lock) && s.st_size > 0)
        return DC_FAIL(DC_ERR_IO, "%s is in the way, and no killed job is known that left it; move it away", c->part);
    return unlink(c->part) == 0 ? DC_OK : fail_io(c->part, "cannot remove what an earlier job left");
}

dc_status dc_claim_take(dc_claim *c, const char *output, bool force, const dc_recipe *recipe,
                        const dc_claim_input *input, int n)
{
    dc_status st = DC_OK;
    char lock[DC_PATH_MAX], what[DC_PATH_MAX];
    *c = (dc_claim){.lock = NULL};
    DC_TRY(resolve(c, output));
    DC_TRY(check_inputs(c, input, n));
    DC_TRY(check_existing(output, force, recipe));
    snprintf(c->part, sizeof c->part, "%.*s.part", DC_PATH_MAX - 16, c->path);
    snprintf(lock, sizeof lock, "%.*s.lock", DC_PATH_MAX - 16, c->path);
    snprintf(what, sizeof what, "output %.*s", DC_PATH_MAX - 16, c->path);
    DC_TRY(dc_lock_acquire(lock, what, "give another output", &c->lock));
    DC_TRY(check_existing(output, force, recipe)); /* another job may have finished in the meantime */
    DC_TRY(free_part(c));
    if (dc_lock_previous_owner(c->lock)[0])
        dc_log_warning("took over %s, left behind by %s", lock, dc_lock_previous_owner(c->lock));
out:
    if (st != DC_OK) dc_claim_release(c);
    return st;
}

void dc_claim_release(dc_claim *c)
{
    dc_lock_release(&c->lock);
}
