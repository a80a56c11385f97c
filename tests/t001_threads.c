/* All threads have one floating-point mode, also those started later, and their number is fixed. threads: 1 2 */
#include <omp.h>
#include <stdlib.h>

#include "check.h"
#include "dcmpi/threads.h"

/* How many threads of a team of n give 0 for half of the smallest normal number and twice the largest denormal one. */
static int flushing_threads(int n)
{
    volatile float normal = 1.17549435e-38f, denormal = 1.1754942e-38f;
    int count = 0;
#pragma omp parallel num_threads(n) reduction(+ : count)
    count += 0.5f * normal == 0 && 2 * denormal == 0;
    return count;
}

int main(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "vgpreload")) {
        check_skip_all("valgrind knows no FTZ and DAZ");
        return 0;
    }
    const int threads = omp_get_max_threads();
    CHECK(!dc_threads_flush_denormals());
    CHECK_INT(flushing_threads(threads), 0);
    omp_set_dynamic(1);
    omp_set_max_active_levels(0);
    dc_threads_init();
    CHECK(!omp_get_dynamic());
    CHECK_INT(omp_get_max_threads(), threads);
    CHECK_INT(omp_get_max_active_levels(), 1);
    CHECK(dc_threads_flush_denormals());
    CHECK_INT(flushing_threads(threads), threads);
    CHECK_INT(flushing_threads(threads + 3), threads + 3);
    return check_done();
}
