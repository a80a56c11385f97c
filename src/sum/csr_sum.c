/* Sums over all rows by column of a sparse matrix (csr_sum.h): each rank sums its subtrees of shards (csr_sum_kern.c),
 * each finishes a slice of the columns from the subtrees of all ranks, and the slices are gathered. */
#include "dcmpi/comm.h"

#include <string.h>

#include "csr_sum_priv.h"
#include "dcmpi/mem.h"

static int own_roots(const dc_csr_sum *s)
{
    return s->root_of[s->part->rank + 1] - s->root_of[s->part->rank];
}

/* Rank r finishes columns [slice_begin(r), slice_begin(r + 1)). */
static int64_t slice_begin(const dc_csr_sum *s, int r)
{
    return s->columns.D * r / s->part->P;
}
static size_t slice_doubles(const dc_csr_sum *s, int r, size_t m)
{
    return (size_t)(slice_begin(s, r + 1) - slice_begin(s, r)) * m;
}

/* ---- Create ------------------------------------------------------------------------------------------------------ */

static int bits_of(int64_t n)
{
    int bits = 0;
    while ((INT64_C(1) << bits) < n) bits++;
    return bits;
}

static dc_status take_leaves(dc_csr_sum *s)
{
    const dc_part *part = s->part;
    const int64_t in_shard = (part->N / part->V + DC_BLOCK_ROWS) / DC_BLOCK_ROWS;
    int64_t number = 0;
    int shard = -1;
    dc_block b = {0};
    s->block_bits = bits_of(in_shard);
    s->depth = s->block_bits + bits_of(part->V) + 2;
    const dc_status st = dc_mem_alloc(&s->leaf, part->n_blocks, sizeof *s->leaf, "blocks of rows");
    while (st == DC_OK && dc_part_next_block(part, &b)) {
        number = b.shard == shard ? number + 1 : 0;
        shard = b.shard;
        s->leaf[b.index] = (dc_csr_leaf){b.lo, b.hi, ((int64_t)shard << s->block_bits) + number};
    }
    return st;
}

/* Every rank knows the subtrees of all ranks: they follow from V and P. */
static dc_status take_roots(dc_csr_sum *s)
{
    dc_status st = DC_OK;
    const dc_part *part = s->part;
    DC_TRY(dc_mem_alloc(&s->root_of, (size_t)part->P + 1, sizeof *s->root_of, "rank table"));
    for (int r = 0; r < part->P; r++)
        s->root_of[r + 1] =
            s->root_of[r] + dc_tree_roots(dc_part_rank_shard(part, r), dc_part_rank_shard(part, r + 1), NULL);
    DC_TRY(dc_mem_alloc(&s->root, (size_t)s->root_of[part->P], sizeof *s->root, "subtrees"));
    for (int r = 0; r < part->P; r++)
        dc_tree_roots(dc_part_rank_shard(part, r), dc_part_rank_shard(part, r + 1), s->root + s->root_of[r]);
out:
    return st;
}

static dc_status take_messages(dc_csr_sum *s)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)s->part->P, all = (size_t)s->root_of[P], own = (size_t)own_roots(s),
                 doubles = dc_mul_size((size_t)s->columns.D, s->m);
    DC_TRY(dc_mem_alloc_raw(&s->partial, own, dc_mul_size(doubles, sizeof *s->partial), "sums over rows"));
    DC_TRY(dc_mem_alloc_raw(&s->packed, own, dc_mul_size(doubles, sizeof *s->packed), "sums to other ranks"));
    DC_TRY(dc_mem_alloc_raw(&s->received, all, dc_mul_size(slice_doubles(s, s->part->rank, s->m), sizeof *s->received),
                            "sums of other ranks"));
    DC_TRY(dc_mem_alloc(&s->sum, all, sizeof *s->sum, "subtrees"));
    DC_TRY(dc_mem_alloc(&s->send_bytes, P, sizeof *s->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&s->recv_bytes, P, sizeof *s->recv_bytes, "rank table"));
out:
    return st;
}

/* Values of this rank's rows; before the data are read, its share of all values. */
static int64_t count_values(const dc_part *part, const dc_csr *csr)
{
    const double share = part->N > 0 ? (double)dc_part_rows(part) / (double)part->N : 0;
    return csr->ptr ? csr->ptr[csr->n] - csr->ptr[0] : (int64_t)(share * (double)csr->total);
}

dc_status dc_csr_sum_create(dc_csr_sum **out, const dc_part *part, const dc_csr *csr, size_t m)
{
    dc_status st = DC_OK;
    dc_csr_sum *s = NULL;
    *out = NULL;
    if (dc_part_rows(part) > INT32_MAX)
        return DC_FAIL(DC_ERR_DATA, "%lld sparse rows on one rank, more than 2^31 - 1: take more ranks",
                       (long long)dc_part_rows(part));
    DC_TRY(dc_mem_alloc(&s, 1, sizeof *s, "sum by column"));
    s->part = part;
    s->m = m;
    s->threads = dc_csr_sum_threads();
    DC_TRY(dc_csc_create(&s->columns, csr->D, count_values(part, csr)));
    if (csr->ptr) dc_csc_set(&s->columns, csr);
    DC_TRY(take_leaves(s));
    DC_TRY(take_roots(s));
    DC_TRY(dc_mem_alloc_raw(&s->stack, (size_t)s->threads * (size_t)s->depth, dc_mul_size(m, sizeof *s->stack),
                            "partial sums of a column"));
    if (part->P > 1) DC_TRY(take_messages(s));
out:
    if (st != DC_OK) dc_csr_sum_destroy(&s);
    *out = s;
    return st;
}

void dc_csr_sum_destroy(dc_csr_sum **sum)
{
    dc_csr_sum *s = *sum;
    if (!s) return;
    dc_csc_release(&s->columns);
    dc_mem_free(&s->leaf);
    dc_mem_free(&s->root_of);
    dc_mem_free(&s->root);
    dc_mem_free(&s->stack);
    dc_mem_free(&s->partial);
    dc_mem_free(&s->packed);
    dc_mem_free(&s->received);
    dc_mem_free(&s->sum);
    dc_mem_free(&s->send_bytes);
    dc_mem_free(&s->recv_bytes);
    dc_mem_free(sum);
}

/* ---- Totals ------------------------------------------------------------------------------------------------------ */

/* Adds the subtrees of all ranks, which wait on a stack for the rest of a larger subtree. */
static const double *finish(const dc_csr_sum *s, size_t doubles)
{
    const int n = s->root_of[s->part->P];
    int depth = 0, size[64];
    for (int k = 0; k < n; k++) {
        s->sum[depth] = s->received + (size_t)k * doubles;
        size[depth++] = s->root[k].size;
        while (depth > 1 && size[depth - 2] == size[depth - 1]) {
            depth--;
            dc_csr_sum_join(s->sum[depth - 1], s->sum[depth], doubles);
            size[depth - 1] *= 2;
        }
    }
    DC_ASSERT(depth == 1);
    return s->sum[0];
}

static void exchange(dc_comm *comm, dc_csr_sum *s, size_t m, double *total)
{
    const int P = s->part->P, me = s->part->rank, own = own_roots(s);
    const size_t doubles = (size_t)s->columns.D * m, slice = slice_doubles(s, me, m);
    double *next = s->packed;
    for (int r = 0; r < P; r++) {
        const size_t length = slice_doubles(s, r, m);
        for (int k = 0; k < own && length > 0; k++, next += length)
            memcpy(next, s->partial + (size_t)k * doubles + (size_t)slice_begin(s, r) * m, length * sizeof *next);
        s->send_bytes[r] = (size_t)own * length * sizeof *next;
        s->recv_bytes[r] = (size_t)(s->root_of[r + 1] - s->root_of[r]) * slice * sizeof *next;
    }
    dc_comm_alltoallv(comm, s->packed, s->send_bytes, s->received, s->recv_bytes);
    double *mine = total + (size_t)slice_begin(s, me) * m;
    if (slice > 0) memcpy(mine, finish(s, slice), slice * sizeof *mine);
    for (int r = 0; r < P; r++) s->recv_bytes[r] = slice_doubles(s, r, m) * sizeof *mine;
    dc_comm_allgatherv(comm, mine, total, s->recv_bytes);
}

void dc_csr_sum_total(dc_comm *comm, dc_csr_sum *s, size_t m, dc_csr_add add, const void *ctx, double *total)
{
    DC_ASSERT(s->part->P == dc_comm_size(comm) && m <= s->m);
    const dc_subtree *root = s->root + s->root_of[s->part->rank];
    const size_t doubles = (size_t)s->columns.D * m;
    for (int k = 0; k < own_roots(s); k++)
        dc_csr_sum_root(s, &root[k], m, add, ctx, s->part->P > 1 ? s->partial + (size_t)k * doubles : total);
    if (s->part->P > 1) exchange(comm, s, m, total);
}
