/* Maps values to integers that sort in the same order, and counts their bytes: the local half of exact quantiles
 * (quantiles.c).
 *
 * The bits of IEEE numbers that are not negative, read as integers, sort as the numbers do; the bits of negative
 * numbers sort in reverse. The columns are divided among the threads, so that only one thread writes each count. */
#include <omp.h>
#include <string.h>

#include "quantiles.h"

enum { COLUMNS_AT_A_TIME = 16 };

static uint64_t order_of_bits(uint64_t bits, int width)
{
    const uint64_t sign = UINT64_C(1) << (width - 1), all = sign | (sign - 1);
    return bits & sign ? ~bits & all : bits | sign;
}

static uint64_t bits_of_order(uint64_t key, int width)
{
    const uint64_t sign = UINT64_C(1) << (width - 1), all = sign | (sign - 1);
    return key & sign ? key & ~sign : ~key & all;
}

static void keys_of(const dc_dataset *d, int64_t row, int64_t c, int64_t n, uint64_t *restrict key)
{
    const void *stored = dc_data_stored_row(d, row);
    const uint8_t *restrict b8 = (const uint8_t *)stored + c;
    const uint16_t *restrict b16 = (const uint16_t *)stored + c;
    const uint32_t *restrict b32 = (const uint32_t *)stored + c;
    const uint64_t *restrict b64 = (const uint64_t *)stored + c;
    switch (d->dtype) {
    case DC_U8:
        for (int64_t i = 0; i < n; i++) key[i] = b8[i];
        break;
    case DC_F16:
        for (int64_t i = 0; i < n; i++) key[i] = order_of_bits(b16[i], 16);
        break;
    case DC_F32:
        for (int64_t i = 0; i < n; i++) key[i] = order_of_bits(b32[i], 32);
        break;
    case DC_F64:
        for (int64_t i = 0; i < n; i++) key[i] = order_of_bits(b64[i], 64);
        break;
    }
}

double dc_data_value_of_key(dc_dtype dtype, uint64_t key)
{
    const uint16_t b16 = (uint16_t)bits_of_order(key, 16);
    const uint32_t b32 = (uint32_t)bits_of_order(key, 32);
    const uint64_t b64 = bits_of_order(key, 64);
    _Float16 f16;
    float f32;
    double f64;
    switch (dtype) {
    case DC_U8:
        return (double)key;
    case DC_F16:
        memcpy(&f16, &b16, sizeof f16);
        return (double)(float)f16;
    case DC_F32:
        memcpy(&f32, &b32, sizeof f32);
        return (double)f32;
    case DC_F64:
        break;
    }
    memcpy(&f64, &b64, sizeof f64);
    return f64;
}

static void count_key(uint64_t key, int n, const dc_order_target *target, int shift, int64_t *count)
{
    for (int t = 0; t < n; t++) {
        if (t > 0 && target[t].key == target[t - 1].key) continue;
        if (((key ^ target[t].key) >> shift) >> 8 == 0) count[t * DC_BYTE_VALUES + (int)(key >> shift & 0xFF)]++;
    }
}

/* For rows [lo, hi) and m columns from c on. */
static void count_rows(const dc_dataset *d, int64_t lo, int64_t hi, int64_t c, int64_t m, int n,
                       const dc_order_target *target, int shift, int64_t *count)
{
    uint64_t key[COLUMNS_AT_A_TIME];
    for (int64_t i = lo; i < hi; i++) {
        keys_of(d, i, c, m, key);
        for (int64_t k = 0; k < m; k++) count_key(key[k], n, target + k * n, shift, count + k * n * DC_BYTE_VALUES);
    }
}

void dc_data_count_bytes(const dc_dataset *data, int64_t c, int64_t width, int n, const dc_order_target *target,
                         int shift, int64_t *count)
{
    const int64_t rows = dc_part_rows(&data->part), share = width / omp_get_max_threads();
    const int64_t at_a_time = DC_MAX((int64_t)1, DC_MIN(share, (int64_t)COLUMNS_AT_A_TIME));
    const int64_t tile = dc_data_stored_tile(data);
#pragma omp parallel
    for (int64_t i = 0; i < rows; i += tile) {
#pragma omp for schedule(static) nowait
        for (int64_t lo = 0; lo < width; lo += at_a_time)
            count_rows(data, i, DC_MIN(i + tile, rows), c + lo, DC_MIN(at_a_time, width - lo), n, target + lo * n,
                       shift, count + lo * n * DC_BYTE_VALUES);
    }
}

/* Threads share the rows, so several may count at one place; only integers are added. */
static void count_shared(uint64_t key, int n, const dc_order_target *target, int shift, int64_t *count)
{
    for (int t = 0; t < n; t++) {
        if (t > 0 && target[t].key == target[t - 1].key) continue;
        if (((key ^ target[t].key) >> shift) >> 8 != 0) continue;
        int64_t *at = &count[t * DC_BYTE_VALUES + (int)(key >> shift & 0xFF)];
#pragma omp atomic
        ++*at;
    }
}

void dc_data_count_sparse_bytes(const dc_csr *m, const int32_t *slot, int n, const dc_order_target *target, int shift,
                                int64_t *count)
{
#pragma omp parallel for schedule(static)
    for (int64_t e = 0; e < m->ptr[m->n]; e++) {
        const int64_t k = slot[m->col[e]];
        uint32_t bits;
        if (k < 0 || m->val[e] == 0) continue;
        memcpy(&bits, &m->val[e], sizeof bits);
        count_shared(order_of_bits(bits, 32), n, target + k * n, shift, count + k * n * DC_BYTE_VALUES);
    }
}
