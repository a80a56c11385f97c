/* Looks at how the job was started: a launcher that does not fit the MPI library, and cores against threads.
 *
 * A launcher that our MPI does not understand (another MPI's mpirun, srun without PMIx) starts N processes that are
 * each rank 0 of 1; they would all do the whole job and write the same files. MPI cannot tell, the launcher's
 * environment can. SLURM_NTASKS says nothing: it is set in batch scripts, too. */
#include <hwloc.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "comm_priv.h"
#include "dcmpi/log.h"

/* What launchers tell their processes. In order: mpirun inside a Slurm job starts its daemons by srun and passes their
 * variables on, so that what mpirun itself says comes first. */
static const struct {
    const char *size, *rank, *launcher, *advice;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "Open MPI's mpirun",
     "use the mpirun of the Open MPI that dcmpi was built with"},
    {"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MVAPICH's mpirun", "use Open MPI's mpirun"},
    {"PMI_SIZE", "PMI_RANK", "an MPICH-like mpirun or srun --mpi=pmi2", "use Open MPI's mpirun or srun --mpi=pmix"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun", "use srun --mpi=pmix or Open MPI's mpirun"},
};

/* The value of an environment variable as a number, -1 if there is none. */
static long number_in(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    if (text == NULL || *text == '\0') return -1;
    const long number = strtol(text, &end, 10);
    return *end == '\0' ? number : -1;
}

dc_status dc_comm_check_launch(dc_comm *comm)
{
    if (comm->size > 1) return DC_OK;
    for (size_t i = 0; i < DC_COUNT_OF(launchers); i++) {
        const long size = number_in(launchers[i].size), rank = number_in(launchers[i].rank);
        if (size < 0 || rank < 0) continue;
        if (size <= 1) return DC_OK;
        dc_log_set_active(rank == 0);
        return DC_FAIL(DC_ERR_USAGE,
                       "%ld processes but MPI size 1: each of the %ld processes of %s would do the whole job alone "
                       "(%s=%ld): %s",
                       size, size, launchers[i].launcher, launchers[i].size, size, launchers[i].advice);
    }
    return DC_OK;
}

bool dc_comm_is_launched(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(launchers); i++)
        if (number_in(launchers[i].size) >= 0 && number_in(launchers[i].rank) >= 0) return true;
    return false;
}

const char *dc_comm_library(void)
{
    static char name[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (MPI_Get_library_version(name, &length) != MPI_SUCCESS) return "unknown MPI";
    name[strcspn(name, ",\n")] = '\0'; /* Open MPI appends its build host and date */
    if (strncmp(name, "Open MPI v", 10) == 0) memmove(name + 9, name + 10, strlen(name + 10) + 1);
    return name;
}

enum { PLACE_THREADS_MAX = 4096 };

/* Adds the places of OpenMP: with OMP_PROC_BIND or OMP_PLACES the main thread is bound to the first of them when the
 * program is loaded, and its binding says nothing of the others. */
static void add_places(hwloc_cpuset_t allowed)
{
    int number[PLACE_THREADS_MAX]; /* of hardware threads, as the kernel counts them */
    for (int place = 0; place < omp_get_num_places(); place++) {
        const int n = omp_get_place_num_procs(place);
        if (n > PLACE_THREADS_MAX) continue;
        omp_get_place_proc_ids(place, number);
        for (int i = 0; i < n; i++) hwloc_bitmap_set(allowed, (unsigned)number[i]);
    }
}

/* Physical cores of which this process may use at least one hardware thread. */
static int cores_in_reach(hwloc_topology_t topology)
{
    hwloc_cpuset_t allowed = hwloc_bitmap_alloc();
    int cores = 0;
    if (allowed == NULL) return 0;
    const bool known = hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_PROCESS) == 0;
    add_places(allowed);
    if (known)
        for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != NULL;)
            cores += hwloc_bitmap_intersects(core->cpuset, allowed) != 0;
    hwloc_bitmap_free(allowed);
    return cores;
}

dc_binding dc_comm_binding(void)
{
    const int processors = omp_get_num_procs(); /* where hwloc finds no cores: hardware threads in reach */
    dc_binding binding = {.cores_allowed = processors, .threads = omp_get_max_threads(), .cores_machine = processors};
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0) return binding;
    if (hwloc_topology_load(topology) == 0) {
        const int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE), reach = cores_in_reach(topology);
        if (cores > 0 && reach > 0) binding.cores_machine = cores, binding.cores_allowed = reach;
    }
    hwloc_topology_destroy(topology);
    return binding;
}
