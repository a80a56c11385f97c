/* Self-test, the machine: is it the same on all ranks, and was the job started so that it can use the machine? A slow
 * machine fails no check here; it only leads to advice. */
#include <math.h>
#include <string.h>

#include "advice.h"
#include "dcmpi/clock.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/version.h"
#include "selftest.h"

enum { TEXT_MAX = 4096 };
static const double GIB = 0x1p30, MIB = 0x1p20;

/* DC_OK if `text` is the same on all ranks. Collective. */
static dc_status agree_text(dc_comm *comm, const char *what, const char *text)
{
    char first[TEXT_MAX];
    snprintf(first, sizeof first, "%s", text);
    dc_comm_bcast(comm, first, sizeof first, 0);
    const bool same = strncmp(first, text, sizeof first - 1) == 0;
    return dc_agree(comm, same ? DC_OK
                               : DC_FAIL(DC_ERR_USAGE,
                                         "%s here: %.400s; on rank 0: %.400s; results may then depend on which rank "
                                         "does the work",
                                         what, text, first));
}

dc_status dc_selftest_program(dc_comm *comm, dc_selftest *t)
{
    dc_selftest_figure(t, "%s, commit %s, compiled for %s: the same on all ranks", dc_version(), dc_version_git(),
                       dc_version_arch());
    return agree_text(comm, "the program", dc_version_build());
}

/* The CPU's "model name", as Linux gives it on x86; empty if it gives none. */
static void read_cpu_model(char *out, size_t cap)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    out[0] = '\0';
    while (f && !out[0] && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(out, cap, "%s", colon + 1 + strspn(colon + 1, " "));
        out[strcspn(out, "\n")] = '\0';
    }
    if (f) fclose(f);
}

dc_status dc_selftest_cpu(dc_comm *comm, dc_selftest *t)
{
    char model[200], kernels[200], both[TEXT_MAX];
    read_cpu_model(model, sizeof model);
    dc_la_describe(kernels, sizeof kernels);
    snprintf(both, sizeof both, "%s with %s", model[0] ? model : "unknown model", kernels);
    dc_selftest_figure(t, "%s on all ranks", model[0] ? model : "unknown model");
    return agree_text(comm, "CPU", both);
}

dc_status dc_selftest_cores(dc_comm *comm, dc_selftest *t)
{
    const dc_binding *b = &t->binding;
    const int ranks = dc_comm_node_size(comm);
    dc_selftest_figure(t, "%d rank%s x %d thread%s on a node of %d cores, %d allowed per rank", ranks,
                       ranks == 1 ? "" : "s", b->threads, b->threads == 1 ? "" : "s", b->cores_machine,
                       b->cores_allowed);
    dc_advise_cores(b, ranks, t->advice, sizeof t->advice);
    if (!t->advice[0]) dc_advise_threads(b, ranks, t->advice, sizeof t->advice);
    return DC_OK;
}

dc_status dc_selftest_clock(dc_comm *comm, dc_selftest *t)
{
    enum { READINGS = 200000 };
    double last = dc_clock_now_s(), step = INFINITY;
    int backwards = 0;
    for (int i = 0; i < READINGS; i++) {
        const double now = dc_clock_now_s();
        backwards += now < last;
        if (now > last) step = fmin(step, now - last);
        last = now;
    }
    dc_selftest_figure(t, "never goes back, smallest step %.0f ns", 1e9 * step);
    return dc_agree(comm, backwards == 0 && isfinite(step)
                              ? DC_OK
                              : DC_FAIL(DC_ERR_USAGE, "CLOCK_MONOTONIC went back %d times in %d readings", backwards,
                                        (int)READINGS));
}

dc_status dc_selftest_memory(dc_comm *comm, dc_selftest *t)
{
    dc_mem_room node;
    dc_mem_room_of_node(&node);
    const double least = dc_selftest_min(comm, (double)dc_mem_available_bytes(dc_comm_node_size(comm)));
    if (least >= (double)SIZE_MAX) return dc_selftest_skip(t, "the system does not tell");
    dc_selftest_figure(t, "%.1f GiB available per rank (least), for rank 0 %.1f GiB %s", least / GIB,
                       (double)node.bytes / GIB, node.limit);
    return DC_OK;
}

dc_status dc_selftest_shm(dc_comm *comm, dc_selftest *t)
{
    const int ranks = dc_comm_node_size(comm);
    const double free_bytes = dc_shm_free_bytes(), least = dc_selftest_min(comm, free_bytes / ranks);
    if (dc_comm_size(comm) == 1) return dc_selftest_skip(t, "one rank sends no messages");
    if (least < 0) return dc_selftest_skip(t, "a node has no /dev/shm");
    dc_selftest_figure(t, "%.0f MiB free on the node of rank 0, %.0f MiB per rank (least)", free_bytes / MIB,
                       least / MIB);
    dc_advise_shm(least * ranks, ranks, t->advice, sizeof t->advice);
    return DC_OK;
}

dc_status dc_selftest_blas(dc_comm *comm, dc_selftest *t)
{
    char la[200];
    (void)comm;
    dc_la_describe(la, sizeof la);
    dc_selftest_figure(t, "%s", la);
    dc_advise_blas(t->advice, sizeof t->advice);
    return DC_OK;
}

dc_status dc_selftest_peak(dc_comm *comm, dc_selftest *t)
{
    dc_comm_barrier(comm); /* the clock rate depends on the number of busy cores, so all ranks measure at once */
    t->peak_flops = dc_la_measure_peak_flops(t->binding.threads);
    const double least = dc_selftest_min(comm, t->peak_flops), all = dc_selftest_sum(comm, t->peak_flops);
    const double average = all / dc_comm_size(comm);
    dc_selftest_figure(t, "%.0f GF/s per rank, slowest rank %.0f GF/s; %.0f GF/s in all", 1e-9 * average, 1e-9 * least,
                       1e-9 * all);
    if (least < 0.7 * average)
        dc_selftest_advise(t, "one rank is much slower than the others: every step waits for it; is its core shared?");
    return dc_agree(comm, t->peak_flops > 0 ? DC_OK : DC_FAIL(DC_ERR_USAGE, "no FMA rate could be measured"));
}
