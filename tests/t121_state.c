/* State by name, in pieces, tables of all ranks; wishes of one rank that all ranks then follow, saves that fail, the
 * clock, the file STOP. ranks: 1 2 3 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/state.h"
#include "dcmpi/wish.h"

static dc_comm *comm;
static int rank, P;

/* ---- A checkpoint in memory -------------------------------------------------------------------------------------- */

enum { BYTES_MAX = 64 << 20 };

/* On rank 0: what was saved last, and what waits. */
typedef struct {
    int saves, beats;
    dc_status answer, beat_answer;
    int fails_at; /* put() number fails_at of a save fails, and all after it; 0: none */
    int puts;
    char phase[32];
    int64_t step;
    int n;
    char names[256]; /* of the arrays, with spaces between */
    double first[8]; /* value of each array */
    size_t length[8], width[8];
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    char *bytes; /* values of all of them */
    size_t used, largest;
    dc_status load_answer;
    int loaded;
} saved;

static dc_status begin(void *ctx, const dc_state *c, const dc_state_array *array, int n)
{
    saved *s = ctx;
    s->saves++;
    s->puts = 0;
    if (s->answer != DC_OK) return DC_FAIL(s->answer, "the disk is full");
    snprintf(s->phase, sizeof s->phase, "%s", dc_state_phase(c));
    s->step = dc_state_step(c);
    s->n = n;
    s->names[0] = '\0';
    s->used = s->largest = 0;
    memcpy(s->array, array, (size_t)n * sizeof *array);
    for (int i = 0; i < n && i < 8; i++) {
        snprintf(s->names + strlen(s->names), sizeof s->names - strlen(s->names), "%s ", array[i].name);
        s->length[i] = array[i].n;
        s->width[i] = array[i].width;
    }
    return DC_OK;
}

static dc_status put(void *ctx, const void *data, size_t bytes)
{
    saved *s = ctx;
    s->puts++;
    s->largest = DC_MAX(s->largest, bytes);
    if (s->fails_at && s->puts >= s->fails_at) return DC_FAIL(DC_ERR_IO, "the disk broke at piece %d", s->puts);
    if (!s->bytes) CHECK_OK(dc_mem_alloc_pages(&s->bytes, BYTES_MAX, 1, "test"));
    if (!CHECK(s->used + bytes <= BYTES_MAX)) return DC_OK;
    memcpy(s->bytes + s->used, data, bytes);
    s->used += bytes;
    return DC_OK;
}

static size_t begin_of(const saved *s, int index)
{
    size_t at = 0;
    for (int i = 0; i < index; i++) at += s->array[i].n * dc_state_type_bytes(s->array[i].type);
    return at;
}

/* The first one; others before it may leave it unaligned. */
static double value_at(const saved *s, int i)
{
    const dc_state_type type = s->array[i].type;
    float f;
    double d;
    int64_t k;
    memcpy(&f, s->bytes + begin_of(s, i), sizeof f);
    if (type == DC_STATE_F32) return (double)f;
    memcpy(&d, s->bytes + begin_of(s, i), sizeof d);
    memcpy(&k, s->bytes + begin_of(s, i), sizeof k);
    return type == DC_STATE_F64 ? d : (double)k;
}

static dc_status end_save(void *ctx, const dc_state *c, dc_status so_far)
{
    saved *s = ctx;
    (void)c;
    if (so_far != DC_OK) return so_far;
    CHECK_INT(s->used, begin_of(s, s->n));
    for (int i = 0; i < s->n && i < 8; i++) s->first[i] = s->array[i].n ? value_at(s, i) : 0;
    return DC_OK;
}

static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    saved *s = ctx;
    const size_t size = dc_state_type_bytes(s->array[index].type);
    if (s->load_answer != DC_OK) return DC_FAIL(s->load_answer, "the disk cannot be read");
    s->largest = DC_MAX(s->largest, n * size);
    CHECK(first + n <= s->array[index].n);
    memcpy(out, s->bytes + begin_of(s, index) + first * size, n * size);
    return DC_OK;
}

static void loaded(void *ctx)
{
    saved *s = ctx;
    s->loaded++;
}

static dc_state_config config(saved *s)
{
    return (dc_state_config){.begin = begin, .put = put, .end = end_save, .load = load, .loaded = loaded, .ctx = s};
}

static dc_status beat(void *ctx)
{
    saved *s = ctx;
    s->beats++;
    return s->beat_answer == DC_OK ? DC_OK : DC_FAIL(s->beat_answer, "somebody else has the lock");
}

static saved *last; /* of make() and make_waiting() */

static dc_state *make(saved *s, double every, double stop_at, const char *stop_file)
{
    dc_wish *w = NULL;
    dc_state *c = NULL;
    *s = (saved){0};
    last = s;
    const dc_wish_config wishes = {
        .save_every_s = every, .stop_at_s = stop_at, .stop_file = stop_file, .beat = beat, .ctx = s};
    CHECK_OK(dc_wish_create(comm, &w, &wishes));
    dc_comm_set_wish(comm, w);
    const dc_state_config cfg = config(s);
    CHECK_OK(dc_state_create(comm, &c, &cfg, NULL, 0));
    return c;
}

static void end(dc_state **c)
{
    dc_mem_free(&last->bytes);
    dc_wish *w = dc_comm_wish(comm);
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(c);
    dc_wish_destroy(&w);
}

static const char *reason(void)
{
    return dc_wish_reason(dc_comm_wish(comm));
}

static int later_s;

/* Takes the place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    const int rc = (int)syscall(SYS_clock_gettime, clock, t);
    t->tv_sec += later_s;
    return rc;
}

static int on_root(int value)
{
    return rank == 0 ? value : 0;
}

/* Sends a signal as kill(1) does; returns when it has arrived. */
static void get_signal(int number)
{
    const int before = dc_signals_stops() + dc_signals_saves();
    kill(getpid(), number);
    for (int i = 0; i < 5000 && dc_signals_stops() + dc_signals_saves() == before; i++) usleep(1000);
}

/* ---- State ------------------------------------------------------------------------------------------------------ */

static void add_waiting(saved *s, const char *name, dc_state_type type, size_t n, size_t width, const void *data)
{
    dc_state_array *a = &s->array[s->n++];
    *a = (dc_state_array){.type = type, .n = n, .width = width};
    snprintf(a->name, sizeof a->name, "%s", name);
    if (type == DC_STATE_I64 && n == 1) memcpy(&a->number, data, sizeof a->number);
    CHECK_OK(put(s, data, n * dc_state_type_bytes(type)));
}

static dc_state *make_waiting(saved *s)
{
    dc_state *c = NULL;
    const dc_state_config cfg = config(s);
    last = s;
    CHECK_OK(dc_state_create(comm, &c, &cfg, s->array, s->n));
    return c;
}

static dc_state *make_three(saved *s)
{
    const float w[] = {1, 2, 3};
    const int64_t count[] = {42};
    const double loss[] = {0.5, 0.25};
    *s = (saved){0};
    add_waiting(s, "net/w", DC_STATE_F32, 3, 0, w);
    add_waiting(s, "count", DC_STATE_I64, 1, 0, count);
    add_waiting(s, "loss", DC_STATE_F64, 2, 0, loss);
    return make_waiting(s);
}

static void test_restore(void)
{
    saved s;
    dc_state *c = make_three(&s);
    float w[3] = {9, 9, 9};
    int64_t count = 0, other = 7;
    bool restored = true;
    CHECK(dc_state_continues(c));
    CHECK(dc_state_waiting(c, "loss") && dc_state_waiting(c, "loss")->n == 2);
    CHECK(dc_state_waiting(c, "los") == NULL);
    CHECK_INT(dc_state_waiting(c, "count")->number, 42);
    CHECK_OK(dc_state_keep(comm, c, "other", DC_STATE_I64, 1, &other, &restored));
    CHECK(!restored && other == 7);
    CHECK_OK(dc_state_keep(comm, c, "count", DC_STATE_I64, 1, &count, &restored));
    CHECK(restored && count == 42);
    CHECK_OK(dc_state_keep(comm, c, "net/w", DC_STATE_F32, 3, w, NULL));
    CHECK(w[0] == 1 && w[2] == 3);
    /* Values are given once: the same name in a later phase starts fresh. */
    CHECK(dc_state_waiting(c, "net/w") == NULL);
    dc_state_drop(c, w);
    w[0] = 5;
    CHECK_OK(dc_state_keep(comm, c, "net/w", DC_STATE_F32, 3, w, &restored));
    CHECK(!restored && w[0] == 5);
    CHECK_INT(s.loaded, 0);
    double loss[2];
    CHECK_OK(dc_state_keep(comm, c, "loss", DC_STATE_F64, 2, loss, NULL));
    CHECK(loss[1] == 0.25);
    CHECK_INT(s.loaded, on_root(1)); /* it was the last */
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_TEXT_HAS(s.names, rank == 0 ? "other count net/w loss " : "");
    end(&c);
}

/* Another length or type is the checkpoint of another run. */
static void test_misfit(void)
{
    saved s;
    dc_state *c = make_three(&s);
    float w[4] = {0};
    double loss[2] = {0};
    CHECK_STATUS(dc_state_keep(comm, c, "net/w", DC_STATE_F32, 4, w, NULL), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "3 values of 'net/w', this run 4");
    dc_error_clear();
    CHECK_STATUS(dc_state_keep(comm, c, "loss", DC_STATE_I64, 2, loss, NULL), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK(w[0] == 0 && loss[0] == 0);
    end(&c);
    CHECK(c == NULL);
}

static void test_drop(void)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    int64_t a = 1, b = 2, d = 3;
    CHECK(!dc_state_continues(c));
    CHECK_OK(dc_state_keep(comm, c, "a", DC_STATE_I64, 1, &a, NULL));
    CHECK_OK(dc_state_keep(comm, c, "b", DC_STATE_I64, 1, &b, NULL));
    CHECK_OK(dc_state_keep(comm, c, "d", DC_STATE_I64, 1, &d, NULL));
    dc_state_drop(c, &b);
    dc_state_drop(c, &s); /* unknown: nothing happens */
    dc_state_at(c, "phase", 12);
    a = 10;
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_TEXT_HAS(s.names, rank == 0 ? "a d " : "");
    CHECK_INT(s.first[0], on_root(10)); /* the values of the moment */
    CHECK_INT(s.first[1], on_root(3));
    CHECK_INT(s.step, on_root(12));
    CHECK_TEXT_HAS(s.phase, rank == 0 ? "phase" : "");
    end(&c);
}

/* Shares: rank r holds the values whose number is r modulo P. */
static void gather(dc_comm *on, const void *ctx, const float *own, size_t first, size_t n, float *piece)
{
    double *v = NULL;
    (void)ctx;
    CHECK_OK(dc_mem_alloc(&v, n, sizeof *v, "test"));
    for (size_t i = 0; i < n; i++) v[i] = (int)((first + i) % (size_t)P) == rank ? (double)own[first + i] : 0;
    dc_comm_sum_f64(on, v, n);
    for (size_t i = 0; piece && i < n; i++) piece[i] = (float)v[i];
    dc_mem_free(&v);
}
static void take(const void *ctx, const float *piece, size_t first, size_t n, float *own)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        if ((int)((first + i) % (size_t)P) == rank) own[first + i] = piece[i];
}

static const dc_state_shares shares = {.gather = gather, .take = take};

/* An array and a share of another, each a little over two pieces, saved and loaded. */
static void test_pieces(void)
{
    enum { PIECE = DC_STATE_PIECE_BYTES / sizeof(float), N = 2 * PIECE + 77 };
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    float *same = NULL, *own = NULL;
    int wrong = 0;
    CHECK_OK(dc_mem_alloc(&same, N, sizeof *same, "test"));
    CHECK_OK(dc_mem_alloc(&own, N, sizeof *own, "test"));
    for (int i = 0; i < N; i++) same[i] = (float)i, own[i] = i % P == rank ? (float)(i + 1) : -1;
    CHECK_OK(dc_state_keep(comm, c, "same", DC_STATE_F32, N, same, NULL));
    CHECK_OK(dc_state_keep_shares(comm, c, "own", N, own, &shares));
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_INT(s.puts, on_root(6));
    CHECK_INT(s.largest, on_root(DC_STATE_PIECE_BYTES));
    if (rank == 0) {
        const float *v = (const float *)s.bytes;
        for (int i = 0; i < N; i++) wrong += v[i] != (float)i || v[N + i] != (float)(i + 1);
    }
    dc_state_destroy(&c);

    dc_comm_bcast(comm, &s.n, sizeof s.n, 0);
    dc_comm_bcast(comm, s.array, sizeof s.array, 0);
    c = make_waiting(&s);
    for (int i = 0; i < N; i++) same[i] = own[i] = -1;
    CHECK_OK(dc_state_keep(comm, c, "same", DC_STATE_F32, N, same, NULL));
    CHECK_OK(dc_state_keep_shares(comm, c, "own", N, own, &shares));
    for (int i = 0; i < N; i++) wrong += same[i] != (float)i || own[i] != (i % P == rank ? (float)(i + 1) : -1);
    CHECK_INT(wrong, 0);
    dc_mem_free(&same);
    dc_mem_free(&own);
    end(&c);
}

static void make_part(dc_part *part, dc_gidx N, int ranks)
{
    CHECK_OK(dc_part_init(part, N, 16, ranks, rank));
}

/* A table of N rows makes the same checkpoint on any number of ranks, and each rank gets its own rows back: from the
 * table of a single writer, and from that of this number of ranks. */
static void check_table(dc_gidx N, size_t width)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    dc_part part;
    double *rows = NULL;
    int wrong = 0;
    make_part(&part, N, P);
    const size_t n = (size_t)dc_part_rows(&part) * width, before = (size_t)part.row_lo * width;
    CHECK_OK(dc_mem_alloc(&rows, n, sizeof *rows, "test"));
    for (size_t i = 0; i < n; i++) rows[i] = (double)(before + i) + 0.5;
    const int64_t other = 3;
    CHECK_OK(dc_state_keep(comm, c, "other", DC_STATE_I64, 1, (void *)(uintptr_t)&other, NULL));
    CHECK_OK(dc_state_keep_rows(comm, c, "table", DC_STATE_F64, width, &part, rows));
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK(s.largest <= DC_STATE_PIECE_BYTES);
    CHECK_INT(s.length[1], on_root((int)((size_t)N * width)));
    CHECK_INT(s.width[1], on_root((int)width));
    if (rank == 0)
        for (size_t i = 0; i < (size_t)N * width; i++) wrong += ((const double *)s.bytes)[1 + i] != (double)i + 0.5;
    dc_state_destroy(&c);

    dc_comm_bcast(comm, &s.n, sizeof s.n, 0);
    dc_comm_bcast(comm, s.array, sizeof s.array, 0);
    c = make_waiting(&s);
    memset(rows, 0, n * sizeof *rows);
    CHECK_OK(dc_state_keep_rows(comm, c, "table", DC_STATE_F64, width, &part, rows));
    for (size_t i = 0; i < n; i++) wrong += rows[i] != (double)(before + i) + 0.5;
    CHECK_INT(wrong, 0);
    dc_state_drop(c, rows);
    /* Another width or number of rows is another run's. */
    dc_state_destroy(&c);
    c = make_waiting(&s);
    CHECK_STATUS(dc_state_keep_rows(comm, c, "table", DC_STATE_F64, width + 1, &part, rows), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_state_keep(comm, c, "table", DC_STATE_F64, (size_t)N * width, rows, NULL), DC_ERR_FORMAT);
    dc_error_clear();
    dc_mem_free(&rows);
    end(&c);
}

static void test_tables(void)
{
    const dc_gidx N[] = {1, 2, 5, 1000, 400001};
    for (size_t i = 0; i < DC_COUNT_OF(N); i++) check_table(N[i], N[i] == 5 ? 300000 : 3);
}

/* A disk that fails in the middle of a save: wherever it does, all ranks leave together, and the next save is whole. */
static void test_broken_disk(void)
{
    enum { N = DC_STATE_PIECE_BYTES / sizeof(float) + 1 };
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    float *own = NULL;
    double row[16] = {1};
    float same = 1;
    dc_part part;
    make_part(&part, 16, P);
    CHECK_OK(dc_mem_alloc(&own, N, sizeof *own, "test"));
    CHECK_OK(dc_state_keep_shares(comm, c, "own", N, own, &shares));
    CHECK_OK(dc_state_keep_rows(comm, c, "table", DC_STATE_F64, 1, &part, row));
    CHECK_OK(dc_state_keep(comm, c, "same", DC_STATE_F32, 1, &same, NULL));
    for (s.fails_at = 1; s.fails_at <= 4; s.fails_at++) {
        for (int i = 0; i < 16; i++) row[i] = s.fails_at; /* a message that nobody took would be found later */
        CHECK_OK(dc_state_end_phase(comm, c));
        CHECK_INT(s.puts, on_root(s.fails_at));
        CHECK_INT(dc_error_code(), DC_OK);
    }
    s.fails_at = 0;
    for (int i = 0; i < 16; i++) row[i] = 7;
    CHECK_OK(dc_state_end_phase(comm, c));
    for (int i = 0; rank == 0 && i < 16; i++) {
        double value;
        memcpy(&value, s.bytes + begin_of(&s, 1) + (size_t)i * sizeof value, sizeof value);
        CHECK(value == 7);
    }
    CHECK_INT(s.puts, on_root(4));
    CHECK_INT(s.length[1], on_root(16));
    dc_mem_free(&own);
    end(&c);

    c = make_three(&s);
    float w[3];
    s.load_answer = rank == 0 ? DC_ERR_IO : DC_OK;
    CHECK_STATUS(dc_state_keep(comm, c, "net/w", DC_STATE_F32, 3, w, NULL), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "the disk cannot be read");
    dc_error_clear();
    end(&c);
}

/* An array that grows is saved with what it holds at that moment, and comes back with its length. */
static void test_growing(void)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    double room[6] = {1, 2, 3, 4, 5, 6}, elsewhere[8] = {7, 8};
    double *value = room;
    size_t n = 1;
    CHECK_OK(dc_state_keep_growing(comm, c, "rows", DC_STATE_F64, 2, &n, (void *const *)&value, 3));
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_INT(s.length[0], on_root(2));
    CHECK_INT(s.first[0], on_root(1));
    value = elsewhere;
    n = 4;
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_INT(s.length[0], on_root(8));
    CHECK_INT(s.first[0], on_root(7));
    dc_state_drop(c, &n);
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_INT(s.n, 0);
    end(&c);

    s = (saved){0};
    add_waiting(&s, "rows", DC_STATE_F64, 6, 0, room);
    add_waiting(&s, "odd", DC_STATE_F64, 5, 0, room);
    add_waiting(&s, "other", DC_STATE_F32, 4, 0, room);
    c = make_waiting(&s);
    n = 0;
    CHECK_OK(dc_state_keep_growing(comm, c, "rows", DC_STATE_F64, 2, &n, (void *const *)&value, 4));
    CHECK_INT(n, 3);
    CHECK(memcmp(elsewhere, room, sizeof room) == 0);
    CHECK_STATUS(dc_state_keep_growing(comm, c, "odd", DC_STATE_F64, 2, &n, (void *const *)&value, 4), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_state_keep_growing(comm, c, "other", DC_STATE_F64, 2, &n, (void *const *)&value, 4), DC_ERR_FORMAT);
    dc_error_clear();
    end(&c);
}

/* ---- Wishes ----------------------------------------------------------------------------------------------------- */

static void test_nothing(void)
{
    int64_t a = 1;
    bool restored = true;
    CHECK_OK(dc_state_keep(comm, NULL, "a", DC_STATE_I64, 1, &a, &restored));
    CHECK(!restored && !dc_state_continues(NULL) && !dc_state_waiting(NULL, "a"));
    dc_state_drop(NULL, &a);
    dc_state_at(NULL, "x", 1);
    CHECK(dc_state_ask(NULL) == 0);
    dc_state_hear(NULL, 1);
    CHECK_OK(dc_state_act(comm, NULL));
    CHECK_OK(dc_state_poll(comm, NULL));
    CHECK_OK(dc_wish_poll_stop(comm));
    CHECK_OK(dc_state_end_phase(comm, NULL));
}

/* If one rank wishes to save, all ranks save; the second poll finds nothing new. */
static void test_save_wish(void)
{
    for (int who = 0; who < P; who++) {
        saved s;
        dc_state *c = make(&s, 0, 0, NULL);
        CHECK_OK(dc_state_poll(comm, c));
        CHECK_INT(s.saves, 0);
        if (rank == who) get_signal(SIGUSR2);
        CHECK_OK(dc_wish_poll_stop(comm)); /* saving can wait ... */
        CHECK_INT(s.saves, 0);
        CHECK_OK(dc_state_poll(comm, c)); /* ... and is not forgotten */
        CHECK_INT(s.saves, on_root(1));
        CHECK_OK(dc_state_poll(comm, c));
        CHECK_INT(s.saves, on_root(1));
        end(&c);
    }
}

/* The same, with the wish as part of a sum of floats that is computed anyway. */
static void test_riding_along(void)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    for (int round = 0; round < 3; round++) {
        if (round == 1) get_signal(SIGUSR2); /* on all ranks: still no stop */
        float sum = (float)dc_state_ask(c);
        dc_comm_sum_f32(comm, &sum, 1);
        dc_state_hear(c, (double)sum);
        CHECK_OK(dc_state_act(comm, c));
        CHECK_INT(s.saves, on_root(round >= 1));
    }
    dc_state_hear(c, 0x1p-21 * (1 << 20)); /* as many ranks as there may be wish to save */
    CHECK_OK(dc_state_act(comm, c));
    CHECK_INT(s.saves, on_root(2));
    end(&c);
}

/* A value that changed on one rank must not get into a checkpoint, whichever rank it is. */
static void test_odd_rank(void)
{
    for (int who = 0; who < P && P > 1; who++) {
        saved s;
        dc_state *c = make(&s, 0, 0, NULL);
        float w[] = {1, 2, rank == who ? 4 : 3};
        CHECK_OK(dc_state_keep(comm, c, "net/w", DC_STATE_F32, 3, w, NULL));
        CHECK_STATUS(dc_state_end_phase(comm, c), DC_ERR_NUMERIC);
        CHECK_INT(s.saves, 0);
        CHECK_TEXT_HAS(dc_error_text(), "values to save differ between ranks: rank ");
        dc_error_clear();
        end(&c);
    }
}

/* A failed save warns, work goes on, and the next wish tries again. */
static void test_failed_save(void)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    int64_t a = 1;
    CHECK_OK(dc_state_keep(comm, c, "a", DC_STATE_I64, 1, &a, NULL));
    s.answer = DC_ERR_IO;
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_INT(s.saves, on_root(1));
    CHECK_INT(dc_error_code(), DC_OK);
    CHECK_OK(dc_state_poll(comm, c)); /* not at once */
    CHECK_INT(s.saves, on_root(1));
    later_s = 61;
    CHECK_OK(dc_state_poll(comm, c)); /* but as the warning says, also without saves by the clock */
    CHECK_INT(s.saves, on_root(2));
    s.answer = DC_OK;
    CHECK_OK(dc_state_end_phase(comm, c));
    CHECK_INT(s.n, on_root(1));
    later_s = 1000;
    CHECK_OK(dc_state_poll(comm, c)); /* and no more once it is saved */
    CHECK_INT(s.saves, on_root(3));
    later_s = 0;
    end(&c);
}

static void test_clock(void)
{
    saved s;
    dc_state *c = make(&s, 0.2, 0, NULL);
    CHECK_OK(dc_state_poll(comm, c));
    CHECK_INT(s.saves, 0);
    usleep(250000);
    CHECK_OK(dc_state_poll(comm, c));
    CHECK_INT(s.saves, on_root(1));
    CHECK_OK(dc_state_poll(comm, c));
    CHECK(s.saves <= 2);
    s.answer = DC_ERR_IO;
    usleep(250000);
    CHECK_OK(dc_state_poll(comm, c)); /* fails; the retry waits no longer than the interval */
    const int before = s.saves;
    usleep(250000);
    CHECK_OK(dc_state_poll(comm, c));
    CHECK_INT(s.saves - before, on_root(1));
    end(&c);
}

static void test_time_limit(void)
{
    saved s;
    dc_state *c = make(&s, 0, dc_clock_now_s() + 1000, NULL);
    CHECK_OK(dc_state_poll(comm, c));
    end(&c);
    /* The time may only be up on rank 0: its clock counts. */
    c = make(&s, 0, rank == 0 ? dc_clock_now_s() - 1 : 0, NULL);
    CHECK_STATUS(dc_state_poll(comm, c), DC_STOPPED);
    CHECK_INT(s.saves, on_root(1));
    CHECK(strcmp(reason(), "run.max_time") == 0);
    CHECK(dc_wish_latency(dc_comm_wish(comm)) >= 0 && dc_wish_latency(dc_comm_wish(comm)) < 60);
    end(&c);
}

static void test_stop_file(void)
{
    saved s;
    char path[64];
    snprintf(path, sizeof path, "/tmp/dcmpi-t121-%ld", (long)getpid());
    dc_state *c = make(&s, 0, 0, path);
    if (rank == 0) close(open(path, O_CREAT | O_WRONLY, 0666));
    CHECK_STATUS(dc_wish_poll_stop(comm), DC_STOPPED);
    CHECK_INT(s.saves, 0);
    CHECK(strcmp(reason(), "the file STOP") == 0);
    if (rank == 0) CHECK(access(path, F_OK) != 0);
    end(&c);
}

/* Another run has taken the lock: this one must stop, and cannot save. */
static void test_lost_lock(void)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    s.beat_answer = DC_ERR_BUSY;
    s.answer = DC_ERR_BUSY;
    CHECK_STATUS(dc_state_poll(comm, c), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "stopped by another run without a checkpoint");
    dc_error_clear();
    end(&c);
}

/* Last: a stop signal stays. */
static void test_stop_signal(void)
{
    saved s;
    dc_state *c = make(&s, 0, 0, NULL);
    CHECK_OK(dc_state_poll(comm, c));
    if (rank == P - 1) get_signal(SIGUSR1);
    char name[64] = "SIGUSR1";
    if (P > 1) snprintf(name, sizeof name, "SIGUSR1 to rank %d", P - 1);
    const double sum = dc_state_ask(c);
    CHECK(sum == (rank == P - 1 ? 1 : 0));
    dc_state_hear(c, 1);
    CHECK_STATUS(dc_state_act(comm, c), DC_STOPPED);
    CHECK_INT(s.saves, on_root(1));
    CHECK(strcmp(reason(), name) == 0);
    CHECK_STATUS(dc_state_poll(comm, c), DC_STOPPED); /* work that did not end is told again */
    s.answer = DC_ERR_IO;
    CHECK_STATUS(dc_state_poll(comm, c), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "without a checkpoint: the disk is full");
    dc_error_clear();
    end(&c);
    /* Heard before a phase ends, done at its end. */
    c = make(&s, 0, 0, NULL);
    (void)dc_state_ask(c);
    dc_state_hear(c, 1);
    CHECK_STATUS(dc_state_end_phase(comm, c), DC_STOPPED);
    CHECK_INT(s.saves, on_root(1));
    end(&c);
}

int main(void)
{
    dc_signals_install();
    if (dc_comm_create(&comm) != DC_OK) return 1;
    rank = dc_comm_rank(comm);
    P = dc_comm_size(comm);
    check_init(rank);
    dc_log_set_active(false);
    test_nothing();
    test_restore();
    test_misfit();
    test_drop();
    test_pieces();
    test_tables();
    test_broken_disk();
    test_growing();
    test_save_wish();
    test_riding_along();
    test_odd_rank();
    test_failed_save();
    test_clock();
    test_time_limit();
    test_stop_file();
    test_lost_lock();
    test_stop_signal();
    return check_done_all(&comm);
}
