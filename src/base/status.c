/* The error record of this rank. One record per process: the first error wins, because later ones are consequences.
 * Kernels do not fail, so only the main thread writes here. */
#include "dcmpi/status.h"

#include <stdarg.h>
#include <string.h>

#include "dcmpi/fault.h"
#include "dcmpi/text.h"

static struct {
    dc_status code;
    char where[128];
    char text[DC_ERROR_TEXT_MAX];
} record;

static struct {
    dc_status (*check)(void *ctx);
    void *ctx;
} watched;

static void (*assert_handler)(void);

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

dc_status dc_fail_at(const char *file, int line, dc_status code, const char *fmt, ...)
{
    if (record.code != DC_OK) return code;
    record.code = code;
    snprintf(record.where, sizeof record.where, "%s:%d", base_name(file), line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(record.text, sizeof record.text, fmt, args);
    va_end(args);
    const size_t used = strlen(record.text);
    snprintf(record.text + used, sizeof record.text - used, "%s", dc_fault_mark());
    dc_text_clean(record.text, ""); /* one printable line, whatever the names in it contain */
    return code;
}

const char *dc_error_text(void)
{
    return record.text;
}
const char *dc_error_where(void)
{
    return record.where;
}
dc_status dc_error_code(void)
{
    return record.code;
}

void dc_error_set(dc_status code, const char *where, const char *text)
{
    record.code = code;
    snprintf(record.where, sizeof record.where, "%s", where);
    snprintf(record.text, sizeof record.text, "%s", text);
}

void dc_error_clear(void)
{
    memset(&record, 0, sizeof record);
}

void dc_error_watch(dc_status (*check)(void *ctx), void *ctx)
{
    DC_ASSERT(!check || !watched.check);
    watched.check = check;
    watched.ctx = ctx;
}

dc_status dc_error_late(dc_status st)
{
    if (!watched.check) return st;
    const dc_status before = record.code;
    record.code = DC_OK;
    const dc_status late = watched.check(watched.ctx);
    if (late != DC_OK) return late;
    record.code = before;
    return st;
}

const char *dc_status_name(dc_status code)
{
    switch (code) {
    case DC_OK:
        return "ok";
    case DC_DIFFERENT:
        return "different";
    case DC_ERR_USAGE:
        return "usage";
    case DC_ERR_DATA:
        return "data";
    case DC_ERR_IO:
        return "io";
    case DC_ERR_NUMERIC:
        return "numeric";
    case DC_ERR_FORMAT:
        return "format";
    case DC_ERR_BUSY:
        return "busy";
    case DC_ERR_MEMORY:
        return "memory";
    case DC_ERR_INTERNAL:
        return "internal";
    case DC_STOPPED:
        return "stopped";
    }
    return "unknown";
}

void dc_assert_set_handler(void (*handler)(void))
{
    assert_handler = handler;
}

_Noreturn void dc_assert_failed(const char *file, int line, const char *cond)
{
    fprintf(stderr, "dcmpi: ERROR: internal error, please report: %s:%d: %s\n", base_name(file), line, cond);
    fflush(stderr);
    if (assert_handler) assert_handler();
    abort();
}
