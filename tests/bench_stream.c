/* Cost of a pass over rows that stay in their file, beside reading alone and the same pass over rows in memory. Not a
 * test: prints a line for each number of centres K, with which each row is multiplied. CPU times, which other work on
 * the machine disturbs little, medians of interleaved rounds: `read` takes the file from disk and does nothing with it;
 * `memory` computes; `stream` does both, with a file that is not in the system's cache; `cached` with one that is. Last
 * column: the slower of read and memory as a share of stream, if reading and computing did not overlap at all. usage:
 * bench_stream FILE.h5 [N] (with N, makes the file, of N x 64 float16 rows) */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/sum.h"

enum { WIDTH = 64, SHARDS = 64, ROUNDS = 5, TILE = 256, PIECE = 1 << 16, CENTERS_MAX = 16 };

typedef struct {
    dc_rows rows;
    int64_t K;
    const float *center; /* [K x d] */
    float *tile;         /* [threads x TILE x d] */
} pass;

static dc_status make_file(const char *path, dc_gidx N)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    _Float16 *x = NULL;
    DC_TRY(dc_mem_alloc(&x, PIECE * WIDTH, sizeof *x, "rows"));
    DC_TRY(dc_h5_open(&h5, path, DC_H5_CREATE));
    DC_TRY(dc_h5_create_dataset(h5, "/X", DC_H5_F16, 2, (dc_gidx[]){N, WIDTH}));
    for (dc_gidx lo = 0; lo < N; lo += PIECE) {
        const dc_gidx n = DC_MIN(N - lo, (dc_gidx)PIECE);
        for (int64_t i = 0; i < n * WIDTH; i++) x[i] = (_Float16)((double)((lo * 7 + i * 13) % 1009) / 1009);
        DC_TRY(dc_h5_write_rows(h5, "/X", DC_H5_F16, lo, n, x));
    }
    DC_TRY(dc_h5_close(&h5));
out:
    dc_mem_free(&x);
    return st;
}

/* Takes the file out of the system's cache. */
static void forget(const char *path)
{
    const int fd = open(path, O_RDONLY);
    DC_ASSERT(fd >= 0 && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    close(fd);
}

/* CPU time of all threads, with that of the system for them. */
static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static double read_s(const char *path)
{
    static char buffer[4 << 20];
    forget(path);
    const double start = cpu_s();
    const int fd = open(path, O_RDONLY);
    DC_ASSERT(fd >= 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
    close(fd);
    return cpu_s() - start;
}

static void visit(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    const int64_t d = p->rows.d;
    float *tile = p->tile + (int64_t)thread * TILE * d;
    for (int64_t lo = block->lo; lo < block->hi; lo += TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)TILE);
        p->rows.rows(p->rows.ctx, lo, n, tile);
        for (int64_t i = 0; i < n; i++) {
            float best = 0;
            for (int64_t k = 0; k < p->K; k++) {
                float dot = 0;
#pragma omp simd reduction(+ : dot)
                for (int64_t c = 0; c < d; c++) dot += tile[i * d + c] * p->center[k * d + c];
                best = dot > best ? dot : best;
            }
            leaf[0] += (double)best;
        }
    }
}

static double pass_s(dc_comm *comm, pass *p, dc_sum *sum, const dc_dataset *data, double *total)
{
    p->rows = dc_rows_of_dataset(data);
    const double start = cpu_s();
    dc_sum_over_blocks(comm, sum, visit, p, total);
    return cpu_s() - start;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x)
{
    qsort(x, ROUNDS, sizeof *x, ascending);
    return x[ROUNDS / 2];
}

static dc_status measure(dc_comm *comm, const char *path)
{
    dc_status st = DC_OK;
    enum { READ, MEMORY, STREAM, CACHED, WAYS };
    static const int64_t centers[] = {1, 4, CENTERS_MAX};
    dc_dataset *memory = NULL, *stream = NULL;
    dc_sum *sum = NULL;
    float *center = NULL;
    pass p = {0};
    double s[WAYS][ROUNDS], total[2];
    DC_TRY(dc_dataset_load(comm, path, 0, SHARDS, DC_SCALE_NONE, 1, 1, &memory));
    const dc_data_request request = {.path = path, .scale = DC_SCALE_NONE, .stream = true};
    DC_TRY(dc_dataset_open(comm, &request, SHARDS, 1, 1, &stream));
    DC_TRY(dc_sum_create(&sum, &memory->part, 1));
    DC_TRY(dc_mem_alloc(&center, CENTERS_MAX * WIDTH, sizeof *center, "centres"));
    DC_TRY(dc_mem_alloc(&p.tile, 1024 * TILE * WIDTH, sizeof *p.tile, "tiles"));
    dc_rng_fill_uniform(center, CENTERS_MAX * WIDTH, 1, 0, 1);
    p.center = center;
    for (size_t i = 0; i < DC_COUNT_OF(centers); i++) {
        p.K = centers[i];
        for (int r = 0; r < ROUNDS; r++) {
            s[READ][r] = read_s(path);
            s[MEMORY][r] = pass_s(comm, &p, sum, memory, &total[0]);
            forget(path);
            s[STREAM][r] = pass_s(comm, &p, sum, stream, &total[1]);
            s[CACHED][r] = pass_s(comm, &p, sum, stream, &total[1]);
            DC_TRY(dc_agree(comm, DC_OK));
            DC_ASSERT(total[0] == total[1]);
        }
        const double read = median(s[READ]), compute = median(s[MEMORY]), both = median(s[STREAM]);
        printf("stream    K %3lld: read %.3f s, memory %.3f, stream %.3f, cached %.3f; %.0f %% of the slower of two\n",
               (long long)p.K, read, compute, both, median(s[CACHED]), 100 * DC_MAX(read, compute) / both);
    }
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&center);
    dc_mem_free(&p.tile);
    dc_dataset_destroy(&memory);
    dc_dataset_destroy(&stream);
    return st;
}

int main(int argc, char **argv)
{
    dc_comm *comm = NULL;
    if (argc < 2 || dc_comm_create(&comm) != DC_OK) return 2;
    dc_status st = argc > 2 ? make_file(argv[1], strtoll(argv[2], NULL, 10)) : DC_OK;
    if (st == DC_OK) st = measure(comm, argv[1]);
    if (st != DC_OK) fprintf(stderr, "%s\n", dc_error_text());
    dc_comm_destroy(&comm);
    return (int)st;
}
