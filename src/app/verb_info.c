/* `dcmpi info FILE`: what is in a data or result file, as a table of attributes and datasets. */
#include <string.h>

#include "dcmpi/fault.h"
#include "dcmpi/h5.h"
#include "dcmpi/log.h"
#include "verbs.h"

static const char *type_name(dc_h5_type t)
{
    static const char *const names[] = {
        [DC_H5_U8] = "uint8",  [DC_H5_F16] = "float16", [DC_H5_F32] = "float32", [DC_H5_F64] = "float64",
        [DC_H5_I32] = "int32", [DC_H5_I64] = "int64",   [DC_H5_OTHER] = "other"};
    return names[t];
}

static dc_status print_dataset(void *ctx, const char *name, const dc_h5_info *info)
{
    (void)ctx;
    char shape[256] = "";
    size_t used = 0;
    for (int i = 0; i < info->n_dims && used < sizeof shape; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", i ? " x " : "", (long long)info->dims[i]);
    printf("  %-36s %-8s %s\n", name, type_name(info->type), info->n_dims ? shape : "scalar");
    return DC_OK;
}

/* The root attributes that data files and results have, in reading order. */
static void print_attributes(dc_h5 *h5)
{
    static const char *const text[] = {"format",    "created",      "version",     "git",     "arch",
                                       "libraries", "command_line", "verb",        "data",    "data_hash",
                                       "source",    "checksum",     "stop_reason", "classes", "model",
                                       "method",    "gemm",         "cpu",         "isa",     "phase"};
    static const char *const number[] = {"format_version", "complete",     "seed",     "ranks",   "threads",
                                         "iterations",     "wall_seconds", "inertia",  "min",     "max",
                                         "mean",           "image_shape",  "clusters", "alpha",   "shards",
                                         "tile_rows",      "step",         "rows",     "columns", "parts",
                                         "part",           "scaled_range"};
    for (size_t i = 0; i < DC_COUNT_OF(text); i++) {
        char value[1024];
        if (!dc_h5_has_attr(h5, "/", text[i])) continue;
        if (dc_h5_get_attr_str(h5, "/", text[i], value, sizeof value) == DC_OK) printf("%-15s %s\n", text[i], value);
        dc_error_clear();
    }
    for (size_t i = 0; i < DC_COUNT_OF(number); i++) {
        double v[8];
        size_t n = 0;
        if (!dc_h5_has_attr(h5, "/", number[i])) continue;
        if (dc_h5_get_attr_f64(h5, "/", number[i], v, DC_COUNT_OF(v), &n) == DC_OK) {
            printf("%-15s", number[i]);
            for (size_t k = 0; k < n; k++) printf(" %.10g", v[k]);
            putchar('\n');
        }
        dc_error_clear();
    }
}

static void print_metrics(dc_h5 *h5)
{
    static const char *const names[] = {"acc", "nmi", "nmi_arithmetic", "ari"};
    for (size_t i = 0; dc_h5_exists(h5, "/metrics") && i < DC_COUNT_OF(names); i++) {
        double v;
        if (dc_h5_has_attr(h5, "/metrics", names[i]) &&
            dc_h5_get_attr_f64(h5, "/metrics", names[i], &v, 1, NULL) == DC_OK)
            printf("%-15s %.4f\n", names[i], v);
    }
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
    DC_TRY(dc_h5_open(&h5, argv[1], DC_H5_READ));
    print_attributes(h5);
    print_metrics(h5);
    printf("datasets\n");
    DC_TRY(dc_h5_visit(h5, print_dataset, NULL));
out:;
    const dc_status closed = dc_h5_close(&h5);
    return st == DC_OK ? closed : st;
}
