/* Reads a source whose rows are features (--transpose, loom, Matlab, Fortran order) to its end and turns it into a
 * source whose rows are samples. Ids of rows become names of columns, and names of columns become ids of rows. */
#include <string.h>

#include "convert/source.h"
#include "dcmpi/mem.h"

/* Ids of the table in their order, one per line. */
typedef struct {
    char *text; /* owned */
    size_t used, capacity;
} list;

static dc_status append(list *l, const char *text, size_t n)
{
    if (l->used + n + 2 > l->capacity) {
        char *bigger;
        const size_t capacity = 2 * l->capacity + n + 1024;
        const dc_status st = dc_mem_alloc(&bigger, capacity, 1, "names of the columns");
        if (st != DC_OK) return st;
        if (l->used > 0) memcpy(bigger, l->text, l->used);
        dc_mem_free(&l->text);
        l->text = bigger;
        l->capacity = capacity;
    }
    if (l->used > 0) l->text[l->used++] = '\n';
    memcpy(l->text + l->used, text, n);
    l->used += n;
    l->text[l->used] = '\0';
    return DC_OK;
}

static dc_status append_ids(list *l, const char *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *id = ids + i * DC_CONVERT_MAX_ID_BYTES;
        const dc_status st = append(l, id, strnlen(id, DC_CONVERT_MAX_ID_BYTES));
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

enum { PIECE_LINES = 1024, PIECE_VALUES = 1 << 19 };

/* Reads all rows into t and their ids into names; *D = number of rows. */
static dc_status read_all(dc_source *s, dc_transpose *t, list *names, int64_t *D)
{
    dc_status st = DC_OK;
    double *lines = NULL;
    char *ids = NULL;
    const size_t piece = DC_MAX((size_t)1, DC_MIN((size_t)PIECE_LINES, PIECE_VALUES / (size_t)s->width));
    DC_TRY(dc_mem_alloc_raw(&lines, dc_mul_size(piece, (size_t)s->width), sizeof *lines, "lines to transpose"));
    DC_TRY(dc_mem_alloc(&ids, piece, DC_CONVERT_MAX_ID_BYTES, "names of the lines"));
    for (size_t got = 1; got > 0;) {
        dc_row_sink sink = {.ids = {.ids = ids, .bytes = DC_CONVERT_MAX_ID_BYTES}};
        DC_TRY(dc_source_read_file(s, piece, lines, &sink, &got));
        if (s->has_ids) DC_TRY(append_ids(names, ids, got));
        DC_TRY(dc_transpose_put(t, got, lines));
    }
    DC_TRY(dc_source_expect_end(s));
    DC_TRY(dc_transpose_turn(t, D));
out:
    dc_mem_free(&lines);
    dc_mem_free(&ids);
    return st;
}

dc_status dc_source_turn(dc_source *s, const char *beside)
{
    dc_status st = DC_OK;
    list names = {.text = NULL};
    dc_transpose *t = NULL;
    int64_t D = 0;
    const int64_t N = s->width;
    DC_TRY(dc_transpose_create(&t, N, beside, DC_TRANSPOSE_BYTES));
    DC_TRY(read_all(s, t, &names, &D));
    if (D == 0) DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: has no rows", s->name));
    if (D > DC_CONVERT_MAX_COLUMNS)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: %lld lines become values of a row, the limit is %d", s->name, (long long)D,
                       DC_CONVERT_MAX_COLUMNS));
    s->turned = t, t = NULL;
    s->row_ids = s->names;
    s->next_id = s->row_ids;
    s->names = names.text, names.text = NULL;
    s->has_ids = s->row_ids != NULL;
    s->rows = N;
    s->width = D;
    s->next_row = 0;
    if (s->order) DC_TRY(dc_mem_alloc_raw(&s->scratch, (size_t)D, sizeof *s->scratch, "a row"));
out:
    dc_transpose_destroy(&t);
    dc_mem_free(&names.text);
    return st;
}

/* The id of the next row. */
static dc_status put_next_id(dc_source *s, dc_id_sink *sink)
{
    const size_t n = strcspn(s->next_id, "\n");
    const dc_status st = dc_id_put(sink, s->name, s->next_id, n);
    s->next_id += n + (s->next_id[n] == '\n');
    return st;
}

static void put_in_order(const dc_source *s, double *row)
{
    const size_t D = (size_t)s->width;
    memcpy(s->scratch, row, D * sizeof *row);
    for (size_t c = 0; c < D; c++) row[c] = s->scratch[s->order[c]];
}

dc_status dc_source_read_turned(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got)
{
    dc_status st = dc_transpose_get(s->turned, n, x, got);
    for (size_t i = 0; st == DC_OK && s->order && i < *got; i++) put_in_order(s, x + i * (size_t)s->width);
    for (size_t i = 0; st == DC_OK && s->has_ids && i < *got; i++) st = put_next_id(s, &sink->ids);
    return st;
}
