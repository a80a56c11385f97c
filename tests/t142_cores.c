/* Cores, threads and binding of ranks that are not bound: which ranks share cores, how many threads each gets, and
 * where the threads go. OpenMP reads its variables when the program is loaded, so the test starts itself again with
 * those of the case whose number is given (tests/t803_cores.sh starts ranks with each). */
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/cores.h"
#include "dcmpi/threads.h"

typedef struct {
    const char *name, *threads, *bind, *queue_job;
} setting;

static const setting settings[] = {
    {"nothing is set", NULL, NULL, NULL},
    {"a number of threads", "3", NULL, NULL},
    {"all ranks bound to the same cores", NULL, "true", NULL},
    {"more threads than cores, bound", "9", "close", NULL},
    {"in a job of a queue", NULL, NULL, "17"},
};

static void set_or_forget(const char *variable, const char *value)
{
    if (value)
        setenv(variable, value, 1);
    else
        unsetenv(variable);
}

static void start_with(const setting *s, char **argv, const char *number)
{
    set_or_forget("OMP_NUM_THREADS", s->threads);
    set_or_forget("OMP_PROC_BIND", s->bind);
    set_or_forget("SLURM_JOB_ID", s->queue_job);
    unsetenv("OMP_PLACES");
    unsetenv("GOMP_CPU_AFFINITY");
    unsetenv("PBS_JOBID");
    unsetenv("LSB_JOBID");
    unsetenv("JOB_ID");
    execl(argv[0], argv[0], number, "go", (char *)NULL);
}

/* Hardware threads that this thread may use. */
static int count_own(cpu_set_t *own)
{
    CPU_ZERO(own);
    return sched_getaffinity(0, sizeof *own, own) == 0 ? CPU_COUNT(own) : 0;
}

/* No two threads of the node may share a core, whether of this rank or of others. */
static void check_apart(dc_comm *comm)
{
    cpu_set_t all = {0};
    int64_t sum = 0;
#pragma omp parallel
#pragma omp critical
    {
        cpu_set_t own;
        sum += count_own(&own);
        CPU_OR(&all, &all, &own);
    }
    CHECK_INT(CPU_COUNT(&all), sum);
    cpu_set_t of_ranks[3], any = {0};
    dc_comm_allgatherv(comm, &all, of_ranks, (const size_t[]){sizeof all, sizeof all, sizeof all});
    for (int r = 0; r < dc_comm_size(comm); r++) CPU_OR(&any, &any, &of_ranks[r]);
    dc_comm_sum_i64(comm, &sum, 1);
    CHECK_INT(CPU_COUNT(&any), sum);
}

static void check_free(const dc_binding *b)
{
    cpu_set_t own;
    CHECK(count_own(&own) >= b->cores_allowed);
}

static void check_case(dc_comm *comm, const setting *s)
{
    const int P = dc_comm_size(comm);
    CHECK_OK(dc_cores_share(comm));
    dc_threads_init();
    CHECK_OK(dc_cores_pin(comm, true));
    const dc_binding b = dc_cores_binding(comm);
    printf("# [rank %d] %s: %d threads on %d of %d cores, quota %g, shared by %d%s\n", dc_comm_rank(comm), s->name,
           b.threads, b.cores_allowed, b.cores_machine, b.quota, b.sharers, b.pinned ? ", pinned" : "");
    CHECK(b.cores_allowed >= 1 && b.cores_allowed <= b.cores_machine);
    CHECK_INT(b.sharers, P);
    CHECK_INT(b.before, dc_comm_rank(comm));
    CHECK(b.alike && b.quota > 0);
    CHECK_INT(b.threads, omp_get_max_threads());
    CHECK(b.chosen == !s->threads);
    if (b.chosen && isinf(b.quota))
        CHECK_INT(b.threads, DC_MAX(1, b.cores_allowed / P));
    else if (s->threads)
        CHECK_INT(b.threads, atoi(s->threads));
    CHECK(b.piled_up == (s->bind && P > 1));
    const bool fits = b.threads * P <= b.cores_allowed, full = b.threads * P == b.cores_allowed && b.cores_allowed > 1;
    CHECK(b.pinned == (b.piled_up ? fits : s->queue_job && full));
    if (b.pinned)
        check_apart(comm);
    else if (!s->bind || b.piled_up)
        check_free(&b);
}

/* Quotas of made-up control groups, those above included. */
static void put(const char *root, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0);
    if (f) fclose(f);
}

static void check_quotas(void)
{
    char root[CHECK_PATH_MAX], path[512];
    CHECK(mkdtemp(check_temporary(root)));
    const char *const dirs[] = {"proc", "proc/self", "v1", "v1/outer", "v1/outer/job", "v2", "v2/job"};
    for (size_t i = 0; i < DC_COUNT_OF(dirs); i++) {
        snprintf(path, sizeof path, "%s/%s", root, dirs[i]);
        CHECK_INT(mkdir(path, 0700), 0);
    }
    put(root, "proc/self/mountinfo",
        "35 31 0:32 / /v1 rw - cgroup cgroup rw,cpu,cpuacct\n36 31 0:33 / /v2 rw - cgroup2 cgroup2 rw\n");
    put(root, "proc/self/cgroup", "4:cpu,cpuacct:/outer/job\n0::/job\n");
    CHECK(isinf(dc_threads_quota_under(root)));
    put(root, "v1/outer/job/cpu.cfs_quota_us", "-1\n");
    put(root, "v1/outer/job/cpu.cfs_period_us", "100000\n");
    CHECK(isinf(dc_threads_quota_under(root)));
    put(root, "v1/outer/cpu.cfs_quota_us", "350000\n");
    put(root, "v1/outer/cpu.cfs_period_us", "100000\n");
    CHECK(dc_threads_quota_under(root) == 3.5);
    put(root, "v2/job/cpu.max", "max 100000\n");
    CHECK(dc_threads_quota_under(root) == 3.5);
    put(root, "v2/job/cpu.max", "150000 100000\n");
    CHECK(dc_threads_quota_under(root) == 1.5);
    snprintf(path, sizeof path, "rm -r %s", root);
    CHECK_INT(system(path), 0);
}

int main(int argc, char **argv)
{
    const size_t number = argc > 1 ? (size_t)atoi(argv[1]) : 0;
    dc_comm *comm;
    if (number >= DC_COUNT_OF(settings)) return 2;
    if (argc < 3) start_with(&settings[number], argv, argc > 1 ? argv[1] : "0");
    if (argc < 3 || dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_case(comm, &settings[number]);
    if (dc_comm_rank(comm) == 0 && number == 0) check_quotas();
    return check_done_all(&comm);
}
