/* Reads the headers of NPY files: magic, version, length, and a Python dictionary with exactly the keys 'descr',
 * 'fortran_order' and 'shape'. Its text is matched token by token and never evaluated. Object and structured arrays are
 * refused. */
#include "dcmpi/npy.h"

#include <string.h>

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

static dc_status take_shape(cursor *c, dc_npy *a)
{
    if (!take(c, '(')) return fail(c, "shape must be a tuple");
    while (!take(c, ')')) {
        if (a->n_dims == DC_NPY_MAX_DIMS) return fail(c, "more than 8 dimensions");
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
static dc_status take_text(cursor *c, const char *descr, dc_npy *a)
{
    char *end;
    const long n = strtol(descr + 2, &end, 10);
    const long bytes = descr[1] == 'U' ? 4 * n : n;
    if (descr[2] < '1' || descr[2] > '9' || *end || n > DC_NPY_MAX_TEXT_BYTES || bytes > DC_NPY_MAX_TEXT_BYTES)
        return fail(c, "texts must have 1 to 255 characters");
    a->kind = descr[1], a->bytes = (int)bytes, a->big_endian = descr[0] == '>';
    return DC_OK;
}

static dc_status take_descr(cursor *c, dc_npy *a)
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
    a->kind = kind, a->bytes = bytes, a->big_endian = descr[0] == '>';
    return DC_OK;
}

static dc_status take_order(cursor *c, dc_npy *a)
{
    a->fortran = take_word(c, "True");
    if (a->fortran || take_word(c, "False")) return DC_OK;
    return fail(c, "fortran_order must be True or False");
}

static dc_status parse_dictionary(cursor *c, dc_npy *a)
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

dc_status dc_npy_dictionary(const char *name, uint64_t base, const char *text, size_t length, dc_npy *out)
{
    *out = (dc_npy){.n_dims = 0};
    cursor c = {.begin = text, .p = text, .end = text + length, .base = base, .name = name};
    const dc_status st = parse_dictionary(&c, out);
    out->fortran = out->fortran && out->n_dims > 1; /* for a vector both orders are the same */
    return st;
}

dc_status dc_npy_length(const char *name, const uint8_t prefix[DC_NPY_PREFIX_BYTES], size_t *begin, size_t *length)
{
    const bool is_long = prefix[6] != 1;
    const uint8_t *field = prefix + 8;
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
        return DC_FAIL(DC_ERR_DATA, "%s: byte 6: NPY version %d.%d is unknown; 1.0 to 3.0 are supported", name,
                       prefix[6], prefix[7]);
    *begin = is_long ? DC_NPY_PREFIX_BYTES : DC_NPY_PREFIX_BYTES - 2;
    *length = (size_t)field[0] | (size_t)field[1] << 8;
    if (is_long) *length |= (size_t)field[2] << 16 | (size_t)field[3] << 24;
    if (*length <= DC_NPY_MAX_HEADER_BYTES) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: byte 8: NPY header of %zu bytes; the limit is %d", name, *length,
                   DC_NPY_MAX_HEADER_BYTES);
}

bool dc_npy_recognise(const uint8_t *head, size_t n)
{
    return n >= 6 && memcmp(head, "\x93NUMPY", 6) == 0;
}
