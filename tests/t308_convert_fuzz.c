/* ranks: 0. long: yes. Sixty seconds (or the number in FUZZ_SECONDS) of mutated files for each reader of text: rules of
 * tables with random options, quotes, gzip, xz, zstd, UTF-16. The seed is fixed, the number of files is not. */
#include <time.h>

#include "convert/source.h"

#include "dcmpi/log.h"
#include "t3_mutate.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sample plain(const sample *s)
{
    return *s;
}

static sample gzip_sample(const sample *s)
{
    write_gz("s.gz", "wb", s->bytes, s->n);
    return load_sample("s.gz");
}

/* A mutation inside the compressed data: what is expanded is odd, too. */
static sample twice(sample s, sample (*wrap)(const sample *))
{
    if (lrand48() % 2) mutate(&s);
    s.n = DC_MIN(s.n, (size_t)FILE_BYTES / 3);
    return wrap(&s);
}

/* Reads a file to its end, as both passes do, but writes no output, which would take too long. */
static void read_mutated(sample s, dc_convert_config cfg, outcome *o)
{
    static double x[4096];
    dc_source source;
    dc_source_request r = {
        .path = "m", .table = cfg.table, .missing = cfg.missing.action, .max_bytes = 1 << 24, .output = "out.h5"};
    r.transpose = cfg.transpose;
    r.table.transposed = r.transpose == DC_TRANSPOSE_YES;
    if (r.table.transposed) r.table.label_column = NULL;
    mutate(&s);
    write_file("m", s.bytes, s.n);
    dc_error_clear();
    dc_classes *classes = NULL;
    dc_status st = dc_classes_create(&classes);
    if (st == DC_OK) st = dc_source_open(&source, &r);
    if (st == DC_OK) {
        const size_t n = DC_COUNT_OF(x) / (size_t)source.width;
        for (size_t got = 1; st == DC_OK && got > 0;) {
            dc_row_sink sink = {.labels = {.classes = classes}};
            st = n == 0 ? DC_ERR_DATA : dc_source_read(&source, n, x, &sink, &got);
        }
        dc_source_close(&source);
    }
    if (st == DC_OK) st = dc_classes_number(classes);
    dc_classes_destroy(&classes);
    o->converted += st == DC_OK;
    o->refused += st == DC_ERR_DATA || st == DC_ERR_USAGE;
    if (st != DC_OK && st != DC_ERR_DATA && st != DC_ERR_USAGE && o->other++ < 5)
        printf("# %s: %s\n", dc_status_name(st), dc_error_text());
    o->leftovers += dc_mem_live_count() > 0;
}

int main(void)
{
    static const struct {
        const char *name;
        sample (*wrap)(const sample *);
    } kinds[] = {
        {"tables", plain}, {"gzip", gzip_sample}, {"xz", xz_sample}, {"zstd", zstd_sample}, {"UTF-16", utf16_sample}};
    const char *said = getenv("FUZZ_SECONDS");
    const double limit = said ? atof(said) : 60;
    enter_folder();
    srand48(308);
    dc_log_set_active(false);
    for (size_t k = 0; k < DC_COUNT_OF(kinds); k++) {
        outcome o = {0};
        const double start = seconds();
        for (size_t i = 0; seconds() - start < limit; i++)
            read_mutated(twice(table_sample(i % TABLE_SAMPLES), kinds[k].wrap), random_options(), &o);
        printf("# %s: %d converted, %d refused\n", kinds[k].name, o.converted, o.refused);
        CHECK_INT(o.other, 0);
        CHECK_INT(o.leftovers, 0);
        CHECK(o.converted + o.refused > 0);
    }
    leave_folder();
    return check_done();
}
