/* The NPY header (NEP 1, versions 1.0 to 3.0): magic, version, length, and a Python dictionary with exactly the keys
 * 'descr', 'fortran_order' and 'shape'. The text is matched token by token and never evaluated. Object and structured
 * arrays are refused. */
#include <string.h>

#include "convert/array.h"
#include "dcmpi/mem.h"

enum { NPY_PREFIX_BYTES = 8, NPY_MAX_HEADER_BYTES = 1 << 16 };

bool dc_npy_recognise(const dc_stream *s)
{
    return dc_stream_available(s) >= 6 && memcmp(dc_stream_data(s), "\x93NUMPY", 6) == 0;
}

/* A cursor over the dictionary's text. */
typedef struct {
    const char *begin, *p, *end;
    uint64_t base; /* byte of begin in the file */
    const char *name;
} cursor;

static dc_status fail(const cursor *c, const char *cause)
{
    return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: NPY header: %s", c->name,
                   (unsigned long long)(c->base + (uint64_t)(c->p - c->begin)), cause);
}

static void blanks(cursor *c)
{
    while (c->p < c->end && strchr(" \t\r\n", *c->p) && *c->p) c->p++;
}

static bool take(cursor *c, char ch)
{
    blanks(c);
    if (c->p == c->end || *c->p != ch) return false;
    c->p++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);
    blanks(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0) return false;
    c->p += n;
    return true;
}

/* 'text' or "text" without escapes. */
static dc_status take_string(cursor *c, char *out, size_t cap)
{
    const char quote = take(c, '\'') ? '\'' : take(c, '"') ? '"' : '\0';
    if (!quote) return fail(c, "a quoted string was expected (structured types are not supported)");
    size_t n = 0;
    while (c->p < c->end && *c->p != quote && n + 1 < cap) out[n++] = *c->p++;
    out[n] = '\0';
    return take(c, quote) ? DC_OK : fail(c, "string is not closed or too long");
}

static dc_status take_size(cursor *c, uint64_t *out)
{
    blanks(c);
    const char *from = c->p;
    uint64_t v = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*c->p - '0'), &v))
            return fail(c, "dimension does not fit 64 bits");
    if (c->p == from) return fail(c, "a dimension was expected");
    (void)take(c, 'L'); /* Python 2 wrote long integers as 3L */
    *out = v;
    return DC_OK;
}

static dc_status take_shape(cursor *c, dc_array *a)
{
    if (!take(c, '(')) return fail(c, "shape must be a tuple");
    while (!take(c, ')')) {
        if (a->n_dims == DC_ARRAY_MAX_DIMS) return fail(c, "more than 8 dimensions");
        const dc_status st = take_size(c, &a->dims[a->n_dims++]);
        if (st != DC_OK) return st;
        if (!take(c, ',')) {
            if (!take(c, ')')) return fail(c, "shape is not closed");
            break;
        }
    }
    return a->n_dims > 0 ? DC_OK : fail(c, "an array of 0 dimensions has no rows");
}

/* "<U12", "|S8": texts of a fixed length. */
static dc_status take_text(cursor *c, const char *descr, dc_array *a)
{
    char *end;
    const long n = strtol(descr + 2, &end, 10);
    const long bytes = descr[1] == 'U' ? 4 * n : n;
    if (descr[2] < '1' || descr[2] > '9' || *end || n > DC_ARRAY_MAX_TEXT_BYTES || bytes > DC_ARRAY_MAX_TEXT_BYTES)
        return fail(c, "texts must have 1 to 255 characters");
    a->element = (dc_element){descr[1], (int)bytes, descr[0] == '>'};
    return DC_OK;
}

static dc_status take_descr(cursor *c, dc_array *a)
{
    char descr[32] = "";
    const dc_status st = take_string(c, descr, sizeof descr);
    if (st != DC_OK) return st;
    const bool ordered = strlen(descr) >= 3 && strchr("<>|=", descr[0]);
    if (ordered && (descr[1] == 'U' || descr[1] == 'S')) return take_text(c, descr, a);
    if (strchr(descr, 'O')) return fail(c, "object arrays are refused; save numbers (allow_pickle=False)");
    const bool shaped = ordered && strlen(descr) == 3;
    const char kind = shaped ? descr[1] : '\0';
    const int bytes = shaped ? descr[2] - '0' : 0;
    const bool size_ok = kind == 'f'
                             ? bytes == 2 || bytes == 4 || bytes == 8
                             : bytes == 1 || ((kind == 'i' || kind == 'u') && (bytes == 2 || bytes == 4 || bytes == 8));
    if (!kind || !strchr("biuf", kind) || !size_ok)
        return fail(c, "type is not supported; use bool, integers of 1 to 8 bytes or floats of 2, 4 or 8 bytes");
    a->element = (dc_element){kind, bytes, descr[0] == '>'};
    return DC_OK;
}

static dc_status take_order(cursor *c, dc_array *a)
{
    a->fortran = take_word(c, "True");
    if (a->fortran || take_word(c, "False")) return DC_OK;
    return fail(c, "fortran_order must be True or False");
}

static dc_status parse_dictionary(cursor *c, dc_array *a)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    dc_status st = DC_OK;
    char key[32];
    int seen = 0;
    if (!take(c, '{')) return fail(c, "a dictionary was expected");
    while (!take(c, '}')) {
        DC_TRY(take_string(c, key, sizeof key));
        if (!take(c, ':')) return fail(c, "':' was expected");
        const int bit = !strcmp(key, "descr")           ? DESCR
                        : !strcmp(key, "fortran_order") ? ORDER
                        : !strcmp(key, "shape")         ? SHAPE
                                                        : 0;
        if (bit == 0 || (seen & bit)) return fail(c, "unknown or repeated key");
        seen |= bit;
        DC_TRY(bit == DESCR ? take_descr(c, a) : bit == ORDER ? take_order(c, a) : take_shape(c, a));
        if (!take(c, ',') && (c->p == c->end || *c->p != '}')) return fail(c, "',' or '}' was expected");
    }
    blanks(c);
    if (c->p != c->end) return fail(c, "text after the dictionary");
    if (seen != ALL) return fail(c, "one of descr, fortran_order, shape is missing");
out:
    return st;
}

/* Length of the dictionary's text; its field has 2 bytes in version 1 and 4 in versions 2 and 3. */
static dc_status read_length(dc_stream *s, uint32_t *length)
{
    uint8_t prefix[NPY_PREFIX_BYTES], field[4] = {0};
    dc_status st = DC_OK;
    DC_TRY(dc_stream_read(s, prefix, sizeof prefix));
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
        return DC_FAIL(DC_ERR_DATA, "%s: byte 6: NPY version %d.%d is unknown; 1.0 to 3.0 are supported", s->name,
                       prefix[6], prefix[7]);
    DC_TRY(dc_stream_read(s, field, prefix[6] == 1 ? 2 : 4));
    *length = (uint32_t)field[3] << 24 | (uint32_t)field[2] << 16 | (uint32_t)field[1] << 8 | field[0];
    if (*length > NPY_MAX_HEADER_BYTES)
        st = DC_FAIL(DC_ERR_DATA, "%s: byte 8: NPY header of %u bytes; the limit is %d", s->name, *length,
                     NPY_MAX_HEADER_BYTES);
out:
    return st;
}

dc_status dc_npy_header(dc_stream *s, dc_array *a)
{
    dc_status st = DC_OK;
    uint32_t length = 0;
    *a = (dc_array){.n_dims = 0};
    DC_TRY(read_length(s, &length));
    DC_TRY(dc_stream_fill(s, length));
    if (dc_stream_available(s) < length)
        return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: file ends within the NPY header of %u bytes", s->name,
                       (unsigned long long)s->offset, length);
    const char *text = (const char *)dc_stream_data(s);
    cursor c = {.begin = text, .p = text, .end = text + length, .base = s->offset, .name = s->name};
    DC_TRY(parse_dictionary(&c, a));
    dc_stream_skip(s, length);
    a->fortran = a->fortran && a->n_dims > 1; /* for a vector both orders are the same */
out:
    return st;
}
