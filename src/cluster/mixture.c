/* Mixtures of Gaussians: starts, iterations and the state of a fit (mixture.h). */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "mixture_impl.h"

/* What a checkpoint holds of a fit: numbers of the present start and of the best one, and values [parameters |
 * parameters of the best | middle | scatter | these]. */
enum { START, STARTED, ITERATIONS, CONVERGED, BEST, BEST_ITERATIONS, BEST_CONVERGED, N_COUNTS };
enum { LOWER, ADDED, BEST_LOWER, N_NUMBERS };

/* Variances are never 0, even of rows that are all the same. */
static const double LEAST_ADDED = 1e-30;

typedef struct {
    const dc_mixture_config *cfg;
    dc_mix em;
    double *value; /* owned */
    size_t n_value, n_parameters;
    double *best, *number; /* in value */
    int64_t count[N_COUNTS];
} fit;

static dc_state *state_of(const fit *f)
{
    return f->cfg->kmeans.state;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static size_t factors(int64_t K, int64_t d, dc_covariance covariance)
{
    return dc_mul_size((size_t)dc_mix_matrices(K, covariance), dc_mul_size((size_t)d, (size_t)d));
}

/* Values about all rows that only a shared matrix needs. */
static size_t shared_values(int64_t d, dc_covariance covariance)
{
    return covariance == DC_COVARIANCE_TIED ? (size_t)d + dc_mul_size((size_t)d, (size_t)(d + 1)) / 2 : 0;
}

static size_t kept_values(int64_t K, int64_t d, dc_covariance covariance)
{
    return 2 * dc_mix_values(K, d, covariance) + shared_values(d, covariance) + N_NUMBERS;
}

static void lay_out(dc_mixture *m)
{
    m->mean = m->weight + m->K;
    m->variance = m->mean + m->K * m->d;
    m->factor = m->covariance == DC_COVARIANCE_FULL || m->covariance == DC_COVARIANCE_TIED
                    ? m->weight + dc_mix_values(m->K, m->d, m->covariance)
                    : NULL;
}

static dc_status take_memory(fit *f, const dc_rows *rows, dc_mixture *m)
{
    dc_status st = DC_OK;
    const dc_covariance c = m->covariance;
    f->n_parameters = dc_mix_values(m->K, m->d, c);
    f->n_value = kept_values(m->K, m->d, c);
    DC_TRY(dc_mem_alloc(&m->weight, f->n_parameters + factors(m->K, m->d, c), sizeof *m->weight, "mixture"));
    lay_out(m);
    DC_TRY(dc_mem_alloc(&f->value, f->n_value, sizeof *f->value, "mixture"));
    f->best = f->value + f->n_parameters;
    f->number = f->value + f->n_value - N_NUMBERS;
    DC_TRY(dc_mix_create(&f->em, m, rows, true));
    f->em.middle = f->best + f->n_parameters;
    f->em.scatter = f->em.middle + m->d;
out:
    return st;
}

double dc_mixture_bytes(const dc_part *part, int64_t d, int64_t K, dc_covariance covariance)
{
    const size_t values = dc_mix_values(K, d, covariance) + factors(K, d, covariance) + kept_values(K, d, covariance);
    return sizeof(double) * (double)values + dc_mix_bytes(part, d, K, covariance);
}

double dc_mixture_saved_bytes(int64_t d, int64_t K, dc_covariance covariance)
{
    return (double)(sizeof(int64_t) * N_COUNTS) + sizeof(double) * (double)kept_values(K, d, covariance);
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

static bool is_possible(const fit *f)
{
    const int64_t *c = f->count;
    return c[START] >= 0 && c[START] <= f->cfg->n_init && c[ITERATIONS] >= 0 && c[ITERATIONS] <= f->cfg->max_iter &&
           c[BEST] >= 0 && c[BEST] <= c[START];
}

static dc_status keep(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    bool resumed = false;
    char name[DC_STATE_NAME_MAX];
    if (!state_of(f)) return DC_OK;
    snprintf(name, sizeof name, "%s/count", f->cfg->phase);
    DC_TRY(dc_state_keep(comm, state_of(f), name, DC_STATE_I64, N_COUNTS, f->count, &resumed));
    snprintf(name, sizeof name, "%s/value", f->cfg->phase);
    DC_TRY(dc_state_keep(comm, state_of(f), name, DC_STATE_F64, f->n_value, f->value, NULL));
    if (resumed && !is_possible(f))
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "the checkpoint's state of the mixture fits no state of this run"));
    memcpy(f->em.m->weight, f->value, f->n_parameters * sizeof *f->value);
out:
    return st;
}

static dc_status poll(dc_comm *comm, fit *f)
{
    dc_state *s = state_of(f);
    memcpy(f->value, f->em.m->weight, f->n_parameters * sizeof *f->value);
    if (!s) return dc_wish_poll_stop(comm);
    dc_state_at(s, f->cfg->phase, f->count[ITERATIONS]);
    return dc_state_poll(comm, s);
}

static void pass(dc_comm *comm, dc_mix *em)
{
    dc_sum_over_blocks(comm, em->sum, dc_mix_block, em, em->total);
}

/* ---- Starts ------------------------------------------------------------------------------------------------------ */

static dc_status start_from(dc_comm *comm, fit *f, const float *centers, const int32_t *label)
{
    dc_mix *em = &f->em;
    dc_mixture *m = em->m;
    for (int64_t i = 0; i < m->K * m->d; i++) m->mean[i] = (double)centers[i];
    memset(m->variance, 0, dc_mix_variances(m->K, m->d, m->covariance) * sizeof *m->variance);
    em->label = label;
    pass(comm, em);
    em->label = NULL;
    const double mean = dc_mix_maximise(em, 0, true);
    f->number[ADDED] = fmax(f->cfg->reg + f->cfg->reg_share * mean, LEAST_ADDED);
    dc_mix_add(m, f->number[ADDED]);
    f->number[LOWER] = 0;
    f->count[ITERATIONS] = f->count[CONVERGED] = 0;
    f->count[STARTED] = 1;
    return DC_OK;
}

/* The k-means of later starts is short, so only that of the first one is kept; a stop in it keeps the starts before. */
static dc_status start_by_kmeans(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    dc_kmeans_result km = {0};
    dc_kmeans_config c = f->cfg->kmeans;
    if (f->count[START] > 0) {
        c.seed += (uint64_t)f->count[START] * UINT64_C(0x9e3779b97f4a7c15);
        c.n_init = 1;
        c.state = NULL;
    }
    st = dc_kmeans(comm, f->em.rows, &c, &km);
    if (st == DC_STOPPED && !c.state) (void)!poll(comm, f); /* saves; the wish stays until the run has ended */
    if (st != DC_OK) goto out;
    DC_TRY(start_from(comm, f, km.centers, km.labels));
out:
    dc_kmeans_result_release(&km);
    return st;
}

static dc_status iterate(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    dc_mix *em = &f->em;
    const double N = (double)em->rows->part->N;
    while (f->count[ITERATIONS] < f->cfg->max_iter && !f->count[CONVERGED]) {
        const double before = f->number[LOWER];
        DC_TRY_ALL(comm, dc_mix_prepare(em));
        pass(comm, em);
        f->number[LOWER] = em->total[dc_mix_sums(em->m) - 1] / N;
        f->count[CONVERGED] = f->count[ITERATIONS] > 0 && fabs(f->number[LOWER] - before) < f->cfg->tol;
        (void)dc_mix_maximise(em, f->number[ADDED], false);
        f->count[ITERATIONS]++;
        DC_TRY(poll(comm, f));
    }
out:
    return st;
}

static void take_best(fit *f)
{
    if (f->count[START] == 0 || f->number[LOWER] > f->number[BEST_LOWER]) {
        memcpy(f->best, f->em.m->weight, f->n_parameters * sizeof *f->best);
        f->number[BEST_LOWER] = f->number[LOWER];
        f->count[BEST] = f->count[START];
        f->count[BEST_ITERATIONS] = f->count[ITERATIONS];
        f->count[BEST_CONVERGED] = f->count[CONVERGED];
    }
    f->count[START]++;
    f->count[STARTED] = 0;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

int64_t dc_mixture_parameters(const dc_mixture *m)
{
    const int64_t K = m->K, d = m->d, means = K * d + K - 1;
    switch (m->covariance) {
    case DC_COVARIANCE_FULL:
        return means + K * d * (d + 1) / 2;
    case DC_COVARIANCE_TIED:
        return means + d * (d + 1) / 2;
    case DC_COVARIANCE_DIAGONAL:
        return means + K * d;
    case DC_COVARIANCE_SPHERICAL:
        break;
    }
    return means + K;
}

/* Likelihood and criteria of the best parameters. */
static dc_status finish(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    dc_mix *em = &f->em;
    dc_mixture *m = em->m;
    const double N = (double)em->rows->part->N, p = (double)dc_mixture_parameters(m);
    memcpy(m->weight, f->best, f->n_parameters * sizeof *f->best);
    DC_TRY_ALL(comm, dc_mix_prepare(em));
    em->only_density = true;
    pass(comm, em);
    m->log_likelihood = em->total[dc_mix_sums(m) - 1] / N;
    m->bic = p * log(N) - 2 * N * m->log_likelihood;
    m->aic = 2 * p - 2 * N * m->log_likelihood;
    m->best = (int)f->count[BEST];
    m->iterations = (int)f->count[BEST_ITERATIONS];
    m->converged = f->count[BEST_CONVERGED] != 0;
out:
    return st;
}

/* ---- Fits -------------------------------------------------------------------------------------------------------- */

static void release(fit *f)
{
    dc_state_drop(state_of(f), f->count);
    dc_state_drop(state_of(f), f->value);
    dc_mix_release(&f->em);
    dc_mem_free(&f->value);
}

static dc_mixture empty(const dc_mixture_config *cfg, const dc_rows *rows)
{
    return (dc_mixture){.K = cfg->kmeans.K, .d = rows->d, .covariance = cfg->covariance};
}

dc_status dc_mixture_fit(dc_comm *comm, const dc_rows *rows, const dc_mixture_config *cfg, dc_mixture *out)
{
    dc_status st = DC_OK;
    fit f = {.cfg = cfg};
    *out = empty(cfg, rows);
    DC_TRY_ALL(comm, take_memory(&f, rows, out));
    DC_TRY(keep(comm, &f));
    while (f.count[START] < cfg->n_init) {
        if (!f.count[STARTED]) DC_TRY(start_by_kmeans(comm, &f));
        DC_TRY(iterate(comm, &f));
        take_best(&f);
    }
    if (state_of(&f)) {
        dc_state_at(state_of(&f), cfg->phase, f.count[ITERATIONS]);
        DC_TRY(dc_state_end_phase(comm, state_of(&f)));
    }
    DC_TRY(finish(comm, &f));
    if (!cfg->kmeans.quiet)
        dc_log("mixture   best of %d starts: number %d, %d iterations, log likelihood %.9g per row, BIC %.9g, AIC %.9g",
               cfg->n_init, out->best + 1, out->iterations, out->log_likelihood, out->bic, out->aic);
out:
    release(&f);
    if (st != DC_OK) dc_mixture_release(out);
    return st;
}

dc_status dc_mixture_fit_from(dc_comm *comm, const dc_rows *rows, const dc_mixture_config *cfg, const float *centers,
                              const int32_t *label, dc_mixture *out)
{
    dc_status st = DC_OK;
    dc_mixture_config alone = *cfg;
    alone.kmeans.state = NULL;
    fit f = {.cfg = &alone};
    *out = empty(cfg, rows);
    DC_TRY_ALL(comm, take_memory(&f, rows, out));
    DC_TRY(start_from(comm, &f, centers, label));
    DC_TRY(iterate(comm, &f));
    take_best(&f);
    DC_TRY(finish(comm, &f));
out:
    release(&f);
    if (st != DC_OK) dc_mixture_release(out);
    return st;
}

dc_status dc_mixture_labels(const dc_mixture *m, const dc_rows *rows, int32_t *label)
{
    dc_mixture copy = *m;
    dc_mix em;
    dc_status st = dc_mix_create(&em, &copy, rows, false);
    if (st == DC_OK) st = dc_mix_prepare(&em);
    if (st == DC_OK) dc_mix_labels(&em, label);
    dc_mix_release(&em);
    return st;
}

void dc_mixture_release(dc_mixture *m)
{
    dc_mem_free(&m->weight);
    *m = (dc_mixture){0};
}
