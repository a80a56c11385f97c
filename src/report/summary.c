/* The RESULT line and summary.json, made from run.h5 alone: anyone who has a complete result can make them again,
 * identical to the last byte. Members whose values are missing in a run.h5 of version 0.1.0 are left out. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"
#include "dcmpi/report.h"

enum { TEXT_MAX = 2 * DC_PATH_MAX, CHECKS_TEXT_MAX = 1024 };

/* ---- Attributes as members -------------------------------------------------------------------------------------- */

typedef enum { TEXT, INTEGER, REAL } kind;
typedef struct {
    const char *key, *object, *attr;
    kind kind;
    double factor; /* factor of a REAL; 0 stands for 1 */
} member;

static dc_status put_member(dc_json *j, dc_h5 *h5, const member *m)
{
    dc_status st = DC_OK;
    char text[TEXT_MAX];
    int64_t integer;
    double real;
    if (!dc_h5_has_attr(h5, m->object, m->attr)) return DC_OK;
    if (m->kind == TEXT) {
        DC_TRY(dc_h5_get_attr_str(h5, m->object, m->attr, text, sizeof text));
        dc_json_str(j, m->key, text);
    } else if (m->kind == INTEGER) {
        DC_TRY(dc_h5_get_attr_i64(h5, m->object, m->attr, &integer, 1, NULL));
        dc_json_int(j, m->key, integer);
    } else {
        DC_TRY(dc_h5_get_attr_f64(h5, m->object, m->attr, &real, 1, NULL));
        dc_json_num(j, m->key, m->factor > 0 ? m->factor * real : real);
    }
out:
    return st;
}

static dc_status put_members(dc_json *j, dc_h5 *h5, const member *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const dc_status st = put_member(j, h5, &table[i]);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

static const member result_start[] = {{"stop_reason", "/", "stop_reason", TEXT, 0},
                                      {"iter", "/", "iterations", INTEGER, 0},
                                      {"delta", "/", "delta", REAL, 0},
                                      {"acc", "/metrics", "acc", REAL, 0},
                                      {"nmi", "/metrics", "nmi", REAL, 0},
                                      {"nmi_arithmetic", "/metrics", "nmi_arithmetic", REAL, 0},
                                      {"ari", "/metrics", "ari", REAL, 0},
                                      {"purity", "/metrics", "purity", REAL, 0},
                                      {"f_measure", "/metrics", "f_measure", REAL, 0},
                                      {"f_pairs", "/metrics", "f_pairs", REAL, 0},
                                      {"unlabelled", "/", "unlabelled", INTEGER, 0},
                                      {"inertia", "/", "inertia", REAL, 0},
                                      {"outliers", "/", "outliers", INTEGER, 0}};
static const member result_end[] = {{"wall_s", "/", "wall_seconds", REAL, 0},
                                    {"wall_here_s", "/timing", "wall_here_s", REAL, 0},
                                    {"parts", "/", "parts", INTEGER, 0}};
static const member start[] = {{"version", "/", "version", TEXT, 0},
                               {"git", "/", "git", TEXT, 0},
                               {"created", "/", "created", TEXT, 0},
                               {"command_line", "/", "command_line", TEXT, 0},
                               {"verb", "/", "verb", TEXT, 0},
                               {"libraries", "/", "libraries", TEXT, 0},
                               {"cpu", "/", "cpu", TEXT, 0},
                               {"isa", "/", "isa", TEXT, 0},
                               {"seed", "/", "seed", INTEGER, 0},
                               {"ranks", "/", "ranks", INTEGER, 0},
                               {"threads", "/", "threads", INTEGER, 0},
                               {"nodes", "/", "nodes", INTEGER, 0},
                               {"peak_gflops", "/", "peak_flops", REAL, 1e-9}};
static const member data_start[] = {{"source", "/", "data", TEXT, 0}, {"hash", "/", "data_hash", TEXT, 0}};
static const member data_end[] = {{"type", "/", "data_type", TEXT, 0}};
static const member timing_end[] = {{"memory_peak_bytes", "/timing", "memory_peak_bytes", REAL, 0},
                                    {"memory_peak_rank", "/timing", "memory_peak_rank", INTEGER, 0},
                                    {"memory_peak_least_bytes", "/timing", "memory_peak_least_bytes", REAL, 0},
                                    {"message_bytes_per_rank", "/timing", "message_bytes_per_rank", REAL, 0},
                                    {"message_seconds_per_rank", "/timing", "message_seconds_per_rank", REAL, 0}};

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

static dc_status count_clusters(dc_h5 *h5, int64_t *K, int64_t *empty)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    int64_t *size = NULL;
    *empty = 0;
    DC_TRY(dc_h5_dataset_info(h5, "/clusters/size", &info));
    *K = info.n_dims == 1 ? info.dims[0] : 0;
    DC_TRY(dc_mem_alloc(&size, (size_t)*K, sizeof *size, "cluster sizes"));
    DC_TRY(dc_h5_read_rows(h5, "/clusters/size", DC_H5_I64, 0, *K, size));
    for (int64_t k = 0; k < *K; k++) *empty += size[k] == 0;
out:
    dc_mem_free(&size);
    return st;
}

static dc_status get_f64(dc_h5 *h5, const char *object, const char *attr, double *out)
{
    *out = NAN;
    return dc_h5_has_attr(h5, object, attr) ? dc_h5_get_attr_f64(h5, object, attr, out, 1, NULL) : DC_OK;
}

static dc_status read_outcome(dc_h5 *h5, dc_outcome *o)
{
    dc_status st = DC_OK;
    char stop[32];
    DC_TRY(dc_h5_get_attr_str(h5, "/", "stop_reason", stop, sizeof stop));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "iterations", &o->iterations, 1, NULL));
    DC_TRY(dc_h5_get_attr_f64(h5, "/", "wall_seconds", &o->wall_s, 1, NULL));
    if (dc_h5_has_attr(h5, "/", "unlabelled"))
        DC_TRY(dc_h5_get_attr_i64(h5, "/", "unlabelled", &o->unlabelled, 1, NULL));
    DC_TRY(get_f64(h5, "/", "delta", &o->delta));
    DC_TRY(get_f64(h5, "/", "inertia", &o->inertia));
    DC_TRY(get_f64(h5, "/metrics", "acc", &o->acc));
    DC_TRY(get_f64(h5, "/metrics", "nmi", &o->nmi));
    DC_TRY(get_f64(h5, "/metrics", "ari", &o->ari));
    DC_TRY(get_f64(h5, "/metrics", "purity", &o->purity));
    DC_TRY(get_f64(h5, "/metrics", "f_measure", &o->f_measure));
    DC_TRY(count_clusters(h5, &o->K, &o->empty));
    o->converged =
        strcmp(stop, dc_stop_name(DC_STOP_CONVERGED)) == 0 || strcmp(stop, dc_stop_name(DC_STOP_ASSIGNED)) == 0;
    o->names_itself = dc_h5_has_attr(h5, "/", "result_hash");
    DC_TRY(dc_h5_hash_content(h5, &o->result_hash));
out:
    return st;
}

void dc_outcome_line(const dc_outcome *o, char *out, size_t cap)
{
    int used = snprintf(out, cap, "converged=%s iter=%lld", o->converged ? "yes" : "no", (long long)o->iterations);
    if (isfinite(o->delta)) used += snprintf(out + used, cap - (size_t)used, " delta=%.4f", o->delta);
    if (isfinite(o->acc)) used += snprintf(out + used, cap - (size_t)used, " acc=%.3f", o->acc);
    if (isfinite(o->nmi)) used += snprintf(out + used, cap - (size_t)used, " nmi=%.3f ari=%.3f", o->nmi, o->ari);
    if (isfinite(o->purity))
        used += snprintf(out + used, cap - (size_t)used, " purity=%.3f f=%.3f", o->purity, o->f_measure);
    if (o->unlabelled > 0)
        used += snprintf(out + used, cap - (size_t)used, " unlabelled=%lld", (long long)o->unlabelled);
    if (isfinite(o->inertia)) used += snprintf(out + used, cap - (size_t)used, " inertia=%.9g", o->inertia);
    snprintf(out + used, cap - (size_t)used, " clusters=%lld empty=%lld wall=%.1fs", (long long)o->K,
             (long long)o->empty, o->wall_s);
}

/* ---- Sections ---------------------------------------------------------------------------------------------------- */

static dc_status write_result(dc_json *j, dc_h5 *h5, const dc_outcome *o)
{
    dc_status st = DC_OK;
    dc_json_open(j, "result", '{');
    dc_json_bool(j, "converged", o->converged);
    DC_TRY(put_members(j, h5, result_start, DC_COUNT_OF(result_start)));
    dc_json_int(j, "clusters", o->K);
    dc_json_int(j, "empty", o->empty);
    DC_TRY(put_members(j, h5, result_end, DC_COUNT_OF(result_end)));
    dc_json_close(j, '}');
out:
    return st;
}

static dc_status write_start(dc_json *j, dc_h5 *h5)
{
    dc_status st = DC_OK;
    dc_h5_info labels, shift;
    DC_TRY(dc_h5_dataset_info(h5, "/labels", &labels));
    DC_TRY(dc_h5_dataset_info(h5, "/scaling/shift", &shift));
    DC_TRY(put_members(j, h5, start, DC_COUNT_OF(start)));
    dc_json_open(j, "data", '{');
    DC_TRY(put_members(j, h5, data_start, DC_COUNT_OF(data_start)));
    dc_json_int(j, "rows", labels.dims[0]);
    dc_json_int(j, "columns", shift.dims[0]);
    DC_TRY(put_members(j, h5, data_end, DC_COUNT_OF(data_end)));
    dc_json_close(j, '}');
out:
    return st;
}

static dc_status write_section(dc_json *j, dc_h5 *h5, const char *section)
{
    double v[DC_TIMING_COLUMNS] = {0};
    char name[DC_H5_NAME_MAX];
    dc_h5_info info;
    snprintf(name, sizeof name, "/timing/%s", section);
    if (!dc_h5_exists(h5, name)) return DC_OK;
    dc_status st = dc_h5_dataset_info(h5, name, &info);
    if (st != DC_OK) return st;
    const dc_gidx n = info.n_dims == 1 ? DC_MIN(info.dims[0], (dc_gidx)DC_TIMING_COLUMNS) : 0;
    st = dc_h5_read_rows(h5, name, DC_H5_F64, 0, n, v);
    if (st != DC_OK || v[0] == 0) return st;
    dc_json_open(j, section, '{');
    dc_json_int(j, "calls", (int64_t)v[0]);
    dc_json_num(j, "min_s", v[1]);
    dc_json_num(j, "avg_s", v[2]);
    dc_json_num(j, "max_s", v[3]);
    dc_json_int(j, "slowest_rank", (int64_t)v[4]);
    if (v[5] > 0) dc_json_num(j, "gflops", 1e-9 * v[5]);
    if (v[6] > 0) dc_json_num(j, "gbytes_per_s", 1e-9 * v[6]);
    dc_json_close(j, '}');
    return DC_OK;
}

static dc_status write_timing(dc_json *j, dc_h5 *h5)
{
    dc_status st = DC_OK;
    dc_json_open(j, "timing", '{');
    for (int s = 0; s < DC_T_COUNT; s++) DC_TRY(write_section(j, h5, dc_section_name((dc_section)s)));
    dc_json_close(j, '}');
    DC_TRY(put_members(j, h5, timing_end, DC_COUNT_OF(timing_end)));
out:
    return st;
}

static dc_status write_checks(dc_json *j, dc_h5 *h5)
{
    dc_status st = DC_OK;
    char names[CHECKS_TEXT_MAX], *rest = NULL;
    int64_t passed[DC_SELF_CHECKS_MAX] = {0}, warnings;
    if (!dc_h5_has_attr(h5, "/", "self_checks")) return DC_OK;
    DC_TRY(dc_h5_get_attr_str(h5, "/", "self_checks", names, sizeof names));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "self_checks_passed", passed, DC_SELF_CHECKS_MAX, NULL));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "warnings", &warnings, 1, NULL));
    dc_json_open(j, "self_checks", '{');
    int i = 0;
    for (char *name = strtok_r(names, "\n", &rest); name && i < DC_SELF_CHECKS_MAX; name = strtok_r(NULL, "\n", &rest))
        dc_json_bool(j, name, passed[i++] != 0);
    dc_json_close(j, '}');
    dc_json_int(j, "warnings", warnings);
out:
    return st;
}

static dc_status write_all(FILE *f, dc_h5 *h5, const dc_outcome *o)
{
    dc_status st = DC_OK;
    dc_json j;
    char hash[32];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)o->result_hash);
    dc_json_begin(&j, f);
    if (o->names_itself) dc_json_str(&j, "result_hash", hash);
    DC_TRY(write_result(&j, h5, o));
    DC_TRY(dc_sweep_summary(h5, &j));
    DC_TRY(dc_topics_summary(h5, &j));
    DC_TRY(write_start(&j, h5));
    DC_TRY(write_timing(&j, h5));
    DC_TRY(write_checks(&j, h5));
    dc_json_end(&j);
out:
    return st;
}

/* ---- The files --------------------------------------------------------------------------------------------------- */

static dc_status make_text(dc_h5 *h5, dc_outcome *o)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (!f) return DC_FAIL(DC_ERR_MEMORY, "not enough memory for summary.json");
    dc_status st = write_all(f, h5, o);
    const bool whole = fclose(f) == 0;
    if (st == DC_OK && !whole) st = DC_FAIL(DC_ERR_MEMORY, "not enough memory for summary.json");
    if (st == DC_OK) st = dc_mem_alloc_raw(&o->summary, bytes, 1, "summary.json");
    if (st == DC_OK) memcpy(o->summary, text, bytes);
    o->summary_bytes = bytes;
    free(text);
    return st;
}

dc_status dc_outcome_read(const char *run_h5, dc_outcome *out)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    *out = (dc_outcome){0};
    DC_TRY(dc_h5_open(&h5, run_h5, DC_H5_READ));
    DC_TRY(read_outcome(h5, out));
    DC_TRY(make_text(h5, out));
out:
    st = dc_h5_close_read(&h5, st);
    if (st != DC_OK) dc_outcome_release(out);
    return st;
}

void dc_outcome_release(dc_outcome *o)
{
    dc_mem_free(&o->summary);
}

/* A summary of an older version does not name its result, so it is accepted if its first and last bytes are right. */
static bool is_own(const dc_outcome *o, const unsigned char *data, size_t bytes)
{
    if (o->names_itself) return bytes == o->summary_bytes && memcmp(data, o->summary, bytes) == 0;
    return bytes > 3 && data[0] == '{' && memcmp(data + bytes - 2, "}\n", 2) == 0;
}

const char *dc_summary_state(const char *path, const dc_outcome *o)
{
    unsigned char *data = NULL;
    size_t bytes;
    static const char tag[] = "\"result_hash\": \"";
    char expected[64];
    const int n = snprintf(expected, sizeof expected, "%s%016llx\"", tag, (unsigned long long)o->result_hash);
    if (access(path, F_OK) != 0) return "missing";
    if (dc_file_read(path, DC_SUMMARY_MAX, &data, &bytes) != DC_OK) {
        dc_error_clear();
        return "not readable";
    }
    const bool own = is_own(o, data, bytes), named = memmem(data, bytes, expected, (size_t)n) != NULL,
               other = !named && memmem(data, bytes, tag, sizeof tag - 1) != NULL;
    dc_mem_free(&data);
    return own ? NULL : bytes == 0 ? "empty" : other ? "of another run.h5" : "not whole";
}

dc_status dc_summary_write(const char *path, const dc_outcome *o)
{
    if (dc_fault(DC_FAULT_SUMMARY_WRITE)) return DC_FAIL(DC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return dc_file_replace(path, &(dc_file_piece){o->summary, o->summary_bytes}, 1);
}
