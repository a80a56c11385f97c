/* The attributes in which a checkpoint describes its run, and the code that writing and reading share. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ckpt_priv.h"
#include "dcmpi/mem.h"

enum { DECK_MAX = 1 << 20 };
static const char format_name[] = "dcmpi-checkpoint";
const char dc_ckpt_group[] = "/state";

/* ---- Header ----------------------------------------------------------------------------------------------------- */

/* The table of the header: one row per attribute. */
#define AT(member) offsetof(dc_ckpt_header, member), sizeof(((dc_ckpt_header *)0)->member)
#define COUNT_MAX ((int64_t)1 << 53) /* steps, rows: integers that a double holds exactly */
#define PLACES_MAX (1 << 20)         /* ranks, threads, parts */
static const struct {
    const char *name;
    enum { TEXT, INTEGER, REAL } kind;
    size_t at, bytes;
    int64_t min, max; /* range of an INTEGER */
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

dc_status dc_ckpt_put_header(dc_h5 *h5, const dc_ckpt_header *header)
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
    else if (version < DC_CKPT_OLDEST)
        st = DC_FAIL(DC_ERR_FORMAT,
                     "%s has format version %lld, this program reads %d to %d: let the dcmpi that wrote it finish the "
                     "run",
                     path, (long long)version, DC_CKPT_OLDEST, DC_CKPT_VERSION);
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

dc_status dc_ckpt_get_header(dc_h5 *h5, const char *path, dc_ckpt_header *header)
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

/* ---- Shared ------------------------------------------------------------------------------------------------------ */

const dc_h5_type dc_ckpt_type[] = {[DC_STATE_F32] = DC_H5_F32, [DC_STATE_F64] = DC_H5_F64, [DC_STATE_I64] = DC_H5_I64};

/* Only floats are checked: columns of doubles may hold a NaN that means "none". */
bool dc_ckpt_is_finite(dc_state_type type, const void *data, size_t n)
{
    const float *v = data;
    for (size_t i = 0; type == DC_STATE_F32 && i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

void dc_ckpt_make_trailer(char out[DC_CKPT_TRAILER_BYTES], uint64_t high, uint64_t low)
{
    char text[DC_CKPT_TRAILER_BYTES + 1];
    const int n = snprintf(text, sizeof text, "dcmpi-ckpt xxh3-128 %016" PRIx64 "%016" PRIx64, high, low);
    memset(out, ' ', DC_CKPT_TRAILER_BYTES);
    memcpy(out, text, (size_t)n);
    out[DC_CKPT_TRAILER_BYTES - 1] = '\n';
}
