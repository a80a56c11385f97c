/* Which grid of ranks solves a problem, and what memory that takes: integer arithmetic in 64 bits, no communication.
 *
 * ScaLAPACK counts the elements of a rank and of its workspace in 32 bits, and some of its routines return the size
 * that they want as a float. So the sizes are computed here, by the formulas in the headers of its routines, and
 * problems that do not fit are refused. Where these formulas are too small for what the routines call (pdormtr, for
 * matrices smaller than a block), the need of the callee is added. */
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "la/dla_impl.h"

/* ScaLAPACK computes with N + (a few blocks) in int. */
static const dc_gidx ORDER_MAX = INT32_MAX - (1 << 20);
static const int64_t ELEMENTS_MAX = INT32_MAX;
enum { RANKS_MAX = 65536 };
/* Eigenvectors of a cluster of eigenvalues that pdsyevx makes orthogonal; if more are wanted, it is not chosen. */
enum { CLUSTER_MAX = 1024 };
/* Elements of a window: 8 MiB. */
enum { WINDOW_ELEMENTS = 1 << 20 };

static int64_t block_set;

void dc_dla_set_block(int64_t block)
{
    block_set = block;
}

const char *dc_dla_driver_name(dc_dla_driver driver)
{
    static const char *const names[] = {"auto", "pdsyevr", "pdsyevx", "pdsyevd"};
    return names[driver];
}

/* ---- Grid -------------------------------------------------------------------------------------------------------- */

/* Seconds for the reduction to tridiagonal form, the longest part: work per rank, matrix elements that its row and
 * column of the grid receive, and messages per column. The rates are orders of magnitude; they decide only whether some
 * ranks should stay idle. */
static double seconds_on(double N, double rows, double columns)
{
    const double flop_per_s = 5e9, bytes_per_s = 5e8, latency_s = 2e-6;
    return 4.0 / 3 * N * N * N / (rows * columns * flop_per_s) +
           4 * N * N * (1 / rows + 1 / columns - 2 / (rows * columns)) / bytes_per_s +
           6 * N * log2(rows * columns) * latency_s;
}

/* A block per rank at least, and not more columns than the rank count leaves. */
static void choose_grid(dc_gidx N, int P, dc_dla_plan *plan)
{
    const int64_t blocks = (N + plan->block - 1) / plan->block;
    double best = INFINITY;
    plan->grid_rows = plan->grid_columns = 1;
    for (int rows = 1; (int64_t)rows * rows <= P && rows <= blocks; rows++) {
        const int columns = (int)DC_MIN((int64_t)P / rows, blocks);
        for (int c = columns; c >= rows; c = block_set ? rows - 1 : c / 2) {
            const double seconds = block_set ? -(double)(rows * c) : seconds_on((double)N, rows, c);
            if (seconds >= best) continue;
            best = seconds;
            plan->grid_rows = rows;
            plan->grid_columns = c;
        }
    }
}

/* ---- Workspace --------------------------------------------------------------------------------------------------- */

/* pdsyevr gives pdormtr too little workspace for fewer vectors than a block, and does not notice its refusal. */
int64_t dc_dla_computed(dc_dla_driver driver, dc_gidx N, int64_t k, int64_t block)
{
    return driver == DC_DLA_EVD ? N : driver == DC_DLA_EVR ? DC_MAX(k, DC_MIN(N, block)) : k;
}

char dc_dla_triangle(dc_gidx N, const dc_dla_plan *plan)
{
    return plan->grid_rows * plan->grid_columns < 4 && N > 46000 ? 'U' : 'L';
}

/* Of pdsyntrd, so that it takes its faster code: a second copy of the matrix on a square grid. */
static int64_t reduction_work(dc_gidx N, const dc_dla_plan *plan)
{
    enum { ANB = 16 }; /* pjlaenv(3, "PDSYTTRD") */
    if (dc_dla_triangle(N, plan) == 'U') return 0;
    const int side = (int)sqrt((double)plan->grid_rows * plan->grid_columns);
    const int64_t nps = DC_MAX((N + side - 1) / side, (int64_t)2 * ANB);
    return 2 * (ANB + 1) * (4 * nps + 2) + (nps + 4) * nps;
}

dc_dla_workspace dc_dla_workspace_of(dc_dla_driver driver, dc_gidx N, int64_t k, const dc_dla_plan *plan)
{
    const int64_t nb = plan->block, nn = DC_MAX(N, DC_MAX(nb, (int64_t)2)),
                  ranks = plan->grid_rows * plan->grid_columns;
    const int64_t np = dc_dla_count(nn, nb, 0, plan->grid_rows), nq = dc_dla_count(nn, nb, 0, plan->grid_columns);
    const int64_t kq = dc_dla_count(DC_MAX(k, DC_MAX(nb, (int64_t)2)), nb, 0, plan->grid_columns);
    const int64_t transform = (np + nq + nb) * nb + nb * nb, share = (k + ranks - 1) / ranks;
    const int64_t nnp = DC_MAX(N, DC_MAX(ranks + 1, (int64_t)4));
    int64_t work = 0, integers = 0;
    if (driver == DC_DLA_EVX) {
        const int64_t cluster = DC_MIN(k, (int64_t)CLUSTER_MAX);
        work = 5 * N + DC_MAX(DC_MAX(5 * nn, np * kq + 2 * nb * nb), transform) + (share + cluster) * nn;
        integers = 6 * nnp + 2 * N + 3 * ranks + 16;
    } else if (driver == DC_DLA_EVR) {
        work = 3 + 5 * N + DC_MAX(DC_MAX(18 * nn, np * kq + 2 * nb * nb), transform) + (share + 2) * nn;
        integers = 12 * nnp + 2 * N + 2 * ranks;
    } else {
        work = DC_MAX(DC_MAX(1 + 6 * N + 2 * np * nq, 3 * N + DC_MAX(nb * (np + 1), 3 * nb)), transform) + 2 * N;
        integers = 7 * N + 8 * plan->grid_columns + 2;
    }
    if (driver != DC_DLA_EVD) work = DC_MAX(work, 5 * N + 3 + reduction_work(N, plan));
    return (dc_dla_workspace){work, integers};
}

/* Measured, order 1500, affinities of uniform rows, float64, one rank (other work on the machine): seconds for
 *   k        50    150    500   1500
 *   pdsyevr  1.44  1.91   3.27  7.36
 *   pdsyevx  1.65  1.85   3.61  (order 2000: 34, against 9 of pdsyevd)
 *   pdsyevd  4.28  4.24   5.36  (order 2000: 9.4)
 * pdsyevr's vectors are orthogonal to 1e-13, the others' to 5e-15, and it fails on some tiny matrices. So it is not
 * worth its few percent. */
static dc_dla_driver choose_driver(const dc_dla_want *want, dc_gidx N, int64_t k)
{
    if (want->driver != DC_DLA_AUTO) return want->driver;
    return k > N / 3 || k > CLUSTER_MAX ? DC_DLA_EVD : DC_DLA_EVX;
}

/* ---- Buffers ----------------------------------------------------------------------------------------------------- */

int64_t dc_dla_stream_rows(int64_t d)
{
    return DC_MAX(DC_MIN((1 << 21) / DC_MAX(d, (int64_t)1), (int64_t)1024), (int64_t)16);
}

/* All ranks may send to the same row of the grid, so more rows of the grid make the window smaller. */
int64_t dc_dla_window_rows(dc_gidx N, int grid_rows)
{
    return DC_MAX(WINDOW_ELEMENTS / (N * grid_rows), (int64_t)1);
}

int64_t dc_dla_window_columns(int64_t rows)
{
    return DC_MAX(WINDOW_ELEMENTS / DC_MAX(rows, (int64_t)1), (int64_t)1);
}

int64_t dc_dla_svd_columns(int64_t d, int64_t k)
{
    return d <= DC_DLA_SVD_MAX ? d : k;
}

/* Bytes of the buffers of a dc_dla_mover on the rank with the largest share. */
static double mover_bytes(dc_gidx N, int64_t rows, int64_t columns, int64_t most_rows, const dc_dla_plan *plan, int P)
{
    const int64_t of_rows = DC_MIN(rows, most_rows), nb = plan->block;
    const int64_t held = DC_MIN(dc_dla_count(N, nb, 0, plan->grid_rows), P * of_rows);
    const int64_t wide = DC_MIN((columns / (nb * plan->grid_columns) + 1) * nb, columns);
    return ((double)of_rows * (double)columns + (double)held * (double)wide) * sizeof(double) +
           2 * sizeof(size_t) * (double)P;
}

/* Upper bound on the rows of a rank. */
static int64_t most_rows(dc_gidx N, int shards, int P)
{
    return ((shards + P - 1) / P) * ((N + shards - 1) / shards);
}

static double stream_bytes(const dc_dla_size *s, int64_t np, int64_t nq, const dc_dla_plan *plan, int P)
{
    const double d = (double)s->d, chunk = (double)dc_dla_stream_rows(s->d), threads = omp_get_max_threads();
    const double item = (double)dc_dtype_bytes(s->want.dtype);
    if (s->d == 0) {
        const int64_t rows = DC_MIN(dc_dla_window_rows(s->N, plan->grid_rows), most_rows(s->N, s->shards, P));
        return (double)rows * (double)s->N * sizeof(double) +
               mover_bytes(s->N, rows, s->N, most_rows(s->N, s->shards, P), plan, P);
    }
    if (s->rows > 0) return chunk * d * sizeof(float) + chunk * (double)(np + nq) * item;
    return (chunk + (double)nq) * d * sizeof(float) + chunk * d * sizeof(double) +
           threads * DC_DLA_TILE * (chunk + d) * sizeof(double) + (double)s->N * 2 * sizeof(double);
}

/* ---- Plans ------------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_dla_plan plan;
    double most_elements; /* of an array that ScaLAPACK counts in 32 bits */
} sizes;

/* Bytes of an array of block-cyclic columns. */
static double blocks_bytes(sizes *z, int64_t np, dc_gidx columns, const dc_dla_size *s)
{
    const int64_t kq = dc_dla_count(columns, z->plan.block, 0, z->plan.grid_columns);
    const double elements = (double)np * (double)DC_MAX(kq, (int64_t)1);
    z->most_elements = fmax(z->most_elements, elements);
    return elements * (double)dc_dtype_bytes(s->want.dtype);
}

static void size_eigen(const dc_dla_size *s, int P, int64_t np, sizes *z)
{
    dc_dla_plan *plan = &z->plan;
    const double item = (double)dc_dtype_bytes(s->want.dtype);
    const int64_t k = s->want.which == DC_DLA_ALL ? s->N : s->want.k, rows = most_rows(s->N, s->shards, P);
    const int64_t window = DC_MIN(dc_dla_window_columns(DC_MAX(rows, np)), k),
                  checked = DC_MIN(k, (int64_t)DC_DLA_CHECKED);
    plan->driver = choose_driver(&s->want, s->N, k);
    const int64_t computed = dc_dla_computed(plan->driver, s->N, k, plan->block);
    const dc_dla_workspace w = dc_dla_workspace_of(plan->driver, s->N, computed, plan);
    z->most_elements = fmax(z->most_elements, (double)w.work);
    const double cyclic = blocks_bytes(z, np, computed, s);
    const double owned = (double)rows * (double)k * sizeof(double) + (double)k * sizeof(double);
    const double small = (double)s->N * (3 * item + sizeof(int)) + (double)rows * sizeof(double);
    const double check = blocks_bytes(z, np, checked, s) + (double)k * (double)checked * item;
    const double move = mover_bytes(s->N, rows, window, rows, plan, P);
    /* pdtrmr2d, by which pdsyntrd moves the triangle, packs it: measured. */
    if (plan->driver != DC_DLA_EVD && dc_dla_triangle(s->N, plan) == 'L') plan->inside = plan->matrix / 2;
    plan->workspace = (double)w.work * item + (double)w.integers * sizeof(int) + small + plan->inside;
    plan->vectors = cyclic + owned;
    plan->redistribution = fmax(plan->redistribution, move);
    plan->peak = fmax(plan->peak, plan->matrix + cyclic + fmax(plan->workspace, check + small));
    plan->peak = fmax(plan->peak, cyclic + owned + small + move);
}

static void size_solve(const dc_dla_size *s, int P, int64_t np, sizes *z)
{
    dc_dla_plan *plan = &z->plan;
    const int64_t m = s->task == DC_DLA_CHOLESKY ? s->N : s->k, rows = most_rows(s->N, s->shards, P);
    const double sides = s->task == DC_DLA_CHOLESKY ? 0 : blocks_bytes(z, np, m, s);
    plan->vectors = 2 * sides;
    plan->workspace = (double)(8 * s->N) * sizeof(double);
    const int64_t window = DC_MIN(dc_dla_window_columns(DC_MAX(rows, np)), m);
    const double move = mover_bytes(s->N, rows, window, rows, plan, P);
    plan->redistribution = fmax(plan->redistribution, move);
    plan->peak = fmax(plan->peak, plan->matrix + plan->vectors + plan->workspace + move);
}

/* First pass as an eigenproblem, then the columns Z V, and what of the small problem every rank holds. */
static void size_svd(const dc_dla_size *s, int P, int64_t np, sizes *z)
{
    dc_dla_plan *plan = &z->plan;
    dc_dla_size first = *s;
    const int64_t kept = dc_dla_svd_columns(s->N, s->k), n = most_rows(s->rows, s->shards, P);
    first.task = DC_DLA_EIGEN;
    first.want = (dc_dla_want){.which = DC_DLA_LARGEST, .k = kept, .dtype = DC_F64};
    size_eigen(&first, P, np, z);
    const double item = sizeof(double), N = (double)s->N, m = (double)kept, k = (double)s->k;
    const double held = N * m * item, small = (12 * m * m + 24 * m) * item;
    const double tiles = omp_get_max_threads() * (double)DC_DLA_SVD_ROWS * (N * (item + sizeof(float)) + k * item);
    const double results = (N * k + (double)n * (m + k)) * item;
    plan->vectors += held + results;
    plan->workspace = fmax(plan->workspace, small + tiles);
    plan->peak = fmax(plan->peak, held + results + small + tiles);
}

static void size_all(const dc_dla_size *s, int P, sizes *z)
{
    dc_dla_plan *plan = &z->plan;
    *z = (sizes){.plan = {.block = block_set ? block_set : DC_DLA_BLOCK}};
    choose_grid(s->N, P, plan);
    const int64_t np = dc_dla_count(s->N, plan->block, 0, plan->grid_rows);
    const int64_t nq = dc_dla_count(s->N, plan->block, 0, plan->grid_columns);
    plan->matrix = blocks_bytes(z, np, s->N, s);
    plan->redistribution = stream_bytes(s, np, nq, plan, P);
    plan->peak = plan->matrix + plan->redistribution;
    if (s->task == DC_DLA_EIGEN)
        size_eigen(s, P, np, z);
    else if (s->task == DC_DLA_SVD)
        size_svd(s, P, np, z);
    else
        size_solve(s, P, np, z);
}

static bool fits(const dc_dla_size *s, int P, double room_bytes)
{
    sizes z;
    size_all(s, P, &z);
    return z.most_elements < (double)ELEMENTS_MAX && z.plan.peak <= room_bytes;
}

int dc_dla_ranks_needed(const dc_dla_size *size, double room_bytes)
{
    for (int P = 1; P <= RANKS_MAX; P++)
        if (fits(size, P, room_bytes)) return P;
    return 0;
}

/* "9 ranks would do", with the shards that these need. */
static void tell_ranks(const dc_dla_size *s, double room_bytes, char *out, size_t cap)
{
    const int P = dc_dla_ranks_needed(s, room_bytes);
    if (P == 0)
        snprintf(out, cap, "no number of ranks up to %d would do", RANKS_MAX);
    else if (P > s->shards)
        snprintf(out, cap, "%d ranks with as much memory each would do (and parallel.shards of %d or more)", P, P);
    else
        snprintf(out, cap, "%d rank%s with as much memory each would do", P, P == 1 ? "" : "s");
}

static dc_status check_sizes(const dc_dla_size *s)
{
    const bool some = s->task == DC_DLA_EIGEN && s->want.which != DC_DLA_ALL, counted = s->task >= DC_DLA_SVD;
    const int64_t k = some ? s->want.k : s->k;
    if (s->N < 1 || s->N > ORDER_MAX)
        return DC_FAIL(DC_ERR_USAGE, "a matrix of order %lld: 1 to %lld are possible", (long long)s->N,
                       (long long)ORDER_MAX);
    if ((some || counted) && (k < 1 || k > s->N))
        return DC_FAIL(DC_ERR_USAGE, "%lld eigenpairs of a matrix of order %lld", (long long)k, (long long)s->N);
    if (s->want.dtype != DC_F64 && s->want.dtype != DC_F32)
        return DC_FAIL(DC_ERR_USAGE, "matrices are float64 or float32, not %s", dc_dtype_name(s->want.dtype));
    return DC_OK;
}

dc_status dc_dla_plan_make(const dc_dla_size *size, int P, dc_dla_plan *out)
{
    char ranks[128];
    sizes z;
    const dc_status st = check_sizes(size);
    if (st != DC_OK) return st;
    size_all(size, P, &z);
    *out = z.plan;
    if (z.most_elements < (double)ELEMENTS_MAX) return DC_OK;
    tell_ranks(size, INFINITY, ranks, sizeof ranks);
    return DC_FAIL(
        DC_ERR_MEMORY,
        "a matrix of order %lld on %d rank%s: %.4g elements on one rank, but ScaLAPACK counts them in 32 bits "
        "(2147483647); %s",
        (long long)size->N, P, P == 1 ? "" : "s", z.most_elements, ranks);
}

dc_status dc_dla_check_room(const dc_dla_size *size, int P, double room_bytes)
{
    char ranks[128];
    dc_dla_plan plan;
    const dc_status st = dc_dla_plan_make(size, P, &plan);
    if (st != DC_OK || plan.peak <= room_bytes) return st;
    tell_ranks(size, room_bytes, ranks, sizeof ranks);
    return DC_FAIL(DC_ERR_MEMORY,
                   "a dense matrix of order %lld (%s) on %d rank%s takes %.4g GiB per rank (matrix %.4g, vectors %.4g, "
                   "workspace %.4g, redistribution %.4g), but only %.4g GiB are left; %s",
                   (long long)size->N, dc_dtype_name(size->want.dtype), P, P == 1 ? "" : "s", plan.peak / 0x1p30,
                   plan.matrix / 0x1p30, plan.vectors / 0x1p30, plan.workspace / 0x1p30, plan.redistribution / 0x1p30,
                   room_bytes / 0x1p30, ranks);
}
