/* The table of files in the directory of a run: what their headers said, so that they need not be opened again. A file
 * that has the same name, length and time is taken to be the same. It is text, for people, too: one line per file, in
 * the order of the rows. The first line has the hash of all others. */
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"
#include "files.h"

static const char SIGN[] = "dcmpi-files 2 ";
enum {
    LINE_BYTES = 2 * DC_PATH_MAX + 1024,
    TABLE_BYTES_MAX = 1 << 30,
    HASH_DIGITS = 16,
    FIRST_LINE = sizeof SIGN - 1 + HASH_DIGITS + 1
};

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static const char COLUMNS[] = "# first\trows\tcolumns\ttype\toffset\tchunk_bytes\tband_bytes\tchunks\t"
                              "bytes\tchanged_s\tns\tdevice\tinode\thdf5\thas\tid_bytes\tnames\tchecksum\t"
                              "image\theight\twidth\tchannels\tmore\tvalues\tindex_type\tvalue_type\tdataset\tfile\n";
enum { NUMBERS = 26, HAS_LABELS = 1, HAS_IDS = 2, HAS_NAMES = 4, HAS_SUM = 8, IS_SPARSE = 16 };

/* The numbers of a line: the same bits, whatever their type. */
static void to_numbers(const dc_file_facts *f, dc_gidx first, uint64_t v[NUMBERS])
{
    const dc_store_piece *p = &f->piece;
    const dc_file_state *s = &p->state;
    const uint64_t has = (f->has_labels ? HAS_LABELS : 0) | (f->has_ids ? HAS_IDS : 0) |
                         (f->has_names ? HAS_NAMES : 0) | (f->has_sum ? HAS_SUM : 0) | (f->is_sparse ? IS_SPARSE : 0);
    const uint64_t all[NUMBERS] = {(uint64_t)first,
                                   (uint64_t)p->rows,
                                   (uint64_t)f->D,
                                   (uint64_t)f->dtype,
                                   (uint64_t)p->offset,
                                   p->packing.chunk_bytes,
                                   p->packing.band_bytes,
                                   (uint64_t)p->packing.chunks,
                                   (uint64_t)s->bytes,
                                   (uint64_t)s->changed_s,
                                   (uint64_t)s->changed_ns,
                                   s->device,
                                   s->inode,
                                   f->hdf5,
                                   has,
                                   f->id_bytes,
                                   f->names_hash,
                                   f->sum,
                                   (uint64_t)f->n_image_dims,
                                   (uint64_t)f->image_shape[0],
                                   (uint64_t)f->image_shape[1],
                                   (uint64_t)f->image_shape[2],
                                   (uint64_t)f->image_shape[3],
                                   (uint64_t)f->nnz,
                                   (uint64_t)f->sparse.index,
                                   (uint64_t)f->sparse.value};
    memcpy(v, all, sizeof all);
}

static dc_file_facts from_numbers(const uint64_t v[NUMBERS])
{
    dc_file_facts f = {.piece = {.rows = (dc_gidx)v[1],
                                 .offset = (int64_t)v[4],
                                 .packing = {(size_t)v[5], (size_t)v[6], (int64_t)v[7]},
                                 .state = {.bytes = (int64_t)v[8],
                                           .changed_s = (int64_t)v[9],
                                           .changed_ns = (int64_t)v[10],
                                           .device = v[11],
                                           .inode = v[12]}},
                       .D = (int64_t)v[2],
                       .dtype = (dc_dtype)v[3],
                       .hdf5 = v[13] != 0,
                       .has_labels = (v[14] & HAS_LABELS) != 0,
                       .has_ids = (v[14] & HAS_IDS) != 0,
                       .has_names = (v[14] & HAS_NAMES) != 0,
                       .has_sum = (v[14] & HAS_SUM) != 0,
                       .is_sparse = (v[14] & IS_SPARSE) != 0,
                       .nnz = (int64_t)v[23],
                       .sparse = {.index = (dc_h5_type)v[24], .value = (dc_h5_type)v[25]},
                       .id_bytes = (size_t)v[15],
                       .names_hash = v[16],
                       .sum = v[17],
                       .n_image_dims = (int)v[18],
                       .known = true};
    for (int i = 0; i < DC_IMAGE_DIMS_MAX; i++) f.image_shape[i] = (int64_t)v[19 + i];
    return f;
}

/* What the facts depend on besides the files. */
static size_t settings_line(const dc_files *files, char line[LINE_BYTES])
{
    return (size_t)snprintf(line, LINE_BYTES, "# matrix=%s\tlabels=%s\tlabels in %s\tids in %s\n", files->matrix,
                            files->labels, files->label_dataset, files->id_dataset);
}

static size_t file_line(const dc_files *files, size_t i, dc_gidx first, char line[LINE_BYTES])
{
    uint64_t v[NUMBERS];
    size_t n = 0;
    to_numbers(&files->file[i], first, v);
    for (int k = 0; k < NUMBERS; k++) n += (size_t)snprintf(line + n, LINE_BYTES - n, "%lld\t", (long long)v[k]);
    n += (size_t)snprintf(line + n, LINE_BYTES - n, "%s\t%s\n", dc_files_dataset(files, i), dc_files_path(files, i));
    return n;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* Passes all lines but the first to put(). */
static dc_status each_line(const dc_files *files, dc_status (*put)(void *ctx, const char *line, size_t n), void *ctx)
{
    dc_status st = DC_OK;
    char line[LINE_BYTES];
    dc_gidx first = 0;
    DC_TRY(put(ctx, line, settings_line(files, line)));
    DC_TRY(put(ctx, COLUMNS, sizeof COLUMNS - 1));
    for (size_t i = 0; i < files->n; first += files->file[i++].piece.rows)
        DC_TRY(put(ctx, line, file_line(files, i, first, line)));
out:
    return st;
}

typedef struct {
    XXH3_state_t *hash;
    size_t bytes;
} measure;

static dc_status add_to_hash(void *ctx, const char *line, size_t n)
{
    measure *m = ctx;
    m->bytes += n;
    return XXH3_64bits_update(m->hash, line, n) == XXH_OK ? DC_OK : DC_FAIL(DC_ERR_INTERNAL, "no hash of a line");
}

static dc_status write_line(void *ctx, const char *line, size_t n)
{
    return dc_file_put(ctx, line, n);
}

dc_status dc_files_put_table(const dc_files *files, const char *path)
{
    dc_status st = DC_OK;
    char first[FIRST_LINE + 1];
    dc_file_new file;
    measure m = {.hash = XXH3_createState()};
    if (!m.hash || XXH3_64bits_reset(m.hash) != XXH_OK) st = DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum");
    if (st == DC_OK) st = each_line(files, add_to_hash, &m);
    snprintf(first, sizeof first, "%s%016llx\n", SIGN, (unsigned long long)XXH3_64bits_digest(m.hash));
    XXH3_freeState(m.hash);
    if (st == DC_OK) st = dc_file_begin(&file, path, FIRST_LINE + m.bytes);
    if (st != DC_OK) return st;
    st = dc_file_put(&file, first, FIRST_LINE);
    if (st == DC_OK) st = each_line(files, write_line, &file);
    return dc_file_end(&file, st);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *path, *dataset; /* in the text */
    dc_file_facts facts;
    size_t place; /* among the files of the table */
} entry;

typedef struct {
    char *text;     /* owned */
    char *settings; /* the second line */
    entry *file;    /* [n], owned, in the order of the rows */
    size_t n;
    dc_gidx N;
} table;

static void release(table *t)
{
    dc_mem_free(&t->text);
    dc_mem_free(&t->file);
}

/* Cuts off the first field of *rest, which ends at `end`; NULL if there is none. */
static char *take(char **rest, char end)
{
    char *field = *rest, *stop = field ? strchr(field, end) : NULL;
    if (!stop) return NULL;
    *stop = '\0';
    *rest = stop + 1;
    return field;
}

static bool read_line(char *line, entry *e)
{
    uint64_t v[NUMBERS];
    for (int k = 0; k < NUMBERS; k++) {
        const char *field = take(&line, '\t');
        if (!field) return false;
        v[k] = field[0] == '-' ? (uint64_t)strtoll(field, NULL, 10) : strtoull(field, NULL, 10);
    }
    e->dataset = take(&line, '\t');
    e->path = line;
    e->facts = from_numbers(v);
    return e->dataset && v[3] <= DC_F64 && v[1] > 0 && v[2] > 0 && v[18] <= DC_IMAGE_DIMS_MAX && v[24] <= DC_H5_OTHER &&
           v[25] <= DC_H5_OTHER;
}

static bool read_lines(table *t, size_t bytes)
{
    char *rest = t->text + FIRST_LINE;
    size_t lines = 0;
    for (size_t k = 0; k < bytes; k++) lines += t->text[k] == '\n';
    t->settings = take(&rest, '\n');
    if (!t->settings || !take(&rest, '\n') || dc_mem_alloc(&t->file, lines, sizeof *t->file, "table of files") != DC_OK)
        return false;
    for (char *line; (line = take(&rest, '\n')) != NULL; t->n++) {
        if (!read_line(line, &t->file[t->n])) return false;
        t->file[t->n].place = t->n;
        t->N += t->file[t->n].facts.piece.rows;
    }
    return t->n > 0;
}

/* False: there is no table, or it is damaged. */
static bool read_table(const char *path, table *t)
{
    unsigned char *bytes = NULL;
    size_t n;
    char first[FIRST_LINE + 1];
    *t = (table){.n = 0};
    bool ok = dc_file_read(path, TABLE_BYTES_MAX, &bytes, &n) == DC_OK && n > FIRST_LINE && bytes[n - 1] == '\n';
    if (ok) {
        const uint64_t hash = XXH3_64bits(bytes + FIRST_LINE, n - FIRST_LINE);
        snprintf(first, sizeof first, "%s%016llx\n", SIGN, (unsigned long long)hash);
        ok = memcmp(first, bytes, FIRST_LINE) == 0 && dc_mem_alloc(&t->text, n + 1, 1, "table of files") == DC_OK;
    }
    if (ok) {
        memcpy(t->text, bytes, n);
        ok = read_lines(t, n);
    }
    dc_mem_free(&bytes);
    dc_error_clear();
    if (!ok) release(t);
    return ok;
}

/* ---- Use --------------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int paths = strcmp(x->path, y->path);
    return paths ? paths : strcmp(x->dataset, y->dataset);
}

static bool has_settings_of(dc_files *files, const table *t)
{
    char line[LINE_BYTES], *labels = strstr(t->settings, "\tlabels in "), *ids = strstr(t->settings, "\tids in ");
    if (!labels || !ids) return false;
    snprintf(line, sizeof line, "# matrix=%s\tlabels=%s", files->matrix, files->labels);
    if (strlen(line) != (size_t)(labels - t->settings) || strncmp(line, t->settings, strlen(line)) != 0) return false;
    *ids = '\0';
    snprintf(files->label_dataset, sizeof files->label_dataset, "%s", labels + strlen("\tlabels in "));
    snprintf(files->id_dataset, sizeof files->id_dataset, "%s", ids + strlen("\tids in "));
    return true;
}

/* The places of labels and ids in the table are those of its first file, or none: files can only take them over if they
 * begin with that file, as it was. */
static bool begins_alike(const dc_files *files, const table *t)
{
    const entry *first = &t->file[0];
    return strcmp(first->path, dc_files_path(files, 0)) == 0 &&
           strcmp(first->dataset, dc_files_dataset(files, 0)) == 0 &&
           !dc_file_change(&first->facts.piece.state, &files->file[0].piece.state);
}

void dc_files_take_table(dc_files *files, const char *path)
{
    table t;
    if (!read_table(path, &t)) return;
    if (begins_alike(files, &t) && has_settings_of(files, &t)) {
        qsort(t.file, t.n, sizeof *t.file, compare_names);
        for (size_t i = 0; i < files->n; i++) {
            dc_file_facts *f = &files->file[i];
            const entry wanted = {.path = dc_files_path(files, i), .dataset = dc_files_dataset(files, i)};
            const entry *e = bsearch(&wanted, t.file, t.n, sizeof wanted, compare_names);
            if (!e || dc_file_change(&e->facts.piece.state, &f->piece.state)) continue;
            const dc_store_piece names = f->piece;
            *f = e->facts;
            f->piece.path = names.path;
            f->piece.dataset = names.dataset;
        }
    }
    release(&t);
}

static bool is_same_file(const dc_files *files, const table *t, size_t i)
{
    const entry *e = &t->file[i];
    return strcmp(e->path, dc_files_path(files, i)) == 0 && files->file[i].piece.rows == e->facts.piece.rows;
}

/* What is the first difference of names, of their order, or of numbers of rows; "" if there is none. */
static void find_difference(const dc_files *files, const table *t, char *what, size_t cap)
{
    size_t i = 0;
    what[0] = '\0';
    while (i < files->n && i < t->n && is_same_file(files, t, i)) i++;
    const char *now = i < files->n ? dc_files_path(files, i) : "", *was = i < t->n ? t->file[i].path : "";
    if (i < files->n && i < t->n && strcmp(now, was) == 0)
        snprintf(what, cap, "%s has %lld rows, before %lld", now, (long long)files->file[i].piece.rows,
                 (long long)t->file[i].facts.piece.rows);
    else if (i < files->n && files->n > t->n)
        snprintf(what, cap, "%s is new", now);
    else if (i < t->n && files->n < t->n)
        snprintf(what, cap, "%s is missing", was);
    else if (i < t->n)
        snprintf(what, cap, "%s takes the place of %s", now, was);
}

bool dc_files_compare_table(const dc_files *files, const char *path, char *what, size_t cap)
{
    table t;
    what[0] = '\0';
    if (!read_table(path, &t)) return false;
    if (files->N != t.N) find_difference(files, &t, what, cap); /* else the hash of the rows tells */
    release(&t);
    return true;
}

/* How file i differs from what it was; NULL: not that we know. A checksum that is the same outweighs another time. */
static const char *change_of(const dc_files *files, const table *t, size_t i)
{
    const dc_file_facts *now = &files->file[i], *was = &t->file[i].facts;
    if (now->has_sum && was->has_sum) return now->sum == was->sum ? NULL : "its checksum is another";
    return dc_file_change(&was->piece.state, &now->piece.state);
}

void dc_files_blame(const dc_files *files, const char *path, char *what, size_t cap)
{
    table t;
    size_t first = 0, changed = 0;
    what[0] = '\0';
    if (!read_table(path, &t)) return;
    find_difference(files, &t, what, cap);
    if (!what[0]) {
        for (size_t i = 0; i < files->n; i++)
            if (change_of(files, &t, i) && changed++ == 0) first = i;
        if (changed > 0) snprintf(what, cap, "%s: %s", dc_files_path(files, first), change_of(files, &t, first));
        if (changed > 1) snprintf(what + strlen(what), cap - strlen(what), ", and %zu more files", changed - 1);
    }
    release(&t);
}
