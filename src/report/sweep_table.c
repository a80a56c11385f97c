/* The table of a sweep over numbers of clusters, in run.h5 and in summary.json. */
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/report.h"

static void name_of(int c, char out[DC_H5_NAME_MAX])
{
    snprintf(out, DC_H5_NAME_MAX, "/sweep/%s", dc_sweep_column_name((dc_sweep_column)c));
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static bool is_known(const dc_sweep *s, int c)
{
    if (c < DC_SWEEP_SCORES) return true;
    for (int t = 0; t < s->n; t++)
        if (!s->failure[t][0] && !(s->value[t][c] > DC_SWEEP_UNKNOWN)) return false;
    return true;
}

static dc_status put_column(dc_h5 *h5, const dc_sweep *s, int c)
{
    char name[DC_H5_NAME_MAX];
    double column[DC_SWEEP_MAX];
    if (!is_known(s, c)) return DC_OK;
    for (int t = 0; t < s->n; t++) column[t] = s->value[t][c];
    name_of(c, name);
    return dc_h5_put(h5, name, DC_H5_F64, 1, (dc_gidx[]){s->n}, column);
}

static const char FAILURE[] = "/sweep/failure";

static dc_status put_failures(dc_h5 *h5, const dc_sweep *s)
{
    bool any = false;
    for (int t = 0; t < s->n; t++) any |= s->failure[t][0] != '\0';
    if (!any) return DC_OK;
    const dc_status st = dc_h5_create_text(h5, FAILURE, DC_SWEEP_FAILURE_MAX, s->n);
    return st == DC_OK ? dc_h5_write_rows(h5, FAILURE, DC_H5_TEXT, 0, s->n, s->failure) : st;
}

static dc_status put_attributes(dc_h5 *h5, const dc_sweep *s)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"suggested", s->suggested}, {"sample", s->sample}, {"subsample", s->subsample}, {"subsamples", s->subsamples}};
    for (size_t i = 0; i < DC_COUNT_OF(numbers); i++) {
        const dc_status st = dc_h5_put_attr_i64(h5, "/sweep", numbers[i].name, &numbers[i].value, 1);
        if (st != DC_OK) return st;
    }
    return dc_h5_put_attr_str(h5, "/sweep", "reason", s->reason);
}

dc_status dc_sweep_write(dc_h5 *h5, const dc_sweep *s)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put(h5, "/sweep/clusters", DC_H5_I64, 1, (dc_gidx[]){s->n}, s->K));
    for (int c = 0; c < DC_SWEEP_COLUMNS; c++) DC_TRY(put_column(h5, s, c));
    DC_TRY(put_failures(h5, s));
    DC_TRY(put_attributes(h5, s));
out:
    return st;
}

dc_status dc_sweep_unscore(dc_h5 *h5)
{
    char name[DC_H5_NAME_MAX];
    for (int c = DC_SWEEP_SCORES; c < DC_SWEEP_COLUMNS; c++) {
        name_of(c, name);
        const dc_status st = dc_h5_remove(h5, name);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

/* ---- Summary ----------------------------------------------------------------------------------------------------- */

typedef struct {
    int n;
    int64_t K[DC_SWEEP_MAX];
    bool has[DC_SWEEP_COLUMNS];
    double column[DC_SWEEP_COLUMNS][DC_SWEEP_MAX];
    char failure[DC_SWEEP_MAX][DC_SWEEP_FAILURE_MAX];
} table;

static dc_status read_column(dc_h5 *h5, const char *name, dc_h5_type type, int n, void *out, bool *has)
{
    dc_h5_info info;
    *has = dc_h5_exists(h5, name);
    if (!*has) return DC_OK;
    const dc_status st = dc_h5_dataset_info(h5, name, &info);
    *has = st == DC_OK && info.n_dims == 1 && info.dims[0] == n &&
           (type != DC_H5_TEXT || info.item_bytes == DC_SWEEP_FAILURE_MAX);
    return *has ? dc_h5_read_rows(h5, name, type, 0, n, out) : st;
}

static dc_status read_table(dc_h5 *h5, table *t)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    char name[DC_H5_NAME_MAX];
    bool has;
    DC_TRY(dc_h5_dataset_info(h5, "/sweep/clusters", &info));
    t->n = info.n_dims == 1 ? (int)DC_MIN(info.dims[0], (dc_gidx)DC_SWEEP_MAX) : 0;
    DC_TRY(read_column(h5, "/sweep/clusters", DC_H5_I64, t->n, t->K, &has));
    for (int c = 0; c < DC_SWEEP_COLUMNS; c++) {
        name_of(c, name);
        DC_TRY(read_column(h5, name, DC_H5_F64, t->n, t->column[c], &t->has[c]));
    }
    DC_TRY(read_column(h5, FAILURE, DC_H5_TEXT, t->n, t->failure, &has));
    for (int i = 0; i < t->n; i++) t->failure[i][DC_SWEEP_FAILURE_MAX - 1] = '\0';
out:
    return st;
}

static void write_table(dc_json *j, const table *t)
{
    dc_json_open(j, "table", '[');
    for (int i = 0; i < t->n; i++) {
        dc_json_open(j, NULL, '{');
        dc_json_int(j, "clusters", t->K[i]);
        for (int c = 0; c < DC_SWEEP_COLUMNS; c++)
            if (t->has[c]) dc_json_num(j, dc_sweep_column_name((dc_sweep_column)c), t->column[c][i]);
        if (t->failure[i][0]) dc_json_str(j, "failure", t->failure[i]);
        dc_json_close(j, '}');
    }
    dc_json_close(j, ']');
}

dc_status dc_sweep_summary(dc_h5 *h5, dc_json *j)
{
    static const char *const numbers[] = {"suggested", "sample", "subsample", "subsamples"};
    dc_status st = DC_OK;
    table *t = NULL;
    char reason[DC_SWEEP_REASON_MAX];
    int64_t number;
    if (!dc_h5_exists(h5, "/sweep/clusters")) return DC_OK;
    DC_TRY(dc_mem_alloc(&t, 1, sizeof *t, "table of the sweep"));
    DC_TRY(read_table(h5, t));
    dc_json_open(j, "sweep", '{');
    for (size_t i = 0; i < DC_COUNT_OF(numbers); i++) {
        DC_TRY(dc_h5_get_attr_i64(h5, "/sweep", numbers[i], &number, 1, NULL));
        dc_json_int(j, numbers[i], number);
    }
    DC_TRY(dc_h5_get_attr_str(h5, "/sweep", "reason", reason, sizeof reason));
    dc_json_str(j, "reason", reason);
    write_table(j, t);
    dc_json_close(j, '}');
out:
    dc_mem_free(&t);
    return st;
}
