/* The set of all different labels in the inputs, and the int32 code that stands for each label in /y. */
#ifndef DCMPI_CONVERT_CLASSES_H
#define DCMPI_CONVERT_CLASSES_H

#include "dcmpi/base.h"

typedef struct dc_classes dc_classes;

DC_CHECKED dc_status dc_classes_create(dc_classes **out);
/* Before the first label: codes are to be 0..C-1 whatever the labels are. minus_one: -1 is a class, whose name is
 * "-1.0". */
void dc_classes_want_numbers(dc_classes *c, bool minus_one);
void dc_classes_destroy(dc_classes **c);

/* Code of "no label": an empty label, -1, or a word for a missing value (cell.h). "-" counts as such a word unless "+"
 * is a label, too. */
enum { DC_NO_LABEL = -1 };

/* First pass: adds the label text[0..n). `name` is the file, for messages. Errors: DC_ERR_DATA (too many classes, or a
 * text that is not a name: empty, too long, control characters), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_classes_add(dc_classes *c, const char *name, const char *text, size_t n);
/* Between the passes: numbers the classes. If all labels are integers that fit int32, the code is the value. Otherwise
 * the codes are 0..C-1, in ascending order of the values if all are integers, else in the order of the names' bytes. */
DC_CHECKED dc_status dc_classes_number(dc_classes *c);
/* Second pass: gives the code of a label. Errors: DC_ERR_DATA if the first pass did not see the label (the file
 * changed). */
DC_CHECKED dc_status dc_classes_code(const dc_classes *c, const char *name, const char *text, size_t n, int32_t *code);

/* Between the passes, for labels that several processes read: *packed (the caller frees it with dc_mem_free()) holds
 * all that the first pass of `c` found, in *bytes bytes; merge adds it to another set. Errors: DC_ERR_MEMORY,
 * DC_ERR_DATA (too many classes). */
DC_CHECKED dc_status dc_classes_pack(const dc_classes *c, char **packed, size_t *bytes);
DC_CHECKED dc_status dc_classes_merge(dc_classes *c, const char *packed, size_t bytes);

/* After dc_classes_number(): a NOTE if integers are too large to be numbers. name: of the inputs. */
void dc_classes_note(const dc_classes *c, const char *name);
/* Number of classes after dc_classes_number(). */
int64_t dc_classes_count(const dc_classes *c);
/* Number of labels in the first pass that mean "no label". */
int64_t dc_classes_unlabelled(const dc_classes *c);
/* *out = names in ascending order, one per line without a last newline; NULL if they need more than max_bytes. The
 * caller frees it with dc_mem_free(). */
DC_CHECKED dc_status dc_classes_join(const dc_classes *c, size_t max_bytes, char **out);

/* Where a reader puts the labels it meets: into the set (first pass, y is NULL) or as codes into y. */
typedef struct {
    dc_classes *classes;
    int32_t *y;
    const bool *skip; /* rows that will be left out, NULL: none */
    size_t n;         /* labels put so far */
} dc_label_sink;
DC_CHECKED dc_status dc_label_put(dc_label_sink *sink, const char *name, const char *text, size_t n);
/* Puts "no label" for a row that will be left out. */
void dc_label_skip(dc_label_sink *sink);

#endif
