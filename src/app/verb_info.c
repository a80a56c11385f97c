/* `dcmpi info FILE`: prints the attributes and datasets of a data or result file as a table. */
#include <string.h>

#include "dcmpi/fault.h"
#include "dcmpi/h5.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "expect.h"
#include "verbs.h"

static dc_status print_dataset(void *ctx, const char *name, const dc_h5_info *info)
{
    (void)ctx;
    char shape[256] = "";
    size_t used = 0;
    for (int i = 0; i < info->n_dims && used < sizeof shape; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", i ? " x " : "", (long long)info->dims[i]);
    dc_log_plain("  %-36s %-8s %s", name, info->type_name, info->n_dims ? shape : "scalar");
    return DC_OK;
}

/* Prints a text on one line, cut if it is too long. The line breaks between the entries of a list become commas. */
static void print_text(dc_h5 *h5, const char *name)
{
    char value[1024];
    if (dc_h5_get_attr_str(h5, "/", name, value, sizeof value) != DC_OK || !value[0]) return;
    for (char *c = value; *c; c++)
        if (*c == '\n') *c = ',';
    dc_log_plain("%-15s %s%s", name, value, strlen(value) + 1 == sizeof value ? " ..." : "");
}

static void print_numbers(dc_h5 *h5, const char *name)
{
    enum { SHOWN = 8, DIGITS = 32 };
    double v[SHOWN];
    char text[SHOWN * DIGITS] = "";
    size_t n = 0, used = 0;
    if (dc_h5_get_attr_f64(h5, "/", name, v, SHOWN, &n) != DC_OK) return;
    for (size_t k = 0; k < DC_MIN(n, (size_t)SHOWN); k++)
        used += (size_t)snprintf(text + used, sizeof text - used, " %.10g", v[k]);
    dc_log_plain("%-15s%s%s", name, text, n > SHOWN ? " ..." : "");
}

/* Prints the root attributes that data files and results may have, in an order that is easy to read. */
static void print_attributes(dc_h5 *h5)
{
    static const char *const text[] = {
        "format",        "created",       "version",      "git",         "arch",
        "libraries",     "command_line",  "verb",         "inputs",      "options",
        "data",          "data_hash",     "source",       "checksum",    "stop_reason",
        "classes",       "model",         "method",       "gemm",        "cpu",
        "isa",           "phase",         "job",          "result_hash", "labels_hash",
        "weights_hash",  "deck_hash",     "program_hash", "data_type",   "feature_names",
        "missing",       "label_dataset", "matrix",       "id_dataset",  "feature_dataset",
        "encoding-type", "vectorizer",    "on",           "keep",        "run_hash"};
    static const char *const number[] = {
        "format_version", "complete",    "seed",     "ranks",    "threads",       "iterations",   "wall_seconds",
        "inertia",        "min",         "max",      "mean",     "image_shape",   "clusters",     "alpha",
        "shards",         "tile_rows",   "step",     "rows",     "columns",       "parts",        "part",
        "nodes",          "delta",       "outliers", "warnings", "checkpoint",    "scaled_range", "unlabelled",
        "sparse_values",  "cosine",      "probe",    "groups",   "largest_group", "removed",      "rows_of_zeros",
        "pairs",          "pairs_across"};
    for (size_t i = 0; i < DC_COUNT_OF(text); i++) {
        if (dc_h5_has_attr(h5, "/", text[i])) print_text(h5, text[i]);
        dc_error_clear();
    }
    for (size_t i = 0; i < DC_COUNT_OF(number); i++) {
        if (dc_h5_has_attr(h5, "/", number[i])) print_numbers(h5, number[i]);
        dc_error_clear();
    }
}

static void print_metrics(dc_h5 *h5)
{
    static const char *const names[] = {"acc", "nmi", "nmi_arithmetic", "ari", "purity", "f_measure", "f_pairs"};
    for (size_t i = 0; dc_h5_exists(h5, "/metrics") && i < DC_COUNT_OF(names); i++) {
        double v;
        if (dc_h5_has_attr(h5, "/metrics", names[i]) &&
            dc_h5_get_attr_f64(h5, "/metrics", names[i], &v, 1, NULL) == DC_OK)
            dc_log_plain("%-15s %.4f", names[i], v);
    }
}

/* Which rows lie in which file, of the first and the last files. */
static dc_status print_files(dc_h5 *h5)
{
    enum { SHOWN = 10 };
    dc_status st = DC_OK;
    dc_h5_info info;
    char *names = NULL;
    int64_t first[SHOWN];
    if (!dc_h5_exists(h5, "/files/name")) return DC_OK;
    DC_TRY(dc_h5_dataset_info(h5, "/files/name", &info));
    const dc_gidx n = info.dims[0], shown = DC_MIN(n, (dc_gidx)SHOWN), at = n - shown;
    if (info.type != DC_H5_TEXT || info.n_dims != 1)
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "/files/name is not a list of texts; the file is damaged"));
    DC_TRY(dc_h5_join_text(h5, "/files/name", n, &names));
    DC_TRY(dc_h5_read_rows(h5, "/files/first_row", DC_H5_I64, at, shown, first));
    const char *name = names;
    for (dc_gidx i = 0; i < at; i++) name = strchr(name, '\n') + 1;
    dc_log_plain("files           %lld, %sfirst rows and names:", (long long)n, at > 0 ? "the last of them with " : "");
    for (dc_gidx i = 0; i < shown; i++, name += strcspn(name, "\n") + 1)
        dc_log_plain("  %-12lld %.*s", (long long)first[i], (int)strcspn(name, "\n"), name);
out:
    dc_mem_free(&names);
    return st;
}

static dc_status print_faults(void)
{
    if (dc_fault_list(stdout)) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "this build has no fault points: build with make FAULT=1");
}

dc_status dc_verb_info(int argc, char **argv)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    if (argc == 2 && strcmp(argv[1], "--faults") == 0) return print_faults();
    if (argc != 2) return DC_FAIL(DC_ERR_USAGE, "usage: dcmpi info FILE");
    DC_TRY(dc_expect(DC_EXPECT_ANY, argv[1], argv[0]));
    DC_TRY(dc_h5_open(&h5, argv[1], DC_H5_READ));
    print_attributes(h5);
    print_metrics(h5);
    DC_TRY(print_files(h5));
    dc_log_plain("datasets");
    DC_TRY(dc_h5_visit(h5, print_dataset, NULL));
    dc_note_summary(argv[1]);
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}
