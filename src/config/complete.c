/* Words for shell completion: keys and their possible values. */
#include "key.h"

void dc_config_words(const char *verb, FILE *out)
{
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++)
        if (key->verbs & dc_verb_bit(verb)) fprintf(out, " --%s.%s=", key->section, key->name);
}

void dc_config_names(FILE *out)
{
    const dc_key *key;
    for (int i = 0; dc_section_at(i); i++) fprintf(out, " %s", dc_section_at(i)->name);
    for (int i = 0; (key = dc_key_at(i)); i++) fprintf(out, " %s.%s", key->section, key->name);
}

/* Sets words[] to the possible values of a key; returns their number, or 0 if they cannot be listed. */
static int value_words(const dc_key *key, const char *words[DC_METHODS_MAX])
{
    switch (key->type) {
    case DC_KEY_CHOICE:
        return dc_key_choice_names(key, words);
    case DC_KEY_METHOD:
        return dc_key_method_names(words);
    case DC_KEY_BOOL:
        words[0] = "true", words[1] = "false";
        return 2;
    case DC_KEY_PATH:
    case DC_KEY_FILES:
        words[0] = "@file";
        return 1;
    default:
        return 0;
    }
}

void dc_config_value_words(FILE *out)
{
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        const char *words[DC_METHODS_MAX];
        const int n = value_words(key, words);
        if (n == 0) continue;
        fprintf(out, "    --%s.%s) echo \"", key->section, key->name);
        for (int w = 0; w < n; w++) fprintf(out, "%s%s", w ? " " : "", words[w]);
        fprintf(out, "\" ;;\n");
    }
}
