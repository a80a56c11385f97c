/* Tables whose rows lie on all ranks, in checkpoint files: the file has the same bytes on any number of ranks, and any
 * number of them reads it. ranks: 1 2 3 5 */
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/state.h"
#include "t76_help.h"

enum { N = 12345, WIDE = 130 }; /* 6 MiB */

static char path[DC_PATH_MAX];
static dc_ckpt_writer *writer;
static dc_ckpt source;

static dc_status begin(void *ctx, const dc_state *s, const dc_state_array *array, int n)
{
    dc_ckpt_header header = small_header();
    (void)ctx, (void)s;
    header.N = N;
    return dc_ckpt_begin(&writer, path, &header, array, n);
}
static dc_status put(void *ctx, const void *data, size_t bytes)
{
    (void)ctx;
    return dc_ckpt_put(writer, data, bytes);
}
static dc_status end(void *ctx, const dc_state *s, dc_status so_far)
{
    size_t bytes;
    (void)ctx, (void)s;
    return dc_ckpt_end(&writer, so_far, &bytes);
}
static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    (void)ctx;
    return dc_ckpt_load(&source, index, first, n, out);
}

static const dc_state_config config = {.begin = begin, .put = put, .end = end, .load = load};

static float wide_at(size_t i)
{
    return (float)(i % 1000003) * 0.25f;
}

/* This rank's rows of both tables. */
typedef struct {
    dc_part part;
    size_t n;
    float *wide;      /* [n x WIDE] */
    int64_t *partner; /* [n x 1] */
} tables;

static void keep_tables(dc_comm *comm, dc_state *s, tables *t)
{
    int64_t step = 7;
    CHECK_OK(dc_part_init(&t->part, N, 64, dc_comm_size(comm), dc_comm_rank(comm)));
    t->n = (size_t)dc_part_rows(&t->part);
    CHECK_OK(dc_mem_alloc(&t->wide, t->n, WIDE * sizeof *t->wide, "test"));
    CHECK_OK(dc_mem_alloc(&t->partner, t->n, sizeof *t->partner, "test"));
    CHECK_OK(dc_state_keep_rows(comm, s, "wide", DC_STATE_F32, WIDE, &t->part, t->wide));
    CHECK_OK(dc_state_keep(comm, s, "step", DC_STATE_I64, 1, &step, NULL));
    dc_state_drop(s, &step);
    CHECK_OK(dc_state_keep_rows(comm, s, "partner", DC_STATE_I64, 1, &t->part, t->partner));
}

static void release(tables *t)
{
    dc_mem_free(&t->wide);
    dc_mem_free(&t->partner);
}

static void write_file(dc_comm *comm, const char *to)
{
    tables t = {0};
    dc_state *s = NULL;
    snprintf(path, sizeof path, "%s", to);
    CHECK_OK(dc_state_create(comm, &s, &config, NULL, 0));
    keep_tables(comm, s, &t);
    for (size_t i = 0; i < t.n * WIDE; i++) t.wide[i] = wide_at((size_t)t.part.row_lo * WIDE + i);
    for (size_t i = 0; i < t.n; i++) t.partner[i] = -(t.part.row_lo + (int64_t)i);
    CHECK_OK(dc_state_end_phase(comm, s));
    dc_state_destroy(&s);
    release(&t);
}

static void read_file(dc_comm *comm, const char *from)
{
    tables t = {0};
    dc_state *s = NULL;
    size_t wrong = 0;
    const bool root = dc_comm_rank(comm) == 0;
    CHECK_OK(dc_agree(comm, root ? dc_ckpt_open(from, &source) : DC_OK));
    dc_comm_bcast(comm, &source.n, sizeof source.n, 0);
    dc_comm_bcast(comm, source.array, sizeof source.array, 0);
    CHECK_INT(source.n, 2);
    CHECK_OK(dc_state_create(comm, &s, &config, source.array, source.n));
    keep_tables(comm, s, &t);
    for (size_t i = 0; i < t.n * WIDE; i++) wrong += t.wide[i] != wide_at((size_t)t.part.row_lo * WIDE + i);
    for (size_t i = 0; i < t.n; i++) wrong += t.partner[i] != -(t.part.row_lo + (int64_t)i);
    CHECK_INT(wrong, 0);
    dc_state_destroy(&s);
    dc_ckpt_release(&source);
    release(&t);
}

static void compare_files(const char *a, const char *b)
{
    unsigned char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    CHECK_OK(dc_file_read(a, 1 << 26, &x, &n));
    CHECK_OK(dc_file_read(b, 1 << 26, &y, &m));
    CHECK(n == m && n > N * (WIDE * sizeof(float) + sizeof(int64_t)) && memcmp(x, y, n) == 0);
    dc_mem_free(&x);
    dc_mem_free(&y);
}

int main(void)
{
    dc_comm *comm = NULL, *group = NULL;
    char of_all[DC_PATH_MAX], of_one[DC_PATH_MAX];
    if (dc_comm_create(&comm) != DC_OK) return 1;
    const int rank = dc_comm_rank(comm), P = dc_comm_size(comm);
    check_init(rank);
    dc_log_set_active(false);
    if (rank == 0) make_folder();
    dc_comm_bcast(comm, folder, sizeof folder, 0);
    snprintf(of_all, sizeof of_all, "%s/all.h5", folder);
    snprintf(of_one, sizeof of_one, "%s/one-%d.h5", folder, rank);
    write_file(comm, of_all);
    /* The first `size` ranks work together, each of the others alone. */
    for (int size = 1; size <= P; size++) {
        CHECK_OK(dc_comm_split(comm, rank < size ? 0 : rank, &group));
        read_file(group, of_all);
        if (size == 1) {
            write_file(group, of_one);
            compare_files(of_all, of_one);
        }
        dc_comm_destroy(&group);
    }
    dc_comm_barrier(comm);
    read_file(comm, of_one); /* that of rank 0 */
    if (rank == 0) {
        remove_files(folder);
        rmdir(folder);
    }
    return check_done_all(&comm);
}
