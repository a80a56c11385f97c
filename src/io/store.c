/* Reads rows from their places in many files. The open files are kept in a few slots: a thread takes a slot for the
 * time of a read, and a file that nobody reads gives its slot to the next one. Chunks pass through a cache
 * (chunk_cache.c). */
#include "dcmpi/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chunk_cache.h"
#include "dcmpi/clock.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

/* More files than this are not read at once by the threads of a rank; a quarter of the limit of the process leaves
 * enough for libraries and network. */
enum { SLOTS_MAX = 64, SHARE_OF_LIMIT = 4 };

/* Linux reads no more ahead for one call than the device's read-ahead, 128 KiB by default. A device with ENOUGH_BYTES
 * or more needs no calls for rows in order; they would cost: what a program asks for comes in pages of 4 KiB, what the
 * system reads by itself in larger ones, with a third of the CPU time, and later copies take half of theirs. */
enum { ADVICE_BYTES = 128 << 10, ENOUGH_BYTES = 1 << 20 };

typedef struct {
    size_t piece;    /* that is open */
    int fd;          /* -1: none */
    int users;       /* threads that read it now */
    uint64_t taken;  /* when it was last taken, in takes */
    double looked_s; /* when its file was last compared with what it was */
    bool ahead;      /* the system reads enough ahead of a thread that goes through it in order */
} slot;

typedef struct {
    dc_status code; /* DC_OK: none */
    char text[DC_ERROR_TEXT_MAX];
} failure;

struct dc_store {
    size_t n, row_bytes;
    dc_store_piece *piece; /* [n] */
    dc_gidx *first;        /* [n + 1] */
    char *names;
    dc_chunk_cache *chunks; /* NULL: there are none */
    dc_chunk_table *table;  /* [n]; NULL: none are listed */
    pthread_mutex_t mutex;  /* of all that follows, and of the states in `piece` */
    pthread_cond_t freed;   /* a slot has no users any more */
    int n_slots;
    slot slots[SLOTS_MAX];
    uint64_t takes;
    uint64_t device; /* of the file that was opened last */
    bool ahead;      /* there the system reads enough ahead */
    failure failed;
};

/* ---- What it holds ----------------------------------------------------------------------------------------------- */

static int slots_allowed(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    return (int)DC_MAX(DC_MIN(limit.rlim_cur / SHARE_OF_LIMIT, (rlim_t)SLOTS_MAX), (rlim_t)1);
}

static void set_up(dc_store *s)
{
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->freed, NULL);
    s->n_slots = slots_allowed();
    for (int i = 0; i < SLOTS_MAX; i++) s->slots[i].fd = -1;
}

dc_status dc_store_create(const dc_store_piece *piece, size_t n, const char *names, size_t name_bytes, size_t row_bytes,
                          dc_store **out)
{
    dc_status st = DC_OK;
    dc_store *s = NULL;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&s, 1, sizeof *s, "files of rows"));
    set_up(s);
    s->n = n;
    s->row_bytes = row_bytes;
    DC_TRY(dc_mem_alloc(&s->piece, n, sizeof *s->piece, "files of rows"));
    DC_TRY(dc_mem_alloc(&s->first, n + 1, sizeof *s->first, "files of rows"));
    DC_TRY(dc_mem_alloc(&s->names, name_bytes, 1, "names of files"));
    memcpy(s->names, names, name_bytes);
    for (size_t i = 0; i < n; i++) {
        s->piece[i] = piece[i];
        /* Nodes number devices, and some file systems files, in their own way: taken when a file is first opened. */
        s->piece[i].state.device = s->piece[i].state.inode = 0;
        s->first[i + 1] = s->first[i] + piece[i].rows;
    }
    *out = s;
out:
    if (st != DC_OK) dc_store_destroy(&s);
    return st;
}

void dc_store_destroy(dc_store **store)
{
    dc_store *s = *store;
    if (!s) return;
    for (int i = 0; i < SLOTS_MAX; i++)
        if (s->slots[i].fd >= 0) close(s->slots[i].fd);
    dc_chunk_cache_destroy(&s->chunks);
    for (size_t i = 0; s->table && i < s->n; i++) dc_chunk_table_release(&s->table[i]);
    dc_mem_free(&s->table);
    pthread_cond_destroy(&s->freed);
    pthread_mutex_destroy(&s->mutex);
    dc_mem_free(&s->piece);
    dc_mem_free(&s->first);
    dc_mem_free(&s->names);
    dc_mem_free(store);
}

dc_gidx dc_store_rows(const dc_store *s)
{
    return s->first[s->n];
}
size_t dc_store_row_bytes(const dc_store *s)
{
    return s->row_bytes;
}
const dc_store_piece *dc_store_piece_at(const dc_store *s, size_t i)
{
    return &s->piece[i];
}
dc_gidx dc_store_first(const dc_store *s, size_t i)
{
    return s->first[i];
}
static const char *path_of(const dc_store *s, size_t i)
{
    return s->names + s->piece[i].path;
}
const char *dc_store_dataset(const dc_store *s, size_t i)
{
    return s->names + s->piece[i].dataset;
}

size_t dc_store_piece_of(const dc_store *s, dc_gidx row)
{
    size_t lo = 0, hi = s->n; /* first[lo] <= row < first[hi]; of pieces that begin at one row only the last has it */
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (s->first[mid] <= row)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* ---- Failures ---------------------------------------------------------------------------------------------------- */

/* Keeps the first one. With the mutex held. */
static void keep(dc_store *s, dc_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void keep(dc_store *s, dc_status code, const char *format, ...)
{
    va_list args;
    if (s->failed.code != DC_OK) return;
    s->failed.code = code;
    va_start(args, format);
    vsnprintf(s->failed.text, sizeof s->failed.text, format, args);
    va_end(args);
}

static void keep_changed(dc_store *s, size_t i, const char *what)
{
    keep(s, DC_ERR_DATA, "%s changed while it was read: %s; start again when it is complete", path_of(s, i), what);
}

static bool has_failed(dc_store *s)
{
    pthread_mutex_lock(&s->mutex);
    const bool failed = s->failed.code != DC_OK;
    pthread_mutex_unlock(&s->mutex);
    return failed;
}

dc_status dc_store_status(dc_store *s)
{
    pthread_mutex_lock(&s->mutex);
    const dc_status st = s->failed.code;
    pthread_mutex_unlock(&s->mutex);
    return st == DC_OK ? DC_OK : DC_FAIL(st, "%s", s->failed.text);
}

/* ---- Open files -------------------------------------------------------------------------------------------------- */

/* A slot for the piece: its own, else the one that was not used for longest; NULL if all are in use. */
static slot *choose(dc_store *s, size_t i)
{
    slot *best = NULL;
    for (int k = 0; k < s->n_slots; k++) {
        slot *one = &s->slots[k];
        if (one->fd >= 0 && one->piece == i) return one;
        if (one->users == 0 && (!best || one->taken < best->taken)) best = one;
    }
    return best;
}

static bool reads_ahead(dc_store *s, uint64_t device)
{
    if (device != s->device) s->ahead = dc_file_read_ahead(device) >= ENOUGH_BYTES;
    s->device = device;
    return s->ahead;
}

/* Opens the file of piece i, which must be the one that was inspected. */
static void open_piece(dc_store *s, size_t i, slot *one)
{
    dc_file_state *then = &s->piece[i].state, now;
    if (one->fd >= 0) close(one->fd);
    one->piece = i;
    one->fd = open(path_of(s, i), O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not make us wait */
    if (one->fd < 0 && errno == ENOENT) {
        keep_changed(s, i, "it is gone, or this node does not see it");
    } else if (one->fd < 0 || !dc_file_look(one->fd, &now)) {
        keep(s, DC_ERR_IO, "cannot open %s: %s", path_of(s, i), strerror(errno));
    } else {
        if (then->inode == 0) then->device = now.device, then->inode = now.inode;
        const char *change = dc_file_change(then, &now);
        one->looked_s = dc_clock_now_s();
        one->ahead = reads_ahead(s, now.device);
        if (!change) return;
        keep_changed(s, i, change);
    }
    if (one->fd >= 0) close(one->fd);
    one->fd = -1;
}

/* Takes the open file of a piece, for the caller to give back; NULL after a failure. */
static slot *take(dc_store *s, size_t i)
{
    slot *one = NULL;
    pthread_mutex_lock(&s->mutex);
    while (s->failed.code == DC_OK && !(one = choose(s, i))) pthread_cond_wait(&s->freed, &s->mutex);
    if (one && (one->fd < 0 || one->piece != i)) open_piece(s, i, one);
    if (one && one->fd < 0) one = NULL;
    if (one) {
        one->users++;
        one->taken = ++s->takes;
    }
    pthread_mutex_unlock(&s->mutex);
    return one;
}

/* Compares the open file with what it was, about once a second: a look may be a message to a server. */
static void look_again(dc_store *s, slot *one)
{
    dc_file_state now;
    const double now_s = dc_clock_now_s();
    if (now_s < one->looked_s + 1) return;
    one->looked_s = now_s;
    const char *change = dc_file_look(one->fd, &now) ? dc_file_change(&s->piece[one->piece].state, &now) : NULL;
    if (change) keep_changed(s, one->piece, change);
}

static void give_back(dc_store *s, slot *one)
{
    pthread_mutex_lock(&s->mutex);
    look_again(s, one);
    if (--one->users == 0) pthread_cond_broadcast(&s->freed);
    pthread_mutex_unlock(&s->mutex);
}

/* ---- Reads ------------------------------------------------------------------------------------------------------- */

/* Rows of one piece. */
typedef struct {
    size_t i;
    int64_t at, bytes; /* in the file */
} stretch;

/* The part of rows [row, row + n) that lies in the piece of `row`; *rows: how many these are. */
static stretch stretch_of(const dc_store *s, dc_gidx row, int64_t n, int64_t *rows)
{
    const size_t i = dc_store_piece_of(s, row);
    *rows = DC_MIN(n, s->first[i + 1] - row);
    return (stretch){.i = i,
                     .at = s->piece[i].offset + (row - s->first[i]) * (int64_t)s->row_bytes,
                     .bytes = *rows * (int64_t)s->row_bytes};
}

static void fail_read(dc_store *s, size_t i, int64_t at, ssize_t got, int cause)
{
    pthread_mutex_lock(&s->mutex);
    if (got == 0)
        keep_changed(s, i, "it is shorter now");
    else
        keep(s, DC_ERR_IO, "cannot read %s at byte %lld: %s", path_of(s, i), (long long)at, strerror(cause));
    pthread_mutex_unlock(&s->mutex);
}

static bool read_stretch(dc_store *s, stretch t, char *out)
{
    slot *one = take(s, t.i);
    while (one && t.bytes > 0) {
        const ssize_t got = pread(one->fd, out, (size_t)t.bytes, (off_t)t.at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            fail_read(s, t.i, t.at, got, errno);
            break;
        }
        dc_heartbeat();
        out += got;
        t.at += got;
        t.bytes -= got;
    }
    if (one) give_back(s, one);
    return one && t.bytes == 0;
}

static bool is_listed(const dc_store *s, size_t i)
{
    return s->chunks && s->table[i].place;
}

static void fail_place(dc_store *s, size_t i)
{
    pthread_mutex_lock(&s->mutex);
    keep(s, DC_ERR_DATA, "%s: '%s' is stored in chunks; dcmpi convert makes it one piece", path_of(s, i),
         dc_store_dataset(s, i));
    pthread_mutex_unlock(&s->mutex);
}

static bool read_rows(dc_store *s, stretch t, dc_gidx row, int64_t n, char *out)
{
    if (s->piece[t.i].offset >= 0) return read_stretch(s, t, out);
    if (!is_listed(s, t.i)) fail_place(s, t.i);
    return !has_failed(s) && dc_chunk_cache_read(s->chunks, t.i, row - s->first[t.i], n, out);
}

static dc_status failed_read(dc_store *s, int64_t n, void *out)
{
    memset(out, 0, (size_t)n * s->row_bytes);
    pthread_mutex_lock(&s->mutex);
    const dc_status st = s->failed.code;
    pthread_mutex_unlock(&s->mutex);
    return st;
}

dc_status dc_store_read(dc_store *s, dc_gidx row, int64_t n, void *out)
{
    DC_ASSERT(row >= 0 && n >= 0 && n <= dc_store_rows(s) - row);
    for (int64_t done = 0, rows; done < n; done += rows) {
        const stretch t = stretch_of(s, row + done, n - done, &rows);
        if (!read_rows(s, t, row + done, rows, (char *)out + (size_t)done * s->row_bytes))
            return failed_read(s, n, out);
    }
    return DC_OK;
}

static void advise(void *ctx, int64_t at, int64_t bytes)
{
    const slot *one = ctx;
    for (int64_t done = 0; done < bytes; done += ADVICE_BYTES)
        (void)posix_fadvise(one->fd, (off_t)(at + done), (off_t)DC_MIN(bytes - done, (int64_t)ADVICE_BYTES),
                            POSIX_FADV_WILLNEED);
}

static void expect(dc_store *s, dc_gidx row, int64_t n, bool in_order)
{
    n = DC_MIN(n, dc_store_rows(s) - row);
    for (int64_t done = 0, rows; done < n; done += rows) {
        const stretch t = stretch_of(s, row + done, n - done, &rows);
        const bool listed = is_listed(s, t.i);
        slot *one = s->piece[t.i].offset < 0 && !listed ? NULL : take(s, t.i);
        if (!one) return; /* the read will tell */
        const bool needed = !in_order || !one->ahead;
        if (needed && listed)
            dc_chunk_cache_expect(s->chunks, t.i, row + done - s->first[t.i], rows, advise, one);
        else if (needed)
            advise(one, t.at, t.bytes);
        give_back(s, one);
    }
}

void dc_store_expect(dc_store *s, dc_gidx row, int64_t n)
{
    expect(s, row, n, false);
}

void dc_store_expect_in_order(dc_store *s, dc_gidx row, int64_t n)
{
    expect(s, row, n, true);
}

dc_status dc_store_check_unchanged(dc_store *s, dc_gidx row, int64_t n)
{
    dc_status st = DC_OK;
    for (int64_t done = 0, rows; done < n && st == DC_OK; done += rows) {
        const stretch t = stretch_of(s, row + done, n - done, &rows);
        const dc_file_state *then = &s->piece[t.i].state;
        if (then->inode != 0) st = dc_file_unchanged(path_of(s, t.i), then, DC_ERR_DATA);
    }
    return st;
}

/* ---- Chunks ------------------------------------------------------------------------------------------------------ */

static bool read_bytes(void *ctx, size_t i, int64_t at, size_t bytes, char *out)
{
    return read_stretch(ctx, (stretch){.i = i, .at = at, .bytes = (int64_t)bytes}, out);
}

/* A file that was written to since is not damaged. */
static void keep_damage(void *ctx, size_t i, int64_t row, int64_t at, const char *how)
{
    dc_store *s = ctx;
    dc_file_state now;
    slot *one = take(s, i);
    if (!one) return;
    pthread_mutex_lock(&s->mutex);
    const char *change = dc_file_look(one->fd, &now) ? dc_file_change(&s->piece[i].state, &now) : NULL;
    if (change)
        keep_changed(s, i, change);
    else
        keep(s, DC_ERR_DATA, "%s is damaged: the chunk of row %lld at byte %lld %s; make the file again", path_of(s, i),
             (long long)row, (long long)at, how);
    pthread_mutex_unlock(&s->mutex);
    give_back(s, one);
}

/* Lists the chunks of rows [row, row + n) of piece i, counted from its own first. */
static dc_status list_piece(dc_store *s, size_t i, int64_t row, int64_t n, dc_store_find *find, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char name[DC_H5_NAME_MAX];
    dc_chunk_table *t = &s->table[i];
    dc_chunk_layout *l = &t->layout;
    slot *one = take(s, i);
    if (!one) return dc_store_status(s);
    DC_TRY(dc_h5_image_open(&h5, path_of(s, i), one->fd, (size_t)s->piece[i].state.bytes));
    DC_TRY(find(ctx, h5, i, name));
    DC_TRY(dc_h5_chunk_layout(h5, name, l));
    size_t row_bytes = l->item_bytes;
    for (int k = 1; k < l->n_dims; k++) row_bytes = dc_mul_size(row_bytes, (size_t)l->dims[k]);
    if (row_bytes != s->row_bytes || l->dims[0] < s->piece[i].rows || l->chunk_bytes != s->piece[i].packing.chunk_bytes)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has another shape than before", path_of(s, i), name));
    t->band = row / l->chunk[0];
    t->bands = (row + n - 1) / l->chunk[0] + 1 - t->band;
    const size_t chunks = dc_mul_size((size_t)t->bands, (size_t)l->per_band);
    DC_TRY(dc_mem_alloc(&t->place, chunks, sizeof *t->place, "places of chunks"));
    DC_TRY(dc_mem_alloc(&t->slot, chunks, sizeof *t->slot, "places of chunks"));
    for (size_t k = 0; k < chunks; k++) t->slot[k] = -1;
    st = dc_h5_chunk_places(h5, name, l, t->band, t->bands, t->place);
out:
    st = dc_h5_close_read(&h5, st);
    give_back(s, one);
    return st;
}

dc_status dc_store_list_chunks(dc_store *s, dc_gidx row, int64_t n, int threads, size_t bytes, dc_store_find *find,
                               void *ctx)
{
    dc_status st = DC_OK;
    DC_ASSERT(!s->chunks && row >= 0 && n <= dc_store_rows(s) - row);
    for (int64_t done = 0, rows; done < n && st == DC_OK; done += rows) {
        const stretch t = stretch_of(s, row + done, n - done, &rows);
        if (s->piece[t.i].offset >= 0) continue;
        if (!s->table) DC_TRY(dc_mem_alloc(&s->table, s->n, sizeof *s->table, "places of chunks"));
        st = list_piece(s, t.i, row + done - s->first[t.i], rows, find, ctx);
    }
    const dc_chunk_source source = {.read = read_bytes, .damaged = keep_damage, .ctx = s};
    if (st == DC_OK && s->table) st = dc_chunk_cache_create(s->table, s->n, threads, bytes, source, &s->chunks);
out:
    return st;
}

double dc_store_tables_need(size_t n)
{
    return (double)n * sizeof(dc_chunk_table);
}

/* The library keeps what it has read of an index, until the file is closed. */
double dc_store_chunks_need(const dc_h5_packing *most, int threads, size_t bytes)
{
    enum { INDEX_BYTES_PER_CHUNK = 80, INDEX_BYTES_MAX = 32 << 20 };
    const double index = fmin((double)most->chunks * INDEX_BYTES_PER_CHUNK, INDEX_BYTES_MAX);
    return dc_chunk_cache_bytes(most, threads, bytes) + index;
}
