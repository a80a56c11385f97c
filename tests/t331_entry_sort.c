/* ranks: 0. Sorting entries with much less memory than they need gives what sorting them in memory gives; entries in
 * the same place keep their order. Seed 331. */
#include <stdlib.h>

#include "convert/entry_sort.h"
#include "t3_convert.h"

enum { MOST = 5000 };

static dc_entry given[MOST], expected[MOST], found[2 * MOST];

static int compare(const void *a, const void *b)
{
    const dc_entry *x = a, *y = b;
    const uint64_t i = dc_entry_key(x), j = dc_entry_key(y);
    return i != j ? (i > j) - (i < j) : (x->value > y->value) - (x->value < y->value);
}

/* Sorts n entries in a memory for `entries` of them, which come in and go out in pieces. */
static void check_sort(size_t n, size_t entries, uint32_t places)
{
    dc_entry_sort *s = NULL;
    for (size_t i = 0; i < n; i++)
        given[i] = (dc_entry){(uint32_t)lrand48() % places + 4294960000u, (int32_t)(lrand48() % places), (double)i};
    memcpy(expected, given, n * sizeof *given);
    qsort(expected, n, sizeof *expected, compare);
    CHECK_OK(dc_entry_sort_create(&s, "out.h5", entries * sizeof *given));
    for (size_t at = 0, m; at < n; at += m) {
        m = (size_t)lrand48() % 300 + 1;
        m = DC_MIN(m, n - at);
        CHECK_OK(dc_entry_sort_put(s, m, given + at));
    }
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        CHECK_OK(dc_entry_sort_rewind(s));
        for (size_t got = 1; got > 0; at += got)
            CHECK_OK(dc_entry_sort_get(s, (size_t)lrand48() % 999 + 1, found + at, &got));
        CHECK_INT(at, n);
        CHECK(memcmp(found, expected, n * sizeof *found) == 0);
    }
    dc_entry_sort_destroy(&s);
}

int main(void)
{
    enter_folder();
    srand48(331);
    check_sort(MOST - 1, 1000, 7000);
    check_sort(MOST - 1, 1000, 20); /* many entries in one place */
    check_sort(MOST - 1, 2 * MOST, 7000);
    check_sort(500, 1000, 7000); /* exactly one run */
    check_sort(501, 1000, 7000);
    check_sort(1, 1000, 7000);
    check_sort(0, 1000, 7000);
    check_sort(300, 2, 50); /* more runs than entries in memory */
    leave_folder();
    return check_done();
}
