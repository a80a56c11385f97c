/* Which rows are near-duplicates. A product in float of two rows of length 1 is their cosine up to a bound on its
 * error; only pairs within that bound of the limit, and those whose cosine is wanted, are computed in double. */
#include <math.h>
#include <omp.h>

#include "dcmpi/la.h"
#include "graph/duplicates.h"
#include "graph/knn.h"

enum { CHUNK = 32 };

int64_t dc_pairs_cluster(const dc_pairs_plan *plan, dc_gidx place)
{
    int64_t lo = 0, hi = plan->K;
    while (lo < hi) { /* the last cluster that begins at or before the place */
        const int64_t middle = lo + (hi - lo) / 2;
        if (plan->first[middle + 1] <= place)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static void stretch(const float *x, int64_t d, double norm, float *image)
{
    const double by = norm > 0 ? 1 / sqrt(norm) : 0;
    for (int64_t c = 0; c < d; c++) image[c] = (float)((double)x[c] * by);
}

int64_t dc_pairs_project(int64_t n, int64_t d, const float *X, double *norm, float *image)
{
    int64_t zeros = 0, odd = 0;
#pragma omp parallel for reduction(+ : zeros, odd)
    for (int64_t i = 0; i < n; i++) {
        norm[i] = dc_row_product(X + i * d, X + i * d, d);
        zeros += norm[i] == 0;
        odd += !isfinite(norm[i]);
        if (image) stretch(X + i * d, d, norm[i], image + i * d);
    }
    return odd ? -1 : zeros;
}

/* Of rows that are not zeros; 1 for copies, as the root of a square is exact. */
static double cosine_of(const dc_pairs_visit *v, int64_t i, int64_t j)
{
    const int64_t d = v->plan->d;
    const double dot = dc_row_product(v->own->X + i * d, v->block->X + j * d, d);
    return fmin(dot / sqrt(v->own->norm[i] * v->block->norm[j]), 1);
}

typedef struct {
    const dc_pairs_visit *v;
    const dc_pairs_scratch *s;
    int64_t lo, n; /* rows of this rank */
    bool loaded;
} tile;

static bool is_any(const float *restrict product, int64_t n, float least)
{
    int any = 0;
    for (int64_t j = 0; j < n; j++) any |= product[j] >= least;
    return any;
}

/* product[n]: of row i with rows [j, j + n) of the block. Returns the number of hits after this row. */
static int64_t look(const tile *t, int64_t i, int64_t j, int64_t n, const float *product, int64_t hits)
{
    const dc_pairs_visit *v = t->v;
    const dc_pairs_plan *p = v->plan;
    const float least = nextafterf((float)(p->cosine - p->error), -INFINITY);
    const double sure = p->cosine + p->error;
    if (v->own->norm[i] == 0 || !is_any(product, n, least)) return hits;
    for (int64_t m = 0; m < n; m++) {
        if (product[m] < least || v->block->norm[j + m] == 0) continue;
        if (v->among_own && v->block->lo + j + m <= v->own->lo + i) continue;
        double cosine = 1;
        if (v->wants_cosine || product[m] < sure) cosine = cosine_of(v, i, j + m);
        if (cosine >= p->cosine) t->s->hit[hits++] = (dc_pairs_hit){i, j + m, cosine};
    }
    return hits;
}

static void load(tile *t)
{
    const int64_t d = t->v->plan->d;
    const dc_pairs_rows *own = t->v->own;
    for (int64_t i = 0; i < t->n && !t->loaded; i++)
        stretch(own->X + (t->lo + i) * d, d, own->norm[t->lo + i], t->s->image + i * d);
    t->loaded = true;
}

/* The tile against rows [j, j + n) of the block. */
static void compare_panel(tile *t, int64_t j, int64_t n)
{
    const dc_pairs_visit *v = t->v;
    const int64_t d = v->plan->d;
    int64_t hits = 0;
    load(t);
    dc_gemm(DC_N, DC_T, t->n, n, d, 1, t->s->image, d, v->block->image + j * d, d, 0, t->s->product, DC_PAIRS_TILE);
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t m = 0; m < n; m += CHUNK)
            hits =
                look(t, t->lo + i, j + m, DC_MIN(n - m, (int64_t)CHUNK), t->s->product + i * DC_PAIRS_TILE + m, hits);
    if (hits == 0) return;
#pragma omp critical(dc_pairs_found)
    v->found(v->ctx, t->s->hit, hits);
}

/* The tile against the rows of cluster k in the block. */
static void compare_cluster(tile *t, int64_t k)
{
    const dc_pairs_visit *v = t->v;
    const dc_pairs_rows *b = v->block;
    const dc_gidx least = v->among_own ? v->own->lo + t->lo + 1 : b->lo;
    const int64_t from = DC_MAX(v->plan->first[k], DC_MAX(least, b->lo)) - b->lo,
                  to = DC_MIN(v->plan->first[k + 1] - b->lo, b->n);
    for (int64_t j = from; j < to; j += DC_PAIRS_TILE) compare_panel(t, j, DC_MIN(to - j, (int64_t)DC_PAIRS_TILE));
}

void dc_pairs_compare(const dc_pairs_visit *v)
{
    const dc_pairs_plan *p = v->plan;
#pragma omp parallel for schedule(dynamic)
    for (int64_t n = 0; n < v->tiles; n++) {
        tile t = {.v = v, .s = &v->scratch[omp_get_thread_num()], .lo = v->tile[n], .n = v->tile[n + 1] - v->tile[n]};
        const int64_t k = dc_pairs_cluster(p, v->own->lo + t.lo);
        compare_cluster(&t, k);
        for (int64_t e = p->link_start[k]; e < p->link_start[k + 1]; e++) compare_cluster(&t, p->link[e]);
    }
}
