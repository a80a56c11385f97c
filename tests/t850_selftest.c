/* The runner of `dcmpi selftest`: verdicts agreed over ranks, exit codes, errors on one rank only, no leftovers of a
 * write that failed. ranks: 1 2 3 5 */
#include "../src/app/selftest.h"

#include "check.h"
#include "dcmpi/log.h"

#include <stdlib.h>
#include <unistd.h>

static dc_status pass(dc_comm *comm, dc_selftest *t)
{
    dc_selftest_figure(t, "fine");
    return dc_agree(comm, DC_OK);
}

static dc_status skip(dc_comm *comm, dc_selftest *t)
{
    (void)comm;
    return dc_selftest_skip(t, "not today");
}

/* The last rank alone has found something. */
static dc_status fail_on_last(dc_comm *comm, dc_selftest *t)
{
    const bool last = dc_comm_rank(comm) == dc_comm_size(comm) - 1;
    dc_selftest_figure(t, "fine here");
    return dc_agree(comm, last ? DC_FAIL(DC_ERR_MEMORY, "broken on the last rank") : DC_OK);
}

enum { N = 5 };

static void run(dc_comm *comm, const dc_selftest_check *checks, int n, dc_selftest *t, dc_status expected)
{
    *t = (dc_selftest){.dir = "."};
    CHECK_STATUS(dc_selftest_run(comm, t, checks, n), expected);
    CHECK_INT(t->passed + t->failed + t->skips, n);
}

static void test_verdicts(dc_comm *comm)
{
    static const dc_selftest_check checks[N] = {{"a", "one", DC_ERR_NUMERIC, pass, 0},
                                                {"a", "two", DC_ERR_IO, fail_on_last, 0},
                                                {"b", "three", DC_ERR_NUMERIC, skip, 0},
                                                {"b", "four", DC_ERR_USAGE, fail_on_last, 0},
                                                {"b", "five", DC_ERR_NUMERIC, pass, 0}};
    dc_selftest t;
    run(comm, checks, 1, &t, DC_OK);
    CHECK_INT(t.passed, 1);
    run(comm, checks, N, &t, DC_ERR_IO); /* the highest code of the rows that failed, not that of the error inside */
    CHECK_TEXT_HAS(dc_error_text(), "selftest failed: two, four");
    CHECK_INT(t.passed, 2);
    CHECK_INT(t.skips, 1);
    CHECK_INT(t.failed, 2);
    dc_error_clear();
    run(comm, checks + 4, 1, &t, DC_OK);
}

/* A round trip into a directory that is not there fails on all ranks, and a good one leaves the file that was named. */
static void test_files(dc_comm *comm)
{
    dc_round_trip r;
    char path[DC_PATH_MAX], dir[CHECK_PATH_MAX];
    if (dc_comm_rank(comm) == 0) CHECK(mkdtemp(check_temporary(dir)) != NULL);
    dc_comm_bcast(comm, dir, sizeof dir, 0);
    CHECK_STATUS(dc_selftest_round_trip(comm, "/tmp/none/x.h5", 10, &r), DC_ERR_IO);
    dc_error_clear();
    dc_selftest_name_file(comm, dir, ".h5", path);
    CHECK_OK(dc_selftest_round_trip(comm, path, 1000, &r));
    CHECK_INT(access(path, F_OK), 0);
    CHECK_OK(dc_selftest_round_trip(comm, path, 2, &r)); /* ranks without rows */
    dc_selftest_remove_file(comm);
    CHECK_INT(access(path, F_OK), -1);
    if (dc_comm_rank(comm) == 0) CHECK_INT(rmdir(dir), 0); /* empty */
}

int main(void)
{
    dc_comm *comm = NULL;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    test_verdicts(comm);
    test_files(comm);
    return check_done_all(&comm);
}
