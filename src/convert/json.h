/* One line of JSON Lines: an object. */
#ifndef DCMPI_CONVERT_JSON_H
#define DCMPI_CONVERT_JSON_H

#include "convert/cell.h"

/* A parsed line; the spans of values point into it. */
typedef struct {
    void *root; /* owned, NULL: none */
    char digits[32];
} dc_json_line;

/* What a value is used as. */
typedef enum {
    DC_JSON_TEXT, /* a string; null is an empty text */
    DC_JSON_LABEL /* a string, an integer (also 1.0), true or false; null is no value */
} dc_json_use;

/* Number of escapes of surrogates (\ud83d) without their other half in the line, which no UTF-8 can hold; if `mend`,
 * each of them becomes \ufffd. */
int64_t dc_json_lone_surrogates(char *line, size_t n, bool mend);
/* Copies a line that is not JSON to out[DC_JSON_MENDED_BYTES(n)], with what other writers put into JSON made JSON: NaN,
 * Infinity and -Infinity, as Python writes them, become null, and integers of 19 or more digits texts of a form that
 * dc_json_line_get() knows: exact as ids and labels, and no documents. Returns the number of bytes. */
#define DC_JSON_MENDED_BYTES(n) ((n) + (n) / 2 + 8)
size_t dc_json_mend(dc_span line, char *out);
/* Replaces what `j` held. False if the line is not JSON, not an object, or has a key twice; why[cap] then says so. */
bool dc_json_line_parse(dc_json_line *j, dc_span line, char *why, size_t cap);
void dc_json_line_release(dc_json_line *j);
/* Value of the key, or, for a.b without such a key, of b in the object a; value->p is NULL if it is null, or if there
 * is no such key (*has is then false). False if it is of another type; why[cap] then says so. Only one value of a line
 * may be an integer at a time. */
bool dc_json_line_get(dc_json_line *j, const char *key, dc_json_use use, dc_span *value, bool *has, char *why,
                      size_t cap);
/* Writes the first keys of the object and of objects in it, "title, article.body, ...", into out[cap]. */
void dc_json_line_keys(const dc_json_line *j, char *out, size_t cap);

#endif
