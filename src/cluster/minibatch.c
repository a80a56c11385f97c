/* Mini-batch k-means: the start, the passes, and the state that checkpoints keep. A step is in minibatch_kern.c. */
#include "minibatch_impl.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"

/* The first centres are those of so many iterations on the rows of the first batches. */
enum { START_ITERATIONS = 10, START_ROWS_PER_CLUSTER = 3, SHARD_ROWS = 256 };

/* What is kept of the progress. */
enum { STEP, CONVERGED, PROGRESS_VALUES };

typedef struct {
    const dc_rows *rows;
    const dc_row_batches *batches;
    const dc_kmeans_config *cfg;
    int64_t K, d;
    int64_t *row;   /* [capacity] of this rank in a batch */
    float *X;       /* [B x d] a batch, equal on all ranks */
    int32_t *label; /* [B] */
    size_t *bytes;  /* [P] */
    dc_part own;    /* this rank's rows of the batch */
    dc_rows own_rows;
    dc_km_tiles tiles; /* of own_rows */
    dc_km_centers images;
    double *leaf;
    double *sum;             /* [K x d] */
    int64_t *more;           /* [K] */
    float *centers, *before; /* [K x d] now and at the start of the pass */
    int64_t *count;          /* [K] rows that each centre stands for */
    int64_t progress[PROGRESS_VALUES];
    double tol; /* limit on the squared shift over a pass */
} fitting;

static dc_status fitting_init(fitting *f)
{
    dc_status st = DC_OK;
    const dc_row_batches *b = f->batches;
    const size_t B = (size_t)b->B, K = (size_t)f->K, d = (size_t)f->d, values = dc_mul_size(K, d);
    DC_TRY(dc_mem_alloc(&f->row, (size_t)b->capacity, sizeof *f->row, "rows of a batch"));
    DC_TRY(dc_mem_alloc(&f->X, dc_mul_size(B, d), sizeof *f->X, "batch"));
    DC_TRY(dc_mem_alloc(&f->label, B, sizeof *f->label, "labels of a batch"));
    DC_TRY(dc_mem_alloc(&f->bytes, (size_t)f->rows->part->P, sizeof *f->bytes, "rank table"));
    f->own_rows = (dc_rows){.part = &f->own, .d = f->d, .X = f->X};
    DC_TRY(dc_km_tiles_init(&f->tiles, &f->own_rows, f->K, 1));
    DC_TRY(dc_km_runs_init(&f->images, &f->tiles, f->K, f->K));
    DC_TRY(dc_mem_alloc(&f->leaf, (size_t)f->tiles.n_threads, dc_mul_size(K + 1, sizeof *f->leaf), "k-means sizes"));
    DC_TRY(dc_mem_alloc(&f->sum, values, sizeof *f->sum, "k-means sums"));
    DC_TRY(dc_mem_alloc(&f->more, K, sizeof *f->more, "k-means sizes"));
    DC_TRY(dc_mem_alloc(&f->centers, values, sizeof *f->centers, "k-means centres"));
    DC_TRY(dc_mem_alloc(&f->before, values, sizeof *f->before, "k-means centres"));
    DC_TRY(dc_mem_alloc(&f->count, K, sizeof *f->count, "k-means sizes"));
out:
    return st;
}

static void fitting_release(fitting *f)
{
    dc_mem_free(&f->row);
    dc_mem_free(&f->X);
    dc_mem_free(&f->label);
    dc_mem_free(&f->bytes);
    dc_km_tiles_release(&f->tiles);
    dc_km_centers_release(&f->images);
    dc_mem_free(&f->leaf);
    dc_mem_free(&f->sum);
    dc_mem_free(&f->more);
    dc_mem_free(&f->centers);
    dc_mem_free(&f->before);
    dc_mem_free(&f->count);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

/* Gives all ranks an array of `width` bytes per row of the batch, of which each has its own rows' part. Collective. */
static void gather(dc_comm *comm, fitting *f, int64_t step, size_t width, void *array)
{
    const dc_row_batches *b = f->batches;
    const int rank = f->rows->part->rank;
    for (int r = 0; r < f->rows->part->P; r++)
        f->bytes[r] = (size_t)(b->below(b->ctx, step, r + 1) - b->below(b->ctx, step, r)) * width;
    if (f->rows->part->P > 1)
        dc_comm_allgatherv(comm, (char *)array + (size_t)b->below(b->ctx, step, rank) * width, array, f->bytes);
}

/* Brings the rows of a batch to X[rows x d] on all ranks. Collective. */
static void read_batch(dc_comm *comm, fitting *f, int64_t step, float *X)
{
    const dc_row_batches *b = f->batches;
    const dc_rows *rows = f->rows;
    const int64_t d = f->d, n = b->rows(b->ctx, step, f->row);
    float *own = X + b->below(b->ctx, step, rows->part->rank) * d;
    for (int64_t i = 0; i < n; i++)
        if (rows->X)
            memcpy(own + i * d, rows->X + f->row[i] * d, (size_t)d * sizeof *own);
        else
            rows->rows(rows->ctx, f->row[i], 1, own + i * d);
    gather(comm, f, step, (size_t)d * sizeof *X, X);
}

/* Collective. */
static void take_step(dc_comm *comm, fitting *f, int64_t step)
{
    const dc_row_batches *b = f->batches;
    const int rank = f->rows->part->rank;
    const int64_t first = b->below(b->ctx, step, rank), n = b->below(b->ctx, step, rank + 1) - first,
                  all = b->below(b->ctx, step, f->rows->part->P);
    read_batch(comm, f, step, f->X);
    f->own_rows.X = f->X + first * f->d;
    dc_km_project(&f->tiles, f->centers, f->K, &f->images);
    dc_mb_label(&f->tiles, &f->images, n, f->label + first, f->leaf);
    gather(comm, f, step, sizeof *f->label, f->label);
    dc_mb_move(f->cfg, f->X, f->label, all, f->d, f->centers, f->count, f->sum, f->more);
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

static int64_t start_steps(const fitting *f)
{
    const dc_row_batches *b = f->batches;
    const int64_t wanted = DC_MAX(START_ROWS_PER_CLUSTER * f->K, 3 * b->B);
    return DC_MIN((wanted + b->B - 1) / b->B, b->per_pass);
}

static int64_t start_rows(const fitting *f)
{
    return DC_MIN(start_steps(f) * f->batches->B, f->rows->part->N);
}

/* Sets shift and unit of the products, and the tolerance, by the rows of the start. */
static void take_scale(fitting *f, const float *X, int64_t n)
{
    double squares = 0;
    for (int64_t c = 0; c < f->d; c++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += (double)X[i * f->d + c];
        f->tiles.shift[c] = (float)(sum / (double)n);
    }
    for (int64_t i = 0; i < n; i++) squares += dc_km_distance(X + i * f->d, f->tiles.shift, f->d);
    const double variance = squares / ((double)n * (double)f->d);
    f->tol = f->cfg->tol * variance;
    f->tiles.unit = dc_km_unit_of(sqrt(variance));
}

static dc_status start_part(const fitting *f, int64_t n, dc_part *part)
{
    const dc_part *all = f->rows->part;
    int V = 1;
    while (V < all->P || (V < all->V && (int64_t)V * 2 * SHARD_ROWS <= n)) V *= 2;
    return dc_part_init(part, n, V, all->P, all->rank);
}

/* Reads the rows of the start, and, if there are no centres yet, finds the first. Collective. */
static dc_status start(dc_comm *comm, fitting *f, bool resumed)
{
    dc_status st = DC_OK;
    float *X = NULL;
    dc_part part;
    dc_kmeans_result r = {0};
    dc_kmeans_config cfg = *f->cfg;
    const int64_t n = start_rows(f), d = f->d;
    DC_TRY_ALL(comm, dc_mem_alloc(&X, (size_t)n, dc_mul_size((size_t)d, sizeof *X), "rows of the first batches"));
    for (int64_t t = 0; t < start_steps(f); t++) read_batch(comm, f, t, X + t * f->batches->B * d);
    take_scale(f, X, n);
    if (resumed) goto out;
    DC_TRY_ALL(comm, start_part(f, n, &part));
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * d, &d);
    cfg.max_iter = START_ITERATIONS;
    cfg.state = NULL;
    cfg.quiet = true;
    DC_TRY(dc_kmeans(comm, &rows, &cfg, &r));
    memcpy(f->centers, r.centers, (size_t)(f->K * d) * sizeof *f->centers);
    memcpy(f->before, r.centers, (size_t)(f->K * d) * sizeof *f->before);
out:
    dc_kmeans_result_release(&r);
    dc_mem_free(&X);
    return st;
}

/* ---- Passes ------------------------------------------------------------------------------------------------------ */

static dc_status keep_state(dc_comm *comm, fitting *f, bool *resumed)
{
    dc_status st = DC_OK;
    const size_t values = (size_t)(f->K * f->d);
    dc_state *s = f->cfg->state;
    DC_TRY(dc_state_keep(comm, s, "batches/progress", DC_STATE_I64, PROGRESS_VALUES, f->progress, resumed));
    DC_TRY(dc_state_keep(comm, s, "batches/count", DC_STATE_I64, (size_t)f->K, f->count, resumed));
    DC_TRY(dc_state_keep(comm, s, "batches/centers", DC_STATE_F32, values, f->centers, resumed));
    DC_TRY(dc_state_keep(comm, s, "batches/before", DC_STATE_F32, values, f->before, resumed));
    if (f->progress[STEP] < 0 || f->progress[STEP] > f->batches->per_pass * (int64_t)f->cfg->max_iter)
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's batches of k-means do not fit any state of this run");
out:
    return st;
}

static void drop_state(fitting *f)
{
    const void *const data[] = {f->progress, f->count, f->centers, f->before};
    for (size_t i = 0; i < DC_COUNT_OF(data); i++) dc_state_drop(f->cfg->state, data[i]);
}

/* Ends a pass: whether the centres hardly moved in it. */
static void end_pass(fitting *f)
{
    double shift = 0;
    for (int64_t i = 0; i < f->K * f->d; i++) {
        const double diff = (double)f->centers[i] - (double)f->before[i];
        shift += diff * diff;
    }
    f->progress[CONVERGED] = shift <= f->tol;
    memcpy(f->before, f->centers, (size_t)(f->K * f->d) * sizeof *f->before);
}

static bool unfinished(const fitting *f)
{
    return !f->progress[CONVERGED] && f->progress[STEP] < f->batches->per_pass * (int64_t)f->cfg->max_iter;
}

static dc_status run_passes(dc_comm *comm, fitting *f)
{
    dc_status st = DC_OK;
    dc_state *state = f->cfg->state;
    if (!unfinished(f)) return DC_OK;
    while (unfinished(f)) {
        dc_state_at(state, dc_state_phase(state), f->progress[STEP]);
        take_step(comm, f, f->progress[STEP]++);
        if (f->progress[STEP] % f->batches->per_pass == 0) end_pass(f);
        if (unfinished(f)) DC_TRY(state ? dc_state_poll(comm, state) : dc_wish_poll_stop(comm));
    }
    DC_TRY(dc_state_end_phase(comm, state));
out:
    return st;
}

/* Labels all rows. Collective. */
static dc_status label_rows(dc_comm *comm, const fitting *f, dc_kmeans_result *out)
{
    dc_kmeans_config cfg = *f->cfg;
    cfg.n_init = 1;
    cfg.max_iter = 0;
    cfg.first = f->centers;
    cfg.state = NULL;
    const dc_status st = dc_kmeans(comm, f->rows, &cfg, out);
    out->iterations = (int)(f->progress[STEP] / f->batches->per_pass);
    out->converged = f->progress[CONVERGED];
    return st;
}

dc_status dc_minibatch(dc_comm *comm, const dc_rows *rows, const dc_row_batches *batches, const dc_kmeans_config *cfg,
                       dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    bool resumed = false;
    fitting f = {.rows = rows, .batches = batches, .cfg = cfg, .K = cfg->K, .d = rows->d};
    *out = (dc_kmeans_result){0};
    DC_ASSERT(!rows->csr && !cfg->first);
    DC_TRY_ALL(comm, fitting_init(&f));
    DC_TRY(keep_state(comm, &f, &resumed));
    DC_TRY(start(comm, &f, resumed));
    DC_TRY(run_passes(comm, &f));
    DC_TRY(label_rows(comm, &f, out));
    if (!cfg->quiet)
        dc_log("k-means   batches of %lld rows, %d passes of %lld, inertia %.9g", (long long)batches->B,
               out->iterations, (long long)batches->per_pass, out->inertia);
out:
    drop_state(&f);
    fitting_release(&f);
    return st;
}

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

static dc_status measure(fitting *f, double *bytes)
{
    const size_t before = dc_mem_current_bytes();
    const dc_status st = fitting_init(f);
    *bytes = (double)(dc_mem_current_bytes() - before);
    return st;
}

dc_status dc_minibatch_needs_of(dc_comm *comm, const dc_part *part, int64_t d, const dc_row_batches *batches,
                                const dc_kmeans_config *cfg, dc_kmeans_needs *out)
{
    dc_status st = DC_OK;
    const dc_rows rows = {.part = part, .d = d};
    fitting f = {.rows = &rows, .batches = batches, .cfg = cfg, .K = cfg->K, .d = d};
    dc_kmeans_config last = *cfg;
    dc_kmeans_needs first, of_all;
    dc_part sample;
    double held;
    last.n_init = 1;
    dc_mem_rehearse(true);
    DC_TRY_ALL(comm, measure(&f, &held));
    const int64_t n = start_rows(&f);
    DC_TRY_ALL(comm, start_part(&f, n, &sample));
    DC_TRY(dc_kmeans_needs_of(comm, &sample, d, NULL, cfg, &first));
    DC_TRY(dc_kmeans_needs_of(comm, part, d, NULL, &last, &of_all));
    out->bytes = held + fmax(first.bytes + (double)n * (double)d * sizeof(float), of_all.bytes);
    out->result_bytes = of_all.result_bytes;
    out->saved_bytes = (double)cfg->K * (sizeof(int64_t) + 2 * (double)d * sizeof(float)) + sizeof f.progress;
out:
    fitting_release(&f);
    dc_mem_rehearse(false);
    return st;
}
