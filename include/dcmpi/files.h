/* The files of a data set: which they are, in which order, and what their headers say. Many files with rows of one
 * width and one type are one data set: the rows of the first file, then those of the second, and so on.
 *
 * A name is that of a file; of a file and a dataset in it, file.h5:dataset; or a glob, which stands for all files that
 * match, in byte order of their names. A name that is the name of a file is taken as it is. HDF5 files and .npy files
 * (numpy, C order, little-endian uint8, float16, float32 or float64) may be mixed; dense rows and sparse ones may not.
 *
 * What headers say is kept in a table, beside the result of the run: the next start opens only the files that have
 * another length or time than then. A table that cannot be read, or is of other names, is left aside. */
#ifndef DCMPI_FILES_H
#define DCMPI_FILES_H

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/store.h"

/* How a file stores a sparse matrix. DC_H5_OTHER: the library converts. */
typedef struct {
    bool by_columns; /* CSC */
    dc_h5_type index, value;
} dc_data_csr_types;

/* What is known of a file. No pointers, so that ranks can send it. */
typedef struct {
    dc_store_piece piece; /* its rows; path and dataset as they were named */
    bool hdf5;            /* else NPY */
    bool known;           /* its header has been read, now or before; until then, only piece.path, dataset, state */
    bool has_labels;      /* one for each row, in the dataset dc_files.labels */
    bool has_ids;         /* the same */
    bool has_names;       /* of columns */
    bool has_sum;         /* a checksum of the rows */
    bool is_sparse;       /* rows of which few values are stored: nnz of them, in this form */
    int64_t nnz;
    dc_data_csr_types sparse;
    dc_dtype dtype;
    int64_t D;
    int n_image_dims;
    int64_t image_shape[DC_IMAGE_DIMS_MAX];
    size_t id_bytes;     /* of a stored id, if ids have a checksum; else 0 */
    uint64_t names_hash; /* of the names of the columns */
    uint64_t sum;        /* checksum of the rows, as stored (h5.h) */
} dc_file_facts;

typedef struct dc_files {
    size_t n, room;
    dc_file_facts *file; /* [n], owned; room for `room` */
    char *names;         /* paths and datasets, each with a final zero byte, owned */
    size_t name_bytes;
    size_t name_room;        /* bytes that `names` has room for */
    char title[DC_PATH_MAX]; /* for messages: the only name, or "a.npy, ... (4 files)" */
    bool plain;              /* one file that is not NPY: it is read as one HDF5 file with all that is in it, and only
                                its path and dataset are known here */
    char matrix[DC_H5_NAME_MAX], labels[DC_LABEL_NAME_MAX];            /* as asked for */
    char label_dataset[DC_LABEL_NAME_MAX], id_dataset[DC_H5_NAME_MAX]; /* where HDF5 files have labels and ids */
    dc_gidx N;                                                         /* rows of all files, once all are known */
    bool labels_used;                                                  /* all files have them */
    bool ids_used, names_used;
    bool folders;     /* the names may be those of folders */
    bool images_used; /* all rows are pictures of one shape, or none is a picture */
} dc_files;

/* Finds the files of names, one per line, and reads the headers of NPY files. matrix, labels: as in dc_data_request.
 * table: the file of dc_files_put_table(), which need not exist; NULL: none. Local. Errors: DC_ERR_USAGE (a dataset is
 * named twice), DC_ERR_IO (a file cannot be read, a glob matches nothing), DC_ERR_DATA (a file is damaged, is neither
 * HDF5 nor NPY, or is named twice). */
DC_CHECKED dc_status dc_files_find(const char *names, const char *matrix, const char *labels, const char *table,
                                   dc_files **out);
/* The same for files of any kind, of which none is opened: only their names and states are known. folders: these may be
 * folders, too. */
DC_CHECKED dc_status dc_files_list(const char *names, bool folders, dc_files **out);
/* One HDF5 file of just this name, which may have line breaks. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_files_one(const char *path, dc_files **out);
/* Whether there are HDF5 files that the library has to look at. */
bool dc_files_pending(const dc_files *files);
/* Reads the headers of those files, and compares all: one width, one type, all dense or all sparse by rows, the same
 * names of columns. probe: for a
 * process that may not survive it; is told the path of each file before it is opened, and all is read that
 * dc_dataset_probe() reads; NULL: only headers. Local. Errors: DC_ERR_DATA, DC_ERR_IO. */
DC_CHECKED dc_status dc_files_look(dc_files *files, void (*probe)(const char *path));
/* Gives the files of rank 0 to all ranks. *files is NULL on the others before. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_files_share(dc_comm *comm, dc_files **files);
/* Accepts NULL. */
void dc_files_destroy(dc_files **files);

const char *dc_files_path(const dc_files *files, size_t i);
const char *dc_files_dataset(const dc_files *files, size_t i);
/* For messages on a row of the data set: " (row 5 of b.h5:emb)", counted from 0; "" if there is one file, or files is
 * NULL. */
enum { DC_FILES_ROW_MAX = DC_PATH_MAX + 320 };
const char *dc_files_row(const dc_files *files, dc_gidx row, char out[DC_FILES_ROW_MAX]);
/* Memory that a rank takes for so many files. */
double dc_files_bytes(const dc_files *files);

/* Writes the table to `path`, safely. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_files_put_table(const dc_files *files, const char *path);
/* Compares the files with the table of an earlier start: if the rows are not as many as then, what[cap] names the first
 * file that is new, missing, or has another number of rows; else it is "". False: there is no such table. */
bool dc_files_compare_table(const dc_files *files, const char *path, char *what, size_t cap);
/* The same for rows that are known to be others than then: what[cap] names the first file that differs, also by its
 * checksum, or by its length and time; "": none, or there is no table. */
void dc_files_blame(const dc_files *files, const char *path, char *what, size_t cap);

#endif
