/* Documentation that `make install` writes, made of the tables of verbs, methods and keys. Private to app/. */
#ifndef DCMPI_APP_DOCS_H
#define DCMPI_APP_DOCS_H

#include "dcmpi/base.h"

/* dcmpi.1, for man(7). Its date is SOURCE_DATE_EPOCH, if that is set, or today. */
void dc_docs_man(FILE *out);
/* Completion for bash. */
void dc_docs_completion(FILE *out);

#endif
