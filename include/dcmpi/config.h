/* The deck: one struct, filled from defaults, a YAML file and the command line, by the key table of config/table.c. */
#ifndef DCMPI_CONFIG_H
#define DCMPI_CONFIG_H

#include "dcmpi/base.h"
#include "dcmpi/data.h"
#include "dcmpi/keys.h"
#include "dcmpi/la.h"
#include "dcmpi/net_text.h"
#include "dcmpi/optim.h"

enum { DC_CLUSTERS_AUTO = 0 }; /* cluster.clusters: auto, not chosen yet */
enum { DC_CLUSTER_LEVELS_MAX = 4 };
enum { DC_METHODS_MAX = 64, DC_METHODS_BYTES = 1 << 14 };
typedef enum { DC_PRETRAIN_NONE, DC_PRETRAIN_JOINT, DC_PRETRAIN_LAYERWISE } dc_pretrain_mode;
typedef enum { DC_FINAL_NONE, DC_FINAL_GMM, DC_FINAL_GMM_TIED, DC_FINAL_GMM_DIAGONAL, DC_FINAL_GMM_SPHERICAL } dc_final;
typedef enum { DC_ON_EMBEDDING, DC_ON_INPUT } dc_on;
/* What k-means measures: distances, or angles between rows. */
typedef enum { DC_KMEANS_EUCLIDEAN, DC_KMEANS_COSINE } dc_kmeans_metric;
typedef enum { DC_START_KMEANS, DC_START_SPECTRAL, DC_START_GMM, DC_START_WEIGHTS } dc_start_kind;
typedef enum { DC_REPRODUCIBLE_STRICT, DC_REPRODUCIBLE_OFF } dc_reproducible;
typedef enum { DC_PIN_AUTO, DC_PIN_OFF } dc_pin;
typedef enum { DC_RESUME_AUTO, DC_RESUME_NEVER, DC_RESUME_MUST } dc_resume_mode;
typedef enum { DC_Q_TOP1, DC_Q_TOP, DC_Q_FULL } dc_q_output;
typedef enum { DC_ROWS_NONE, DC_ROWS_FULL } dc_rows_output;
typedef enum { DC_RESIDENCY_AUTO, DC_RESIDENCY_MEMORY, DC_RESIDENCY_STREAM } dc_residency;
typedef enum { DC_TOPICS_AUTO, DC_TOPICS_ON, DC_TOPICS_OFF } dc_topics_output;
typedef enum { DC_MAP_AUTO, DC_MAP_ON, DC_MAP_OFF } dc_map_output;

/* Struct path = deck key: cfg.cluster.max_iter is cluster.max_iter; optimizer keys lie in .opt (cluster.lr is
 * cfg.cluster.opt.lr). Plain data: may be copied and compared byte by byte. Enums are stored as int. */
typedef struct {
    struct {
        char output[DC_PATH_MAX];
        int64_t seed;
        int resume;                        /* dc_resume_mode */
        double max_time, log_interval;     /* s */
        double stall_warning, stall_abort; /* s, 0: never */
    } run;
    struct {
        char data[DC_FILES_TEXT_MAX]; /* names of files, one per line (files.h) */
        int scale;                    /* dc_scale_kind */
        int reduce;                   /* dc_reduce_kind */
        int norm;                     /* dc_row_norm */
        int64_t components;           /* 0: as many as hold the share `variance` */
        double variance;
        bool whiten;
        int64_t rows;        /* 0: all */
        int residency;       /* dc_residency */
        int64_t chunk_cache; /* MiB */
        char label_dataset[DC_PATH_MAX];
        char matrix[DC_PATH_MAX];
        dc_int_list image_shape;
        double normalize_total; /* 0: none; DC_TOTAL_MEDIAN */
        bool log1p;
        int64_t variable_columns; /* 0: all */
        int variable_flavor;      /* dc_variable_flavor */
        dc_clip clip;
        double clip_scaled; /* 0: none */
    } input;
    struct {
        char encoder[DC_NET_TEXT_MAX], decoder[DC_NET_TEXT_MAX];
        dc_int_list hidden; /* this and the next two are used if `encoder` is empty */
        int64_t latent;
        int activation, latent_activation, output_activation; /* dc_act */
        int init;                                             /* dc_init */
        char weights[DC_PATH_MAX];
    } model;
    struct {
        int mode; /* dc_pretrain_mode */
        int64_t epochs, steps, batch;
        int64_t layer_steps;
        double input_dropout, dropout;
        int loss; /* dc_recon_loss */
        dc_opt_config opt;
    } pretrain;
    struct {
        char method[DC_NAME_MAX];
        int on;   /* dc_on */
        int init; /* dc_start_kind */
        int64_t clusters;
        int64_t n_init, kmeans_max_iter;
        int seeding; /* dc_seeding */
        double kmeans_tol;
        int metric;           /* dc_kmeans_metric */
        int64_t kmeans_batch; /* 0: all rows */
        int64_t max_size;     /* 0: none */
        dc_int_list levels;   /* empty: one level of `clusters` */
        int64_t batch, update_interval, max_iter;
        double tol;
        bool final_kmeans;
        int final; /* dc_final */
        dc_opt_config opt;
    } cluster;
    struct {
        dc_series clusters;
        int64_t sample, subsamples, n_init;
        double share;
    } sweep;
    struct {
        int64_t shards;
        int reproducible; /* dc_reproducible */
        int pin;          /* dc_pin */
        int64_t gather_rows;
        int64_t hash_steps;
        int gemm; /* dc_gemm_backend */
        int isa;  /* dc_isa */
    } parallel;
    struct {
        double every; /* s; 0: not by the clock */
        int64_t keep;
    } checkpoint;
    struct {
        bool embedding;
        int q; /* dc_q_output */
        int64_t q_top;
        int rows;             /* dc_rows_output */
        int64_t examples;     /* m of /clusters/nearest and /clusters/border */
        double outlier_below; /* confidence */
        int topics;           /* dc_topics_output */
        int map;              /* dc_map_output */
        int64_t top_terms, documents;
    } output;
    struct {
        bool save;
        int on; /* dc_on */
        int64_t neighbours;
        int metric;   /* dc_metric */
        int symmetry; /* dc_symmetry */
    } graph;
    _Alignas(16) unsigned char methods[DC_METHODS_BYTES]; /* each method's struct of keys: dc_config_method_keys() */
} dc_config;

/* All functions here are local and know nothing of MPI. */

/* A value of cluster.method; the first is the default. The deck has a section named after each method, with the
 * method's keys. */
typedef struct {
    const char *name, *summary;
    const char *traits; /* "training" or "": decides which keys of other sections the method uses; "sweep": sweep-k can
                           use the method */
    const dc_key *keys; /* [n_keys]; offsets into a struct of keys_bytes bytes */
    int n_keys;
    size_t keys_bytes;
} dc_config_method;
/* The array must stay valid for ever. Call this before anything is parsed or explained. */
void dc_config_set_methods(const dc_config_method *list, int n);
/* The struct of keys of the method in cluster.method, of a type that the method defines; a view into *cfg. */
const void *dc_config_method_keys(const dc_config *cfg);
/* The same for the method in cluster.init; *method: its name. NULL if that is k-means. */
const void *dc_config_start_keys(const dc_config *cfg, const char **method);
/* The same for the mixture of cluster.final; NULL if there is none. */
const void *dc_config_final_keys(const dc_config *cfg);

void dc_config_defaults(dc_config *cfg);
/* The deck's network, from its texts or from hidden, latent and their activations; without layers if the rows
 * themselves are clustered. */
void dc_config_net(const dc_config *cfg, dc_net_text *out);
/* The built-in problem's deck, which `dcmpi` runs if given none; dc_config_parse() can start from it. */
void dc_config_builtin(dc_config *cfg);

/* text[bytes] is the deck as read by rank 0 (NULL or no bytes: no deck); `name` appears in messages as
 * "name:line:col:". overrides[n]: "section.key=value" strings, with or without the leading dashes; they win over the
 * deck. verb: "fit", "kmeans", "sweep-k": it is an error to set a key that is not used, but see
 * dc_config_parse_noting(); a deck may keep sections of methods other than cluster.method. Starts from the values in
 * *cfg. Checks ranges and contradictions and sets keys that follow from others: model.weights turns pretraining off,
 * input.rows of the built-in problem gets its default. Errors: DC_ERR_USAGE; its text lists all errors in one line. */
DC_CHECKED dc_status dc_config_parse(dc_config *cfg, const char *name, const char *text, size_t bytes,
                                     const char *const *overrides, int n_overrides, const char *verb);
/* out[cap] = ", write --cluster.clusters=VALUE" for an option "--clusters" that names no section: the keys of the verb
 * with this name, or with this name in other programs, or with the nearest name; "" if there are none. */
void dc_config_suggest_option(const char *verb, const char *option, char *out, size_t cap);
/* Things that are not errors but worth a line in the log. */
enum { DC_CONFIG_NOTE_MAX = 1024 };
typedef struct {
    /* Keys of the deck that are unused only because of the verb or an override ("cluster.batch, cluster.tol (the verb
     * is kmeans)"), or "". This is not an error, because one deck may serve several runs. */
    char unused[DC_CONFIG_NOTE_MAX];
    /* Old names of keys that were used, with their new ones ("cluster.x is now y.x"), or "". */
    char renamed[DC_CONFIG_NOTE_MAX];
} dc_config_notes;
DC_CHECKED dc_status dc_config_parse_noting(dc_config *cfg, const char *name, const char *text, size_t bytes,
                                            const char *const *overrides, int n_overrides, const char *verb,
                                            dc_config_notes *notes);
/* out[DC_FILES_TEXT_MAX] = the names in the value of an option, one per line: a name, or a list "[a, \"b\"]". `place`
 * is for messages: "command line: --input". Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_config_read_files(const char *text, const char *place, char *out);
/* Reads a deck file whole, at most 1 MiB, into *text (dc_mem, caller frees). Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_config_read_file(const char *path, char **text, size_t *bytes);

/* Writes the effective deck as YAML that dc_config_parse() reads back to the same bits. `verb`: only keys that it uses;
 * NULL: all keys, unused ones commented out. comments: adds documentation. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_config_dump(const dc_config *cfg, const char *verb, bool comments, FILE *out);
/* Prints documentation of "section.key", of a section, or of every key of that name; for an unknown name suggests the
 * nearest (DC_ERR_USAGE).
 */
DC_CHECKED dc_status dc_config_explain(const char *key, FILE *out);
/* The key reference as Markdown (input/README.md is made from it). */
void dc_config_reference(FILE *out);
bool dc_config_has_section(const char *name);
/* The program's sections with their documentation, one line each, plus one line for all method sections; for --help.
 */
void dc_config_list_sections(FILE *out);
/* Writes the key reference as .SS sections of a man page. */
void dc_config_man(FILE *out);
/* Words for shell completion, each after a blank: dc_config_words() prints " --section.key=" for all keys that the verb
 * can use, dc_config_names() prints " section" and " section.key". */
void dc_config_words(const char *verb, FILE *out);
void dc_config_names(FILE *out);
/* Writes lines `--section.key) echo "word word" ;;` for a shell `case`, for keys whose values are words; "@file" stands
 * for a path. */
void dc_config_value_words(FILE *out);
/* Returns how many of the keys that the verb uses and that can change the result differ. out[cap] lists them:
 * "cluster.lr is 0.1, was 0.01; ...". The path of the data is not compared: the caller compares the hash of the data.
 */
int dc_config_differences(const dc_config *was, const dc_config *is, const char *verb, char *out, size_t cap);
/* XXH3 over all values in use that can change the result (not paths of output, not log_interval). */
uint64_t dc_config_hash(const dc_config *cfg);

/* ---- Words in messages, for the command line too ---------------------------------------------------------------- */

enum { DC_QUOTE_MAX = 96 };
/* Makes `text` fit for a message: one line, control characters and bad UTF-8 as \xNN, cut with "..." if long. Returns
 * out. */
const char *dc_quote(char out[DC_QUOTE_MAX], const char *text);
/* Text for a man page, escaped: dc_man_text() puts each sentence on its own line and ends with a newline; dc_man_word()
 * writes one word without a newline. */
void dc_man_text(const char *text, FILE *out);
void dc_man_word(const char *word, size_t len, FILE *out);

#endif
