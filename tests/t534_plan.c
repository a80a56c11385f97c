/* Sizes before anything is allocated: grids for any number of ranks, the peak of memory against what is counted when
 * the problem is solved (20 %), workspaces against what ScaLAPACK asks for, refusals of 2^31 elements and of what does
 * not fit, the smallest number of ranks that would do. Seed 534. ranks: 2  ranks_long: 1 3 4 6 threads: 1 */
#include "la/scalapack_decl.h"
#include "t53_help.h"

enum { SEED = 534, D = 100 };

static dc_dla_size eigen_of(dc_gidx N, int64_t k, dc_dtype dtype)
{
    return (dc_dla_size){.task = DC_DLA_EIGEN,
                         .N = N,
                         .d = 784,
                         .want = {k ? DC_DLA_SMALLEST : DC_DLA_ALL, k, dtype, DC_DLA_AUTO},
                         .shards = 64};
}

/* ---- Without ranks ----------------------------------------------------------------------------------------------- */

static void check_grids(void)
{
    dc_dla_plan plan;
    const dc_dla_size large = eigen_of(20000, 10, DC_F64), small = eigen_of(3, 1, DC_F64),
                      some = eigen_of(300, 3, DC_F64);
    int wrong = 0;
    for (int P = 1; P <= 257; P++) {
        if (dc_dla_plan_make(&large, P, &plan) != DC_OK) wrong++;
        const int used = plan.grid_rows * plan.grid_columns;
        wrong += used > P || used < 0.8 * P - 1 || plan.grid_rows > plan.grid_columns;
        if (dc_dla_plan_make(&small, P, &plan) != DC_OK || plan.grid_rows * plan.grid_columns != 1) wrong++;
        if (dc_dla_plan_make(&some, P, &plan) != DC_OK || plan.grid_columns > (300 + plan.block - 1) / plan.block)
            wrong++;
    }
    CHECK_INT(wrong, 0);
}

static void check_refusals(void)
{
    dc_dla_plan plan;
    char text[256];
    dc_dla_size mnist = eigen_of(70000, 10, DC_F64);
    CHECK_STATUS(dc_dla_plan_make(&mnist, 1, &plan), DC_ERR_MEMORY);
    CHECK_TEXT_HAS(dc_error_text(), "a matrix of order 70000 on 1 rank: 4.9e+09 elements on one rank, but ScaLAPACK "
                                    "counts them in 32 bits (2147483647); 3 ranks");
    dc_error_clear();
    CHECK_OK(dc_dla_plan_make(&mnist, 3, &plan));
    CHECK_NEAR(plan.matrix, 8 * 70000. * 23360, 0);
    mnist.want.which = DC_DLA_ALL; /* the matrix fits, the workspace of pdsyevd does not */
    CHECK_STATUS(dc_dla_plan_make(&mnist, 4, &plan), DC_ERR_MEMORY);
    CHECK_TEXT_HAS(dc_error_text(), "counts them in 32 bits");
    dc_error_clear();

    const dc_dla_size size = eigen_of(70000, 10, DC_F64);
    const double room = 8 * 0x1p30;
    const int needed = dc_dla_ranks_needed(&size, room);
    CHECK(needed > 5 && needed < 64);
    CHECK_OK(dc_dla_check_room(&size, needed, room));
    CHECK_STATUS(dc_dla_check_room(&size, needed - 1, room), DC_ERR_MEMORY);
    snprintf(text, sizeof text, "but only 8 GiB are left; %d ranks with as much memory each would do", needed);
    CHECK_TEXT_HAS(dc_error_text(), text);
    CHECK_TEXT_HAS(dc_error_text(), "a dense matrix of order 70000 (float64) on ");
    dc_error_clear();
    CHECK_STATUS(dc_dla_check_room(&size, 4, 0x1p29), DC_ERR_MEMORY);
    CHECK_TEXT_HAS(dc_error_text(), "(and parallel.shards of ");
    dc_error_clear();
    CHECK_INT(dc_dla_ranks_needed(&size, 1e6), 0);
    const dc_dla_size endless = eigen_of((dc_gidx)1 << 31, 10, DC_F64),
                      other = {.N = 5, .want.dtype = DC_U8, .shards = 1};
    CHECK_STATUS(dc_dla_plan_make(&endless, 4, &plan), DC_ERR_USAGE);
    dc_error_clear();
    CHECK_STATUS(dc_dla_plan_make(&other, 4, &plan), DC_ERR_USAGE);
    dc_error_clear();
}

/* ---- Workspaces -------------------------------------------------------------------------------------------------- */

static void check_workspace(dc_comm *comm, dc_gidx N, int64_t k, dc_dla_driver driver)
{
    dc_part part;
    dc_dla_grid grid;
    dc_dla_plan plan;
    dc_dla_blocks A, Z;
    dc_dla_size size = eigen_of(N, k, DC_F64);
    size.want.driver = driver;
    CHECK_OK(dc_part_init(&part, N, T53_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_dla_plan_make(&size, dc_comm_size(comm), &plan));
    CHECK_OK(dc_dla_grid_open(comm, &plan, &part, &grid));
    CHECK_OK(dc_dla_blocks_create(&grid, N, N, N, DC_F64, "A", &A));
    CHECK_OK(dc_dla_blocks_create(&grid, N, N, N, DC_F64, "Z", &Z));
    double work[3] = {0}, zero = 0, values[1], gap[16];
    int n = (int)N, one = 1, last = (int)k, ask = -1, count, found, info = 0, integers[64] = {0}, fail[1], cluster[32];
    if (dc_dla_in_grid(&grid)) {
        if (driver == DC_DLA_EVX)
            pdsyevx_("V", "I", "L", &n, A.data, &one, &one, A.desc, &zero, &zero, &one, &last, &zero, &count, &found,
                     values, &zero, Z.data, &one, &one, Z.desc, work, &ask, integers, &ask, fail, cluster, gap, &info,
                     1, 1, 1);
        else if (driver == DC_DLA_EVR)
            pdsyevr_("V", "I", "L", &n, A.data, &one, &one, A.desc, &zero, &zero, &one, &last, &count, &found, values,
                     Z.data, &one, &one, Z.desc, work, &ask, integers, &ask, &info, 1, 1, 1);
        else
            pdsyevd_("V", "L", &n, A.data, &one, &one, A.desc, values, Z.data, &one, &one, Z.desc, work, &ask, integers,
                     &ask, &info, 1, 1);
        const dc_dla_workspace w = dc_dla_workspace_of(driver, N, k, &plan);
        if ((double)w.work < work[0] || w.integers < integers[0])
            printf("# %s, order %lld, k %lld: %lld + %lld, ScaLAPACK wants %.0f + %d\n", dc_dla_driver_name(driver),
                   (long long)N, (long long)k, (long long)w.work, (long long)w.integers, work[0], integers[0]);
        zero = (double)w.work < work[0] || w.integers < integers[0];
    }
    CHECK_INT(info, 0);
    CHECK_NEAR(zero, 0, 0);
    dc_dla_blocks_release(&A);
    dc_dla_blocks_release(&Z);
    dc_dla_grid_close(comm, &grid);
}

/* ---- Peaks ------------------------------------------------------------------------------------------------------- */

static float *draw(int64_t N, int64_t d)
{
    double *x = t53_alloc(N * d, sizeof *x);
    float *X = t53_alloc(N * d, sizeof *X);
    t53_normal(x, N * d, SEED);
    for (int64_t i = 0; i < N * d; i++) X[i] = (float)x[i];
    free(x);
    return X;
}

/* The largest peak of a rank so far, against the prediction; later problems are larger. */
static void check_peak(dc_comm *comm, const char *what, const dc_dla_size *size)
{
    dc_dla_plan plan;
    double peak = (double)dc_mem_peak_bytes();
    dc_comm_max_f64(comm, &peak, 1);
    CHECK_OK(dc_dla_plan_make(size, dc_comm_size(comm), &plan));
    if (dc_comm_rank(comm) == 0)
        printf(
            "# %s: predicted %.0f KiB (matrix %.0f, vectors %.0f, workspace %.0f, redistribution %.0f), counted %.0f\n",
            what, plan.peak / 1024, plan.matrix / 1024, plan.vectors / 1024, plan.workspace / 1024,
            plan.redistribution / 1024, peak / 1024);
    CHECK(plan.peak > 0.98 * peak);
    CHECK(plan.peak - plan.inside < 1.2 * peak);
}

static void check_peaks(dc_comm *comm)
{
    const int64_t N = 500, large = 800, d = 100;
    const int P = dc_comm_size(comm), rank = dc_comm_rank(comm);
    dc_part part;
    t53_rows rows;
    dc_dla_eigen e;
    dc_dla_svd s;
    const dc_dla_gauss_scale scale = {.scale = 20};
    float *X = draw(large, D);

    const dc_dla_size svd = {
        .task = DC_DLA_SVD, .N = d, .d = d, .rows = large, .k = d, .want.dtype = DC_F64, .shards = T53_SHARDS};
    CHECK_OK(dc_part_init(&part, large, T53_SHARDS, P, rank));
    dc_rows of_rank = {.part = &part, .d = d, .X = X + part.row_lo * d};
    CHECK_OK(dc_dla_svd_solve(comm, &of_rank, d, &s));
    check_peak(comm, "singular values", &svd);
    dc_dla_svd_release(&s);

    CHECK_OK(dc_part_init(&part, N, T53_SHARDS, P, rank));
    of_rank = (dc_rows){.part = &part, .d = D, .X = X + part.row_lo * D};
    dc_dla_size size = {.task = DC_DLA_EIGEN, .N = N, .d = D, .shards = T53_SHARDS};
    size.want = (dc_dla_want){DC_DLA_SMALLEST, 6, DC_F64, DC_DLA_AUTO};
    const dc_dla_matrix W = {.part = &part, .affinity = dc_dla_gauss, .ctx = &scale, .X = &of_rank, .laplacian = true};
    CHECK_OK(dc_dla_eigen_solve(comm, &W, &size.want, &e));
    check_peak(comm, "affinity, 6 pairs", &size);
    dc_dla_eigen_release(&e);

    double *A = t53_alloc(large * large, sizeof *A);
    for (int64_t i = 0; i < large; i++) A[i * large + i] = (double)i;
    const dc_dla_matrix given = t53_of(comm, A, large, &rows);
    size = (dc_dla_size){.task = DC_DLA_EIGEN, .N = large, .shards = T53_SHARDS};
    size.want = (dc_dla_want){DC_DLA_ALL, 0, DC_F64, DC_DLA_AUTO};
    CHECK_OK(dc_dla_eigen_solve(comm, &given, &size.want, &e));
    check_peak(comm, "rows, all pairs", &size);
    dc_dla_eigen_release(&e);
    free(A), free(X);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_peaks(comm);
    check_grids();
    check_refusals();
    for (int block = 8; block >= 0; block -= 8) {
        dc_dla_set_block(block);
        for (int driver = DC_DLA_EVR; driver <= DC_DLA_EVD; driver++) {
            check_workspace(comm, 100, 3, (dc_dla_driver)driver);
            check_workspace(comm, 100, 100, (dc_dla_driver)driver);
            check_workspace(comm, 1000, 20, (dc_dla_driver)driver);
            check_workspace(comm, 5, 2, (dc_dla_driver)driver);
        }
    }
    return check_done_all(&comm);
}
