/* Reads the labels of a job, in two passes: the first finds the classes, which are numbered 0..C-1 once all labels are
 * known; the second gives each row the number of its class.
 *
 * Integers in our own layout are read by all ranks together. Everything else (names, categoricals, floats) is treated
 * as names: each rank reads those of its own rows, through the ordinary file system. Classes with names are numbered in
 * byte order of the names, or in ascending order of values if all names are integers. A label that means "no label"
 * (dc_label_is_missing) gets the number -1. Labels are used only by the metrics. */
#include <string.h>

#include "column.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/nameset.h"
#include "dcmpi/text.h"

enum { MAX_CLASSES = 1000000, MAX_NAME_BYTES = 255 };

struct dc_data_labels {
    char path[DC_PATH_MAX], name[DC_H5_NAME_MAX];
    dc_h5_type type; /* DC_H5_OTHER: labels are treated as names */
    int64_t capacity;
    int64_t *raw;           /* [capacity] numbers as stored */
    int64_t *value;         /* [C] values of the classes, for labels that are numbers */
    dc_data_column *column; /* labels that are names */
    dc_nameset *names;      /* of this rank, later of all ranks */
    int32_t *code;          /* [count] class of each name */
    int64_t C, unlabelled;
    char *classes;
};

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

/* Converts n labels of a narrower type, packed at the start of raw, to int64 in place. */
static void widen(int64_t *raw, int64_t n, dc_h5_type type)
{
    const char *packed = (const char *)raw;
    for (int64_t i = n; i-- > 0;) {
        uint8_t u8;
        int32_t i32;
        if (type == DC_H5_U8) {
            memcpy(&u8, packed + i, sizeof u8);
            raw[i] = u8;
        } else if (type == DC_H5_I32) {
            memcpy(&i32, packed + (size_t)i * sizeof i32, sizeof i32);
            raw[i] = i32;
        }
    }
}

/* sums: the checksums to which these labels are added; NULL: none. */
static dc_status read_numbers(dc_comm *comm, dc_data_labels *l, const dc_part *piece, dc_data_sums *sums)
{
    const int64_t n = dc_part_rows(piece);
    const dc_status st = dc_data_status(dc_h5_read_part(comm, l->path, l->name, l->type, piece, 1, l->raw));
    if (st != DC_OK) return st;
    if (sums) dc_data_sums_add_labels(sums, dc_h5_type_bytes(l->type), piece->row_lo, n, l->raw);
    widen(l->raw, n, l->type);
    return DC_OK;
}

static dc_status collect_numbers(dc_comm *comm, dc_data_labels *l, const dc_part *piece, dc_u64set *set)
{
    dc_status st = DC_OK;
    DC_TRY(read_numbers(comm, l, piece, NULL));
    DC_TRY_ALL(comm, dc_data_collect_labels(l->raw, dc_part_rows(piece), set, &l->unlabelled));
out:
    return st;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static dc_status collect_name(void *ctx, const char *text, size_t n)
{
    dc_data_labels *l = ctx;
    char shown[64];
    if (dc_label_is_missing(text, n)) {
        l->unlabelled++;
        return DC_OK;
    }
    if (n > MAX_NAME_BYTES) {
        dc_printable(shown, sizeof shown, text, n);
        return DC_FAIL(DC_ERR_DATA, "%s: label '%s' has %zu bytes, the limit is %d; is '%s' the right dataset?",
                       l->path, shown, n, MAX_NAME_BYTES, l->name);
    }
    return dc_nameset_count(l->names) > MAX_CLASSES ? DC_OK : dc_nameset_add(l->names, text, n);
}

/* Packs the names one after the other, each as length and text. */
static dc_status pack_names(const dc_nameset *set, uint8_t **blob, size_t *bytes)
{
    size_t n;
    *bytes = 0;
    for (size_t i = 0; i < dc_nameset_count(set); i++) {
        (void)dc_nameset_at(set, i, &n);
        *bytes += 1 + n;
    }
    const dc_status st = dc_mem_alloc(blob, *bytes, 1, "names of classes");
    uint8_t *to = *blob;
    for (size_t i = 0; st == DC_OK && i < dc_nameset_count(set); i++) {
        const char *text = dc_nameset_at(set, i, &n);
        *to = (uint8_t)n;
        memcpy(to + 1, text, n);
        to += 1 + n;
    }
    return st;
}

/* Fills the set anew with the names of all ranks, in the same order everywhere. */
static dc_status unpack_names(const uint8_t *blob, size_t bytes, dc_nameset **set)
{
    dc_status st = DC_OK;
    dc_nameset_destroy(set);
    DC_TRY(dc_nameset_create(set));
    for (size_t at = 0; at < bytes; at += 1 + blob[at])
        DC_TRY(dc_nameset_add(*set, (const char *)blob + at + 1, blob[at]));
out:
    return st;
}

/* Joins the names of all ranks. *many: there are more than MAX_CLASSES different names, so they cannot be classes and
 * all labels are ignored; the same on all ranks. Collective. */
static dc_status join_names(dc_comm *comm, dc_data_labels *l, bool *many)
{
    dc_status st = DC_OK;
    int64_t most = (int64_t)dc_nameset_count(l->names);
    uint8_t *mine = NULL, *all = NULL;
    int64_t *sizes = NULL;
    size_t *counts = NULL, bytes = 0, total = 0;
    const size_t P = (size_t)dc_comm_size(comm), rank = (size_t)dc_comm_rank(comm);
    dc_comm_max_i64(comm, &most, 1);
    *many = most > MAX_CLASSES;
    if (*many) return DC_OK;
    DC_TRY_ALL(comm, pack_names(l->names, &mine, &bytes));
    DC_TRY_ALL(comm, dc_mem_alloc(&sizes, P, sizeof *sizes, "label counts"));
    DC_TRY_ALL(comm, dc_mem_alloc(&counts, P, sizeof *counts, "label counts"));
    sizes[rank] = (int64_t)bytes;
    dc_comm_sum_i64(comm, sizes, P);
    for (size_t r = 0; r < P; r++) total += counts[r] = (size_t)sizes[r];
    DC_TRY_ALL(comm, dc_mem_alloc(&all, total, 1, "names of classes"));
    dc_comm_allgatherv(comm, mine, all, counts);
    DC_TRY_ALL(comm, unpack_names(all, total, &l->names));
    *many = dc_nameset_count(l->names) > MAX_CLASSES;
out:
    dc_mem_free(&mine);
    dc_mem_free(&all);
    dc_mem_free(&sizes);
    dc_mem_free(&counts);
    return st;
}

/* Sorts the class names, numbers the classes in this order and joins the names into a text. */
static dc_status number_names(dc_data_labels *l)
{
    dc_status st = DC_OK;
    uint32_t *order = NULL;
    size_t bytes = 1, n;
    const size_t count = dc_nameset_count(l->names);
    DC_TRY(dc_mem_alloc(&order, count, sizeof *order, "classes"));
    DC_TRY(dc_mem_alloc(&l->code, count, sizeof *l->code, "classes"));
    dc_nameset_sort(l->names, order);
    for (size_t i = 0; i < count; i++) {
        l->code[order[i]] = (int32_t)i;
        (void)dc_nameset_at(l->names, i, &n);
        bytes += n + 1;
    }
    DC_TRY(dc_mem_alloc(&l->classes, bytes, 1, "classes"));
    char *to = l->classes;
    for (size_t i = 0; i < count; i++) {
        const char *text = dc_nameset_at(l->names, order[i], &n);
        if (i > 0) *to++ = '\n';
        for (size_t k = 0; k < n; k++) *to++ = text[k] == '\n' ? ' ' : text[k];
    }
    l->C = (int64_t)count;
out:
    dc_mem_free(&order);
    return st;
}

typedef struct {
    const dc_data_labels *l;
    int32_t *y;
} coding;

static dc_status code_name(void *ctx, const char *text, size_t n)
{
    coding *c = ctx;
    const int64_t found = dc_label_is_missing(text, n) ? -1 : dc_nameset_find(c->l->names, text, n);
    if (found < 0 && !dc_label_is_missing(text, n))
        return DC_FAIL(DC_ERR_DATA, "%s changed while it was read", c->l->path);
    *c->y++ = found < 0 ? -1 : c->l->code[found];
    return DC_OK;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

static dc_status start(dc_data_labels *l, const dc_data_shape *shape)
{
    dc_status st = DC_OK;
    if (l->type != DC_H5_OTHER) return dc_mem_alloc(&l->raw, (size_t)l->capacity, sizeof *l->raw, "raw labels");
    DC_TRY(dc_nameset_create(&l->names));
    DC_TRY(dc_data_column_open(shape, l->path, l->name, &l->column));
out:
    return dc_data_status(st);
}

static dc_status find_numbers(dc_comm *comm, dc_data_labels *l, const dc_part *part)
{
    dc_status st = DC_OK;
    dc_u64set set = {0};
    size_t C = 0;
    const int64_t n = dc_part_rows(part);
    int64_t rounds = (n + l->capacity - 1) / DC_MAX(l->capacity, (int64_t)1);
    dc_comm_max_i64(comm, &rounds, 1);
    DC_TRY_ALL(comm, dc_u64set_init(&set));
    for (int64_t r = 0; r < rounds; r++) {
        dc_part piece = *part;
        piece.row_lo = part->row_lo + DC_MIN(r * l->capacity, n);
        piece.row_hi = DC_MIN(piece.row_lo + l->capacity, part->row_hi);
        DC_TRY(collect_numbers(comm, l, &piece, &set));
    }
    DC_TRY(dc_data_join_labels(comm, &set, &l->value, &C));
    l->C = (int64_t)C;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_class_names(l->path, l->name, l->value, C, &l->classes) : DC_OK);
out:
    dc_u64set_release(&set);
    return st;
}

static dc_status find_names(dc_comm *comm, dc_data_labels *l, const dc_part *part)
{
    dc_status st = DC_OK;
    bool many = false;
    DC_TRY_ALL(comm, dc_data_column_read(l->column, part->row_lo, dc_part_rows(part), collect_name, l));
    DC_TRY(join_names(comm, l, &many));
    if (many) {
        dc_log_warning("%s holds more than %d different names: they are not class labels, and score nothing", l->name,
                       MAX_CLASSES);
        l->unlabelled = 0;
        return DC_OK;
    }
    DC_TRY_ALL(comm, number_names(l));
out:
    return st;
}

dc_status dc_data_labels_start(dc_comm *comm, const dc_data_shape *shape, const char *path, const dc_part *part,
                               int64_t capacity, dc_data_labels **out)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(out, 1, sizeof **out, "labels"));
    dc_data_labels *l = *out;
    snprintf(l->path, sizeof l->path, "%s", path);
    snprintf(l->name, sizeof l->name, "%s", shape->labels);
    l->type = shape->label_type;
    l->capacity = capacity;
    DC_TRY_ALL(comm, start(l, shape));
    DC_TRY(l->type == DC_H5_OTHER ? find_names(comm, l, part) : find_numbers(comm, l, part));
    dc_comm_sum_i64(comm, &l->unlabelled, 1);
out:
    return st;
}

dc_status dc_data_labels_read(dc_comm *comm, dc_data_labels *l, const dc_part *piece, dc_data_sums *sums, int32_t *y)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(piece);
    if (l->type == DC_H5_OTHER && l->C == 0) {
        for (int64_t i = 0; i < n; i++) y[i] = -1;
        return DC_OK;
    }
    if (l->type == DC_H5_OTHER) {
        DC_TRY_ALL(comm, dc_data_column_read(l->column, piece->row_lo, n, code_name, &(coding){l, y}));
        return DC_OK;
    }
    DC_TRY(read_numbers(comm, l, piece, sums));
    for (int64_t i = 0; i < n; i++)
        y[i] = l->raw[i] == -1 || l->C == 0 ? -1 : dc_data_label_number(l->value, (size_t)l->C, l->raw[i]);
out:
    return st;
}

void dc_data_labels_end(dc_data_labels **labels)
{
    dc_data_labels *l = *labels;
    if (!l) return;
    dc_data_column_close(&l->column);
    dc_nameset_destroy(&l->names);
    dc_mem_free(&l->code);
    dc_mem_free(&l->raw);
    dc_mem_free(&l->value);
    dc_mem_free(&l->classes);
    dc_mem_free(labels);
}

int64_t dc_data_labels_classes(const dc_data_labels *l, int64_t *unlabelled)
{
    *unlabelled = l->unlabelled;
    return l->C;
}

char *dc_data_labels_take_names(dc_data_labels *l)
{
    char *text = l->classes;
    l->classes = NULL;
    return text;
}
