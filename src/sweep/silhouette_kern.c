/* Silhouettes: the distances of a row to all rows are added up per cluster, for all clusterings at once, because the
 * distances cost more than the additions. */
#include "silhouette_kern.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LANES = 8 };

static double distance(const float *x, const float *y, int64_t d)
{
    double lane[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= d; c += LANES)
        for (int l = 0; l < LANES; l++) {
            const double t = (double)x[c + l] - (double)y[c + l];
            lane[l] += t * t;
        }
    for (; c < d; c++) {
        const double t = (double)x[c] - (double)y[c];
        lane[0] += t * t;
    }
    return sqrt(((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7])));
}

static void add_distances(const dc_silhouette_work *w, int64_t i, double *sum)
{
    memset(sum, 0, (size_t)w->first[w->n] * sizeof *sum);
    for (int64_t j = 0; j < w->m; j++) {
        const double r = distance(w->X + i * w->d, w->X + j * w->d, w->d);
        const int32_t *place = w->place + j * w->n;
        for (int t = 0; t < w->n; t++) sum[place[t]] += r;
    }
}

static double silhouette(const dc_silhouette_work *w, int t, int64_t own, const double *sum)
{
    double b = INFINITY;
    if (w->size[own] < 2) return 0;
    const double a = sum[own] / (double)(w->size[own] - 1);
    for (int64_t k = w->first[t]; k < w->first[t + 1]; k++)
        if (k != own && w->size[k] > 0) b = fmin(b, sum[k] / (double)w->size[k]);
    const double most = fmax(a, b);
    return isfinite(b) && most > 0 ? (b - a) / most : 0;
}

void dc_silhouette_rows(const dc_silhouette_work *w, int64_t lo, int64_t hi, double *out)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = lo; i < hi; i++) {
        double *sum = w->sums + omp_get_thread_num() * w->first[w->n];
        add_distances(w, i, sum);
        for (int t = 0; t < w->n; t++) out[(i - lo) * w->n + t] = silhouette(w, t, w->place[i * w->n + t], sum);
    }
}
