/* Kernels of src/topics; private to it. */
#ifndef DCMPI_TOPICS_IMPL_H
#define DCMPI_TOPICS_IMPL_H

#include "dcmpi/csr.h"
#include "dcmpi/topics.h"

/* Words of this rank's rows. Dense rows are read one by one into a buffer of each thread. */
typedef struct {
    const dc_rows *rows;
    float *buffer; /* [threads x D]; NULL if the rows are an array or sparse */
} dc_words;

/* What the fixed point of the sums depends on. */
typedef struct {
    int64_t bad;    /* rows with a negative value, NaN or infinity */
    double largest; /* sum of the largest row */
} dc_words_range;
dc_words_range dc_words_range_local(const dc_words *w);
/* Adds the values times `scale`, each rounded to an integer: n[K] of all columns of the rows of a cluster. */
void dc_words_total_local(const dc_words *w, const int32_t *label, double scale, int64_t *n);
/* The same by column, of columns [c0, c1): sum[K x (c1 - c0)]. */
void dc_words_sum_local(const dc_words *w, const int32_t *label, int64_t c0, int64_t c1, double scale, int64_t *sum);

enum { DC_TOPIC_PAIRS = DC_TOPIC_COHERENCE_TERMS * (DC_TOPIC_COHERENCE_TERMS - 1) / 2 };
/* Which columns are terms, and which pairs of them clusters have among their first terms: pairs of the term with slot s
 * are partner[pair_start[s] .. pair_start[s + 1]), slots above s, ascending. */
typedef struct {
    int64_t D, n;        /* columns, terms */
    int32_t *slot;       /* [D] number of a column among the terms, or -1 */
    int64_t *pair_start; /* [n + 1] */
    int32_t *partner;    /* [pair_start[n]] */
    uint8_t *present;    /* [threads x n] zero; scratch */
    int32_t *found;      /* [threads x D] scratch */
} dc_terms;
/* Adds the rows in which a term is not 0: rows[n], and in which both of a pair are: pairs[pair_start[n]]. */
void dc_terms_count_local(const dc_words *w, const dc_terms *t, int64_t *rows, int64_t *pairs);

/* square[n]: squared distance of each row from the centre of its cluster, centers[K x d]; norm[K]: their squares; tile:
 * [threads x DC_TOPIC_TILE x d] for rows that are neither an array nor sparse. */
enum { DC_TOPIC_TILE = 64 };
void dc_topic_distances(const dc_rows *rows, const int32_t *label, const float *centers, const double *norm,
                        float *tile, double *square);

#endif
