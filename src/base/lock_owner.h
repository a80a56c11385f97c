/* Who holds a lock: what a lock file says, and whether that process is gone. Private to lock.c. */
#ifndef DCMPI_BASE_LOCK_OWNER_H
#define DCMPI_BASE_LOCK_OWNER_H

#include "dcmpi/base.h"

enum { DC_OWNER_TEXT_MAX = 1024, DC_OWNER_WORD_MAX = 128, DC_OWNER_STALE_S = 600 };

typedef struct {
    char host[DC_OWNER_WORD_MAX], job[DC_OWNER_WORD_MAX], started[DC_OWNER_WORD_MAX];
    char boot[DC_OWNER_WORD_MAX], pidns[DC_OWNER_WORD_MAX]; /* "" if unknown, as in locks of version 0.1.0 */
    int64_t pid, ticks, epoch; /* ticks: when the process started, in case its pid is used again */
    int64_t restart;           /* how often its job had been restarted */
} dc_owner;

/* What a lock file says. */
typedef enum { DC_OWNER_NOBODY, DC_OWNER_SOMEBODY, DC_OWNER_ANOTHER_FILE } dc_owner_finding;

dc_owner dc_owner_self(void);
/* Writes the text of a lock file; returns its length. */
int dc_owner_format(const dc_owner *o, char out[DC_OWNER_TEXT_MAX]);
dc_owner_finding dc_owner_parse(const char *text, dc_owner *o);
/* The same process? */
bool dc_owner_equal(const dc_owner *a, const dc_owner *b);
/* Whether the owner counts as gone. silent_s: seconds since its last sign of life. flock_is_free: this host's kernel
 * says that nobody has the flock. */
bool dc_owner_is_gone(const dc_owner *o, double silent_s, bool flock_is_free);
/* "host h, pid 1, job 2, started T, 5 min ago, last sign of life 20 s ago"; printable. */
void dc_owner_describe(const dc_owner *o, double silent_s, char out[DC_OWNER_TEXT_MAX]);
/* "20 s", "5 min", "3 h" */
void dc_owner_duration(double seconds, char out[32]);

#endif
