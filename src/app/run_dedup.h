/* Private to `dcmpi dedup`: its state, and the file it writes. */
#ifndef DCMPI_APP_RUN_DEDUP_H
#define DCMPI_APP_RUN_DEDUP_H

#include "cli.h"
#include "dcmpi/claim.h"
#include "dcmpi/comm.h"
#include "dcmpi/config.h"
#include "dcmpi/duplicates.h"
#include "dcmpi/train.h"

/* What run.h5 says; equal on all ranks. */
typedef struct {
    dc_config deck;
    dc_gidx N;
    int64_t K, width; /* clusters; width of their centres */
    int64_t D;        /* width of the data */
    int64_t L;        /* width of /embedding; 0: there is none */
    bool has_network;
    int shards;
    size_t id_bytes; /* 0: no ids */
    uint64_t data_hash, result_hash;
} dc_dedup_run;

/* The file of an unfinished search; equal on all ranks. */
typedef struct {
    char path[DC_PATH_MAX]; /* OUTPUT.ckpt */
    bool is_there;          /* written by an earlier start of this command, or by this one */
    int shards;             /* what it holds */
    bool listed;
    int64_t edges, pairs; /* of all ranks; pairs: those that are listed */
} dc_dedup_saved;

typedef struct {
    const char *run, *input; /* paths, borrowed; input NULL: the data that the run names */
    char output[DC_PATH_MAX];
    bool force, dry_run;
    double cosine;
    int64_t probe, pairs_max;
    int on; /* dc_on, or -1: not given */
    dc_keep keep;
    const char *files[2]; /* run and data */
    char options[256];
    dc_recipe recipe;
    dc_claim claim; /* rank 0 holds the lock */
    dc_dedup_run from;
    dc_part part;
    int64_t width;        /* of the rows that are compared, at most */
    int32_t *label;       /* [n] */
    int64_t *size;        /* [K] */
    float *centers;       /* [K x width] */
    float *Z;             /* [n x L] or NULL */
    char *ids;            /* [n x id_bytes] or NULL */
    dc_files *data_files; /* with --on=input, as is the next */
    dc_dataset *data;
    double *distance;                               /* [n] or NULL */
    double search_start_s, next_line_s, interval_s; /* of lines that tell how far the search is */
    dc_dedup_saved saved;
    double saved_s;             /* when the search was last saved, or began */
    dc_duplicates_state before; /* what an earlier start saved; shards 0: nothing */
    dc_duplicates found;
} dc_dedup;

/* Collective. Writes the result. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dedup_write(dc_comm *comm, dc_dedup *d);
/* Memory that this takes on this rank, at most. Local. */
double dc_dedup_write_bytes(const dc_dedup *d);
/* Size of the result on disk, at most. */
double dc_dedup_file_bytes(const dc_dedup *d);
/* The places of this rank's share of a list that all ranks hold together, in rank order; per_rank[P]: scratch.
 * Collective. */
dc_part dc_dedup_list_part(dc_comm *comm, int64_t mine, int64_t *per_rank);
/* Reads this rank's rows of a dataset of `path`, and checks them together with those of all ranks. Collective. Errors:
 * DC_ERR_FORMAT (checksum), DC_ERR_IO. */
DC_CHECKED dc_status dc_dedup_read(dc_comm *comm, const char *path, const dc_part *part, const char *name,
                                   dc_h5_type type, size_t width, void *out);

/* ---- An unfinished search (run_dedup_state.c) -------------------------------------------------------------------- */

/* Rank 0: finds the file that an earlier start left; --force removes it. Errors: DC_ERR_USAGE (it is of another
 * search), DC_ERR_IO. */
DC_CHECKED dc_status dc_dedup_find_saved(dc_dedup *d);
/* Sets d->before from the file; dc_dedup_size_saved() only its numbers, and returns the memory that loading takes.
 * Collective. Errors: DC_ERR_FORMAT, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dedup_load_saved(dc_comm *comm, dc_dedup *d);
double dc_dedup_size_saved(dc_dedup *d);
/* As dc_duplicates_config.save. A failure is a warning unless the search stops; ctx: dc_dedup. */
dc_status dc_dedup_save(dc_comm *comm, void *ctx, const dc_duplicates_state *state, bool stops, bool ends);
/* Rank 0: the search is over. */
void dc_dedup_drop_saved(const dc_dedup *d);
void dc_dedup_release_saved(dc_dedup *d);

/* "nearest", ...; "input" or "embedding". */
const char *dc_dedup_keep_name(dc_keep keep);
const char *dc_dedup_on_name(int on);

#endif
