/* The fault points of builds with FAULT=1: which of them fire, and when. Only the main thread passes them. The
 * exception is mem.alloc: any thread may allocate, though kernels never do. */
#include "dcmpi/fault.h"

#ifdef DC_FAULT

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { ORDERS_MAX = 16, SPEC_MAX = 128 };

typedef struct {
    const char *name, *who, *what;
    int exit;
} point;

#define ROW(id, name_, who_, exit_, what_) {.name = (name_), .who = (who_), .exit = (exit_), .what = (what_)},
static const point table[] = {DC_FAULT_POINTS(ROW)};
#undef ROW

/* The points that the variable DC_FAULT names for this rank. */
static struct {
    dc_fault_id id;
    long n;
} orders[ORDERS_MAX];
static int n_orders, own_rank = -1;
static long passed[DC_FAULT_COUNT];
static char mark[SPEC_MAX + 32];

static int find_point(const char *name)
{
    for (int id = 0; id < DC_FAULT_COUNT; id++)
        if (strcmp(table[id].name, name) == 0) return id;
    return -1;
}

/* Returns the number after `sign` and cuts spec off at the sign; `fallback` if there is no sign, -1 if what follows is
 * not a number. */
static long take_number(char *spec, char sign, long fallback)
{
    char *at = strchr(spec, sign), *end;
    if (!at) return fallback;
    *at++ = '\0';
    const long number = strtol(at, &end, 10);
    return *at == '\0' || *end != '\0' ? -1 : number;
}

/* spec: point@rank#n */
static dc_status read_order(char *spec)
{
    const long n = take_number(spec, '#', 1), rank = take_number(spec, '@', 0);
    const int id = find_point(spec);
    if (id < 0 || n < 1 || rank < 0)
        return DC_FAIL(DC_ERR_USAGE, "DC_FAULT: '%s' is not POINT[@RANK][#N]; dcmpi info --faults lists the points",
                       spec);
    if (rank != own_rank) return DC_OK;
    if (n_orders == ORDERS_MAX) return DC_FAIL(DC_ERR_USAGE, "DC_FAULT: more than %d points", ORDERS_MAX);
    orders[n_orders].id = (dc_fault_id)id;
    orders[n_orders++].n = n;
    return DC_OK;
}

dc_status dc_fault_start(int rank)
{
    const char *text = getenv("DC_FAULT");
    own_rank = rank;
    n_orders = 0;
    memset(passed, 0, sizeof passed);
    while (text && *text) {
        char spec[SPEC_MAX];
        const size_t length = strcspn(text, ",");
        if (length >= sizeof spec) return DC_FAIL(DC_ERR_USAGE, "DC_FAULT: '%.32s...' is too long", text);
        memcpy(spec, text, length);
        spec[length] = '\0';
        const dc_status st = read_order(spec);
        if (st != DC_OK) return st;
        text += length + (text[length] == ',');
    }
    return DC_OK;
}

bool dc_fault(dc_fault_id id)
{
    bool fires = false;
    if (own_rank < 0) return false;
    passed[id]++;
    for (int i = 0; i < n_orders; i++) fires = fires || (orders[i].id == id && orders[i].n == passed[id]);
    if (!fires) return false;
    snprintf(mark, sizeof mark, " (fault point %s@%d#%ld)", table[id].name, own_rank, passed[id]);
    fprintf(stderr, "dcmpi: FAULT %s@%d#%ld\n", table[id].name, own_rank, passed[id]);
    fflush(stderr);
    errno = EIO;
    return true;
}

const char *dc_fault_mark(void)
{
    return mark;
}

void dc_fault_step(void)
{
    if (dc_fault(DC_FAULT_RANK_KILL)) raise(SIGKILL);
    if (dc_fault(DC_FAULT_RANK_HANG))
        for (;;) pause();
}

bool dc_fault_list(FILE *to)
{
    for (int id = 0; id < DC_FAULT_COUNT; id++)
        fprintf(to, "%s\t%s\t%d\t%s\n", table[id].name, table[id].who, table[id].exit, table[id].what);
    return true;
}

#else

bool dc_fault_list(FILE *to)
{
    (void)to;
    return false;
}

#endif
