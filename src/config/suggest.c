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
