/* Rows of the built-in problem: known bits, independence of order and neighbours, class balance, grey values. */
#include <xxhash.h>

#include "check.h"
#include "dcmpi/data.h"

enum { ROWS = 4000 };
static uint8_t image[ROWS][DC_GLYPH_PIXELS];
static int class_of[ROWS];

static void test_known_bits(void)
{
    static const int classes[8] = {9, 0, 7, 2, 4, 6, 6, 5};
    for (int i = 0; i < 8; i++) CHECK_INT(class_of[i], classes[i]);
    const uint64_t hash = XXH3_64bits(image, (size_t)100 * DC_GLYPH_PIXELS);
    if (!CHECK(hash == UINT64_C(0x05dd4dc5411b77fe))) printf("#   actual 0x%016llx\n", (unsigned long long)hash);
}

/* A row does not know which rows were made before it. */
static void test_order(void)
{
    uint8_t again[DC_GLYPH_PIXELS];
    int differ = 0;
    for (int i = ROWS - 1; i >= 0; i -= 7)
        differ += dc_glyph_row(1, i, again) != class_of[i] || dc_glyph_class(1, i) != class_of[i] ||
                  memcmp(again, image[i], sizeof again) != 0;
    CHECK_INT(differ, 0);
}

static void test_distinct(void)
{
    uint8_t other[DC_GLYPH_PIXELS];
    int same_seed = 0, same_row = 0, same_far = 0;
    for (int i = 0; i < 500; i++) {
        same_row += memcmp(image[i], image[i + 1], sizeof other) == 0;
        dc_glyph_row(2, i, other);
        same_seed += memcmp(image[i], other, sizeof other) == 0;
        dc_glyph_row(1, i + (INT64_C(1) << 40), other);
        same_far += memcmp(image[i], other, sizeof other) == 0;
    }
    CHECK_INT(same_row, 0);
    CHECK_INT(same_seed, 0);
    CHECK_INT(same_far, 0);
}

/* Chi-squared with 9 degrees of freedom: 27.9 is exceeded once in a thousand. */
static void test_balance(void)
{
    double count[DC_GLYPH_CLASSES] = {0}, chi2 = 0;
    for (int i = 0; i < ROWS; i++) count[class_of[i]]++;
    const double expected = (double)ROWS / DC_GLYPH_CLASSES;
    for (int c = 0; c < DC_GLYPH_CLASSES; c++) chi2 += (count[c] - expected) * (count[c] - expected) / expected;
    CHECK(chi2 < 27.9);
}

/* Every image has ink, none is mostly ink; the frame holds hardly more than noise; brightness covers its range. */
static void test_grey_values(void)
{
    int blank = 0, full = 0, darkest = 255, brightest = 0;
    double frame = 0, all = 0;
    for (int i = 0; i < ROWS; i++) {
        int top = 0, inked = 0;
        for (int p = 0; p < DC_GLYPH_PIXELS; p++) {
            const int x = p % DC_GLYPH_SIDE, y = p / DC_GLYPH_SIDE, v = image[i][p];
            top = DC_MAX(top, v);
            inked += v > 40;
            all += v;
            if (x == 0 || y == 0 || x == DC_GLYPH_SIDE - 1 || y == DC_GLYPH_SIDE - 1) frame += v;
        }
        blank += inked < 20;
        full += inked > 350;
        darkest = DC_MIN(darkest, top);
        brightest = DC_MAX(brightest, top);
    }
    CHECK_INT(blank, 0);
    CHECK_INT(full, 0);
    CHECK(darkest > 60 && darkest < 110);
    CHECK_INT(brightest, 255);
    CHECK_NEAR(all / ((double)ROWS * DC_GLYPH_PIXELS), 24, 4);
    CHECK_NEAR(frame / ((double)ROWS * 4 * (DC_GLYPH_SIDE - 1)), 4.5, 1.5);
}

int main(void)
{
    for (int i = 0; i < ROWS; i++) class_of[i] = dc_glyph_row(1, i, image[i]);
    test_known_bits();
    test_order();
    test_distinct();
    test_balance();
    test_grey_values();
    return check_done();
}
