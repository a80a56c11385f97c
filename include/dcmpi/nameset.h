/* A set of distinct texts, numbered in order of first appearance: names of classes, words of a text file. */
#ifndef DCMPI_NAMESET_H
#define DCMPI_NAMESET_H

#include "dcmpi/base.h"

typedef struct dc_nameset dc_nameset;
/* Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_nameset_create(dc_nameset **out);
void dc_nameset_destroy(dc_nameset **set);
/* Adds text[0..n) unless the set has it already; at most 2^31 texts. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_nameset_add(dc_nameset *set, const char *text, size_t n);
size_t dc_nameset_count(const dc_nameset *set);
/* Number of a text, or -1. */
int64_t dc_nameset_find(const dc_nameset *set, const char *text, size_t n);
/* Text number i, without a final zero byte; valid until the next one is added. */
const char *dc_nameset_at(const dc_nameset *set, size_t i, size_t *n);
/* order[count] = numbers of the texts in ascending order: by value if all are integers, else by bytes. */
void dc_nameset_sort(const dc_nameset *set, uint32_t *order);

#endif
