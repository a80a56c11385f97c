/* Keeps unpacked chunks in slots. A thread that needs a chunk which is in none takes the slot that was not used for
 * longest, and unpacks the chunk there while other threads do the same for other chunks; who needs the same one waits.
 * Each thread begins with another chunk of a band than threads that are at other rows of it, so that they share the
 * work. */
#include "chunk_cache.h"

#include <pthread.h>
#include <string.h>

#include "dcmpi/mem.h"

/* Two bands for each thread are kept in any case. */
enum { BANDS_PER_THREAD = 2 };

typedef struct {
    size_t piece;
    int64_t chunk; /* number in the table of the piece; -1: none */
    bool ready;    /* else a thread unpacks it */
    int users;
    int32_t before, after; /* slots that were last asked for before and after this one; -1: none */
} slot;

struct dc_chunk_cache {
    size_t n;
    dc_chunk_table *table; /* [n], borrowed */
    dc_chunk_source source;
    size_t chunk_bytes; /* of the largest chunk, rounded up for alignment */
    char *bytes;        /* [n_slots x chunk_bytes] */
    int32_t n_slots;
    pthread_mutex_t mutex; /* of all that follows, and of the slots of tables */
    pthread_cond_t changed;
    slot *slot;             /* [n_slots] */
    int32_t oldest, newest; /* by when they were last asked for */
    int n_free;
    dc_chunk_work **work; /* [threads], of which the first n_free are free */
    int threads;
};

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static size_t aligned(size_t chunk_bytes)
{
    return (chunk_bytes + DC_MEM_ALIGN - 1) / DC_MEM_ALIGN * DC_MEM_ALIGN;
}

static size_t room_for(size_t chunk_bytes)
{
    return dc_chunk_room(&(dc_chunk_layout){.chunk_bytes = chunk_bytes});
}

static int64_t slots_for(const dc_h5_packing *most, int threads, size_t bytes)
{
    const size_t bands = dc_mul_size(most->band_bytes, (size_t)(BANDS_PER_THREAD * threads));
    const size_t wanted = DC_MAX(bands, bytes) / aligned(most->chunk_bytes) + 1;
    return (int64_t)DC_MIN(DC_MIN(wanted, (size_t)DC_MAX(most->chunks, (int64_t)1)), (size_t)INT32_MAX);
}

double dc_chunk_cache_bytes(const dc_h5_packing *most, int threads, size_t bytes)
{
    const double slots = (double)slots_for(most, threads, bytes);
    return slots * (double)(aligned(most->chunk_bytes) + sizeof(slot)) +
           threads * dc_chunk_work_bytes(room_for(most->chunk_bytes)) +
           (double)most->chunks * (sizeof(dc_chunk_place) + sizeof(int32_t));
}

static dc_status take_memory(dc_chunk_cache *c, size_t bytes)
{
    dc_status st = DC_OK;
    dc_h5_packing most = {.chunk_bytes = 1};
    for (size_t i = 0; i < c->n; i++) {
        const dc_chunk_table *t = &c->table[i];
        if (!t->place) continue;
        most.chunk_bytes = DC_MAX(most.chunk_bytes, t->layout.chunk_bytes);
        most.band_bytes = DC_MAX(most.band_bytes, dc_mul_size(t->layout.chunk_bytes, (size_t)t->layout.per_band));
        most.chunks += t->bands * t->layout.per_band;
    }
    const int64_t slots = slots_for(&most, c->threads, bytes);
    c->chunk_bytes = aligned(most.chunk_bytes);
    DC_TRY(dc_mem_alloc_raw(&c->bytes, (size_t)slots, c->chunk_bytes, "unpacked chunks"));
    DC_TRY(dc_mem_alloc(&c->slot, (size_t)slots, sizeof *c->slot, "unpacked chunks"));
    c->n_slots = (int32_t)slots;
    for (int32_t k = 0; k < c->n_slots; k++)
        c->slot[k] = (slot){.chunk = -1, .before = k - 1, .after = k + 1 < c->n_slots ? k + 1 : -1};
    c->newest = c->n_slots - 1;
    DC_TRY(dc_mem_alloc(&c->work, (size_t)c->threads, sizeof *c->work, "buffers of chunks"));
    for (; c->n_free < c->threads; c->n_free++)
        DC_TRY(dc_chunk_work_create(room_for(most.chunk_bytes), &c->work[c->n_free]));
out:
    return st;
}

void dc_chunk_table_release(dc_chunk_table *table)
{
    dc_mem_free(&table->place);
    dc_mem_free(&table->slot);
}

dc_status dc_chunk_cache_create(dc_chunk_table *table, size_t n, int threads, size_t bytes, dc_chunk_source source,
                                dc_chunk_cache **out)
{
    dc_chunk_cache *c = NULL;
    dc_status st = dc_mem_alloc(&c, 1, sizeof *c, "unpacked chunks");
    *out = NULL;
    if (st != DC_OK) return st;
    c->n = n;
    c->table = table;
    c->source = source;
    c->threads = threads;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    st = take_memory(c, bytes);
    if (st != DC_OK) dc_chunk_cache_destroy(&c);
    *out = c;
    return st;
}

void dc_chunk_cache_destroy(dc_chunk_cache **cache)
{
    dc_chunk_cache *c = *cache;
    if (!c) return;
    for (int k = 0; c->work && k < c->n_free; k++) dc_chunk_work_destroy(&c->work[k]);
    dc_mem_free(&c->work);
    dc_mem_free(&c->slot);
    dc_mem_free(&c->bytes);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    dc_mem_free(cache);
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

static char *bytes_of(const dc_chunk_cache *c, int32_t k)
{
    return c->bytes + (size_t)k * c->chunk_bytes;
}

static bool unpack(dc_chunk_cache *c, size_t i, int64_t chunk, dc_chunk_work *work, char *out)
{
    const dc_chunk_table *t = &c->table[i];
    const dc_chunk_place *p = &t->place[chunk];
    if (p->at < 0) {
        dc_chunk_fill(&t->layout, out);
        return true;
    }
    if (!c->source.read(c->source.ctx, i, p->at, p->bytes, dc_chunk_work_input(work))) return false;
    const char *wrong = dc_chunk_unpack(work, &t->layout, p->bytes, p->skipped, out);
    if (wrong)
        c->source.damaged(c->source.ctx, i, (t->band + chunk / t->layout.per_band) * t->layout.chunk[0], p->at, wrong);
    return !wrong;
}

/* The slot that nobody uses and that was not used for longest; -1: none. With the mutex held. */
static int32_t oldest(const dc_chunk_cache *c)
{
    int32_t k = c->oldest;
    while (k >= 0 && c->slot[k].users > 0) k = c->slot[k].after;
    return k;
}

/* Slot k is used now. With the mutex held. */
static void touch(dc_chunk_cache *c, int32_t k)
{
    slot *s = &c->slot[k];
    s->users++;
    if (k == c->newest) return;
    *(s->before < 0 ? &c->oldest : &c->slot[s->before].after) = s->after;
    c->slot[s->after].before = s->before;
    c->slot[c->newest].after = k;
    s->before = c->newest;
    s->after = -1;
    c->newest = k;
}

/* Unpacks the chunk into slot k. With the mutex held, which it gives away meanwhile. */
static bool load(dc_chunk_cache *c, size_t i, int64_t chunk, int32_t k)
{
    slot *s = &c->slot[k];
    if (s->chunk >= 0) c->table[s->piece].slot[s->chunk] = -1;
    s->piece = i;
    s->chunk = chunk;
    s->ready = false;
    touch(c, k);
    c->table[i].slot[chunk] = k;
    dc_chunk_work *work = c->work[--c->n_free];
    pthread_mutex_unlock(&c->mutex);
    const bool ok = unpack(c, i, chunk, work, bytes_of(c, k));
    pthread_mutex_lock(&c->mutex);
    c->work[c->n_free++] = work;
    s->ready = ok;
    if (!ok) {
        c->table[i].slot[chunk] = -1;
        s->chunk = -1;
        s->users = 0;
    }
    pthread_cond_broadcast(&c->changed);
    return ok;
}

/* Takes the slot with the chunk, for the caller to give back; -1 after a failure. */
static int32_t hold(dc_chunk_cache *c, size_t i, int64_t chunk)
{
    int32_t k;
    pthread_mutex_lock(&c->mutex);
    for (;;) {
        k = c->table[i].slot[chunk];
        if (k >= 0 && c->slot[k].ready) {
            touch(c, k);
            break;
        }
        const int32_t place = k < 0 && c->n_free > 0 ? oldest(c) : -1;
        if (place >= 0) {
            k = load(c, i, chunk, place) ? place : -1;
            break;
        }
        pthread_cond_wait(&c->changed, &c->mutex);
    }
    pthread_mutex_unlock(&c->mutex);
    return k;
}

static void give_back(dc_chunk_cache *c, int32_t k)
{
    pthread_mutex_lock(&c->mutex);
    if (--c->slot[k].users == 0) pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Part of a chunk, and where it belongs among the rows. */
typedef struct {
    const dc_chunk_layout *l;
    size_t chunk_step[DC_H5_MAX_DIMS], row_step[DC_H5_MAX_DIMS]; /* bytes from an index to the next in this dimension */
    int64_t count[DC_H5_MAX_DIMS];
} box;

static void copy_box(const box *b, int dim, const char *from, char *to)
{
    if (dim == b->l->n_dims - 1) {
        memcpy(to, from, (size_t)b->count[dim] * b->l->item_bytes);
        return;
    }
    for (int64_t i = 0; i < b->count[dim]; i++, from += b->chunk_step[dim], to += b->row_step[dim])
        copy_box(b, dim + 1, from, to);
}

/* Copies rows [first, first + n) of chunk k of a band, counted from the band's first. */
static void copy_chunk(const dc_chunk_layout *l, int64_t k, int64_t first, int64_t n, const char *chunk, char *out)
{
    box b = {.l = l};
    size_t chunk_step = l->item_bytes, row_step = l->item_bytes;
    for (int i = l->n_dims - 1; i > 0; i--) {
        const int64_t chunks = (l->dims[i] + l->chunk[i] - 1) / l->chunk[i], start = k % chunks * l->chunk[i];
        k /= chunks;
        b.chunk_step[i] = chunk_step;
        b.row_step[i] = row_step;
        b.count[i] = DC_MIN(l->chunk[i], l->dims[i] - start);
        out += (size_t)start * row_step;
        chunk_step *= (size_t)l->chunk[i];
        row_step *= (size_t)l->dims[i];
    }
    b.chunk_step[0] = chunk_step;
    b.row_step[0] = row_step;
    b.count[0] = n;
    copy_box(&b, 0, chunk + (size_t)first * chunk_step, out);
}

static size_t row_bytes(const dc_chunk_layout *l)
{
    size_t bytes = l->item_bytes;
    for (int i = 1; i < l->n_dims; i++) bytes *= (size_t)l->dims[i];
    return bytes;
}

bool dc_chunk_cache_read(dc_chunk_cache *c, size_t i, int64_t row, int64_t n, char *out)
{
    const dc_chunk_table *t = &c->table[i];
    const dc_chunk_layout *l = &t->layout;
    const int64_t height = l->chunk[0];
    for (int64_t done = 0, rows; done < n; done += rows) {
        const int64_t band = (row + done) / height - t->band, first = (row + done) % height;
        rows = DC_MIN(n - done, height - first);
        DC_ASSERT(band >= 0 && band < t->bands);
        const int64_t begin = (int64_t)((double)first / (double)height * (double)l->per_band);
        for (int64_t j = 0; j < l->per_band; j++) {
            const int64_t k = (begin + j) % l->per_band;
            const int32_t held = hold(c, i, band * l->per_band + k);
            if (held < 0) return false;
            copy_chunk(l, k, first, rows, bytes_of(c, held), out + (size_t)done * row_bytes(l));
            give_back(c, held);
        }
    }
    return true;
}

void dc_chunk_cache_expect(dc_chunk_cache *c, size_t i, int64_t row, int64_t n,
                           void (*expect)(void *ctx, int64_t at, int64_t bytes), void *ctx)
{
    const dc_chunk_table *t = &c->table[i];
    if (!t->place || n < 1) return;
    const int64_t height = t->layout.chunk[0], per_band = t->layout.per_band;
    const int64_t from = DC_MAX(row / height - t->band, (int64_t)0);
    const int64_t to = DC_MIN((row + n - 1) / height - t->band + 1, t->bands);
    for (int64_t k = from * per_band; k < to * per_band; k++) {
        pthread_mutex_lock(&c->mutex);
        const bool here = t->slot[k] >= 0;
        pthread_mutex_unlock(&c->mutex);
        if (!here && t->place[k].at >= 0) expect(ctx, t->place[k].at, t->place[k].bytes);
    }
}
