/* The suggestion, and the table that it comes from. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/sweep.h"

/* A K whose stability is farther than this below the best one is not suggested. */
static const double STABILITY_SLACK = 0.1;
/* Below this, silhouettes show no substantial structure (Kaufman and Rousseeuw 1990, table 4). */
static const double SILHOUETTE_LEAST = 0.26;

static const char *const names[DC_SWEEP_COLUMNS] = {
    [DC_SWEEP_INERTIA] = "inertia",
    [DC_SWEEP_SILHOUETTE] = "silhouette",
    [DC_SWEEP_STABILITY] = "stability",
    [DC_SWEEP_STABILITY_SD] = "stability_deviation",
    [DC_SWEEP_BIC] = "bic",
    [DC_SWEEP_CALINSKI] = "calinski_harabasz",
    [DC_SWEEP_ITERATIONS] = "iterations",
    [DC_SWEEP_EMPTY] = "empty",
    [DC_SWEEP_ACC] = "acc",
    [DC_SWEEP_NMI] = "nmi",
    [DC_SWEEP_ARI] = "ari",
    [DC_SWEEP_PURITY] = "purity",
    [DC_SWEEP_F_MEASURE] = "f_measure",
    [DC_SWEEP_F_PAIRS] = "f_pairs",
};

const char *dc_sweep_column_name(dc_sweep_column c)
{
    return names[c];
}

/* ---- Suggestion -------------------------------------------------------------------------------------------------- */

static double best_stability(const dc_sweep *s)
{
    double best = -1;
    for (int t = 0; t < s->n; t++) best = fmax(best, s->value[t][DC_SWEEP_STABILITY]);
    return best;
}

static bool is_stable(const dc_sweep *s, int t)
{
    return !s->failure[t][0] && s->value[t][DC_SWEEP_STABILITY] >= best_stability(s) - STABILITY_SLACK;
}

/* Index of the best value of a column; only_stable: among the stable K. sign: 1, the highest; -1, the lowest. */
static int best_of(const dc_sweep *s, dc_sweep_column c, double sign, bool only_stable)
{
    int best = -1;
    for (int t = 0; t < s->n; t++) {
        if (s->failure[t][0] || (only_stable && !is_stable(s, t))) continue;
        if (best < 0 || sign * s->value[t][c] > sign * s->value[best][c]) best = t;
    }
    return best;
}

static void append(dc_sweep *s, const char *text)
{
    const size_t used = strlen(s->reason);
    snprintf(s->reason + used, sizeof s->reason - used, "%s", text);
}

static void tell_choice(dc_sweep *s, int t)
{
    char text[256];
    int stable = 0, failed = 0;
    const int freely = s->by_bic ? best_of(s, DC_SWEEP_BIC, -1, false) : best_of(s, DC_SWEEP_SILHOUETTE, 1, false);
    for (int i = 0; i < s->n; i++) {
        stable += is_stable(s, i);
        failed += s->failure[i][0] != '\0';
    }
    if (failed == s->n - 1 && failed > 0) {
        append(s, "all others failed");
        return;
    }
    if (stable == 1 && s->n > 1) {
        snprintf(text, sizeof text, "all others have a stability more than %g below its own", STABILITY_SLACK);
        append(s, text);
        return;
    }
    if (s->by_bic)
        snprintf(text, sizeof text, "its BIC, %.6g, is the lowest", s->value[t][DC_SWEEP_BIC]);
    else
        snprintf(text, sizeof text, "its silhouette, %.3f, is the highest", s->value[t][DC_SWEEP_SILHOUETTE]);
    append(s, text);
    if (freely == t) return;
    snprintf(text, sizeof text, " among the %d K whose stability is at most %g below the best one, %.3f", stable,
             STABILITY_SLACK, best_stability(s));
    append(s, text);
}

/* What speaks for other K, and against the range. */
static void tell_rest(dc_sweep *s, int t)
{
    char text[256];
    const int64_t silhouette = s->K[best_of(s, DC_SWEEP_SILHOUETTE, 1, false)],
                  stability = s->K[best_of(s, DC_SWEEP_STABILITY, 1, false)],
                  bic = s->K[best_of(s, DC_SWEEP_BIC, -1, false)],
                  calinski = s->K[best_of(s, DC_SWEEP_CALINSKI, 1, false)];
    snprintf(text, sizeof text,
             "; stability %.3f; the highest silhouette is at %lld, the highest stability at %lld, the lowest BIC at "
             "%lld, the highest Calinski-Harabasz index at %lld",
             s->value[t][DC_SWEEP_STABILITY], (long long)silhouette, (long long)stability, (long long)bic,
             (long long)calinski);
    append(s, text);
    if (s->n > 1 && (t == 0 || t == s->n - 1)) append(s, "; it is at an end of the range: a wider one may show more");
    if (s->value[t][DC_SWEEP_SILHOUETTE] < SILHOUETTE_LEAST)
        append(s, "; a silhouette below 0.26 shows no substantial structure");
}

void dc_sweep_suggest(dc_sweep *s)
{
    const int t = s->by_bic ? best_of(s, DC_SWEEP_BIC, -1, true) : best_of(s, DC_SWEEP_SILHOUETTE, 1, true);
    s->suggested = s->K[t];
    s->reason[0] = '\0';
    tell_choice(s, t);
    tell_rest(s, t);
}

/* ---- Table ------------------------------------------------------------------------------------------------------- */

void dc_sweep_print(const dc_sweep *s)
{
    bool scored = false;
    for (int t = 0; t < s->n; t++) scored |= s->value[t][DC_SWEEP_NMI] > DC_SWEEP_UNKNOWN;
    dc_log_plain("\n%8s %14s %10s %9s %9s %14s %12s %6s%s", "clusters", "inertia", "silhouette", "stability",
                 "deviation", "BIC", "C.-Harabasz", "empty", scored ? "    ACC    NMI    ARI purity      F" : "");
    for (int t = 0; t < s->n; t++) {
        const double *v = s->value[t];
        char acc[32] = "-", scores[160] = "";
        if (s->failure[t][0]) {
            dc_log_plain("%8lld failed: %s", (long long)s->K[t], s->failure[t]);
            continue;
        }
        if (v[DC_SWEEP_ACC] > DC_SWEEP_UNKNOWN) snprintf(acc, sizeof acc, "%.3f", v[DC_SWEEP_ACC]);
        if (scored && v[DC_SWEEP_NMI] > DC_SWEEP_UNKNOWN)
            snprintf(scores, sizeof scores, " %6s %6.3f %6.3f %6.3f %6.3f", acc, v[DC_SWEEP_NMI], v[DC_SWEEP_ARI],
                     v[DC_SWEEP_PURITY], v[DC_SWEEP_F_MEASURE]);
        dc_log_plain("%8lld %14.8g %10.4f %9.3f %9.3f %14.8g %12.5g %6.0f%s%s", (long long)s->K[t], v[DC_SWEEP_INERTIA],
                     v[DC_SWEEP_SILHOUETTE], v[DC_SWEEP_STABILITY], v[DC_SWEEP_STABILITY_SD], v[DC_SWEEP_BIC],
                     v[DC_SWEEP_CALINSKI], v[DC_SWEEP_EMPTY], scores, s->K[t] == s->suggested ? "  <- suggested" : "");
    }
    dc_log_plain("%s", "");
    dc_log("suggest   %lld clusters: %s", (long long)s->suggested, s->reason);
}
