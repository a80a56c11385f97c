/* Purity and F-measures: values of scikit-learn's tables (tests/golden/topics.txt), and every degenerate case. */
#include "golden/golden.h"
#include "t60_help.h"

enum { ROWS = 90, CASES = 3, KINDS = 3 };

static void golden(void)
{
    double truth[CASES * ROWS], cluster[CASES * ROWS], expected[CASES * KINDS];
    CHECK(golden_read("topics.txt", "truth", truth, CASES * ROWS));
    CHECK(golden_read("topics.txt", "cluster", cluster, CASES * ROWS));
    CHECK(golden_read("topics.txt", "scores", expected, CASES * KINDS));
    for (int i = 0; i < CASES; i++) {
        int32_t label[ROWS], y[ROWS];
        dc_counter *counter = NULL;
        dc_counts counts;
        dc_scores s;
        for (int r = 0; r < ROWS; r++) {
            label[r] = (int32_t)cluster[i * ROWS + r];
            y[r] = (int32_t)truth[i * ROWS + r];
        }
        CHECK_OK(dc_counter_create(&counter, 10, 10));
        CHECK_OK(dc_counter_add(counter, label, y, ROWS));
        CHECK_OK(dc_counter_counts_local(counter, &counts));
        CHECK_OK(dc_scores_local(&counts, &s));
        CHECK_NEAR(s.purity, expected[i * KINDS], 1e-15);
        CHECK_NEAR(s.f_measure, expected[i * KINDS + 1], 1e-15);
        CHECK_NEAR(s.f_pairs, expected[i * KINDS + 2], 1e-15);
        dc_counts_release(&counts);
        dc_counter_destroy(&counter);
    }
}

static void expect(const char *what, const int64_t *table, int64_t K, int64_t C, double purity, double f, double pairs)
{
    printf("# %s\n", what);
    const dc_scores s = scores_of(table, K, C);
    CHECK_NEAR(s.purity, purity, 1e-15);
    CHECK_NEAR(s.f_measure, f, 1e-15);
    CHECK_NEAR(s.f_pairs, pairs, 1e-15);
}

static void degenerate_tables(void)
{
    expect("perfect, permuted", (int64_t[]){0, 5, 0, 0, 0, 7, 3, 0, 0}, 3, 3, 1, 1, 1);
    expect("perfect, one cluster unused", (int64_t[]){0, 5, 0, 7, 0, 0}, 3, 2, 1, 1, 1);
    expect("one cluster, three classes", (int64_t[]){3, 4, 3}, 1, 3, 0.4,
           (3 * 6.0 / 13 + 4 * 8.0 / 14 + 3 * 6.0 / 13) / 10, 24.0 / (12 + 45));
    expect("three clusters, one class", (int64_t[]){3, 4, 3}, 3, 1, 1, 8.0 / 14, 24.0 / (12 + 45));
    expect("singletons", (int64_t[]){0, 1, 0, 0, 0, 1, 1, 0, 0}, 3, 3, 1, 1, 1);
    expect("one row", (int64_t[]){0, 1, 0, 0}, 2, 2, 1, 1, 1);
    expect("no rows", (int64_t[]){0, 0, 0, 0}, 2, 2, 0, 0, 0);
    expect("no pair agrees", (int64_t[]){1, 1, 1, 1}, 2, 2, 0.5, 0.5, 0);
}

/* Pair counts beyond int64: the F-measure by pairs tends to that of squares. */
static void huge_counts(void)
{
    const int64_t M = 100000000;
    const dc_scores s = scores_of((int64_t[]){13 * M, 2 * M, 4 * M, 0, 7 * M, 2 * M, M, 3 * M, 8 * M}, 3, 3);
    CHECK_NEAR(s.purity, 28.0 / 40, 1e-15);
    CHECK_NEAR(s.f_measure, (19 * 26.0 / 33 + 9 * 14.0 / 21 + 12 * 16.0 / 26) / 40, 1e-15);
    CHECK_NEAR(s.f_pairs, 2 * 316.0 / (536 + 586), 1e-8);
}

int main(void)
{
    golden();
    degenerate_tables();
    huge_counts();
    return check_done();
}
