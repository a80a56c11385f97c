/* What Lanczos iteration does to each row of its basis, by itself: no sums over rows. */
#include <string.h>

#include "dcmpi/rng.h"
#include "lanczos.h"

void dc_lanczos_subtract(int64_t n, const double *V, int64_t ld, int64_t p, const double *H, int64_t b, double *w,
                         int64_t ldw)
{
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < b; c++) {
            double sum = 0;
            for (int64_t a = 0; a < p; a++) sum += V[i * ld + a] * H[c * p + a];
            w[i * ldw + c] -= sum;
        }
}

void dc_lanczos_combine(int64_t n, const double *V, int64_t ld, int64_t p, const double *S, int64_t q, double *out,
                        int64_t ldo)
{
    DC_ASSERT(q >= 1 && q <= p && p <= ld);
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) {
        const double *v = V + i * ld;
        double row[DC_LANCZOS_COLUMNS_MAX];
        for (int64_t c = 0; c < q; c++) {
            row[c] = 0;
            for (int64_t a = 0; a < p; a++) row[c] += v[a] * S[c * p + a];
        }
        memcpy(out + i * ldo, row, (size_t)q * sizeof *row); /* cppcheck-suppress uninitvar; q >= 1 of them are set */
    }
}

void dc_lanczos_take(int64_t n, const double *V, int64_t ld, int64_t at, int64_t b, double *x)
{
    if (b == 0) return;
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) memcpy(x + i * b, V + i * ld + at, (size_t)b * sizeof *x);
}

void dc_lanczos_put(int64_t n, const double *x, int64_t b, double *V, int64_t ld, int64_t at)
{
    if (b == 0) return;
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) memcpy(V + i * ld + at, x + i * b, (size_t)b * sizeof *x);
}

void dc_lanczos_scale(int64_t n, double *V, int64_t ld, int64_t at, double by)
{
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) V[i * ld + at] *= by;
}

void dc_lanczos_draw(const dc_part *part, double *V, int64_t ld, int64_t at, uint64_t seed, int64_t draw)
{
#pragma omp parallel for
    for (int64_t i = 0; i < dc_part_rows(part); i++) {
        uint32_t w[4];
        dc_rng4(seed, DC_STREAM_SPECTRAL, (uint64_t)draw, (uint64_t)(part->row_lo + i), w);
        V[i * ld + at] = 2 * dc_rng_unit53(w[0], w[1]) - 1;
    }
}
