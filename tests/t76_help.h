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
#include "dcmpi/mem.h"

static char folder[CHECK_PATH_MAX];

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
    if (!mkdtemp(check_temporary(folder))) exit(2);
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

enum { WEIGHTS = 9000, ROWS = 21, WIDTH = 3, TABLE = 1000 * WIDTH };
static float weights[WEIGHTS], table[TABLE];
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

/* data[n]: the values of the arrays. They go there in pieces of up to 1000. */
static inline dc_status write_arrays(const char *path, const dc_ckpt_header *header, const dc_state_array *array,
                                     const void *const *data, int n, size_t *bytes)
{
    enum { PIECE = 1000 };
    dc_ckpt_writer *w;
    dc_status st = dc_ckpt_begin(&w, path, header, array, n);
    if (st != DC_OK) return st;
    for (int i = 0; i < n; i++)
        for (size_t first = 0, size = dc_state_type_bytes(array[i].type); st == DC_OK && first < array[i].n;
             first += PIECE)
            st = dc_ckpt_put(w, (const char *)data[i] + first * size, DC_MIN((size_t)PIECE, array[i].n - first) * size);
    return dc_ckpt_end(&w, st, bytes);
}

enum { SMALL_ARRAYS = 5 };
static inline dc_status write_small(const char *path, size_t *bytes)
{
    for (int i = 0; i < WEIGHTS; i++) weights[i] = (float)i * 0.25f - 100;
    for (int i = 0; i < ROWS; i++) rows[i] = i == 3 ? NAN : 1.0 / (i + 1);
    for (int i = 0; i < TABLE; i++) table[i] = (float)i;
    const dc_state_array array[SMALL_ARRAYS] = {{.name = "net/weights", .type = DC_STATE_F32, .n = WEIGHTS},
                                                {.name = "history/cluster/rows", .type = DC_STATE_F64, .n = ROWS},
                                                {.name = "numbers", .type = DC_STATE_I64, .n = 3},
                                                {.name = "nothing", .type = DC_STATE_F32},
                                                {.name = "table", .type = DC_STATE_F32, .n = TABLE, .width = WIDTH}};
    const void *const data[SMALL_ARRAYS] = {weights, rows, numbers, weights, table};
    const dc_ckpt_header header = small_header();
    return write_arrays(path, &header, array, data, SMALL_ARRAYS, bytes);
}

/* All values of an array, in pieces of `most`; NULL if they cannot be read. The caller frees them. */
static inline void *load_all(const dc_ckpt *c, int i, size_t most)
{
    const dc_state_array *a = &c->array[i];
    char *data = NULL;
    dc_status st = dc_mem_alloc(&data, a->n, dc_state_type_bytes(a->type), "test");
    for (size_t first = 0; st == DC_OK && first < a->n; first += most)
        st = dc_ckpt_load(c, i, first, DC_MIN(most, a->n - first), data + first * dc_state_type_bytes(a->type));
    if (st != DC_OK) dc_mem_free(&data);
    return data;
}

#endif
