/* Accuracy, normalised mutual information and adjusted Rand index of a table of counts.
 *
 * ACC: Yang et al. 2010. NMI: Strehl and Ghosh 2002 (geometric mean), and the arithmetic mean that scikit-learn uses
 * since 0.22. ARI: Hubert and Arabie 1985. Sums of logarithms and pair counts are in long double: with N = 1e8 the pair
 * counts are exact and their product, 1e31, loses nothing that shows in a score. */
#include "dcmpi/metrics.h"

#include "dcmpi/mem.h"

#include <math.h>

/* Row and column sums of a table. */
typedef struct {
    int64_t *cluster; /* [K] */
    int64_t *class_;  /* [C] */
    int64_t N;
} margins;

static void margins_sum(const int64_t *table, int64_t K, int64_t C, margins *m)
{
    for (int64_t c = 0; c < C; c++) {
        for (int64_t k = 0; k < K; k++) {
            m->cluster[k] += table[c * K + k];
            m->class_[c] += table[c * K + k];
        }
        m->N += m->class_[c];
    }
}

static long double entropy(const int64_t *count, int64_t n, int64_t N)
{
    long double h = 0;
    for (int64_t i = 0; i < n; i++) {
        if (count[i] == 0 || count[i] == N) continue;
        const long double p = (long double)count[i] / (long double)N;
        h -= p * logl(p);
    }
    return h;
}

static long double mutual_information(const int64_t *table, int64_t K, int64_t C, const margins *m)
{
    long double info = 0;
    const long double N = (long double)m->N;
    for (int64_t c = 0; c < C; c++) {
        for (int64_t k = 0; k < K; k++) {
            const int64_t n = table[c * K + k];
            if (n == 0) continue;
            const long double by_chance = (long double)m->cluster[k] * (long double)m->class_[c];
            info += (long double)n / N * logl((long double)n * N / by_chance);
        }
    }
    return info;
}

static void score_nmi(const int64_t *table, int64_t K, int64_t C, const margins *m, dc_scores *out)
{
    const long double hk = entropy(m->cluster, K, m->N), hc = entropy(m->class_, C, m->N);
    if (hk == 0 || hc == 0) {
        out->nmi = out->nmi_arithmetic = hk == hc ? 1 : 0;
        return;
    }
    const long double info = fmaxl(0, mutual_information(table, K, C, m));
    out->nmi = (double)fminl(1, info / sqrtl(hk * hc));
    out->nmi_arithmetic = (double)fminl(1, 2 * info / (hk + hc));
}

static long double pairs(int64_t n)
{
    return (long double)n * (long double)(n - 1) / 2;
}

static long double pairs_sum(const int64_t *count, int64_t n)
{
    long double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += pairs(count[i]);
    return sum;
}

static double score_ari(const int64_t *table, int64_t K, int64_t C, const margins *m)
{
    const long double both = pairs_sum(table, K * C), in_cluster = pairs_sum(m->cluster, K);
    const long double in_class = pairs_sum(m->class_, C), all = pairs(m->N);
    const long double most = (in_cluster + in_class) / 2;
    /* Two trivial partitions of the same kind; with N = 1 there are no pairs at all. */
    if (all == 0 || (in_cluster == in_class && (in_class == 0 || in_class == all))) return 1;
    /* Dividing first keeps the score of a single cluster exactly 0. */
    const long double expected = in_cluster / all * in_class;
    return (double)((both - expected) / (most - expected));
}

static dc_status score_acc(const int64_t *table, int64_t K, int64_t C, int64_t N, double *acc)
{
    dc_status st = DC_OK;
    int64_t *match = NULL, matched;
    DC_TRY(dc_mem_alloc_raw(&match, (size_t)C, sizeof *match, "matching of clusters and classes"));
    DC_TRY(dc_hungarian_max(table, C, K, match, &matched));
    *acc = (double)matched / (double)N;
out:
    dc_mem_free(&match);
    return st;
}

dc_status dc_scores_compute(const int64_t *table, int64_t K, int64_t C, dc_scores *out)
{
    dc_status st = DC_OK;
    margins m = {0};
    *out = (dc_scores){0};
    DC_TRY(dc_mem_alloc(&m.cluster, (size_t)K, sizeof *m.cluster, "cluster sizes"));
    DC_TRY(dc_mem_alloc(&m.class_, (size_t)C, sizeof *m.class_, "class sizes"));
    margins_sum(table, K, C, &m);
    if (m.N > 0) {
        DC_TRY(score_acc(table, K, C, m.N, &out->acc));
        score_nmi(table, K, C, &m, out);
        out->ari = score_ari(table, K, C, &m);
    }
out:
    dc_mem_free(&m.cluster);
    dc_mem_free(&m.class_);
    return st;
}
