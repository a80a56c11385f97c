/* The command line. `dcmpi [VERB] [DECK] [--section.key=VALUE ...]`; verbs that take no deck parse the rest themselves.
 * Nothing here starts MPI: --help and --version work on a login node. */
#include "cli.h"

#include <string.h>
#include <sys/stat.h>

#include "dcmpi/config.h"
#include "dcmpi/mem.h"
#include "dcmpi/method.h"
#include "dcmpi/text.h"
#include "dcmpi/version.h"
#include "verb_help.h"

/* Returns ", did you mean 'x'?", or "" if no name is close. */
static const char *suggest(const char *word, const char *const *names, int n, char *out, size_t cap)
{
    const int near = dc_nearest_name(word, names, n);
    out[0] = 0;
    if (near >= 0) snprintf(out, cap, ", did you mean '%s'?", names[near]);
    return out;
}

static const char SWEEP[] = "sweep-k";

bool dc_cli_has_method(const dc_cli *cli)
{
    return strcmp(cli->verb, "fit") == 0 || strcmp(cli->verb, SWEEP) == 0;
}

/* ---- Words ----------------------------------------------------------------------------------------------- */

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);
    return n > m && strcmp(text + n - m, suffix) == 0;
}

static bool is_deck(const char *word)
{
    struct stat info;
    return has_suffix(word, ".yaml") || has_suffix(word, ".yml") || has_suffix(word, ".json") ||
           (stat(word, &info) == 0 && S_ISREG(info.st_mode));
}

static dc_status fail_unknown_verb(const char *word)
{
    enum { VERBS_MAX = 32 };
    const char *names[VERBS_MAX];
    char quoted[DC_QUOTE_MAX], hint[128];
    int n = 0;
    for (const dc_verb_help *v; n < VERBS_MAX && (v = dc_verb_help_at(n)) != NULL;) names[n++] = v->name;
    return DC_FAIL(DC_ERR_USAGE, "command line: '%s' is neither a verb nor a deck file%s", dc_quote(quoted, word),
                   *suggest(word, names, n, hint, sizeof hint) ? hint : "; see dcmpi --help");
}

/* --section.key or --section.key=VALUE */
static bool is_override(const char *word)
{
    const size_t name = strcspn(word, "=");
    const char *dot = strchr(word, '.');
    return strncmp(word, "--", 2) == 0 && dot && (size_t)(dot - word) < name;
}

/* '=' is required: without it the next word could be the value or the deck. */
static dc_status check_override(const char *word)
{
    char quoted[DC_QUOTE_MAX];
    if (strchr(word, '=')) return DC_OK;
    dc_quote(quoted, word);
    return DC_FAIL(DC_ERR_USAGE, "command line: %s needs its value in the same word: %s=VALUE", quoted, quoted);
}

/* Finds the first word that is not an option: a verb or a deck. */
static dc_status find_command(dc_cli *cli, int *at)
{
    dc_status st = DC_OK;
    cli->verb = "fit";
    for (*at = 1; *at < cli->argc && cli->argv[*at][0] == '-'; ++*at)
        if (is_override(cli->argv[*at])) DC_TRY(check_override(cli->argv[*at]));
    if (*at == cli->argc) return DC_OK;
    char *word = cli->argv[*at];
    if (dc_verb_help_find(word)) {
        cli->verb = word;
        return DC_OK;
    }
    if (strcmp(word, "help") == 0) {
        cli->help = true;
        if (*at + 1 < cli->argc) word = cli->argv[++*at];
        if (dc_verb_help_find(word)) cli->verb = word;
        return dc_verb_help_find(word) || strcmp(word, "help") == 0 ? DC_OK : fail_unknown_verb(word);
    }
    if (!is_deck(word)) return fail_unknown_verb(word);
    *at = 0; /* nothing to skip: the word is read as the deck */
out:
    return st;
}

static dc_status take_option(dc_cli *cli, const char *word)
{
    static const char *const names[] = {"--dry-run", "--help", "--version", "--clusters"};
    const bool sweeps = strcmp(cli->verb, SWEEP) == 0;
    dc_status st = DC_OK;
    char quoted[DC_QUOTE_MAX], hint[256];
    if (strcmp(word, "--dry-run") == 0) {
        cli->dry_run = true;
        return DC_OK;
    }
    const bool series =
        sweeps && strcspn(word, "=") == strlen(names[3]) && strncmp(word, names[3], strlen(names[3])) == 0;
    if (!series && !is_override(word)) {
        if (!*suggest(word, names, (int)DC_COUNT_OF(names) - !sweeps, hint, sizeof hint))
            dc_config_suggest_option(cli->verb, word, hint, sizeof hint);
        return DC_FAIL(DC_ERR_USAGE, "command line: unknown option %s%s", dc_quote(quoted, word),
                       *hint ? hint : "; deck keys are --section.key=VALUE");
    }
    DC_TRY(check_override(word));
    cli->overrides[cli->n_overrides++] = word;
out:
    return st;
}

static dc_status take_word(dc_cli *cli, const char *word)
{
    char quoted[DC_QUOTE_MAX];
    if (word[0] == '-') return take_option(cli, word);
    if (strchr(word, '=') && !is_deck(word))
        return DC_FAIL(DC_ERR_USAGE, "command line: write --%s, with two dashes", dc_quote(quoted, word));
    if (cli->deck)
        return DC_FAIL(DC_ERR_USAGE, "command line: '%s' is one word too many, the deck is given already",
                       dc_quote(quoted, word));
    cli->deck = word;
    return DC_OK;
}

/* Empty words mostly come from unset variables in scripts; no verb accepts them. */
static dc_status refuse_empty_words(const dc_cli *cli)
{
    for (int i = 1; i < cli->argc; i++)
        if (cli->argv[i][0] == '\0')
            return DC_FAIL(DC_ERR_USAGE, "command line: argument %d is empty (''); leave it out, or name a file", i);
    return DC_OK;
}

/* --help and --version are accepted anywhere on the command line. */
static void find_help(dc_cli *cli)
{
    for (int i = 1; i < cli->argc; i++) {
        if (strcmp(cli->argv[i], "--version") == 0) cli->version = true;
        if (strcmp(cli->argv[i], "--help") == 0 || strcmp(cli->argv[i], "-h") == 0) cli->help = true;
    }
    cli->help = cli->help || cli->version;
}

/* What keys may ask of a method. */
static const char *traits_of(const dc_method *m)
{
    static const char *const of_training[] = {"training pretraining decoder centers start",
                                              "training pretraining decoder", "training centers", "training"};
    if (m->choose) return "pretraining decoder choice";
    if (m->sweep) return "pretraining decoder centers sweep start";
    if (!(m->flags & DC_METHOD_TRAINS)) return "pretraining decoder centers start";
    if (m->flags & DC_METHOD_OWN_START) return "training pretraining decoder centers";
    return of_training[(m->flags & DC_METHOD_SCRATCH ? 2 : 0) + (m->flags & DC_METHOD_HEAD ? 1 : 0)];
}

/* Tells dc_config about the methods and their keys. */
void dc_cli_register_methods(void)
{
    static dc_config_method list[DC_METHODS_MAX];
    int n = 0;
    for (const dc_method *m; n < DC_METHODS_MAX && (m = dc_method_at(n)) != NULL; n++)
        list[n] = (dc_config_method){.name = m->name,
                                     .summary = m->summary,
                                     .traits = traits_of(m),
                                     .keys = m->keys,
                                     .n_keys = m->n_keys,
                                     .keys_bytes = m->keys_bytes};
    dc_config_set_methods(list, n);
}

dc_status dc_cli_parse(int argc, char **argv, dc_cli *cli)
{
    dc_status st = DC_OK;
    int command;
    *cli = (dc_cli){.argc = argc, .argv = argv};
    find_help(cli);
    DC_TRY(refuse_empty_words(cli));
    DC_TRY(find_command(cli, &command));
    if (cli->help) return DC_OK;
    if (!dc_verb_help_find(cli->verb)->takes_deck) {
        cli->rest_argc = argc - command;
        cli->rest_argv = argv + command;
        return DC_OK;
    }
    DC_TRY(dc_mem_alloc(&cli->overrides, (size_t)argc, sizeof *cli->overrides, "command line"));
    for (int i = 1; i < argc; i++)
        if (i != command) DC_TRY(take_word(cli, argv[i]));
out:
    if (st != DC_OK) dc_cli_release(cli);
    return st;
}

void dc_cli_release(dc_cli *cli)
{
    dc_mem_free(&cli->overrides);
    cli->n_overrides = 0;
}

/* ---- Help ------------------------------------------------------------------------------------------------ */

static void print_verb(const dc_verb_help *verb, FILE *out)
{
    fprintf(out, "usage: dcmpi %s %s\n\n%s\n%s", verb->name, verb->arguments, verb->summary, verb->details);
    if (!verb->takes_deck) return;
    fprintf(out,
            "\nMethods (cluster.method; the first is the default), each with a section of its name for its keys:\n");
    const dc_method *m;
    for (int i = 0; (m = dc_method_at(i)) != NULL; i++) fprintf(out, "  %-10s %s\n", m->name, m->summary);
    fprintf(out, "\nKeys of the deck, also --section.key=VALUE (`dcmpi config --explain SECTION` shows them):\n");
    dc_config_list_sections(out);
}

static void print_program(FILE *out)
{
    fprintf(out, "dcmpi %s: deep embedded clustering with MPI and OpenMP\n\n", dc_version());
    fprintf(out, "usage: mpirun -n RANKS dcmpi [VERB] [DECK] [--section.key=VALUE ...]\n\n");
    const dc_verb_help *v;
    for (int i = 0; (v = dc_verb_help_at(i)) != NULL; i++) fprintf(out, "  %-10s %s\n", v->name, v->summary);
    fprintf(out,
            "\n`dcmpi VERB --help` shows the arguments of a verb; --version prints the version. Sections of a deck:\n");
    dc_config_list_sections(out);
    fprintf(out,
            "\nExit codes: 0 done, 2 usage or deck, 3 input data, 4 I/O, 5 diverged, 6 bad file, 7 output in use,\n"
            "8 memory, 70 internal, 75 stopped early (run the same command again).\n");
}

static bool verb_was_given(const dc_cli *cli)
{
    for (int i = 1; i < cli->argc; i++)
        if (strcmp(cli->argv[i], cli->verb) == 0) return true;
    return false;
}

dc_status dc_cli_help(const dc_cli *cli, FILE *out)
{
    if (cli->version)
        fprintf(out, "dcmpi %s (%s)\n", dc_version(), dc_version_git());
    else if (verb_was_given(cli))
        print_verb(dc_verb_help_find(cli->verb), out);
    else
        print_program(out);
    return DC_OK;
}
