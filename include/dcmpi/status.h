/* Status codes, this rank's error record, and the macros that carry errors to one exit label.
 *
 * A status is the program's exit code. The first error of a rank is kept (later ones are consequences); dc_agree() of
 * comm.h makes the error of the worst rank the error of all ranks, so that main() prints exactly one line. */
#ifndef DCMPI_STATUS_H
#define DCMPI_STATUS_H

#include <stdio.h>
#include <stdlib.h>

typedef enum {
    DC_OK = 0,
    DC_DIFFERENT = 1,     /* compare: the files differ; no error text */
    DC_ERR_USAGE = 2,     /* command line or deck */
    DC_ERR_DATA = 3,      /* input data */
    DC_ERR_IO = 4,        /* file system, disk full */
    DC_ERR_NUMERIC = 5,   /* diverged */
    DC_ERR_FORMAT = 6,    /* bad result, model or checkpoint file */
    DC_ERR_BUSY = 7,      /* output directory in use */
    DC_ERR_MEMORY = 8,    /* not enough memory */
    DC_ERR_INTERNAL = 70, /* a bug in dcmpi */
    DC_STOPPED = 75       /* stopped early, run the same command again */
} dc_status_code;

/* The caller must check every returned status. */
typedef dc_status_code dc_status;
#define DC_CHECKED __attribute__((warn_unused_result))

/* Records this rank's first error and returns `code`. The text says what failed, with which value, where, and what to
 * do. */
dc_status dc_fail_at(const char *file, int line, dc_status code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Text of the recorded error ("" if none); valid until dc_error_clear(). */
const char *dc_error_text(void);
/* Source position of the recorded error, as "file.c:12" ("" if none). */
const char *dc_error_where(void);
dc_status dc_error_code(void);
/* Replaces the record with that of another rank (used by dc_agree only). */
void dc_error_set(dc_status code, const char *where, const char *text);
void dc_error_clear(void);
/* Errors of those who cannot return them, such as threads that read rows: check(ctx) returns the first one and records
 * it. One thing at a time is watched; NULL ends it. Main thread. */
void dc_error_watch(dc_status (*check)(void *ctx), void *ctx);
/* The error of what is watched, else st: what follows from values that could not be read is not the cause. dc_agree()
 * and dc_wish_ask() call it, so such an error reaches all ranks before they agree on anything, and soon. */
dc_status dc_error_late(dc_status st);
/* One word for a status: "usage", "data", ... */
const char *dc_status_name(dc_status code);

enum { DC_ERROR_TEXT_MAX = 2048 };

/* The value of the macro is `code` itself, so that compilers and analysers see that a failure is never DC_OK. */
#define DC_FAIL(code, ...) ((void)dc_fail_at(__FILE__, __LINE__, (code), __VA_ARGS__), (code))

/* Use in functions with `dc_status st = DC_OK;` and one label `out:`. */
#define DC_TRY(call)                                                                                                   \
    do {                                                                                                               \
        st = (call);                                                                                                   \
        if (st != DC_OK) goto out;                                                                                     \
    } while (0)

/* Only for bugs in dcmpi itself: prints and aborts the whole job. */
#define DC_ASSERT(cond)                                                                                                \
    do {                                                                                                               \
        if (!(cond)) dc_assert_failed(__FILE__, __LINE__, #cond);                                                      \
    } while (0)
_Noreturn void dc_assert_failed(const char *file, int line, const char *cond);
/* Sets the function that dc_assert_failed() calls instead of abort(). comm/ sets one that calls MPI_Abort with code 70.
 */
void dc_assert_set_handler(void (*handler)(void));

#endif
