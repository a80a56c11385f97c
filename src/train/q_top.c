/* The largest soft assignments of rows: what stays of q where all of it would be too much. */
#include "dcmpi/mem.h"
#include "dcmpi/train.h"

dc_status dc_q_check(const char *setting, dc_gidx N, int64_t K)
{
    const double bytes = (double)N * (double)K * sizeof(float);
    if (bytes <= DC_Q_BYTES_MAX) return DC_OK;
    return DC_FAIL(
        DC_ERR_USAGE,
        "%s = full would write %lld rows x %lld clusters x 4 bytes, %.1f GiB, and the limit is %.0f GiB; take "
        "top, which writes the largest values of each row, or top1",
        setting, (long long)N, (long long)K, bytes / 0x1p30, DC_Q_BYTES_MAX / 0x1p30);
}

dc_status dc_q_top_create(dc_q_top *t, int64_t n, int64_t M)
{
    dc_status st = DC_OK;
    *t = (dc_q_top){.M = M};
    if (M == 0) return DC_OK;
    DC_TRY(dc_mem_alloc(&t->value, (size_t)n, dc_mul_size((size_t)M, sizeof *t->value), "largest soft assignments"));
    DC_TRY(dc_mem_alloc(&t->cluster, (size_t)n, dc_mul_size((size_t)M, sizeof *t->cluster), "their clusters"));
out:
    return st;
}

void dc_q_top_release(dc_q_top *t)
{
    dc_mem_free(&t->value);
    dc_mem_free(&t->cluster);
}

/* Puts q of cluster k behind all that are at least as large, but never before the label. */
static void insert(float q, int32_t k, int64_t M, int64_t count, float *value, int32_t *cluster)
{
    int64_t at = DC_MIN(count, M - 1);
    for (; at > 1 && q > value[at - 1]; at--) value[at] = value[at - 1], cluster[at] = cluster[at - 1];
    value[at] = q, cluster[at] = k;
}

static void take_row(const float *q, int64_t K, int32_t label, int64_t M, float *value, int32_t *cluster)
{
    int64_t count = 1;
    value[0] = q[label], cluster[0] = label;
    for (int32_t k = 0; k < K; k++) {
        if (k == label || M == 1 || (count == M && !(q[k] > value[M - 1]))) continue;
        insert(q[k], k, M, count, value, cluster);
        if (count < M) count++;
    }
}

void dc_q_top_take(const dc_q_top *t, int64_t lo, int64_t n, int64_t K, const float *q, const int32_t *label)
{
    for (int64_t i = 0; i < n && t->M > 0; i++)
        take_row(q + i * K, K, label[i], t->M, t->value + (lo + i) * t->M, t->cluster + (lo + i) * t->M);
}
