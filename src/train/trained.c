/* Reads a trained model from a result file: first the header, then the arrays. In between the caller makes the slab,
 * whose shapes follow from the deck in the file. Rank 0 reads and checks, the others get copies. */
#include <math.h>
#include <string.h>

#include "counts_file.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/net_text.h"
#include "embed_kern.h"

enum { RESULT_VERSION = 1 };

/* ---- Header ------------------------------------------------------------------------------------------------------ */

static dc_status check_kind(dc_h5 *h5, const char *path)
{
    dc_status st = DC_OK;
    char format[32];
    int64_t complete, version;
    if (!dc_h5_has_attr(h5, "/", "format"))
        return DC_FAIL(DC_ERR_FORMAT, "%s is not a result of dcmpi: it has no attribute format", path);
    DC_TRY(dc_h5_get_attr_str(h5, "/", "format", format, sizeof format));
    if (strcmp(format, "dcmpi-result") != 0)
        return DC_FAIL(DC_ERR_FORMAT, "%s holds no model: its format is %s, not dcmpi-result", path, format);
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "format_version", &version, 1, NULL));
    if (version != RESULT_VERSION)
        return DC_FAIL(DC_ERR_FORMAT, "%s has format version %lld; this program reads %d", path, (long long)version,
                       RESULT_VERSION);
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "complete", &complete, 1, NULL));
    if (complete != 1) st = DC_FAIL(DC_ERR_FORMAT, "%s is incomplete: its run did not finish", path);
out:
    return st;
}

/* Gets the dims of a float32 array. Fails unless it has n_dims dimensions, each at least 1 and within the limit. */
static dc_status float_dims(dc_h5 *h5, const char *path, const char *name, int n_dims, int64_t *dims)
{
    dc_h5_info info;
    const dc_status st = dc_h5_dataset_info(h5, name, &info);
    if (st != DC_OK) return st;
    bool ok = info.type == DC_H5_F32 && info.exact && info.n_dims == n_dims;
    for (int i = 0; ok && i < n_dims; i++) {
        dims[i] = info.dims[i];
        ok = dims[i] >= 1 && dims[i] <= DC_NET_WIDTH_MAX;
    }
    return ok ? DC_OK
              : DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is not a float32 array of %d dimension(s)", path, name, n_dims);
}

static dc_status read_writer(dc_h5 *h5, dc_trained *t)
{
    dc_status st = DC_OK;
    char version[32] = "of an unknown version", git[32] = "unknown";
    if (dc_h5_has_attr(h5, "/", "version")) DC_TRY(dc_h5_get_attr_str(h5, "/", "version", version, sizeof version));
    if (dc_h5_has_attr(h5, "/", "git")) DC_TRY(dc_h5_get_attr_str(h5, "/", "git", git, sizeof git));
    snprintf(t->written_by, sizeof t->written_by, "%s, commit %s", version, git);
out:
    return st;
}

static dc_status read_how_embedded(dc_h5 *h5, const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    char gemm[16], isa[32];
    DC_TRY(read_writer(h5, t));
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "tile_rows", &t->tile_rows, 1, NULL));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "method", t->method, sizeof t->method));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "gemm", gemm, sizeof gemm));
    t->knows_isa = dc_h5_has_attr(h5, "/", "isa"); /* the first results of version 0.1.0 did not store it */
    if (t->knows_isa) DC_TRY(dc_h5_get_attr_str(h5, "/", "isa", isa, sizeof isa));
    t->gemm = strcmp(gemm, "cblas") == 0 ? DC_GEMM_CBLAS : DC_GEMM_ONEDNN;
    t->isa = t->knows_isa ? (int)dc_la_isa_of(isa) : DC_ISA_NATIVE;
    if (!dc_method_find(t->method))
        return DC_FAIL(DC_ERR_FORMAT, "%s was made by method %s of dcmpi %s, which this program does not know", path,
                       t->method, t->written_by);
    if (t->tile_rows < 1 || t->tile_rows > DC_BLOCK_ROWS)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: attribute tile_rows (%lld) is out of range", path, (long long)t->tile_rows);
out:
    return st;
}

static dc_status read_norm(dc_h5 *h5, const char *path, dc_trained *t)
{
    static const dc_row_norm all[] = {DC_ROW_NORM_L2, DC_ROW_NORM_L1, DC_ROW_NORM_MAX};
    char name[32];
    if (!dc_h5_has_attr(h5, "/", "row_norm")) return DC_OK;
    const dc_status st = dc_h5_get_attr_str(h5, "/", "row_norm", name, sizeof name);
    for (size_t i = 0; st == DC_OK && i < DC_COUNT_OF(all); i++)
        if (strcmp(name, dc_row_norm_name(all[i])) == 0) t->norm = all[i];
    if (st != DC_OK || t->norm != DC_ROW_NORM_NONE) return st;
    return DC_FAIL(DC_ERR_FORMAT, "%s: attribute row_norm is unknown", path);
}

static dc_status read_sparse(dc_h5 *h5, const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "sparse_values", &t->sparse_values, 1, NULL));
    DC_TRY(dc_h5_dataset_info(h5, "/labels", &info));
    t->sparse_rows = info.n_dims == 1 ? info.dims[0] : 0;
    if (t->sparse_values < 0 || t->sparse_rows < 1)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: attribute sparse_values is %lld, for %lld rows", path,
                     (long long)t->sparse_values, (long long)t->sparse_rows);
out:
    return st;
}

static dc_status read_attributes(dc_h5 *h5, const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    int64_t shards;
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "shards", &shards, 1, NULL));
    if (shards < 1 || shards > DC_MAX_SHARDS || (shards & (shards - 1)))
        return DC_FAIL(DC_ERR_FORMAT, "%s: attribute shards is %lld", path, (long long)shards);
    t->shards = dc_int(shards);
    t->range[0] = -INFINITY, t->range[1] = INFINITY; /* version 0.1.0 did not store it */
    if (dc_h5_has_attr(h5, "/", "scaled_range")) DC_TRY(dc_h5_get_attr_f64(h5, "/", "scaled_range", t->range, 2, NULL));
    DC_TRY(read_norm(h5, path, t));
    if (dc_h5_has_attr(h5, "/", "matrix")) DC_TRY(dc_h5_get_attr_str(h5, "/", "matrix", t->matrix, sizeof t->matrix));
    if (dc_h5_has_attr(h5, "/", "label_dataset"))
        DC_TRY(dc_h5_get_attr_str(h5, "/", "label_dataset", t->labels, sizeof t->labels));
    if (dc_h5_has_attr(h5, "/", "sparse_values")) DC_TRY(read_sparse(h5, path, t));
    t->tile_rows = DC_EMBED_TILE_MAX;
    if (t->has_method) DC_TRY(read_how_embedded(h5, path, t));
out:
    return st;
}

static dc_status read_components(dc_h5 *h5, const char *path, dc_trained *t)
{
    int64_t dims[2];
    const dc_status st = float_dims(h5, path, "/scaling/components", 2, dims);
    if (st != DC_OK) return st;
    if (dims[1] != t->D || dims[0] > t->D)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '/scaling/components' is %lld x %lld, the data have %lld columns", path,
                       (long long)dims[0], (long long)dims[1], (long long)t->D);
    t->pca.k = dims[0];
    t->has_offset = dc_h5_exists(h5, "/scaling/component_offset");
    return DC_OK;
}

static dc_status read_level_sizes(dc_h5 *h5, const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    char name[DC_H5_NAME_MAX];
    int64_t dims[2];
    dc_levels *l = &t->levels;
    DC_TRY(dc_h5_dataset_info(h5, DC_LEVEL_PARENTS, &info));
    if (info.type != DC_H5_I64 || !info.exact || info.n_dims != 2 || info.dims[0] != t->K || info.dims[1] < 1 ||
        info.dims[1] >= DC_LEVELS_MAX)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '" DC_LEVEL_PARENTS "' does not name parents of %lld clusters", path,
                       (long long)t->K);
    l->n = (int)info.dims[1] + 1;
    l->d = t->width;
    for (int v = 0; v + 1 < l->n; v++) {
        snprintf(name, sizeof name, DC_LEVEL_CENTERS, v + 1);
        DC_TRY(float_dims(h5, path, name, 2, dims));
        l->K[v] = dims[0];
        if (dims[1] != t->width || dims[0] > t->K)
            return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is %lld x %lld, the centres are %lld x %lld", path, name,
                           (long long)dims[0], (long long)dims[1], (long long)t->K, (long long)t->width);
    }
    l->K[l->n - 1] = t->K;
out:
    return st;
}

static dc_status read_header(dc_h5 *h5, const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    int64_t dims[2];
    DC_TRY(check_kind(h5, path));
    DC_TRY(float_dims(h5, path, "/cluster_centers", 2, dims));
    t->K = dims[0];
    t->width = dims[1];
    DC_TRY(float_dims(h5, path, "/scaling/shift", 1, &t->D));
    t->has_method = dc_h5_has_attr(h5, "/", "method");
    t->has_clip = dc_h5_exists(h5, "/scaling/clip_lo");
    DC_TRY(dc_counts_header(h5, path, t->D, &t->counts, &t->chooses_columns));
    if (dc_h5_exists(h5, "/scaling/components")) DC_TRY(read_components(h5, path, t));
    if (dc_h5_exists(h5, DC_LEVEL_PARENTS)) DC_TRY(read_level_sizes(h5, path, t));
    DC_TRY(read_attributes(h5, path, t));
out:
    return st;
}

dc_status dc_trained_header(const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    *t = (dc_trained){0};
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(read_header(h5, path, t));
    DC_TRY(dc_h5_check_unchanged(h5));
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */

static dc_status read_column(dc_h5 *h5, const char *path, const char *name, int64_t D, float *out)
{
    dc_status st = DC_OK;
    int64_t found;
    DC_TRY(float_dims(h5, path, name, 1, &found));
    if (found != D)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has %lld elements, not %lld", path, name, (long long)found,
                       (long long)D);
    DC_TRY(dc_h5_check_hash(h5, name));
    DC_TRY(dc_h5_read_rows(h5, name, DC_H5_F32, 0, D, out));
    for (int64_t c = 0; c < D; c++)
        if (!isfinite(out[c])) return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' contains NaN or Inf", path, name);
out:
    return st;
}

static dc_status read_bounds(dc_h5 *h5, const char *path, const char *name, int64_t D, double *out)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    DC_TRY(dc_h5_dataset_info(h5, name, &info));
    if (info.type != DC_H5_F64 || !info.exact || info.n_dims != 1 || info.dims[0] != D)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is not a float64 array of %lld elements", path, name, (long long)D);
    DC_TRY(dc_h5_check_hash(h5, name));
    DC_TRY(dc_h5_read_rows(h5, name, DC_H5_F64, 0, D, out));
    for (int64_t c = 0; c < D; c++)
        if (isnan(out[c])) return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' contains NaN", path, name);
out:
    return st;
}

static dc_status read_directions(dc_h5 *h5, const char *path, dc_trained *t)
{
    static const char name[] = "/scaling/components";
    dc_status st = DC_OK;
    DC_TRY(dc_h5_check_hash(h5, name));
    DC_TRY(dc_h5_read_rows(h5, name, DC_H5_F32, 0, t->pca.k, t->pca.direction));
    for (int64_t i = 0; i < t->pca.k * t->D; i++)
        if (!isfinite(t->pca.direction[i])) return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' contains NaN or Inf", path, name);
    DC_TRY(read_column(h5, path, "/scaling/component_scale", t->pca.k, t->pca.factor));
    if (t->has_offset) DC_TRY(read_column(h5, path, "/scaling/component_offset", t->pca.k, t->pca.offset));
out:
    return st;
}

static dc_status read_levels(dc_h5 *h5, const char *path, dc_levels *l)
{
    dc_status st = DC_OK;
    int64_t *parent = NULL;
    char name[DC_H5_NAME_MAX];
    const int upper = l->n - 1;
    const int64_t K = l->K[upper];
    DC_TRY(dc_mem_alloc(&parent, dc_mul_size((size_t)K, (size_t)upper), sizeof *parent, "parents of clusters"));
    DC_TRY(dc_h5_check_hash(h5, DC_LEVEL_PARENTS));
    DC_TRY(dc_h5_read_rows(h5, DC_LEVEL_PARENTS, DC_H5_I64, 0, K, parent));
    if (!dc_levels_set_parents(l, parent)) {
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '" DC_LEVEL_PARENTS "' does not number clusters in the order of their parents",
                     path);
        goto out;
    }
    for (int v = 0; v < upper; v++) {
        snprintf(name, sizeof name, DC_LEVEL_CENTERS, v + 1);
        DC_TRY(dc_h5_check_hash(h5, name));
        DC_TRY(dc_h5_read_rows(h5, name, DC_H5_F32, 0, l->K[v], l->centers[v]));
        for (int64_t i = 0; i < l->K[v] * l->d; i++)
            if (!isfinite(l->centers[v][i])) {
                st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' contains NaN or Inf", path, name);
                goto out;
            }
    }
out:
    dc_mem_free(&parent);
    return st;
}

static dc_status read_arrays(dc_h5 *h5, const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    DC_TRY(dc_model_read(h5, path, &t->slab, t->value));
    DC_TRY(read_column(h5, path, "/scaling/shift", t->D, t->shift));
    DC_TRY(read_column(h5, path, "/scaling/scale", t->D, t->scale));
    if (t->chooses_columns) DC_TRY(dc_counts_columns(h5, path, &t->counts));
    if (t->pca.k > 0) DC_TRY(read_directions(h5, path, t));
    if (t->levels.n > 0) DC_TRY(read_levels(h5, path, &t->levels));
    if (t->has_clip) DC_TRY(read_bounds(h5, path, "/scaling/clip_lo", t->D, t->clip_lo));
    if (t->has_clip) DC_TRY(read_bounds(h5, path, "/scaling/clip_hi", t->D, t->clip_hi));
out:
    return st;
}

static dc_status take_memory(dc_trained *t)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&t->value, t->slab.n, sizeof *t->value, "network parameters and cluster centres"));
    DC_TRY(dc_mem_alloc(&t->shift, (size_t)t->D, sizeof *t->shift, "scaling"));
    DC_TRY(dc_mem_alloc(&t->scale, (size_t)t->D, sizeof *t->scale, "scaling"));
    if (t->chooses_columns)
        DC_TRY(dc_mem_alloc(&t->counts.column, (size_t)t->D, sizeof *t->counts.column, "chosen columns"));
    if (t->pca.k > 0) {
        const size_t k = (size_t)t->pca.k;
        DC_TRY(dc_mem_alloc(&t->pca.direction, dc_mul_size(k, (size_t)t->D), sizeof *t->pca.direction, "components"));
        DC_TRY(dc_mem_alloc(&t->pca.factor, k, sizeof *t->pca.factor, "components"));
        if (t->has_offset) DC_TRY(dc_mem_alloc(&t->pca.offset, k, sizeof *t->pca.offset, "components"));
    }
    DC_TRY(dc_levels_init(&t->levels));
    if (!t->has_clip) goto out;
    DC_TRY(dc_mem_alloc(&t->clip_lo, (size_t)t->D, sizeof *t->clip_lo, "bounds of input.clip"));
    DC_TRY(dc_mem_alloc(&t->clip_hi, (size_t)t->D, sizeof *t->clip_hi, "bounds of input.clip"));
out:
    return st;
}

dc_status dc_trained_read(const char *path, dc_trained *t)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(take_memory(t));
    DC_TRY(read_arrays(h5, path, t));
    DC_TRY(dc_h5_check_unchanged(h5));
out:
    st = dc_h5_close_read(&h5, st);
    if (st != DC_OK) dc_trained_release(t);
    return st;
}

dc_status dc_trained_spread(dc_comm *comm, dc_trained *t)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)t->D;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? DC_OK : take_memory(t));
    dc_comm_bcast(comm, t->value, t->slab.n * sizeof *t->value, 0);
    dc_comm_bcast(comm, t->shift, D * sizeof *t->shift, 0);
    dc_comm_bcast(comm, t->scale, D * sizeof *t->scale, 0);
    if (t->chooses_columns) dc_comm_bcast(comm, t->counts.column, D * sizeof *t->counts.column, 0);
    if (t->pca.k > 0) {
        const size_t k = (size_t)t->pca.k;
        dc_comm_bcast(comm, t->pca.direction, k * D * sizeof *t->pca.direction, 0);
        dc_comm_bcast(comm, t->pca.factor, k * sizeof *t->pca.factor, 0);
        if (t->has_offset) dc_comm_bcast(comm, t->pca.offset, k * sizeof *t->pca.offset, 0);
        DC_TRY_ALL(comm, dc_pca_prepare(&t->pca, t->D));
    }
    for (int v = 0; v + 1 < t->levels.n; v++) {
        const size_t K = (size_t)t->levels.K[v];
        dc_comm_bcast(comm, t->levels.centers[v], K * (size_t)t->levels.d * sizeof(float), 0);
        dc_comm_bcast(comm, t->levels.first[v], (K + 1) * sizeof(int64_t), 0);
    }
    if (!t->has_clip) goto out;
    dc_comm_bcast(comm, t->clip_lo, D * sizeof *t->clip_lo, 0);
    dc_comm_bcast(comm, t->clip_hi, D * sizeof *t->clip_hi, 0);
out:
    return st;
}

void dc_trained_release(dc_trained *t)
{
    dc_mem_free(&t->value);
    dc_mem_free(&t->shift);
    dc_mem_free(&t->scale);
    dc_count_map_release(&t->counts);
    dc_pca_release(&t->pca);
    dc_levels_release(&t->levels);
    dc_mem_free(&t->clip_lo);
    dc_mem_free(&t->clip_hi);
}
