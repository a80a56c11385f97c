/* How much memory is left, from kernel files that the test makes up: control groups of both versions and those above
 * them, page cache, "max", missing and odd files; and the limits of this process. */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/mem.h"

enum { MIB = 1 << 20 };
static char root[CHECK_PATH_MAX];

static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) CHECK(!"the test cannot write its files");
}

static void put_mib(const char *name, int mib)
{
    char text[64];
    snprintf(text, sizeof text, "%lld\n", (long long)mib * MIB);
    put(name, text);
}

static void drop(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    unlink(path);
}

static void expect(int mib, const char *limit, const char *what)
{
    dc_mem_room room;
    printf("# %s\n", what);
    dc_mem_room_under(root, &room);
    CHECK_INT(room.bytes / MIB, mib);
    CHECK_TEXT_HAS(room.limit, limit);
    if (strstr(room.limit, root)) CHECK(!"the limit is named as the user sees it");
}

static void test_node(void)
{
    dc_mem_room room;
    dc_mem_room_under(root, &room);
    CHECK(room.bytes == SIZE_MAX);
    put("proc/meminfo", "MemTotal:       16384000 kB\nMemAvailable:    9216000 kB\n");
    expect(9000, "on the node", "no control groups at all");
}

static void test_version_2(void)
{
    const char *mounts = "22 1 0:5 / /proc rw - proc proc rw\n"
                         "35 31 0:32 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    put("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    put("proc/self/mountinfo", mounts);
    expect(9000, "on the node", "groups that set no limit");
    put("sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n");
    put("sys/fs/cgroup/slurm/job_7/step_0/memory.high", "max\n");
    put_mib("sys/fs/cgroup/slurm/job_7/step_0/memory.current", 100);
    expect(9000, "on the node", "max");
    put_mib("sys/fs/cgroup/slurm/job_7/step_0/memory.max", 500);
    expect(400, "the job's memory limit (cgroup /sys/fs/cgroup/slurm/job_7/step_0)", "limit minus use");
    put_mib("sys/fs/cgroup/slurm/job_7/step_0/memory.high", 300);
    expect(200, "step_0", "high is lower than max");
    put_mib("sys/fs/cgroup/slurm/job_7/memory.max", 1000);
    put_mib("sys/fs/cgroup/slurm/job_7/memory.current", 900);
    expect(100, "(cgroup /sys/fs/cgroup/slurm/job_7)", "a parent is fuller");
    put("sys/fs/cgroup/slurm/job_7/memory.stat",
        "anon 5\nfile 999999999999\ninactive_file 41943040\nactive_file 20971520\n");
    expect(160, "(cgroup /sys/fs/cgroup/slurm/job_7)", "page cache is given up first");
    put_mib("sys/fs/cgroup/slurm/memory.max", 700);
    put_mib("sys/fs/cgroup/slurm/memory.current", 800);
    expect(0, "(cgroup /sys/fs/cgroup/slurm)", "over the limit");
    put("sys/fs/cgroup/slurm/memory.stat", "inactive_file 99999999999\n");
    expect(160, "job_7", "more cache than use");
    put("sys/fs/cgroup/slurm/memory.max", "a lot\n");
    put("sys/fs/cgroup/slurm/job_7/memory.max", "");
    put("sys/fs/cgroup/slurm/job_7/step_0/memory.high", "99999999999999999999999999\n");
    put("sys/fs/cgroup/slurm/job_7/step_0/memory.current", "-7\n");
    expect(500, "step_0", "what is no number counts as not there");
    put("proc/self/cgroup", "0::/slurm/job_7/step_0/gone/deeper (deleted)\n");
    expect(500, "step_0", "a group that is gone: those above it count");
    put("proc/self/cgroup", "0::/../../elsewhere\n");
    put_mib("sys/fs/cgroup/memory.max", 50);
    expect(50, "(cgroup /sys/fs/cgroup)", "outside of the namespace: what is mounted");
    put("proc/self/cgroup", "0::/docker/abc\n");
    put("proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    expect(50, "(cgroup /sys/fs/cgroup)", "a container sees its own group as the top");
    put("proc/self/mountinfo", "35 31 0:32 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n");
    put("proc/self/cgroup", "0::/\n");
    put_mib("sys/fs/c group/memory.max", 40);
    expect(40, "(cgroup /sys/fs/c group)", "a mount with a space");
    put("proc/self/mountinfo", "35 31\n - cgroup2 \n\n35 31 0:32 / /x rw - cgroup2\n");
    put("proc/self/cgroup", "0:\n::\n\n0\nrubbish");
    expect(9000, "on the node", "odd tables");
}

static void test_version_1(void)
{
    put("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory,pids:/job/step\n0::/\n");
    put("proc/self/mountinfo", "35 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,memoryless\n"
                               "36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
                               "41 31 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
    put("sys/fs/cgroup/memory/job/step/memory.limit_in_bytes", "9223372036854771712\n");
    put_mib("sys/fs/cgroup/memory/job/step/memory.usage_in_bytes", 100);
    expect(9000, "on the node", "version 1 without a limit");
    put_mib("sys/fs/cgroup/memory/job/memory.limit_in_bytes", 400);
    put_mib("sys/fs/cgroup/memory/job/memory.usage_in_bytes", 150);
    put("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 0\ntotal_inactive_file 52428800\ntotal_active_file 0\n");
    expect(300, "(cgroup /sys/fs/cgroup/memory/job)", "the parent's limit");
    put("sys/fs/cgroup/memory/job/memory.use_hierarchy", "0\n");
    expect(9000, "on the node", "a parent that does not count for those below");
    put("sys/fs/cgroup/memory/job/memory.use_hierarchy", "1\n");
    put("sys/fs/cgroup/memory/job/step/memory.stat", "hierarchical_memory_limit 209715200\n");
    expect(100, "(cgroup /sys/fs/cgroup/memory/job/step)", "a limit from above what is mounted");
    drop("proc/self/mountinfo");
    expect(9000, "on the node", "no table of mounts");
}

static void test_process(void)
{
    dc_mem_room before, room;
    struct rlimit r;
    dc_mem_room_of_process(&before);
    if (before.bytes != SIZE_MAX) return; /* the tests run under limits of their own */
    getrlimit(RLIMIT_AS, &r);
    const struct rlimit old = r;
    r.rlim_cur = (rlim_t)1 << 40;
    CHECK(setrlimit(RLIMIT_AS, &r) == 0);
    dc_mem_room_of_process(&room);
    CHECK(room.bytes < (size_t)1 << 40 && room.bytes > (size_t)1 << 39);
    CHECK_TEXT_HAS(room.limit, "within ulimit -v");
    setrlimit(RLIMIT_AS, &old);
    getrlimit(RLIMIT_DATA, &r);
    r.rlim_cur = 100 * MIB;
    CHECK(setrlimit(RLIMIT_DATA, &r) == 0);
    dc_mem_room_of_process(&room);
    CHECK(room.bytes < 100 * MIB && room.bytes > 50 * MIB);
    CHECK_TEXT_HAS(room.limit, "within ulimit -d");
    CHECK(dc_mem_available_bytes(1) == room.bytes);
}

int main(void)
{
    if (!mkdtemp(check_temporary(root))) return 1;
    test_node();
    test_version_2();
    test_version_1();
    test_process();
    char command[CHECK_PATH_MAX + 8];
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK_INT(system(command), 0);
    return check_done();
}
