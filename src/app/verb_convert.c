/* `dcmpi convert`: command line to dc_convert_config, one line about what was written. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "advice.h"
#include "dcmpi/convert.h"
#include "dcmpi/data.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "verbs.h"

static const char help[] =
    "usage: dcmpi convert IN... OUT.h5 [options]\n"
    "\n"
    "Writes one data file from IDX, NPY, text (comma, semicolon, tab or blank separated; each also as .gz) or HDF5.\n"
    "Several inputs are concatenated in order. OUT.h5 appears only when it is complete.\n"
    "\n"
    "  --labels FILE          labels of an input; once per input, in the same order\n"
    "  --label-column COLUMN  text: first, last, none (default) or a number that counts from 0\n"
    "  --dataset /PATH        HDF5: the matrix (default: /X, or the only dataset of 2 or more dimensions)\n"
    "  --max-input SIZE       refuse inputs that expand beyond this: bytes, or with KiB, MiB, GiB, TiB (default 1TiB)\n"
    "  --force                replace an output that exists and is no HDF5 file\n"
    "  --help                 this text\n"
    "\n"
    "example: dcmpi convert train-images-idx3-ubyte.gz t10k-images-idx3-ubyte.gz mnist.h5 \\\n"
    "             --labels train-labels-idx1-ubyte.gz --labels t10k-labels-idx1-ubyte.gz\n";

/* The command line while it is read. */
typedef struct {
    int argc, at;
    char **argv;
    const char **files, **labels; /* [argc] */
    int n_files, n_labels;
    bool help;
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

static dc_status set_label_column(command *c, const char *value)
{
    char *end;
    errno = 0;
    long column = strtol(value, &end, 10);
    if (strcmp(value, "first") == 0)
        column = 0;
    else if (strcmp(value, "last") == 0)
        column = DC_LABEL_LAST;
    else if (strcmp(value, "none") == 0)
        column = DC_LABEL_NONE;
    else if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
        return DC_FAIL(DC_ERR_USAGE, "--label-column=%s: use first, last, none or a number that counts from 0", value);
    c->cfg.label_column = column;
    c->cfg.label_column_given = true;
    return DC_OK;
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

static dc_status set_force(command *c, const char *value)
{
    (void)value;
    c->cfg.force = true;
    return DC_OK;
}

static dc_status set_help(command *c, const char *value)
{
    (void)value;
    c->help = true;
    return DC_OK;
}

static const struct option_row {
    const char *name;
    bool has_value;
    dc_status (*set)(command *c, const char *value);
} options[] = {
    {"--labels", true, set_labels},   {"--label-column", true, set_label_column},
    {"--dataset", true, set_dataset}, {"--max-input", true, set_max_input},
    {"--force", false, set_force},    {"--help", false, set_help},
};

/* --name=value or --name value. */
static dc_status parse_option(command *c, const char *arg)
{
    const size_t n = strcspn(arg, "=");
    for (size_t i = 0; i < DC_COUNT_OF(options); i++) {
        const struct option_row *o = &options[i];
        if (strlen(o->name) != n || strncmp(arg, o->name, n) != 0) continue;
        const char *value = arg[n] == '=' ? arg + n + 1 : NULL;
        if (!o->has_value && value) return DC_FAIL(DC_ERR_USAGE, "convert: %s takes no value", o->name);
        if (o->has_value && !value) value = c->at < c->argc ? c->argv[c->at++] : "";
        if (o->has_value && value[0] == '\0') return DC_FAIL(DC_ERR_USAGE, "convert: %s needs a value", o->name);
        return o->set(c, value);
    }
    return DC_FAIL(DC_ERR_USAGE, "convert: unknown option %s; see dcmpi convert --help", arg);
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
    if (!c->help && c->n_files < 2)
        st = DC_FAIL(DC_ERR_USAGE, "convert: give at least one input and the output; see dcmpi convert --help");
out:
    return st;
}

static void print_result(const char *output, const dc_convert_result *r)
{
    char labels[64] = "no labels";
    if (r->has_labels) snprintf(labels, sizeof labels, "labels %lld classes", (long long)r->n_classes);
    dc_log_plain("wrote %s: %lld x %lld %s, %s, min %.6g max %.6g mean %.6g, checksum %016llx", output, (long long)r->N,
                 (long long)r->D, dc_dtype_name(r->dtype), labels, r->min, r->max, r->mean,
                 (unsigned long long)r->checksum);
    char line[512];
    dc_advise_labels(output, r->N, r->has_labels ? r->n_classes : 0, line, sizeof line);
    if (line[0]) dc_log_warning("%s", line);
}

dc_status dc_verb_convert(int argc, char **argv)
{
    dc_status st = DC_OK;
    dc_convert_result result;
    command c = {.argc = argc, .at = 1, .argv = argv, .cfg = {.max_input_bytes = UINT64_C(1) << 40}};
    DC_TRY(dc_mem_alloc(&c.files, (size_t)argc, sizeof *c.files, "command line"));
    DC_TRY(dc_mem_alloc(&c.labels, (size_t)argc, sizeof *c.labels, "command line"));
    DC_TRY(parse_arguments(&c));
    if (c.help) {
        fputs(help, stdout);
        goto out;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file size limit then is an error of the write, with a message */
    c.cfg.inputs = c.files;
    c.cfg.n_inputs = c.n_files - 1;
    c.cfg.output = c.files[c.n_files - 1];
    c.cfg.labels = c.labels;
    c.cfg.n_labels = c.n_labels;
    dc_signals_install();
    st = dc_convert(&c.cfg, &result);
    if (st == DC_STOPPED)
        dc_log("stopped by %s: no output is left; the same command starts anew", dc_signals_stop_name());
    if (st != DC_OK) goto out;
    print_result(c.cfg.output, &result);
    st = dc_dataset_tell_range(c.cfg.output);
out:
    dc_mem_free(&c.files);
    dc_mem_free(&c.labels);
    return st;
}
