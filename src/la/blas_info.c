/* Which kernels the dense libraries picked for this CPU.
 *
 * OpenBLAS chooses its kernels from the CPU model when it is loaded. A CPU newer than the library is an unknown model
 * and gets the oldest kernels (SSE3, a fifth of the speed or less), silently; so the name it chose is compared with the
 * instruction sets of the CPU. oneDNN looks at the instruction sets themselves and needs no check. */
#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

#include "dcmpi/la.h"

typedef enum { ISA_SSE, ISA_AVX, ISA_AVX2, ISA_AVX512 } isa_level;

/* OpenBLAS core types and the instruction set that their kernels need to be the right choice. Zen's AVX2 kernels count
 * as current on any CPU: AMD's first AVX-512 units are no wider inside. A name not in the table is one of the many SSE
 * cores. */
static const struct {
    const char *core;
    isa_level isa;
} core_table[] = {
    {"Sandybridge", ISA_AVX},   {"Bulldozer", ISA_AVX},         {"Piledriver", ISA_AVX}, {"Steamroller", ISA_AVX},
    {"Excavator", ISA_AVX},     {"Haswell", ISA_AVX2},          {"Zen", ISA_AVX512},     {"SkylakeX", ISA_AVX512},
    {"Cooperlake", ISA_AVX512}, {"SapphireRapids", ISA_AVX512},
};

static isa_level core_isa(const char *core)
{
    for (size_t i = 0; i < DC_COUNT_OF(core_table); i++)
        if (strcasecmp(core_table[i].core, core) == 0) return core_table[i].isa;
    return ISA_SSE;
}

static isa_level cpu_isa(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return ISA_AVX2;
    return __builtin_cpu_supports("avx") ? ISA_AVX : ISA_SSE;
}

bool dc_la_blas_core_is_old(const char **advice)
{
    const isa_level cpu = cpu_isa();
    const bool old = core_isa(openblas_get_corename()) < cpu;
    const char *better = cpu == ISA_AVX512              ? "SkylakeX"
                         : cpu == ISA_AVX               ? "Sandybridge"
                         : __builtin_cpu_is("amd") != 0 ? "Zen"
                                                        : "Haswell";
    *advice = old ? better : "";
    return old;
}

static const char *onednn_isa_name(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        return "sse41";
    case dnnl_cpu_isa_avx:
        return "avx";
    case dnnl_cpu_isa_avx2:
        return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
        return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
        return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512_core_amx";
    default:
        return "other";
    }
}

/* "0.3.21" of "OpenBLAS 0.3.21 DYNAMIC_ARCH ...". */
static void openblas_version(char *out, size_t cap)
{
    const char *config = openblas_get_config(), *space = strchr(config, ' ');
    const char *from = space ? space + 1 : config;
    snprintf(out, cap, "%.*s", (int)strcspn(from, " "), from);
}

void dc_la_describe(char *out, size_t cap)
{
    char blas[32];
    openblas_version(blas, sizeof blas);
    const dnnl_version_t *v = dnnl_version();
    if (dc_gemm_get_backend() == DC_GEMM_ONEDNN)
        snprintf(out, cap, "oneDNN %d.%d.%d (%s), OpenBLAS %s (%s)", v->major, v->minor, v->patch, onednn_isa_name(),
                 blas, openblas_get_corename());
    else
        snprintf(out, cap, "OpenBLAS %s (%s)", blas, openblas_get_corename());
}
