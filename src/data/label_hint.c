/* What a data file holds that may be labels, for messages to users who named none, or a wrong one. */
#include <string.h>

#include "data_priv.h"

enum { SHOWN = 4 };

typedef struct {
    dc_gidx rows;
    bool usual;
    char *out;
    size_t cap, used;
    int n;
} search;

static bool begins(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool is_usual(const char *name, size_t n)
{
    static const char *const usual[] = {"label",    "labels",  "class",     "classes",  "target", "targets",
                                        "category", "cluster", "cell_type", "celltype", "topic",  "Y",
                                        "y_train",  "train_y", "louvain",   "leiden",   "truth",  "ground_truth"};
    while (n > 0 && memchr(name, '/', n)) name++, n--;
    for (size_t i = 0; i < DC_COUNT_OF(usual); i++)
        if (strlen(usual[i]) == n && memcmp(usual[i], name, n) == 0) return true;
    return false;
}

/* A column: one integer or text per row, or the codes of a categorical of AnnData. */
static dc_status see(void *ctx, const char *name, const dc_h5_info *info)
{
    static const char codes[] = "/codes";
    search *s = ctx;
    const size_t length = strlen(name), tail = sizeof codes - 1;
    const bool categorical = length > tail && strcmp(name + length - tail, codes) == 0;
    const size_t n = categorical ? length - tail : length;
    if (info->n_dims != 1 || info->dims[0] != s->rows || (!info->integer && !info->text)) return DC_OK;
    if (begins(name, "/X/") || begins(name, "/raw") || begins(name, "/layers/") || begins(name, "/var/") ||
        strcmp(name, "/ids") == 0 || strcmp(name, "/obs/_index") == 0 || strcmp(name, "/obs/text") == 0)
        return DC_OK;
    if (s->usual && !is_usual(name, n)) return DC_OK;
    if (s->n++ >= SHOWN || s->used + n + 8 > s->cap) return DC_OK;
    s->used += (size_t)snprintf(s->out + s->used, s->cap - s->used, "%s%.*s", s->used ? ", " : "", (int)n, name);
    return DC_OK;
}

void dc_data_name_columns(dc_h5 *h5, dc_gidx rows, bool usual, char *out, size_t cap)
{
    search s = {.rows = rows, .usual = usual, .out = out, .cap = cap};
    out[0] = '\0';
    if (dc_h5_visit(h5, see, &s) != DC_OK) dc_error_clear();
    if (s.n > SHOWN && s.used + 8 < cap) snprintf(out + s.used, cap - s.used, ", ...");
}

void dc_dataset_likely_labels(const char *path, dc_gidx rows, char *out, size_t cap)
{
    dc_h5 *h5 = NULL;
    out[0] = '\0';
    if (dc_h5_open(&h5, path, DC_H5_READ) == DC_OK) dc_data_name_columns(h5, rows, true, out, cap);
    dc_error_clear();
    if (dc_h5_close(&h5) != DC_OK) dc_error_clear(); /* was only read */
}
