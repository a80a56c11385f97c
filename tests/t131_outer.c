/* Sums over the rows of steps without a network: sums of one to three products of random buffers, with and without
 * bias, three numbers per shard, and the squares of the products. On any ranks and threads the strict ways give the
 * bits of one rank; all ways give the sum in double up to rounding. Steps have many rows, shards without rows, ranks
 * without rows, one row, or none. What the buffers hold outside the rows does not matter. Seed 131.
 * ranks: 1 2 3 5
 * threads: 1 2 */
#include <omp.h>

#include "check.h"
#include "dcmpi/la.h"
#include "dcmpi/outer.h"
#include "dcmpi/rng.h"

enum { V = 16, PER_SHARD = 13, B = V * PER_SHARD, WAYS = 3, ITEMS = 3, PAIRS = 3, STEPS = 5, VALUES = 3, GAP = 7 };
static const struct {
    int64_t a, d;
    bool bias;
    int n_pairs;
    bool of_pair[PAIRS]; /* its D counts in the bias */
} shapes[ITEMS] = {{200, 33, true, 2, {false, true}}, {130, 600, false, 1, {0}}, {1, 5, true, 3, {true, false, true}}};
static const float RUBBISH = 1e30f, UNTOUCHED = 77;

typedef struct {
    dc_part part;
    dc_places places;
    dc_outer *outer;
    dc_outer_item item[ITEMS];
    float *A[ITEMS][PAIRS], *D[ITEMS][PAIRS];
    float *grad;
    size_t n; /* floats of the gradient, gaps between the items included */
    int64_t rows[B], shard_rows[V], offset[V + 1];
} setup;

static int64_t rows_of(int step, int shard)
{
    static const int64_t first[STEPS] = {PER_SHARD, 0, 3, 1, 0}; /* of shard 0 */
    if (step == 0) return PER_SHARD - shard % 2;
    if (step == 1) return shard % 3 == 0 ? 0 : (shard * 5) % PER_SHARD;
    return shard == 0 ? first[step] : 0;
}

static size_t item_floats(int i)
{
    return (size_t)(shapes[i].a * shapes[i].d + (shapes[i].bias ? shapes[i].d : 0));
}

/* The last item comes first, the others are neighbours. */
static size_t item_at(int i)
{
    if (i == ITEMS - 1) return GAP;
    return 2 * GAP + item_floats(ITEMS - 1) + (i > 0 ? item_floats(0) : 0);
}

static void open_setup(dc_comm *comm, dc_outer_way way, setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(dc_part_init(&s->part, V * 1000, V, dc_comm_size(comm), dc_comm_rank(comm)));
    const int shards = s->part.shard_hi - s->part.shard_lo;
    CHECK_OK(dc_places_init(&s->places, &s->part, way, B, shards * PER_SHARD, DC_ROW_TILE - 1 + shards * PER_SHARD));
    const size_t places = (size_t)s->places.max_rows;
    s->n = 3 * GAP;
    for (int i = 0; i < ITEMS; i++) {
        s->n += item_floats(i);
        s->item[i] = (dc_outer_item){
            .a = shapes[i].a, .d = shapes[i].d, .at = item_at(i), .bias = shapes[i].bias, .n_pairs = shapes[i].n_pairs};
        for (int k = 0; k < shapes[i].n_pairs; k++) {
            CHECK_OK(dc_mem_alloc(&s->A[i][k], places * (size_t)shapes[i].a, sizeof(float), "A"));
            CHECK_OK(dc_mem_alloc(&s->D[i][k], places * (size_t)shapes[i].d, sizeof(float), "D"));
            s->item[i].pair[k] = (dc_outer_pair){.A = s->A[i][k], .D = s->D[i][k], .bias = shapes[i].of_pair[k]};
        }
    }
    CHECK_OK(dc_mem_alloc(&s->grad, s->n, sizeof *s->grad, "gradient"));
    const dc_outer_config cfg = {
        .places = &s->places, .item = s->item, .n_items = ITEMS, .n_values = VALUES, .grad = s->grad};
    CHECK_OK(dc_outer_create(&s->outer, &cfg));
    memset(s->item, 0, sizeof s->item); /* copied */
}

static void close_setup(setup *s)
{
    dc_outer_destroy(&s->outer);
    CHECK(s->outer == NULL);
    dc_places_release(&s->places);
    for (int i = 0; i < ITEMS; i++)
        for (int k = 0; k < PAIRS; k++) dc_mem_free(&s->A[i][k]), dc_mem_free(&s->D[i][k]);
    dc_mem_free(&s->grad);
}

/* Row k of a shard in a step: [width] of A (which = 0) or D (1) of a pair, the same on every rank. */
static void draw_row(int step, int shard, int64_t k, int item, int pair, int which, float *out)
{
    const uint64_t row = (uint64_t)((step * V + shard) * PER_SHARD + k),
                   number = ((row * ITEMS + (uint64_t)item) * PAIRS + (uint64_t)pair) * 2 + (uint64_t)which;
    dc_rng_fill_uniform(out, (size_t)(which ? shapes[item].d : shapes[item].a), 131, number, 1);
}

static double draw_value(int step, int shard, int k)
{
    float x;
    dc_rng_fill_uniform(&x, 1, 1310, (uint64_t)((step * V + shard) * VALUES + k), 1);
    return ldexp((double)x, shard % 7 * 5);
}

/* Every float of the buffers is rubbish before the rows are written; in a pair without bias the gaps of A may hold the
 * zeros. */
static void fill_pair(setup *s, int step, int i, int k)
{
    const int64_t a = shapes[i].a, d = shapes[i].d;
    float *A = s->A[i][k], *D = s->D[i][k];
    const bool zeros_in_D = shapes[i].of_pair[k] || k == 0;
    for (int64_t j = 0; j < s->places.max_rows * a; j++) A[j] = RUBBISH;
    for (int64_t j = 0; j < s->places.max_rows * d; j++) D[j] = RUBBISH;
    dc_places_clear(&s->places, zeros_in_D ? D : A, zeros_in_D ? d : a);
    for (int l = 0; l < s->places.n_leaves; l++) {
        const dc_leaf *leaf = &s->places.leaf[l];
        for (int64_t j = 0; j < leaf->n; j++) {
            draw_row(step, leaf->shard, leaf->rows[j], i, k, 0, A + (leaf->at + j) * a);
            draw_row(step, leaf->shard, leaf->rows[j], i, k, 1, D + (leaf->at + j) * d);
        }
    }
}

/* Places of this step. */
static void fill(setup *s, int step)
{
    int64_t count = 0;
    s->offset[0] = 0;
    for (int r = 0; r < s->part.P; r++) {
        s->offset[r + 1] = s->offset[r];
        for (int v = dc_part_rank_shard(&s->part, r); v < dc_part_rank_shard(&s->part, r + 1); v++)
            s->offset[r + 1] += rows_of(step, v);
    }
    for (int v = s->part.shard_lo; v < s->part.shard_hi; v++) {
        s->shard_rows[v - s->part.shard_lo] = rows_of(step, v);
        for (int64_t k = 0; k < rows_of(step, v); k++) s->rows[count++] = k;
    }
    dc_places_set(&s->places, step, s->rows, s->shard_rows, s->offset);
    for (int i = 0; i < ITEMS; i++)
        for (int k = 0; k < shapes[i].n_pairs; k++) fill_pair(s, step, i, k);
    for (size_t i = 0; i < s->n; i++) s->grad[i] = UNTOUCHED;
}

/* Taken before the gradient is shared; one message if it lies in slices. */
static double take_squares(dc_comm *comm, setup *s)
{
    const uint64_t calls = dc_comm_traffic_total(comm).calls;
    const double squares = dc_outer_squares(comm, s->outer);
    const bool whole = dc_comm_size(comm) == 1 || s->places.way == DC_OUTER_ALLREDUCE;
    CHECK_INT(dc_comm_traffic_total(comm).calls - calls, whole ? 0 : 1);
    return squares;
}

/* One step; the whole gradient on all ranks in s->grad, and its squares. Returns the sum of the wishes. */
static double take_step(dc_comm *comm, setup *s, int step, double total[VALUES], double *squares)
{
    fill(s, step);
    const uint64_t allocations = dc_mem_alloc_count();
    dc_outer_begin(s->outer, ldexp(1, dc_comm_rank(comm)));
    for (int l = 0; l < s->places.n_leaves; l++) {
        double values[VALUES];
        for (int k = 0; k < VALUES; k++) values[k] = draw_value(step, s->places.leaf[l].shard, k);
        dc_outer_leaf(s->outer, s->places.leaf[l].shard, values);
    }
    const double wishes = dc_outer_sync(comm, s->outer, total);
    *squares = take_squares(comm, s);
    dc_outer_share(comm, s->outer, s->grad);
    CHECK_INT(dc_mem_alloc_count() - allocations, 0);
    return wishes;
}

/* Adds to the sums in double, and to the sums of sizes. */
static void add_naive(int step, int item, int pair, double *sum, double *size)
{
    float A[256], D[1024];
    const int64_t a = shapes[item].a, d = shapes[item].d;
    for (int v = 0; v < V; v++)
        for (int64_t k = 0; k < rows_of(step, v); k++) {
            draw_row(step, v, k, item, pair, 0, A);
            draw_row(step, v, k, item, pair, 1, D);
            for (int64_t i = 0; i < a + shapes[item].of_pair[pair]; i++)
                for (int64_t j = 0; j < d; j++) {
                    const double p = (i < a ? (double)A[i] : 1) * (double)D[j];
                    sum[i * d + j] += p;
                    size[i * d + j] += fabs(p);
                }
        }
}

/* Checks the largest error in units of the possible rounding of all terms, and that nothing between items changed. */
static void check_values(const setup *s, int step, const double total[VALUES])
{
    double *sum = calloc(s->n, sizeof *sum), *size = calloc(s->n, sizeof *size), worst = 0;
    int64_t strays = 0;
    for (int i = 0; i < ITEMS; i++)
        for (int k = 0; k < shapes[i].n_pairs; k++) add_naive(step, i, k, sum + item_at(i), size + item_at(i));
    for (size_t i = 0; i < s->n; i++) {
        bool inside = false;
        for (int k = 0; k < ITEMS; k++) inside = inside || (i >= item_at(k) && i < item_at(k) + item_floats(k));
        const double error = fabs((double)s->grad[i] - sum[i]);
        if (inside && error != 0)
            worst = fmax(worst, !(error <= 1e30) ? INFINITY : error / (PAIRS * B * 0x1p-24 * size[i]));
        strays += !inside && s->grad[i] != UNTOUCHED;
    }
    CHECK(worst <= 1);
    CHECK_INT(strays, 0);
    for (int k = 0; k < VALUES; k++) {
        double expected = 0;
        for (int v = 0; v < V; v++)
            if (rows_of(step, v)) expected += draw_value(step, v, k);
        CHECK_NEAR(total[k], expected, 1e-6);
    }
    free(sum), free(size);
}

static void check_squares(const setup *s, double squares)
{
    double expected = 0;
    for (int i = 0; i < ITEMS; i++)
        for (size_t k = item_at(i); k < item_at(i) + item_floats(i); k++)
            expected += (double)s->grad[k] * (double)s->grad[k];
    CHECK_NEAR(squares, expected, 1e-12 * expected);
}

/* Every float of an item has one owner, or all ranks own it if each has the whole gradient. A slab that was collected
 * and handed out again is unchanged, and nothing but items is touched. */
static void check_owners(dc_comm *comm, setup *s, dc_outer_way way)
{
    enum { PIECE = 1000 }; /* begins and ends within items, and within what a rank owns */
    const int P = dc_comm_size(comm);
    float *own = calloc(s->n, sizeof *own), *all = calloc(s->n, sizeof *all);
    int64_t floats = 0, items = 0, wrong = 0;
    for (int i = 0; i < ITEMS; i++) {
        size_t lo, hi;
        dc_outer_owned(s->outer, i, &lo, &hi);
        CHECK(lo >= item_at(i) && lo <= hi && hi <= item_at(i) + item_floats(i));
        floats += (int64_t)(hi - lo);
        items += (int64_t)item_floats(i);
        for (size_t k = lo; k < hi; k++) own[k] = (float)(k + 1);
    }
    int64_t held = floats;
    dc_comm_sum_i64(comm, &floats, 1);
    CHECK_INT(floats, items * (way == DC_OUTER_ALLREDUCE ? P : 1));
    for (size_t k = 0; k < s->n; k += PIECE)
        dc_outer_collect(comm, s->outer, own, k, DC_MIN(s->n - k, (size_t)PIECE),
                         dc_comm_rank(comm) == 0 ? all + k : NULL);
    dc_comm_bcast(comm, all, s->n * sizeof *all, 0);
    for (size_t k = 0; k < s->n; k++)
        items -= all[k] == (float)(k + 1), wrong += all[k] != 0 && all[k] != (float)(k + 1);
    CHECK_INT(items, 0);
    CHECK_INT(wrong, 0);
    memset(own, 0, s->n * sizeof *own);
    for (size_t k = 0; k < s->n; k += PIECE) dc_outer_take(s->outer, all + k, k, DC_MIN(s->n - k, (size_t)PIECE), own);
    for (size_t k = 0; k < s->n; k++) held -= own[k] != 0, wrong += own[k] != 0 && own[k] != (float)(k + 1);
    CHECK_INT(held, 0);
    CHECK_INT(wrong, 0);
    free(own), free(all);
}

/* The same steps on `comm` and, with another number of threads, on this rank alone. */
static void test_way(dc_comm *comm, dc_comm *self, dc_outer_way way)
{
    static setup many, one;
    const int threads = omp_get_max_threads(), others = threads == 1 ? 2 : 1;
    const double wishes = ldexp(1, dc_comm_size(comm)) - 1;
    open_setup(comm, way, &many);
    omp_set_num_threads(others);
    open_setup(self, way, &one);
    omp_set_num_threads(threads);
    check_owners(comm, &many, way);
    for (int step = 0; step < STEPS; step++) {
        double of_many[VALUES], of_one[VALUES], squares, squares_of_one;
        if (check_rank_ == 0) printf("# way %d, step %d\n", (int)way, step);
        CHECK_NEAR(take_step(comm, &many, step, of_many, &squares), wishes, 0);
        omp_set_num_threads(others);
        CHECK_NEAR(take_step(self, &one, step, of_one, &squares_of_one), 1, 0);
        omp_set_num_threads(threads);
        check_values(&many, step, of_many);
        check_squares(&many, squares);
        CHECK(memcmp(of_many, of_one, sizeof of_one) == 0);
        if (way == DC_OUTER_ALLREDUCE) continue;
        CHECK(memcmp(many.grad, one.grad, many.n * sizeof *many.grad) == 0);
        CHECK(squares == squares_of_one);
    }
    close_setup(&many);
    close_setup(&one);
}

static void test_choice(void)
{
    CHECK_INT(dc_outer_choose(false, 100, 1), DC_OUTER_ALLREDUCE);
    CHECK_INT(dc_outer_choose(true, 100, 100), DC_OUTER_GATHER);
    CHECK_INT(dc_outer_choose(true, 100, 101), DC_OUTER_TREE);
    CHECK_INT(dc_outer_choose(true, 0, 1), DC_OUTER_TREE);
}

/* A step may consist of small vectors only. */
static void test_no_items(dc_comm *comm, dc_outer_way way)
{
    setup s;
    double total;
    open_setup(comm, way, &s);
    dc_outer_destroy(&s.outer);
    const dc_outer_config cfg = {.places = &s.places, .n_values = 1};
    CHECK_OK(dc_outer_create(&s.outer, &cfg));
    fill(&s, 0);
    dc_outer_begin(s.outer, 0);
    for (int l = 0; l < s.places.n_leaves; l++) dc_outer_leaf(s.outer, s.places.leaf[l].shard, (const double[]){1});
    CHECK_NEAR(dc_outer_sync(comm, s.outer, &total), 0, 0);
    CHECK_NEAR(total, V, 0);
    CHECK_NEAR(dc_outer_squares(comm, s.outer), 0, 0);
    close_setup(&s);
}

int main(void)
{
    dc_comm *comm, *self;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &self));
    test_choice();
    for (int way = 0; way < WAYS; way++) {
        test_way(comm, self, (dc_outer_way)way);
        test_no_items(comm, (dc_outer_way)way);
    }
    dc_comm_destroy(&self);
    return check_done_all(&comm);
}
