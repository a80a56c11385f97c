/* The folder of checkpoints. Looks at and removes only files whose names have our own pattern. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/ckpt.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"

bool dc_ckpt_path(const char *dir, int64_t number, char out[DC_PATH_MAX])
{
    return snprintf(out, DC_PATH_MAX, "%s/ckpt-%06" PRId64 ".h5", dir, number) < DC_PATH_MAX;
}

/* The number in "ckpt-<digits>.h5", or in that name with `suffix` after it; -1 for all other names. */
static int64_t number_of(const char *name, const char *suffix)
{
    char expected[64];
    int64_t number = 0;
    if (strncmp(name, "ckpt-", 5) != 0) return -1;
    const size_t digits = strspn(name + 5, "0123456789");
    if (digits < 6 || digits > 15) return -1;
    for (size_t i = 0; i < digits; i++) number = 10 * number + (name[5 + i] - '0');
    snprintf(expected, sizeof expected, "ckpt-%06" PRId64 ".h5%s", number, suffix);
    return strcmp(name, expected) == 0 ? number : -1;
}

/* ---- The last of each phase -------------------------------------------------------------------------------------- */

static const char *const phases[] = {"layer_1",  "layer_2",  "layer_3",  "layer_4",  "layer_5",  "layer_6",  "layer_7",
                                     "layer_8",  "layer_9",  "layer_10", "layer_11", "layer_12", "layer_13", "layer_14",
                                     "layer_15", "layer_16", "pretrain", "finetune", "kmeans",   "mixture",  "cluster"};

const char *dc_ckpt_phase_at(int place)
{
    return place >= 0 && place < (int)DC_COUNT_OF(phases) ? phases[place] : NULL;
}

int dc_ckpt_phase_place(const char *phase)
{
    for (int i = 0; dc_ckpt_phase_at(i); i++)
        if (strcmp(phases[i], phase) == 0) return i;
    return -1;
}

bool dc_ckpt_last_path(const char *dir, const char *phase, char out[DC_PATH_MAX])
{
    return snprintf(out, DC_PATH_MAX, "%s/last-%s.h5", dir, phase) < DC_PATH_MAX;
}

/* Whether `name` is the file name of a phase's last checkpoint, followed by `suffix`. */
static bool is_last(const char *name, const char *suffix)
{
    char expected[64];
    for (int i = 0; dc_ckpt_phase_at(i); i++) {
        snprintf(expected, sizeof expected, "last-%s.h5%s", phases[i], suffix);
        if (strcmp(name, expected) == 0) return true;
    }
    return false;
}

dc_status dc_ckpt_keep_last(const char *dir, const char *path, const char *phase)
{
    char last[DC_PATH_MAX], part[DC_PATH_MAX];
    if (!dc_ckpt_last_path(dir, phase, last) || snprintf(part, sizeof part, "%s.part", last) >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    if (unlink(part) != 0 && errno != ENOENT) return DC_FAIL(DC_ERR_IO, "cannot remove %s: %s", part, strerror(errno));
    if (link(path, part) != 0) return dc_file_copy(path, last);
    const dc_status st = dc_file_publish(part, last);
    if (st != DC_OK) unlink(part);
    return st;
}

void dc_ckpt_forget_last(const char *dir, int place)
{
    char path[DC_PATH_MAX];
    for (int i = place + 1; dc_ckpt_phase_at(i); i++)
        if (dc_ckpt_last_path(dir, phases[i], path)) unlink(path);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

dc_ckpt_name dc_ckpt_name_of(const char *name)
{
    if (number_of(name, "") >= 0 || is_last(name, "")) return DC_CKPT_WHOLE;
    return number_of(name, ".part") >= 0 || is_last(name, ".part") ? DC_CKPT_PART : DC_CKPT_NONE;
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int count_names(DIR *d)
{
    int n = 0;
    for (const struct dirent *e; (e = readdir(d));) n += number_of(e->d_name, "") >= 0;
    rewinddir(d);
    return n;
}

dc_status dc_ckpt_list(const char *dir, int64_t **number, int *n)
{
    *number = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT) return DC_OK;
    if (!d) return DC_FAIL(DC_ERR_IO, "cannot read the directory %s: %s", dir, strerror(errno));
    const int capacity = count_names(d);
    const dc_status st = dc_mem_alloc(number, (size_t)capacity, sizeof **number, "list of checkpoints");
    for (const struct dirent *e; st == DC_OK && *n < capacity && (e = readdir(d));) {
        const int64_t x = number_of(e->d_name, "");
        if (x >= 0) (*number)[(*n)++] = x;
    }
    closedir(d);
    if (st == DC_OK) qsort(*number, (size_t)*n, sizeof **number, ascending);
    return st;
}

static void remove_parts(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d) return;
    for (const struct dirent *e; (e = readdir(d));)
        if (dc_ckpt_name_of(e->d_name) == DC_CKPT_PART) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

void dc_ckpt_remove_between(const char *dir, int64_t above, int64_t below)
{
    int64_t *list;
    int n;
    char path[DC_PATH_MAX];
    if (dc_ckpt_list(dir, &list, &n) != DC_OK) {
        dc_error_clear();
        return;
    }
    for (int i = 0; i < n; i++)
        if (list[i] > above && list[i] < below && dc_ckpt_path(dir, list[i], path)) unlink(path);
    dc_mem_free(&list);
}

void dc_ckpt_prune(const char *dir, int64_t number, int64_t keep)
{
    int64_t *list;
    int n;
    char path[DC_PATH_MAX];
    remove_parts(dir);
    if (dc_ckpt_list(dir, &list, &n) != DC_OK || !list) { /* if the folder cannot be read, nothing is removed */
        dc_error_clear();
        return;
    }
    int below = 0;
    while (below < n && list[below] < number) below++;
    for (int i = 0; i < below - keep; i++)
        if (dc_ckpt_path(dir, list[i], path)) unlink(path);
    dc_mem_free(&list);
}
