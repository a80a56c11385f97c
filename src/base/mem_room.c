/* Finds how much memory is left, and what sets the limit: the node, the job's control group or a group above it, or
 * ulimit. The kernel grants memory beyond the limits of node and group and kills the job later, so one must check
 * beforehand.
 *
 * Control groups (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the kernel): version 1 has
 * memory.limit_in_bytes and memory.usage_in_bytes; version 2 has memory.max, memory.high (beyond it the group is slowed
 * down almost to a halt) and memory.current; a machine may mount both. Usage includes the page cache of files, which
 * the kernel gives up first; so it is subtracted, as in MemAvailable. The limits of all groups above a group apply too,
 * each to the usage of the group that sets it. A file that cannot be read sets no limit. */
#include "dcmpi/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cgroup.h"
#include "mem_kernel.h"

static void lower(dc_mem_room *room, uint64_t limit, uint64_t used, const char *fmt, const char *where)
{
    const size_t left = limit > used ? (size_t)(limit - used) : 0;
    if (left >= room->bytes) return;
    room->bytes = left;
    snprintf(room->limit, sizeof room->limit, fmt, where);
}

/* File names in the two versions; cache: the lines of memory.stat that include the groups below. */
static const struct version {
    dc_cgroup_version in;
    const char *limit[2], *used, *cache[2];
} versions[] = {
    {{"cgroup", "memory"},
     {"memory.limit_in_bytes", NULL},
     "memory.usage_in_bytes",
     {"total_inactive_file", "total_active_file"}},
    {{"cgroup2", ""}, {"memory.max", "memory.high"}, "memory.current", {"inactive_file", "active_file"}},
};

/* Version 1 writes "no limit" as the largest multiple of the page size, which is above this. */
static const uint64_t NO_LIMIT = UINT64_C(1) << 62;

/* The number after a name in memory.stat, or `otherwise`. */
static uint64_t stat_in(const char *dir, const char *name, uint64_t otherwise)
{
    char line[256], key[128];
    unsigned long long v;
    uint64_t value = otherwise;
    FILE *f = dc_cgroup_open(dir, "memory.stat");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%127s %19llu", key, &v) == 2 && strcmp(key, name) == 0) value = v;
    if (f) fclose(f);
    return value;
}

/* dir + skip: the group's name; in a test, without the test's root folder. */
static void look_at_group(const struct version *v, const char *dir, size_t skip, dc_mem_room *room)
{
    uint64_t limit = NO_LIMIT, used = dc_cgroup_number(dir, v->used, 0), cache = 0;
    for (size_t i = 0; i < DC_COUNT_OF(v->limit); i++)
        if (v->limit[i]) limit = DC_MIN(limit, dc_cgroup_number(dir, v->limit[i], NO_LIMIT));
    /* This includes groups that a container does not see; only version 1 has it. */
    limit = DC_MIN(limit, stat_in(dir, "hierarchical_memory_limit", NO_LIMIT));
    if (limit >= NO_LIMIT) return;
    for (size_t i = 0; i < DC_COUNT_OF(v->cache); i++) cache += stat_in(dir, v->cache[i], 0);
    used -= DC_MIN(used, cache);
    lower(room, limit, used, "within the job's memory limit (cgroup %s)", dir + skip);
}

typedef struct {
    const struct version *version;
    size_t skip; /* length of the root folder of a test */
    bool below;  /* a group further down was looked at before */
    dc_mem_room *room;
} search;

/* In version 1 a group may be set up so that its limit does not apply to the groups below. */
static bool look(const char *dir, void *arg)
{
    search *s = arg;
    if (s->below && dc_cgroup_number(dir, "memory.use_hierarchy", 1) == 0) return false;
    look_at_group(s->version, dir, s->skip, s->room);
    s->below = true;
    return true;
}

/* ---- Room -------------------------------------------------------------------------------------------------------- */

void dc_mem_room_under(const char *root, dc_mem_room *out)
{
    char meminfo[DC_PATH_MAX];
    *out = (dc_mem_room){.bytes = SIZE_MAX};
    snprintf(meminfo, sizeof meminfo, "%s/proc/meminfo", root);
    const size_t node = dc_mem_kernel_bytes(meminfo, "MemAvailable");
    if (node) lower(out, node, 0, "%s", "on the node");
    for (size_t i = 0; i < DC_COUNT_OF(versions); i++) {
        search s = {.version = &versions[i], .skip = strlen(root), .room = out};
        dc_cgroup_each(root, &versions[i].in, look, &s);
    }
}

void dc_mem_room_of_node(dc_mem_room *out)
{
    dc_mem_room_under("", out);
}

void dc_mem_room_of_process(dc_mem_room *out)
{
    static const struct {
        int resource;
        const char *used, *name;
    } limits[] = {{RLIMIT_AS, "VmSize", "ulimit -v"}, {RLIMIT_DATA, "VmData", "ulimit -d"}};
    struct rlimit r;
    *out = (dc_mem_room){.bytes = SIZE_MAX};
    for (size_t i = 0; i < DC_COUNT_OF(limits); i++)
        if (getrlimit(limits[i].resource, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
            lower(out, r.rlim_cur, dc_mem_kernel_bytes("/proc/self/status", limits[i].used), "within %s",
                  limits[i].name);
}

size_t dc_mem_available_bytes(int sharers)
{
    dc_mem_room node, process;
    dc_mem_room_of_node(&node);
    dc_mem_room_of_process(&process);
    return DC_MIN(node.bytes / (size_t)DC_MAX(sharers, 1), process.bytes);
}
