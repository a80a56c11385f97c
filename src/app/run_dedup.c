/* `dcmpi dedup`: near-duplicate rows within the clusters of a run, and which of them to keep. */
#include "run_dedup.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "apart.h"
#include "data_files.h"
#include "dcmpi/clock.h"
#include "dcmpi/cores.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/standing.h"
#include "dcmpi/version.h"
#include "dcmpi/watchdog.h"
#include "dcmpi/wish.h"
#include "earlier.h"
#include "expect.h"
#include "result_model.h"
#include "run.h"

enum {
    STALL_WARNING_S = 60,
    LINE_INTERVAL_S = 10,
    LINE_INTERVAL_MAX_S = 300,
    PAIRS_MAX_DEFAULT = 1000000,
    SAVE_EVERY_S = 900
};
static const double COSINE_DEFAULT = 0.95;

/* ---- Command line ------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *output, *cosine, *on, *probe, *keep, *pairs;
} words;

/* --name=VALUE */
static bool take_value(const char *word, const char *name, const char **value)
{
    const size_t length = strlen(name);
    if (strncmp(word, name, length) != 0 || word[length] != '=') return false;
    *value = word + length + 1;
    return true;
}

static dc_status fail_option(const char *word)
{
    static const char *const takes_value[] = {"--output", "--cosine", "--on",   "--probe",
                                              "--keep",   "--pairs",  "--input"};
    char quoted[DC_QUOTE_MAX];
    for (size_t i = 0; i < DC_COUNT_OF(takes_value); i++)
        if (strcmp(word, takes_value[i]) == 0)
            return DC_FAIL(DC_ERR_USAGE, "command line: %s lacks its value: %s=VALUE; see dcmpi dedup --help", word,
                           word);
    return DC_FAIL(DC_ERR_USAGE, "command line: '%s' is not an option of dedup; see dcmpi dedup --help",
                   dc_quote(quoted, word));
}

static dc_status split(int argc, char **argv, dc_dedup *d, words *w)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (take_value(word, "--output", &w->output) || take_value(word, "--cosine", &w->cosine) ||
            take_value(word, "--on", &w->on) || take_value(word, "--probe", &w->probe) ||
            take_value(word, "--keep", &w->keep) || take_value(word, "--pairs", &w->pairs) ||
            take_value(word, "--input", &d->input))
            continue;
        if (strcmp(word, "--force") == 0)
            d->force = true;
        else if (strcmp(word, "--dry-run") == 0)
            d->dry_run = true;
        else if (word[0] == '-' || d->run)
            return fail_option(word);
        else
            d->run = word;
    }
    if (!d->run) return DC_FAIL(DC_ERR_USAGE, "command line: dedup needs the run.h5 of a run: dcmpi dedup RUN.h5");
    return DC_OK;
}

static dc_status parse_count(const char *name, const char *text, int64_t *out)
{
    char *end;
    if (!text) return DC_OK;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text && *end == '\0' && errno == 0 && *out >= 0 && *out <= INT32_MAX) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "command line: --%s=%.64s is not a number from 0 to %d", name, text, INT32_MAX);
}

static dc_status parse_cosine(const char *text, double *out)
{
    char *end;
    *out = COSINE_DEFAULT;
    if (!text) return DC_OK;
    *out = strtod(text, &end);
    if (*text && *end == '\0' && *out > 0 && *out <= 1) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "command line: --cosine=%.64s is not a number above 0 and at most 1", text);
}

static dc_status parse_on(const char *text, int *out)
{
    *out = -1;
    if (!text) return DC_OK;
    for (int on = 0; on < 2; on++)
        if (strcmp(text, dc_dedup_on_name(on ? DC_ON_INPUT : DC_ON_EMBEDDING)) == 0) {
            *out = on ? DC_ON_INPUT : DC_ON_EMBEDDING;
            return DC_OK;
        }
    return DC_FAIL(DC_ERR_USAGE, "command line: --on=%.64s is neither input nor embedding", text);
}

static dc_status parse_keep(const char *text, dc_keep *out)
{
    *out = DC_KEEP_NEAREST;
    if (!text) return DC_OK;
    for (int keep = DC_KEEP_NEAREST; keep <= DC_KEEP_FIRST; keep++)
        if (strcmp(text, dc_dedup_keep_name((dc_keep)keep)) == 0) {
            *out = (dc_keep)keep;
            return DC_OK;
        }
    return DC_FAIL(DC_ERR_USAGE, "command line: --keep=%.64s is none of nearest, furthest and first", text);
}

/* By default dedup.h5 beside the run.h5. */
static dc_status name_output(const char *given, dc_dedup *d)
{
    const char *slash = strrchr(d->run, '/');
    const int folder = slash ? (int)(slash - d->run) + 1 : 0;
    const int n = given ? snprintf(d->output, sizeof d->output, "%s", given)
                        : snprintf(d->output, sizeof d->output, "%.*sdedup.h5", folder, d->run);
    if (given && !*given) return DC_FAIL(DC_ERR_USAGE, "command line: --output is empty; name a file");
    return n < (int)sizeof d->output ? DC_OK : DC_FAIL(DC_ERR_USAGE, "command line: the output name is too long");
}

static dc_status parse(int argc, char **argv, dc_dedup *d)
{
    dc_status st = DC_OK;
    words w = {0};
    d->pairs_max = PAIRS_MAX_DEFAULT;
    DC_TRY(split(argc, argv, d, &w));
    DC_TRY(parse_cosine(w.cosine, &d->cosine));
    DC_TRY(parse_on(w.on, &d->on));
    DC_TRY(parse_keep(w.keep, &d->keep));
    DC_TRY(parse_count("probe", w.probe, &d->probe));
    DC_TRY(parse_count("pairs", w.pairs, &d->pairs_max));
    DC_TRY(name_output(w.output, d));
out:
    return st;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static dc_status read_deck(dc_h5 *h5, const char *path, dc_dedup_run *from)
{
    dc_status st = DC_OK;
    char *deck = NULL, verb[16];
    DC_TRY(dc_result_deck_text(h5, &deck));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "verb", verb, sizeof verb));
    dc_config_defaults(&from->deck);
    if (dc_config_parse(&from->deck, path, deck, strlen(deck), NULL, 0, verb) != DC_OK) {
        dc_error_clear();
        st = DC_FAIL(DC_ERR_FORMAT, "this program cannot read the deck in %s", path);
    }
out:
    dc_mem_free(&deck);
    return st;
}

static dc_status read_shapes(dc_h5 *h5, const char *path, dc_dedup_run *from)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    DC_TRY(dc_h5_dataset_info(h5, "/labels", &info));
    if (info.type != DC_H5_I32 || !info.exact || info.n_dims != 1 || info.dims[0] < 1)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '/labels' is not a list of int32", path);
    from->N = info.dims[0];
    if (dc_h5_exists(h5, "/embedding")) {
        DC_TRY(dc_h5_dataset_info(h5, "/embedding", &info));
        if (info.type != DC_H5_F32 || !info.exact || info.n_dims != 2 || info.dims[0] != from->N ||
            info.dims[1] != from->width)
            return DC_FAIL(DC_ERR_FORMAT, "%s: '/embedding' is not a float32 array of %lld x %lld", path,
                           (long long)from->N, (long long)from->width);
        from->L = info.dims[1];
    }
    if (dc_h5_exists(h5, "/ids")) {
        DC_TRY(dc_h5_dataset_info(h5, "/ids", &info));
        if (info.type != DC_H5_TEXT || info.n_dims != 1 || info.dims[0] != from->N)
            return DC_FAIL(DC_ERR_FORMAT, "%s: '/ids' is not a list of %lld texts", path, (long long)from->N);
        from->id_bytes = info.item_bytes;
    }
    DC_TRY(dc_h5_get_attr_hash(h5, "/", "data_hash", &from->data_hash));
    if (dc_h5_has_attr(h5, "/", "result_hash")) DC_TRY(dc_h5_get_attr_hash(h5, "/", "result_hash", &from->result_hash));
out:
    return st;
}

static dc_status read_run(const char *path, dc_dedup_run *from)
{
    dc_status st = DC_OK;
    dc_trained t;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_expect(DC_EXPECT_MODEL, path, "dedup"));
    DC_TRY(dc_apart_probe(DC_PROBE_MODEL, path, DC_ERR_FORMAT));
    DC_TRY(dc_trained_header(path, &t));
    *from = (dc_dedup_run){.K = t.K, .width = t.width, .D = t.D, .shards = t.shards};
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(read_deck(h5, path, from));
    DC_TRY(read_shapes(h5, path, from));
    DC_TRY(dc_h5_check_unchanged(h5));
    from->has_network = t.has_method && from->deck.cluster.on != DC_ON_INPUT;
out:
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* Settles what is compared, and whether the run has it. */
static dc_status choose_rows(dc_dedup *d)
{
    const dc_dedup_run *from = &d->from;
    if (d->on < 0) d->on = from->has_network ? DC_ON_EMBEDDING : DC_ON_INPUT;
    if (!d->input) d->input = from->deck.input.data;
    if (d->on == DC_ON_EMBEDDING && !from->has_network)
        return DC_FAIL(DC_ERR_USAGE, "%s: the run has no embedding, it clustered the rows themselves; use --on=input",
                       d->run);
    if (from->has_network && from->L == 0 && (d->on == DC_ON_EMBEDDING || d->keep != DC_KEEP_FIRST))
        return DC_FAIL(DC_ERR_USAGE,
                       "%s has no /embedding, as the run had output.embedding = false; use --on=input --keep=first, or "
                       "start the run again with it",
                       d->run);
    if (d->probe >= from->K)
        return DC_FAIL(DC_ERR_USAGE,
                       "command line: --probe=%lld: the run has %lld clusters, so a cluster has %lld others",
                       (long long)d->probe, (long long)from->K, (long long)from->K - 1);
    return DC_OK;
}

static dc_status claim_on_root(dc_dedup *d)
{
    dc_status st = DC_OK;
    const bool reads_input = d->on == DC_ON_INPUT;
    const dc_claim_input inputs[] = {{"the run", d->run}, {"--input", d->input}};
    d->files[0] = d->run;
    d->files[1] = d->input;
    snprintf(d->options, sizeof d->options, "cosine=%.9g\non=%s\nprobe=%lld\nkeep=%s\npairs=%lld", d->cosine,
             dc_dedup_on_name(d->on), (long long)d->probe, dc_dedup_keep_name(d->keep), (long long)d->pairs_max);
    d->recipe = (dc_recipe){"dedup", d->files, reads_input ? 2 : 1, d->options};
    if (!d->force && dc_apart_probe(DC_PROBE_OUTPUT, d->output, DC_ERR_FORMAT) != DC_OK) {
        dc_error_clear();
        return DC_FAIL(DC_ERR_USAGE, "%s: output exists and is damaged; give another name, or --force to replace it",
                       d->output);
    }
    DC_TRY(dc_claim_take(&d->claim, d->output, d->force, &d->recipe, inputs, reads_input ? 2 : 1));
out:
    return st;
}

static dc_status claim_output(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? claim_on_root(d) : DC_OK);
    dc_comm_bcast(comm, d->claim.path, sizeof d->claim.path, 0);
out:
    return st;
}

static dc_status find_saved(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    snprintf(d->saved.path, sizeof d->saved.path, "%.*s.ckpt", DC_PATH_MAX - 16, d->claim.path);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_dedup_find_saved(d) : DC_OK);
    dc_comm_bcast(comm, &d->saved, sizeof d->saved, 0);
out:
    return st;
}

/* ---- Arrays of the run ------------------------------------------------------------------------------------------- */

static dc_status read_centers(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    const size_t cells = dc_mul_size((size_t)d->from.K, (size_t)d->from.width);
    DC_TRY_ALL(comm, dc_mem_alloc(&d->centers, cells, sizeof *d->centers, "cluster centres"));
    if (dc_comm_rank(comm) == 0) {
        st = dc_h5_open(&h5, d->run, DC_H5_READ);
        if (st == DC_OK) st = dc_h5_check_hash(h5, "/cluster_centers");
        if (st == DC_OK) st = dc_h5_read_rows(h5, "/cluster_centers", DC_H5_F32, 0, d->from.K, d->centers);
        st = dc_h5_close_read(&h5, st);
    }
    DC_TRY_ALL(comm, st);
    dc_comm_bcast(comm, d->centers, cells * sizeof *d->centers, 0);
out:
    return st;
}

static dc_status read_labels(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(&d->part), K = d->from.K;
    DC_TRY_ALL(comm, dc_mem_alloc(&d->label, (size_t)n, sizeof *d->label, "labels"));
    DC_TRY_ALL(comm, dc_mem_alloc(&d->size, (size_t)K, sizeof *d->size, "cluster sizes"));
    DC_TRY(dc_dedup_read(comm, d->run, &d->part, "/labels", DC_H5_I32, 1, d->label));
    for (int64_t i = 0; i < n && st == DC_OK; i++) {
        if (d->label[i] >= 0 && d->label[i] < K)
            d->size[d->label[i]]++;
        else
            st = DC_FAIL(DC_ERR_FORMAT, "%s: '/labels' has %d in row %lld; there are %lld clusters", d->run,
                         d->label[i], (long long)(d->part.row_lo + i), (long long)K);
    }
    DC_TRY_ALL(comm, st);
    dc_comm_sum_i64(comm, d->size, (size_t)K);
out:
    return st;
}

/* ---- Set-up ------------------------------------------------------------------------------------------------------ */

static dc_duplicates_config config_of(const dc_dedup *d, const dc_rows *rows)
{
    return (dc_duplicates_config){.rows = rows,
                                  .K = d->from.K,
                                  .label = d->label,
                                  .size = d->size,
                                  .cosine = d->cosine,
                                  .probe = d->probe,
                                  .centers = d->centers,
                                  .width = d->from.width,
                                  .keep = d->keep,
                                  .distance = d->distance,
                                  .pairs_max = d->pairs_max,
                                  .save = dc_dedup_save,
                                  .from = d->before.shards ? &d->before : NULL};
}

static bool needs_embedding(const dc_dedup *d)
{
    return d->on == DC_ON_EMBEDDING || (d->from.has_network && d->keep != DC_KEEP_FIRST);
}

/* Upper bound of the memory this rank will hold. */
static double bound_bytes(dc_comm *comm, dc_dedup *d, const dc_data_header *head, double base)
{
    enum { PIECE_BYTES = 4 << 20 };
    const double n = (double)dc_part_rows(&d->part), before = dc_dedup_size_saved(d);
    const dc_config *deck = &d->from.deck;
    const dc_rows rows = {.part = &d->part, .d = d->width};
    const dc_duplicates_config cfg = config_of(d, &rows);
    double held = before + n * (sizeof *d->label + (double)d->from.id_bytes), loading = 0;
    if (d->keep != DC_KEEP_FIRST) held += n * sizeof *d->distance;
    if (needs_embedding(d)) held += n * (double)d->from.L * sizeof *d->Z;
    dc_clip clip = deck->input.clip;
    if (clip.kind == DC_CLIP_NONE && deck->input.clip_scaled > 0) clip = (dc_clip){DC_CLIP_RANGE, -INFINITY, INFINITY};
    if (d->on == DC_ON_INPUT) {
        held += dc_dataset_bytes(head, &d->part, &clip);
        loading = dc_dataset_loading_bytes(head, &d->part, dc_cores_binding(comm).threads,
                                           (dc_scale_kind)deck->input.scale, &clip);
    }
    held += (double)d->from.K * (sizeof *d->size + (double)d->from.width * sizeof *d->centers);
    const double result = n * 2 * sizeof(dc_gidx);
    return base + 1.03 * (held + fmax(loading, fmax(dc_duplicates_bytes(&cfg), result + dc_dedup_write_bytes(d)))) +
           PIECE_BYTES;
}

static dc_status inspect_input(dc_comm *comm, dc_dedup *d, dc_data_header *head)
{
    dc_status st = DC_OK;
    const dc_config *deck = &d->from.deck;
    const dc_files_wanted wanted = {.names = deck->input.data,
                                    .labels = deck->input.label_dataset,
                                    .matrix = deck->input.matrix,
                                    .verb = "dedup",
                                    .run = d->input == deck->input.data ? d->run : NULL};
    if (d->on != DC_ON_INPUT) return DC_OK;
    DC_TRY(dc_data_files_open(comm, &wanted, &d->data_files));
    const dc_data_request request = dc_run_request(deck, d->data_files);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_files_refuse(d->data_files, d->claim.path) : DC_OK);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_dataset_inspect(&request, head) : DC_OK);
    dc_comm_bcast(comm, head, sizeof *head, 0);
    if (head->N != d->from.N || head->D != d->from.D)
        st = DC_FAIL(DC_ERR_DATA, "%s has %lld rows x %lld, the run of %s had %lld x %lld", d->data_files->title,
                     (long long)head->N, (long long)head->D, d->run, (long long)d->from.N, (long long)d->from.D);
out:
    return st;
}

/* As many shards as the run had; more only if there are more ranks, or there were when the search was saved. */
static dc_status cut_rows(dc_comm *comm, dc_dedup *d)
{
    const int P = dc_comm_size(comm);
    int shards = DC_MAX(d->from.shards, d->saved.shards);
    while (shards < P && shards < DC_MAX_SHARDS) shards *= 2;
    return dc_part_init(&d->part, d->from.N, shards, P, dc_comm_rank(comm));
}

static dc_status prepare(dc_comm *comm, const dc_cli *cli, dc_dedup *d)
{
    dc_status st = DC_OK;
    dc_data_header head = {0};
    const double base = dc_job_base_bytes();
    DC_TRY(dc_comm_check_launch(comm));
    DC_TRY_ALL(comm, parse(cli->rest_argc, cli->rest_argv, d));
    DC_TRY_ALL(comm, dc_version_check_cpu());
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? read_run(d->run, &d->from) : DC_OK);
    dc_comm_bcast(comm, &d->from, sizeof d->from, 0);
    DC_TRY_ALL(comm, choose_rows(d));
    if (d->input != d->from.deck.input.data)
        DC_TRY_ALL(comm, dc_config_read_files(d->input, "command line: --input", d->from.deck.input.data));
    DC_TRY(claim_output(comm, d));
    DC_TRY(find_saved(comm, d));
    DC_TRY_ALL(comm, cut_rows(comm, d));
    DC_TRY(inspect_input(comm, d, &head));
    d->width = d->on == DC_ON_EMBEDDING ? d->from.L : dc_header_width(&head);
    dc_log("run       %s: %lld rows, %lld clusters; cosine >= %g of the %s, within clusters%s", d->run,
           (long long)d->from.N, (long long)d->from.K, d->cosine, dc_dedup_on_name(d->on),
           d->probe ? " and the nearest others of each" : "");
    DC_TRY(read_centers(comm, d));
    DC_TRY(read_labels(comm, d));
    dc_memory_need need = {.rank_bytes = bound_bytes(comm, d, &head, base)};
    if (d->on == DC_ON_INPUT) need.root_bytes = dc_dataset_loading_root_bytes(&head, &d->part);
    dc_comm_max_f64(comm, &need.rank_bytes, 1);
    dc_log("memory    at most %.3f GiB per rank", need.rank_bytes / 0x1p30);
    DC_TRY(
        dc_job_check_memory(comm, &need, d->on == DC_ON_INPUT && d->from.L ? "--on=embedding" : "a smaller --pairs"));
out:
    return st;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* The files of the run, beside its result, say which of them is another. */
static dc_status fail_values(const dc_dedup *d)
{
    char table[DC_PATH_MAX], what[DC_PATH_MAX + 64] = "";
    const char *slash = strrchr(d->run, '/');
    const int folder = slash ? (int)(slash - d->run) + 1 : 0;
    if (snprintf(table, sizeof table, "%.*sfiles.tsv", folder, d->run) < (int)sizeof table && !d->data_files->plain)
        dc_files_blame(d->data_files, table, what, sizeof what);
    return DC_FAIL(DC_ERR_DATA, "%s is not what the run of %s clustered: its values have changed%s%s",
                   d->data_files->title, d->run, what[0] ? ": " : "", what);
}

static dc_status load_input(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    dc_earlier own = {.rows = 0}; /* a run that went on from another one did not find its scaling in these rows */
    dc_data_request request = dc_run_request(&d->from.deck, d->data_files);
    if (d->on != DC_ON_INPUT) return DC_OK;
    if (d->from.deck.cluster.init == DC_START_WEIGHTS) {
        DC_TRY(dc_earlier_load(comm, d->run, &own));
        request.given = &own.given;
    }
    DC_TRY(dc_dataset_open(comm, &request, d->part.V, (uint64_t)d->from.deck.run.seed, 1, &d->data));
    if (d->part.V == d->from.shards && d->data->hash != d->from.data_hash && dc_comm_rank(comm) == 0)
        st = fail_values(d);
    DC_TRY_ALL(comm, st);
out:
    dc_earlier_release(&own);
    return st;
}

static dc_status load_embedding(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&d->part);
    if (!needs_embedding(d)) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&d->Z, dc_mul_size(n, (size_t)d->from.L), sizeof *d->Z, "embedding"));
    DC_TRY(dc_dedup_read(comm, d->run, &d->part, "/embedding", DC_H5_F32, (size_t)d->from.L, d->Z));
out:
    return st;
}

static dc_status load_ids(dc_comm *comm, dc_dedup *d)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&d->part);
    if (d->from.id_bytes == 0) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&d->ids, n, d->from.id_bytes, "ids"));
    DC_TRY(dc_dedup_read(comm, d->run, &d->part, "/ids", DC_H5_TEXT, d->from.id_bytes, d->ids));
out:
    return st;
}

static dc_rows embedded_rows(const dc_dedup *d)
{
    return (dc_rows){.part = &d->part, .d = d->from.L, .X = d->Z};
}

static dc_status measure_distances(dc_dedup *d)
{
    dc_status st = DC_OK;
    if (d->keep == DC_KEEP_FIRST) return DC_OK;
    const dc_rows rows = d->from.has_network ? embedded_rows(d) : dc_rows_of_dataset(d->data);
    if (rows.d != d->from.width)
        return DC_FAIL(DC_ERR_FORMAT, "%s: its centres have %lld columns, the rows %lld", d->run,
                       (long long)d->from.width, (long long)rows.d);
    DC_TRY(dc_mem_alloc(&d->distance, (size_t)dc_part_rows(&d->part), sizeof *d->distance, "distances"));
    DC_TRY(dc_standing_of(&rows, d->centers, d->label, d->distance, NULL));
out:
    return st;
}

static void gather_input(const void *ctx, const int64_t *row, int64_t n, void *out)
{
    dc_dataset_gather(ctx, row, n, out);
}

/* A line after ten seconds, then ever more seldom. */
static void tell_progress(void *ctx, int64_t done, int64_t all)
{
    dc_dedup *d = ctx;
    const double now = dc_clock_now_s(), left = (now - d->search_start_s) * (double)(all - done) / (double)done;
    if (now < d->next_line_s || done == all) return;
    dc_log("search    %5.1f %%  %lld of %lld blocks of rows, about %.0f s left", 100 * (double)done / (double)all,
           (long long)done, (long long)all, left);
    d->interval_s = fmin(1.5 * d->interval_s, LINE_INTERVAL_MAX_S);
    d->next_line_s = now + d->interval_s;
}

static dc_status search(dc_comm *comm, dc_dedup *d)
{
    const bool on_input = d->on == DC_ON_INPUT;
    const dc_rows rows = on_input ? dc_rows_of_dataset(d->data) : embedded_rows(d);
    const dc_items items = {(size_t)rows.d * sizeof(float), NULL, gather_input, d->data};
    dc_duplicates_config cfg = config_of(d, &rows);
    if (on_input) cfg.items = &items;
    cfg.progress = tell_progress;
    cfg.ctx = d;
    d->interval_s = LINE_INTERVAL_S;
    d->saved_s = d->search_start_s = dc_clock_now_s();
    d->next_line_s = d->search_start_s + d->interval_s;
    return dc_duplicates_find(comm, &cfg, &d->found);
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

/* What helps if too many rows point the same way. */
static const char *remedy(const dc_dedup *d)
{
    if (d->on == DC_ON_EMBEDDING)
        return "the embedding may have few directions: compare the rows themselves with --on=input, or raise --cosine";
    if (d->from.deck.input.scale == DC_SCALE_NONE)
        return "the rows may all point the same way (a mean that is far from 0): raise --cosine";
    return "the scaled rows may all point the same way: cluster them with input.scale=none, or raise --cosine";
}

static void tell(const dc_dedup *d, double wall_s)
{
    const dc_duplicates *f = &d->found;
    const double share = (double)f->removed / (double)d->from.N;
    int64_t touched = 0;
    for (int64_t k = 0; k < d->from.K; k++) touched += f->removed_of[k] > 0;
    dc_log("pairs     %lld, %lld of them across clusters; %lld groups, the largest of %lld rows", (long long)f->pairs,
           (long long)f->across, (long long)f->groups, (long long)f->largest);
    dc_log("removed   %lld of %lld rows (%.2f %%), in %lld of %lld clusters; kept: the %s of each group",
           (long long)f->removed, (long long)d->from.N, 100 * share, (long long)touched, (long long)d->from.K,
           d->keep == DC_KEEP_FIRST ? "first" : dc_dedup_keep_name(d->keep));
    if (share > 0.5)
        dc_log_warning("most rows are near duplicates at --cosine=%g: if that is too much, %s", d->cosine, remedy(d));
    if (f->zeros)
        dc_log_note("%lld rows of zeros have no cosine: they are kept, and duplicates of nothing", (long long)f->zeros);
    if (!f->listed && d->pairs_max > 0)
        dc_log_note("the pairs are more than --pairs=%lld: they are counted, not listed", (long long)d->pairs_max);
    dc_log("results   %s", d->output);
    dc_log_plain("RESULT  rows=%lld pairs=%lld groups=%lld removed=%lld share=%.4f wall=%.1fs", (long long)d->from.N,
                 (long long)f->pairs, (long long)f->groups, (long long)f->removed, share, wall_s);
}

/* Of all that prepare() could not know without looking at the clusters. */
static dc_status tell_work(dc_comm *comm, const dc_dedup *d)
{
    dc_duplicates_work work;
    const dc_rows rows = {.part = &d->part, .d = d->width};
    const dc_duplicates_config cfg = config_of(d, &rows);
    const dc_status st = dc_duplicates_foresee(comm, &cfg, &work);
    if (st != DC_OK) return st;
    dc_log("work      %.4g pairs of rows are compared within clusters, %.4g across: %.3g TFLOP", work.within,
           work.across, 2e-12 * (double)d->width * (work.within + work.across));
    dc_log("result    at most %.3f GiB in %s", dc_dedup_file_bytes(d) / 0x1p30, d->output);
    dc_log_plain("dry run: run, input, output and memory are fine; nothing was written");
    return DC_OK;
}

static void release(dc_dedup *d)
{
    dc_duplicates_release(&d->found);
    dc_dataset_destroy(&d->data);
    dc_files_destroy(&d->data_files);
    dc_mem_free(&d->label);
    dc_mem_free(&d->size);
    dc_mem_free(&d->centers);
    dc_mem_free(&d->Z);
    dc_mem_free(&d->ids);
    dc_mem_free(&d->distance);
    dc_dedup_release_saved(d);
    dc_claim_release(&d->claim);
}

static dc_status beat(void *ctx)
{
    const dc_dedup *d = ctx;
    return dc_lock_beat(d->claim.lock);
}

dc_status dc_run_dedup(dc_comm *comm, const dc_cli *cli)
{
    dc_status st = DC_OK;
    dc_dedup d = {0};
    dc_wish *wish = NULL;
    const double start = dc_clock_now_s();
    DC_TRY(dc_wish_create(comm, &wish, &(dc_wish_config){.save_every_s = SAVE_EVERY_S, .beat = beat, .ctx = &d}));
    dc_comm_set_wish(comm, wish);
    DC_TRY(dc_watchdog_start(comm, STALL_WARNING_S, 0));
    DC_TRY(prepare(comm, cli, &d));
    if (d.dry_run) {
        st = tell_work(comm, &d);
        goto out;
    }
    DC_TRY(load_input(comm, &d));
    DC_TRY(load_embedding(comm, &d));
    DC_TRY_ALL(comm, measure_distances(&d));
    DC_TRY(dc_dedup_load_saved(comm, &d));
    DC_TRY(search(comm, &d));
    dc_dedup_release_saved(&d);
    dc_mem_free(&d.Z);
    dc_dataset_destroy(&d.data);
    DC_TRY(load_ids(comm, &d));
    DC_TRY(dc_dedup_write(comm, &d));
    if (dc_comm_rank(comm) == 0) dc_dedup_drop_saved(&d);
    tell(&d, dc_clock_now_s() - start);
out:
    if (st == DC_STOPPED && dc_agree(comm, dc_lock_beat(d.claim.lock)) != DC_OK) st = DC_ERR_BUSY; /* beat said why */
    if (st == DC_STOPPED)
        dc_log("stopped   by %s, %.2f s after the request: %s; the same command %s", dc_wish_reason(wish),
               dc_wish_latency(wish), d.saved.is_there ? d.saved.path : "nothing is saved yet",
               d.saved.is_there ? "continues" : "starts anew");
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
    release(&d);
    return st;
}
