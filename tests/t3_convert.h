/* For the tests of convert: files of given bytes in a temporary folder, one call of dc_convert(), its output in memory.
 */
#ifndef DCMPI_TESTS_T3_CONVERT_H
#define DCMPI_TESTS_T3_CONVERT_H

#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "dcmpi/convert.h"
#include "dcmpi/h5.h"

static char folder_[64];

/* Works in an empty folder from here on, so that tests may use plain file names: in memory where there is such a place,
 * because each of thousands of outputs is forced to the disk. */
static inline void enter_folder(void)
{
    snprintf(folder_, sizeof folder_, "%s/dcmpi-t3-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    DC_ASSERT(mkdtemp(folder_) && chdir(folder_) == 0);
}
static inline void leave_folder(void)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder_);
    DC_ASSERT(chdir("/") == 0 && system(command) == 0);
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    DC_ASSERT(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* One gzip member, appended if `mode` is "ab". */
static inline void write_gz(const char *path, const char *mode, const void *bytes, size_t n)
{
    gzFile f = gzopen(path, mode);
    DC_ASSERT(f && gzwrite(f, bytes, (unsigned)n) == (int)n && gzclose(f) == Z_OK);
}

/* IDX header of 1-byte type `code`; returns its length. */
static inline size_t idx_header(uint8_t *out, uint8_t code, int n_dims, const uint32_t *dims)
{
    size_t n = 0;
    out[n++] = 0, out[n++] = 0, out[n++] = code, out[n++] = (uint8_t)n_dims;
    for (int i = 0; i < n_dims; i++)
        for (int shift = 24; shift >= 0; shift -= 8) out[n++] = (uint8_t)(dims[i] >> shift);
    return n;
}

/* NPY file of version `major` with the dictionary `dict` and `n` bytes of data. */
static inline void write_npy(const char *path, int major, const char *dict, const void *bytes, size_t n)
{
    uint8_t head[1024] = "\x93NUMPY";
    const size_t field = major == 1 ? 2 : 4, length = strlen(dict);
    head[6] = (uint8_t)major;
    head[8] = (uint8_t)length, head[9] = (uint8_t)(length >> 8);
    memcpy(head + 8 + field, dict, length);
    FILE *f = fopen(path, "wb");
    DC_ASSERT(f && fwrite(head, 1, 8 + field + length, f) == 8 + field + length);
    DC_ASSERT(fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

/* One conversion to out.h5, whatever is there; `result` is kept for the checks that follow. */
static dc_convert_result result;

static inline dc_status convert_with(dc_convert_config cfg, const char *input)
{
    if (!cfg.inputs) cfg.inputs = &input, cfg.n_inputs = 1;
    if (!cfg.output) cfg.output = "out.h5", cfg.force = true;
    dc_error_clear();
    return dc_convert(&cfg, &result);
}

static inline dc_status convert_one(const char *input)
{
    return convert_with((dc_convert_config){0}, input);
}

/* Values of out.h5 as double, labels as they are; at most cap. */
static inline bool read_output(double *X, size_t cap_x, int32_t *y, size_t cap_y)
{
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    bool ok = dc_h5_open(&h5, "out.h5", DC_H5_READ) == DC_OK && dc_h5_dataset_info(h5, "/X", &info) == DC_OK &&
              info.n_dims == 2 && (size_t)(info.dims[0] * info.dims[1]) <= cap_x &&
              dc_h5_read_rows(h5, "/X", DC_H5_F64, 0, info.dims[0], X) == DC_OK;
    if (ok && y)
        ok = dc_h5_dataset_info(h5, "/y", &info) == DC_OK && info.type == DC_H5_I32 && (size_t)info.dims[0] <= cap_y &&
             dc_h5_read_rows(h5, "/y", DC_H5_I32, 0, info.dims[0], y) == DC_OK;
    return dc_h5_close(&h5) == DC_OK && ok;
}

/* Text of a root attribute of out.h5, "" if it is missing. */
static inline const char *output_attr(const char *name)
{
    static char text[512];
    dc_h5 *h5 = NULL;
    text[0] = '\0';
    if (dc_h5_open(&h5, "out.h5", DC_H5_READ) == DC_OK && dc_h5_has_attr(h5, "/", name) &&
        dc_h5_get_attr_str(h5, "/", name, text, sizeof text) != DC_OK)
        text[0] = '\0';
    return dc_h5_close(&h5) == DC_OK ? text : "";
}

static inline bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

#endif
