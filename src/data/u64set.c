/* A set of 64-bit numbers. Zero marks an empty slot, so a separate flag says whether it is a member. */
#include "u64set.h"

#include "dcmpi/mem.h"

enum { START = 64 };

dc_status dc_u64set_init(dc_u64set *set)
{
    *set = (dc_u64set){.capacity = START};
    return dc_mem_alloc(&set->slot, START, sizeof *set->slot, "set");
}

void dc_u64set_release(dc_u64set *set)
{
    dc_mem_free(&set->slot);
}

/* Fibonacci hashing: the log2(capacity) high bits of the product. It also spreads numbers that are small or regular, as
 * labels often are. */
static size_t home(const dc_u64set *set, uint64_t x)
{
    return (size_t)((x * UINT64_C(0x9E3779B97F4A7C15)) >> (__builtin_clzll(set->capacity) + 1));
}

/* The slot that holds x, or the empty slot where x belongs. */
static size_t find(const dc_u64set *set, uint64_t x)
{
    size_t i = home(set, x);
    while (set->slot[i] != 0 && set->slot[i] != x) i = (i + 1) & (set->capacity - 1);
    return i;
}

static dc_status grow(dc_u64set *set)
{
    dc_u64set larger = {.capacity = 2 * set->capacity, .count = set->count, .has_zero = set->has_zero};
    const dc_status st = dc_mem_alloc(&larger.slot, larger.capacity, sizeof *larger.slot, "set");
    if (st != DC_OK) return st;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slot[i] != 0) larger.slot[find(&larger, set->slot[i])] = set->slot[i];
    dc_mem_free(&set->slot);
    *set = larger;
    return DC_OK;
}

dc_status dc_u64set_add(dc_u64set *set, uint64_t x)
{
    if (x == 0) {
        if (!set->has_zero) set->count++;
        set->has_zero = true;
        return DC_OK;
    }
    const size_t i = find(set, x);
    if (set->slot[i] == x) return DC_OK;
    set->slot[i] = x;
    set->count++;
    return 2 * set->count > set->capacity ? grow(set) : DC_OK;
}

void dc_u64set_members(const dc_u64set *set, uint64_t *out)
{
    size_t n = 0;
    if (set->has_zero) out[n++] = 0;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slot[i] != 0) out[n++] = set->slot[i];
}
