/* Labels are kept as they are spelled until the last one is read. Only then is it known whether they are numbers or
 * names; if they are numbers, "6" and "6.0000" are one class. */
#include "convert/classes.h"

#include <string.h>

#include "convert/cell.h"
#include "convert/number.h"
#include "dcmpi/convert.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/nameset.h"
#include "dcmpi/text.h"

/* What a spelling means. */
typedef struct {
    int64_t value; /* valid if is_integer */
    bool is_integer;
    bool none; /* it says that there is no label */
    int32_t code;
} label;

struct dc_classes {
    dc_nameset *spellings;
    int64_t unlabelled, dashes;
    /* after numbering */
    label *labels;   /* one per spelling */
    uint32_t *order; /* [n_ordered]: the spellings that name a class, in ascending order of the classes */
    size_t n_ordered;
    int64_t n_classes;
    bool all_integers;
    bool large;              /* there are integers beyond 2^53 */
    bool numbers, minus_one; /* asked for by dc_classes_want_numbers() */
};

void dc_classes_want_numbers(dc_classes *c, bool minus_one)
{
    c->numbers = true;
    c->minus_one = minus_one;
}

dc_status dc_classes_create(dc_classes **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "classes"));
    DC_TRY(dc_nameset_create(&(*out)->spellings));
out:
    if (st != DC_OK) dc_classes_destroy(out);
    return st;
}

void dc_classes_destroy(dc_classes **c)
{
    if (!*c) return;
    dc_nameset_destroy(&(*c)->spellings);
    dc_mem_free(&(*c)->labels);
    dc_mem_free(&(*c)->order);
    dc_mem_free(c);
}

/* ---- First pass -------------------------------------------------------------------------------------------------- */

static dc_status check_name(const char *name, const char *text, size_t n)
{
    char shown[40];
    dc_printable(shown, sizeof shown, text, n);
    if (n == 0) return DC_FAIL(DC_ERR_DATA, "%s: a label is empty", name);
    if (n > DC_CONVERT_MAX_CLASS_BYTES)
        return DC_FAIL(DC_ERR_DATA, "%s: label '%s' has %zu bytes, the limit is %d; is the label column right?", name,
                       shown, n, DC_CONVERT_MAX_CLASS_BYTES);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return DC_FAIL(DC_ERR_DATA, "%s: label '%s' has control characters", name, shown);
    return DC_OK;
}

static bool is_dash(const char *text, size_t n)
{
    return n == 1 && text[0] == '-';
}

/* A dash is not judged here: its meaning is known only after all labels have been read. */
static bool is_no_label(const dc_classes *c, const char *text, size_t n)
{
    double v;
    if (is_dash(text, n)) return false;
    if (dc_number_parse(text, n, &v)) return v == DC_NO_LABEL && !c->minus_one;
    return dc_label_is_missing(text, n) || dc_cell_missing((dc_span){text, n}) != DC_WORD_NONE;
}

dc_status dc_classes_add(dc_classes *c, const char *name, const char *text, size_t n)
{
    dc_status st = DC_OK;
    if (is_no_label(c, text, n)) {
        c->unlabelled++;
        return DC_OK;
    }
    c->dashes += is_dash(text, n);
    if (dc_nameset_find(c->spellings, text, n) >= 0) return DC_OK;
    DC_TRY(check_name(name, text, n));
    if (dc_nameset_count(c->spellings) == DC_CONVERT_MAX_CLASSES)
        return DC_FAIL(DC_ERR_DATA, "%s: more than %d different labels; is the label column right?", name,
                       DC_CONVERT_MAX_CLASSES);
    DC_TRY(dc_nameset_add(c->spellings, text, n));
out:
    return st;
}

/* ---- Several processes ------------------------------------------------------------------------------------------- */

/* Packed: two counts, then each spelling as its length in two bytes and its text. */
enum { PACKED_HEAD = 2 * sizeof(int64_t) };

dc_status dc_classes_pack(const dc_classes *c, char **packed, size_t *bytes)
{
    const size_t count = dc_nameset_count(c->spellings);
    const int64_t head[2] = {c->unlabelled, c->dashes};
    size_t n;
    *bytes = PACKED_HEAD;
    for (size_t i = 0; i < count; i++) {
        (void)dc_nameset_at(c->spellings, i, &n);
        *bytes += sizeof(uint16_t) + n;
    }
    const dc_status st = dc_mem_alloc(packed, *bytes, 1, "labels");
    if (st != DC_OK) return st;
    char *to = *packed;
    memcpy(to, head, sizeof head);
    to += sizeof head;
    for (size_t i = 0; i < count; i++) {
        const char *text = dc_nameset_at(c->spellings, i, &n);
        const uint16_t length = (uint16_t)n;
        memcpy(to, &length, sizeof length);
        memcpy(to + sizeof length, text, n);
        to += sizeof length + n;
    }
    return DC_OK;
}

dc_status dc_classes_merge(dc_classes *c, const char *packed, size_t bytes)
{
    dc_status st = DC_OK;
    int64_t head[2];
    uint16_t length;
    memcpy(head, packed, sizeof head);
    c->unlabelled += head[0];
    c->dashes += head[1];
    for (size_t at = sizeof head; at < bytes; at += sizeof length + length) {
        memcpy(&length, packed + at, sizeof length);
        DC_TRY(dc_nameset_add(c->spellings, packed + at + sizeof length, length));
    }
    if (dc_nameset_count(c->spellings) > DC_CONVERT_MAX_CLASSES)
        st = DC_FAIL(DC_ERR_DATA, "more than %d different labels; is the label column right?", DC_CONVERT_MAX_CLASSES);
out:
    return st;
}

/* ---- Numbering --------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b, void *ctx)
{
    const dc_classes *c = ctx;
    const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    size_t m, n;
    if (c->all_integers) return (c->labels[i].value > c->labels[j].value) - (c->labels[i].value < c->labels[j].value);
    const char *x = dc_nameset_at(c->spellings, i, &m), *y = dc_nameset_at(c->spellings, j, &n);
    const int order = memcmp(x, y, DC_MIN(m, n));
    return order != 0 ? order : (m > n) - (m < n);
}

/* Whether the i-th spelling in `order` is the first of its class; spellings of one integer are adjacent there. */
static bool starts_class(const dc_classes *c, size_t i)
{
    return i == 0 || !c->all_integers || c->labels[c->order[i]].value != c->labels[c->order[i - 1]].value;
}

static label read_label(const dc_classes *c, size_t i)
{
    size_t n;
    double v;
    label l = {.code = DC_NO_LABEL};
    const char *text = dc_nameset_at(c->spellings, i, &n);
    l.none = is_dash(text, n) && dc_nameset_find(c->spellings, "+", 1) < 0;
    l.is_integer = dc_number_parse(text, n, &v) && dc_is_integer(v, -0x1p53, 0x1p53);
    if (l.is_integer) l.value = (int64_t)v;
    return l;
}

/* Digits that no double holds exactly, so that they are names. */
static bool is_large_integer(const dc_classes *c, size_t i)
{
    size_t n;
    double v;
    const char *text = dc_nameset_at(c->spellings, i, &n);
    if (n == 0 || c->labels[i].is_integer || !dc_number_parse(text, n, &v)) return false;
    for (size_t k = text[0] == '-'; k < n; k++)
        if (text[k] < '0' || text[k] > '9') return false;
    return true;
}

dc_status dc_classes_number(dc_classes *c)
{
    dc_status st = DC_OK;
    const size_t count = dc_nameset_count(c->spellings);
    bool keep = !c->numbers;
    DC_TRY(dc_mem_alloc(&c->labels, count, sizeof *c->labels, "labels"));
    DC_TRY(dc_mem_alloc(&c->order, count, sizeof *c->order, "labels in order"));
    c->all_integers = true;
    for (size_t i = 0; i < count; i++) {
        const label l = c->labels[i] = read_label(c, i);
        if (l.none) {
            c->unlabelled += c->dashes;
            continue;
        }
        c->order[c->n_ordered++] = (uint32_t)i;
        c->all_integers &= l.is_integer;
        c->large |= is_large_integer(c, i);
        keep &= l.is_integer && l.value >= INT32_MIN && l.value <= INT32_MAX;
    }
    qsort_r(c->order, c->n_ordered, sizeof *c->order, compare, c);
    for (size_t i = 0; i < c->n_ordered; i++) {
        label *l = &c->labels[c->order[i]];
        c->n_classes += starts_class(c, i);
        l->code = keep ? (int32_t)l->value : (int32_t)(c->n_classes - 1);
    }
out:
    return st;
}

/* ---- Second pass ------------------------------------------------------------------------------------------------- */

dc_status dc_classes_code(const dc_classes *c, const char *name, const char *text, size_t n, int32_t *code)
{
    *code = DC_NO_LABEL;
    if (is_no_label(c, text, n)) return DC_OK;
    const int64_t found = dc_nameset_find(c->spellings, text, n);
    if (found < 0) return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", name);
    *code = c->labels[found].code;
    return DC_OK;
}

void dc_classes_note(const dc_classes *c, const char *name)
{
    if (c->large)
        dc_log_note("%s: labels beyond 2^53 name their classes, with all their digits; classes are in the order of the "
                    "characters, not of the numbers",
                    name);
}

int64_t dc_classes_count(const dc_classes *c)
{
    return c->n_classes;
}

int64_t dc_classes_unlabelled(const dc_classes *c)
{
    return c->unlabelled;
}

dc_status dc_classes_join(const dc_classes *c, size_t max_bytes, char **out)
{
    enum { ROOM = DC_CONVERT_MAX_CLASS_BYTES + 2 };
    *out = NULL;
    char *text;
    const dc_status st = dc_mem_alloc(&text, max_bytes + ROOM, 1, "class names");
    if (st != DC_OK) return st;
    size_t used = 0, n;
    for (size_t i = 0; i < c->n_ordered && used <= max_bytes; i++) {
        if (!starts_class(c, i)) continue;
        if (used > 0) text[used++] = '\n';
        const char *spelling = dc_nameset_at(c->spellings, c->order[i], &n);
        if (c->all_integers && c->labels[c->order[i]].value == DC_NO_LABEL)
            used += (size_t)snprintf(text + used, ROOM - 1, "-1.0"); /* "-1" would mean no label */
        else if (c->all_integers)
            used += (size_t)snprintf(text + used, ROOM - 1, "%lld", (long long)c->labels[c->order[i]].value);
        else
            used += (size_t)snprintf(text + used, ROOM - 1, "%.*s", (int)n, spelling);
    }
    *out = text;
    if (used > max_bytes) dc_mem_free(out);
    return DC_OK;
}

dc_status dc_label_put(dc_label_sink *sink, const char *name, const char *text, size_t n)
{
    const size_t i = sink->n++;
    if (sink->skip && sink->skip[i]) {
        if (sink->y) sink->y[i] = DC_NO_LABEL;
        return DC_OK;
    }
    if (!sink->y) return dc_classes_add(sink->classes, name, text, n);
    return dc_classes_code(sink->classes, name, text, n, &sink->y[i]);
}

void dc_label_skip(dc_label_sink *sink)
{
    if (sink->y) sink->y[sink->n] = DC_NO_LABEL;
    sink->n++;
}
