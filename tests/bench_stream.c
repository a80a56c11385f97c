/* Throughput of passes over rows that stay in their file, beside reading alone and the same passes over rows in memory.
 * Not a test: prints a line for the sums of the columns, which is the cheapest pass, and one for k-means with each
 * number of centres K. `read` reads and converts all rows, `memory` is the pass with rows in memory, `stream` the one
 * with rows in the file; the last column is the slower of read and memory as a share of stream, if reading and
 * computing did not overlap at all. All are medians of interleaved rounds, per look at all rows: CPU time of all
 * threads and ranks, which other work on the machine disturbs little, and the time on the clock. The file is in the
 * system's cache; with `cold` it is taken out of it before each look, of which only the sums of the columns have one
 * alone. Set OMP_WAIT_POLICY=passive, so that waiting threads do not count. usage: bench_stream FILE.h5
 * [cold | N [float16 | float32]] (with N, makes the file, of N x 64 values) */
#include <fcntl.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/sum.h"

enum { WIDTH = 64, SHARDS = 64, ROUNDS = 5, TILE = 256, PIECE = 1 << 16, CENTERS_MAX = 64, SEED = 1 };

typedef struct {
    double cpu, wall;
} seconds;

/* Rows that count how many of them were asked for. */
typedef struct {
    dc_rows rows;
    _Atomic int64_t asked;
} counted;

typedef struct {
    dc_comm *comm;
    const char *path;
    bool cold;
    dc_dataset *memory, *stream;
    dc_sum *sum;
    float *tile;    /* [threads x TILE x WIDTH] */
    float *means;   /* [WIDTH] */
    int32_t *label; /* [rows of this rank] zeros */
} bench;

/* Rows around four centres. */
static void make_rows(dc_gidx lo, int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++) {
        const dc_gidx row = lo + i;
        dc_rng_fill_normal(x + i * WIDTH, WIDTH, SEED, (uint64_t)row, 1);
        for (int64_t c = 0; c < WIDTH; c++) x[i * WIDTH + c] += (float)(row * 7 % 4 * (c % 3));
    }
}

static dc_status make_file(const char *path, dc_gidx N, dc_dtype dtype)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    float *x = NULL;
    _Float16 *half = NULL;
    const dc_h5_type type = dtype == DC_F16 ? DC_H5_F16 : DC_H5_F32;
    DC_TRY(dc_mem_alloc(&x, PIECE * WIDTH, sizeof *x, "rows"));
    DC_TRY(dc_mem_alloc(&half, PIECE * WIDTH, sizeof *half, "rows"));
    DC_TRY(dc_h5_open(&h5, path, DC_H5_CREATE));
    DC_TRY(dc_h5_create_dataset(h5, "/X", type, 2, (dc_gidx[]){N, WIDTH}));
    for (dc_gidx lo = 0; lo < N; lo += PIECE) {
        const dc_gidx n = DC_MIN(N - lo, (dc_gidx)PIECE);
        make_rows(lo, n, x);
        for (int64_t i = 0; i < n * WIDTH; i++) half[i] = (_Float16)x[i];
        DC_TRY(dc_h5_write_rows(h5, "/X", type, lo, n, dtype == DC_F16 ? (const void *)half : x));
    }
    DC_TRY(dc_h5_close(&h5));
out:
    dc_mem_free(&x);
    dc_mem_free(&half);
    return st;
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

/* Takes the file out of the system's cache. */
static void forget(const bench *b)
{
    if (b->cold && dc_comm_rank(b->comm) == 0) {
        const int fd = open(b->path, O_RDONLY);
        DC_ASSERT(fd >= 0 && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
        close(fd);
    }
    dc_comm_barrier(b->comm);
}

/* Of all threads and ranks, with that of the system for them. */
static seconds now(const bench *b)
{
    seconds s = {.cpu = (double)clock() / CLOCKS_PER_SEC};
    dc_comm_sum_f64(b->comm, &s.cpu, 1);
    s.wall = dc_clock_now_s();
    return s;
}

static seconds since(const bench *b, seconds start)
{
    const seconds end = now(b);
    return (seconds){end.cpu - start.cpu, end.wall - start.wall};
}

static void ask(const void *ctx, int64_t lo, int64_t n, float *out)
{
    counted *c = (counted *)(uintptr_t)ctx;
    atomic_fetch_add(&c->asked, n);
    c->rows.rows(c->rows.ctx, lo, n, out);
}

/* ---- Passes ------------------------------------------------------------------------------------------------------ */

static void visit(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const bench *b = ctx;
    float *tile = b->tile + (int64_t)thread * TILE * WIDTH;
    for (int64_t lo = block->lo; lo < block->hi; lo += TILE) {
        dc_dataset_rows(b->stream, lo, DC_MIN(block->hi - lo, (int64_t)TILE), tile);
        leaf[0] += (double)tile[0];
    }
}

static dc_status read_all(const bench *b, seconds *out)
{
    forget(b);
    double total;
    const seconds start = now(b);
    dc_sum_over_blocks(b->comm, b->sum, visit, (void *)(uintptr_t)b, &total);
    *out = since(b, start);
    return dc_agree(b->comm, DC_OK);
}

/* K centres: the sums of the columns for 0, else k-means with two iterations. Divides by the number of passes, which is
 * returned, and sets a value that must not depend on where the rows are. */
static dc_status use_all(const bench *b, const dc_dataset *data, int64_t K, const float *center, double *passes,
                         double *value, seconds *out)
{
    dc_status st = DC_OK;
    dc_kmeans_result r = {0};
    counted c = {.rows = dc_rows_of_dataset(data)};
    dc_rows rows = c.rows;
    rows.rows = ask;
    rows.ctx = &c;
    forget(b);
    const seconds start = now(b);
    if (K == 0) {
        DC_TRY(dc_cluster_means(b->comm, &rows, b->label, 1, b->means));
        *value = (double)b->means[0];
    } else {
        const dc_kmeans_config cfg = {.K = K, .n_init = 1, .max_iter = 2, .seed = SEED, .first = center, .quiet = true};
        DC_TRY(dc_kmeans(b->comm, &rows, &cfg, &r));
        *value = r.inertia;
    }
    *out = since(b, start);
    int64_t asked = c.asked;
    dc_comm_sum_i64(b->comm, &asked, 1);
    *passes = (double)asked / (double)data->part.N;
    out->cpu /= *passes;
    out->wall /= *passes;
out:
    dc_kmeans_result_release(&r);
    return st;
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

enum { READ, MEMORY, STREAM, WAYS };

static void tell(const char *what, double s[WAYS][ROUNDS])
{
    const double read = median(s[READ]), memory = median(s[MEMORY]), stream = median(s[STREAM]);
    printf("   %s: read %.3f s, memory %.3f, stream %.3f, %3.0f %%", what, read, memory, stream,
           100 * DC_MAX(read, memory) / stream);
}

static dc_status compare(const bench *b, int64_t K, const float *center)
{
    dc_status st = DC_OK;
    double cpu[WAYS][ROUNDS], wall[WAYS][ROUNDS], value[2], passes = 0;
    for (int r = 0; r < ROUNDS; r++) {
        seconds s[WAYS];
        DC_TRY(read_all(b, &s[READ]));
        DC_TRY(use_all(b, b->memory, K, center, &passes, &value[0], &s[MEMORY]));
        DC_TRY(use_all(b, b->stream, K, center, &passes, &value[1], &s[STREAM]));
        DC_ASSERT(memcmp(&value[0], &value[1], sizeof *value) == 0);
        for (int w = 0; w < WAYS; w++) cpu[w][r] = s[w].cpu, wall[w][r] = s[w].wall;
    }
    if (dc_comm_rank(b->comm) != 0) return DC_OK;
    if (K == 0)
        printf("sums        ");
    else
        printf("k-means %-4lld", (long long)K);
    printf("%.1f passes", passes);
    tell("CPU", cpu);
    tell("clock", wall);
    printf("\n");
    fflush(stdout);
out:
    return st;
}

static dc_status measure(bench *b)
{
    dc_status st = DC_OK;
    static const int64_t centers[] = {0, 1, 4, 16, CENTERS_MAX};
    float *center = NULL;
    DC_TRY(dc_dataset_load(b->comm, b->path, 0, SHARDS, DC_SCALE_NONE, 1, 1, &b->memory));
    const dc_data_request request = {.path = b->path, .scale = DC_SCALE_NONE, .stream = true};
    DC_TRY(dc_dataset_open(b->comm, &request, SHARDS, 1, 1, &b->stream));
    DC_TRY(dc_sum_create(&b->sum, &b->memory->part, 1));
    DC_TRY(dc_mem_alloc(&center, CENTERS_MAX * WIDTH, sizeof *center, "centres"));
    DC_TRY(dc_mem_alloc(&b->tile, (size_t)omp_get_max_threads() * TILE * WIDTH, sizeof *b->tile, "tiles"));
    DC_TRY(dc_mem_alloc(&b->means, WIDTH, sizeof *b->means, "means"));
    DC_TRY(dc_mem_alloc(&b->label, (size_t)dc_part_rows(&b->memory->part), sizeof *b->label, "labels"));
    make_rows(b->memory->part.N, CENTERS_MAX, center);
    if (dc_comm_rank(b->comm) == 0)
        printf("%lld x %d %s, %d ranks x %d threads, %s\n", (long long)b->memory->part.N, WIDTH,
               dc_dtype_name(b->memory->dtype), dc_comm_size(b->comm), omp_get_max_threads(),
               b->cold ? "from disk" : "from the system's cache");
    for (size_t i = 0; i < (b->cold ? 1 : DC_COUNT_OF(centers)); i++) DC_TRY(compare(b, centers[i], center));
out:
    dc_sum_destroy(&b->sum);
    dc_mem_free(&center);
    dc_mem_free(&b->tile);
    dc_mem_free(&b->means);
    dc_mem_free(&b->label);
    dc_dataset_destroy(&b->memory);
    dc_dataset_destroy(&b->stream);
    return st;
}

int main(int argc, char **argv)
{
    bench b = {0};
    dc_status st = DC_OK;
    if (argc < 2 || dc_comm_create(&b.comm) != DC_OK) return 2;
    b.path = argv[1];
    b.cold = argc > 2 && strcmp(argv[2], "cold") == 0;
    if (argc > 2 && !b.cold && dc_comm_rank(b.comm) == 0)
        st = make_file(b.path, strtoll(argv[2], NULL, 10),
                       argc > 3 && strcmp(argv[3], "float32") == 0 ? DC_F32 : DC_F16);
    st = dc_agree(b.comm, st);
    if (st == DC_OK) st = measure(&b);
    if (st != DC_OK) fprintf(stderr, "%s\n", dc_error_text());
    dc_comm_destroy(&b.comm);
    return (int)st;
}
