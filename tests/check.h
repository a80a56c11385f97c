/* Checks that print TAP for prove. Serial tests: CHECK... then `return check_done();`. Tests under mpirun: call
 * check_init(rank) first; every rank runs the same checks, ranks above 0 print only failures (as comments), and
 * check_done_all(comm) adds a last check that no rank failed. A test file says in its first comment how to start it:
 * "ranks: 1 2 3 5" and "threads: 1 2" (default: ranks: 0, i.e. no mpirun; threads: 1). */
#ifndef DCMPI_TESTS_CHECK_H
#define DCMPI_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

static int check_rank_, check_count_, check_failed_;

/* A name for mkdtemp() or mkstemp() in the folder TMPDIR, which tests/run.sh sets to one in memory; returns path. */
enum { CHECK_PATH_MAX = 128 };
static inline char *check_temporary(char path[CHECK_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, CHECK_PATH_MAX, "%s/dcmpi-test-XXXXXX", parent ? parent : "/tmp");
    return path;
}

static inline void check_init(int rank)
{
    check_rank_ = rank;
}

static inline bool check_report_(bool ok, const char *file, int line, const char *what)
{
    check_count_++;
    if (!ok) check_failed_++;
    if (check_rank_ == 0) printf("%sok %d - %s\n", ok ? "" : "not ", check_count_, what);
    if (!ok) printf("# [rank %d] %s:%d: %s\n", check_rank_, file, line, what);
    fflush(stdout);
    return ok;
}

#define CHECK(cond) check_report_((cond), __FILE__, __LINE__, #cond)
/* Prints both values when it fails. */
#define CHECK_INT(actual, expected)                                                                                    \
    do {                                                                                                               \
        const long long a_ = (long long)(actual), e_ = (long long)(expected);                                          \
        if (!check_report_(a_ == e_, __FILE__, __LINE__, #actual " == " #expected))                                    \
            printf("#   actual %lld, expected %lld\n", a_, e_);                                                        \
    } while (0)
#define CHECK_NEAR(actual, expected, tol)                                                                              \
    do {                                                                                                               \
        const double a_ = (double)(actual), e_ = (double)(expected), t_ = (double)(tol);                               \
        if (!check_report_(fabs(a_ - e_) <= t_, __FILE__, __LINE__, #actual " ~ " #expected))                          \
            printf("#   actual %.17g, expected %.17g, tolerance %g\n", a_, e_, t_);                                    \
    } while (0)
/* Arrays of float/double against a reference; prints the worst index. */
#define CHECK_ARRAY_NEAR(actual, expected, n, tol)                                                                     \
    do {                                                                                                               \
        size_t worst_ = 0;                                                                                             \
        double diff_ = 0;                                                                                              \
        for (size_t i_ = 0; i_ < (size_t)(n); i_++) {                                                                  \
            const double d_ = fabs((double)(actual)[i_] - (double)(expected)[i_]);                                     \
            if (!(d_ <= diff_)) diff_ = d_, worst_ = i_;                                                               \
        }                                                                                                              \
        if (!check_report_(diff_ <= (tol), __FILE__, __LINE__, #actual " ~ " #expected))                               \
            printf("#   index %zu: actual %.9g, expected %.9g, tolerance %g\n", worst_, (double)(actual)[worst_],      \
                   (double)(expected)[worst_], (double)(tol));                                                         \
    } while (0)
#define CHECK_STATUS(call, expected)                                                                                   \
    do {                                                                                                               \
        const dc_status s_ = (call);                                                                                   \
        if (!check_report_(s_ == (expected), __FILE__, __LINE__, #call " -> " #expected))                              \
            printf("#   actual %s: %s\n", dc_status_name(s_), dc_error_text());                                        \
    } while (0)
#define CHECK_OK(call) CHECK_STATUS(call, DC_OK)
#define CHECK_TEXT(actual, expected)                                                                                   \
    do {                                                                                                               \
        const char *const a_ = (actual), *const e_ = (expected);                                                       \
        if (!check_report_(strcmp(a_, e_) == 0, __FILE__, __LINE__, #actual " is " #expected))                         \
            printf("#   actual \"%s\", expected \"%s\"\n", a_, e_);                                                    \
    } while (0)
#define CHECK_TEXT_HAS(text, part)                                                                                     \
    do {                                                                                                               \
        if (!check_report_(strstr((text), (part)) != NULL, __FILE__, __LINE__, #text " has " #part))                   \
            printf("#   actual \"%s\"\n", (text));                                                                     \
    } while (0)

static inline void check_skip_all(const char *reason)
{
    printf("1..0 # SKIP %s\n", reason);
}

/* Ends a serial test; also fails if memory of the program is still held. */
static inline int check_done(void)
{
    CHECK_INT(dc_mem_live_count(), 0);
    if (check_rank_ == 0) printf("1..%d\n", check_count_);
    return check_failed_ ? 1 : 0;
}

/* Ends a test under mpirun. Collective; closes the communicator. */
static inline int check_done_all(dc_comm **comm)
{
    int64_t failed = check_failed_;
    dc_comm_sum_i64(*comm, &failed, 1);
    CHECK_INT(failed, 0);
    const int size = dc_comm_size(*comm);
    dc_comm_destroy(comm);
    (void)size;
    return check_done();
}

#endif
