/* Notes what this process is doing. */
#include "dcmpi/beat.h"

#include <stdio.h>

#include "dcmpi/fault.h"

static dc_beat *own;
static const char *own_phase; /* the text last copied to own->phase */

static void move(dc_beat *b)
{
    atomic_store_explicit(&b->moves, atomic_load_explicit(&b->moves, memory_order_relaxed) + 1, memory_order_relaxed);
}

void dc_beat_to(dc_beat *beat)
{
    own = beat;
    own_phase = NULL;
}

void dc_beat_at(const char *phase, int64_t step)
{
    dc_fault_step();
    if (!own) return;
    if (phase != own_phase) {
        snprintf(own->phase, sizeof own->phase, "%s", phase);
        own_phase = phase;
    }
    atomic_store_explicit(&own->step, step, memory_order_relaxed);
    move(own);
}

void dc_beat_waits(bool waits)
{
    if (!own) return;
    atomic_store_explicit(&own->waits, waits, memory_order_relaxed);
    if (!waits) move(own);
}

void dc_beat_lives(void)
{
    if (own) move(own);
}
