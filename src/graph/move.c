/* Items to other places. A round brings all items for a window of places of every rank, so that no rank gets more than
 * a window of them; the window shrinks if a rank would have to send too many. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/order.h"

enum { ROUND_BYTES = 8 << 20 };

typedef struct {
    const dc_part *part;
    const dc_gidx *to;
    const dc_items *items;
    dc_gidx *begin;           /* [P + 1] first places of the ranks */
    int64_t slots;            /* places of the rank that has most */
    int64_t capacity;         /* items of a round */
    int64_t *start;           /* [slots + 1]: items for places below slot s, counted within the ranks */
    int64_t *item;            /* [n] in the order of their slots */
    int64_t *packed;          /* [room] items in the order of the ranks that they go to */
    int64_t *place, *arrived; /* [room], [window] slots of what is sent and of what comes */
    char *sent, *received;    /* [room x bytes], [window x bytes] */
    int64_t room;
    size_t *send, *get; /* [P] items */
    size_t *send_bytes, *get_bytes;
    int64_t *next; /* [P] */
} mover;

static int64_t slot_of(const mover *m, int64_t i)
{
    return m->to[i] - m->begin[dc_part_owner(m->part, m->begin, m->to[i])];
}

/* Items of a round: equal on all ranks. */
static int64_t capacity_of(const dc_part *part, size_t bytes)
{
    const int64_t fit = ROUND_BYTES / (int64_t)DC_MIN(bytes + sizeof(int64_t), (size_t)ROUND_BYTES);
    return DC_MAX(DC_MIN(fit, part->N), (int64_t)1);
}

/* An item for each rank goes into a round of one place. */
static int64_t room_of(const dc_part *part, size_t bytes)
{
    return DC_MAX(DC_MIN(capacity_of(part, bytes), dc_part_rows(part)), DC_MIN((int64_t)part->P, dc_part_rows(part)));
}

static int64_t most_rows(const dc_part *part)
{
    int64_t most = 0;
    for (int r = 0; r < part->P; r++) most = DC_MAX(most, dc_part_rank_rows(part, r));
    return most;
}

double dc_items_move_bytes(const dc_part *part, size_t bytes)
{
    const double n = (double)dc_part_rows(part), slots = n + 1, item = (double)bytes + 2 * sizeof(int64_t),
                 window = (double)DC_MIN(capacity_of(part, bytes), dc_part_rows(part) + 1);
    return (slots + n + 2) * sizeof(int64_t) + ((double)room_of(part, bytes) + window) * item +
           (double)part->P * 6 * sizeof(int64_t);
}

static dc_status take(mover *m)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)m->part->P, n = (size_t)dc_part_rows(m->part), bytes = m->items->bytes;
    m->slots = most_rows(m->part);
    m->capacity = capacity_of(m->part, bytes);
    m->room = room_of(m->part, bytes);
    const size_t room = (size_t)m->room, window = (size_t)DC_MIN(m->capacity, m->slots);
    DC_TRY(dc_mem_alloc(&m->begin, P + 1, sizeof *m->begin, "rank table"));
    DC_TRY(dc_mem_alloc(&m->send, P, sizeof *m->send, "rank table"));
    DC_TRY(dc_mem_alloc(&m->get, P, sizeof *m->get, "rank table"));
    DC_TRY(dc_mem_alloc(&m->send_bytes, P, sizeof *m->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&m->get_bytes, P, sizeof *m->get_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&m->next, P, sizeof *m->next, "rank table"));
    DC_TRY(dc_mem_alloc(&m->start, (size_t)m->slots + 1, sizeof *m->start, "places of rows"));
    DC_TRY(dc_mem_alloc(&m->item, n, sizeof *m->item, "places of rows"));
    DC_TRY(dc_mem_alloc(&m->packed, room, sizeof *m->packed, "rows on their way"));
    DC_TRY(dc_mem_alloc(&m->place, room, sizeof *m->place, "rows on their way"));
    DC_TRY(dc_mem_alloc(&m->arrived, window, sizeof *m->arrived, "rows on their way"));
    DC_TRY(dc_mem_alloc(&m->sent, room, bytes, "rows on their way"));
    DC_TRY(dc_mem_alloc(&m->received, window, bytes, "rows on their way"));
out:
    return st;
}

static void release(mover *m)
{
    dc_mem_free(&m->begin);
    dc_mem_free(&m->send);
    dc_mem_free(&m->get);
    dc_mem_free(&m->send_bytes);
    dc_mem_free(&m->get_bytes);
    dc_mem_free(&m->next);
    dc_mem_free(&m->start);
    dc_mem_free(&m->item);
    dc_mem_free(&m->packed);
    dc_mem_free(&m->place);
    dc_mem_free(&m->arrived);
    dc_mem_free(&m->sent);
    dc_mem_free(&m->received);
}

/* A counting sort by slots. */
static void sort_items(mover *m)
{
    const int64_t n = dc_part_rows(m->part);
    for (int r = 0; r <= m->part->P; r++) m->begin[r] = dc_part_rank_begin(m->part, r);
    for (int64_t i = 0; i < n; i++) m->start[slot_of(m, i) + 1]++;
    for (int64_t s = 0; s < m->slots; s++) m->start[s + 1] += m->start[s];
    for (int64_t i = 0; i < n; i++) m->item[m->start[slot_of(m, i)]++] = i;
    for (int64_t s = m->slots; s > 0; s--) m->start[s] = m->start[s - 1];
    m->start[0] = 0;
}

/* Slots of the next round, which begins at `lo`; collective. */
static int64_t window_at(dc_comm *comm, const mover *m, int64_t lo)
{
    int64_t window = DC_MIN(m->capacity, m->slots - lo);
    for (;;) {
        int64_t full = m->start[lo + window] - m->start[lo] > m->capacity;
        dc_comm_max_i64(comm, &full, 1);
        if (!full || window == 1) return window;
        window = window / 2;
    }
}

/* Puts the items for slots [lo, hi) into the order of ranks. */
static void pack(mover *m, int64_t lo, int64_t hi)
{
    int64_t at = 0;
    const int P = m->part->P;
    memset(m->send, 0, (size_t)P * sizeof *m->send);
    for (int64_t e = m->start[lo]; e < m->start[hi]; e++)
        m->send[dc_part_owner(m->part, m->begin, m->to[m->item[e]])]++;
    for (int r = 0; r < P; r++) {
        m->next[r] = at;
        at += (int64_t)m->send[r];
        m->get[r] = 0;
    }
    for (int64_t e = m->start[lo]; e < m->start[hi]; e++) {
        const int64_t i = m->item[e], p = m->next[dc_part_owner(m->part, m->begin, m->to[i])]++;
        m->packed[p] = i;
        m->place[p] = slot_of(m, i);
    }
    const dc_items *from = m->items;
    if (!from->array)
        from->gather(from->ctx, m->packed, at, m->sent);
    else
        for (int64_t p = 0; p < at; p++)
            memcpy(m->sent + (size_t)p * from->bytes, (const char *)from->array + (size_t)m->packed[p] * from->bytes,
                   from->bytes);
}

static void exchange(dc_comm *comm, mover *m, const void *out, void *in, size_t bytes)
{
    for (int r = 0; r < m->part->P; r++) {
        m->send_bytes[r] = m->send[r] * bytes;
        m->get_bytes[r] = m->get[r] * bytes;
    }
    dc_comm_alltoallv(comm, out, m->send_bytes, in, m->get_bytes);
}

static void count_arrivals(dc_comm *comm, mover *m)
{
    for (int r = 0; r < m->part->P; r++) m->send_bytes[r] = sizeof *m->send;
    dc_comm_alltoallv(comm, m->send, m->send_bytes, m->get, m->send_bytes);
}

static void unpack(const mover *m, char *out)
{
    int64_t n = 0;
    const size_t bytes = m->items->bytes;
    for (int r = 0; r < m->part->P; r++) n += (int64_t)m->get[r];
    for (int64_t p = 0; p < n; p++) memcpy(out + (size_t)m->arrived[p] * bytes, m->received + (size_t)p * bytes, bytes);
}

dc_status dc_items_move(dc_comm *comm, const dc_part *part, const dc_gidx *to, const dc_items *items, void *out)
{
    dc_status st = DC_OK;
    mover m = {.part = part, .to = to, .items = items};
    DC_TRY_ALL(comm, take(&m));
    sort_items(&m);
    for (int64_t lo = 0, window; lo < m.slots; lo += window) {
        window = window_at(comm, &m, lo);
        pack(&m, lo, lo + window);
        count_arrivals(comm, &m);
        exchange(comm, &m, m.place, m.arrived, sizeof *m.place);
        exchange(comm, &m, m.sent, m.received, items->bytes);
        unpack(&m, out);
    }
out:
    release(&m);
    return st;
}
