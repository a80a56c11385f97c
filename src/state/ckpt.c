/* Checkpoint files. The image is made in memory, so that its checksum covers every byte and no disk error reaches the
 * HDF5 library. */
#include "dcmpi/ckpt.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/file.h"
#include "dcmpi/h5.h"
#include "dcmpi/mem.h"

/* "dcmpi-ckpt xxh3-128 " + 32 hex digits + padding + newline */
enum { TRAILER_BYTES = 64, DECK_MAX = 1 << 20 };
static const size_t MAX_BYTES = (size_t)1 << 40;
static const char trailer_format[] = "dcmpi-ckpt xxh3-128 %016" PRIx64 "%016" PRIx64;
static const char format_name[] = "dcmpi-checkpoint", state_group[] = "/state";

static void make_trailer(char out[TRAILER_BYTES], const void *data, size_t bytes)
{
    char text[TRAILER_BYTES + 1];
    const XXH128_hash_t hash = XXH3_128bits(data, bytes);
    const int n = snprintf(text, sizeof text, trailer_format, hash.high64, hash.low64);
    memset(out, ' ', TRAILER_BYTES);
    memcpy(out, text, (size_t)n);
    out[TRAILER_BYTES - 1] = '\n';
}

/* ---- Header ----------------------------------------------------------------------------------------------------- */

/* The table of the header: one row per attribute. */
#define AT(member) offsetof(dc_ckpt_header, member), sizeof(((dc_ckpt_header *)0)->member)
#define COUNT_MAX ((int64_t)1 << 53) /* steps, rows: what a double holds exactly */
#define PLACES_MAX (1 << 20)         /* ranks, threads, parts */
static const struct {
    const char *name;
    enum { TEXT, INTEGER, REAL } kind;
    size_t at, bytes;
    int64_t min, max; /* of an INTEGER */
    bool later;       /* version 0.1.0 did not write it */
} fields[] = {
    {"created", TEXT, AT(created), 0, 0, false},
    {"verb", TEXT, AT(verb), 0, 0, false},
    {"phase", TEXT, AT(phase), 0, 0, false},
    {"version", TEXT, AT(version), 0, 0, false},
    {"git", TEXT, AT(git), 0, 0, false},
    {"arch", TEXT, AT(arch), 0, 0, false},
    {"libraries", TEXT, AT(libraries), 0, 0, false},
    {"job", TEXT, AT(job), 0, 0, true},
    {"number", INTEGER, AT(number), 0, COUNT_MAX, true},
    {"step", INTEGER, AT(step), 0, COUNT_MAX, false},
    {"data_hash", INTEGER, AT(data_hash), INT64_MIN, INT64_MAX, false},
    {"labels_hash", INTEGER, AT(labels_hash), INT64_MIN, INT64_MAX, true},
    {"weights_hash", INTEGER, AT(weights_hash), INT64_MIN, INT64_MAX, true},
    {"deck_hash", INTEGER, AT(deck_hash), INT64_MIN, INT64_MAX, true},
    {"program_hash", INTEGER, AT(program_hash), INT64_MIN, INT64_MAX, true},
    {"rows", INTEGER, AT(N), 1, COUNT_MAX, false},
    {"columns", INTEGER, AT(D), 1, COUNT_MAX, false},
    {"ranks", INTEGER, AT(ranks), 1, PLACES_MAX, false},
    {"threads", INTEGER, AT(threads), 1, PLACES_MAX, false},
    {"part", INTEGER, AT(part), 1, PLACES_MAX, false},
    {"wall_seconds", REAL, AT(wall_s), 0, 0, false},
    {"log_bytes", INTEGER, AT(log_bytes), 0, INT64_MAX, false},
    {"metrics_bytes", INTEGER, AT(metrics_bytes), 0, INT64_MAX, false},
};

static dc_status put_header(dc_h5 *h5, const dc_ckpt_header *header)
{
    dc_status st = DC_OK;
    const int64_t version = DC_CKPT_VERSION;
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", format_name));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "format_version", &version, 1));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "deck", header->deck));
    for (size_t i = 0; i < DC_COUNT_OF(fields); i++) {
        const void *value = (const char *)header + fields[i].at;
        if (fields[i].kind == TEXT) DC_TRY(dc_h5_put_attr_str(h5, "/", fields[i].name, value));
        if (fields[i].kind == INTEGER) DC_TRY(dc_h5_put_attr_i64(h5, "/", fields[i].name, value, 1));
        if (fields[i].kind == REAL) DC_TRY(dc_h5_put_attr_f64(h5, "/", fields[i].name, value, 1));
    }
out:
    return st;
}

static dc_status check_format(dc_h5 *h5, const char *path)
{
    dc_status st = DC_OK;
    char format[32];
    int64_t version;
    DC_TRY(dc_h5_get_attr_str(h5, "/", "format", format, sizeof format));
    if (strcmp(format, format_name) != 0)
        return DC_FAIL(DC_ERR_FORMAT, "%s is not a checkpoint: its format is '%s'", path, format);
    DC_TRY(dc_h5_get_attr_i64(h5, "/", "format_version", &version, 1, NULL));
    if (version < 1) return DC_FAIL(DC_ERR_FORMAT, "%s has format version %lld", path, (long long)version);
    if (version > DC_CKPT_VERSION)
        st = DC_FAIL(DC_ERR_FORMAT, "%s has format version %lld, this program knows %d: use the newer dcmpi", path,
                     (long long)version, DC_CKPT_VERSION);
    else if (version != DC_CKPT_VERSION)
        st = DC_FAIL(DC_ERR_FORMAT,
                     "%s has format version %lld, this program reads %d: let the dcmpi that wrote it finish the run",
                     path, (long long)version, DC_CKPT_VERSION);
out:
    return st;
}

static dc_status check_value(const char *path, size_t i, const void *value)
{
    int64_t integer;
    double real;
    if (fields[i].kind == INTEGER) {
        memcpy(&integer, value, sizeof integer);
        if (integer < fields[i].min || integer > fields[i].max)
            return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is %" PRId64 ", which no run writes", path, fields[i].name,
                           integer);
    } else if (fields[i].kind == REAL) {
        memcpy(&real, value, sizeof real);
        if (!isfinite(real) || real < 0)
            return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is %g, which no run writes", path, fields[i].name, real);
    }
    return DC_OK;
}

static dc_status get_header(dc_h5 *h5, const char *path, dc_ckpt_header *header)
{
    dc_status st = DC_OK;
    DC_TRY(check_format(h5, path));
    DC_TRY(dc_mem_alloc(&header->deck, DECK_MAX, 1, "deck"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "deck", header->deck, DECK_MAX));
    for (size_t i = 0; i < DC_COUNT_OF(fields); i++) {
        void *value = (char *)header + fields[i].at;
        if (fields[i].later && !dc_h5_has_attr(h5, "/", fields[i].name)) continue;
        if (fields[i].kind == TEXT) DC_TRY(dc_h5_get_attr_str(h5, "/", fields[i].name, value, fields[i].bytes));
        if (fields[i].kind == INTEGER) DC_TRY(dc_h5_get_attr_i64(h5, "/", fields[i].name, value, 1, NULL));
        if (fields[i].kind == REAL) DC_TRY(dc_h5_get_attr_f64(h5, "/", fields[i].name, value, 1, NULL));
        DC_TRY(check_value(path, i, value));
    }
out:
    return st;
}

/* ---- Arrays ----------------------------------------------------------------------------------------------------- */

static const dc_h5_type h5_type[] = {
    [DC_STATE_F32] = DC_H5_F32, [DC_STATE_F64] = DC_H5_F64, [DC_STATE_I64] = DC_H5_I64};

/* Weights that are not finite must neither be saved nor used. Columns of doubles may hold a NaN that means "none". */
static bool is_finite(const dc_state_array *a)
{
    const float *v = a->data;
    for (size_t i = 0; a->type == DC_STATE_F32 && i < a->n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

static dc_status put_arrays(dc_h5 *h5, const dc_state_array *array, int n)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_create_group(h5, state_group));
    for (int i = 0; i < n; i++) {
        char name[DC_H5_NAME_MAX];
        const dc_gidx length = (dc_gidx)array[i].n;
        if (!is_finite(&array[i]))
            return DC_FAIL(DC_ERR_NUMERIC, "'%s' holds a value that is not finite", array[i].name);
        snprintf(name, sizeof name, "%s/%s", state_group, array[i].name);
        DC_TRY(dc_h5_put(h5, name, h5_type[array[i].type], 1, &length, array[i].data));
    }
out:
    return st;
}

static bool find_type(dc_h5_type type, dc_state_type *out)
{
    for (size_t t = 0; t < DC_COUNT_OF(h5_type); t++)
        if (h5_type[t] == type) return *out = (dc_state_type)t, true;
    return false;
}

typedef struct {
    dc_h5 *h5;
    const char *path;
    dc_ckpt *out;
} reader;

static dc_status get_array(void *ctx, const char *name, const dc_h5_info *info)
{
    const reader *r = ctx;
    dc_ckpt *c = r->out;
    const size_t prefix = sizeof state_group; /* with the slash after it */
    dc_state_array *a = &c->array[c->n];
    if (strncmp(name, state_group, prefix - 1) != 0 || name[prefix - 1] != '/') return DC_OK;
    if (c->n == DC_STATE_ARRAYS_MAX || strlen(name + prefix) >= sizeof a->name || info->n_dims != 1 ||
        !find_type(info->type, &a->type))
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is not part of any checkpoint of dcmpi", r->path, name);
    snprintf(a->name, sizeof a->name, "%s", name + prefix);
    a->n = (size_t)info->dims[0];
    dc_h5_info stored; /* asking for it refuses shapes larger than what is stored */
    dc_status st = dc_h5_dataset_info(r->h5, name, &stored);
    if (st == DC_OK) st = dc_mem_alloc_raw(&a->data, a->n, dc_state_type_bytes(a->type), "checkpoint");
    if (st != DC_OK) return st;
    c->n++;
    st = dc_h5_read_rows(r->h5, name, info->type, 0, info->dims[0], a->data);
    if (st == DC_OK && !is_finite(a))
        st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' holds a value that is not finite", r->path, name);
    return st;
}

/* Header and records of the phase tell the same step. */
static dc_status check_step(const char *path, const dc_ckpt *c)
{
    char name[DC_STATE_NAME_MAX];
    snprintf(name, sizeof name, "history/%s/step", c->header.phase);
    for (int i = 0; i < c->n; i++) {
        const dc_state_array *a = &c->array[i];
        if (strcmp(a->name, name) != 0 || a->type != DC_STATE_I64 || a->n != 1) continue;
        if (*(const int64_t *)a->data != c->header.step)
            return DC_FAIL(DC_ERR_FORMAT, "%s: step %" PRId64 " of %s, but its records say %" PRId64, path,
                           c->header.step, c->header.phase, *(const int64_t *)a->data);
    }
    return DC_OK;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static size_t content_bytes(const dc_ckpt_header *header, const dc_state_array *array, int n)
{
    size_t bytes = strlen(header->deck);
    for (int i = 0; i < n; i++) bytes += array[i].n * dc_state_type_bytes(array[i].type);
    return bytes;
}

dc_status dc_ckpt_write(const char *path, const dc_ckpt_header *header, const dc_state_array *array, int n,
                        size_t *bytes)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    void *image = NULL;
    char trailer[TRAILER_BYTES];
    DC_TRY(dc_h5_image_create(&h5, path, content_bytes(header, array, n)));
    DC_TRY(put_header(h5, header));
    DC_TRY(put_arrays(h5, array, n));
    DC_TRY(dc_h5_image_take(h5, &image, bytes));
    make_trailer(trailer, image, *bytes);
    DC_TRY(dc_file_replace(path, (const dc_file_piece[]){{image, *bytes}, {trailer, sizeof trailer}}, 2));
    *bytes += sizeof trailer;
out:
    dc_mem_free(&image);
    (void)!dc_h5_close(&h5);
    return st;
}

/* The bytes before the trailer, if the trailer fits them. */
static dc_status check_trailer(const char *path, const unsigned char *data, size_t *bytes)
{
    char expected[TRAILER_BYTES];
    if (*bytes <= TRAILER_BYTES)
        return DC_FAIL(DC_ERR_FORMAT, "%s is cut short: %zu bytes are not a checkpoint", path, *bytes);
    *bytes -= TRAILER_BYTES;
    make_trailer(expected, data, *bytes);
    if (memcmp(expected, data + *bytes, TRAILER_BYTES) != 0)
        return DC_FAIL(DC_ERR_FORMAT, "%s is damaged: its checksum does not match", path);
    return DC_OK;
}

dc_status dc_ckpt_read(const char *path, dc_ckpt *out)
{
    dc_status st = DC_OK;
    unsigned char *data = NULL;
    size_t bytes;
    reader r = {.path = path, .out = out};
    *out = (dc_ckpt){0};
    DC_TRY(dc_file_read(path, MAX_BYTES, &data, &bytes));
    DC_TRY(check_trailer(path, data, &bytes));
    DC_TRY(dc_h5_image_open(&r.h5, path, data, bytes));
    DC_TRY(get_header(r.h5, path, &out->header));
    DC_TRY(dc_h5_visit(r.h5, get_array, &r));
    if (out->n == 0) DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s holds no state", path));
    DC_TRY(check_step(path, out));
out:
    (void)!dc_h5_close(&r.h5);
    dc_mem_free(&data);
    if (st != DC_OK) dc_ckpt_release(out);
    return st;
}

void dc_ckpt_release(dc_ckpt *c)
{
    dc_mem_free(&c->header.deck);
    for (int i = 0; i < c->n; i++) dc_mem_free(&c->array[i].data);
    *c = (dc_ckpt){0};
}
