/* Checkpoint files: their contents, writing and reading them, and the folder that holds them.
 *
 * A checkpoint is an HDF5 file followed by a trailer of 64 bytes with the XXH3 (128 bits) of all bytes before it: a
 * file that was cut short, or in which a single bit has changed, is refused before the HDF5 library sees it. h5py opens
 * it like any other file. Root attributes: the header below. Datasets: one per registered array (state.h) under /state,
 * a vector or, for a table, [rows of the data x width]. Only the header depends on the number of ranks; the size of the
 * file does not. All functions are serial and called by rank 0; none holds more than one piece of the values in
 * memory. */
#ifndef DCMPI_CKPT_H
#define DCMPI_CKPT_H

#include "dcmpi/clock.h"
#include "dcmpi/state.h"

/* Format versions. 2: histories hold only the rows made so far. 3: headers come first, and there are tables. Version 2
 * can still be read. */
enum { DC_CKPT_OLDEST = 2, DC_CKPT_VERSION = 3 };

/* Which run the state belongs to, and how far that run had got. */
typedef struct {
    char created[DC_ISO_MAX];
    char verb[16], phase[32];
    char version[64], git[64], arch[32], libraries[512];
    char *deck; /* effective deck, YAML; dc_mem, owned after reading, borrowed for writing */
    int64_t step;
    uint64_t data_hash;
    int64_t N, D;
    int64_t ranks, threads;
    int64_t part;                     /* how many times the run was started, this one included */
    double wall_s;                    /* of all parts */
    int64_t log_bytes, metrics_bytes; /* lengths of log.txt and metrics.jsonl */
    /* Version 0.1.0 did not store these; for its checkpoints they are "" and 0. Hashes as in dc_provenance. */
    int64_t number;
    char job[128];
    uint64_t labels_hash, weights_hash, deck_hash, program_hash;
} dc_ckpt_header;

/* Writing: call begin, then put for the values of the arrays in order (a piece never spans two arrays), then end. This
 * creates or replaces `path` (file.h); after an error an existing file is unchanged. If begin fails, do not call end.
 * end: st is the first error met while writing, or DC_OK; *bytes: size of the file. Errors: DC_ERR_NUMERIC (a value is
 * not finite), DC_ERR_MEMORY, DC_ERR_IO. */
typedef struct dc_ckpt_writer dc_ckpt_writer;
DC_CHECKED dc_status dc_ckpt_begin(dc_ckpt_writer **out, const char *path, const dc_ckpt_header *header,
                                   const dc_state_array *array, int n);
DC_CHECKED dc_status dc_ckpt_put(dc_ckpt_writer *w, const void *data, size_t bytes);
DC_CHECKED dc_status dc_ckpt_end(dc_ckpt_writer **w, dc_status st, size_t *bytes);

/* A verified checkpoint; its values stay in the file. */
typedef struct {
    dc_ckpt_header header;
    int n;
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    struct dc_ckpt_source *source; /* the open file, owned */
} dc_ckpt;

/* Verifies the whole file. Errors: DC_ERR_FORMAT (damaged, not a checkpoint, another format, values not finite),
 * DC_ERR_IO, DC_ERR_MEMORY; *out is then empty. */
DC_CHECKED dc_status dc_ckpt_open(const char *path, dc_ckpt *out);
/* Values [first, first + n) of array i, n > 0; read the pieces of an array in order, from its start. Errors: DC_ERR_IO,
 * DC_ERR_FORMAT (at the last piece, if the values differ from those verified). */
DC_CHECKED dc_status dc_ckpt_load(const dc_ckpt *c, int i, size_t first, size_t n, void *out);
/* Closes the file; header and descriptions stay. */
void dc_ckpt_close(dc_ckpt *c);
void dc_ckpt_release(dc_ckpt *c);

/* ---- The folder: ckpt-000001.h5, ckpt-000002.h5 ..., and last-PHASE.h5 ------------------------------------------- */

/* Phases in the order of a run, from 0: "layer_1" ... "layer_16", "pretrain", "finetune", "kmeans", "cluster"; NULL
 * after the last. The checkpoint at the end of a phase is kept, so that a longer run can continue from it. */
const char *dc_ckpt_phase_at(int place);
/* Place of a phase in that order, or -1 for any other phase: a run never continues from the end of such a phase. */
int dc_ckpt_phase_place(const char *phase);
/* dir/last-PHASE.h5; false if the path would be too long. */
bool dc_ckpt_last_path(const char *dir, const char *phase, char out[DC_PATH_MAX]);
/* Gives the checkpoint `path` in dir a second name, last-PHASE.h5, or copies it if the file system has no hard links;
 * an older last-PHASE.h5 is replaced. Errors: DC_ERR_IO, DC_ERR_USAGE. */
DC_CHECKED dc_status dc_ckpt_keep_last(const char *dir, const char *path, const char *phase);
/* Removes the last-PHASE.h5 of all phases after `place` (-1: of all phases). */
void dc_ckpt_forget_last(const char *dir, int place);

/* Numbers of the checkpoints in `dir`, ascending; the caller owns *number (dc_mem). None if there is no folder. */
DC_CHECKED dc_status dc_ckpt_list(const char *dir, int64_t **number, int *n);
/* What a file name in that folder stands for: a complete checkpoint, one being written, or something else. */
typedef enum { DC_CKPT_NONE, DC_CKPT_WHOLE, DC_CKPT_PART } dc_ckpt_name;
dc_ckpt_name dc_ckpt_name_of(const char *name);
/* dir/ckpt-NNNNNN.h5; false if the path would be too long. */
bool dc_ckpt_path(const char *dir, int64_t number, char out[DC_PATH_MAX]);
/* Removes checkpoints with numbers below `number`, except the newest `keep` of these, and whatever interrupted writes
 * left behind. Files with other names are never touched. */
void dc_ckpt_prune(const char *dir, int64_t number, int64_t keep);
/* Removes the checkpoints whose number satisfies above < number < below. */
void dc_ckpt_remove_between(const char *dir, int64_t above, int64_t below);

#endif
