/* Names that are allowed as values: the choices of a key, the methods. */
#include "key.h"

int dc_key_method_names(const char *names[DC_METHODS_MAX])
{
    int n = 0;
    for (const dc_config_method *m; (m = dc_method_row_at(n)) != NULL; n++) names[n] = m->name;
    return n;
}

int dc_key_choice_names(const dc_key *key, const char *names[DC_CHOICES_MAX])
{
    int n = 0;
    for (; n < DC_CHOICES_MAX && key->choices[n].name; n++) names[n] = key->choices[n].name;
    DC_ASSERT(n < DC_CHOICES_MAX);
    return n;
}
