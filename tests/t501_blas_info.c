/* Library names, the check for outdated OpenBLAS kernels, and the FMA peak. OpenBLAS reads OPENBLAS_CORETYPE when it is
 * loaded, so the test starts itself again with the core types it wants to see. timed: yes */
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/la.h"

/* Exit code of a new process image of this program under the given core type: 1 if the core is called old. */
static int old_with_core(const char *program, const char *core)
{
    const pid_t pid = fork();
    if (pid == 0) {
        setenv("OPENBLAS_CORETYPE", core, 1);
        execl(program, program, "child", (char *)NULL);
        _exit(99);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int child(void)
{
    const char *advice;
    const bool old = dc_la_blas_core_is_old(&advice);
    return old == (advice[0] != 0) ? old : 97; /* advice goes with the verdict */
}

int main(int argc, char **argv)
{
    if (argc > 1) return child();
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
        CHECK_INT(old_with_core(argv[0], "Prescott"), 1);
        CHECK_INT(old_with_core(argv[0], "Zen"), 0);
    }
    if (__builtin_cpu_supports("avx512vl")) CHECK_INT(old_with_core(argv[0], "SkylakeX"), 0);

    const double one = dc_la_measure_peak_flops(1);
    printf("# FMA peak of one thread %.1f GF/s\n", one * 1e-9);
    CHECK(one > 1e9 && one < 1e12);
    return check_done();
}
