/* Checkpoint files: reading returns what was written, in any pieces; values that are not finite are refused, errors
 * leave the older file, and neither writing nor reading takes memory for the values. */
#include "t76_help.h"

static void check_header(const dc_ckpt_header *h)
{
    const dc_ckpt_header e = small_header();
    CHECK(strcmp(h->created, e.created) == 0 && strcmp(h->verb, e.verb) == 0 && strcmp(h->phase, e.phase) == 0);
    CHECK(strcmp(h->version, e.version) == 0 && strcmp(h->git, e.git) == 0 && strcmp(h->arch, e.arch) == 0);
    CHECK(strcmp(h->libraries, e.libraries) == 0 && strcmp(h->deck, e.deck) == 0);
    CHECK(h->step == e.step && h->data_hash == e.data_hash && h->N == e.N && h->D == e.D);
    CHECK(h->ranks == e.ranks && h->threads == e.threads && h->part == e.part && h->wall_s == e.wall_s);
    CHECK(h->log_bytes == e.log_bytes && h->metrics_bytes == e.metrics_bytes);
}

static int array_of(const dc_ckpt *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->array[i].name, name) == 0) return i;
    return -1;
}

static void check_array(const dc_ckpt *c, const char *name, dc_state_type type, size_t n, const void *expected)
{
    const int i = array_of(c, name);
    if (!CHECK(i >= 0)) return;
    CHECK(c->array[i].type == type && c->array[i].n == n);
    const size_t most[] = {n + 1, 7, 1};
    for (size_t k = 0; k < DC_COUNT_OF(most); k++) {
        void *data = load_all(c, i, most[k]);
        CHECK(data && memcmp(data, expected, n * dc_state_type_bytes(type)) == 0);
        dc_mem_free(&data);
    }
}

static void test_round_trip(void)
{
    dc_ckpt c;
    struct stat s;
    size_t bytes = 0;
    CHECK_OK(write_small(path_of("a.h5"), &bytes));
    CHECK_INT(stat(path_of("a.h5"), &s), 0);
    CHECK_INT(s.st_size, bytes);
    CHECK_OK(dc_ckpt_open(path_of("a.h5"), &c));
    check_header(&c.header);
    CHECK_INT(c.n, SMALL_ARRAYS);
    check_array(&c, "net/weights", DC_STATE_F32, WEIGHTS, weights);
    check_array(&c, "history/cluster/rows", DC_STATE_F64, ROWS, rows);
    check_array(&c, "numbers", DC_STATE_I64, 3, numbers);
    check_array(&c, "nothing", DC_STATE_F32, 0, weights);
    check_array(&c, "table", DC_STATE_F32, TABLE, table);
    CHECK_INT(c.array[array_of(&c, "table")].width, WIDTH);
    CHECK_INT(c.array[array_of(&c, "net/weights")].width, 0);
    dc_ckpt_release(&c);
    CHECK_INT(count_files(folder), 1);
}

/* Equal states give equal files, so that what differs can be looked for. */
static void test_same_bytes(void)
{
    unsigned char *a = NULL, *b = NULL;
    size_t n = 0, m = 0, bytes;
    CHECK_OK(write_small(path_of("b.h5"), &bytes));
    CHECK_OK(dc_file_read(path_of("a.h5"), 1 << 20, &a, &n));
    CHECK_OK(dc_file_read(path_of("b.h5"), 1 << 20, &b, &m));
    CHECK(n == m && memcmp(a, b, n) == 0);
    dc_mem_free(&a);
    dc_mem_free(&b);
}

static void test_not_finite(void)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const dc_ckpt_header header = small_header();
    dc_ckpt c;
    size_t bytes;
    for (size_t i = 0; i < 3; i++) {
        const float value[] = {1, 2, bad[i]};
        const void *const data[] = {value};
        const dc_state_array array = {.name = "w", .type = DC_STATE_F32, .n = 3};
        CHECK_STATUS(write_arrays(path_of("a.h5"), &header, &array, data, 1, &bytes), DC_ERR_NUMERIC);
        CHECK_TEXT_HAS(dc_error_text(), "'w' holds a value that is not finite");
        dc_error_clear();
    }
    CHECK_OK(dc_ckpt_open(path_of("a.h5"), &c));
    CHECK_INT(c.n, SMALL_ARRAYS);
    dc_ckpt_release(&c);
    CHECK_INT(count_files(folder), 2);
}

static void test_many(void)
{
    static char deck[100001];
    dc_ckpt_header header = small_header();
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    const void *data[DC_STATE_ARRAYS_MAX];
    dc_ckpt c;
    size_t bytes;
    memset(deck, '#', 30000);
    header.deck = deck;
    for (int i = 0; i < DC_STATE_ARRAYS_MAX; i++) {
        array[i] = (dc_state_array){.type = DC_STATE_I64, .n = 1};
        data[i] = &numbers[i % 3];
        snprintf(array[i].name, sizeof array[i].name, "a/%d/%.*d", i % 7, DC_STATE_NAME_MAX - 8, i);
    }
    CHECK_OK(write_arrays(path_of("many.h5"), &header, array, data, DC_STATE_ARRAYS_MAX, &bytes));
    CHECK_OK(dc_ckpt_open(path_of("many.h5"), &c));
    CHECK_INT(c.n, DC_STATE_ARRAYS_MAX);
    for (int i = 0; i < DC_STATE_ARRAYS_MAX; i++) {
        check_array(&c, array[i].name, DC_STATE_I64, 1, data[i]);
        CHECK_INT(c.array[array_of(&c, array[i].name)].number, *(const int64_t *)data[i]);
    }
    CHECK(strcmp(c.header.deck, deck) == 0);
    dc_ckpt_release(&c);
    /* An attribute that HDF5 cannot put among the headers is an error like any other. */
    memset(deck, '#', sizeof deck - 1);
    CHECK_STATUS(write_arrays(path_of("many.h5"), &header, array, data, DC_STATE_ARRAYS_MAX, &bytes), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "many.h5");
    dc_error_clear();
    CHECK_OK(dc_ckpt_open(path_of("many.h5"), &c));
    dc_ckpt_release(&c);
}

/* 64 MiB in one array, of which the caller holds 4. */
static void test_memory(void)
{
    enum { PIECES = 16 };
    const dc_state_array array = {
        .name = "w", .type = DC_STATE_F64, .n = (size_t)PIECES * DC_STATE_PIECE_BYTES / sizeof(double)};
    const size_t n = DC_STATE_PIECE_BYTES / sizeof(double);
    const dc_ckpt_header header = small_header();
    dc_ckpt_writer *w;
    dc_ckpt c;
    double *piece = NULL;
    size_t bytes;
    int wrong = 0;
    CHECK_OK(dc_mem_alloc(&piece, n, sizeof *piece, "test"));
    const size_t before = dc_mem_resident_peak_bytes();
    CHECK_OK(dc_ckpt_begin(&w, path_of("large.h5"), &header, &array, 1));
    for (int i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < n; k++) piece[k] = (double)i + (double)k;
        wrong += dc_ckpt_put(w, piece, n * sizeof *piece) != DC_OK;
    }
    CHECK_OK(dc_ckpt_end(&w, DC_OK, &bytes));
    CHECK_OK(dc_ckpt_open(path_of("large.h5"), &c));
    for (int i = 0; i < PIECES; i++) {
        wrong += dc_ckpt_load(&c, 0, (size_t)i * n, n, piece) != DC_OK;
        for (size_t k = 0; k < n; k++) wrong += piece[k] != (double)i + (double)k;
    }
    CHECK_INT(wrong, 0);
    dc_ckpt_release(&c);
    const size_t more = dc_mem_resident_peak_bytes() - before;
    if (!CHECK(more < (size_t)16 << 20)) printf("# %zu bytes\n", more);
    dc_mem_free(&piece);
}

/* A file that changes after it was checked and before it is used. */
static void test_late_change(void)
{
    dc_ckpt c;
    size_t bytes;
    CHECK_OK(write_small(path_of("late.h5"), &bytes));
    CHECK_OK(dc_ckpt_open(path_of("late.h5"), &c));
    const int fd = open(path_of("late.h5"), O_WRONLY), i = array_of(&c, "table");
    CHECK_INT(pwrite(fd, "x", 1, (off_t)bytes - 64 - 5), 1);
    close(fd);
    void *data = load_all(&c, i, 100);
    CHECK(data == NULL);
    CHECK_TEXT_HAS(dc_error_text(), "late.h5 changed since it was verified: the checksum of 'table'");
    dc_error_clear();
    CHECK_INT(truncate(path_of("late.h5"), 1000), 0);
    data = load_all(&c, i, 100);
    CHECK(data == NULL && dc_error_code() == DC_ERR_IO);
    dc_error_clear();
    /* A file that has lost its name can still be read. */
    CHECK_OK(write_small(path_of("late.h5"), &bytes));
    dc_ckpt_release(&c);
    CHECK_OK(dc_ckpt_open(path_of("late.h5"), &c));
    unlink(path_of("late.h5"));
    check_array(&c, "table", DC_STATE_F32, TABLE, table);
    dc_ckpt_release(&c);
}

static void test_no_place(void)
{
    size_t bytes;
    CHECK_STATUS(write_small(path_of("no/a.h5"), &bytes), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "no/a.h5");
    dc_error_clear();
}

int main(void)
{
    make_folder();
    test_round_trip();
    test_same_bytes();
    test_not_finite();
    test_many();
    test_memory();
    test_late_change();
    test_no_place();
    remove_files(folder);
    rmdir(folder);
    return check_done();
}
