/* Files that are whole or not there: written under another name, forced to disk, read back, renamed. And whether a file
 * stayed what it was while it was read. */
#ifndef DCMPI_FILE_H
#define DCMPI_FILE_H

#include <sys/stat.h>

#include "dcmpi/base.h"

/* One piece of a file's bytes. */
typedef struct {
    const void *data;
    size_t bytes;
} dc_file_piece;

/* Replaces or makes `path` from the pieces in order: `path`.part is made anew (never through a link), its space
 * reserved, written, forced to disk, read back and compared, renamed, and the directory forced to disk. After an error
 * `path` is what it was, and `path`.part is gone. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_replace(const char *path, const dc_file_piece *piece, int n);

/* The same for bytes that nobody holds at once: begin, the bytes in order, end. */
typedef struct {
    char path[DC_PATH_MAX], part[DC_PATH_MAX];
    int fd;                    /* of the part */
    size_t length;             /* that it will have */
    size_t bytes;              /* so far */
    struct XXH3_state_s *hash; /* of them */
} dc_file_new;
/* After an error there is nothing to be ended. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_file_begin(dc_file_new *f, const char *path, size_t length);
DC_CHECKED dc_status dc_file_put(dc_file_new *f, const void *data, size_t bytes);
/* XXH3 (128 bits) of the bytes so far. */
void dc_file_hash(const dc_file_new *f, uint64_t *high, uint64_t *low);
/* st: of all that was done for the file since it began. If it is an error it is returned, and `path` stays as it was.
 */
DC_CHECKED dc_status dc_file_end(dc_file_new *f, dc_status st);

/* Replaces or makes `to` from the bytes of `from`, as dc_file_replace does. Errors: also those of dc_file_open. */
DC_CHECKED dc_status dc_file_copy(const char *from, const char *to);

/* The last step alone: `part`, which is whole and on disk, gets the name `path`, and the directory is forced to disk.
 * Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_publish(const char *part, const char *path);

/* Opens a regular file of at most max_bytes for reading; *bytes: its length. *fd is the caller's, -1 after an error.
 * Errors: DC_ERR_IO (cannot be read), DC_ERR_FORMAT (no regular file, too large). */
DC_CHECKED dc_status dc_file_open(const char *path, size_t max_bytes, int *fd, size_t *bytes);
/* data[bytes] from byte `at` on. Errors: DC_ERR_IO (also if the file ends before). */
DC_CHECKED dc_status dc_file_read_at(int fd, const char *path, size_t at, void *data, size_t bytes);
/* A whole file of at most max_bytes in memory (dc_mem, owned by the caller). Errors: DC_ERR_IO (cannot be read),
 * DC_ERR_FORMAT (no regular file, too large), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_file_read(const char *path, size_t max_bytes, unsigned char **data, size_t *bytes);

/* ---- Which file, and of what kind -------------------------------------------------------------------------------- */

/* Whether `path` is a name of the file that is open as fd; links are not followed. */
bool dc_file_is(int fd, const char *path);
/* Whether both paths lead to one file, by whatever names and links. */
bool dc_file_same(const char *a, const char *b);
/* "a symbolic link", "a directory", "a pipe" ...; NULL for a regular file. */
const char *dc_file_kind_name(const struct stat *s);
/* Opens or makes a file to append to: never through a link, never one with a second name, and without waiting for the
 * other end of a pipe. *file is the caller's. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_append(const char *path, FILE **file);
/* Shortens a file of that kind to at most `bytes`; one that is missing or shorter stays. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_cut(const char *path, int64_t bytes);

/* Which file it is, how long, and when it was last changed: equal as long as nobody writes to it. */
typedef struct {
    uint64_t device, inode;
    int64_t bytes, changed_s, changed_ns;
} dc_file_state;
/* Of an open file; path is for messages. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_state_of(int fd, const char *path, dc_file_state *state);
/* DC_OK if `path` still names the file that it named `then`, in the same state, else `code`. */
DC_CHECKED dc_status dc_file_unchanged(const char *path, const dc_file_state *then, dc_status code);
/* The same for an open file, which may have lost its name. */
DC_CHECKED dc_status dc_file_unchanged_fd(int fd, const char *path, const dc_file_state *then, dc_status code);

/* Bytes of the file that f writes, after its buffer has been written; INT64_MAX if they cannot be. */
int64_t dc_file_written(FILE *f);

#endif
