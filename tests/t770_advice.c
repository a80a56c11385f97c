/* Advice: each line is printed if its cause exists, and only then. ranks: 1 3 */
#include "app/advice.h"
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/report.h"

static char line[512];

static void check_shards(int shards, int ranks, const char *words)
{
    dc_advise_shards(shards, ranks, line, sizeof line);
    CHECK_TEXT_HAS(line, words);
    if (!*words) CHECK_INT(line[0], 0);
}

static void test_layout(void)
{
    check_shards(64, 1, "");
    check_shards(64, 64, "");
    check_shards(64, 5, "");
    check_shards(64, 48, "some ranks hold 2, the others 1 and wait; use 32 or 64 ranks");
    check_shards(64, 33, "");
    check_shards(8, 7, "use 4 or 8 ranks");
    dc_advise_batch(256, 1, line, sizeof line);
    CHECK_INT(line[0], 0);
    dc_advise_batch(256, 32, line, sizeof line);
    CHECK_INT(line[0], 0);
    dc_advise_batch(256, 64, line, sizeof line);
    CHECK_TEXT_HAS(line, "a batch of 256 gives each of 64 ranks 4.0 rows");
}

static void test_shm(void)
{
    dc_advise_shm(64 * 0x1p20, 2, line, sizeof line);
    CHECK_INT(line[0], 0);
    dc_advise_shm(64 * 0x1p20, 17, line, sizeof line);
    CHECK_TEXT_HAS(line, "/dev/shm has 64.0 MiB left for 17 ranks");
    dc_advise_shm(0, 1, line, sizeof line);
    CHECK_INT(line[0], 0);
    dc_advise_shm(-1, 2, line, sizeof line);
    CHECK_INT(line[0], 0);
    CHECK(dc_shm_free_bytes() >= -1);
}

static void test_cores(void)
{
    dc_binding b = {.cores_allowed = 8, .threads = 8, .cores_machine = 8, .sharers = 1, .quota = INFINITY};
    CHECK(!dc_advise_cores(&b, 1, line, sizeof line) && line[0] == '\0');
    CHECK(!dc_advise_cores(&b, 2, line, sizeof line));
    CHECK_TEXT_HAS(line, "2 ranks x 8 threads on 8 cores of this node: oversubscribed");
    b = (dc_binding){.cores_allowed = 1, .threads = 1, .cores_machine = 8, .sharers = 1, .quota = INFINITY};
    CHECK(!dc_advise_cores(&b, 2, line, sizeof line));
    CHECK_TEXT_HAS(line, "each rank is bound to one core of 8");
    b.threads = 4;
    CHECK(dc_advise_cores(&b, 2, line, sizeof line));
    CHECK_TEXT_HAS(line, "4 threads per rank on 1 allowed core; set OMP_NUM_THREADS=1, or start with");
    b = (dc_binding){.cores_allowed = 8, .threads = 8, .cores_machine = 8, .sharers = 1, .quota = 2};
    CHECK(!dc_advise_cores(&b, 1, line, sizeof line));
    CHECK_TEXT_HAS(line, "1 rank x 8 threads, of which control groups let 2 run at a time");
}

static void test_threads(void)
{
    dc_binding b = {
        .cores_allowed = 8, .threads = 8, .cores_machine = 8, .sharers = 1, .quota = INFINITY, .chosen = true};
    dc_advise_threads(&b, 1, line, sizeof line);
    CHECK_INT(line[0], 0);
    b.sharers = 4, b.threads = 2;
    dc_advise_threads(&b, 4, line, sizeof line);
    CHECK_TEXT_HAS(line, "OMP_NUM_THREADS is not set: 2 threads per rank, as 4 ranks share 8 cores");
    b.quota = 6, b.threads = 1;
    dc_advise_threads(&b, 4, line, sizeof line);
    CHECK_TEXT_HAS(line, "1 thread per rank, as control groups grant this node's 4 ranks 6 cores");
    b.chosen = false;
    dc_advise_threads(&b, 4, line, sizeof line);
    CHECK_INT(line[0], 0);
    b.piled_up = b.pinned = true;
    dc_advise_threads(&b, 4, line, sizeof line);
    CHECK_TEXT_HAS(line, "put the threads of 4 ranks on the same cores; they were bound to cores of their own");
}

/* Clocks of a run in which rank `slow` takes `factor` times as long; each rank spends `sync_s` on messages. */
static dc_timing collect(dc_comm *comm, int slow, double factor, double work, double sync_s)
{
    dc_timers t = {.started = dc_clock_now_s() - 60};
    dc_timing out;
    const bool odd = dc_comm_rank(comm) == slow;
    t.section[DC_T_PRETRAIN_NETWORK] = (dc_timer){10, odd ? 10 * factor : 10, odd ? 1e9 * work : 1e9, 0};
    t.section[DC_T_CLUSTER_NETWORK] = (dc_timer){10, 5, 1e9, 0};
    t.section[DC_T_PRETRAIN_SYNC] = (dc_timer){10, sync_s + (odd ? 0 : 10 * (factor - 1)), 0, 0};
    CHECK_OK(dc_timing_collect(comm, &t, &out));
    CHECK_INT(out.ranks, dc_comm_size(comm));
    return out;
}

static void test_slow_rank(dc_comm *comm)
{
    const int P = dc_comm_size(comm);
    dc_timing t = collect(comm, P - 1, 4, 1, 1);
    dc_advise_slow_rank(&t, line, sizeof line);
    if (P > 1) {
        CHECK_TEXT_HAS(line, "rank 2 on ");
        CHECK_TEXT_HAS(line, "worked 45.0 s where the average rank worked 25.0 s");
        CHECK_INT(t.busiest_rank, P - 1);
    } else {
        CHECK_INT(line[0], 0);
    }
    dc_advise_messages(&t, line, sizeof line);
    CHECK_INT(line[0], 0); /* the others waited: that is no message */

    t.busiest.seconds = 1.9, t.busy.seconds = 1, t.wall_s = 4;
    dc_advise_slow_rank(&t, line, sizeof line);
    CHECK_INT(line[0], 0); /* too short to tell */

    t = collect(comm, P - 1, 1.1, 1, 1);
    dc_advise_slow_rank(&t, line, sizeof line);
    CHECK_INT(line[0], 0);
    t = collect(comm, P - 1, 4, 7, 1); /* it had as much more to do */
    dc_advise_slow_rank(&t, line, sizeof line);
    CHECK_INT(line[0], 0);
}

static void test_messages(dc_comm *comm)
{
    dc_timing t = collect(comm, 0, 1, 1, 15);
    dc_advise_messages(&t, line, sizeof line);
    if (dc_comm_size(comm) > 1)
        CHECK_TEXT_HAS(line, "messages took 50 % of the training steps on 3 ranks");
    else
        CHECK_INT(line[0], 0);
    t = collect(comm, 0, 1, 1, 5);
    dc_advise_messages(&t, line, sizeof line);
    CHECK_INT(line[0], 0);
    dc_log_set_active(false);
    dc_timing_print(&t, 0);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    test_layout();
    test_shm();
    test_cores();
    test_threads();
    test_slow_rank(comm);
    test_messages(comm);
    return check_done_all(&comm);
}
