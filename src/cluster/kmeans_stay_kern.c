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
    DC_TRY(dc_mem_alloc(&y->label, (size_t)n, sizeof *y->label, "k-means labels of a restart"));
    DC_TRY(dc_mem_alloc(&y->beyond, (size_t)n, sizeof *y->beyond, "k-means bounds of a restart"));
    DC_TRY(dc_mem_alloc(&y->last, dc_mul_size((size_t)K, (size_t)d), sizeof *y->last, "k-means centres before"));
out:
    return st;
}

void dc_km_stay_release(dc_km_stay *y)
{
    dc_mem_free(&y->label);
    dc_mem_free(&y->beyond);
    dc_mem_free(&y->last);
}

void dc_km_stay_move(dc_km_stay *y, const dc_km_tiles *t, const float *at)
{
    /* How far others are looked for, in largest moves: the moves get shorter, so this is what all of them together
     * might come to. */
    static const double REACH = 2.5;
    const int64_t K = t->K, d = t->d;
    double most = 0;
#pragma omp parallel for schedule(static) reduction(max : most)
    for (int64_t k = 0; k < K; k++) most = fmax(most, dc_km_distance(at + k * d, y->last + k * d, d));
    const double move = sqrt(most) * (double)t->unit * (1 + 1e-9);
    y->looked = y->known && y->looked;
    y->moved = y->known ? y->moved + move : 0;
    y->reach = y->known ? (float)(REACH * move) : 0;
    memcpy(y->last, at, (size_t)(K * d) * sizeof *at);
}
