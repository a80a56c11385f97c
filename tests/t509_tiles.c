/* Products on fixed tiles: apart from its values, the bits of a row depend only on its place in its tile, and those of
 * a panel on nothing: not on what lies beside them, where the arrays are in memory, or the number of threads. Tested
 * with the kernels of all CPU types that this one can run; the libraries choose them when they start, so the test
 * starts itself again. Seed 509. */
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/la.h"
#include "dcmpi/rng.h"

enum { TILES = 4, SHIFT = 3 };

static const struct {
    int64_t in, out;
} layers[] = {{784, 500}, {500, 500}, {500, 2000}, {2000, 10}, {10, 2000}, {70, 33}, {33, 5}, {1, 130}};

/* n floats at an aligned address, random but for step 0. */
static float *even_array(int64_t n, uint64_t step)
{
    float *x = aligned_alloc(DC_MEM_ALIGN, ((size_t)n * sizeof *x / DC_MEM_ALIGN + 1) * DC_MEM_ALIGN);
    if (step) dc_rng_fill_uniform(x, (size_t)n, 509, step, 1);
    return x;
}

/* n floats that begin SHIFT floats behind an aligned address, so that no vector load is aligned. */
static float *odd_array(int64_t n)
{
    return even_array(n + SHIFT, 0) + SHIFT;
}

static int64_t different(const float *a, const float *b, int64_t n)
{
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) found += memcmp(&a[i], &b[i], sizeof *a) != 0;
    return found;
}

/* Two tiles of the four, elsewhere in memory, every second row replaced, two threads. */
static int64_t moved_rows(int64_t tile, int64_t n, int64_t k)
{
    const int64_t m = TILES * tile;
    float *A = even_array(m * k, 1), *B = even_array(n * k, 2), *C = even_array(m * n, 0),
          *noise = even_array(m * k, 3);
    float *part = odd_array(2 * tile * k), *result = odd_array(2 * tile * n);
    int64_t found = 0;
    omp_set_num_threads(1);
    dc_gemm_rows(tile, m, n, k, A, k, B, n, C, n);
    omp_set_num_threads(2);
    for (int odd = 0; odd < 2; odd++) {
        for (int64_t i = 0; i < 2 * tile; i++)
            memcpy(part + i * k, (i % 2 == odd ? A : noise) + (tile + i) * k, (size_t)k * sizeof *part);
        dc_gemm_rows(tile, 2 * tile, n, k, part, k, B, n, result, n);
        for (int64_t i = odd; i < 2 * tile; i += 2) found += different(result + i * n, C + (tile + i) * n, n);
    }
    free(A), free(B), free(C), free(noise), free(part - SHIFT), free(result - SHIFT);
    return found;
}

/* Every panel by itself, its arrays elsewhere in memory. */
static int64_t moved_panels(int64_t m, int64_t n, int64_t k)
{
    const int64_t panels = (m + DC_PANEL_ROWS - 1) / DC_PANEL_ROWS;
    float *A = even_array(k * m, 4), *B = even_array(k * n, 5), *C = even_array(m * n, 0);
    float *odd_a = odd_array(k * m), *odd_b = odd_array(k * n), *odd_c = odd_array(m * n);
    memcpy(odd_a, A, (size_t)(k * m) * sizeof *A);
    memcpy(odd_b, B, (size_t)(k * n) * sizeof *B);
    omp_set_num_threads(2);
    dc_gemm_panels(0, panels, m, n, k, A, m, B, n, 0, C, n);
    omp_set_num_threads(1);
    for (int64_t p = 0; p < panels; p++) dc_gemm_panels(p, p + 1, m, n, k, odd_a, m, odd_b, n, 0, odd_c, n);
    const int64_t found = different(odd_c, C, m * n);
    free(A), free(B), free(C), free(odd_a - SHIFT), free(odd_b - SHIFT), free(odd_c - SHIFT);
    return found;
}

static int test_kernels(const char *backend)
{
    char text[128];
    dc_gemm_set_backend(strcmp(backend, "cblas") == 0 ? DC_GEMM_CBLAS : DC_GEMM_ONEDNN);
    dc_la_describe_gemm(text, sizeof text);
    int64_t found = 0;
    for (size_t l = 0; l < DC_COUNT_OF(layers); l++) {
        const int64_t in = layers[l].in, out = layers[l].out;
        found += moved_rows(64, out, in) + moved_rows(64, in, out);
        for (int64_t batch = 1; batch <= 300; batch += 149) found += moved_panels(in, out, batch);
    }
    printf("# %s: %lld floats differ\n", text, (long long)found);
    return found != 0;
}

static const struct {
    const char *backend, *variable, *kernels;
    bool avx512;
} sets[] = {
    {"onednn", "ONEDNN_MAX_CPU_ISA", "SSE41", false},     {"onednn", "ONEDNN_MAX_CPU_ISA", "AVX", false},
    {"onednn", "ONEDNN_MAX_CPU_ISA", "AVX2", false},      {"onednn", "ONEDNN_MAX_CPU_ISA", "AVX512_CORE", true},
    {"onednn", "ONEDNN_MAX_CPU_ISA", "ALL", false},       {"cblas", "OPENBLAS_CORETYPE", "Prescott", false},
    {"cblas", "OPENBLAS_CORETYPE", "Sandybridge", false}, {"cblas", "OPENBLAS_CORETYPE", "Haswell", false},
    {"cblas", "OPENBLAS_CORETYPE", "Zen", false},         {"cblas", "OPENBLAS_CORETYPE", "SkylakeX", true},
};

int main(int argc, char **argv)
{
    if (argc > 1) return test_kernels(argv[1]);
    __builtin_cpu_init();
    for (size_t s = 0; s < DC_COUNT_OF(sets); s++) {
        if (!__builtin_cpu_supports("avx2") || (sets[s].avx512 && !__builtin_cpu_supports("avx512vl"))) continue;
        int status = 0;
        const pid_t pid = fork();
        if (pid == 0) {
            setenv(sets[s].variable, sets[s].kernels, 1);
            execl(argv[0], argv[0], sets[s].backend, (char *)NULL);
            _exit(98);
        }
        waitpid(pid, &status, 0);
        CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : 97, 0);
    }
    return check_done();
}
