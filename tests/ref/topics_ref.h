/* Naive twins of topics/ in double. */
#ifndef DCMPI_TOPICS_REF_H
#define DCMPI_TOPICS_REF_H

#include "dcmpi/base.h"

/* weight[K x d]: class-based TF-IDF of rows X[n x d] in clusters label[n]. */
void ref_class_tfidf(const float *X, const int32_t *label, int64_t n, int64_t d, int64_t K, double *weight);

#endif
