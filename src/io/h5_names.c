/* Lists of names of columns or classes: a short list is a root attribute with one name per line, a longer one is a
 * dataset of strings with the same name. */
#include "h5_private.h"

#include <string.h>

#include "dcmpi/mem.h"

enum { ATTRIBUTE_MAX = 1 << 20, DATASET_MAX = 1 << 30 };

int64_t dc_h5_count_lines(const char *text, size_t *longest)
{
    int64_t n = 0;
    *longest = 1;
    for (const char *p = text; p; n++) {
        const size_t length = strcspn(p, "\n");
        *longest = DC_MAX(*longest, length);
        p = p[length] ? p + length + 1 : NULL;
    }
    return n;
}

static dc_status put_dataset(dc_h5 *h5, const char *name, const char *text, int64_t n, size_t bytes)
{
    dc_status st = DC_OK;
    char *items = NULL;
    uint64_t hash;
    DC_TRY(dc_mem_alloc(&items, (size_t)n, bytes, "names"));
    for (int64_t i = 0; i < n; i++) {
        const size_t length = strcspn(text, "\n");
        memcpy(items + (size_t)i * bytes, text, length);
        text += length + 1;
    }
    DC_TRY(dc_h5_create_text(h5, name, bytes, n));
    DC_TRY(dc_h5_write_rows(h5, name, DC_H5_TEXT, 0, n, items));
    DC_TRY(dc_h5_hash_dataset(h5, name, &hash));
    DC_TRY(dc_h5_put_hash(h5, name, hash));
out:
    dc_mem_free(&items);
    return st;
}

dc_status dc_h5_put_names(dc_h5 *h5, const char *name, const char *text, bool *stored)
{
    char path[DC_H5_NAME_MAX];
    size_t longest;
    const int64_t n = dc_h5_count_lines(text, &longest);
    *stored = true;
    if (strlen(text) <= ATTRIBUTE_MAX) return dc_h5_put_attr_str(h5, "/", name, text);
    *stored = dc_mul_size((size_t)n, longest) <= DATASET_MAX;
    if (!*stored) return DC_OK;
    snprintf(path, sizeof path, "/%s", name);
    return put_dataset(h5, path, text, n, longest);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static dc_status grow(dc_h5_lines *j, size_t more)
{
    char *bigger;
    if (more <= j->capacity - j->used) return DC_OK;
    const size_t capacity = 2 * j->capacity + more;
    const dc_status st = dc_mem_alloc(&bigger, capacity, 1, "names");
    if (st != DC_OK) return st;
    if (j->used) memcpy(bigger, j->text, j->used);
    dc_mem_free(&j->text);
    j->text = bigger;
    j->capacity = capacity;
    return DC_OK;
}

/* Names may hold anything; a line break, which would make two names of one, becomes a blank. */
dc_status dc_h5_add_line(void *lines, const char *text, size_t n)
{
    dc_h5_lines *j = lines;
    const dc_status st = grow(j, n + 2);
    if (st != DC_OK) return st;
    for (size_t i = 0; i < n; i++) j->text[j->used + i] = text[i] == '\n' ? ' ' : text[i];
    j->used += n;
    j->text[j->used++] = '\n';
    return DC_OK;
}

dc_status dc_h5_join_text(dc_h5 *h5, const char *name, dc_gidx n, char **text)
{
    dc_status st = DC_OK;
    dc_h5_lines j = {0};
    *text = NULL;
    DC_TRY(grow(&j, 2));
    DC_TRY(dc_h5_read_text(h5, name, 0, n, dc_h5_add_line, &j));
    if (j.used) j.text[j.used - 1] = '\0';
    *text = j.text;
    return DC_OK;
out:
    dc_mem_free(&j.text);
    return st;
}

static dc_status get_attribute(dc_h5 *h5, const char *name, char **text)
{
    dc_status st = DC_OK;
    char *wide = NULL;
    const size_t cap = ATTRIBUTE_MAX + 2;
    *text = NULL;
    DC_TRY(dc_mem_alloc(&wide, cap, 1, "names"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", name, wide, cap));
    const size_t length = strlen(wide);
    if (length > ATTRIBUTE_MAX) goto out; /* not written by us; what was read is cut short */
    DC_TRY(dc_mem_alloc(text, length + 1, 1, "names"));
    memcpy(*text, wide, length + 1);
out:
    dc_mem_free(&wide);
    return st;
}

dc_status dc_h5_get_names(dc_h5 *h5, const char *name, int64_t n, char **text)
{
    dc_status st = DC_OK;
    char path[DC_H5_NAME_MAX];
    dc_h5_info info;
    size_t longest;
    *text = NULL;
    snprintf(path, sizeof path, "/%s", name);
    if (dc_h5_has_attr(h5, "/", name)) {
        st = get_attribute(h5, name, text);
    } else if (dc_h5_exists(h5, path)) {
        DC_TRY(dc_h5_dataset_info(h5, path, &info));
        if (info.text && info.n_dims == 1 && (n < 0 || info.dims[0] == n))
            st = dc_h5_join_text(h5, path, info.dims[0], text);
    }
    if (st == DC_OK && *text && n >= 0 && dc_h5_count_lines(*text, &longest) != n) dc_mem_free(text);
out:
    return st;
}
