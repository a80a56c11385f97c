#include "convert/tenx.h"

#include <string.h>
#include <sys/stat.h>

#include "convert/ids.h"
#include "dcmpi/mem.h"
#include "dcmpi/nameset.h"

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

dc_status dc_tenx_matrix(const char *folder, char path[DC_PATH_MAX])
{
    char plain[DC_PATH_MAX];
    const bool fits = snprintf(plain, sizeof plain, "%s/matrix.mtx", folder) < DC_PATH_MAX &&
                      snprintf(path, DC_PATH_MAX, "%s/matrix.mtx.gz", folder) < DC_PATH_MAX;
    if (!fits) return DC_FAIL(DC_ERR_USAGE, "%s: the name is too long", folder);
    const bool packed = is_file(path), bare = is_file(plain);
    if (packed && bare)
        return DC_FAIL(DC_ERR_DATA, "%s: has both matrix.mtx and matrix.mtx.gz; give one of them", folder);
    if (!packed && !bare)
        return DC_FAIL(DC_ERR_DATA, "%s: is a directory without matrix.mtx or matrix.mtx.gz; give the files in it",
                       folder);
    if (bare) memcpy(path, plain, sizeof plain);
    return DC_OK;
}

void dc_tenx_beside(const char *matrix, const char *const *words, char path[DC_PATH_MAX])
{
    static const char *const endings[] = {".tsv", ".tsv.gz"};
    static const char word[] = "matrix.mtx";
    const char *leaf = strrchr(matrix, '/');
    const char *found = NULL;
    for (const char *p = leaf ? leaf : matrix; (p = strstr(p, word)); p++) found = p;
    path[0] = '\0';
    if (!found) return;
    for (; *words; words++)
        for (size_t i = 0; i < DC_COUNT_OF(endings); i++) {
            const int n = snprintf(path, DC_PATH_MAX, "%.*s%s%s", (int)(found - matrix), matrix, *words, endings[i]);
            if (n < DC_PATH_MAX && is_file(path)) return;
        }
    path[0] = '\0';
}

dc_status dc_tenx_count(const char *path, uint64_t limit, int64_t *lines)
{
    dc_stream s;
    dc_span line;
    bool found = true;
    *lines = 0;
    dc_status st = dc_stream_open(&s, path, limit);
    if (st != DC_OK) return st;
    while (found) DC_TRY(dc_rawline_next(&s, lines, &line, &found));
out:
    dc_stream_close(&s);
    return st;
}

dc_span dc_tenx_field(dc_span line, int field)
{
    for (;; field--) {
        const char *tab = memchr(line.p, '\t', line.n);
        const size_t n = tab ? (size_t)(tab - line.p) : line.n;
        if (field == 0) return (dc_span){line.p, n};
        if (!tab) return (dc_span){line.p + line.n, 0};
        line.p += n + 1;
        line.n -= n + 1;
    }
}

typedef struct {
    char *text;
    size_t used, capacity;
} list;

static dc_status append(list *l, dc_span name)
{
    char *bigger;
    if (!l->text || l->used + name.n + 2 > l->capacity) {
        const size_t capacity = 2 * l->capacity + name.n + 4096;
        const dc_status st = dc_mem_alloc(&bigger, capacity, 1, "names of the columns");
        if (st != DC_OK) return st;
        if (l->used > 0) memcpy(bigger, l->text, l->used);
        dc_mem_free(&l->text);
        l->text = bigger;
        l->capacity = capacity;
    }
    memcpy(l->text + l->used, name.p, name.n);
    l->used += name.n;
    l->text[l->used++] = '\n';
    l->text[l->used] = '\0';
    return DC_OK;
}

dc_status dc_tenx_features(const char *path, uint64_t limit, char **names, int *kinds)
{
    enum { KINDS_MAX = 1000 };
    dc_stream s;
    dc_span line;
    list l = {0};
    dc_nameset *set = NULL;
    int64_t number = 0;
    *names = NULL;
    dc_status st = dc_stream_open(&s, path, limit);
    if (st != DC_OK) return st;
    DC_TRY(dc_nameset_create(&set));
    for (bool found = true;;) {
        DC_TRY(dc_rawline_next(&s, &number, &line, &found));
        if (!found) break;
        dc_id_sink check = {0};
        const dc_span second = dc_tenx_field(line, 1), name = second.n > 0 ? second : dc_tenx_field(line, 0);
        const dc_span kind = dc_tenx_field(line, 2);
        DC_TRY(dc_id_put(&check, s.name, name.p, name.n));
        DC_TRY(append(&l, name));
        if (dc_nameset_count(set) < KINDS_MAX) DC_TRY(dc_nameset_add(set, kind.p, kind.n));
    }
    *kinds = (int)dc_nameset_count(set);
    if (l.used > 0) l.text[l.used - 1] = '\0';
    *names = l.text, l.text = NULL;
out:
    dc_mem_free(&l.text);
    dc_nameset_destroy(&set);
    dc_stream_close(&s);
    return st;
}
