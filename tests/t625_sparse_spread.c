/* Means, variances and inertia of clusters of sparse rows against those of the dense rows: up to rounding, and with the
 * same bits on any ranks. Seed 625.
 * ranks: 1 2 3
 * ranks_long: 5
 * threads: 2 */
#include "check.h"
#include "dcmpi/cluster.h"
#include "dcmpi/sweep.h"
#include "t51_sparse.h"
#include "t6_help.h"

enum { N = 700, D = 130, K = 5, V = 16 };

static void read_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    dc_csr_rows(ctx, lo, n, out);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    static float means[K * D], variances[K * D], of_one[K * D], expected[K * D];
    static int32_t label[N];
    struct dc_comm solo = t6_solo(comm);
    t51_rows r = t51_make(N, D, 9, K - 1, true, 625);
    dc_part part, all;
    const int64_t d = D;
    for (int64_t i = 0; i < N; i++) label[i] = (int32_t)(i * 7 % (K - 1)); /* the last cluster is empty */
    CHECK_OK(dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_part_init(&all, N, V, 1, 0));
    const dc_csr own = t51_of(&r, &part);
    const dc_rows rows = {.part = &part, .d = D, .rows = read_rows, .ctx = &own, .csr = &own},
                  whole = {.part = &all, .d = D, .rows = read_rows, .ctx = &r.csr, .csr = &r.csr},
                  dense = dc_rows_of_array(&all, r.dense, &d);
    const int32_t *mine = label + part.row_lo;

    CHECK_OK(dc_cluster_means(comm, &rows, mine, K, means));
    CHECK_OK(dc_cluster_means(&solo, &whole, label, K, of_one));
    CHECK_OK(dc_cluster_means(&solo, &dense, label, K, expected));
    CHECK(memcmp(means, of_one, sizeof means) == 0);
    CHECK(memcmp(means, expected, sizeof means) == 0);

    CHECK_OK(dc_cluster_variances(comm, &rows, means, mine, K, variances));
    CHECK_OK(dc_cluster_variances(&solo, &whole, means, label, K, of_one));
    CHECK_OK(dc_cluster_variances(&solo, &dense, means, label, K, expected));
    CHECK(memcmp(variances, of_one, sizeof variances) == 0);
    for (int64_t i = 0; i < (int64_t)K * D; i++) expected[i] -= variances[i], of_one[i] = 0;
    CHECK_ARRAY_NEAR(expected, of_one, K * D, 1e-6);

    for (int known = 0; known < 2; known++) { /* all rows as one cluster; the clusters */
        double inertia, alone, of_dense;
        int64_t size[K], sizes[K];
        const int64_t clusters = known ? K : 1;
        CHECK_OK(dc_cluster_inertia(comm, &rows, known ? mine : NULL, clusters, size, &inertia));
        CHECK_OK(dc_cluster_inertia(&solo, &whole, known ? label : NULL, clusters, NULL, &alone));
        CHECK_OK(dc_cluster_inertia(&solo, &dense, known ? label : NULL, clusters, sizes, &of_dense));
        CHECK_NEAR(inertia, alone, 0);
        CHECK_NEAR(inertia, of_dense, 1e-12 * of_dense);
        CHECK(memcmp(size, sizes, (size_t)clusters * sizeof *size) == 0);
    }
    t51_free(&r);
    return check_done_all(&comm);
}
