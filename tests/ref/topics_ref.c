#include "topics_ref.h"

#include <math.h>
#include <stdlib.h>

void ref_class_tfidf(const float *X, const int32_t *label, int64_t n, int64_t d, int64_t K, double *weight)
{
    double *total = calloc((size_t)K, sizeof *total), average = 0, used = 0;
    if (!total) abort();
    for (int64_t i = 0; i < K * d; i++) weight[i] = 0;
    for (int64_t i = 0; i < n * d; i++) {
        weight[label[i / d] * d + i % d] += (double)X[i];
        total[label[i / d]] += (double)X[i];
    }
    for (int64_t k = 0; k < K; k++) average += total[k], used += total[k] > 0;
    average = used > 0 ? average / used : 0;
    for (int64_t c = 0; c < d; c++) {
        double f = 0;
        for (int64_t k = 0; k < K; k++) f += weight[k * d + c];
        for (int64_t k = 0; k < K; k++)
            if (f > 0 && total[k] > 0) weight[k * d + c] = weight[k * d + c] / total[k] * log1p(average / f);
    }
    free(total);
}
