/* The passes of a sweep. The first clusters all rows into each K, which is what costs most and goes on where it was
 * after a restart. The second clusters the subsamples, the third computes the silhouettes of all clusterings at once.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "stability.h"

dc_status dc_sweep_check(const dc_sweep_config *cfg, int64_t N)
{
    const int64_t most = cfg->K[cfg->n - 1], rows = dc_sweep_subsample_rows(cfg, N);
    if (most > N)
        return DC_FAIL(DC_ERR_DATA, "%lld clusters but only %lld rows: lower sweep.clusters (--clusters)",
                       (long long)most, (long long)N);
    if (most > rows)
        return DC_FAIL(DC_ERR_DATA,
                       "%lld clusters, but a subsample for the stability has %lld rows (sweep.share = %g of %lld): "
                       "lower sweep.clusters (--clusters)%s",
                       (long long)most, (long long)rows, cfg->share, (long long)dc_sweep_sample_rows(cfg, N),
                       cfg->sample < N ? " or raise sweep.sample" : "");
    return DC_OK;
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

enum { FAILURE_WORDS = DC_SWEEP_FAILURE_MAX / sizeof(int64_t) };

static void prepare(const dc_sweep_config *cfg, int64_t N, dc_sweep *s)
{
    *s = (dc_sweep){.n = cfg->n,
                    .sample = dc_sweep_sample_rows(cfg, N),
                    .subsample = dc_sweep_subsample_rows(cfg, N),
                    .subsamples = cfg->subsamples,
                    .by_bic = cfg->by_bic};
    for (int t = 0; t < cfg->n; t++) {
        s->K[t] = cfg->K[t];
        for (int c = DC_SWEEP_SCORES; c < DC_SWEEP_COLUMNS; c++) s->value[t][c] = DC_SWEEP_UNKNOWN;
    }
}

static dc_status check_state(dc_sweep *s)
{
    for (int t = 0; t < s->n; t++) s->failure[t][DC_SWEEP_FAILURE_MAX - 1] = '\0';
    const bool ordered = s->done[0] >= s->done[1] && s->done[1] >= 0 && s->done[0] <= s->n;
    bool known = s->chosen == 0;
    for (int t = 0; t < s->n; t++) known |= s->K[t] == s->chosen && !s->failure[t][0];
    if (ordered && known) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's state of 'sweep' fits no state of this run");
}

dc_status dc_sweep_keep(dc_comm *comm, const dc_sweep_config *cfg, int64_t N, dc_sweep *s)
{
    dc_status st = DC_OK;
    prepare(cfg, N, s);
    DC_TRY(
        dc_state_keep(comm, cfg->state, "sweep/table", DC_STATE_F64, (size_t)s->n * DC_SWEEP_COLUMNS, s->value, NULL));
    DC_TRY(
        dc_state_keep(comm, cfg->state, "sweep/failure", DC_STATE_I64, (size_t)s->n * FAILURE_WORDS, s->failure, NULL));
    DC_TRY(dc_state_keep(comm, cfg->state, "sweep/done", DC_STATE_I64, DC_COUNT_OF(s->done), s->done, NULL));
    DC_TRY(dc_state_keep(comm, cfg->state, "sweep/chosen", DC_STATE_I64, 1, &s->chosen, NULL));
    DC_TRY_ALL(comm, check_state(s));
out:
    return st;
}

void dc_sweep_drop(dc_state *state, const dc_sweep *s)
{
    dc_state_drop(state, s->value);
    dc_state_drop(state, s->failure);
    dc_state_drop(state, s->done);
    dc_state_drop(state, &s->chosen);
}

int64_t dc_sweep_chosen(const dc_state *state)
{
    const dc_state_array *a = dc_state_waiting(state, "sweep/chosen");
    return a ? a->number : 0;
}

/* ---- Passes ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const dc_sweep_config *cfg;
    const dc_rows *rows;
    dc_sweep *out;
    dc_sample sample;
    dc_resampling resampling;
    int32_t *own;   /* [m] scratch, owned */
    int64_t *label; /* [m x n] label of each row of the sample for each K, owned */
    double one;     /* inertia of one cluster */
} sweep;

static void release(sweep *s)
{
    dc_state_drop(s->cfg->state, s->label);
    dc_mem_free(&s->label);
    dc_mem_free(&s->own);
    dc_resampling_release(&s->resampling);
    dc_sample_release(&s->sample);
}

static dc_status make_labels(sweep *s)
{
    dc_status st = DC_OK;
    const size_t m = (size_t)s->sample.m;
    DC_TRY(dc_mem_alloc(&s->own, m, sizeof *s->own, "labels of the sample"));
    DC_TRY(dc_mem_alloc(&s->label, dc_mul_size(m, (size_t)s->cfg->n), sizeof *s->label, "labels of the sample"));
out:
    return st;
}

static bool labels_fit(const sweep *s)
{
    const int n = s->cfg->n;
    for (int64_t i = 0; i < s->sample.m; i++)
        for (int t = 0; t < n; t++)
            if (s->label[i * n + t] < 0 || s->label[i * n + t] >= s->cfg->K[t]) return false;
    return true;
}

static dc_status check_labels(const sweep *s)
{
    if (labels_fit(s)) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's state of 'sweep' fits no state of this run: a label is no cluster");
}

static dc_status create(dc_comm *comm, sweep *s)
{
    dc_status st = DC_OK;
    const dc_sweep_config *cfg = s->cfg;
    DC_TRY(dc_sample_draw(comm, s->rows, s->out->sample, cfg->seed, &s->sample));
    DC_TRY(dc_resampling_create(comm, cfg, &s->sample, s->rows->part->V, &s->resampling));
    DC_TRY_ALL(comm, make_labels(s));
    DC_TRY(
        dc_state_keep(comm, cfg->state, "sweep/labels", DC_STATE_I64, (size_t)(s->sample.m * cfg->n), s->label, NULL));
    DC_TRY_ALL(comm, check_labels(s));
    DC_TRY(dc_cluster_inertia(comm, s->rows, NULL, 1, NULL, &s->one));
out:
    return st;
}

static double calinski(double inertia, double one, int64_t K, int64_t N)
{
    if (N <= K || !(inertia > 0)) return 0;
    return ((one - inertia) / (double)(K - 1)) / (inertia / (double)(N - K));
}

/* A failure of the clustering itself is kept for the table. Returns other errors, those of reading rows and of ranks
 * that differ among them. */
static dc_status mark_failed(dc_comm *comm, dc_sweep *s, int t, const char *of, dc_status st)
{
    if (st != DC_ERR_NUMERIC && st != DC_ERR_DATA) return st;
    const dc_status other = dc_agree(comm, dc_agree_differed() ? st : DC_OK);
    if (other != DC_OK) return other;
    snprintf(s->failure[t], sizeof s->failure[t], "%s%s", of, dc_agree_text());
    dc_error_clear();
    for (int c = 0; c < DC_SWEEP_COLUMNS; c++) s->value[t][c] = NAN;
    dc_log_warning("%lld clusters failed, the sweep goes on without them: %s", (long long)s->K[t], s->failure[t]);
    return DC_OK;
}

/* Clusters all rows into the t-th K. */
static dc_status cluster(dc_comm *comm, sweep *s, int t)
{
    dc_status st = DC_OK;
    dc_sweep_fit fit = {0};
    const dc_sweep_config *cfg = s->cfg;
    const int64_t K = cfg->K[t], N = s->rows->part->N;
    const double start = dc_clock_now_s();
    double *value = s->out->value[t];
    dc_state_at(cfg->state, "sweep", 0);
    dc_state_in_part(cfg->state, true);
    st = cfg->method->fit(comm, cfg->method->ctx, s->rows,
                          &(dc_sweep_task){.K = K, .seed = cfg->seed, .state = cfg->state}, &fit);
    dc_state_in_part(cfg->state, false);
    if (st != DC_OK) goto out;
    dc_sample_labels(comm, &s->sample, s->rows->part, fit.label, s->own, s->label + t, cfg->n);
    if (cfg->score) DC_TRY(cfg->score(comm, cfg->score_ctx, fit.label, K, value + DC_SWEEP_SCORES));
    value[DC_SWEEP_INERTIA] = fit.inertia;
    value[DC_SWEEP_BIC] = fit.bic;
    value[DC_SWEEP_CALINSKI] = calinski(fit.inertia, s->one, K, N);
    value[DC_SWEEP_ITERATIONS] = (double)fit.iterations;
    value[DC_SWEEP_EMPTY] = (double)fit.empty;
    dc_log("sweep     K = %lld, %d of %d: inertia %.9g, %lld iterations%s, %.1f s", (long long)K, t + 1, cfg->n,
           fit.inertia, (long long)fit.iterations, fit.converged ? "" : " (not converged)", dc_clock_now_s() - start);
out:
    dc_mem_free(&fit.label);
    st = mark_failed(comm, s->out, t, "", st);
    if (st == DC_OK) s->out->done[0] = t + 1;
    return st;
}

static dc_status resample(dc_comm *comm, sweep *s, int t)
{
    dc_status st = DC_OK;
    double *value = s->out->value[t];
    if (s->out->failure[t][0]) goto out;
    DC_TRY(dc_resampling_stability(comm, &s->resampling, s->cfg->K[t], &value[DC_SWEEP_STABILITY],
                                   &value[DC_SWEEP_STABILITY_SD]));
    dc_log("sweep     K = %lld: stability %.3f, deviation %.3f", (long long)s->cfg->K[t], value[DC_SWEEP_STABILITY],
           value[DC_SWEEP_STABILITY_SD]);
out:
    st = mark_failed(comm, s->out, t, "of a subsample: ", st);
    if (st == DC_OK) s->out->done[1] = t + 1;
    return st;
}

/* Silhouettes of all K. */
static dc_status measure(dc_comm *comm, sweep *s)
{
    dc_status st = DC_OK;
    double mean[DC_SWEEP_MAX];
    int32_t *label = NULL;
    const int n = s->cfg->n;
    const size_t values = (size_t)(s->sample.m * n);
    DC_TRY_ALL(comm, dc_mem_alloc(&label, values, sizeof *label, "labels of the sample"));
    for (size_t i = 0; i < values; i++) label[i] = (int32_t)s->label[i];
    DC_TRY(dc_silhouettes(comm, s->sample.X, s->sample.m, s->sample.d, label, s->cfg->K, n, s->rows->part->V, mean));
    for (int t = 0; t < n; t++)
        if (!s->out->failure[t][0]) s->out->value[t][DC_SWEEP_SILHOUETTE] = mean[t];
out:
    dc_mem_free(&label);
    return st;
}

static dc_status check_any(const dc_sweep *s)
{
    for (int t = 0; t < s->n; t++)
        if (!s->failure[t][0]) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC, "each number of clusters of the sweep failed; %lld: %s", (long long)s->K[0],
                   s->failure[0]);
}

dc_status dc_sweep_run(dc_comm *comm, const dc_rows *rows, const dc_sweep_config *cfg, dc_sweep *out)
{
    dc_status st = DC_OK;
    sweep s = {.cfg = cfg, .rows = rows, .out = out};
    dc_state_at(cfg->state, "sweep", 0);
    DC_TRY(create(comm, &s));
    dc_log("sweep     %s of %lld rows x %lld into %lld to %lld clusters, %d values of K; silhouette and stability on "
           "%s%lld rows, stability from %d subsamples of %lld rows",
           cfg->name, (long long)rows->part->N, (long long)rows->d, (long long)cfg->K[0], (long long)cfg->K[cfg->n - 1],
           cfg->n, out->sample == rows->part->N ? "all " : "a random sample of ", (long long)out->sample,
           out->subsamples, (long long)out->subsample);
    for (int t = (int)out->done[0]; t < cfg->n; t++) DC_TRY(cluster(comm, &s, t));
    DC_TRY(dc_state_poll(comm, cfg->state));
    for (int t = (int)out->done[1]; t < cfg->n; t++) DC_TRY(resample(comm, &s, t));
    DC_TRY(check_any(out));
    DC_TRY(measure(comm, &s));
    dc_sweep_suggest(out);
out:
    release(&s);
    return st;
}

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

double dc_sweep_bytes(const dc_sweep_config *cfg, const dc_part *part, int64_t d)
{
    const double m = (double)dc_sweep_sample_rows(cfg, part->N), sub = (double)dc_sweep_subsample_rows(cfg, part->N);
    const int ranks = part->P / dc_resampling_groups(cfg, part->P); /* of the smallest group */
    const double own = DC_MIN(sub, sub / ranks + sub / part->V + 1), n = cfg->n;
    double clusters = 0;
    for (int t = 0; t < cfg->n; t++) clusters += (double)cfg->K[t];
    const double sample = m * (sizeof(int64_t) + sizeof(float) * (double)d + sizeof(int32_t) + sizeof(int64_t) * n);
    /* With the distances and labels of k-means. */
    const double resampling = sub * (sizeof(int64_t) + sizeof(int32_t)) +
                              own * (sizeof(float) * (double)(d + cfg->n_init) + 2 * sizeof(int32_t)) +
                              m * cfg->subsamples * sizeof(int64_t);
    const double silhouettes = m * n * 2 * sizeof(int32_t) +
                               DC_MIN(m, m / part->P + m / part->V + 1) * n * sizeof(double) +
                               clusters * sizeof(double) * (1 + omp_get_max_threads());
    return sample + resampling + silhouettes;
}

double dc_sweep_saved_bytes(const dc_sweep_config *cfg, int64_t N)
{
    const double n = cfg->n;
    return (sizeof(double) * DC_SWEEP_COLUMNS + DC_SWEEP_FAILURE_MAX) * n +
           sizeof(int64_t) * (double)dc_sweep_sample_rows(cfg, N) * n;
}
