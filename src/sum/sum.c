/* Sums over all rows. The bits of a sum do not depend on ranks or threads.
 *
 * Three fixed trees on top of each other: rows inside a block (the kernel's business), blocks inside a shard, shards.
 * The owner of a shard only determines where an addition happens, never its operands. A rank's contiguous shards are
 * the union of at most 2*log2(V) aligned subtrees, and only the sums at their roots are sent. If the number of ranks is
 * a power of two there is one root per rank.
 *
 * Short vectors: every rank gets all roots and adds up the top of the tree. Long vectors: slice j of all roots goes to
 * rank j, which adds up its slice, and the slices are gathered; this sends as much as a ring allreduce. Both ways do
 * the same additions. Communication and computation do not overlap. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "sum_priv.h"

#include "dcmpi/comm.h"

enum { GATHER_LIMIT_BYTES = 1 << 16, LINE_DOUBLES = DC_MEM_ALIGN / sizeof(double) };

static const dc_tree_rule *rule_of(const dc_sum *sum)
{
    return sum->rule.join ? &sum->rule : NULL;
}

/* Slice j of m values is [slice_begin(j), slice_begin(j+1)). */
static size_t slice_begin(const dc_sum *sum, int j)
{
    return (size_t)j * sum->m / (size_t)sum->part->P;
}
static size_t slice_length(const dc_sum *sum, int j)
{
    return slice_begin(sum, j + 1) - slice_begin(sum, j);
}

static bool has_rows(const dc_part *part, int s, int size)
{
    return dc_part_shard_begin(part, s) < dc_part_shard_begin(part, s + size);
}

/* Number of rank r's roots that have rows. Each rank knows the trees of all ranks: they follow from N, V and P. */
static size_t count_roots(const dc_part *part, int r)
{
    const int end = dc_part_rank_shard(part, r + 1);
    size_t count = 0;
    for (int s = dc_part_rank_shard(part, r), size; s < end; s += size) {
        size = dc_part_root_size(s, end);
        count += has_rows(part, s, size);
    }
    return count;
}

static size_t total_roots(const dc_sum *sum)
{
    size_t total = 0;
    for (int r = 0; r < sum->part->P; r++) total += sum->roots[r];
    return total;
}

/* Number of vectors that each tree needs: over the blocks of a shard, and over the shards. */
static int depth_in_shard(const dc_part *part)
{
    return dc_tree_depth(0, (part->N / part->V + DC_BLOCK_ROWS) / DC_BLOCK_ROWS);
}
static int depth_over_shards(const dc_part *part)
{
    return DC_MAX(dc_tree_depth(part->shard_lo, part->shard_hi), dc_tree_depth(0, part->V));
}

static dc_status take_trees(dc_sum *sum)
{
    const int in_shard = depth_in_shard(sum->part), over_shards = depth_over_shards(sum->part);
    const size_t vectors = (size_t)in_shard + (size_t)over_shards;
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc_raw(&sum->slab, vectors, dc_mul_size(sum->m, sizeof *sum->slab), "sums over rows"));
    dc_tree_init(&sum->blocks, sum->slab, in_shard, sum->m, rule_of(sum));
    dc_tree_init(&sum->shards, sum->slab + (size_t)in_shard * sum->m, over_shards, sum->m, rule_of(sum));
out:
    return st;
}

static dc_status take_buffers(dc_sum *sum, size_t gather_limit_bytes)
{
    const size_t P = (size_t)sum->part->P, own = sum->roots[sum->part->rank], all = total_roots(sum);
    dc_status st = DC_OK;
    if (P == 1) return DC_OK;
    sum->gathers = rule_of(sum) || dc_mul_size(all, dc_mul_size(sum->m, sizeof(double))) <= gather_limit_bytes;
    const size_t length = sum->gathers ? sum->m : slice_length(sum, sum->part->rank);
    DC_TRY(dc_mem_alloc_raw(&sum->received, all, dc_mul_size(length, sizeof(double)), "sums of other ranks"));
    if (!sum->gathers)
        DC_TRY(dc_mem_alloc_raw(&sum->packed, own, dc_mul_size(sum->m, sizeof(double)), "sums to other ranks"));
out:
    return st;
}

dc_status dc_sum_create_limit(dc_sum **out, const dc_part *part, size_t m, size_t gather_limit_bytes,
                              const dc_tree_rule *rule)
{
    const size_t P = (size_t)part->P;
    dc_sum *sum = NULL;
    dc_status st = DC_OK;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&sum, 1, sizeof *sum, "sum over rows"));
    sum->part = part;
    sum->m = m;
    if (rule) sum->rule = *rule;
    sum->threads = omp_get_max_threads();
    sum->leaf_stride = (m + LINE_DOUBLES - 1) / LINE_DOUBLES * LINE_DOUBLES;
    DC_TRY(dc_mem_alloc_raw(&sum->leaves, (size_t)sum->threads, dc_mul_size(sum->leaf_stride, sizeof(double)),
                            "partial sums"));
    DC_TRY(take_trees(sum));
    DC_TRY(dc_mem_alloc(&sum->roots, P, sizeof *sum->roots, "rank table"));
    DC_TRY(dc_mem_alloc(&sum->send_bytes, P, sizeof *sum->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&sum->recv_bytes, P, sizeof *sum->recv_bytes, "rank table"));
    for (int r = 0; r < part->P; r++) sum->roots[r] = count_roots(part, r);
    DC_TRY(take_buffers(sum, gather_limit_bytes));
    dc_sum_reset(sum);
    *out = sum;
    return DC_OK;
out:
    dc_sum_destroy(&sum);
    return st;
}

dc_status dc_sum_create(dc_sum **out, const dc_part *part, size_t m)
{
    return dc_sum_create_limit(out, part, m, GATHER_LIMIT_BYTES, NULL);
}

static double bytes_of(const dc_part *part, size_t m, double gather_limit_bytes)
{
    double vectors = omp_get_max_threads() + depth_in_shard(part) + depth_over_shards(part), all = 0;
    for (int r = 0; part->P > 1 && r < part->P; r++) all += (double)count_roots(part, r);
    const bool gathers = all * (double)m * sizeof(double) <= gather_limit_bytes;
    if (part->P > 1) vectors += gathers ? all : all / part->P + (double)count_roots(part, part->rank);
    return vectors * (double)m * sizeof(double);
}

double dc_sum_bytes(const dc_part *part, size_t m)
{
    return bytes_of(part, m, GATHER_LIMIT_BYTES);
}

double dc_sum_ruled_bytes(const dc_part *part, size_t m)
{
    return bytes_of(part, m, INFINITY);
}

double dc_sum_sent_bytes(const dc_sum *sum)
{
    const int P = sum->part->P, me = sum->part->rank;
    if (P == 1) return 0;
    const double roots = (double)sum->roots[me], m = (double)sum->m, own = (double)slice_length(sum, me);
    return sizeof(double) * (sum->gathers ? roots * m * (P - 1) : roots * (m - own) + own * (P - 1));
}

void dc_sum_destroy(dc_sum **sum)
{
    dc_sum *s = *sum;
    if (s == NULL) return;
    dc_mem_free(&s->leaves);
    dc_mem_free(&s->slab);
    dc_mem_free(&s->roots);
    dc_mem_free(&s->send_bytes);
    dc_mem_free(&s->recv_bytes);
    dc_mem_free(&s->packed);
    dc_mem_free(&s->received);
    dc_mem_free(sum);
}

void dc_sum_reset(dc_sum *sum)
{
    sum->shard = sum->part->shard_lo;
    sum->shard_blocks = 0;
    sum->pushed = 0;
    dc_tree_init(&sum->shards, sum->shards.slab, sum->shards.capacity, sum->m, rule_of(sum));
    dc_tree_clear(&sum->blocks);
}

/* Moves the sums of all shards before `shard` into the tree over the shards. */
static void close_shards(dc_sum *sum, int shard)
{
    for (; sum->shard < shard; sum->shard++) dc_tree_append(&sum->shards, sum->shard, 1, dc_tree_fold(&sum->blocks));
    sum->shard_blocks = 0;
}

void dc_sum_push(dc_sum *sum, int shard, const double *leaf)
{
    DC_ASSERT(shard >= sum->shard && shard < sum->part->shard_hi && sum->pushed < sum->part->n_blocks);
    if (shard != sum->shard) close_shards(sum, shard);
    dc_tree_append(&sum->blocks, sum->shard_blocks++, 1, leaf);
    sum->pushed++;
}

/* Appends the roots of all ranks, packed in `values` with `length` values each, to the emptied tree over the shards. */
static void combine_roots(dc_sum *sum, const double *values, size_t length)
{
    const dc_part *part = sum->part;
    dc_tree_init(&sum->shards, sum->shards.slab, sum->shards.capacity, length, rule_of(sum));
    for (int r = 0; r < part->P; r++) {
        const int end = dc_part_rank_shard(part, r + 1);
        for (int s = dc_part_rank_shard(part, r), size; s < end; s += size) {
            size = dc_part_root_size(s, end);
            const bool rows = has_rows(part, s, size);
            dc_tree_append(&sum->shards, s, size, rows ? values : NULL);
            if (rows) values += length;
        }
    }
}

/* Copies the sum at the top of the tree to `total`: zeros if there are no rows. */
static void take_total(dc_sum *sum, double *total, size_t length)
{
    DC_ASSERT(sum->shards.depth == 1);
    const double *top = dc_tree_fold(&sum->shards);
    if (length > 0 && top != NULL) memcpy(total, top, length * sizeof *total);
    if (length > 0 && top == NULL) memset(total, 0, length * sizeof *total);
}

static void gather_and_combine(dc_comm *comm, dc_sum *sum, double *total)
{
    const int P = sum->part->P;
    double *packed = sum->received;
    for (int r = 0; r < sum->part->rank; r++) packed += sum->roots[r] * sum->m;
    for (int r = 0; r < P; r++) sum->recv_bytes[r] = sum->roots[r] * sum->m * sizeof(double);
    dc_tree_pack(&sum->shards, packed, 0, sum->m);
    dc_comm_allgatherv(comm, packed, sum->received, sum->recv_bytes);
    combine_roots(sum, sum->received, sum->m);
    take_total(sum, total, sum->m);
}

static void exchange_and_combine(dc_comm *comm, dc_sum *sum, double *total)
{
    const int P = sum->part->P, me = sum->part->rank;
    const size_t length = slice_length(sum, me);
    double *packed = sum->packed;
    for (int r = 0; r < P; r++) {
        packed = dc_tree_pack(&sum->shards, packed, slice_begin(sum, r), slice_length(sum, r));
        sum->send_bytes[r] = sum->roots[me] * slice_length(sum, r) * sizeof(double);
        sum->recv_bytes[r] = sum->roots[r] * length * sizeof(double);
    }
    dc_comm_alltoallv(comm, sum->packed, sum->send_bytes, sum->received, sum->recv_bytes);
    combine_roots(sum, sum->received, length);
    take_total(sum, total + slice_begin(sum, me), length);
    for (int r = 0; r < P; r++) sum->recv_bytes[r] = slice_length(sum, r) * sizeof(double);
    dc_comm_allgatherv(comm, total + slice_begin(sum, me), total, sum->recv_bytes);
}

void dc_sum_total(dc_comm *comm, dc_sum *sum, double *total)
{
    DC_ASSERT(sum->part->P == dc_comm_size(comm) && sum->pushed == sum->part->n_blocks);
    close_shards(sum, sum->part->shard_hi);
    if (sum->part->P == 1)
        take_total(sum, total, sum->m);
    else if (sum->gathers)
        gather_and_combine(comm, sum, total);
    else
        exchange_and_combine(comm, sum, total);
    dc_sum_reset(sum);
}
