/* Completion for bash: verbs, their options, keys of the deck and values that are words. The script needs no other
 * package. Bash may or may not split words at `=`; the script handles both. */
#include <string.h>

#include "dcmpi/config.h"
#include "dcmpi/version.h"
#include "docs.h"
#include "verb_help.h"

/* Length of the option "--word" or "--word=" at the start of `text`, or 0. */
static size_t option_length(const char *text)
{
    if (strncmp(text, "--", 2) != 0) return 0;
    const size_t n = 2 + strspn(text + 2, "abcdefghijklmnopqrstuvwxyz-");
    return n == 2 || text[n] == '.' ? 0 : n + (text[n] == '=');
}

/* Prints the options that occur in `text` but not in `known`, each after a blank. */
static void print_options(const char *text, const char *known, FILE *out)
{
    for (const char *at = text; (at = strstr(at, "--")) != NULL;) {
        char option[64];
        const size_t n = option_length(at);
        snprintf(option, sizeof option, "%.*s", (int)n, at);
        if (n > 0 && !strstr(known, option)) fprintf(out, " %s", option);
        at += n > 0 ? n : 2;
    }
}

static void print_verbs(FILE *out)
{
    const dc_verb_help *v;
    fputs("_dcmpi_verbs='help", out);
    for (int i = 0; (v = dc_verb_help_at(i)) != NULL; i++) fprintf(out, " %s", v->name);
    fputs("'\n\n_dcmpi_options() { # VERB\n    case $1 in\n", out);
    for (int i = 0; (v = dc_verb_help_at(i)) != NULL; i++) {
        fprintf(out, "    %s) echo \"--help", v->name);
        print_options(v->arguments, "", out);
        print_options(v->details, v->arguments, out);
        if (v->takes_deck) dc_config_words(v->name, out);
        fputs("\" ;;\n", out);
    }
    fputs("    esac\n}\n\n", out);
}

static void print_values(FILE *out)
{
    fputs("_dcmpi_values() { # KEY: its values; @file for files\n    case $1 in\n", out);
    dc_config_value_words(out);
    fputs("    --explain) echo \"", out);
    dc_config_names(out);
    fputs("\" ;;\n    --*.*) ;;\n    *) echo @file ;;\n    esac\n}\n\n", out);
}

static const char completion[] =
    "# The verb among the words before the current one; a deck means fit.\n"
    "_dcmpi_verb() {\n"
    "    local i word\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == -* || $word == '=' || ${COMP_WORDS[i - 1]} == '=' ]]; then continue; fi\n"
    "        if [[ \" $_dcmpi_verbs \" == *\" $word \"* ]]; then echo \"$word\"; else echo fit; fi\n"
    "        return\n"
    "    done\n"
    "}\n"
    "\n"
    "_dcmpi() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} key='' prefix='' verb words\n"
    "    COMPREPLY=()\n"
    "    verb=$(_dcmpi_verb)\n"
    "    if [[ $cur == --*=* ]]; then\n"
    "        key=${cur%%=*} prefix=${cur%%=*}= cur=${cur#*=}\n"
    "    elif [[ $cur == '=' ]]; then\n"
    "        key=$prev cur=''\n"
    "    elif [[ $prev == '=' && $COMP_CWORD -ge 2 ]]; then\n"
    "        key=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    elif [[ $prev == --explain ]]; then\n"
    "        key=$prev\n"
    "    fi\n"
    "    if [[ -n $key ]]; then\n"
    "        words=$(_dcmpi_values \"$key\")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        words=$(_dcmpi_options \"${verb:-fit}\")\n"
    "        [[ -n $verb ]] || words+=' --version'\n"
    "    elif [[ -z $verb ]]; then\n"
    "        words=\"$_dcmpi_verbs @file\"\n"
    "    elif [[ $verb == help ]]; then\n"
    "        words=$_dcmpi_verbs\n"
    "    else\n"
    "        words=@file\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -P \"$prefix\" -W \"${words/@file/}\" -- \"$cur\")\n"
    "    if [[ $words == *@file* ]]; then\n"
    "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -P \"$prefix\" -f -- \"$cur\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    elif [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "complete -F _dcmpi dcmpi\n";

void dc_docs_completion(FILE *out)
{
    fprintf(out, "# shellcheck shell=bash\n# Completion of dcmpi %s for bash.\n\n", dc_version());
    print_verbs(out);
    print_values(out);
    fputs(completion, out);
}
