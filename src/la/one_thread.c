/* Keeps OpenBLAS to the calling thread. */
#include "one_thread.h"

#include <cblas.h>
#include <omp.h>

/* Setting the threads of OpenBLAS sets those of OpenMP, too. */
dc_la_threads dc_la_use_one_thread(void)
{
    const dc_la_threads before = {omp_get_max_threads(), openblas_get_num_threads()};
    if (!omp_in_parallel()) openblas_set_num_threads(1);
    if (!omp_in_parallel()) omp_set_num_threads(1);
    return before;
}

void dc_la_use_threads(dc_la_threads before)
{
    if (omp_in_parallel()) return;
    openblas_set_num_threads(before.blas);
    omp_set_num_threads(before.own);
}
