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
/* Which columns are terms, and of which clusters. */
typedef struct {
    int64_t K, n;       /* n terms */
    int32_t *slot;      /* [D] number of a column among the terms, or -1 */
    int64_t *use_start; /* [n+1] */
    int64_t *use;       /* [use_start[n]] cluster * DC_TOPIC_COHERENCE_TERMS + place in its list */
    uint16_t *mask;     /* [K] zero; scratch */
    int64_t *touched;   /* [threads x ceil(K / threads)]; scratch */
} dc_terms;
/* Number of a pair of places a < b in a list. */
static inline int64_t dc_topic_pair(int64_t a, int64_t b)
{
    return a * (2 * DC_TOPIC_COHERENCE_TERMS - a - 1) / 2 + b - a - 1;
}
/* Adds the rows in which a term is not 0: rows[n], and in which both of a pair of a cluster are: pairs[K x
 * DC_TOPIC_PAIRS]. */
void dc_terms_count_local(const dc_words *w, const dc_terms *t, int64_t *rows, int64_t *pairs);

/* square[n]: squared distance of each row from the centre of its cluster, centers[K x d]; norm[K]: their squares; tile:
 * [threads x DC_TOPIC_TILE x d] for rows that are neither an array nor sparse. */
enum { DC_TOPIC_TILE = 64 };
void dc_topic_distances(const dc_rows *rows, const int32_t *label, const float *centers, const double *norm,
                        float *tile, double *square);

#endif
