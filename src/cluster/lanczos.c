/* Block Lanczos iteration with thick restarts.
 *
 * The basis V [n x end] holds the known eigenvectors, the kept Ritz vectors and the blocks of the present cycle, the
 * last of which is [at, end). A step multiplies that block, W = A V[at:end]; takes the projection T = V'A V, whose new
 * columns are V'W, in full; and makes what is left of W the next block. So A V = V T + (what is left of the last
 * block), and the residual of a Ritz vector V s is the length of that rest times the last entries of s. When V is full,
 * the largest Ritz vectors replace it. Every dot product is a sum over blocks of rows (sum.h) and T is solved on rank
 * 0, so nothing depends on the number of ranks or threads. Blocks find eigenvalues that occur up to DC_LANCZOS_BLOCK
 * times; those of 1, one for each component of a graph, are known beforehand.
 *
 * Matrices so small that the basis would be all of their space are solved whole, on rank 0. */
#include "lanczos.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"

/* Residuals at which an eigenvector is found. */
static const double TOL = 1e-9;
/* A column that orthogonalisation shrinks below this depends on the basis; the matrix has norm 1. */
static const double DEPENDENT = 1e-13;
enum { PRODUCTS_MAX = 200000, B = DC_LANCZOS_BLOCK };

enum { AT, END, PRODUCTS, DRAWS, N_COUNTS };

typedef struct {
    const dc_lanczos_config *cfg;
    int64_t n, p, ld; /* rows here; columns of a full basis; the same and the next block */
    int64_t keep;     /* Ritz vectors that survive a restart */
    double *V;        /* [n x ld] */
    double *T;        /* [p x p] */
    double *S;        /* [p x p] eigenvectors of T in rows, ascending */
    double *w;        /* [p] its eigenvalues */
    double *x, *y;    /* [n x B] */
    double *total;    /* [sums] */
    dc_sum *sum;
    int64_t count[N_COUNTS];
    /* Of the dot products being summed: */
    const double *right; /* [n x b], leading dimension ld_right */
    int64_t columns, b, ld_right;
} iteration;

static int64_t kept_of(int64_t want)
{
    return want + want / 2 + B;
}

static int64_t full_of(int64_t want)
{
    return 2 * kept_of(want) + 4 * B;
}

static bool is_small(const dc_part *part, int64_t want)
{
    return part->N <= full_of(want) + B;
}

/* Sums of one reduction: a block's products with the basis. */
static size_t sums_of(int64_t want)
{
    return (size_t)((full_of(want) + B) * B);
}

double dc_lanczos_bytes(const dc_part *part, int64_t want)
{
    const double n = (double)dc_part_rows(part), N = (double)part->N, w = (double)want, p = (double)full_of(want);
    const double result = (n + 1) * w * sizeof(double);
    if (is_small(part, want)) return result + 2 * (N * N + n * N) * sizeof(double) + dc_eigh_bytes(part->N);
    return result + (n * (p + 3 * B) + 2 * p * p + p) * sizeof(double) + dc_eigh_bytes((int64_t)p) +
           dc_sum_bytes(part, sums_of(want)) + (double)sums_of(want) * sizeof(double);
}

int64_t dc_lanczos_width(const dc_part *part, int64_t want)
{
    return is_small(part, want) ? part->N : B;
}

double dc_lanczos_saved_bytes(int64_t N, int64_t want)
{
    const double p = (double)full_of(want);
    return ((double)N * (p + B) + p * p) * sizeof(double);
}

/* ---- Dot products ------------------------------------------------------------------------------------------------ */

/* leaf[b x columns]: the columns of `right` times those of the basis. */
static void dot_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const iteration *l = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++) {
        const double *v = l->V + i * l->ld, *r = l->right + i * l->ld_right;
        for (int64_t c = 0; c < l->b; c++)
            for (int64_t a = 0; a < l->columns; a++) leaf[c * l->columns + a] += r[c] * v[a];
    }
}

/* total[b x columns] of the first `columns` columns of the basis. Collective. */
static const double *dots(dc_comm *comm, iteration *l, int64_t columns, const double *right, int64_t b, int64_t ld)
{
    l->columns = columns;
    l->right = right;
    l->b = b;
    l->ld_right = ld;
    dc_sum_over_blocks(comm, l->sum, dot_block, l, l->total);
    return l->total;
}

static void gram_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const iteration *l = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (int64_t c = 0; c < B; c++)
            for (int64_t e = 0; e < B; e++) leaf[c * B + e] += l->y[i * B + c] * l->y[i * B + e];
}

/* ---- Basis ------------------------------------------------------------------------------------------------------- */

/* Makes column `at` of V a unit vector orthogonal to all before it, by Gram and Schmidt until it no longer shrinks;
 * draws another one if nothing is left of it. Collective. */
static void orthonormalise(dc_comm *comm, iteration *l, int64_t at)
{
    for (;;) {
        const double *h = dots(comm, l, at + 1, l->V + at, 1, l->ld);
        const double before = h[at];
        double square = before;
        for (int64_t a = 0; a < at; a++) square -= h[a] * h[a];
        dc_lanczos_subtract(l->n, l->V, l->ld, at, h, 1, l->V + at, l->ld);
        if (!(before > DEPENDENT * DEPENDENT)) {
            dc_lanczos_draw(l->cfg->part, l->V, l->ld, at, l->cfg->seed, ++l->count[DRAWS]);
            continue;
        }
        if (square < 0.5 * before) continue;
        dc_lanczos_scale(l->n, l->V, l->ld, at, 1 / sqrt(square));
        return;
    }
}

static void first_block(dc_comm *comm, iteration *l)
{
    const int64_t known = l->cfg->n_known;
    dc_lanczos_put(l->n, l->cfg->known, known, l->V, l->ld, 0);
    for (int64_t i = 0; i < known; i++) l->T[i * l->p + i] = 1;
    l->count[AT] = known;
    l->count[END] = known + B;
    for (int64_t c = 0; c < B; c++) {
        dc_lanczos_draw(l->cfg->part, l->V, l->ld, known + c, l->cfg->seed, ++l->count[DRAWS]);
        orthonormalise(comm, l, known + c);
    }
}

/* ---- Ritz vectors ------------------------------------------------------------------------------------------------ */

static dc_status solve_on_root(int64_t n, const double *T, int64_t ld, double *S, double *w)
{
    for (int64_t i = 0; i < n; i++) memcpy(S + i * n, T + i * ld, (size_t)n * sizeof *S);
    return dc_eigh(n, S, w);
}

/* S, w of the first n rows and columns of T. Collective. */
static dc_status solve(dc_comm *comm, int64_t n, const double *T, int64_t ld, double *S, double *w)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? solve_on_root(n, T, ld, S, w) : DC_OK);
    dc_comm_bcast(comm, S, (size_t)(n * n) * sizeof *S, 0);
    dc_comm_bcast(comm, w, (size_t)n * sizeof *w, 0);
out:
    return st;
}

/* Turns the order of the last q rows of S around, so that the largest comes first; returns the first of them. */
static double *largest_first(double *S, double *w, int64_t end, int64_t q)
{
    double *rows = S + (end - q) * end, *values = w + end - q;
    for (int64_t i = 0, j = q - 1; i < j; i++, j--) {
        const double v = values[i];
        values[i] = values[j];
        values[j] = v;
        for (int64_t a = 0; a < end; a++) {
            const double s = rows[i * end + a];
            rows[i * end + a] = rows[j * end + a];
            rows[j * end + a] = s;
        }
    }
    return rows;
}

/* Largest residual of the wanted Ritz vectors. gram: of what is left of the last block. */
static double residual_of(const iteration *l, const double *rows, const double gram[B * B])
{
    double most = 0;
    const int64_t end = l->count[END];
    for (int64_t i = 0; i < l->cfg->want; i++) {
        const double *last = rows + i * end + end - B;
        double square = 0;
        for (int64_t c = 0; c < B; c++)
            for (int64_t e = 0; e < B; e++) square += last[c] * gram[c * B + e] * last[e];
        most = fmax(most, square);
    }
    return sqrt(most);
}

static void restart(iteration *l, const double *rows, const double *values)
{
    const int64_t end = l->count[END], q = l->keep;
    dc_lanczos_take(l->n, l->V, l->ld, end, B, l->x); /* the next block */
    dc_lanczos_combine(l->n, l->V, l->ld, end, rows, q, l->V, l->ld);
    dc_lanczos_put(l->n, l->x, B, l->V, l->ld, q);
    memset(l->T, 0, (size_t)(l->p * l->p) * sizeof *l->T);
    for (int64_t i = 0; i < q; i++) l->T[i * l->p + i] = values[i];
    l->count[AT] = q;
    l->count[END] = q + B;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static dc_status check_finite(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return DC_FAIL(DC_ERR_NUMERIC, "a product with the matrix of affinities is not finite");
    return DC_OK;
}

/* Multiplies the last block, extends T, and puts what is left, not yet orthonormal, behind the basis. */
static dc_status extend(dc_comm *comm, iteration *l, double gram[B * B])
{
    dc_status st = DC_OK;
    const int64_t at = l->count[AT], end = l->count[END], p = l->p;
    dc_lanczos_take(l->n, l->V, l->ld, at, B, l->x);
    DC_TRY(l->cfg->multiply(comm, l->cfg->ctx, B, l->x, l->y));
    l->count[PRODUCTS] += B;
    const double *h = dots(comm, l, end, l->y, B, B);
    DC_TRY(check_finite(h, B * end)); /* equal on all ranks */
    for (int64_t c = 0; c < B; c++)
        for (int64_t a = 0; a < end; a++) l->T[a * p + at + c] = l->T[(at + c) * p + a] = h[c * end + a];
    dc_lanczos_subtract(l->n, l->V, l->ld, end, h, B, l->y, B);
    dc_sum_over_blocks(comm, l->sum, gram_block, l, l->total);
    memcpy(gram, l->total, B * B * sizeof *gram);
    dc_lanczos_put(l->n, l->y, B, l->V, l->ld, end);
    for (int64_t c = 0; c < B; c++) orthonormalise(comm, l, end + c);
out:
    return st;
}

static dc_status iterate(dc_comm *comm, iteration *l, dc_lanczos *out)
{
    dc_status st = DC_OK;
    double gram[B * B];
    for (;;) {
        dc_state_at(l->cfg->state, "spectral", l->count[PRODUCTS]);
        DC_TRY(dc_state_poll(comm, l->cfg->state));
        DC_TRY(extend(comm, l, gram));
        if (l->count[END] + B <= l->p) {
            l->count[AT] = l->count[END];
            l->count[END] += B;
            continue;
        }
        const int64_t end = l->count[END];
        DC_TRY(solve(comm, end, l->T, l->p, l->S, l->w));
        const double *rows = largest_first(l->S, l->w, end, l->keep), *values = l->w + end - l->keep;
        out->residual = residual_of(l, rows, gram);
        out->converged = out->residual <= TOL;
        if (out->converged || l->count[PRODUCTS] >= PRODUCTS_MAX) {
            memcpy(out->value, values, (size_t)l->cfg->want * sizeof *values);
            dc_lanczos_combine(l->n, l->V, l->ld, end, rows, l->cfg->want, out->vector, l->cfg->want);
            return DC_OK;
        }
        restart(l, rows, values);
    }
out:
    return st;
}

/* ---- Small matrices ---------------------------------------------------------------------------------------------- */

/* Columns of the matrix, whole on rank 0: a row of `all` for each row. */
static dc_status gather_matrix(dc_comm *comm, const dc_lanczos_config *cfg, double *own, double *x, double *all)
{
    dc_status st = DC_OK;
    const dc_part *part = cfg->part;
    const int64_t n = dc_part_rows(part), N = part->N;
    size_t *bytes = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&bytes, (size_t)part->P, sizeof *bytes, "rank table"));
    for (int r = 0; r < part->P; r++) bytes[r] = (size_t)(dc_part_rank_rows(part, r) * N) * sizeof *own;
    for (int64_t i = 0; i < n; i++) x[i * N + part->row_lo + i] = 1;
    DC_TRY(cfg->multiply(comm, cfg->ctx, N, x, own));
    dc_comm_allgatherv(comm, own, all, bytes);
    DC_TRY(check_finite(all, N * N));
out:
    dc_mem_free(&bytes);
    return st;
}

static dc_status solve_small(dc_comm *comm, const dc_lanczos_config *cfg, dc_lanczos *out)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(cfg->part), N = cfg->part->N, want = cfg->want;
    double *own = NULL, *x = NULL, *all = NULL, *S = NULL, *w = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&own, (size_t)(n * N), sizeof *own, "rows of a matrix"));
    DC_TRY_ALL(comm, dc_mem_alloc(&x, (size_t)(n * N), sizeof *x, "unit vectors"));
    DC_TRY_ALL(comm, dc_mem_alloc(&all, (size_t)(N * N), sizeof *all, "a small matrix"));
    DC_TRY_ALL(comm, dc_mem_alloc(&S, (size_t)(N * N), sizeof *S, "eigenvectors"));
    DC_TRY_ALL(comm, dc_mem_alloc(&w, (size_t)N, sizeof *w, "eigenvalues"));
    DC_TRY(gather_matrix(comm, cfg, own, x, all));
    DC_TRY(solve(comm, N, all, N, S, w));
    out->products = N;
    out->converged = true;
    for (int64_t j = 0; j < want; j++) {
        out->value[j] = w[N - 1 - j];
        for (int64_t i = 0; i < n; i++) out->vector[i * want + j] = S[(N - 1 - j) * N + cfg->part->row_lo + i];
    }
out:
    dc_mem_free(&own);
    dc_mem_free(&x);
    dc_mem_free(&all);
    dc_mem_free(&S);
    dc_mem_free(&w);
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static dc_status take(iteration *l)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)l->n, p = (size_t)l->p;
    DC_TRY(dc_mem_alloc(&l->V, dc_mul_size(n, (size_t)l->ld), sizeof *l->V, "Lanczos basis"));
    DC_TRY(dc_mem_alloc(&l->T, p * p, sizeof *l->T, "Lanczos projection"));
    DC_TRY(dc_mem_alloc(&l->S, p * p, sizeof *l->S, "Lanczos projection"));
    DC_TRY(dc_mem_alloc(&l->w, p, sizeof *l->w, "Lanczos projection"));
    DC_TRY(dc_mem_alloc(&l->x, n * B, sizeof *l->x, "Lanczos block"));
    DC_TRY(dc_mem_alloc(&l->y, n * B, sizeof *l->y, "Lanczos block"));
    DC_TRY(dc_mem_alloc(&l->total, sums_of(l->cfg->want), sizeof *l->total, "dot products"));
    DC_TRY(dc_sum_create(&l->sum, l->cfg->part, sums_of(l->cfg->want)));
out:
    return st;
}

static void release(iteration *l)
{
    dc_state *s = l->cfg->state;
    dc_state_drop(s, l->V);
    dc_state_drop(s, l->T);
    dc_state_drop(s, l->count);
    dc_mem_free(&l->V);
    dc_mem_free(&l->T);
    dc_mem_free(&l->S);
    dc_mem_free(&l->w);
    dc_mem_free(&l->x);
    dc_mem_free(&l->y);
    dc_mem_free(&l->total);
    dc_sum_destroy(&l->sum);
}

static dc_status check_count(const iteration *l)
{
    const int64_t at = l->count[AT], end = l->count[END];
    if (at >= 0 && end == at + B && end <= l->p && l->count[PRODUCTS] >= 0 && l->count[DRAWS] >= B) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's Lanczos iteration fits no state of this run");
}

static dc_status keep(dc_comm *comm, iteration *l, bool *continues)
{
    dc_status st = DC_OK;
    dc_state *s = l->cfg->state;
    DC_TRY(dc_state_keep_rows(comm, s, "spectral/basis", DC_STATE_F64, (size_t)l->ld, l->cfg->part, l->V));
    DC_TRY(dc_state_keep(comm, s, "spectral/projection", DC_STATE_F64, (size_t)(l->p * l->p), l->T, NULL));
    DC_TRY(dc_state_keep(comm, s, "spectral/count", DC_STATE_I64, N_COUNTS, l->count, continues));
    if (*continues) DC_TRY(check_count(l));
out:
    return st;
}

/* The row with the component of largest magnitude of each vector, the first among equals, decides the sign. */
static void orient(dc_comm *comm, const dc_part *part, int64_t want, double *vector, double *most, int64_t *row)
{
    const int64_t n = dc_part_rows(part);
    for (int64_t j = 0; j < want; j++) {
        most[j] = 0;
        for (int64_t i = 0; i < n; i++) most[j] = fmax(most[j], fabs(vector[i * want + j]));
    }
    dc_comm_max_f64(comm, most, (size_t)want);
    for (int64_t j = 0; j < want; j++) {
        row[j] = INT64_MAX;
        for (int64_t i = n - 1; i >= 0; i--)
            if (fabs(vector[i * want + j]) == most[j]) row[j] = part->row_lo + i;
    }
    dc_comm_min_i64(comm, row, (size_t)want);
    for (int64_t j = 0; j < want; j++) {
        const bool here = row[j] >= part->row_lo && row[j] < part->row_hi;
        row[j] = here && vector[(row[j] - part->row_lo) * want + j] < 0;
    }
    dc_comm_sum_i64(comm, row, (size_t)want);
    for (int64_t j = 0; j < want; j++)
        for (int64_t i = 0; row[j] && i < n; i++) vector[i * want + j] = -vector[i * want + j];
}

static void take_known(const dc_lanczos_config *cfg, dc_lanczos *out)
{
    const size_t values = (size_t)(dc_part_rows(cfg->part) * cfg->want);
    for (int64_t j = 0; j < cfg->want; j++) out->value[j] = 1;
    if (values) memcpy(out->vector, cfg->known, values * sizeof *out->vector);
    out->converged = true;
}

static dc_status find(dc_comm *comm, iteration *l, dc_lanczos *out)
{
    dc_status st = DC_OK;
    bool continues = false;
    if (l->cfg->n_known == l->cfg->want) {
        take_known(l->cfg, out);
        return DC_OK;
    }
    if (is_small(l->cfg->part, l->cfg->want)) return solve_small(comm, l->cfg, out);
    l->keep = kept_of(l->cfg->want);
    l->p = full_of(l->cfg->want);
    l->ld = l->p + B;
    DC_TRY_ALL(comm, take(l));
    DC_TRY(keep(comm, l, &continues));
    if (!continues) first_block(comm, l);
    DC_TRY(iterate(comm, l, out));
    out->products = l->count[PRODUCTS];
out:
    return st;
}

dc_status dc_lanczos_run(dc_comm *comm, const dc_lanczos_config *cfg, dc_lanczos *out)
{
    dc_status st = DC_OK;
    iteration l = {.cfg = cfg, .n = dc_part_rows(cfg->part)};
    const size_t want = (size_t)cfg->want;
    double *most = NULL;
    int64_t *row = NULL;
    *out = (dc_lanczos){.products = 0};
    DC_ASSERT(cfg->want >= 1 && cfg->want <= cfg->part->N && cfg->want <= DC_LANCZOS_WANT_MAX &&
              cfg->n_known <= cfg->want);
    DC_TRY_ALL(comm, dc_mem_alloc(&out->value, want, sizeof *out->value, "eigenvalues"));
    DC_TRY_ALL(comm, dc_mem_alloc(&out->vector, dc_mul_size((size_t)l.n, want), sizeof *out->vector, "eigenvectors"));
    DC_TRY_ALL(comm, dc_mem_alloc(&most, want, sizeof *most, "signs"));
    DC_TRY_ALL(comm, dc_mem_alloc(&row, want, sizeof *row, "signs"));
    DC_TRY(find(comm, &l, out));
    orient(comm, cfg->part, cfg->want, out->vector, most, row);
out:
    release(&l);
    dc_mem_free(&most);
    dc_mem_free(&row);
    if (st != DC_OK) dc_lanczos_release(out);
    return st;
}

void dc_lanczos_release(dc_lanczos *l)
{
    dc_mem_free(&l->value);
    dc_mem_free(&l->vector);
}
