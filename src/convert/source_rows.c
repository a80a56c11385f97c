/* Reads the rows of an input in the order of its file. */
#include "convert/h5in.h"
#include "convert/source.h"

dc_status dc_source_read_file(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got)
{
    dc_status st = DC_OK;
    *got = 0;
    if (s->kind == DC_SOURCE_TEXT) {
        DC_TRY(dc_text_read(&s->text, n, x, sink, got));
    } else {
        const size_t take = (size_t)DC_MIN((dc_gidx)n, s->rows - s->next_row);
        if (s->kind == DC_SOURCE_H5)
            DC_TRY(dc_h5in_read(s, take, x, sink));
        else
            DC_TRY(dc_array_read(&s->text.lines.stream, &s->array, take * (size_t)s->width, x));
        *got = take;
    }
    s->next_row += (dc_gidx)*got;
out:
    return st;
}

dc_status dc_source_expect_end(dc_source *s)
{
    return s->kind == DC_SOURCE_ARRAY ? dc_stream_expect_end(&s->text.lines.stream) : DC_OK;
}
