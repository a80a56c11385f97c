/* Loops over the rows of a sparse matrix: order of the columns, bounds. Each row is looked at by itself. */
#include "sparse.h"

#include <math.h>

static bool is_ascending(const int32_t *col, int64_t n)
{
    bool ok = true;
    for (int64_t e = 1; e < n; e++) ok &= col[e - 1] < col[e];
    return ok;
}

/* Moves the entry at `root` of a heap of n entries down to its place. */
static void sift(int32_t *col, float *val, int64_t root, int64_t n)
{
    const int32_t c = col[root];
    const float v = val[root];
    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && col[child + 1] > col[child]) child++;
        if (col[child] <= c) break;
        col[root] = col[child];
        val[root] = val[child];
    }
    col[root] = c;
    val[root] = v;
}

/* Heapsort: in place, and never slow. */
static void sort_row(int32_t *col, float *val, int64_t n)
{
    for (int64_t i = n / 2; i-- > 0;) sift(col, val, i, n);
    for (int64_t i = n - 1; i > 0; i--) {
        const int32_t c = col[0];
        const float v = val[0];
        col[0] = col[i];
        val[0] = val[i];
        col[i] = c;
        val[i] = v;
        sift(col, val, 0, i);
    }
}

/* Puts a row in order; false if it then is not ascending or has a column out of range. */
static bool settle_row(const dc_csr *m, int64_t row)
{
    const int64_t at = m->ptr[row], n = m->ptr[row + 1] - at;
    int32_t *col = (int32_t *)(uintptr_t)m->col + at;
    if (!is_ascending(col, n)) {
        sort_row(col, (float *)(uintptr_t)m->val + at, n);
        if (!is_ascending(col, n)) return false;
    }
    return n == 0 || (col[0] >= 0 && col[n - 1] < m->D);
}

static dc_status fail_row(const char *source, dc_gidx first, const dc_csr *m, int64_t row)
{
    const int64_t lo = m->ptr[row], hi = m->ptr[row + 1];
    for (int64_t e = lo + 1; e < hi; e++)
        if (m->col[e] == m->col[e - 1] && m->col[e] >= 0)
            return DC_FAIL(DC_ERR_DATA, "%s: row %lld has column %lld twice (both counted from 0)", source,
                           (long long)(first + row), (long long)m->col[e]);
    return DC_FAIL(DC_ERR_DATA, "%s: row %lld (counted from 0) has a value in a column that is not in 0 .. %lld",
                   source, (long long)(first + row), (long long)m->D - 1);
}

dc_status dc_data_csr_check(const char *source, dc_gidx first, const dc_csr *m)
{
    int64_t bad = m->n;
#pragma omp parallel for schedule(dynamic, 256) reduction(min : bad)
    for (int64_t i = 0; i < m->n; i++)
        if (!settle_row(m, i)) bad = DC_MIN(bad, i);
    return bad == m->n ? DC_OK : fail_row(source, first, m, bad);
}

void dc_data_csr_clip(const dc_csr *m, const double *lo, const double *hi)
{
    float *val = (float *)(uintptr_t)m->val;
#pragma omp parallel for schedule(static)
    for (int64_t e = 0; e < m->ptr[m->n]; e++) {
        const double v = (double)val[e];
        const int32_t c = m->col[e];
        if (v < lo[c]) val[e] = (float)lo[c];
        if (v > hi[c]) val[e] = (float)hi[c];
    }
}
