/* Which columns an HDF5 file has, for messages to users who named none, or a wrong one. */
#include <string.h>

#include "dcmpi/h5_column.h"
#include "h5_private.h"

enum { SHOWN = 8 };

typedef struct {
    dc_h5 *h5;
    dc_gidx rows;
    bool (*wanted)(const char *name, size_t n);
    char *out;
    size_t cap, used;
    int n;
} search;

static bool begins(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool ends(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* A column: one integer or text per row, or the codes of a categorical of AnnData. */
static dc_status see_column(void *ctx, const char *name, const dc_h5_info *info)
{
    static const char codes[] = "/codes";
    search *s = ctx;
    const size_t n = strlen(name) - (ends(name, codes) ? strlen(codes) : 0);
    if (info->n_dims != 1 || (s->rows >= 0 && info->dims[0] != s->rows) || (!info->integer && !info->text))
        return DC_OK;
    if (begins(name, "/X/") || begins(name, "/raw") || begins(name, "/layers/") || begins(name, "/var/") ||
        begins(name, "/uns/") || begins(name, "/obs/__categories/") || ends(name, "/categories") ||
        strcmp(name, "/ids") == 0 || strcmp(name, "/obs/_index") == 0 || strcmp(name, "/obs/index") == 0 ||
        strcmp(name, "/obs/text") == 0)
        return DC_OK;
    if (s->wanted && !s->wanted(name, n)) return DC_OK;
    if (s->n++ >= SHOWN || s->used + n + 8 > s->cap) return DC_OK;
    s->used += (size_t)snprintf(s->out + s->used, s->cap - s->used, "%s%.*s", s->used ? ", " : "", (int)n, name);
    return DC_OK;
}

/* The dataset, and the fields of its records. */
static dc_status see(void *ctx, const char *name, const dc_h5_info *info)
{
    search *s = ctx;
    const dc_status st = see_column(s, name, info);
    if (info->n_dims == 1 && dc_h5_visit_fields(s->h5, name, see_column, s) != DC_OK) dc_error_clear();
    return st;
}

void dc_h5_list_columns(dc_h5 *h5, dc_gidx rows, bool (*wanted)(const char *name, size_t n), char *out, size_t cap)
{
    search s = {.h5 = h5, .rows = rows, .wanted = wanted, .out = out, .cap = cap};
    out[0] = '\0';
    if (dc_h5_visit(h5, see, &s) != DC_OK) dc_error_clear();
    if (s.n > SHOWN && s.used + 8 < cap) snprintf(out + s.used, cap - s.used, ", ...");
}
