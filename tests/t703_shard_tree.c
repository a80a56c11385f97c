/* The tree over the shards, 1000 random problems each: any contiguous map of shards to ranks gives exactly the sum of
 * one rank, which is the sum of the naive tree; its error against long double keeps its bound and is smaller than that
 * of a plain serial sum. Seed 703. */
#include "check.h"
#include "dcmpi/part.h"
#include "dcmpi/rng.h"
#include "dcmpi/shard_tree.h"

enum { CASES = 1000, V_MAX = 256, N_MAX = 24, RANKS_MAX = 12 };

typedef struct {
    int V;
    int64_t n;
    float leaf[V_MAX][N_MAX];
} problem;

static uint32_t draw(int problem_number, uint64_t index)
{
    uint32_t w[4];
    dc_rng4(703, DC_STREAM_TEST, (uint64_t)problem_number, index, w);
    return w[0];
}

/* Numbers of both signs; sizes between 2^-spread and 1. */
static void make_problem(problem *p, int number, int V, int spread)
{
    p->V = V;
    p->n = 1 + draw(number, 0) % N_MAX;
    for (int s = 0; s < V; s++) {
        dc_rng_fill_uniform(p->leaf[s], (size_t)p->n, 703 + (uint64_t)number, (uint64_t)s, 1);
        for (int64_t i = 0; i < p->n; i++)
            p->leaf[s][i] =
                ldexpf(p->leaf[s][i], -(int)(draw(number, (uint64_t)(s * N_MAX + i + 1)) % (unsigned)spread));
    }
}

static void copy_leaf(const void *ctx, int shard, float *out)
{
    const problem *p = ctx;
    memcpy(out, p->leaf[shard], (size_t)p->n * sizeof *out);
}

static float naive_tree(const problem *p, int64_t i, int first, int size)
{
    if (size == 1) return p->leaf[first][i];
    return naive_tree(p, i, first, size / 2) + naive_tree(p, i, first + size / 2, size / 2);
}

static void whole_tree(const problem *p, float *sum)
{
    static float scratch[V_MAX * N_MAX];
    dc_tree_sum(copy_leaf, p, p->n, 0, p->V, scratch);
    memcpy(sum, scratch, (size_t)p->n * sizeof *sum);
}

/* Cuts the shards at random places (ranks without shards included), sums each rank's subtrees, and finishes the tree.
 */
static void cut_tree(const problem *p, int number, float *sum)
{
    static float scratch[V_MAX * N_MAX], sums[V_MAX][N_MAX];
    static dc_subtree subtree[V_MAX];
    int cut[RANKS_MAX + 1] = {0}, ranks = 1 + (int)(draw(number, 1 << 20) % RANKS_MAX), count = 0;
    for (int r = 1; r < ranks; r++)
        cut[r] = cut[r - 1] + (int)(draw(number, (1 << 20) + (uint64_t)r) % (unsigned)(2 * p->V / ranks + 1));
    for (int r = 1; r < ranks; r++) cut[r] = DC_MIN(cut[r], p->V);
    cut[ranks] = p->V;
    for (int r = 0; r < ranks; r++) {
        const int roots = dc_tree_roots(cut[r], cut[r + 1], &subtree[count]);
        for (int k = 0; k < roots; k++, count++) {
            dc_tree_sum(copy_leaf, p, p->n, subtree[count].first, subtree[count].size, scratch);
            memcpy(sums[count], scratch, sizeof sums[count]);
            subtree[count].sum = sums[count];
        }
    }
    memcpy(sum, dc_tree_finish(subtree, count, (size_t)p->n), (size_t)p->n * sizeof *sum);
}

static void test_maps(void)
{
    static problem p;
    int64_t other_bits = 0, not_naive = 0;
    for (int c = 0; c < CASES; c++) {
        float whole[N_MAX], cut[N_MAX];
        make_problem(&p, c, 1 << draw(c, 2 << 20) % 9, 20);
        whole_tree(&p, whole);
        cut_tree(&p, c, cut);
        other_bits += memcmp(whole, cut, (size_t)p.n * sizeof *whole) != 0;
        for (int64_t i = 0; i < p.n; i++) not_naive += whole[i] != naive_tree(&p, i, 0, p.V);
    }
    CHECK_INT(other_bits, 0);
    CHECK_INT(not_naive, 0);
}

/* Errors of element i in units of the rounding of sum |x|. */
static void errors_of(const problem *p, int64_t i, float tree, double *tree_error, double *serial_error)
{
    const long double unit = 0x1p-24L;
    long double exact = 0, size = 0;
    float serial = 0;
    for (int s = 0; s < p->V; s++) {
        const float x = p->leaf[s][i];
        serial += x;
        exact += (long double)x;
        size += fabsl((long double)x);
    }
    *tree_error = (double)(fabsl((long double)tree - exact) / (unit * size));
    *serial_error = (double)(fabsl((long double)serial - exact) / (unit * size));
}

/* 64 numbers of one sign or of both: the tree's mean error is below that of the serial sum by far more than the scatter
 * of 1000 problems, and no error exceeds the bound log2(V) of Higham, section 4.2. */
static void test_error(bool one_sign)
{
    enum { V = 64, LEVELS = 6 };
    static problem p;
    double tree_mean = 0, serial_mean = 0, tree_max = 0, serial_max = 0;
    int64_t count = 0;
    for (int c = 0; c < CASES; c++) {
        float tree[N_MAX];
        make_problem(&p, CASES + c, V, one_sign ? 1 : 20);
        for (int s = 0; s < V && one_sign; s++)
            for (int64_t i = 0; i < p.n; i++) p.leaf[s][i] = fabsf(p.leaf[s][i]);
        whole_tree(&p, tree);
        for (int64_t i = 0; i < p.n; i++, count++) {
            double of_tree, of_serial;
            errors_of(&p, i, tree[i], &of_tree, &of_serial);
            tree_mean += of_tree, serial_mean += of_serial;
            tree_max = fmax(tree_max, of_tree), serial_max = fmax(serial_max, of_serial);
        }
    }
    printf("# %lld sums of %d numbers of %s, error / (2^-24 sum |x|): tree mean %.3f max %.2f, serial mean %.3f max "
           "%.2f\n",
           (long long)count, V, one_sign ? "one sign" : "both signs", tree_mean / (double)count, tree_max,
           serial_mean / (double)count, serial_max);
    CHECK(tree_mean < 0.8 * serial_mean);
    CHECK(tree_max <= serial_max);
    CHECK(tree_max <= LEVELS);
}

int main(void)
{
    test_maps();
    test_error(false);
    test_error(true);
    return check_done();
}
