/* Files that are changed at random, and the options to convert them with. */
#ifndef DCMPI_TESTS_T3_MUTATE_H
#define DCMPI_TESTS_T3_MUTATE_H

#include <lzma.h>
#include <zstd.h>

#include "t3_convert.h"

enum { FILE_BYTES = 1024 };

typedef struct {
    uint8_t bytes[FILE_BYTES];
    size_t n;
} sample;

static inline sample text_sample(const char *text)
{
    sample s = {.n = strlen(text)};
    memcpy(s.bytes, text, s.n);
    return s;
}

static inline sample load_sample(const char *path)
{
    sample s = {.n = 0};
    FILE *f = fopen(path, "rb");
    DC_ASSERT(f);
    s.n = fread(s.bytes, 1, sizeof s.bytes, f);
    fclose(f);
    return s;
}

static inline sample idx_sample(void)
{
    sample s = {.n = 0};
    s.n = idx_header(s.bytes, 0x08, 3, (const uint32_t[]){3, 2, 2}) + 12;
    return s;
}

/* One to four changes: a bit, a byte, an interesting byte, a cut, a copied stretch. Mostly near the start. */
static inline void mutate(sample *s)
{
    static const uint8_t special[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ',', '"', '-', '\'', '(', '}'};
    for (long i = lrand48() % 4; i >= 0 && s->n > 0; i--) {
        const size_t reach = lrand48() % 3 ? DC_MIN(s->n, (size_t)100) : s->n;
        const size_t at = (size_t)lrand48() % reach, to = (size_t)lrand48() % s->n;
        switch (lrand48() % 5) {
        case 0:
            s->bytes[at] ^= (uint8_t)(1 << lrand48() % 8);
            break;
        case 1:
            s->bytes[at] = (uint8_t)lrand48();
            break;
        case 2:
            s->bytes[at] = special[(size_t)lrand48() % sizeof special];
            break;
        case 3:
            if (lrand48() % 4 == 0) s->n = at;
            break;
        default:
            memmove(s->bytes + to, s->bytes + at, DC_MIN((size_t)lrand48() % 16, s->n - DC_MAX(at, to)));
        }
    }
}

static inline sample xz_sample(const sample *s)
{
    sample out = {.n = 0};
    DC_ASSERT(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, s->bytes, s->n, out.bytes, &out.n, FILE_BYTES) ==
              LZMA_OK);
    return out;
}

static inline sample zstd_sample(const sample *s)
{
    sample out = {.n = 0};
    out.n = ZSTD_compress(out.bytes, FILE_BYTES, s->bytes, s->n, 3);
    DC_ASSERT(!ZSTD_isError(out.n));
    return out;
}

static inline sample utf16_sample(const sample *s)
{
    sample out = {.bytes = {0xff, 0xfe}, .n = 2};
    for (size_t i = 0; i < s->n; i++) out.bytes[out.n++] = s->bytes[i], out.bytes[out.n++] = 0;
    return out;
}

/* NULL three times out of four. */
static inline const char *random_column(void)
{
    static const char *const columns[] = {"first", "last", "none", "1", "a", "\"b, c\""};
    return lrand48() % 4 ? NULL : columns[(size_t)lrand48() % DC_COUNT_OF(columns)];
}

static inline dc_convert_config random_options(void)
{
    static const char separators[] = {',', ' ', ';', '|'};
    dc_convert_config cfg = {.max_input_bytes = 1 << 24};
    cfg.table.label_column = random_column();
    cfg.table.id_column = random_column();
    cfg.table.drop_columns = random_column();
    if (lrand48() % 4 == 0) cfg.table.header = (dc_header)(lrand48() % 3);
    if (lrand48() % 8 == 0) cfg.table.separator = separators[(size_t)lrand48() % sizeof separators];
    cfg.table.decimal_comma = lrand48() % 8 == 0;
    cfg.missing = (dc_missing_options){(dc_missing_action)(lrand48() % 4), 2.5};
    if (lrand48() % 8 == 0) cfg.transpose = DC_TRANSPOSE_YES;
    return cfg;
}

/* What became of many conversions. */
typedef struct {
    int converted, refused, other, leftovers;
} outcome;

static inline void convert_mutated(sample s, dc_convert_config cfg, outcome *o)
{
    mutate(&s);
    write_file("m", s.bytes, s.n);
    const dc_status st = convert_with(cfg, "m");
    o->converted += st == DC_OK;
    o->refused += st == DC_ERR_DATA || st == DC_ERR_USAGE;
    if (st != DC_OK && st != DC_ERR_DATA && st != DC_ERR_USAGE && o->other++ < 5)
        printf("# %s: %s\n", dc_status_name(st), dc_error_text());
    o->leftovers += file_exists("out.h5.part") || dc_mem_live_count() > 0;
}

/* Tables with all features that a table may have; index below TABLE_SAMPLES. */
enum { TABLE_SAMPLES = 8 };
static inline sample table_sample(size_t i)
{
    static const char *const tables[TABLE_SAMPLES] = {
        "a,\"b, c\",label\n1,2.5,x\n4,\"5e3\",y\n-7,.8,\"z \"\"q\"\"\"\n",
        ",0,1,2\n0,0.5,1,7\n1,NA,3,8\n2,4,?,1\n",
        "\"1\" \"2\" \"3\"\n\"r1\" 1 2 5\n\"r2\" 3 4 6\n",
        "400|402|404|406|408|410|412|414\n3|1|2|2|2|1|1|0\n3|1|2|inf|2|1|1|0\n",
        "sep=;\na;b\n1,5;2,25\n3;-4,75\n",
        "t,x\n\"two\nlines, \"\"q\"\"\",1\n\"b\",2\n#N/A,3\n# c\n",
        "k,a\n1,9\n2,9\n3,9\n4,9\n5,9\n6,9\n7,9\n8,9\n9,9\n10,16777217\n",
        "1 2 3\n4 5 6\n7 8 9\n",
    };
    return text_sample(tables[i]);
}

#endif
