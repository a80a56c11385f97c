/* Numbers from text and to text, the same in every locale. */
#include "key.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

/* Sets the "C" locale for this thread and returns the locale that was set before: decks write 0.5 in every locale. */
static locale_t enter_c_locale(void)
{
    static locale_t c_locale;
    if (c_locale == (locale_t)0) c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return uselocale(c_locale);
}

static const char *skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9') s++;
    return s;
}

bool dc_read_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    const char *end = skip_digits(digits);
    if (end == digits || *end || (digits[0] == '0' && digits[1])) return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0;
}

/* Finds the end of a number -?digits[.digits][e[+-]digits] with at least one digit before the exponent; NULL if `text`
 * does not begin with such a number. */
static const char *float_end(const char *text)
{
    const char *whole = text + (*text == '-');
    const char *end = skip_digits(whole);
    ptrdiff_t digits = end - whole;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        digits += end - fraction;
    }
    if (digits == 0) return NULL;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        end = skip_digits(exponent);
        if (end == exponent) return NULL;
    }
    return end;
}

/* Reads the number that `text` begins with. Values too large for a double become infinite and fail the range check;
 * minus zero becomes 0. */
static double read_double(const char *text)
{
    const locale_t before = enter_c_locale();
    const double v = strtod(text, NULL);
    uselocale(before);
    return v + 0.0;
}

bool dc_read_float(const char *text, double *out)
{
    const char *end = float_end(text);
    if (!end || *end) return false;
    *out = read_double(text);
    return true;
}

/* Reads a whole number of at most six digits and moves *text past it. */
static bool read_part(const char **text, double *out)
{
    const char *end = skip_digits(*text);
    if (end == *text || end - *text > 6) return false;
    *out = (double)strtoul(*text, NULL, 10);
    *text = end;
    return true;
}

/* Reads Slurm's MM:SS, HH:MM:SS, D-HH, D-HH:MM and D-HH:MM:SS. */
static bool read_clock(const char *text, double *out)
{
    static const double unit[] = {3600, 60, 1};
    double days = 0, part[3];
    int n = 0;
    const bool has_days = strchr(text, '-') != NULL;
    if (has_days && (!read_part(&text, &days) || *text++ != '-')) return false;
    do
        if (n == 3 || !read_part(&text, &part[n++])) return false;
    while (*text++ == ':');
    if (text[-1] || (n == 1 && !has_days)) return false;
    *out = 86400 * days;
    for (int i = 0; i < n; i++) *out += part[i] * unit[(has_days ? 0 : 3 - n) + i];
    return true;
}

bool dc_read_duration(const char *text, double *out)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    const char *end = float_end(text);
    if (read_clock(text, out)) return true;
    for (size_t i = 0; end && i < DC_COUNT_OF(units); i++)
        if (strcmp(end, units[i].name) == 0) {
            *out = read_double(text) * units[i].seconds;
            return true;
        }
    return false;
}

void dc_format_double(double v, char *out, size_t cap)
{
    const locale_t before = enter_c_locale();
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, cap, "%.*g", digits, v);
        if (strtod(out, NULL) == v) break;
    }
    uselocale(before);
}
