/* Recognises files in formats that convert does not read, by their content, and names a command that makes a readable
 * file from them. */
#ifndef DCMPI_CONVERT_FOREIGN_H
#define DCMPI_CONVERT_FOREIGN_H

#include "convert/stream.h"

/* Fails with DC_ERR_DATA if the stream begins like a format that convert does not read; the message names the format
 * and the command. Otherwise returns DC_OK. The stream must be at its start; nothing is taken from it. */
DC_CHECKED dc_status dc_foreign_refuse(const dc_stream *s);
/* The same for formats that are not text. */
DC_CHECKED dc_status dc_foreign_refuse_binary(const dc_stream *s);

#endif
