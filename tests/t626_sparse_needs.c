/* The memory of k-means on sparse rows is known before they are read: what a rehearsal says is what a run takes at
 * most, and far less than for dense rows. Seed 626. ranks: 1 2 threads: 2 */
#include "check.h"
#include "dcmpi/cluster.h"
#include "t51_sparse.h"

enum { N = 2000, D = 3000, K = 5, V = 16 };

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    t51_rows r = t51_make(N, D, 12, K, false, 626);
    dc_part part;
    dc_kmeans_needs sparse, dense;
    dc_kmeans_result km;
    const dc_kmeans_config cfg = {.K = K, .n_init = 4, .max_iter = 3, .tol = 0, .seed = 1};
    CHECK_OK(dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_csr own = t51_of(&r, &part), header = {.D = D, .longest = r.csr.longest, .total = r.csr.total};
    CHECK_OK(dc_kmeans_needs_of(comm, &part, D, &header, &cfg, &sparse));
    CHECK_OK(dc_kmeans_needs_of(comm, &part, D, NULL, &cfg, &dense));
    CHECK(sparse.bytes < 0.6 * dense.bytes && sparse.result_bytes == dense.result_bytes);
    const size_t before = dc_mem_current_bytes(), peak = dc_mem_peak_bytes();
    const dc_rows rows = {.part = &part, .d = D, .csr = &own};
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &km));
    printf("# said %.0f, taken %zu\n", sparse.bytes, dc_mem_peak_bytes() - before);
    CHECK(dc_mem_peak_bytes() > peak);
    CHECK_NEAR(sparse.bytes, dc_mem_peak_bytes() - before, 0.02 * sparse.bytes);
    dc_kmeans_result_release(&km);
    t51_free(&r);
    return check_done_all(&comm);
}
