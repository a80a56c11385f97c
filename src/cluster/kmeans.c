/* Distributed k-means: the start, the end, and the state that checkpoints keep. The iterations are in kmeans_lloyd.c.
 *
 * After all restarts have finished, one more pass computes their inertias, which are compared. Another pass labels the
 * rows with the winner's clusters and sums up its inertia. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/state.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

dc_rows dc_rows_of_array(const dc_part *part, const float *X, const int64_t *d)
{
    return (dc_rows){.part = part, .d = *d, .X = X};
}

void dc_kmeans_result_release(dc_kmeans_result *r)
{
    dc_mem_free(&r->centers);
    dc_mem_free(&r->labels);
    dc_mem_free(&r->size);
}

dc_status dc_km_result_init(dc_kmeans_result *out, const dc_rows *rows, int64_t K)
{
    dc_status st = DC_OK;
    const size_t values = dc_mul_size((size_t)K, (size_t)rows->d);
    DC_TRY(dc_mem_alloc_pages(&out->centers, values, sizeof *out->centers, "k-means centres"));
    DC_TRY(dc_mem_alloc(&out->labels, (size_t)dc_part_rows(rows->part), sizeof *out->labels, "k-means labels"));
    DC_TRY(dc_mem_alloc(&out->size, (size_t)K, sizeof *out->size, "k-means cluster sizes"));
out:
    return st;
}

static void kmeans_release(dc_km_restarts *a)
{
    dc_km_tiles_release(&a->tiles);
    for (int64_t r = 0; a->stay && r < a->R; r++) dc_km_stay_release(&a->stay[r]);
    dc_mem_free(&a->stay);
    dc_mem_free(&a->stays);
    dc_mem_free(&a->centers);
    dc_mem_free(&a->next);
    dc_km_centers_release(&a->images);
    dc_mem_free(&a->slots);
    dc_mem_free(&a->total);
    dc_mem_free(&a->total_assign);
    dc_mem_free(&a->distance);
    dc_mem_free(&a->far.row);
    dc_mem_free(&a->far.moved);
    dc_sum_destroy(&a->sum);
    dc_csr_sum_destroy(&a->by_column);
    dc_mem_free(&a->labels.label);
    dc_mem_free(&a->labels.count);
    dc_mem_free(&a->turned);
    dc_sum_destroy(&a->sum_assign);
}

/* Rows keep their labels and bounds from one iteration to the next if there is one start, or if those of all take at
 * most an eighth of the memory of float rows. */
static dc_status stays_init(dc_km_restarts *a)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(a->tiles.rows->part), values = 2 * a->R;
    if (!a->images.rough.run || (a->R > 1 && values > a->d / 8)) return DC_OK;
    DC_TRY(dc_mem_alloc(&a->stay, (size_t)a->R, sizeof *a->stay, "k-means restarts"));
    DC_TRY(dc_mem_alloc(&a->stays, (size_t)a->R, sizeof(dc_km_stay *), "k-means restarts"));
    for (int64_t r = 0; r < a->R; r++) DC_TRY(dc_km_stay_init(&a->stay[r], n, a->K, a->d));
out:
    return st;
}

static dc_status kmeans_init(dc_km_restarts *a, const dc_rows *rows, const dc_kmeans_config *cfg, dc_km_limits limits)
{
    dc_status st = DC_OK;
    const dc_part *part = rows->part;
    *a = (dc_km_restarts){.cfg = cfg, .K = cfg->K, .d = rows->d, .R = cfg->n_init, .active = cfg->n_init};
    a->pass_doubles = limits.pass_doubles ? limits.pass_doubles : DC_KM_PASS_DOUBLES;
    dc_km_watch_init(&a->watch, cfg);
    if (limits.part > 0) a->watch.part = limits.part;
    const size_t R = (size_t)a->R, K = (size_t)a->K, d = (size_t)a->d;
    const size_t one = dc_mul_size(K, d + 1), pass = DC_MAX(one, DC_MIN(dc_mul_size(R, one), (size_t)a->pass_doubles));
    DC_TRY(dc_km_tiles_init(&a->tiles, rows, a->K, cfg->n_init));
    DC_TRY(dc_mem_alloc(&a->centers, R * K, d * sizeof *a->centers, "k-means centres of all restarts"));
    DC_TRY(dc_mem_alloc_pages(&a->next, K * d, sizeof *a->next, "k-means centres of a restart"));
    DC_TRY(dc_km_runs_init(&a->images, &a->tiles, (int64_t)(pass / (d + 1)), a->K));
    DC_TRY(dc_mem_alloc(&a->slots, R, sizeof *a->slots, "k-means restarts"));
    DC_TRY(dc_mem_alloc_pages(&a->total, pass, sizeof *a->total, "k-means sums"));
    DC_TRY(dc_mem_alloc(&a->total_assign, 1 + K, sizeof *a->total_assign, "k-means sizes"));
    DC_TRY(dc_mem_alloc_pages(&a->distance, (size_t)dc_part_rows(part), sizeof *a->distance, "k-means distances"));
    a->far.room = DC_MIN(dc_part_rows(part) + 1, (int64_t)DC_KM_FAR);
    DC_TRY(dc_mem_alloc(&a->far.row, (size_t)a->far.room, sizeof *a->far.row, "k-means farthest rows"));
    DC_TRY(dc_mem_alloc(&a->far.moved, K, sizeof *a->far.moved, "k-means empty clusters"));
    DC_TRY(dc_sum_create(&a->sum_assign, part, 1 + K));
    for (int r = 0; r < cfg->n_init; r++) a->slots[r].id = r;
    DC_TRY(stays_init(a));
out:
    return st;
}

/* ---- Mean and variance ------------------------------------------------------------------------------------------ */

float dc_km_unit_of(double size)
{
    enum { EXPONENT_MAX = 120 };
    int exponent = 0;
    if (size > 0) (void)frexp(size, &exponent);
    return ldexpf(1, DC_MIN(DC_MAX(-exponent, -EXPONENT_MAX), EXPONENT_MAX));
}

/* Sets the shift to the mean of all rows, the unit to match their spread, and the tolerance to cfg->tol times the mean
 * feature variance. Collective. */
static dc_status center_rows(dc_comm *comm, dc_km_restarts *a)
{
    dc_status st = DC_OK;
    dc_sum *columns = NULL, *squares = NULL;
    const double N = (double)a->tiles.rows->part->N;
    DC_TRY_ALL(comm, dc_sum_create(&columns, a->tiles.rows->part, (size_t)a->d));
    DC_TRY_ALL(comm, dc_sum_create(&squares, a->tiles.rows->part, 1));
    DC_TRY(dc_km_sum_in_parts(comm, a, 1, "mean of the rows", (dc_km_summing){columns, dc_km_block_columns, &a->tiles},
                              a->total));
    for (int64_t c = 0; c < a->d; c++) a->tiles.shift[c] = (float)(a->total[c] / N);
    DC_TRY(dc_km_sum_in_parts(comm, a, 1, "variance of the rows",
                              (dc_km_summing){squares, dc_km_block_squares, &a->tiles}, &a->squares));
    const double variance = a->squares / (N * (double)a->d);
    a->tol = a->cfg->tol * variance;
    a->rounded = a->squares;
    for (int64_t c = 0; a->tiles.csr && c < a->d; c++)
        a->rounded += N * (double)a->tiles.shift[c] * (double)a->tiles.shift[c];
    a->tiles.unit = dc_km_unit_of(sqrt(a->rounded / (N * (double)a->d)));
out:
    dc_sum_destroy(&columns);
    dc_sum_destroy(&squares);
    return st;
}

/* ---- Result ----------------------------------------------------------------------------------------------------- */

/* An inertia is computed as a difference of sums of squares. If it is below this share of the rows' sum of squares, it
 * is recomputed from the distances. */
static const double INERTIA_SHARE = 1e-7;

/* *inertia: that of slot s, from the sums of the last pass. Collective. */
static dc_status inertia_of(dc_comm *comm, dc_km_restarts *a, int64_t s, const dc_km_sums *sums, double *inertia)
{
    dc_status st = DC_OK;
    *inertia = dc_km_inertia(a, dc_km_slot_centers(a, s), sums);
    if (*inertia > INERTIA_SHARE * a->rounded) return DC_OK;
    DC_TRY(dc_km_assign_pass(comm, a, dc_km_slot_centers(a, s), "inertia of a start", NULL, NULL));
    *inertia = a->total_assign[0];
out:
    return st;
}

/* *out: the slot with the lowest inertia; ties go to the first restart. Collective. */
static dc_status best_slot(dc_comm *comm, dc_km_restarts *a, int64_t *out)
{
    dc_status st = DC_OK;
    int64_t best = -1;
    double lowest = INFINITY;
    for (int64_t s = 0; s < a->R; s += a->per_pass) {
        const int64_t groups = DC_MIN(a->per_pass, a->R - s);
        DC_TRY(dc_km_lloyd_pass(comm, a, s, groups));
        for (int64_t g = 0; g < groups; g++) {
            const dc_km_sums sums = dc_km_sums_of(a, groups, g);
            double inertia;
            DC_TRY(inertia_of(comm, a, s + g, &sums, &inertia));
            const bool first = best >= 0 && inertia == lowest && a->slots[s + g].id < a->slots[best].id;
            if (best >= 0 && !(inertia < lowest) && !first) continue;
            best = s + g;
            lowest = inertia;
        }
    }
    *out = best;
out:
    return st;
}

static dc_status fill_result(dc_comm *comm, dc_km_restarts *a, dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_km_resize_pass(comm, a, a->R));
    int64_t s = 0;
    if (a->R > 1) DC_TRY(best_slot(comm, a, &s));
    out->best = (int)a->slots[s].id;
    out->iterations = (int)a->slots[s].iterations;
    for (int64_t r = 0; r < a->R; r++) out->most = DC_MAX(out->most, (int)a->slots[r].iterations);
    out->converged = a->slots[s].converged;
    out->reseeded = a->reseeded;
    memcpy(out->centers, dc_km_slot_centers(a, s), (size_t)(a->K * a->d) * sizeof *out->centers);
    DC_TRY(dc_km_assign_pass(comm, a, dc_km_slot_centers(a, s), "last labels", out->labels, NULL));
    out->inertia = a->total_assign[0];
    for (int64_t k = 0; k < a->K; k++) out->size[k] = (int64_t)a->total_assign[1 + k];
    if (dc_fault(DC_FAULT_KMEANS_FLIP)) out->centers[0] = nextafterf(out->centers[0], 1);
    const size_t bytes = (size_t)(a->K * a->d) * sizeof *out->centers;
    DC_TRY(dc_agree_hash(comm, XXH3_64bits(out->centers, bytes), "k-means centres"));
out:
    return st;
}

static dc_status check_config(const dc_rows *rows, const dc_kmeans_config *cfg)
{
    DC_ASSERT(cfg->K >= 1 && cfg->n_init >= 1 && cfg->max_iter >= 0 && cfg->tol >= 0 && rows->d >= 0);
    if (cfg->K > rows->part->N)
        return DC_FAIL(DC_ERR_DATA, "%lld clusters but only %lld rows: lower cluster.clusters", (long long)cfg->K,
                       (long long)rows->part->N);
    return DC_OK;
}

/* Whether the slots of a checkpoint can be from this run. They must hold each restart once: first those still moving,
 * all after the same number of iterations, but for a first part that may have done one more; then the finished ones. */
static bool slots_fit(const dc_km_restarts *a)
{
    const int64_t most = a->cfg->max_iter_before ? a->cfg->max_iter_before : a->cfg->max_iter;
    if (a->active < 0 || a->active > a->R || a->reseeded < 0) return false;
    const int64_t all = a->active > 0 ? a->slots[a->active - 1].iterations : 0;
    bool ahead = true;
    for (int64_t s = 0; s < a->R; s++) {
        const dc_km_slot *x = &a->slots[s];
        for (int64_t t = 0; t < s; t++)
            if (a->slots[t].id == x->id) return false;
        if (x->id < 0 || x->id >= a->R || x->iterations < 0 || x->iterations > most || (x->converged & ~1))
            return false;
        ahead = ahead && s < a->active && x->iterations == all + 1;
        const bool moves = s < a->active && !ahead, ends = x->converged == 1 || x->iterations == most;
        if (x->finished != ends || (moves && (ends || x->iterations != all)) || (s >= a->active && !ends)) return false;
    }
    return true;
}

/* Adds everything that the iterations change to the run's state, under the phase's name; *resumed: whether a checkpoint
 * restored it. */
static dc_status keep_state(dc_comm *comm, dc_km_restarts *a, dc_state *state, bool *resumed)
{
    dc_status st = DC_OK;
    const size_t R = (size_t)a->R, values = R * (size_t)(a->K * a->d);
    char name[DC_STATE_NAME_MAX];
    const struct {
        const char *name;
        dc_state_type type;
        size_t n;
        void *data;
    } table[] = {{"slots", DC_STATE_I64, R * (sizeof *a->slots / sizeof(int64_t)), a->slots},
                 {"active", DC_STATE_I64, 1, &a->active},
                 {"reseeded", DC_STATE_I64, 1, &a->reseeded},
                 {"centers", DC_STATE_F32, values, a->centers}};
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        snprintf(name, sizeof name, "%s/%s", dc_state_phase(state), table[i].name);
        DC_TRY(dc_state_keep(comm, state, name, table[i].type, table[i].n, table[i].data, resumed));
    }
    if (*resumed && slots_fit(a))
        dc_km_wake(a);
    else if (*resumed)
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's restarts of k-means do not fit any state of this run");
out:
    return st;
}

static void drop_state(const dc_km_restarts *a, dc_state *state)
{
    const void *const data[] = {a->slots, &a->active, &a->reseeded, a->centers};
    for (size_t i = 0; i < DC_COUNT_OF(data); i++) dc_state_drop(state, data[i]);
}

/* Gives centres [n x d] length 1, as seeds that are means need it. */
static void put_on_sphere(float *centers, int64_t n, int64_t d)
{
    for (int64_t k = 0; k < n; k++) {
        float *c = centers + k * d;
        double squares = 0;
        for (int64_t i = 0; i < d; i++) squares += (double)c[i] * (double)c[i];
        for (int64_t i = 0; squares > 0 && i < d; i++) c[i] = (float)((double)c[i] / sqrt(squares));
    }
}

/* Collective. */
static dc_status start_centers(dc_comm *comm, dc_km_restarts *a, const float *start)
{
    dc_status st = DC_OK;
    bool resumed, seeded = false;
    DC_TRY(keep_state(comm, a, a->cfg->state, &resumed));
    if (!start && dc_km_in_rounds(a->cfg, a->tiles.rows->part->N)) {
        DC_TRY(dc_km_seed_rounds(comm, &a->tiles, &a->watch, resumed, a->centers, &seeded));
    } else if (!start && !resumed) {
        DC_TRY(dc_km_seed(comm, &a->tiles, &a->watch, a->centers));
        seeded = true;
    } else if (start && !resumed) {
        memcpy(a->centers, start, (size_t)(a->R * a->K * a->d) * sizeof *a->centers);
    }
    if (a->cfg->spherical && seeded) put_on_sphere(a->centers, a->R * a->K, a->d);
    a->watch.steady = true;
out:
    return st;
}

dc_status dc_kmeans_from(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg, dc_km_limits limits,
                         const float *start, dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    dc_km_restarts a = {0};
    *out = (dc_kmeans_result){0};
    DC_TRY_ALL(comm, check_config(rows, cfg));
    DC_TRY_ALL(comm, dc_km_result_init(out, rows, cfg->K));
    DC_TRY_ALL(comm, kmeans_init(&a, rows, cfg, limits));
    DC_TRY(center_rows(comm, &a));
    DC_TRY(start_centers(comm, &a, start));
    DC_TRY(dc_km_resize_pass(comm, &a, a.R));
    DC_TRY(dc_km_iterate_all(comm, &a));
    DC_TRY(fill_result(comm, &a, out));
out:
    drop_state(&a, cfg->state);
    kmeans_release(&a);
    if (st != DC_OK) dc_kmeans_result_release(out);
    return st;
}

dc_status dc_kmeans(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg, dc_kmeans_result *out)
{
    char most[64] = "";
    const dc_status st = dc_kmeans_from(comm, rows, cfg, (dc_km_limits){0}, cfg->first, out);
    if (out->most > out->iterations) snprintf(most, sizeof most, ", the longest had %d", out->most);
    if (st == DC_OK && !cfg->first && !cfg->quiet)
        dc_log("k-means   best of %d restarts by %s: number %d, %d iterations%s; inertia %.9g, %lld empty clusters "
               "re-seeded",
               cfg->n_init, dc_km_in_rounds(cfg, rows->part->N) ? "k-means||" : "k-means++", out->best + 1,
               out->iterations, most, out->inertia, (long long)out->reseeded);
    if (st == DC_OK && cfg->first && !cfg->quiet)
        dc_log("k-means   from given centres: %d iterations, inertia %.9g, %lld empty clusters re-seeded",
               out->iterations, out->inertia, (long long)out->reseeded);
    return st;
}

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

/* Bytes of the restarts, plus the larger of two needs that never coincide: that of seeding, and that of the sums over
 * all restarts with what is first written to after seeding (the lazy blocks). Local. */
static dc_status measure(dc_km_restarts *a, const dc_rows *rows, const dc_kmeans_config *cfg, dc_kmeans_result *result,
                         dc_kmeans_needs *out)
{
    dc_status st = DC_OK;
    size_t seeding;
    double kept = 0;
    const size_t before = dc_mem_current_bytes(), lazy = dc_mem_lazy_bytes();
    DC_TRY(dc_km_result_init(result, rows, cfg->K));
    out->result_bytes = (double)(dc_mem_current_bytes() - before);
    DC_TRY(kmeans_init(a, rows, cfg, (dc_km_limits){0}));
    if (dc_km_in_rounds(cfg, rows->part->N))
        DC_TRY(dc_km_seed_rounds_bytes(&a->tiles, cfg, &seeding, &kept));
    else
        DC_TRY(dc_km_seed_bytes(&a->tiles, cfg, &seeding));
    out->saved_bytes = kept;
    out->bytes = (double)(dc_mem_current_bytes() - before - (dc_mem_lazy_bytes() - lazy) + seeding);
    DC_TRY(dc_km_make_pass(a, a->R));
    out->bytes = fmax(out->bytes, (double)(dc_mem_current_bytes() - before));
out:
    return st;
}

dc_status dc_kmeans_needs_of(dc_comm *comm, const dc_part *part, int64_t d, const dc_csr *csr,
                             const dc_kmeans_config *cfg, dc_kmeans_needs *out)
{
    dc_status st = DC_OK;
    const dc_rows rows = {.part = part, .d = d, .csr = csr};
    const dc_state_config nowhere = {0};
    dc_km_restarts a = {0};
    dc_kmeans_result result = {0};
    dc_state *state = NULL;
    bool resumed;
    dc_mem_rehearse(true);
    DC_TRY_ALL(comm, measure(&a, &rows, cfg, &result, out));
    DC_TRY(dc_state_create(comm, &state, &nowhere, NULL, 0));
    DC_TRY(keep_state(comm, &a, state, &resumed));
    out->saved_bytes += dc_state_bytes(state);
out:
    dc_state_destroy(&state);
    dc_kmeans_result_release(&result);
    kmeans_release(&a);
    dc_mem_rehearse(false);
    return st;
}
