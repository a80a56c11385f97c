/* Checkpoint files: what they hold, how they are written and read, and the folder they lie in.
 *
 * A checkpoint is an HDF5 file with a trailer of 64 bytes behind it, which holds an XXH3 (128 bits) of all bytes before
 * it: a file that is cut, or in which a single bit has changed, is refused before the HDF5 library sees it. h5py opens
 * it like any other file. Root attributes: the header below; datasets: one per registered array (state.h) under /state,
 * vectors, and for tables [rows of the data x width]. Neither its size nor anything in it but the header depends on the
 * number of ranks. All functions are serial, rank 0 calls them; none holds more than a piece of the values. */
#ifndef DCMPI_CKPT_H
#define DCMPI_CKPT_H

#include "dcmpi/clock.h"
#include "dcmpi/state.h"

/* 2: histories hold the rows that are there, not those that may come. 3: headers first, tables. 2 is read, too. */
enum { DC_CKPT_OLDEST = 2, DC_CKPT_VERSION = 3 };

/* Whose state it is, and where that run was. */
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
    /* Version 0.1.0 did not store these: then they are "" and 0. Hashes as in dc_provenance. */
    int64_t number;
    char job[128];
    uint64_t labels_hash, weights_hash, deck_hash, program_hash;
} dc_ckpt_header;

/* Writing: begin, the values of the arrays in order by put, each piece of one array alone, end. It replaces or makes
 * `path` (file.h); after an error the file that was there is as it was. begin: after an error there is nothing to be
 * ended. end: st is the first error of all that belongs to it, or DC_OK; *bytes: size of the file. Errors:
 * DC_ERR_NUMERIC (a value is not finite), DC_ERR_MEMORY, DC_ERR_IO. */
typedef struct dc_ckpt_writer dc_ckpt_writer;
DC_CHECKED dc_status dc_ckpt_begin(dc_ckpt_writer **out, const char *path, const dc_ckpt_header *header,
                                   const dc_state_array *array, int n);
DC_CHECKED dc_status dc_ckpt_put(dc_ckpt_writer *w, const void *data, size_t bytes);
DC_CHECKED dc_status dc_ckpt_end(dc_ckpt_writer **w, dc_status st, size_t *bytes);

/* A checkpoint that is whole; its values stay in the file. */
typedef struct {
    dc_ckpt_header header;
    int n;
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    struct dc_ckpt_source *source; /* the open file, owned */
} dc_ckpt;

/* Verifies all of it. Errors: DC_ERR_FORMAT (damaged, no checkpoint, of another format, values not finite), DC_ERR_IO,
 * DC_ERR_MEMORY; *out is then empty. */
DC_CHECKED dc_status dc_ckpt_open(const char *path, dc_ckpt *out);
/* Values [first, first + n) of array i, n > 0; pieces of one array come in order, from the first on. Errors: DC_ERR_IO,
 * DC_ERR_FORMAT (with the last piece: they are not those that were verified). */
DC_CHECKED dc_status dc_ckpt_load(const dc_ckpt *c, int i, size_t first, size_t n, void *out);
/* Closes the file; header and descriptions stay. */
void dc_ckpt_close(dc_ckpt *c);
void dc_ckpt_release(dc_ckpt *c);

/* ---- The folder: ckpt-000001.h5, ckpt-000002.h5 ..., and last-PHASE.h5 ------------------------------------------- */

/* Phases in the order of a run, from 0: "layer_1" ... "layer_16", "pretrain", "finetune", "kmeans", "cluster"; NULL
 * after the last. A checkpoint of a phase's end is kept: a longer run goes on from there. */
const char *dc_ckpt_phase_at(int place);
/* Place of a phase in that order; -1 for any other phase: no run continues from the end of such a one. */
int dc_ckpt_phase_place(const char *phase);
/* dir/last-PHASE.h5; false if that is too long for a path. */
bool dc_ckpt_last_path(const char *dir, const char *phase, char out[DC_PATH_MAX]);
/* Gives the checkpoint `path` of dir the second name last-PHASE.h5, or copies it where there are no second names; an
 * older one is replaced. Errors: DC_ERR_IO, DC_ERR_USAGE. */
DC_CHECKED dc_status dc_ckpt_keep_last(const char *dir, const char *path, const char *phase);
/* Removes those of phases after `place` (-1: all). */
void dc_ckpt_forget_last(const char *dir, int place);

/* Numbers of the checkpoints in `dir`, ascending; *number (dc_mem) is the caller's. No folder: none. */
DC_CHECKED dc_status dc_ckpt_list(const char *dir, int64_t **number, int *n);
/* What a name in that folder stands for: a checkpoint, one that is being written, or something else. */
typedef enum { DC_CKPT_NONE, DC_CKPT_WHOLE, DC_CKPT_PART } dc_ckpt_name;
dc_ckpt_name dc_ckpt_name_of(const char *name);
/* dir/ckpt-NNNNNN.h5; false if that is too long for a path. */
bool dc_ckpt_path(const char *dir, int64_t number, char out[DC_PATH_MAX]);
/* Removes checkpoints below `number` but for the `keep` newest of them, and what an interrupted write left behind.
 * Files of other names are never touched. */
void dc_ckpt_prune(const char *dir, int64_t number, int64_t keep);
/* Removes checkpoints with above < number < below. */
void dc_ckpt_remove_between(const char *dir, int64_t above, int64_t below);

#endif
