/* Library names, the check for outdated OpenBLAS kernels, pinned instruction sets, and the FMA peak. OpenBLAS reads
 * OPENBLAS_CORETYPE when it is loaded, and oneDNN can be pinned only once, so the test starts itself again. timed: yes
 */
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/la.h"

/* Exit code of a new process image of this program under the given core type. */
static int start_again(const char *program, const char *task, const char *core)
{
    const pid_t pid = fork();
    if (pid == 0) {
        setenv("OPENBLAS_CORETYPE", core, 1);
        execl(program, program, task, (char *)NULL);
        _exit(99);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* 0: pinned; else the status. */
static int pin(dc_gemm_backend backend)
{
    dc_gemm_set_backend(backend);
    const dc_status st = dc_la_set_isa(DC_ISA_AVX2);
    if (st != DC_OK) return (int)st;
    if (strcmp(dc_la_isa_name(), backend == DC_GEMM_CBLAS ? "Haswell" : "avx2") != 0) return 96;
    return dc_la_isa_of(dc_la_isa_name()) == DC_ISA_AVX2 ? 0 : 95;
}

/* 1 if the core is called old. */
static int judge_core(void)
{
    const char *advice;
    const bool old = dc_la_blas_core_is_old(&advice);
    return old == (advice[0] != 0) ? old : 97; /* advice goes with the verdict */
}

int main(int argc, char **argv)
{
    if (argc > 1) return strcmp(argv[1], "core") == 0 ? judge_core() : pin(argv[1][0] == 'c');
    char text[128];
    dc_la_describe(text, sizeof text);
    printf("# %s\n", text);
    CHECK_TEXT_HAS(text, "oneDNN 2.");
    CHECK_TEXT_HAS(text, "OpenBLAS 0.");
    CHECK_TEXT_HAS(text, "(");
    dc_gemm_set_backend(DC_GEMM_CBLAS);
    dc_la_describe(text, sizeof text);
    CHECK(strncmp(text, "OpenBLAS 0.", 11) == 0);

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) {
        CHECK_INT(start_again(argv[0], "core", "Prescott"), 1);
        CHECK_INT(start_again(argv[0], "core", "Zen"), 0);
        CHECK_INT(start_again(argv[0], "onednn", "Prescott"), 0);
        CHECK_INT(start_again(argv[0], "cblas", "Haswell"), 0);
        CHECK_INT(start_again(argv[0], "cblas", "Prescott"), DC_ERR_USAGE);
    }
    if (__builtin_cpu_supports("avx512vl")) {
        CHECK_INT(start_again(argv[0], "core", "SkylakeX"), 0);
        dc_gemm_set_backend(DC_GEMM_ONEDNN);
        if (dc_la_isa_of(dc_la_isa_name()) == DC_ISA_AVX512) { /* too late for another one */
            CHECK_STATUS(dc_la_set_isa(DC_ISA_AVX2), DC_ERR_USAGE);
            CHECK_TEXT_HAS(dc_error_text(), "parallel.isa = avx2");
            dc_error_clear();
        }
    }
    CHECK_OK(dc_la_set_isa(DC_ISA_NATIVE));
    CHECK_INT(dc_la_isa_of("avx512_core_vnni"), DC_ISA_AVX512);
    CHECK_INT(dc_la_isa_of("SkylakeX"), DC_ISA_AVX512);
    CHECK_INT(dc_la_isa_of("sse41"), DC_ISA_NATIVE);

    const double one = dc_la_measure_peak_flops(1);
    printf("# FMA peak of one thread %.1f GF/s\n", one * 1e-9);
    CHECK(one > 1e9 && one < 1e12);
    return check_done();
}
