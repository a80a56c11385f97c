/* Text that others wrote, made safe to print: names in files, attributes, paths. What does not print (control
 * characters, so also escape sequences of terminals; bytes that are no UTF-8) becomes '?'. */
#ifndef DCMPI_TEXT_H
#define DCMPI_TEXT_H

#include "dcmpi/base.h"

/* Bytes of the UTF-8 character at s[0..n), or 0 if there is none; *code gets its number. */
size_t dc_utf8_char(const char *s, size_t n, uint32_t *code);
/* Writes character `code` as UTF-8 to out[4]; returns its bytes. A code that is not a character becomes '?'. */
size_t dc_utf8_put(uint32_t code, char *out);
/* No control character, Unicode line break or byte order mark, which YAML folds or drops. */
bool dc_char_is_printable(uint32_t code);
/* Printable UTF-8 in one line. */
bool dc_text_is_clean(const char *text);

/* In place; the length stays. Characters of `keep` (such as "\n") are left. */
void dc_text_clean(char *text, const char *keep);
/* A copy of text[n] for a message, in one line; if it is too long, "..." replaces its beginning. cap >= 8. */
void dc_printable(char *out, size_t cap, const char *text, size_t n);

/* Index of the name that `word` most likely misspells, by edit distance, or -1. */
int dc_nearest_name(const char *word, const char *const *names, int n);

/* Whether a label says that there is none: "", -1, ?, NA, N/A, #N/A, <NA>, None, or nan or null in any case. */
bool dc_label_is_missing(const char *text, size_t n);

#endif
