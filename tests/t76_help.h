/* Shared by the tests of files and checkpoints: a temporary folder, and a small checkpoint with all it may hold. */
#ifndef DCMPI_TESTS_T76_HELP_H
#define DCMPI_TESTS_T76_HELP_H

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/ckpt.h"
#include "dcmpi/file.h"

static char folder[] = "/tmp/dcmpi-t76-XXXXXX";

static inline const char *path_of(const char *name)
{
    static char buffer[8][512];
    static int next;
    char *p = buffer[next++ % 8];
    snprintf(p, sizeof buffer[0], "%s/%s", folder, name);
    return p;
}

static inline void make_folder(void)
{
    if (!mkdtemp(folder)) exit(2);
}

/* Files in the folder, "." and ".." not counted. */
static inline int count_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static inline void remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
}

static inline bool exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

static inline void write_bytes(const char *path, const void *data, size_t bytes)
{
    const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0666);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) CHECK(!"the test cannot write its files");
    close(fd);
}

/* ---- A checkpoint ------------------------------------------------------------------------------------------------ */

enum { WEIGHTS = 9000, ROWS = 21 };
static float weights[WEIGHTS];
static double rows[ROWS];
static int64_t numbers[3] = {-1, INT64_MAX, INT64_MIN};

static inline dc_ckpt_header small_header(void)
{
    static char deck[] = "run: {seed: 7}\n# \xc3\xa4\n";
    return (dc_ckpt_header){.created = "2026-01-02T03:04:05+0000",
                            .verb = "fit",
                            .phase = "cluster",
                            .version = "1.2.3",
                            .git = "abcdef",
                            .arch = "native",
                            .libraries = "some, others",
                            .deck = deck,
                            .step = 123456789012,
                            .data_hash = 0xfedcba9876543210,
                            .N = 1000,
                            .D = 784,
                            .ranks = 3,
                            .threads = 2,
                            .part = 4,
                            .wall_s = 1.25,
                            .log_bytes = 5000,
                            .metrics_bytes = 600};
}

enum { SMALL_ARRAYS = 4 };
static inline dc_status write_small(const char *path, size_t *bytes)
{
    for (int i = 0; i < WEIGHTS; i++) weights[i] = (float)i * 0.25f - 100;
    for (int i = 0; i < ROWS; i++) rows[i] = i == 3 ? NAN : 1.0 / (i + 1);
    const dc_state_array array[SMALL_ARRAYS] = {{"net/weights", DC_STATE_F32, WEIGHTS, weights},
                                                {"history/cluster/rows", DC_STATE_F64, ROWS, rows},
                                                {"numbers", DC_STATE_I64, 3, numbers},
                                                {"nothing", DC_STATE_F32, 0, weights}};
    const dc_ckpt_header header = small_header();
    return dc_ckpt_write(path, &header, array, SMALL_ARRAYS, bytes);
}

#endif
