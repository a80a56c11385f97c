/* Scores of a job: rank 0 has the counts and does the work. Between its steps all ranks check whether to stop. At the
 * end all ranks get the scores. */
#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/metrics.h"
#include "dcmpi/wish.h"

/* Collective. m is the matching on rank 0, NULL elsewhere. Sets *whole on rank 0: whether the matching is complete. */
static dc_status match(dc_comm *comm, dc_matching *m, bool *whole)
{
    dc_status st = DC_OK;
    int64_t more = 1;
    while (more) {
        if (m) *whole = !dc_matching_step(m);
        more = m && !*whole && dc_matching_work(m) < DC_SCORES_WORK_MAX;
        dc_comm_max_i64(comm, &more, 1);
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_scores_compute(dc_comm *comm, const dc_counts *c, dc_scores *out)
{
    dc_status st = DC_OK;
    const bool root = dc_comm_rank(comm) == 0;
    dc_matching *m = NULL;
    bool whole = false;
    *out = (dc_scores){0};
    DC_TRY_ALL(comm, root ? dc_scores_of_pairs(c, out) : DC_OK);
    DC_TRY_ALL(comm, root ? dc_matching_create(&m, c) : DC_OK);
    DC_TRY(match(comm, m, &whole));
    if (root) out->acc = dc_scores_acc(c, m, whole);
    dc_comm_bcast(comm, out, sizeof *out, 0);
out:
    dc_matching_destroy(&m);
    return st;
}
