/* Text that others wrote, made safe to print: names in files, attributes, paths. Unprintable characters and invalid
 * UTF-8 become '?', so that terminal escape sequences have no effect. */
#ifndef DCMPI_TEXT_H
#define DCMPI_TEXT_H

#include "dcmpi/base.h"

/* Length in bytes of the UTF-8 character at s[0..n), or 0 if it is invalid; *code gets its code point. */
size_t dc_utf8_char(const char *s, size_t n, uint32_t *code);
/* Writes code point `code` as UTF-8 to out[4]; returns its length in bytes. An invalid code becomes '?'. */
size_t dc_utf8_put(uint32_t code, char *out);
/* False for control characters, and for Unicode line breaks and byte order marks, which YAML folds or drops. */
bool dc_char_is_printable(uint32_t code);
/* Whether text is one line of printable UTF-8. */
bool dc_text_is_clean(const char *text);

/* Cleans text in place, without changing its length. Characters in `keep` (such as "\n") stay. */
void dc_text_clean(char *text, const char *keep);
/* Copies text[n] to out[cap] as one line for a message. If it is too long, "..." replaces its beginning. cap >= 8. */
void dc_printable(char *out, size_t cap, const char *text, size_t n);

/* Index of the name that `word` most likely misspells, by edit distance, or -1. */
int dc_nearest_name(const char *word, const char *const *names, int n);

/* Whether a label means "no label": "", -1, ?, NA, N/A, #N/A, <NA>, None, or nan or null in upper or lower case. */
bool dc_label_is_missing(const char *text, size_t n);

#endif
