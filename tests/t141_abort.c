/* Ends that nobody can agree on: a failed assertion or MPI call on one rank, and, in debug builds, ranks in different
 * collectives, end the whole job with code 70 and a line that names the place. The test starts itself under mpirun. */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/comm/comm_mpi.h"
#include "check.h"

extern char **environ;
enum { RANKS = 3 };

static void fail_as(dc_comm *comm, const char *how)
{
    const int me = dc_comm_rank(comm);
    int64_t x[8] = {0};
    if (strcmp(how, "assert") == 0) DC_ASSERT(me != 1);
    if (strcmp(how, "mpi") == 0) dc_comm_bcast(comm, x, sizeof x, me == 1 ? RANKS + 7 : 0);
    if (strcmp(how, "line") == 0 && me == 2) dc_comm_barrier(comm);
    if (strcmp(how, "count") == 0) dc_comm_sum_i64(comm, x, me == 0 ? 8 : 7);
    dc_comm_barrier(comm);
}

static int child(const char *how)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    fail_as(comm, how);
    dc_comm_destroy(&comm);
    return 0;
}

/* Exit code of `mpirun -n RANKS self how`; its output, standard error included, goes to text. */
static int run(const char *self, const char *how, char *text, size_t size)
{
    char ranks[16];
    int ends[2], status = 0;
    pid_t pid;
    size_t used = 0;
    snprintf(ranks, sizeof ranks, "%d", RANKS);
    const char *const words[] = {"mpirun", "--oversubscribe", "--bind-to", "none", "-n", ranks, self, how, NULL};
    char *const *argv = (char *const *)(uintptr_t)words;
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0) return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    const int failed = posix_spawnp(&pid, "mpirun", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    for (ssize_t got; !failed && (got = read(ends[0], text + used, size - 1 - used)) > 0;) used += (size_t)got;
    text[used] = '\0';
    close(ends[0]);
    if (failed || waitpid(pid, &status, 0) != pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check_ends(const char *self, const char *how, const char *first, const char *second)
{
    static char text[1 << 16];
    CHECK_INT(run(self, how, text, sizeof text), DC_ERR_INTERNAL);
    CHECK_TEXT_HAS(text, first);
    CHECK_TEXT_HAS(text, second);
}

int main(int argc, char **argv)
{
    if (argc > 1) return child(argv[1]);
    static char text[1 << 16];
    CHECK_INT(run(argv[0], "well", text, sizeof text), 0);
    check_ends(argv[0], "assert", "me != 1", "t141_abort.c:");
    check_ends(argv[0], "mpi", "[rank 1 ", "failed: MPI_ERR_ROOT");
#ifdef DC_DEBUG
    check_ends(argv[0], "line", "[rank 2 ", "in barrier of 0 at t141_abort.c:");
    check_ends(argv[0], "count", "in allreduce of 8 at t141_abort.c:", "in allreduce of 7 at t141_abort.c:");
#endif
    return check_done();
}
