/* Labels of rows far from all centres, where distances in double cannot tell some centres apart, or values overflow
 * products in float: those of dc_nearest, ties to the lowest centre, by scores in float and by rough ones. Fixed seed
 * 636. threads: 2 */
#include "../src/cluster/minibatch_impl.h"
#include "check.h"
#include "dcmpi/rng.h"

enum { SEED = 636, ROWS = 300, K_MAX = 100, D_MAX = 784 };
static float X[ROWS * D_MAX], M[K_MAX * D_MAX];
static int32_t label[ROWS], exact[ROWS];

static void draw(float *x, int64_t n, uint64_t what, float size)
{
    dc_rng_fill_uniform(x, (size_t)n, SEED, what, (double)size);
}

/* The last rows are near the centres. */
static void compare(int64_t K, int64_t d, float size)
{
    dc_finder *f;
    int64_t other = 0;
    draw(M, K * d, 0, 1);
    draw(X, ROWS * d, 1, size);
    draw(X + ROWS / 2 * d, ROWS / 2 * d, 2, 1);
    CHECK_OK(dc_finder_create(&f, M, K, d));
    dc_finder_label(f, X, ROWS, label);
    dc_nearest(X, M, ROWS, K, d, exact);
    for (int i = 0; i < ROWS; i++) other += label[i] != exact[i];
    CHECK_INT(other, 0);
    dc_finder_destroy(&f);
}

int main(void)
{
    static const int64_t widths[] = {1, 3, 16, D_MAX};
    static const float sizes[] = {1, 1e6F, 1e13F, 1e14F, 5e14F, 1e20F, 1e30F};
    check_init(0);
    for (size_t w = 0; w < DC_COUNT_OF(widths); w++)
        for (size_t s = 0; s < DC_COUNT_OF(sizes); s++) {
            compare(8, widths[w], sizes[s]);
            compare(K_MAX, widths[w], sizes[s]);
        }
    return check_done();
}
