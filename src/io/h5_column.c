/* Columns of labels and ids: the kind of a column is decided when it is opened; its rows are then read in pieces. */
#include "dcmpi/h5_column.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "h5_private.h"

enum { PIECE_ROWS = 1 << 16, LYING_MAX = 1 << 27, MAX_CATEGORIES = 1 << 20, DIGITS = 24, FIELD_MAX = 128 };

typedef enum { INTEGERS, FLOATS, TEXTS, CODES } column_kind;

struct dc_h5_column {
    dc_h5 *h5;
    column_kind kind;
    dc_gidx rows;
    bool lying;               /* 1 x n: read as a whole */
    bool is_unsigned;         /* 64 bits without a sign */
    char values[DC_PATH_MAX]; /* name of the dataset of numbers, codes or texts */
    char mask[DC_PATH_MAX];   /* name of the mask's dataset, "" if there is none */
    char field[FIELD_MAX];    /* field of the records in `values`, "" if there is none */
    size_t item;              /* bytes of a text in that field */
    dc_h5_classes names;      /* for CODES: line i is category i; for INTEGERS: the file's class names */
    void *piece;              /* int64 or double [PIECE_ROWS], for a lying column [rows] */
    uint8_t *masked;          /* [PIECE_ROWS] */
};

/* ---- Names of classes -------------------------------------------------------------------------------------------- */

static bool is_int32(const char *text, size_t n)
{
    char copy[DIGITS], *end;
    if (n == 0 || n >= sizeof copy) return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    errno = 0;
    const long long v = strtoll(copy, &end, 10);
    return *end == '\0' && errno == 0 && v >= INT32_MIN && v <= INT32_MAX;
}

/* Cuts c->text into lines and sets c->n to their number. */
static dc_status cut_lines(dc_h5_classes *c)
{
    dc_status st = DC_OK;
    for (const char *p = c->text; p; c->n++) p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
    DC_TRY(dc_mem_alloc(&c->line, (size_t)c->n, sizeof *c->line, "classes"));
    DC_TRY(dc_mem_alloc(&c->length, (size_t)c->n, sizeof *c->length, "classes"));
    const char *p = c->text;
    for (int64_t i = 0; i < c->n; i++) {
        c->line[i] = p;
        c->length[i] = strcspn(p, "\n");
        p += c->length[i] + 1;
    }
out:
    return st;
}

dc_status dc_h5_classes_load(dc_h5 *h5, dc_h5_classes *c)
{
    dc_status st = DC_OK;
    bool numbers = true;
    *c = (dc_h5_classes){0};
    DC_TRY(dc_h5_get_names(h5, "classes", -1, &c->text));
    if (!c->text) return DC_OK;
    DC_TRY(cut_lines(c));
    for (int64_t i = 0; i < c->n && numbers; i++) numbers = is_int32(c->line[i], c->length[i]);
    if (numbers) c->n = 0;
out:
    if (st != DC_OK) dc_h5_classes_release(c);
    return st;
}

void dc_h5_classes_release(dc_h5_classes *c)
{
    dc_mem_free(&c->text);
    dc_mem_free(&c->line);
    dc_mem_free(&c->length);
    c->n = 0;
}

const char *dc_h5_class_name(const dc_h5_classes *c, int64_t label, char digits[DIGITS], size_t *length)
{
    if (label >= 0 && label < c->n) {
        *length = c->length[label];
        return c->line[label];
    }
    *length = (size_t)snprintf(digits, DIGITS, "%lld", (long long)label);
    return digits;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static bool join(char out[DC_PATH_MAX], const char *folder, const char *name)
{
    return (size_t)snprintf(out, DC_PATH_MAX, "%s/%s", folder, name) < DC_PATH_MAX;
}

static dc_status fail_kind(const dc_h5 *h5, const char *name, const char *what)
{
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s: '%s' is %s; a column is one integer or text per row, or a categorical of AnnData", h5->path,
                   name, what);
}

/* The dimension that counts the rows, if all others are 1; else -1. Matlab writes vectors as 1 x n. */
static int axis_of(const dc_h5_info *info)
{
    int axis = 0, wide = 0;
    for (int i = 0; i < info->n_dims; i++) {
        if (info->dims[i] == 1) continue;
        axis = i;
        wide++;
    }
    return info->n_dims >= 1 && wide <= 1 ? axis : -1;
}

/* Opens a dataset of numbers or texts. */
static dc_status open_vector(dc_h5_column *c, const char *name)
{
    dc_h5_info info;
    char what[128];
    const dc_status st =
        c->field[0] ? dc_h5_field_info(c->h5, name, c->field, &info) : dc_h5_dataset_info(c->h5, name, &info);
    if (st != DC_OK) return st;
    const int axis = axis_of(&info);
    const bool lying = axis > 0 && !info.text && !c->field[0] && info.dims[axis] <= LYING_MAX;
    if (axis != 0 && !lying) {
        size_t used = (size_t)snprintf(what, sizeof what, "%s", info.n_dims ? "an array of " : "a scalar");
        for (int i = 0; i < info.n_dims && used < sizeof what; i++)
            used +=
                (size_t)snprintf(what + used, sizeof what - used, "%s%lld", i ? " x " : "", (long long)info.dims[i]);
        return fail_kind(c->h5, name, what);
    }
    if (!info.text && !info.integer && !info.floating) return fail_kind(c->h5, name, info.type_name);
    if (c->field[0] && info.text && info.type != DC_H5_TEXT)
        return fail_kind(c->h5, name, "a table with texts of variable length");
    c->item = info.item_bytes;
    c->kind = info.text ? TEXTS : info.integer ? INTEGERS : FLOATS;
    c->is_unsigned = info.integer && strcmp(info.type_name, "uint64") == 0;
    c->rows = info.dims[axis];
    c->lying = lying;
    return (size_t)snprintf(c->values, sizeof c->values, "%s", name) < sizeof c->values
               ? DC_OK
               : fail_kind(c->h5, "...", "too long a name");
}

/* Loads the names of the codes; they are themselves a column of numbers or texts. */
static dc_status load_categories(dc_h5_column *c, const char *name)
{
    dc_status st = DC_OK;
    dc_h5_column list = {.h5 = c->h5};
    DC_TRY(open_vector(&list, name));
    if (list.rows > MAX_CATEGORIES)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has %lld categories; the limit is %d", c->h5->path, name,
                       (long long)list.rows, MAX_CATEGORIES));
    DC_TRY(dc_h5_column_join(&list, &c->names.text));
    if (c->names.text) st = cut_lines(&c->names);
out:
    dc_mem_free(&list.piece);
    return st;
}

static dc_status open_codes(dc_h5_column *c, const char *codes, const char *categories)
{
    dc_status st = DC_OK;
    DC_TRY(open_vector(c, codes));
    if (c->kind != INTEGERS) return fail_kind(c->h5, codes, "a list of codes that are not integers");
    c->kind = CODES;
    DC_TRY(load_categories(c, categories));
out:
    return st;
}

static dc_status open_group(dc_h5_column *c, const char *name)
{
    char first[DC_PATH_MAX], second[DC_PATH_MAX];
    if (!join(first, name, "codes") || !join(second, name, "categories")) return fail_kind(c->h5, "...", "a group");
    if (dc_h5_exists(c->h5, first) && dc_h5_exists(c->h5, second)) return open_codes(c, first, second);
    if (!join(first, name, "values") || !join(c->mask, name, "mask") || !dc_h5_exists(c->h5, first) ||
        !dc_h5_exists(c->h5, c->mask))
        return fail_kind(c->h5, name, "a group without codes and categories");
    return open_vector(c, first);
}

/* Whether the part of the name before its last slash, `folder` bytes, names a dataset. */
static bool is_dataset(dc_h5 *h5, const char *name, int folder)
{
    char table[DC_PATH_MAX];
    dc_h5_info info;
    snprintf(table, sizeof table, "%.*s", folder, name);
    const bool there = folder > 0 && dc_h5_exists(h5, table) && dc_h5_dataset_info(h5, table, &info) == DC_OK;
    dc_error_clear();
    return there;
}

/* Opens a field of a table; integers are codes if the file has a list of their names. */
static dc_status open_field(dc_h5_column *c, const char *name, int folder)
{
    dc_status st = DC_OK;
    char table[DC_PATH_MAX], categories[DC_PATH_MAX];
    snprintf(table, sizeof table, "%.*s", folder, name);
    if ((size_t)snprintf(c->field, sizeof c->field, "%s", name + folder + 1) >= sizeof c->field)
        return fail_kind(c->h5, "...", "too long a name");
    DC_TRY(open_vector(c, table));
    snprintf(categories, sizeof categories, "/uns/%s_categories", c->field);
    if (c->kind != INTEGERS || !dc_h5_exists(c->h5, categories)) goto out;
    c->kind = CODES;
    st = load_categories(c, categories);
out:
    return st;
}

static dc_status open_named(dc_h5_column *c, const char *name)
{
    char categories[DC_PATH_MAX];
    const char *leaf = strrchr(name, '/');
    const int folder = leaf ? (int)(leaf - name) : 0;
    if (dc_h5_is_group(c->h5, name)) return open_group(c, name);
    if (!dc_h5_exists(c->h5, name) && leaf && is_dataset(c->h5, name, folder)) return open_field(c, name, folder);
    if ((size_t)snprintf(categories, sizeof categories, "%.*s/__categories/%s", folder, name, leaf ? leaf + 1 : name) <
            sizeof categories &&
        dc_h5_exists(c->h5, categories))
        return open_codes(c, name, categories);
    const dc_status st = open_vector(c, name);
    const bool own = strcmp(name, "/y") == 0 || strcmp(name, "y") == 0;
    return st == DC_OK && c->kind == INTEGERS && own ? dc_h5_classes_load(c->h5, &c->names) : st;
}

dc_status dc_h5_column_open(dc_h5 *h5, const char *name, dc_h5_column **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "column"));
    (*out)->h5 = h5;
    DC_TRY(open_named(*out, name));
    if ((*out)->mask[0]) DC_TRY(dc_mem_alloc(&(*out)->masked, PIECE_ROWS, 1, "mask"));
out:
    if (st != DC_OK) dc_h5_column_close(out);
    return st;
}

void dc_h5_column_close(dc_h5_column **column)
{
    if (!*column) return;
    dc_h5_classes_release(&(*column)->names);
    dc_mem_free(&(*column)->piece);
    dc_mem_free(&(*column)->masked);
    dc_mem_free(column);
}

dc_gidx dc_h5_column_rows(const dc_h5_column *column)
{
    return column->rows;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static dc_status fail_value(const dc_h5_column *c, dc_gidx row, const char *what)
{
    return DC_FAIL(DC_ERR_FORMAT, "%s: '%s': row %lld (counted from 0): %s", c->h5->path, c->values, (long long)row,
                   what);
}

static dc_status visit_integer(const dc_h5_column *c, dc_gidx row, int64_t v, dc_h5_text_visitor visit, void *ctx)
{
    char digits[DIGITS], what[64];
    size_t length;
    if (c->kind == CODES && (v < -1 || v >= c->names.n)) {
        snprintf(what, sizeof what, "code %lld has none of %lld categories", (long long)v, (long long)c->names.n);
        return fail_value(c, row, what);
    }
    if (c->kind == CODES && v == -1) return visit(ctx, "", 0);
    if (c->is_unsigned && v == INT64_MAX) return fail_value(c, row, "the number is beyond 2^63");
    const char *name = dc_h5_class_name(&c->names, v, digits, &length);
    return visit(ctx, name, length);
}

static dc_status visit_float(const dc_h5_column *c, dc_gidx row, double v, dc_h5_text_visitor visit, void *ctx)
{
    char text[64];
    if (isnan(v)) return visit(ctx, "", 0);
    if (!(fabs(v) <= 0x1p53) || v != floor(v)) {
        snprintf(text, sizeof text, "label %.9g is not an integer", v);
        return fail_value(c, row, text);
    }
    const int n = snprintf(text, sizeof text, "%lld", (long long)v);
    return visit(ctx, text, (size_t)n);
}

typedef struct {
    const uint8_t *masked;
    dc_gidx at;
    dc_h5_text_visitor visit;
    void *ctx;
} unmasking;

static dc_status unmask(void *ctx, const char *text, size_t n)
{
    unmasking *u = ctx;
    const bool masked = u->masked && u->masked[u->at];
    u->at++;
    return u->visit(u->ctx, masked ? "" : text, masked ? 0 : n);
}

static dc_h5_type number_type(const dc_h5_column *c)
{
    return c->kind == FLOATS ? DC_H5_F64 : DC_H5_I64;
}

static dc_status take_piece(dc_h5_column *c)
{
    const dc_gidx rows = c->lying ? c->rows : PIECE_ROWS;
    if (c->piece || (c->kind == TEXTS && !c->field[0])) return DC_OK;
    const dc_status st = dc_mem_alloc_raw(&c->piece, (size_t)rows, DC_MAX(sizeof(int64_t), c->item), "column");
    return st == DC_OK && c->lying ? dc_h5_read_rows(c->h5, c->values, number_type(c), 0, 1, c->piece) : st;
}

static dc_status read_numbers(dc_h5_column *c, dc_gidx row, dc_gidx n)
{
    if (c->lying) return DC_OK;
    if (c->field[0]) return dc_h5_read_field(c->h5, c->values, c->field, number_type(c), row, n, c->piece);
    return dc_h5_read_rows(c->h5, c->values, number_type(c), row, n, c->piece);
}

static dc_status read_text_field(dc_h5_column *c, dc_gidx row, dc_gidx n, unmasking *u)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_read_field(c->h5, c->values, c->field, DC_H5_TEXT, row, n, c->piece));
    for (dc_gidx i = 0; i < n; i++) {
        const char *text = (const char *)c->piece + (size_t)i * c->item;
        DC_TRY(unmask(u, text, strnlen(text, c->item)));
    }
out:
    return st;
}

static dc_status read_piece(dc_h5_column *c, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    unmasking u = {.masked = c->masked, .visit = visit, .ctx = ctx};
    if (c->masked) DC_TRY(dc_h5_read_rows(c->h5, c->mask, DC_H5_U8, row, n, c->masked));
    if (c->kind == TEXTS && c->field[0]) return read_text_field(c, row, n, &u);
    if (c->kind == TEXTS) return dc_h5_read_text(c->h5, c->values, row, n, unmask, &u);
    DC_TRY(read_numbers(c, row, n));
    const dc_gidx first = c->lying ? row : 0;
    for (dc_gidx i = 0; i < n; i++)
        DC_TRY(c->kind == FLOATS ? visit_float(c, row + i, ((const double *)c->piece)[first + i], unmask, &u)
                                 : visit_integer(c, row + i, ((const int64_t *)c->piece)[first + i], unmask, &u));
out:
    return st;
}

dc_status dc_h5_column_read(dc_h5_column *c, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    DC_TRY(take_piece(c));
    for (dc_gidx at = 0; at < n; at += PIECE_ROWS)
        DC_TRY(read_piece(c, row + at, DC_MIN((dc_gidx)PIECE_ROWS, n - at), visit, ctx));
out:
    return st;
}

static dc_status take_longest(void *ctx, const char *text, size_t n)
{
    size_t *longest = ctx;
    (void)text;
    *longest = DC_MAX(*longest, n);
    return DC_OK;
}

dc_status dc_h5_column_longest(dc_h5_column *c, dc_gidx row, dc_gidx n, size_t *longest)
{
    *longest = 0;
    return dc_h5_column_read(c, row, n, take_longest, longest);
}

dc_status dc_h5_column_join(dc_h5_column *c, char **text)
{
    dc_h5_lines l = {0};
    *text = NULL;
    const dc_status st = dc_h5_column_read(c, 0, c->rows, dc_h5_add_line, &l);
    if (st == DC_OK && l.used > 0) {
        l.text[l.used - 1] = '\0';
        *text = l.text;
        return DC_OK;
    }
    dc_mem_free(&l.text);
    return st;
}
