/* What this binary is, and whether this CPU can run it. dcmpi_build_info.h is written by the Makefile. */
#include "dcmpi/version.h"

#include <string.h>
#include <xxhash.h>

#include "dcmpi_build_info.h"

const char *dc_version(void)
{
    return DC_BUILD_VERSION;
}
const char *dc_version_git(void)
{
    return DC_BUILD_GIT;
}
const char *dc_version_build(void)
{
    return DC_BUILD_INFO;
}
const char *dc_version_arch(void)
{
    return DC_BUILD_ARCH;
}

static uint64_t hash_program(void)
{
    char piece[1 << 14];
    FILE *f = fopen("/proc/self/exe", "rb");
    XXH3_state_t *state = f ? XXH3_createState() : NULL;
    uint64_t hash = 0;
    if (state) {
        XXH3_64bits_reset(state);
        for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) XXH3_64bits_update(state, piece, n);
        if (!ferror(f)) hash = XXH3_64bits_digest(state);
    }
    XXH3_freeState(state);
    if (f) fclose(f);
    return hash;
}

uint64_t dc_version_program_hash(void)
{
    static uint64_t hash;
    if (hash == 0) hash = hash_program();
    return hash;
}

const char *dc_version_cpu(void)
{
    static char name[128];
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(name, sizeof name, "unknown CPU");
    if (!f) return name;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %127[^\n]", name) == 1) break;
    fclose(f);
    return name;
}

/* Used below for instruction sets that the compiler may use and that are known to differ between login and compute
 * nodes. */
#define NEED(name)                                                                                                     \
    if (!__builtin_cpu_supports(name)) return name

static const char *missing_instruction_set(void)
{
    __builtin_cpu_init();
#ifdef __SSE4_2__
    NEED("sse4.2");
#endif
#ifdef __AVX__
    NEED("avx");
#endif
#ifdef __AVX2__
    NEED("avx2");
#endif
#ifdef __FMA__
    NEED("fma");
#endif
#ifdef __BMI2__
    NEED("bmi2");
#endif
#ifdef __AVX512F__
    NEED("avx512f");
#endif
#ifdef __AVX512BW__
    NEED("avx512bw");
#endif
#ifdef __AVX512VL__
    NEED("avx512vl");
#endif
#ifdef __AVX512DQ__
    NEED("avx512dq");
#endif
#ifdef __AVX512VNNI__
    NEED("avx512vnni");
#endif
#ifdef __AVX512CD__
    NEED("avx512cd");
#endif
#ifdef __AVX512IFMA__
    NEED("avx512ifma");
#endif
#ifdef __AVX512VBMI__
    NEED("avx512vbmi");
#endif
#ifdef __AVX512VBMI2__
    NEED("avx512vbmi2");
#endif
#ifdef __AVX512BITALG__
    NEED("avx512bitalg");
#endif
#ifdef __AVX512VPOPCNTDQ__
    NEED("avx512vpopcntdq");
#endif
#ifdef __AVX512BF16__
    NEED("avx512bf16");
#endif
#if defined __AVX512FP16__ && !defined __clang__ /* clang 14 does not know its name */
    NEED("avx512fp16");
#endif
    return NULL;
}

dc_status dc_version_check_cpu(void)
{
    const char *name = missing_instruction_set();
    if (!name) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "this program was built for ARCH=%s, but this CPU has no %s; build it on the compute node or with "
                   "`make ARCH=x86-64-v3`",
                   DC_BUILD_ARCH, name);
}
