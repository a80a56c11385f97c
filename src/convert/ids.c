/* Checks that each id is printable UTF-8 on one line, so that code that shows ids need not check again. */
#include "convert/ids.h"

#include <string.h>

#include "dcmpi/convert.h"
#include "dcmpi/text.h"

static dc_status check_id(const char *name, const char *text, size_t n)
{
    char shown[40];
    uint32_t code = 0;
    dc_printable(shown, sizeof shown, text, n);
    if (n > DC_CONVERT_MAX_ID_BYTES)
        return DC_FAIL(DC_ERR_DATA, "%s: id '%s' has %zu bytes, the limit is %d; is the id column right?", name, shown,
                       n, DC_CONVERT_MAX_ID_BYTES);
    for (size_t i = 0, length; i < n; i += length) {
        length = dc_utf8_char(text + i, n - i, &code);
        if (length == 0)
            return DC_FAIL(DC_ERR_DATA, "%s: id '%s' is not UTF-8; convert the file first: iconv -f latin1 -t utf8",
                           name, shown);
        if (!dc_char_is_printable(code))
            return DC_FAIL(DC_ERR_DATA, "%s: id '%s' has characters that do not print", name, shown);
    }
    return DC_OK;
}

dc_status dc_id_put(dc_id_sink *sink, const char *name, const char *text, size_t n)
{
    const dc_status st = check_id(name, text, n);
    if (st != DC_OK) return st;
    sink->longest = DC_MAX(sink->longest, n);
    if (sink->ids) {
        if (n > sink->bytes) return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", name);
        char *to = sink->ids + sink->n * sink->bytes;
        memset(to, 0, sink->bytes);
        memcpy(to, text, n);
    }
    sink->n++;
    return DC_OK;
}
