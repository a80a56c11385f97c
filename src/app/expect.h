/* A file that was given in place of another one: what it is, and what was meant. Private to app/. */
#ifndef DCMPI_APP_EXPECT_H
#define DCMPI_APP_EXPECT_H

#include "dcmpi/base.h"

typedef enum { DC_EXPECT_DECK, DC_EXPECT_DATA, DC_EXPECT_MODEL } dc_expected;
/* Rank 0, before the file is read: whether it is of a kind that is known and cannot be meant. What is not there or not
 * known is DC_OK: the reader will see. verb: for the command in the message. Errors: DC_ERR_USAGE for a deck,
 * DC_ERR_DATA for data, DC_ERR_FORMAT for a model; DC_ERR_IO. */
DC_CHECKED dc_status dc_expect(dc_expected what, const char *path, const char *verb);

#endif
