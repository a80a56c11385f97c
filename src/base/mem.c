/* Counted aligned memory. In front of each block, a header of one alignment unit records the block's size and how it
 * was allocated, so that no table is needed to keep the totals right. Counters are atomic, because tests may allocate
 * in several threads.
 *
 * Each large block is a mapping of its own, which goes back to the kernel when it is freed. Left to itself, the C
 * library would keep freed blocks of tens of MiB in a heap with holes, and memory use would be hard to predict. Nothing
 * is allocated inside a step, so the cost of a mapping does not matter.
 *
 * A page of dc_mem_alloc_pages() takes memory when it is first written to, and gives it back when it is zeroed. A huge
 * page would take memory for much more than what is written, so such blocks have no huge pages. */
#include "dcmpi/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "dcmpi/fault.h"
#include "mem_kernel.h"

typedef struct {
    size_t bytes; /* payload */
    bool pages;   /* a mapping */
    bool lazy;    /* from dc_mem_alloc_pages */
} header;
_Static_assert(sizeof(header) <= DC_MEM_ALIGN, "the header lies in front of the block");

static header *header_of(void *block)
{
    return (header *)((char *)block - DC_MEM_ALIGN);
}

static _Atomic size_t current_bytes, lazy_bytes, peak_bytes;
static _Atomic uint64_t alloc_count, live_count;
static _Atomic int rehearsals;

static void count_in(const header *h)
{
    const size_t now = atomic_fetch_add(&current_bytes, h->bytes) + h->bytes;
    size_t peak = atomic_load(&peak_bytes);
    while (now > peak && !rehearsals && !atomic_compare_exchange_weak(&peak_bytes, &peak, now)) {
    }
    if (h->lazy) atomic_fetch_add(&lazy_bytes, h->bytes);
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
    count_in(&h);
    return raw + DC_MEM_ALIGN;
}

/* Blocks of this size or larger are mappings. Not so under the address sanitizer: it checks only the C library's
 * blocks. */
enum { LARGE_BYTES = 1 << 20 };
#ifdef __SANITIZE_ADDRESS__
static const size_t MAPPED_FROM = SIZE_MAX;
#else
static const size_t MAPPED_FROM = LARGE_BYTES;
#endif

/* Maps pages that take memory when they are written to, without huge pages if `lazy` or in a rehearsal. A kernel
 * without huge pages refuses the madvise(), which does no harm. */
static void *map_pages(size_t bytes, bool lazy)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (rehearsals ? MAP_NORESERVE : 0);
    void *raw = mmap(NULL, bytes + DC_MEM_ALIGN, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    if (lazy || rehearsals) (void)madvise(raw, bytes + DC_MEM_ALIGN, MADV_NOHUGEPAGE);
    return raw;
}

/* Whether this is a large block of a rehearsal. Such blocks are not zeroed, so they take no memory until written to. */
static bool is_rehearsed(size_t bytes)
{
    return rehearsals && bytes >= LARGE_BYTES;
}

dc_status dc_mem_alloc_raw(void *out, size_t count, size_t size, const char *what)
{
    void **slot = out;
    char *raw = NULL;
    *slot = NULL;
    const size_t bytes = padded(count, size);
    const bool mapped = bytes >= MAPPED_FROM || is_rehearsed(bytes);
    if (bytes != SIZE_MAX && !dc_fault(DC_FAULT_MEM_ALLOC))
        raw = mapped ? map_pages(bytes, false) : aligned_alloc(DC_MEM_ALIGN, bytes + DC_MEM_ALIGN);
    if (!raw) return refuse(count, size, what);
    *slot = take(raw, (header){.bytes = bytes, .pages = mapped});
    return DC_OK;
}

void dc_mem_setup(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* unless set, it grows when a large block is freed */
    mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

dc_status dc_mem_alloc(void *out, size_t count, size_t size, const char *what)
{
    const dc_status st = dc_mem_alloc_raw(out, count, size, what);
    const size_t bytes = padded(count, size);
    if (st == DC_OK && !is_rehearsed(bytes)) memset(*(void **)out, 0, bytes);
    return st;
}

void dc_mem_free(void *p)
{
    void **slot = p;
    if (!*slot) return;
    header *raw = header_of(*slot);
    atomic_fetch_sub(&current_bytes, raw->bytes);
    if (raw->lazy) atomic_fetch_sub(&lazy_bytes, raw->bytes);
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
    void *raw = bytes == SIZE_MAX || dc_fault(DC_FAULT_MEM_ALLOC) ? NULL : map_pages(bytes, true);
    if (!raw) return refuse(count, size, what);
    *slot = take(raw, (header){.bytes = bytes, .pages = true, .lazy = true});
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

void dc_mem_rehearse(bool begins)
{
    DC_ASSERT(begins || rehearsals > 0);
    atomic_fetch_add(&rehearsals, begins ? 1 : -1);
}

size_t dc_mem_current_bytes(void)
{
    return atomic_load(&current_bytes);
}
size_t dc_mem_lazy_bytes(void)
{
    return atomic_load(&lazy_bytes);
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
