/* Looks at the HDF5 files of a data set, and compares what is known of all its files. */
#include <string.h>
#include <xxhash.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"
#include "files.h"

bool dc_files_pending(const dc_files *files)
{
    for (size_t i = 0; !files->plain && i < files->n; i++)
        if (!files->file[i].known) return true;
    return false;
}

/* ---- One HDF5 file ----------------------------------------------------------------------------------------------- */

/* Labels and ids count only if they stand where the first HDF5 file has them. */
static bool same_place(char *first, size_t cap, const char *here)
{
    if (!*first) snprintf(first, cap, "%s", here);
    return strcmp(first, here) == 0;
}

static dc_status look_at_hdf5(dc_files *files, size_t i, void (*probe)(const char *path))
{
    dc_status st = DC_OK;
    dc_file_facts *f = &files->file[i];
    const char *path = dc_files_path(files, i), *dataset = dc_files_dataset(files, i);
    dc_data_shape s;
    char *names = NULL;
    if (probe) probe(path);
    DC_TRY(dc_data_describe_file(
        &(dc_data_request){.path = path, .labels = files->labels, .matrix = *dataset ? dataset : files->matrix}, &s));
    if (probe) DC_TRY(dc_data_probe_columns(path, &s));
    DC_TRY(dc_data_feature_names(path, &s, &names));
    f->piece.state = s.promise.file;
    f->piece.rows = s.head.N;
    f->piece.offset = s.place;
    f->piece.packing = s.packing;
    f->D = s.head.D;
    f->dtype = s.head.dtype;
    f->is_sparse = s.head.sparse;
    f->nnz = s.head.nnz;
    f->sparse = s.sparse;
    f->n_image_dims = s.n_image_dims;
    memcpy(f->image_shape, s.image_shape, sizeof f->image_shape);
    f->has_labels = s.head.has_labels && same_place(files->label_dataset, sizeof files->label_dataset, s.labels);
    f->has_ids = s.head.has_ids && same_place(files->id_dataset, sizeof files->id_dataset, s.ids);
    f->id_bytes = s.id_bytes;
    f->has_names = names != NULL;
    f->names_hash = names ? XXH3_64bits(names, strlen(names)) : 0;
    f->has_sum = s.promise.X.there;
    f->sum = s.promise.X.value;
    f->known = true;
out:
    dc_mem_free(&names);
    return st;
}

static dc_status names_of(const dc_files *files, size_t i, char **text)
{
    dc_data_shape s;
    const char *path = dc_files_path(files, i), *dataset = dc_files_dataset(files, i);
    *text = NULL;
    const dc_status st = dc_data_describe_file(
        &(dc_data_request){.path = path, .labels = files->labels, .matrix = *dataset ? dataset : files->matrix}, &s);
    return st == DC_OK ? dc_data_feature_names(path, &s, text) : st;
}

dc_status dc_data_column_names(const char *path, const dc_data_shape *shape, char **text)
{
    *text = NULL;
    if (!shape->files) return dc_data_feature_names(path, shape, text);
    return shape->files->names_used ? names_of(shape->files, 0, text) : DC_OK;
}

/* ---- All files --------------------------------------------------------------------------------------------------- */

enum { SHOWN_BYTES = 64 };

/* The first line of a text. */
static const char *line_of(const char *text, char out[SHOWN_BYTES])
{
    dc_printable(out, SHOWN_BYTES, text, strcspn(text, "\n"));
    return out;
}

/* Files 0 and i have other names: finds the first column in which they differ. */
static dc_status fail_names(const dc_files *files, size_t i)
{
    dc_status st = DC_OK;
    char *a = NULL, *b = NULL, was[SHOWN_BYTES], is[SHOWN_BYTES];
    int64_t column = 0;
    DC_TRY(names_of(files, 0, &a));
    DC_TRY(names_of(files, i, &b));
    const char *x = a ? a : "", *y = b ? b : "";
    for (size_t n; (n = strcspn(x, "\n")) == strcspn(y, "\n") && memcmp(x, y, n) == 0 && x[n] && y[n]; column++)
        x += n + 1, y += n + 1;
    st = DC_FAIL(DC_ERR_DATA,
                 "%s: column %lld (counted from 0) is '%s', in %s it is '%s': the files of a data set have the same "
                 "columns",
                 dc_files_path(files, i), (long long)column, line_of(y, is), dc_files_path(files, 0), line_of(x, was));
out:
    dc_mem_free(&a);
    dc_mem_free(&b);
    return st;
}

static const char *kind_of(const dc_file_facts *f)
{
    return f->is_sparse ? "sparse" : "dense";
}

static dc_status compare_rows(const dc_files *files, size_t i)
{
    const dc_file_facts *a = &files->file[0], *b = &files->file[i];
    const char *first = dc_files_path(files, 0), *path = dc_files_path(files, i);
    if (a->is_sparse != b->is_sparse)
        return DC_FAIL(DC_ERR_DATA,
                       "%s holds %s rows, and %s holds %s ones: the files of a data set are all dense or all sparse; "
                       "dcmpi convert joins files",
                       path, kind_of(b), first, kind_of(a));
    if (b->sparse.by_columns)
        return DC_FAIL(DC_ERR_DATA,
                       "%s is stored by columns, which is read only as the only file of a data set; dcmpi convert "
                       "stores it by rows",
                       path);
    if (a->D != b->D)
        return DC_FAIL(DC_ERR_DATA, "%s has %lld columns, and %s has %lld: the files of a data set have one width",
                       path, (long long)b->D, first, (long long)a->D);
    if (a->dtype != b->dtype)
        return DC_FAIL(DC_ERR_DATA, "%s holds %s, and %s holds %s: the files of a data set have one type", path,
                       dc_dtype_name(b->dtype), first, dc_dtype_name(a->dtype));
    if (a->has_names && b->has_names && a->names_hash != b->names_hash) return fail_names(files, i);
    return DC_OK;
}

/* How many files have something; *without: the first that does not. */
typedef struct {
    size_t n, without;
} tally;

static void count(tally *t, bool has, size_t i)
{
    if (has)
        t->n++;
    else if (t->without == SIZE_MAX)
        t->without = i;
}

/* Labels, ids and names of columns are those of all rows or of none. */
static bool all_have(const dc_files *files, const tally *t, const char *what)
{
    if (t->n > 0 && t->n < files->n)
        dc_log_note("%s: %zu of %zu files have %s, and %s has none there: they are not used", files->title, t->n,
                    files->n, what, dc_files_path(files, t->without));
    return t->n == files->n;
}

static bool are_same_images(const dc_files *files)
{
    const dc_file_facts *first = &files->file[0];
    for (size_t i = 1; i < files->n; i++)
        if (files->file[i].n_image_dims != first->n_image_dims ||
            memcmp(files->file[i].image_shape, first->image_shape, sizeof first->image_shape) != 0)
            return false;
    return true;
}

static dc_status compare_all(dc_files *files)
{
    tally labels = {0, SIZE_MAX}, ids = {0, SIZE_MAX}, names = {0, SIZE_MAX};
    int64_t nnz = 0;
    files->N = 0;
    for (size_t i = 0; i < files->n; i++) {
        const dc_file_facts *f = &files->file[i];
        const dc_status st = compare_rows(files, i);
        if (st != DC_OK) return st;
        if (__builtin_add_overflow(files->N, f->piece.rows, &files->N))
            return DC_FAIL(DC_ERR_DATA, "%s: more than 2^63 rows", files->title);
        if (__builtin_add_overflow(nnz, f->nnz, &nnz))
            return DC_FAIL(DC_ERR_DATA, "%s: more than 2^63 values", files->title);
        count(&labels, f->has_labels, i);
        count(&ids, f->has_ids, i);
        count(&names, f->has_names, i);
    }
    if (files->labels[0] && labels.n < files->n)
        return DC_FAIL(DC_ERR_DATA, "%s has no labels '%s' (input.label_dataset)", dc_files_path(files, labels.without),
                       files->labels);
    files->labels_used = all_have(files, &labels, "labels");
    files->ids_used = all_have(files, &ids, "ids");
    files->names_used = all_have(files, &names, "names of columns");
    files->images_used = are_same_images(files);
    return DC_OK;
}

dc_status dc_files_look(dc_files *files, void (*probe)(const char *path))
{
    dc_status st = DC_OK;
    if (files->plain) return DC_OK;
    for (size_t i = 0; i < files->n; i++)
        if (!files->file[i].known) DC_TRY(look_at_hdf5(files, i, probe));
    st = compare_all(files);
out:
    return st;
}
