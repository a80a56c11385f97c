/* Where rows stand in their clusters against a sort of all rows: distances, cosines, ranks and quantiles; rows and
 * centres of zeros, copies, empty clusters, ranks without rows, rows in memory and read in tiles. Fixed seed 592.
 * ranks: 1 3  ranks_long: 2 5 threads: 1 2 */
#include "check.h"
#include "dcmpi/order.h"
#include "dcmpi/rng.h"
#include "dcmpi/standing.h"

enum { SHARDS = 8, SEED = 592, N_MAX = 1100, D_MAX = 19, K_MAX = 40 };

static float X[N_MAX * D_MAX], M[K_MAX * D_MAX];
static int32_t label[N_MAX];
static int64_t size[K_MAX];

static double draw(uint64_t what, int64_t i)
{
    uint32_t w[4];
    dc_rng4(SEED, DC_STREAM_TEST, what, (uint64_t)i, w);
    return dc_rng_unit(w[0]);
}

static void fill(int64_t N, int64_t K, int64_t d)
{
    memset(size, 0, sizeof size);
    for (int64_t e = 0; e < N * d; e++) X[e] = e / d % 7 == 3 && e >= d ? X[e - d] : (float)(draw(0, e) - 0.5);
    for (int64_t e = 0; e < K * d; e++) M[e] = e < d ? 0 : (float)(draw(1, e) - 0.5);
    for (int64_t c = 0; c < d; c++) X[c] = 0;
    for (int64_t i = 0; i < N; i++) {
        label[i] = (int32_t)((double)(K - K / 4) * draw(2, i / 2)); /* the last quarter stays empty */
        size[label[i]]++;
    }
}

static void twin(int64_t i, int64_t d, double *distance, double *cosine)
{
    double square = 0, dot = 0, x = 0, m = 0;
    for (int64_t c = 0; c < d; c++) {
        const double a = X[i * d + c], b = M[label[i] * d + c];
        square += (a - b) * (a - b);
        dot += a * b;
        x += a * a;
        m += b * b;
    }
    *distance = sqrt(square);
    *cosine = x > 0 && m > 0 ? dot / sqrt(x * m) : 0;
}

typedef struct {
    const float *X;
    int64_t d;
} shard;

static void read_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const shard *s = ctx;
    memcpy(out, s->X + lo * s->d, (size_t)(n * s->d) * sizeof *out);
}

/* distance[N]: of all rows, as they were found. */
static void check_ranks(const dc_part *part, int64_t K, const double *distance, const int64_t *rank,
                        const double *quantile)
{
    int64_t wrong = 0;
    for (int64_t i = part->row_lo; i < part->row_hi; i++) {
        int64_t before = 0;
        for (int64_t j = 0; j < part->N; j++)
            before += label[j] == label[i] && (distance[j] < distance[i] || (distance[j] == distance[i] && j < i));
        wrong += rank[i - part->row_lo] != before;
    }
    CHECK_INT(wrong, 0);
    for (int64_t k = 0; k < K; k++)
        for (int q = 0; q < DC_STANDING_QUANTILES; q++) {
            const double value = quantile[k * DC_STANDING_QUANTILES + q], share = dc_standing_quantile[q];
            int64_t below = 0, upto = 0, is_one = 0;
            for (int64_t j = 0; j < part->N; j++) {
                if (label[j] != k) continue;
                below += distance[j] < value;
                upto += distance[j] <= value;
                is_one |= distance[j] == value;
            }
            const double wanted = share * (double)size[k] - 1e-6;
            wrong += size[k] == 0 ? !isnan(value) : !is_one || (double)upto < wanted || (double)below > wanted + 2e-6;
        }
    CHECK_INT(wrong, 0);
}

static void check(dc_comm *comm, int64_t N, int64_t K, int64_t d, bool in_memory)
{
    static double distance[N_MAX], all[N_MAX], cosine[N_MAX], quantile[K_MAX * DC_STANDING_QUANTILES];
    static int64_t rank[N_MAX];
    dc_part part;
    double off = 0;
    fill(N, K, d);
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t lo = part.row_lo;
    const shard s = {X + lo * d, d};
    const dc_rows rows = {.part = &part, .d = d, .rows = read_rows, .ctx = &s, .X = in_memory ? s.X : NULL};
    CHECK_OK(dc_standing_of(&rows, M, label + lo, distance, cosine));
    memset(all, 0, sizeof all);
    for (int64_t i = 0; i < dc_part_rows(&part); i++) {
        double a, b;
        twin(lo + i, d, &a, &b);
        off = fmax(off, fmax(fabs(distance[i] - a), fabs(cosine[i] - b)));
        all[lo + i] = distance[i];
    }
    CHECK_NEAR(off, 0, 1e-14);
    dc_comm_sum_f64(comm, all, (size_t)N);
    CHECK_OK(dc_standing_rank(comm, &part, K, size, label + lo, distance, rank, quantile));
    check_ranks(&part, K, all, rank, quantile);
}

int main(void)
{
    dc_comm *comm = NULL;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check(comm, N_MAX, 5, D_MAX, true);
    check(comm, N_MAX, K_MAX, 3, false);
    check(comm, 700, 1, 8, false);
    check(comm, 2, 4, 1, true);
    return check_done_all(&comm);
}
