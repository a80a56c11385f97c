#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/scratch.h"
#include "dcmpi/terms.h"

enum { BUFFER_BYTES = 1 << 20 };

struct dc_spool {
    dc_scratch file;
    int64_t bytes; /* appended so far */
    size_t used;   /* of the buffer */
    char *buffer;  /* [BUFFER_BYTES] */
};

dc_status dc_spool_create(dc_spool **out, const char *beside)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "spool"));
    dc_scratch_init(&(*out)->file, beside, "a temporary file");
    DC_TRY(dc_mem_alloc_raw(&(*out)->buffer, BUFFER_BYTES, 1, "spool"));
out:
    if (st != DC_OK) dc_spool_destroy(out);
    return st;
}

void dc_spool_destroy(dc_spool **s)
{
    if (!*s) return;
    dc_scratch_close(&(*s)->file);
    dc_mem_free(&(*s)->buffer);
    dc_mem_free(s);
}

dc_status dc_spool_flush(dc_spool *s)
{
    const size_t n = s->used;
    s->used = 0;
    return n > 0 ? dc_scratch_write(&s->file, s->buffer, n, s->bytes - (int64_t)n) : DC_OK;
}

dc_status dc_spool_put(dc_spool *s, const void *data, size_t bytes)
{
    dc_status st = DC_OK;
    if (s->used + bytes > BUFFER_BYTES) DC_TRY(dc_spool_flush(s));
    if (bytes > BUFFER_BYTES)
        DC_TRY(dc_scratch_write(&s->file, data, bytes, s->bytes));
    else {
        memcpy(s->buffer + s->used, data, bytes);
        s->used += bytes;
    }
    s->bytes += (int64_t)bytes;
out:
    return st;
}

int64_t dc_spool_bytes(const dc_spool *s)
{
    return s->bytes;
}

dc_status dc_spool_read(const dc_spool *s, int64_t at, void *data, size_t bytes)
{
    return dc_scratch_read(&s->file, data, bytes, at);
}
