/* `dcmpi convert`: turns the command line into a dc_convert_config, converts, and prints one line about the output.
 * Documents are converted by all ranks, everything else by rank 0 alone. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "apart.h"
#include "dcmpi/convert.h"
#include "dcmpi/data.h"
#include "dcmpi/files.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/watchdog.h"
#include "dcmpi/wish.h"
#include "vectorizer_option.h"
#include "verbs.h"

enum { STALL_WARNING_S = 60, EXCERPT_CHARACTERS = 200 };

/* An option that was given: its row in the table below, and its value. */
typedef struct {
    size_t row;
    const char *value;
} given;

/* The command line while it is read. */
typedef struct {
    int argc, at;
    char **argv;
    const char **files, **labels; /* [argc] */
    int n_files, n_labels;
    dc_files *found, *found_labels;      /* the inputs and files of labels, if one of them is a glob; owned */
    const char **inputs, **input_labels; /* [found->n], [found_labels->n] their names; owned */
    given *given;                        /* [n_given], room for argc */
    int n_given;
    const char *option;      /* the one that is read now, with its dashes */
    const char *text_option; /* the first that is for documents only; NULL: none */
    const char *word_option; /* the first that says how documents become rows */
    const char *preset;
    dc_vectorizer vectorizer; /* owned */
    char *written;            /* the options as text, from list_options() */
    dc_convert_config cfg;
} command;

static dc_status set_labels(command *c, const char *value)
{
    c->labels[c->n_labels++] = value;
    return DC_OK;
}

static dc_status set_dataset(command *c, const char *value)
{
    c->cfg.dataset = value;
    return DC_OK;
}

static dc_status set_label_dataset(command *c, const char *value)
{
    c->cfg.label_dataset = value;
    return DC_OK;
}

static dc_status set_id_dataset(command *c, const char *value)
{
    c->cfg.id_dataset = value;
    return DC_OK;
}

/* "16x16" or "32x32x3". */
static dc_status set_image_shape(command *c, const char *value)
{
    int n = 0;
    const char *p = value;
    for (char *end; n < DC_CONVERT_IMAGE_DIMS && *p >= '1' && *p <= '9'; p = end + 1) {
        errno = 0;
        c->cfg.image_shape[n++] = strtoll(p, &end, 10);
        if (errno == 0 && *end == '\0' && n >= 2) {
            c->cfg.n_image_dims = n;
            return DC_OK;
        }
        if (errno != 0 || *end != 'x') break;
    }
    return DC_FAIL(DC_ERR_USAGE,
                   "--image-shape=%s: use HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS, such as 28x28 or 32x32x3", value);
}

static dc_status set_label_column(command *c, const char *value)
{
    c->cfg.table.label_column = value;
    return DC_OK;
}

static dc_status set_id_column(command *c, const char *value)
{
    c->cfg.table.id_column = value;
    return DC_OK;
}

static dc_status set_drop_columns(command *c, const char *value)
{
    c->cfg.table.drop_columns = value;
    return DC_OK;
}

/* Index of `value` in words[n], or DC_ERR_USAGE. */
static dc_status choose(const char *option, const char *value, const char *const *words, int n, int *choice)
{
    for (*choice = 0; *choice < n; ++*choice)
        if (strcmp(value, words[*choice]) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "%s=%s: use %s or %s", option, value, words[0], words[1]);
}

static dc_status set_header(command *c, const char *value)
{
    int choice;
    const dc_status st = choose("--header", value, (const char *const[]){"yes", "no"}, 2, &choice);
    c->cfg.table.header = choice == 0 ? DC_HEADER_YES : DC_HEADER_NO;
    return st;
}

static dc_status set_transpose(command *c, const char *value)
{
    int choice;
    const dc_status st = choose("--transpose", value, (const char *const[]){"yes", "no"}, 2, &choice);
    c->cfg.transpose = choice == 0 ? DC_TRANSPOSE_YES : DC_TRANSPOSE_NO;
    return st;
}

static dc_status set_decimal(command *c, const char *value)
{
    int choice;
    const dc_status st = choose("--decimal", value, (const char *const[]){"comma", "point"}, 2, &choice);
    c->cfg.table.decimal_comma = choice == 0;
    return st;
}

static dc_status set_separator(command *c, const char *value)
{
    static const struct {
        const char *name;
        char separator;
    } names[] = {{"tab", '\t'}, {"\\t", '\t'}, {"comma", ','}, {"semicolon", ';'}, {"bar", '|'}, {"blank", ' '}};
    for (size_t i = 0; i < DC_COUNT_OF(names); i++)
        if (strcmp(value, names[i].name) == 0) c->cfg.table.separator = names[i].separator;
    /* A character that may be part of a number, or that opens a quoted cell, cannot be a separator. */
    if (value[1] == '\0' && !isalnum((unsigned char)value[0]) && !strchr("+-.\"", value[0]))
        c->cfg.table.separator = value[0];
    if (c->cfg.table.separator) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "--separator=%s: use one character that is not a letter, digit, sign, point or quote, or tab, "
                   "comma, semicolon, bar or blank",
                   value);
}

static dc_status set_missing(command *c, const char *value)
{
    static const char *const words[] = {"error", "drop", "mean"};
    char *end = NULL;
    for (size_t i = 0; i < DC_COUNT_OF(words); i++) {
        if (strcmp(value, words[i]) != 0) continue;
        c->cfg.missing.action = (dc_missing_action)i;
        return DC_OK;
    }
    if (strncmp(value, "value:", 6) == 0) c->cfg.missing.value = strtod(value + 6, &end);
    if (!end || end == value + 6 || *end != '\0')
        return DC_FAIL(DC_ERR_USAGE, "--missing=%s: use error, drop, mean or value:X with a number", value);
    c->cfg.missing.action = DC_MISSING_VALUE;
    return DC_OK;
}

static dc_status set_zero_based(command *c, const char *value)
{
    int choice;
    const dc_status st = choose("--zero-based", value, (const char *const[]){"yes", "no"}, 2, &choice);
    c->cfg.index_base = choice == 0 ? DC_INDEX_ZERO : DC_INDEX_ONE;
    return st;
}

static dc_status set_n_features(command *c, const char *value)
{
    char *end;
    errno = 0;
    c->cfg.n_features = strtoll(value, &end, 10);
    if (errno == 0 && *end == '\0' && c->cfg.n_features >= 1 && c->cfg.n_features <= DC_CONVERT_MAX_COLUMNS)
        return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "--n-features=%s: use a number from 1 to %d", value, DC_CONVERT_MAX_COLUMNS);
}

static dc_status set_max_input(command *c, const char *value)
{
    static const struct {
        const char *name;
        int shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    char *end;
    errno = 0;
    const unsigned long long v = strtoull(value, &end, 10);
    for (size_t i = 0; i < DC_COUNT_OF(units); i++) {
        if (value[0] < '0' || value[0] > '9' || errno != 0 || strcmp(end, units[i].name) != 0) continue;
        if (v == 0 || v > UINT64_MAX >> units[i].shift) break;
        c->cfg.max_input_bytes = (uint64_t)v << units[i].shift;
        return DC_OK;
    }
    return DC_FAIL(DC_ERR_USAGE, "--max-input=%s: use a size such as 64GiB", value);
}

static dc_status set_text_column(command *c, const char *value)
{
    if (strcmp(value, "none") == 0) return DC_FAIL(DC_ERR_USAGE, "--text-column=none: name the column of documents");
    c->cfg.table.text_column = value;
    return DC_OK;
}

static dc_status set_vocabulary(command *c, const char *value)
{
    c->cfg.vocabulary = value;
    c->text_option = c->text_option ? c->text_option : c->option;
    return DC_OK;
}

static dc_status set_preset(command *c, const char *value)
{
    c->preset = value;
    c->text_option = c->text_option ? c->text_option : c->option;
    c->word_option = c->word_option ? c->word_option : c->option;
    return dc_vectorizer_preset(&c->vectorizer, value);
}

/* Checks the value; dc_vectorizer options are set after a preset, wherever that stands. */
static dc_status set_vectorizer(command *c, const char *value)
{
    const bool decode = strcmp(c->option, "--decode-error") == 0;
    c->text_option = c->text_option ? c->text_option : c->option;
    if (!decode) c->word_option = c->word_option ? c->word_option : c->option;
    return dc_vectorizer_option(&c->vectorizer, c->option, value);
}

static dc_status set_keep_text(command *c, const char *value)
{
    char *end;
    c->text_option = c->text_option ? c->text_option : c->option;
    const long n = strtol(value, &end, 10);
    c->cfg.keep_text = (int)n;
    if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && n <= DC_CONVERT_MAX_EXCERPT) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "--keep-text=%s: use a number of characters from 0 to %d", value,
                   DC_CONVERT_MAX_EXCERPT);
}

static dc_status set_force(command *c, const char *value)
{
    (void)value;
    c->cfg.force = true;
    return DC_OK;
}

static const struct option_row {
    const char *name;
    const char *unsaid; /* its value if the user gives none; NULL: the user must give one */
    dc_status (*set)(command *c, const char *value);
} options[] = {
    {"--labels", NULL, set_labels},
    {"--label-column", NULL, set_label_column},
    {"--id-column", NULL, set_id_column},
    {"--drop-columns", NULL, set_drop_columns},
    {"--header", NULL, set_header},
    {"--separator", NULL, set_separator},
    {"--decimal", NULL, set_decimal},
    {"--missing", NULL, set_missing},
    {"--transpose", "yes", set_transpose},
    {"--zero-based", NULL, set_zero_based},
    {"--n-features", NULL, set_n_features},
    {"--dataset", NULL, set_dataset},
    {"--matrix", NULL, set_dataset},
    {"--label-dataset", NULL, set_label_dataset},
    {"--id-dataset", NULL, set_id_dataset},
    {"--image-shape", NULL, set_image_shape},
    {"--text-column", NULL, set_text_column},
    {"--vocabulary", NULL, set_vocabulary},
    {"--preset", NULL, set_preset},
    {"--lowercase", "yes", set_vectorizer},
    {"--ngram-range", NULL, set_vectorizer},
    {"--stop-words", NULL, set_vectorizer},
    {"--min-df", NULL, set_vectorizer},
    {"--max-df", NULL, set_vectorizer},
    {"--max-features", NULL, set_vectorizer},
    {"--sublinear-tf", "yes", set_vectorizer},
    {"--use-idf", "yes", set_vectorizer},
    {"--smooth-idf", "yes", set_vectorizer},
    {"--norm", NULL, set_vectorizer},
    {"--hashing", NULL, set_vectorizer},
    {"--alternate-sign", "yes", set_vectorizer},
    {"--scale", NULL, set_vectorizer},
    {"--decode-error", NULL, set_vectorizer},
    {"--keep-text", NULL, set_keep_text},
    {"--max-input", NULL, set_max_input},
    {"--force", "", set_force},
};

/* --name=value or --name value. */
static dc_status parse_option(command *c, const char *arg)
{
    const size_t n = strcspn(arg, "=");
    for (size_t i = 0; i < DC_COUNT_OF(options); i++) {
        const struct option_row *o = &options[i];
        if (strlen(o->name) != n || strncmp(arg, o->name, n) != 0) continue;
        const char *value = arg[n] == '=' ? arg + n + 1 : o->unsaid;
        if (value && value != o->unsaid && o->unsaid && !o->unsaid[0])
            return DC_FAIL(DC_ERR_USAGE, "convert: %s takes no value", o->name);
        if (!value) value = c->at < c->argc ? c->argv[c->at++] : "";
        if (value != o->unsaid && value[0] == '\0') return DC_FAIL(DC_ERR_USAGE, "convert: %s needs a value", o->name);
        c->given[c->n_given++] = (given){i, value};
        c->option = o->name;
        return o->set(c, value);
    }
    return DC_FAIL(DC_ERR_USAGE, "convert: unknown option %s; see dcmpi convert --help", arg);
}

/* Prints the given options that affect the content of the output, in the order of the table. */
static void print_options(const command *c, FILE *out)
{
    const char *separator = "";
    for (size_t row = 0; row < DC_COUNT_OF(options); row++) {
        const char *name = options[row].name + 2;
        if (strcmp(name, "force") == 0 || strcmp(name, "max-input") == 0) continue;
        for (int i = 0; i < c->n_given; i++) {
            if (c->given[i].row != row) continue;
            fprintf(out, "%s%s=%s", separator, name, c->given[i].value);
            separator = "\n";
        }
    }
}

/* Puts the lines of print_options() into *text; the caller frees it with free(). */
static dc_status list_options(const command *c, char **text)
{
    size_t bytes = 0;
    FILE *out = open_memstream(text, &bytes);
    if (out) print_options(c, out);
    return out && fclose(out) == 0 ? DC_OK : DC_FAIL(DC_ERR_MEMORY, "not enough memory for the options");
}

static dc_status parse_arguments(command *c)
{
    dc_status st = DC_OK;
    bool only_files = false;
    while (c->at < c->argc) {
        const char *arg = c->argv[c->at++];
        if (!only_files && strcmp(arg, "--") == 0)
            only_files = true;
        else if (!only_files && arg[0] == '-' && arg[1] != '\0')
            DC_TRY(parse_option(c, arg));
        else
            c->files[c->n_files++] = arg;
    }
    if (c->n_files < 2)
        st = DC_FAIL(DC_ERR_USAGE, "convert: give at least one input and the output; see dcmpi convert --help");
out:
    return st;
}

/* Sets the options of the vectorizer: those of the preset, then those that the user gave. */
static dc_status settle_vectorizer(command *c)
{
    dc_status st = DC_OK;
    bool hashing = false, idf = false, known;
    dc_vectorizer_release(&c->vectorizer);
    c->vectorizer = dc_vectorizer_default();
    if (c->preset) DC_TRY(dc_vectorizer_preset(&c->vectorizer, c->preset));
    for (int i = 0; i < c->n_given; i++) {
        const struct option_row *o = &options[c->given[i].row];
        if (o->set != set_vectorizer) continue;
        DC_TRY(dc_vectorizer_option(&c->vectorizer, o->name, c->given[i].value));
        hashing |= strcmp(o->name, "--hashing") == 0;
        idf |= strcmp(o->name, "--use-idf") == 0;
    }
    if (hashing && !idf) DC_TRY(dc_vectorizer_set(&c->vectorizer, "use_idf", "no", &known));
    c->cfg.vectorizer = &c->vectorizer;
out:
    return st;
}

/* Options for documents need documents, and a vocabulary brings its own. */
static dc_status check_text(const command *c)
{
    if (!c->cfg.table.text_column && c->text_option)
        return DC_FAIL(DC_ERR_USAGE,
                       "convert: %s is for documents: name their column with --text-column (or say line, or file)",
                       c->text_option);
    if (c->cfg.vocabulary && c->word_option)
        return DC_FAIL(DC_ERR_USAGE, "convert: %s and --vocabulary exclude each other: its options are used",
                       c->word_option);
    return DC_OK;
}

static dc_status parse_command(command *c, int argc, char **argv)
{
    dc_status st = DC_OK;
    *c = (command){.argc = argc,
                   .at = 1,
                   .argv = argv,
                   .cfg = {.max_input_bytes = UINT64_C(1) << 40, .keep_text = EXCERPT_CHARACTERS}};
    c->vectorizer = dc_vectorizer_default();
    DC_TRY(dc_mem_alloc(&c->files, (size_t)argc, sizeof *c->files, "command line"));
    DC_TRY(dc_mem_alloc(&c->labels, (size_t)argc, sizeof *c->labels, "command line"));
    DC_TRY(dc_mem_alloc(&c->given, (size_t)argc, sizeof *c->given, "command line"));
    DC_TRY(parse_arguments(c));
    DC_TRY(check_text(c));
    DC_TRY(settle_vectorizer(c));
    DC_TRY(list_options(c, &c->written));
    c->cfg.options = c->written;
    c->cfg.inputs = c->files;
    c->cfg.n_inputs = c->n_files - 1;
    c->cfg.output = c->files[c->n_files - 1];
    c->cfg.labels = c->labels;
    c->cfg.n_labels = c->n_labels;
out:
    return st;
}

/* A name that no file has and that has a wildcard: the shell found no match, or did not look because of quotes. */
static bool is_glob(const char *name)
{
    return strpbrk(name, "*?[") && access(name, F_OK) != 0;
}

/* If one of the names is a glob, finds the files of all; else *found stays NULL. */
static dc_status find(const char *const *name, int n, bool folders, dc_files **found)
{
    dc_status st = DC_OK;
    char *names = NULL;
    size_t bytes = 1, used = 0;
    bool any = false;
    for (int i = 0; i < n; i++) any |= is_glob(name[i]);
    if (!any) return DC_OK;
    for (int i = 0; i < n; i++) bytes += strlen(name[i]) + 1;
    DC_TRY(dc_mem_alloc(&names, bytes, 1, "names of inputs"));
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(names + used, bytes - used, "%s%s", i > 0 ? "\n" : "", name[i]);
    DC_TRY(dc_files_list(names, folders, found));
    for (size_t i = 0; i < (*found)->n; i++)
        if (*dc_files_dataset(*found, i))
            DC_TRY(DC_FAIL(DC_ERR_USAGE, "%s:%s: convert takes the dataset by --dataset", dc_files_path(*found, i),
                           dc_files_dataset(*found, i)));
out:
    dc_mem_free(&names);
    return st;
}

/* A folder may hold a matrix of 10x with its barcodes and features, but no documents. */
static dc_status find_inputs(command *c)
{
    dc_status st = DC_OK;
    DC_TRY(find(c->cfg.inputs, c->cfg.n_inputs, !c->cfg.table.text_column, &c->found));
    st = find(c->cfg.labels, c->cfg.n_labels, false, &c->found_labels);
out:
    return st;
}

/* Puts the files that were found in the place of their globs. */
static dc_status take(const dc_files *found, const char ***name, const char *const **names, int *n)
{
    if (!found) return DC_OK;
    const dc_status st = dc_mem_alloc(name, found->n, sizeof **name, "names of inputs");
    if (st != DC_OK) return st;
    for (size_t i = 0; i < found->n; i++) (*name)[i] = dc_files_path(found, i);
    *names = *name;
    *n = (int)found->n;
    return DC_OK;
}

static dc_status take_inputs(command *c)
{
    dc_status st = DC_OK;
    DC_TRY(take(c->found, &c->inputs, &c->cfg.inputs, &c->cfg.n_inputs));
    st = take(c->found_labels, &c->input_labels, &c->cfg.labels, &c->cfg.n_labels);
out:
    return st;
}

static void release_command(command *c)
{
    dc_files_destroy(&c->found);
    dc_files_destroy(&c->found_labels);
    dc_mem_free(&c->inputs);
    dc_mem_free(&c->input_labels);
    dc_mem_free(&c->files);
    dc_mem_free(&c->labels);
    dc_mem_free(&c->given);
    dc_vectorizer_release(&c->vectorizer);
    free(c->written);
}

static void print_result(const char *output, const dc_convert_result *r)
{
    char labels[64] = "no labels";
    if (r->has_labels) snprintf(labels, sizeof labels, "labels %lld classes", (long long)r->n_classes);
    char stored[64] = "";
    if (r->sparse)
        snprintf(stored, sizeof stored, "sparse, %lld values (%.3g %%), ", (long long)r->nnz,
                 100 * (double)r->nnz / ((double)r->N * (double)r->D));
    dc_log_plain("wrote %s: %lld x %lld %s, %s%s, min %.6g max %.6g mean %.6g, checksum %016llx", output,
                 (long long)r->N, (long long)r->D, dc_dtype_name(r->dtype), stored, labels, r->min, r->max, r->mean,
                 (unsigned long long)r->checksum);
    char line[512];
    dc_advise_labels(output, r->N, r->has_labels ? r->n_classes : 0, line, sizeof line);
    if (line[0]) dc_log_warning("%s", line);
}

dc_status dc_verb_convert(int argc, char **argv)
{
    dc_status st = DC_OK;
    dc_convert_result result;
    command c;
    DC_TRY(parse_command(&c, argc, argv));
    DC_TRY(find_inputs(&c));
    DC_TRY(take_inputs(&c));
    /* With this, a write beyond the file size limit fails with a message instead of killing the process. */
    signal(SIGXFSZ, SIG_IGN);
    dc_signals_install();
    st = c.cfg.table.text_column ? dc_convert_text(NULL, &c.cfg, &result) : dc_convert(&c.cfg, &result);
    if (st == DC_STOPPED)
        dc_log("stopped by %s: no output is left; the same command starts anew", dc_signals_stop_name());
    if (st != DC_OK) goto out;
    print_result(c.cfg.output, &result);
    st = dc_dataset_tell_range(c.cfg.output);
out:
    release_command(&c);
    return st;
}

/* ---- Under mpirun ------------------------------------------------------------------------------------------------ */

bool dc_convert_is_text(const dc_cli *cli)
{
    for (int i = 1; i < cli->rest_argc && strcmp(cli->rest_argv[i], "--") != 0; i++)
        if (strncmp(cli->rest_argv[i], "--text-column", strlen("--text-column")) == 0) return true;
    return false;
}

/* A file that exists as output, or holds a vocabulary, may be damaged: it is looked at in another process first. */
static dc_status probe_files(const dc_convert_config *cfg)
{
    dc_status st = DC_OK;
    if (!cfg->force && dc_apart_probe(DC_PROBE_OUTPUT, cfg->output, DC_ERR_FORMAT) != DC_OK) {
        dc_error_clear();
        return DC_FAIL(DC_ERR_USAGE, "%s: output exists and is damaged; give another name, or --force to replace it",
                       cfg->output);
    }
    if (!cfg->vocabulary) return DC_OK;
    DC_TRY(dc_apart_probe_data(cfg->vocabulary, NULL, NULL));
    DC_TRY(dc_apart_probe(DC_PROBE_MODEL, cfg->vocabulary, DC_ERR_FORMAT));
out:
    return st;
}

static dc_status convert_on_all(dc_comm *comm, command *c)
{
    dc_status st = DC_OK;
    dc_convert_result result;
    dc_wish *wish = NULL;
    DC_TRY(dc_wish_create(comm, &wish, &(dc_wish_config){0}));
    dc_comm_set_wish(comm, wish);
    DC_TRY(dc_watchdog_start(comm, STALL_WARNING_S, 0));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? probe_files(&c->cfg) : DC_OK);
    dc_log("memory    at most %.1f GiB per rank, and four times the longest document", DC_CONVERT_TEXT_BYTES / 0x1p30);
    st = dc_convert_text(comm, &c->cfg, &result);
    if (st == DC_STOPPED) {
        (void)dc_wish_ask(wish); /* a rank that saw the signal while it read told the others only that it stops */
        dc_wish_agree_on_reason(comm, wish);
        dc_log("stopped by %s: no output is left; the same command starts anew", dc_wish_reason(wish));
    }
    if (st == DC_OK) print_result(c->cfg.output, &result);
out:
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
    return st;
}

dc_status dc_run_convert(dc_comm *comm, const dc_cli *cli)
{
    static const dc_verb alone = {.name = "convert", .serial = dc_verb_convert, .apart = DC_ERR_DATA};
    dc_status st = DC_OK;
    command c = {0};
    DC_TRY(dc_comm_check_launch(comm));
    if (!dc_convert_is_text(cli)) {
        if (dc_comm_size(comm) > 1)
            dc_log_note("only documents (--text-column) are converted by all ranks; this is done by rank 0 alone");
        return dc_agree(comm, dc_comm_rank(comm) == 0 ? dc_apart_run(&alone, cli) : DC_OK);
    }
    DC_TRY_ALL(comm, parse_command(&c, cli->rest_argc, cli->rest_argv));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? find_inputs(&c) : DC_OK);
    int64_t globs = c.found != NULL;
    dc_comm_max_i64(comm, &globs, 1);
    if (globs) DC_TRY(dc_files_share(comm, &c.found));
    DC_TRY_ALL(comm, take_inputs(&c));
    DC_TRY(convert_on_all(comm, &c));
out:
    release_command(&c);
    return st;
}
