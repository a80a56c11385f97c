/* ranks: 0. Compressed and UTF-16 input: whole, in several members, cut at any byte, damaged, followed by junk, beyond
 * the limit; files of formats that are not read. */
#include <bzlib.h>
#include <lzma.h>
#include <zstd.h>

#include "t3_convert.h"

enum { CAP = 1 << 16 };

typedef struct {
    uint8_t p[CAP];
    size_t n;
} buffer;

static buffer text, packed;

/* ---- Packing ----------------------------------------------------------------------------------------------------- */

static void pack_xz(const void *in, size_t n)
{
    size_t used = packed.n;
    DC_ASSERT(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, in, n, packed.p, &used, CAP) == LZMA_OK);
    packed.n = used;
}

/* With a checksum, as the command writes it. */
static void pack_zstd(const void *in, size_t n)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    DC_ASSERT(c && !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)));
    const size_t used = ZSTD_compress2(c, packed.p + packed.n, CAP - packed.n, in, n);
    DC_ASSERT(!ZSTD_isError(used));
    ZSTD_freeCCtx(c);
    packed.n += used;
}

static void pack_bzip2(const void *in, size_t n)
{
    unsigned used = (unsigned)(CAP - packed.n);
    DC_ASSERT(BZ2_bzBuffToBuffCompress((char *)packed.p + packed.n, &used, (char *)(uintptr_t)in, (unsigned)n, 1, 0,
                                       0) == BZ_OK);
    packed.n += used;
}

static void pack_gzip(const void *in, size_t n)
{
    write_gz("packed", "wb", in, n);
    FILE *f = fopen("packed", "rb");
    DC_ASSERT(f);
    packed.n += fread(packed.p + packed.n, 1, CAP - packed.n, f);
    fclose(f);
}

static const struct {
    const char *name, *suffix;
    void (*pack)(const void *in, size_t n);
} kinds[] = {
    {"gzip", "x.gz", pack_gzip}, {"bzip2", "x.bz2", pack_bzip2}, {"xz", "x.xz", pack_xz}, {"zstd", "x.zst", pack_zstd}};

static void write_packed(const char *path, size_t n)
{
    write_file(path, packed.p, n);
}

/* ---- Compressed -------------------------------------------------------------------------------------------------- */

static void make_text(int rows)
{
    text.n = 0;
    for (int i = 0; i < rows; i++)
        text.n += (size_t)snprintf((char *)text.p + text.n, CAP - text.n, "%d,%d\n", i * 7919 % 251, i % 13);
}

static void check_kind(size_t k)
{
    int not_refused = 0;
    packed.n = 0;
    make_text(3000);
    write_file("plain.csv", text.p, text.n);
    CHECK_OK(convert_one("plain.csv"));
    const uint64_t want = result.checksum;
    kinds[k].pack(text.p, text.n);
    write_packed(kinds[k].suffix, packed.n);
    CHECK_OK(convert_one(kinds[k].suffix));
    CHECK(result.checksum == want);
    const size_t one = packed.n;
    for (size_t cut = 10; cut < one; cut += 1 + one / 60) {
        write_packed("cut", cut);
        not_refused += convert_one("cut") != DC_ERR_DATA || !strstr(dc_error_text(), "end too early");
    }
    write_packed("cut", one - 1);
    not_refused += convert_one("cut") != DC_ERR_DATA;
    CHECK_INT(not_refused, 0);
    for (size_t at = one / 2; at < one; at += 1 + one / 7) {
        packed.p[at] ^= 0x10;
        write_packed("bad", one);
        not_refused += convert_one("bad") != DC_ERR_DATA;
        packed.p[at] ^= 0x10;
    }
    CHECK_INT(not_refused, 0);
    packed.p[one] = 'x', packed.p[one + 1] = 'y';
    write_packed("tail", one + 2);
    CHECK_STATUS(convert_one("tail"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), kinds[k].name);
    kinds[k].pack("5,6\n", 4);
    write_packed("two", packed.n);
    CHECK_OK(convert_one("two"));
    CHECK_INT(result.N, 3001);
    CHECK_STATUS(convert_with((dc_convert_config){.max_input_bytes = 5000}, "two"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "limit of 5000");
    write_file(kinds[k].suffix, "1,2\n3,4\n", 8);
    CHECK_STATUS(convert_one(kinds[k].suffix), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "rename it or copy it again");
    packed.n = 0;
    kinds[k].pack("", 0);
    write_packed("empty", packed.n);
    CHECK_STATUS(convert_one("empty"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "is empty");
}

/* Windows too large for any reader: 2 GiB in the header of zstd, an xz dictionary of 1.5 GiB. */
static void check_greedy(void)
{
    static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00, '1', '1', '1', '1'};
    write_file("greedy.zst", zstd, sizeof zstd);
    CHECK_STATUS(convert_one("greedy.zst"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "needs more than 256 MiB to expand");
    /* An encoder would need 15 GiB for this, so the size is written into the header of a small file. */
    packed.n = 0;
    pack_xz("1,2\n", 4);
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block = {.version = 0, .check = LZMA_CHECK_CRC64, .filters = filters};
    block.header_size = lzma_block_header_size_decode(packed.p[12]);
    DC_ASSERT(lzma_block_header_decode(&block, NULL, packed.p + 12) == LZMA_OK);
    ((lzma_options_lzma *)filters[0].options)->dict_size = 1536U << 20;
    DC_ASSERT(lzma_block_header_encode(&block, packed.p + 12) == LZMA_OK);
    free(filters[0].options);
    write_packed("greedy.xz", packed.n);
    const size_t before = dc_mem_resident_peak_bytes();
    CHECK_STATUS(convert_one("greedy.xz"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "needs more than 256 MiB to expand");
    CHECK(dc_mem_resident_peak_bytes() < before + (64 << 20));
}

/* ---- UTF-16 ------------------------------------------------------------------------------------------------------ */

/* ASCII and the characters below as UTF-16; mark: with a byte order mark. */
static void write_utf16(const char *path, const uint32_t *chars, size_t n, bool big, bool mark)
{
    buffer *b = &packed;
    b->n = 0;
    for (size_t i = 0; i < n + mark; i++) {
        const uint32_t c = mark ? (i == 0 ? 0xfeff : chars[i - 1]) : chars[i];
        const uint32_t units[2] = {c < 0x10000 ? c : 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff)};
        for (size_t k = 0; k < (c < 0x10000 ? 1U : 2U); k++) {
            b->p[b->n + (big ? 0 : 1)] = (uint8_t)(units[k] >> 8);
            b->p[b->n + (big ? 1 : 0)] = (uint8_t)units[k];
            b->n += 2;
        }
    }
    write_packed(path, b->n);
}

static void check_utf16(void)
{
    static const char tail[] = ",b,c,d,e,f\r\n1,2,3,4,5,6\r\n7,8,9,1,2,3\r\n";
    uint32_t chars[64] = {0xe9, 0x20ac, 0x1f600};
    size_t n = 3;
    for (const char *p = tail; *p; p++) chars[n++] = (uint32_t)*p;
    for (int i = 0; i < 4; i++) {
        write_utf16("u.csv", chars, n, i & 1, i & 2);
        CHECK_OK(convert_one("u.csv"));
        CHECK_INT(result.D, 6);
        CHECK_TEXT(output_attr("feature_names"), "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\nb\nc\nd\ne\nf");
    }
    write_packed("cut.csv", packed.n - 1);
    CHECK_STATUS(convert_one("cut.csv"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "UTF-16 text is damaged after");
    const buffer plain = packed;
    packed.n = 0;
    pack_zstd(plain.p, plain.n);
    write_packed("u.csv.zst", packed.n);
    CHECK_OK(convert_one("u.csv.zst"));
    CHECK_INT(result.N, 2);
    chars[8] = 0xd800; /* half a character */
    write_utf16("half.csv", chars, n, false, true);
    CHECK_STATUS(convert_one("half.csv"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "UTF-16 text is damaged");
}

/* Longer than the window, with characters of two and three bytes on its border. */
static void check_utf16_long(void)
{
    enum { CHARS = 3 << 20 };
    uint8_t *p = malloc(2 * CHARS + 64);
    size_t n = 0;
    DC_ASSERT(p);
    for (const char *s = "\xff\xfe\"\0"; n < 4; n++) p[n] = (uint8_t)s[n];
    for (size_t i = 0; i < CHARS; i++) p[n++] = i % 3 ? 0xac : 'a', p[n++] = i % 3 ? 0x20 : 0;
    for (const char *s = "\",b\n1,2\n"; *s; s++) p[n++] = (uint8_t)*s, p[n++] = 0;
    write_file("long.csv", p, n);
    free(p);
    CHECK_OK(convert_with((dc_convert_config){.table.drop_columns = "0"}, "long.csv"));
    CHECK(result.N == 1 && result.D == 1);
}

/* ---- Named ------------------------------------------------------------------------------------------------------- */

/* Two arguments: the bytes of a literal without its terminating 0, and their number. */
#define BYTES(literal) literal, sizeof literal - 1

static void check_foreign(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } table[] = {
        {BYTES("PAR1\x15\4"), "Parquet"},
        {BYTES("PAR1xxxxPAR1"), "Parquet"},
        {BYTES("ARROW1\0\0"), "Feather"},
        {BYTES("FEA1\0\0"), "Feather"},
        {BYTES("SQLite format 3\0x"), "SQLite"},
        {BYTES("MATLAB 5.0 MAT-file, x"), "Matlab file of version 5"},
        {BYTES("RDX3\nX\n"), "RData"},
        {BYTES("X\n\0\0\0\3"), ".rds"},
        {BYTES("\x80\4\x95xxx"), "pickle"},
        {BYTES("PK\3\4xxxxxxxxxxxxxxxxxxxxxx\5\0\0\0x.npy"), "npz"},
        {BYTES("PK\3\4xxxxxxxxxxxxxxxxxxxxxx\7\0\0\0xl/book"), "xlsx"},
        {BYTES("CDF\1xxxx"), "NetCDF"},
        {BYTES("% a comment\n\n@RELATION iris\n@data\n1,2\n"), "ARFF"},
        {BYTES("{\"a\": 1}\n"), "JSON"},
        {BYTES("[[1, 2]]\n"), "JSON"},
        {BYTES("<!DOCTYPE html>"), "web page"},
        {BYTES("%%MatrixMarket matrix coordinate\n1 1 1\n"), "is not a kind of numbers"},
        {BYTES("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
        {BYTES("\x89PNG\r\n"), "picture"},
        {BYTES("\xff\xfe\0\0"
               "1\0\0\0"),
         "UTF-32"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        write_file("f", table[i].bytes, table[i].n);
        CHECK_STATUS(convert_one("f"), DC_ERR_DATA);
        CHECK_TEXT_HAS(dc_error_text(), table[i].words);
        packed.n = 0;
        pack_gzip(table[i].bytes, table[i].n);
        write_packed("f.gz", packed.n);
        CHECK_STATUS(convert_one("f.gz"), DC_ERR_DATA);
        CHECK_TEXT_HAS(dc_error_text(), table[i].words);
    }
}

/* Tables whose first words are signatures of other formats. */
static void check_not_foreign(void)
{
    static const char *const table[] = {"PAR1,CDF\n1,2\n", "A\n1\n",        "X\n1\n",           "RDX,ORC\n1,2\n",
                                        "BZh,MM\n1,2\n",   "<NA>,x\n1,2\n", "[Fe/H],{x}\n1,2\n"};
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        write_text("n.csv", table[i]);
        CHECK_OK(convert_with((dc_convert_config){.table.header = DC_HEADER_YES}, "n.csv"));
        CHECK_INT(result.N, 1);
    }
}

int main(void)
{
    enter_folder();
    for (size_t k = 0; k < DC_COUNT_OF(kinds); k++) check_kind(k);
    check_greedy();
    check_utf16();
    check_utf16_long();
    check_foreign();
    check_not_foreign();
    CHECK(!file_exists("out.h5.part"));
    leave_folder();
    return check_done();
}
