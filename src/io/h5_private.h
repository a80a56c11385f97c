/* Shared by the files of src/io only: library set-up, types, checked lookup. */
#ifndef DCMPI_IO_H5_PRIVATE_H
#define DCMPI_IO_H5_PRIVATE_H

#include <hdf5.h>

#include "dcmpi/file.h"
#include "dcmpi/h5.h"

struct dc_h5 {
    hid_t file;
    dc_h5_mode mode;
    struct dc_h5_image *image; /* what the library reads or writes instead of a named file (h5_image.c); owned */
    dc_file_state state;       /* the file's state when opened for reading; for an image, its length */
    char *path;
    int failed_drops;  /* dc_h5_failed_drops() when it was opened */
    int refused_calls; /* dc_h5_refused_calls() then */
};

/* Silences the error stack and turns off filter plugins. Cheap; called
 * by every function that opens a file, because the library forgets its settings when MPI ends. */
void dc_h5_setup(void);
/* The innermost message of the last failed HDF5 call. Ask before the next HDF5 call; the text is valid until the next
 * call of this function. */
const char *dc_h5_error(void);
/* Whether the last failed call found something wrong with the file (DC_ERR_FORMAT) or could not read it (DC_ERR_IO).
 * Ask before the next HDF5 call. */
dc_status dc_h5_read_error(void);

/* How many calls have failed because the operating system refused to read or write. note_failure: call it, before the
 * next HDF5 call, after one whose failure may only mean that something is not there; dc_h5_error() and
 * dc_h5_read_error() do so, too. */
int dc_h5_refused_calls(void);
void dc_h5_note_failure(void);

/* Advice for an error message about something that could not be opened; begins with "; ". */
const char *dc_h5_advice(const char *error);

/* Releases any identifier; negative ones are ignored. false: data that the object had buffered could not be written. */
bool dc_h5_drop(hid_t id);
/* Does the same for a file. */
bool dc_h5_drop_file(hid_t file);
/* How often dropping has failed. */
int dc_h5_failed_drops(void);

/* Call it after the image's file is closed; *image = NULL is legal. */
void dc_h5_image_release(struct dc_h5_image **image);

/* Access list of all our files: layout version of HDF5 1.8 (checksummed headers, attributes above 64 KiB), no locks.
 * The caller drops it. */
hid_t dc_h5_access(void);
/* Makes a new file or group keep its links and attributes in its header, which has a checksum. */
void dc_h5_keep_compact(hid_t plist);
/* Creation list of all our files: no time stamps, links and attributes in checksummed headers. The caller drops it. */
hid_t dc_h5_creation(void);
/* Little-endian type of `type`, the same in memory and file; the caller drops it. -1 for DC_H5_OTHER and DC_H5_TEXT. */
hid_t dc_h5_type_id(dc_h5_type type);
/* Like dc_h5_type_id(), but for DC_H5_TEXT returns the type of the strings in `dset` as stored. */
hid_t dc_h5_memory_type(hid_t dset, dc_h5_type type);
/* Makes a dataset and its parents. Takes over `type`. */
DC_CHECKED dc_status dc_h5_make_dataset(dc_h5 *h5, const char *name, hid_t type, int n_dims, const hsize_t *dims);
const char *dc_h5_type_name(dc_h5_type type);
/* Fills in all but the shape. */
void dc_h5_describe_type(hid_t type, dc_h5_info *info);

/* DC_OK if `path` is a regular file that this process can read. Errors: DC_ERR_IO, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_check_regular(const char *path, dc_file_state *state);
/* Opens a dataset of our handle that is reached by hard links alone, holds its data in the same file, and needs no
 * filter that is missing. The caller drops *dset. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_open_dataset(dc_h5 *h5, const char *name, hid_t *dset);
/* Shape and type of an open dataset. */
DC_CHECKED dc_status dc_h5_describe(dc_h5 *h5, const char *name, hid_t dset, dc_h5_info *info);
/* Whether the file can hold what the shape claims, checked before anything is allocated. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_check_storage(dc_h5 *h5, const char *name, hid_t dset, const dc_h5_info *info);
/* Selects rows [row, row + n) of `file_space` and makes a memory space of their shape; n = 0 selects nothing. */
DC_CHECKED dc_status dc_h5_select_rows(hid_t file_space, dc_gidx row, dc_gidx n, hid_t *mem_space);

/* The texts that were added, one per line; the caller must replace the last line break with a zero byte. */
typedef struct {
    char *text; /* dc_mem, NULL at first; owned by the caller */
    size_t used, capacity;
} dc_h5_lines;
/* A dc_h5_text_visitor with dc_h5_lines as ctx. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_h5_add_line(void *lines, const char *text, size_t n);

/* Describes a field of a dataset of records: *info = shape of the dataset and type of the field. Rows are read as I64,
 * F64 or, for strings of a fixed length, as stored. Errors: DC_ERR_FORMAT (no such field, another type). */
DC_CHECKED dc_status dc_h5_field_info(dc_h5 *h5, const char *name, const char *field, dc_h5_info *info);
/* Calls visit for each field of a dataset of records, with the name `name/field`; not at all for another dataset. */
DC_CHECKED dc_status dc_h5_visit_fields(dc_h5 *h5, const char *name, dc_h5_visitor visit, void *ctx);
DC_CHECKED dc_status dc_h5_read_field(dc_h5 *h5, const char *name, const char *field, dc_h5_type type, dc_gidx row,
                                      dc_gidx n, void *out);
/* Sets the attribute result_hash of the root from all that the file holds now. */
DC_CHECKED dc_status dc_h5_put_content_hash(dc_h5 *h5);

/* Entries of a text with one per line, and the length of the longest, at least 1. */
int64_t dc_h5_count_lines(const char *text, size_t *longest);
/* 1: reached by hard links alone, 0: missing, -1: by a soft, external or user-defined link. */
int dc_h5_link_kind(hid_t file, const char *name);
/* Opens "/" or an object that is reached by hard links alone. The caller drops *object. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_open_object(dc_h5 *h5, const char *name, hid_t *object);

#endif
