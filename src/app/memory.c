/* Checks whether there is enough memory for a job, before it allocates anything large. Without this check the kernel
 * would grant the memory and later kill the job without a message. */
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "job.h"

static dc_status compare(const dc_memory_need *need, bool root, int ranks, const dc_mem_room *room, const char *who,
                         const char *advice)
{
    /* What the program already holds is part of `all` and is not needed again. */
    const double held = (double)dc_mem_resident_bytes() * ranks;
    const double all = need->rank_bytes * ranks + (root ? need->root_bytes : 0);
    if (all - held <= (double)room->bytes) return DC_OK;
    return DC_FAIL(DC_ERR_MEMORY, "%s about %.2f GiB, of which %.2f are held already, and %.2f GiB are left %s; use %s",
                   who, all / 0x1p30, held / 0x1p30, (double)room->bytes / 0x1p30, room->limit, advice);
}

static dc_status check_here(dc_comm *comm, const dc_memory_need *need, const char *advice)
{
    char who[128], what[256];
    dc_mem_room node, process;
    const int ranks = dc_comm_node_size(comm);
    const bool root = dc_comm_rank(comm) == 0;
    dc_mem_room_of_node(&node);
    dc_mem_room_of_process(&process);
    snprintf(what, sizeof what, "%s, more ranks, or a higher limit", advice);
    const dc_memory_need mapped = {.rank_bytes = need->rank_bytes + need->address_bytes,
                                   .root_bytes = need->root_bytes};
    const dc_status st = compare(&mapped, root, 1, &process, "each rank needs", what);
    if (st != DC_OK) return st;
    snprintf(what, sizeof what, "%s, more nodes, fewer ranks per node, or more memory", advice);
    snprintf(who, sizeof who, "%d rank%s on node %.64s need%s", ranks, ranks == 1 ? "" : "s", dc_comm_host(comm),
             ranks == 1 ? "s" : "");
    return compare(need, root, ranks, &node, who, what);
}

dc_status dc_job_name_limit(dc_status st, const char *advice)
{
    dc_mem_room process;
    if (st != DC_ERR_MEMORY) return st;
    dc_mem_room_of_process(&process);
    if (process.bytes == SIZE_MAX) return st;
    dc_error_clear();
    return DC_FAIL(st, "each rank needs more than the %.2f GiB that are left %s; use %s, more ranks, or a higher limit",
                   (double)process.bytes / 0x1p30, process.limit, advice);
}

dc_status dc_job_check_memory(dc_comm *comm, const dc_memory_need *need, const char *advice)
{
    return dc_agree(comm, check_here(comm, need, advice));
}
