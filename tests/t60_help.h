/* Shared by the tests of scores: counts and scores of a table. */
#ifndef DCMPI_TESTS_T60_HELP_H
#define DCMPI_TESTS_T60_HELP_H

#include "check.h"
#include "dcmpi/mem.h"
#include "dcmpi/metrics.h"

/* The cells of table[C*K] that have rows. */
static inline dc_counts counts_of(const int64_t *table, int64_t K, int64_t C)
{
    dc_counts c = {.K = K, .C = C};
    CHECK_OK(dc_mem_alloc(&c.cell, (size_t)(K * C), sizeof *c.cell, "cells"));
    for (int64_t i = 0; i < K * C; i++)
        if (table[i])
            c.cell[c.n++] = (dc_cell){.class_ = (int32_t)(i / K), .cluster = (int32_t)(i % K), .rows = table[i]};
    return c;
}

static inline dc_scores scores_of(const int64_t *table, int64_t K, int64_t C)
{
    dc_scores s;
    dc_counts c = counts_of(table, K, C);
    CHECK_OK(dc_scores_local(&c, &s));
    dc_counts_release(&c);
    return s;
}

#endif
