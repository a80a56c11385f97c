/* Rows in another order against a sort on one rank: keys that are equal in all but the row, keys in order and against
 * it, few and many ranks without rows; items that move to places and back, small and larger than a round, from an array
 * and from a gatherer; all on one rank's places. Fixed seed 590. ranks: 1 3  ranks_long: 2 5 threads: 1 */
#include <stdlib.h>

#include "check.h"
#include "dcmpi/order.h"
#include "dcmpi/rng.h"

enum { SHARDS = 8, SEED = 590, N_MAX = 700 };

static dc_sort_key all[N_MAX];

static int by_all(const void *a, const void *b)
{
    const dc_sort_key *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->second != y->second) return x->second < y->second ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static double draw(int64_t i, int what)
{
    uint32_t w[4];
    dc_rng4(SEED, DC_STREAM_TEST, (uint64_t)what, (uint64_t)i, w);
    return dc_rng_unit(w[0]);
}

static void fill_keys(int kind, int64_t N)
{
    for (int64_t i = 0; i < N; i++) {
        all[i] = (dc_sort_key){.row = i};
        if (kind == 0) all[i].first = (int64_t)(7 * draw(i, 0)) - 3, all[i].second = draw(i, 1) - 0.5;
        if (kind == 1) all[i].first = 5; /* only the row tells them apart */
        if (kind == 2) all[i].first = -i;
        if (kind == 3) all[i].second = (double)(i % 3) - 1;
    }
}

typedef struct {
    int64_t first, width;
} wide;

static void gather_wide(const void *ctx, const int64_t *row, int64_t n, void *out)
{
    const wide *w = ctx;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < w->width; c++) ((int64_t *)out)[i * w->width + c] = (w->first + row[i]) * 1000003 + c;
}

/* Brings each row's number and a wide item to its place, and the places back to the rows. */
static void check_moves(dc_comm *comm, const dc_part *part, const dc_sort_key *sorted, int64_t width)
{
    const int64_t n = dc_part_rows(part);
    int64_t wrong = 0, *place = NULL, *here = NULL, *back = NULL, *items = NULL;
    CHECK_OK(dc_mem_alloc(&place, (size_t)n, sizeof *place, "test"));
    CHECK_OK(dc_mem_alloc(&here, (size_t)n, sizeof *here, "test"));
    CHECK_OK(dc_mem_alloc(&back, (size_t)n, sizeof *back, "test"));
    CHECK_OK(dc_mem_alloc(&items, (size_t)(n * width), sizeof *items, "test"));
    for (int64_t i = 0; i < n; i++) {
        here[i] = part->row_lo + i;
        back[i] = sorted[i].row;
    }
    CHECK_OK(dc_items_move(comm, part, back, &(dc_items){sizeof *here, .array = here}, place));
    for (int64_t i = 0; i < n; i++) wrong += all[place[i]].row != part->row_lo + i;
    const wide w = {part->row_lo, width};
    CHECK_OK(
        dc_items_move(comm, part, place, &(dc_items){(size_t)width * sizeof *items, NULL, gather_wide, &w}, items));
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < width; c++) wrong += items[i * width + c] != sorted[i].row * 1000003 + c;
    CHECK_INT(wrong, 0);
    dc_mem_free(&place);
    dc_mem_free(&here);
    dc_mem_free(&back);
    dc_mem_free(&items);
}

static void check(dc_comm *comm, int kind, int64_t N, int64_t width)
{
    dc_part part;
    dc_sort_key *key = NULL;
    int64_t wrong = 0;
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t n = dc_part_rows(&part);
    CHECK_OK(dc_mem_alloc(&key, (size_t)n, sizeof *key, "test"));
    fill_keys(kind, N);
    memcpy(key, all + part.row_lo, (size_t)n * sizeof *key);
    qsort(all, (size_t)N, sizeof *all, by_all);
    CHECK_OK(dc_order(comm, &part, key));
    for (int64_t i = 0; i < n; i++) wrong += by_all(&key[i], &all[part.row_lo + i]) != 0;
    CHECK_INT(wrong, 0);
    check_moves(comm, &part, key, width);
    dc_mem_free(&key);
}

int main(void)
{
    dc_comm *comm = NULL;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int kind = 0; kind < 4; kind++) check(comm, kind, N_MAX, 3);
    check(comm, 0, 2, 1);
    check(comm, 2, 97, 40000); /* a round holds 26 of these */
    return check_done_all(&comm);
}
