/* All keys: first the program's own, then those of the methods. The values of the methods' keys lie in
 * dc_config.methods, one struct per method, in the order of the list of methods. */
#include "key.h"

#include <string.h>

enum { STRUCT_ALIGNMENT = 16 };

static dc_key rows[DC_KEY_COUNT_MAX];
static dc_key_section sections[DC_SECTIONS_MAX];
static int n_rows, n_sections;
static const dc_config_method *methods;
static int n_methods;

/* ---- The list of methods ----------------------------------------------------------------------------------------- */

/* Whether sweep-k uses the key: it runs as `fit` does, but with numbers of clusters of its own. */
static bool is_swept(const dc_key *key)
{
    return (key->verbs & DC_USE_FIT) && !(strcmp(key->section, "cluster") == 0 && strcmp(key->name, "clusters") == 0);
}

static void add_row(const dc_key *key)
{
    DC_ASSERT(n_rows < DC_KEY_COUNT_MAX);
    rows[n_rows] = *key;
    if (key->type == DC_KEY_METHOD) rows[n_rows].fallback = methods[0].name;
    if (is_swept(key)) rows[n_rows].verbs |= DC_USE_SWEEP;
    n_rows++;
}

static void add_section(const dc_key_section *section)
{
    DC_ASSERT(n_sections < DC_SECTIONS_MAX && !dc_section_find(section->name));
    sections[n_sections++] = *section;
}

/* Bytes that the structs of the first i methods take in dc_config.methods. */
static size_t bytes_of(int i)
{
    size_t bytes = 0;
    for (int m = 0; m < i; m++)
        bytes += (methods[m].keys_bytes + STRUCT_ALIGNMENT - 1) / STRUCT_ALIGNMENT * STRUCT_ALIGNMENT;
    return bytes;
}

static void add_method(int i)
{
    const dc_config_method *m = &methods[i];
    add_section(&(dc_key_section){m->name, m->summary});
    for (int k = 0; k < m->n_keys; k++) {
        dc_key key = m->keys[k];
        key.section = m->name;
        key.offset += offsetof(dc_config, methods) + bytes_of(i);
        key.verbs = DC_USE_FIT;
        key.result = true;
        add_row(&key);
    }
}

void dc_config_set_methods(const dc_config_method *list, int n)
{
    methods = list;
    n_methods = n;
    DC_ASSERT(n > 0 && n <= DC_METHODS_MAX && bytes_of(n) <= DC_METHODS_BYTES);
    n_rows = n_sections = 0;
    for (int i = 0; i < dc_section_table_n; i++) add_section(&dc_section_table[i]);
    for (int i = 0; i < dc_key_table_n; i++) add_row(&dc_key_table[i]);
    for (int i = 0; i < n; i++) add_method(i);
}

const dc_config_method *dc_method_row_at(int i)
{
    return i >= 0 && i < n_methods ? &methods[i] : NULL;
}

const dc_config_method *dc_method_row(const char *name)
{
    for (int i = 0; i < n_methods; i++)
        if (strcmp(methods[i].name, name) == 0) return &methods[i];
    return NULL;
}

static const void *keys_of(const dc_config *cfg, const char *method)
{
    int i = 0;
    while (i < n_methods && strcmp(methods[i].name, method) != 0) i++;
    return cfg->methods + bytes_of(i);
}

const void *dc_config_method_keys(const dc_config *cfg)
{
    return keys_of(cfg, cfg->cluster.method);
}

const void *dc_config_start_keys(const dc_config *cfg, const char **method)
{
    *method = dc_start_method(cfg);
    return *method ? keys_of(cfg, *method) : NULL;
}

const void *dc_config_final_keys(const dc_config *cfg)
{
    const char *method = dc_final_method(cfg);
    return method ? keys_of(cfg, method) : NULL;
}

const char *dc_final_method(const dc_config *cfg)
{
    const dc_key_choice *c = dc_key_find("cluster", "final")->choices;
    while (c->value != DC_FINAL_GMM) c++;
    return cfg->cluster.final == DC_FINAL_NONE ? NULL : c->name;
}

/* The choices of cluster.init but k-means and weights are methods. */
const char *dc_start_method(const dc_config *cfg)
{
    const dc_key_choice *c = dc_key_find("cluster", "init")->choices;
    while (c->value != cfg->cluster.init) c++;
    return c->value == DC_START_KMEANS || c->value == DC_START_WEIGHTS ? NULL : c->name;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

const dc_key *dc_key_at(int i)
{
    return i >= 0 && i < n_rows ? &rows[i] : NULL;
}

const dc_key *dc_key_of_option(const char *option, unsigned verb)
{
    for (int i = 0; dc_key_at(i); i++)
        if (rows[i].option && (rows[i].verbs & verb) && strcmp(rows[i].option, option) == 0) return &rows[i];
    return NULL;
}

const dc_key *dc_key_find(const char *section, const char *name)
{
    for (int i = 0; i < n_rows; i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

const dc_key *dc_moved_find(const char *section, const char *name)
{
    for (int i = 0; i < DC_MOVED_MAX; i++)
        if (strcmp(dc_moved_table[i].section, section) == 0 && strcmp(dc_moved_table[i].name, name) == 0)
            return &dc_moved_table[i];
    return NULL;
}

bool dc_key_is_moved(const dc_key *key)
{
    return dc_moved_find(key->section, key->name) != NULL;
}

int dc_key_index(const dc_key *key)
{
    const dc_key *moved = dc_moved_find(key->section, key->name);
    return moved ? DC_KEY_COUNT_MAX + (int)(moved - dc_moved_table) : (int)(key - rows);
}

const dc_key_section *dc_section_at(int i)
{
    return i >= 0 && i < n_sections ? &sections[i] : NULL;
}

const dc_key_section *dc_section_find(const char *name)
{
    for (int i = 0; i < n_sections; i++)
        if (strcmp(sections[i].name, name) == 0) return &sections[i];
    return NULL;
}
