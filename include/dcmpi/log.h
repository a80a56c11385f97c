/* The log: rank 0 prints lines for people to stdout and, after dc_log_open(), also to log.txt. Other ranks print
 * nothing; their errors travel through dc_agree(). */
#ifndef DCMPI_LOG_H
#define DCMPI_LOG_H

#include "dcmpi/base.h"

/* Switches printing on or off. It is on before MPI starts, and later on rank 0 only. */
void dc_log_set_active(bool on);
bool dc_log_is_active(void);
/* From now on keeps lines in memory until dc_log_open() names a file; dc_log_close() drops them if none was named. */
void dc_log_hold(void);
/* Also appends every line to `path` (active rank only). Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_log_open(const char *path);
void dc_log_close(void);
/* Current length of the log file; 0 if there is none, INT64_MAX if it cannot be written to disk. */
int64_t dc_log_bytes(void);

/* A line with the ISO time in front. */
void dc_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A line without the time: tables, the RESULT line. */
void dc_log_plain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "NOTE    ..." and "WARNING ..." with time in front; warnings are counted. */
void dc_log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void dc_log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int dc_log_warning_count(void);
/* A line with time in front, from any rank and any thread; also to the log file on the rank that has it open. */
void dc_log_alarm(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "dcmpi: ERROR: ..." to stderr and to the log file; a failed run prints exactly one. */
void dc_log_error(const char *text);
/* A line that overwrites itself if stdout is a terminal; nothing otherwise. */
void dc_log_bar(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
