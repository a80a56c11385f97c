/* A column of texts, such as labels or ids, of all rows: of one file, or of many, one after the other. Each rank reads
 * those of its own rows. Labels of many files are their names, because files may number their classes differently. */
#include <string.h>

#include "column.h"
#include "dcmpi/h5_column.h"
#include "dcmpi/mem.h"

struct dc_data_column {
    const dc_files *files; /* NULL: one file, `path` */
    char path[DC_PATH_MAX], name[DC_H5_NAME_MAX];
    size_t open;   /* file that is open, if h5 is set */
    dc_gidx first; /* its first row */
    dc_h5 *h5;
    dc_h5_column *column;
    dc_h5_classes classes; /* names of the numbers in it; n 0: none */
};

static void close_file(dc_data_column *c)
{
    dc_h5_classes_release(&c->classes);
    dc_h5_column_close(&c->column);
    if (dc_h5_close(&c->h5) != DC_OK) dc_error_clear(); /* was only read */
}

static dc_status open_file(dc_data_column *c, const char *path)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_open(&c->h5, path, DC_H5_READ));
    DC_TRY(dc_h5_column_open(c->h5, c->name, &c->column));
    if (c->files && strcmp(c->name, "/y") == 0) DC_TRY(dc_h5_classes_load(c->h5, &c->classes));
out:
    st = dc_h5_read_status(c->h5, st);
    if (st != DC_OK) close_file(c);
    return st;
}

dc_status dc_data_column_open(const dc_data_shape *shape, const char *path, const char *name, dc_data_column **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "column of texts"));
    dc_data_column *c = *out;
    c->files = shape->files;
    snprintf(c->path, sizeof c->path, "%s", path);
    snprintf(c->name, sizeof c->name, "%s", name);
    if (!c->files) DC_TRY(open_file(c, path));
out:
    if (st != DC_OK) dc_data_column_close(out);
    return st;
}

void dc_data_column_close(dc_data_column **column)
{
    if (!*column) return;
    close_file(*column);
    dc_mem_free(column);
}

/* Opens the file of a row, if there are many; *end: its last row + 1. */
static dc_status turn_to(dc_data_column *c, dc_gidx row, dc_gidx *end)
{
    const dc_files *files = c->files;
    if (!files) {
        *end = dc_h5_column_rows(c->column);
        return DC_OK;
    }
    const bool back = !c->h5 || row < c->first;
    size_t i = back ? 0 : c->open;
    dc_gidx first = back ? 0 : c->first;
    while (i + 1 < files->n && row >= first + files->file[i].piece.rows) first += files->file[i++].piece.rows;
    *end = first + files->file[i].piece.rows;
    if (c->h5 && i == c->open) return DC_OK;
    close_file(c);
    c->open = i;
    c->first = first;
    return open_file(c, dc_files_path(files, i));
}

/* Passes on the name of a class instead of its number. */
typedef struct {
    const dc_h5_classes *classes;
    dc_h5_text_visitor visit;
    void *ctx;
} naming;

static dc_status visit_name(void *ctx, const char *text, size_t n)
{
    const naming *to = ctx;
    char digits[24], *end;
    snprintf(digits, sizeof digits, "%.*s", (int)DC_MIN(n, sizeof digits - 1), text);
    const int64_t number = strtoll(digits, &end, 10);
    if (to->classes->n == 0 || n == 0 || *end || dc_label_is_missing(text, n)) return to->visit(to->ctx, text, n);
    const char *name = dc_h5_class_name(to->classes, number, digits, &n);
    return to->visit(to->ctx, name, n);
}

dc_status dc_data_column_read(dc_data_column *c, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    naming to = {&c->classes, visit, ctx};
    for (dc_gidx end = 0; n > 0; n -= end - row, row = end) {
        DC_TRY(turn_to(c, row, &end));
        end = DC_MIN(end, row + n);
        if (end <= row) return DC_FAIL(DC_ERR_DATA, "%s: %s has no row %lld", c->path, c->name, (long long)row);
        DC_TRY(dc_h5_column_read(c->column, row - c->first, end - row, visit_name, &to));
    }
out:
    return dc_data_status(st);
}

dc_status dc_data_column_longest(dc_data_column *c, dc_gidx row, dc_gidx n, size_t *longest)
{
    dc_status st = DC_OK;
    *longest = 0;
    for (dc_gidx end = 0; n > 0; n -= end - row, row = end) {
        size_t here;
        DC_TRY(turn_to(c, row, &end));
        end = DC_MAX(DC_MIN(end, row + n), row + 1);
        DC_TRY(dc_h5_column_longest(c->column, row - c->first, end - row, &here));
        *longest = DC_MAX(*longest, here);
    }
out:
    return dc_data_status(st);
}
