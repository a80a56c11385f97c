/* What the lists take. */
#include "dcmpi/topics.h"

#include "dcmpi/mem.h"

void dc_topics_release(dc_topics *t)
{
    dc_mem_free(&t->column);
    dc_mem_free(&t->weight);
    dc_mem_free(&t->term_rows);
    dc_mem_free(&t->coherence);
    dc_mem_free(&t->nearest);
    dc_mem_free(&t->furthest);
    dc_mem_free(&t->nearest_distance);
    dc_mem_free(&t->furthest_distance);
}

double dc_topics_held_bytes(int64_t K, int64_t terms, int64_t documents)
{
    return (double)K * (24 * (double)terms + 8 + 32 * (double)documents);
}
