/* Start and end of MPI, the place of each rank in the job, and the error policy.
 *
 * MPI_COMM_WORLD is duplicated, so that messages of other libraries cannot mix with ours. The duplicate returns errors
 * (MPI_ERRORS_RETURN), so that we can name the call that failed. Ranks cannot agree on an MPI error, because agreement
 * needs MPI; so the rank that has the error prints it and aborts the job. The collectives are in collective.c. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm_priv.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/watchdog.h"

enum { PIECE_BYTES = 1 << 30 };

static void abort_job(void)
{
    MPI_Abort(MPI_COMM_WORLD, DC_ERR_INTERNAL);
}

static dc_status start_mpi(void)
{
    int running = 0, level = 0;
    MPI_Initialized(&running);
    if (running) return DC_FAIL(DC_ERR_INTERNAL, "MPI was started twice in one process");
    /* Open MPI 4.1's "lockedfile" module for shared file pointers, which we do not use, kills the process on paths of
     * 240 bytes. */
    setenv("OMPI_MCA_sharedfp", "^lockedfile", 0);
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    if (level >= MPI_THREAD_FUNNELED) return DC_OK;
    MPI_Finalize();
    return DC_FAIL(DC_ERR_USAGE,
                   "this MPI library gives thread level %d, but MPI_THREAD_FUNNELED (%d) is needed: use an MPI that is "
                   "built with thread support",
                   level, MPI_THREAD_FUNNELED);
}

/* Finds this rank's place among the ranks that share its memory, and the number of such groups. */
static void find_node(dc_comm *comm)
{
    MPI_Comm node;
    DC_MPI(comm, MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node));
    DC_MPI(comm, MPI_Comm_rank(node, &comm->node_rank));
    DC_MPI(comm, MPI_Comm_size(node, &comm->node_size));
    DC_MPI(comm, MPI_Comm_free(&node));
    comm->node_count = comm->node_rank == 0;
    DC_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, &comm->node_count, 1, MPI_INT, MPI_SUM, comm->mpi));
}

static dc_status take_tables(dc_comm *comm)
{
    const size_t P = (size_t)comm->size;
    dc_status st = DC_OK;
    if (comm->is_world) DC_TRY(dc_fault_start(comm->rank));
    DC_TRY(dc_mem_alloc(&comm->per_rank, P, sizeof *comm->per_rank, "rank table"));
    DC_TRY(dc_mem_alloc(&comm->counts, 2 * P, sizeof *comm->counts, "rank table"));
out:
    return st;
}

static dc_status allocate(dc_comm **out)
{
    const dc_status st = dc_mem_alloc(out, 1, sizeof **out, "communicator");
    if (st != DC_OK) return st;
    dc_comm *comm = *out;
    comm->mpi = MPI_COMM_NULL;
    comm->piece_bytes = PIECE_BYTES;
    comm->file = "?";
    gethostname(comm->host, sizeof comm->host - 1);
    return DC_OK;
}

/* Sets all that depends on this rank's place in comm->mpi, which `comm` owns. */
static dc_status settle(dc_comm *comm)
{
    MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN);
    DC_MPI(comm, MPI_Comm_rank(comm->mpi, &comm->rank));
    DC_MPI(comm, MPI_Comm_size(comm->mpi, &comm->size));
    if (comm->is_world) dc_log_set_active(comm->rank == 0);
    find_node(comm);
    return dc_agree(comm, take_tables(comm));
}

dc_status dc_comm_create(dc_comm **out)
{
    dc_comm *comm = NULL;
    dc_status st = DC_OK;
    *out = NULL;
    DC_TRY(allocate(&comm));
    DC_TRY(start_mpi());
    comm->is_world = true;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm->mpi);
    dc_assert_set_handler(abort_job);
    *out = comm;
    return settle(comm);
out:
    dc_mem_free(&comm);
    return st;
}

dc_status dc_comm_split(dc_comm *comm, int group, dc_comm **out)
{
    dc_comm *part = NULL;
    const dc_status st = dc_agree(comm, allocate(&part));
    *out = NULL;
    if (st != DC_OK) {
        dc_mem_free(&part);
        return st;
    }
    DC_MPI(comm, MPI_Comm_split(comm->mpi, group, comm->rank, &part->mpi));
    part->binding = comm->binding;
    part->piece_bytes = comm->piece_bytes;
    *out = part;
    return dc_agree(comm, settle(part));
}

void dc_comm_destroy(dc_comm **comm)
{
    dc_comm *c = *comm;
    if (!c) return;
    if (c->is_world) dc_watchdog_stop(c);
    MPI_Comm_free(&c->mpi);
    if (c->is_world) MPI_Finalize();
    if (c->is_world) dc_assert_set_handler(NULL);
    dc_mem_free(&c->per_rank);
    dc_mem_free(&c->counts);
    dc_mem_free(comm);
}

_Noreturn void dc_comm_abort(dc_comm *comm, dc_status st)
{
    dc_comm_barrier(comm);
    MPI_Abort(comm->mpi, (int)st);
    _Exit((int)st);
}

int dc_comm_rank(const dc_comm *comm)
{
    return comm->rank;
}
int dc_comm_size(const dc_comm *comm)
{
    return comm->size;
}
int dc_comm_node_rank(const dc_comm *comm)
{
    return comm->node_rank;
}
int dc_comm_node_size(const dc_comm *comm)
{
    return comm->node_size;
}
int dc_comm_node_count(const dc_comm *comm)
{
    return comm->node_count;
}
const char *dc_comm_host(const dc_comm *comm)
{
    return comm->host;
}
MPI_Comm dc_comm_mpi(const dc_comm *comm)
{
    return comm->mpi;
}

void dc_comm_set_piece_bytes(dc_comm *comm, size_t bytes)
{
    DC_ASSERT(bytes >= 16 && bytes <= PIECE_BYTES);
    comm->piece_bytes = bytes;
}

void dc_mpi_failed(const dc_comm *comm, int mpi_code, const char *call, const char *file, int line)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown MPI error";
    int length = 0;
    MPI_Error_string(mpi_code, text, &length);
    fprintf(stderr, "dcmpi: ERROR: [rank %d %s] %.*s failed: %s (%s:%d)%s\n", comm->rank, comm->host,
            (int)strcspn(call, "("), call, text, file, line, dc_fault_mark());
    fflush(stderr);
    MPI_Abort(comm->mpi, DC_ERR_INTERNAL);
    _Exit(DC_ERR_INTERNAL);
}
