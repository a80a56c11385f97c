/* Self-checks of a finished run: invariants that hold for any data. */
#include <math.h>
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/report.h"

static bool finite_weights(const dc_result *r)
{
    for (size_t i = 0; i < r->slab->n; i++)
        if (!isfinite(r->value[i])) return false;
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
    out[n++] = (dc_self_check){"replicas are equal", true, 0}; /* otherwise the refresh would have ended the run */
    out[n++] = (dc_self_check){"rows of q sum to 1", last->sum_check <= DC_ROW_SUM_TOLERANCE, last->sum_check};
    if (last->odd_targets >= 0)
        out[n++] = (dc_self_check){"rows of p sum to 1", last->odd_targets == 0, (double)last->odd_targets};
    out[n++] = (dc_self_check){"sum of f is N", fabs(last->f_sum - N) <= DC_ROW_SUM_TOLERANCE * N, last->f_sum};
    return n;
}

void dc_self_checks_print(const dc_self_check *checks, int n)
{
    char names[256] = "";
    int failed = 0;
    for (int i = 0; i < n; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", checks[i].name);
        if (checks[i].passed) continue;
        failed++;
        dc_log_warning("self-check FAILED: %s (%g)", checks[i].name, checks[i].value);
    }
    dc_log("self-checks %s, %d of %d: %s", failed ? "FAILED" : "PASSED", n - failed, n, names);
}
