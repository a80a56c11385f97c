/* What a reader of clusters wants to see: the terms that set each cluster apart, how well they go together, and the
 * rows nearest to its centre and furthest from it. "Terms" are the columns of the data, words or genes, say; "words"
 * are their values, counts or weights such as TF-IDF, none of them negative.
 *
 * Every result has the same bits for every number of ranks and threads: sums of values are sums of integers, a fixed
 * power of two times the values, so the order of adding does not matter; distances belong to one row each. */
#ifndef DCMPI_TOPICS_H
#define DCMPI_TOPICS_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* Terms that the coherence of a cluster is computed from: the first of its list. */
enum { DC_TOPIC_COHERENCE_TERMS = 10 };

/* Owned arrays, the same on all ranks; NULL where there is no such part. */
typedef struct {
    int64_t K, terms, documents; /* entries of the lists of each cluster; 0: there are no such lists */
    int64_t *column;             /* [K x terms] columns by descending weight, -1: the cluster has no more */
    double *weight;              /* [K x terms] c-TF-IDF, 0 where there is no column */
    int64_t *term_rows;          /* [K x terms] rows of the data whose value there is not 0 */
    double *coherence;           /* [K], NaN for a cluster with fewer than two terms */
    double mean_coherence;       /* over the clusters that have one; NaN: none has */
    int64_t *nearest, *furthest; /* [K x documents] global rows, -1: the cluster has no more */
    double *nearest_distance, *furthest_distance; /* [K x documents] Euclidean, 0 where there is no row */
} dc_topics;
void dc_topics_release(dc_topics *t);

/* ---- Terms ------------------------------------------------------------------------------------------------------- */

/* Whether K lists of terms of D columns can be made in a sensible time: the sums of K x D words are made for a few
 * columns at a time, in as many passes over the rows as that takes. */
bool dc_topics_fit(int64_t K, int64_t D);

/* The m terms of each cluster with the largest class-based TF-IDF (Grootendorst 2022, BERTopic), their numbers of rows,
 * and the coherence. With s_tk the words of term t in the rows of cluster k, n_k the sum of s_tk over the terms, f_t
 * that over the clusters, and A the mean of n_k over the clusters that have words,
 *     weight = s_tk / n_k * log(1 + A / f_t).
 * Ties go to the lower column. The coherence of a cluster is the mean, over all pairs i < j of its first 10 terms, of
 * the normalised pointwise mutual information (Bouma 2009; Lau, Newman and Baldwin 2014)
 *     NPMI = log((p_ij + e) / (p_i p_j)) / -log(p_ij + e), e = 1e-12 (as gensim computes it),
 * p being the share of all rows of the data in which the term, or both, are not 0; 0 for a pair that is in every row.
 * words: values as stored, not scaled, dense or sparse. label[n]: clusters below K. m >= 1. Polls for stops.
 * Collective. Errors: DC_ERR_DATA (a negative value, NaN or infinity), DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_topics_terms(dc_comm *comm, const dc_rows *words, const int32_t *label, int64_t K, int64_t m,
                                     dc_topics *out);

/* ---- Documents --------------------------------------------------------------------------------------------------- */

/* The m rows of each cluster that are nearest to its centre, and the m furthest from it, with their distances. Ties go
 * to the lowest row. rows: what was clustered. centers[K x rows->d]: NULL: the means of the clusters. m >= 1. Polls for
 * stops. Collective. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_topics_documents(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K,
                                         const float *centers, int64_t m, dc_topics *out);

/* Memory that both take on this rank, and what remains. threads: 0 for rows that are an array or sparse; d: columns of
 * what was clustered; means: whether there are no centres. Local. */
double dc_topics_terms_bytes(int64_t K, int64_t D, int64_t m, int threads);
double dc_topics_documents_bytes(const dc_part *part, int64_t K, int64_t d, int64_t m, int threads, bool means);
double dc_topics_held_bytes(int64_t K, int64_t terms, int64_t documents);

/* ---- Lists of rows ----------------------------------------------------------------------------------------------- */

/* The m rows of each cluster with the smallest keys, ascending: global numbers rows[K x m], -1 where a cluster has
 * fewer rows, and their keys unless NULL. Ties go to the lowest row. key(ctx, i): of local row i, not NaN. Collective.
 * Errors: DC_ERR_MEMORY. */
typedef double (*dc_row_key)(const void *ctx, int64_t i);
DC_CHECKED dc_status dc_lowest_rows(dc_comm *comm, const dc_part *part, const int32_t *label, int64_t K, int64_t m,
                                    dc_row_key key, const void *ctx, int64_t *rows, double *keys);
/* Memory that it takes on each of P ranks. */
double dc_lowest_rows_bytes(int P, int64_t K, int64_t m);

#endif
