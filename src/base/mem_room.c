/* How much memory is left, and what sets the limit: the node, the control group of the job or one above it, ulimit. The
 * kernel hands out memory beyond the first two and ends the job later, so that one must ask before.
 *
 * Control groups (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the kernel): version 1 has
 * memory.limit_in_bytes and memory.usage_in_bytes, version 2 memory.max, memory.high (beyond which the group is slowed
 * down until nothing moves) and memory.current; a machine may mount both. Use counts the page cache of files, which the
 * kernel gives up first; it is taken off, as in MemAvailable. A group is bound by those above it, each with its own
 * use. What cannot be read sets no limit. */
#include "dcmpi/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mem_kernel.h"

enum { LINE_MAX_CHARS = 8192 };

static void lower(dc_mem_room *room, uint64_t limit, uint64_t used, const char *fmt, const char *where)
{
    const size_t left = limit > used ? (size_t)(limit - used) : 0;
    if (left >= room->bytes) return;
    room->bytes = left;
    snprintf(room->limit, sizeof room->limit, fmt, where);
}

/* ---- Files of a group -------------------------------------------------------------------------------------------- */

/* What the two versions call things; cache: the lines of memory.stat that sum over the groups below. */
static const struct version {
    const char *type, *controller; /* file system; among its options, "" for version 2 */
    const char *limit[2], *used, *cache[2];
} versions[] = {
    {"cgroup",
     "memory",
     {"memory.limit_in_bytes", NULL},
     "memory.usage_in_bytes",
     {"total_inactive_file", "total_active_file"}},
    {"cgroup2", "", {"memory.max", "memory.high"}, "memory.current", {"inactive_file", "active_file"}},
};

/* Version 1 says "no limit" by the largest multiple of a page. */
static const uint64_t NO_LIMIT = UINT64_C(1) << 62;

static FILE *open_in(const char *dir, const char *name)
{
    char path[DC_PATH_MAX];
    return (size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path ? fopen(path, "re") : NULL;
}

/* The number in a file, or `otherwise`: no file, "max", no number. */
static uint64_t number_in(const char *dir, const char *name, uint64_t otherwise)
{
    char line[64] = "";
    FILE *f = open_in(dir, name);
    if (!f) return otherwise;
    const bool read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    const size_t digits = strspn(line, "0123456789");
    if (!read || digits == 0 || digits > 19 || line[digits + strspn(line + digits, "\n")] != '\0') return otherwise;
    return strtoull(line, NULL, 10);
}

/* The number behind a name in memory.stat, or `otherwise`. */
static uint64_t stat_in(const char *dir, const char *name, uint64_t otherwise)
{
    char line[256], key[128];
    unsigned long long v;
    uint64_t value = otherwise;
    FILE *f = open_in(dir, "memory.stat");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%127s %19llu", key, &v) == 2 && strcmp(key, name) == 0) value = v;
    if (f) fclose(f);
    return value;
}

/* dir[skip]: the name without the root of a test. */
static void look_at_group(const struct version *v, const char *dir, size_t skip, dc_mem_room *room)
{
    uint64_t limit = NO_LIMIT, used = number_in(dir, v->used, 0), cache = 0;
    for (size_t i = 0; i < DC_COUNT_OF(v->limit); i++)
        if (v->limit[i]) limit = DC_MIN(limit, number_in(dir, v->limit[i], NO_LIMIT));
    /* Of groups that a container does not see: version 1 alone tells. */
    limit = DC_MIN(limit, stat_in(dir, "hierarchical_memory_limit", NO_LIMIT));
    if (limit >= NO_LIMIT) return;
    for (size_t i = 0; i < DC_COUNT_OF(v->cache); i++) cache += stat_in(dir, v->cache[i], 0);
    used -= DC_MIN(used, cache);
    lower(room, limit, used, "within the job's memory limit (cgroup %s)", dir + skip);
}

/* ---- Where the group is ------------------------------------------------------------------------------------------ */

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
        if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0')) return true;
    return false;
}

/* This process's group in a hierarchy, from lines "4:memory:/path" and "0::/path". */
static bool find_group(const char *root, const struct version *v, char group[DC_PATH_MAX])
{
    char line[LINE_MAX_CHARS];
    bool found = false;
    FILE *f = open_in(root, "proc/self/cgroup");
    while (f && !found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        controllers++;
        found = v->controller[0] ? has_word(controllers, v->controller) : controllers[0] == '\0';
        found = found && (size_t)snprintf(group, DC_PATH_MAX, "%s", path) < DC_PATH_MAX;
    }
    if (f) fclose(f);
    return found;
}

/* "\040" and the like, in place. */
static void unescape(char *s)
{
    char *to = s;
    for (const char *from = s; *from; from++) {
        unsigned code;
        if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
            *to++ = (char)code;
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Where the hierarchy is mounted, and which of its groups is there, from lines
 * "35 31 0:32 /group /mount rw,relatime ... - cgroup cgroup rw,memory". */
static bool find_mount(const char *root, const struct version *v, char mount[DC_PATH_MAX], char top[DC_PATH_MAX])
{
    char line[LINE_MAX_CHARS], type[32], options[1024];
    bool found = false;
    FILE *f = open_in(root, "proc/self/mountinfo");
    while (f && !found && fgets(line, sizeof line, f)) {
        const char *rest = strstr(line, " - ");
        _Static_assert(DC_PATH_MAX > 4095, "the widths below");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, mount) != 2) continue;
        if (sscanf(rest, " - %31s %*s %1023s", type, options) != 2 || strcmp(type, v->type) != 0) continue;
        found = !v->controller[0] || has_word(options, v->controller);
    }
    if (f) fclose(f);
    if (found) unescape(mount);
    if (found) unescape(top);
    return found;
}

/* The part of the group's name that lies below the mount; "" where the mount does not show it. */
static const char *below(const char *group, const char *top)
{
    const size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, n) != 0 || (group[n] != '/' && group[n] != '\0') || strstr(group, "/..")) return "";
    return strcmp(group + n, "/") == 0 ? "" : group + n;
}

/* The group and those above it. In version 1 they may be told not to count for those below. */
static void look_at_groups(const char *root, const struct version *v, dc_mem_room *room)
{
    char group[DC_PATH_MAX], mount[DC_PATH_MAX], top[DC_PATH_MAX], dir[DC_PATH_MAX];
    const size_t skip = strlen(root);
    if (!find_group(root, v, group) || !find_mount(root, v, mount, top)) return;
    const int n = snprintf(dir, sizeof dir, "%s%s%s", root, mount, below(group, top));
    if (n < 0 || (size_t)n >= sizeof dir) return;
    for (const size_t end = skip + strlen(mount); strlen(dir) >= end;) {
        look_at_group(v, dir, skip, room);
        char *slash = strrchr(dir, '/');
        if (!slash) break;
        *slash = '\0';
        if (number_in(dir, "memory.use_hierarchy", 1) == 0) break;
    }
}

/* ---- Room -------------------------------------------------------------------------------------------------------- */

void dc_mem_room_under(const char *root, dc_mem_room *out)
{
    char meminfo[DC_PATH_MAX];
    *out = (dc_mem_room){.bytes = SIZE_MAX};
    snprintf(meminfo, sizeof meminfo, "%s/proc/meminfo", root);
    const size_t node = dc_mem_kernel_bytes(meminfo, "MemAvailable");
    if (node) lower(out, node, 0, "%s", "on the node");
    for (size_t i = 0; i < DC_COUNT_OF(versions); i++) look_at_groups(root, &versions[i], out);
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
