/* Passes over the words of all rows. Sums are integers, so it does not matter in which order they are made. Each thread
 * visits all rows, and adds only to what belongs to it: clusters, or terms, whose number is its own modulo the number
 * of threads. */
#include <math.h>
#include <omp.h>

#include "topics_impl.h"

/* A row: n values, of the columns col[], or, if that is NULL, of all. */
typedef struct {
    int64_t n;
    const int32_t *col;
    const float *dense;
    const dc_csr *csr;
    int64_t row, first; /* of a sparse row */
} row_view;

static row_view view(const dc_words *w, int64_t i)
{
    const dc_rows *r = w->rows;
    if (r->csr) {
        const int64_t first = r->csr->ptr[i];
        return (row_view){
            .n = r->csr->ptr[i + 1] - first, .col = r->csr->col + first, .csr = r->csr, .row = i, .first = first};
    }
    if (r->X) return (row_view){.n = r->d, .dense = r->X + i * r->d};
    float *x = w->buffer + (int64_t)omp_get_thread_num() * r->d;
    r->rows(r->ctx, i, 1, x);
    return (row_view){.n = r->d, .dense = x};
}

static inline double value_at(const row_view *v, int64_t e)
{
    return (double)(v->csr ? dc_csr_value(v->csr, v->row, v->first + e) : v->dense[e]);
}

/* First value whose column is at least c. */
static int64_t first_from(const row_view *v, int64_t c)
{
    return v->csr ? dc_csr_find(v->csr, v->row, c) - v->first : c;
}

dc_words_range dc_words_range_local(const dc_words *w)
{
    int64_t bad = 0;
    double largest = 0;
    const int64_t n = dc_part_rows(w->rows->part);
#pragma omp parallel for schedule(static) reduction(+ : bad) reduction(max : largest)
    for (int64_t i = 0; i < n; i++) {
        const row_view v = view(w, i);
        double sum = 0;
        bool good = true;
        for (int64_t e = 0; e < v.n; e++) {
            const double x = value_at(&v, e);
            good = good && x >= 0;
            sum += x;
        }
        good = good && sum < INFINITY;
        bad += !good;
        if (good && sum > largest) largest = sum;
    }
    return (dc_words_range){.bad = bad, .largest = largest};
}

void dc_words_total_local(const dc_words *w, const int32_t *label, double scale, int64_t *n)
{
    const int64_t rows = dc_part_rows(w->rows->part);
#pragma omp parallel
    for (int64_t i = 0; i < rows; i++) {
        if (label[i] % omp_get_num_threads() != omp_get_thread_num()) continue;
        const row_view v = view(w, i);
        int64_t sum = 0;
        for (int64_t e = 0; e < v.n; e++) sum += llrint(value_at(&v, e) * scale);
        n[label[i]] += sum;
    }
}

void dc_words_sum_local(const dc_words *w, const int32_t *label, int64_t c0, int64_t c1, double scale, int64_t *sum)
{
    const int64_t rows = dc_part_rows(w->rows->part), width = c1 - c0;
#pragma omp parallel
    for (int64_t i = 0; i < rows; i++) {
        if (label[i] % omp_get_num_threads() != omp_get_thread_num()) continue;
        const row_view v = view(w, i);
        int64_t *to = sum + (int64_t)label[i] * width;
        for (int64_t e = first_from(&v, c0); e < v.n; e++) {
            const int64_t c = v.csr ? v.col[e] : e;
            if (c >= c1) break;
            to[c - c0] += llrint(value_at(&v, e) * scale);
        }
    }
}

/* Slots of the terms that are in the row; returns their number. */
static int64_t find_terms(const dc_terms *t, const row_view *v, uint8_t *present, int32_t *found)
{
    int64_t n = 0;
    for (int64_t e = 0; e < v->n; e++) {
        const int32_t s = t->slot[v->csr ? v->col[e] : e];
        if (s < 0 || !(value_at(v, e) > 0)) continue;
        present[s] = 1;
        found[n++] = s;
    }
    return n;
}

void dc_terms_count_local(const dc_words *w, const dc_terms *t, int64_t *rows, int64_t *pairs)
{
    const int64_t n = dc_part_rows(w->rows->part);
#pragma omp parallel
    {
        const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
        uint8_t *present = t->present + thread * t->n;
        int32_t *found = t->found + thread * t->D;
        for (int64_t i = 0; i < n; i++) {
            const row_view v = view(w, i);
            const int64_t terms = find_terms(t, &v, present, found);
            for (int64_t j = 0; j < terms; j++) {
                const int32_t s = found[j];
                if (s % threads != thread) continue;
                rows[s]++;
                for (int64_t p = t->pair_start[s]; p < t->pair_start[s + 1]; p++) pairs[p] += present[t->partner[p]];
            }
            for (int64_t j = 0; j < terms; j++) present[found[j]] = 0;
        }
    }
}
