/* `dcmpi config`: the documentation of the deck, on a login node. */
#include <string.h>

#include "dcmpi/config.h"
#include "verbs.h"

static dc_status print_default(FILE *out)
{
    dc_config cfg;
    dc_config_defaults(&cfg);
    fprintf(out, "# All keys of a deck with their defaults. Keys that the defaults do not use are comments.\n\n");
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

dc_status dc_verb_config(int argc, char **argv)
{
    const char *key = explained_key(argc, argv);
    if (key) return dc_config_explain(key, stdout);
    if (argc == 2 && strcmp(argv[1], "--default") == 0) return print_default(stdout);
    if (argc == 2 && strcmp(argv[1], "--reference") == 0) {
        dc_config_reference(stdout);
        return DC_OK;
    }
    return DC_FAIL(DC_ERR_USAGE, "usage: dcmpi config --default | --explain KEY | --reference");
}
