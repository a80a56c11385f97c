/* ranks: 0. Numbers in text against strtod over a table and 20,000 random spellings (seed 1); elements of every type
 * and byte order; halves both ways over all 65,536 bit patterns. */
#include "check.h"
#include "convert/number.h"

static const char *const valid[] = {"0",
                                    "-0",
                                    "7",
                                    "+7",
                                    "255",
                                    "3.0",
                                    "-1.0000",
                                    ".5",
                                    "5.",
                                    "1e3",
                                    "1E-3",
                                    "1e+22",
                                    "1e23",
                                    "1e-23",
                                    "0.1",
                                    "1e308",
                                    "1e309",
                                    "5e-324",
                                    "1e-400",
                                    "9007199254740993",
                                    "123456789012345678901234567890",
                                    "0.30000000000000004",
                                    "1.7976931348623157e308",
                                    "2.2250738585072011e-308",
                                    "000000000000000000000000001"};
static const char *const invalid[] = {"",    "-",   "+",  ".",  "e5",    "1e",  "1e+",   "nan", "inf", "-inf", "0x10",
                                      "1,5", "1 2", " 1", "1 ", "1.2.3", "--1", "1e5.0", "1f",  "１",  "1e5x"};

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_spellings(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(valid); i++) {
        double v = NAN;
        const bool ok = dc_number_parse(valid[i], strlen(valid[i]), &v) && same_bits(v, strtod(valid[i], NULL));
        check_report_(ok, __FILE__, __LINE__, valid[i]);
    }
    for (size_t i = 0; i < DC_COUNT_OF(invalid); i++) {
        double v;
        check_report_(!dc_number_parse(invalid[i], strlen(invalid[i]), &v), __FILE__, __LINE__, invalid[i]);
    }
}

static void check_random_spellings(void)
{
    int wrong = 0;
    srand48(1);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        double v = NAN;
        const double want = (drand48() - 0.5) * pow(10, (double)(lrand48() % 60 - 30));
        snprintf(text, sizeof text, i % 2 ? "%.*g" : "%.*f", (int)(lrand48() % 20), want);
        if (!dc_number_parse(text, strlen(text), &v) || !same_bits(v, strtod(text, NULL))) {
            if (wrong++ == 0) printf("# %s gives %.17g\n", text, v);
        }
    }
    CHECK_INT(wrong, 0);
}

static void check_elements(void)
{
    static const struct {
        dc_element e;
        uint8_t bytes[8];
        double want;
        dc_dtype stored;
    } table[] = {
        {{'b', 1, false}, {1}, 1, DC_F32},
        {{'b', 1, false}, {2}, 1, DC_F32},
        {{'u', 1, false}, {200}, 200, DC_U8},
        {{'i', 1, false}, {200}, -56, DC_F32},
        {{'u', 2, false}, {0x34, 0x12}, 0x1234, DC_F32},
        {{'u', 2, true}, {0x12, 0x34}, 0x1234, DC_F32},
        {{'i', 2, true}, {0xff, 0xfe}, -2, DC_F32},
        {{'i', 4, false}, {0xff, 0xff, 0xff, 0x7f}, 2147483647, DC_F32},
        {{'i', 4, true}, {0x80, 0, 0, 0}, -2147483648.0, DC_F32},
        {{'u', 4, false}, {0xff, 0xff, 0xff, 0xff}, 4294967295.0, DC_F32},
        {{'i', 8, false}, {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2, DC_F32},
        {{'u', 8, true}, {0x80, 0, 0, 0, 0, 0, 0, 0}, 0x1p63, DC_F32},
        {{'f', 2, false}, {0x00, 0x3c}, 1, DC_F16},
        {{'f', 2, true}, {0xc0, 0x00}, -2, DC_F16},
        {{'f', 4, false}, {0, 0, 0xc0, 0x3f}, 1.5, DC_F32},
        {{'f', 4, true}, {0x3f, 0xc0, 0, 0}, 1.5, DC_F32},
        {{'f', 8, true}, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, 1.5, DC_F64},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        double got = NAN;
        dc_element_decode(table[i].e, table[i].bytes, 1, &got);
        CHECK_NEAR(got, table[i].want, 0);
        CHECK_INT(dc_element_stored(table[i].e), table[i].stored);
    }
}

static void check_halves(void)
{
    int wrong = 0, not_finite = 0;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        const uint8_t raw[2] = {(uint8_t)bits, (uint8_t)(bits >> 8)};
        double v;
        uint16_t back;
        dc_element_decode((dc_element){'f', 2, false}, raw, 1, &v);
        if (!isfinite(v)) {
            not_finite++;
            continue;
        }
        dc_element_encode(DC_F16, &v, 1, &back);
        wrong += back != bits;
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(not_finite, 2 * 1024);
}

int main(void)
{
    check_spellings();
    check_random_spellings();
    check_elements();
    check_halves();
    return check_done();
}
