/* One interface to four libraries. The members of a file are expanded one by one, so that truncation, damage and bytes
 * after the last member are found; gzread() and similar functions miss some of these. */
#include "convert/unpack.h"

#include <bzlib.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "dcmpi/mem.h"

typedef struct codec codec;

struct dc_unpack {
    const codec *codec;
    const char *name;
    z_stream zlib;
    lzma_stream xz;
    ZSTD_DStream *zstd;
    bz_stream bzip2;
};

struct codec {
    const char *name;
    size_t magic_at; /* bytes before the magic number */
    uint8_t magic[6];
    size_t n_magic;
    uint64_t max_ratio;
    dc_status (*open)(dc_unpack *u);
    void (*close)(dc_unpack *u);
    dc_status (*step)(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                      dc_unpack_state *state);
    dc_status (*again)(dc_unpack *u);
};

static dc_status fail_start(const dc_unpack *u)
{
    return DC_FAIL(DC_ERR_MEMORY, "%s: the library for %s does not start", u->name, u->codec->name);
}

static dc_status fail_memory(const dc_unpack *u)
{
    return DC_FAIL(DC_ERR_MEMORY, "%s: not enough memory to expand %s data", u->name, u->codec->name);
}

static dc_status fail_damaged(const dc_unpack *u, const char *cause)
{
    return DC_FAIL(DC_ERR_DATA, "%s: %s data damaged (%s); copy the file again", u->name, u->codec->name, cause);
}

/* Such a large dictionary is legal but rare: xz -9 takes 65 MiB. */
static dc_status fail_window(const dc_unpack *u, const char *cure)
{
    return DC_FAIL(DC_ERR_DATA, "%s: needs more than %d MiB to expand; expand it first: %s", u->name,
                   DC_UNPACK_MEMORY >> 20, cure);
}

/* ---- gzip (RFC 1952) --------------------------------------------------------------------------------------------- */

static dc_status gzip_open(dc_unpack *u)
{
    return inflateInit2(&u->zlib, 15 + 16) == Z_OK ? DC_OK : fail_start(u);
}

static void gzip_close(dc_unpack *u)
{
    inflateEnd(&u->zlib);
}

static dc_status gzip_step(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                           dc_unpack_state *state)
{
    u->zlib.next_in = (z_const Bytef *)in;
    u->zlib.avail_in = (uInt)*n_in;
    u->zlib.next_out = out;
    u->zlib.avail_out = (uInt)*n_out;
    const int rc = inflate(&u->zlib, Z_NO_FLUSH);
    *n_in -= u->zlib.avail_in;
    *n_out -= u->zlib.avail_out;
    *state = rc == Z_STREAM_END ? DC_UNPACK_END : DC_UNPACK_MORE;
    if (rc == Z_MEM_ERROR) return fail_memory(u);
    if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR) return DC_OK;
    return fail_damaged(u, u->zlib.msg ? u->zlib.msg : "unknown cause");
}

static dc_status gzip_again(dc_unpack *u)
{
    return inflateReset(&u->zlib) == Z_OK ? DC_OK : fail_start(u);
}

/* ---- xz ---------------------------------------------------------------------------------------------------------- */

static dc_status xz_open(dc_unpack *u)
{
    return lzma_stream_decoder(&u->xz, DC_UNPACK_MEMORY, 0) == LZMA_OK ? DC_OK : fail_start(u);
}

static void xz_close(dc_unpack *u)
{
    lzma_end(&u->xz);
}

static dc_status xz_step(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                         dc_unpack_state *state)
{
    u->xz.next_in = in;
    u->xz.avail_in = *n_in;
    u->xz.next_out = out;
    u->xz.avail_out = *n_out;
    const lzma_ret rc = lzma_code(&u->xz, LZMA_RUN);
    *n_in -= u->xz.avail_in;
    *n_out -= u->xz.avail_out;
    *state = rc == LZMA_STREAM_END ? DC_UNPACK_END : DC_UNPACK_MORE;
    if (rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR) return DC_OK;
    if (rc == LZMA_MEM_ERROR) return fail_memory(u);
    if (rc == LZMA_MEMLIMIT_ERROR) return fail_window(u, "unxz");
    return fail_damaged(u, rc == LZMA_FORMAT_ERROR    ? "no xz stream begins here"
                           : rc == LZMA_OPTIONS_ERROR ? "unknown filter or option"
                                                      : "checksum or coding is wrong");
}

/* ---- zstd (RFC 8878) --------------------------------------------------------------------------------------------- */

static dc_status zstd_again(dc_unpack *u)
{
    return ZSTD_isError(ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only)) ? fail_start(u) : DC_OK;
}

static dc_status zstd_open(dc_unpack *u)
{
    enum { WINDOW_LOG = 28 };
    _Static_assert(1 << WINDOW_LOG == DC_UNPACK_MEMORY, "the window is the memory that zstd takes");
    u->zstd = ZSTD_createDStream();
    if (!u->zstd) return fail_memory(u);
    return ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG)) ? fail_start(u) : DC_OK;
}

static void zstd_close(dc_unpack *u)
{
    ZSTD_freeDStream(u->zstd);
}

static dc_status zstd_step(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                           dc_unpack_state *state)
{
    ZSTD_inBuffer from = {in, *n_in, 0};
    ZSTD_outBuffer to = {out, *n_out, 0};
    const size_t rc = ZSTD_decompressStream(u->zstd, &to, &from);
    *n_in = from.pos;
    *n_out = to.pos;
    *state = rc == 0 ? DC_UNPACK_END : DC_UNPACK_MORE;
    if (!ZSTD_isError(rc)) return DC_OK;
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(rc);
    if (code == ZSTD_error_memory_allocation) return fail_memory(u);
    if (code == ZSTD_error_frameParameter_windowTooLarge) return fail_window(u, "zstd -d --long=31");
    return fail_damaged(u, ZSTD_getErrorName(rc));
}

/* ---- bzip2 ------------------------------------------------------------------------------------------------------- */

static dc_status bzip2_open(dc_unpack *u)
{
    memset(&u->bzip2, 0, sizeof u->bzip2);
    return BZ2_bzDecompressInit(&u->bzip2, 0, 0) == BZ_OK ? DC_OK : fail_start(u);
}

static void bzip2_close(dc_unpack *u)
{
    BZ2_bzDecompressEnd(&u->bzip2);
}

static dc_status bzip2_step(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                            dc_unpack_state *state)
{
    u->bzip2.next_in = (char *)(uintptr_t)in; /* the library only reads */
    u->bzip2.avail_in = (unsigned)*n_in;
    u->bzip2.next_out = (char *)out;
    u->bzip2.avail_out = (unsigned)*n_out;
    const int rc = BZ2_bzDecompress(&u->bzip2);
    *n_in -= u->bzip2.avail_in;
    *n_out -= u->bzip2.avail_out;
    *state = rc == BZ_STREAM_END ? DC_UNPACK_END : DC_UNPACK_MORE;
    if (rc == BZ_OK || rc == BZ_STREAM_END) return DC_OK;
    if (rc == BZ_MEM_ERROR) return fail_memory(u);
    return fail_damaged(u, rc == BZ_DATA_ERROR_MAGIC ? "no bzip2 stream begins here" : "checksum or coding is wrong");
}

static dc_status bzip2_again(dc_unpack *u)
{
    bzip2_close(u);
    return bzip2_open(u);
}

/* ---- All libraries ----------------------------------------------------------------------------------------------- */

/* A later xz member starts like the first. */
static dc_status xz_again(dc_unpack *u)
{
    return xz_open(u);
}

static const codec codecs[] = {
    /* for gzip: deflate takes at least 2 bits to code 258 bytes */
    {"gzip", 0, {0x1f, 0x8b}, 2, 1032, gzip_open, gzip_close, gzip_step, gzip_again},
    {"xz", 0, {0xfd, '7', 'z', 'X', 'Z', 0}, 6, 0, xz_open, xz_close, xz_step, xz_again},
    {"zstd", 0, {0x28, 0xb5, 0x2f, 0xfd}, 4, 0, zstd_open, zstd_close, zstd_step, zstd_again},
    /* behind "BZh" and a digit: of a first block, and of a file without blocks */
    {"bzip2", 4, {'1', 'A', 'Y', '&', 'S', 'Y'}, 6, 0, bzip2_open, bzip2_close, bzip2_step, bzip2_again},
    {"bzip2", 4, {0x17, 0x72, 0x45, 0x38, 0x50, 0x90}, 6, 0, bzip2_open, bzip2_close, bzip2_step, bzip2_again},
};

const char *dc_unpack_recognise(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < DC_COUNT_OF(codecs); i++)
        if (n >= codecs[i].magic_at + codecs[i].n_magic &&
            memcmp(p + codecs[i].magic_at, codecs[i].magic, codecs[i].n_magic) == 0)
            return codecs[i].name;
    return NULL;
}

dc_status dc_unpack_open(dc_unpack **out, const char *kind, const char *name)
{
    dc_status st = dc_mem_alloc(out, 1, sizeof **out, "state of a decompressor");
    if (st != DC_OK) return st;
    (*out)->name = name;
    for (size_t i = 0; i < DC_COUNT_OF(codecs); i++)
        if (strcmp(codecs[i].name, kind) == 0) (*out)->codec = &codecs[i];
    DC_ASSERT((*out)->codec);
    st = (*out)->codec->open(*out);
    if (st != DC_OK) dc_unpack_close(out);
    return st;
}

void dc_unpack_close(dc_unpack **u)
{
    if (!*u) return;
    (*u)->codec->close(*u);
    dc_mem_free(u);
}

const char *dc_unpack_kind(const dc_unpack *u)
{
    return u->codec->name;
}

dc_status dc_unpack_step(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                         dc_unpack_state *state)
{
    return u->codec->step(u, in, n_in, out, n_out, state);
}

dc_status dc_unpack_again(dc_unpack *u)
{
    return u->codec->again(u);
}

uint64_t dc_unpack_max_ratio(const dc_unpack *u)
{
    return u->codec->max_ratio;
}
