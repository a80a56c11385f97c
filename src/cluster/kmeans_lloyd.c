/* The restarts of k-means and their iterations.
 *
 * The algorithm is that of Lloyd (1982). Each restart has a slot; the active restarts, which still move, have slots [0,
 * active). A restart that finishes swaps slots with the last active one. So the centres of all active restarts are one
 * matrix, and one pass over the rows serves as many restarts as fit into one reduction. The reduction gives every rank
 * the sums and counts of their clusters, and every rank updates its own copy of the centres in the same way. If S_k is
 * the sum of the rows of cluster k and n_k their number, the inertia of a pass is sum |x|^2 - 2 sum_k c_k.S_k +
 * sum_k n_k |c_k|^2; computing it costs almost nothing. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

float *dc_km_slot_centers(const dc_km_restarts *a, int64_t s)
{
    return a->centers + s * a->K * a->d;
}

/* ---- One pass --------------------------------------------------------------------------------------------------- */

dc_km_sums dc_km_sums_of(const dc_km_restarts *a, int64_t groups, int64_t g)
{
    const int64_t m = groups * a->K;
    const double *count = a->total + m * a->d + g * a->K;
    if (!a->by_column) return (dc_km_sums){a->total + g * a->K * a->d, count};
    dc_km_sparse_turn(a->total, a->d, m, g * a->K, a->K, a->turned);
    return (dc_km_sums){a->turned, count};
}

static void label_blocks(void *ctx, size_t first, size_t end)
{
    const dc_km_restarts *a = ctx;
    dc_km_label_rows(&a->tiles, &a->images, first, end, &a->labels);
}

/* Labels and counts the rows first, then sums them. Sparse rows are summed column by column, which takes neither time
 * nor memory for zeros; others a piece of the clusters at a time, the last of which may overlap the one before.
 * Collective. */
static dc_status labelled_pass(dc_comm *comm, dc_km_restarts *a, const char *what, int64_t groups,
                               dc_km_stay *const *stay)
{
    dc_status st = DC_OK;
    const int64_t m = groups * a->K;
    double *count = a->total + m * a->d;
    a->labels.groups = groups;
    a->labels.stay = stay;
    DC_TRY(dc_km_in_parts(comm, &a->watch, &a->tiles, m, what, label_blocks, a));
    dc_km_count_labels(dc_part_rows(a->tiles.rows->part), &a->labels);
    if (a->by_column) dc_csr_sum_total(comm, a->by_column, (size_t)m, dc_km_add_value, &a->labels, a->total);
    for (int64_t k = 0; !a->by_column && k < m; k += a->piece) {
        dc_km_piece ctx = {&a->tiles, a->labels.label, DC_MIN(k, m - a->piece), a->piece};
        dc_sum_over_blocks(comm, a->sum, dc_km_block_piece, &ctx, a->total + ctx.first * a->d);
    }
    dc_comm_sum_i64(comm, a->labels.count, (size_t)m);
    for (int64_t k = 0; k < m; k++) count[k] = (double)a->labels.count[k];
out:
    return st;
}

/* What is known of the rows for slots [s, s + groups), or NULL. */
static dc_km_stay *const *stays_of(dc_km_restarts *a, int64_t s, int64_t groups)
{
    if (!a->stay) return NULL;
    for (int64_t g = 0; g < groups; g++) {
        a->stays[g] = &a->stay[a->slots[s + g].id];
        dc_km_stay_move(a->stays[g], &a->tiles, &a->images, g * a->K);
    }
    return a->stays;
}

typedef struct {
    dc_sum *sum;
    dc_km_lloyd *pass;
} summing;

static void sum_blocks(void *ctx, size_t first, size_t end)
{
    const summing *s = ctx;
    dc_sum_some_blocks(s->sum, first, end, dc_km_block_lloyd, s->pass);
}

dc_status dc_km_lloyd_pass(dc_comm *comm, dc_km_restarts *a, int64_t s, int64_t groups)
{
    dc_status st = DC_OK;
    char what[64];
    if (a->slots[s].iterations < a->cfg->max_iter)
        snprintf(what, sizeof what, "iteration %lld of at most %d", (long long)a->slots[s].iterations + 1,
                 a->cfg->max_iter);
    else
        snprintf(what, sizeof what, "comparison of starts");
    dc_km_project(&a->tiles, dc_km_slot_centers(a, s), groups * a->K, &a->images);
    dc_km_lloyd ctx = {&a->tiles, &a->images, groups, stays_of(a, s, groups)};
    if (a->by_column || a->piece) {
        DC_TRY(labelled_pass(comm, a, what, groups, ctx.stay));
    } else {
        DC_TRY(dc_km_in_parts(comm, &a->watch, &a->tiles, groups * a->K, what, sum_blocks, &(summing){a->sum, &ctx}));
        dc_sum_total(comm, a->sum, a->total);
    }
    for (int64_t g = 0; ctx.stay && g < groups; g++) dc_km_stay_judge(a->stays[g]);
out:
    return st;
}

void dc_km_assign_pass(dc_comm *comm, dc_km_restarts *a, int64_t s, int32_t *label, float *distance)
{
    dc_km_project(&a->tiles, dc_km_slot_centers(a, s), a->K, &a->images);
    dc_km_assign ctx = {&a->tiles, &a->images, label, distance};
    dc_sum_over_blocks(comm, a->sum_assign, dc_km_block_assign, &ctx, a->total_assign);
}

double dc_km_inertia(const dc_km_restarts *a, const float *centers, const dc_km_sums *sums)
{
    double inertia = a->squares;
    for (int64_t k = 0; k < a->K; k++) {
        for (int64_t c = 0; c < a->d; c++) {
            const double shift = (double)a->tiles.shift[c], mu = (double)centers[k * a->d + c] - shift;
            const double n = sums->count[k];
            inertia += mu * (n * mu - 2 * (sums->sum[k * a->d + c] - n * shift));
        }
    }
    return inertia;
}

/* What the sum of the rows of a cluster is divided by to get its centre: their number, or on the sphere the length of
 * the sum. 0: the centre stays. */
static double divisor_of(const dc_kmeans_config *cfg, const double *sum, double count, int64_t d)
{
    double squares = 0;
    if (!cfg->spherical) return count;
    for (int64_t c = 0; c < d; c++) squares += sum[c] * sum[c];
    return sqrt(squares);
}

/* Moves the centre of each non-empty cluster to its mean; returns the sum of the squared shifts. */
static double move_centers(const dc_km_restarts *a, float *centers, const dc_km_sums *sums)
{
    double shift = 0;
    for (int64_t k = 0; k < a->K; k++) {
        const double divisor = divisor_of(a->cfg, sums->sum + k * a->d, sums->count[k], a->d);
        if (divisor == 0) continue;
        for (int64_t c = 0; c < a->d; c++) {
            float *mu = &centers[k * a->d + c];
            const float mean = (float)(sums->sum[k * a->d + c] / divisor);
            const double diff = (double)mean - (double)*mu;
            shift += diff * diff;
            *mu = mean;
        }
    }
    return shift;
}

/* ---- Iterations ------------------------------------------------------------------------------------------------- */

static bool any_empty(const double *counts, int64_t K)
{
    for (int64_t k = 0; k < K; k++)
        if (counts[k] == 0) return true;
    return false;
}

/* Gives empty clusters of slot s new centres; returns how many. Collective. */
static int64_t reseed(dc_comm *comm, dc_km_restarts *a, int64_t s, const double *counts)
{
    if (!any_empty(counts, a->K)) return 0;
    dc_km_assign_pass(comm, a, s, NULL, a->distance);
    return dc_km_reseed(comm, a, dc_km_slot_centers(a, s), counts);
}

static void update_slot(dc_comm *comm, dc_km_restarts *a, int64_t s, const dc_km_sums *sums)
{
    const double shift = move_centers(a, dc_km_slot_centers(a, s), sums);
    const int64_t moved = reseed(comm, a, s, sums->count);
    a->reseeded += moved;
    a->slots[s].iterations++;
    a->slots[s].converged = shift <= a->tol && moved == 0;
    a->slots[s].finished = a->slots[s].converged || a->slots[s].iterations >= a->cfg->max_iter;
}

static void swap_bytes(void *a, void *b, size_t bytes)
{
    unsigned char *x = a, *y = b;
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char t = x[i];
        x[i] = y[i];
        y[i] = t;
    }
}

static void swap_slots(dc_km_restarts *a, int64_t s, int64_t t)
{
    if (s == t) return;
    swap_bytes(&a->slots[s], &a->slots[t], sizeof *a->slots);
    swap_bytes(dc_km_slot_centers(a, s), dc_km_slot_centers(a, t), (size_t)(a->K * a->d) * sizeof *a->centers);
}

void dc_km_wake(dc_km_restarts *a)
{
    for (int64_t s = a->active; s < a->R; s++) {
        dc_km_slot *slot = &a->slots[s];
        if (slot->converged || slot->iterations >= a->cfg->max_iter) continue;
        slot->finished = 0;
        swap_slots(a, s, a->active++);
    }
}

/* One iteration of all active restarts. Collective. */
static dc_status iterate(dc_comm *comm, dc_km_restarts *a)
{
    dc_status st = DC_OK;
    for (int64_t s = 0; s < a->active; s += a->per_pass) {
        const int64_t groups = DC_MIN(a->per_pass, a->active - s);
        a->watch.steady = s == 0;
        DC_TRY(dc_km_lloyd_pass(comm, a, s, groups));
        for (int64_t g = 0; g < groups; g++) {
            const dc_km_sums sums = dc_km_sums_of(a, groups, g);
            update_slot(comm, a, s + g, &sums);
        }
    }
    for (int64_t s = a->active - 1; s >= 0; s--)
        if (a->slots[s].finished) swap_slots(a, s, --a->active);
out:
    a->watch.steady = false;
    return st;
}

/* Room for the labels of a pass; the first pass is the largest. */
static dc_status take_labels(dc_km_restarts *a)
{
    dc_status st = DC_OK;
    const size_t m = (size_t)(a->per_pass * a->K), n = (size_t)dc_part_rows(a->tiles.rows->part);
    a->labels.K = a->K;
    DC_TRY(dc_mem_alloc_raw(&a->labels.label, dc_mul_size(n, (size_t)a->per_pass), sizeof *a->labels.label,
                            "k-means labels of all restarts"));
    DC_TRY(dc_mem_alloc(&a->labels.count, m, sizeof *a->labels.count, "k-means sizes"));
out:
    return st;
}

static dc_status make_sparse_pass(dc_km_restarts *a)
{
    dc_status st = DC_OK;
    const size_t m = (size_t)(a->per_pass * a->K);
    if (a->by_column) return DC_OK;
    DC_TRY(take_labels(a));
    DC_TRY(dc_mem_alloc(&a->turned, (size_t)(a->K * a->d), sizeof *a->turned, "k-means sums"));
    DC_TRY(dc_csr_sum_create(&a->by_column, a->tiles.rows->part, a->tiles.csr, m));
out:
    return st;
}

static dc_status make_pieces(dc_km_restarts *a)
{
    dc_status st = DC_OK;
    if (a->piece) return DC_OK;
    a->piece = DC_MIN(a->K, DC_MAX(1, a->pass_doubles / DC_MAX(a->d, (int64_t)1)));
    DC_TRY(take_labels(a));
    DC_TRY(dc_sum_create(&a->sum, a->tiles.rows->part, (size_t)(a->piece * a->d)));
out:
    return st;
}

dc_status dc_km_make_pass(dc_km_restarts *a, int64_t restarts)
{
    const int64_t doubles = a->K * (a->d + 1);
    a->per_pass = DC_MAX(1, DC_MIN(restarts, a->pass_doubles / doubles));
    if (a->tiles.csr) return make_sparse_pass(a);
    if (doubles > a->pass_doubles) return make_pieces(a);
    dc_sum_destroy(&a->sum);
    return dc_sum_create(&a->sum, a->tiles.rows->part, (size_t)(a->per_pass * doubles));
}

dc_status dc_km_resize_pass(dc_comm *comm, dc_km_restarts *a, int64_t restarts)
{
    return dc_agree(comm, dc_km_make_pass(a, restarts));
}

/* Whether restarts are left to iterate. Slot 0 stands for all, because all active restarts have done the same number of
 * iterations. */
static bool unfinished(const dc_km_restarts *a)
{
    return a->active > 0 && a->slots[0].iterations < a->cfg->max_iter;
}

/* Iterates all restarts until they are finished. The reduction is made shorter when the active restarts fill no more
 * than half of it. Collective. */
dc_status dc_km_iterate_all(dc_comm *comm, dc_km_restarts *a)
{
    dc_status st = DC_OK;
    dc_state *state = a->cfg->state;
    if (!unfinished(a)) return DC_OK;
    while (unfinished(a)) {
        dc_state_at(state, dc_state_phase(state), a->slots[0].iterations);
        DC_TRY(iterate(comm, a));
        if (a->active > 0 && a->active <= a->per_pass / 2) DC_TRY(dc_km_resize_pass(comm, a, a->active));
        if (unfinished(a)) DC_TRY(dc_km_poll(comm, a->cfg));
    }
    DC_TRY(dc_state_end_phase(comm, state));
out:
    return st;
}
