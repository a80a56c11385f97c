/* Makes stored rows usable: applies bounds, computes statistics, refuses or reports bad values, scales. Each step looks
 * at all rows; none keeps more than a few numbers per column. */
#include <math.h>

#include "counts.h"
#include "data_priv.h"
#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/sum.h"
#include "pca_wide.h"
#include "quantiles.h"

static dc_status check_distinct(dc_comm *comm, const dc_dataset *d, int64_t K)
{
    int64_t distinct;
    if (d->part.N < K)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows < %lld clusters; use fewer clusters or more rows", d->source,
                       (long long)d->part.N, (long long)K);
    const dc_status st = dc_dataset_count_distinct(comm, d, K, &distinct);
    if (st != DC_OK || distinct >= K) return st;
    return DC_FAIL(DC_ERR_DATA, "%s: %lld distinct row%s in single precision < %lld clusters; use fewer clusters",
                   d->source, (long long)distinct, distinct == 1 ? "" : "s", (long long)K);
}

dc_status dc_data_examine(dc_comm *comm, dc_dataset *d, const dc_data_request *request, uint64_t seed, int64_t K)
{
    dc_status st = DC_OK;
    dc_data_stats stats = {0};
    const dc_data_given *given = request->given;
    DC_TRY(dc_data_transform_counts(comm, d, &request->counts, given ? given->counts : NULL));
    DC_TRY(given ? dc_data_take_clip(comm, d, given) : dc_data_set_clip(comm, d, &request->clip));
    DC_TRY(dc_data_stats_create(comm, d, &stats));
    DC_TRY(dc_data_audit(comm, d, &stats));
    DC_TRY(dc_data_check_range(comm, d, &stats));
    DC_TRY(dc_data_scaling(comm, d, &stats, given));
    if (request->clip_scaled > 0) DC_TRY(dc_data_limit(comm, d, request->clip_scaled));
    const double start = dc_clock_now_s();
    if (given) DC_TRY(dc_data_take_components(comm, d, given->pca));
    if (!given && d->scale_kind == DC_SCALE_PCA) DC_TRY(dc_data_components(comm, d, &request->pca));
    if (!given) DC_TRY(dc_data_reduce(comm, d, request, seed));
    if (d->pca.k > 0) d->reduction_s = dc_clock_now_s() - start;
    DC_TRY(dc_data_set_norm(comm, d));
    DC_TRY(check_distinct(comm, d, K));
out:
    dc_data_stats_release(&stats);
    return st;
}

/* The length of ids from other programs is not known before they are read, so it is guessed. */
double dc_dataset_id_bytes(const dc_data_header *head)
{
    enum { GUESS = 32 };
    return !head->has_ids ? 0 : head->id_bytes ? (double)head->id_bytes : GUESS;
}

/* A value and its column. */
enum { SPARSE_BYTES = sizeof(float) + sizeof(int32_t) };

/* Bytes of rows, or of windows of rows that stay in their file, of labels, ids, scaling, bounds and components
 * together.
 */
double dc_dataset_bytes(const dc_data_header *head, const dc_part *part, const dc_clip *clip)
{
    const double D = (double)head->D, label = head->has_labels ? sizeof(int32_t) : 0;
    const double k = (double)head->components, item = (double)dc_dtype_bytes(head->dtype);
    const double factor = head->norm != DC_ROW_NORM_NONE && k == 0 ? sizeof(float) : 0;
    const double stored = head->sparse ? sizeof(int64_t) : head->stream ? 0 : D * item;
    const double row = stored + factor + label + dc_dataset_id_bytes(head) + 4 * k;
    const size_t stored_row = (size_t)head->D * dc_dtype_bytes(head->dtype);
    return head->files_bytes + (double)dc_part_rows(part) * row + (head->sparse ? sizeof(int64_t) : 0) +
           (head->stream ? dc_data_stream_bytes(stored_row, head->made_scratch, dc_data_threads()) : 0) +
           (head->stream && head->packing.chunk_bytes > 0
                ? dc_store_chunks_need(&head->packing, dc_data_threads(), head->chunk_cache)
                : 0) +
           SPARSE_BYTES * (double)dc_header_nnz(head, part->row_lo, part->row_hi) +
           (clip->kind == DC_CLIP_NONE ? 8 : 24) * D + 8 * k * D + 24 * k;
}

static double columns_bytes(const dc_data_header *head, const dc_part *part, int threads, dc_scale_kind scale,
                            const dc_clip *clip)
{
    const int64_t D = head->D;
    double (*const quantiles_bytes)(int64_t, int) =
        head->sparse ? dc_data_csr_quantiles_bytes : dc_data_quantiles_bytes;
    const double stats = 8 * (double)D * (head->sparse ? 4 : 3);
    const double pass = dc_sum_bytes(part, (size_t)D + 1) + 8 * (double)D * 3 * threads;
    const double range = dc_data_range_bytes(part->N, D, part->P);
    const double bounds = clip->kind == DC_CLIP_QUANTILES ? quantiles_bytes(D, 2) : 0;
    const double scaling = scale == DC_SCALE_ROBUST ? quantiles_bytes(D, 3)
                           : scale == DC_SCALE_STANDARD || scale == DC_SCALE_SAMPLE
                               ? dc_sum_bytes(part, (size_t)D) + 8 * (double)D * (threads + 2)
                               : 0;
    return fmax(bounds, stats + fmax(pass, fmax(range, scaling)));
}

/* Sparse rows whose zeros stay, as far as the header can tell: if no value is negative. */
static bool stays_sparse(const dc_data_header *head, dc_scale_kind scale)
{
    return head->sparse && scale != DC_SCALE_STANDARD && scale != DC_SCALE_SAMPLE && scale != DC_SCALE_SYMMETRIC &&
           scale != DC_SCALE_PCA;
}

static double components_bytes(const dc_data_header *head, const dc_part *part, dc_scale_kind scale)
{
    double bytes;
    const int64_t k = head->components;
    if (k == 0) return 0;
    if (head->reduce != DC_REDUCE_NONE) return dc_data_reduce_bytes(head, part, stays_sparse(head, scale));
    if (dc_principal_fits(head->N, head->D))
        bytes = dc_principal_bytes(part, head->D, k);
    else if (dc_pca_wide_bytes(part, head->D, k, head->of_share, &bytes) != DC_OK)
        dc_error_clear(); /* the solver refuses it with the same words */
    return fmax(bytes, dc_pca_project_bytes(head->D, k));
}

static double norm_bytes(const dc_data_header *head, int threads)
{
    const bool of_columns = head->norm != DC_ROW_NORM_NONE && head->components == 0;
    return of_columns ? (24 + sizeof(float) * (double)threads) * (double)head->D : 0;
}

/* A piece of values, or of columns, as it is stored (sparse_read.c); at least as much as turning columns into rows
 * takes, apart from the pointers (sparse_turn.c). */
static double conversion_bytes(const dc_data_header *head, const dc_part *part)
{
    const double piece = 8.0 * (1 << 22);
    return head->sparse ? piece + 8 * ((double)head->D + (double)dc_part_rows(part)) : 0;
}

double dc_dataset_loading_bytes(const dc_data_header *head, const dc_part *part, int threads, dc_scale_kind scale,
                                const dc_clip *clip)
{
    const double labels = head->has_labels ? sizeof(int64_t) * (double)dc_part_rows(part) : 0;
    const double components = 24 * (double)head->D + components_bytes(head, part, scale);
    const double after = fmax(components, norm_bytes(head, threads));
    return fmax(fmax(conversion_bytes(head, part), dc_data_counts_bytes(head, part, threads)),
                labels + fmax(columns_bytes(head, part, threads, scale, clip), after));
}

double dc_dataset_loading_root_bytes(const dc_data_header *head, const dc_part *part)
{
    if (head->reduce != DC_REDUCE_NONE) return dc_data_reduce_root_bytes(head, part);
    if (head->components == 0) return 0;
    return dc_principal_fits(head->N, head->D)
               ? dc_principal_root_bytes(part, head->D, head->components)
               : dc_pca_wide_root_bytes(part, head->D, head->components, head->of_share);
}

const char *dc_dataset_advice(const dc_dataset *d, const char *otherwise, char out[DC_DATA_ADVICE_MAX])
{
    if (d->outlying[0])
        snprintf(out, DC_DATA_ADVICE_MAX,
                 "values far outside dominate the data (%s): correct them or clip them (input.clip) first",
                 d->outlying);
    else
        snprintf(out, DC_DATA_ADVICE_MAX, "%s", otherwise);
    return out;
}
