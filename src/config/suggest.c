/* Guesses which key or section a mistyped name means. Tried in this order: the name that another program has for the
 * key, the nearest name in this section, the same name in another section. */
#include "key.h"

#include <string.h>

static const dc_key *find_alias(const char *section, const char *name)
{
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++)
        if (strcmp(key->section, section) == 0 && dc_has_word(key->also, name)) return key;
    return NULL;
}

static const dc_key *find_nearest(const char *section, const char *name)
{
    const char *names[DC_KEY_COUNT_MAX];
    const dc_key *key;
    int n = 0;
    for (int i = 0; (key = dc_key_at(i)); i++)
        if (strcmp(key->section, section) == 0) names[n++] = key->name;
    const int near = dc_nearest_name(name, names, n);
    return near < 0 ? NULL : dc_key_find(section, names[near]);
}

static const dc_key *find_elsewhere(const char *name)
{
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++)
        if (strcmp(key->name, name) == 0 || dc_has_word(key->also, name)) return key;
    return NULL;
}

void dc_suggest_key(const char *section, const char *name, char *out, size_t cap)
{
    const dc_key *key = find_alias(section, name);
    if (!key) key = find_nearest(section, name);
    if (!key) key = find_elsewhere(name);
    out[0] = 0;
    if (key && strcmp(key->section, section) == 0)
        snprintf(out, cap, ", did you mean '%s'?", key->name);
    else if (key)
        snprintf(out, cap, ", did you mean '%s.%s'?", key->section, key->name);
}

/* ---- Options without a section ----------------------------------------------------------------------------------- */

enum { LISTED_MAX = 4 };

/* Appends "--section.key=VALUE" for the keys of the verb that have the name, by their own name or by that of other
 * programs; returns how many there are. */
static int list_named(unsigned verb, const char *name, bool also, char *out, size_t cap)
{
    const dc_key *key;
    int found = 0;
    size_t used = 0;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        const bool same = also ? dc_has_word(key->also, name) : strcmp(key->name, name) == 0;
        if (!same || !(key->verbs & verb) || used >= cap || found++ > LISTED_MAX) continue;
        const char *before = found == 1 ? ", write " : " or ";
        if (found > LISTED_MAX)
            used += (size_t)snprintf(out + used, cap - used, " ...; `dcmpi config --explain %s` shows all", name);
        else if (key->option)
            used += (size_t)snprintf(out + used, cap - used, "%s--%s=VALUE", before, key->option);
        else
            used += (size_t)snprintf(out + used, cap - used, "%s--%s.%s=VALUE", before, key->section, key->name);
    }
    return found;
}

static const char *nearest_of(unsigned verb, const char *name)
{
    const char *names[DC_KEY_COUNT_MAX];
    const dc_key *key;
    int n = 0;
    for (int i = 0; (key = dc_key_at(i)); i++)
        if (key->verbs & verb) names[n++] = key->name;
    const int near = dc_nearest_name(name, names, n);
    return near < 0 ? NULL : names[near];
}

void dc_config_suggest_option(const char *verb, const char *option, char *out, size_t cap)
{
    char name[DC_NAME_MAX];
    const unsigned bit = dc_verb_bit(verb);
    option += strspn(option, "-");
    const size_t n = strcspn(option, "=");
    out[0] = 0;
    if (n == 0 || n >= sizeof name) return;
    for (size_t i = 0; i <= n; i++) name[i] = i == n ? '\0' : option[i] == '-' ? '_' : option[i];
    if (list_named(bit, name, false, out, cap) > 0 || list_named(bit, name, true, out, cap) > 0) return;
    const char *near = nearest_of(bit, name);
    if (near) (void)list_named(bit, near, false, out, cap);
}

/* ---- Sections ---------------------------------------------------------------------------------------------------- */

/* The key that was meant if a section is named like "run.seed". */
static const dc_key *find_dotted(const char *name)
{
    char section[64];
    const char *dot = strchr(name, '.');
    if (!dot || (size_t)(dot - name) >= sizeof section) return NULL;
    snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
    return dc_key_find(section, dot + 1);
}

void dc_suggest_section(const char *name, char *out, size_t cap)
{
    const char *names[DC_SECTIONS_MAX];
    int n = 0;
    for (; dc_section_at(n); n++) names[n] = dc_section_at(n)->name;
    const dc_key *dotted = find_dotted(name);
    const int near = dc_nearest_name(name, names, n);
    const dc_key *key = find_elsewhere(name);
    if (dotted)
        snprintf(out, cap, ", write %s: {%s: VALUE}", dotted->section, dotted->name);
    else if (near >= 0)
        snprintf(out, cap, ", did you mean '%s'?", names[near]);
    else if (key)
        snprintf(out, cap, ", did you mean '%s.%s'?", key->section, key->name);
    else
        snprintf(out, cap, "; `dcmpi config --default` shows all sections and keys");
}
