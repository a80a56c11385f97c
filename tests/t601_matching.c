/* Matching of classes and clusters: all permutations of small tables, scipy's optimum on large ones, tables with mostly
 * empty cells, time. */
#include <time.h>

#include "t60_help.h"

/* Weights 0..range-1 from Knuth's MMIX generator. */
static uint64_t draw(uint64_t *seed, uint64_t range)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % range;
}

static void fill(int64_t *w, int64_t n, uint64_t seed, uint64_t range)
{
    for (int64_t i = 0; i < n; i++) w[i] = (int64_t)draw(&seed, range);
}

/* Best total over all ways to give each row from `row` on a column of its own, or none. */
static int64_t best_by_search(const int64_t *w, int64_t rows, int64_t cols, int64_t row, unsigned used)
{
    if (row == rows) return 0;
    int64_t best = best_by_search(w, rows, cols, row + 1, used);
    for (int64_t j = 0; j < cols; j++) {
        if (used & 1u << j) continue;
        const int64_t t = w[row * cols + j] + best_by_search(w, rows, cols, row + 1, used | 1u << j);
        best = DC_MAX(best, t);
    }
    return best;
}

static int64_t total_of(const dc_counts *c)
{
    dc_matching *m = NULL;
    CHECK_OK(dc_matching_create(&m, c));
    while (dc_matching_step(m)) continue;
    const int64_t total = dc_matching_rows(m);
    printf("# %lld x %lld, %zu cells: %lld looks\n", (long long)c->C, (long long)c->K, c->n,
           (long long)dc_matching_work(m));
    dc_matching_destroy(&m);
    return total;
}

static int64_t total_of_table(const int64_t *w, int64_t rows, int64_t cols)
{
    dc_counts c = counts_of(w, cols, rows);
    const int64_t total = total_of(&c);
    dc_counts_release(&c);
    return total;
}

static void small_tables(void)
{
    /* A range of 4 makes ties, one of 2 and 3 many empty cells. */
    static const uint64_t range[] = {2, 3, 4, 1000};
    int64_t w[36];
    int wrong = 0;
    for (int64_t rows = 1; rows <= 6; rows++)
        for (int64_t cols = 1; cols <= 6; cols++)
            for (uint64_t seed = 0; seed < 40; seed++) {
                fill(w, rows * cols, seed, range[seed % 4]);
                wrong += total_of_table(w, rows, cols) != best_by_search(w, rows, cols, 0, 0);
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
    static int64_t w[300 * 300];
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        const int64_t rows = cases[i].rows, cols = cases[i].cols;
        fill(w, rows * cols, (uint64_t)(rows * 1000 + cols), 1000);
        CHECK_INT(total_of_table(w, rows, cols), cases[i].total);
    }
}

/* `each` cells in each of `rows` rows; the total is scipy's for the whole table. */
static void sparse_table(int64_t rows, int64_t cols, int each, int64_t expected)
{
    dc_counts c = {.K = cols, .C = rows};
    uint64_t seed = (uint64_t)rows;
    CHECK_OK(dc_mem_alloc(&c.cell, (size_t)(rows * each), sizeof *c.cell, "cells"));
    for (int64_t i = 0; i < rows; i++)
        for (int k = 0; k < each; k++) {
            const int32_t column = (int32_t)(cols / each * k + (int64_t)draw(&seed, (uint64_t)(cols / each)));
            c.cell[c.n++] = (dc_cell){(int32_t)i, column, 1 + (int64_t)draw(&seed, 100)};
        }
    CHECK_INT(total_of(&c), expected);
    dc_counts_release(&c);
}

static double seconds_since(clock_t start)
{
    return (double)(clock() - start) / CLOCKS_PER_SEC; /* of the processor: the machine may be busy */
}

static void thousands_of_clusters(void)
{
    enum { K = 2000 };
    static int64_t w[K * K];
    fill(w, K * K, 1, 100000);
    const clock_t start = clock();
    const int64_t total = total_of_table(w, K, K);
    printf("# K = %d: %.2f s\n", K, seconds_since(start));
    CHECK(seconds_since(start) < 60);
    CHECK_INT(total, 199836974);
}

/* Row numbers as classes: each cluster is matched with any of its members. */
static void identifiers(void)
{
    enum { N = 900000, K = 1500 };
    dc_counts c = {.K = K, .C = N};
    CHECK_OK(dc_mem_alloc(&c.cell, N, sizeof *c.cell, "cells"));
    for (int32_t i = 0; i < N; i++) c.cell[c.n++] = (dc_cell){i, i % K, 1};
    const clock_t start = clock();
    CHECK_INT(total_of(&c), K);
    CHECK(seconds_since(start) < 20);
    dc_counts_release(&c);
}

int main(void)
{
    small_tables();
    large_tables();
    sparse_table(2000, 3000, 5, 157970);
    sparse_table(3000, 600, 3, 55962);
    thousands_of_clusters();
    identifiers();
    return check_done();
}
