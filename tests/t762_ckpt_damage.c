/* Damaged checkpoints are never loaded: cut at every 4 KiB and at each of the last 200 lengths, longer than written,
 * each bit of the first 4 KiB and of the trailer flipped, and 1000 bits drawn anywhere (seed 20261122). */
#include "t76_help.h"

enum { TRAILER = 64 };
static const char *path;
static size_t bytes;

/* 0 if it is refused and says why. */
static int loaded(void)
{
    dc_ckpt c;
    dc_error_clear();
    const dc_status st = dc_ckpt_open(path, &c);
    const bool ok = st == DC_ERR_FORMAT && strstr(dc_error_text(), path) && c.n == 0;
    if (!ok) printf("# %s: %s\n", dc_status_name(st), dc_error_text());
    if (st == DC_OK) dc_ckpt_release(&c);
    dc_error_clear();
    return !ok;
}

static void check_sound(void)
{
    dc_ckpt c;
    CHECK_OK(dc_ckpt_open(path, &c));
    CHECK_INT(c.n, SMALL_ARRAYS);
    dc_ckpt_release(&c);
}

static int cut_to(size_t length)
{
    size_t again;
    int bad = truncate(path, (off_t)length) != 0;
    bad += loaded();
    bad += write_small(path, &again) != DC_OK || again != bytes;
    return bad;
}

static void test_lengths(void)
{
    int bad = 0;
    for (size_t length = 0; length < bytes; length += 4096) bad += cut_to(length);
    for (size_t less = 1; less <= 200; less++) bad += cut_to(bytes - less);
    for (size_t more = 1; more <= 200; more += 33) bad += cut_to(bytes + more); /* zeros after it */
    CHECK_INT(bad, 0);
    check_sound();
}

static int flip(int fd, size_t bit)
{
    unsigned char byte;
    int bad = pread(fd, &byte, 1, (off_t)(bit / 8)) != 1;
    byte ^= (unsigned char)(1u << bit % 8);
    bad += pwrite(fd, &byte, 1, (off_t)(bit / 8)) != 1;
    bad += loaded();
    byte ^= (unsigned char)(1u << bit % 8);
    return bad + (pwrite(fd, &byte, 1, (off_t)(bit / 8)) != 1);
}

static void test_bits(void)
{
    const int fd = open(path, O_RDWR);
    int first = 0, trailer = 0, drawn = 0;
    for (size_t bit = 0; bit < 8 * 4096; bit++) first += flip(fd, bit);
    for (size_t bit = 8 * (bytes - TRAILER); bit < 8 * bytes; bit++) trailer += flip(fd, bit);
    uint64_t x = 20261122;
    for (int i = 0; i < 1000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        drawn += flip(fd, (size_t)((x >> 16) % (8 * bytes)));
    }
    close(fd);
    CHECK_INT(first, 0);
    CHECK_INT(trailer, 0);
    CHECK_INT(drawn, 0);
    check_sound();
}

/* Texts and other files are not checkpoints either. */
static void test_other_files(void)
{
    static const char text[] = "dcmpi-ckpt xxh3-128 00000000000000000000000000000000";
    static const char zeros[5000];
    write_bytes(path, "", 0);
    CHECK_INT(loaded(), 0);
    write_bytes(path, text, sizeof text);
    CHECK_INT(loaded(), 0);
    write_bytes(path, zeros, sizeof zeros);
    CHECK_INT(loaded(), 0);
}

int main(void)
{
    make_folder();
    path = path_of("ckpt-000001.h5");
    if (write_small(path, &bytes) != DC_OK) return 1;
    check_sound();
    test_lengths();
    test_bits();
    test_other_files();
    remove_files(folder);
    rmdir(folder);
    return check_done();
}
