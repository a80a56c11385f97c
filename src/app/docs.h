/* Documentation that `make install` writes, generated from the tables of verbs, methods and keys. Private to app/. */
#ifndef DCMPI_APP_DOCS_H
#define DCMPI_APP_DOCS_H

#include "dcmpi/base.h"

/* dcmpi.1 in man(7) format. Its date is SOURCE_DATE_EPOCH if set, else today. */
void dc_docs_man(FILE *out);
/* Writes the completion script for bash. */
void dc_docs_completion(FILE *out);

#endif
