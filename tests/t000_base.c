/* Base layer: error record, counted memory, known answers of the generator, permutations, fills. threads: 1 2 */
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "dcmpi/rng.h"

static void test_status(void)
{
    CHECK_STATUS(DC_FAIL(DC_ERR_DATA, "row %d", 7), DC_ERR_DATA);
    CHECK_STATUS(DC_FAIL(DC_ERR_IO, "a consequence"), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "row 7");
    CHECK_TEXT_HAS(dc_error_where(), "t000_base.c:");
    CHECK_INT(dc_error_code(), DC_ERR_DATA);
    dc_error_clear();
    CHECK_INT(dc_error_code(), DC_OK);
    CHECK_STATUS(DC_FAIL(DC_ERR_IO, "no file '%s'", "a\nb\x1b[31m\x7fß"), DC_ERR_IO);
    CHECK(strcmp(dc_error_text(), "no file 'a?b?[31m?ß'") == 0);
    dc_error_clear();
}

static void test_memory(void)
{
    double *a = NULL;
    char *empty = NULL, *huge = NULL;
    const size_t before = dc_mem_current_bytes();
    const uint64_t count = dc_mem_alloc_count();
    CHECK_OK(dc_mem_alloc(&a, 1000, sizeof *a, "a"));
    CHECK_INT((uintptr_t)a % DC_MEM_ALIGN, 0);
    CHECK(a[0] == 0 && a[999] == 0);
    CHECK(dc_mem_current_bytes() >= before + 8000);
    CHECK_OK(dc_mem_alloc(&empty, 0, 8, "empty"));
    CHECK(empty != NULL);
    CHECK_STATUS(dc_mem_alloc(&huge, SIZE_MAX / 4, 8, "huge"), DC_ERR_MEMORY);
    CHECK_TEXT_HAS(dc_error_text(), "huge");
    dc_error_clear();
    CHECK_INT(dc_mem_alloc_count(), count + 2);
    dc_mem_free(&a);
    dc_mem_free(&a);
    dc_mem_free(&empty);
    CHECK(a == NULL);
    CHECK_INT(dc_mem_current_bytes(), before);
}

/* Pages of [x, x + bytes) that take memory. */
static int resident_pages(const void *x, size_t bytes)
{
    unsigned char state[64] = {0};
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)x / page * page;
    const size_t n = ((uintptr_t)x + bytes - from + page - 1) / page;
    int resident = 0;
    CHECK(n <= sizeof state && mincore((void *)from, (uintptr_t)x + bytes - from, state) == 0);
    for (size_t i = 0; i < n; i++) resident += state[i] & 1;
    return resident;
}

static void test_pages(void)
{
    char *a = NULL, *huge = NULL;
    const size_t before = dc_mem_current_bytes(), page = (size_t)sysconf(_SC_PAGESIZE), bytes = 32 * page;
    CHECK_OK(dc_mem_alloc_pages(&a, bytes, 1, "pages"));
    CHECK_INT((uintptr_t)a % DC_MEM_ALIGN, 0);
    CHECK_INT(dc_mem_current_bytes(), before + bytes);
    CHECK_INT(resident_pages(a, bytes), 1); /* the header, which holds the size */
    a[0] = a[10 * page] = a[bytes - 1] = 7;
    CHECK_INT(resident_pages(a, bytes), 3);
    dc_mem_zero_pages(a);
    CHECK_INT(resident_pages(a, bytes), 1);
    CHECK(a[0] == 0 && a[10 * page] == 0 && a[bytes - 1] == 0);
    CHECK_STATUS(dc_mem_alloc_pages(&huge, SIZE_MAX / 4, 8, "huge pages"), DC_ERR_MEMORY);
    dc_error_clear();
    CHECK_STATUS(dc_mem_alloc_pages(&huge, SIZE_MAX / 4, 1, "huge pages"), DC_ERR_MEMORY);
    CHECK_TEXT_HAS(dc_error_text(), "huge pages");
    dc_error_clear();
    dc_mem_free(&a);
    CHECK(a == NULL && huge == NULL);
    CHECK_INT(dc_mem_current_bytes(), before);
    const size_t peak = dc_mem_resident_peak_bytes();
    CHECK(peak > (size_t)1 << 20 && peak < (size_t)1 << 40);
}

/* In a rehearsal large blocks take no memory; small ones are as usual. */
static void test_rehearsal(void)
{
    char *large = NULL, *lazy = NULL, *small = NULL;
    const size_t before = dc_mem_current_bytes(), of_pages = dc_mem_lazy_bytes(), peak = dc_mem_peak_bytes();
    const size_t bytes = (size_t)1 << 40, held = dc_mem_resident_bytes();
    dc_mem_rehearse(true);
    dc_mem_rehearse(true);
    CHECK_OK(dc_mem_alloc(&large, bytes, 1, "large"));
    CHECK_OK(dc_mem_alloc_pages(&lazy, bytes, 1, "pages"));
    dc_mem_rehearse(false);
    CHECK_OK(dc_mem_alloc(&small, 100, 1, "small"));
    CHECK(large[0] == 0 && large[bytes - 1] == 0 && small[99] == 0);
    CHECK(dc_mem_resident_bytes() < held + (4 << 20));
    CHECK_INT(dc_mem_current_bytes(), before + 2 * bytes + 128);
    CHECK_INT(dc_mem_lazy_bytes(), of_pages + bytes);
    dc_mem_free(&large);
    dc_mem_free(&lazy);
    dc_mem_free(&small);
    dc_mem_rehearse(false);
    CHECK_INT(dc_mem_current_bytes(), before);
    CHECK_INT(dc_mem_lazy_bytes(), of_pages);
    CHECK_INT(dc_mem_peak_bytes(), peak);
    CHECK_OK(dc_mem_alloc(&large, peak + 1, 1, "a real one"));
    CHECK(dc_mem_peak_bytes() > peak);
    dc_mem_free(&large);
}

/* Vectors of Random123's own known-answer file (kat_vectors, philox4x32 10). The stream shares a word with the step. */
static void test_known_answers(void)
{
    uint32_t w[4];
    dc_rng4(0, (dc_rng_stream)0, 0, 0, w);
    CHECK(w[0] == 0x6627e8d5 && w[1] == 0xe169c58d && w[2] == 0xbc57ac4c && w[3] == 0x9b00dbd8);
    dc_rng4(UINT64_MAX, (dc_rng_stream)0xffff, 0xffffffffffff, UINT64_MAX, w);
    CHECK(w[0] == 0x408f276d && w[1] == 0x41c83b0e && w[2] == 0xa20bc7c6 && w[3] == 0x6d5451fd);
    dc_rng4(0x299f31d0a4093822, (dc_rng_stream)0x0370, 0x734413198a2e, 0x85a308d3243f6a88, w);
    CHECK(w[0] == 0xd16cfe09 && w[1] == 0x94fdcceb && w[2] == 0x5001e420 && w[3] == 0x24126ea1);
}

static void test_permutation(void)
{
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 1000, 1094, 4097};
    static unsigned char seen[4097];
    for (size_t s = 0; s < DC_COUNT_OF(sizes); s++) {
        dc_perm perm;
        bool once = true;
        uint64_t fixed = 0;
        memset(seen, 0, sizeof seen);
        dc_perm_init(&perm, 7, DC_STREAM_TEST, 3, s, sizes[s]);
        for (uint64_t i = 0; i < sizes[s]; i++) {
            const uint64_t v = dc_perm_at(&perm, i);
            once = once && v < sizes[s] && !seen[v]++;
            fixed += v == i;
        }
        CHECK(once);
        if (sizes[s] > 100) CHECK(fixed < 10); /* one fixed point is expected */
    }
}

static void test_fills(void)
{
    enum { N = 100003 };
    static float u[N], g[N], part[11];
    double mean = 0, var = 0, gm = 0, gv = 0;
    dc_rng_fill_uniform(u, N, 1, 0, 0.5);
    dc_rng_fill_normal(g, N, 1, 0, 0.01);
    dc_rng_fill_uniform(part, 11, 1, 0, 0.5);
    CHECK(memcmp(u, part, sizeof part) == 0);
    for (int i = 0; i < N; i++) mean += (double)u[i] / N, gm += (double)g[i] / N;
    for (int i = 0; i < N; i++) var += (double)u[i] * (double)u[i] / N, gv += (double)g[i] * (double)g[i] / N;
    CHECK_NEAR(mean, 0, 0.005); /* standard error 0.0009 */
    CHECK_NEAR(var, 1.0 / 12, 0.001);
    CHECK_NEAR(gm, 0, 2e-4); /* standard error 3e-5 */
    CHECK_NEAR(gv, 1e-4, 3e-6);
}

int main(void)
{
    test_status();
    test_memory();
    test_pages();
    test_rehearsal();
    test_known_answers();
    test_permutation();
    test_fills();
    return check_done();
}
