/* Finds the control groups of this process in the files of the kernel. */
#include "cgroup.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_CHARS = 8192 };

FILE *dc_cgroup_open(const char *dir, const char *name)
{
    char path[DC_PATH_MAX];
    return (size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path ? fopen(path, "re") : NULL;
}

uint64_t dc_cgroup_number(const char *dir, const char *name, uint64_t otherwise)
{
    char line[64] = "";
    FILE *f = dc_cgroup_open(dir, name);
    if (!f) return otherwise;
    const bool read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    const size_t digits = strspn(line, "0123456789");
    if (!read || digits == 0 || digits > 19 || line[digits + strspn(line + digits, "\n")] != '\0') return otherwise;
    return strtoull(line, NULL, 10);
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
        if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0')) return true;
    return false;
}

/* Finds this process's group in a hierarchy, from lines like "4:memory:/path" and "0::/path". */
static bool find_group(const char *root, const dc_cgroup_version *v, char group[DC_PATH_MAX])
{
    char line[LINE_MAX_CHARS];
    bool found = false;
    FILE *f = dc_cgroup_open(root, "proc/self/cgroup");
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

/* Replaces escapes such as "\040" by their characters, in place. */
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

/* Finds where the hierarchy is mounted, and `top`, the one of its groups that appears there, from lines like
 * "35 31 0:32 /group /mount rw,relatime ... - cgroup cgroup rw,memory". */
static bool find_mount(const char *root, const dc_cgroup_version *v, char mount[DC_PATH_MAX], char top[DC_PATH_MAX])
{
    char line[LINE_MAX_CHARS], type[32], options[1024];
    bool found = false;
    FILE *f = dc_cgroup_open(root, "proc/self/mountinfo");
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

/* The part of the group's name that lies below the mount; "" if the group is not visible in the mount. */
static const char *below(const char *group, const char *top)
{
    const size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, n) != 0 || (group[n] != '/' && group[n] != '\0') || strstr(group, "/..")) return "";
    return strcmp(group + n, "/") == 0 ? "" : group + n;
}

void dc_cgroup_each(const char *root, const dc_cgroup_version *v, dc_cgroup_look *look, void *arg)
{
    char group[DC_PATH_MAX], mount[DC_PATH_MAX], top[DC_PATH_MAX], dir[DC_PATH_MAX];
    if (!find_group(root, v, group) || !find_mount(root, v, mount, top)) return;
    const int n = snprintf(dir, sizeof dir, "%s%s%s", root, mount, below(group, top));
    if (n < 0 || (size_t)n >= sizeof dir) return;
    for (const size_t end = strlen(root) + strlen(mount); strlen(dir) >= end && look(dir, arg);) {
        char *slash = strrchr(dir, '/');
        if (!slash) break;
        *slash = '\0';
    }
}
