/* Which kernels the dense libraries picked for this CPU, and how to restrict them to older ones.
 *
 * OpenBLAS chooses its kernels from the CPU model when it is loaded. If the CPU is newer than the library, OpenBLAS
 * does not know the model and silently chooses the oldest kernels (SSE3, a fifth of the speed or less). So the kernels
 * it chose are compared with the instruction sets of the CPU. oneDNN looks at the instruction sets themselves and needs
 * no check. */
#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

#include "dcmpi/la.h"

typedef enum { ISA_SSE, ISA_AVX, ISA_AVX2, ISA_AVX512 } isa_level;

/* OpenBLAS core types. isa: the best instruction set that a CPU may have if these kernels are still the right choice
 * for it. Zen's kernels use AVX2 but are right for any CPU, because AMD's first AVX-512 units are no wider inside. A
 * name not in the table is one of the many SSE cores. */
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

/* name: the value of parallel.isa. prefix: start of oneDNN's names for CPUs that use these sgemm kernels. */
static const struct {
    dnnl_cpu_isa_t onednn;
    const char *prefix, *core, *name;
} isa_table[] = {
    [DC_ISA_AVX2] = {dnnl_cpu_isa_avx2, "avx2", "Haswell", "avx2"},
    [DC_ISA_AVX512] = {dnnl_cpu_isa_avx512_core, "avx512_core", "SkylakeX", "avx512"},
};

const char *dc_la_isa_name(void)
{
    return dc_gemm_get_backend() == DC_GEMM_ONEDNN ? onednn_isa_name() : openblas_get_corename();
}

dc_isa dc_la_isa_of(const char *name)
{
    for (int i = DC_ISA_AVX2; i <= DC_ISA_AVX512; i++)
        if (strncmp(name, isa_table[i].prefix, strlen(isa_table[i].prefix)) == 0 ||
            strcasecmp(name, isa_table[i].core) == 0)
            return (dc_isa)i;
    return DC_ISA_NATIVE;
}

dc_status dc_la_set_isa(dc_isa isa)
{
    if (isa == DC_ISA_NATIVE) return DC_OK;
    if (dc_gemm_get_backend() == DC_GEMM_CBLAS) {
        if (strcasecmp(openblas_get_corename(), isa_table[isa].core) == 0) return DC_OK;
        return DC_FAIL(DC_ERR_USAGE,
                       "parallel.isa = %s, but OpenBLAS was loaded with its %s kernels; set OPENBLAS_CORETYPE=%s "
                       "before the start (mpirun -x OPENBLAS_CORETYPE=%s)",
                       isa_table[isa].name, openblas_get_corename(), isa_table[isa].core, isa_table[isa].core);
    }
    (void)dnnl_set_max_cpu_isa(isa_table[isa].onednn); /* the next line checks whether it worked */
    if (dnnl_get_effective_cpu_isa() == isa_table[isa].onednn) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "parallel.isa = %s: oneDNN has %s kernels for this CPU", isa_table[isa].name,
                   onednn_isa_name());
}

/* Finds the version in OpenBLAS's description: "0.3.21" in "OpenBLAS 0.3.21 DYNAMIC_ARCH ...". */
static void openblas_version(char *out, size_t cap)
{
    const char *config = openblas_get_config(), *space = strchr(config, ' ');
    const char *from = space ? space + 1 : config;
    snprintf(out, cap, "%.*s", (int)strcspn(from, " "), from);
}

static void describe_blas(char *out, size_t cap)
{
    char version[32];
    openblas_version(version, sizeof version);
    snprintf(out, cap, "OpenBLAS %s (%s)", version, openblas_get_corename());
}

void dc_la_describe_gemm(char *out, size_t cap)
{
    const dnnl_version_t *v = dnnl_version();
    if (dc_gemm_get_backend() == DC_GEMM_ONEDNN)
        snprintf(out, cap, "oneDNN %d.%d.%d (%s)", v->major, v->minor, v->patch, onednn_isa_name());
    else
        describe_blas(out, cap);
}

void dc_la_describe(char *out, size_t cap)
{
    char gemm[96], blas[96];
    dc_la_describe_gemm(gemm, sizeof gemm);
    describe_blas(blas, sizeof blas);
    if (dc_gemm_get_backend() == DC_GEMM_ONEDNN)
        snprintf(out, cap, "%s, %s", gemm, blas);
    else
        snprintf(out, cap, "%s", blas);
}
