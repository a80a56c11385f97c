/* What a run leaves behind: result file, summary, end table, RESULT line. */
#ifndef DCMPI_REPORT_H
#define DCMPI_REPORT_H

#include "dcmpi/config.h"
#include "dcmpi/h5.h"
#include "dcmpi/metrics.h"
#include "dcmpi/neighbours.h"
#include "dcmpi/topics.h"
#include "dcmpi/train.h"

/* ---- Timing over ranks ------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t calls; /* of rank 0 */
    double min_s, avg_s, max_s;
    int slowest;                     /* rank of max_s */
    double flops_per_s, bytes_per_s; /* sum over all ranks, divided by avg_s; 0 if nothing was counted */
} dc_section_stats;
/* A rank's own work between messages, counted over the same sections on all ranks. */
typedef struct {
    double seconds, flops;
} dc_rank_work;
enum { DC_TIMING_HOST_MAX = 64 };
typedef struct {
    dc_section_stats section[DC_T_COUNT];
    int ranks;
    dc_rank_work busy, busiest; /* average over ranks; the rank with the most seconds */
    int busiest_rank;
    char busiest_host[DC_TIMING_HOST_MAX];
    double wall_s;                    /* slowest rank */
    double memory_peak, memory_least; /* peak physical memory in bytes: largest and smallest over ranks */
    int memory_rank;                  /* rank of memory_peak */
    double comm_seconds, comm_bytes;  /* average over ranks */
} dc_timing;
/* Columns of /timing/<section> in run.h5: calls, min_s, avg_s, max_s, slowest_rank, flops_per_s, bytes_per_s. */
enum { DC_TIMING_COLUMNS = 7 };
/* Collective; equal on all ranks. */
DC_CHECKED dc_status dc_timing_collect(dc_comm *comm, const dc_timers *timers, dc_timing *out);
/* A rank's own work, from its timers. */
dc_rank_work dc_timing_work(const dc_timers *timers);
/* Advice about a rank that the others waited for, and about steps that were mostly messages: one line each, or "". */
void dc_advise_slow_rank(const dc_timing *t, char *out, size_t cap);
void dc_advise_messages(const dc_timing *t, char *out, size_t cap);
/* Logs the table of sections, if the run took a second or more, and advice; peak_flops: measured FMA peak over all
 * ranks, 0 if unknown. */
void dc_timing_print(const dc_timing *t, double peak_flops);

/* ---- Result ----------------------------------------------------------------------------------------------------- */

/* How the run was started. */
enum { DC_JOB_NAME_MAX = 128 };
typedef struct {
    char created[DC_ISO_MAX];
    char command_line[DC_PATH_MAX];
    char libraries[512];   /* versions, BLAS core, ISA */
    const char *cpu, *isa; /* of rank 0: CPU model; kernels of matrix products */
    const char *deck;      /* effective deck, YAML */
    const char *verb;
    int ranks, threads, nodes;
    double peak_flops;         /* measured, sum over all ranks */
    int64_t parts;             /* starts of the run, this one included */
    double wall_before_s;      /* wall time of the starts before this one */
    char job[DC_JOB_NAME_MAX]; /* job number in the batch queue; "" if there is none */
    /* labels: dc_dataset_hash_labels; weights: dc_model_hash_file of model.weights (all of it with cluster.init =
     * weights); 0: there are none */
    uint64_t labels_hash, weights_hash, deck_hash, program_hash;
} dc_provenance;

typedef struct {
    const char *name;
    bool passed;
    double value; /* the value that was checked */
} dc_self_check;
enum { DC_SELF_CHECKS_MAX = 8, DC_SELF_CHECK_NAME_MAX = 64 };

/* The graph of neighbours, for /graph. */
typedef struct {
    dc_knn knn;         /* owned; square[n x k] holds distances, not their squares */
    int64_t *component; /* [n], owned */
    const char *on, *metric, *symmetry;
    int64_t edges, isolated, components, largest; /* global, as in neighbours.h; largest: rows of a component */
} dc_graph_result;

/* Where rows stand in their clusters, for /rows and /clusters/distance_quantiles; owned. */
typedef struct {
    double *distance, *cosine; /* [n] local, or NULL */
    int64_t *rank;             /* [n] local, or NULL */
    double *quantile;          /* [K x DC_STANDING_QUANTILES]; NaN of empty clusters */
    int64_t *quantile_rows;    /* [K] rows whose distances these are, if they are not those of the clusters; or NULL */
} dc_standing_result;

/* Terms and documents of the clusters, for /topics. */
typedef struct {
    dc_topics topics;               /* owned; without documents or terms it has no such lists */
    char *term;                     /* [K x terms x term_bytes] names, padded with zeros; rank 0, owned */
    char *nearest_id, *furthest_id; /* [K x documents x id_bytes]; owned; NULL without ids */
    size_t term_bytes, id_bytes;    /* at least 1 */
    const char *words;              /* what the words are, for people */
} dc_topics_result;

enum { DC_RESULT_HISTORIES_MAX = DC_MAX_PAIRS + 2 };
/* The plane of the report's map, for /map. */
enum { DC_MAP_AXES = 2 };
typedef struct {
    dc_principal plane; /* owned; without components there is no map */
    const char *on;     /* "embedding" or "input" */
} dc_map_result;
/* Everything that is written at the end. Pointers are borrowed; NULL or 0 where a verb has no such thing. */
typedef struct {
    const dc_config *cfg;
    const dc_provenance *from;
    const dc_dataset *data;
    const char *method;     /* NULL: the verb kmeans */
    const dc_slab *slab;    /* the model; its net has no layers if the scaled rows are clustered */
    const float *value;     /* [slab->n] */
    const dc_results *more; /* what else the run registered, or NULL */
    int64_t K;
    const int32_t *labels;           /* [n] local */
    const float *confidence;         /* [n] local or NULL */
    const float *embedding;          /* [n x L] local or NULL */
    dc_q_rows *q;                    /* gives /q piece by piece, or NULL */
    const dc_q_top *q_top;           /* local, or NULL */
    const uint8_t *outlier;          /* [n] local: 1 where confidence < output.outlier_below; NULL if that is 0 */
    int64_t n_outliers;              /* global */
    const int64_t *size;             /* [K] */
    const int64_t *nearest, *border; /* [K x examples] or NULL */
    const void *nearest_rows, *border_rows; /* [K x examples x D] stored type, or NULL */
    const dc_graph_result *graph;           /* or NULL */
    const dc_standing_result *standing;     /* or NULL */
    const dc_topics_result *topics;         /* or NULL */
    const dc_map_result *map;               /* or NULL */
    const dc_history *history[DC_RESULT_HISTORIES_MAX];
    int n_histories;
    dc_stop stop;
    int64_t iterations;
    double delta;   /* share of labels changed at the last refresh */
    double inertia; /* raw k-means; NaN elsewhere */
    bool has_scores;
    dc_scores scores;
    const int64_t *confusion; /* [C x K] on rank 0, or NULL */
    dc_self_check check[DC_SELF_CHECKS_MAX];
    int n_checks;
    const dc_sweep *sweep; /* of sweep-k, else NULL */
    int64_t checkpoint;    /* number of the newest checkpoint when the run ended; 0: none */
    const dc_timing *timing;
} dc_result;

/* ---- Self-checks ------------------------------------------------------------------------------------------------ */

/* Checks a finished run: cluster sizes sum to N and weights are finite. With a soft assignment, also: replicas are
 * equal, rows of q and p sum to 1, f sums to N. Local; uses global values. Returns the number of checks. */
int dc_self_checks(const dc_result *r, const dc_refresh *last, dc_self_check out[DC_SELF_CHECKS_MAX]);
/* Prints one line; it is a WARNING if a check failed. */
void dc_self_checks_print(const dc_self_check *checks, int n);

/* ---- Files ------------------------------------------------------------------------------------------ */

/* Collective: writes run.h5 by the safe sequence of h5.h. After all rows are written, the timers are collected into
 * *timing, and r->timing is set to it. */
DC_CHECKED dc_status dc_result_write(dc_comm *comm, const char *path, dc_result *r, dc_timers *timers,
                                     dc_timing *timing);
/* Size of run.h5 on disk, from the deck, the data header, and what a run trains and keeps. has_method: false for the
 * verb kmeans. */
double dc_result_bytes(const dc_config *cfg, const dc_data_header *head, const dc_slab *slab, bool has_method);
/* Writes to which file each of the N rows belongs: /files/name, /files/dataset (if one is named), /files/first_row and
 * /files/rows, in the order of the rows; nothing for one HDF5 file. copy: from an open result, if it has them. Serial.
 * Errors: DC_ERR_IO, DC_ERR_MEMORY, DC_ERR_FORMAT (copy). */
DC_CHECKED dc_status dc_result_put_files(dc_h5 *h5, const dc_files *files, dc_gidx N);
DC_CHECKED dc_status dc_result_copy_files(dc_h5 *from, dc_h5 *to);
/* Serial: replaces the scores and the label hash in `path` by those of r (if r has no scores, removes them). Everything
 * else stays (dc_h5_revise). Of r, only K, cfg, from, the labels of data, scores and confusion are used. */
DC_CHECKED dc_status dc_result_rescore(const char *path, dc_result *r);

/* Contents of the RESULT line and summary.json, read from run.h5. NaN: not in run.h5. */
typedef struct {
    bool converged;
    int64_t iterations, K, empty;
    double delta, inertia, acc, nmi, ari, purity, f_measure, wall_s;
    int64_t unlabelled; /* rows without a label */
    bool names_itself;  /* run.h5 has a result_hash; version 0.1.0 made none */
    uint64_t result_hash;
    char *summary; /* [summary_bytes] text of summary.json, owned */
    size_t summary_bytes;
} dc_outcome;
/* Serial. Errors: those of dc_h5_open, DC_ERR_FORMAT, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_outcome_read(const char *run_h5, dc_outcome *out);
void dc_outcome_release(dc_outcome *o);
/* The RESULT line, without "RESULT  ". */
void dc_outcome_line(const dc_outcome *o, char *out, size_t cap);
enum { DC_SUMMARY_MAX = 1 << 20 };
/* NULL if the summary.json at `path` is complete and belongs to this run.h5; else its fault: "missing", "empty", "not
 * whole" ... */
const char *dc_summary_state(const char *path, const dc_outcome *o);
/* Writes path.part and renames it. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_summary_write(const char *path, const dc_outcome *o);

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

typedef struct {
    FILE *file;
    int depth;
    bool first;
} dc_json;
void dc_json_begin(dc_json *j, FILE *file);
void dc_json_end(dc_json *j);
/* key is NULL inside an array. */
void dc_json_open(dc_json *j, const char *key, char bracket);
void dc_json_close(dc_json *j, char bracket);
void dc_json_str(dc_json *j, const char *key, const char *value);
void dc_json_num(dc_json *j, const char *key, double value); /* null if not finite */
void dc_json_int(dc_json *j, const char *key, int64_t value);
void dc_json_bool(dc_json *j, const char *key, bool value);

/* ---- Topics ----------------------------------------------------------------------------------------------------- */

/* Serial: writes /topics. */
DC_CHECKED dc_status dc_topics_write(dc_h5 *h5, const dc_topics_result *r);
/* Serial: the member "topics" of summary.json, if the file has topics: of the first DC_TOPICS_SUMMARY_MAX clusters. */
enum { DC_TOPICS_SUMMARY_MAX = 200 };
DC_CHECKED dc_status dc_topics_summary(dc_h5 *h5, dc_json *j);

/* ---- Sweep ------------------------------------------------------------------------------------------------------ */

/* Serial: writes /sweep: a vector for each column of the table, and the suggestion as attributes. */
DC_CHECKED dc_status dc_sweep_write(dc_h5 *h5, const dc_sweep *s);
/* Serial: removes the scores, which belong to labels that have changed. */
DC_CHECKED dc_status dc_sweep_unscore(dc_h5 *h5);
/* Serial: the member "sweep" of summary.json, if the file has a sweep. */
DC_CHECKED dc_status dc_sweep_summary(dc_h5 *h5, dc_json *j);

#endif
