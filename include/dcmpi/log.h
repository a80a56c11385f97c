/* The log: rank 0 prints lines for people to stdout and, once dc_log_open() was called, to log.txt. Other ranks print
 * nothing; their errors travel through dc_agree(). */
#ifndef DCMPI_LOG_H
#define DCMPI_LOG_H

#include "dcmpi/base.h"

/* true on the rank that prints; true before MPI starts. */
void dc_log_set_active(bool on);
bool dc_log_is_active(void);
/* Lines are kept in memory from now on, for the file that dc_log_open() names; dc_log_close() without it forgets them.
 */
void dc_log_hold(void);
/* Also append every line to `path` (active rank only). Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_log_open(const char *path);
void dc_log_close(void);
/* Length of that file now; 0 without one, INT64_MAX if the disk does not take it. */
int64_t dc_log_bytes(void);

/* A line with the ISO time in front. */
void dc_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A line as it is: tables, the RESULT line. */
void dc_log_plain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "NOTE    ..." and "WARNING ..." with time in front; warnings are counted. */
void dc_log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void dc_log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int dc_log_warning_count(void);
/* A line with time in front from any rank and any thread; to the log file, too, where it is open. */
void dc_log_alarm(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "dcmpi: ERROR: ..." to stderr and to the log file; the one line of a failed run. */
void dc_log_error(const char *text);
/* A line that overwrites itself if stdout is a terminal; nothing otherwise. */
void dc_log_bar(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
