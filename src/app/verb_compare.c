/* `dcmpi compare A B`: are the datasets of two files equal bit by bit? If not, prints the largest difference of each,
 * and how well the two labellings agree, whatever numbers their clusters have. Attributes and /timing differ between
 * equal runs and are left out, and /files, as the same rows may lie in other files. A prediction has only part of what
 * a result has: if one is compared with a result, only that part counts. Rows are streamed, so the files may be larger
 * than the memory. */
#include <math.h>
#include <string.h>

#include "dcmpi/h5.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/metrics.h"
#include "expect.h"
#include "verbs.h"

enum { PIECE_BYTES = 8 << 20 };

typedef struct {
    const char *path[2];
    dc_h5 *h5[2];
    void *buffer[2];
    bool prediction[2];
    bool other_way; /* walking B to find what A lacks */
    int differ, equal;
    int ignored; /* datasets of the result that the prediction lacks */
} comparison;

static double element(const void *p, dc_h5_type t, size_t i)
{
    switch (t) {
    case DC_H5_U8:
        return ((const uint8_t *)p)[i];
    case DC_H5_F16:
        return (double)((const _Float16 *)p)[i];
    case DC_H5_F32:
        return (double)((const float *)p)[i];
    case DC_H5_F64:
        return ((const double *)p)[i];
    case DC_H5_I32:
        return ((const int32_t *)p)[i];
    case DC_H5_I64:
        return (double)((const int64_t *)p)[i];
    case DC_H5_TEXT:
    case DC_H5_OTHER:
        break;
    }
    return NAN;
}

typedef struct {
    int64_t count, first; /* number of elements that differ, index of the first */
    double largest;
} difference;

static void compare_piece(const comparison *c, const dc_h5_info *info, size_t n, int64_t offset, difference *d)
{
    const size_t size = info->item_bytes;
    const char *a = c->buffer[0], *b = c->buffer[1];
    if (memcmp(a, b, n * size) == 0) return;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(a + i * size, b + i * size, size) == 0) continue;
        if (d->count++ == 0) d->first = offset + (int64_t)i;
        d->largest = fmax(d->largest, fabs(element(a, info->type, i) - element(b, info->type, i)));
    }
}

static dc_status compare_values(comparison *c, const char *name, const dc_h5_info *info, difference *d)
{
    dc_status st = DC_OK;
    const dc_gidx rows = info->n_dims ? info->dims[0] : 1;
    int64_t width;
    DC_TRY(dc_h5_row_width(c->path[0], name, info, &width));
    const dc_gidx row_bytes = DC_MAX(width, 1) * (dc_gidx)info->item_bytes;
    const dc_gidx step = DC_MAX((dc_gidx)PIECE_BYTES / row_bytes, 1);
    for (int i = 0; i < 2; i++) {
        dc_mem_free(&c->buffer[i]);
        DC_TRY(dc_mem_alloc_raw(&c->buffer[i], (size_t)(DC_MIN(step, rows) * row_bytes), 1, "compare buffer"));
    }
    for (dc_gidx row = 0; row < rows; row += step) {
        const dc_gidx n = DC_MIN(step, rows - row);
        for (int i = 0; i < 2; i++) DC_TRY(dc_h5_read_rows(c->h5[i], name, info->type, row, n, c->buffer[i]));
        compare_piece(c, info, (size_t)(n * width), row * width, d);
    }
out:
    return st;
}

static bool same_shape(const dc_h5_info *a, const dc_h5_info *b)
{
    if (a->type != b->type || a->n_dims != b->n_dims || a->item_bytes != b->item_bytes) return false;
    for (int i = 0; i < a->n_dims; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

/* Notes a dataset that only one of the files has. */
static void note_only(comparison *c, const char *name)
{
    const int in = c->other_way;
    if (c->prediction[!in] && !c->prediction[in]) {
        c->ignored++;
        return;
    }
    dc_log_plain("%-36s only in %s", name, c->path[in]);
    c->differ++;
}

static dc_status visit(void *ctx, const char *name, const dc_h5_info *info)
{
    dc_status st = DC_OK;
    comparison *c = ctx;
    dc_h5_info other;
    difference d = {0};
    if (strncmp(name, "/timing/", 8) == 0 || strncmp(name, "/files/", 7) == 0) return DC_OK;
    if (strncmp(name, "/drift/", 7) == 0 && c->prediction[0] != c->prediction[1]) return DC_OK;
    dc_h5 *other_h5 = c->h5[!c->other_way];
    if (!dc_h5_exists(other_h5, name)) {
        note_only(c, name);
        return DC_OK;
    }
    DC_TRY(dc_h5_dataset_info(other_h5, name, &other));
    if (c->other_way) return DC_OK;
    if (!same_shape(info, &other) || info->type == DC_H5_OTHER) {
        dc_log_plain("%-36s types or shapes differ", name);
        c->differ++;
        return DC_OK;
    }
    DC_TRY(compare_values(c, name, info, &d));
    if (d.count == 0) {
        c->equal++;
        return DC_OK;
    }
    c->differ++;
    if (info->type == DC_H5_TEXT)
        dc_log_plain("%-36s %lld texts differ, first at %lld", name, (long long)d.count, (long long)d.first);
    else
        dc_log_plain("%-36s %lld elements differ, first at %lld, largest difference %g", name, (long long)d.count,
                     (long long)d.first, d.largest);
out:
    return st;
}

typedef struct {
    int32_t *label; /* [n], owned; NULL: the file has no valid labels */
    int64_t n;
} labelling;

static dc_status read_labels(dc_h5 *h5, labelling *l)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    if (!dc_h5_exists(h5, "/labels")) return DC_OK;
    DC_TRY(dc_h5_dataset_info(h5, "/labels", &info));
    if (info.type != DC_H5_I32 || info.n_dims != 1) return DC_OK;
    l->n = info.dims[0];
    DC_TRY(dc_mem_alloc(&l->label, (size_t)l->n, sizeof *l->label, "labels"));
    DC_TRY(dc_h5_read_rows(h5, "/labels", DC_H5_I32, 0, l->n, l->label));
    for (int64_t i = 0; i < l->n && l->label; i++)
        if (l->label[i] < 0) dc_mem_free(&l->label);
out:
    return st;
}

static dc_status print_agreement(const labelling *a, const labelling *b)
{
    static const int64_t LABELS = INT64_C(1) << 31; /* any number >= 0 is a label */
    dc_status st = DC_OK;
    dc_counter *counter = NULL;
    dc_counts counts = {0};
    dc_scores s;
    if (!a->label || !b->label || a->n != b->n || a->n == 0) return DC_OK;
    DC_TRY(dc_counter_create(&counter, LABELS, LABELS));
    DC_TRY(dc_counter_add(counter, a->label, b->label, a->n));
    DC_TRY(dc_counter_counts_local(counter, &counts));
    if (counts.too_many) {
        dc_log_plain("labels: too many different pairs to say how far they agree");
        goto out;
    }
    DC_TRY(dc_scores_local(&counts, &s));
    dc_log_plain("labels: ARI %.6f  NMI %.6f  matched %.6f", s.ari, s.nmi, s.acc);
out:
    dc_counter_destroy(&counter);
    dc_counts_release(&counts);
    return st;
}

static dc_status compare_labels(const comparison *c)
{
    dc_status st = DC_OK;
    labelling l[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) DC_TRY(read_labels(c->h5[i], &l[i]));
    dc_heartbeat_stop();
    DC_TRY(print_agreement(&l[0], &l[1]));
out:
    for (int i = 0; i < 2; i++) dc_mem_free(&l[i].label);
    if (st != DC_ERR_MEMORY) return st;
    dc_log_plain("labels: %s", dc_error_text()); /* not an error: the files are already known to differ */
    dc_error_clear();
    return DC_OK;
}

static dc_status open_file(comparison *c, int i)
{
    char format[64];
    dc_status st = DC_OK;
    DC_TRY(dc_expect(DC_EXPECT_ANY, c->path[i], "compare"));
    DC_TRY(dc_h5_open(&c->h5[i], c->path[i], DC_H5_READ));
    if (!dc_h5_has_attr(c->h5[i], "/", "format")) return DC_OK;
    DC_TRY(dc_h5_get_attr_str(c->h5[i], "/", "format", format, sizeof format));
    c->prediction[i] = strcmp(format, "dcmpi-prediction") == 0;
out:
    return st;
}

static dc_status compare_files(comparison *c)
{
    dc_status st = DC_OK;
    for (int i = 0; i < 2; i++) DC_TRY(open_file(c, i));
    DC_TRY(dc_h5_visit(c->h5[0], visit, c));
    c->other_way = true;
    DC_TRY(dc_h5_visit(c->h5[1], visit, c));
    for (int i = 0; i < 2; i++) DC_TRY(dc_h5_check_unchanged(c->h5[i]));
    if (c->ignored)
        dc_log_plain("a prediction is compared with a result: %d datasets that only the result has are ignored",
                     c->ignored);
    if (c->differ + c->equal == 0)
        return DC_FAIL(DC_ERR_FORMAT, "neither %s nor %s holds a dataset to compare", c->path[0], c->path[1]);
    if (c->differ == 0) {
        dc_log_plain("equal: %d datasets, bit by bit", c->equal);
        return DC_OK;
    }
    dc_log_plain("different: %d of %d datasets", c->differ, c->differ + c->equal);
    DC_TRY(compare_labels(c));
    st = DC_DIFFERENT;
out:
    return st;
}

dc_status dc_verb_compare(int argc, char **argv)
{
    if (argc != 3) return DC_FAIL(DC_ERR_USAGE, "usage: dcmpi compare A.h5 B.h5");
    comparison c = {.path = {argv[1], argv[2]}};
    dc_status st = compare_files(&c);
    for (int i = 0; i < 2; i++) {
        st = dc_h5_close_read(&c.h5[i], st);
        dc_mem_free(&c.buffer[i]);
    }
    return st;
}
