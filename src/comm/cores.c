/* Finds which cores of the node this rank may use, which other ranks may use them too, and how many threads that
 * allows; binds the threads. Open MPI binds each rank to a core if there are at most two ranks, else to a socket, which
 * the ranks then share; srun, containers and `--bind-to none` do otherwise. So the ranks of a node tell each other
 * which cores they may use. */
#include "dcmpi/cores.h"

#include <hwloc.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "comm_priv.h"
#include "dcmpi/mem.h"
#include "dcmpi/queue.h"
#include "dcmpi/threads.h"

enum { PLACE_THREADS_MAX = 4096, WORDS = 128 /* each for 64 hardware threads */ };

typedef uint64_t cpu_set[WORDS];

/* Adds OpenMP's places. With OMP_PROC_BIND or OMP_PLACES, the main thread is bound to the first place when the program
 * is loaded, so its binding does not show the other places. */
static void add_places(hwloc_cpuset_t allowed)
{
    int number[PLACE_THREADS_MAX]; /* hardware threads, numbered as in the kernel */
    for (int place = 0; place < omp_get_num_places(); place++) {
        const int n = omp_get_place_num_procs(place);
        if (n > PLACE_THREADS_MAX) continue;
        omp_get_place_proc_ids(place, number);
        for (int i = 0; i < n; i++) hwloc_bitmap_set(allowed, (unsigned)number[i]);
    }
}

static void to_words(hwloc_const_bitmap_t from, cpu_set to)
{
    _Static_assert(sizeof(unsigned long) == sizeof(uint64_t), "words of hwloc");
    for (unsigned i = 0; i < WORDS; i++) to[i] = hwloc_bitmap_to_ith_ulong(from, i);
}

static bool meet(const cpu_set a, const cpu_set b)
{
    for (int i = 0; i < WORDS; i++)
        if (a[i] & b[i]) return true;
    return false;
}

/* Counts the physical cores of which this process may use at least one hardware thread. sets[i] gets the usable
 * hardware threads of the i-th such core, in the machine's order; `sets` may be NULL. */
static int cores_in(hwloc_topology_t topology, hwloc_const_cpuset_t allowed, cpu_set *sets)
{
    int cores = 0;
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != NULL;) {
        if (!hwloc_bitmap_intersects(core->cpuset, allowed)) continue;
        hwloc_bitmap_t own = sets ? hwloc_bitmap_alloc() : NULL;
        if (own) {
            hwloc_bitmap_and(own, core->cpuset, allowed);
            to_words(own, sets[cores]);
            hwloc_bitmap_free(own);
        }
        cores++;
    }
    return cores;
}

/* Calls f with the topology and the hardware threads that this process may use. Returns false if hwloc does not know
 * them. */
typedef void with_topology(hwloc_topology_t topology, hwloc_const_cpuset_t allowed, void *arg);
static bool look(with_topology *f, void *arg)
{
    hwloc_topology_t topology;
    bool known = false;
    if (hwloc_topology_init(&topology) != 0) return false;
    hwloc_cpuset_t allowed = hwloc_bitmap_alloc();
    if (allowed && hwloc_topology_load(topology) == 0 &&
        hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_PROCESS) == 0) {
        known = true;
        add_places(allowed);
        f(topology, allowed, arg);
    }
    hwloc_bitmap_free(allowed);
    hwloc_topology_destroy(topology);
    return known;
}

typedef struct {
    dc_binding *binding;
    uint64_t *allowed; /* [WORDS] */
} what_is_allowed;

static void count_cores(hwloc_topology_t topology, hwloc_const_cpuset_t allowed, void *arg)
{
    const what_is_allowed *w = arg;
    const int machine = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE), reach = cores_in(topology, allowed, NULL);
    to_words(allowed, w->allowed);
    if (machine > 0 && reach > 0) w->binding->cores_machine = machine, w->binding->cores_allowed = reach;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

/* Counts the ranks of this node that may use some of our cores, and how many of these ranks come before us. */
static dc_status count_sharers(dc_comm *comm, const cpu_set allowed, dc_binding *b)
{
    dc_status st = DC_OK;
    MPI_Comm node;
    cpu_set *all = NULL;
    DC_MPI(comm, MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node));
    DC_TRY_ALL(comm, dc_mem_alloc(&all, (size_t)comm->node_size, sizeof *all, "cores of the ranks"));
    DC_MPI(comm, MPI_Allgather(allowed, WORDS, MPI_UINT64_T, all, WORDS, MPI_UINT64_T, node));
    b->alike = true;
    for (int r = 0; r < comm->node_size; r++) {
        if (!meet(all[r], allowed)) continue;
        b->sharers += r != comm->node_rank;
        b->before += r < comm->node_rank;
        b->alike = b->alike && memcmp(all[r], allowed, sizeof all[r]) == 0;
    }
out:
    DC_MPI(comm, MPI_Comm_free(&node));
    dc_mem_free(&all);
    return st;
}

static int threads_for(const dc_binding *b, int node_size)
{
    const double share = fmin(b->cores_allowed / (double)b->sharers, b->quota / node_size);
    return (int)fmax(1, floor(share));
}

dc_status dc_cores_share(dc_comm *comm)
{
    dc_status st = DC_OK;
    cpu_set allowed = {0};
    const int processors = omp_get_num_procs(); /* hardware threads we may use; counts if hwloc finds no cores */
    dc_binding b = {.cores_allowed = processors, .cores_machine = processors, .sharers = 1};
    look(count_cores, &(what_is_allowed){&b, allowed});
    b.quota = dc_threads_quota_under("");
    DC_TRY(count_sharers(comm, allowed, &b));
    b.chosen = !is_set("OMP_NUM_THREADS");
    if (b.chosen) omp_set_num_threads(threads_for(&b, comm->node_size));
    b.threads = omp_get_max_threads();
    comm->binding = b;
out:
    return st;
}

dc_binding dc_cores_binding(const dc_comm *comm)
{
    return comm->binding;
}

/* ---- Binding of threads ------------------------------------------------------------------------------------------ */

/* Whether OpenMP has bound the threads. It binds them to the same cores in every rank. */
static bool bound_by_openmp(void)
{
    const char *policy = getenv("OMP_PROC_BIND");
    return (policy && *policy && strcasecmp(policy, "false") != 0) || is_set("OMP_PLACES") ||
           is_set("GOMP_CPU_AFFINITY");
}

/* Whether a launcher, a container or the queue gave our cores to this job, with exactly one for each thread. */
static bool owns_cores(const dc_binding *b)
{
    const bool given = b->cores_allowed < b->cores_machine || dc_queue_job()[0];
    return given && b->alike && b->threads * b->sharers == b->cores_allowed;
}

typedef struct {
    dc_binding *binding;
    bool spread; /* each thread is bound to its own core; false: every thread to all cores */
    dc_status st;
} wish;

static void bind_threads(hwloc_topology_t topology, hwloc_const_cpuset_t allowed, void *arg)
{
    wish *w = arg;
    const dc_binding *b = w->binding;
    const size_t T = (size_t)b->threads;
    cpu_set *cores = NULL;
    w->st = dc_mem_alloc(&cores, (size_t)b->cores_allowed + T, sizeof *cores, "cores of the threads");
    if (w->st != DC_OK) return;
    if (cores_in(topology, allowed, NULL) == b->cores_allowed) {
        cores_in(topology, allowed, cores);
        const cpu_set *sets = cores + (size_t)b->before * T;
        if (!w->spread) {
            for (size_t t = 0; t < T; t++) to_words(allowed, cores[t]);
            sets = cores;
        }
        w->binding->pinned = dc_threads_bind(sets[0], (int)T, WORDS) && w->spread;
    }
    dc_mem_free(&cores);
}

dc_status dc_cores_pin(dc_comm *comm, bool automatic)
{
    dc_binding *b = &comm->binding;
    wish w = {.binding = b, .st = DC_OK};
    const bool piled_up = bound_by_openmp() && b->sharers > 1;
    w.spread = b->alike && b->threads * b->sharers <= b->cores_allowed;
    b->piled_up = piled_up;
    if (piled_up || (automatic && !bound_by_openmp() && owns_cores(b) && b->cores_allowed > 1)) look(bind_threads, &w);
    return dc_agree(comm, w.st);
}
