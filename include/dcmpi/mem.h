/* Counted, 64-byte aligned heap memory. All large allocations of the program go through here. So tests can find leaks
 * and prove that steps do not allocate, and the report can print the peak. */
#ifndef DCMPI_MEM_H
#define DCMPI_MEM_H

#include "dcmpi/base.h"

enum { DC_MEM_ALIGN = 64 };

/* From now on large blocks, even those of libraries, return to the system when they are freed. Otherwise the C library
 * would keep the memory of a checkpoint for ever. Call it first in main. */
void dc_mem_setup(void);
/* *out = count*size bytes, zeroed by the calling thread; count 0 gives a valid unique pointer. `what` names the array
 * in the error text. Errors: DC_ERR_MEMORY (also when count*size overflows). */
DC_CHECKED dc_status dc_mem_alloc(void *out, size_t count, size_t size, const char *what);
/* Like dc_mem_alloc(), but not zeroed: for arrays that a kernel's threads should touch first. */
DC_CHECKED dc_status dc_mem_alloc_raw(void *out, size_t count, size_t size, const char *what);
/* Like dc_mem_alloc(), but the block consists of pages that take memory only once they are written to (not when they
 * are read): for arrays of which each rank uses only its own part. The counters below count such blocks in full. */
DC_CHECKED dc_status dc_mem_alloc_pages(void *out, size_t count, size_t size, const char *what);
/* Zeros a block of dc_mem_alloc_pages and gives its memory back until it is written to again. */
void dc_mem_zero_pages(void *block);
/* Frees *p and sets it to NULL; p points to the caller's pointer. NULL is legal. */
void dc_mem_free(void *p);

size_t dc_mem_current_bytes(void);
size_t dc_mem_lazy_bytes(void); /* the share of these that is in blocks of dc_mem_alloc_pages */
size_t dc_mem_peak_bytes(void); /* outside rehearsals */
/* Number of allocations ever made: unchanged by code that must not allocate. */
uint64_t dc_mem_alloc_count(void);
/* Number of arrays held now. */
uint64_t dc_mem_live_count(void);
/* Physical memory that this process holds now, and its peak; libraries included (0: unknown). */
size_t dc_mem_resident_bytes(void);
size_t dc_mem_resident_peak_bytes(void);

/* ---- Rehearsals -------------------------------------------------------------------------------------------------- */

/* The memory that an object needs is measured by creating it, so that only its creator has to know sizes. During a
 * rehearsal large blocks, zeroed or not, are pages that take memory only where they are written to, and creators write
 * to small blocks only; the counters above count as usual. Rehearsals nest; whatever is allocated in one must be freed
 * in it. */
void dc_mem_rehearse(bool begins);

/* ---- Memory that is left ----------------------------------------------------------------------------------------- */

enum { DC_MEM_LIMIT_MAX = 512 };
typedef struct {
    size_t bytes;                 /* what can still be allocated; SIZE_MAX: no known limit */
    char limit[DC_MEM_LIMIT_MAX]; /* what sets the limit, as the end of "1 GiB is left ...": "on the node", "within
                                     ulimit -v" */
} dc_mem_room;
/* Memory left for all processes of the job on this node together: the minimum of MemAvailable and of (limit - use) of
 * this process's control group (version 1 or 2) and all groups above it. */
void dc_mem_room_of_node(dc_mem_room *out);
/* Memory left for this process alone: what is unused of its limits for address space (ulimit -v) and data (ulimit
 * -d). */
void dc_mem_room_of_process(dc_mem_room *out);
/* Memory left for one of `sharers` equal processes on this node, within both limits. */
size_t dc_mem_available_bytes(int sharers);
/* For tests: dc_mem_room_of_node() for a machine whose /proc and /sys lie in the folder `root`. */
void dc_mem_room_under(const char *root, dc_mem_room *out);

#endif
