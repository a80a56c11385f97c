/* Private to la/: calls of OpenBLAS and LAPACK whose bits must not depend on the number of threads. */
#ifndef DCMPI_LA_ONE_THREAD_H
#define DCMPI_LA_ONE_THREAD_H

/* Number of threads before such a call, of the program and of OpenBLAS. */
typedef struct {
    int own, blas;
} dc_la_threads;
/* Until dc_la_use_threads(), OpenBLAS runs in the calling thread alone. Inside a parallel region it does so anyway. */
dc_la_threads dc_la_use_one_thread(void);
void dc_la_use_threads(dc_la_threads before);

#endif
