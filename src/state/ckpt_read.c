/* Checkpoint files, read by rank 0. Opening a file reads all of it twice, in pieces. The first pass verifies its
 * checksum; until then nothing in it is trusted, and the HDF5 library sees none of it. Then the headers tell where the
 * arrays are, and the second pass checks that their values are finite. The values are loaded later, when arrays are
 * registered. Each array must then still have the checksum of the second pass, so that nothing unverified is loaded. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "ckpt_priv.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"

static const size_t MAX_BYTES = (size_t)1 << 46;

struct dc_ckpt_source {
    char path[DC_PATH_MAX];
    int fd;
    size_t bytes;         /* without the trailer */
    dc_file_state state;  /* when it was opened */
    XXH3_state_t *hash;   /* of the array that is being read */
    unsigned char *piece; /* [DC_STATE_PIECE_BYTES] while the file is being opened */
    size_t at[DC_STATE_ARRAYS_MAX];
    uint64_t sum[DC_STATE_ARRAYS_MAX]; /* XXH3 of the arrays */
};

/* ---- The checksum ------------------------------------------------------------------------------------------------ */

static dc_status open_source(const char *path, struct dc_ckpt_source *s)
{
    dc_status st = DC_OK;
    snprintf(s->path, sizeof s->path, "%s", path);
    DC_TRY(dc_file_open(path, MAX_BYTES, &s->fd, &s->bytes));
    DC_TRY(dc_file_state_of(s->fd, path, &s->state));
    if (s->bytes <= DC_CKPT_TRAILER_BYTES)
        return DC_FAIL(DC_ERR_FORMAT, "%s is cut short: %zu bytes are not a checkpoint", path, s->bytes);
    s->bytes -= DC_CKPT_TRAILER_BYTES;
    s->hash = XXH3_createState();
    if (!s->hash) return DC_FAIL(DC_ERR_MEMORY, "no memory for the checksum of %s", path);
    DC_TRY(dc_mem_alloc_raw(&s->piece, DC_STATE_PIECE_BYTES, 1, "piece of a checkpoint"));
out:
    return st;
}

static dc_status check_trailer(struct dc_ckpt_source *s)
{
    char expected[DC_CKPT_TRAILER_BYTES], found[DC_CKPT_TRAILER_BYTES];
    dc_status st = DC_OK;
    XXH3_128bits_reset(s->hash);
    for (size_t at = 0; at < s->bytes; at += DC_STATE_PIECE_BYTES) {
        const size_t n = DC_MIN(s->bytes - at, (size_t)DC_STATE_PIECE_BYTES);
        DC_TRY(dc_file_read_at(s->fd, s->path, at, s->piece, n));
        XXH3_128bits_update(s->hash, s->piece, n);
    }
    DC_TRY(dc_file_read_at(s->fd, s->path, s->bytes, found, sizeof found));
    const XXH128_hash_t hash = XXH3_128bits_digest(s->hash);
    dc_ckpt_make_trailer(expected, hash.high64, hash.low64);
    if (memcmp(expected, found, sizeof found) != 0)
        st = DC_FAIL(DC_ERR_FORMAT, "%s is damaged: its checksum does not match", s->path);
out:
    return st;
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */

static bool find_type(dc_h5_type type, dc_state_type *out)
{
    static const dc_state_type types[] = {DC_STATE_F32, DC_STATE_F64, DC_STATE_I64};
    for (size_t t = 0; t < DC_COUNT_OF(types); t++)
        if (dc_ckpt_type[types[t]] == type) return *out = types[t], true;
    return false;
}

/* Accepts a vector, or a table with one row for each row of the data. */
static bool find_shape(const dc_h5_info *info, int64_t N, dc_state_array *a)
{
    if (info->n_dims != 1 && (info->n_dims != 2 || info->dims[0] != N || info->dims[1] < 1)) return false;
    a->width = info->n_dims == 2 ? (size_t)info->dims[1] : 0;
    a->n = dc_mul_size((size_t)info->dims[0], a->width ? a->width : 1);
    return true;
}

typedef struct {
    dc_h5 *h5;
    dc_ckpt *out;
} visit;

/* Finds an array's description and place. dc_h5_dataset_info() refuses shapes larger than what is stored. */
static dc_status find_array(void *ctx, const char *name, const dc_h5_info *info)
{
    const visit *v = ctx;
    dc_ckpt *c = v->out;
    struct dc_ckpt_source *s = c->source;
    dc_h5_info stored;
    int64_t at;
    const size_t prefix = strlen(dc_ckpt_group) + 1; /* with the slash after it */
    dc_state_array *a = &c->array[c->n];
    if (strncmp(name, dc_ckpt_group, prefix - 1) != 0 || name[prefix - 1] != '/') return DC_OK;
    if (c->n == DC_STATE_ARRAYS_MAX || strlen(name + prefix) >= sizeof a->name || !info->exact ||
        !find_type(info->type, &a->type) || !find_shape(info, c->header.N, a))
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is not part of any checkpoint of dcmpi", s->path, name);
    snprintf(a->name, sizeof a->name, "%s", name + prefix);
    dc_status st = dc_h5_dataset_info(v->h5, name, &stored);
    if (st == DC_OK) st = dc_h5_place(v->h5, name, &at);
    if (st != DC_OK) return st;
    const size_t bytes = a->n * dc_state_type_bytes(a->type);
    if (at < 0 || (size_t)at > s->bytes || bytes > s->bytes - (size_t)at)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' lies outside the file", s->path, name);
    s->at[c->n++] = (size_t)at;
    return DC_OK;
}

static dc_status read_headers(dc_ckpt *c)
{
    dc_status st = DC_OK;
    const struct dc_ckpt_source *s = c->source;
    visit v = {.out = c};
    DC_TRY(dc_h5_image_open(&v.h5, s->path, s->fd, s->bytes));
    DC_TRY(dc_ckpt_get_header(v.h5, s->path, &c->header));
    DC_TRY(dc_h5_visit(v.h5, find_array, &v));
    if (c->n == 0) st = DC_FAIL(DC_ERR_FORMAT, "%s holds no state", s->path);
out:
    st = dc_h5_close_read(&v.h5, st);
    return st;
}

static dc_status read_values(const dc_ckpt *c, int i, size_t first, size_t n, void *out)
{
    const struct dc_ckpt_source *s = c->source;
    const size_t size = dc_state_type_bytes(c->array[i].type);
    if (first == 0) XXH3_64bits_reset(s->hash);
    const dc_status st = dc_file_read_at(s->fd, s->path, s->at[i] + first * size, out, n * size);
    if (st == DC_OK) XXH3_64bits_update(s->hash, out, n * size);
    return st;
}

static dc_status look_at_values(dc_ckpt *c, int i)
{
    struct dc_ckpt_source *s = c->source;
    dc_state_array *a = &c->array[i];
    const size_t most = DC_STATE_PIECE_BYTES / dc_state_type_bytes(a->type);
    for (size_t first = 0; first < a->n; first += most) {
        const size_t n = DC_MIN(most, a->n - first);
        const dc_status st = read_values(c, i, first, n, s->piece);
        if (st != DC_OK) return st;
        if (!dc_ckpt_is_finite(a->type, s->piece, n))
            return DC_FAIL(DC_ERR_FORMAT, "%s: '%s/%s' holds a value that is not finite", s->path, dc_ckpt_group,
                           a->name);
    }
    s->sum[i] = a->n ? XXH3_64bits_digest(s->hash) : 0;
    if (a->type == DC_STATE_I64 && a->n == 1) memcpy(&a->number, s->piece, sizeof a->number);
    return DC_OK;
}

/* The header and the records of the phase must give the same step. */
static dc_status check_step(const dc_ckpt *c)
{
    char name[DC_STATE_NAME_MAX];
    snprintf(name, sizeof name, "history/%s/step", c->header.phase);
    for (int i = 0; i < c->n; i++) {
        const dc_state_array *a = &c->array[i];
        if (strcmp(a->name, name) != 0 || a->type != DC_STATE_I64 || a->n != 1) continue;
        if (a->number != c->header.step)
            return DC_FAIL(DC_ERR_FORMAT, "%s: step %" PRId64 " of %s, but its records say %" PRId64, c->source->path,
                           c->header.step, c->header.phase, a->number);
    }
    return DC_OK;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

dc_status dc_ckpt_open(const char *path, dc_ckpt *out)
{
    dc_status st = DC_OK;
    *out = (dc_ckpt){0};
    DC_TRY(dc_mem_alloc(&out->source, 1, sizeof *out->source, "checkpoint"));
    out->source->fd = -1;
    DC_TRY(open_source(path, out->source));
    DC_TRY(check_trailer(out->source));
    DC_TRY(read_headers(out));
    for (int i = 0; i < out->n; i++) DC_TRY(look_at_values(out, i));
    DC_TRY(check_step(out));
    DC_TRY(dc_file_unchanged_fd(out->source->fd, path, &out->source->state, DC_ERR_FORMAT));
    dc_mem_free(&out->source->piece);
out:
    if (st != DC_OK) dc_ckpt_release(out);
    return st;
}

dc_status dc_ckpt_load(const dc_ckpt *c, int i, size_t first, size_t n, void *out)
{
    const struct dc_ckpt_source *s = c->source;
    const dc_status st = read_values(c, i, first, n, out);
    if (st != DC_OK || first + n < c->array[i].n || XXH3_64bits_digest(s->hash) == s->sum[i]) return st;
    return DC_FAIL(DC_ERR_FORMAT, "%s changed since it was verified: the checksum of '%s' does not match; start again",
                   s->path, c->array[i].name);
}

void dc_ckpt_close(dc_ckpt *c)
{
    if (!c->source) return;
    if (c->source->fd >= 0) close(c->source->fd);
    XXH3_freeState(c->source->hash);
    dc_mem_free(&c->source->piece);
    dc_mem_free(&c->source);
}

void dc_ckpt_release(dc_ckpt *c)
{
    dc_ckpt_close(c);
    dc_mem_free(&c->header.deck);
    *c = (dc_ckpt){0};
}
