/* ranks: 0. Files that lie or are damaged: status, the words of the message, no memory allocated for the claimed size,
 * and no output left behind. */
#include "t3_convert.h"

enum { MEMORY_BOUND = 32 << 20 };

/* `input` must fail with `status` and a one-line message that names it and has `words`. */
static void refused(const char *input, dc_convert_config cfg, dc_status status, const char *words)
{
    const size_t before = dc_mem_peak_bytes();
    const bool had_output = file_exists("out.h5");
    const dc_status st = convert_with(cfg, input);
    const char *text = dc_error_text();
    const bool named = status != DC_ERR_DATA || strstr(text, input) != NULL;
    const bool ok = st == status && strstr(text, words) && named && !strchr(text, '\n') &&
                    !file_exists("out.h5.part") && file_exists("out.h5") == had_output &&
                    dc_mem_peak_bytes() < DC_MAX(before + 1, (size_t)MEMORY_BOUND);
    if (!check_report_(ok, __FILE__, __LINE__, words))
        printf("#   %s: wanted %s, got %s: %s\n", input, dc_status_name(status), dc_status_name(st), text);
}

static void bad(const char *input, const char *words)
{
    refused(input, (dc_convert_config){0}, DC_ERR_DATA, words);
}

/* ---- IDX -------------------------------------------------------------------------------------------------------- */

static void check_idx(void)
{
    static const struct {
        uint8_t bytes[40];
        size_t n;
        const char *words;
    } table[] = {
        {{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3}, 15, "asks for 16 bytes, but the file has 15"},
        {{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5}, 17, "asks for 16 bytes, but the file has 17"},
        {{0, 0, 7, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1}, 13, "byte 2: IDX type code 0x07"},
        {{0, 0, 8, 0, 1, 1, 1, 1}, 8, "byte 3: IDX array of 0 dimensions"},
        {{0, 0, 8, 255, 1, 1, 1, 1}, 8, "byte 3: IDX array of 255 dimensions"},
        {{0, 0, 8, 2, 0, 0}, 6, "file ends"},
        {{0, 0, 8}, 3, "0x00"},
        {{0, 0, 8, 2, 0xee, 0x6b, 0x28, 0, 0, 0, 3, 16, 1, 2, 3}, 15, "asks for 3136000000012 bytes"},
        {{0,   0,   8,   5,   255, 255, 255, 255, 255, 255, 255, 255,
          255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
         24,
         "overflows"},
        {{0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 2}, 12, "a dimension is 0"},
        {{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 0}, 12, "a dimension is 0"},
        {{0, 0, 8, 1, 0, 0, 0, 1, 7}, 9, "--labels"},
        {{1, 0, 8, 3, 0, 0, 0, 1}, 8, "byte 0 of the line is 0x01"},
        {{0, 0, 13, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0x7f, 0xc0, 0, 0}, 16, "row 0, column 0: nan is not finite"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        write_file("bad.idx", table[i].bytes, table[i].n);
        bad("bad.idx", table[i].words);
    }
}

/* ---- NPY -------------------------------------------------------------------------------------------------------- */

#define NPY(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static void check_npy(void)
{
    static const struct {
        int major;
        const char *dict, *words;
    } table[] = {
        {9, NPY("'|u1'", "False", "(1, 4)"), "NPY version 9.0"},
        {0, NPY("'|u1'", "False", "(1, 4)"), "NPY version 0.0"},
        {1, NPY("'|u1'", "1", "(1, 4)"), "fortran_order must be"},
        {1, NPY("'|O'", "False", "(1, 4)"), "object arrays"},
        {1, NPY("[('a', '<f4')]", "False", "(1, 1)"), "structured"},
        {1, NPY("'<c8'", "False", "(1, 1)"), "type is not supported"},
        {1, NPY("'<f3'", "False", "(1, 1)"), "type is not supported"},
        {1, NPY("'<U1'", "False", "(1, 1)"), "holds texts"},
        {1, NPY("'|b4'", "False", "(1, 1)"), "type is not supported"},
        {1, NPY("'", "False", "(1, 1)"), "byte "},
        {1, NPY("'|u1'", "False", "()"), "0 dimensions"},
        {1, NPY("'|u1'", "False", "(4,)"), "--labels"},
        {1, NPY("'|u1'", "False", "(1, 2, 1, 1, 1, 1, 1, 1, 2)"), "more than 8 dimensions"},
        {1, NPY("'|u1'", "False", "(99999999999999999999999, 4)"), "does not fit 64 bits"},
        {1, NPY("'|u1'", "False", "(18446744073709551615, 4)"), "overflows"},
        {1, NPY("'<f8'", "False", "(4294967296, 4294967296)"), "overflows"},
        {1, NPY("'<f4'", "False", "(4000000000, 1000)"), "asks for 1600000"},
        {1, NPY("'|u1'", "False", "(-1, 4)"), "a dimension was expected"},
        {1, NPY("'|u1'", "False", "(1, 3)"), "but the file has"},
        {1, NPY("'|u1'", "False", "(1, 5)"), "but the file has"},
        {1, NPY("'|u1'", "False", "(0, 4)"), "a dimension is 0"},
        {1, NPY("'|u1'", "False", "(1, 4"), "a dimension was expected"},
        {1, "{'shape': (1 4)}", "shape is not closed"},
        {1, "{'descr': '|u1', 'shape': (1, 4)}", "is missing"},
        {1, "{'descr': '|u1', 'descr': '|u1', 'shape': (1, 4)}", "repeated key"},
        {1, "{'descr': '|u1', 'evil': __import__('os'), 'shape': (1, 4)}", "unknown or repeated key"},
        {1, "__import__('os').system('touch pwned')", "a dictionary was expected"},
        {1, "", "a dictionary was expected"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        write_npy("bad.npy", table[i].major, table[i].dict, "abcd", 4);
        bad("bad.npy", table[i].words);
    }
    write_file("bad.npy", "\x93NUMPY\2\0\xff\xff\xff\xff{", 13);
    bad("bad.npy", "NPY header of 4294967295 bytes");
    write_file("bad.npy", "\x93NUMPY\1\0\xff\x7f{", 11);
    bad("bad.npy", "file ends within the NPY header");
    write_npy("bad.npy", 1, NPY("'<f4'", "False", "(2, 1)"), (const float[]){1, INFINITY}, 8);
    bad("bad.npy", "row 1, column 0: inf is not finite");
    write_npy("bad.npy", 1, NPY("'<u8'", "False", "(1, 1)"), "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    CHECK_OK(convert_one("bad.npy"));
}

/* ---- gzip ------------------------------------------------------------------------------------------------------- */

static void check_gzip(void)
{
    uint8_t raw[20000], gz[30000];
    size_t n = idx_header(raw, 0x08, 2, (const uint32_t[]){1000, 19});
    for (size_t i = n; i < sizeof raw; i++) raw[i] = (uint8_t)(i * i >> 3);
    const size_t raw_n = n + 19000;
    write_gz("good.gz", "wb", raw, raw_n);
    CHECK_OK(convert_one("good.gz"));
    FILE *f = fopen("good.gz", "rb");
    DC_ASSERT(f);
    const size_t gz_n = fread(gz, 1, sizeof gz, f);
    fclose(f);
    for (size_t cut = 3; cut < gz_n; cut += gz_n / 20) {
        write_file("cut.gz", gz, cut);
        bad("cut.gz", "gzip data end too early");
    }
    write_file("cut.gz", gz, gz_n - 1);
    bad("cut.gz", "gzip data end too early");
    gz[gz_n - 6] ^= 1;
    write_file("crc.gz", gz, gz_n);
    bad("crc.gz", "gzip data damaged (incorrect data check)");
    gz[gz_n - 6] ^= 1;
    gz[gz_n] = 'x';
    write_file("tail.gz", gz, gz_n + 1);
    bad("tail.gz", "gzip data");
    write_gz("more.gz", "wb", raw, raw_n + 1);
    bad("more.gz", "data go on after the end");
    write_gz("less.gz", "wb", raw, raw_n - 1);
    bad("less.gz", "more values of 1 bytes were expected");
    write_text("not.gz", "1,2\n");
    bad("not.gz", "is not gzip");
    write_gz("empty.gz", "wb", "", 0);
    bad("empty.gz", "is empty");
    n = idx_header(raw, 0x08, 3, (const uint32_t[]){4000000000U, 1000, 1000});
    write_gz("lie.gz", "wb", raw, n + 10);
    bad("lie.gz", "bytes of gzip data cannot hold");
    refused("good.gz", (dc_convert_config){.max_input_bytes = 1000}, DC_ERR_DATA, "limit of 1000");
}

/* 64 MiB of one character in 64 kB. */
static void check_bomb(void)
{
    static char zeros[1 << 20];
    memset(zeros, '1', sizeof zeros);
    gzFile f = gzopen("bomb.csv.gz", "wb9");
    for (int i = 0; i < 80; i++) DC_ASSERT(gzwrite(f, zeros, sizeof zeros) == (int)sizeof zeros);
    DC_ASSERT(gzclose(f) == Z_OK);
    refused("bomb.csv.gz", (dc_convert_config){.max_input_bytes = 4 << 20}, DC_ERR_DATA, "limit of 4194304");
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

static void check_text(void)
{
    static const struct {
        const char *text, *words;
    } table[] = {
        {"1,2,3\n1,2\n", "bad.csv:2: the line has 2 columns, but the first has 3"},
        {"1,2,3\n1,2,3,4\n", "bad.csv:2: the line has more than the 3 columns of the first"},
        {"1,2,3\n1,,3\n", "bad.csv:2: column 1 (counted from 0): '' is an empty cell"},
        {"1,2,\n", "column 2 (counted from 0): '' is an empty cell"},
        {"1 2\n3 nan\n", "bad.csv:2: column 1 (counted from 0): 'nan' is not finite"},
        {"1 2\n-Inf 3\n", "bad.csv:2: column 0 (counted from 0): '-Inf' is not finite"},
        {"1;2\n3;1,5\n", "'1,5' has a decimal comma"},
        {"1\t2,5\n", "has a decimal comma"},
        {"1,2\r3,4\r", "lines end in CR alone"},
        {"a,b\r1,2\r", "lines end in CR alone"},
        {"1,2\r3,4\n5,6\n", "column 1 (counted from 0): '2?3' has a carriage return inside"},
        {"1,\"a,b\"\n", "column 1 (counted from 0): '\"a,b\"' is not a number"},
        {"1,2\n1,\"\"3\"\"\n", "has quotes"},
        {"1,2\n\n3,4\n", "bad.csv:2: line is empty, but data follow it"},
        {"1,2\nx,4\n", "bad.csv:2: column 0 (counted from 0): 'x' is not a number"},
        {"1,x\n3,4\n", "bad.csv:1: column 1 (counted from 0): 'x' is not a number"},
        {"a,b\n", "has no rows"},
        {"\n\n", "has no rows"},
        {"# only\n", "has no rows"},
        {"a 1:0.5 3:2\n", "svmlight"},
        {"1,0x10\n", "'0x10' is not a number"},
        {"1,1e999\n", "'1e999' is too large"},
        {"1,1e39\n", "bad.csv:1: column 1 (counted from 0): '1e39' is too large"},
        {"1,2\n1,\001\002\n", "column 1 (counted from 0): '\?\?' is not a number"},
        {"PK\3\4junk", "zip archive"},
        {"\x7f"
         "ELF\1\1",
         "byte 4 of the line is 0x01"},
        {"1,2\n3,12345678901234567890123456789012345678901234567890x\n", "'12345678901234567890123456789012...'"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        write_text("bad.csv", table[i].text);
        bad("bad.csv", table[i].words);
    }
    write_file("bad.csv", "1,2\n3,\0004\n", 10);
    bad("bad.csv", "bad.csv:2: column 1 (counted from 0): '?4' is not a number");
}

static void check_long_line(void)
{
    enum { BYTES = DC_CONVERT_MAX_LINE_BYTES + (1 << 20) };
    char *line = malloc(BYTES);
    DC_ASSERT(line);
    memset(line, '7', BYTES);
    write_file("long.csv", line, BYTES);
    free(line);
    const dc_status st = convert_one("long.csv");
    CHECK_INT(st, DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "long.csv:1: line is longer than");
}

/* ---- Labels and several inputs ---------------------------------------------------------------------------------- */

static void refused_labels(const char *labels, dc_status status, const char *words)
{
    const char *const inputs[] = {"x.csv"}, *const files[] = {labels};
    refused(labels, (dc_convert_config){.inputs = inputs, .n_inputs = 1, .labels = files, .n_labels = 1}, status,
            words);
}

static void bad_labels(const char *labels, const char *words)
{
    refused_labels(labels, DC_ERR_DATA, words);
}

static void check_labels(void)
{
    uint8_t idx[32] = {0};
    const size_t n = idx_header(idx, 0x08, 2, (const uint32_t[]){1, 3});
    write_file("wide.idx", idx, n + 3);
    write_text("x.csv", "1,2\n3,4\n5,6\n");
    write_text("short.txt", "1\n2\n");
    write_text("long.txt", "1\n2\n3\n4\n");
    write_text("gap.txt", "1\n\n2\n3\n");
    write_text("two.txt", "1,2\n3,4\n5,6\n");
    write_npy("float.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", (const double[]){1, 2.5, 3},
              24);
    bad_labels("short.txt", "2 labels for the 3 rows of x.csv");
    bad_labels("long.txt", "4 labels for the 3 rows of x.csv");
    bad_labels("gap.txt", "line is empty");
    bad_labels("two.txt", "has a separator");
    bad_labels("wide.idx", "labels must be one per row");
    bad_labels("float.npy", "row 1: label 2.5 is not an integer");
    refused_labels("missing", DC_ERR_IO, "cannot open input");
}

static void check_several(void)
{
    const char *const differ[] = {"x.csv", "y.csv"}, *const headers[] = {"h1.csv", "h2.csv"};
    write_text("y.csv", "1,2,3\n");
    write_text("h1.csv", "a,b\n1,2\n");
    write_text("h2.csv", "b,a\n1,2\n");
    refused("y.csv", (dc_convert_config){.inputs = differ, .n_inputs = 2}, DC_ERR_DATA, "3 columns, but x.csv has 2");
    refused("h2.csv", (dc_convert_config){.inputs = headers, .n_inputs = 2}, DC_ERR_DATA, "column names differ");
}

/* ---- Requests, outputs, kinds of files -------------------------------------------------------------------------- */

static void check_requests(void)
{
    const char *const inputs[] = {"x.csv", "y.csv"}, *const labels[] = {"short.txt"};
    refused("x.csv", (dc_convert_config){.inputs = inputs, .n_inputs = 2, .labels = labels, .n_labels = 1},
            DC_ERR_USAGE, "2 inputs but 1 --labels");
    refused("x.csv", (dc_convert_config){.table.label_column = "2"}, DC_ERR_USAGE, "has 2 columns");
    refused("wide.idx", (dc_convert_config){.table.label_column = "0"}, DC_ERR_USAGE, "is for text");
    refused("x.csv", (dc_convert_config){.output = "x.csv"}, DC_ERR_USAGE, "also an input");
    refused("x.csv", (dc_convert_config){.output = "y.csv"}, DC_ERR_USAGE, "--force");
    refused("x.csv", (dc_convert_config){.output = "no/such/out.h5"}, DC_ERR_IO, "no/such/out.h5");
    refused("x.csv", (dc_convert_config){.output = "."}, DC_ERR_IO, "not a regular file");
    refused("x.csv", (dc_convert_config){.output = "/dev/null"}, DC_ERR_IO, "not a regular file");
    CHECK_OK(convert_with((dc_convert_config){.output = "y.csv", .force = true}, "x.csv"));
}

static void check_kinds(void)
{
    write_text("empty", "");
    CHECK_INT(mkfifo("fifo", 0600), 0);
    bad("empty", "is empty");
    bad("fifo", "is a FIFO");
    bad(".", "is a directory");
    bad("/dev/zero", "is a character device");
    bad("/proc/self/status", "is empty");
    refused("missing.csv", (dc_convert_config){0}, DC_ERR_IO, "cannot open input: No such file");
}

static void check_hdf5(void)
{
    const dc_gidx one[1] = {3}, none[2] = {0, 2};
    dc_h5 *h5 = NULL;
    CHECK_OK(dc_h5_open(&h5, "v.h5", DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "/v", DC_H5_F32, 1, one, (const float[]){1, 2, 3}));
    CHECK_OK(dc_h5_put(h5, "/none", DC_H5_F32, 2, none, NULL));
    CHECK_OK(dc_h5_close(&h5));
    refused("v.h5", (dc_convert_config){.dataset = "/v"}, DC_ERR_DATA, "has 1 dimension");
    refused("v.h5", (dc_convert_config){.dataset = "/none"}, DC_ERR_DATA, "a dimension is 0");
    refused("v.h5", (dc_convert_config){.dataset = "/missing"}, DC_ERR_DATA, "missing");
    uint8_t head[4096];
    FILE *f = fopen("v.h5", "rb");
    DC_ASSERT(f);
    const size_t n = fread(head, 1, 600, f);
    fclose(f);
    write_file("cut.h5", head, n);
    bad("cut.h5", "cut.h5");
}

int main(void)
{
    enter_folder();
    check_idx();
    check_npy();
    CHECK_INT(unlink("out.h5"), 0);
    check_gzip();
    check_bomb();
    check_text();
    check_labels();
    check_several();
    check_requests();
    check_kinds();
    check_hdf5();
    check_long_line();
    CHECK(!file_exists("pwned"));
    leave_folder();
    return check_done();
}
