/* Sums of one column after the other over the rows of a subtree of shards. A thread sums a column; of the blocks of
 * rows only those count in which the column has values.
 *
 * The stack holds sums of neighbouring leaves that wait for the rest of their subtree. Leaves with keys a < b meet
 * where their keys' highest different bit is; so the last two sums on the stack are added as soon as the next leaf
 * meets them higher up. What is added to what follows from the keys alone, and a subtree without values costs nothing.
 */
#include <omp.h>
#include <string.h>

#include "csr_sum_priv.h"

int dc_csr_sum_threads(void)
{
    return omp_get_max_threads();
}

enum { KEYS = 64 };

typedef struct {
    double *out, *others; /* the first sum lies in the result */
    size_t stride;        /* from one of the others to the next */
    int joint[KEYS];      /* where a sum meets the one before it */
    int depth;
    int64_t key; /* of the last leaf */
} column_stack;

static double *sum_at(const column_stack *t, int i)
{
    return i == 0 ? t->out : t->others + (size_t)(i - 1) * t->stride;
}

static void add_to(double *restrict a, const double *restrict b, size_t m)
{
    for (size_t j = 0; j < m; j++) a[j] += b[j];
}

static void merge_last(column_stack *t, size_t m)
{
    t->depth--;
    add_to(sum_at(t, t->depth - 1), sum_at(t, t->depth), m);
}

/* Room for the leaf with this key, zeroed. */
static double *push(column_stack *t, int64_t key, size_t m)
{
    const int joint = t->depth ? dc_csr_joint(t->key, key) : 0;
    while (t->depth > 1 && t->joint[t->depth - 1] < joint) merge_last(t, m);
    t->joint[t->depth] = joint;
    t->key = key;
    double *sum = sum_at(t, t->depth++);
    memset(sum, 0, m * sizeof *sum);
    return sum;
}

/* The first leaf from `from` on that ends behind this row. */
static size_t leaf_of(const dc_csr_sum *s, size_t from, int64_t row)
{
    size_t lo = from, hi = s->part->n_blocks - 1;
    while (lo < hi) {
        const size_t middle = (lo + hi) / 2;
        if (s->leaf[middle].hi <= row)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* The first value of a column that lies in local row `row` or behind it. */
static int64_t value_from(const dc_csc *c, int64_t column, int64_t row)
{
    int64_t lo = c->start[column], hi = c->start[column + 1];
    while (lo < hi) {
        const int64_t middle = (lo + hi) / 2;
        if (c->row[middle] < row)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

typedef struct {
    const dc_csr_sum *sum;
    size_t m;
    dc_csr_add add;
    const void *ctx;
    int64_t lo, hi; /* local rows of the subtree */
} job;

static void sum_column(const job *j, int64_t column, double *stack, double *out)
{
    const dc_csr_sum *s = j->sum;
    const dc_csc *c = &s->columns;
    const int64_t last = value_from(c, column, j->hi);
    int64_t e = value_from(c, column, j->lo);
    column_stack t = {.out = out, .others = stack, .stride = s->m};
    if (e == last) memset(out, 0, j->m * sizeof *out);
    for (size_t b = 0; e < last; b++) {
        b = leaf_of(s, b, c->row[e]);
        double *sum = push(&t, s->leaf[b].key, j->m);
        for (; e < last && c->row[e] < s->leaf[b].hi; e++) j->add(j->ctx, column, c->row[e], c->val[e], sum);
    }
    while (t.depth > 1) merge_last(&t, j->m);
}

void dc_csr_sum_root(const dc_csr_sum *s, const dc_subtree *root, size_t m, dc_csr_add add, const void *ctx,
                     double *out)
{
    const dc_part *part = s->part;
    const job j = {s,
                   m,
                   add,
                   ctx,
                   dc_part_shard_begin(part, root->first) - part->row_lo,
                   dc_part_shard_begin(part, root->first + root->size) - part->row_lo};
#pragma omp parallel for schedule(dynamic, 16) num_threads(s->threads)
    for (int64_t column = 0; column < s->columns.D; column++)
        sum_column(&j, column, s->stack + (size_t)omp_get_thread_num() * (size_t)s->depth * s->m,
                   out + (size_t)column * m);
}

void dc_csr_sum_join(double *a, const double *b, size_t n)
{
    enum { THREAD_DOUBLES = 1 << 15 }; /* fewer are not worth waking the threads for */
#pragma omp parallel for simd schedule(static) if (n >= THREAD_DOUBLES)
    for (size_t i = 0; i < n; i++) a[i] += b[i];
}
