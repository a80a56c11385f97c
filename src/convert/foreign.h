/* Files of formats that convert does not read, known by their content: what they are, and the command that makes
 * something readable of them. */
#ifndef DCMPI_CONVERT_FOREIGN_H
#define DCMPI_CONVERT_FOREIGN_H

#include "convert/stream.h"

/* DC_ERR_DATA with name and cure if the stream, which stands at its beginning, begins like a format that is not read;
 * DC_OK otherwise. Nothing is taken from the stream. */
DC_CHECKED dc_status dc_foreign_refuse(const dc_stream *s);

#endif
