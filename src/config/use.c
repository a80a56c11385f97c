/* Finds which keys a run uses. This depends on the verb, the method and the values of other keys of the section.
 * Setting a key that the run does not use is an error, because the deck's author would believe that it had an
 * effect. */
#include "key.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned bit;
} verbs[] = {{"fit", DC_USE_FIT}, {"kmeans", DC_USE_KMEANS}, {"sweep-k", DC_USE_SWEEP}};

unsigned dc_verb_bit(const char *verb)
{
    for (size_t i = 0; verb && i < DC_COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].name, verb) == 0) return verbs[i].bit;
    return 0;
}

void dc_verb_names(unsigned mask, char *out, size_t cap)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < DC_COUNT_OF(verbs) && at < cap; i++)
        if (mask & verbs[i].bit) at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? " " : "", verbs[i].name);
}

/* Whether any word of the value is in the list; for an empty list, whether the value is empty. */
static bool is_wanted(const char *value, const char *list)
{
    if (!*list) return !*value;
    char word[DC_NAME_MAX];
    for (; *value; value += *value == ' ') {
        const size_t len = strcspn(value, " ");
        snprintf(word, sizeof word, "%.*s", (int)DC_MIN(len, sizeof word - 1), value);
        if (dc_has_word(list, word)) return true;
        value += len;
    }
    return false;
}

/* Writes "sgd sgd_torch" as "sgd or sgd_torch". */
static void format_alternatives(const char *list, char *out, size_t cap)
{
    size_t at = 0;
    out[0] = 0;
    for (; *list && at < cap; list += *list == ' ') {
        const size_t len = strcspn(list, " ");
        at += (size_t)snprintf(out + at, cap - at, "%s%.*s", at ? " or " : "", (int)len, list);
        list += len;
    }
}

static bool used_by_verb(const dc_key *key, unsigned verb, char *why, size_t cap)
{
    char who[64];
    const dc_key *other;
    if (verb == 0 || (key->verbs & verb)) return true;
    dc_verb_names(verb, who, sizeof who);
    const int n = snprintf(why, cap, "the verb is %s", who);
    for (int i = 0; (other = dc_key_at(i)); i++)
        if ((other->verbs & verb) && other->option && strcmp(other->name, key->name) == 0)
            snprintf(why + n, cap - (size_t)n, ", which takes --%s", other->option);
    return false;
}

/* What the key needs but the method does not have; NULL if nothing is lacking. */
static const char *lacks(const dc_config_method *method, const dc_key *key)
{
    if (key->trait && !dc_has_word(method->traits, key->trait)) return key->trait;
    return dc_key_is_moved(key) && !dc_key_find(method->name, key->name) ? key->name : NULL;
}

/* cluster.final says the covariance itself. */
static bool used_by_final(const dc_config *cfg, const dc_key *key)
{
    const char *method = dc_final_method(cfg);
    return method && strcmp(key->section, method) == 0 && strcmp(key->name, "covariance") != 0;
}

static bool used_by_method(const dc_config *cfg, const dc_key *key, unsigned verb, char *why, size_t cap)
{
    const dc_config_method *method = dc_method_row(cfg->cluster.method);
    if (!method || verb == DC_USE_KMEANS) return true;
    const char *start = dc_has_word(method->traits, "start") ? dc_start_method(cfg) : NULL;
    const bool of_another = dc_method_row(key->section) && strcmp(key->section, method->name) != 0;
    if (of_another && start && strcmp(key->section, start) == 0) return true;
    if (of_another && used_by_final(cfg, key)) return true;
    const char *what = of_another ? NULL : lacks(method, key);
    if (!of_another && !what) return true;
    snprintf(why, cap, "cluster.method is %s%s%s", method->name, what ? ", which has no " : "", what ? what : "");
    return false;
}

/* Whether the value of the key `name` of this section is one of the words in `is`; if not, why[cap] says so. */
static bool value_is(const dc_config *cfg, const dc_key *key, const char *name, const char *is, unsigned verb,
                     char *why, size_t cap)
{
    const dc_key *other = dc_key_find(key->section, name);
    DC_ASSERT(other);
    if (!dc_key_in_use(cfg, other, verb, why, cap)) return false;
    char value[DC_VALUE_TEXT_MAX], names[128];
    if (other->type == DC_KEY_NET)
        snprintf(value, sizeof value, "%s", (const char *)cfg + other->offset);
    else
        dc_key_format(cfg, other, value);
    if (is_wanted(value, is)) return true;
    format_alternatives(is, names, sizeof names);
    snprintf(why, cap, *names ? "%s.%s is %.64s, not %s" : "%s.%s is given", other->section, other->name, value, names);
    return false;
}

/* The key that a condition names may have a condition itself: momentum needs an optimizer, which needs pretraining. */
static bool condition_holds(const dc_config *cfg, const dc_key *key, unsigned verb, char *why, size_t cap)
{
    if (!key->when || value_is(cfg, key, key->when, key->when_is, verb, why, cap)) return true;
    if (!key->or_when) return false;
    char other[256];
    if (value_is(cfg, key, key->or_when, key->or_when_is, verb, other, sizeof other)) return true;
    const size_t n = strlen(why);
    snprintf(why + n, cap - n, ", and %s", other);
    return false;
}

/* Without a network only the centres of an earlier run are wanted of it. */
static bool earlier_run_is_wanted(const dc_config *cfg, const dc_key *key, unsigned verb, char *why, size_t cap)
{
    const bool is_weights = strcmp(key->section, "model") == 0 && strcmp(key->name, "weights") == 0;
    const bool no_network = verb == DC_USE_KMEANS || cfg->cluster.on == DC_ON_INPUT;
    if (!is_weights || !no_network || cfg->cluster.init == DC_START_WEIGHTS) return true;
    snprintf(why, cap, "%s, and cluster.init is not weights",
             verb == DC_USE_KMEANS ? "the verb is kmeans" : "cluster.on is input");
    return false;
}

bool dc_key_needs_network(const dc_key *key)
{
    return strcmp(key->section, "model") == 0 || strcmp(key->section, "pretrain") == 0 ||
           (strcmp(key->section, "output") == 0 && strcmp(key->name, "embedding") == 0) ||
           (strcmp(key->section, "graph") == 0 && strcmp(key->name, "on") == 0);
}

static bool network_is_there(const dc_config *cfg, const dc_key *key, char *why, size_t cap)
{
    if (cfg->cluster.on != DC_ON_INPUT || !dc_key_needs_network(key)) return true;
    if (strcmp(key->name, "weights") == 0) return true;
    snprintf(why, cap, "cluster.on is input");
    return false;
}

bool dc_key_in_use(const dc_config *cfg, const dc_key *key, unsigned verb, char *why, size_t cap)
{
    return used_by_verb(key, verb, why, cap) && used_by_method(cfg, key, verb, why, cap) &&
           network_is_there(cfg, key, why, cap) && earlier_run_is_wanted(cfg, key, verb, why, cap) &&
           condition_holds(cfg, key, verb, why, cap);
}
