/* Computes the scores of a result's labels. */
#include "dcmpi/beat.h"
#include "run.h"

dc_status dc_run_score(dc_comm *comm, dc_job *job, dc_result *r, dc_scoring *s)
{
    dc_status st = DC_OK;
    const dc_dataset *d = r->data;
    const int64_t n = dc_part_rows(&d->part);
    if (d->C == 0) return DC_OK;
    const double start = dc_timer_start();
    dc_beat_at("scores", 0);
    dc_scoring_start(comm, s, n, d->part.N, r->K, d->C);
    dc_scoring_add(s, r->labels, d->y, n);
    DC_TRY(dc_scoring_finish(comm, s));
    r->has_scores = s->has_scores;
    r->scores = s->scores;
    r->confusion = s->has_scores ? s->table : NULL;
    dc_timer_stop(&job->timers, DC_T_METRICS, start, 0, 0);
out:
    return st;
}
