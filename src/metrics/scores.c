/* Computes normalised mutual information, adjusted Rand index, purity and F-measures from the counts, and accuracy from
 * the matching.
 *
 * ACC: Yang et al. 2010. NMI: Strehl and Ghosh 2002 (geometric mean), and the arithmetic mean that scikit-learn uses
 * since 0.22. ARI: Hubert and Arabie 1985. F by classes: Larsen and Aone 1999. Sums of logarithms and pair counts are
 * in long double: with N = 1e8 the pair counts are exact, and the rounding error of their product, about 1e31, does not
 * show in a score. Sums go over classes, clusters and cells in ascending order. */
#include "dcmpi/metrics.h"

#include "dcmpi/mem.h"

#include <math.h>
#include <string.h>

/* Numbers of rows per class and per cluster, in ascending order of class or cluster; empty ones are left out. */
typedef struct {
    int64_t n_classes, n_clusters, N;
    int64_t *class_, *cluster;
    int32_t *number; /* [n_clusters] number of each cluster */
} margins;

static void margins_release(margins *m)
{
    dc_mem_free(&m->class_);
    dc_mem_free(&m->cluster);
    dc_mem_free(&m->number);
}

static int compare_i32(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Place of a cluster in m->cluster. */
static int64_t place_of_cluster(const margins *m, int32_t number)
{
    const int32_t *found = bsearch(&number, m->number, (size_t)m->n_clusters, sizeof number, compare_i32);
    return found - m->number;
}

static int64_t rows_of_cluster(const margins *m, int32_t number)
{
    return m->cluster[place_of_cluster(m, number)];
}

static void add_classes(const dc_counts *c, margins *m)
{
    for (size_t i = 0; i < c->n; i++) {
        m->n_classes += i == 0 || c->cell[i].class_ != c->cell[i - 1].class_;
        m->class_[m->n_classes - 1] += c->cell[i].rows;
        m->N += c->cell[i].rows;
    }
}

static void add_clusters(const dc_counts *c, margins *m)
{
    for (size_t i = 0; i < c->n; i++) m->number[i] = c->cell[i].cluster;
    if (c->n > 0) qsort(m->number, c->n, sizeof *m->number, compare_i32);
    for (size_t i = 0; i < c->n; i++)
        if (m->n_clusters == 0 || m->number[i] != m->number[m->n_clusters - 1])
            m->number[m->n_clusters++] = m->number[i];
    for (size_t i = 0; i < c->n; i++) m->cluster[place_of_cluster(m, c->cell[i].cluster)] += c->cell[i].rows;
}

static dc_status margins_sum(const dc_counts *c, margins *m)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&m->class_, c->n, sizeof *m->class_, "class sizes"));
    DC_TRY(dc_mem_alloc(&m->cluster, c->n, sizeof *m->cluster, "cluster sizes"));
    DC_TRY(dc_mem_alloc(&m->number, c->n, sizeof *m->number, "cluster numbers"));
    add_classes(c, m);
    add_clusters(c, m);
out:
    return st;
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

static long double mutual_information(const dc_counts *c, const margins *m)
{
    long double info = 0;
    const long double N = (long double)m->N;
    int64_t k = -1;
    for (size_t i = 0; i < c->n; i++) {
        const dc_cell *cell = &c->cell[i];
        k += i == 0 || cell->class_ != c->cell[i - 1].class_;
        const long double by_chance = (long double)rows_of_cluster(m, cell->cluster) * (long double)m->class_[k];
        info += (long double)cell->rows / N * logl((long double)cell->rows * N / by_chance);
    }
    return info;
}

static void score_nmi(const dc_counts *c, const margins *m, dc_scores *out)
{
    const long double hk = entropy(m->cluster, m->n_clusters, m->N), hc = entropy(m->class_, m->n_classes, m->N);
    if (hk == 0 || hc == 0) {
        out->nmi = out->nmi_arithmetic = hk == hc ? 1 : 0;
        return;
    }
    const long double info = fmaxl(0, mutual_information(c, m));
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

static double score_ari(const dc_counts *c, const margins *m)
{
    long double both = 0;
    for (size_t i = 0; i < c->n; i++) both += pairs(c->cell[i].rows);
    const long double in_cluster = pairs_sum(m->cluster, m->n_clusters), in_class = pairs_sum(m->class_, m->n_classes);
    const long double all = pairs(m->N), most = (in_cluster + in_class) / 2;
    /* Both partitions are a single group, or both have one row per group; with N = 1 there are no pairs at all. */
    if (all == 0 || (in_cluster == in_class && (in_class == 0 || in_class == all))) return 1;
    /* Dividing first keeps the score of a single cluster exactly 0. */
    const long double expected = in_cluster / all * in_class;
    return (double)((both - expected) / (most - expected));
}

static double score_f_pairs(const dc_counts *c, const margins *m)
{
    long double both = 0;
    for (size_t i = 0; i < c->n; i++) both += pairs(c->cell[i].rows);
    const long double in_cluster = pairs_sum(m->cluster, m->n_clusters), in_class = pairs_sum(m->class_, m->n_classes);
    return in_cluster + in_class > 0 ? (double)(2 * both / (in_cluster + in_class)) : 1;
}

/* most[n_clusters]: the rows of the largest class of each cluster, zero on entry. */
static double score_purity(const dc_counts *c, const margins *m, int64_t *most)
{
    int64_t pure = 0;
    for (size_t i = 0; i < c->n; i++) {
        int64_t *rows = &most[place_of_cluster(m, c->cell[i].cluster)];
        *rows = DC_MAX(*rows, c->cell[i].rows);
    }
    for (int64_t k = 0; k < m->n_clusters; k++) pure += most[k];
    return (double)((long double)pure / (long double)m->N);
}

static double score_f_measure(const dc_counts *c, const margins *m)
{
    long double sum = 0, best = 0;
    int64_t k = -1;
    for (size_t i = 0; i < c->n; i++) {
        const dc_cell *cell = &c->cell[i];
        if (i == 0 || cell->class_ != c->cell[i - 1].class_) {
            k++;
            best = 0;
        }
        const int64_t rows = m->class_[k] + rows_of_cluster(m, cell->cluster);
        best = fmaxl(best, 2 * (long double)cell->rows / (long double)rows);
        if (i + 1 == c->n || cell->class_ != c->cell[i + 1].class_) sum += (long double)m->class_[k] * best;
    }
    return (double)(sum / (long double)m->N);
}

dc_status dc_scores_of_pairs(const dc_counts *c, dc_scores *out)
{
    dc_status st = DC_OK;
    margins m = {0};
    int64_t *most = NULL;
    DC_TRY(margins_sum(c, &m));
    DC_TRY(dc_mem_alloc(&most, (size_t)m.n_clusters, sizeof *most, "largest classes"));
    if (m.N == 0) goto out;
    score_nmi(c, &m, out);
    out->ari = score_ari(c, &m);
    out->purity = score_purity(c, &m, most);
    out->f_measure = score_f_measure(c, &m);
    out->f_pairs = score_f_pairs(c, &m);
out:
    dc_mem_free(&most);
    margins_release(&m);
    return st;
}

double dc_scores_acc(const dc_counts *c, const dc_matching *m, bool whole)
{
    int64_t N = 0;
    for (size_t i = 0; i < c->n; i++) N += c->cell[i].rows;
    if (!whole) return NAN;
    return N > 0 ? (double)dc_matching_rows(m) / (double)N : 0;
}

dc_status dc_scores_local(const dc_counts *c, dc_scores *out)
{
    dc_status st = DC_OK;
    dc_matching *m = NULL;
    *out = (dc_scores){0};
    DC_TRY(dc_scores_of_pairs(c, out));
    DC_TRY(dc_matching_create(&m, c));
    bool more = true;
    while (more && dc_matching_work(m) < DC_SCORES_WORK_MAX) more = dc_matching_step(m);
    out->acc = dc_scores_acc(c, m, !more);
out:
    dc_matching_destroy(&m);
    return st;
}
