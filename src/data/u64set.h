/* A set of 64-bit numbers (open addressing, linear probing), for counting distinct rows and labels. */
#ifndef DCMPI_DATA_U64SET_H
#define DCMPI_DATA_U64SET_H

#include "dcmpi/base.h"

typedef struct {
    uint64_t *slot;  /* [capacity], 0 is an empty slot */
    size_t capacity; /* power of two, at least 2*count */
    size_t count;    /* members, including 0 if has_zero */
    bool has_zero;
} dc_u64set;

/* Makes an empty set with room for a few members; it grows by itself. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_u64set_init(dc_u64set *set);
void dc_u64set_release(dc_u64set *set);
/* Adds x unless it is a member. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_u64set_add(dc_u64set *set, uint64_t x);
/* Writes the members to out[count], in no particular order. */
void dc_u64set_members(const dc_u64set *set, uint64_t *out);

#endif
