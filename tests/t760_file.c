/* Files are whole or not there: made, replaced, unchanged after an error, copied; and what is refused when read. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "t76_help.h"

/* Takes the place of the C library's: a disk that loses one bit of each write. */
static bool loses;
ssize_t write(int fd, const void *data, size_t n)
{
    char other[64];
    if (!loses || n > sizeof other) return syscall(SYS_write, fd, data, n);
    memcpy(other, data, n);
    other[n / 2] ^= 4;
    return syscall(SYS_write, fd, other, n);
}

static dc_status replace(const char *path, const char *a, const char *b)
{
    return dc_file_replace(path, (const dc_file_piece[]){{a, strlen(a)}, {b, strlen(b)}}, 2);
}

static void check_content(const char *path, const char *expected)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    CHECK_OK(dc_file_read(path, 1 << 20, &data, &bytes));
    CHECK(bytes == strlen(expected) && memcmp(data, expected, bytes) == 0);
    dc_mem_free(&data);
}

static void test_replace(void)
{
    struct stat s;
    umask(027);
    CHECK_OK(replace(path_of("a"), "one ", "two"));
    check_content(path_of("a"), "one two");
    CHECK_INT(stat(path_of("a"), &s), 0);
    CHECK_INT(s.st_mode & 0777, 0640);
    CHECK_OK(replace(path_of("a"), "", "three"));
    check_content(path_of("a"), "three");
    CHECK_OK(dc_file_replace(path_of("empty"), NULL, 0));
    check_content(path_of("empty"), "");
    CHECK_INT(count_files(folder), 2);
    remove_files(folder);
}

/* More than one piece of the comparison, and of what write() takes at once. */
static void test_large(void)
{
    enum { BYTES = 5 * (1 << 20) + 123 };
    unsigned char *data = NULL, *back = NULL;
    size_t bytes = 0;
    CHECK_OK(dc_mem_alloc(&data, BYTES, 1, "test"));
    for (size_t i = 0; i < BYTES; i++) data[i] = (unsigned char)(i * 31 + i / 4096);
    CHECK_OK(dc_file_replace(path_of("large"), (const dc_file_piece[]){{data, BYTES}}, 1));
    CHECK_OK(dc_file_read(path_of("large"), BYTES, &back, &bytes));
    CHECK(bytes == BYTES && memcmp(data, back, BYTES) == 0);
    dc_mem_free(&back);
    CHECK_STATUS(dc_file_read(path_of("large"), BYTES - 1, &back, &bytes), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "larger than");
    CHECK(back == NULL);
    dc_error_clear();
    dc_mem_free(&data);
    remove_files(folder);
}

/* What an interrupted write left behind is removed, but never followed. */
static void test_leftovers(void)
{
    write_bytes(path_of("victim"), "precious", 8);
    CHECK_INT(symlink(path_of("victim"), path_of("a.part")), 0);
    CHECK_OK(replace(path_of("a"), "new", ""));
    check_content(path_of("victim"), "precious");
    write_bytes(path_of("a.part"), "rest", 4);
    CHECK_OK(replace(path_of("a"), "newer", ""));
    check_content(path_of("a"), "newer");
    CHECK_INT(count_files(folder), 2);
    CHECK_INT(mkdir(path_of("a.part"), 0777), 0);
    CHECK_STATUS(replace(path_of("a"), "newest", ""), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "a.part");
    dc_error_clear();
    check_content(path_of("a"), "newer");
    rmdir(path_of("a.part"));
    remove_files(folder);
}

/* A file-size limit stands for quota and full disk. */
static void test_no_space(void)
{
    struct rlimit before, limit;
    char text[8192];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(replace(path_of("a"), "old", ""));
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_STATUS(replace(path_of("a"), text, text), DC_ERR_IO);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_TEXT_HAS(dc_error_text(), "File too large");
    dc_error_clear();
    check_content(path_of("a"), "old");
    CHECK_INT(count_files(folder), 1);
    remove_files(folder);
}

static void test_lost_bit(void)
{
    CHECK_OK(replace(path_of("a"), "old", ""));
    loses = true;
    CHECK_STATUS(replace(path_of("a"), "new", "er"), DC_ERR_IO);
    loses = false;
    CHECK_TEXT_HAS(dc_error_text(), "a.part reads back differently than it was written");
    dc_error_clear();
    check_content(path_of("a"), "old");
    CHECK_INT(count_files(folder), 1);
    remove_files(folder);
}

/* More than one piece, onto an older file; if the source cannot be read, the older file stays. */
static void test_copy(void)
{
    enum { BYTES = 2 * (1 << 20) + 77 };
    unsigned char *data = NULL, *back = NULL;
    size_t bytes = 0;
    CHECK_OK(dc_mem_alloc(&data, BYTES, 1, "test"));
    for (size_t i = 0; i < BYTES; i++) data[i] = (unsigned char)(i * 7 + i / 1000);
    write_bytes(path_of("a"), data, BYTES);
    CHECK_OK(replace(path_of("b"), "older", ""));
    CHECK_OK(dc_file_copy(path_of("a"), path_of("b")));
    CHECK_OK(dc_file_read(path_of("b"), BYTES, &back, &bytes));
    CHECK(bytes == BYTES && memcmp(data, back, BYTES) == 0);
    CHECK_STATUS(dc_file_copy(path_of("none"), path_of("b")), DC_ERR_IO);
    dc_error_clear();
    CHECK_INT(count_files(folder), 2);
    dc_mem_free(&back);
    dc_mem_free(&data);
    remove_files(folder);
}

static void refuse_to_write(const char *path, dc_status expected)
{
    CHECK_STATUS(replace(path, "x", "y"), expected);
    dc_error_clear();
}

static void refuse_to_read(const char *path, dc_status expected)
{
    unsigned char *data = NULL;
    size_t bytes = 1;
    CHECK_STATUS(dc_file_read(path, 100, &data, &bytes), expected);
    CHECK(data == NULL && bytes == 0);
    CHECK_TEXT_HAS(dc_error_text(), path);
    dc_error_clear();
}

static void test_refusals(void)
{
    char name[DC_PATH_MAX + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refuse_to_write(path_of("no/such/folder"), DC_ERR_IO);
    refuse_to_write("/dev/null/a", DC_ERR_IO);
    refuse_to_write(name, DC_ERR_USAGE);
    name[300] = '\0';
    refuse_to_write(path_of(name), DC_ERR_IO);
    CHECK_INT(mkdir(path_of("folder"), 0777), 0);
    refuse_to_write(path_of("folder"), DC_ERR_IO);
    CHECK_INT(mkfifo(path_of("pipe"), 0666), 0);
    refuse_to_read(path_of("folder"), DC_ERR_FORMAT);
    refuse_to_read(path_of("pipe"), DC_ERR_FORMAT);
    refuse_to_read("/dev/zero", DC_ERR_FORMAT);
    refuse_to_read(path_of("missing"), DC_ERR_IO);
    CHECK_INT(symlink("loop", path_of("loop")), 0);
    refuse_to_read(path_of("loop"), DC_ERR_IO);
    rmdir(path_of("folder"));
    CHECK_INT(count_files(folder), 2);
    remove_files(folder);
}

static void test_no_leak(void)
{
    const int before = count_files("/proc/self/fd");
    int failed = 0;
    for (int i = 0; i < 100; i++) {
        unsigned char *data = NULL;
        size_t bytes;
        failed += replace(path_of("a"), "one", "two") != DC_OK;
        failed += dc_file_read(path_of("a"), 100, &data, &bytes) != DC_OK;
        dc_mem_free(&data);
        failed += replace(path_of("no/a"), "one", "two") != DC_ERR_IO;
        dc_error_clear();
    }
    CHECK_INT(failed, 0);
    CHECK_INT(count_files("/proc/self/fd"), before);
    remove_files(folder);
}

int main(void)
{
    make_folder();
    test_replace();
    test_large();
    test_leftovers();
    test_no_space();
    test_lost_bit();
    test_copy();
    test_refusals();
    test_no_leak();
    rmdir(folder);
    return check_done();
}
