/* Converts elements to double and back, and decimal text to double.
 *
 * Text: a number of at most 2^53 times a power of ten up to 10^22 is exact after one multiplication or division
 * (Clinger, How to read floating point numbers accurately, PLDI 1990); everything else goes to strtod in the C locale.
 */
#include "convert/number.h"

#include <locale.h>
#include <math.h>
#include <string.h>

dc_dtype dc_element_stored(dc_element e)
{
    if (e.kind == 'u' && e.bytes == 1) return DC_U8;
    if (e.kind == 'f') return e.bytes == 2 ? DC_F16 : e.bytes == 8 ? DC_F64 : DC_F32;
    return DC_F32;
}

static uint64_t load(const uint8_t *p, int bytes, bool big_endian)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[big_endian ? bytes - 1 - i : i] << (8 * i);
    return v;
}

static double half_to_double(uint64_t h)
{
    const int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
    double v;
    if (exponent == 31)
        v = mantissa ? NAN : INFINITY;
    else
        v = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return h >> 15 & 1 ? -v : v;
}

/* Exact, because dc_element_encode() is called only with values that float16 can hold. */
static uint16_t half_from_double(double v)
{
    const uint16_t sign = signbit(v) ? 0x8000 : 0;
    v = fabs(v);
    int e;
    (void)frexp(v, &e); /* v = m 2^e, m in [1/2, 1) */
    if (v == 0 || e < -13) return (uint16_t)(sign | (unsigned)(v * 0x1p24));
    return (uint16_t)(sign | ((unsigned)(e + 14) << 10) | ((unsigned)ldexp(v, 11 - e) - 1024));
}

static double decode_one(dc_element e, uint64_t bits)
{
    if (e.kind == 'b') return bits != 0;
    if (e.kind == 'u') return (double)bits;
    if (e.kind == 'i') {
        const int unused = 64 - 8 * e.bytes;
        return (double)((int64_t)(bits << unused) >> unused);
    }
    if (e.bytes == 2) return half_to_double(bits);
    if (e.bytes == 4) {
        const uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

void dc_element_decode(dc_element e, const uint8_t *in, size_t n, double *out)
{
    if (e.kind == 'u' && e.bytes == 1) {
        for (size_t i = 0; i < n; i++) out[i] = in[i];
        return;
    }
    for (size_t i = 0; i < n; i++) out[i] = decode_one(e, load(in + i * (size_t)e.bytes, e.bytes, e.big_endian));
}

void dc_element_encode(dc_dtype t, const double *in, size_t n, void *out)
{
    switch (t) {
    case DC_U8:
        for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)in[i];
        return;
    case DC_F16:
        for (size_t i = 0; i < n; i++) ((uint16_t *)out)[i] = half_from_double(in[i]);
        return;
    case DC_F32:
        for (size_t i = 0; i < n; i++) ((float *)out)[i] = (float)in[i];
        return;
    case DC_F64:
        memcpy(out, in, n * sizeof *in);
        return;
    }
}

/* The value of a number's text: digits * 10^exponent, with as many digits as fit. */
typedef struct {
    uint64_t digits;
    int exponent;
    int n_digits; /* digits seen */
    bool exact;   /* digits holds all of them */
    bool negative;
} decimal;

static const char *scan_digits(const char *p, const char *end, decimal *d, int exponent_step)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        d->n_digits++;
        if (d->digits < (UINT64_C(1) << 53) / 10) {
            d->digits = d->digits * 10 + (uint64_t)(*p - '0');
            d->exponent += exponent_step;
        } else {
            d->exact = false;
        }
    }
    return p;
}

/* Exponent part after 'e'; NULL if it has no digits. Huge exponents saturate. */
static const char *scan_exponent(const char *p, const char *end, decimal *d)
{
    const bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return NULL;
    int e = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (e < 100000) e = e * 10 + (*p - '0');
    d->exponent += negative ? -e : e;
    return p;
}

static bool scan(const char *p, const char *end, decimal *d)
{
    *d = (decimal){.exact = true};
    if (p < end && (*p == '-' || *p == '+')) d->negative = *p++ == '-';
    p = scan_digits(p, end, d, 0);
    if (p < end && *p == '.') p = scan_digits(p + 1, end, d, -1);
    if (d->n_digits == 0) return false;
    if (p < end && (*p == 'e' || *p == 'E')) p = scan_exponent(p + 1, end, d);
    return p == end;
}

static double slow_parse(const char *text, size_t n)
{
    static locale_t c_locale;
    if (!c_locale) c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char copy[1024]; /* longer text is refused: nobody needs a thousand digits */
    if (n >= sizeof copy || !c_locale) return NAN;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return strtod_l(copy, NULL, c_locale);
}

bool dc_number_parse(const char *text, size_t n, double *value)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal d;
    if (!scan(text, text + n, &d)) return false;
    if (!d.exact || d.exponent < -22 || d.exponent > 22) {
        *value = slow_parse(text, n);
        return !isnan(*value);
    }
    const double v = d.exponent < 0 ? (double)d.digits / power[-d.exponent] : (double)d.digits * power[d.exponent];
    *value = d.negative ? -v : v;
    return true;
}
