/* Private to base/: the control groups that a process is in (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of
 * the kernel). A machine may mount both versions; the limits of all groups above a group apply to it, too. */
#ifndef DCMPI_BASE_CGROUP_H
#define DCMPI_BASE_CGROUP_H

#include <stdio.h>

#include "dcmpi/base.h"

typedef struct {
    const char *type;       /* of the file system: "cgroup" is version 1, "cgroup2" version 2 */
    const char *controller; /* listed in the mount options; "" in version 2 */
} dc_cgroup_version;

/* Calls look(dir, arg) for the folder of this process's group in a hierarchy, then for each folder above it up to the
 * mount point, until look() returns false. `root`: "" or, for tests, a folder that holds proc/self/cgroup,
 * proc/self/mountinfo and the groups; then dir begins with that folder. If there is no such hierarchy, look() is not
 * called. */
typedef bool dc_cgroup_look(const char *dir, void *arg);
void dc_cgroup_each(const char *root, const dc_cgroup_version *version, dc_cgroup_look *look, void *arg);

/* Opens a file of a group for reading; NULL if there is none. */
FILE *dc_cgroup_open(const char *dir, const char *name);
/* The number in a file; `otherwise` if there is no file, or it holds "max" or no number. */
uint64_t dc_cgroup_number(const char *dir, const char *name, uint64_t otherwise);

#endif
