/* A checkpoint in the memory of rank 0, for tests that stop work and go on with it. */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include "check.h"
#include "dcmpi/comm.h"
#include "dcmpi/state.h"

enum { STORE_BYTES_MAX = 4 << 20 };

typedef struct {
    int n;
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    size_t used;
    _Alignas(int64_t) char bytes[STORE_BYTES_MAX];
} saved;

static saved store; /* n = 0: nothing is saved yet */

static dc_status begin(void *ctx, const dc_state *c, const dc_state_array *array, int n)
{
    saved *s = ctx;
    (void)c;
    s->n = n;
    s->used = 0;
    memcpy(s->array, array, (size_t)n * sizeof *array);
    return DC_OK;
}

static dc_status put(void *ctx, const void *data, size_t bytes)
{
    saved *s = ctx;
    if (!CHECK(s->used + bytes <= STORE_BYTES_MAX)) return DC_OK;
    memcpy(s->bytes + s->used, data, bytes);
    s->used += bytes;
    return DC_OK;
}

static dc_status end(void *ctx, const dc_state *c, dc_status so_far)
{
    (void)ctx, (void)c;
    return so_far;
}

static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    const saved *s = ctx;
    size_t at = 0;
    for (int i = 0; i < index; i++) at += s->array[i].n * dc_state_type_bytes(s->array[i].type);
    const size_t size = dc_state_type_bytes(s->array[index].type);
    memcpy(out, s->bytes + at + first * size, n * size);
    return DC_OK;
}

/* A state that continues from what is stored, and saves to it. */
static void store_open(dc_comm *comm, dc_state **state)
{
    const dc_state_config cfg = {begin, put, end, load, NULL, &store};
    dc_comm_bcast(comm, &store.n, sizeof store.n, 0);
    dc_comm_bcast(comm, store.array, sizeof store.array, 0);
    CHECK_OK(dc_state_create(comm, state, &cfg, store.array, store.n));
}

#endif
