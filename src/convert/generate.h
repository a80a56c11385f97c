/* Built-in data written to a file, for streams and for other programs. */
#ifndef DCMPI_CONVERT_GENERATE_H
#define DCMPI_CONVERT_GENERATE_H

#include "convert/conversion.h"

/* Whether the request names built-in data among its inputs. */
bool dc_job_is_builtin(const dc_conversion *j);
/* Makes and writes the rows, and fills in the result. Errors: DC_ERR_USAGE (an unknown name, other inputs beside it, or
 * options about files), DC_ERR_IO, DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_job_generate(dc_conversion *j);

#endif
