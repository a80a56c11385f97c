/* Scores of tables of counts: scikit-learn's values, and every degenerate case. */
#include "t60_help.h"

/* Expected values: scikit-learn 1.2 (normalized_mutual_info_score with average_method geometric and arithmetic,
 * adjusted_rand_score) and scipy's linear_sum_assignment on label vectors with these tables. */
static void random_tables(void)
{
    static const struct {
        int64_t K, C, table[18];
        double acc, nmi, nmi_arithmetic, ari;
    } cases[] = {
        {3, 3, {13, 2, 4, 0, 7, 2, 1, 3, 8}, 0.7, 0.314987549635571, 0.314916326642988, 0.294761082325849},
        {5,
         3,
         {14, 1, 2, 2, 1, 5, 19, 0, 2, 1, 0, 1, 11, 0, 1},
         0.733333333333333,
         0.450815739394746,
         0.446547386427582,
         0.437909692504719},
        {3,
         6,
         {9, 1, 3, 0, 10, 1, 1, 2, 15, 7, 0, 3, 2, 13, 1, 2, 4, 6},
         0.4625,
         0.319217304612734,
         0.309950591214665,
         0.233720754077018},
    };
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        const dc_scores s = scores_of(cases[i].table, cases[i].K, cases[i].C);
        CHECK_NEAR(s.acc, cases[i].acc, 1e-14);
        CHECK_NEAR(s.nmi, cases[i].nmi, 1e-13);
        CHECK_NEAR(s.nmi_arithmetic, cases[i].nmi_arithmetic, 1e-13);
        CHECK_NEAR(s.ari, cases[i].ari, 1e-13);
    }
}

static void expect(const char *what, const int64_t *table, int64_t K, int64_t C, double acc, double nmi, double ari)
{
    printf("# %s\n", what);
    const dc_scores s = scores_of(table, K, C);
    CHECK_NEAR(s.acc, acc, 0);
    CHECK_NEAR(s.nmi, nmi, 1e-15);
    CHECK_NEAR(s.nmi_arithmetic, nmi, 1e-15);
    CHECK_NEAR(s.ari, ari, 1e-15);
}

static void degenerate_tables(void)
{
    expect("perfect, permuted", (int64_t[]){0, 5, 0, 0, 0, 7, 3, 0, 0}, 3, 3, 1, 1, 1);
    expect("perfect, one cluster unused", (int64_t[]){0, 5, 0, 7, 0, 0}, 3, 2, 1, 1, 1);
    expect("one cluster, one class", (int64_t[]){9}, 1, 1, 1, 1, 1);
    expect("one used cluster, one class", (int64_t[]){0, 9, 0}, 3, 1, 1, 1, 1);
    expect("one cluster, three classes", (int64_t[]){3, 4, 3}, 1, 3, 0.4, 0, 0);
    expect("three clusters, one class", (int64_t[]){3, 4, 3}, 3, 1, 0.4, 0, 0);
    expect("singletons", (int64_t[]){0, 1, 0, 0, 0, 1, 1, 0, 0}, 3, 3, 1, 1, 1);
    expect("one row", (int64_t[]){0, 1, 0, 0}, 2, 2, 1, 1, 1);
    expect("no rows", (int64_t[]){0, 0, 0, 0}, 2, 2, 0, 0, 0);
    /* Four rows, every cell one: no pair agrees, 2/3 of a pair is expected, ARI = (0 - 2/3) / (2 - 2/3). */
    const dc_scores s = scores_of((int64_t[]){1, 1, 1, 1}, 2, 2);
    CHECK_NEAR(s.ari, -0.5, 1e-15);
    CHECK_NEAR(s.nmi, 0, 1e-15);
}

/* Cell counts times 1e8: pair counts near 1e19, beyond int64; ARI tends to the limit of large N. */
static void huge_counts(void)
{
    const int64_t M = 100000000;
    const int64_t table[] = {13 * M, 2 * M, 4 * M, 0, 7 * M, 2 * M, M, 3 * M, 8 * M};
    const dc_scores s = scores_of(table, 3, 3);
    CHECK_NEAR(s.nmi, 0.314987549635571, 1e-13);
    CHECK_NEAR(s.acc, 0.7, 1e-14);
    /* (sum n^2 - A B/N^2)/((A + B)/2 - A B/N^2) with A, B the sums of squared margins: no -1 terms left. */
    const double A = 14 * 14 + 12 * 12 + 14 * 14, B = 19 * 19 + 9 * 9 + 12 * 12, sum = 316, e = A * B / 1600;
    CHECK_NEAR(s.ari, (sum - e) / ((A + B) / 2 - e), 1e-8);
}

/* The scores have the bits of the formulas over whole tables, as in older results. */
static void same_bits(void)
{
    static const int64_t table[] = {13, 2, 4, 0, 7, 2, 1, 3, 8, 0, 0, 1};
    const dc_scores s = scores_of(table, 4, 3);
    CHECK(s.acc == 16.0 / 41 && s.nmi == 0x1.26bdf16226128p-3 && s.nmi_arithmetic == 0x1.267f8806adca7p-3 &&
          s.ari == -0x1.49f042096bb18p-8);
}

int main(void)
{
    random_tables();
    degenerate_tables();
    huge_counts();
    same_bits();
    return check_done();
}
