/* Assignment: all permutations of small tables, scipy's optimum on large ones, time at K = 2000. */
#include "check.h"

#include "dcmpi/metrics.h"

#include <time.h>

/* Weights 0..range-1 from Knuth's MMIX generator. */
static void fill(int64_t *w, int64_t n, uint64_t seed, uint64_t range)
{
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        w[i] = (int64_t)((seed >> 33) % range);
    }
}

/* Best total over all ways to give the rows from `row` on different columns, or none if there are fewer columns. */
static int64_t best_by_search(const int64_t *w, int64_t rows, int64_t cols, int64_t row, unsigned used)
{
    if (row == rows) return 0;
    int64_t best = rows > cols ? best_by_search(w, rows, cols, row + 1, used) : INT64_MIN;
    for (int64_t j = 0; j < cols; j++) {
        if (used & 1u << j) continue;
        const int64_t t = w[row * cols + j] + best_by_search(w, rows, cols, row + 1, used | 1u << j);
        best = DC_MAX(best, t);
    }
    return best;
}

/* Each row at most one column, each column at most one row, min(rows, cols) pairs, and the total adds up. */
static bool is_matching(const int64_t *w, int64_t rows, int64_t cols, const int64_t *match, int64_t total)
{
    static unsigned char used[4096];
    int64_t n = 0, sum = 0;
    memset(used, 0, sizeof used);
    for (int64_t i = 0; i < rows; i++) {
        if (match[i] < 0) continue;
        if (match[i] >= cols || used[match[i]]++) return false;
        sum += w[i * cols + match[i]];
        n++;
    }
    return n == DC_MIN(rows, cols) && sum == total;
}

static void small_tables(void)
{
    int64_t w[36], match[6], total;
    int wrong = 0;
    for (int64_t rows = 1; rows <= 6; rows++)
        for (int64_t cols = 1; cols <= 6; cols++)
            for (uint64_t seed = 0; seed < 20; seed++) {
                /* A range of 4 makes ties. */
                fill(w, rows * cols, seed, seed % 2 ? 4 : 1000);
                CHECK_OK(dc_hungarian_max(w, rows, cols, match, &total));
                wrong += total != best_by_search(w, rows, cols, 0, 0) || !is_matching(w, rows, cols, match, total);
            }
    CHECK_INT(wrong, 0);
}

/* Totals from scipy 1.10 linear_sum_assignment; seed rows*1000 + cols, range 1000. */
static void large_tables(void)
{
    static const struct {
        int64_t rows, cols, total;
    } cases[] = {{1, 1, 863},     {1, 7, 850},     {7, 1, 964},       {13, 13, 11438},
                 {60, 97, 59266}, {97, 60, 59184}, {300, 300, 298123}};
    static int64_t w[300 * 300], match[300];
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        const int64_t rows = cases[i].rows, cols = cases[i].cols;
        int64_t total;
        fill(w, rows * cols, (uint64_t)(rows * 1000 + cols), 1000);
        CHECK_OK(dc_hungarian_max(w, rows, cols, match, &total));
        CHECK_INT(total, cases[i].total);
        CHECK(is_matching(w, rows, cols, match, total));
    }
}

static void thousands_of_clusters(void)
{
    enum { K = 2000 };
    static int64_t w[K * K], match[K];
    int64_t total;
    fill(w, K * K, 1, 100000);
    const clock_t start = clock(); /* processor time: the machine may be busy */
    CHECK_OK(dc_hungarian_max(w, K, K, match, &total));
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("# K = %d: %.2f s\n", K, seconds);
    CHECK(seconds < 60);
    CHECK(is_matching(w, K, K, match, total));
}

int main(void)
{
    small_tables();
    large_tables();
    thousands_of_clusters();
    return check_done();
}
