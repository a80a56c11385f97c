/* Counts of terms in bounded memory. Terms are counted in a hash table; when it is full, its terms go to a spool as a
 * run, sorted by hash and bytes, and the table starts again. In the end the runs are merged. A document that was being
 * counted when the table was full has its terms in two runs: a term whose last document in one run is its first in the
 * next counts that document once. */
#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"
#include "dcmpi/terms.h"

enum { BYTES_PER_TERM = 24, CURSOR_BYTES = 1 << 16 };

typedef struct {
    uint64_t hash;
    int64_t df, tf, first, last;
    uint32_t at; /* of the text */
    uint32_t n;
} entry;

/* A record of a run: this, then the text. */
typedef struct {
    uint64_t hash;
    int64_t df, tf, first, last;
    uint64_t n;
} record;

/* A run that is read; the record that comes next is in `buffer`. */
typedef struct {
    int64_t at, end; /* what is not yet in the buffer */
    size_t pos, len; /* of the buffer */
    char *buffer;    /* [CURSOR_BYTES] */
    int run;
    dc_term_count next;
} cursor;

struct dc_tally {
    size_t room, count, used; /* terms, terms in the table, bytes of their texts */
    entry *entries;           /* [room] */
    uint32_t *slots;          /* [mask + 1] number of the entry + 1, 0: free */
    size_t mask;
    char *texts; /* [room * BYTES_PER_TERM + DC_TERM_MAX_BYTES] */
    dc_spool *spool;
    int64_t *run_end; /* [room_runs] ends of the runs in the spool */
    size_t n_runs, room_runs;
    cursor **heap; /* [n_heap], the smallest first; owned */
    size_t n_heap;
    char text[DC_TERM_MAX_BYTES]; /* of the term given last */
};

int dc_term_order(const dc_term_count *a, const dc_term_count *b)
{
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    const int order = memcmp(a->term, b->term, DC_MIN(a->n, b->n));
    return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

static size_t slots_for(size_t room)
{
    size_t slots = 64;
    while (slots < 2 * room) slots *= 2;
    return slots;
}

dc_status dc_tally_create(dc_tally **out, const char *beside, size_t room)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "counts of words"));
    dc_tally *c = *out;
    c->room = room;
    c->mask = slots_for(room) - 1;
    DC_TRY(dc_mem_alloc_pages(&c->entries, room, sizeof *c->entries, "counts of words"));
    DC_TRY(dc_mem_alloc_pages(&c->slots, c->mask + 1, sizeof *c->slots, "counts of words"));
    DC_TRY(dc_mem_alloc_pages(&c->texts, room * BYTES_PER_TERM + DC_TERM_MAX_BYTES, 1, "words"));
    DC_TRY(dc_spool_create(&c->spool, beside));
out:
    if (st != DC_OK) dc_tally_destroy(out);
    return st;
}

static void free_table(dc_tally *c)
{
    dc_mem_free(&c->entries);
    dc_mem_free(&c->slots);
    dc_mem_free(&c->texts);
}

static void drop_cursor(cursor **c)
{
    dc_mem_free(&(*c)->buffer);
    dc_mem_free(c);
}

void dc_tally_destroy(dc_tally **c)
{
    if (!*c) return;
    free_table(*c);
    for (size_t i = 0; i < (*c)->n_heap; i++) drop_cursor(&(*c)->heap[i]);
    dc_mem_free(&(*c)->heap);
    dc_mem_free(&(*c)->run_end);
    dc_spool_destroy(&(*c)->spool);
    dc_mem_free(c);
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

static dc_term_count view(const dc_tally *c, const entry *e)
{
    return (dc_term_count){e->hash, e->df, e->tf, e->first, e->last, e->n, c->texts + e->at};
}

static int compare(const void *a, const void *b, void *ctx)
{
    const dc_tally *c = ctx;
    const dc_term_count x = view(c, &c->entries[*(const uint32_t *)a]), y = view(c, &c->entries[*(const uint32_t *)b]);
    return dc_term_order(&x, &y);
}

static dc_status note_run(dc_tally *c)
{
    dc_status st = DC_OK;
    int64_t *bigger;
    if (c->n_runs == c->room_runs) {
        const size_t room = 2 * c->room_runs + 8;
        DC_TRY(dc_mem_alloc(&bigger, room, sizeof *bigger, "runs of words"));
        if (c->n_runs) memcpy(bigger, c->run_end, c->n_runs * sizeof *bigger);
        dc_mem_free(&c->run_end);
        c->run_end = bigger;
        c->room_runs = room;
    }
    c->run_end[c->n_runs++] = dc_spool_bytes(c->spool);
out:
    return st;
}

/* Sends the table's terms to the spool and empties the table. */
static dc_status spill(dc_tally *c)
{
    dc_status st = DC_OK;
    uint32_t *order = NULL;
    if (c->count == 0) return DC_OK;
    DC_TRY(dc_mem_alloc_raw(&order, c->count, sizeof *order, "order of words"));
    for (size_t i = 0; i < c->count; i++) order[i] = (uint32_t)i;
    qsort_r(order, c->count, sizeof *order, compare, c);
    for (size_t i = 0; i < c->count; i++) {
        const entry *e = &c->entries[order[i]];
        const record r = {e->hash, e->df, e->tf, e->first, e->last, e->n};
        DC_TRY(dc_spool_put(c->spool, &r, sizeof r));
        DC_TRY(dc_spool_put(c->spool, c->texts + e->at, e->n));
    }
    DC_TRY(note_run(c));
    memset(c->slots, 0, (c->mask + 1) * sizeof *c->slots);
    c->count = c->used = 0;
out:
    dc_mem_free(&order);
    return st;
}

/* The entry of a term, a new one if need be; NULL if there is no room. */
static entry *find(dc_tally *c, int64_t document, const char *term, size_t n)
{
    const uint64_t hash = XXH3_64bits(term, n);
    size_t slot = (size_t)hash & c->mask;
    for (; c->slots[slot]; slot = (slot + 1) & c->mask) {
        entry *e = &c->entries[c->slots[slot] - 1];
        if (e->hash == hash && e->n == n && memcmp(c->texts + e->at, term, n) == 0) return e;
    }
    if (c->count == c->room || c->used + n > c->room * BYTES_PER_TERM + DC_TERM_MAX_BYTES) return NULL;
    entry *e = &c->entries[c->count];
    *e = (entry){.hash = hash, .first = document, .last = -1, .at = (uint32_t)c->used, .n = (uint32_t)n};
    memcpy(c->texts + c->used, term, n);
    c->used += n;
    c->slots[slot] = (uint32_t)++c->count;
    return e;
}

dc_status dc_tally_add(dc_tally *c, int64_t document, const char *term, size_t n)
{
    entry *e = find(c, document, term, n);
    if (!e) {
        const dc_status st = spill(c);
        if (st != DC_OK) return st;
        e = find(c, document, term, n);
    }
    e->df += e->last != document;
    e->tf++;
    e->last = document;
    return DC_OK;
}

/* ---- Merging ----------------------------------------------------------------------------------------------------- */

/* Gets the next record of a run into u->next; *more is false at its end. */
static dc_status advance(const dc_tally *c, cursor *u, bool *more)
{
    dc_status st = DC_OK;
    record r;
    if (u->len - u->pos < sizeof r + DC_TERM_MAX_BYTES && u->at < u->end) {
        memmove(u->buffer, u->buffer + u->pos, u->len - u->pos);
        u->len -= u->pos;
        u->pos = 0;
        const size_t take = (size_t)DC_MIN(u->end - u->at, (int64_t)(CURSOR_BYTES - u->len));
        DC_TRY(dc_spool_read(c->spool, u->at, u->buffer + u->len, take));
        u->at += (int64_t)take;
        u->len += take;
    }
    *more = u->pos < u->len;
    if (!*more) return DC_OK;
    memcpy(&r, u->buffer + u->pos, sizeof r);
    u->next = (dc_term_count){r.hash, r.df, r.tf, r.first, r.last, r.n, u->buffer + u->pos + sizeof r};
    u->pos += sizeof r + r.n;
out:
    return st;
}

static bool before(const cursor *a, const cursor *b)
{
    const int order = dc_term_order(&a->next, &b->next);
    return order != 0 ? order < 0 : a->run < b->run;
}

/* Lets the cursor at heap[i] sink to its place. */
static void sink(dc_tally *c, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < c->n_heap; child++)
            if (before(c->heap[child], c->heap[least])) least = child;
        if (least == i) return;
        cursor *moved = c->heap[i];
        c->heap[i] = c->heap[least];
        c->heap[least] = moved;
        i = least;
    }
}

dc_status dc_tally_finish(dc_tally *c)
{
    dc_status st = DC_OK;
    bool more;
    DC_TRY(spill(c));
    free_table(c);
    DC_TRY(dc_spool_flush(c->spool));
    DC_TRY(dc_mem_alloc(&c->heap, DC_MAX(c->n_runs, (size_t)1), sizeof(cursor *), "runs of words"));
    for (size_t i = 0; i < c->n_runs; i++) {
        cursor **u = &c->heap[c->n_heap];
        DC_TRY(dc_mem_alloc(u, 1, sizeof **u, "run of words"));
        c->n_heap++;
        DC_TRY(dc_mem_alloc_raw(&(*u)->buffer, CURSOR_BYTES, 1, "run of words"));
        (*u)->run = (int)i;
        (*u)->at = i > 0 ? c->run_end[i - 1] : 0;
        (*u)->end = c->run_end[i];
        DC_TRY(advance(c, *u, &more));
    }
    for (size_t i = c->n_heap; i-- > 0;) sink(c, i);
out:
    return st;
}

/* Takes the smallest record off the heap. */
static dc_status take(dc_tally *c)
{
    bool more;
    const dc_status st = advance(c, c->heap[0], &more);
    if (st != DC_OK) return st;
    if (!more) {
        drop_cursor(&c->heap[0]);
        c->heap[0] = c->heap[--c->n_heap];
    }
    sink(c, 0);
    return DC_OK;
}

dc_status dc_tally_next(dc_tally *c, dc_term_count *r, bool *found)
{
    dc_status st = DC_OK;
    *found = c->n_heap > 0;
    if (!*found) return DC_OK;
    *r = c->heap[0]->next;
    memcpy(c->text, r->term, r->n);
    r->term = c->text;
    DC_TRY(take(c));
    while (c->n_heap > 0) {
        const dc_term_count *more = &c->heap[0]->next;
        if (dc_term_order(r, more) != 0) break;
        r->df += more->df - (more->first == r->last);
        r->tf += more->tf;
        r->last = more->last;
        DC_TRY(take(c));
    }
out:
    return st;
}

int64_t dc_tally_bytes(const dc_tally *c)
{
    return dc_spool_bytes(c->spool);
}
