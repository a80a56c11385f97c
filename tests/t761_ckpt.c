/* Checkpoint files: what is written is read, values that are not finite are refused, and errors leave the earlier file
 * as it was. */
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

static const dc_state_array *array_of(const dc_ckpt *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->array[i].name, name) == 0) return &c->array[i];
    return NULL;
}

static void check_array(const dc_ckpt *c, const char *name, dc_state_type type, size_t n, const void *expected)
{
    const dc_state_array *a = array_of(c, name);
    if (!CHECK(a != NULL)) return;
    CHECK(a->type == type && a->n == n && memcmp(a->data, expected, n * dc_state_type_bytes(type)) == 0);
}

static void test_round_trip(void)
{
    dc_ckpt c;
    struct stat s;
    size_t bytes = 0;
    CHECK_OK(write_small(path_of("a.h5"), &bytes));
    CHECK_INT(stat(path_of("a.h5"), &s), 0);
    CHECK_INT(s.st_size, bytes);
    CHECK_OK(dc_ckpt_read(path_of("a.h5"), &c));
    check_header(&c.header);
    CHECK_INT(c.n, SMALL_ARRAYS);
    check_array(&c, "net/weights", DC_STATE_F32, WEIGHTS, weights);
    check_array(&c, "history/cluster/rows", DC_STATE_F64, ROWS, rows);
    check_array(&c, "numbers", DC_STATE_I64, 3, numbers);
    check_array(&c, "nothing", DC_STATE_F32, 0, weights);
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
        const dc_state_array array = {"w", DC_STATE_F32, 3, (void *)(uintptr_t)value};
        CHECK_STATUS(dc_ckpt_write(path_of("a.h5"), &header, &array, 1, &bytes), DC_ERR_NUMERIC);
        CHECK_TEXT_HAS(dc_error_text(), "'w' holds a value that is not finite");
        dc_error_clear();
    }
    CHECK_OK(dc_ckpt_read(path_of("a.h5"), &c));
    CHECK_INT(c.n, SMALL_ARRAYS);
    dc_ckpt_release(&c);
    CHECK_INT(count_files(folder), 2);
}

static void test_many(void)
{
    const dc_ckpt_header header = small_header();
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    dc_ckpt c;
    size_t bytes;
    for (int i = 0; i < DC_STATE_ARRAYS_MAX; i++) {
        array[i] = (dc_state_array){.type = DC_STATE_I64, .n = 1, .data = &numbers[i % 3]};
        snprintf(array[i].name, sizeof array[i].name, "a/%d/%.*d", i % 7, DC_STATE_NAME_MAX - 8, i);
    }
    CHECK_OK(dc_ckpt_write(path_of("many.h5"), &header, array, DC_STATE_ARRAYS_MAX, &bytes));
    CHECK_OK(dc_ckpt_read(path_of("many.h5"), &c));
    CHECK_INT(c.n, DC_STATE_ARRAYS_MAX);
    for (int i = 0; i < DC_STATE_ARRAYS_MAX; i++) check_array(&c, array[i].name, DC_STATE_I64, 1, array[i].data);
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
    test_no_place();
    remove_files(folder);
    rmdir(folder);
    return check_done();
}
