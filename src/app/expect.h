/* Detects that the user gave a wrong file: says what it is and which file was probably meant. Private to app/. */
#ifndef DCMPI_APP_EXPECT_H
#define DCMPI_APP_EXPECT_H

#include "dcmpi/base.h"

/* ANY: a file of dcmpi, not a folder. */
typedef enum { DC_EXPECT_DECK, DC_EXPECT_DATA, DC_EXPECT_MODEL, DC_EXPECT_ANY } dc_expected;
/* Fails if the file is of a known kind, but not of the expected one. Rank 0 calls it before the file is read. A missing
 * file, or one of unknown kind, gives DC_OK: the reader will report it. verb: for the command in the message. Errors:
 * DC_ERR_USAGE if a deck is expected, DC_ERR_DATA if data, DC_ERR_FORMAT if a model or any; DC_ERR_IO. */
DC_CHECKED dc_status dc_expect(dc_expected what, const char *path, const char *verb);

#endif
