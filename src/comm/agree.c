/* Error agreement: the status of the worst rank becomes the status of all ranks, so that all leave together.
 *
 * When all is well, dc_agree() is one MAX reduction of a single 64-bit key (severity, then rank). The text is sent only
 * after a failure. dc_agree_hash() checks with one reduction whether a value is the same on all ranks. Only if it is
 * not, it looks for a rank that differs. The idea is from FFTW, mpi/any-true.c; libsc tells local and collective errors
 * apart in the same way. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm_priv.h"

enum { WHERE_MAX = 128, SEVERITY_OF_STOP = 1 };
static const char PREFIX[] = "[rank ", PREFIX_END[] = "] ";
static bool differed;

/* What the worst rank sends to the others. */
typedef struct {
    char host[DC_HOST_MAX], where[WHERE_MAX], text[DC_ERROR_TEXT_MAX];
} error_message;

/* A stop is not an error and must not hide one, although its exit code is the highest. All errors count as worse than a
 * stop, in the order of their codes. */
static int64_t severity(dc_status st)
{
    return st == DC_OK ? 0 : st == DC_STOPPED ? SEVERITY_OF_STOP : SEVERITY_OF_STOP + (int64_t)st;
}
static dc_status status_of(int64_t severity)
{
    return severity == 0 ? DC_OK : severity == SEVERITY_OF_STOP ? DC_STOPPED : (dc_status)(severity - SEVERITY_OF_STOP);
}

/* Makes the message of this rank. Uses its error record only if that is about `local`: there may be no record, or one
 * about an older error. A status that is not an error has no text. */
static void own_message(const dc_comm *comm, dc_status local, error_message *message)
{
    const bool recorded = dc_error_code() == local, needs_text = local != DC_STOPPED && local != DC_DIFFERENT;
    memset(message, 0, sizeof *message);
    snprintf(message->host, sizeof message->host, "%s", comm->host);
    snprintf(message->where, sizeof message->where, "%s", recorded ? dc_error_where() : "");
    if (recorded)
        snprintf(message->text, sizeof message->text, "%s", dc_error_text());
    else if (needs_text)
        snprintf(message->text, sizeof message->text, "status \"%s\" without a message", dc_status_name(local));
}

static int64_t text_key(dc_status local, const char *text)
{
    uint64_t key = 14695981039346656037u ^ (uint64_t)local; /* FNV-1a */
    for (; *text; text++) key = (key ^ (unsigned char)*text) * 1099511628211u;
    return (int64_t)key;
}

/* true on all ranks if `key` is the same on all: max(~x) is ~min(x). */
static bool same_everywhere(dc_comm *comm, int64_t key)
{
    int64_t ends[2] = {key, ~key};
    dc_comm_max_i64(comm, ends, 2);
    return ends[0] == ~ends[1];
}

static void record_error_of(dc_comm *comm, int worst, dc_status local, dc_status agreed)
{
    error_message message;
    char text[DC_ERROR_TEXT_MAX];
    own_message(comm, local, &message);
    const bool alike = same_everywhere(comm, text_key(local, message.text));
    dc_comm_bcast(comm, &message, sizeof message, worst);
    const bool prefixed = !alike && message.text[0] != '\0';
    const int used = !prefixed ? 0 : snprintf(text, sizeof text, "%s%d %s%s", PREFIX, worst, message.host, PREFIX_END);
    snprintf(text + used, sizeof text - (size_t)used, "%s", message.text);
    dc_error_set(agreed, message.where, text);
}

dc_status dc_agree(dc_comm *comm, dc_status local)
{
    local = dc_error_late(local);
    int64_t key = (severity(local) << 32) + (comm->size - 1 - comm->rank); /* among equals the lowest rank wins */
    dc_comm_max_i64(comm, &key, 1);
    const dc_status agreed = status_of(key >> 32);
    if (agreed != DC_OK) record_error_of(comm, comm->size - 1 - (int)(key & INT32_MAX), local, agreed);
    return agreed;
}

const char *dc_agree_text(void)
{
    const char *text = dc_error_text(), *end;
    while (strncmp(text, PREFIX, sizeof PREFIX - 1) == 0 && (end = strstr(text, PREFIX_END)))
        text = end + sizeof PREFIX_END - 1;
    return text;
}

bool dc_agree_differed(void)
{
    return differed;
}

/* The value that most ranks have; in a tie, that of the lowest rank. */
static int64_t most_frequent(const int64_t *value, int n, int *count)
{
    int best = 0;
    *count = 0;
    for (int i = 0; i < n; i++) {
        int same = 0;
        for (int j = 0; j < n; j++) same += value[j] == value[i];
        if (same > *count) best = i, *count = same;
    }
    return value[best];
}

static dc_status name_odd_rank(dc_comm *comm, uint64_t hash, const char *what)
{
    char host[DC_HOST_MAX];
    int same = 0, odd = 0;
    differed = true;
    for (int r = 0; r < comm->size; r++) comm->per_rank[r] = 0;
    comm->per_rank[comm->rank] = (int64_t)hash;
    dc_comm_sum_i64(comm, comm->per_rank, (size_t)comm->size);
    const int64_t usual = most_frequent(comm->per_rank, comm->size, &same);
    while (comm->per_rank[odd] == usual) odd++;
    memcpy(host, comm->host, sizeof host);
    dc_comm_bcast(comm, host, sizeof host, odd);
    return DC_FAIL(DC_ERR_NUMERIC,
                   "%s differ between ranks: rank %d on %s has %016" PRIx64 ", %d of %d ranks have %016" PRIx64
                   ": look for other libraries, another CPU type or a memory fault on that node",
                   what, odd, host, (uint64_t)comm->per_rank[odd], same, comm->size, (uint64_t)usual);
}

dc_status dc_agree_hash(dc_comm *comm, uint64_t hash, const char *what)
{
    return same_everywhere(comm, (int64_t)hash) ? DC_OK : name_odd_rank(comm, hash, what);
}
