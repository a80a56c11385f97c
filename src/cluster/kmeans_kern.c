/* Nearest centres of rows, and sums per cluster.
 *
 * |x - c|^2 = |x|^2 - 2 x.c + |c|^2; the nearest centre has the lowest score |c|^2 - 2 x.c. Scores are in float, from
 * one product per tile. Where the lowest score leads by more than rounding can explain, its centre is the nearest.
 * Other rows are decided by distances in double, summed from the differences, to all centres that may still be the
 * nearest. So the labels are those of dc_nearest(), at the speed of the product. Rows are added to their cluster in
 * double, in row order. */
#include "kmeans_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { COLUMNS = 512, PRODUCTS = 16 };

/* ---- Nearest centre --------------------------------------------------------------------------------------------- */

/* The scores of K centres for the rows of a tile. */
typedef struct {
    const float *score;           /* [K x TILE] */
    const dc_km_centers *centers; /* all centres of the pass */
    int64_t first, K;             /* the K centres are numbers [first, first + K) of those */
} race;

/* Sets best to the lowest lower bound of a score, label to its centre, and second to the next lowest bound. */
static void lowest_bounds(const race *r, const dc_km_scratch *s)
{
    float *restrict best = s->best, *restrict second = s->second;
    int32_t *restrict label = s->label;
    const float *restrict reach = s->reach;
    for (int64_t i = 0; i < DC_KM_TILE; i++) {
        best[i] = second[i] = INFINITY;
        label[i] = 0;
    }
    for (int64_t k = 0; k < r->K; k++) {
        const float *restrict score = r->score + k * DC_KM_TILE;
        const float low = r->centers->low[r->first + k], slack = r->centers->slack[r->first + k];
        for (int64_t i = 0; i < DC_KM_TILE; i++) {
            const float v = score[i] + low - reach[i] * slack;
            const bool closer = v < best[i];
            const float loser = closer ? best[i] : v;
            second[i] = loser < second[i] ? loser : second[i];
            best[i] = closer ? v : best[i];
            label[i] = closer ? (int32_t)k : label[i];
        }
    }
}

/* An upper bound of the leader's exact score, and thus of the nearest centre's exact score; and of scores that
 * distances in double cannot tell from these. */
static float upper_bound(const race *r, const dc_km_scratch *s, int64_t i)
{
    const dc_km_centers *c = r->centers;
    const int64_t k = r->first + s->label[i];
    return s->best[i] + 2.02F * (c->norm[k] - c->low[k] + s->reach[i] * c->slack[k]) +
           s->length[i] * s->length[i] * s->hidden;
}

static bool may_win(const race *r, const dc_km_scratch *s, int64_t i, int64_t k, float bound)
{
    const dc_km_centers *c = r->centers;
    return r->score[k * DC_KM_TILE + i] + c->low[r->first + k] - s->reach[i] * c->slack[r->first + k] <= bound;
}

/* Labels the n <= DC_SOFT_LANES rows index[n] of the tile by their distances to all centres that may be the nearest to
 * any of them. */
static void decide(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile, const int64_t *index,
                   int64_t n)
{
    const int64_t d = t->d;
    dc_soft_lane distance[1], nearest;
    float bound[DC_SOFT_LANES];
    for (int64_t l = 0; l < n; l++) {
        float *x = s->doubtful + l * d;
        if (tile->x)
            memcpy(x, tile->x + index[l] * d, (size_t)d * sizeof *x);
        else
            dc_km_row(t, tile->lo + index[l], x);
        bound[l] = upper_bound(r, s, index[l]);
        nearest[l] = INFINITY;
    }
    for (int64_t k = 0; k < r->K; k++) {
        bool wanted = false;
        for (int64_t l = 0; l < n && !wanted; l++) wanted = may_win(r, s, index[l], k, bound[l]);
        if (!wanted) continue;
        dc_soft_distances(s->doubtful, n, r->centers->at, r->first + k, 1, d, distance);
        for (int64_t l = 0; l < n; l++) {
            if (!(distance[0][l] < nearest[l])) continue;
            nearest[l] = distance[0][l];
            s->label[index[l]] = (int32_t)k;
        }
    }
}

/* The same for sparse rows. */
static void decide_sparse(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile,
                          const int64_t *index, int64_t n)
{
    int64_t row[DC_SOFT_LANES], center[DC_SOFT_CENTERS], m = 0;
    dc_soft_lane distance[DC_SOFT_CENTERS], nearest;
    float bound[DC_SOFT_LANES];
    for (int64_t l = 0; l < n; l++) {
        row[l] = tile->lo + index[l];
        bound[l] = upper_bound(r, s, index[l]);
        nearest[l] = INFINITY;
    }
    for (int64_t k = 0; k < r->K; k++) {
        bool wanted = false;
        for (int64_t l = 0; l < n && !wanted; l++) wanted = may_win(r, s, index[l], k, bound[l]);
        if (wanted) center[m++] = r->first + k;
        if (m == 0 || (m < DC_SOFT_CENTERS && k + 1 < r->K)) continue;
        dc_km_sparse_distances(t, row, n, r->centers, center, m, distance);
        for (int64_t j = 0; j < m; j++)
            for (int64_t l = 0; l < n; l++) {
                if (!(distance[j][l] < nearest[l])) continue;
                nearest[l] = distance[j][l];
                s->label[index[l]] = (int32_t)(center[j] - r->first);
            }
        m = 0;
    }
}

/* Sets s->label for the rows of a tile; ties go to the lowest index. */
static void find_nearest(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile)
{
    int64_t index[DC_SOFT_LANES], n = 0;
    void (*const settle)(const dc_km_tiles *, const race *, dc_km_scratch *, const dc_km_tile *, const int64_t *,
                         int64_t) = r->centers->zeros ? decide_sparse : decide;
    lowest_bounds(r, s);
    for (int64_t i = 0; i < tile->n; i++) {
        if (s->second[i] > upper_bound(r, s, i)) continue;
        index[n++] = i;
        if (n < DC_SOFT_LANES) continue;
        settle(t, r, s, tile, index, n);
        n = 0;
    }
    if (n) settle(t, r, s, tile, index, n);
}

/* Any order of summation will do for the bounds. */
static float dot(const float *restrict a, const float *restrict b, int64_t d)
{
    float lane[PRODUCTS] = {0};
    int64_t i = 0;
    for (; i + PRODUCTS <= d; i += PRODUCTS)
        for (int l = 0; l < PRODUCTS; l++) lane[l] += a[i + l] * b[i + l];
    for (int l = 0; i + l < d; l++) lane[l] += a[i + l] * b[i + l];
#pragma GCC unroll 4
    for (int half = PRODUCTS / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

/* Labels row i of the tile, to which only the centres of `few` may be the nearest. */
static void decide_few(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile, int64_t i,
                       dc_km_few *few)
{
    const dc_km_centers *c = r->centers;
    dc_soft_lane distance[1];
    float best = INFINITY, second = INFINITY;
    double nearest = INFINITY;
    for (int j = 0; j < few->n; j++) {
        const int64_t k = r->first + few->center[j];
        const float product = dot(s->u + i * t->d, c->image + k * t->d, t->d);
        const float v = c->low[k] - 2 * product - s->reach[i] * c->slack[k], loser = v < best ? best : v;
        few->low[j] = v;
        second = loser < second ? loser : second;
        if (v < best) s->label[i] = few->center[j];
        best = v < best ? v : best;
    }
    s->best[i] = best;
    const float bound = upper_bound(r, s, i);
    if (second > bound) return;
    for (int j = 0; j < few->n; j++) {
        if (few->low[j] > bound) continue;
        dc_soft_distances(tile->x + i * t->d, 1, c->at, r->first + few->center[j], 1, t->d, distance);
        if (!(distance[0][0] < nearest)) continue;
        nearest = distance[0][0];
        s->label[i] = few->center[j];
    }
}

/* Labels the n rows index[n] of the tile by their distances to all centres. */
static void decide_all(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile,
                       const int64_t *index, int64_t n)
{
    dc_soft_lane distance;
    int32_t label[DC_SOFT_LANES];
    for (int64_t l = 0; l < n; l++)
        memcpy(s->doubtful + l * t->d, tile->x + index[l] * t->d, (size_t)t->d * sizeof *s->doubtful);
    dc_soft_nearest(s->doubtful, n, r->centers->at + r->first * t->d, r->K, t->d, distance, label, NULL);
    for (int64_t l = 0; l < n; l++) s->label[index[l]] = label[l];
}

/* The exact score of centre `label` for row i of the tile is not above this. */
static float highest_score(const dc_km_tiles *t, const race *r, const dc_km_scratch *s, int64_t i, int32_t label)
{
    const dc_km_centers *c = r->centers;
    const int64_t k = r->first + label;
    const float slack = s->reach[i] * c->slack[k], product = dot(s->u + i * t->d, c->image + k * t->d, t->d);
    return c->norm[k] - 2 * product + 1.02F * (c->norm[k] - c->low[k] + slack);
}

/* Whether the bounds of the pass before prove that none of the slow centres is nearer to row i of the tile than its
 * own, whose score is not above s->best[i]. */
static bool may_stay(const dc_km_scratch *s, const dc_km_tile *tile, int64_t i, const dc_km_stay *y)
{
    const int64_t row = tile->lo + i;
    const float beyond = (float)((double)y->beyond[row] - y->moved);
    if (!(beyond > 0) || y->is_fast[y->label[row]]) return false;
    return (s->square[i] + s->best[i]) * 1.00001F < beyond * beyond * 0.99999F;
}

/* Less than the distance of row i to centres whose scores are not below `low`. */
static float distance_beyond(const dc_km_tiles *t, const dc_km_scratch *s, int64_t i, float low)
{
    const float rounding = 4 * 0x1p-23F * (float)(t->d + 8), square = s->square[i] * (1 - rounding) + low;
    return square > 0 ? 0.99999F * sqrtf(square) : 0;
}

/* Keeps what the scores prove of row i: `low` is below the scores of all centres but the nearest. */
static void keep(const dc_km_tiles *t, const dc_km_scratch *s, const dc_km_tile *tile, int64_t i, float low,
                 dc_km_stay *y)
{
    const double beyond = (double)distance_beyond(t, s, i, low);
    y->label[tile->lo + i] = s->label[i];
    y->beyond[tile->lo + i] = (float)((beyond + y->moved) * (1 - 0x1p-22));
}

/* Keeps the labels of the n active rows alone. */
static void keep_labels(const dc_km_scratch *s, const dc_km_tile *tile, int64_t n, const dc_km_stay *y)
{
    for (int64_t a = 0; a < n; a++) {
        const int64_t i = s->active[a];
        y->label[tile->lo + i] = s->label[i];
        y->beyond[tile->lo + i] = -INFINITY;
    }
}

/* Lowest of the lower bounds of `few` but for centre `label`; their limit if there are no others. */
static float low_of_others(const dc_km_few *few, int32_t label)
{
    float low = few->limit;
    for (int j = 0; j < few->n; j++)
        if (few->center[j] != label && few->low[j] < low) low = few->low[j];
    return low;
}

/* Of n rows that may stay, which are listed in s->order, lists in s->active those to which a fast centre may be nearer,
 * and lowers what is known of the others; returns how many it lists. */
static int64_t find_fast(const dc_km_tiles *t, dc_km_scratch *s, const dc_km_tile *tile, int64_t n, const dc_km_stay *y)
{
    float *lowest = s->second;
    int64_t n_active = 0;
    if (y->n_fast == 0) return 0;
    dc_km_rough_load(s->u, s->square, s->order, n, t->d, &s->rough);
    dc_km_rough_lowest(&y->fast, n, &s->rough, lowest);
    for (int64_t a = 0; a < n; a++) {
        const int64_t i = s->order[a];
        const double beyond = (double)distance_beyond(t, s, i, lowest[a]);
        float *known = &y->beyond[tile->lo + i];
        if (!((double)(s->square[i] + s->best[i]) * 1.00001 < beyond * beyond))
            s->active[n_active++] = (int32_t)i;
        else if (beyond + y->moved < (double)*known)
            *known = (float)((beyond + y->moved) * (1 - 0x1p-22));
    }
    return n_active;
}

/* Adds to what is counted of a pass. */
static void count_stays(dc_km_stay *y, int64_t asked, int64_t stayed)
{
#pragma omp atomic
    y->asked += asked;
#pragma omp atomic
    y->stayed += stayed;
}

/* Lists in s->active the rows of the tile whose labels may change; the others get the labels that they had. Sets
 * s->best[i] for all rows: no score of the nearest centre of row i is above this. */
static int64_t find_active(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile, dc_km_stay *y)
{
    const float rounding = 0x1p-23F * (float)(t->d + 8);
    int64_t n = 0, n_active = 0, asked = 0;
    for (int64_t i = 0; i < tile->n; i++) {
        s->square[i] = s->length[i] * s->length[i] * (1 + rounding);
        s->best[i] = INFINITY;
        if (!y || !y->known) continue;
        s->best[i] = highest_score(t, r, s, i, y->label[tile->lo + i]);
        asked += y->beyond[tile->lo + i] > -INFINITY;
        if (!may_stay(s, tile, i, y)) continue;
        s->label[i] = y->label[tile->lo + i];
        s->order[n++] = (int32_t)i;
    }
    if (n) n_active = find_fast(t, s, tile, n, y);
    if (asked) count_stays(y, asked, n - n_active);
    for (int64_t i = 0, a = 0; i < tile->n; i++) {
        if (a < n && s->order[a] == i)
            a++;
        else
            s->active[n_active++] = (int32_t)i;
    }
    return n_active;
}

/* Whether to look beyond the nearest centres of a tile. */
static bool looks_beyond(const dc_km_stay *y, const dc_km_tile *tile)
{
    enum { SAMPLE = 16 };
    return y->everywhere || tile->lo / DC_KM_TILE % SAMPLE == 0;
}

/* Sets s->label by rough scores; returns false if they leave too many centres. Then the next tiles do without them. */
static bool find_roughly(const dc_km_tiles *t, const race *r, dc_km_scratch *s, const dc_km_tile *tile, dc_km_stay *y)
{
    enum { HARD = DC_SOFT_LANES, REST = 31 };
    const dc_km_rough *rough = &r->centers->rough;
    int64_t hard[HARD], n_hard = 0;
    if (s->gives_up > 0) {
        s->gives_up--;
        return false;
    }
    const bool looks = y && looks_beyond(y, tile);
    const int64_t n = find_active(t, r, s, tile, y);
    for (int64_t a = 0; a < n; a++) s->upper[a] = s->best[s->active[a]];
    dc_km_rough_load(s->u, s->square, s->active, n, t->d, &s->rough);
    dc_km_rough_rule_out(rough, r->first / rough->run, r->K, n, looks ? y->reach : 0, s->upper, &s->rough);
    for (int64_t a = 0; a < n; a++) {
        const int64_t i = s->active[a];
        dc_km_few *f = &s->rough.few[a];
        if (f->many && n_hard == HARD) {
            s->gives_up = REST;
            return false;
        }
        if (f->many)
            hard[n_hard++] = i;
        else if (f->n == 1)
            s->label[i] = f->center[0];
        else
            decide_few(t, r, s, tile, i, f);
        if (looks && !f->many) keep(t, s, tile, i, low_of_others(f, s->label[i]), y);
    }
    if (n_hard) decide_all(t, r, s, tile, hard, n_hard);
    for (int64_t h = 0; looks && h < n_hard; h++) keep(t, s, tile, hard[h], -INFINITY, y);
    if (y && !looks) keep_labels(s, tile, n, y);
    return true;
}

/* dc_km_find_nearest() with what is known from the pass before, unless y is NULL. */
static void find_of_run(const dc_km_tiles *t, const race *r, const dc_km_tile *tile, dc_km_scratch *s, dc_km_stay *y)
{
    if (r->centers->rough.run && find_roughly(t, r, s, tile, y)) return;
    dc_km_score(t, r->centers, r->first, r->K, tile, s);
    find_nearest(t, r, s, tile);
    for (int64_t i = 0; y && i < tile->n; i++) keep(t, s, tile, i, -INFINITY, y);
}

void dc_km_find_nearest(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, const dc_km_tile *tile,
                        dc_km_scratch *s)
{
    const race r = {s->score, c, first, m};
    find_of_run(t, &r, tile, s, NULL);
}

/* Sets s->label for restart g of `groups`; g runs from 0 on for each tile. Scores of as many restarts as fit are
 * computed together. y: what is known of the rows, or NULL. */
static void find_of_group(const dc_km_tiles *t, const dc_km_centers *c, int64_t g, int64_t groups,
                          const dc_km_tile *tile, dc_km_scratch *s, dc_km_stay *y)
{
    const int64_t K = t->K, together = t->panel / K, in_panel = g % together;
    if (c->rough.run) {
        const race r = {s->score, c, g * K, K};
        find_of_run(t, &r, tile, s, y);
        return;
    }
    const race r = {s->score + in_panel * K * DC_KM_TILE, c, g * K, K};
    if (in_panel == 0) dc_km_score(t, c, g * K, K * DC_MIN(together, groups - g), tile, s);
    find_nearest(t, &r, s, tile);
}

/* ---- Lloyd ------------------------------------------------------------------------------------------------------ */

/* order[start[k] .. start[k+1]) = rows of the tile with label k, ascending. */
static void sort_by_label(const int32_t *label, int64_t n, int64_t K, int32_t *start, int32_t *order)
{
    memset(start, 0, (size_t)(K + 1) * sizeof *start);
    for (int64_t i = 0; i < n; i++) start[label[i] + 1]++;
    for (int64_t k = 0; k < K; k++) start[k + 1] += start[k];
    for (int64_t i = 0; i < n; i++) order[start[label[i]]++] = (int32_t)i;
    memmove(start + 1, start, (size_t)K * sizeof *start);
    start[0] = 0;
}

static void add_row(const float *restrict x, int64_t d, double *restrict sum)
{
    for (int64_t c = 0; c < d; c++) sum[c] += (double)x[c];
}

/* Adds rows order[0..n) of the tile to sum[d], in groups of columns that stay in the L1 cache. */
static void add_rows(const float *x, int64_t d, const int32_t *order, int64_t n, double *sum)
{
    for (int64_t c = 0; c < d; c += COLUMNS) {
        const int64_t width = DC_MIN(d - c, (int64_t)COLUMNS);
        for (int64_t i = 0; i < n; i++) add_row(x + order[i] * d + c, width, sum + c);
    }
}

static void add_tile_to_clusters(const dc_km_tiles *t, const dc_km_scratch *s, const dc_km_tile *tile, double *sums,
                                 double *counts)
{
    sort_by_label(s->label, tile->n, t->K, s->start, s->order);
    for (int64_t k = 0; k < t->K; k++) {
        const int32_t members = s->start[k + 1] - s->start[k];
        if (members == 0) continue;
        add_rows(tile->x, t->d, s->order + s->start[k], members, sums + k * t->d);
        counts[k] += members;
    }
}

void dc_km_block_lloyd(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_lloyd *a = ctx;
    const dc_km_tiles *t = a->tiles;
    dc_km_scratch *s = &t->scratch[thread];
    const int64_t K = t->K, d = t->d;
    double *counts = leaf + a->groups * K * d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const dc_km_tile tile = dc_km_load(t, lo, block->hi, s);
        for (int64_t g = 0; g < a->groups; g++) {
            find_of_group(t, a->centers, g, a->groups, &tile, s, a->stay ? a->stay[g] : NULL);
            add_tile_to_clusters(t, s, &tile, leaf + g * K * d, counts + g * K);
        }
    }
}

static void label_block(const dc_km_tiles *t, const dc_km_centers *centers, const dc_block *block, dc_km_scratch *s,
                        const dc_km_labels *out)
{
    const int64_t groups = out->groups;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const dc_km_tile tile = dc_km_load(t, lo, block->hi, s);
        for (int64_t g = 0; g < groups; g++) {
            find_of_group(t, centers, g, groups, &tile, s, out->stay ? out->stay[g] : NULL);
            for (int64_t i = 0; i < tile.n; i++) out->label[(lo + i) * groups + g] = s->label[i];
        }
    }
}

void dc_km_label_rows(const dc_km_tiles *t, const dc_km_centers *centers, size_t first, size_t end,
                      const dc_km_labels *out)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t b = first; b < end; b++) {
        const dc_block block = dc_part_block(t->rows->part, b);
        label_block(t, centers, &block, &t->scratch[omp_get_thread_num()], out);
    }
}

void dc_km_count_labels(int64_t n, const dc_km_labels *out)
{
    const int64_t groups = out->groups, K = out->K;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t g = 0; g < groups; g++) {
        memset(out->count + g * K, 0, (size_t)K * sizeof *out->count);
        for (int64_t i = 0; i < n; i++) out->count[g * K + out->label[i * groups + g]]++;
    }
}

void dc_km_add_value(const void *labels, int64_t column, int64_t row, float value, double *leaf)
{
    (void)column;
    const dc_km_labels *a = labels;
    const int32_t *label = a->label + row * a->groups;
    for (int64_t g = 0; g < a->groups; g++) leaf[g * a->K + label[g]] += (double)value;
}

void dc_km_block_piece(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_piece *a = ctx;
    const dc_km_tiles *t = a->tiles;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KM_TILE), d = t->d;
        const float *x = dc_km_rows(t, lo, n, t->scratch[thread].x);
        for (int64_t i = 0; i < n; i++) {
            const int64_t k = a->label[lo + i] - a->first;
            if (k >= 0 && k < a->count) add_row(x + i * d, d, leaf + k * d);
        }
    }
}

void dc_km_block_assign(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_assign *a = ctx;
    const dc_km_tiles *t = a->tiles;
    dc_km_scratch *s = &t->scratch[thread];
    const double unit = (double)t->unit;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const dc_km_tile tile = dc_km_load(t, lo, block->hi, s);
        dc_km_find_nearest(t, a->centers, 0, t->K, &tile, s);
        for (int64_t i = 0; i < tile.n; i++) {
            const int32_t k = s->label[i];
            const double distance = dc_km_distance_of(t, &tile, i, a->centers, k, s);
            leaf[0] += distance;
            leaf[1 + k] += 1;
            if (a->label) a->label[lo + i] = k;
            if (a->distance) a->distance[lo + i] = (float)(distance * unit * unit);
        }
    }
}
