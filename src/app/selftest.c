/* `dcmpi selftest`: is this machine, with this build and these libraries, fit for a job? Takes half a minute, on any
 * number of ranks.
 *
 * The table below is the whole test. A check that fails does not stop the others; the exit code is the highest of the
 * failed rows: 5 if numbers are wrong, else 4 if files are, else 2 if the job was started wrongly. */
#include "selftest.h"

#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/h5.h"
#include "dcmpi/la.h"
#include "dcmpi/log.h"
#include "dcmpi/version.h"
#include "verbs.h"

#define MACHINE "machine"
#define GEMM "matrix products (784-500-500-2000-10, 256 rows per rank, all ranks at once)"
#define NUMBERS "numbers"
#define STRICT "parallel.reproducible = strict"
#define MESSAGES "messages"
#define FILES "files"

static const dc_selftest_check table[] = {
    {MACHINE, "program", DC_ERR_USAGE, dc_selftest_program, 0},
    {MACHINE, "CPU", DC_ERR_USAGE, dc_selftest_cpu, 0},
    {MACHINE, "cores and threads", DC_ERR_USAGE, dc_selftest_cores, 0},
    {MACHINE, "clock", DC_ERR_USAGE, dc_selftest_clock, 0},
    {MACHINE, "memory", DC_ERR_USAGE, dc_selftest_memory, 0},
    {MACHINE, "/dev/shm", DC_ERR_USAGE, dc_selftest_shm, 0},
    {MACHINE, "BLAS kernels", DC_ERR_USAGE, dc_selftest_blas, 0},
    {MACHINE, "FMA peak", DC_ERR_USAGE, dc_selftest_peak, 0},
    {GEMM, "layer 784-500", DC_ERR_NUMERIC, dc_selftest_gemm, 0},
    {GEMM, "layer 500-500", DC_ERR_NUMERIC, dc_selftest_gemm, 1},
    {GEMM, "layer 500-2000", DC_ERR_NUMERIC, dc_selftest_gemm, 2},
    {GEMM, "layer 2000-10", DC_ERR_NUMERIC, dc_selftest_gemm, 3},
    {GEMM, "all shapes", DC_ERR_NUMERIC, dc_selftest_gemm_all, 0},
    {GEMM, "bits over threads", DC_ERR_NUMERIC, dc_selftest_thread_bits, 0},
    {GEMM, "bits over rows", DC_ERR_NUMERIC, dc_selftest_row_bits, 0},
    {NUMBERS, "random numbers", DC_ERR_NUMERIC, dc_selftest_rng, 0},
    {NUMBERS, "canonical sum", DC_ERR_NUMERIC, dc_selftest_canonical_sum, 0},
    {NUMBERS, "network gradient", DC_ERR_NUMERIC, dc_selftest_net_gradient, 0},
    {NUMBERS, "DEC gradient", DC_ERR_NUMERIC, dc_selftest_kl_gradient, 0},
    {STRICT, "training tiles", DC_ERR_NUMERIC, dc_selftest_training_tiles, 0},
    {STRICT, "shard tree", DC_ERR_NUMERIC, dc_selftest_shard_tree, 0},
    {STRICT, "cost", DC_ERR_NUMERIC, dc_selftest_cost_of_strict, 0},
    {MESSAGES, "Allreduce 8 B", DC_ERR_NUMERIC, dc_selftest_latency, 0},
    {MESSAGES, "Allreduce 13.3 MB", DC_ERR_NUMERIC, dc_selftest_bandwidth, 0},
    {MESSAGES, "equal replicas", DC_ERR_NUMERIC, dc_selftest_replicas, 0},
    {FILES, "directory", DC_ERR_IO, dc_selftest_directory, 0},
    {FILES, "parallel HDF5", DC_ERR_IO, dc_selftest_hdf5, 0},
    {FILES, "full disk", DC_ERR_IO, dc_selftest_full_disk, 0},
};

/* ---- The verb ---------------------------------------------------------------------------------------------------- */

static dc_status parse(int argc, char **argv, dc_selftest *t)
{
    static const char usage[] = "usage: dcmpi selftest [--dir=DIR] [--full-disk=DIR]";
    enum { NAMES_MAX = 64 }; /* room for the names of files in a directory */
    for (int i = 1; i < argc; i++) {
        const char **option = strncmp(argv[i], "--dir=", 6) == 0          ? &t->dir
                              : strncmp(argv[i], "--full-disk=", 12) == 0 ? &t->full_disk
                                                                          : NULL;
        if (!option) return DC_FAIL(DC_ERR_USAGE, "selftest: unknown argument '%s'; %s", argv[i], usage);
        *option = strchr(argv[i], '=') + 1;
        if (!**option || strlen(*option) > DC_PATH_MAX - NAMES_MAX)
            return DC_FAIL(DC_ERR_USAGE, "selftest: %.12s... needs the name of a directory; %s", argv[i], usage);
    }
    return DC_OK;
}

static void print_head(const dc_comm *comm, const dc_selftest *t)
{
    char la[256];
    const int nodes = dc_comm_node_count(comm), ranks = dc_comm_size(comm), threads = t->binding.threads;
    dc_la_describe(la, sizeof la);
    dc_log_plain("dcmpi %s selftest; %s; HDF5 %s; %s", dc_version(), la, dc_h5_version(), dc_comm_library());
    dc_log_plain("%d node%s, %d rank%s x %d thread%s; files in %s", nodes, nodes == 1 ? "" : "s", ranks,
                 ranks == 1 ? "" : "s", threads, threads == 1 ? "" : "s", t->dir);
    fflush(stdout);
}

dc_status dc_verb_selftest(dc_comm *comm, const dc_cli *cli)
{
    dc_status st = DC_OK;
    dc_selftest t = {.dir = "."};
    DC_TRY(dc_comm_check_launch(comm));
    DC_TRY_ALL(comm, dc_version_check_cpu());
    DC_TRY_ALL(comm, parse(cli->rest_argc, cli->rest_argv, &t));
    const bool may_fill = dc_comm_rank(comm) == 0 && t.full_disk;
    DC_TRY_ALL(comm, may_fill ? dc_selftest_check_small(t.full_disk) : DC_OK);
    DC_TRY(dc_cores_pin(comm, true));
    t.binding = dc_cores_binding(comm);
    print_head(comm, &t);
    st = dc_selftest_run(comm, &t, table, (int)DC_COUNT_OF(table));
out:
    return st;
}
