/* Counted, 64-byte aligned heap memory. All big memory of the program goes through here, so that tests find leftovers,
 * steps can be proved free of allocations, and the report can print the peak. */
#ifndef DCMPI_MEM_H
#define DCMPI_MEM_H

#include "dcmpi/base.h"

enum { DC_MEM_ALIGN = 64 };

/* Makes large blocks go back to the system when they are freed, also those of libraries. Without this the C library
 * would keep the memory of a checkpoint for ever. Call it first in main. */
void dc_mem_setup(void);
/* *out = count*size bytes, zeroed by the calling thread unless dc_mem_alloc_raw; count 0 gives a valid unique pointer.
 * `what` names the array in the error text. Errors: DC_ERR_MEMORY (also when count*size overflows). */
DC_CHECKED dc_status dc_mem_alloc(void *out, size_t count, size_t size, const char *what);
/* The same, not zeroed: for arrays that the threads of a kernel touch first. */
DC_CHECKED dc_status dc_mem_alloc_raw(void *out, size_t count, size_t size, const char *what);
/* Pages of zeros of which each takes memory only once somebody has written to it (reading does not count): for arrays
 * of which every rank uses a part of its own. The counters below count them in full. */
DC_CHECKED dc_status dc_mem_alloc_pages(void *out, size_t count, size_t size, const char *what);
/* Makes a block of dc_mem_alloc_pages zero and gives its memory back until it is written to again. */
void dc_mem_zero_pages(void *block);
/* Frees *p and sets it to NULL; p points to the caller's pointer. NULL is legal. */
void dc_mem_free(void *p);

size_t dc_mem_current_bytes(void);
size_t dc_mem_lazy_bytes(void); /* of these, in blocks of dc_mem_alloc_pages */
size_t dc_mem_peak_bytes(void); /* outside rehearsals */
/* Number of allocations ever made: equal before and after code that must not allocate. */
uint64_t dc_mem_alloc_count(void);
/* Number of arrays held now. */
uint64_t dc_mem_live_count(void);
/* Physical memory that this process holds now, and the most that it has held; libraries included (0: unknown). */
size_t dc_mem_resident_bytes(void);
size_t dc_mem_resident_peak_bytes(void);

/* ---- Rehearsals -------------------------------------------------------------------------------------------------- */

/* What an object takes is learnt by making it: who creates is then the only one who knows sizes. From begin to end
 * large blocks are pages that take memory only where they are written to, zeroed or not, and creators write to small
 * ones alone; what is counted above is as ever. Rehearsals nest; what is made in one is freed in it. */
void dc_mem_rehearse(bool begins);

/* ---- Memory that is left ----------------------------------------------------------------------------------------- */

enum { DC_MEM_LIMIT_MAX = 512 };
typedef struct {
    size_t bytes;                 /* what can still be taken; SIZE_MAX: no limit is known */
    char limit[DC_MEM_LIMIT_MAX]; /* what sets the limit; follows "1 GiB is left": "on the node", "within ulimit -v" */
} dc_mem_room;
/* Memory left for all processes of the job on this node together: the least of MemAvailable and, for the control group
 * of this process (version 1 or 2) and all groups above it, limit minus use. */
void dc_mem_room_of_node(dc_mem_room *out);
/* Memory left for this process alone: address space (ulimit -v) and data (ulimit -d) that are not mapped yet. */
void dc_mem_room_of_process(dc_mem_room *out);
/* Memory left for one of `sharers` equal processes on this node, by both limits. */
size_t dc_mem_available_bytes(int sharers);
/* dc_mem_room_of_node() of a machine whose /proc and /sys lie in the folder `root`: for tests. */
void dc_mem_room_under(const char *root, dc_mem_room *out);

#endif
