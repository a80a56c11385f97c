/* A small JSON writer: indentation, commas, escapes. Numbers that JSON cannot represent become null. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "dcmpi/report.h"
#include "dcmpi/text.h"

static void newline(dc_json *j)
{
    fputc('\n', j->file);
    for (int i = 0; i < j->depth; i++) fputs("  ", j->file);
}

/* Bytes that are not UTF-8 (as in a file name from an old locale) are written as the text \xNN, as in messages. */
static void put_string(FILE *f, const char *s)
{
    const char *end = s + strlen(s);
    fputc('"', f);
    while (s < end) {
        const unsigned char c = (unsigned char)*s;
        uint32_t code;
        const size_t length = dc_utf8_char(s, (size_t)(end - s), &code);
        if (length == 0)
            fprintf(f, "\\\\x%02X", c);
        else if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            fwrite(s, 1, length, f);
        s += length ? length : 1;
    }
    fputc('"', f);
}

static void member(dc_json *j, const char *key)
{
    if (!j->first) fputc(',', j->file);
    newline(j);
    j->first = false;
    if (!key) return;
    put_string(j->file, key);
    fputs(": ", j->file);
}

void dc_json_begin(dc_json *j, FILE *file)
{
    *j = (dc_json){.file = file, .depth = 1, .first = true};
    fputc('{', file);
}

void dc_json_end(dc_json *j)
{
    j->depth = 0;
    newline(j);
    fputs("}\n", j->file);
}

void dc_json_open(dc_json *j, const char *key, char bracket)
{
    member(j, key);
    fputc(bracket, j->file);
    j->depth++;
    j->first = true;
}

void dc_json_close(dc_json *j, char bracket)
{
    j->depth--;
    newline(j);
    fputc(bracket, j->file);
    j->first = false;
}

void dc_json_str(dc_json *j, const char *key, const char *value)
{
    member(j, key);
    put_string(j->file, value);
}

void dc_json_num(dc_json *j, const char *key, double value)
{
    member(j, key);
    if (isfinite(value))
        fprintf(j->file, "%.9g", value);
    else
        fputs("null", j->file);
}

void dc_json_int(dc_json *j, const char *key, int64_t value)
{
    member(j, key);
    fprintf(j->file, "%" PRId64, value);
}

void dc_json_bool(dc_json *j, const char *key, bool value)
{
    member(j, key);
    fputs(value ? "true" : "false", j->file);
}
