/* Finds the files that names stand for: those that exist, and those that match a glob. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/builtin.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/npy.h"
#include "dcmpi/text.h"
#include "files.h"

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* What may be wrong with a name that no file has, as the end of a message. */
static const char *hint_for(const char *name)
{
    const size_t n = strlen(name);
    if (name[0] == '[' && !strchr(name, ']')) return "a list ends with ']'";
    if (!strchr(name, '[') && name[n - 1] == ']') return "a list begins with '['";
    if (name[0] == '@') return "a file with names is no data; give a list in a deck, or a glob";
    if (strpbrk(name, ",;") || strstr(name, ".npy ") || strstr(name, ".h5 "))
        return "several files are a list, such as '[a.npy, b.npy]'";
    return "check the path";
}

static dc_status look_at(const char *path, bool folders, dc_file_state *state)
{
    struct stat s;
    if (stat(path, &s) != 0) return DC_FAIL(DC_ERR_IO, "cannot open %s: %s; %s", path, strerror(errno), hint_for(path));
    if (S_ISDIR(s.st_mode) && !folders)
        return DC_FAIL(DC_ERR_DATA,
                       "%s is a directory; name its files, such as %s/*; dcmpi convert reads folders of 10x", path,
                       path);
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))
        return DC_FAIL(DC_ERR_DATA, "%s is %s, not a file", path, dc_file_kind_name(&s));
    *state = dc_file_state_from(&s);
    return DC_OK;
}

static dc_status add(dc_files *files, const char *path, const char *dataset)
{
    char shown[DC_PATH_MAX];
    dc_file_state state;
    if (!dc_text_is_clean(path)) {
        dc_printable(shown, sizeof shown, path, strlen(path));
        return DC_FAIL(DC_ERR_DATA, "the name of %s has control characters or is not UTF-8; rename the file", shown);
    }
    const dc_status st = look_at(path, files->folders, &state);
    return st == DC_OK ? dc_files_add(files, path, dataset, &state) : st;
}

/* ---- Globs ------------------------------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A user who numbers files without leading zeros may expect another order. */
static void note_order(const char *pattern, char **path, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (strverscmp(path[i - 1], path[i]) <= 0) continue;
        dc_log_note("%s: the files are taken in byte order of their names, so %s comes before %s; a list gives another "
                    "order",
                    pattern, path[i - 1], path[i]);
        return;
    }
}

static int glob_error(const char *path, int cause)
{
    if (cause == ENOENT || cause == ENOTDIR) return 0; /* nothing matches */
    (void)!DC_FAIL(DC_ERR_IO, "cannot read the directory %s: %s", path, strerror(cause));
    return 1;
}

static bool is_glob(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

/* Adds the files that match; *n: how many. */
static dc_status add_matches(dc_files *files, const char *pattern, const char *dataset, size_t *n)
{
    dc_status st = DC_OK;
    glob_t found = {0};
    const int rc = is_glob(pattern) ? glob(pattern, GLOB_NOSORT, glob_error, &found) : GLOB_NOMATCH;
    *n = 0;
    if (rc == GLOB_ABORTED) st = dc_error_code();
    if (rc == GLOB_NOSPACE) st = DC_FAIL(DC_ERR_MEMORY, "no memory for the names that match %s", pattern);
    if (rc == 0) {
        *n = found.gl_pathc;
        qsort(found.gl_pathv, *n, sizeof *found.gl_pathv, compare_texts);
        note_order(pattern, found.gl_pathv, *n);
        for (size_t i = 0; st == DC_OK && i < *n; i++) st = add(files, found.gl_pathv[i], dataset);
    }
    globfree(&found);
    return st;
}

/* Cuts file.h5:dataset into two. False: the name has no such form. */
static bool cut(const char *name, char path[DC_PATH_MAX], char dataset[DC_H5_NAME_MAX])
{
    const char *colon = strrchr(name, ':');
    if (!colon || colon == name || !colon[1] || strlen(colon + 1) >= DC_H5_NAME_MAX) return false;
    snprintf(path, DC_PATH_MAX, "%.*s", (int)(colon - name), name);
    snprintf(dataset, DC_H5_NAME_MAX, "%s", colon + 1);
    return true;
}

static dc_status add_name(dc_files *files, const char *name)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX], dataset[DC_H5_NAME_MAX];
    size_t n;
    if (access(name, F_OK) == 0) return add(files, name, "");
    DC_TRY(add_matches(files, name, "", &n));
    if (n > 0) return DC_OK;
    if (cut(name, path, dataset)) {
        if (access(path, F_OK) == 0) return add(files, path, dataset);
        DC_TRY(add_matches(files, path, dataset, &n));
        if (n > 0) return DC_OK;
    }
    if (is_glob(name)) return DC_FAIL(DC_ERR_IO, "no file matches %s; %s", name, hint_for(name));
    st = add(files, name, ""); /* says that there is none */
out:
    return st;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

/* The names of one file, in order of (device, inode, dataset). */
typedef struct {
    const dc_files *files;
    size_t i;
} entry;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const dc_file_state *s = &x->files->file[x->i].piece.state, *t = &y->files->file[y->i].piece.state;
    if (s->device != t->device) return s->device < t->device ? -1 : 1;
    if (s->inode != t->inode) return s->inode < t->inode ? -1 : 1;
    const int names = strcmp(dc_files_dataset(x->files, x->i), dc_files_dataset(y->files, y->i));
    return names ? names : (x->i > y->i) - (x->i < y->i);
}

static dc_status refuse_twice(const dc_files *files)
{
    dc_status st = DC_OK;
    entry *order = NULL;
    DC_TRY(dc_mem_alloc(&order, files->n, sizeof *order, "files of data"));
    for (size_t i = 0; i < files->n; i++) order[i] = (entry){files, i};
    qsort(order, files->n, sizeof *order, compare_entries);
    for (size_t i = 1; i < files->n && st == DC_OK; i++) {
        const dc_file_state *s = &files->file[order[i - 1].i].piece.state, *t = &files->file[order[i].i].piece.state;
        if (s->device == t->device && s->inode == t->inode &&
            strcmp(dc_files_dataset(files, order[i - 1].i), dc_files_dataset(files, order[i].i)) == 0)
            st = DC_FAIL(DC_ERR_USAGE,
                         "%s is named twice, as file %zu and as file %zu of %zu (%s); its rows would count "
                         "twice",
                         dc_files_path(files, order[i].i), order[i - 1].i + 1, order[i].i + 1, files->n,
                         dc_files_path(files, order[i - 1].i));
    }
out:
    dc_mem_free(&order);
    return st;
}

static void set_title(dc_files *files, const char *names)
{
    const size_t first = strcspn(names, "\n");
    if (!names[first])
        snprintf(files->title, sizeof files->title, "%s", names);
    else
        snprintf(files->title, sizeof files->title, "%.*s, ... (%zu files)",
                 (int)DC_MIN(first, (size_t)DC_PATH_MAX - 64), names, files->n);
}

static dc_status list_names(dc_files *files, const char *names)
{
    char name[DC_PATH_MAX];
    for (size_t n; *names; names += n + (names[n] == '\n')) {
        n = strcspn(names, "\n");
        snprintf(name, sizeof name, "%.*s", (int)n, names);
        const dc_status st = add_name(files, name);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

/* Opens the file; npy: whether it is NPY, by its first bytes. The caller closes *fd, which is -1 after an error. */
static dc_status open_file(const dc_files *files, size_t i, int *fd, bool *npy)
{
    uint8_t head[8];
    const char *path = dc_files_path(files, i);
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0) return DC_FAIL(DC_ERR_IO, "cannot open %s: %s; check the path", path, strerror(errno));
    const ssize_t got = pread(*fd, head, sizeof head, 0);
    const int cause = errno;
    *npy = got >= 0 && dc_npy_recognise(head, (size_t)got);
    if (got >= 0) return DC_OK;
    close(*fd);
    *fd = -1;
    return DC_FAIL(DC_ERR_IO, "cannot read %s: %s", path, strerror(cause));
}

static dc_status look_at_new(dc_files *files)
{
    dc_status st = DC_OK;
    for (size_t i = 0; i < files->n && st == DC_OK; i++) {
        dc_file_facts *f = &files->file[i];
        const char *path = dc_files_path(files, i);
        int fd;
        bool npy;
        if (f->known) continue;
        st = open_file(files, i, &fd, &npy);
        if (st == DC_OK && npy) st = dc_files_look_at_npy(files, i, fd);
        if (fd >= 0) close(fd);
        if (st != DC_OK || npy) continue;
        st = dc_h5_recognise(path, &f->hdf5);
        if (st == DC_OK && !f->hdf5)
            st = DC_FAIL(DC_ERR_DATA,
                         "%s is neither HDF5 nor NPY; first: dcmpi convert %s%s OUT.h5 (documents: with "
                         "--text-column=KEY)",
                         path, path, files->n > 1 ? " ..." : "");
    }
    return st;
}

/* One name that means itself, of something that is no file that can be read: whoever reads it says what is wrong. */
static bool is_no_file(const char *names)
{
    struct stat s;
    if (dc_builtin_is(names)) return true;
    if (stat(names, &s) == 0) return !S_ISREG(s.st_mode) || access(names, R_OK) != 0;
    return !strpbrk(names, "\n*?[]:,;@ ");
}

/* A single file that is not NPY, whatever it is. */
static dc_status decide_plain(dc_files *files)
{
    dc_status st = DC_OK;
    bool npy;
    int fd;
    if (files->n != 1) return DC_OK;
    DC_TRY(open_file(files, 0, &fd, &npy));
    close(fd);
    files->plain = !npy;
    if (files->plain && files->matrix[0] && *dc_files_dataset(files, 0))
        st = DC_FAIL(DC_ERR_USAGE, "%s names the dataset %s, and input.matrix is %s; give only one of them",
                     files->title, dc_files_dataset(files, 0), files->matrix);
out:
    return st;
}

dc_status dc_files_one(const char *path, dc_files **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "files of data"));
    DC_TRY(dc_files_add(*out, path, "", &(dc_file_state){0}));
    snprintf((*out)->title, sizeof(*out)->title, "%s", path);
    (*out)->plain = true;
out:
    if (st != DC_OK) dc_files_destroy(out);
    return st;
}

dc_status dc_files_list(const char *names, bool folders, dc_files **out)
{
    dc_status st = DC_OK;
    dc_files *files = NULL;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&files, 1, sizeof *files, "files of data"));
    files->folders = folders;
    DC_TRY(list_names(files, names));
    set_title(files, names);
    DC_TRY(refuse_twice(files));
    *out = files;
out:
    if (st != DC_OK) dc_files_destroy(&files);
    return st;
}

static dc_status check_length(const char *name, const char *key, size_t cap)
{
    if (!name || strlen(name) < cap) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "%s has %zu bytes, at most %zu are allowed", key, strlen(name), cap - 1);
}

dc_status dc_files_find(const char *names, const char *matrix, const char *labels, const char *table, dc_files **out)
{
    dc_status st = DC_OK;
    dc_files *files = NULL;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&files, 1, sizeof *files, "files of data"));
    snprintf(files->matrix, sizeof files->matrix, "%s", matrix ? matrix : "");
    snprintf(files->labels, sizeof files->labels, "%s", labels ? labels : "");
    files->plain = is_no_file(names);
    DC_TRY(files->plain ? dc_files_add(files, names, "", &(dc_file_state){0}) : list_names(files, names));
    set_title(files, names);
    if (!files->plain) {
        DC_TRY(refuse_twice(files));
        DC_TRY(decide_plain(files));
    }
    if (!files->plain) {
        DC_TRY(check_length(matrix, "input.matrix", sizeof files->matrix));
        DC_TRY(check_length(labels, "input.label_dataset", sizeof files->labels));
        if (table) dc_files_take_table(files, table);
        DC_TRY(look_at_new(files));
    }
    *out = files;
out:
    if (st != DC_OK) dc_files_destroy(&files);
    return st;
}
