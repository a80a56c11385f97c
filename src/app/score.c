/* Scores the labels of a job, or warns that it cannot. */
#include "score.h"

#include <math.h>

#include "advice.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

void dc_scoring_announce(const char *source, int64_t N, int64_t K, int64_t C)
{
    char line[512];
    dc_advise_labels(source, N, C, line, sizeof line);
    if (line[0]) dc_log_warning("%s", line);
    if (C > 0 && !dc_counts_has_table(K, C))
        dc_log_warning("the result will have no /confusion: a table of %lld classes and %lld clusters takes %.0f MiB",
                       (long long)C, (long long)K, 8 * (double)C * (double)K / 0x1p20);
}

/* Goes on without scores. The result file may already have space for the table, so the table is filled with -1, which
 * means unknown. Local. */
static void give_up(dc_scoring *s, const char *why)
{
    dc_log_warning("no scores: %s", why);
    dc_counter_destroy(&s->counter);
    for (int64_t i = 0; s->table && i < s->K * s->C; i++) s->table[i] = -1;
}

/* Whether scoring fits into the memory that is left. */
static dc_status check_memory(dc_comm *comm, int64_t n, int64_t N, int64_t K, int64_t C)
{
    const double root = dc_comm_rank(comm) == 0 ? dc_scores_bytes(N, K, C) : 0, need = dc_counts_bytes(n, K, C) + root;
    if (need <= (double)dc_mem_available_bytes(dc_comm_node_size(comm))) return DC_OK;
    return DC_FAIL(DC_ERR_MEMORY,
                   "counting %lld classes in %lld clusters may take %.1f GiB, which is more than is free", (long long)C,
                   (long long)K, need / 0x1p30);
}

static dc_status take_memory(dc_comm *comm, dc_scoring *s)
{
    dc_status st = DC_OK;
    DC_TRY(dc_counter_create(&s->counter, s->K, s->C));
    if (dc_comm_rank(comm) == 0 && dc_counts_has_table(s->K, s->C))
        DC_TRY(dc_mem_alloc(&s->table, (size_t)(s->C * s->K), sizeof *s->table, "confusion table"));
out:
    return st;
}

void dc_scoring_start(dc_comm *comm, dc_scoring *s, int64_t n, int64_t N, int64_t K, int64_t C)
{
    *s = (dc_scoring){.K = K, .C = C};
    if (C == 0) return;
    dc_status st = dc_agree(comm, check_memory(comm, n, N, K, C));
    if (st == DC_OK) st = dc_agree(comm, take_memory(comm, s));
    if (st == DC_OK) return;
    give_up(s, dc_error_text());
    dc_error_clear();
    dc_mem_free(&s->table);
    s->C = 0;
}

void dc_scoring_add(dc_scoring *s, const int32_t *labels, const int32_t *y, int64_t n)
{
    if (!s->counter || dc_counter_add(s->counter, labels, y, n) == DC_OK) return;
    /* The other ranks learn of the failure in dc_scoring_finish(). */
    dc_error_clear();
    dc_counter_destroy(&s->counter);
}

/* Brings the counts to rank 0 and the scores to all ranks. Collective. */
static dc_status compute(dc_comm *comm, dc_scoring *s, dc_counts *counts)
{
    dc_status st = DC_OK;
    DC_TRY(dc_counter_counts(comm, s->counter, counts));
    dc_counter_destroy(&s->counter);
    if (counts->too_many) {
        give_up(s, "so many pairs of class and cluster occur that they would mean nothing");
        goto out;
    }
    DC_TRY(dc_scores_compute(comm, counts, &s->scores));
    if (s->table) dc_counts_table(counts, s->table);
    s->has_scores = true;
    if (isnan(s->scores.acc))
        dc_log_warning("no accuracy: matching %lld classes and %lld clusters takes too long", (long long)counts->C,
                       (long long)counts->K);
out:
    return st;
}

dc_status dc_scoring_finish(dc_comm *comm, dc_scoring *s)
{
    dc_counts counts = {0};
    int64_t counted = s->counter != NULL;
    if (s->C == 0) return DC_OK;
    dc_comm_min_i64(comm, &counted, 1);
    if (!counted) {
        give_up(s, "not enough memory to count classes and clusters");
        return DC_OK;
    }
    const dc_status st = compute(comm, s, &counts);
    dc_counts_release(&counts);
    if (st == DC_OK || st == DC_STOPPED) return st;
    give_up(s, dc_error_text());
    dc_error_clear();
    return DC_OK;
}

void dc_scoring_release(dc_scoring *s)
{
    dc_counter_destroy(&s->counter);
    dc_mem_free(&s->table);
}
