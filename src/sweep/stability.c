/* Stability: clusters that are in the data are found again in most subsamples. All pairs of a few subsamples are
 * compared, because a clustering costs far more than a comparison. */
#include "stability.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/metrics.h"
#include "dcmpi/rng.h"

dc_status dc_sweep_agreement(const int64_t *a, const int64_t *b, int64_t n, int64_t K, double *out)
{
    dc_status st = DC_OK;
    dc_counter *counter = NULL;
    dc_counts counts = {0};
    dc_scores scores = {0};
    int32_t *both = NULL;
    int64_t found = 0;
    DC_TRY(dc_mem_alloc(&both, 2 * (size_t)n, sizeof *both, "labels of two subsamples"));
    for (int64_t i = 0; i < n; i++) {
        if (a[i] < 0 || b[i] < 0) continue;
        both[found] = (int32_t)a[i];
        both[n + found++] = (int32_t)b[i];
    }
    DC_TRY(dc_counter_create(&counter, K, K));
    DC_TRY(dc_counter_add(counter, both, both + n, found));
    DC_TRY(dc_counter_counts_local(counter, &counts));
    DC_TRY(dc_scores_of_pairs(&counts, &scores));
    *out = scores.ari;
out:
    dc_mem_free(&both);
    dc_counts_release(&counts);
    dc_counter_destroy(&counter);
    return st;
}

int dc_resampling_groups(const dc_sweep_config *cfg, int P)
{
    return DC_MIN(cfg->subsamples, P);
}

static dc_status make(dc_resampling *r)
{
    dc_status st = DC_OK;
    const dc_sample *s = r->sample;
    const size_t n = (size_t)r->part.N, own = (size_t)dc_part_rows(&r->part), B = (size_t)r->cfg->subsamples;
    DC_TRY(dc_mem_alloc(&r->pick, n, sizeof *r->pick, "subsample"));
    DC_TRY(dc_mem_alloc(&r->X, dc_mul_size(own, (size_t)s->d), sizeof *r->X, "rows of a subsample"));
    DC_TRY(dc_mem_alloc(&r->label, dc_mul_size(B, (size_t)s->m), sizeof *r->label, "labels of subsamples"));
    DC_TRY(dc_mem_alloc(&r->piece, n, sizeof *r->piece, "labels of a subsample"));
    DC_TRY(dc_mem_alloc(&r->counts, (size_t)r->part.P, sizeof *r->counts, "rank table"));
out:
    return st;
}

dc_status dc_resampling_create(dc_comm *comm, const dc_sweep_config *cfg, const dc_sample *sample, int V,
                               dc_resampling *r)
{
    dc_status st = DC_OK;
    *r = (dc_resampling){.cfg = cfg, .sample = sample, .groups = dc_resampling_groups(cfg, dc_comm_size(comm))};
    const int64_t n = dc_sweep_subsample_rows(cfg, sample->m);
    r->group = dc_comm_rank(comm) % r->groups;
    DC_TRY(dc_comm_split(comm, r->group, &r->own));
    DC_TRY_ALL(comm, dc_part_init(&r->part, n, V, dc_comm_size(r->own), dc_comm_rank(r->own)));
    DC_TRY_ALL(comm, make(r));
    for (int i = 0; i < r->part.P; i++) r->counts[i] = (size_t)dc_part_rank_rows(&r->part, i) * sizeof *r->piece;
out:
    return st;
}

void dc_resampling_release(dc_resampling *r)
{
    dc_comm_destroy(&r->own);
    dc_mem_free(&r->pick);
    dc_mem_free(&r->X);
    dc_mem_free(&r->label);
    dc_mem_free(&r->piece);
    dc_mem_free(&r->counts);
}

/* Another seed for each subsample, none of them that of the run. */
static uint64_t seed_of(uint64_t seed, int b)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_SWEEP, (uint64_t)b + 1, 1, w);
    return (uint64_t)w[0] << 31 | w[1] >> 1;
}

/* Clusters subsample b on the ranks of this group; label[m] gets the labels of the rows of the sample. Collective over
 * the group. */
static dc_status cluster(dc_resampling *r, int64_t K, int b, int64_t *label)
{
    dc_status st = DC_OK;
    dc_sweep_fit fit = {0};
    const dc_sweep_method *method = r->cfg->method;
    const dc_sample *s = r->sample;
    const dc_part *part = &r->part;
    const dc_rows rows = {.part = part, .d = s->d, .X = r->X};
    const dc_sweep_task task = {.K = K, .n_init = r->cfg->n_init, .seed = seed_of(r->cfg->seed, b)};
    dc_sample_pick(s->m, part->N, r->cfg->seed, b + 1, r->pick);
    for (int64_t i = 0; i < dc_part_rows(part); i++)
        memcpy(r->X + i * s->d, s->X + r->pick[part->row_lo + i] * s->d, (size_t)s->d * sizeof *r->X);
    DC_TRY(method->fit(r->own, method->ctx, &rows, &task, &fit));
    dc_comm_allgatherv(r->own, fit.label, r->piece, r->counts);
    for (int64_t i = 0; i < part->N; i++) label[r->pick[i]] = r->piece[i];
out:
    dc_mem_free(&fit.label);
    return st;
}

/* Local, the same on all ranks. */
static dc_status compare(const dc_resampling *r, int64_t K, double *mean, double *sd)
{
    dc_status st = DC_OK;
    double sum = 0, squares = 0;
    const int64_t m = r->sample->m;
    const int B = r->cfg->subsamples;
    for (int a = 0; a < B; a++)
        for (int b = 0; b < a; b++) {
            double ari;
            DC_TRY(dc_sweep_agreement(r->label + a * m, r->label + b * m, m, K, &ari));
            sum += ari;
            squares += ari * ari;
        }
    const double pairs = 0.5 * B * (B - 1);
    *mean = sum / pairs;
    *sd = sqrt(fmax(0, squares / pairs - *mean * *mean));
out:
    return st;
}

dc_status dc_resampling_stability(dc_comm *comm, dc_resampling *r, int64_t K, double *mean, double *sd)
{
    dc_status st = DC_OK;
    const int64_t m = r->sample->m;
    const int B = r->cfg->subsamples;
    for (int64_t i = 0; i < B * m; i++) r->label[i] = -1;
    for (int first = 0; first < B; first += r->groups) {
        const int b = first + r->group;
        DC_TRY_ALL(comm, b < B ? cluster(r, K, b, r->label + b * m) : DC_OK);
        dc_state_at(r->cfg->state, "sweep", K);
        DC_TRY(dc_state_poll(comm, r->cfg->state));
    }
    dc_comm_max_i64(comm, r->label, (size_t)(B * m));
    DC_TRY_ALL(comm, compare(r, K, mean, sd));
out:
    return st;
}
