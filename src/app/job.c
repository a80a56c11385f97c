/* How an MPI verb starts. Rank 0 reads the deck and broadcasts its bytes, and every rank parses them. This works even
 * if other ranks cannot access the file, and all ranks fail in the same way. */
#include "output.h"

#include <gnu/libc-version.h>
#include <string.h>

#include "advice.h"
#include "dcmpi/builtin.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/queue.h"
#include "dcmpi/version.h"
#include "dcmpi/watchdog.h"
#include "expect.h"
#include "resume.h"
#include "saving.h"

/* ---- Deck -------------------------------------------------------------------------------------------------------- */

/* Gives every rank the bytes of the deck; *text is NULL if there is no deck. */
static dc_status spread_deck(dc_comm *comm, const dc_cli *cli, char **text, size_t *bytes)
{
    dc_status st = DC_OK;
    const char *path = cli->deck;
    *text = NULL;
    *bytes = 0;
    if (!path) return DC_OK;
    const bool root = dc_comm_rank(comm) == 0;
    DC_TRY_ALL(comm, root ? dc_expect(DC_EXPECT_DECK, path, cli->verb) : DC_OK);
    DC_TRY_ALL(comm, root ? dc_config_read_file(path, text, bytes) : DC_OK);
    dc_comm_bcast(comm, bytes, sizeof *bytes, 0);
    DC_TRY_ALL(comm, root ? DC_OK : dc_mem_alloc(text, *bytes + 1, 1, "deck"));
    dc_comm_bcast(comm, *text, *bytes, 0);
out:
    return st;
}

dc_status dc_job_dump_deck(dc_job *job)
{
    char *buffer = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&buffer, &bytes);
    if (!f) return DC_FAIL(DC_ERR_MEMORY, "not enough memory for the deck");
    dc_status st = dc_config_dump(&job->cfg, job->cli->verb, false, f);
    fclose(f);
    dc_mem_free(&job->deck);
    if (st == DC_OK) st = dc_mem_alloc(&job->deck, bytes + 1, 1, "deck");
    if (st == DC_OK) memcpy(job->deck, buffer, bytes);
    free(buffer);
    job->from.deck = job->deck;
    return st;
}

static dc_status read_config(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    const dc_cli *cli = job->cli;
    char *text = NULL;
    size_t bytes;
    DC_TRY(spread_deck(comm, cli, &text, &bytes));
    if (cli->deck)
        dc_config_defaults(&job->cfg);
    else
        dc_config_builtin(&job->cfg);
    DC_TRY_ALL(comm, dc_config_parse_noting(&job->cfg, cli->deck ? cli->deck : "builtin", text ? text : "", bytes,
                                            cli->overrides, cli->n_overrides, cli->verb, &job->notes));
    DC_TRY(dc_agree_hash(comm, dc_config_hash(&job->cfg), "deck"));
    DC_TRY_ALL(comm, dc_job_dump_deck(job));
out:
    dc_mem_free(&text);
    return st;
}

/* ---- Provenance ------------------------------------------------------------------------------------------------- */

static void join_command_line(const dc_cli *cli, char *out, size_t cap)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < cli->argc && used < cap; i++) {
        const int n = snprintf(out + used, cap - used, "%s%s", i ? " " : "", cli->argv[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

static void describe_start(dc_comm *comm, dc_job *job)
{
    dc_provenance *p = &job->from;
    char la[256];
    dc_clock_iso(p->created);
    join_command_line(job->cli, p->command_line, sizeof p->command_line);
    dc_la_describe(la, sizeof la);
    snprintf(p->libraries, sizeof p->libraries, "%s; HDF5 %s; %s", la, dc_h5_version(), dc_comm_library());
    p->verb = job->cli->verb;
    p->ranks = dc_comm_size(comm);
    p->nodes = dc_comm_node_count(comm);
    p->threads = job->binding.threads;
    p->cpu = dc_version_cpu();
    p->isa = dc_la_isa_name();
    p->deck_hash = dc_config_hash(&job->cfg);
    p->program_hash = dc_version_program_hash();
    snprintf(p->job, sizeof p->job, "%s", dc_queue_job());
}

/* Checks that matrix products and all other kernels give the same bits on all ranks. */
static dc_status compare_kernels(dc_comm *comm)
{
    char gemm[128];
    struct {
        char host[64], kernels[256];
    } mine, first;
    dc_la_describe_gemm(gemm, sizeof gemm);
    memset(&mine, 0, sizeof mine);
    snprintf(mine.host, sizeof mine.host, "%s", dc_comm_host(comm));
    snprintf(mine.kernels, sizeof mine.kernels, "%s, glibc %s, program %016llx", gemm, gnu_get_libc_version(),
             (unsigned long long)dc_version_program_hash());
    first = mine;
    dc_comm_bcast(comm, &first, sizeof first, 0);
    return dc_agree(
        comm, strcmp(mine.kernels, first.kernels) == 0
                  ? DC_OK
                  : DC_FAIL(DC_ERR_USAGE, "%s, but rank 0 on %s has %s", mine.kernels, first.host, first.kernels));
}

/* Refuses a mixture of kernels, unless parallel.reproducible is off: then the banner warns of it. */
static dc_status check_kernels(dc_comm *comm, dc_job *job)
{
    const dc_status st = compare_kernels(comm);
    if (st != DC_ERR_USAGE) return st;
    snprintf(job->mixed, sizeof job->mixed, "%s", dc_error_text());
    dc_error_clear();
    if (job->cfg.parallel.reproducible == DC_REPRODUCIBLE_OFF) return DC_OK;
    return DC_FAIL(
        DC_ERR_USAGE,
        "ranks run different kernels, which give other bits: %s; use nodes of one type and one program, pin the "
        "kernels with parallel.isa, or set parallel.reproducible = off",
        job->mixed);
}

/* Checks, before the output directory is made, that each rank has a shard. */
static dc_status check_shards(const dc_config *cfg, int ranks)
{
    dc_part part;
    return dc_part_init(&part, 0, dc_int(cfg->parallel.shards), ranks, 0);
}

dc_status dc_job_start(dc_comm *comm, const dc_cli *cli, dc_job *job)
{
    dc_status st = DC_OK;
    *job = (dc_job){.cli = cli};
    job->timers.started = dc_clock_now_s();
    DC_TRY(dc_comm_check_launch(comm));
    DC_TRY_ALL(comm, dc_version_check_cpu());
    DC_TRY(read_config(comm, job));
    DC_TRY(check_shards(&job->cfg, dc_comm_size(comm)));
    dc_gemm_set_backend((dc_gemm_backend)job->cfg.parallel.gemm);
    DC_TRY_ALL(comm, dc_la_set_isa((dc_isa)job->cfg.parallel.isa));
    DC_TRY(check_kernels(comm, job));
    DC_TRY(dc_cores_pin(comm, job->cfg.parallel.pin == DC_PIN_AUTO));
    job->binding = dc_cores_binding(comm);
    describe_start(comm, job);
    job->base_bytes = dc_job_base_bytes();
out:
    return st;
}

/* Writes the error to the log while it is open: people look there to learn why a run ended. */
static void tell_error(dc_status st)
{
    if (st == DC_OK || st == DC_STOPPED || !dc_error_text()[0] || !dc_log_is_active()) return;
    dc_log_error(dc_error_text());
    dc_error_clear();
}

/* Opens the log even for a run that ended early: people look there for the reason. It does no harm if the log then has
 * more lines than the checkpoint recorded. */
static void log_early_end(const dc_job *job, dc_status st)
{
    char path[DC_PATH_MAX];
    if (st == DC_OK || job->accepted || job->resume.refused || !job->lock) return;
    dc_output_path(job, DC_FILE_LOG, path);
    if (dc_log_open(path) != DC_OK) dc_error_clear();
}

dc_status dc_job_end(dc_comm *comm, dc_job *job, dc_status st)
{
    if (st == DC_STOPPED) {
        const dc_status stop = dc_saving_report_stop(comm, job);
        if (stop != DC_OK) st = stop;
    }
    tell_error(st);
    log_early_end(job, st);
    dc_saving_end(comm, job);
    dc_progress_close(&job->progress);
    dc_log_close();
    dc_lock_release(&job->lock);
    dc_files_destroy(&job->files);
    dc_mem_free(&job->deck);
    dc_mem_free(&job->first);
    return st;
}

/* ---- Banner ----------------------------------------------------------------------------------------------------- */

static void note(const char *line)
{
    if (line[0]) dc_log_note("%s", line);
}

void dc_job_note_deck(const dc_job *job)
{
    if (job->notes.unused[0]) dc_log_note("keys of %s that are not used: %s", job->cli->deck, job->notes.unused);
    if (job->notes.renamed[0]) dc_log_note("%s; the old names go on working", job->notes.renamed);
}

/* Rows of the smallest batch; 0 if the verb takes no training steps. */
static int64_t smallest_batch(const dc_job *job)
{
    const dc_config *cfg = &job->cfg;
    if (!dc_cli_has_method(job->cli) || cfg->cluster.on == DC_ON_INPUT) return 0;
    return DC_MIN(cfg->pretrain.batch, cfg->cluster.batch);
}

static void advise_layout(const dc_job *job, int ranks_here)
{
    char line[512];
    const int64_t batch = smallest_batch(job);
    dc_advise_shards(dc_int(job->cfg.parallel.shards), job->from.ranks, line, sizeof line);
    note(line);
    if (batch) dc_advise_batch(batch, job->from.ranks, line, sizeof line);
    if (batch) note(line);
    dc_advise_shm(dc_shm_free_bytes(), ranks_here, line, sizeof line);
    note(line);
}

static void advise(const dc_job *job, int ranks_here)
{
    char line[512];
    if (job->mixed[0])
        dc_log_warning("ranks run different kernels, so another mapping of ranks gives other results: %s", job->mixed);
    if (dc_advise_cores(&job->binding, ranks_here, line, sizeof line))
        dc_log_warning("%s", line);
    else
        note(line);
    dc_advise_threads(&job->binding, ranks_here, line, sizeof line);
    note(line);
    dc_advise_blas(line, sizeof line);
    note(line);
    advise_layout(job, ranks_here);
}

static void print_banner(const dc_job *job, int ranks_here)
{
    const dc_provenance *p = &job->from;
    dc_log("dcmpi %s (%s, ARCH=%s)  %s", dc_version(), dc_version_git(), dc_version_arch(), p->libraries);
    dc_log("%d node%s x %d rank%s x %d thread%s%s on %s, %d of %d cores allowed per rank; FMA peak %.0f GF/s measured",
           p->nodes, p->nodes == 1 ? "" : "s", ranks_here, ranks_here == 1 ? "" : "s", p->threads,
           p->threads == 1 ? "" : "s", job->binding.pinned ? " (pinned)" : "", p->cpu, job->binding.cores_allowed,
           job->binding.cores_machine, 1e-9 * p->peak_flops);
    const char *deck = job->cli->deck                       ? job->cli->deck
                       : dc_builtin_is(job->cfg.input.data) ? "built-in problem"
                                                            : "none, options alone";
    dc_log("deck %s -> %s, seed %lld", deck, job->cfg.run.output, (long long)job->cfg.run.seed);
    advise(job, ranks_here);
}

/* Broadcasts what rank 0 found out about resuming. */
static void spread_resume(dc_comm *comm, dc_resume *r)
{
    int64_t facts[] = {
        r->complete, r->continues, (int64_t)r->data_hash, (int64_t)r->labels_hash, r->knows_labels, r->number,
        r->part,     r->longer};
    dc_comm_bcast(comm, facts, sizeof facts, 0);
    r->complete = facts[0];
    r->continues = facts[1];
    r->data_hash = (uint64_t)facts[2];
    r->labels_hash = (uint64_t)facts[3];
    r->knows_labels = facts[4];
    r->number = facts[5];
    r->part = facts[6];
    r->longer = facts[7];
    if (r->longer) dc_comm_bcast(comm, &r->was, sizeof r->was, 0);
}

dc_status dc_job_open_output(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_output_open(job) : DC_OK);
    DC_TRY(dc_watchdog_start(comm, job->cfg.run.stall_warning, job->cfg.run.stall_abort));
    spread_resume(comm, &job->resume);
    if (!job->resume.complete) {
        job->from.peak_flops = dc_la_measure_peak_flops(job->binding.threads);
        dc_comm_sum_f64(comm, &job->from.peak_flops, 1);
        print_banner(job, dc_comm_node_size(comm));
    }
    if (dc_log_is_active()) dc_job_note_deck(job);
    if (dc_log_is_active()) dc_resume_print(job);
    if (!job->resume.complete) DC_TRY(dc_saving_start(comm, job));
out:
    return st;
}

dc_status dc_job_accept(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    job->accepted = true;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_output_accept(job) : DC_OK);
out:
    return st;
}
