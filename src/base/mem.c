/* Counted aligned memory. A header of one alignment unit in front of each block keeps its size and where it came from,
 * so that the totals stay right without a table. Counters are atomic: tests may allocate from threads.
 *
 * Large blocks are mappings of their own: they go back to the kernel when they are freed, while the C library keeps
 * freed blocks of tens of MiB in a heap with holes, which nobody can foresee. Nothing is allocated inside a step, so
 * that the price of a mapping does not matter.
 *
 * Pages come from the kernel untouched: one takes memory when it is first written to, and gives it back when it is
 * zeroed. Huge pages would bring the neighbours along, so they are refused. */
#include "dcmpi/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "dcmpi/fault.h"
#include "mem_kernel.h"

typedef struct {
    size_t bytes; /* payload */
    bool pages;
} header;
_Static_assert(sizeof(header) <= DC_MEM_ALIGN, "the header lies in front of the block");

static header *header_of(void *block)
{
    return (header *)((char *)block - DC_MEM_ALIGN);
}

static _Atomic size_t current_bytes, peak_bytes;
static _Atomic uint64_t alloc_count, live_count;

static void count_in(size_t bytes)
{
    const size_t now = atomic_fetch_add(&current_bytes, bytes) + bytes;
    size_t peak = atomic_load(&peak_bytes);
    while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now)) {
    }
    atomic_fetch_add(&alloc_count, 1);
    atomic_fetch_add(&live_count, 1);
}

/* Payload bytes rounded up to the alignment; SIZE_MAX if that overflows. */
static size_t padded(size_t count, size_t size)
{
    const size_t bytes = dc_mul_size(count, size);
    if (bytes > SIZE_MAX / 2) return SIZE_MAX;
    return (bytes + DC_MEM_ALIGN - 1) / DC_MEM_ALIGN * DC_MEM_ALIGN;
}

static dc_status refuse(size_t count, size_t size, const char *what)
{
    return DC_FAIL(DC_ERR_MEMORY, "not enough memory for %s: %zu x %zu bytes; use more nodes or fewer rows per rank",
                   what, count, size);
}

/* Writes the header to `raw` and returns the block after it. */
static void *take(char *raw, header h)
{
    memcpy(raw, &h, sizeof h);
    count_in(h.bytes);
    return raw + DC_MEM_ALIGN;
}

/* Blocks from this size on are mappings. Sanitizers look for errors in what the C library gives out alone. */
#ifdef __SANITIZE_ADDRESS__
static const size_t MAPPED_FROM = SIZE_MAX;
#else
static const size_t MAPPED_FROM = (size_t)1 << 20;
#endif

static void *map_pages(size_t bytes)
{
    void *raw = mmap(NULL, bytes + DC_MEM_ALIGN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return raw == MAP_FAILED ? NULL : raw;
}

dc_status dc_mem_alloc_raw(void *out, size_t count, size_t size, const char *what)
{
    void **slot = out;
    char *raw = NULL;
    *slot = NULL;
    const size_t bytes = padded(count, size);
    const bool mapped = bytes >= MAPPED_FROM;
    if (bytes != SIZE_MAX && !dc_fault(DC_FAULT_MEM_ALLOC))
        raw = mapped ? map_pages(bytes) : aligned_alloc(DC_MEM_ALIGN, bytes + DC_MEM_ALIGN);
    if (!raw) return refuse(count, size, what);
    *slot = take(raw, (header){.bytes = bytes, .pages = mapped});
    return DC_OK;
}

void dc_mem_setup(void)
{
    enum { LARGE_BYTES = 1 << 20 };
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* which otherwise grows with each large block that is freed */
    mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

dc_status dc_mem_alloc(void *out, size_t count, size_t size, const char *what)
{
    const dc_status st = dc_mem_alloc_raw(out, count, size, what);
    if (st == DC_OK) memset(*(void **)out, 0, padded(count, size));
    return st;
}

void dc_mem_free(void *p)
{
    void **slot = p;
    if (!*slot) return;
    header *raw = header_of(*slot);
    atomic_fetch_sub(&current_bytes, raw->bytes);
    atomic_fetch_sub(&live_count, 1);
    if (raw->pages)
        munmap(raw, raw->bytes + DC_MEM_ALIGN);
    else
        free(raw);
    *slot = NULL;
}

dc_status dc_mem_alloc_pages(void *out, size_t count, size_t size, const char *what)
{
    void **slot = out;
    *slot = NULL;
    const size_t bytes = padded(count, size);
    void *raw = bytes == SIZE_MAX || dc_fault(DC_FAULT_MEM_ALLOC) ? NULL : map_pages(bytes);
    if (!raw) return refuse(count, size, what);
    (void)madvise(raw, bytes + DC_MEM_ALIGN, MADV_NOHUGEPAGE); /* fails if there are no huge pages, which is fine */
    *slot = take(raw, (header){.bytes = bytes, .pages = true});
    return DC_OK;
}

void dc_mem_zero_pages(void *block)
{
    header *raw = header_of(block);
    const header kept = *raw;
    DC_ASSERT(kept.pages);
    if (madvise(raw, kept.bytes + DC_MEM_ALIGN, MADV_DONTNEED) != 0) memset(block, 0, kept.bytes);
    *raw = kept;
}

size_t dc_mem_current_bytes(void)
{
    return atomic_load(&current_bytes);
}
size_t dc_mem_peak_bytes(void)
{
    return atomic_load(&peak_bytes);
}
uint64_t dc_mem_alloc_count(void)
{
    return atomic_load(&alloc_count);
}
uint64_t dc_mem_live_count(void)
{
    return atomic_load(&live_count);
}

size_t dc_mem_kernel_bytes(const char *path, const char *name)
{
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    char line[256];
    size_t kib = 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %zu kB", &kib) == 1) break;
    fclose(f);
    return kib * 1024;
}

size_t dc_mem_resident_bytes(void)
{
    return dc_mem_kernel_bytes("/proc/self/status", "VmRSS");
}

size_t dc_mem_resident_peak_bytes(void)
{
    return dc_mem_kernel_bytes("/proc/self/status", "VmHWM");
}
