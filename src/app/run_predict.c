/* `dcmpi predict`: sends any number of rows through a finished model, in rounds of bounded memory. Rank r takes the
 * rows that rank r of a training run would take. All ranks do the same number of rounds; a rank that has run out of
 * rows joins in with 0 rows. */
#include "run_predict.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "apart.h"
#include "column_names.h"
#include "data_files.h"
#include "dcmpi/clock.h"
#include "dcmpi/cores.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/standing.h"
#include "dcmpi/version.h"
#include "dcmpi/watchdog.h"
#include "dcmpi/wish.h"
#include "deck_model.h"
#include "expect.h"
#include "result_model.h"
#include "run.h"

enum { ROUND_BYTES = 64 << 20, STALL_WARNING_S = 60 };

/* ---- Command line ------------------------------------------------------------------------------------------------ */

/* --name=VALUE, or --name VALUE with the value in the next word; false if argv[*i] is another option. */
static bool take_value(int argc, char **argv, int *i, const char *name, const char **value)
{
    const size_t length = strlen(name);
    if (strncmp(argv[*i], name, length) != 0) return false;
    if (argv[*i][length] == '=') {
        *value = argv[*i] + length + 1;
        return true;
    }
    if (argv[*i][length] != '\0' || *i + 1 >= argc) return false;
    *value = argv[++*i];
    return true;
}

static bool take_word(const char *arg, const char *name, bool *found)
{
    const bool same = strcmp(arg, name) == 0;
    *found |= same;
    return same;
}

static dc_status parse_rows(const char *text, int64_t *rows)
{
    char *end;
    errno = 0;
    *rows = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && errno == 0 && *rows >= 1) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "command line: --rows-per-round=%s is not a number of rows", text);
}

static dc_status parse_full(const char *text, bool *full)
{
    *full = strcmp(text, "full") == 0;
    if (*full || strcmp(text, "none") == 0) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "command line: --rows=%.64s is neither none nor full", text);
}

static dc_status parse_q(const char *which, const char *most, dc_prediction *p)
{
    static const char *const name[] = {[DC_Q_TOP1] = "top1", [DC_Q_TOP] = "top", [DC_Q_FULL] = "full"};
    char *end = NULL;
    p->q = DC_Q_TOP1;
    for (int i = 0; which && i < (int)DC_COUNT_OF(name); i++)
        if (strcmp(which, name[i]) == 0) p->q = (dc_q_output)i;
    if (which && strcmp(which, name[p->q]) != 0)
        return DC_FAIL(DC_ERR_USAGE, "command line: --q=%.64s is none of top1, top, full", which);
    p->q_top = p->q == DC_Q_TOP ? 10 : 0;
    if (!most) return DC_OK;
    if (p->q != DC_Q_TOP) return DC_FAIL(DC_ERR_USAGE, "command line: --q-top goes with --q=top");
    p->q_top = strtoll(most, &end, 10);
    if (*most == '\0' || *end != '\0' || p->q_top < 1 || p->q_top > 1000)
        return DC_FAIL(DC_ERR_USAGE, "command line: --q-top=%.64s is not a number from 1 to 1000", most);
    return DC_OK;
}

static dc_status parse(int argc, char **argv, dc_prediction *p)
{
    dc_status st = DC_OK;
    const char *rows = NULL, *full = NULL, *quantile = NULL, *q = NULL, *q_top = NULL;
    char quoted[DC_QUOTE_MAX];
    for (int i = 1; i < argc; i++)
        if (!take_value(argc, argv, &i, "--model", &p->model) && !take_value(argc, argv, &i, "--input", &p->input) &&
            !take_value(argc, argv, &i, "--output", &p->output) &&
            !take_value(argc, argv, &i, "--label-dataset", &p->label_dataset) &&
            !take_value(argc, argv, &i, "--text-column", &p->text_column) &&
            !take_value(argc, argv, &i, "--label-column", &p->label_column) &&
            !take_value(argc, argv, &i, "--id-column", &p->id_column) &&
            !take_value(argc, argv, &i, "--matrix", &p->matrix) &&
            !take_value(argc, argv, &i, "--rows-per-round", &rows) && !take_value(argc, argv, &i, "--rows", &full) &&
            !take_value(argc, argv, &i, "--q", &q) && !take_value(argc, argv, &i, "--q-top", &q_top) &&
            !take_value(argc, argv, &i, "--drift-quantile", &quantile) && !take_word(argv[i], "--force", &p->force))
            return DC_FAIL(
                DC_ERR_USAGE,
                "command line: '%s' is not an option of predict, or lacks its value; see dcmpi predict --help",
                dc_quote(quoted, argv[i]));
    if (!p->model || !p->input || !p->output)
        return DC_FAIL(DC_ERR_USAGE,
                       "command line: --%s is missing; predict needs --model=RUN.h5 --input=X.h5 --output=Y.h5",
                       !p->model   ? "model"
                       : !p->input ? "input"
                                   : "output");
    if (!*p->model || !*p->input || !*p->output)
        return DC_FAIL(DC_ERR_USAGE, "command line: --%s is empty; name a file",
                       !*p->model   ? "model"
                       : !*p->input ? "input"
                                    : "output");
    if (rows) DC_TRY(parse_rows(rows, &p->rows_per_round));
    if (full) DC_TRY(parse_full(full, &p->full));
    DC_TRY(parse_q(q, q_top, p));
    DC_TRY(dc_drift_parse(quantile, &p->quantile));
out:
    return st;
}

/* Claims the output. A file that exists is examined in another process first, because it may be damaged. */
static dc_status claim_on_root(dc_prediction *p)
{
    const dc_claim_input inputs[] = {{"--model", p->model}, {"--input", p->input}};
    p->files[0] = p->model;
    p->files[1] = p->input;
    char drift[32], q[32];
    snprintf(q, sizeof q, p->q == DC_Q_TOP ? "top %lld" : "full", (long long)p->q_top);
    snprintf(drift, sizeof drift, "%g", p->quantile);
    const struct {
        const char *name, *value;
    } options[] = {
        {"label-dataset", p->label_dataset}, {"matrix", p->matrix},
        {"text-column", p->text_column},     {"label-column", p->label_column},
        {"id-column", p->id_column},         {"rows", p->full ? "full" : NULL},
        {"q", p->q != DC_Q_TOP1 ? q : NULL}, {"drift-quantile", p->quantile != DC_DRIFT_QUANTILE ? drift : NULL}};
    size_t used = 0;
    for (size_t i = 0; i < DC_COUNT_OF(options) && used < sizeof p->options; i++)
        if (options[i].value)
            used += (size_t)snprintf(p->options + used, sizeof p->options - used, "%s%s=%s", used ? "\n" : "",
                                     options[i].name, options[i].value);
    p->recipe = (dc_recipe){"predict", p->files, DC_COUNT_OF(p->files), p->options};
    if (!p->force && dc_apart_probe(DC_PROBE_OUTPUT, p->output, DC_ERR_FORMAT) != DC_OK) {
        dc_error_clear();
        return DC_FAIL(DC_ERR_USAGE, "%s: output exists and is damaged; give another name, or --force to replace it",
                       p->output);
    }
    return dc_claim_take(&p->claim, p->output, p->force, &p->recipe, inputs, DC_COUNT_OF(inputs));
}

/* Tells all ranks where the output goes; rank 0 holds the lock. */
static dc_status claim_output(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? claim_on_root(p) : DC_OK);
    dc_comm_bcast(comm, p->claim.path, sizeof p->claim.path, 0);
out:
    return st;
}

static dc_status probe_model(const dc_prediction *p)
{
    const dc_status st = dc_expect(DC_EXPECT_MODEL, p->model, "predict");
    return st == DC_OK ? dc_apart_probe(DC_PROBE_MODEL, p->model, DC_ERR_FORMAT) : st;
}

static dc_status open_files(dc_comm *comm, dc_prediction *p, const char *matrix)
{
    dc_status st = DC_OK;
    const dc_files_wanted wanted = {
        .names = p->names, .labels = p->label_dataset, .matrix = matrix, .verb = "predict", .one = p->one_file};
    dc_files_destroy(&p->data_files);
    DC_TRY(dc_data_files_open(comm, &wanted, &p->data_files));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_files_refuse(p->data_files, p->claim.path) : DC_OK);
out:
    return st;
}

/* On rank 0: sets *has to whether the input has the matrix of the run, and none is asked for. */
static dc_status look_for_matrix(const dc_prediction *p, bool *has)
{
    const dc_files *files = p->data_files;
    *has = false;
    if (p->matrix || !p->trained.matrix[0] || *dc_files_dataset(files, 0)) return DC_OK;
    if (!files->plain && !files->file[0].hdf5) return DC_OK;
    return dc_dataset_has_matrix(dc_files_path(files, 0), p->trained.matrix, has);
}

/* On rank 0: sets *has to whether all files of the input have the labels of the run, and none are asked for. */
static dc_status look_for_labels(const dc_prediction *p, bool *has)
{
    dc_status st = DC_OK;
    const dc_files *files = p->data_files;
    *has = !p->label_dataset && p->trained.labels[0];
    for (size_t i = 0; st == DC_OK && *has && i < files->n; i++) {
        *has = files->plain || files->file[i].hdf5;
        if (*has) st = dc_dataset_has_labels(dc_files_path(files, i), p->trained.labels, has);
    }
    return st;
}

static dc_status look_for_datasets(const dc_prediction *p, bool *matrix, bool *labels)
{
    const dc_status st = look_for_matrix(p, matrix);
    return st == DC_OK ? look_for_labels(p, labels) : st;
}

/* Takes the matrix and the labels that the run took, if the input has them and no others are asked for. */
static dc_status choose_datasets(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    bool matrix = false, labels = false;
    const char *title = p->data_files->title;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? look_for_datasets(p, &matrix, &labels) : DC_OK);
    int64_t has[2] = {matrix, labels};
    dc_comm_max_i64(comm, has, 2);
    if (!has[0] && !has[1]) return DC_OK;
    if (has[0]) {
        p->matrix = p->trained.matrix;
        dc_log_note("%s: rows are those of %s, as in the run; --matrix takes others", title, p->matrix);
    }
    if (has[1]) {
        p->label_dataset = p->trained.labels;
        dc_log_note("%s: labels are those of %s, as in the run; --label-dataset takes others", title, p->label_dataset);
    }
    DC_TRY(open_files(comm, p, p->matrix));
out:
    return st;
}

/* ---- Set-up ------------------------------------------------------------------------------------------------------ */

static dc_status check_names(const dc_prediction *p)
{
    const dc_trained *t = &p->trained;
    return dc_column_names_check(p->model, "", t->counts.used ? &t->counts : NULL, p->input, p->stream.head.D,
                                 p->stream.feature_names);
}

/* Windows move over images of the shape in the run. Not an error: the run's deck may have set another shape than its
 * file. */
static void warn_of_images(const dc_prediction *p)
{
    char there[DC_IMAGE_TEXT_MAX], here[DC_IMAGE_TEXT_MAX];
    const dc_data_header *head = &p->stream.head;
    const dc_int_list *own = &p->deck.input.image_shape;
    if (p->trained.has_method && dc_deck_image(&p->deck).c > 0 && head->n_image_dims > 0 &&
        !dc_image_same(head->n_image_dims, head->image_shape, own->n, own->v))
        dc_log_warning("%s has images of %s; the model of %s takes them as images of %s, as in its run", p->input,
                       dc_image_text(head->n_image_dims, head->image_shape, there), p->model,
                       dc_image_text(own->n, own->v, here));
}

static dc_status open_input(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    const dc_data_request request = {.files = p->data_files, .labels = p->label_dataset, .matrix = p->matrix};
    DC_TRY(dc_row_stream_open(comm, &request, &p->stream));
    if (p->stream.head.D != dc_trained_columns(&p->trained))
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s has %lld columns, the model of %s was trained on %lld", p->input,
                       (long long)p->stream.head.D, p->model, (long long)dc_trained_columns(&p->trained)));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_names(p) : DC_OK);
    warn_of_images(p);
out:
    return st;
}

/* Uses as many shards as the training run, so that its rows fall into the same tiles again; more only if there are more
 * ranks. */
static dc_status cut_rows(dc_comm *comm, dc_prediction *p)
{
    const int P = dc_comm_size(comm);
    int shards = p->trained.shards;
    while (shards < P && shards < DC_MAX_SHARDS) shards *= 2;
    return dc_part_init(&p->part, p->stream.head.N, shards, P, dc_comm_rank(comm));
}

/* 0: there is no embedding. */
static int64_t embedding_width(const dc_trained *t)
{
    return t->slab.net.n_layers > 0 ? t->width : 0;
}

/* Bytes of a row of q that is kept for the file. */
static size_t q_row_bytes(const dc_prediction *p)
{
    const size_t K = (size_t)p->trained.K;
    if (p->q == DC_Q_FULL) return sizeof(float) * K;
    return (sizeof(float) + sizeof(int32_t)) * DC_MIN((size_t)p->q_top, K);
}

/* Bytes of a row of the input; for sparse rows, of one as long as the mean. */
static size_t input_row_bytes(const dc_prediction *p)
{
    const dc_data_header *head = &p->stream.head;
    if (!head->sparse) return (size_t)head->D * dc_dtype_bytes(head->dtype);
    return 8 + 8 * (size_t)(head->nnz / head->N + 1);
}

/* Rows of a round: as many as fit into ROUND_BYTES, at least a tile. */
static int64_t choose_capacity(const dc_prediction *p)
{
    const dc_trained *t = &p->trained;
    const size_t row = input_row_bytes(p) + 4 * (size_t)(embedding_width(t) + t->pca.k + 6) + q_row_bytes(p);
    const int64_t fit = p->rows_per_round ? p->rows_per_round : (int64_t)(ROUND_BYTES / row);
    return DC_MAX(DC_MIN(fit, p->part.N), t->tile_rows);
}

/* Upper bound of the memory this rank will hold; it does not grow with the file. */
static double bound_bytes(const dc_prediction *p, double base, int threads)
{
    enum { PIECE_BYTES = 4 << 20, SPARSE_PIECE_BYTES = 32 << 20 };
    const dc_trained *t = &p->trained;
    const double D = (double)t->D, K = (double)t->K, width = (double)embedding_width(t), n = (double)p->capacity;
    const dc_data_header *head = &p->stream.head;
    const double stored = head->sparse ? 8 : (double)input_row_bytes(p);
    const double row = stored + 16 + (t->has_method ? 4 * (width + 1) : 0) + (double)q_row_bytes(p);
    const double sparse = 8 * (double)dc_header_most_nnz(head, p->capacity);
    const double counts = t->counts.used ? (head->sparse ? 4 * (double)t->counts.D : 4 * D * n) + 4 * D : 0;
    const double k = (double)t->pca.k,
                 components = k > 0 ? 4 * k * (2 * D + n) + dc_pca_project_bytes(t->D, t->pca.k) : 0;
    double widths = D;
    for (int l = 0; l < t->slab.net.n_encoder; l++) widths += (double)t->slab.net.layer[l].out;
    if (t->has_method) widths += K + 1;
    const double norms = t->norm != DC_ROW_NORM_NONE && k == 0 ? 4 * (n + threads * D) : 0;
    const double tiles = t->has_method ? threads * (double)t->tile_rows * widths : threads * 256 * D;
    double levels = 0;
    for (int v = 0; v + 1 < t->levels.n; v++) levels += (double)t->levels.K[v] * (4 * (double)t->width + 16);
    const double finder = t->has_method || t->levels.n > 0 ? 0 : dc_finder_bytes(t->K, t->width);
    const double model = finder + levels + 4 * ((double)t->slab.n + 2 * D) + components + norms,
                 mine = (double)dc_part_rows(&p->part);
    const double standing = (p->full || p->drift.quantile ? 2 * sizeof(double) * n + 1024 * D : 0) +
                            (p->full ? 20 * mine + dc_standing_rank_bytes(&p->part, t->K, true) : 0) + 40 * K;
    return standing + head->files_bytes + base + model + counts + n * row + sparse +
           (head->sparse ? SPARSE_PIECE_BYTES : 0) + 4 * tiles + 16 * K + PIECE_BYTES;
}

static dc_status check_memory(dc_comm *comm, const dc_prediction *p, double base)
{
    const dc_memory_need need = {.rank_bytes = bound_bytes(p, base, dc_cores_binding(comm).threads)};
    dc_log("memory    about %.3f GiB per rank, %lld rows at a time", need.rank_bytes / 0x1p30, (long long)p->capacity);
    return dc_job_check_memory(comm, &need, "a smaller --rows-per-round");
}

static dc_status take_rows(dc_prediction *p)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&p->part);
    DC_TRY(dc_mem_alloc(&p->all_labels, n, sizeof *p->all_labels, "labels"));
    DC_TRY(dc_mem_alloc(&p->all_distances, n, sizeof *p->all_distances, "distances to centres"));
    DC_TRY(dc_mem_alloc(&p->rank, n, sizeof *p->rank, "ranks of rows"));
out:
    return st;
}

static dc_status take_memory(dc_prediction *p)
{
    dc_status st = DC_OK;
    const dc_trained *t = &p->trained;
    const size_t n = (size_t)p->capacity, K = (size_t)t->K;
    DC_TRY(dc_predictor_create(&p->predictor, t, &p->part, p->stream.head.dtype, p->stream.head.sparse, p->capacity,
                               p->input));
    DC_TRY(dc_mem_alloc(&p->labels, n, sizeof *p->labels, "labels"));
    DC_TRY(dc_mem_alloc(&p->size, K, sizeof *p->size, "cluster sizes"));
    if (p->full || p->drift.quantile) {
        DC_TRY(dc_mem_alloc(&p->distance, n, sizeof *p->distance, "distances to centres"));
        if (p->full) DC_TRY(dc_mem_alloc(&p->cosine, n, sizeof *p->cosine, "cosines to centres"));
        dc_predictor_measure(p->predictor, p->distance, p->cosine);
    }
    if (p->full) DC_TRY(take_rows(p));
    if (!t->has_method) goto out;
    if (embedding_width(t) > 0)
        DC_TRY(dc_mem_alloc(&p->Z, dc_mul_size(n, (size_t)t->width), sizeof *p->Z, "embedding"));
    DC_TRY(dc_mem_alloc(&p->confidence, n, sizeof *p->confidence, "confidence"));
    DC_TRY(dc_q_top_create(&p->top, (int64_t)n, DC_MIN(p->q_top, t->K)));
    if (p->q == DC_Q_FULL) DC_TRY(dc_mem_alloc(&p->all_q, dc_mul_size(n, K), sizeof *p->all_q, "soft assignment"));
    dc_predictor_give_q(p->predictor, &p->top, p->all_q);
out:
    return st;
}

static void print_plan(const dc_prediction *p, int P)
{
    const dc_trained *t = &p->trained;
    const dc_data_header *head = &p->stream.head;
    char kind[DC_DATA_KIND_MAX];
    dc_log("model     %s: %lld columns, %s%s, %lld clusters", p->model, (long long)dc_trained_columns(t),
           t->has_method ? "method " : "k-means on the data", t->method, (long long)t->K);
    dc_log("input     %s: %lld rows of %s, %s, %s; %d rank%s", p->input, (long long)p->part.N,
           dc_data_kind_text(head->sparse, head->dtype, head->N, head->D, head->nnz, kind),
           p->stream.C ? "labels for the scores only" : "no labels", dc_checksum_text(p->stream.checksum), P,
           P == 1 ? "" : "s");
}

/* Uses the kernels of the training run, because they give the same bits. */
static void use_kernels_of(const dc_trained *t)
{
    if (!t->knows_isa)
        dc_log_note(
            "the model was written by dcmpi %s, which did not store the instruction set (attribute isa): that of this "
            "CPU is used; if the model was trained with another one, the embedding may differ in the last bits",
            t->written_by);
    dc_gemm_set_backend((dc_gemm_backend)t->gemm);
    if (dc_la_set_isa((dc_isa)t->isa) == DC_OK) return;
    dc_log_note("this CPU does not have the kernels that the model was trained with: the embedding may differ in the "
                "last bits");
    dc_error_clear();
}

static dc_status check_method(const dc_prediction *p)
{
    const dc_trained *t = &p->trained;
    const dc_method *method = t->has_method ? dc_method_find(t->method) : NULL;
    const dc_method_env env = {.K = t->K, .L = t->width, .keys = t->keys};
    if (!method && p->q != DC_Q_TOP1)
        return DC_FAIL(DC_ERR_USAGE, "%s: a result of k-means has no soft assignment; leave out --q", p->model);
    return method && method->check_predict ? method->check_predict(&env) : DC_OK;
}

static dc_status prepare(dc_comm *comm, const dc_cli *cli, dc_prediction *p)
{
    dc_status st = DC_OK;
    const double base = dc_job_base_bytes();
    DC_TRY(dc_comm_check_launch(comm));
    DC_TRY_ALL(comm, parse(cli->rest_argc, cli->rest_argv, p));
    DC_TRY_ALL(comm, dc_version_check_cpu());
    DC_TRY(claim_output(comm, p));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? probe_model(p) : DC_OK);
    DC_TRY(dc_prediction_read_documents(comm, p));
    DC_TRY(open_files(comm, p, p->matrix));
    DC_TRY(dc_result_model_load(comm, p->model, &p->deck, &p->trained));
    DC_TRY(choose_datasets(comm, p));
    DC_TRY_ALL(comm, check_method(p));
    if (p->trained.has_method) use_kernels_of(&p->trained);
    DC_TRY(dc_drift_load(comm, p->model, p->trained.K, p->quantile, &p->drift));
    DC_TRY(open_input(comm, p));
    if (p->q == DC_Q_FULL) DC_TRY_ALL(comm, dc_q_check("--q", p->stream.head.N, p->trained.K));
    DC_TRY_ALL(comm, cut_rows(comm, p));
    p->capacity = choose_capacity(p);
    DC_TRY(check_memory(comm, p, base));
    DC_TRY(dc_row_stream_start(comm, &p->stream, &p->part, p->capacity));
    DC_TRY_ALL(comm, take_memory(p));
    dc_scoring_announce(p->input, p->part.N, p->trained.K, p->stream.C);
    dc_scoring_start(comm, &p->scoring, dc_part_rows(&p->part), p->part.N, p->trained.K, p->stream.C);
    print_plan(p, dc_comm_size(comm));
out:
    return st;
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------ */

static void count(dc_prediction *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++) p->size[p->labels[i]]++;
    dc_drift_add(&p->drift, p->labels, p->distance, n);
    if (p->full && n > 0) {
        memcpy(p->all_labels + p->done, p->labels, (size_t)n * sizeof *p->labels);
        memcpy(p->all_distances + p->done, p->distance, (size_t)n * sizeof *p->distance);
    }
    p->done += n;
    dc_scoring_add(&p->scoring, p->labels, p->stream.y, n);
}

static dc_status run_rounds(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    int64_t rounds = dc_predict_pieces(&p->trained, &p->part, p->capacity);
    dc_comm_max_i64(comm, &rounds, 1);
    for (int64_t r = 0; r < rounds; r++) {
        const int64_t n = dc_predictor_next(p->predictor);
        DC_TRY(dc_row_stream_read(comm, &p->stream, n));
        DC_TRY_ALL(comm, dc_predictor_run(p->predictor, p->stream.X, p->stream.head.sparse ? &p->stream.csr : NULL,
                                          p->Z, p->labels, p->confidence, &p->strange));
        count(p, n);
        DC_TRY(dc_prediction_append(comm, p, n));
        dc_log_bar("predict   %.0f%%", 100.0 * (double)(r + 1) / (double)rounds);
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

static void warn_of_strange_rows(dc_comm *comm, const dc_prediction *p)
{
    char place[DC_FILES_ROW_MAX];
    dc_strange_rows all = p->strange;
    dc_comm_sum_i64(comm, &all.count, 1);
    dc_comm_min_i64(comm, &all.row, 1);
    int64_t column = all.row == p->strange.row ? p->strange.column : INT64_MAX;
    dc_comm_min_i64(comm, &column, 1);
    if (all.count)
        dc_log_warning("%lld of %lld rows hold values far beyond those of the training data, the first in row %lld%s, "
                       "%s %lld (counted from 0): their labels mean little",
                       (long long)all.count, (long long)p->part.N, (long long)all.row,
                       dc_files_row(dc_prediction_sources(p), all.row, place),
                       p->trained.pca.k > 0 ? "component" : "column", (long long)column);
}

static void print_result(const dc_prediction *p, double wall_s)
{
    const dc_scores *s = &p->scoring.scores;
    char acc[32] = "", scores[160] = "", unlabelled[48] = "";
    int64_t used = 0;
    for (int64_t k = 0; k < p->trained.K; k++) used += p->size[k] > 0;
    if (isfinite(s->acc)) snprintf(acc, sizeof acc, " acc=%.3f", s->acc);
    if (p->scoring.has_scores)
        snprintf(scores, sizeof scores, "%s nmi=%.3f ari=%.3f purity=%.3f f=%.3f", acc, s->nmi, s->ari, s->purity,
                 s->f_measure);
    if (p->stream.unlabelled)
        snprintf(unlabelled, sizeof unlabelled, " unlabelled=%lld", (long long)p->stream.unlabelled);
    dc_log("results   %s", p->output);
    dc_log_plain("RESULT  rows=%lld%s%s clusters=%lld used=%lld wall=%.1fs", (long long)p->part.N, scores, unlabelled,
                 (long long)p->trained.K, (long long)used, wall_s);
}

static void release(dc_prediction *p)
{
    dc_predictor_destroy(&p->predictor);
    dc_row_stream_close(&p->stream);
    dc_files_destroy(&p->data_files);
    dc_files_destroy(&p->documents);
    dc_trained_release(&p->trained);
    dc_mem_free(&p->Z);
    dc_mem_free(&p->confidence);
    dc_mem_free(&p->distance);
    dc_mem_free(&p->cosine);
    dc_mem_free(&p->all_labels);
    dc_mem_free(&p->all_distances);
    dc_mem_free(&p->rank);
    dc_drift_release(&p->drift);
    dc_mem_free(&p->labels);
    dc_q_top_release(&p->top);
    dc_mem_free(&p->all_q);
    dc_mem_free(&p->size);
    dc_scoring_release(&p->scoring);
    dc_prediction_drop_documents(p);
    dc_claim_release(&p->claim);
}

static dc_status beat(void *ctx)
{
    const dc_prediction *p = ctx;
    return dc_lock_beat(p->claim.lock);
}

dc_status dc_run_predict(dc_comm *comm, const dc_cli *cli)
{
    dc_status st = DC_OK;
    dc_prediction p = {.strange.row = INT64_MAX};
    dc_wish *wish = NULL;
    const double start = dc_clock_now_s();
    DC_TRY(dc_wish_create(comm, &wish, &(dc_wish_config){.beat = beat, .ctx = &p}));
    dc_comm_set_wish(comm, wish);
    DC_TRY(dc_watchdog_start(comm, STALL_WARNING_S, 0));
    DC_TRY(prepare(comm, cli, &p));
    DC_TRY(dc_prediction_create(comm, &p));
    DC_TRY(run_rounds(comm, &p));
    DC_TRY(dc_row_stream_end(comm, &p.stream));
    DC_TRY(dc_prediction_commit(comm, &p));
    warn_of_strange_rows(comm, &p);
    dc_drift_tell(&p.drift);
    print_result(&p, dc_clock_now_s() - start);
out:
    dc_h5_stream_abort(comm, &p.file);
    if (st == DC_STOPPED && dc_agree(comm, dc_lock_beat(p.claim.lock)) != DC_OK) st = DC_ERR_BUSY; /* beat said why */
    if (st == DC_STOPPED) {
        (void)dc_wish_ask(wish); /* a rank that saw the signal while it read told the others only that it stops */
        dc_wish_agree_on_reason(comm, wish);
        dc_log("stopped   by %s: no prediction is written; the same command starts anew", dc_wish_reason(wish));
    }
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
    release(&p);
    return st;
}
