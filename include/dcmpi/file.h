/* Files that are whole or not there: written under another name, forced to disk, read back, renamed. */
#ifndef DCMPI_FILE_H
#define DCMPI_FILE_H

#include "dcmpi/base.h"

/* One piece of a file's bytes. */
typedef struct {
    const void *data;
    size_t bytes;
} dc_file_piece;

/* What is written; only tests of faults make a difference. */
typedef enum { DC_FILE_SMALL, DC_FILE_CHECKPOINT } dc_file_kind;

/* Replaces or makes `path` from the pieces in order: `path`.part is made anew (never through a link), its space
 * reserved, written, forced to disk, read back and compared, renamed, and the directory forced to disk. After an error
 * `path` is what it was, and `path`.part is gone. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_replace(const char *path, const dc_file_piece *piece, int n, dc_file_kind kind);

/* The last step alone: `part`, which is whole and on disk, gets the name `path`, and the directory is forced to disk.
 * Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_publish(const char *part, const char *path);

/* A whole file of at most max_bytes in memory (dc_mem, owned by the caller). Errors: DC_ERR_IO (cannot be read),
 * DC_ERR_FORMAT (no regular file, too large), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_file_read(const char *path, size_t max_bytes, unsigned char **data, size_t *bytes);

/* Bytes of the file that f writes, after its buffer has been written; INT64_MAX if they cannot be. */
int64_t dc_file_written(FILE *f);

#endif
