/* Recognises, by content, files of formats that convert does not read, and tells the command that makes a readable file
 * from them. */
#ifndef DCMPI_CONVERT_FOREIGN_H
#define DCMPI_CONVERT_FOREIGN_H

#include "convert/stream.h"

/* Fails with DC_ERR_DATA, naming format and cure, if the stream begins like a format that convert does not read; else
 * DC_OK. The stream must be at its start, and nothing is taken from it. */
DC_CHECKED dc_status dc_foreign_refuse(const dc_stream *s);

#endif
