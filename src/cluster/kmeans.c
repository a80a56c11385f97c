/* Distributed k-means: the restarts, their iterations, empty clusters, the result.
 *
 * Lloyd 1982. Restarts live in slots; slots [0, active) still move, a finished restart changes places with the last of
 * them, so that the centres of all active restarts are one matrix and one pass over the rows serves them all. One
 * reduction brings sums and counts of all clusters; every rank updates its copy of the centres alike. The inertia of a
 * pass costs nothing: sum |x|^2 - 2 sum_k c_k.S_k + sum_k n_k |c_k|^2, S_k and n_k the sum and number of rows of k.
 *
 * A last pass over all finished restarts gives the inertias that are compared; another one labels and measures the
 * winner. No acceleration by bounds (Elkan, Hamerly): at these K a GEMM is faster than the bookkeeping. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/control.h"
#include "dcmpi/fault.h"
#include "dcmpi/mem.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

/* Doubles of one reduction, 32 MiB: more restarts than fit take turns. */
enum { PASS_DOUBLES = 1 << 22 };

/* Of integers alone: part of the run's state. */
typedef struct {
    int64_t id, iterations, converged, finished;
} slot;

typedef struct {
    const dc_kmeans_config *cfg;
    dc_km_tiles tiles;
    int64_t K, d, R;
    double squares; /* sum over all rows of |x - mean|^2 */
    double tol;     /* on the squared shift of the centres of one restart */
    float *centers; /* [R x K x d] by slot, minus the mean */
    float *norm;    /* [R x K] */
    slot *slots;    /* [R] */
    int64_t active;
    int64_t pass_doubles; /* most doubles in one reduction */
    int64_t per_pass;     /* restarts in one reduction */
    dc_sum *sum;          /* [per_pass*K*(d+1)] */
    double *total;        /* [per_pass*K*(d+1)], at least [d] */
    dc_sum *sum_assign;   /* [1 + K] */
    double *total_assign; /* [1 + K] */
    float *distance;      /* [n] of every row to its nearest centre, while empty clusters are re-seeded */
    double *mass;         /* [n_blocks] its sums, not used */
    int64_t reseeded;
} kmeans;

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

static dc_status result_init(dc_kmeans_result *out, const dc_rows *rows, int64_t K)
{
    dc_status st = DC_OK;
    const size_t values = dc_mul_size((size_t)K, (size_t)rows->d);
    DC_TRY(dc_mem_alloc(&out->centers, values, sizeof *out->centers, "k-means centres"));
    DC_TRY(dc_mem_alloc(&out->labels, (size_t)dc_part_rows(rows->part), sizeof *out->labels, "k-means labels"));
    DC_TRY(dc_mem_alloc(&out->size, (size_t)K, sizeof *out->size, "k-means cluster sizes"));
out:
    return st;
}

static void kmeans_release(kmeans *a)
{
    dc_km_tiles_release(&a->tiles);
    dc_mem_free(&a->centers);
    dc_mem_free(&a->norm);
    dc_mem_free(&a->slots);
    dc_mem_free(&a->total);
    dc_mem_free(&a->total_assign);
    dc_mem_free(&a->distance);
    dc_mem_free(&a->mass);
    dc_sum_destroy(&a->sum);
    dc_sum_destroy(&a->sum_assign);
}

static dc_status kmeans_init(kmeans *a, const dc_rows *rows, const dc_kmeans_config *cfg, int64_t pass_doubles)
{
    dc_status st = DC_OK;
    const dc_part *part = rows->part;
    *a = (kmeans){.cfg = cfg, .K = cfg->K, .d = rows->d, .R = cfg->n_init, .active = cfg->n_init};
    a->pass_doubles = pass_doubles;
    const size_t R = (size_t)a->R, K = (size_t)a->K, d = (size_t)a->d;
    const size_t one = dc_mul_size(K, d + 1), pass = DC_MAX(one, DC_MIN(dc_mul_size(R, one), (size_t)pass_doubles));
    DC_TRY(dc_km_tiles_init(&a->tiles, rows, a->K, cfg->n_init));
    DC_TRY(dc_mem_alloc(&a->centers, R * K, d * sizeof *a->centers, "k-means centres of all restarts"));
    DC_TRY(dc_mem_alloc(&a->norm, R * K, sizeof *a->norm, "k-means norms"));
    DC_TRY(dc_mem_alloc(&a->slots, R, sizeof *a->slots, "k-means restarts"));
    DC_TRY(dc_mem_alloc(&a->total, pass, sizeof *a->total, "k-means sums"));
    DC_TRY(dc_mem_alloc(&a->total_assign, 1 + K, sizeof *a->total_assign, "k-means sizes"));
    DC_TRY(dc_mem_alloc_raw(&a->distance, (size_t)dc_part_rows(part), sizeof *a->distance, "k-means distances"));
    DC_TRY(dc_mem_alloc(&a->mass, part->n_blocks, sizeof *a->mass, "k-means block masses"));
    DC_TRY(dc_sum_create(&a->sum_assign, part, 1 + K));
    for (int r = 0; r < cfg->n_init; r++) a->slots[r].id = r;
out:
    return st;
}

static float *slot_centers(const kmeans *a, int64_t s)
{
    return a->centers + s * a->K * a->d;
}

static void update_norms(kmeans *a, int64_t s)
{
    dc_km_norms(slot_centers(a, s), a->K, a->d, a->norm + s * a->K);
}

/* ---- Mean and variance ---------------------------------------------------------------------------------------------
 */

/* Sets the shift to the mean of all rows and the tolerance to cfg->tol times the mean feature variance. Collective. */
static dc_status center_rows(dc_comm *comm, kmeans *a)
{
    dc_status st = DC_OK;
    dc_sum *columns = NULL, *squares = NULL;
    const double N = (double)a->tiles.rows->part->N;
    DC_TRY_ALL(comm, dc_sum_create(&columns, a->tiles.rows->part, (size_t)a->d));
    DC_TRY_ALL(comm, dc_sum_create(&squares, a->tiles.rows->part, 1));
    dc_sum_over_blocks(comm, columns, dc_km_block_columns, &a->tiles, a->total);
    for (int64_t c = 0; c < a->d; c++) a->tiles.shift[c] = (float)(a->total[c] / N);
    dc_sum_over_blocks(comm, squares, dc_km_block_squares, &a->tiles, &a->squares);
    a->tol = a->cfg->tol * a->squares / (N * (double)a->d);
out:
    dc_sum_destroy(&columns);
    dc_sum_destroy(&squares);
    return st;
}

/* ---- One pass ------------------------------------------------------------------------------------------------------
 */

/* Brings sums and counts of slots [s, s + groups) into a->total. Collective. */
static void lloyd_pass(dc_comm *comm, kmeans *a, int64_t s, int64_t groups)
{
    dc_km_lloyd ctx = {&a->tiles, slot_centers(a, s), a->norm + s * a->K, groups};
    dc_sum_over_blocks(comm, a->sum, dc_km_block_lloyd, &ctx, a->total);
}

/* Distances of all rows to the nearest centre of slot s. Collective. */
static void distance_pass(dc_comm *comm, kmeans *a, int64_t s)
{
    dc_km_assign ctx = {&a->tiles, slot_centers(a, s), a->norm + s * a->K, NULL, a->distance};
    dc_sum_over_blocks(comm, a->sum_assign, dc_km_block_assign, &ctx, a->total_assign);
}

/* sum |x|^2 - 2 sum c.S + sum n |c|^2 of one restart. */
static double inertia_of(const kmeans *a, const float *centers, const double *sums, const double *counts)
{
    double inertia = a->squares;
    for (int64_t k = 0; k < a->K; k++) {
        for (int64_t c = 0; c < a->d; c++) {
            const double mu = (double)centers[k * a->d + c];
            inertia += mu * (counts[k] * mu - 2 * sums[k * a->d + c]);
        }
    }
    return inertia;
}

/* Means of the non-empty clusters; returns the squared shift of all centres. */
static double move_centers(const kmeans *a, float *centers, const double *sums, const double *counts)
{
    double shift = 0;
    for (int64_t k = 0; k < a->K; k++) {
        if (counts[k] == 0) continue;
        for (int64_t c = 0; c < a->d; c++) {
            float *mu = &centers[k * a->d + c];
            const float mean = (float)(sums[k * a->d + c] / counts[k]);
            const double diff = (double)mean - (double)*mu;
            shift += diff * diff;
            *mu = mean;
        }
    }
    return shift;
}

/* ---- Empty clusters ------------------------------------------------------------------------------------------------
 */

/* Global row with the largest a->distance (ties: lowest row), -1 if all are 0. Collective. */
static dc_gidx farthest_row(dc_comm *comm, const kmeans *a)
{
    const dc_part *part = a->tiles.rows->part;
    const int64_t n = dc_part_rows(part);
    int64_t local = -1;
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        if ((double)a->distance[i] <= largest) continue;
        largest = (double)a->distance[i];
        local = i;
    }
    const double mine = largest;
    dc_comm_max_f64(comm, &largest, 1);
    if (largest <= 0) return -1;
    dc_gidx row = local >= 0 && mine == largest ? part->row_lo + local : INT64_MAX;
    dc_comm_min_i64(comm, &row, 1);
    return row;
}

/* Moves centre k of slot s to a row, and lowers the distances of all rows to it. Collective. */
static void move_to_row(dc_comm *comm, kmeans *a, int64_t s, int64_t k, dc_gidx row)
{
    const dc_part *part = a->tiles.rows->part;
    const bool mine = row >= part->row_lo && row < part->row_hi;
    float *mu = slot_centers(a, s) + k * a->d;
    memset(mu, 0, (size_t)a->d * sizeof *mu);
    if (mine) dc_km_row(&a->tiles, row - part->row_lo, mu);
    dc_comm_sum_f32(comm, mu, (size_t)a->d);
    float norm;
    dc_km_norms(mu, 1, a->d, &norm);
    dc_km_lower(&a->tiles, mu, &norm, 1, a->distance, a->mass);
    if (mine) a->distance[row - part->row_lo] = 0;
}

/* Gives the empty clusters of slot s, in order, the row that is then farthest from its nearest centre. Collective;
 * returns how many. */
static int64_t reseed(dc_comm *comm, kmeans *a, int64_t s, const double *counts)
{
    int64_t moved = 0;
    update_norms(a, s);
    distance_pass(comm, a, s);
    for (int64_t k = 0; k < a->K; k++) {
        if (counts[k] > 0) continue;
        const dc_gidx row = farthest_row(comm, a);
        if (row < 0) break;
        move_to_row(comm, a, s, k, row);
        moved++;
    }
    return moved;
}

static bool any_empty(const double *counts, int64_t K)
{
    for (int64_t k = 0; k < K; k++)
        if (counts[k] == 0) return true;
    return false;
}

/* ---- Iterations ----------------------------------------------------------------------------------------------------
 */

static void update_slot(dc_comm *comm, kmeans *a, int64_t s, const double *sums, const double *counts)
{
    const double shift = move_centers(a, slot_centers(a, s), sums, counts);
    const int64_t moved = any_empty(counts, a->K) ? reseed(comm, a, s, counts) : 0;
    update_norms(a, s);
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

static void swap_slots(kmeans *a, int64_t s, int64_t t)
{
    if (s == t) return;
    swap_bytes(&a->slots[s], &a->slots[t], sizeof *a->slots);
    swap_bytes(slot_centers(a, s), slot_centers(a, t), (size_t)(a->K * a->d) * sizeof *a->centers);
    swap_bytes(a->norm + s * a->K, a->norm + t * a->K, (size_t)a->K * sizeof *a->norm);
}

/* One iteration of all active restarts. Collective. */
static void iterate(dc_comm *comm, kmeans *a)
{
    for (int64_t s = 0; s < a->active; s += a->per_pass) {
        const int64_t groups = DC_MIN(a->per_pass, a->active - s), Kd = a->K * a->d;
        lloyd_pass(comm, a, s, groups);
        for (int64_t g = 0; g < groups; g++)
            update_slot(comm, a, s + g, a->total + g * Kd, a->total + groups * Kd + g * a->K);
    }
    for (int64_t s = a->active - 1; s >= 0; s--)
        if (a->slots[s].finished) swap_slots(a, s, --a->active);
}

/* Makes room for `restarts` in one reduction. Collective. */
static dc_status resize_pass(dc_comm *comm, kmeans *a, int64_t restarts)
{
    dc_status st = DC_OK;
    const int64_t doubles = a->K * (a->d + 1);
    a->per_pass = DC_MAX(1, DC_MIN(restarts, a->pass_doubles / doubles));
    dc_sum_destroy(&a->sum);
    DC_TRY_ALL(comm, dc_sum_create(&a->sum, a->tiles.rows->part, (size_t)(a->per_pass * doubles)));
out:
    return st;
}

/* Active restarts have done the same number of iterations. */
static bool unfinished(const kmeans *a)
{
    return a->active > 0 && a->slots[0].iterations < a->cfg->max_iter;
}

/* All restarts until they are finished. The reduction is shortened when half of its restarts are. Collective. */
static dc_status iterate_all(dc_comm *comm, kmeans *a)
{
    dc_status st = DC_OK;
    dc_control *control = dc_comm_control(comm);
    if (!unfinished(a)) return DC_OK;
    while (unfinished(a)) {
        dc_control_at(control, dc_control_phase(control), a->slots[0].iterations);
        iterate(comm, a);
        if (a->active > 0 && a->active <= a->per_pass / 2) DC_TRY(resize_pass(comm, a, a->active));
        if (unfinished(a)) DC_TRY(dc_control_poll(comm, control));
    }
    DC_TRY(dc_control_end_phase(comm, control));
out:
    return st;
}

/* ---- Result --------------------------------------------------------------------------------------------------------
 */

/* The slot with the lowest inertia; ties go to the first restart. Collective. */
static int64_t best_slot(dc_comm *comm, kmeans *a)
{
    int64_t best = -1;
    double lowest = INFINITY;
    for (int64_t s = 0; s < a->R; s += a->per_pass) {
        const int64_t groups = DC_MIN(a->per_pass, a->R - s), Kd = a->K * a->d;
        lloyd_pass(comm, a, s, groups);
        for (int64_t g = 0; g < groups; g++) {
            const double *sums = a->total + g * Kd, *counts = a->total + groups * Kd + g * a->K;
            const double inertia = inertia_of(a, slot_centers(a, s + g), sums, counts);
            const bool first = best >= 0 && inertia == lowest && a->slots[s + g].id < a->slots[best].id;
            if (best >= 0 && !(inertia < lowest) && !first) continue;
            best = s + g;
            lowest = inertia;
        }
    }
    return best;
}

/* Centres as they are given out, and labels by these very centres: whoever has them gets the same labels again with
 * dc_nearest(). Collective. */
static void label_rows(dc_comm *comm, kmeans *a, int64_t s, dc_kmeans_result *out)
{
    for (int64_t j = 0; j < a->K * a->d; j++) out->centers[j] = slot_centers(a, s)[j] + a->tiles.shift[j % a->d];
    memset(a->tiles.shift, 0, (size_t)a->d * sizeof *a->tiles.shift);
    dc_km_label ctx = {&a->tiles, out->centers, out->labels};
    dc_sum_over_blocks(comm, a->sum_assign, dc_km_block_label, &ctx, a->total_assign);
    out->inertia = a->total_assign[0];
    for (int64_t k = 0; k < a->K; k++) out->size[k] = (int64_t)a->total_assign[1 + k];
}

static dc_status fill_result(dc_comm *comm, kmeans *a, dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    DC_TRY(resize_pass(comm, a, a->R));
    const int64_t s = best_slot(comm, a);
    out->best = (int)a->slots[s].id;
    out->iterations = (int)a->slots[s].iterations;
    out->converged = a->slots[s].converged;
    out->reseeded = a->reseeded;
    label_rows(comm, a, s, out);
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

/* Makes what moves part of the run's state, under the name of the phase; *resumed: it is that of a checkpoint. */
static dc_status keep_state(kmeans *a, dc_control *c, bool *resumed)
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
        snprintf(name, sizeof name, "%s/%s", dc_control_phase(c), table[i].name);
        DC_TRY(dc_control_keep(c, name, table[i].type, table[i].n, table[i].data, resumed));
    }
out:
    return st;
}

static void drop_state(const kmeans *a, dc_control *c)
{
    const void *const data[] = {a->slots, &a->active, &a->reseeded, a->centers};
    for (size_t i = 0; i < DC_COUNT_OF(data); i++) dc_control_drop(c, data[i]);
}

/* Collective. */
static dc_status start_centers(dc_comm *comm, kmeans *a, const float *start)
{
    dc_status st = DC_OK;
    bool resumed;
    DC_TRY(keep_state(a, dc_comm_control(comm), &resumed));
    if (!start && !resumed) {
        DC_TRY(dc_km_seed(comm, &a->tiles, a->cfg, a->centers));
    } else if (start) {
        for (int64_t j = 0; j < a->R * a->K; j++)
            for (int64_t c = 0; c < a->d; c++) a->centers[j * a->d + c] = start[j * a->d + c] - a->tiles.shift[c];
    }
    for (int64_t s = 0; s < a->R; s++) update_norms(a, s);
out:
    return st;
}

dc_status dc_kmeans_from(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg, int64_t pass_doubles,
                         const float *start, dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    kmeans a = {0};
    *out = (dc_kmeans_result){0};
    DC_TRY_ALL(comm, check_config(rows, cfg));
    DC_TRY_ALL(comm, result_init(out, rows, cfg->K));
    DC_TRY_ALL(comm, kmeans_init(&a, rows, cfg, pass_doubles));
    DC_TRY(center_rows(comm, &a));
    DC_TRY(start_centers(comm, &a, start));
    DC_TRY(resize_pass(comm, &a, a.R));
    DC_TRY(iterate_all(comm, &a));
    DC_TRY(fill_result(comm, &a, out));
out:
    drop_state(&a, dc_comm_control(comm));
    kmeans_release(&a);
    if (st != DC_OK) dc_kmeans_result_release(out);
    return st;
}

dc_status dc_kmeans(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg, dc_kmeans_result *out)
{
    return dc_kmeans_from(comm, rows, cfg, PASS_DOUBLES, NULL, out);
}
