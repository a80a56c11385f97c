/* The elementwise part of a fully connected layer, fused so that each activation is read once: bias and activation
 * after the forward GEMM, activation gradient and bias gradient before the backward GEMMs. The GEMMs are in la/. */
#include "nn/act.h"
#include "nn/nn_kern.h"

/* Below this many elements a kernel costs less than waking the threads. */
enum { PARALLEL_MIN = 1 << 14 };

static inline void bias_act_row(dc_act act, const float *b, int64_t width, float *y)
{
    for (int64_t j = 0; j < width; j += DC_VEC_LANES) {
        const dc_vec t = dc_vec_load(y + j, width - j) + dc_vec_load(b + j, width - j);
        dc_vec_store(y + j, width - j, dc_vec_act(act, t));
    }
}

void dc_dense_bias_act(dc_act act, const float *b, int64_t n, int64_t width, float *Y)
{
#pragma omp parallel for schedule(dynamic, 16) if (n * width >= PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++) bias_act_row(act, b, width, Y + i * width);
}

/* Columns of one strip: each thread gets whole cache lines and keeps its bias sums in registers. */
enum { STRIP_VECS = 8, STRIP = STRIP_VECS * DC_VEC_LANES };

/* Handles `count` <= STRIP columns of all rows. One thread does a strip and adds its rows in order, so db does not
 * depend on the number of threads. */
static void act_grad_strip(dc_act act, const float *Y, int64_t n, int64_t width, int64_t count, float *dY, float *db)
{
    dc_vec sum[STRIP_VECS] = {0};
    for (int64_t i = 0; i < n; i++) {
        const float *y = Y + i * width;
        float *d = dY + i * width;
        for (int64_t v = 0, j = 0; j < count; v++, j += DC_VEC_LANES) {
            const dc_vec g = dc_vec_act_grad(act, dc_vec_load(y + j, count - j), dc_vec_load(d + j, count - j));
            dc_vec_store(d + j, count - j, g);
            sum[v] += g;
        }
    }
    if (!db) return;
    for (int64_t v = 0, j = 0; j < count; v++, j += DC_VEC_LANES) dc_vec_store(db + j, count - j, sum[v]);
}

void dc_dense_act_grad(dc_act act, const float *Y, int64_t n, int64_t width, float *dY, float *db)
{
#pragma omp parallel for schedule(dynamic) if (n * width >= PARALLEL_MIN)
    for (int64_t j = 0; j < width; j += STRIP)
        act_grad_strip(act, Y + j, n, width, DC_MIN((int64_t)STRIP, width - j), dY + j, db ? db + j : NULL);
}
