/* The man page: fixed text around the tables of verbs, methods and keys. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dcmpi/config.h"
#include "dcmpi/method.h"
#include "dcmpi/version.h"
#include "docs.h"
#include "verb_help.h"

/* ---- Pieces ------------------------------------------------------------------------------------------------------ */

static void section(const char *name, FILE *out)
{
    fprintf(out, ".SH %s\n", name);
}

/* An entry of a list. */
static void entry(const char *term, const char *text, FILE *out)
{
    fputs(".TP\n.B ", out);
    dc_man_word(term, strlen(term), out);
    fputc('\n', out);
    dc_man_text(text, out);
}

typedef struct {
    const char *term, *text;
} item;

static void list(const item *items, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++) entry(items[i].term, items[i].text, out);
}

static void print_title(FILE *out)
{
    char date[16];
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    const time_t now = epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &utc));
    fprintf(out, ".TH DCMPI 1 %s \"dcmpi %s\" \"User Commands\"\n", date, dc_version());
}

static void print_name(FILE *out)
{
    section("NAME", out);
    fputs("dcmpi \\- deep embedded clustering with MPI and OpenMP\n", out);
}

static void print_synopsis(FILE *out)
{
    const dc_verb_help *v;
    section("SYNOPSIS", out);
    for (int i = 0; (v = dc_verb_help_at(i)) != NULL; i++) {
        if (i > 0) fputs(".br\n", out);
        fprintf(out, "%s.B dcmpi %s\n", v->on_ranks ? ".RB [ \"mpirun \\-n \" \\fIRANKS\\fR ]\n" : "", v->name);
        dc_man_text(v->arguments, out);
    }
}

/* ---- Verbs ------------------------------------------------------------------------------------------------------- */

/* Prints a line of a verb's details: "  --name=VALUE  text" starts an entry, other lines are text. A line with more
 * indent than that continues the entry; with `goes_on`, a line without indent continues the sentence. */
static void print_detail(const char *line, bool goes_on, FILE *out)
{
    enum { CONTINUED = 8 };
    char term[256];
    const size_t indent = strspn(line, " "), len = strlen(line + indent);
    const char *gap = strstr(line + indent, "  ");
    if (indent == 0 || indent >= CONTINUED || !gap) {
        if (indent < CONTINUED && !goes_on) fputs(".PP\n", out);
        dc_man_text(line + indent, out);
        return;
    }
    snprintf(term, sizeof term, "%.*s", (int)DC_MIN((size_t)(gap - line) - indent, len), line + indent);
    entry(term, gap, out);
}

static void print_verb(const dc_verb_help *verb, FILE *out)
{
    char line[512];
    bool sentence = false;
    fprintf(out, ".SS %s\n", verb->name);
    dc_man_text(verb->summary, out);
    for (const char *at = verb->details; *at; at += strcspn(at, "\n") + 1) {
        const size_t n = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, at);
        print_detail(line, sentence, out);
        sentence = *at != ' ' && n > 0 && !strchr(".:", at[n - 1]);
    }
}

static void print_verbs(FILE *out)
{
    const dc_verb_help *v;
    const dc_method *m;
    section("VERBS", out);
    for (int i = 0; (v = dc_verb_help_at(i)) != NULL; i++) print_verb(v, out);
    section("METHODS", out);
    dc_man_text("Values of cluster.method.", out);
    for (int i = 0; (m = dc_method_at(i)) != NULL; i++) entry(m->name, m->summary, out);
}

/* ---- Fixed text -------------------------------------------------------------------------------------------------- */

static const char description[] =
    "dcmpi learns an embedding and a clustering of a large data set together. MPI ranks hold shards of the rows, "
    "OpenMP "
    "threads run the kernels of a rank, parallel HDF5 carries data and results. Batches, random numbers and sums over "
    "rows do not depend on the number of ranks and threads. Without a verb, fit is meant; without a deck, the built-in "
    "problem.";

static const char deck[] =
    "A deck is a YAML file of sections, single values and lists on one line. Defaults are overridden by the deck, the "
    "deck by --section.key=VALUE on the command line. An unknown key, a key given twice, a value out of range and a "
    "key that the run would not use are errors, found before any data is read.";

static const item options[] = {{"--help", "Help, of the program or of the verb."},
                               {"--version", "Version and commit."},
                               {"--section.key=VALUE", "A key of the deck; see KEYS."}};

static const item exit_codes[] = {{"0", "Done."},
                                  {"1", "compare: the files differ."},
                                  {"2", "Wrong command line or deck, or started wrongly."},
                                  {"3", "Unusable input data."},
                                  {"4", "Input or output failed, or the disk is full."},
                                  {"5", "The numbers diverged; selftest: they are wrong."},
                                  {"6", "A result, model or checkpoint file is damaged or of another kind."},
                                  {"7", "The output directory is in use."},
                                  {"8", "Not enough memory."},
                                  {"70", "An error of the program itself."},
                                  {"75", "Stopped early: run the same command again."}};

static const item environment[] = {
    {"OMP_NUM_THREADS", "Threads per rank."},
    {"OMP_WAIT_POLICY", "Set to passive where there are more threads than cores."},
    {"OPENBLAS_CORETYPE",
     "Kernels of OpenBLAS; where it does not know the CPU, the program chooses them. Results name them."}};

static const item files[] = {
    {"run.h5", "Results: labels, embedding, centres, model, scores, history, timing, the deck."},
    {"summary.json", "The result line, timing and self-checks for programs."},
    {"log.txt", "What was printed."},
    {"config.used.yaml", "The effective deck; it reproduces the run."}};

static const item examples[] = {
    {"mpirun -n 2 dcmpi", "The built-in problem, about a minute."},
    {"mpirun -n 64 dcmpi mnist.yaml --run.seed=2 --run.output=runs/2", "A deck, with two of its keys changed."},
    {"dcmpi config --explain cluster.tol", "The documentation of a key."},
    {"mpirun -n 64 dcmpi selftest --dir=/scratch", "Is this machine fit for a job?"}};

void dc_docs_man(FILE *out)
{
    print_title(out);
    print_name(out);
    print_synopsis(out);
    section("DESCRIPTION", out);
    dc_man_text(description, out);
    section("OPTIONS", out);
    list(options, DC_COUNT_OF(options), out);
    print_verbs(out);
    section("KEYS", out);
    dc_man_text(deck, out);
    dc_config_man(out);
    section("FILES", out);
    dc_man_text("In the directory run.output:", out);
    list(files, DC_COUNT_OF(files), out);
    section("ENVIRONMENT", out);
    list(environment, DC_COUNT_OF(environment), out);
    section("EXIT STATUS", out);
    dc_man_text("The same on all ranks.", out);
    list(exit_codes, DC_COUNT_OF(exit_codes), out);
    section("EXAMPLES", out);
    list(examples, DC_COUNT_OF(examples), out);
    section("SEE ALSO", out);
    fputs(".BR mpirun (1),\n.BR h5dump (1)\n", out);
}
