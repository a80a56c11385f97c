/* ranks: 0. Lines in, rows out: shapes that fit one panel or need many, blocks that do not divide the matrix, memory
 * that stays within its bound, the same result twice. */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "convert/transpose.h"
#include "dcmpi/mem.h"

static double value(int64_t line, int64_t row)
{
    return (double)(line * 100003 + row) + 0.25;
}

/* Puts in D lines of N values, `step` at a time, and takes them out as rows, `take` at a time. */
static bool turn(int64_t D, int64_t N, size_t step, size_t take, size_t memory)
{
    dc_transpose *t = NULL;
    double *lines = calloc(step * (size_t)N, sizeof *lines), *rows = calloc(take * (size_t)D, sizeof *rows);
    int64_t found = 0, wrong = 0, seen = 0;
    DC_ASSERT(lines && rows);
    bool ok = dc_transpose_create(&t, N, "out.h5", memory) == DC_OK;
    for (int64_t l = 0; ok && l < D;) {
        const size_t n = (size_t)DC_MIN((int64_t)step, D - l);
        for (size_t i = 0; i < n; i++)
            for (int64_t r = 0; r < N; r++) lines[i * (size_t)N + (size_t)r] = value(l + (int64_t)i, r);
        ok = dc_transpose_put(t, n, lines) == DC_OK;
        l += (int64_t)n;
    }
    ok = ok && dc_transpose_turn(t, &found) == DC_OK && found == D;
    for (int pass = 0; ok && pass < 2; pass++) {
        size_t got = 1;
        for (int64_t first = 0; ok && got > 0; first += (int64_t)got) {
            ok = dc_transpose_get(t, take, rows, &got) == DC_OK;
            seen += (int64_t)got;
            for (size_t i = 0; i < got; i++)
                for (int64_t l = 0; l < D; l++)
                    wrong += rows[i * (size_t)D + (size_t)l] != value(l, first + (int64_t)i);
        }
        dc_transpose_rewind(t);
    }
    dc_transpose_destroy(&t);
    free(lines);
    free(rows);
    if (!ok || wrong > 0 || seen != 2 * N)
        printf("# %lld lines of %lld: %lld wrong, %lld rows seen\n", (long long)D, (long long)N, (long long)wrong,
               (long long)seen);
    return ok && wrong == 0 && seen == 2 * N;
}

int main(void)
{
    char folder[CHECK_PATH_MAX];
    DC_ASSERT(mkdtemp(check_temporary(folder)) && chdir(folder) == 0);
    CHECK(turn(1, 1, 1, 1, 64));
    CHECK(turn(6, 120, 4, 7, 1 << 20));
    CHECK(turn(120, 6, 50, 4, 1 << 20));
    CHECK(turn(7, 5, 3, 2, 8));
    for (int64_t D = 1; D < 24; D += 5)
        for (int64_t N = 1; N < 40; N += 7) CHECK(turn(D, N, 3, 4, 400));
    const size_t before = dc_mem_peak_bytes();
    CHECK(turn(2000, 300, 10, 10, 100000));
    CHECK(dc_mem_peak_bytes() < before + 250000);
    CHECK_INT(dc_mem_live_count(), 0);
    CHECK_INT(system("test -z \"$(ls -A)\""), 0);
    dc_transpose *t = NULL;
    double line[100] = {0};
    CHECK_OK(dc_transpose_create(&t, 100, "no/such/out.h5", 800));
    CHECK_OK(dc_transpose_put(t, 1, line));
    CHECK_STATUS(dc_transpose_put(t, 1, line), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "no/such: cannot make the temporary file");
    dc_transpose_destroy(&t);
    signal(SIGXFSZ, SIG_IGN);
    DC_ASSERT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1200, 1200}) == 0);
    dc_error_clear();
    CHECK_OK(dc_transpose_create(&t, 100, "out.h5", 800));
    CHECK_OK(dc_transpose_put(t, 1, line));
    CHECK_OK(dc_transpose_put(t, 1, line));
    CHECK_STATUS(dc_transpose_put(t, 1, line), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), ": cannot write the temporary file of --transpose");
    dc_transpose_destroy(&t);
    DC_ASSERT(chdir("/") == 0 && rmdir(folder) == 0);
    return check_done();
}
