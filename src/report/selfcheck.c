/* Self-checks of a finished run: invariants that hold whatever the data are. */
#include <math.h>

#include "dcmpi/log.h"
#include "dcmpi/report.h"

/* Rows of q are float: their sum may be off by a few rounding errors per cluster. */
static const double SUM_TOLERANCE = 1e-5;

static bool finite_weights(const dc_result *r)
{
    for (size_t i = 0; r->net && i < r->net->n_params; i++)
        if (!isfinite(r->params[i])) return false;
    for (int64_t i = 0; i < r->K * r->center_width; i++)
        if (!isfinite(r->centers[i])) return false;
    return true;
}

int dc_self_checks(const dc_result *r, const dc_refresh *last, dc_self_check out[DC_SELF_CHECKS_MAX])
{
    int n = 0;
    int64_t rows = 0;
    const double N = (double)r->data->part.N;
    for (int64_t k = 0; k < r->K; k++) rows += r->size[k];
    out[n++] = (dc_self_check){"cluster sizes sum to N", rows == r->data->part.N, (double)rows};
    out[n++] = (dc_self_check){"weights and centres are finite", finite_weights(r), 0};
    if (!last) return n;
    out[n++] = (dc_self_check){"rows of q sum to 1", last->sum_check <= SUM_TOLERANCE, last->sum_check};
    out[n++] = (dc_self_check){"sum of f is N", fabs(last->f_sum - N) <= SUM_TOLERANCE * N, last->f_sum};
    return n;
}

void dc_self_checks_print(const dc_self_check *checks, int n)
{
    int failed = 0;
    for (int i = 0; i < n; i++) {
        if (checks[i].passed) continue;
        failed++;
        dc_log_warning("self-check FAILED: %s (%g)", checks[i].name, checks[i].value);
    }
    dc_log("self-checks %s (%d of %d: sizes, weights, equal replicas%s)", failed ? "FAILED" : "PASSED", n - failed, n,
           n > 2 ? ", q, f" : "");
}
