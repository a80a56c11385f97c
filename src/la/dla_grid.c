/* Grids of ranks and their block-cyclic matrices.
 *
 * The BLACS get a communicator of their own whose errors are fatal: they ignore error codes, so on ours, which returns
 * errors, a failed message would go unnoticed. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "dcmpi/beat.h"
#include "dcmpi/clock.h"
#include "dcmpi/mem.h"
#include "la/dla_impl.h"
#include "la/scalapack_decl.h"

/* ---- Grids ------------------------------------------------------------------------------------------------------- */

static dc_status take_rows(dc_comm *comm, const dc_part *part, dc_dla_grid *grid)
{
    const int P = dc_comm_size(comm);
    const dc_status st = dc_mem_alloc(&grid->begin, (size_t)P + 1, sizeof *grid->begin, "rows of the ranks");
    for (int r = 0; st == DC_OK && r <= P; r++) grid->begin[r] = dc_part_rank_begin(part, r);
    return st;
}

dc_status dc_dla_grid_open(dc_comm *comm, const dc_dla_plan *plan, const dc_part *part, dc_dla_grid *out)
{
    int rows = 0, columns = 0;
    *out = (dc_dla_grid){.rows = plan->grid_rows, .columns = plan->grid_columns, .block = plan->block};
    out->row = out->column = out->context = -1;
    const dc_status st = dc_agree(comm, take_rows(comm, part, out));
    if (st != DC_OK) return st;
    DC_MPI(comm, MPI_Comm_dup(dc_comm_mpi(comm), &out->mpi));
    DC_MPI(comm, MPI_Comm_set_errhandler(out->mpi, MPI_ERRORS_ARE_FATAL));
    out->open = true;
    out->handle = Csys2blacs_handle(out->mpi);
    out->context = out->handle;
    Cblacs_gridinit(&out->context, "Row", out->rows, out->columns);
    if (dc_comm_rank(comm) >= out->rows * out->columns) {
        out->context = -1;
        return DC_OK;
    }
    Cblacs_gridinfo(out->context, &rows, &columns, &out->row, &out->column);
    DC_ASSERT(out->row == dc_comm_rank(comm) / out->columns && out->column == dc_comm_rank(comm) % out->columns);
    return DC_OK;
}

void dc_dla_grid_close(dc_comm *comm, dc_dla_grid *grid)
{
    dc_mem_free(&grid->begin);
    if (!grid->open) return;
    if (grid->context >= 0) Cblacs_gridexit(grid->context);
    Cfree_blacs_system_handle(grid->handle);
    DC_MPI(comm, MPI_Comm_free(&grid->mpi));
    *grid = (dc_dla_grid){.row = -1, .column = -1, .context = -1};
}

/* ---- Matrices ---------------------------------------------------------------------------------------------------- */

dc_status dc_dla_blocks_create(const dc_dla_grid *grid, dc_gidx M, dc_gidx N, dc_gidx N_desc, dc_dtype dtype,
                               const char *what, dc_dla_blocks *out)
{
    *out = (dc_dla_blocks){.M = M, .N = N, .dtype = dtype};
    if (dc_dla_in_grid(grid)) {
        out->rows = dc_dla_count(M, grid->block, grid->row, grid->rows);
        out->columns = dc_dla_count(N, grid->block, grid->column, grid->columns);
    }
    out->ld = DC_MAX(out->rows, (int64_t)1);
    const int block = dc_int(grid->block);
    const int desc[] = {1, grid->context, dc_int(M), dc_int(N_desc), block, block, 0, 0, dc_int(out->ld)};
    memcpy(out->desc, desc, sizeof desc);
    return dc_mem_alloc(&out->data, dc_mul_size((size_t)out->ld, (size_t)DC_MAX(out->columns, (int64_t)1)),
                        dc_dtype_bytes(dtype), what);
}

void dc_dla_blocks_release(dc_dla_blocks *b)
{
    dc_mem_free(&b->data);
}

void dc_dla_diagonal(const dc_dla_grid *grid, dc_dla_blocks *b, double *diagonal, bool back)
{
    int64_t found = 0;
    for (int64_t j = 0; j < b->columns; j++) {
        const dc_gidx g = dc_dla_global(j, grid->block, grid->column, grid->columns);
        if ((g / grid->block) % grid->rows != grid->row) continue;
        const int64_t at = j * b->ld + dc_dla_count(g, grid->block, grid->row, grid->rows);
        if (back)
            dc_dla_set(b, at, diagonal[found]);
        else
            diagonal[found] = dc_dla_get(b, at);
        found++;
    }
}

dc_status dc_dla_norm1(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_blocks *A, double *out)
{
    double *sums = NULL;
    const dc_status st = dc_agree(comm, dc_mem_alloc(&sums, (size_t)A->N, sizeof *sums, "sums of columns"));
    *out = 0;
    if (st != DC_OK) goto out;
#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < A->columns; j++) {
        double sum = 0;
        for (int64_t i = 0; i < A->rows; i++) sum += fabs(dc_dla_get(A, j * A->ld + i));
        sums[dc_dla_global(j, grid->block, grid->column, grid->columns)] = sum;
    }
    dc_comm_sum_f64(comm, sums, (size_t)A->N);
    for (dc_gidx j = 0; j < A->N; j++) *out = fmax(*out, sums[j]);
out:
    dc_mem_free(&sums);
    return st;
}

/* ---- Signs of life ----------------------------------------------------------------------------------------------- */

static struct {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool running, ending;
    double until_s;
} life = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *live(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&life.mutex);
    while (!life.ending && dc_clock_now_s() < life.until_s) {
        struct timespec next;
        clock_gettime(CLOCK_REALTIME, &next);
        next.tv_sec += 1;
        dc_beat_lives();
        pthread_cond_timedwait(&life.wake, &life.mutex, &next);
    }
    pthread_mutex_unlock(&life.mutex);
    return NULL;
}

void dc_dla_lives(double limit_s)
{
    life.ending = false;
    life.until_s = dc_clock_now_s() + limit_s;
    sigset_t all, before; /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    life.running = pthread_create(&life.thread, NULL, live, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void dc_dla_lives_end(void)
{
    if (!life.running) return;
    pthread_mutex_lock(&life.mutex);
    life.ending = true;
    pthread_cond_signal(&life.wake);
    pthread_mutex_unlock(&life.mutex);
    pthread_join(life.thread, NULL);
    life.running = false;
}
