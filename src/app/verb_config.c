/* `dcmpi config`: prints the documentation of the deck; can be run on a login node. */
#include <string.h>

#include "dcmpi/config.h"
#include "docs.h"
#include "verbs.h"

static dc_status print_default(FILE *out)
{
    dc_config cfg;
    dc_config_defaults(&cfg);
    fprintf(out, "# All keys of a deck with their defaults. Keys that the defaults do not use are commented out.\n\n");
    return dc_config_dump(&cfg, NULL, true, out);
}

/* The key of "--explain KEY" or "--explain=KEY", NULL if there is none. */
static const char *explained_key(int argc, char **argv)
{
    static const char option[] = "--explain";
    const size_t len = sizeof option - 1;
    if (argc == 3 && strcmp(argv[1], option) == 0) return argv[2];
    if (argc == 2 && strncmp(argv[1], option, len) == 0 && argv[1][len] == '=') return argv[1] + len + 1;
    return NULL;
}

/* Options without an argument. The usage does not list --man and --completion, which are for `make install`. */
static const struct {
    const char *option;
    void (*print)(FILE *out);
} documents[] = {{"--reference", dc_config_reference}, {"--man", dc_docs_man}, {"--completion", dc_docs_completion}};

dc_status dc_verb_config(int argc, char **argv)
{
    const char *key = explained_key(argc, argv);
    if (key) return dc_config_explain(key, stdout);
    if (argc == 2 && strcmp(argv[1], "--default") == 0) return print_default(stdout);
    for (size_t i = 0; argc == 2 && i < DC_COUNT_OF(documents); i++) {
        if (strcmp(argv[1], documents[i].option) != 0) continue;
        documents[i].print(stdout);
        return DC_OK;
    }
    return DC_FAIL(DC_ERR_USAGE, "usage: dcmpi config --default | --explain KEY | --reference");
}
