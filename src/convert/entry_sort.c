/* Merge sort: in memory from the bottom up, over a run's halves of the memory; from the disk with a heap of the runs,
 * which share that memory for their buffers. Both are stable. */
#include "convert/entry_sort.h"

#include <string.h>

#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"
#include "dcmpi/scratch.h"
#include "dcmpi/signals.h"

/* One sorted run while it is merged: `left` entries of the file from entry `next` on are not in the buffer yet. */
typedef struct {
    int64_t next, left;
    dc_entry *buffer;
    size_t pos, len;
} run;

struct dc_entry_sort {
    dc_scratch file;
    size_t capacity;   /* entries of a run */
    dc_entry *entries; /* [2 x capacity]: a run, and room to sort it; or the buffers of all runs */
    size_t n;          /* entries of the run that is being filled, or of the only run */
    size_t pos;        /* next entry of the only run */
    bool sorted;
    int64_t stored; /* runs in the file; all but the last have `capacity` entries */
    int64_t last;   /* entries of the last run in the file */
    run *runs;      /* [stored] */
    size_t share;   /* entries of a run's buffer */
    int64_t *heap;  /* [in_heap] runs that have entries left, the smallest first */
    int64_t in_heap;
};

dc_status dc_entry_sort_create(dc_entry_sort **out, const char *beside, size_t memory)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "sorter"));
    dc_entry_sort *s = *out;
    dc_scratch_init(&s->file, beside, "the temporary file of the entries");
    s->capacity = DC_MAX(memory / (2 * sizeof(dc_entry)), (size_t)1);
    DC_TRY(dc_mem_alloc_raw(&s->entries, 2 * s->capacity, sizeof *s->entries, "entries to sort"));
out:
    if (st != DC_OK) dc_entry_sort_destroy(out);
    return st;
}

void dc_entry_sort_destroy(dc_entry_sort **sort)
{
    if (!*sort) return;
    dc_scratch_close(&(*sort)->file);
    dc_mem_free(&(*sort)->entries);
    dc_mem_free(&(*sort)->runs);
    dc_mem_free(&(*sort)->heap);
    dc_mem_free(sort);
}

/* ---- In memory --------------------------------------------------------------------------------------------------- */

static void merge_halves(const dc_entry *a, size_t m, const dc_entry *b, size_t n, dc_entry *out)
{
    while (m > 0 && n > 0) {
        const bool first = dc_entry_key(a) <= dc_entry_key(b);
        *out++ = first ? *a : *b;
        a += first, m -= first;
        b += !first, n -= !first;
    }
    memcpy(out, a, m * sizeof *a);
    memcpy(out + m, b, n * sizeof *b);
}

static void sort_blocks(dc_entry *e, size_t n, size_t block)
{
    for (size_t lo = 0; lo < n; lo += block)
        for (size_t i = lo + 1; i < DC_MIN(lo + block, n); i++) {
            const dc_entry x = e[i];
            size_t k = i;
            for (; k > lo && dc_entry_key(&e[k - 1]) > dc_entry_key(&x); k--) e[k] = e[k - 1];
            e[k] = x;
        }
}

/* Sorts e[0..n), with room for as many entries at e[capacity]. */
static void sort_run(dc_entry *e, size_t n, size_t capacity)
{
    enum { BLOCK = 16 };
    dc_entry *from = e, *to = e + capacity;
    sort_blocks(e, n, BLOCK);
    for (size_t width = BLOCK; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            const size_t mid = DC_MIN(lo + width, n), hi = DC_MIN(lo + 2 * width, n);
            merge_halves(from + lo, mid - lo, from + mid, hi - mid, to + lo);
        }
        dc_entry *const swap = from;
        from = to, to = swap;
    }
    if (from != e) memcpy(e, from, n * sizeof *e);
}

/* ---- Runs in the file -------------------------------------------------------------------------------------------- */

static dc_status store_run(dc_entry_sort *s)
{
    if (dc_signals_stops() > 0) return DC_STOPPED;
    dc_heartbeat();
    sort_run(s->entries, s->n, s->capacity);
    const int64_t at = s->stored * (int64_t)(s->capacity * sizeof *s->entries);
    const dc_status st = dc_scratch_write(&s->file, s->entries, s->n * sizeof *s->entries, at);
    s->last = (int64_t)s->n;
    s->stored++;
    s->n = 0;
    return st;
}

dc_status dc_entry_sort_put(dc_entry_sort *s, size_t n, const dc_entry *entries)
{
    while (n > 0) {
        if (s->n == s->capacity) {
            const dc_status st = store_run(s);
            if (st != DC_OK) return st;
        }
        const size_t m = DC_MIN(n, s->capacity - s->n);
        memcpy(s->entries + s->n, entries, m * sizeof *entries);
        s->n += m;
        entries += m;
        n -= m;
    }
    return DC_OK;
}

static dc_status refill(dc_entry_sort *s, run *r)
{
    const size_t n = (size_t)DC_MIN(r->left, (int64_t)s->share);
    if (dc_signals_stops() > 0) return DC_STOPPED;
    dc_heartbeat();
    r->pos = 0;
    r->len = n;
    const dc_status st =
        dc_scratch_read(&s->file, r->buffer, n * sizeof *r->buffer, r->next * (int64_t)sizeof *r->buffer);
    r->next += (int64_t)n;
    r->left -= (int64_t)n;
    return st;
}

static bool before(const dc_entry_sort *s, int64_t a, int64_t b)
{
    const run *x = &s->runs[a], *y = &s->runs[b];
    const uint64_t i = dc_entry_key(&x->buffer[x->pos]), j = dc_entry_key(&y->buffer[y->pos]);
    return i < j || (i == j && a < b);
}

static void sift_down(dc_entry_sort *s, int64_t i)
{
    for (int64_t child; (child = 2 * i + 1) < s->in_heap; i = child) {
        if (child + 1 < s->in_heap && before(s, s->heap[child + 1], s->heap[child])) child++;
        if (!before(s, s->heap[child], s->heap[i])) return;
        const int64_t swap = s->heap[i];
        s->heap[i] = s->heap[child];
        s->heap[child] = swap;
    }
}

static dc_status start_merge(dc_entry_sort *s)
{
    dc_status st = DC_OK;
    s->in_heap = s->stored;
    s->share = DC_MAX(2 * s->capacity / (size_t)s->stored, (size_t)1);
    if (!s->runs) {
        DC_TRY(dc_mem_alloc(&s->runs, (size_t)s->stored, sizeof *s->runs, "runs to merge"));
        DC_TRY(dc_mem_alloc(&s->heap, (size_t)s->stored, sizeof *s->heap, "runs to merge"));
        /* More runs than entries in memory: only in tests. */
        if ((size_t)s->stored > 2 * s->capacity) {
            dc_mem_free(&s->entries);
            DC_TRY(dc_mem_alloc_raw(&s->entries, (size_t)s->stored, sizeof *s->entries, "entries to merge"));
        }
    }
    for (int64_t i = 0; i < s->stored; i++) {
        const int64_t n = i < s->stored - 1 ? (int64_t)s->capacity : s->last;
        s->runs[i] = (run){i * (int64_t)s->capacity, n, s->entries + (size_t)i * s->share, 0, 0};
        DC_TRY(refill(s, &s->runs[i]));
        s->heap[i] = i;
    }
    for (int64_t i = s->in_heap / 2; i-- > 0;) sift_down(s, i);
out:
    return st;
}

dc_status dc_entry_sort_rewind(dc_entry_sort *s)
{
    s->pos = 0;
    if (s->stored > 0 && s->n > 0) {
        const dc_status st = store_run(s);
        if (st != DC_OK) return st;
    }
    if (s->stored > 0) return start_merge(s);
    if (!s->sorted) sort_run(s->entries, s->n, s->capacity);
    s->sorted = true;
    return DC_OK;
}

/* Takes the smallest entry of all runs. */
static dc_status take(dc_entry_sort *s, dc_entry *out)
{
    run *r = &s->runs[s->heap[0]];
    *out = r->buffer[r->pos++];
    if (r->pos == r->len && r->left > 0) {
        const dc_status st = refill(s, r);
        if (st != DC_OK) return st;
    }
    if (r->pos == r->len) s->heap[0] = s->heap[--s->in_heap];
    sift_down(s, 0);
    return DC_OK;
}

dc_status dc_entry_sort_get(dc_entry_sort *s, size_t n, dc_entry *out, size_t *got)
{
    if (s->stored == 0) {
        *got = DC_MIN(n, s->n - s->pos);
        memcpy(out, s->entries + s->pos, *got * sizeof *out);
        s->pos += *got;
        return DC_OK;
    }
    for (*got = 0; *got < n && s->in_heap > 0; ++*got) {
        const dc_status st = take(s, out + *got);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}
