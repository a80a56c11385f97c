/* Names that a value may be: the choices of a key, the methods. */
#include "key.h"

#include <string.h>

static const dc_config_method *methods;
static int n_methods;

void dc_config_set_methods(const dc_config_method *list, int n)
{
    DC_ASSERT(n <= DC_METHODS_MAX);
    methods = list;
    n_methods = n;
}

int dc_key_method_names(const char *names[DC_METHODS_MAX])
{
    for (int i = 0; i < n_methods; i++) names[i] = methods[i].name;
    return n_methods;
}

bool dc_key_method_has(const char *method, const char *trait)
{
    for (int i = 0; i < n_methods; i++)
        if (strcmp(methods[i].name, method) == 0) return dc_has_word(methods[i].traits, trait);
    return true;
}

int dc_key_choice_names(const dc_key *key, const char *names[DC_CHOICES_MAX])
{
    int n = 0;
    for (; n < DC_CHOICES_MAX && key->choices[n].name; n++) names[n] = key->choices[n].name;
    DC_ASSERT(n < DC_CHOICES_MAX);
    return n;
}
