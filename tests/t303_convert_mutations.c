/* ranks: 0. 1,500 mutated files (seed 303): whatever happens to their bytes, convert ends with success or a message,
 * leaves no temporary file, and holds no memory. Meant to be run under sanitizers too. */
#include "t3_convert.h"

enum { MUTATIONS_PER_FILE = 250, FILE_BYTES = 512 };

typedef struct {
    uint8_t bytes[FILE_BYTES];
    size_t n;
} sample;

static sample text_sample(const char *text)
{
    sample s = {.n = strlen(text)};
    memcpy(s.bytes, text, s.n);
    return s;
}

static sample load_sample(const char *path)
{
    sample s = {.n = 0};
    FILE *f = fopen(path, "rb");
    DC_ASSERT(f);
    s.n = fread(s.bytes, 1, sizeof s.bytes, f);
    fclose(f);
    return s;
}

static sample idx_sample(void)
{
    sample s = {.n = 0};
    s.n = idx_header(s.bytes, 0x08, 3, (const uint32_t[]){3, 2, 2}) + 12;
    return s;
}

/* One to four changes: a bit, a byte, an interesting byte, a cut, a copied stretch. Mostly near the start. */
static void mutate(sample *s)
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

int main(void)
{
    enter_folder();
    srand48(303);
    write_npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }       \n", (const float[6]){1},
              24);
    write_gz("a.gz", "wb", "1,2,3\n4,5,6\n7,8,9\n", 18);
    const sample idx = idx_sample();
    write_gz("b.gz", "wb", idx.bytes, idx.n);
    const sample samples[] = {idx,
                              load_sample("a.npy"),
                              load_sample("a.gz"),
                              load_sample("b.gz"),
                              text_sample("a,b,c\n1,2.5,x\n4,\"5e3\",y\n-7,.8,\"z\"\n"),
                              text_sample("1 2 3\n4 5 6\n7 8 9\n")};
    int converted = 0, refused = 0, other = 0, leftovers = 0;
    for (size_t k = 0; k < DC_COUNT_OF(samples); k++)
        for (int i = 0; i < MUTATIONS_PER_FILE; i++) {
            sample s = samples[k];
            mutate(&s);
            write_file("m", s.bytes, s.n);
            const bool column = k >= 4 && i % 2;
            const dc_status st = convert_with((dc_convert_config){.table.label_column = column ? "last" : NULL}, "m");
            converted += st == DC_OK;
            refused += st == DC_ERR_DATA || st == DC_ERR_USAGE;
            if (st != DC_OK && st != DC_ERR_DATA && st != DC_ERR_USAGE && other++ < 5)
                printf("# %zu/%d: %s: %s\n", k, i, dc_status_name(st), dc_error_text());
            leftovers += file_exists("out.h5.part") || dc_mem_live_count() > 0;
        }
    printf("# %d converted, %d refused\n", converted, refused);
    CHECK_INT(other, 0);
    CHECK_INT(leftovers, 0);
    CHECK(converted > 50 && refused > 500);
    leave_folder();
    return check_done();
}
