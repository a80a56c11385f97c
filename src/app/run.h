/* The MPI verbs that do work. Private to app/. */
#ifndef DCMPI_APP_RUN_H
#define DCMPI_APP_RUN_H

#include "dcmpi/standing.h"
#include "job.h"
#include "score.h"

/* Collective. `fit`: the whole pipeline; `sweep-k`: the same, with a choice of the number of clusters in it. */
DC_CHECKED dc_status dc_run_fit(dc_comm *comm, const dc_cli *cli);
/* Collective. `kmeans`: distributed k-means on the scaled rows. */
DC_CHECKED dc_status dc_run_kmeans(dc_comm *comm, const dc_cli *cli);

/* Collective. `predict`: sends rows through a finished model. */
DC_CHECKED dc_status dc_run_predict(dc_comm *comm, const dc_cli *cli);

/* What is clustered after pretraining, for methods that choose or compare numbers of clusters. */
typedef struct {
    const dc_model *model;
    const dc_method *method;
    dc_cluster_length before;
    dc_method_env env;
    float *Z;     /* [n x L] local rows, owned; NULL without a network */
    dc_rows rows; /* the same, or the rows of the data; a view */
} dc_run_embedding;
/* Collective. Borrows model. Release *out even after an error; it must stay where it is. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_run_embed(dc_comm *comm, const dc_job *job, const dc_model *model, dc_run_embedding *out);
void dc_run_embedding_release(dc_run_embedding *e);
/* Collective. What sweep-k does between pretraining and clustering: clusters what `model` embeds, or the rows
 * themselves, into each number of clusters. *sweep is in the run's state (dc_sweep_keep). */
DC_CHECKED dc_status dc_run_sweep(dc_comm *comm, dc_job *job, const dc_model *model, dc_sweep *sweep);

/* Collective. `dedup`: finds near-duplicates within the clusters of a run. */
DC_CHECKED dc_status dc_run_dedup(dc_comm *comm, const dc_cli *cli);

/* The data that a deck asks for, from its files; borrows both. Local. */
dc_data_request dc_run_request(const dc_config *cfg, const dc_files *files);
/* Shared by fit and kmeans: reads the data and, if they fit the earlier state, accepts the start. */
DC_CHECKED dc_status dc_run_load(dc_comm *comm, dc_job *job, dc_dataset **data);
/* Computes scores and the table of counts, if there are labels. The caller owns and releases s. Errors: DC_STOPPED. */
DC_CHECKED dc_status dc_run_score(dc_comm *comm, dc_job *job, dc_result *r, dc_scoring *s);
/* What graph.on says: whether the graph is of the embedding; never without a network. */
bool dc_run_graph_embeds(const dc_config *cfg, const dc_net *net);
/* With graph.save: finds the neighbours of these rows and the components of their graph; else *out is empty. The caller
 * releases it. Errors: DC_ERR_MEMORY, DC_ERR_NUMERIC, DC_STOPPED. */
DC_CHECKED dc_status dc_run_graph(dc_comm *comm, dc_job *job, const dc_rows *rows, bool embeds, dc_graph_result *out);
void dc_graph_result_release(dc_graph_result *g);
/* Memory that it takes on this rank for rows of d columns; *held: what remains. Local. */
double dc_run_graph_bytes(const dc_config *cfg, const dc_part *part, int64_t d, double *held);
/* Where the rows stand in their clusters, in the space of the centres; *out is released by the caller. Collective.
 * Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_run_standing(dc_comm *comm, const dc_config *cfg, const dc_rows *rows, const float *centers,
                                     const int32_t *label, const int64_t *size, dc_standing_result *out);
/* Sets out->quantile and quantile_rows from these labels and sizes, before others come; dc_run_standing() then leaves
 * them. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_run_quantiles(dc_comm *comm, const dc_rows *rows, int64_t K, const float *centers,
                                      const int32_t *label, const int64_t *size, dc_standing_result *out);
void dc_standing_result_release(dc_standing_result *s);
/* Memory that it takes on this rank for rows of d columns; *held: what remains. Local. */
double dc_run_standing_bytes(const dc_config *cfg, const dc_part *part, int64_t d, double *held);
/* What output.topics needs of the data. Collective. Errors: DC_ERR_DATA, the same on all ranks. */
DC_CHECKED dc_status dc_run_topics_check(dc_comm *comm, const dc_config *cfg, const dc_dataset *data);
/* A clustering that has ended. */
typedef struct {
    const dc_rows *rows;   /* what was clustered */
    const float *centers;  /* [K x rows->d], or NULL: the method has none */
    const int32_t *labels; /* [n] */
    const int64_t *size;   /* [K] */
} dc_run_clustered;
/* With output.topics: finds terms and documents of the clusters, as far as the data have them. The caller releases
 * *out. Errors: DC_ERR_DATA, DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_run_topics(dc_comm *comm, dc_job *job, const dc_dataset *data, const dc_run_clustered *c,
                                   dc_topics_result *out);
/* NULL if it found nothing. */
const dc_topics_result *dc_topics_found(const dc_topics_result *r);
void dc_topics_result_release(dc_topics_result *r);
/* Memory that it takes on this rank; *held: what remains. Local. */
typedef struct {
    int64_t d;  /* columns of what was clustered */
    bool tiles; /* which is neither an array nor sparse */
    bool means; /* by a method without centres */
    int threads;
} dc_topics_task;
double dc_run_topics_bytes(const dc_config *cfg, const dc_data_header *head, const dc_part *part,
                           const dc_topics_task *task, double *held);
/* The first two principal components of what was clustered, for /map, as output.map says; *out is empty for an
 * embedding that is not written, and for rows that are too wide, or not finite. The caller releases it. Errors:
 * DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_run_map(dc_comm *comm, dc_job *job, const dc_rows *rows, bool embeds, dc_map_result *out);
void dc_map_result_release(dc_map_result *map);
/* Whether output.map = on can be done for N rows of d columns, which are those of the embedding if there is one. Local.
 * Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_run_map_check(const dc_config *cfg, int64_t N, int64_t d, bool embeds);
/* Memory that it takes on this rank for rows of d columns; 0: there will be no map. *held: what remains; *root: more on
 * rank 0. Local. */
double dc_run_map_bytes(const dc_config *cfg, const dc_part *part, int64_t d, bool embeds, double *held, double *root);
/* Writes run.h5 and summary.json, prints the end table, self-checks and RESULT line. last: NULL without soft
 * assignment. */
DC_CHECKED dc_status dc_run_finish(dc_comm *comm, dc_job *job, dc_result *r, const dc_refresh *last);
/* --dry-run: prints layout and estimate, does no work. */
DC_CHECKED dc_status dc_run_dry(dc_comm *comm, dc_job *job);

#endif
