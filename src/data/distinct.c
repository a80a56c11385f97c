/* Are there as many distinct rows as clusters? Rows are compared as the network and k-means see them: scaled, in single
 * precision, and with -0 equal to 0. */
#include <string.h>
#include <xxhash.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "u64set.h"

/* Hash of a sparse row as it enters the network; zeros do not count, stored or not. `pair` has room for all of it. */
static uint64_t hash_sparse(const dc_csr *m, int64_t row, uint64_t *pair)
{
    size_t n = 0;
    for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) {
        const float x = dc_csr_value(m, row, e);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (x != 0) pair[n++] = (uint64_t)m->col[e] << 32 | bits;
    }
    return XXH3_64bits(pair, n * sizeof *pair);
}

static dc_status collect_sparse(const dc_csr *m, int64_t K, dc_u64set *set)
{
    dc_status st = DC_OK;
    int64_t longest = 0;
    uint64_t *pair = NULL;
    for (int64_t i = 0; i < m->n; i++) longest = DC_MAX(longest, m->ptr[i + 1] - m->ptr[i]);
    DC_TRY(dc_mem_alloc(&pair, (size_t)longest, sizeof *pair, "sparse row"));
    for (int64_t i = 0; i < m->n && (int64_t)set->count < K; i++) DC_TRY(dc_u64set_add(set, hash_sparse(m, i, pair)));
out:
    dc_mem_free(&pair);
    return st;
}

/* Collects hashes of this rank's rows until K distinct ones are found. */
static dc_status collect_rows(const dc_dataset *d, int64_t K, dc_u64set *set)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(&d->part);
    const int64_t width = dc_dataset_width(d);
    float *row = NULL;
    if (dc_dataset_csr(d)) return collect_sparse(dc_dataset_csr(d), K, set);
    DC_TRY(dc_mem_alloc(&row, (size_t)width, sizeof *row, "scaled row"));
    for (int64_t i = 0; i < n && (int64_t)set->count < K; i++) {
        dc_dataset_rows(d, i, 1, row);
        for (int64_t c = 0; c < width; c++) row[c] += 0.0F; /* -0 is 0 */
        DC_TRY(dc_u64set_add(set, XXH3_64bits(row, (size_t)width * sizeof *row)));
    }
out:
    dc_mem_free(&row);
    return st;
}

/* Counts the distinct members of all ranks' sets, each of fewer than K members. */
static dc_status count_union(dc_comm *comm, dc_u64set *set, int64_t *distinct)
{
    dc_status st = DC_OK;
    uint64_t *members = NULL;
    const size_t P = (size_t)dc_comm_size(comm), me = (size_t)dc_comm_rank(comm);
    /* One rank's members at a time, so that little memory is needed. */
    for (size_t r = 0; r < P; r++) {
        int64_t n = r == me ? (int64_t)set->count : 0;
        dc_comm_bcast(comm, &n, sizeof n, (int)r);
        DC_TRY_ALL(comm, dc_mem_alloc(&members, (size_t)n, sizeof *members, "row hashes"));
        if (r == me) dc_u64set_members(set, members);
        dc_comm_bcast(comm, members, (size_t)n * sizeof *members, (int)r);
        dc_status added = DC_OK;
        for (int64_t i = 0; i < n && r != me && added == DC_OK; i++) added = dc_u64set_add(set, members[i]);
        dc_mem_free(&members);
        DC_TRY_ALL(comm, added);
    }
    *distinct = (int64_t)set->count;
out:
    dc_mem_free(&members);
    return st;
}

dc_status dc_dataset_check_distinct(dc_comm *comm, const dc_dataset *d, int64_t K)
{
    dc_status st = DC_OK;
    dc_u64set set = {0};
    int64_t distinct = 0;
    if (d->part.N < K)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows < %lld clusters; lower cluster.clusters or use more rows", d->source,
                       (long long)d->part.N, (long long)K);
    DC_TRY_ALL(comm, dc_u64set_init(&set));
    DC_TRY_ALL(comm, collect_rows(d, K, &set));
    distinct = (int64_t)set.count;
    dc_comm_max_i64(comm, &distinct, 1);
    if (distinct < K) DC_TRY(count_union(comm, &set, &distinct));
    if (distinct < K)
        st = DC_FAIL(DC_ERR_DATA, "%s: %lld distinct row%s in single precision < %lld clusters; ask for fewer",
                     d->source, (long long)distinct, distinct == 1 ? "" : "s", (long long)K);
out:
    dc_u64set_release(&set);
    return st;
}
