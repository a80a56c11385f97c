/* Keys of methods for tests that have no deck. */
#ifndef DCMPI_TESTS_METHOD_KEYS_H
#define DCMPI_TESTS_METHOD_KEYS_H

#include "../src/config/key.h"
#include "check.h"
#include "dcmpi/method.h"

/* The key that has this name or this alias. */
static inline const dc_key *method_key(const dc_method *m, const char *name)
{
    for (int k = 0; k < m->n_keys; k++)
        if (strcmp(m->keys[k].name, name) == 0 || dc_has_word(m->keys[k].also, name))
            return dc_key_find(m->name, m->keys[k].name);
    return NULL;
}

/* The method's keys: the defaults, changed by `words` such as "alpha=1.7 weight=0.3"; words for keys that the method
 * does not have are ignored. Valid until the next call for the same method. */
static inline const void *method_keys(const dc_method *m, const char *words)
{
    static dc_config cfg;
    static dc_config_method list[DC_METHODS_MAX];
    int n = 0;
    for (const dc_method *other; (other = dc_method_at(n)) != NULL; n++)
        list[n] = (dc_config_method){other->name, other->summary, "", other->keys, other->n_keys, other->keys_bytes};
    dc_config_set_methods(list, n);
    snprintf(cfg.cluster.method, sizeof cfg.cluster.method, "%s", m->name);
    for (int k = 0; k < m->n_keys; k++)
        CHECK_OK(dc_key_set(&cfg, dc_key_find(m->name, m->keys[k].name), m->keys[k].fallback, "default"));
    char name[DC_NAME_MAX], value[DC_NAME_MAX];
    for (int used; sscanf(words, " %63[^=]=%63s%n", name, value, &used) == 2; words += used) {
        const dc_key *key = method_key(m, name);
        if (key) CHECK_OK(dc_key_set(&cfg, key, value, "test"));
    }
    CHECK(words[strspn(words, " ")] == '\0');
    return dc_config_method_keys(&cfg);
}

#endif
