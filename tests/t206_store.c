/* Rows of many files as one array: over the borders of files, by several threads, with fewer open files than there are;
 * files that change, and rows in chunks that nobody has listed; advice to the system only where it needs any.
 * ranks: 0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/store.h"

enum { FILES = 100, WIDTH = 3, NAME = CHECK_PATH_MAX + 32, OFFSET = 7, LIMIT = 40 };

static char folder[CHECK_PATH_MAX];
static char names[FILES * NAME + 8];
static dc_store_piece piece[FILES];

static const char *path_of(int i)
{
    return names + i * NAME;
}

/* File i has i % 4 rows; value c of global row r is 8 r + c. */
static void write_file(int i, dc_gidx first, dc_gidx rows)
{
    uint16_t x[4 * WIDTH];
    for (int k = 0; k < rows * WIDTH; k++) x[k] = (uint16_t)(8 * (first + k / WIDTH) + k % WIDTH);
    const int fd = open(path_of(i), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(pwrite(fd, x, (size_t)rows * sizeof x[0] * WIDTH, OFFSET) >= 0);
    CHECK_OK(dc_file_state_of(fd, path_of(i), &piece[i].state));
    close(fd);
}

static dc_store *make(int n)
{
    dc_store *store = NULL;
    dc_gidx first = 0;
    for (int i = 0; i < n; i++) {
        snprintf(names + i * NAME, NAME, "%s/part%d", folder, i);
        piece[i] = (dc_store_piece){.path = i * NAME, .dataset = FILES * NAME, .offset = OFFSET, .rows = i % 4};
        write_file(i, first, piece[i].rows);
        first += piece[i].rows;
    }
    snprintf(names + FILES * NAME, 8, "/emb");
    CHECK_OK(dc_store_create(piece, (size_t)n, names, sizeof names, WIDTH * sizeof(uint16_t), &store));
    CHECK_INT(dc_store_rows(store), first);
    return store;
}

static bool right(dc_store *store, dc_gidx row, int64_t n)
{
    uint16_t x[4 * FILES * WIDTH];
    bool ok = dc_store_read(store, row, n, x) == DC_OK;
    for (int64_t k = 0; k < n * WIDTH; k++) ok = ok && x[k] == 8 * (row + k / WIDTH) + k % WIDTH;
    return ok;
}

/* These stand in for those of the C library: files of the system say how far devices read ahead, and advice is counted.
 */
static char ahead_kib[8];
FILE *fopen(const char *path, const char *mode)
{
    const bool of_system = strncmp(path, "/sys/", strlen("/sys/")) == 0;
    return of_system ? fmemopen(ahead_kib, sizeof ahead_kib, "r") : fdopen(open(path, O_RDONLY), mode);
}

static int advised;
int posix_fadvise(int fd, off_t at, off_t bytes, int advice)
{
    (void)fd, (void)at, (void)bytes, (void)advice;
    advised++;
    return 0;
}

/* Rows in order need advice only where the system does not read enough ahead. */
static void test_advice(void)
{
    static const struct {
        const char *kib;
        bool in_order;
    } cases[] = {{"128\n", true}, {"1023\n", true}, {"1024\n", false}, {"8192\n", false}, {"?", true}};
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        dc_store *store = make(8);
        snprintf(ahead_kib, sizeof ahead_kib, "%s", cases[i].kib);
        advised = 0;
        dc_store_expect_in_order(store, 0, 3);
        CHECK_INT(advised > 0, cases[i].in_order);
        advised = 0;
        dc_store_expect(store, 0, 3);
        CHECK(advised > 0);
        CHECK_OK(dc_store_status(store));
        dc_store_destroy(&store);
    }
}

static void test_rows(void)
{
    dc_store *store = make(FILES);
    const dc_gidx N = dc_store_rows(store);
    bool ok = true;
    CHECK(right(store, 0, N));
    for (dc_gidx row = 0; row <= N; row++)
        for (int64_t n = 0; n <= DC_MIN(N - row, (dc_gidx)11); n++) ok = ok && right(store, row, n);
    CHECK(ok);
    for (dc_gidx row = 0; row < N; row++) {
        const size_t i = dc_store_piece_of(store, row);
        ok = ok && dc_store_first(store, i) <= row && row < dc_store_first(store, i + 1);
    }
    CHECK(ok);
    CHECK_TEXT(dc_store_dataset(store, 5), "/emb");
    CHECK(dc_store_can_read(dc_store_piece_at(store, 5)));
    dc_store_expect(store, 3, N); /* more than there are */
    dc_store_expect_in_order(store, 3, N);
    CHECK_OK(dc_store_check_unchanged(store, 0, N));
    CHECK_OK(dc_store_status(store));
    dc_store_destroy(&store);
}

static int open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_threads(void)
{
    struct rlimit before, now;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    now = before;
    now.rlim_cur = LIMIT;
    CHECK(setrlimit(RLIMIT_NOFILE, &now) == 0);
    dc_store *store = make(FILES);
    const int others = open_files();
    int bad = 0, most = 0;
#pragma omp parallel for num_threads(16) schedule(dynamic, 1) reduction(+ : bad) reduction(max : most)
    for (int k = 0; k < 4000; k++) {
        bad += !right(store, k * 37 % (dc_store_rows(store) - 5), 5);
        most = DC_MAX(most, open_files() - others);
    }
    CHECK_INT(bad, 0);
    CHECK(most > 0 && most <= LIMIT / 4);
    dc_store_destroy(&store);
    CHECK_INT(open_files(), others);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* Reads all rows, which must fail; the failure must stay, and its text must have `why`. */
static void fails(dc_store *store, dc_status expected, const char *why)
{
    uint16_t x[4 * FILES * WIDTH];
    memset(x, 1, sizeof x);
    CHECK_STATUS(dc_store_read(store, 0, dc_store_rows(store), x), expected);
    CHECK_TEXT(dc_error_text(), "");
    CHECK(x[0] == 0);
    CHECK_STATUS(dc_store_read(store, 0, 1, x), expected);
    CHECK_STATUS(dc_store_status(store), expected);
    CHECK_TEXT_HAS(dc_error_text(), path_of(3));
    CHECK_TEXT_HAS(dc_error_text(), why);
    dc_error_clear();
    dc_store_destroy(&store);
}

static void test_changes(void)
{
    dc_store *store = make(8);
    CHECK(truncate(path_of(3), OFFSET + 1) == 0);
    fails(store, DC_ERR_DATA, "another length");

    store = make(8);
    CHECK(unlink(path_of(3)) == 0);
    fails(store, DC_ERR_DATA, "it is gone");

    store = make(8);
    CHECK(utimensat(AT_FDCWD, path_of(3), (struct timespec[]){{0, 0}, {0, 0}}, 0) == 0);
    fails(store, DC_ERR_DATA, "somebody wrote to it");

    store = make(8);
    CHECK(unlink(path_of(3)) == 0 && mkdir(path_of(3), 0700) == 0);
    fails(store, DC_ERR_DATA, "another length");
    CHECK(rmdir(path_of(3)) == 0);

    store = make(8); /* while it is open */
    CHECK(right(store, 0, dc_store_rows(store)));
    CHECK(truncate(path_of(3), OFFSET) == 0);
    fails(store, DC_ERR_DATA, "it is shorter now");

    store = make(8); /* another file of this name: what is open stays what it was, and the end of the pass tells */
    CHECK(right(store, 0, dc_store_rows(store)));
    char kept[sizeof names + 8];
    snprintf(kept, sizeof kept, "%s.old", path_of(3));
    CHECK(rename(path_of(3), kept) == 0);
    write_file(3, 3, 3);
    CHECK(right(store, 0, dc_store_rows(store)));
    CHECK_STATUS(dc_store_check_unchanged(store, 0, dc_store_rows(store)), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "another file has its name now");
    dc_error_clear();
    CHECK_OK(dc_store_check_unchanged(store, 0, dc_store_first(store, 3)));
    unlink(kept);
    dc_store_destroy(&store);
}

static void test_not_in_place(void)
{
    dc_store *store = make(8);
    dc_store_destroy(&store);
    piece[3].offset = -1;
    CHECK_OK(dc_store_create(piece, 8, names, sizeof names, WIDTH * sizeof(uint16_t), &store));
    CHECK(!dc_store_can_read(dc_store_piece_at(store, 3)));
    CHECK(right(store, 0, dc_store_first(store, 3)));
    dc_store_expect(store, 0, dc_store_rows(store));
    fails(store, DC_ERR_DATA, "'/emb' is stored in chunks");
}

int main(void)
{
    CHECK(mkdtemp(check_temporary(folder)) != NULL);
    const uint64_t before = dc_mem_live_count();
    test_rows();
    test_advice();
    test_threads();
    test_changes();
    test_not_in_place();
    CHECK_INT(dc_mem_live_count(), before);
    for (int i = 0; i < FILES; i++) unlink(path_of(i));
    CHECK(rmdir(folder) == 0);
    return check_done();
}
