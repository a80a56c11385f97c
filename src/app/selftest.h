/* `dcmpi selftest`: checks a machine and this build on it. Each check is one row of a table. Private to app/.
 *
 * A check is collective. It writes its figure and returns the same status on all ranks; if it fails, the error text
 * becomes its figure. Checks change nothing and leave nothing behind. */
#ifndef DCMPI_APP_SELFTEST_H
#define DCMPI_APP_SELFTEST_H

#include "cli.h"
#include "dcmpi/cores.h"

enum { DC_SELFTEST_TEXT_MAX = 512 };

typedef struct dc_selftest_check dc_selftest_check;

typedef struct {
    const char *dir;       /* directory where files are written and then removed; borrowed */
    const char *full_disk; /* small file system that may be filled; NULL: none; borrowed */

    /* Results of earlier checks. */
    dc_binding binding;
    double peak_flops;               /* FMA peak of this rank */
    double gemm_flops, gemm_seconds; /* of this rank, over all shapes measured */
    bool dir_works;                  /* all ranks see what rank 0 writes to dir */

    /* The check that is running. */
    const dc_selftest_check *check;
    char figure[DC_SELFTEST_TEXT_MAX]; /* rank 0 prints it after the name of the check */
    char advice[DC_SELFTEST_TEXT_MAX]; /* a line below the figure, "" for none */
    bool skipped;                      /* equal on all ranks; figure says why */

    int passed, failed, skips; /* equal on all ranks */
} dc_selftest;

struct dc_selftest_check {
    const char *section, *name;
    dc_status code; /* exit code if it fails */
    dc_status (*run)(dc_comm *comm, dc_selftest *t);
    int which; /* picks a case if several checks share `run` */
};

/* Collective. Runs the checks in order and prints the table on rank 0. Returns DC_OK, or the highest code of the failed
 * checks, with their names as the error text. */
DC_CHECKED dc_status dc_selftest_run(dc_comm *comm, dc_selftest *t, const dc_selftest_check *checks, int n);

/* Set the figure or the advice of the check that is running; local. */
void dc_selftest_figure(dc_selftest *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void dc_selftest_advise(dc_selftest *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Marks the check as skipped. Returns DC_OK; call on all ranks or on none. */
dc_status dc_selftest_skip(dc_selftest *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sum, minimum and maximum of x over all ranks. Collective. */
double dc_selftest_sum(dc_comm *comm, double x);
double dc_selftest_min(dc_comm *comm, double x);
double dc_selftest_max(dc_comm *comm, double x);

/* selftest_machine.c */
dc_status dc_selftest_program(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_cpu(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_cores(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_clock(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_memory(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_shm(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_blas(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_peak(dc_comm *comm, dc_selftest *t);

/* selftest_gemm.c; for dc_selftest_gemm, `which` is the index of the layer. */
dc_status dc_selftest_gemm(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_gemm_all(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_thread_bits(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_row_bits(dc_comm *comm, dc_selftest *t);

/* selftest_numerics.c */
dc_status dc_selftest_rng(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_canonical_sum(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_net_gradient(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_kl_gradient(dc_comm *comm, dc_selftest *t);

/* selftest_strict.c */
dc_status dc_selftest_training_tiles(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_shard_tree(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_cost_of_strict(dc_comm *comm, dc_selftest *t);

/* selftest_comm.c */
dc_status dc_selftest_latency(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_bandwidth(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_replicas(dc_comm *comm, dc_selftest *t);

/* selftest_io.c */
dc_status dc_selftest_directory(dc_comm *comm, dc_selftest *t);
dc_status dc_selftest_hdf5(dc_comm *comm, dc_selftest *t);
/* Makes a file name in `dir`, the same on all ranks. If the job is killed, the file is removed. Collective. */
void dc_selftest_name_file(dc_comm *comm, const char *dir, const char *suffix, char out[DC_PATH_MAX]);
/* Removes the file last named by dc_selftest_name_file(), and what its writer may have left beside it. No rank returns
 * before this is done. Collective. */
void dc_selftest_remove_file(dc_comm *comm);
/* Writes a result file of N rows to `path`, reads it back and compares. Times are those of the slowest rank.
 * Collective. Errors: DC_ERR_IO, DC_ERR_FORMAT, DC_ERR_MEMORY. */
enum { DC_SELFTEST_ROW_BYTES = 1024 };
typedef struct {
    double write_s, read_s;
} dc_round_trip;
DC_CHECKED dc_status dc_selftest_round_trip(dc_comm *comm, const char *path, dc_gidx N, dc_round_trip *r);

/* selftest_disk.c */
dc_status dc_selftest_full_disk(dc_comm *comm, dc_selftest *t);
/* DC_ERR_USAGE unless `dir` lies on a file system small enough to be filled. Local; meant for rank 0. */
DC_CHECKED dc_status dc_selftest_check_small(const char *dir);

#endif
