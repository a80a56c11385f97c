/* Writes files that are either complete or absent: they are written under another name, forced to disk, read back and
 * renamed. Also checks whether a file changed while it was read. */
#ifndef DCMPI_FILE_H
#define DCMPI_FILE_H

#include <sys/stat.h>

#include "dcmpi/base.h"

/* One piece of a file's bytes. */
typedef struct {
    const void *data;
    size_t bytes;
} dc_file_piece;

/* Creates or replaces `path` from the pieces in order: `path`.part is created afresh (never through a link), its space
 * reserved, the data written, forced to disk, read back and compared; then it is renamed and the directory forced to
 * disk. After an error `path` is unchanged and `path`.part is gone. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_replace(const char *path, const dc_file_piece *piece, int n);

/* Does the same for data that is never in memory as a whole: begin, put the bytes in order, end. */
typedef struct {
    char path[DC_PATH_MAX], part[DC_PATH_MAX];
    int fd;                    /* descriptor of path.part */
    size_t length;             /* final size in bytes */
    size_t bytes;              /* written so far */
    struct XXH3_state_s *hash; /* hash of the bytes written so far */
} dc_file_new;
/* If dc_file_begin() fails, do not call dc_file_end(). Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_file_begin(dc_file_new *f, const char *path, size_t length);
DC_CHECKED dc_status dc_file_put(dc_file_new *f, const void *data, size_t bytes);
/* XXH3 (128 bits) of the bytes written so far. */
void dc_file_hash(const dc_file_new *f, uint64_t *high, uint64_t *low);
/* st: DC_OK, or the first error since dc_file_begin(). An error is returned, and `path` stays unchanged. */
DC_CHECKED dc_status dc_file_end(dc_file_new *f, dc_status st);

/* Copies `from` to `to`, written as dc_file_replace does. Errors: also those of dc_file_open. */
DC_CHECKED dc_status dc_file_copy(const char *from, const char *to);

/* Does only the last step of dc_file_replace: renames `part`, which is complete and on disk, to `path` and forces the
 * directory to disk. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_publish(const char *part, const char *path);

/* Opens a regular file of at most max_bytes for reading; *bytes: its length. The caller closes *fd, which is -1 after
 * an error. Errors: DC_ERR_IO (cannot be read), DC_ERR_FORMAT (not a regular file, too large). */
DC_CHECKED dc_status dc_file_open(const char *path, size_t max_bytes, int *fd, size_t *bytes);
/* Reads data[bytes] starting at byte `at`. Errors: DC_ERR_IO (also if the file is too short). */
DC_CHECKED dc_status dc_file_read_at(int fd, const char *path, size_t at, void *data, size_t bytes);
/* Reads a whole file of at most max_bytes into memory (dc_mem, owned by the caller). Errors: DC_ERR_IO (cannot be
 * read), DC_ERR_FORMAT (not a regular file, too large), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_file_read(const char *path, size_t max_bytes, unsigned char **data, size_t *bytes);

/* ---- Which file, and of what kind -------------------------------------------------------------------------------- */

/* Whether `path` names the file that is open as fd; symbolic links are not followed. */
bool dc_file_is(int fd, const char *path);
/* Whether both paths lead to the same file, even through links. */
bool dc_file_same(const char *a, const char *b);
/* "a symbolic link", "a directory", "a pipe" ...; NULL for a regular file. */
const char *dc_file_kind_name(const struct stat *s);
/* Opens or creates a file to append to: never through a symbolic link, never a file with a second hard link, and
 * without waiting for the other end of a pipe. The caller closes *file. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_append(const char *path, FILE **file);
/* Shortens a file, under the same rules, to at most `bytes`; a missing or shorter file is left alone. Errors:
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_file_cut(const char *path, int64_t bytes);

/* Identity, length and time of last change of a file. They stay the same as long as nobody writes to the file. */
typedef struct {
    uint64_t device, inode;
    int64_t bytes, changed_s, changed_ns;
} dc_file_state;
dc_file_state dc_file_state_from(const struct stat *s);
/* Gets the state of an open file; false: see errno. */
bool dc_file_look(int fd, dc_file_state *state);
/* Bytes that the system reads ahead of a program that goes through a file of this device in order; 0: unknown. */
int64_t dc_file_read_ahead(uint64_t device);
/* What has changed between two states, as the end of a message; NULL: nothing. */
const char *dc_file_change(const dc_file_state *then, const dc_file_state *now);
/* Does the same as dc_file_look(); path is for messages. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_file_state_of(int fd, const char *path, dc_file_state *state);
/* Returns DC_OK if `path` still names the same file and its state is still `then`, else `code`. */
DC_CHECKED dc_status dc_file_unchanged(const char *path, const dc_file_state *then, dc_status code);
/* The same for an open file, which may have lost its name. */
DC_CHECKED dc_status dc_file_unchanged_fd(int fd, const char *path, const dc_file_state *then, dc_status code);

/* Flushes f and returns the length of its file; INT64_MAX if flushing fails. */
int64_t dc_file_written(FILE *f);

#endif
