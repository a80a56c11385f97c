/* The quota of CPU time, in cores, that control groups set for this process, as in containers (`docker --cpus`): its
 * threads may use every core, but once the quota is spent, all of them stop until the period is over. */
#include <math.h>

#include "cgroup.h"
#include "dcmpi/threads.h"

static void lower(double *cores, double quota_us, double period_us)
{
    if (quota_us > 0 && period_us > 0) *cores = fmin(*cores, quota_us / period_us);
}

static bool look_at_version_1(const char *dir, void *cores)
{
    lower(cores, (double)dc_cgroup_number(dir, "cpu.cfs_quota_us", 0),
          (double)dc_cgroup_number(dir, "cpu.cfs_period_us", 0));
    return true;
}

/* cpu.max holds quota and period in us: "200000 100000", or "max 100000" without a quota. */
static bool look_at_version_2(const char *dir, void *cores)
{
    double quota, period;
    FILE *f = dc_cgroup_open(dir, "cpu.max");
    if (f && fscanf(f, "%lf %lf", &quota, &period) == 2) lower(cores, quota, period);
    if (f) fclose(f);
    return true;
}

double dc_threads_quota_under(const char *root)
{
    double cores = INFINITY;
    dc_cgroup_each(root, &(dc_cgroup_version){"cgroup", "cpu"}, look_at_version_1, &cores);
    dc_cgroup_each(root, &(dc_cgroup_version){"cgroup2", ""}, look_at_version_2, &cores);
    return cores;
}
