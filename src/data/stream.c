/* Rows that stay in their files (input.residency = stream), or are made when they are needed, for passes of several
 * threads.
 *
 * Every thread has a window: rows that it has read last. A thread that asks for the row behind its window, or for one
 * at most GAP_BYTES further on, goes through the rows in order: its window then doubles, up to DC_DATA_WINDOW_BYTES, so
 * that values pass from the system's cache through a core's own, and the system is told which rows come next,
 * AHEAD_BYTES of them, if it needs to be told, so that it reads while the threads compute. A thread that asks for any
 * other row reads what it asks for, no more: a row of a batch costs a row.
 *
 * Threads cannot return errors. A failed read leaves zeros and is kept in the store, which is watched (status.h): the
 * ranks cannot agree on anything, let alone write a result, without hearing of it. */
#include <omp.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/beat.h"
#include "dcmpi/mem.h"

/* A call of the system takes about as long as copying GAP_BYTES. */
enum { AHEAD_BYTES = 4 << 20, GAP_BYTES = 4 << 10 };

typedef struct {
    _Alignas(DC_MEM_ALIGN) char *bytes; /* [window_rows x row_bytes] */
    int64_t lo, hi;                     /* local rows that it holds */
    int64_t expected;                   /* rows before this one are being read ahead */
    void *scratch;                      /* for rows that are made */
} window;

struct dc_data_stream {
    dc_store *store; /* NULL: rows are made: */
    dc_builtin made;
    uint64_t seed;
    dc_gidx first;
    int64_t rows, window_rows, ahead_rows, gap_rows;
    size_t row_bytes;
    int threads;
    window *window; /* [threads] */
    char *slab;
};

int64_t dc_data_window_rows(size_t row_bytes)
{
    return DC_MAX((int64_t)(DC_DATA_WINDOW_BYTES / row_bytes), (int64_t)1);
}

static size_t aligned(size_t bytes)
{
    return (bytes + DC_MEM_ALIGN - 1) / DC_MEM_ALIGN * DC_MEM_ALIGN;
}

static size_t window_bytes(size_t row_bytes)
{
    return aligned((size_t)dc_data_window_rows(row_bytes) * row_bytes);
}

double dc_data_stream_bytes(size_t row_bytes, size_t scratch_bytes, int threads)
{
    return (double)threads * (double)(window_bytes(row_bytes) + aligned(scratch_bytes) + sizeof(window)) +
           sizeof(dc_data_stream);
}

static dc_status status_of(void *store)
{
    return dc_store_status(store);
}

static dc_status create(size_t row_bytes, size_t scratch_bytes, dc_gidx first, int64_t rows, dc_data_stream **out)
{
    dc_status st = DC_OK;
    dc_data_stream *s = NULL;
    const size_t threads = (size_t)omp_get_max_threads(), one = window_bytes(row_bytes) + aligned(scratch_bytes);
    DC_TRY(dc_mem_alloc(&s, 1, sizeof *s, "stream of rows"));
    *s = (dc_data_stream){.first = first,
                          .rows = rows,
                          .window_rows = dc_data_window_rows(row_bytes),
                          .ahead_rows = DC_MAX((int64_t)(AHEAD_BYTES / row_bytes), (int64_t)1),
                          .gap_rows = (int64_t)(GAP_BYTES / row_bytes),
                          .row_bytes = row_bytes,
                          .threads = (int)threads};
    DC_TRY(dc_mem_alloc(&s->window, threads, sizeof *s->window, "stream of rows"));
    DC_TRY(dc_mem_alloc(&s->slab, threads, one, "windows of rows"));
    for (size_t t = 0; t < threads; t++) {
        s->window[t].bytes = s->slab + t * one;
        s->window[t].scratch = s->window[t].bytes + window_bytes(row_bytes);
    }
    *out = s;
    return DC_OK;
out:
    dc_data_stream_destroy(&s);
    return st;
}

dc_status dc_data_stream_create(dc_store *store, dc_gidx first, int64_t rows, dc_data_stream **out)
{
    const dc_status st = create(dc_store_row_bytes(store), 0, first, rows, out);
    if (st != DC_OK) return st;
    (*out)->store = store;
    dc_error_watch(status_of, store);
    return DC_OK;
}

dc_status dc_data_stream_make(const dc_builtin *b, uint64_t seed, dc_gidx first, int64_t rows, dc_data_stream **out)
{
    const size_t row_bytes = (size_t)b->D * dc_dtype_bytes(b->dtype);
    const dc_status st = create(row_bytes, dc_builtin_scratch_bytes(b), first, rows, out);
    if (st != DC_OK) return st;
    (*out)->made = *b;
    (*out)->seed = seed;
    (*out)->gap_rows = 0; /* a row that nobody asked for is work */
    return DC_OK;
}

void dc_data_stream_destroy(dc_data_stream **stream)
{
    dc_data_stream *s = *stream;
    if (!s) return;
    if (s->store) dc_error_watch(NULL, NULL);
    dc_store_destroy(&s->store);
    dc_mem_free(&s->window);
    dc_mem_free(&s->slab);
    dc_mem_free(stream);
}

/* Number of this thread in the one team that runs now; teams do not nest. */
static int number_of_thread(void)
{
    int number = 0;
    for (int level = omp_get_level(); level > 0 && number == 0; level--) number = omp_get_ancestor_thread_num(level);
    return number;
}

void dc_data_stream_expect(dc_data_stream *s, int64_t lo, int64_t n)
{
    if (s->store) dc_store_expect(s->store, s->first + lo, n);
}

dc_status dc_data_stream_check(dc_data_stream *s)
{
    return s->store ? dc_store_check_unchanged(s->store, s->first, s->rows) : DC_OK;
}

/* Tells the system what comes behind the window, half of AHEAD_BYTES or more at a time. */
static void expect_next(dc_data_stream *s, window *w)
{
    const int64_t end = DC_MIN(w->hi + s->ahead_rows, s->rows);
    if (w->expected < w->hi || w->expected > w->hi + s->ahead_rows) w->expected = w->hi; /* the thread came from afar */
    if (2 * (end - w->expected) < s->ahead_rows && end < s->rows) return;
    if (end > w->expected) dc_store_expect_in_order(s->store, s->first + w->expected, end - w->expected);
    w->expected = end;
}

/* Moves the window to row lo. */
static void move(dc_data_stream *s, window *w, int64_t lo, int64_t n)
{
    const bool goes_on = w->hi > 0 && lo >= w->hi && lo <= w->hi + s->gap_rows;
    const int64_t wanted = goes_on ? DC_MAX(n, 2 * (w->hi - w->lo)) : n;
    const int64_t rows = DC_MIN(DC_MIN(wanted, s->window_rows), s->rows - lo);
    w->lo = lo;
    w->hi = lo + rows;
    dc_beat_lives();
    if (!s->store) {
        dc_builtin_rows(&s->made, s->seed, s->first + lo, rows, w->bytes, w->scratch);
        return;
    }
    if (goes_on) expect_next(s, w);
    (void)dc_store_read(s->store, s->first + lo, rows, w->bytes);
}

int64_t dc_data_stream_rows(dc_data_stream *s, int64_t lo, int64_t n, const void **x)
{
    const int number = number_of_thread();
    DC_ASSERT(number < s->threads);
    window *w = &s->window[number];
    if (lo < w->lo || lo >= w->hi) move(s, w, lo, n);
    *x = w->bytes + (size_t)(lo - w->lo) * s->row_bytes;
    return DC_MIN(n, w->hi - lo);
}
