/* Labels in a hash table with open addressing over one slab of text. Labels are kept as they are spelled, because only
 * after the last one is it known whether they are numbers or names; "6" and "6.0000" then are one class. */
#include "convert/classes.h"

#include <string.h>
#include <xxhash.h>

#include "convert/cell.h"
#include "convert/number.h"
#include "convert/stream.h"
#include "dcmpi/convert.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

typedef struct {
    size_t text; /* offset in the slab */
    uint32_t length;
    int32_t code;
    int64_t value; /* valid if is_integer */
    int64_t count; /* labels of the first pass */
    bool is_integer;
    bool none; /* the word for no label */
} entry;

struct dc_classes {
    entry *entries;  /* [capacity], in order of first appearance */
    uint32_t *slots; /* [2 * capacity]: entry number + 1, 0 is free */
    uint32_t *order; /* [count] after numbering: entries in ascending order */
    char *slab;
    size_t count, capacity, slab_bytes, slab_capacity;
    size_t n_ordered;
    int64_t n_classes, unlabelled;
    bool all_integers;
};

enum { FIRST_CAPACITY = 64 };

/* *array of `item`-byte elements gets room for `capacity` of them, the first `used` are kept, the rest is zero. */
static dc_status resize(void *array, size_t used, size_t capacity, size_t item)
{
    void **slot = array, *bigger;
    const dc_status st = dc_mem_alloc(&bigger, capacity, item, "classes");
    if (st != DC_OK) return st;
    if (used > 0) memcpy(bigger, *slot, used * item);
    dc_mem_free(slot);
    *slot = bigger;
    return DC_OK;
}

static const char *text_of(const dc_classes *c, const entry *e)
{
    return c->slab + e->text;
}

/* Slot that holds the label or is free for it. */
static size_t find_slot(const dc_classes *c, const char *text, size_t n)
{
    const size_t mask = 2 * c->capacity - 1;
    for (size_t i = (size_t)XXH3_64bits(text, n) & mask;; i = (i + 1) & mask) {
        if (c->slots[i] == 0) return i;
        const entry *e = &c->entries[c->slots[i] - 1];
        if (e->length == n && memcmp(text_of(c, e), text, n) == 0) return i;
    }
}

static dc_status double_table(dc_classes *c)
{
    dc_status st = DC_OK;
    DC_TRY(resize(&c->entries, c->count, 2 * c->capacity, sizeof *c->entries));
    DC_TRY(resize(&c->slots, 0, 4 * c->capacity, sizeof *c->slots));
    c->capacity *= 2;
    for (size_t i = 0; i < c->count; i++) {
        const entry *e = &c->entries[i];
        c->slots[find_slot(c, text_of(c, e), e->length)] = (uint32_t)i + 1;
    }
out:
    return st;
}

dc_status dc_classes_create(dc_classes **out)
{
    dc_status st = DC_OK;
    dc_classes *c;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "classes"));
    c = *out;
    c->capacity = FIRST_CAPACITY;
    c->slab_capacity = (size_t)FIRST_CAPACITY * 16;
    DC_TRY(resize(&c->entries, 0, c->capacity, sizeof *c->entries));
    DC_TRY(resize(&c->slots, 0, 2 * c->capacity, sizeof *c->slots));
    DC_TRY(resize(&c->slab, 0, c->slab_capacity, 1));
out:
    if (st != DC_OK) dc_classes_destroy(out);
    return st;
}

void dc_classes_destroy(dc_classes **c)
{
    if (!*c) return;
    dc_mem_free(&(*c)->entries);
    dc_mem_free(&(*c)->slots);
    dc_mem_free(&(*c)->order);
    dc_mem_free(&(*c)->slab);
    dc_mem_free(c);
}

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

static bool is_no_label(const char *text, size_t n)
{
    double v;
    if (dc_number_parse(text, n, &v)) return v == DC_NO_LABEL;
    return dc_label_is_missing(text, n) || dc_cell_missing((dc_span){text, n}) != DC_WORD_NONE;
}

static bool is_dash(const char *text, size_t n)
{
    return n == 1 && text[0] == '-';
}

static dc_status add_entry(dc_classes *c, size_t slot, const char *text, size_t n)
{
    dc_status st = DC_OK;
    if (c->slab_bytes + n > c->slab_capacity) {
        DC_TRY(resize(&c->slab, c->slab_bytes, 2 * c->slab_capacity + n, 1));
        c->slab_capacity = 2 * c->slab_capacity + n;
    }
    entry *e = &c->entries[c->count];
    double v;
    *e = (entry){.text = c->slab_bytes, .length = (uint32_t)n, .count = 1};
    e->is_integer = dc_number_parse(text, n, &v) && dc_is_integer(v, -0x1p53, 0x1p53);
    if (e->is_integer) e->value = (int64_t)v;
    memcpy(c->slab + c->slab_bytes, text, n);
    c->slab_bytes += n;
    c->slots[slot] = (uint32_t)++c->count;
out:
    return st;
}

dc_status dc_classes_add(dc_classes *c, const char *name, const char *text, size_t n)
{
    dc_status st = DC_OK;
    if (is_no_label(text, n) && !is_dash(text, n)) {
        c->unlabelled++;
        return DC_OK;
    }
    const size_t slot = find_slot(c, text, n);
    if (c->slots[slot] != 0) {
        c->entries[c->slots[slot] - 1].count++;
        return DC_OK;
    }
    DC_TRY(check_name(name, text, n));
    if (c->count == DC_CONVERT_MAX_CLASSES)
        return DC_FAIL(DC_ERR_DATA, "%s: more than %d different labels; is the label column right?", name,
                       DC_CONVERT_MAX_CLASSES);
    DC_TRY(add_entry(c, slot, text, n));
    if (c->count == c->capacity) DC_TRY(double_table(c));
out:
    return st;
}

static int compare(const void *a, const void *b, void *ctx)
{
    const dc_classes *c = ctx;
    const entry *x = &c->entries[*(const uint32_t *)a], *y = &c->entries[*(const uint32_t *)b];
    if (c->all_integers) return (x->value > y->value) - (x->value < y->value);
    const int order = memcmp(text_of(c, x), text_of(c, y), DC_MIN(x->length, y->length));
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/* True if the i-th entry in order is the first of its class: spellings of one integer follow each other. */
static bool starts_class(const dc_classes *c, size_t i)
{
    return i == 0 || !c->all_integers || c->entries[c->order[i]].value != c->entries[c->order[i - 1]].value;
}

/* A dash is the word for no label unless there is a plus, too. */
static void decide_dash(dc_classes *c)
{
    const uint32_t dash = c->slots[find_slot(c, "-", 1)];
    if (dash == 0 || c->slots[find_slot(c, "+", 1)] != 0) return;
    entry *e = &c->entries[dash - 1];
    e->code = DC_NO_LABEL;
    e->none = true;
    c->unlabelled += e->count;
}

dc_status dc_classes_number(dc_classes *c)
{
    dc_status st = DC_OK;
    DC_TRY(resize(&c->order, 0, c->count, sizeof *c->order));
    bool keep = true;
    c->all_integers = true;
    decide_dash(c);
    for (size_t i = 0; i < c->count; i++) {
        const entry *e = &c->entries[i];
        if (e->none) continue;
        c->order[c->n_ordered++] = (uint32_t)i;
        c->all_integers &= e->is_integer;
        keep &= e->is_integer && e->value >= INT32_MIN && e->value <= INT32_MAX;
    }
    qsort_r(c->order, c->n_ordered, sizeof *c->order, compare, c);
    c->n_classes = 0;
    for (size_t i = 0; i < c->n_ordered; i++) {
        entry *e = &c->entries[c->order[i]];
        c->n_classes += starts_class(c, i);
        e->code = keep ? (int32_t)e->value : (int32_t)(c->n_classes - 1);
    }
out:
    return st;
}

dc_status dc_classes_code(const dc_classes *c, const char *name, const char *text, size_t n, int32_t *code)
{
    *code = DC_NO_LABEL;
    if (is_no_label(text, n) && !is_dash(text, n)) return DC_OK;
    const uint32_t found = c->slots[find_slot(c, text, n)];
    if (found == 0) return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", name);
    *code = c->entries[found - 1].code;
    return DC_OK;
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
    size_t used = 0;
    for (size_t i = 0; i < c->n_ordered && used <= max_bytes; i++) {
        const entry *e = &c->entries[c->order[i]];
        if (!starts_class(c, i)) continue;
        if (used > 0) text[used++] = '\n';
        if (c->all_integers)
            used += (size_t)snprintf(text + used, ROOM - 1, "%lld", (long long)e->value);
        else
            used += (size_t)snprintf(text + used, ROOM - 1, "%.*s", (int)e->length, text_of(c, e));
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
