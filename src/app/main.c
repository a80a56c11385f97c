/* dcmpi: one binary, several verbs. Verbs for a login node do not start MPI unless they run under mpirun; then rank 0
 * does their work. Only rank 0 reports errors in the command line. */
#include <signal.h>

#include "apart.h"
#include "dcmpi/cores.h"
#include "dcmpi/h5.h"
#include "dcmpi/la.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/threads.h"
#include "dcmpi/waiting.h"
#include "verbs.h"

/* Ends the process at once if the file library could not close a file: in a normal exit, the library or MPI would
 * crash. */
static void end_now_if_damaged(dc_comm *comm, dc_status st)
{
    double damaged = dc_h5_is_damaged();
    if (comm) dc_comm_max_f64(comm, &damaged, 1);
    if (damaged == 0) return;
    fflush(stdout);
    if (comm) dc_comm_abort(comm, st);
    _Exit((int)st);
}

/* Runs a verb that needs one process only. */
static dc_status run_serial(const dc_verb *verb, const dc_cli *cli, bool inside)
{
    return verb->apart && !inside ? dc_apart_run(verb, cli) : verb->serial(cli->rest_argc, cli->rest_argv);
}

/* `parsed`: the status of reading the command line; verb is NULL unless `parsed` is DC_OK. */
static dc_status run_under_mpi(const dc_verb *verb, const dc_cli *cli, dc_status parsed)
{
    dc_comm *comm = NULL;
    dc_status st = DC_OK;
    const char *core;
    (void)dc_la_blas_core_is_old(&core);
    dc_waiting_prepare(cli->argv, core);
    if (verb && dc_verb_takes_signals(verb, cli)) dc_signals_install();
    DC_TRY(dc_comm_create(&comm));
    DC_TRY(dc_cores_share(comm));
    dc_threads_init();
    st = dc_agree(comm, parsed);
    if (st != DC_OK || !verb) goto out;
    if (verb->mpi)
        st = verb->mpi(comm, cli);
    else
        st = dc_agree(comm, dc_comm_rank(comm) == 0 ? run_serial(verb, cli, false) : DC_OK);
    if (st == DC_OK) st = dc_agree(comm, dc_h5_check_library());
out:
    if (st != DC_OK && dc_error_text()[0] && dc_log_is_active()) dc_log_error(dc_error_text());
    if (comm) end_now_if_damaged(comm, st);
    dc_comm_destroy(&comm);
    return st;
}

int main(int argc, char **argv)
{
    dc_cli cli;
    dc_mem_setup();
    signal(SIGPIPE, SIG_IGN); /* a closed stdout or a file-size limit then gives an error code instead of a signal */
    signal(SIGXFSZ, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line goes out at once, also to a file or a pipe */
    dc_cli_register_methods();
    const bool inside = dc_apart_enter(argc, argv);
    dc_status st = dc_cli_parse(argc, argv, &cli);
    if (st == DC_OK && cli.help) return dc_cli_help(&cli, stdout);
    const dc_verb *verb = st == DC_OK ? dc_verb_find(cli.verb) : NULL;
    if (!inside && (dc_comm_is_launched() || (verb && verb->mpi && !verb->serial)))
        st = run_under_mpi(verb, &cli, st);
    else {
        if (verb) st = run_serial(verb, &cli, inside);
        if (st == DC_OK) st = dc_h5_check_library();
        if (inside)
            dc_apart_leave(st);
        else if (st != DC_OK && dc_error_text()[0])
            dc_log_error(dc_error_text());
        end_now_if_damaged(NULL, st);
    }
    dc_cli_release(&cli);
    return (int)st;
}
