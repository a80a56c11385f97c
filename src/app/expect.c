/* Tells kinds of files apart: HDF5 files by the attribute `format` (which all files of dcmpi have), text by its first
 * lines, other files by their first bytes. */
#include "expect.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart.h"
#include "dcmpi/config.h"
#include "dcmpi/npy.h"
#include "dcmpi/recipe.h"

typedef enum {
    UNKNOWN,
    DECK,
    DATA,
    RESULT,
    PREDICTION,
    CHECKPOINT,
    OTHER_HDF5,
    NPY,
    TABLE,
    JSON,
    ZIP,
    FOREIGN,
    FOLDER
} kind;
enum { HEAD_BYTES = 4096 };

typedef struct {
    kind kind;
    const char *name; /* "an NPY file" */
} finding;

/* ---- What it is -------------------------------------------------------------------------------------------------- */

static dc_status look_into_hdf5(const char *path, finding *found)
{
    dc_status st = DC_OK;
    static const struct {
        const char *format;
        finding found;
    } ours[] = {{"dcmpi-data", {DATA, "a data file"}},
                {"dcmpi-result", {RESULT, "the result of a run"}},
                {"dcmpi-prediction", {PREDICTION, "a prediction"}},
                {"dcmpi-checkpoint", {CHECKPOINT, "a checkpoint of a run"}}};
    *found = (finding){OTHER_HDF5, "an HDF5 file"};
    char format[32] = "";
    if (dc_apart_probe(DC_PROBE_OUTPUT, path, DC_ERR_FORMAT) == DC_OK)
        DC_TRY(dc_recipe_format(path, format, sizeof format));
    dc_error_clear();
    for (size_t i = 0; i < DC_COUNT_OF(ours); i++)
        if (strcmp(format, ours[i].format) == 0) *found = ours[i].found;
out:
    return st;
}

/* Name of a data format other than HDF5, from the first bytes of the file. */
static const char *foreign_name(const unsigned char *head, size_t n)
{
    static const struct {
        size_t bytes;
        const char *start, *name;
    } known[] = {{2, "\x1f\x8b", "a gzip file"},
                 {4, "PK\3\4", "a zip file"},
                 {6,
                  "\xFD"
                  "7zXZ\0",
                  "an xz file"},
                 {4, "\x28\xB5\x2F\xFD", "a zstd file"},
                 {3, "BZh", "a bzip2 file"},
                 {4, "PAR1", "a Parquet file"},
                 {6, "ARROW1", "an Arrow file"},
                 {10, "MATLAB 5.0", "a Matlab file"}};
    for (size_t i = 0; i < DC_COUNT_OF(known); i++)
        if (n >= known[i].bytes && memcmp(head, known[i].start, known[i].bytes) == 0) return known[i].name;
    const bool is_idx = n >= 8 && head[0] == 0 && head[1] == 0 && head[2] >= 8 && head[2] <= 14 && head[3] >= 1;
    return is_idx ? "an IDX file" : NULL;
}

/* "section:" at the start of a line, or "section": in JSON. */
static bool is_deck_line(const char *line)
{
    char name[32];
    line += strspn(line, "{\" \t");
    const size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz");
    if (n == 0 || n >= sizeof name || line[n + strspn(line + n, "\" ")] != ':') return false;
    snprintf(name, sizeof name, "%.*s", (int)n, line);
    return dc_config_has_section(name);
}

/* Counts the cells that are numbers in a line of a table; 0 for lines with : { } [ or ]. */
static int numbers_in(char *line)
{
    int n = 0;
    char *rest = line, *end;
    if (strpbrk(line, ":{}[]")) return 0;
    for (char *cell; (cell = strsep(&rest, ",;|\t ")) != NULL;) {
        (void)!strtod(cell, &end);
        n += end != cell && *end == '\0';
    }
    return n;
}

/* Splits `head`, a NUL-terminated text, in place. JSON begins with an object or a list. A table has a number in one of
 * its first lines. */
static finding look_into_text(char *head)
{
    enum { LINES = 64 };
    bool is_table = false;
    char *rest = head;
    const char first = head[strspn(head, " \t\r\n\xEF\xBB\xBF")];
    for (int i = 0; i < LINES && rest; i++) {
        char *line = strsep(&rest, "\r\n");
        if (line[0] == '#' || line[0] == '\0') continue;
        if (is_deck_line(line)) return (finding){DECK, "a deck"};
        is_table |= i < 4 && numbers_in(line) > 0;
    }
    if (first == '{' || first == '[') return (finding){JSON, "JSON"};
    return is_table ? (finding){TABLE, "a table in text"} : (finding){UNKNOWN, ""};
}

static dc_status look_into(const char *path, finding *found)
{
    static const char hdf5[] = "\x89HDF\r\n\x1a\n";
    char head[HEAD_BYTES + 1];
    struct stat s;
    *found = (finding){UNKNOWN, ""};
    if (stat(path, &s) != 0) return DC_OK;
    if (S_ISDIR(s.st_mode)) *found = (finding){FOLDER, "a directory"};
    const int fd = S_ISREG(s.st_mode) ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    const ssize_t got = fd >= 0 ? read(fd, head, HEAD_BYTES) : -1;
    if (fd >= 0) close(fd);
    if (got <= 0) return DC_OK;
    const size_t n = (size_t)got;
    head[n] = '\0';
    if (n >= 8 && memcmp(head, hdf5, 8) == 0) return look_into_hdf5(path, found);
    const char *name = foreign_name((const unsigned char *)head, n);
    if (dc_npy_recognise((const uint8_t *)head, n))
        *found = (finding){NPY, "an NPY file"};
    else if (name && strcmp(name, "a zip file") == 0)
        *found = (finding){ZIP, name};
    else if (name)
        *found = (finding){FOREIGN, name};
    else if (!memchr(head, '\0', n))
        *found = look_into_text(head);
    return DC_OK;
}

/* ---- What was meant ---------------------------------------------------------------------------------------------- */

static bool has(const char *folder, const char *name)
{
    char path[DC_PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < DC_PATH_MAX && access(path, F_OK) == 0;
}

static dc_status expect_deck(const finding *f, const char *path, const char *verb)
{
    char q[DC_QUOTE_MAX];
    dc_quote(q, path);
    switch (f->kind) {
    case DATA:
    case NPY:
        return DC_FAIL(DC_ERR_USAGE, "%s is %s, not a deck: dcmpi %s --input.data=%s", q, f->name, verb, q);
    case RESULT:
        return DC_FAIL(DC_ERR_USAGE,
                       "%s is %s, not a deck: config.used.yaml beside it is; to label new rows: dcmpi predict "
                       "--model=%s --input=X.h5 --output=Y.h5",
                       q, f->name, q);
    case CHECKPOINT:
        return DC_FAIL(DC_ERR_USAGE,
                       "%s is %s, not a deck: the command that made the run, given again, goes on from it", q, f->name);
    case PREDICTION:
        return DC_FAIL(DC_ERR_USAGE, "%s is %s, not a deck: dcmpi info %s shows what is in it", q, f->name, q);
    case OTHER_HDF5:
        return DC_FAIL(DC_ERR_USAGE,
                       "%s is %s, not a deck: if it has a matrix /X, dcmpi %s --input.data=%s; else first dcmpi "
                       "convert %s OUT.h5",
                       q, f->name, verb, q, q);
    case TABLE:
    case ZIP:
    case FOREIGN:
        return DC_FAIL(DC_ERR_USAGE,
                       "%s is %s, not a deck: first dcmpi convert %s OUT.h5, then dcmpi %s --input.data=OUT.h5", q,
                       f->name, q, verb);
    case FOLDER:
        if (has(path, "config.used.yaml"))
            return DC_FAIL(DC_ERR_USAGE, "%s is the directory of a run, not a deck: dcmpi %s %s/config.used.yaml", q,
                           verb, q);
        return DC_OK;
    default:
        return DC_OK;
    }
}

static dc_status expect_data(const finding *f, const char *path)
{
    char q[DC_QUOTE_MAX];
    dc_quote(q, path);
    switch (f->kind) {
    case RESULT:
    case PREDICTION:
    case CHECKPOINT:
        return DC_FAIL(DC_ERR_DATA, "%s is %s, not data; what it was made of: dcmpi info %s", q, f->name, q);
    case DECK:
        return DC_FAIL(DC_ERR_DATA, "%s is %s, not a data file: dcmpi %s", q, f->name, q);
    case TABLE:
    case FOREIGN:
        return DC_FAIL(DC_ERR_DATA, "%s is %s, not an HDF5 or NPY file: first dcmpi convert %s OUT.h5", q, f->name, q);
    case JSON:
        return DC_FAIL(DC_ERR_DATA,
                       "%s is %s, not an HDF5 or NPY file: if its lines are documents, first dcmpi convert %s OUT.h5 "
                       "--text-column=KEY",
                       q, f->name, q);
    case ZIP:
        return DC_FAIL(DC_ERR_DATA,
                       "%s is %s, not an HDF5 or NPY file; of an .npz: python3 -c \"import numpy; "
                       "numpy.save('new.npy', numpy.load('%s')['NAME'])\"",
                       q, f->name, q);
    case FOLDER:
        if (has(path, "matrix.mtx.gz") || has(path, "matrix.mtx"))
            return DC_FAIL(DC_ERR_DATA,
                           "%s is a folder of a sparse matrix, not a data file: first dcmpi convert %s OUT.h5", q, q);
        return DC_FAIL(DC_ERR_DATA, "%s is %s, not a data file; name its files, such as %s/*.npy", q, f->name, q);
    default:
        return DC_OK;
    }
}

/* The result in a folder, or what to give. */
static dc_status fail_folder(const char *path, const char *what, const char *ask)
{
    char q[DC_QUOTE_MAX];
    const bool found = has(path, "run.h5");
    dc_quote(q, path);
    return DC_FAIL(DC_ERR_FORMAT, "%s is a directory, not an HDF5 file; %s%s%s", q, found ? what : ask, found ? q : "",
                   found ? "/run.h5" : "");
}

static dc_status expect_model(const finding *f, const char *path)
{
    char q[DC_QUOTE_MAX];
    dc_quote(q, path);
    switch (f->kind) {
    case DATA:
    case PREDICTION:
    case DECK:
        return DC_FAIL(DC_ERR_FORMAT, "%s is not a result of dcmpi: it is %s; a model is the run.h5 of a run", q,
                       f->name);
    case CHECKPOINT:
        return DC_FAIL(DC_ERR_FORMAT,
                       "%s is not a result of dcmpi: it is %s, which ends with a run.h5 if the command that made it is "
                       "given again; that is the model",
                       q, f->name);
    case FOLDER:
        return fail_folder(path, "the model is ", "name the run.h5 of a run");
    default:
        return DC_OK;
    }
}

dc_status dc_expect(dc_expected what, const char *path, const char *verb)
{
    finding f;
    const dc_status st = look_into(path, &f);
    if (st != DC_OK) return st;
    if (what == DC_EXPECT_ANY)
        return f.kind == FOLDER ? fail_folder(path, "the result of the run is ", "name a file in it") : DC_OK;
    if (what == DC_EXPECT_DECK) return expect_deck(&f, path, verb);
    return what == DC_EXPECT_DATA ? expect_data(&f, path) : expect_model(&f, path);
}
