/* What a restart of k-means keeps of each row from one iteration to the next (Hamerly 2010, "Making k-means even
 * faster"): its label, and a distance that all other centres exceed. kmeans_kern.c uses and renews it. */
#include "kmeans_impl.h"

#include "dcmpi/mem.h"

#include <math.h>
#include <string.h>

dc_status dc_km_stay_init(dc_km_stay *y, int64_t n, int64_t K, int64_t d)
{
    dc_status st = DC_OK;
    *y = (dc_km_stay){0};
    DC_TRY(dc_mem_alloc_pages(&y->label, (size_t)n, sizeof *y->label, "k-means labels of a restart"));
    DC_TRY(dc_mem_alloc_pages(&y->beyond, (size_t)n, sizeof *y->beyond, "k-means bounds of a restart"));
    DC_TRY(dc_mem_alloc_pages(&y->last, dc_mul_size((size_t)K, (size_t)d), sizeof *y->last, "k-means centres before"));
    DC_TRY(dc_mem_alloc(&y->move, (size_t)K, sizeof *y->move, "k-means moves of centres"));
    DC_TRY(dc_mem_alloc(&y->is_fast, (size_t)K, sizeof *y->is_fast, "k-means moves of centres"));
    DC_TRY(dc_km_rough_init(&y->fast, DC_KM_FAST, DC_KM_FAST, d));
out:
    return st;
}

void dc_km_stay_release(dc_km_stay *y)
{
    dc_mem_free(&y->label);
    dc_mem_free(&y->beyond);
    dc_mem_free(&y->last);
    dc_mem_free(&y->move);
    dc_mem_free(&y->is_fast);
    dc_km_rough_release(&y->fast);
}

/* Lists up to DC_KM_FAST of the centres that have moved farthest, if there are many others; returns the largest move of
 * the others. */
static double find_fast(dc_km_stay *y, int64_t K, int64_t *fast)
{
    enum { OTHERS = 4 };
    int64_t farthest[DC_KM_FAST + 1] = {0}, n = 0, most = K >= OTHERS * DC_KM_FAST ? DC_KM_FAST : 0;
    for (int64_t k = 0; k < K; k++) {
        if (n == most + 1 && y->move[k] <= y->move[farthest[most]]) continue;
        int64_t at = n <= most ? n++ : most;
        for (; at > 0 && y->move[farthest[at - 1]] < y->move[k]; at--) farthest[at] = farthest[at - 1];
        farthest[at] = k;
    }
    memset(y->is_fast, 0, (size_t)K * sizeof *y->is_fast);
    for (y->n_fast = 0; y->n_fast < DC_MIN(n - 1, most); y->n_fast++) {
        fast[y->n_fast] = farthest[y->n_fast];
        y->is_fast[fast[y->n_fast]] = true;
    }
    return y->move[farthest[y->n_fast]];
}

void dc_km_stay_move(dc_km_stay *y, const dc_km_tiles *t, const dc_km_centers *c, int64_t first)
{
    /* How far others are looked for, in largest moves: the moves get shorter, so this is what all of them together
     * might come to. */
    static const double REACH = 2.5;
    const int64_t K = t->K, d = t->d;
    const float *at = c->at + first * d;
    int64_t fast[DC_KM_FAST];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < K; k++)
        y->move[k] = sqrt(dc_km_distance(at + k * d, y->last + k * d, d)) * (double)t->unit * (1 + 1e-9);
    const double move = find_fast(y, K, fast);
    for (int64_t i = 0; i < y->n_fast; i++) fast[i] += first;
    dc_km_rough_take(t, c, fast, y->n_fast, &y->fast);
    y->moved = y->known ? y->moved + move : 0;
    y->reach = y->known ? (float)(REACH * move) : 0;
    y->asked = y->stayed = 0;
    memcpy(y->last, at, (size_t)(K * d) * sizeof *at);
}

void dc_km_stay_judge(dc_km_stay *y)
{
    /* Looking beyond the nearest centre takes up to half as long again. */
    static const double WORTH = 0.3;
    if (y->looked && y->asked > 0) y->everywhere = (double)y->stayed >= WORTH * (double)y->asked;
    y->looked = y->reach > 0;
    y->known = true;
}
