/* A start with the same deck and weights continues the run. A start that only trains longer also goes on from it
 * (longer.h). Any other start would give another result, so it is refused with a message that says what differs. */
#include "origin.h"

#include <inttypes.h>
#include <string.h>

/* Writes how the initial weights differ to `out`, or "" if they do not. */
static void compare_weights(const dc_job *job, const dc_origin *o, const char *old_path, char *out, size_t cap)
{
    const uint64_t now = job->from.weights_hash;
    out[0] = '\0';
    if (o->weights_hash == 0 || now == 0 || o->weights_hash == now) return;
    snprintf(out, cap, "model.weights is %s with the hash %016" PRIx64 ", was %s with the hash %016" PRIx64,
             job->cfg.model.weights, now, old_path, o->weights_hash);
}

dc_longer dc_origin_longer(const dc_job *job, const dc_config *was, int64_t N)
{
    return (dc_longer){.was = was, .is = &job->cfg, .verb = job->cli->verb, .N = N};
}

static void compare_decks(const dc_job *job, const dc_origin *o, dc_comparison *out)
{
    char differing[1024], weights[2 * DC_PATH_MAX + 128];
    dc_config *was = &out->was;
    compare_weights(job, o, was->model.weights, weights, sizeof weights);
    /* The path of the weights does not matter if both hashes are known. */
    if (o->weights_hash && job->from.weights_hash)
        memcpy(was->model.weights, job->cfg.model.weights, sizeof was->model.weights);
    const int n = dc_config_differences(was, &job->cfg, o->verb, differing, sizeof differing);
    const dc_longer longer = dc_origin_longer(job, was, o->N);
    snprintf(out->text, sizeof out->text, "%s", differing);
    out->likeness = DC_SAME_RUN;
    if (n == 0 && !weights[0]) return;
    out->likeness = DC_LONGER_RUN;
    if (!weights[0] && dc_longer_is(&longer)) return;
    out->likeness = DC_OTHER_RUN;
    snprintf(out->text, sizeof out->text,
             "%s was made with another deck: %s%s%.900s; set another run.output, or run.resume=never to start anew",
             o->where, differing, n && weights[0] ? "; " : "", weights);
}

void dc_origin_compare(const dc_job *job, const dc_origin *o, dc_comparison *out)
{
    *out = (dc_comparison){.likeness = DC_OTHER_RUN};
    if (strcmp(o->verb, job->cli->verb) != 0) {
        snprintf(out->text, sizeof out->text,
                 "%s was made by `dcmpi %s`, and this is `dcmpi %s`; set another run.output", o->where, o->verb,
                 job->cli->verb);
        return;
    }
    dc_config_defaults(&out->was);
    if (dc_config_parse(&out->was, o->where, o->deck, strlen(o->deck), NULL, 0, o->verb) == DC_OK) {
        compare_decks(job, o, out);
        return;
    }
    snprintf(out->text, sizeof out->text, "this program cannot read the deck in %s: %.1500s", o->where,
             dc_error_text());
    dc_error_clear();
}
