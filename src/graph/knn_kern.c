/* Which rows of a block are among the nearest. A product in float gives each distance up to a bound on its error; only
 * pairs that may be nearer than the k-th so far are computed in double. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/la.h"
#include "graph/knn.h"

/* Puts a row into a sorted list of k, if it belongs there. */
static void insert(int64_t k, double square, dc_gidx row, double *squares, dc_gidx *rows)
{
    int64_t at = k;
    while (at > 0 && (square < squares[at - 1] || (square == squares[at - 1] && row < rows[at - 1]))) at--;
    if (at == k) return;
    memmove(squares + at + 1, squares + at, (size_t)(k - 1 - at) * sizeof *squares);
    memmove(rows + at + 1, rows + at, (size_t)(k - 1 - at) * sizeof *rows);
    squares[at] = square;
    rows[at] = row;
}

/* A row that looks for its nearest. */
typedef struct {
    const dc_knn_image *image;
    const dc_knn_block *block;
    const float *x;
    dc_gidx self;
    double norm;   /* squared length of x, for COSINE */
    double length; /* squared length of its image */
    int64_t k;
    double *squares; /* [k] */
    dc_gidx *rows;   /* [k] */
} seeker;

/* A row of the block whose `low` plus product exceeds this is farther than the k-th so far. */
static float limit_of(const seeker *s)
{
    const dc_knn_image *m = s->image;
    const double limit = s->squares[s->k - 1] * m->scale - (1 - m->error) * s->length + m->tiny;
    return nextafterf((float)limit, INFINITY);
}

static double distance(const seeker *s, int64_t j)
{
    const dc_knn_block *b = s->block;
    const int64_t d = s->image->rows->d;
    const float *y = b->X + j * d;
    if (s->image->metric == DC_METRIC_EUCLIDEAN) return dc_square_distance(s->x, y, d);
    const double dot = s->norm == 0 || b->norm[j] == 0 ? 0 : dc_row_product(s->x, y, d);
    return dc_knn_cosine(dot, s->norm, b->norm[j]);
}

/* Copies of many rows: nothing is nearer than 0, and no later row takes the place of an earlier one. */
static bool is_settled(const seeker *s, dc_gidx row)
{
    return s->squares[s->k - 1] == 0 && s->rows[s->k - 1] < row;
}

static bool is_any_near(const float *restrict product, const float *restrict low, float limit)
{
    int near = 0;
    for (int l = 0; l < DC_KNN_CHUNK; l++) near |= product[l] + low[l] <= limit;
    return near;
}

/* product[m]: -2 u.v for rows [first, first + m) of the block; m is at most DC_KNN_PANEL. */
static void seek(const seeker *s, const float *product, int64_t first, int64_t m)
{
    const float *low = s->block->low + first;
    float limit = limit_of(s);
    for (int64_t c = 0; c < m; c += DC_KNN_CHUNK) {
        if (!is_any_near(product + c, low + c, limit)) continue;
        for (int64_t j = c; j < DC_MIN(c + DC_KNN_CHUNK, m); j++) {
            const dc_gidx row = s->block->first + first + j;
            if (product[j] + low[j] > limit || row == s->self || is_settled(s, row)) continue;
            insert(s->k, distance(s, first + j), row, s->squares, s->rows);
            limit = limit_of(s);
        }
    }
}

typedef struct {
    int64_t lo, n;
    const float *x;
    double length[DC_KNN_TILE], norm[DC_KNN_TILE]; /* squared lengths of images, and of rows for COSINE */
} tile;

static void look(const dc_knn_image *m, const dc_knn_block *block, const tile *t, const float *product, int64_t first,
                 int64_t width, dc_knn *knn)
{
    const int64_t d = m->rows->d, k = knn->k;
    for (int64_t i = 0; i < t->n; i++) {
        const int64_t row = t->lo + i;
        const seeker s = {.image = m,
                          .block = block,
                          .x = t->x + i * d,
                          .self = m->rows->part->row_lo + row,
                          .norm = t->norm[i],
                          .length = t->length[i],
                          .k = k,
                          .squares = knn->square + row * k,
                          .rows = knn->row + row * k};
        seek(&s, product + i * DC_KNN_PANEL, first, width);
    }
}

static void load_tile(const dc_knn_image *m, const dc_knn_scratch *s, tile *t)
{
    const int64_t d = m->rows->d;
    t->x = dc_knn_load(m->rows, t->lo, t->n, s->x);
    for (int64_t i = 0; i < t->n; i++) {
        const float *x = t->x + i * d;
        t->length[i] = dc_knn_project_row(m, x, s->image + i * d);
        t->norm[i] = m->metric == DC_METRIC_COSINE ? dc_row_product(x, x, d) : 0;
    }
}

/* Smaller ones for few rows, so that all threads have some. */
static int64_t tile_rows(int64_t n)
{
    enum { LEAST = 64, TILES_OF_A_THREAD = 4 };
    return DC_MAX(DC_MIN(n / (TILES_OF_A_THREAD * omp_get_max_threads()), (int64_t)DC_KNN_TILE), (int64_t)LEAST);
}

void dc_knn_visit(const dc_knn_image *m, const dc_knn_block *block, const dc_knn_scratch *scratch, dc_knn *knn)
{
    const int64_t n = dc_part_rows(m->rows->part), d = m->rows->d, tile_n = tile_rows(n);
#pragma omp parallel for schedule(dynamic)
    for (int64_t lo = 0; lo < n; lo += tile_n) {
        const dc_knn_scratch *s = &scratch[omp_get_thread_num()];
        tile t = {.lo = lo, .n = DC_MIN(n - lo, tile_n)};
        load_tile(m, s, &t);
        for (int64_t first = 0; first < block->n; first += DC_KNN_PANEL) {
            const int64_t width = DC_MIN(block->n - first, (int64_t)DC_KNN_PANEL);
            dc_gemm(DC_N, DC_T, t.n, width, d, -2, s->image, d, block->image + first * d, d, 0, s->product,
                    DC_KNN_PANEL);
            look(m, block, &t, s->product, first, width, knn);
        }
    }
}
